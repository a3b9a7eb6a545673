/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* translate - turns lxc.cgroup.* and lxc.cgroup2.* into writes for the hierarchies there are. A key
 * of the version that has the controller is native; one of the other version is translated by the
 * table below, or named in a warning when nothing corresponds. Native keys win. Runs in the monitor,
 * before anything is changed. */
#define LOG_CATEGORY "cgroup"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/str.h"
#include "base/table.h"
#include "cgroup/internal.h"

struct job {
	struct cgroups *g;
	const struct conf *c;
	struct strv warned;	/* keys that have been named */
};

/* One line of the configuration, and where it may go. */
struct line {
	const struct conf_item *it;
	bool v1;			/* lxc.cgroup., not lxc.cgroup2. */
	char *key, *controller;		/* owned */
	const struct hierarchy *to;	/* the translation's target */
};

struct rule {
	const char *from;	/* '*' stands for a page size */
	const char *to;
	/* Emits the writes. NULL: same value. */
	int (*fn)(struct job *j, const struct line *l, const struct rule *rule, struct err **e);
	const char *why;	/* set: nothing corresponds; the reason */
};

/* The hierarchy that is native for a key; NULL. */
static const struct hierarchy *native(struct cgroups *g, bool v1, const char *controller, const char *file)
{
	struct hierarchy *h = v1 ? layout_find(&g->h, controller) : layout_v2(&g->h);

	if (!h || v1)
		return h;
	return STREQ(controller, "cgroup") || strv_has(&h->controllers, controller) ||
			       str_ends(file, ".pressure") ?
		       h :
		       NULL;
}

static bool has_limit(const struct cgroups *g, const struct hierarchy *h, const char *file)
{
	for (size_t i = 0; i < g->limits.n; i++)
		if (!g->limits.v[i].translated && &g->h.v[g->limits.v[i].h] == h &&
		    STREQ(g->limits.v[i].file, file))
			return true;
	return false;
}

static int add(struct job *j, const struct line *l, const struct hierarchy *h, const char *file, const char *value,
	       bool translated, struct err **e)
{
	struct limit x = { .key = strdup(l->key), .given = strdup(l->it->value), .file = strdup(file),
			   .value = strdup(value), .h = (size_t)(h - j->g->h.v), .translated = translated,
			   .at = cgroups_origin(j->g, l->it->at) };

	if (!x.key || !x.given || !x.file || !x.value || VEC_PUSH(&j->g->limits, x) < 0) {
		free(x.key);
		free(x.given);
		free(x.file);
		free(x.value);
		return err_no_memory(e);
	}
	return 0;
}

/* A translated write, unless the same limit is given natively. */
static int emit(struct job *j, const struct line *l, const char *file, const char *value, struct err **e)
{
	return has_limit(j->g, l->to, file) ? 0 : add(j, l, l->to, file, value, true, e);
}

static int warn(struct job *j, const struct line *l, const char *why, struct err **e)
{
	struct origin at = l->it->at;

	if (strv_has(&j->warned, l->key))
		return 0;
	if (strv_add(&j->warned, l->key) < 0)
		return err_no_memory(e);
	if (at.file)
		log_warn(j->g->log, "%s:%u: %s has no effect on this host: %s", at.file, at.line, l->key, why);
	else
		log_warn(j->g->log, "%s has no effect on this host: %s", l->key, why);
	return 0;
}

static int malformed(const struct line *l, const char *why, struct err **e)
{
	return err_at(e, err_cgroup_value_malformed(e, l->key, l->it->value, why), l->it->at);
}

/* The last value of another key of the same family; NULL. */
static const char *sibling(const struct job *j, const struct line *l, const char *file)
{
	const struct conf_list *list = l->v1 ? &j->c->cgroup1 : &j->c->cgroup2;

	for (size_t i = list->n; i-- > 0;)
		if (STREQ(list->v[i].key, file))
			return list->v[i].value;
	return NULL;
}

/* A byte count with the kernel's suffixes; "-1" and "max": UINT64_MAX. */
static int parse_bytes(const char *s, uint64_t *ret)
{
	static const char suffixes[] = "kmgtpe";
	size_t n = strlen(s);
	unsigned shift = 0;
	const char *suffix = n ? strchr(suffixes, s[n - 1] | 0x20) : NULL;
	auto_free char *digits = NULL;
	uint64_t v;
	int r;

	if (STREQ(s, "-1") || STREQ(s, "max")) {
		*ret = UINT64_MAX;
		return 0;
	}
	if (suffix && *suffix) {
		shift = 10 * (unsigned)(suffix - suffixes + 1);
		n--;
	}
	digits = strndup(s, n);
	if (!digits)
		return -ENOMEM;
	r = num_u64(digits, 10, UINT64_MAX >> shift, &v);
	if (r == 0)
		*ret = v << shift;
	return r;
}

static int to_max(struct job *j, const struct line *l, const struct rule *rule, struct err **e)
{
	return emit(j, l, rule->to, STREQ(l->it->value, "-1") ? "max" : l->it->value, e);
}

static int from_max(struct job *j, const struct line *l, const struct rule *rule, struct err **e)
{
	return emit(j, l, rule->to, STREQ(l->it->value, "max") ? "-1" : l->it->value, e);
}

/* memory.memsw.limit_in_bytes counts memory and swap, memory.swap.max swap alone. */
static int memsw_to_swap(struct job *j, const struct line *l, const struct rule *rule, struct err **e)
{
	const char *memory = sibling(j, l, "memory.limit_in_bytes");
	uint64_t both, ram;
	char text[32];

	if (parse_bytes(l->it->value, &both) < 0)
		return malformed(l, "it is not a number of bytes", e);
	if (both == UINT64_MAX)
		return emit(j, l, rule->to, "max", e);
	if (!memory || parse_bytes(memory, &ram) < 0)
		return warn(j, l, "without lxc.cgroup.memory.limit_in_bytes the share of swap is unknown", e);
	if (ram > both)
		return malformed(l, "it is less than lxc.cgroup.memory.limit_in_bytes", e);
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)(both - ram));
	return emit(j, l, rule->to, text, e);
}

static int swap_to_memsw(struct job *j, const struct line *l, const struct rule *rule, struct err **e)
{
	const char *memory = sibling(j, l, "memory.max");
	uint64_t swap, ram;
	char text[32];

	if (parse_bytes(l->it->value, &swap) < 0)
		return malformed(l, "it is neither a number of bytes nor 'max'", e);
	if (swap == UINT64_MAX)
		return emit(j, l, rule->to, "-1", e);
	if (!memory || parse_bytes(memory, &ram) < 0 || ram == UINT64_MAX)
		return warn(j, l, "without lxc.cgroup2.memory.max the sum of memory and swap is unknown", e);
	if (swap > UINT64_MAX - ram)
		return malformed(l, "the sum with lxc.cgroup2.memory.max is too large", e);
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)(ram + swap));
	return emit(j, l, rule->to, text, e);
}

/* The scales of the two versions: a linear map of [from_min, from_max] on [to_min, to_max]. */
struct scale {
	uint64_t from_min, from_max, to_min, to_max;
};

static int scaled(struct job *j, const struct line *l, const char *file, const char *value, struct scale s,
		  struct err **e)
{
	uint64_t v;
	char text[32];

	if (num_u64(value, 10, UINT64_MAX, &v) < 0)
		return malformed(l, "it is not a number", e);
	if (v < s.from_min)
		v = s.from_min;
	if (v > s.from_max)
		v = s.from_max;
	v = s.to_min + (v - s.from_min) * (s.to_max - s.to_min) / (s.from_max - s.from_min);
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	return emit(j, l, file, text, e);
}

static int shares_to_weight(struct job *j, const struct line *l, const struct rule *rule, struct err **e)
{
	return scaled(j, l, rule->to, l->it->value, (struct scale){ 2, 262144, 1, 10000 }, e);
}

static int weight_to_shares(struct job *j, const struct line *l, const struct rule *rule, struct err **e)
{
	if (STREQ(l->it->value, "idle"))
		return emit(j, l, "cpu.idle", "1", e);
	return scaled(j, l, rule->to, l->it->value, (struct scale){ 1, 10000, 2, 262144 }, e);
}

static int blkio_to_io_weight(struct job *j, const struct line *l, const struct rule *rule, struct err **e)
{
	return scaled(j, l, rule->to, l->it->value, (struct scale){ 10, 1000, 1, 10000 }, e);
}

static int io_to_blkio_weight(struct job *j, const struct line *l, const struct rule *rule, struct err **e)
{
	const char *value = str_after(l->it->value, "default ");

	return scaled(j, l, rule->to, value ? value : l->it->value, (struct scale){ 1, 10000, 10, 1000 }, e);
}

static int cfs_to_max(struct job *j, const struct line *l, const struct rule *rule, struct err **e)
{
	bool is_quota = STREQ(l->it->key, "cpu.cfs_quota_us");
	const char *quota = is_quota ? l->it->value : sibling(j, l, "cpu.cfs_quota_us");
	const char *period = is_quota ? sibling(j, l, "cpu.cfs_period_us") : l->it->value;
	auto_free char *text = NULL;
	int64_t v;

	/* With both given the line of the quota says it all. */
	if (!is_quota && quota)
		return 0;
	if ((quota && num_i64(quota, 10, -1, INT64_MAX, &v) < 0) ||
	    (period && num_i64(period, 10, 1, INT64_MAX, &v) < 0))
		return malformed(l, "it is not a number of microseconds", e);
	if (asprintf(&text, "%s %s", !quota || STREQ(quota, "-1") ? "max" : quota, period ? period : "100000") < 0) {
		text = NULL;
		return err_no_memory(e);
	}
	return emit(j, l, rule->to, text, e);
}

static int max_to_cfs(struct job *j, const struct line *l, const struct rule *rule, struct err **e)
{
	auto_strv struct strv w = { 0 };
	uint64_t v;
	int r = 0;

	if (strv_split(&w, l->it->value, " \t") < 0)
		return err_no_memory(e);
	if (w.n < 1 || w.n > 2 || (!STREQ(w.v[0], "max") && num_u64(w.v[0], 10, INT64_MAX, &v) < 0) ||
	    (w.n == 2 && num_u64(w.v[1], 10, INT64_MAX, &v) < 0))
		return malformed(l, "it is not 'QUOTA' or 'QUOTA PERIOD' in microseconds", e);
	/* The period first: the quota is checked against it. */
	if (w.n == 2)
		r = emit(j, l, "cpu.cfs_period_us", w.v[1], e);
	if (r == 0)
		r = emit(j, l, rule->to, STREQ(w.v[0], "max") ? "-1" : w.v[0], e);
	return r;
}

static const struct {
	const char *v1, *v2;
} throttles[] = {
	{ "blkio.throttle.read_bps_device", "rbps" },
	{ "blkio.throttle.write_bps_device", "wbps" },
	{ "blkio.throttle.read_iops_device", "riops" },
	{ "blkio.throttle.write_iops_device", "wiops" },
};

/* "8:0 1048576" -> "8:0 rbps=1048576". */
static int throttle_to_io(struct job *j, const struct line *l, const struct rule *rule, struct err **e)
{
	auto_strv struct strv w = { 0 };
	auto_free char *text = NULL;
	const char *word = NULL;
	uint64_t v;

	for (size_t i = 0; i < ARRAY_SIZE(throttles); i++)
		if (STREQ(throttles[i].v1, l->it->key))
			word = throttles[i].v2;
	if (strv_split(&w, l->it->value, " \t") < 0)
		return err_no_memory(e);
	if (!word || w.n != 2 || !strchr(w.v[0], ':') || num_u64(w.v[1], 10, UINT64_MAX, &v) < 0)
		return malformed(l, "it is not 'MAJOR:MINOR NUMBER'", e);
	if (asprintf(&text, "%s %s=%s", w.v[0], word, v ? w.v[1] : "max") < 0) {
		text = NULL;
		return err_no_memory(e);
	}
	return add(j, l, l->to, rule->to, text, true, e);
}

/* "8:0 rbps=1048576 wiops=max" -> one line per word. */
static int io_to_throttle(struct job *j, const struct line *l, const struct rule *rule, struct err **e)
{
	auto_strv struct strv w = { 0 };
	int r = 0;

	(void)rule;
	if (strv_split(&w, l->it->value, " \t") < 0)
		return err_no_memory(e);
	if (w.n < 2 || !strchr(w.v[0], ':'))
		return malformed(l, "it is not 'MAJOR:MINOR rbps=N wbps=N riops=N wiops=N'", e);
	for (size_t i = 1; i < w.n && r == 0; i++) {
		auto_free char *text = NULL;
		const char *value = NULL, *file = NULL;
		uint64_t v = 0;

		for (size_t k = 0; k < ARRAY_SIZE(throttles) && !value; k++) {
			const char *rest = str_after(w.v[i], throttles[k].v2);

			value = rest && *rest == '=' ? rest + 1 : NULL;
			file = throttles[k].v1;
		}
		if (!value || (!STREQ(value, "max") && num_u64(value, 10, UINT64_MAX, &v) < 0))
			return malformed(l, "it is not 'MAJOR:MINOR rbps=N wbps=N riops=N wiops=N'", e);
		if (asprintf(&text, "%s %llu", w.v[0], (unsigned long long)v) < 0) {
			text = NULL;
			return err_no_memory(e);
		}
		r = add(j, l, l->to, file, text, true, e);
	}
	return r;
}

static int same(struct job *j, const struct line *l, const struct rule *rule, struct err **e)
{
	return emit(j, l, rule->to, l->it->value, e);
}

/* hugetlb.SIZE.limit_in_bytes and the like: the middle is kept. */
static int hugetlb(struct job *j, const struct line *l, const struct rule *rule, struct err **e)
{
	const char *star = strchr(rule->from, '*'), *to = strchr(rule->to, '*');
	size_t tail = strlen(star + 1), n = strlen(l->it->key) - (size_t)(star - rule->from) - tail;
	auto_free char *file = NULL;
	const char *value = l->it->value;

	if (asprintf(&file, "%.*s%.*s%s", (int)(to - rule->to), rule->to, (int)n, l->it->key + (star - rule->from),
		     to + 1) < 0) {
		file = NULL;
		return err_no_memory(e);
	}
	if (STREQ(value, "-1"))
		value = "max";
	else if (STREQ(value, "max"))
		value = "-1";
	return emit(j, l, file, value, e);
}

static const struct rule from_v1[] = {
	{ "memory.limit_in_bytes", "memory.max", to_max, NULL },
	{ "memory.memsw.limit_in_bytes", "memory.swap.max", memsw_to_swap, NULL },
	{ "memory.soft_limit_in_bytes", NULL, NULL,
	  "cgroup v2 has no soft limit; lxc.cgroup2.memory.low is the nearest" },
	{ "cpu.shares", "cpu.weight", shares_to_weight, NULL },
	{ "cpu.cfs_quota_us", "cpu.max", cfs_to_max, NULL },
	{ "cpu.cfs_period_us", "cpu.max", cfs_to_max, NULL },
	{ "cpu.cfs_burst_us", "cpu.max.burst", same, NULL },
	{ "cpu.idle", "cpu.idle", same, NULL },
	{ "cpuset.cpus", "cpuset.cpus", same, NULL },
	{ "cpuset.mems", "cpuset.mems", same, NULL },
	{ "cpuset.cpu_exclusive", NULL, NULL,
	  "cgroup v2 has partitions instead; lxc.cgroup2.cpuset.cpus.partition is the nearest" },
	{ "pids.max", "pids.max", same, NULL },
	{ "rdma.max", "rdma.max", same, NULL },
	{ "misc.max", "misc.max", same, NULL },
	{ "blkio.weight", "io.weight", blkio_to_io_weight, NULL },
	{ "blkio.bfq.weight", "io.bfq.weight", same, NULL },
	{ "blkio.throttle.read_bps_device", "io.max", throttle_to_io, NULL },
	{ "blkio.throttle.write_bps_device", "io.max", throttle_to_io, NULL },
	{ "blkio.throttle.read_iops_device", "io.max", throttle_to_io, NULL },
	{ "blkio.throttle.write_iops_device", "io.max", throttle_to_io, NULL },
	{ "hugetlb.*.rsvd.limit_in_bytes", "hugetlb.*.rsvd.max", hugetlb, NULL },
	{ "hugetlb.*.limit_in_bytes", "hugetlb.*.max", hugetlb, NULL },
};

static const struct rule from_v2[] = {
	{ "memory.max", "memory.limit_in_bytes", from_max, NULL },
	{ "memory.swap.max", "memory.memsw.limit_in_bytes", swap_to_memsw, NULL },
	{ "memory.low", NULL, NULL,
	  "cgroup v1 has no protected minimum; lxc.cgroup.memory.soft_limit_in_bytes is the nearest" },
	{ "memory.high", NULL, NULL,
	  "cgroup v1 has no throttling limit; lxc.cgroup.memory.limit_in_bytes is the nearest" },
	{ "cpu.weight", "cpu.shares", weight_to_shares, NULL },
	{ "cpu.max", "cpu.cfs_quota_us", max_to_cfs, NULL },
	{ "cpu.max.burst", "cpu.cfs_burst_us", same, NULL },
	{ "cpu.idle", "cpu.idle", same, NULL },
	{ "cpuset.cpus", "cpuset.cpus", same, NULL },
	{ "cpuset.mems", "cpuset.mems", same, NULL },
	{ "pids.max", "pids.max", same, NULL },
	{ "rdma.max", "rdma.max", same, NULL },
	{ "misc.max", "misc.max", same, NULL },
	{ "io.weight", "blkio.weight", io_to_blkio_weight, NULL },
	{ "io.bfq.weight", "blkio.bfq.weight", same, NULL },
	{ "io.max", "blkio.throttle.*", io_to_throttle, NULL },
	{ "hugetlb.*.rsvd.max", "hugetlb.*.rsvd.limit_in_bytes", hugetlb, NULL },
	{ "hugetlb.*.max", "hugetlb.*.limit_in_bytes", hugetlb, NULL },
};

/* '*' stands for one word between dots. */
static bool matches(const char *pattern, const char *file)
{
	const char *star = strchr(pattern, '*');
	size_t head, tail, n = strlen(file);

	if (!star)
		return STREQ(pattern, file);
	head = (size_t)(star - pattern);
	tail = strlen(star + 1);
	return n > head + tail && strncmp(file, pattern, head) == 0 && STREQ(file + n - tail, star + 1) &&
	       !memchr(file + head, '.', n - head - tail);
}

static const struct rule *find_rule(bool v1, const char *file)
{
	const struct rule *t = v1 ? from_v1 : from_v2;
	size_t n = v1 ? ARRAY_SIZE(from_v1) : ARRAY_SIZE(from_v2);

	for (size_t i = 0; i < n; i++)
		if (matches(t[i].from, file))
			return &t[i];
	return NULL;
}

/* Files that do something else than to limit. */
static const char *const not_limits[] = { "cgroup.procs", "cgroup.threads", "cgroup.kill", "cgroup.event_control",
					  "tasks", "release_agent", "notify_on_release" };

static int check(const struct line *l, struct err **e)
{
	int r = limits_check_file(l->key, l->it->key, l->it->at, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(not_limits); i++)
		if (STREQ(not_limits[i], l->it->key))
			return err_at(e, err_cgroup_file_invalid(e, l->key, "that file does not hold a limit"),
				      l->it->at);
	if (str_has_control(l->it->value, true))
		return err_at(e, err_cgroup_file_invalid(e, l->key, "its value contains control characters"),
			      l->it->at);
	return 0;
}

/* A file that this kernel does not have is found here where a cgroup that has all files can be
 * looked at: below the root the base itself is one. */
static int check_exists(const struct hierarchy *h, const struct line *l, struct err **e)
{
	auto_free char *full = NULL, *dir = NULL;
	auto_close int fd = -EBADF;

	if (h->v2)
		return 0;
	fd = dirs_open(h, h->base, CG_ROOT_FLAGS);
	if (fd < 0 || faccessat(fd, l->it->key, F_OK, 0) == 0 || errno != ENOENT)
		return 0;
	/* The root of v1's freezer lacks what its children have. */
	if (!*h->base && !strv_has(&h->controllers, "memory") && !strv_has(&h->controllers, "cpuset") &&
	    !strv_has(&h->controllers, "cpu"))
		return 0;
	dir = layout_path(h, h->base);
	if (asprintf(&full, "%s/%s", dir ? dir : h->mount, l->it->key) < 0)
		full = NULL;
	return err_at(e, err_cgroup_file_unknown(e, l->key, full ? full : l->it->key), l->it->at);
}

static int plan_native(struct job *j, const struct line *l, const struct hierarchy *h, struct err **e)
{
	int r;

	if (!h->usable)
		return limits_not_writable(h, l->key, l->it->at, e);
	r = check_exists(h, l, e);
	return r < 0 ? r : add(j, l, h, l->it->key, l->it->value, false, e);
}

static bool has_v1(const struct cgroups *g)
{
	for (size_t i = 0; i < g->h.n; i++)
		if (!g->h.v[i].v2 && strncmp(g->h.v[i].label, "name=", 5) != 0)
			return true;
	return false;
}

static int plan_foreign(struct job *j, struct line *l, struct err **e)
{
	const struct rule *rule = find_rule(l->v1, l->it->key);
	const char *other = l->v1 ? layout_controller_v2(l->controller) : layout_controller_v1(l->controller);

	l->to = native(j->g, !l->v1, other, "");
	if (rule && rule->why)
		return warn(j, l, rule->why, e);
	if (!l->to && (rule || (l->v1 && has_v1(j->g)) || (!l->v1 && layout_v2(&j->g->h))))
		return err_at(e, err_cgroup_controller_missing(e, l->key, l->controller), l->it->at);
	if (!rule)
		return warn(j, l, l->v1 ? "cgroup v2 has nothing like it" : "cgroup v1 has nothing like it", e);
	if (!l->to->usable)
		return limits_not_writable(l->to, l->key, l->it->at, e);
	return rule->fn(j, l, rule, e);
}

/* One pass over one list: the native keys, or the others. */
static int plan_list(struct job *j, const struct conf_list *list, bool v1, bool natives, struct err **e)
{
	int r = 0;

	for (size_t i = 0; i < list->n && r == 0; i++) {
		struct line l = { .it = &list->v[i], .v1 = v1 };
		auto_free char *key = NULL, *controller = strndup(l.it->key, strcspn(l.it->key, "."));
		const struct hierarchy *h;

		if (STREQ(controller ? controller : "", "devices"))
			continue;
		if (!controller || asprintf(&key, "lxc.cgroup%s.%s", v1 ? "" : "2", l.it->key) < 0) {
			key = NULL;
			return err_no_memory(e);
		}
		l.key = key;
		l.controller = controller;
		r = natives ? check(&l, e) : 0;
		if (r < 0)
			break;
		h = native(j->g, v1, controller, l.it->key);
		if (h && natives)
			r = plan_native(j, &l, h, e);
		else if (!h && !natives)
			r = plan_foreign(j, &l, e);
	}
	return r;
}

/* v1 wants memory.limit_in_bytes before memory.memsw.*, which is the larger. */
static int order_memsw(struct cgroups *g)
{
	struct limits sorted = { 0 };
	int r = 0;

	for (int late = 0; late < 2; late++)
		for (size_t i = 0; i < g->limits.n && r == 0; i++)
			if ((strncmp(g->limits.v[i].file, "memory.memsw.", 13) == 0) == late)
				r = VEC_PUSH(&sorted, g->limits.v[i]);
	if (r < 0) {
		VEC_DONE(&sorted);
		return r;
	}
	VEC_DONE(&g->limits);
	g->limits = sorted;
	return 0;
}

int translate_limits(struct cgroups *g, const struct conf *c, struct err **e)
{
	struct job j = { .g = g, .c = c };
	int r = 0;

	for (int natives = 1; natives >= 0 && r == 0; natives--) {
		r = plan_list(&j, &c->cgroup1, true, natives, e);
		if (r == 0)
			r = plan_list(&j, &c->cgroup2, false, natives, e);
	}
	strv_done(&j.warned);
	if (r == 0 && order_memsw(g) < 0)
		r = err_no_memory(e);
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "config/check.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "config/key.h"
#include "kernel/mountopt.h"
#include "kernel/ns.h"
#include "kernel/rlimit.h"

#undef LOG_CATEGORY
#define LOG_CATEGORY "conf"

struct check {
	const struct conf *c;
	struct log *l;
	struct err *first;
};

/* Files the fault that a rule has just raised; takes fault. */
static void file(struct check *k, struct err *fault, struct origin at)
{
	const struct err *root;

	(void)err_at(&fault, 0, at);
	if (!k->first) {
		k->first = fault;
		return;
	}
	root = err_root(fault);
	if (root)
		(void)err_more(&k->first, 0, "%s%s%s%s%s", root->where, *root->where ? ": " : "", root->what,
			       *root->hint ? "; " : "", root->hint);
	err_free(fault);
}

static void conflict(struct check *k, struct origin at, const char *key, const char *other, const char *why)
{
	struct err *fault = NULL;

	(void)err_keys_conflict(&fault, key, other, why);
	file(k, fault, at);
}

static void needs(struct check *k, struct origin at, const char *key, const char *other)
{
	struct err *fault = NULL;

	(void)err_key_needs_key(&fault, key, other);
	file(k, fault, at);
}

static void rule_cgroup_dirs(struct check *k)
{
	const struct conf *c = k->c;
	const struct {
		const struct conf_str *s;
		const char *key;
	} parts[] = {
		{ &c->cgroup_dir_monitor, "lxc.cgroup.dir.monitor" },
		{ &c->cgroup_dir_container, "lxc.cgroup.dir.container" },
		{ &c->cgroup_dir_container_inner, "lxc.cgroup.dir.container.inner" },
	};

	for (size_t i = 0; c->cgroup_dir.v && i < ARRAY_SIZE(parts); i++)
		if (parts[i].s->v)
			conflict(k, parts[i].s->at, parts[i].key, "lxc.cgroup.dir", "");
	if (c->cgroup_dir.v)
		return;
	if (parts[0].s->v && !parts[1].s->v)
		needs(k, parts[0].s->at, parts[0].key, parts[1].key);
	if (!parts[0].s->v && parts[1].s->v)
		needs(k, parts[1].s->at, parts[1].key, parts[0].key);
	if (!parts[1].s->v && parts[2].s->v)
		needs(k, parts[2].s->at, parts[2].key, parts[1].key);
}

/* True if the container gets a new namespace of that kind, as far as keys decide it. */
static bool is_new(const struct conf *c, enum ns_index ns)
{
	if (c->ns_share[ns].v)
		return false;
	if (c->ns_clone.v)
		return c->ns_clone.v & ns_table[ns].flag;
	return !(c->ns_keep.v & ns_table[ns].flag);
}

static void rule_namespaces(struct check *k)
{
	const struct conf *c = k->c;
	const struct conf_num *clocks[] = { &c->time_boot_s, &c->time_boot_ns, &c->time_monotonic_s,
					    &c->time_monotonic_ns };

	for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
		const char *key = i < 2 ? "lxc.time.offset.boot" : "lxc.time.offset.monotonic";

		if (clocks[i]->v && !is_new(c, NS_TIME))
			conflict(k, clocks[i]->at, key,
				 c->ns_share[NS_TIME].v ? "lxc.namespace.share.time"
				 : c->ns_keep.v		? "lxc.namespace.keep = time"
							: "lxc.namespace.clone without time",
				 ": the clock would not be the container's own");
	}
	if (c->sched_core.v && !is_new(c, NS_PID))
		conflict(k, c->sched_core.at, "lxc.sched.core", "a process id namespace that is not new", "");
	if (c->uts_name.v && !is_new(c, NS_UTS))
		log_warn(k->l, "lxc.uts.name = %s has no effect: the host name is not the container's own",
			 c->uts_name.v);
}

static void rule_paths(struct check *k)
{
	const struct conf *c = k->c;
	const struct {
		const struct conf_str *s;
		const char *key;
		bool relative;
	} paths[] = {
		{ &c->tty_dir, "lxc.tty.dir", true },
		{ &c->shmounts_host, "lxc.mount.auto = shmounts:", false },
		{ &c->shmounts_container, "lxc.mount.auto = shmounts:", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const struct conf_str *s = paths[i].s;
		struct err *fault = NULL;

		if (!s->v)
			continue;
		if (path_has_dotdot(s->v))
			(void)err_path_outside(&fault, paths[i].key, s->v, "it contains '..'");
		else if (paths[i].relative && path_is_absolute(s->v))
			(void)err_path_outside(&fault, paths[i].key, s->v, "it is absolute");
		if (fault)
			file(k, fault, s->at);
	}
}

static void rule_limits(struct check *k)
{
	for (size_t i = 0; i < k->c->prlimit.n; i++) {
		const struct conf_item *it = &k->c->prlimit.v[i];
		const char *near = rlimit_nearest(it->key);
		auto_buf struct buf b = BUF_INIT(256);
		struct err *fault = NULL;
		struct rlimit limit;

		if (near)
			buf_addf(&b, "; did you mean lxc.prlimit.%s?", near);
		if (rlimit_by_name(it->key) < 0)
			(void)err_prlimit_unknown(&fault, it->key, buf_str(&b));
		else if (rlimit_parse(it->value, &limit) == 0 && limit.rlim_cur > limit.rlim_max)
			(void)err_prlimit_order(&fault, it->key, it->value);
		if (fault)
			file(k, fault, it->at);
	}
}

static void rule_mounts(struct check *k)
{
	for (size_t i = 0; i < k->c->mount_entry.n; i++) {
		const struct conf_item *it = &k->c->mount_entry.v[i];
		auto_mountopt struct mountopt m = MOUNTOPT_INIT;
		auto_strv struct strv fields = { 0 };
		struct err *fault = NULL;

		if (strv_split(&fields, it->value, " \t") < 0)
			(void)err_no_memory(&fault);
		else if (fields.n && *fields.v[0] == '#')
			continue;
		else if (fields.n < 3)
			(void)err_mount_entry_malformed(&fault, it->value);
		else if (fields.n > 3)
			(void)mountopt_parse(fields.v[3], &m, &fault);
		if (fault)
			file(k, fault, it->at);
	}
}

/* Why text is no hardware address; NULL if it is one. */
static const char *hwaddr_fault(const char *text)
{
	for (int i = 0; i < 6; i++, text += 3) {
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]))
			return "it has not six pairs of hexadecimal digits";
		if (text[2] != (i < 5 ? ':' : '\0'))
			return "its pairs are not separated by colons";
		if (i == 0 && strchr("13579bBdDfF", text[1]))
			return "it is a multicast address";
	}
	return NULL;
}

static bool has_keys(const struct conf_net *n)
{
	return n->up.set || n->link.v || n->name.v || n->hwaddr.v || n->mtu.v || n->script_up.v ||
	       n->script_down.v || n->ipv4.n || n->ipv6.n || n->gateway4.kind || n->gateway6.kind ||
	       n->l2proxy.set;
}

static void rule_nic(struct check *k, const struct conf_net *n)
{
	const char *why = n->hwaddr.v ? hwaddr_fault(n->hwaddr.v) : NULL;
	struct err *fault = NULL;
	unsigned mtu;

	if (!n->type_set && has_keys(n)) {
		(void)err_net_without_type(&fault, n->index);
		file(k, fault, n->at);
	}
	if (why) {
		fault = NULL;
		(void)err_hwaddr_malformed(&fault, n->index, n->hwaddr.v, why);
		file(k, fault, n->hwaddr.at);
	}
	if (n->mtu.v && (num_uint(n->mtu.v, 0, &mtu) < 0 || mtu < 68 || mtu > 65535)) {
		fault = NULL;
		(void)err_mtu_malformed(&fault, n->index, n->mtu.v);
		file(k, fault, n->mtu.at);
	}
}

/* Two interfaces with one name, inside or (veth.pair) on the host. */
static void rule_net_names(struct check *k, const struct conf_net *n, const struct conf_net *before)
{
	const struct {
		const struct conf_str *a, *b;
		const char *sub;
	} names[] = { { &n->name, &before->name, "name" },
		      { &n->veth_pair, &before->veth_pair, "veth.pair" } };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char key[64], other[64];
		struct err *fault = NULL;

		/* A template such as eth%d is one name for many. */
		if (!names[i].a->v || !names[i].b->v || strcmp(names[i].a->v, names[i].b->v) != 0 ||
		    strchr(names[i].a->v, '%'))
			continue;
		(void)snprintf(key, sizeof(key), "lxc.net.%u.%s", n->index, names[i].sub);
		(void)snprintf(other, sizeof(other), "lxc.net.%u.%s", before->index, names[i].sub);
		(void)err_net_name_twice(&fault, key, names[i].a->v, other);
		file(k, fault, names[i].a->at);
	}
}

static void rule_nets(struct check *k)
{
	for (size_t i = 0; i < k->c->nets.n; i++) {
		rule_nic(k, &k->c->nets.v[i]);
		for (size_t j = 0; j < i; j++)
			rule_net_names(k, &k->c->nets.v[i], &k->c->nets.v[j]);
	}
}

int conf_to_idmap(const struct conf *c, struct idmap *ret)
{
	struct idmap m = { 0 };

	for (size_t i = 0; i < c->idmap.n; i++) {
		const struct conf_idmap *from = &c->idmap.v[i];
		const struct idmap_range to = { .gid = from->gid,
						.nsid = from->nsid,
						.hostid = from->hostid,
						.range = from->range,
						.at = from->at };

		if (VEC_PUSH(&m, to) < 0) {
			idmap_done(&m);
			return -ENOMEM;
		}
	}
	*ret = m;
	return 0;
}

static void check_id(struct check *k, const struct idmap *m, bool gid, const struct conf_num *id,
		     const char *key)
{
	struct err *fault = NULL;

	if (!id->set || idmap_to_host(m, gid, (uint32_t)id->v) != UINT32_MAX)
		return;
	(void)err_id_not_mapped(&fault, key, (unsigned)id->v);
	file(k, fault, id->at);
}

static void rule_idmap(struct check *k)
{
	const struct conf *c = k->c;
	auto_mountopt struct mountopt o = MOUNTOPT_INIT;
	struct err *fault = NULL;
	struct idmap m = { 0 };

	if (mountopt_parse(c->rootfs_options.v, &o, NULL) == 0 && o.idmap && STREQ(o.idmap, "container") &&
	    !c->idmap.n)
		needs(k, c->rootfs_options.at, "lxc.rootfs.options = idmap=container", "lxc.idmap");
	if (!c->idmap.n)
		return;
	if (conf_to_idmap(c, &m) < 0)
		(void)err_no_memory(&fault);
	else
		(void)idmap_check(&m, &fault);
	if (fault) {
		file(k, fault, c->idmap.v[0].at);
	} else {
		check_id(k, &m, false, &c->init_uid, "lxc.init.uid");
		check_id(k, &m, true, &c->init_gid, "lxc.init.gid");
	}
	idmap_done(&m);
}

void conf_clock_offset(const struct conf_num *s, const struct conf_num *ns, int64_t *ret_s, int64_t *ret_ns)
{
	const int64_t second = 1000000000;

	/* Seconds hide nanoseconds, as they always have. */
	if (s->v) {
		*ret_s = s->v;
		*ret_ns = 0;
		return;
	}
	*ret_s = ns->v / second;
	*ret_ns = ns->v % second;
	if (*ret_ns < 0) {
		*ret_ns += second;
		(*ret_s)--;
	}
}

static void rule_clocks(struct check *k)
{
	const struct {
		const struct conf_num *n;
		const char *key;
	} clocks[] = {
		{ &k->c->time_boot_s, "lxc.time.offset.boot" },
		{ &k->c->time_monotonic_s, "lxc.time.offset.monotonic" },
	};
	/* The kernel's limit: half of what 64 bits of nanoseconds hold. */
	const int64_t limit = INT64_MAX / 1000000000 / 2;

	for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
		struct err *fault = NULL;

		if (clocks[i].n->v <= limit && clocks[i].n->v >= -limit)
			continue;
		(void)err_clock_overflow(&fault, clocks[i].key);
		file(k, fault, clocks[i].n->at);
	}
}

static void (*const rules[])(struct check *) = {
	rule_cgroup_dirs, rule_namespaces, rule_clocks, rule_paths,
	rule_limits,	  rule_mounts,	   rule_nets,	rule_idmap,
};

int conf_check(const struct conf *c, struct log *l, struct err **e)
{
	struct check k = { .c = c, .l = l };
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		rules[i](&k);
	if (!k.first)
		return 0;
	r = err_root(k.first)->num ? -err_root(k.first)->num : -EINVAL;
	if (e) {
		err_free(*e);
		*e = k.first;
	} else {
		err_free(k.first);
	}
	return r;
}

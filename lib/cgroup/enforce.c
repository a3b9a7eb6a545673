/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* enforce - puts device rules into force: v1 by devices.allow and devices.deny, v2 by a BPF program
 * on the limit cgroup. Runs in the monitor. */
#define LOG_CATEGORY "cgroup"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "base/table.h"
#include "cgroup/internal.h"
#include "kernel/bpf.h"

#define PROGRAM "tiffin_devices"

enum { REG_RESULT, REG_SCRATCH, REG_TYPE, REG_ACCESS, REG_MAJOR, REG_MINOR };

static void load_field(struct bpf_prog *p, uint8_t reg, int16_t off)
{
	bpf_emit(p, BPF_LDX | BPF_MEM | BPF_W, reg, BPF_REG_1, off, 0);
}

static void answer(struct bpf_prog *p, bool allow)
{
	bpf_emit(p, BPF_ALU64 | BPF_MOV | BPF_K, REG_RESULT, 0, 0, allow);
	bpf_emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Instructions that follow a test of an exception, up to the next exception, are counted first:
 * jumps are forward only and relative. */
static void emit_exception(struct bpf_prog *p, const struct device_rule *x, bool allow_default)
{
	const unsigned any = DEVICE_MKNOD | DEVICE_READ | DEVICE_WRITE;
	bool type = x->type != 'a', access = x->access != any, major = x->major != DEVICE_ANY,
	     minor = x->minor != DEVICE_ANY;
	int left = type + 3 * access + major + minor + 2;

	if (type)
		bpf_emit(p, BPF_JMP32 | BPF_JNE | BPF_K, REG_TYPE, 0, (int16_t)(left -= 1),
			 x->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (access) {
		bpf_emit(p, BPF_ALU | BPF_MOV | BPF_X, REG_SCRATCH, REG_ACCESS, 0, 0);
		bpf_emit(p, BPF_ALU | BPF_AND | BPF_K, REG_SCRATCH, 0, 0, (int32_t)x->access);
		left -= 3;
		if (allow_default)
			bpf_emit(p, BPF_JMP32 | BPF_JEQ | BPF_K, REG_SCRATCH, 0, (int16_t)left, 0);
		else
			bpf_emit(p, BPF_JMP32 | BPF_JNE | BPF_X, REG_SCRATCH, REG_ACCESS, (int16_t)left, 0);
	}
	if (major)
		bpf_emit(p, BPF_JMP32 | BPF_JNE | BPF_K, REG_MAJOR, 0, (int16_t)(left -= 1), (int32_t)x->major);
	if (minor)
		bpf_emit(p, BPF_JMP32 | BPF_JNE | BPF_K, REG_MINOR, 0, (int16_t)(left -= 1), (int32_t)x->minor);
	answer(p, !allow_default);
}

static int load(const struct device_policy *policy, struct err **e)
{
	struct bpf_prog p = { 0 };
	int fd;

	load_field(&p, REG_TYPE, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	bpf_emit(&p, BPF_ALU | BPF_MOV | BPF_X, REG_ACCESS, REG_TYPE, 0, 0);
	bpf_emit(&p, BPF_ALU | BPF_AND | BPF_K, REG_TYPE, 0, 0, 0xffff);
	bpf_emit(&p, BPF_ALU | BPF_RSH | BPF_K, REG_ACCESS, 0, 0, 16);
	load_field(&p, REG_MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
	load_field(&p, REG_MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
	for (size_t i = 0; i < policy->exceptions.n; i++)
		emit_exception(&p, &policy->exceptions.v[i], policy->allow_default);
	answer(&p, policy->allow_default);
	fd = bpf_load(&p, BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE, PROGRAM, e);
	bpf_prog_done(&p);
	return fd;
}

/* Makes policy the one that the program in the kernel enforces. */
static int enforce_v2(struct cgroups *g, const struct hierarchy *h, const struct device_policy *policy,
		      struct err **e)
{
	bool trivial = !policy->set || (policy->allow_default && policy->exceptions.n == 0);
	int dir = h->dir[CG_LIMIT].fd, r;
	auto_close int fd = -EBADF;

	if (g->prog_fd < 0)
		g->prog_fd = bpf_cgroup_find(dir, BPF_CGROUP_DEVICE, PROGRAM, NULL);
	if (trivial) {
		r = g->prog_fd < 0 ? 0 : bpf_cgroup_detach(dir, BPF_CGROUP_DEVICE, g->prog_fd, e);
		if (r == 0)
			fd_replace(&g->prog_fd, -EBADF);
		return r;
	}
	fd = load(policy, e);
	r = fd < 0 ? fd : bpf_cgroup_attach(dir, BPF_CGROUP_DEVICE, fd, g->prog_fd, e);
	if (r < 0) {
		r = err_wrap(e, r, "applying device rules");
		return r != -EPERM ? r :
				     err_hint(e, r, "start the container with CAP_SYS_ADMIN in the initial user namespace, or clear lxc.cgroup2.devices.allow and .deny");
	}
	fd_replace(&g->prog_fd, take_fd(&fd));
	return 0;
}

/* One rule into the directory of a role. */
static int write_v1(struct cgroups *g, const struct hierarchy *h, enum cg_role role, const struct device_rule *r,
		    struct err **e)
{
	const char *file = r->allow ? "devices.allow" : "devices.deny";
	auto_buf struct buf b = BUF_INIT(128);
	int rc;

	device_rule_text(r, &b);
	if (!buf_ok(&b))
		return err_no_memory(e);
	rc = io_write_value(h->dir[role].fd, file, buf_str(&b));
	if (rc == -EPERM || rc == -EACCES) {
		/* A container in a container: what the outer one does not have, the inner cannot get. */
		log_warn(g->log, "device rule '%s' is not applied: the cgroup above does not allow it",
			 buf_str(&b));
		return 0;
	}
	if (rc < 0) {
		auto_free char *full = layout_path(h, dir_at(&h->dir[role]));

		return err_at(e,
			      err_limit_refused(e, -rc, file, buf_str(&b), full ? full : file, strerrordesc_np(-rc),
						"give a rule that the kernel's device cgroup accepts"),
			      r->at);
	}
	return 0;
}

/* The inner cgroup keeps what the limit cgroup takes away, and is not given what that gets. */
static int enforce_v1(struct cgroups *g, const struct hierarchy *h, const struct device_rule *r, struct err **e)
{
	int rc = write_v1(g, h, CG_LIMIT, r, e);

	return rc == 0 && r->allow && h->dir[CG_INNER].fd >= 0 ? write_v1(g, h, CG_INNER, r, e) : rc;
}

/* A rule for every device of both types: "a" would change the mode. */
static int write_every(struct cgroups *g, const struct hierarchy *h, struct device_rule r, struct err **e)
{
	int rc;

	r.type = 'c';
	rc = enforce_v1(g, h, &r, e);
	r.type = 'b';
	return rc < 0 ? rc : enforce_v1(g, h, &r, e);
}

/* The kernel changes the mode of a v1 cgroup only while there is none below it. The set-up of the container still
 * needs its devices: they stay allowed, by exceptions. */
int devices_before_inner(struct cgroups *g, const struct hierarchy *h, struct err **e)
{
	struct device_rule none = { .all = true, .type = 'a' };
	struct device_rule every = { .allow = true, .major = DEVICE_ANY, .minor = DEVICE_ANY, .access = DEVICE_EVERY };
	int r;

	if (h->v2 || g->devices_h < 0 || h != &g->h.v[g->devices_h] || !g->policy.set || g->policy.allow_default)
		return 0;
	r = write_v1(g, h, CG_LIMIT, &none, e);
	return r < 0 ? r : write_every(g, h, every, e);
}

/* What the rules amount to, without a change of the mode. */
static int enforce_inner(struct cgroups *g, const struct hierarchy *h, struct err **e)
{
	const struct device_policy *p = &g->policy;
	struct device_rule every = { .major = DEVICE_ANY, .minor = DEVICE_ANY, .access = DEVICE_EVERY };
	int r = p->allow_default ? 0 : write_every(g, h, every, e);

	for (size_t i = 0; i < p->exceptions.n && r == 0; i++) {
		struct device_rule x = p->exceptions.v[i];

		x.allow = !p->allow_default;
		r = x.type == 'a' ? write_every(g, h, x, e) : enforce_v1(g, h, &x, e);
	}
	return r;
}

bool cgroup_filters_devices(const struct cgroups *g)
{
	return g->policy.set;
}

int cgroup_devices(struct cgroups *g, struct err **e)
{
	const struct hierarchy *h = g->devices_h < 0 ? NULL : &g->h.v[g->devices_h];
	int r = 0;

	if (!g->policy.set)
		return 0;
	if (!h || h->dir[CG_LIMIT].fd < 0)
		return err_cgroup_controller_missing(e, "the list of device rules", "devices");
	if (h->v2)
		return enforce_v2(g, h, &g->policy, e);
	if (h->dir[CG_INNER].fd >= 0)
		return enforce_inner(g, h, e);
	for (size_t i = 0; i < g->devices.n && r == 0; i++)
		r = enforce_v1(g, h, &g->devices.v[i], e);
	return r;
}

static int policy_copy(const struct device_policy *from, struct device_policy *to)
{
	*to = (struct device_policy){ .set = from->set, .allow_default = from->allow_default };
	for (size_t i = 0; i < from->exceptions.n; i++)
		if (VEC_PUSH(&to->exceptions, from->exceptions.v[i]) < 0) {
			device_policy_done(to);
			return -ENOMEM;
		}
	return 0;
}

int cgroup_device_change(struct cgroups *g, bool allow, const char *rule, struct err **e)
{
	const struct hierarchy *h = g->devices_h < 0 ? NULL : &g->h.v[g->devices_h];
	struct device_rule x = { 0 };
	struct device_policy next;
	int r = device_rule_parse(rule, allow, true, &x, e);

	if (r < 0)
		return r;
	if (!h || h->dir[CG_LIMIT].fd < 0)
		return err_cgroup_controller_missing(e, allow ? "devices.allow" : "devices.deny", "devices");
	if (policy_copy(&g->policy, &next) < 0)
		return err_no_memory(e);
	/* A container without rules has all devices: its first rule starts from there. */
	if (!next.set)
		next.allow_default = true;
	r = device_policy_apply(&next, &x);
	if (r == -E2BIG)
		r = err_device_rule_malformed(e, rule, "the container already has 1024 rules");
	else if (r < 0)
		r = err_no_memory(e);
	else
		r = h->v2 ? enforce_v2(g, h, &next, e) : enforce_v1(g, h, &x, e);
	if (r < 0) {
		device_policy_done(&next);
		return r;
	}
	device_policy_done(&g->policy);
	g->policy = next;
	return 0;
}

/* Parses the rules of one list; sets *ret to those of this family. */
static int collect(struct cgroups *g, const struct conf_list *from, bool v1, struct device_rules *ret,
		   struct err **e)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct conf_item *it = &from->v[i];
		struct device_rule x = { .v1 = v1, .at = cgroups_origin(g, it->at) };
		const char *prefix = v1 ? "lxc.cgroup" : "lxc.cgroup2";
		auto_free char *key = NULL;
		bool allow = STREQ(it->key, "devices.allow");
		int r;

		if (strncmp(it->key, "devices", 7) != 0 || (it->key[7] && it->key[7] != '.'))
			continue;
		if (asprintf(&key, "%s.%s", prefix, it->key) < 0) {
			key = NULL;
			return err_no_memory(e);
		}
		if (!allow && !STREQ(it->key, "devices.deny"))
			return err_at(e, err_cgroup_file_invalid(e, key, "the device keys are devices.allow and devices.deny"),
				      it->at);
		r = device_rule_parse(it->value, allow, true, &x, e);
		if (r < 0)
			return err_at(e, r, it->at);
		/* The v1 kernel took any rule of type a for the lone one. */
		x.all = x.all || (v1 && x.type == 'a');
		if (VEC_PUSH(ret, x) < 0)
			return err_no_memory(e);
	}
	return 0;
}

static void warn_mode(const struct cgroups *g, const struct device_rule *x)
{
	const char *other = x->v1 ? "lxc.cgroup2" : "lxc.cgroup", *word = x->allow ? "allow" : "deny";

	log_warn(g->log, "%s:%u: %s.devices.%s = a has no effect on this host, where %s.devices.* decides",
		 x->at.file ? x->at.file : "-", x->at.line, x->v1 ? "lxc.cgroup" : "lxc.cgroup2", word, other);
}

/* Native rules as they are; of the other family's, when there are native ones, only what those do
 * not say already: configurations carry both sets, and what was added to one is meant. A lone "a"
 * of the other family changes nothing then. */
static int merge(struct cgroups *g, const struct device_rules *native, const struct device_rules *foreign)
{
	int r = 0;

	for (size_t i = 0; i < native->n && r == 0; i++)
		r = VEC_PUSH(&g->devices, native->v[i]);
	for (size_t i = 0; i < foreign->n && r == 0; i++) {
		const struct device_rule *x = &foreign->v[i];
		bool known = false;

		for (size_t j = 0; j < native->n && !known; j++)
			known = device_rule_same(x, &native->v[j]);
		if (known)
			continue;
		if (x->all && native->n)
			warn_mode(g, x);
		else
			r = VEC_PUSH(&g->devices, *x);
	}
	return r;
}

static int make_policy(struct cgroups *g, struct err **e)
{
	for (size_t i = 0; i < g->devices.n; i++) {
		const struct device_rule *x = &g->devices.v[i];
		int r = device_policy_apply(&g->policy, x);

		if (r == -E2BIG)
			return err_at(e, err_device_rule_malformed(e, "...", "there are more than 1024 rules"), x->at);
		if (r < 0)
			return err_no_memory(e);
	}
	return 0;
}

/* Without a lone "a" before, v2's rules mean "nothing but", v1's "everything but". */
static int start_mode(struct cgroups *g, bool on_v1)
{
	struct device_rule none = { .type = 'a', .all = true };
	bool v1_first = g->devices.v[0].v1;

	g->policy.allow_default = v1_first;
	if (v1_first || !on_v1 || g->devices.v[0].all)
		return 0;
	none.at = g->devices.v[0].at;
	if (VEC_PUSH(&g->devices, none) < 0)
		return -ENOMEM;
	memmove(g->devices.v + 1, g->devices.v, (g->devices.n - 1) * sizeof(none));
	g->devices.v[0] = none;
	return 0;
}

/* Who wrote the rules of a family: the container's own file (or a program) some, included files some. */
struct authors {
	bool own, own_mode, included;
};

static struct authors find_authors(const struct device_rules *l, const struct conf *c)
{
	struct authors r = { 0 };

	for (size_t i = 0; i < l->n; i++) {
		const char *file = l->v[i].at.file;
		bool own = !file || (c->files.n && STREQ(file, c->files.v[0]));

		r.own |= own;
		r.own_mode |= own && l->v[i].all;
		r.included |= !own;
	}
	return r;
}

static bool replaces(struct authors mine, struct authors other)
{
	return mine.own && !other.own && (mine.own_mode || !mine.included);
}

/* Included files carry both families, for hosts of either kind. Who then writes a list of his own, in one of them,
 * means that one on every host: what the include says in the other is not added to it. */
static void choose_family(const struct conf *c, struct device_rules *v1, struct device_rules *v2)
{
	struct authors by1 = find_authors(v1, c), by2 = find_authors(v2, c);

	if (replaces(by1, by2))
		VEC_DONE(v2);
	else if (replaces(by2, by1))
		VEC_DONE(v1);
}

int devices_plan(struct cgroups *g, const struct conf *c, struct err **e)
{
	struct hierarchy *h = layout_find(&g->h, "devices");
	struct device_rules v1 = { 0 }, v2 = { 0 };
	int r;

	if (!h)
		h = layout_v2(&g->h);
	g->devices_h = h ? h - g->h.v : -1;
	r = collect(g, &c->cgroup1, true, &v1, e);
	if (r == 0)
		r = collect(g, &c->cgroup2, false, &v2, e);
	choose_family(c, &v1, &v2);
	if (r == 0 && v1.n + v2.n) {
		const char *key = v2.n ? "lxc.cgroup2.devices" : "lxc.cgroup.devices";
		struct origin at = v2.n ? v2.v[0].at : v1.v[0].at;

		if (!h)
			r = err_at(e, err_cgroup_controller_missing(e, key, "devices"), at);
		else if (!h->usable)
			r = limits_not_writable(h, key, at, e);
		else if (merge(g, h->v2 ? &v2 : &v1, h->v2 ? &v1 : &v2) < 0 || start_mode(g, !h->v2) < 0)
			r = err_no_memory(e);
		else
			r = make_policy(g, e);
	}
	VEC_DONE(&v1);
	VEC_DONE(&v2);
	return r;
}

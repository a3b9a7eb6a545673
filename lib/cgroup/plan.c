/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* plan - everything about a container's cgroups that can be known, and refused, before anything is
 * changed. Runs in the monitor. */
#define LOG_CATEGORY "cgroup"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"
#include "cgroup/internal.h"
#include "config/system.h"

struct cgroups *cgroups_new(void)
{
	struct cgroups *g = calloc(1, sizeof(*g));

	if (g) {
		g->prog_fd = -EBADF;
		g->devices_h = -1;
	}
	return g;
}

void cgroup_free(struct cgroups *g)
{
	if (!g || g->left)
		return;
	layout_done(&g->h);
	for (size_t i = 0; i < g->limits.n; i++) {
		struct limit *l = &g->limits.v[i];

		free(l->key);
		free(l->given);
		free(l->file);
		free(l->value);
	}
	VEC_DONE(&g->limits);
	VEC_DONE(&g->devices);
	device_policy_done(&g->policy);
	fd_close(g->prog_fd);
	for (int i = 0; i < CG_ROLES; i++)
		free(g->leaf[i]);
	strv_done(&g->files);
	idmap_done(&g->map);
	free(g->pivot);
	free(g->name);
	free(g);
}

struct origin cgroups_origin(struct cgroups *g, struct origin at)
{
	if (!at.file)
		return at;
	for (size_t i = 0; i < g->files.n; i++)
		if (STREQ(g->files.v[i], at.file))
			return (struct origin){ g->files.v[i], at.line };
	if (strv_add(&g->files, at.file) < 0)
		return (struct origin){ 0 };
	return (struct origin){ g->files.v[g->files.n - 1], at.line };
}

static int check_dir(const char *key, const struct conf_str *s, bool one_component, struct err **e)
{
	const char *why = NULL;

	if (!s->v)
		return 0;
	if (!*s->v)
		why = "it is empty";
	else if (path_is_absolute(s->v))
		why = "it is an absolute path";
	else if (strstr(s->v, ".."))
		why = "it contains '..'";
	else if (str_has_control(s->v, false))
		why = "it contains control characters";
	else if (one_component && (strchr(s->v, '/') || STREQ(s->v, ".")))
		why = "it is not one directory name";
	return why ? err_at(e, err_cgroup_dir_invalid(e, key, s->v, why), s->at) : 0;
}

static int check_names(const struct conf *c, struct log *l, struct err **e)
{
	const struct conf_str *m = &c->cgroup_dir_monitor, *p = &c->cgroup_dir_container,
			      *in = &c->cgroup_dir_container_inner;
	int r = check_dir("lxc.cgroup.dir", &c->cgroup_dir, false, e);

	if (r == 0)
		r = check_dir("lxc.cgroup.dir.monitor", m, false, e);
	if (r == 0)
		r = check_dir("lxc.cgroup.dir.container", p, false, e);
	if (r == 0)
		r = check_dir("lxc.cgroup.dir.container.inner", in, true, e);
	if (r == 0)
		r = check_dir("lxc.cgroup.dir.monitor.pivot", &c->cgroup_dir_monitor_pivot, false, e);
	if (r < 0)
		return r;
	if (c->cgroup_dir.v && (m->v || p->v || in->v))
		return err_at(e,
			      err_cgroup_dir_conflict(e, "lxc.cgroup.dir and lxc.cgroup.dir.monitor, .container or "
							 ".container.inner exclude each other"),
			      m->v ? m->at : p->v ? p->at : in->at);
	if (!m->v != !p->v)
		return err_at(e,
			      err_cgroup_dir_conflict(
				      e, m->v ? "lxc.cgroup.dir.monitor is set and lxc.cgroup.dir.container is not" :
						"lxc.cgroup.dir.container is set and lxc.cgroup.dir.monitor is not"),
			      m->v ? m->at : p->at);
	if (in->v && !p->v)
		log_warn(l, "lxc.cgroup.dir.container.inner has no effect without lxc.cgroup.dir.container");
	if (m->v) {
		auto_free char *a = path_simplify(m->v), *b = path_simplify(p->v);

		if (!a || !b)
			return err_no_memory(e);
		if (STREQ(a, b))
			return err_at(e,
				      err_cgroup_dir_conflict(e, "lxc.cgroup.dir.monitor and lxc.cgroup.dir.container "
								 "are the same directory"),
				      p->at);
	}
	return 0;
}

/* "PATTERN/WORD" with every %n replaced by the name. */
static char *from_pattern(const char *pattern, const char *name, const char *word)
{
	auto_buf struct buf b = BUF_INIT(8192);
	auto_free char *text = NULL;

	for (const char *p = pattern + strspn(pattern, "/"); *p; p++) {
		if (p[0] == '%' && p[1] == 'n') {
			buf_adds(&b, name);
			p++;
		} else {
			buf_addc(&b, *p);
		}
	}
	buf_addf(&b, "/%s", word);
	text = buf_take(&b);
	return text ? path_simplify(text) : NULL;
}

static char *default_name(const struct conf *c, const char *kind)
{
	auto_free char *leaf = NULL, *full = NULL;

	if (asprintf(&leaf, "lxc.%s.%s", kind, c->name) < 0) {
		leaf = NULL;
		return NULL;
	}
	if (!c->cgroup_dir.v)
		return take_ptr(leaf);
	full = path_join(c->cgroup_dir.v, leaf);
	return full ? path_simplify(full) : NULL;
}

static int pattern_names(struct cgroups *g, const struct conf *c, const char *pattern, struct err **e)
{
	struct conf_str s = { .v = (char *)pattern + strspn(pattern, "/") };
	int r = check_dir("lxc.cgroup.pattern", &s, false, e);

	if (r < 0)
		return r;
	g->leaf[CG_MONITOR] = from_pattern(pattern, c->name, "monitor");
	g->leaf[CG_LIMIT] = from_pattern(pattern, c->name, "payload");
	return 0;
}

static int plan_names(struct cgroups *g, const struct conf *c, struct err **e)
{
	auto_free char *pattern = NULL;
	int r = check_names(c, g->log, e);

	if (r == 0)
		r = system_item("lxc.cgroup.pattern", &pattern, e);
	if (r < 0)
		return r;
	if (c->cgroup_dir_container.v) {
		g->fixed_names = true;
		g->monitor_everywhere = true;
		g->leaf[CG_MONITOR] = path_simplify(c->cgroup_dir_monitor.v);
		g->leaf[CG_LIMIT] = path_simplify(c->cgroup_dir_container.v);
		if (c->cgroup_dir_container_inner.v)
			g->leaf[CG_INNER] = strdup(c->cgroup_dir_container_inner.v);
		if (c->cgroup_dir_container_inner.v && !g->leaf[CG_INNER])
			return err_no_memory(e);
	} else if (!c->cgroup_dir.v && pattern && *pattern) {
		r = pattern_names(g, c, pattern, e);
		if (r < 0)
			return r;
	} else {
		g->leaf[CG_MONITOR] = default_name(c, "monitor");
		g->leaf[CG_LIMIT] = default_name(c, "payload");
	}
	if (!g->leaf[CG_MONITOR] || !g->leaf[CG_LIMIT])
		return err_no_memory(e);
	if (c->cgroup_dir_monitor_pivot.v) {
		g->pivot = path_simplify(c->cgroup_dir_monitor_pivot.v);
		if (!g->pivot)
			return err_no_memory(e);
	}
	return 0;
}

/* A monitor that plans again (reboot) with lxc.cgroup.relative, or as an ordinary user, finds itself in its own cgroup: the
 * base is what is above. */
static void strip_own(struct cgroups *g)
{
	for (size_t i = 0; i < g->h.n; i++) {
		struct hierarchy *h = &g->h.v[i];
		size_t base = strlen(h->base), leaf = strlen(g->leaf[CG_MONITOR]);

		if (base < leaf || !STREQ(h->base + base - leaf, g->leaf[CG_MONITOR]))
			continue;
		if (base == leaf)
			h->base[0] = '\0';
		else if (h->base[base - leaf - 1] == '/')
			h->base[base - leaf - 1] = '\0';
	}
}

/* lxc.cgroup.use: v1 hierarchies without a listed controller are left alone. */
static int apply_use(struct cgroups *g, struct err **e)
{
	auto_free char *use = NULL;
	auto_strv struct strv words = { 0 };
	struct hierarchy *v2 = layout_v2(&g->h);
	int r = system_item("lxc.cgroup.use", &use, e);

	if (r < 0 || !use || !*use)
		return r;
	if (strv_split(&words, use, ", \t") < 0)
		return err_no_memory(e);
	for (size_t i = 0; i < words.n; i++)
		if (!layout_find(&g->h, words.v[i]) && !(v2 && strv_has(&v2->controllers, words.v[i])))
			return err_cgroup_use_unknown(e, words.v[i]);
	for (size_t i = 0; i < g->h.n; i++) {
		struct hierarchy *h = &g->h.v[i];
		bool listed = h->v2;

		for (size_t k = 0; k < h->controllers.n && !listed; k++)
			listed = strv_has(&words, h->controllers.v[k]);
		if (!listed && h->usable) {
			h->usable = false;
			h->why = EPERM;
		}
	}
	return 0;
}

static void warn_unusable(const struct cgroups *g)
{
	if (cgroup_is_usable(g))
		return;
	if (!g->h.n)
		log_warn(g->log, "no cgroup hierarchy is mounted: %s runs without cgroups of its own", g->name);
	else
		log_warn(g->log, "cgroup %s/%s is not writable (%s): %s runs without cgroups of its own",
			 g->h.v[g->h.n - 1].mount, g->h.v[g->h.n - 1].base,
			 strerrordesc_np(g->h.v[g->h.n - 1].why), g->name);
}

static int copy_map(struct cgroups *g, const struct conf *c, struct err **e)
{
	for (size_t i = 0; i < c->idmap.n; i++) {
		const struct conf_idmap *m = &c->idmap.v[i];
		struct idmap_range range = { .gid = m->gid, .nsid = m->nsid, .hostid = m->hostid, .range = m->range };

		if (VEC_PUSH(&g->map, range) < 0)
			return err_no_memory(e);
	}
	return 0;
}

int cgroup_plan(const struct conf *c, struct log *l, struct cgroups **ret, struct err **e)
{
	auto_cgroups struct cgroups *g = cgroups_new();
	int r;

	if (!g)
		return err_no_memory(e);
	g->log = l;
	g->name = strdup(c->name ? c->name : "");
	if (!g->name)
		return err_no_memory(e);
	r = plan_names(g, c, e);
	if (r == 0)
		r = layout_read(c->cgroup_relative.v != 0, &g->h, e);
	if (r == 0)
		r = apply_use(g, e);
	if (r == 0)
		r = copy_map(g, c, e);
	if (r == 0)
		r = translate_limits(g, c, e);
	if (r == 0)
		r = devices_plan(g, c, e);
	if (r < 0)
		return err_wrap(e, r, "planning cgroups");
	if (c->cgroup_relative.v || geteuid() != 0)
		strip_own(g);
	warn_unusable(g);
	*ret = take_ptr(g);
	return 0;
}

bool cgroup_is_unified(const struct cgroups *g)
{
	for (size_t i = 0; i < g->h.n; i++)
		if (!g->h.v[i].v2)
			return false;
	return g->h.n > 0;
}

bool cgroup_is_usable(const struct cgroups *g)
{
	for (size_t i = 0; i < g->h.n; i++)
		if (g->h.v[i].usable)
			return true;
	return false;
}

void cgroup_unified_only(struct cgroups *g)
{
	g->unified_only = true;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* mount - the cgroup class of lxc.mount.auto: what the guest sees below /sys/fs/cgroup. Runs in init,
 * in its own mount namespace, before the root is switched.
 *
 * With a cgroup namespace the guest's mounts show its own cgroup as the root, and a guest that may
 * mount does so itself: only "force" (or a lacking CAP_SYS_ADMIN) makes us do it. Without one the
 * container's own directories are bound at their place in each v1 hierarchy. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/table.h"
#include "cgroup/internal.h"
#include "kernel/mount.h"
#include "kernel/openat.h"

#define TARGET "sys/fs/cgroup"
#define ATTRS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

struct wish {
	bool full, v2_only, force;
	enum { WISH_RO, WISH_RW, WISH_MIXED } mode;
};

static struct wish read_wish(const struct conf *c, bool pure_v2)
{
	static const struct {
		bool full, v2_only;
		int mode;	/* -1: by capability */
	} words[] = {
		[CGAUTO_DEFAULT] = { false, false, -1 },
		[CGAUTO_RO] = { false, false, WISH_RO },
		[CGAUTO_RW] = { false, false, WISH_RW },
		[CGAUTO_MIXED] = { false, false, WISH_MIXED },
		[CGAUTO_FULL_DEFAULT] = { true, false, -1 },
		[CGAUTO_FULL_RO] = { true, false, WISH_RO },
		[CGAUTO_FULL_RW] = { true, false, WISH_RW },
		[CGAUTO_FULL_MIXED] = { true, false, WISH_MIXED },
		[CGAUTO_V2] = { false, true, WISH_RW },
		[CGAUTO_V2_RO] = { false, true, WISH_RO },
	};
	bool admin = conf_keeps_cap(c, CAP_SYS_ADMIN);
	int mode = words[c->auto_cgroup].mode;
	struct wish w = { .full = words[c->auto_cgroup].full, .v2_only = words[c->auto_cgroup].v2_only };

	w.mode = mode >= 0 ? (unsigned)mode : admin ? WISH_RW : WISH_MIXED;
	w.force = c->auto_cgroup_force || w.v2_only || pure_v2 || !admin;
	return w;
}

static int attach_at(int mount, int dirfd, const char *name, struct err **e)
{
	auto_close int target = openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (target < 0)
		return err_set(e, errno, NULL, "cannot open %s/%s", TARGET, name);
	return mount_attach(mount, target, e);
}

static int make_dir(int dirfd, const char *name, struct err **e)
{
	if (mkdirat(dirfd, name, 0755) < 0 && errno != EEXIST)
		return err_set(e, errno, NULL, "cannot make %s/%s", TARGET, name);
	return 0;
}

/* One cgroup2 mount is all there is. */
static int mount_v2(int target, const struct wish *w, struct err **e)
{
	auto_close int m = mount_new("cgroup2", "none", NULL, ATTRS | (w->mode == WISH_RO ? MOUNT_ATTR_RDONLY : 0), e);

	return m < 0 ? m : mount_attach(m, target, e);
}

/* The name of a hierarchy's directory: "systemd" for "name=systemd". */
static const char *dir_name(const struct hierarchy *h)
{
	const char *name = str_after(h->label, "name=");

	return name ? name : h->label;
}

/* "cpu" and "cpuacct" lead to "cpu,cpuacct". */
static int make_links(const struct hierarchy *h, int tmpfs, struct err **e)
{
	if (h->v2 || h->controllers.n < 2)
		return 0;
	for (size_t i = 0; i < h->controllers.n; i++)
		if (symlinkat(h->label, tmpfs, h->controllers.v[i]) < 0 && errno != EEXIST)
			return err_set(e, errno, NULL, "cannot make %s/%s", TARGET, h->controllers.v[i]);
	return 0;
}

/* In a cgroup namespace: a fresh mount, whose root is the container's own cgroup. */
static int mount_fresh(const struct hierarchy *h, int tmpfs, const struct wish *w, struct err **e)
{
	uint64_t attrs = ATTRS | (w->mode == WISH_RO ? MOUNT_ATTR_RDONLY : 0);
	auto_free char *options = NULL;
	auto_close int m = -EBADF;

	if (!h->v2 && asprintf(&options, "%s%s", strncmp(h->label, "name=", 5) == 0 ? "none," : "", h->label) < 0) {
		options = NULL;
		return err_no_memory(e);
	}
	m = mount_new(h->v2 ? "cgroup2" : "cgroup", "none", options, attrs, e);
	return m < 0 ? m : attach_at(m, tmpfs, dir_name(h), e);
}

/* A clone of a directory of the host's hierarchy, as seen in this mount namespace: the descriptors
 * that the monitor opened belong to another. */
static int clone_host(const struct hierarchy *h, const char *path, bool ro, struct err **e)
{
	struct mount_attrs a = MOUNT_ATTRS_INIT;
	auto_close int root = open(h->mount, CG_ROOT_FLAGS);
	auto_close int dir = root < 0 ? -EBADF : openat(root, *path ? path : ".", CG_ROOT_FLAGS | O_NOFOLLOW);
	auto_close int m = -EBADF;
	int r;

	if (dir < 0)
		return err_set(e, errno, NULL, "cannot open %s/%s", h->mount, path);
	m = mount_clone(dir, false, e);
	if (m < 0)
		return m;
	a.set = ATTRS | (ro ? MOUNT_ATTR_RDONLY : 0);
	a.clear = ro ? 0 : MOUNT_ATTR_RDONLY;
	r = mount_set(m, &a, e);
	return r < 0 ? r : take_fd(&m);
}

/* Makes every directory of path below dirfd. */
static int make_path(int dirfd, const char *path, struct err **e)
{
	auto_free char *s = strdup(path);

	if (!s)
		return err_no_memory(e);
	for (char *p = s;; p++) {
		char end = *p;
		int r;

		if (end && end != '/')
			continue;
		*p = '\0';
		r = make_dir(dirfd, s, e);
		*p = end;
		if (r < 0 || !end)
			return r;
	}
}

/* Without a cgroup namespace: what /proc/self/cgroup says must be found at that path. */
static int mount_bound(const struct hierarchy *h, int tmpfs, const struct wish *w, struct err **e)
{
	const char *own = dir_at(dirs_payload(h));
	auto_free char *place = NULL;
	auto_close int m = -EBADF;
	int r;

	if (asprintf(&place, "%s/%s", dir_name(h), own) < 0) {
		place = NULL;
		return err_no_memory(e);
	}
	if (w->full) {
		auto_close int whole = clone_host(h, "", w->mode != WISH_RW, e);

		r = whole < 0 ? whole : attach_at(whole, tmpfs, dir_name(h), e);
		if (r < 0 || w->mode != WISH_MIXED)
			return r;
	} else {
		r = make_path(tmpfs, place, e);
		if (r < 0)
			return r;
	}
	m = clone_host(h, own, w->mode == WISH_RO, e);
	return m < 0 ? m : attach_at(m, tmpfs, place, e);
}

static int mount_tree(struct cgroups *g, int target, const struct wish *w, bool fresh, struct err **e)
{
	auto_close int tmpfs = mount_new("tmpfs", "none", "size=10240k,mode=755", ATTRS, e);
	struct mount_attrs ro = MOUNT_ATTRS_INIT;
	int r = tmpfs < 0 ? tmpfs : mount_attach(tmpfs, target, e);

	for (size_t i = 0; i < g->h.n && r == 0; i++) {
		const struct hierarchy *h = &g->h.v[i];

		if (!dirs_payload(h)->path)
			continue;
		r = make_dir(tmpfs, dir_name(h), e);
		if (r == 0)
			r = make_links(h, tmpfs, e);
		if (r == 0)
			r = fresh ? mount_fresh(h, tmpfs, w, e) : mount_bound(h, tmpfs, w, e);
	}
	ro.set = MOUNT_ATTR_RDONLY;
	if (r == 0 && w->mode != WISH_RW)
		r = mount_set(tmpfs, &ro, e);
	return r;
}

static bool is_pure_v2(const struct cgroups *g)
{
	for (size_t i = 0; i < g->h.n; i++)
		if (!g->h.v[i].v2)
			return false;
	return true;
}

bool cgroup_wants_mount(const struct cgroups *g, const struct conf *c, bool cgroup_namespace)
{
	return c->auto_cgroup != CGAUTO_NONE && g->h.n && !(cgroup_namespace && !read_wish(c, is_pure_v2(g)).force);
}

int cgroup_mount(struct cgroups *g, const struct conf *c, int rootfd, bool cgroup_namespace, struct err **e)
{
	auto_close int target = -EBADF;
	bool pure_v2 = is_pure_v2(g);
	struct wish w;
	int r;

	if (!cgroup_wants_mount(g, c, cgroup_namespace))
		return 0;
	w = read_wish(c, pure_v2);
	w.v2_only |= cgroup_namespace && g->unified_only && layout_v2(&g->h);
	if (!cgroup_namespace && (pure_v2 || w.v2_only))
		return err_at(e, err_cgroup_mount_unsupported(e), c->auto_at);
	target = mkdir_in_root(rootfd, TARGET, 0755);
	if (target < 0)
		r = err_set(e, -target, NULL, "cannot make /%s in the rootfs", TARGET);
	else if (pure_v2 || w.v2_only)
		r = mount_v2(target, &w, e);
	else
		r = mount_tree(g, target, &w, cgroup_namespace, e);
	return r < 0 ? err_wrap_at(e, r, c->auto_at, "mounting cgroups") : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* dirs - makes the directories of one container and moves processes into them. Runs in the monitor.
 *
 * Who owns a directory is told by two marks. A lock (flock, shared) is held on every leaf from its
 * creation to its removal, so that another start can tell a leaf in use, even an empty one, from a
 * leftover of a dead monitor. An extended attribute marks directories that were made above leaves,
 * so that the last container in them can remove them and nobody removes the administrator's. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "base/table.h"
#include "cgroup/internal.h"
#include "kernel/proc.h"

#define MARK "user.tiffin"
#define LEFTOVER_WAIT_MS 200
#define RETIRE_WAIT_MS 100
#define RETIRE_STEP_MS 2

int dirs_open(const struct hierarchy *h, const char *path, int flags)
{
	int fd = openat(h->root_fd, *path ? path : ".", flags);

	return fd < 0 ? -errno : fd;
}

struct hierarchy *dirs_primary(struct cgroups *g, const char *v1_controller)
{
	struct hierarchy *h = layout_v2(&g->h);

	if (h && h->dir[CG_LIMIT].fd >= 0)
		return h;
	for (size_t i = 0; i < g->h.n; i++) {
		h = &g->h.v[i];
		if (!h->v2 && h->dir[CG_LIMIT].fd >= 0 &&
		    (!v1_controller || strv_has(&h->controllers, v1_controller)))
			return h;
	}
	return NULL;
}

/* The leaf is locked as in use. -EBUSY: somebody is removing it, or removed it meanwhile. */
static int lock_leaf(const struct hierarchy *h, const char *path, int fd, uint64_t *ret_ino)
{
	struct stat mine, there;

	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return -EBUSY;
	if (fstat(fd, &mine) < 0)
		return -errno;
	if (fstatat(h->root_fd, path, &there, AT_SYMLINK_NOFOLLOW) < 0 || there.st_ino != mine.st_ino)
		return -EBUSY;
	*ret_ino = mine.st_ino;
	return 0;
}

/* Removes what a monitor that died left under this name. -EEXIST: it is in use. */
static int remove_leftover(const struct cgroups *g, const struct hierarchy *h, const char *path)
{
	auto_close int fd = dirs_open(h, path, CG_LEAF_FLAGS);
	char value[2];

	if (fd < 0)
		return fd == -ENOENT ? 0 : -EEXIST;
	/* A name that the administrator chose may be a directory that the administrator made. */
	if (g->fixed_names && fgetxattr(fd, MARK, value, sizeof(value)) <= 0)
		return -EEXIST;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || procs_is_alive(fd))
		return -EEXIST;
	return remove_tree(h, path, &g->map, LEFTOVER_WAIT_MS) < 0 ? -EEXIST : 0;
}

/* Makes the directories between the base and the leaf. */
static int make_parents(struct hierarchy *h, const char *path, struct err **e)
{
	size_t start = strlen(h->base);

	for (const char *p = path + start; (p = strchr(p + (*p == '/'), '/'));) {
		auto_free char *dir = strndup(path, (size_t)(p - path));
		auto_close int fd = -EBADF;
		int r = 0;

		if (!dir)
			return err_no_memory(e);
		if (mkdirat(h->root_fd, dir, 0755) < 0) {
			if (errno == EEXIST)
				continue;
			auto_free char *full = layout_path(h, dir);

			return err_set(e, errno, NULL, "cannot make cgroup %s", full ? full : dir);
		}
		fd = dirs_open(h, dir, CG_LEAF_FLAGS);
		if (fd >= 0) {
			(void)fsetxattr(fd, MARK, "1", 1, 0);
			r = h->v2 ? 0 : v1_prepare(h, fd, e);
		}
		if (r == 0 && strv_add(&h->parents, dir) < 0)
			r = err_no_memory(e);
		if (r < 0) {
			(void)unlinkat(h->root_fd, dir, AT_REMOVEDIR);
			return r;
		}
	}
	return 0;
}

/* Parents that an earlier container of ours made are ours to remove as well, once they are empty. */
static int adopt_parents(struct hierarchy *h, const char *path)
{
	for (const char *p = path + strlen(h->base); (p = strchr(p + (*p == '/'), '/'));) {
		auto_free char *dir = strndup(path, (size_t)(p - path));
		auto_close int fd = dir ? dirs_open(h, dir, CG_LEAF_FLAGS) : -ENOMEM;
		char value[2];

		if (fd < 0)
			return fd;
		if (!strv_has(&h->parents, dir) && fgetxattr(fd, MARK, value, sizeof(value)) > 0 &&
		    strv_add(&h->parents, dir) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* The directory itself; -EEXIST when the name is in use. */
static int make_dir(const struct cgroups *g, struct hierarchy *h, const char *at, struct err **e)
{
	int r = 0;

	/* Another container's end may remove a parent between the two steps: hence the attempts. */
	for (int attempt = 0; attempt < 3; attempt++) {
		r = make_parents(h, at, e);
		if (r < 0)
			return r;
		if (mkdirat(h->root_fd, at, 0755) == 0)
			return 0;
		r = -errno;
		if (r == -EEXIST)
			r = remove_leftover(g, h, at);
		else if (r != -ENOENT)
			break;
		if (r == -EEXIST)
			return r;
	}
	auto_free char *full = layout_path(h, at);

	return err_set(e, -r, NULL, "cannot make cgroup %s", full ? full : at);
}

/* Takes path. 0, -EEXIST when the name is taken (no error is set), else -errno with *e set. */
static int make_leaf(struct cgroups *g, struct hierarchy *h, enum cg_role role, char *path, struct err **e)
{
	auto_free char *owned = path;
	auto_close int fd = -EBADF;
	const char *at = path + 1;
	uint64_t ino = 0;
	int r;

	if (!owned)
		return err_no_memory(e);
	r = make_dir(g, h, at, e);
	if (r < 0)
		return r;
	fd = dirs_open(h, at, CG_LEAF_FLAGS);
	if (fd < 0)
		return err_set(e, -fd, NULL, "cannot open cgroup %s", path);
	r = lock_leaf(h, at, fd, &ino);
	if (r == -EBUSY)
		return -EEXIST;
	if (r == 0)
		r = adopt_parents(h, at);
	if (r < 0)
		r = err_set(e, -r, NULL, "cannot use cgroup %s", path);
	if (r == 0 && g->fixed_names)
		(void)fsetxattr(fd, MARK, "1", 1, 0);
	if (r == 0 && !h->v2)
		r = v1_prepare(h, fd, e);
	if (r < 0) {
		(void)unlinkat(h->root_fd, at, AT_REMOVEDIR);
		return r;
	}
	h->dir[role] = (struct cg_dir){ .path = take_ptr(owned), .fd = take_fd(&fd), .ino = ino };
	return 0;
}

/* Takes back what this attempt made: it is empty. */
static void unmake(struct hierarchy *h, bool keep_monitor)
{
	for (int role = CG_ROLES - 1; role >= (keep_monitor ? CG_LIMIT : CG_MONITOR); role--) {
		struct cg_dir *d = &h->dir[role];

		if (d->path)
			(void)unlinkat(h->root_fd, dir_at(d), AT_REMOVEDIR);
		fd_replace(&d->fd, -EBADF);
		free(take_ptr(d->path));
	}
	for (size_t i = h->parents.n; !h->dir[CG_MONITOR].path && i-- > 0;) {
		(void)unlinkat(h->root_fd, h->parents.v[i], AT_REMOVEDIR);
		strv_remove(&h->parents, i);
	}
}

/* "/BASE/LEAF-SUFFIX". */
static char *leaf_path(const struct hierarchy *h, const char *leaf, int suffix)
{
	char *s = NULL;
	int n;

	if (suffix)
		n = asprintf(&s, "/%s%s%s-%d", h->base, *h->base ? "/" : "", leaf, suffix);
	else
		n = asprintf(&s, "/%s%s%s", h->base, *h->base ? "/" : "", leaf);
	return n < 0 ? NULL : s;
}

static bool wants_monitor(const struct cgroups *g, const struct hierarchy *h)
{
	return h->v2 || g->monitor_everywhere || !layout_v2((struct hierarchies *)&g->h);
}

/* A monitor that has ended is still in its cgroup for a moment (cgroup_retire): one without a payload
 * is waited for before another name is tried. */
static int make_monitor(struct cgroups *g, struct hierarchy *h, int suffix, struct err **e)
{
	int r = make_leaf(g, h, CG_MONITOR, leaf_path(h, g->leaf[CG_MONITOR], suffix), e);

	for (int waited = 0; r == -EEXIST && !suffix && waited < RETIRE_WAIT_MS; waited += RETIRE_STEP_MS) {
		auto_free char *payload = leaf_path(h, g->leaf[CG_LIMIT], suffix);

		if (!payload || faccessat(h->root_fd, payload + 1, F_OK, 0) == 0)
			break;
		(void)poll(NULL, 0, RETIRE_STEP_MS);
		r = make_leaf(g, h, CG_MONITOR, leaf_path(h, g->leaf[CG_MONITOR], suffix), e);
	}
	return r;
}

static int make_hierarchy(struct cgroups *g, struct hierarchy *h, int suffix, struct err **e)
{
	int r = 0;

	if (!h->dir[CG_MONITOR].path && wants_monitor(g, h))
		r = make_monitor(g, h, suffix, e);
	if (r < 0 || h->dir[CG_LIMIT].path)
		return r;
	r = make_leaf(g, h, CG_LIMIT, leaf_path(h, g->leaf[CG_LIMIT], suffix), e);
	if (r == 0 && h->v2)
		r = v2_enable(g, h, e);
	if (r == 0 && g->leaf[CG_INNER]) {
		char *inner = NULL;

		r = devices_before_inner(g, h, e);
		if (r < 0)
			return r;
		if (asprintf(&inner, "%s/%s", h->dir[CG_LIMIT].path, g->leaf[CG_INNER]) < 0)
			return err_no_memory(e);
		r = make_leaf(g, h, CG_INNER, inner, e);
	}
	return r;
}

/* Whether h is left to cgroup_create_rest: 1, 0, -errno. A name that is there already is looked into now. */
static int put_off(const struct cgroups *g, struct hierarchy *h, int suffix)
{
	char *path;

	if (!g->rest_later || h->v2 || h->dir[CG_LIMIT].path)
		return 0;
	path = leaf_path(h, g->leaf[CG_LIMIT], suffix);
	if (!path)
		return -ENOMEM;
	free(h->later);
	h->later = path;
	if (faccessat(h->root_fd, path + 1, F_OK, 0) < 0 && errno == ENOENT)
		return 1;
	free(take_ptr(h->later));
	return 0;
}

/* All hierarchies under one name, or none. -EEXIST: taken in one of them, named in *ret_taken. */
static int make_all(struct cgroups *g, int suffix, bool keep_monitor, char **ret_taken, struct err **e)
{
	int r = 0;

	for (size_t i = 0; i < g->h.n && r == 0; i++) {
		struct hierarchy *h = &g->h.v[i];

		if (!h->usable)
			continue;
		r = put_off(g, h, suffix);
		if (r < 0)
			return err_no_memory(e);
		if (r > 0) {
			r = 0;
			continue;
		}
		r = make_hierarchy(g, h, suffix, e);
		if (r == -EEXIST && ret_taken) {
			auto_free char *leaf = leaf_path(h, g->leaf[CG_LIMIT], suffix);

			*ret_taken = leaf ? layout_path(h, leaf + 1) : NULL;
		}
	}
	for (size_t i = g->h.n; r < 0 && i-- > 0;)
		unmake(&g->h.v[i], keep_monitor);
	return r;
}

static int borrowed_fd(const struct cgroups *g, enum cg_role role)
{
	const struct hierarchy *h = layout_v2((struct hierarchies *)&g->h);

	if (!h)
		return -1;
	const struct cg_dir *d = role == CG_INNER ? dirs_payload(h) : &h->dir[role];

	return d->fd >= 0 ? d->fd : -1;
}

static void end_at_once(void *arg)
{
	_exit(0);
}

/* Kernels with the fix for forks that race with cgroup.kill (6.14 and stable ones since) compare the
 * number of kills that the new cgroup has seen with that of the parent's, instead of with its own: a
 * child of a parent whose cgroup was once killed is killed at birth. There is no file that shows the
 * number, so one child is risked. */
static bool can_be_born(int fd)
{
	pid_t pid = fd < 0 ? -1 : proc_clone_same(0, fd, end_at_once, NULL, NULL);
	int status;

	return pid > 0 && proc_wait(pid, &status) == 0 && WIFEXITED(status);
}

int cgroup_create(struct cgroups *g, struct err **e)
{
	auto_free char *taken = NULL;
	bool keep_monitor = false;
	int r = -EEXIST;

	for (size_t i = 0; i < g->h.n; i++)
		keep_monitor = keep_monitor || g->h.v[i].dir[CG_MONITOR].path;
	for (int suffix = 0; r == -EEXIST && suffix <= (g->fixed_names ? 0 : CG_SUFFIX_MAX); suffix++) {
		free(take_ptr(taken));
		r = make_all(g, suffix, keep_monitor, &taken, e);
		g->suffix = suffix;
	}
	if (r == -EEXIST)
		return err_cgroup_name_taken(e, taken ? taken : g->leaf[CG_LIMIT]);
	g->birth_known = keep_monitor;
	return r;
}

bool cgroup_may_be_later(const struct cgroups *g)
{
	const struct hierarchy *v2 = layout_v2((struct hierarchies *)&g->h);

	/* The monitor lives in all of v1 where it cannot be in v2, or was told to. */
	return v2 && v2->usable && !g->monitor_everywhere && !g->fixed_names && !g->leaf[CG_INNER] &&
	       g->h.n <= CGROUP_ENTRY_MAX;
}

void cgroup_leave_rest(struct cgroups *g, bool later)
{
	g->rest_later = later;
}

/* Nobody of ours has the name, since the one in v2 is locked: but another program's start may have got it meanwhile. */
static int make_rest(struct cgroups *g, struct hierarchy *h, struct err **e)
{
	int r = -EEXIST;

	for (int suffix = g->suffix; r == -EEXIST && suffix <= CG_SUFFIX_MAX; suffix++)
		r = make_hierarchy(g, h, suffix, e);
	if (r == -EEXIST) {
		auto_free char *full = layout_path(h, h->later + 1);

		return err_cgroup_name_taken(e, full ? full : h->later);
	}
	return r;
}

int cgroup_create_rest(struct cgroups *g, struct cgroup_entry *ret, struct err **e)
{
	*ret = (struct cgroup_entry){ .v2 = -EBADF };
	for (size_t i = 0; i < g->h.n; i++) {
		struct hierarchy *h = &g->h.v[i];
		int r;

		if (!h->later)
			continue;
		r = make_rest(g, h, e);
		if (r < 0)
			return r;
		ret->v1[ret->n] = openat(h->dir[CG_LIMIT].fd, "tasks", O_WRONLY | O_CLOEXEC);
		if (ret->v1[ret->n] < 0)
			return err_set(e, errno, NULL, "cannot open cgroup %s to enter it", h->dir[CG_LIMIT].path);
		ret->n++;
		h->joins = true;
		free(take_ptr(h->later));
	}
	return 0;
}

void cgroup_birth_known(struct cgroups *g, bool works)
{
	g->birth = works;
	g->birth_known = true;
}

int cgroup_birth_fd(struct cgroups *g, bool monitor)
{
	if (!g->birth_known)
		cgroup_birth_known(g, can_be_born(cgroup_monitor_fd(g)));
	return g->birth ? borrowed_fd(g, monitor ? CG_MONITOR : CG_INNER) : -1;
}

int cgroup_monitor_fd(const struct cgroups *g)
{
	return borrowed_fd(g, CG_MONITOR);
}

int cgroup_payload_fd(const struct cgroups *g)
{
	return borrowed_fd(g, CG_INNER);
}

int cgroup_limit_fd(const struct cgroups *g)
{
	return borrowed_fd(g, CG_LIMIT);
}

const char *cgroup_path(const struct cgroups *g, const char *controller, bool limit)
{
	struct hierarchies *all = (struct hierarchies *)&g->h;
	const struct hierarchy *h;

	if (!controller || !*controller || STREQ(controller, "unified"))
		h = layout_v2(all);
	else
		h = layout_find(all, controller);
	if (!h)
		return NULL;
	const struct cg_dir *d = limit ? &h->dir[CG_LIMIT] : dirs_payload(h);

	return d->path;
}

size_t cgroup_fds(const struct cgroups *g, bool limit, int *fds, size_t max, int *ret_layout)
{
	bool v1 = false, v2 = false;
	size_t n = 0;

	for (size_t i = 0; i < g->h.n; i++) {
		const struct hierarchy *h = &g->h.v[i];
		const struct cg_dir *d = limit ? &h->dir[CG_LIMIT] : dirs_payload(h);

		if (!d || d->fd < 0 || n == max)
			continue;
		fds[n++] = d->fd;
		v1 |= !h->v2;
		v2 |= h->v2;
	}
	*ret_layout = v1 && v2 ? 1 : v2 ? 2 : 0;
	return n;
}

int cgroup_controller_fd(const struct cgroups *g, const char *controller, bool limit, bool *ret_v2)
{
	struct hierarchies *all = (struct hierarchies *)&g->h;
	const struct hierarchy *h = NULL;
	const struct cg_dir *d;

	if (controller && *controller && !STREQ(controller, "unified"))
		h = layout_find(all, controller);
	if (!h)
		h = layout_v2(all);
	if (!h)
		return -EBADF;
	d = limit ? &h->dir[CG_LIMIT] : dirs_payload(h);
	*ret_v2 = h->v2;
	return d ? d->fd : -EBADF;
}

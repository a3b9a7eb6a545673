/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* remove - takes away what cgroup_create made. Only rmdir is used, which the kernel refuses for a
 * cgroup with anything alive in it. Runs in the monitor, or in a process that cleans up after one
 * that died. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/table.h"
#include "cgroup/internal.h"
#include "cgroup/scope.h"
#include "kernel/proc.h"

#define REMOVE_WAIT_MS 3000

/* The name of some subdirectory. 1 found, 0 none, -errno. */
static int any_subdir(int fd, char **ret)
{
	auto_closedir DIR *d = io_opendir(fd, ".");

	if (!d)
		return errno == ENOENT || errno == ENODEV ? 0 : -errno;
	for (struct dirent *de = readdir(d); de; de = readdir(d)) {
		if (de->d_type != DT_DIR || STREQ(de->d_name, ".") || STREQ(de->d_name, ".."))
			continue;
		*ret = strdup(de->d_name);
		return *ret ? 1 : -ENOMEM;
	}
	return 0;
}

/* Removes everything below fd, leaves first. The guest decides how deep it is: one descriptor at a
 * time, up again by "..", which in a cgroup filesystem cannot lead anywhere else. */
static int empty_dir(int fd)
{
	auto_close int cur = openat(fd, ".", CG_LEAF_FLAGS);
	auto_strv struct strv way = { 0 };

	if (cur < 0)
		return errno == ENOENT || errno == ENODEV ? 0 : -errno;
	for (;;) {
		auto_free char *name = NULL;
		int r = any_subdir(cur, &name);

		if (r < 0 || (r == 0 && way.n == 0))
			return r;
		if (r == 0) {
			fd_replace(&cur, openat(cur, "..", CG_LEAF_FLAGS));
			name = way.v[--way.n];
			way.v[way.n] = NULL;
			if (cur < 0)
				return -errno;
			if (unlinkat(cur, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
				return -errno;
			continue;
		}
		if (unlinkat(cur, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			continue;
		if (errno != EBUSY && errno != ENOTEMPTY)
			return -errno;
		auto_close int child = openat(cur, name, CG_LEAF_FLAGS);

		if (child < 0 && errno != ENOENT)
			return -errno;
		if (child < 0)
			continue;
		fd_replace(&cur, take_fd(&child));
		if (strv_push(&way, take_ptr(name)) < 0)
			return -ENOMEM;
	}
}

static int empty_mapped(void *arg, struct err **e)
{
	int r = empty_dir(*(int *)arg);

	return r < 0 ? err_set(e, -r, NULL, "cannot remove a cgroup of the guest") : 0;
}

/* What a mapped root made below, an ordinary user may not remove: its root may. */
static int empty(int fd, const struct idmap *map)
{
	int r = empty_dir(fd);

	if ((r == -EACCES || r == -EPERM) && map && map->n)
		r = idmap_run(map, empty_mapped, &fd, NULL);
	return r;
}

int remove_tree(const struct hierarchy *h, const char *path, const struct idmap *map, int timeout_ms)
{
	int64_t deadline = procs_now_ms() + timeout_ms;
	auto_close int fd = -EBADF;

	for (;;) {
		int64_t left = deadline - procs_now_ms();
		int r;

		if (unlinkat(h->root_fd, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != EBUSY && errno != ENOTEMPTY)
			return -errno;
		if (fd < 0)
			fd = dirs_open(h, path, CG_LEAF_FLAGS);
		if (fd < 0)
			return fd == -ENOENT ? 0 : fd;
		r = empty(fd, map);
		if (r < 0 && r != -EBUSY && r != -ENOTEMPTY)
			return r;
		if (r == 0 && (unlinkat(h->root_fd, path, AT_REMOVEDIR) == 0 || errno == ENOENT))
			return 0;
		if (left <= 0)
			return -EBUSY;
		procs_wait_change(fd, (int)left);
	}
}

static int report(const struct hierarchy *h, const char *path, int r, struct err **e)
{
	auto_free char *full = layout_path(h, path);

	if (r == -EBUSY)
		return err_cgroup_busy(e, full ? full : path);
	return err_set(e, -r, NULL, "cannot remove cgroup %s", full ? full : path);
}

static void forget(struct cg_dir *d)
{
	fd_replace(&d->fd, -EBADF);
	free(take_ptr(d->path));
}

/* The first failure is reported, the rest is done all the same. */
static int remove_role(struct cgroups *g, struct hierarchy *h, enum cg_role role, struct err **e)
{
	struct cg_dir *d = &h->dir[role];
	int r = 0;

	if (d->path)
		r = remove_tree(h, dir_at(d), &g->map, REMOVE_WAIT_MS);
	if (r < 0)
		return report(h, dir_at(d), r, e);
	forget(d);
	return 0;
}

/* Directories above the leaves go when nobody else is in them: the kernel knows. */
static void remove_parents(struct hierarchy *h)
{
	for (size_t i = h->parents.n; i-- > 0;) {
		(void)unlinkat(h->root_fd, h->parents.v[i], AT_REMOVEDIR);
		strv_remove(&h->parents, i);
	}
}

int cgroup_remove_payload(struct cgroups *g, struct err **e)
{
	auto_err struct err *later = NULL;
	int r = 0;

	/* The v2 directory tells when the last process is gone: it goes first. */
	for (int v2 = 1; v2 >= 0; v2--)
		for (size_t i = 0; i < g->h.n; i++) {
			struct hierarchy *h = &g->h.v[i];

			if (h->v2 != v2)
				continue;
			for (int role = CG_INNER; role >= CG_LIMIT; role--) {
				int s = remove_role(g, h, role, r ? &later : e);

				r = r ? r : s;
			}
			if (!h->dir[CG_MONITOR].path)
				remove_parents(h);
		}
	if (r == 0)
		fd_replace(&g->prog_fd, -EBADF);
	return r;
}

/* True if the calling process is in that directory. */
static bool is_inside(const struct hierarchy *h, const struct cg_dir *d)
{
	auto_close int proc = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	auto_free char *text = NULL, *line = NULL;
	const char *label = h->v2 ? "" : h->label;

	if (proc < 0 || io_read_fd(proc, CG_FILE_MAX, &text, NULL) < 0)
		return true;
	if (asprintf(&line, ":%s:%s%s\n", label, STREQ(h->root, "/") ? "" : h->root, d->path) < 0)
		return true;
	return strstr(text, line) != NULL;
}

static bool try_enter(const struct hierarchy *h, const char *path)
{
	auto_close int fd = dirs_open(h, path, CG_ROOT_FLAGS);

	return fd >= 0 && enter_self(h, fd) == 0;
}

/* Where a monitor may go when nothing else takes a process: "lxc.pivot" below the configured
 * directory, else below the base. It stays behind, for who moves into it cannot remove it. */
static char *pivot_path(const struct cgroups *g, const struct hierarchy *h)
{
	auto_free char *path = NULL;

	if (asprintf(&path, "%s%s%s%s" SCOPE_PLACE, h->base, *h->base ? "/" : "", g->pivot ? g->pivot : "",
		     g->pivot ? "/" : "") < 0) {
		path = NULL;
		return NULL;
	}
	for (char *p = path;; p++) {
		char end = *p;

		if (end && end != '/')
			continue;
		*p = '\0';
		if (mkdirat(h->root_fd, path, 0755) == 0 && !h->v2) {
			auto_close int fd = dirs_open(h, path, CG_LEAF_FLAGS);

			if (fd >= 0)
				(void)v1_prepare(h, fd, NULL);
		}
		*p = end;
		if (!end)
			return take_ptr(path);
	}
}

/* Moves the caller out of the monitor's directory. Costs an RCU wait: cgroup_retire does without. */
static int leave(const struct cgroups *g, const struct hierarchy *h)
{
	auto_free char *pivot = NULL;

	if ((h->home && !STREQ(h->home, dir_at(&h->dir[CG_MONITOR])) && try_enter(h, h->home)) ||
	    try_enter(h, h->base))
		return 0;
	pivot = pivot_path(g, h);
	return pivot && try_enter(h, pivot) ? 0 : -EBUSY;
}

int cgroup_remove(struct cgroups *g, struct err **e)
{
	auto_err struct err *later = NULL;
	int r = cgroup_remove_payload(g, e);

	for (size_t i = 0; i < g->h.n; i++) {
		struct hierarchy *h = &g->h.v[i];
		struct cg_dir *d = &h->dir[CG_MONITOR];
		int s;

		if (d->path && is_inside(h, d))
			(void)leave(g, h);
		s = remove_role(g, h, CG_MONITOR, r ? &later : e);
		remove_parents(h);
		r = r ? r : s;
	}
	return r;
}

/* What the process that outlives the monitor is told. */
struct heir {
	struct cgroups *g;
	int monitor, say, unwanted;
};

/* It has the monitor's memory, so that nothing but system calls may be made before the monitor's end. */
static void remove_behind(void *arg)
{
	const struct heir *heir = arg;
	struct cgroups *g = heir->g;

	fd_close(heir->unwanted);
	if (write(heir->say, "", 1) != 1)
		_exit(1);
	(void)proc_pidfd_wait(heir->monitor, -1);
	for (size_t i = 0; i < g->h.n; i++) {
		struct hierarchy *h = &g->h.v[i];

		(void)remove_role(g, h, CG_MONITOR, NULL);
		remove_parents(h);
	}
	_exit(0);
}

/* Where the caller came from, else the base. */
static int outside(const struct hierarchy *h)
{
	int fd = -ENOENT;

	if (h->home && !STREQ(h->home, dir_at(&h->dir[CG_MONITOR])))
		fd = dirs_open(h, h->home, CG_LEAF_FLAGS);
	return fd >= 0 ? fd : dirs_open(h, h->base, CG_LEAF_FLAGS);
}

int cgroup_outside(const struct cgroups *g)
{
	const struct hierarchy *v2 = NULL;

	for (size_t i = 0; i < g->h.n; i++) {
		const struct hierarchy *h = &g->h.v[i];

		if (h->dir[CG_MONITOR].path && !h->v2)
			return -ENOENT;
		if (h->dir[CG_MONITOR].path)
			v2 = h;
	}
	return v2 && is_inside(v2, &v2->dir[CG_MONITOR]) ? outside(v2) : -ENOENT;
}

/* A child outside the monitor's cgroup that says so, or -errno: a kernel may kill it at birth (see
 * can_be_born). What it is told is its own from then on. */
static pid_t successor(struct cgroups *g, int out, int self, int unwanted_fd)
{
	auto_close int said = -EBADF, say = -EBADF;
	struct heir *heir = malloc(sizeof(*heir));
	int p[2], status;
	char byte;
	pid_t pid;

	if (!heir)
		return -ENOMEM;
	if (pipe2(p, O_CLOEXEC) < 0) {
		free(heir);
		return -errno;
	}
	said = p[0];
	say = p[1];
	*heir = (struct heir){ .g = g, .monitor = self, .say = say, .unwanted = unwanted_fd };
	pid = proc_clone_same(0, out, remove_behind, heir, NULL);
	fd_replace(&say, -EBADF);
	if (pid > 0 && read(said, &byte, 1) == 1) {
		g->left = true;
		return pid;
	}
	if (pid > 0)
		(void)proc_wait(pid, &status);
	free(heir);
	return -ECHILD;
}

int cgroup_retire(struct cgroups *g, int unwanted_fd, struct err **e)
{
	auto_close int self = proc_pidfd_open(getpid()), out = cgroup_outside(g);

	if (self >= 0 && out >= 0 && successor(g, out, self, unwanted_fd) > 0)
		return 0;
	return cgroup_remove(g, e);
}

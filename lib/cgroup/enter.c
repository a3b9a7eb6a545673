/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* enter - puts processes into cgroups.
 *
 * Writing a pid to cgroup.procs makes the kernel wait for an RCU grace period, some 10 ms, to be sure
 * that the process does not gain threads meanwhile. Two ways do without: to be born in a v2 cgroup
 * (CLONE_INTO_CGROUP), and on v1 a thread that moves itself, "0" written to tasks. Hence a process of
 * one thread moves itself wherever that is possible, and the first thing that init does is to move itself
 * into the payload's v1 cgroups, beside what the monitor does then. Older kernels wait in either case. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "base/table.h"
#include "cgroup/internal.h"
#include "kernel/proc.h"

/* The text of /proc/PID/cgroup, "" when it cannot be read. */
static char *memberships(pid_t pid)
{
	char path[64];
	auto_close int fd = -EBADF;
	char *text = NULL;

	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || io_read_fd(fd, CG_FILE_MAX, &text, NULL) < 0)
		return strdup("");
	return text;
}

/* What stands behind the hierarchy's name in a text of memberships(); NULL: nothing. */
static const char *member_path(const struct hierarchy *h, const char *text)
{
	auto_free char *key = NULL;
	const char *at;

	if (asprintf(&key, ":%s:", h->v2 ? "" : h->label) < 0) {
		key = NULL;
		return NULL;
	}
	at = strstr(text, key);
	if (!at)
		return NULL;
	at += strlen(key);
	return STREQ(h->root, "/") ? at : str_after(at, h->root);
}

/* True if the process is in that directory of h (below: or below it). */
static bool is_member(const struct hierarchy *h, const struct cg_dir *d, const char *text, bool below)
{
	const char *at = member_path(h, text), *rest = at ? str_after(at, d->path) : NULL;

	return rest && (*rest == '\n' || (below && *rest == '/'));
}

static int cannot_move(const struct hierarchy *h, const struct cg_dir *d, pid_t pid, int r, struct err **e)
{
	auto_free char *full = layout_path(h, dir_at(d));

	return err_set(e, -r, NULL, "cannot move process %d into cgroup %s", pid, full ? full : d->path);
}

int enter_self(const struct hierarchy *h, int dir)
{
	int r = h->v2 || !proc_has_one_thread() ? -ENOENT : io_write_value(dir, "tasks", "0");

	return r == 0 ? 0 : io_write_value(dir, "cgroup.procs", "0");
}

static int enter_all(struct cgroups *g, pid_t pid, bool born, bool monitor, struct err **e)
{
	bool self = pid == getpid();
	auto_free char *text = NULL;
	char number[16];

	(void)snprintf(number, sizeof(number), "%d", pid);
	/* Nothing between the writes: only the first one of a row has to wait. */
	for (size_t i = 0; i < g->h.n; i++) {
		const struct hierarchy *h = &g->h.v[i];
		const struct cg_dir *d = monitor ? &h->dir[CG_MONITOR] : dirs_payload(h);
		int r;

		if (d->fd < 0 || (born && h->v2) || (!monitor && h->joins))
			continue;
		if (!text)
			text = memberships(pid);
		if (!text)
			return err_no_memory(e);
		if (is_member(h, d, text, false))
			continue;
		r = self ? enter_self(h, d->fd) : io_write_value(d->fd, "cgroup.procs", number);
		if (r < 0)
			return cannot_move(h, d, pid, r, e);
	}
	return 0;
}

int cgroup_enter_monitor(struct cgroups *g, pid_t pid, bool born, struct err **e)
{
	return enter_all(g, pid, born, true, e);
}

int cgroup_enter_payload(struct cgroups *g, pid_t pid, bool born, struct err **e)
{
	return enter_all(g, pid, born, false, e);
}

void cgroup_birth_begin(struct cgroups *g)
{
	for (size_t i = 0; i < g->h.n; i++) {
		struct hierarchy *h = &g->h.v[i];
		const struct cg_dir *d = dirs_payload(h);

		/* Opened here: whether the write is allowed goes by who opened it, and the file may soon be another's. */
		h->join_fd = h->v2 || d->fd < 0 ? -EBADF : openat(d->fd, "tasks", O_WRONLY | O_CLOEXEC);
		h->joins = h->join_fd >= 0;
	}
}

void cgroup_birth_end(struct cgroups *g)
{
	for (size_t i = 0; i < g->h.n; i++)
		fd_replace(&g->h.v[i].join_fd, -EBADF);
}

int cgroup_birth_join(struct cgroups *g, struct err **e)
{
	for (size_t i = 0; i < g->h.n; i++) {
		struct hierarchy *h = &g->h.v[i];

		if (h->joins && write(h->join_fd, "0", 1) != 1)
			return cannot_move(h, dirs_payload(h), getpid(), -errno, e);
	}
	cgroup_birth_end(g);
	return 0;
}

int cgroup_join_rest(struct cgroups *g, const int *fds, size_t n, struct err **e)
{
	size_t at = 0;

	for (size_t i = 0; i < g->h.n; i++) {
		struct hierarchy *h = &g->h.v[i];
		int r;

		if (!h->later)
			continue;
		r = at < n ? io_write_all(fds[at++], "0", 1) : -EBADF;
		if (r < 0)
			return err_set(e, -r, NULL, "cannot move process %d into cgroup %s of %s", getpid(), h->later, h->label);
	}
	return 0;
}

/* A v2 cgroup that passes controllers on takes no processes, and one with processes passes none on: a guest
 * that is about to do so is not hindered by what is attached, which has a leaf of its own. New fd. */
static int attach_leaf(const struct hierarchy *h)
{
	const struct cg_dir *d = dirs_payload(h);
	auto_strv struct strv on = { 0 };
	int fd, why, r;

	if (mkdirat(d->fd, CG_ATTACH_DIR, 0755) == 0 || errno == EEXIST)
		fd = openat(d->fd, CG_ATTACH_DIR, CG_LEAF_FLAGS);
	else
		fd = -1;
	if (fd >= 0)
		return fd;
	why = -errno;
	/* A guest may forbid cgroups below its own (cgroup.max.descendants). */
	r = v2_read_words(d->fd, "cgroup.subtree_control", &on);
	if (r < 0 || on.n)
		return r < 0 ? r : why;
	fd = openat(d->fd, ".", CG_LEAF_FLAGS);
	return fd < 0 ? -errno : fd;
}

void cgroup_entry_done(struct cgroup_entry *x)
{
	fd_replace(&x->v2, -EBADF);
	for (size_t i = 0; i < x->n; i++)
		fd_replace(&x->v1[i], -EBADF);
	x->n = 0;
}

int cgroup_attach_open(struct cgroups *g, struct cgroup_entry *ret, struct err **e)
{
	struct cgroup_entry x = { .v2 = -EBADF };

	for (size_t i = 0; i < g->h.n; i++) {
		const struct hierarchy *h = &g->h.v[i];
		const struct cg_dir *d = dirs_payload(h);
		int fd;

		if (d->fd < 0 || (!h->v2 && x.n == CGROUP_ENTRY_MAX))
			continue;
		fd = h->v2 ? attach_leaf(h) : openat(d->fd, "tasks", O_WRONLY | O_CLOEXEC);
		if (fd < 0) {
			int r = h->v2 ? fd : -errno;

			cgroup_entry_done(&x);
			return err_set(e, -r, NULL, "cannot open cgroup %s to enter it", d->path);
		}
		if (h->v2)
			x.v2 = fd;
		else
			x.v1[x.n++] = fd;
	}
	*ret = x;
	return 0;
}

int cgroup_attach_self(const struct cgroup_entry *x, bool born)
{
	int r = 0;

	if (!born && x->v2 >= 0)
		r = io_write_value(x->v2, "cgroup.procs", "0");
	for (size_t i = 0; i < x->n && r == 0; i++)
		r = io_write_all(x->v1[i], "0", 1);
	return r;
}

int cgroup_attach(struct cgroups *g, pid_t pid, struct err **e)
{
	auto_free char *text = memberships(pid);
	char number[16];

	if (!text)
		return err_no_memory(e);
	(void)snprintf(number, sizeof(number), "%d", pid);
	for (size_t i = 0; i < g->h.n; i++) {
		const struct hierarchy *h = &g->h.v[i];
		const struct cg_dir *d = dirs_payload(h);
		auto_close int leaf = -EBADF;
		int r;

		if (d->fd < 0 || is_member(h, d, text, true))
			continue;
		leaf = h->v2 ? attach_leaf(h) : -EBADF;
		r = h->v2 && leaf < 0 ? leaf : io_write_value(h->v2 ? leaf : d->fd, "cgroup.procs", number);
		if (r < 0)
			return cannot_move(h, d, pid, r, e);
	}
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* v2 - which controllers are on along the way to a container's cgroup. Runs in the monitor. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cgroup/internal.h"

int v2_read_words(int dirfd, const char *file, struct strv *ret)
{
	auto_close int fd = openat(dirfd, file, O_RDONLY | O_CLOEXEC);
	auto_free char *text = NULL;
	int r = fd < 0 ? -errno : io_read_fd(fd, CG_FILE_MAX, &text, NULL);

	return r < 0 ? r : strv_split(ret, text, " \n");
}

/* The controllers that some limit in this hierarchy needs. */
static int needed(const struct cgroups *g, const struct hierarchy *h, struct strv *ret)
{
	for (size_t i = 0; i < g->limits.n; i++) {
		const struct limit *l = &g->limits.v[i];
		auto_free char *controller = strndup(l->file, strcspn(l->file, "."));

		if (!controller)
			return -ENOMEM;
		if (&g->h.v[l->h] == h && strv_has(&h->controllers, controller) &&
		    !strv_has(ret, controller) && strv_add(ret, controller) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Not true of the root of all, which may have both processes and controllers. */
static bool has_own_processes(int fd)
{
	auto_close int procs = faccessat(fd, "cgroup.type", F_OK, 0) == 0 ?
				       openat(fd, "cgroup.procs", O_RDONLY | O_CLOEXEC) :
				       -EBADF;
	char c;

	return procs >= 0 && read(procs, &c, 1) != 0;
}

/* Turns on what is wanted, available and off. All in one write, which is one step for the kernel;
 * if it refuses one it refuses all, so then each by itself. What stays off is not an error here. */
static int enable_here(int fd, const struct strv *wanted)
{
	auto_strv struct strv available = { 0 }, on = { 0 };
	auto_buf struct buf b = BUF_INIT(4096);
	int r = v2_read_words(fd, "cgroup.controllers", &available);

	if (r == 0)
		r = v2_read_words(fd, "cgroup.subtree_control", &on);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (!wanted)
		wanted = &available;
	for (size_t i = 0; i < wanted->n; i++)
		if (strv_has(&available, wanted->v[i]) && !strv_has(&on, wanted->v[i]))
			buf_addf(&b, "%s+%s", b.len ? " " : "", wanted->v[i]);
	/* The kernel refuses most controllers where processes are; cpu and pids it would turn on, and make
	 * the cgroup one of threads, below which no process can be. */
	if (b.len && has_own_processes(fd))
		return 0;
	if (!b.len || io_write_value(fd, "cgroup.subtree_control", buf_str(&b)) == 0)
		return buf_ok(&b) ? 0 : -ENOMEM;
	for (size_t i = 0; i < wanted->n; i++) {
		char word[80];

		if (!strv_has(&available, wanted->v[i]) || strv_has(&on, wanted->v[i]))
			continue;
		(void)snprintf(word, sizeof(word), "+%s", wanted->v[i]);
		(void)io_write_value(fd, "cgroup.subtree_control", word);
	}
	return 0;
}

/* Names the first directory on the way that does not pass controller on, and why. */
static int not_enabled(const struct hierarchy *h, const char *path, const char *controller, struct err **e)
{
	auto_free char *at = strdup(path);

	for (size_t i = 0; at && at[i]; i++) {
		auto_strv struct strv on = { 0 };
		auto_close int fd = -EBADF;

		if (at[i] != '/')
			continue;
		at[i] = '\0';
		fd = dirs_open(h, *at ? at + 1 : "", CG_ROOT_FLAGS);
		if (fd >= 0 && v2_read_words(fd, "cgroup.subtree_control", &on) == 0 &&
		    !strv_has(&on, controller)) {
			auto_free char *full = layout_path(h, *at ? at + 1 : "");

			return err_cgroup_controller_off(e, controller, full ? full : at,
							 procs_is_alive(fd) ? "it may hold processes of its own" :
									      "the kernel refuses it");
		}
		at[i] = '/';
	}
	return err_cgroup_controller_off(e, controller, path, "the kernel refuses it");
}

int v2_enable(const struct cgroups *g, const struct hierarchy *h, struct err **e)
{
	const char *path = h->dir[CG_LIMIT].path;
	auto_strv struct strv need = { 0 }, have = { 0 };
	auto_free char *at = strdup(path);
	size_t base = strlen(h->base);
	int r = at ? needed(g, h, &need) : -ENOMEM;

	/* at runs through "", "/a", "/a/b": every directory above the leaf. Above the base only what
	 * is needed is turned on: that part belongs to others. */
	for (size_t i = 0; r == 0 && at[i]; i++) {
		auto_close int fd = -EBADF;

		if (at[i] != '/')
			continue;
		at[i] = '\0';
		if (i >= base || need.n) {
			fd = dirs_open(h, *at ? at + 1 : "", CG_ROOT_FLAGS);
			if (fd >= 0)
				r = enable_here(fd, i >= base ? NULL : &need);
		}
		at[i] = '/';
	}
	if (r == 0 && g->leaf[CG_INNER])
		r = enable_here(h->dir[CG_LIMIT].fd, NULL);
	if (r < 0)
		return err_no_memory(e);
	if (!need.n)
		return 0;
	r = v2_read_words(h->dir[CG_LIMIT].fd, "cgroup.controllers", &have);
	for (size_t i = 0; r == 0 && i < need.n; i++)
		if (!strv_has(&have, need.v[i]))
			return not_enabled(h, path, need.v[i], e);
	return r < 0 ? err_set(e, -r, NULL, "cannot read cgroup.controllers of %s", path) : 0;
}

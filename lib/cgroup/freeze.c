/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* freeze - stops, resumes and kills all processes of a container at once. Runs in the monitor. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/table.h"
#include "cgroup/internal.h"
#include "kernel/proc.h"

#define KILL_WAIT_MS 5000
#define STEP_MAX_MS 10

/* The kernel calls a cgroup frozen when its own processes are, whatever those below it do: init is in the one,
 * what was attached in the other. */
static int is_so_v2(const struct hierarchy *h, int fd, bool frozen)
{
	auto_close int attached = openat(dirs_payload(h)->fd, CG_ATTACH_DIR, CG_LEAF_FLAGS);
	int r = procs_event(fd, "frozen");

	if (r >= 0 && r == frozen && attached >= 0)
		r = procs_event(attached, "frozen");
	return r < 0 ? r : r == frozen;
}

/* 1: it is so; 0: not yet; -errno. v1's freezer retries only when it is written to again. */
static int is_so(const struct hierarchy *h, int fd, bool frozen)
{
	char state[32];
	ssize_t n;

	if (h->v2)
		return is_so_v2(h, fd, frozen);
	n = io_read_line(fd, "freezer.state", state, sizeof(state));
	if (n < 0)
		return (int)n;
	if (STREQ(state, frozen ? "FROZEN" : "THAWED"))
		return 1;
	n = io_write_value(fd, "freezer.state", frozen ? "FROZEN" : "THAWED");
	return n < 0 ? (int)n : 0;
}

static int order(const struct hierarchy *h, int fd, bool frozen)
{
	if (h->v2)
		return io_write_value(fd, "cgroup.freeze", frozen ? "1" : "0");
	return io_write_value(fd, "freezer.state", frozen ? "FROZEN" : "THAWED");
}

static int wait_until(const struct hierarchy *h, int fd, bool frozen, int timeout_ms)
{
	int64_t deadline = procs_now_ms() + timeout_ms;

	for (int step = 1;; step = step < STEP_MAX_MS ? step * 2 : STEP_MAX_MS) {
		int r = is_so(h, fd, frozen);
		int64_t left = timeout_ms < 0 ? STEP_MAX_MS : deadline - procs_now_ms();

		if (r != 0)
			return r < 0 ? r : 0;
		if (left <= 0)
			return -ETIMEDOUT;
		if (h->v2)
			procs_wait_change(fd, (int)(left < STEP_MAX_MS ? left : STEP_MAX_MS));
		else
			(void)poll(NULL, 0, (int)(left < step ? left : step));
	}
}

int cgroup_freeze(struct cgroups *g, bool frozen, int timeout_ms, struct err **e)
{
	const struct hierarchy *h = dirs_primary(g, "freezer");
	int fd = h ? h->dir[CG_LIMIT].fd : -EBADF, r;

	if (!h)
		return err_set(e, EOPNOTSUPP, NULL, "the container has no cgroup that can be frozen");
	r = order(h, fd, frozen);
	if (r == 0)
		r = wait_until(h, fd, frozen, timeout_ms);
	if (r == 0)
		return 0;
	/* Half frozen is no state to stay in. */
	if (frozen)
		(void)order(h, fd, false);
	if (r == -ETIMEDOUT)
		return err_freeze_timeout(e, frozen ? "frozen" : "thawed");
	return err_set(e, -r, NULL, "cannot %s cgroup %s", frozen ? "freeze" : "thaw", h->dir[CG_LIMIT].path);
}

int cgroup_freeze_begin(struct cgroups *g, bool frozen, struct err **e)
{
	const struct hierarchy *h = dirs_primary(g, "freezer");
	int r;

	if (!h)
		return err_set(e, EOPNOTSUPP, NULL, "the container has no cgroup that can be frozen");
	r = order(h, h->dir[CG_LIMIT].fd, frozen);
	return r < 0 ? err_set(e, -r, NULL, "cannot %s cgroup %s", frozen ? "freeze" : "thaw", h->dir[CG_LIMIT].path) : 0;
}

int cgroup_freeze_done(struct cgroups *g, bool frozen)
{
	const struct hierarchy *h = dirs_primary(g, "freezer");

	return h ? is_so(h, h->dir[CG_LIMIT].fd, frozen) : -ENOENT;
}

bool cgroup_is_frozen(struct cgroups *g)
{
	const struct hierarchy *h = g ? dirs_primary(g, "freezer") : NULL;
	char state[32];

	if (!h || io_read_line(h->dir[CG_LIMIT].fd, h->v2 ? "cgroup.freeze" : "freezer.state", state,
			       sizeof(state)) < 0)
		return false;
	return h->v2 ? STREQ(state, "1") : !STREQ(state, "THAWED");
}

static int kill_one(pid_t pid, void *arg)
{
	(void)arg;
	/* The kernel may have given the number away since the list was read: the list is read from a
	 * cgroup whose processes are ours to kill, and frozen where there is a freezer. */
	(void)kill(pid, SIGKILL);
	return 0;
}

/* Without cgroup.kill: stop it where that is possible so that nothing forks away, kill what is
 * there, resume so that they can die, and look again. */
static int kill_loop(struct cgroups *g, struct hierarchy *h, struct err **e)
{
	const struct hierarchy *freezer = dirs_primary(g, "freezer");
	int64_t deadline = procs_now_ms() + KILL_WAIT_MS;
	int fd = h->dir[CG_LIMIT].fd, r;

	for (int step = 1; procs_is_alive(fd); step = step < STEP_MAX_MS ? step * 2 : STEP_MAX_MS) {
		int ffd = freezer ? freezer->dir[CG_LIMIT].fd : -EBADF;

		if (freezer && order(freezer, ffd, true) == 0)
			(void)wait_until(freezer, ffd, true, STEP_MAX_MS);
		r = procs_each(fd, kill_one, NULL);
		if (freezer)
			(void)order(freezer, ffd, false);
		if (r < 0)
			return err_set(e, -r, NULL, "cannot list the processes of cgroup %s", h->dir[CG_LIMIT].path);
		if (procs_now_ms() > deadline) {
			auto_free char *full = layout_path(h, dir_at(&h->dir[CG_LIMIT]));

			return err_cgroup_busy(e, full ? full : h->dir[CG_LIMIT].path);
		}
		(void)poll(NULL, 0, step);
	}
	return 0;
}

int cgroup_kill(struct cgroups *g, struct err **e)
{
	struct hierarchy *h = dirs_primary(g, NULL);
	int r;

	if (!h)
		return 0;
	if (h->v2) {
		r = io_write_value(h->dir[CG_LIMIT].fd, "cgroup.kill", "1");
		if (r == 0)
			return 0;
	}
	return kill_loop(g, h, e);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* procs - the processes of a cgroup and of all below it. A guest decides how deep and how wide the
 * tree is: the walk uses one descriptor at a time and no recursion. Runs in the monitor. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "base/str.h"
#include "cgroup/internal.h"

#define WAIT_STEP_MS 20

int64_t procs_now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int procs_event(int fd, const char *key)
{
	char text[256];
	ssize_t n = io_read_line(fd, "cgroup.events", text, sizeof(text));
	size_t len = strlen(key);

	if (n < 0)
		return (int)n;
	for (const char *p = text; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (strncmp(p, key, len) == 0 && p[len] == ' ')
			return p[len + 1] == '1';
	return -ENODATA;
}

void procs_wait_change(int fd, int timeout_ms)
{
	auto_close int ev = openat(fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	int step = timeout_ms < WAIT_STEP_MS ? timeout_ms : WAIT_STEP_MS;

	if (ev >= 0) {
		struct pollfd p = { .fd = ev, .events = POLLPRI };

		/* A fresh file reports a change at once only if there is one after this open: the
		 * short step covers one that came before. */
		(void)poll(&p, 1, step);
		return;
	}
	/* v1 tells nobody when a cgroup changes. */
	(void)poll(NULL, 0, step < 2 ? step : 2);
}

static int each_here(int fd, int (*fn)(pid_t pid, void *arg), void *arg)
{
	auto_close int file = openat(fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	auto_free char *text = NULL;
	char *rest, *word;
	int r;

	if (file < 0)
		return errno == ENOENT || errno == ENODEV ? 0 : -errno;
	r = io_read_fd(file, (size_t)64 << 20, &text, NULL);
	/* A threaded v2 cgroup does not list processes; its domain, which does, is above. */
	if (r < 0)
		return r == -EOPNOTSUPP || r == -ENODEV ? 0 : r;
	rest = text;
	while ((word = strsep(&rest, "\n"))) {
		pid_t pid;

		/* 0: a process outside this pid namespace. */
		if (num_pid(word, &pid) < 0)
			continue;
		r = fn(pid, arg);
		if (r != 0)
			return r;
	}
	return 0;
}

/* The name that follows after in byte order among the subdirectories. 1 found, 0 none, -errno. */
static int next_subdir(int fd, const char *after, char **ret)
{
	auto_closedir DIR *d = io_opendir(fd, ".");
	auto_free char *best = NULL;

	if (!d)
		return errno == ENOENT || errno == ENODEV ? 0 : -errno;
	for (struct dirent *de = readdir(d); de; de = readdir(d)) {
		if (de->d_type != DT_DIR || STREQ(de->d_name, ".") || STREQ(de->d_name, ".."))
			continue;
		if (strcmp(de->d_name, after) > 0 && (!best || strcmp(de->d_name, best) < 0) &&
		    str_set(&best, de->d_name) < 0)
			return -ENOMEM;
	}
	if (!best)
		return 0;
	free(*ret);
	*ret = take_ptr(best);
	return 1;
}

int procs_each(int fd, int (*fn)(pid_t pid, void *arg), void *arg)
{
	auto_close int cur = openat(fd, ".", CG_LEAF_FLAGS);
	auto_strv struct strv way = { 0 };
	auto_free char *after = strdup("");
	int r;

	if (cur < 0)
		return errno == ENOENT || errno == ENODEV ? 0 : -errno;
	r = after ? each_here(cur, fn, arg) : -ENOMEM;
	while (r == 0) {
		r = next_subdir(cur, after, &after);
		if (r < 0 || (r == 0 && way.n == 0))
			break;
		if (r == 0) {
			fd_replace(&cur, openat(cur, "..", CG_LEAF_FLAGS));
			free(after);
			after = way.v[--way.n];
			way.v[way.n] = NULL;
			if (cur < 0)
				return 0;
			continue;
		}
		auto_close int child = openat(cur, after, CG_LEAF_FLAGS);

		r = 0;
		if (child < 0)
			continue;
		fd_replace(&cur, take_fd(&child));
		r = strv_push(&way, take_ptr(after));
		after = strdup("");
		if (r == 0)
			r = after ? each_here(cur, fn, arg) : -ENOMEM;
	}
	return r;
}

static int found(pid_t pid, void *arg)
{
	(void)pid;
	(void)arg;
	return 1;
}

bool procs_is_alive(int fd)
{
	int r = procs_event(fd, "populated");

	return r >= 0 ? r == 1 : procs_each(fd, found, NULL) != 0;
}

static int count(pid_t pid, void *arg)
{
	(void)pid;
	++*(int *)arg;
	return 0;
}

int cgroup_count(struct cgroups *g)
{
	const struct hierarchy *h = dirs_primary(g, NULL);
	int n = 0, r;

	if (!h)
		return 0;
	if (h->v2 && procs_event(h->dir[CG_LIMIT].fd, "populated") == 0)
		return 0;
	r = procs_each(h->dir[CG_LIMIT].fd, count, &n);
	return r < 0 ? r : n;
}

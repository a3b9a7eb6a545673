/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "config/system.h"

#define WAIT_MIN_NS 500000L		/* first pause between two tries */
#define WAIT_MAX_NS 20000000L

/* Makes and opens one directory below dirfd. A symlink, or a directory that somebody else owns or may write to, is
 * refused: he could put another lock file under us. */
static int open_dir(int dirfd, const char *name, mode_t mode)
{
	auto_close int fd = -EBADF;
	struct stat st;

	if (mkdirat(dirfd, name, mode) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022))
		return -EPERM;
	return take_fd(&fd);
}

/* Walks (and makes) every component of path below dirfd. */
static int open_below(int dirfd, const char *path)
{
	auto_close int fd = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
	char name[NAME_MAX + 1];

	if (fd < 0)
		return -errno;
	while (*(path += strspn(path, "/"))) {
		size_t n = strcspn(path, "/");
		int next;

		if (n > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, path, n);
		name[n] = '\0';
		path += n;
		/* A lock path is only a name: ".." would leave the lock directory. */
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		next = open_dir(fd, name, 0755);
		if (next < 0)
			return next;
		fd_replace(&fd, next);
	}
	return take_fd(&fd);
}

int lock_rundir(const char *path)
{
	auto_close int above = -EBADF;
	auto_free char *parent = NULL;
	const char *name = strrchr(path, '/');
	struct stat st;
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 || errno != ENOENT || !name || name == path)
		return fd >= 0 ? fd : -errno;
	if (!name[1])
		return -ENOENT;
	parent = strndup(path, (size_t)(name - path));
	if (!parent)
		return -ENOMEM;
	above = lock_rundir(parent);
	if (above < 0)
		return above;
	if (fstat(above, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022))
		return -EPERM;
	return open_dir(above, name + 1, 0700);
}

int lock_open(const char *lxcpath, const char *name, struct err **e)
{
	auto_free char *run = system_rundir(e), *sub = NULL, *file = NULL;
	auto_close int rundir = -EBADF, dir = -EBADF;
	struct stat st;
	int fd;

	if (!run)
		return e && *e && (*e)->num > 0 ? -(*e)->num : -ENOENT;
	if (asprintf(&sub, "lxc/lock/%s", lxcpath) < 0)
		return err_no_memory(e);
	if (asprintf(&file, ".%s", name) < 0)
		return err_no_memory(e);
	rundir = lock_rundir(run);
	if (rundir < 0)
		return err_set(e, -rundir, NULL, "cannot open run directory %s", run);
	dir = open_below(rundir, sub);
	if (dir < 0)
		return err_set(e, -dir, NULL, "cannot make the lock directory %s/%s", run, sub);
	fd = openat(dir, file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	if (fd < 0)
		return err_set(e, errno, NULL, "cannot open lock file %s/%s/%s", run, sub, file);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		fd_close(fd);
		return err_set(e, 0, "not-a-regular-file", "lock file %s/%s/%s is not a regular file", run, sub,
			       file);
	}
	return fd;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static int try_lock(int fd, int cmd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int r;

	do {
		r = fcntl(fd, cmd, &l);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int lock_take(int fd, int timeout_ms, struct err **e)
{
	uint64_t end = now_ns() + (uint64_t)(timeout_ms < 0 ? 0 : timeout_ms) * 1000000U;
	long wait = WAIT_MIN_NS;
	int r;

	/* The kernel has no timed form of this lock, and a library cannot use alarm(): tries with
	 * growing pauses stand in for it. */
	for (;;) {
		r = try_lock(fd, timeout_ms < 0 ? F_OFD_SETLKW : F_OFD_SETLK);
		if (r != -EAGAIN && r != -EACCES)
			break;
		if (now_ns() >= end)
			return err_lock_busy(e, timeout_ms / 1000);
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ .tv_nsec = wait }, NULL);
		wait = MIN(wait * 2, WAIT_MAX_NS);
	}
	return r < 0 ? err_set(e, -r, NULL, "cannot lock the container") : 0;
}

void lock_release(int fd)
{
	struct flock l = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	if (fd >= 0)
		(void)fcntl(fd, F_OFD_SETLK, &l);
}

void lock_end(int fd)
{
	lock_release(fd);
	fd_close(fd);
}

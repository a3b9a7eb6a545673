/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "use.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"

#define LOCK_TRIES 100
#define LOCK_STEP_MS 10

/* What the name means may have changed between opening and locking. */
static int still_named(struct call *k, int dirfd)
{
	struct stat a, b;

	if (fstat(dirfd, &a) < 0)
		return err_set(&k->e, errno, NULL, "cannot stat %s", k->dir);
	if (stat(k->dir, &b) < 0)
		return errno == ENOENT ? err_container_unknown(&k->e, k->name, k->lxcpath) :
					 err_set(&k->e, errno, NULL, "cannot stat %s", k->dir);
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino ? 0 : err_container_in_use(&k->e, k->name);
}

/* Somebody who is just finishing, such as who started what has been stopped, is given the time for it. */
static bool lock(int dirfd, int how)
{
	for (int i = 0; flock(dirfd, how | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK || i == LOCK_TRIES)
			return false;
		(void)poll(NULL, 0, LOCK_STEP_MS);
	}
	return true;
}

static int take(struct call *k, int dirfd, int how)
{
	if (!lock(dirfd, how)) {
		if (errno == EWOULDBLOCK)
			return err_container_in_use(&k->e, k->name);
		/* A file system without such locks: then there is no telling. */
		log_debug(&k->log, "%s cannot be locked: %m", k->dir);
	}
	return still_named(k, dirfd);
}

static int open_and_take(struct call *k, int how)
{
	auto_use int fd = open(k->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return errno == ENOENT ? err_container_unknown(&k->e, k->name, k->lxcpath) :
					 err_set(&k->e, errno, NULL, "cannot open %s", k->dir);
	r = take(k, fd, how);
	return r < 0 ? r : take_fd(&fd);
}

void use_end(int fd)
{
	if (fd < 0)
		return;
	(void)flock(fd, LOCK_UN);
	fd_close(fd);
}

int use_shared(struct call *k)
{
	return open_and_take(k, LOCK_SH);
}

int use_if_there(struct call *k, int *ret)
{
	*ret = call_is_defined(k) ? use_shared(k) : -ENOENT;
	if (*ret >= 0)
		return 0;
	if (err_is(k->e, "container-in-use"))
		return *ret;
	err_free(take_ptr(k->e));
	return 0;
}

int use_alone(struct call *k)
{
	return open_and_take(k, LOCK_EX);
}

int use_alone_fd(struct call *k, int dirfd)
{
	return take(k, dirfd, LOCK_EX);
}

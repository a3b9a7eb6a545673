/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "kernel/host.h"
#include "kernel/proc.h"

int inside_open(struct call *k, struct inside *ret)
{
	int fd = client_init(&k->target, &ret->pid, &k->e);

	if (fd < 0)
		return fd;
	ret->pidfd = fd;
	return 0;
}

void inside_done(struct inside *i)
{
	fd_close(take_fd(&i->pidfd));
}

/* The number named init all the while only if init is still there. */
static int still_there(struct call *k, const struct inside *i)
{
	return proc_pidfd_wait(i->pidfd, 0) == 0 ? 0 : err_not_running(&k->e, k->name, k->lxcpath);
}

int inside_ns(struct call *k, const struct inside *i, enum ns_index ns)
{
	auto_close int fd = ns_open(i->pid, ns, &k->e);
	int r;

	if (fd < 0)
		return fd;
	r = still_there(k, i);
	return r < 0 ? r : take_fd(&fd);
}

int inside_root(struct call *k, const struct inside *i)
{
	char path[64];
	auto_close int fd = -EBADF;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/root", (int)i->pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(&k->e, errno, NULL, "cannot open the root of %s", k->name);
	r = still_there(k, i);
	return r < 0 ? r : take_fd(&fd);
}

int inside_need_root(struct call *k, const char *action)
{
	return host_is_root() ? 0 : err_needs_root(&k->e, action);
}

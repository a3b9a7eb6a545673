/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/early_net.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "kernel/proc.h"

#define OWN_NET "/proc/self/ns/net"

struct early_net {
	char stack[8192] __attribute__((aligned(16)));
	volatile long fd;	/* of the namespace; the helper's, who shares our descriptors */
	pid_t helper;
	int back;		/* the caller's own, while it is in there */
};

static void make(void *arg)
{
	struct early_net *n = arg;
	long r = proc_raw(SYS_unshare, CLONE_NEWNET, 0, 0, 0);

	n->fd = r < 0 ? r : proc_raw(SYS_openat, AT_FDCWD, (long)OWN_NET, O_RDONLY | O_CLOEXEC, 0);
	for (;;)
		(void)proc_raw(SYS_exit_group, 0, 0, 0, 0);
}

static bool is_off;

void early_net_off(void)
{
	is_off = true;
}

/* On a busy processor a new process waits for the end of a time slice, several times as long as the namespace takes. How many
 * processes want to run stands before the slash of "0.10 0.20 0.30 1/123 4567"; this one is among them. */
bool early_net_pays(void)
{
	auto_close int fd = is_off ? -EBADF : open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
	char text[128] = "";
	const char *at = text;
	uint64_t running;
	cpu_set_t ours;

	if (is_off)
		return false;
	/* More processors than a set has room for: hardly all of them are busy. */
	if (sched_getaffinity(0, sizeof(ours), &ours) < 0)
		return true;
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return true;
	for (int i = 0; i < 3 && at; i++)
		at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL;
	return !at || num_prefix(at, 10, UINT64_MAX, &running, &at) < 0 || running < (uint64_t)CPU_COUNT(&ours);
}

void early_net_begin(struct run *r)
{
	struct early_net *n;

	/* One that belongs to a user namespace is made in it. */
	if (!(r->clone_flags & CLONE_NEWNET) || (r->clone_flags & CLONE_NEWUSER))
		return;
	n = malloc(sizeof(*n));
	if (!n)
		return;
	n->fd = n->back = -EBADF;
	n->helper = proc_clone_beside(make, n, n->stack, sizeof(n->stack));
	if (n->helper < 0)
		free(n);
	else
		r->early_net = n;
}

void early_net_end(struct run *r)
{
	struct early_net *n = r->early_net;
	int status;

	if (n && n->helper)
		(void)proc_wait(n->helper, &status);
	if (n)
		n->helper = 0;
}

bool early_net_enter(struct run *r)
{
	struct early_net *n = r->early_net;

	early_net_end(r);
	if (!n || n->fd < 0)
		return false;
	n->back = open(OWN_NET, O_RDONLY | O_CLOEXEC);
	return n->back >= 0 && setns((int)n->fd, CLONE_NEWNET) == 0;
}

int early_net_leave(struct run *r, struct err **e)
{
	return setns(r->early_net->back, CLONE_NEWNET) < 0 ? err_set(e, errno, NULL, "cannot go back to the host's network") : 0;
}

void early_net_free(struct early_net *n)
{
	int status;

	if (!n)
		return;
	if (n->helper > 0)
		(void)proc_wait(n->helper, &status);
	fd_close((int)n->fd);
	fd_close(n->back);
	free(n);
}

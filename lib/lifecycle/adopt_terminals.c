/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* The terminals of an adopted container. The monitor that died held their other ends, so /dev/console and
 * the ttys have hung up. A child enters the container and puts new ones in their place; nothing it does
 * can hold the monitor up longer than its limit, whatever the guest has made of its /dev. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/proc.h"
#include "kernel/socket.h"
#include "lifecycle/adopt.h"
#include "lifecycle/plan.h"
#include "lifecycle/start.h"
#include "lifecycle/start_dev.h"

#undef LOG_CATEGORY
#define LOG_CATEGORY "adopt"
#define RENEW_LIMIT_MS 3000

/* Becomes a process of the container, as far as files and ids go. */
static int enter(struct run *r, struct err **e)
{
	if (r->ns_fd[NS_MNT] < 0)
		return err_set(e, EBADF, NULL, "the container's mount namespace is not known");
	/* Its root, so that new ptys belong to it; where that is nobody, to whom they belong now. */
	if (r->ns_fd[NS_USER] >= 0) {
		if (setns(r->ns_fd[NS_USER], CLONE_NEWUSER) < 0)
			return err_set(e, errno, NULL, "cannot enter the container's user namespace");
		(void)!setresgid(0, 0, 0);
		(void)!setresuid(0, 0, 0);
	}
	if (setns(r->ns_fd[NS_MNT], CLONE_NEWNS) < 0)
		return err_set(e, errno, NULL, "cannot enter the container's mount namespace");
	fd_replace(&r->root_fd, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
	return r->root_fd < 0 ? err_set(e, errno, NULL, "cannot open the container's root") : 0;
}

/* The child: ptys to fd, or the error as a packed chain. */
static void renew(struct run *r, int fd)
{
	char frame[ERR_FRAME_MAX];
	struct err *e = NULL;
	size_t n = 0;
	int rc;

	r->log.sink = NULL;
	rc = enter(r, &e);
	if (rc == 0)
		rc = dev_renew_terminals(r, &e);
	if (rc < 0)
		n = err_pack(e, frame);
	_exit(socket_send(fd, rc < 0 ? frame : "", rc < 0 ? n : 1, r->seq.out.fds, rc < 0 ? 0 : r->seq.out.n, false) < 0);
}

static int collect(struct run *r, int fd, struct err **e)
{
	char frame[ERR_FRAME_MAX];
	struct seq_cargo *in = &r->seq.in;
	ssize_t n = socket_recv_packet(fd, frame, sizeof(frame), in->fds, SEQ_FDS_MAX, &in->n, RENEW_LIMIT_MS);

	if (n == 1)
		return 0;
	if (n > 1) {
		struct err *theirs = err_unpack(frame, (size_t)n);

		if (theirs) {
			err_move(e, theirs);
			return -EIO;
		}
	}
	return err_set(e, n < 0 ? (int)-n : EIO, NULL, "new terminals cannot be made in the container");
}

static int renew_terminals(struct run *r, struct err **e)
{
	auto_close int mine = -EBADF, theirs = -EBADF, pidfd = -EBADF;
	int pair[2], rc = 0, status;
	pid_t pid;

	if (r->want_console && r->console_from_host)
		rc = host_console(r, e);
	if (rc == 0)
		rc = socket_pair(SOCK_SEQPACKET, pair, e);
	if (rc < 0)
		return rc;
	mine = pair[0];
	theirs = pair[1];
	pid = proc_clone(0, -1, &pidfd, e);
	if (pid < 0)
		return pid;
	if (pid == 0)
		renew(r, theirs);
	fd_replace(&theirs, -EBADF);
	fd_replace(&r->console_mount, -EBADF);
	rc = collect(r, mine, e);
	/* It has said all, or hangs in something of the guest's. */
	if (rc < 0)
		(void)proc_pidfd_send(pidfd, SIGKILL);
	(void)proc_wait(pid, &status);
	return rc;
}

void adopt_terminals(struct monitor *m)
{
	struct run *r = m->r;
	struct err *e = NULL;
	int rc = plan_devices(r, &e);

	/* Ptys of a devpts that nobody can reach any more cannot be made anew. */
	if (!r->has_devpts || r->devpts_fd < 0)
		r->tty_count = 0;
	if (rc == 0 && r->devpts_fd < 0 && !r->console_from_host)
		r->want_console = false;
	if (rc == 0 && (r->want_console || r->tty_count))
		rc = renew_terminals(r, &e);
	if (rc == 0)
		rc = host_take_terminals(r, &e);
	if (rc < 0) {
		auto_free char *line = err_line(e);

		log_warn(&r->log, "console and ttys are not restored: %s", line ? line : "no reason given");
		r->want_console = false;
		r->tty_count = 0;
	}
	err_free(e);
}

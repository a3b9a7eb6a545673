/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/proc.h"
#include "kernel/signal.h"
#include "kernel/socket.h"
#include "lifecycle/early_net.h"
#include "lifecycle/supervise.h"

#define TITLE_MAX PATH_MAX
#define FDS_MAX 3	/* in the order of their numbers in supervise.h */

static int to_zygote = -EBADF;
static size_t title_room;

/* In the child. */
static _Noreturn void be_supervisor(const char *title, const int *fds, size_t n, int (*supervise)(void), char **env)
{
	int high[FDS_MAX];

	signal_reset(SIGCHLD);
	early_net_off();
	/* All out of the way first: each may have another's number. */
	for (size_t i = 0; i < n; i++)
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, SUPERVISE_STATUS_FD + FDS_MAX);
	for (size_t i = 0; i < n; i++)
		if (high[i] < 0 || dup2(high[i], SUPERVISE_STATUS_FD + (int)i) < 0)
			_exit(1);
	/* The rest it closes itself. */
	proc_set_title(title);
	environ = env;
	_exit(supervise());
}

static void refuse(int status, struct err *e)
{
	char packet[1 + sizeof(int) + ERR_FRAME_MAX] = { STATUS_ERROR };
	const int number = 1;

	memcpy(packet + 1, &number, sizeof(number));
	(void)!send(status, packet, 1 + sizeof(number) + err_pack(e, packet + 1 + sizeof(number)), MSG_NOSIGNAL);
	err_free(e);
}

static _Noreturn void serve(int fd, int (*supervise)(void), char **env)
{
	char title[TITLE_MAX + 1];
	int fds[FDS_MAX];
	struct err *e = NULL;
	size_t n_fds;
	ssize_t n;
	pid_t pid;

	signal_reset_all();
	/* Nobody waits for them. */
	(void)sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	for (;;) {
		n = socket_recv_packet(fd, title, TITLE_MAX, fds, FDS_MAX, &n_fds, -1);
		if (n <= 0)
			_exit(0);
		title[n] = '\0';
		pid = n_fds >= 2 ? proc_clone(0, -1, NULL, &e) : 1;
		if (pid == 0)
			be_supervisor(title, fds, n_fds, supervise, env);
		if (pid < 0)
			refuse(fds[0], take_ptr(e));
		while (n_fds)
			fd_close(fds[--n_fds]);
	}
}

int zygote_make(int (*supervise)(void), char **env, struct err **e)
{
	int pair[2], r = socket_pair(SOCK_SEQPACKET, pair, e);
	pid_t pid;

	if (r < 0)
		return r;
	title_room = MIN(proc_note_title_room(), TITLE_MAX);
	pid = proc_clone(0, -1, NULL, e);
	if (pid == 0) {
		(void)proc_close_fds(3, &pair[1], 1);
		serve(pair[1], supervise, env);
	}
	fd_close(pair[1]);
	if (pid < 0) {
		fd_close(pair[0]);
		return pid;
	}
	to_zygote = pair[0];
	return 0;
}

bool zygote_fork(const char *title, int status, int memfd, int log)
{
	const int fds[FDS_MAX] = { status, memfd, log };

	return to_zygote >= 0 && strlen(title) < title_room &&
	       socket_send(to_zygote, title, strlen(title), fds, log >= 0 ? 3 : 2, false) == 0;
}

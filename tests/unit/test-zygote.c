/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/proc.h"
#include "kernel/socket.h"
#include "lifecycle/supervise.h"
#include "lifecycle/zygote.h"

/* Says on its status socket what it finds: its parent, what else it has, what it was handed, who it is. */
static int tell(void)
{
	auto_close int dir = -EBADF;
	char text[512], title[64] = "", data[16] = "";
	ssize_t n = pread(SUPERVISE_LAUNCH_FD, data, sizeof(data) - 1, 0);
	FILE *f = fopen("/proc/self/cmdline", "re");
	struct sigaction sa = { .sa_handler = SIG_IGN };

	(void)sigaction(SIGCHLD, NULL, &sa);
	if (f && fgets(title, sizeof(title), f))
		(void)snprintf(text, sizeof(text), "%d %s %s log %d chld %d MARK %s", getppid(), n > 0 ? data : "?", title,
			       fcntl(SUPERVISE_LOG_FD, F_GETFD) >= 0, sa.sa_handler == SIG_DFL, getenv("MARK"));
	else
		text[0] = '\0';
	(void)!send(SUPERVISE_STATUS_FD, text, strlen(text), MSG_NOSIGNAL);
	return 0;
}

static ssize_t ask(const char *title, bool with_log, char *text, size_t size, bool *ret_forked)
{
	int pair[2], data = memfd_create("data", MFD_CLOEXEC), log = with_log ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -EBADF;
	ssize_t n;

	assert_int_equal(socket_pair(SOCK_SEQPACKET, pair, NULL), 0);
	assert_true(data >= 0 && write(data, "data", 4) == 4);
	*ret_forked = zygote_fork(title, pair[1], data, log);
	fd_close(pair[1]);
	fd_close(data);
	fd_close(log);
	n = *ret_forked ? socket_recv_packet(pair[0], text, size - 1, NULL, 0, NULL, 10000) : 0;
	text[n > 0 ? n : 0] = '\0';
	fd_close(pair[0]);
	return n;
}

static void it_forks_supervisors_until_it_is_gone(void **state)
{
	static char mark[] = "MARK=mine";
	char *env[] = { mark, NULL }, text[512], want[128], *much = calloc(1, 1U << 20);
	pid_t zygote;
	bool forked;
	int status;

	assert_int_equal(ask("[none]", false, text, sizeof(text), &forked), 0);
	assert_false(forked);
	assert_int_equal(zygote_make(tell, env, NULL), 0);
	assert_true(ask("[one]", false, text, sizeof(text), &forked) > 0);
	zygote = (pid_t)atoi(text);
	assert_int_not_equal(zygote, getpid());
	/* Without a log that number is of no use to it, and closed by supervise_main. */
	(void)snprintf(want, sizeof(want), "%d data [one] log ", zygote);
	assert_int_equal(strncmp(text, want, strlen(want)), 0);
	assert_non_null(strstr(text, "chld 1 MARK mine"));
	assert_true(ask("[two]", true, text, sizeof(text), &forked) > 0);
	(void)snprintf(want, sizeof(want), "%d data [two] log 1 chld 1 MARK mine", zygote);
	assert_string_equal(text, want);
	/* A title that has no room is for another program. */
	assert_non_null(much);
	memset(much, 'x', (1U << 20) - 1);
	(void)ask(much, false, text, sizeof(text), &forked);
	assert_false(forked);
	free(much);
	assert_int_equal(kill(zygote, SIGKILL), 0);
	assert_int_equal(proc_wait(zygote, &status), 0);
	(void)ask("[three]", false, text, sizeof(text), &forked);
	assert_false(forked);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(it_forks_supervisors_until_it_is_gone),
};
UNIT_MAIN(tests)

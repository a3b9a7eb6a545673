/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* Three processes: a caller under a policy that notifies of mkdir, a proxy that answers in some way,
 * and the test with the event loop between them. */
#include "security/seccomp_proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "harness/unit.h"
#include "kernel/proc.h"
#include "kernel/socket.h"
#include "security/seccomp.h"

#define COOKIE "biscuit"
#define FAILED 200

enum behaviour { ANSWER, WRONG_ID, SHORT, LONG, HANG_UP, SILENT, UNASKED, ONCE };

struct packet {
	struct seccomp_proxy_head head;
	struct seccomp_notif notif;
	struct seccomp_notif_resp resp;
	char rest[64];
};

/* The proxy looks at everything it is given; what is wrong becomes errno 200 of the caller's mkdir. */
static int judge(const struct packet *p, size_t n, const int *fds, size_t n_fds, pid_t init)
{
	const size_t want = offsetof(struct packet, rest) + strlen(COOKIE);
	char dir[32] = "";
	struct stat st;

	if (n != want || n_fds != 3 || memcmp(p->rest, COOKIE, strlen(COOKIE)) != 0)
		return FAILED;
	if (p->head.reserved || p->head.monitor_pid != getppid() || p->head.init_pid != init ||
	    p->head.notif_size != sizeof(p->notif) || p->head.resp_size != sizeof(p->resp) ||
	    p->head.data_size != sizeof(p->notif.data) || p->head.cookie_len != strlen(COOKIE))
		return FAILED + 1;
	if (p->resp.id != p->notif.id || p->resp.error || p->resp.val || p->notif.data.nr != SYS_mkdir)
		return FAILED + 2;
	/* [0] the caller's directory, [1] its memory, where the path is, [2] the listener. */
	if (fstatat(fds[0], "exe", &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    pread(fds[1], dir, 9, (off_t)p->notif.data.args[0]) != 9 || strcmp(dir, "/some/dir") != 0 ||
	    ioctl(fds[2], SECCOMP_IOCTL_NOTIF_ID_VALID, &p->notif.id) < 0)
		return FAILED + 3;
	return EXDEV;
}

static void serve(int server, enum behaviour how, pid_t init)
{
	unsigned asked = 0, connections = 0;

	for (;;) {
		int fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			_exit(1);
		if (how == UNASKED && connections++ == 0)
			(void)send(fd, "hello", 5, MSG_NOSIGNAL);
		for (;;) {
			struct packet p = { 0 };
			int fds[4];
			size_t n_fds = 0, out = offsetof(struct packet, rest);
			ssize_t n = socket_recv_packet(fd, &p, sizeof(p), fds, 4, &n_fds, 10000);

			if (n <= 0)
				break;
			p.resp.error = -judge(&p, (size_t)n, fds, n_fds, init);
			for (size_t i = 0; i < n_fds; i++)
				fd_close(fds[i]);
			if (how == HANG_UP || (how == ONCE && asked++ % 2 == 1))
				break;
			if (how == SILENT)
				continue;
			if (how == WRONG_ID)
				p.resp.id ^= 1;
			out += how == LONG ? 1 : how == SHORT ? (size_t)-1 : 0;
			(void)send(fd, &p, out, MSG_NOSIGNAL);
		}
		fd_close(fd);
	}
}

/* Makes calls directories; exits with the last errno, or 0 if one of them was made. */
static void call(int report, const struct seccomp_program *program, unsigned calls)
{
	int listener, last = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_install(program, &listener, NULL) < 0)
		_exit(99);
	if (socket_send(report, "f", 1, &listener, 1, false) < 0)
		_exit(98);
	fd_close(listener);
	for (unsigned i = 0; i < calls; i++)
		last = syscall(SYS_mkdir, "/some/dir", 0700) < 0 ? errno : 0;
	_exit(last);
}

static int on_end(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	loop_stop(l, 1);
	return 0;
}

static struct seccomp_program compile(void)
{
	struct seccomp_program program = { 0 };
	char *dir = unit_tmpdir();
	auto_free char *path = NULL;
	auto_err struct err *e = NULL;

	assert_true(asprintf(&path, "%s/p", dir) > 0);
	unit_write(dir, "p", "2\ndenylist\nmkdir notify\n");
	struct conf c = { .seccomp_profile = { path, { 0 } } };

	assert_int_equal(seccomp_compile(&c, NULL, NULL, &program, &e), 0);
	unit_tmpdir_free(dir);
	return program;
}

static int listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	const size_t len = strlen(path);

	memcpy(a.sun_path, path, len);
	if (*path == '@')
		a.sun_path[0] = '\0';
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* The errno that the caller's last mkdir of several ends with. */
static int run_at(const char *address, enum behaviour how, unsigned calls, unsigned timeout_ms)
{
	struct seccomp_program program = compile();
	struct conf c = { .seccomp_proxy = { (char *)address, { 0 } }, .seccomp_cookie = { (char *)COOKIE, { 0 } } };
	struct seccomp_proxy *p = NULL;
	auto_err struct err *e = NULL;
	struct loop *loop = NULL;
	int pair[2], server = listen_at(address), listener = -EBADF, pidfd, status;
	const pid_t init = 4711;
	pid_t proxy, caller;
	size_t n = 0;
	char byte;

	proxy = fork();
	assert_true(proxy >= 0);
	if (proxy == 0)
		serve(server, how, init);
	fd_close(server);
	assert_int_equal(socket_pair(SOCK_STREAM, pair, &e), 0);
	caller = fork();
	assert_true(caller >= 0);
	if (caller == 0)
		call(pair[1], &program, calls);
	fd_close(pair[1]);
	assert_int_equal(socket_recv(pair[0], &byte, 1, &listener, 1, &n, 10000), 0);
	assert_int_equal(n, 1);

	assert_int_equal(seccomp_proxy_new(&c, NULL, &p, &e), 0);
	assert_int_equal(loop_new(&loop, &e), 0);
	assert_int_equal(seccomp_proxy_start(p, loop, listener, init, timeout_ms, &e), 0);
	pidfd = proc_pidfd_open(caller);
	assert_int_equal(loop_add(loop, pidfd, true, EPOLLIN, on_end, NULL, NULL, &e), 0);
	assert_int_equal(loop_run(loop), 1);
	seccomp_proxy_free(p);
	loop_free(loop);
	fd_close(listener);
	fd_close(pair[0]);
	seccomp_done(&program);
	assert_int_equal(waitpid(caller, &status, 0), caller);
	assert_int_equal(kill(proxy, SIGKILL), 0);
	assert_int_equal(waitpid(proxy, NULL, 0), proxy);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int run(enum behaviour how, unsigned calls, unsigned timeout_ms)
{
	char address[64];

	(void)snprintf(address, sizeof(address), "@tiffin-test-proxy-%d", getpid());
	return run_at(address, how, calls, timeout_ms);
}

static void answer_reaches_the_caller(void **state)
{
	assert_int_equal(run(ANSWER, 3, 10000), EXDEV);
}

static void proxy_at_a_path_works_too(void **state)
{
	char *dir = unit_tmpdir();
	auto_free char *path = NULL;

	assert_true(asprintf(&path, "%s/s", dir) > 0);
	assert_int_equal(run_at(path, ANSWER, 1, 10000), EXDEV);
	unit_tmpdir_free(dir);
}

static void wrong_id_is_mended(void **state)
{
	assert_int_equal(run(WRONG_ID, 2, 10000), EXDEV);
}

static void answers_of_the_wrong_size_are_not_used(void **state)
{
	assert_int_equal(run(SHORT, 2, 10000), ENOSYS);
	assert_int_equal(run(LONG, 2, 10000), ENOSYS);
}

static void proxy_that_goes_away_gives_the_default(void **state)
{
	assert_int_equal(run(HANG_UP, 2, 10000), ENOSYS);
}

static void connection_is_made_again(void **state)
{
	/* Every second question is answered by hanging up: the third call finds a new connection. */
	assert_int_equal(run(ONCE, 2, 10000), ENOSYS);
	assert_int_equal(run(ONCE, 3, 10000), EXDEV);
}

static void silence_ends_at_the_limit(void **state)
{
	assert_int_equal(run(SILENT, 2, 50), ENOSYS);
}

static void words_without_a_question_are_not_an_answer(void **state)
{
	/* They may come before the first question, or be taken for a bad answer to it. */
	assert_int_equal(run(UNASKED, 2, 10000), EXDEV);
}

static void absent_proxy_is_an_error_with_its_place(void **state)
{
	struct conf c = { .seccomp_proxy = { (char *)"@tiffin-nobody-is-here", { "/c/config", 3 } } };
	struct seccomp_proxy *p;
	auto_err struct err *e = NULL;

	assert_true(seccomp_proxy_new(&c, NULL, &p, &e) < 0);
	assert_err_id(e, "seccomp-proxy-down");
	assert_err_has(e, "@tiffin-nobody-is-here");
	assert_err_has(e, "/c/config:3");
	assert_null(p);
}

static void no_key_is_no_proxy(void **state)
{
	struct conf c = { 0 };
	struct seccomp_proxy *p = (void *)&c;

	assert_int_equal(seccomp_proxy_new(&c, NULL, &p, NULL), 0);
	assert_null(p);
	seccomp_proxy_free(p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(answer_reaches_the_caller),
	cmocka_unit_test(proxy_at_a_path_works_too),
	cmocka_unit_test(wrong_id_is_mended),
	cmocka_unit_test(answers_of_the_wrong_size_are_not_used),
	cmocka_unit_test(proxy_that_goes_away_gives_the_default),
	cmocka_unit_test(connection_is_made_again),
	cmocka_unit_test(silence_ends_at_the_limit),
	cmocka_unit_test(words_without_a_question_are_not_an_answer),
	cmocka_unit_test(absent_proxy_is_an_error_with_its_place),
	cmocka_unit_test(no_key_is_no_proxy),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

#define EXIT_SKIP 77

static char skip_reason[512];
static int report_fd = -EBADF;	/* in a child: where its message goes */

/* cmocka prints "not ok N # SKIP name", which TAP readers count as a failure and which has no
 * reason. Everything else passes through unchanged. */
static ssize_t tap_write(void *cookie, const char *p, size_t n)
{
	static const char skip_mark[] = " # SKIP ";
	char line[1024];
	const char *mark;
	unsigned long number;

	if (n < sizeof(line) && n > 7 && memcmp(p, "not ok ", 7) == 0) {
		memcpy(line, p, n);
		line[n] = '\0';
		mark = strstr(line, skip_mark);
		number = strtoul(line + 7, NULL, 10);
		if (mark) {
			const char *name = mark + strlen(skip_mark);

			(void)dprintf(STDOUT_FILENO, "ok %lu - %.*s # SKIP %s\n", number,
				      (int)strcspn(name, "\n"), name, skip_reason);
			skip_reason[0] = '\0';
			return (ssize_t)n;
		}
	}
	return write(STDOUT_FILENO, p, n);
}

int unit_main(int argc, char **argv, const struct CMUnitTest *tests, size_t n)
{
	cookie_io_functions_t io = { .write = tap_write };
	FILE *tap = fopencookie(NULL, "w", io);

	if (!tap)
		return 99;
	(void)setvbuf(tap, NULL, _IOLBF, 0);
	stdout = tap;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return _cmocka_run_group_tests(argv[0], tests, n, NULL, NULL) ? 1 : 0;
}

void unit_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(skip_reason, sizeof(skip_reason), fmt, ap);
	va_end(ap);
	for (char *p = skip_reason; *p; p++)
		if (*p == '\n' || *p == '#')
			*p = ' ';
	if (report_fd >= 0) {
		(void)!write(report_fd, skip_reason, strlen(skip_reason));
		_exit(EXIT_SKIP);
	}
	_skip(__FILE__, __LINE__);
	abort();
}

void unit_assert_err_id(const struct err *e, const char *id, const char *file, int line)
{
	auto_free char *text = NULL;

	if (e && err_is(e, id))
		return;
	text = err_line(e);
	print_error("# error has id '%s', not '%s': %s\n", e ? err_id(e) : "(no error)", id, text ? text : "");
	_fail(file, line);
}

void unit_assert_err_has(const struct err *e, const char *text, const char *file, int line)
{
	auto_free char *have = err_line(e);

	if (have && strstr(have, text))
		return;
	print_error("# '%s' is not in the error: %s\n", text, have ? have : "(no error)");
	_fail(file, line);
}

static void report_and_exit(const char *text)
{
	if (report_fd >= 0)
		(void)!write(report_fd, text, strlen(text));
	_exit(EXIT_FAILURE);
}

void unit_child_fail(const char *file, int line, const char *what)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "%s:%d: %.350s (errno %s)", file, line, what,
		       strerrorname_np(errno));
	report_and_exit(text);
	abort();
}

void unit_child_check(const char *file, int line, const char *what, long r, const struct err *e)
{
	auto_free char *chain = NULL;
	char text[1024];

	if (r >= 0)
		return;
	chain = err_line(e);
	(void)snprintf(text, sizeof(text), "%s:%d: %.200s is %ld: %.600s", file, line, what, r,
		       chain ? chain : strerror((int)-r));
	report_and_exit(text);
}

/* What the child says until it ends. Not until the pipe does: a process that the child has left has that, too. */
static void read_report(int fd, pid_t pid, char *text, size_t size)
{
	auto_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd poll_fds[2] = { { .fd = fd, .events = POLLIN }, { .fd = pidfd, .events = POLLIN } };
	size_t len = 0;

	assert_true(pidfd >= 0);
	for (;;) {
		ssize_t n;

		if (poll(poll_fds, 2, -1) < 0)
			continue;
		if (!poll_fds[0].revents)
			break;
		n = len < size - 1 ? read(fd, text + len, size - 1 - len) : 0;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
}

void unit_child(void (*fn)(void *arg), void *arg)
{
	char text[1024] = "";
	int p[2], status;
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		report_fd = p[1];
		fn(arg);
		_exit(EXIT_SUCCESS);
	}
	(void)close(p[1]);
	read_report(p[0], pid, text, sizeof(text));
	(void)close(p[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP)
		unit_skip("%s", text);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (WIFSIGNALED(status))
		print_error("# child died of signal %d\n", WTERMSIG(status));
	print_error("# %s\n", text);
	_fail("child", 0);
}

static void write_map(const char *path, const char *text)
{
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

struct ns_job {
	int flags;
	void (*fn)(void *arg);
	void *arg;
};

static void in_namespaces(void *arg)
{
	const struct ns_job *job = arg;
	int flags = job->flags | CLONE_NEWNS;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	if (unshare(flags) < 0)
		unit_skip("needs %s: %s", flags & CLONE_NEWUSER ? "userns" : "root", strerror(errno));
	if (flags & CLONE_NEWUSER) {
		write_map("/proc/self/setgroups", "deny");
		(void)snprintf(map, sizeof(map), "0 %u 1", uid);
		write_map("/proc/self/uid_map", map);
		(void)snprintf(map, sizeof(map), "0 %u 1", gid);
		write_map("/proc/self/gid_map", map);
	}
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	job->fn(job->arg);
}

void unit_child_ns(int flags, void (*fn)(void *arg), void *arg)
{
	struct ns_job job = { flags | (geteuid() == 0 ? 0 : CLONE_NEWUSER), fn, arg };

	unit_child(in_namespaces, &job);
}

void unit_child_userns(int flags, void (*fn)(void *arg), void *arg)
{
	struct ns_job job = { flags | CLONE_NEWUSER, fn, arg };

	unit_child(in_namespaces, &job);
}

void unit_enosys(long number)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(code), code };

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

bool unit_is_root(void)
{
	unsigned long inside = 1, outside = 1, count = 0;
	auto_fclose FILE *f = fopen("/proc/self/uid_map", "re");

	if (geteuid() != 0 || !f || fscanf(f, "%lu %lu %lu", &inside, &outside, &count) != 3)
		return false;
	return inside == 0 && outside == 0 && count == 4294967295UL;
}

char *unit_tmpdir(void)
{
	const char *base = getenv("TMPDIR");
	char *dir = NULL;

	assert_true(asprintf(&dir, "%s/tiffin-unit.XXXXXX", base ? base : "/tmp") > 0);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0755), 0);
	return dir;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void unit_tmpdir_free(char *dir)
{
	if (dir)
		(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	free(dir);
}

void unit_write(const char *dir, const char *name, const char *text)
{
	auto_free char *path = NULL;
	auto_fclose FILE *f = NULL;

	assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
}

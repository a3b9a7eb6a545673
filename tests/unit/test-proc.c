/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "kernel/memory.h"
#include "kernel/proc.h"

/* A child that waits for a signal. */
static pid_t sleeper(int *ret_pidfd)
{
	pid_t pid = proc_clone(0, -1, ret_pidfd, NULL);

	if (pid == 0) {
		for (;;)
			(void)pause();
	}
	assert_true(pid > 0);
	return pid;
}

static void clone_is_fork_with_a_pidfd(void **state)
{
	auto_close int pidfd = -EBADF;
	pid_t pid = proc_clone(0, -1, &pidfd, NULL);
	int status = 0;

	if (pid == 0)
		_exit(getpid() == 1 ? 1 : 42);
	assert_true(pid > 0);
	assert_true(pidfd >= 0);
	assert_true(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(proc_wait(pid, &status), 0);
	assert_int_equal(WEXITSTATUS(status), 42);
	assert_int_equal(proc_wait(pid, &status), -ECHILD);
}

static void namespaces_come_with_the_clone(void *arg)
{
	struct err *e = NULL;
	pid_t pid = proc_clone(CLONE_NEWPID | CLONE_NEWUTS, -1, NULL, &e);
	int status = 1;

	CHECK_OK(pid, e);
	if (pid == 0)
		_exit(getpid() == 1 && sethostname("inside", 6) == 0 ? 0 : 1);
	CHECK_OK(proc_wait(pid, &status), NULL);
	CHECK(status == 0);
}

static void clone_makes_namespaces(void **state)
{
	unit_child_ns(0, namespaces_come_with_the_clone, NULL);
}

static void a_refused_namespace_is_classified(void *arg)
{
	struct err *e = NULL;
	pid_t pid;

	if (geteuid() == 0)
		CHECK(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
	pid = proc_clone(CLONE_NEWUTS, -1, NULL, &e);
	if (pid == 0)
		_exit(0);
	CHECK(pid == -EPERM);
	CHECK(err_is(e, "namespace-forbidden"));
	err_free(e);
}

static void clone_says_what_a_namespace_needs(void **state)
{
	if (geteuid() == 0 && !unit_is_root())
		unit_skip("needs root in the initial user namespace, or none");
	unit_child(a_refused_namespace_is_classified, NULL);
}

static void a_cgroup_fd_that_is_none_is_refused(void **state)
{
	auto_close int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_err struct err *e = NULL;
	pid_t pid = proc_clone(0, fd, NULL, &e);

	if (pid == 0)
		_exit(0);
	assert_true(pid < 0);
	assert_err_has(e, "cannot create a process in its cgroup");
}

static void pidfds_wait_and_signal(void **state)
{
	auto_close int pidfd = -EBADF;
	pid_t pid = sleeper(&pidfd);
	int status = 0;

	assert_int_equal(proc_pidfd_wait(pidfd, 10), 0);
	assert_int_equal(proc_pidfd_send(pidfd, SIGTERM), 0);
	assert_int_equal(proc_pidfd_wait(pidfd, 5000), 1);
	assert_int_equal(proc_wait(pid, &status), 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(proc_pidfd_send(pidfd, SIGTERM), -ESRCH);
	assert_int_equal(proc_pidfd_wait(pidfd, -1), 1);
}

static void pidfd_open_refuses_nobody(void **state)
{
	auto_close int self = proc_pidfd_open(getpid());

	assert_true(self >= 0);
	assert_int_equal(proc_pidfd_open(0x3fffffff), -ESRCH);
}

static void the_exit_status_outlives_the_process(void **state)
{
	auto_close int pidfd = -EBADF;
	pid_t pid = proc_clone(0, -1, &pidfd, NULL);
	int status = 0, r;

	if (pid == 0)
		_exit(33);
	assert_int_equal(proc_wait(pid, NULL), 0);
	r = proc_pidfd_status(pidfd, &status);
	if (r == -EOPNOTSUPP || r == -ESRCH)
		unit_skip("needs PIDFD_GET_INFO with exit information (Linux 6.15)");
	assert_int_equal(r, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 33);
}

static void a_living_process_has_no_status(void **state)
{
	auto_close int pidfd = -EBADF;
	pid_t pid = sleeper(&pidfd);
	int status = 0, r = proc_pidfd_status(pidfd, &status);

	(void)kill(pid, SIGKILL);
	assert_int_equal(proc_wait(pid, NULL), 0);
	assert_true(r < 0);
}

static void start_times_order_processes(void **state)
{
	uint64_t mine = 0, again = 0, first = 0;
	bool stopped = true;

	assert_int_equal(proc_start_time(getpid(), &mine), 0);
	assert_int_equal(proc_start_time(getpid(), &again), 0);
	assert_true(proc_is_at_work(getpid(), again, &stopped));
	assert_false(proc_is_at_work(getpid(), again + 1, &stopped));
	assert_false(proc_is_at_work(0, again, &stopped));
	assert_false(stopped);
	assert_true(mine == again);
	assert_int_equal(proc_start_time(1, &first), 0);
	assert_true(first <= mine);
	assert_int_equal(proc_start_time(0x3fffffff, &mine), -ESRCH);
}

static void an_unreaped_process_has_no_start_time(void **state)
{
	int pidfd = -EBADF, status;
	pid_t pid = proc_clone(0, -1, &pidfd, NULL);
	uint64_t start = 0;
	bool stopped = false;

	if (pid == 0)
		_exit(0);
	assert_true(pid > 0);
	assert_int_equal(proc_pidfd_wait(pidfd, 10000), 1);
	assert_int_equal(proc_start_time(pid, &start), -ESRCH);
	assert_false(proc_is_at_work(pid, start, &stopped));
	assert_int_equal(proc_wait(pid, &status), 0);
	(void)close(pidfd);
}

static void a_stopped_process_is_seen(void **state)
{
	pid_t pid = proc_clone(0, -1, NULL, NULL);
	bool stopped = false;
	uint64_t start = 0;
	int status;

	if (pid == 0) {
		(void)raise(SIGSTOP);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_int_equal(proc_start_time(pid, &start), 0);
	assert_true(proc_is_at_work(pid, start, &stopped));
	assert_true(stopped);
	(void)kill(pid, SIGKILL);
	assert_int_equal(proc_wait(pid, &status), 0);
}

static void hostile_name(void *arg)
{
	uint64_t before = 0, after = 0;

	CHECK_OK(proc_start_time(getpid(), &before), NULL);
	CHECK(prctl(PR_SET_NAME, ") R 1 (x) 9", 0, 0, 0) == 0);
	CHECK_OK(proc_start_time(getpid(), &after), NULL);
	CHECK(before == after && before != 0);
}

static void a_name_with_parentheses_does_not_shift_fields(void **state)
{
	unit_child(hostile_name, NULL);
}

static void status_fields_are_read_by_name(void **state)
{
	char value[64], small[4];

	assert_true(proc_status_field(getpid(), "Pid", value, sizeof(value)) > 0);
	assert_int_equal(atoi(value), getpid());
	assert_int_equal(proc_status_field(getpid(), "SigBlk", value, sizeof(value)), 16);
	assert_int_equal(proc_status_field(getpid(), "Nothing", value, sizeof(value)), -ENOENT);
	assert_int_equal(proc_status_field(getpid(), "SigBlk", small, sizeof(small)), -ENOBUFS);
	assert_int_equal(proc_status_field(0x3fffffff, "Pid", value, sizeof(value)), -ESRCH);
}

static void the_owner_is_the_effective_one(void **state)
{
	uid_t uid = 0;
	gid_t gid = 0;

	assert_int_equal(proc_owner(getpid(), &uid, &gid), 0);
	assert_int_equal(uid, geteuid());
	assert_int_equal(gid, getegid());
	assert_int_equal(proc_owner(0x3fffffff, &uid, &gid), -ESRCH);
}

static void closing(void *arg)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), keep[] = { 12, 3, -1, 50, 11, 12 };

	for (int i = 10; i < 60; i++)
		CHECK(i == fd || dup2(fd, i) == i);
	CHECK(dup2(fd, 3) == 3);
	CHECK_OK(proc_close_fds(10, keep, ARRAY_SIZE(keep)), NULL);
	for (int i = 10; i < 70; i++) {
		bool kept = i == 11 || i == 12 || i == 50;

		if (kept != (fcntl(i, F_GETFD) >= 0))
			_exit(100 + i);
	}
	if (fcntl(3, F_GETFD) < 0)
		_exit(99);
	if (proc_close_fds(0, NULL, 0) < 0)
		_exit(98);
	if (fcntl(0, F_GETFD) >= 0 || fcntl(50, F_GETFD) >= 0)
		_exit(97);
}

static void closing_one_by_one(void *arg)
{
	unit_enosys(SYS_close_range);
	closing(arg);
}

static void fds_close_except_kept_ones(void **state)
{
	unit_child(closing, NULL);
	unit_child(closing_one_by_one, NULL);
}

static void safe_exe(void *arg)
{
	struct err *e = NULL;
	int fd = proc_safe_exe("/bin/true", &e), status = 1, writer;
	char path[64];
	pid_t pid;

	CHECK_OK(fd, e);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	writer = open(path, O_WRONLY | O_CLOEXEC);
	CHECK(writer < 0 || write(writer, "x", 1) < 0);
	fd_close(writer);
	CHECK(truncate(path, 0) < 0);
	pid = fork();
	if (pid == 0) {
		char *argv[] = { (char[]){ "true" }, NULL };

		(void)fexecve(fd, argv, environ);
		_exit(90);
	}
	CHECK_OK(proc_wait(pid, &status), NULL);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void an_exposed_executable_cannot_be_written(void **state)
{
	unit_child(safe_exe, NULL);
}

static void safe_exe_user(void *arg)
{
	if (geteuid() == 0)
		CHECK(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
	safe_exe(arg);
}

static void an_unprivileged_copy_cannot_be_written(void **state)
{
	if (geteuid() == 0 && !unit_is_root())
		unit_skip("needs root in the initial user namespace, or none");
	unit_child(safe_exe_user, NULL);
}

static void a_missing_executable_is_named(void **state)
{
	auto_err struct err *e = NULL;

	assert_int_equal(proc_safe_exe("/nonexistent/x", &e), -ENOENT);
	assert_err_has(e, "cannot open /nonexistent/x");
	assert_int_equal(proc_safe_exe("/tmp", &e), -EACCES);
}

struct same {
	int value, wr;
	pid_t pid;
};

static void in_the_same_memory(void *arg)
{
	struct same *s = arg;
	char big[512 * 1024];

	/* Its stack is its own, and large enough. */
	memset(big, 1, sizeof(big));
	s->value += big[1000];
	s->pid = getpid();
	(void)!write(s->wr, "", 1);
	_exit(7);
}

static void a_successor_has_the_memory(void **state)
{
	struct same s = { .value = 41 };
	int p[2], status;
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	s.wr = p[1];
	pid = proc_clone_same(0, -1, in_the_same_memory, &s, NULL);
	assert_true(pid > 0);
	assert_int_equal(read(p[0], &byte, 1), 1);
	assert_int_equal(proc_wait(pid, &status), 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
#if defined(__x86_64__) || defined(__aarch64__)
	assert_int_equal(s.value, 42);
	assert_int_equal(s.pid, pid);
#endif
	(void)close(p[0]);
	(void)close(p[1]);
}

struct early {
	pid_t maker;
	int go;
};

static void answer_and_stay(void *arg)
{
	struct early *s = arg;
	char byte;

	proc_answer(s->maker, W_EXITCODE(9, 0));
	/* The test's end of it says when. */
	(void)!read(s->go, &byte, 1);
	_exit(1);
}

static void be_known(int go)
{
	struct early s = { .maker = getpid(), .go = go };
	sigset_t all;
	pid_t pid;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	pid = proc_clone_same(0, -1, answer_and_stay, &s, NULL);
	if (pid < 0)
		_exit(2);
	proc_stand_for(pid, &all);
}

static void who_stands_for_a_successor_may_end_before_it(void **state)
{
	int go[2], alive[2], status;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(alive), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(go[1]);
		be_known(go[0]);
	}
	(void)close(alive[1]);
#if !defined(__x86_64__) && !defined(__aarch64__)
	(void)close(go[1]);
#endif
	assert_int_equal(proc_wait(pid, &status), 0);
#if defined(__x86_64__) || defined(__aarch64__)
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 9);
	assert_int_equal(fcntl(alive[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(alive[0], &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	(void)close(go[1]);
	assert_int_equal(fcntl(alive[0], F_SETFL, 0), 0);
#endif
	assert_int_equal(read(alive[0], &byte, 1), 0);
	(void)close(go[0]);
	(void)close(alive[0]);
}

static void end_soon(void *arg)
{
	_exit(*(int *)arg);
}

static void wait_for_ever(void *arg)
{
	for (;;)
		(void)proc_raw(SYS_ppoll, 0, 0, 0, 0);
}

/* Other than proc_stand_for: this one comes back. */
static void who_stands_until_a_successor_ends_goes_on(void **state)
{
#if defined(__x86_64__) || defined(__aarch64__)
	int status, code = 5;
	sigset_t none;
	pid_t pid;

	(void)sigemptyset(&none);
	pid = proc_clone_same(0, -1, end_soon, &code, NULL);
	assert_true(pid > 0);
	assert_true(proc_stand_until(pid, &none, 1, &status));
	assert_int_equal(WEXITSTATUS(status), 5);
	pid = proc_clone_same(0, -1, wait_for_ever, NULL, NULL);
	assert_true(pid > 0);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_false(proc_stand_until(pid, &none, 1, &status));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_true(proc_stand_until(pid, &none, 1, &status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
#else
	unit_skip("the memory may not be the same");
#endif
}

static char *command_line(const char *file)
{
	char *text = NULL;
	size_t len;

	assert_int_equal(io_read_file(AT_FDCWD, file, 65536, &text, &len, NULL), 0);
	return text;
}

static void a_title_is_what_ps_shows(void **state)
{
	auto_free char *before = command_line("/proc/self/cmdline"), *after = NULL;
	int status;
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (proc_note_title_room() <= strlen("[title]"))
			_exit(1);
		proc_set_title("[title]");
		after = command_line("/proc/self/cmdline");
		_exit(strcmp(after, "[title]") == 0 ? 0 : 2);
	}
	assert_int_equal(proc_wait(pid, &status), 0);
	assert_int_equal(WEXITSTATUS(status), 0);
	after = command_line("/proc/self/cmdline");
	assert_string_equal(before, after);
}

static void a_successor_needs_a_cgroup_that_is_one(void **state)
{
	auto_err struct err *e = NULL;
	auto_close int fd = open("/", O_RDONLY | O_CLOEXEC);

	assert_true(proc_clone_same(0, fd, in_the_same_memory, NULL, &e) < 0);
	assert_err_has(e, "cannot create a process in its cgroup");
}

struct beside {
	char stack[8192] __attribute__((aligned(16)));
	int go[2];
	cpu_set_t may;	/* where the child may run */
	char byte;
	volatile long done;
};

static void work_beside(void *arg)
{
	struct beside *b = arg;

	(void)proc_raw(SYS_read, b->go[0], (long)&b->byte, 1, 0);
	b->done = proc_raw(SYS_sched_getaffinity, 0, sizeof(b->may), (long)&b->may, 0);
	for (;;)
		(void)proc_raw(SYS_exit_group, 0, 0, 0, 0);
}

/* It has our memory and descriptors, and is kept off the one processor that its maker was on, if there are others. */
static void what_works_beside_is_on_another_processor(void **state)
{
	static struct beside b;
	cpu_set_t ours;
	int status;
	pid_t pid;

	CPU_ZERO(&b.may);
	assert_int_equal(pipe2(b.go, O_CLOEXEC), 0);
	assert_int_equal(sched_getaffinity(0, sizeof(ours), &ours), 0);
	pid = proc_clone_beside(work_beside, &b, b.stack, sizeof(b.stack));
	if (pid == -ENOSYS)
		unit_skip("needs a machine on which proc_clone_beside knows how");
	assert_true(pid > 0);
	assert_int_equal(write(b.go[1], "", 1), 1);
	assert_int_equal(proc_wait(pid, &status), 0);
	assert_int_equal(status, 0);
	assert_true(b.done > 0);
	assert_int_equal(CPU_COUNT(&b.may), CPU_COUNT(&ours) > 1 ? CPU_COUNT(&ours) - 1 : 1);
	(void)close(b.go[0]);
	(void)close(b.go[1]);
}

/* In a child: what the program has, heap, data and stack, is the same before and after. */
static void release(void *arg)
{
	static int data = 5;
	char local[3000], *heap = malloc(200000);

	memset(local, 'l', sizeof(local));
	memset(heap, 'h', 200000);
	memory_release();
	for (size_t i = 0; i < sizeof(local); i++)
		assert_int_equal(local[i], 'l');
	for (size_t i = 0; i < 200000; i++)
		assert_int_equal(heap[i], 'h');
	assert_int_equal(data, 5);
	free(heap);
}

static void pages_come_and_go_unseen(void **state)
{
	unit_child(release, NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_works_beside_is_on_another_processor),
	cmocka_unit_test(clone_is_fork_with_a_pidfd),
	cmocka_unit_test(clone_makes_namespaces),
	cmocka_unit_test(clone_says_what_a_namespace_needs),
	cmocka_unit_test(a_cgroup_fd_that_is_none_is_refused),
	cmocka_unit_test(a_successor_has_the_memory),
	cmocka_unit_test(who_stands_for_a_successor_may_end_before_it),
	cmocka_unit_test(who_stands_until_a_successor_ends_goes_on),
	cmocka_unit_test(a_title_is_what_ps_shows),
	cmocka_unit_test(a_successor_needs_a_cgroup_that_is_one),
	cmocka_unit_test(pages_come_and_go_unseen),
	cmocka_unit_test(pidfds_wait_and_signal),
	cmocka_unit_test(pidfd_open_refuses_nobody),
	cmocka_unit_test(the_exit_status_outlives_the_process),
	cmocka_unit_test(a_living_process_has_no_status),
	cmocka_unit_test(start_times_order_processes),
	cmocka_unit_test(an_unreaped_process_has_no_start_time),
	cmocka_unit_test(a_stopped_process_is_seen),
	cmocka_unit_test(a_name_with_parentheses_does_not_shift_fields),
	cmocka_unit_test(status_fields_are_read_by_name),
	cmocka_unit_test(the_owner_is_the_effective_one),
	cmocka_unit_test(fds_close_except_kept_ones),
	cmocka_unit_test(an_exposed_executable_cannot_be_written),
	cmocka_unit_test(an_unprivileged_copy_cannot_be_written),
	cmocka_unit_test(a_missing_executable_is_named),
};
UNIT_MAIN(tests)

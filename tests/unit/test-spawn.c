/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "kernel/proc.h"
#include "kernel/spawn.h"

/* Runs "sh -c SCRIPT" and returns its output (new). */
static char *shell(const char *script, struct spawn *s, struct err **e)
{
	auto_free char *text = strdup(script);
	auto_buf struct buf out = BUF_INIT(65536);
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, text, NULL };

	s->path = "sh";
	s->argv = argv;
	s->output = &out;
	return spawn_check(s, e) == 0 ? buf_take(&out) : NULL;
}

static void output_is_collected(void **state)
{
	struct spawn s = SPAWN_INIT;
	auto_free char *out = shell("echo one; echo two >&2", &s, NULL);

	assert_string_equal(out, "one\ntwo\n");
}

static void the_environment_is_only_what_was_given(void **state)
{
	char *envp[] = { (char[]){ "A=1" }, NULL };
	struct spawn s = SPAWN_INIT;

	assert_int_equal(setenv("LEAK", "yes", 1), 0);
	auto_free char *out = shell("/usr/bin/env | grep -v ^_= | grep -v ^PWD= | grep -v ^SHLVL=", &s, NULL);

	assert_string_equal(out, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
	s.envp = envp;
	auto_free char *with_a = shell("/usr/bin/env | /bin/grep ^A=", &s, NULL);

	assert_string_equal(with_a, "A=1\n");
}

static void no_descriptor_leaks_even_without_cloexec(void **state)
{
	struct spawn s = SPAWN_INIT;
	int leak = open("/dev/null", O_RDONLY), high = fcntl(leak, F_DUPFD, 300);
	auto_free char *out = shell("for f in /proc/self/fd/*; do echo ${f##*/}; done", &s, NULL);

	fd_close(leak);
	fd_close(high);
	/* 3 is the shell's own handle of the directory. */
	assert_string_equal(out, "0\n1\n2\n3\n");
}

static void kept_descriptors_have_the_same_number_and_others_go(void **state)
{
	int leak = open("/dev/null", O_RDONLY), kept = fcntl(leak, F_DUPFD_CLOEXEC, 20), above = fcntl(leak, F_DUPFD, 30);
	struct spawn s = SPAWN_INIT;

	s.keep = &kept;
	s.n_keep = 1;
	auto_free char *out = shell("for f in 3 4 5 6 7 8 20 30; do [ -e /proc/$$/fd/$f ] && echo $f; done; :", &s, NULL);

	fd_close(leak);
	fd_close(kept);
	fd_close(above);
	assert_string_equal(out, "20\n");
}

static void signals_are_default_and_unblocked(void **state)
{
	struct spawn s = SPAWN_INIT;
	sigset_t mask, old;

	(void)sigfillset(&mask);
	(void)signal(SIGUSR1, SIG_IGN);
	(void)sigprocmask(SIG_BLOCK, &mask, &old);
	auto_free char *out = shell("grep -E 'Sig(Blk|Ign)' /proc/self/status | cut -f2", &s, NULL);

	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	(void)signal(SIGUSR1, SIG_DFL);
	assert_string_equal(out, "0000000000000000\n0000000000000000\n");
}

static void crossed_standard_descriptors_arrive_right(void *arg)
{
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "read x; echo got $x; echo err >&2" }, NULL };
	struct spawn s = SPAWN_INIT;
	struct err *e = NULL;
	char text[64] = "";
	int in[2], out[2];

	CHECK(pipe(in) == 0 && pipe(out) == 0);
	CHECK(write(in[1], "word\n", 5) == 5);
	/* The child's stdin is our 1 and its stdout our 0. */
	CHECK(dup2(in[0], 1) == 1 && dup2(out[1], 0) == 0);
	s.path = "sh";
	s.argv = argv;
	s.stdin_fd = 1;
	s.stdout_fd = s.stderr_fd = 0;
	CHECK_OK(spawn_check(&s, &e), e);
	CHECK(read(out[0], text, sizeof(text) - 1) > 0);
	CHECK(strcmp(text, "got word\nerr\n") == 0);
}

static void standard_descriptors_may_be_crossed(void **state)
{
	unit_child(crossed_standard_descriptors_arrive_right, NULL);
}

static void output_beyond_the_ceiling_is_dropped_not_fatal(void **state)
{
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "head -c 300000 /dev/zero | tr '\\0' x" }, NULL };
	auto_buf struct buf out = BUF_INIT(1000);
	struct spawn s = SPAWN_INIT;

	s.path = "sh";
	s.argv = argv;
	s.output = &out;
	assert_int_equal(spawn_check(&s, NULL), 0);
	assert_true(buf_ok(&out));
	assert_int_equal(out.len, 1000);
}

static void a_failure_names_the_last_line(void **state)
{
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "echo first; printf 'no \\033[1mspace\\n\\n' >&2; exit 3" }, NULL };
	auto_err struct err *e = NULL;
	struct spawn s = SPAWN_INIT;

	s.path = "sh";
	s.argv = argv;
	assert_true(spawn_check(&s, &e) < 0);
	assert_err_id(e, "program-failed");
	assert_err_has(e, "sh failed with exit status 3: no [1mspace");
}

static void a_killing_signal_is_named(void **state)
{
	auto_err struct err *e = NULL;
	struct spawn s = SPAWN_INIT;

	assert_null(shell("kill -9 $$", &s, &e));
	assert_err_has(e, "sh was killed by signal 9 (Killed)");
}

static void a_missing_program_is_named_with_its_package(void **state)
{
	char *argv[] = { (char[]){ "newuidmap" }, NULL };
	auto_err struct err *e = NULL;
	struct spawn s = SPAWN_INIT;

	s.path = "newuidmap";
	s.search = "/nonexistent:/proc";
	s.argv = argv;
	assert_int_equal(spawn_check(&s, &e), -ENOENT);
	assert_err_id(e, "program-missing");
	assert_err_has(e, "program newuidmap does not exist in /nonexistent:/proc");
	assert_err_has(e, "apt-get install uidmap");
	s.path = "/nonexistent/newuidmap";
	assert_int_equal(spawn_check(&s, &e), -ENOENT);
	assert_err_id(e, "program-missing");
}

static void a_missing_interpreter_is_told_from_a_missing_file(void **state)
{
	auto_free char *path = NULL;
	char *dir = unit_tmpdir();
	char *argv[] = { (char[]){ "x" }, NULL };
	auto_err struct err *e = NULL;
	struct spawn s = SPAWN_INIT;

	unit_write(dir, "script", "#!/nonexistent/sh\n");
	assert_true(asprintf(&path, "%s/script", dir) > 0);
	s.path = path;
	s.argv = argv;
	assert_int_equal(spawn_check(&s, &e), -EACCES);
	assert_err_id(e, "program-forbidden");
	assert_int_equal(chmod(path, 0755), 0);
	assert_int_equal(spawn_check(&s, &e), -ENOENT);
	assert_err_id(e, "program-interpreter-missing");
	unit_tmpdir_free(dir);
}

static void what_is_in_the_way_is_named(void **state)
{
	auto_free char *path = NULL, *of_file = NULL, *of_dir = NULL, *none = NULL;
	char *dir = unit_tmpdir();

	unit_write(dir, "script", "");
	assert_true(asprintf(&path, "%s/script", dir) > 0);
	of_file = io_obstacle(path);
	assert_string_equal(of_file, path);
	assert_int_equal(chmod(path, 0755), 0);
	none = io_obstacle(path);
	assert_null(none);
	assert_null(io_obstacle(""));
	/* Root of the host enters every directory. */
	if (geteuid() != 0) {
		assert_int_equal(chmod(dir, 0600), 0);
		of_dir = io_obstacle(path);
		assert_string_equal(of_dir, dir);
		assert_int_equal(chmod(dir, 0700), 0);
	}
	unit_tmpdir_free(dir);
}

static void the_time_limit_kills(void **state)
{
	auto_err struct err *e = NULL;
	struct spawn s = SPAWN_INIT;

	s.timeout_ms = 100;
	assert_null(shell("while :; do sleep 100; done", &s, &e));
	assert_err_id(e, "program-timeout");
	assert_err_has(e, "0.100 seconds");
}

static void a_daemon_that_keeps_the_pipe_does_not_hang_us(void **state)
{
	struct spawn s = SPAWN_INIT;

	s.timeout_ms = 10000;
	auto_free char *out = shell("sleep 30 & echo $!", &s, NULL);

	assert_non_null(out);
	(void)kill((pid_t)atol(out), SIGKILL);
}

static void start_gives_pid_and_pidfd(void **state)
{
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "exit 5" }, NULL };
	auto_close int pidfd = -EBADF;
	struct spawn s = SPAWN_INIT;
	int status = 0;
	pid_t pid;

	s.path = "/bin/sh";
	s.argv = argv;
	assert_int_equal(spawn_start(&s, &pid, &pidfd, NULL), 0);
	assert_int_equal(proc_pidfd_wait(pidfd, 5000), 1);
	assert_int_equal(proc_wait(pid, &status), 0);
	assert_int_equal(WEXITSTATUS(status), 5);
}

static void run_tells_the_status(void **state)
{
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "exit 9" }, NULL };
	struct spawn s = SPAWN_INIT;
	int status = 0;

	s.path = "sh";
	s.argv = argv;
	assert_int_equal(spawn_run(&s, &status, NULL), 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 9);
}

static void a_new_session_is_one(void **state)
{
	struct spawn s = SPAWN_INIT;

	s.new_session = true;
	auto_free char *out = shell("read a < /proc/$$/stat; set -- $a; [ $1 = $6 ] && echo leader", &s, NULL);

	assert_string_equal(out, "leader\n");
}

static void last_line_of(const char *text, const char *expected)
{
	auto_buf struct buf b = BUF_INIT(1000);

	buf_adds(&b, text);
	auto_free char *last = spawn_last_line(&b);

	assert_string_equal(last, expected);
}

static void the_last_line_is_clean(void **state)
{
	last_line_of("", "");
	last_line_of("\n \n", "");
	last_line_of("one", "one");
	last_line_of("one\ntwo\n\n", "two");
	last_line_of("one\r\n", "one");
	last_line_of("10%\r100%\rdone\n", "done");
	last_line_of("a\tb\x1b[2J\x7f", "ab[2J");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(output_is_collected),
	cmocka_unit_test(the_environment_is_only_what_was_given),
	cmocka_unit_test(no_descriptor_leaks_even_without_cloexec),
	cmocka_unit_test(kept_descriptors_have_the_same_number_and_others_go),
	cmocka_unit_test(signals_are_default_and_unblocked),
	cmocka_unit_test(standard_descriptors_may_be_crossed),
	cmocka_unit_test(output_beyond_the_ceiling_is_dropped_not_fatal),
	cmocka_unit_test(a_failure_names_the_last_line),
	cmocka_unit_test(a_killing_signal_is_named),
	cmocka_unit_test(a_missing_program_is_named_with_its_package),
	cmocka_unit_test(a_missing_interpreter_is_told_from_a_missing_file),
	cmocka_unit_test(what_is_in_the_way_is_named),
	cmocka_unit_test(the_time_limit_kills),
	cmocka_unit_test(a_daemon_that_keeps_the_pipe_does_not_hang_us),
	cmocka_unit_test(start_gives_pid_and_pidfd),
	cmocka_unit_test(run_tells_the_status),
	cmocka_unit_test(a_new_session_is_one),
	cmocka_unit_test(the_last_line_is_clean),
};
UNIT_MAIN(tests)

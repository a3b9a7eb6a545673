/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/mount.h"
#include "kernel/tty.h"

static void host_pty(struct pty *p)
{
	auto_err struct err *e = NULL;
	int r = pty_open_host(p, &e);

	if (r == -ENOENT || r == -EACCES)
		unit_skip("needs /dev/ptmx: %s", strerror(-r));
	assert_int_equal(r, 0);
}

static void both_ends_talk(void **state)
{
	struct pty p = PTY_INIT;
	char text[16] = "";

	host_pty(&p);
	assert_true(p.index >= 0);
	assert_true(isatty(p.pts));
	assert_true(fcntl(p.ptx, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(p.pts, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(p.ptx, "line\n", 5), 5);
	assert_int_equal(read(p.pts, text, sizeof(text)), 5);
	assert_string_equal(text, "line\n");
	pty_close(&p);
	assert_int_equal(p.ptx, -EBADF);
	assert_int_equal(p.pts, -EBADF);
	pty_close(&p);
}

static void own_devpts(void *arg)
{
	struct pty a = PTY_INIT, b = PTY_INIT, c = PTY_INIT;
	struct err *e = NULL;
	int fs = mount_new("devpts", NULL, "newinstance,ptmxmode=0666,mode=0620,max=2", 0, &e);

	if (fs < 0)
		unit_skip("needs devpts in a user namespace: %s", strerror(-fs));
	CHECK_OK(pty_open(fs, &a, &e), e);
	CHECK_OK(pty_open(fs, &b, &e), e);
	/* Counted from 0 in each instance. */
	CHECK(a.index == 0 && b.index == 1);
	CHECK(isatty(a.pts) && isatty(b.pts));
	CHECK(pty_open(fs, &c, &e) < 0);
	CHECK(err_is(e, "pty-limit"));
	CHECK(c.ptx == -EBADF);
	pty_close(&b);
	CHECK_OK(pty_open(fs, &c, &e), e);
	CHECK(c.index == 1);
	err_free(e);
}

static void an_instance_of_devpts_has_its_own_terminals(void **state)
{
	unit_child_ns(0, own_devpts, NULL);
}

static void what_is_no_multiplexer_is_refused(void **state)
{
	char *dir = unit_tmpdir();
	auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_err struct err *e = NULL;
	struct pty p = PTY_INIT;

	unit_write(dir, "ptmx", "");
	assert_int_equal(pty_open(fd, &p, &e), -ENODEV);
	assert_int_equal(unlinkat(fd, "ptmx", 0), 0);
	assert_int_equal(symlinkat("/dev/ptmx", fd, "ptmx"), 0);
	assert_int_equal(pty_open(fd, &p, &e), -ELOOP);
	assert_int_equal(unlinkat(fd, "ptmx", 0), 0);
	assert_int_equal(pty_open(fd, &p, &e), -ENOENT);
	unit_tmpdir_free(dir);
}

static void raw_mode_passes_bytes_and_is_undone(void **state)
{
	struct pty p = PTY_INIT;
	struct termios before, saved, after;
	char text[16] = "";

	host_pty(&p);
	assert_int_equal(tcgetattr(p.pts, &before), 0);
	assert_int_equal(tty_raw(p.pts, &saved), 0);
	assert_int_equal(write(p.ptx, "\x03\x04x", 3), 3);
	assert_int_equal(read(p.pts, text, sizeof(text)), 3);
	assert_memory_equal(text, "\x03\x04x", 3);
	assert_int_equal(write(p.pts, "\n", 1), 1);
	assert_int_equal(read(p.ptx, text, sizeof(text)), 1);
	assert_int_equal(tty_restore(p.pts, &saved), 0);
	assert_int_equal(tcgetattr(p.pts, &after), 0);
	assert_int_equal(before.c_lflag, after.c_lflag);
	assert_int_equal(before.c_iflag, after.c_iflag);
	assert_int_equal(before.c_oflag, after.c_oflag);
	pty_close(&p);
	auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_int_equal(tty_raw(null, &saved), -ENOTTY);
	assert_int_equal(tty_restore(null, &saved), -ENOTTY);
}

static void window_sizes_are_copied(void **state)
{
	struct winsize size = { .ws_row = 33, .ws_col = 77 }, got = { 0 };
	struct pty a = PTY_INIT, b = PTY_INIT;

	host_pty(&a);
	host_pty(&b);
	assert_int_equal(ioctl(a.ptx, TIOCSWINSZ, &size), 0);
	assert_int_equal(tty_copy_winsize(a.pts, b.ptx), 0);
	assert_int_equal(ioctl(b.pts, TIOCGWINSZ, &got), 0);
	assert_int_equal(got.ws_row, 33);
	assert_int_equal(got.ws_col, 77);
	pty_close(&a);
	assert_int_equal(tty_copy_winsize(a.pts, b.ptx), -EBADF);
	pty_close(&b);
}

static void log_in(void *arg)
{
	struct pty *p = arg;

	CHECK_OK(tty_login(p->pts), NULL);
	CHECK(getsid(0) == getpid());
	CHECK(tcgetpgrp(p->pts) == getpgrp());
	CHECK(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY) >= 0);
	/* Leading a session already is no obstacle. */
	CHECK_OK(tty_login(p->pts), NULL);
	CHECK_OK(tty_stdio(p->pts), NULL);
	for (int i = 0; i < 3; i++)
		CHECK(isatty(i) && !(fcntl(i, F_GETFD) & FD_CLOEXEC));
	CHECK(fcntl(0, F_SETFD, FD_CLOEXEC) == 0);
	CHECK_OK(tty_stdio(0), NULL);
	CHECK(fcntl(0, F_GETFD) == 0);
}

static void a_terminal_becomes_the_controlling_one(void **state)
{
	struct pty p = PTY_INIT;

	host_pty(&p);
	unit_child(log_in, &p);
	pty_close(&p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(both_ends_talk),
	cmocka_unit_test(an_instance_of_devpts_has_its_own_terminals),
	cmocka_unit_test(what_is_no_multiplexer_is_refused),
	cmocka_unit_test(raw_mode_passes_bytes_and_is_undone),
	cmocka_unit_test(window_sizes_are_copied),
	cmocka_unit_test(a_terminal_becomes_the_controlling_one),
};
UNIT_MAIN(tests)

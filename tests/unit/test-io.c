/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <signal.h>

#include "base/cleanup.h"
#include "base/io.h"

struct place {
	char *dir;
	int fd;
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->dir = unit_tmpdir();
	p->fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = p;
	return p->fd < 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	fd_close(p->fd);
	unit_tmpdir_free(p->dir);
	free(p);
	return 0;
}

static void whole_files_are_read(void **state)
{
	const struct place *p = *state;
	auto_free char *text = NULL, *empty = NULL;
	size_t n = 0;

	unit_write(p->dir, "f", "some\ntext");
	unit_write(p->dir, "e", "");
	assert_int_equal(io_read_file(p->fd, "f", 100, &text, &n, NULL), 0);
	assert_string_equal(text, "some\ntext");
	assert_int_equal(n, 9);
	assert_int_equal(io_read_file(p->fd, "e", 0, &empty, &n, NULL), 0);
	assert_string_equal(empty, "");
	assert_int_equal(n, 0);
}

static void the_limit_is_inclusive(void **state)
{
	const struct place *p = *state;
	auto_err struct err *e = NULL;
	auto_free char *text = NULL;

	unit_write(p->dir, "f", "12345");
	assert_int_equal(io_read_file(p->fd, "f", 5, &text, NULL, &e), 0);
	char *none = NULL;

	assert_int_equal(io_read_file(p->fd, "f", 4, &none, NULL, &e), -EFBIG);
	assert_null(none);
	assert_err_has(e, "f is larger than 4 bytes");
}

static void endless_and_hanging_files_are_refused(void **state)
{
	const struct place *p = *state;
	static const struct {
		const char *path, *kind;
	} cases[] = { { "/dev/zero", "a device" }, { "/", "a directory" }, { "fifo", "a fifo" } };

	assert_int_equal(mkfifoat(p->fd, "fifo", 0600), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_err struct err *e = NULL;
		char *text = NULL;

		assert_int_equal(io_read_file(p->fd, cases[i].path, 100, &text, NULL, &e), -EINVAL);
		assert_err_id(e, "not-a-regular-file");
		assert_err_has(e, cases[i].kind);
	}
}

static void links_are_followed_unless_forbidden(void **state)
{
	const struct place *p = *state;
	auto_err struct err *e = NULL;

	unit_write(p->dir, "f", "x");
	assert_int_equal(symlinkat("f", p->fd, "l"), 0);
	auto_close int fd = io_open_regular(p->fd, "l", 0, &e);

	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(io_open_regular(p->fd, "l", O_NOFOLLOW, &e), -ELOOP);
	assert_int_equal(io_open_regular(p->fd, "nothing", 0, &e), -ENOENT);
	assert_err_has(e, "cannot open nothing: No such file or directory");
}

static void lines_lose_their_newline(void **state)
{
	const struct place *p = *state;
	char line[8];

	unit_write(p->dir, "v", "max\n");
	assert_int_equal(io_read_line(p->fd, "v", line, sizeof(line)), 3);
	assert_string_equal(line, "max");
	unit_write(p->dir, "v", "");
	assert_int_equal(io_read_line(p->fd, "v", line, sizeof(line)), 0);
	assert_string_equal(line, "");
	unit_write(p->dir, "v", "0123456789");
	assert_int_equal(io_read_line(p->fd, "v", line, sizeof(line)), 7);
	assert_string_equal(line, "0123456");
	assert_int_equal(io_read_line(p->fd, "nothing", line, sizeof(line)), -ENOENT);
}

static void values_go_to_existing_files_only(void **state)
{
	const struct place *p = *state;
	auto_free char *text = NULL;

	assert_int_equal(io_write_value(p->fd, "v", "1"), -ENOENT);
	unit_write(p->dir, "v", "");
	assert_int_equal(io_write_value(p->fd, "v", "42"), 0);
	assert_int_equal(io_read_file(p->fd, "v", 10, &text, NULL, NULL), 0);
	assert_string_equal(text, "42");
	assert_int_equal(io_write_value(p->fd, ".", "x"), -EISDIR);
}

static void writing_all_goes_on_after_a_part(void **state)
{
	static char block[300000];
	int p[2];
	size_t got = 0;
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		(void)close(p[0]);
		_exit(io_write_all(p[1], block, sizeof(block)) != 0);
	}
	(void)close(p[1]);
	for (ssize_t n; (n = read(p[0], block, sizeof(block))) > 0;)
		got += (size_t)n;
	(void)close(p[0]);
	assert_int_equal(got, sizeof(block));
	assert_int_equal(io_write_all(-1, "x", 1), -EBADF);
	assert_int_equal(io_write_all(-1, "x", 0), 0);
}

static int count_entries(const struct place *p)
{
	auto_closedir DIR *d = opendir(p->dir);
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	return n - 2;
}

static void replacing_is_atomic_and_exact_in_mode(void **state)
{
	const struct place *p = *state;
	auto_free char *text = NULL;
	mode_t old = umask(0077);
	struct stat before, after;

	unit_write(p->dir, "c", "old");
	assert_int_equal(fstatat(p->fd, "c", &before, 0), 0);
	assert_int_equal(io_replace(p->fd, "c", "new", 3, 0644, NULL), 0);
	(void)umask(old);
	assert_int_equal(fstatat(p->fd, "c", &after, 0), 0);
	assert_true(before.st_ino != after.st_ino);
	assert_int_equal(after.st_mode & 07777, 0644);
	assert_int_equal(io_read_file(p->fd, "c", 10, &text, NULL, NULL), 0);
	assert_string_equal(text, "new");
	assert_int_equal(io_replace_volatile(p->fd, "c", "newer", 5, 0640, NULL), 0);
	assert_int_equal(fstatat(p->fd, "c", &before, 0), 0);
	assert_true(before.st_ino != after.st_ino || before.st_size != after.st_size);
	assert_int_equal(before.st_mode & 07777, 0640);
	/* The old one, with which it was exchanged, is gone. */
	assert_int_equal(count_entries(p), 1);
	assert_int_equal(io_replace_volatile(p->fd, "d", "first", 5, 0640, NULL), 0);
	assert_int_equal(count_entries(p), 2);
}

static void overwriting_keeps_the_file_and_its_length(void **state)
{
	const struct place *p = *state;
	auto_free char *text = NULL, *longer = NULL;
	char page[IO_OVERWRITE_MAX + 1] = { 0 };
	struct stat before, after;

	assert_int_equal(io_overwrite(p->fd, "o", "new", 3), -ENOENT);
	unit_write(p->dir, "o", "older\n");
	assert_int_equal(fstatat(p->fd, "o", &before, 0), 0);
	assert_int_equal(io_overwrite(p->fd, "o", "new", 3), 0);
	assert_int_equal(fstatat(p->fd, "o", &after, 0), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(io_read_file(p->fd, "o", 100, &text, NULL, NULL), 0);
	assert_string_equal(text, "new\n\n\n");
	assert_int_equal(io_overwrite(p->fd, "o", "longer than before", 18), 0);
	assert_int_equal(io_read_file(p->fd, "o", 100, &longer, NULL, NULL), 0);
	assert_string_equal(longer, "longer than before");
	/* Not in one write; a file with two names; what is no file. */
	assert_int_equal(io_overwrite(p->fd, "o", page, sizeof(page)), -EINVAL);
	assert_int_equal(linkat(p->fd, "o", p->fd, "o2", 0), 0);
	assert_int_equal(io_overwrite(p->fd, "o", "x", 1), -EINVAL);
	assert_int_equal(symlinkat("o", p->fd, "o3"), 0);
	assert_int_equal(io_overwrite(p->fd, "o3", "x", 1), -ELOOP);
	for (int i = 0; i < 3; i++)
		assert_int_equal(unlinkat(p->fd, (const char *[]){ "o", "o2", "o3" }[i], 0), 0);
}

static void a_planted_link_is_replaced_not_followed(void **state)
{
	const struct place *p = *state;
	auto_free char *text = NULL;
	struct stat st;

	unit_write(p->dir, "victim", "precious");
	assert_int_equal(symlinkat("victim", p->fd, "c"), 0);
	assert_int_equal(io_replace(p->fd, "c", "new", 3, 0600, NULL), 0);
	assert_int_equal(fstatat(p->fd, "c", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(io_read_file(p->fd, "victim", 10, &text, NULL, NULL), 0);
	assert_string_equal(text, "precious");
}

static void failing(void *arg)
{
	const struct place *p = arg;
	struct rlimit none = { 0, 0 };
	struct err *e = NULL;

	/* As on a full disk. */
	CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	CHECK(setrlimit(RLIMIT_FSIZE, &none) == 0);
	CHECK(io_replace(p->fd, "c", "new", 3, 0600, &e) == -EFBIG);
	CHECK(e && strcmp(e->what, "cannot write c") == 0);
	err_free(e);
}

static void a_failed_replacement_leaves_the_old_file_and_no_other(void **state)
{
	const struct place *p = *state;
	auto_err struct err *e = NULL;
	auto_free char *text = NULL;

	unit_write(p->dir, "c", "old");
	unit_child(failing, *state);
	assert_int_equal(io_read_file(p->fd, "c", 10, &text, NULL, NULL), 0);
	assert_string_equal(text, "old");
	assert_int_equal(count_entries(p), 1);
	assert_int_equal(mkdirat(p->fd, "d", 0755), 0);
	assert_true(io_replace(p->fd, "d", "new", 3, 0600, &e) < 0);
	assert_int_equal(count_entries(p), 2);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
	CASE(whole_files_are_read),
	CASE(the_limit_is_inclusive),
	CASE(endless_and_hanging_files_are_refused),
	CASE(links_are_followed_unless_forbidden),
	CASE(lines_lose_their_newline),
	CASE(values_go_to_existing_files_only),
	CASE(writing_all_goes_on_after_a_part),
	CASE(replacing_is_atomic_and_exact_in_mode),
	CASE(overwriting_keeps_the_file_and_its_length),
	CASE(a_planted_link_is_replaced_not_followed),
	CASE(a_failed_replacement_leaves_the_old_file_and_no_other),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"

struct place {
	char *dir, *path;
	struct log log;
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->dir = unit_tmpdir();
	p->log = (struct log)LOG_INIT;
	assert_true(asprintf(&p->path, "%s/sub/dir/log", p->dir) > 0);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	log_done(&p->log);
	unit_tmpdir_free(p->dir);
	free(p->path);
	free(p);
	return 0;
}

static char *content(const struct place *p)
{
	char *text = NULL;

	assert_int_equal(io_read_file(AT_FDCWD, p->path, 100000, &text, NULL, NULL), 0);
	return text;
}

static bool matches(const char *text, const char *pattern)
{
	regex_t re;
	bool yes;

	assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	yes = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return yes;
}

static void levels_have_names_and_numbers(void **state)
{
	static const char *const names[] = { "TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "ERROR", "CRIT", "ALERT", "FATAL" };
	int level = -1;

	for (int i = 0; i < (int)ARRAY_SIZE(names); i++) {
		char number[4];

		assert_int_equal(log_level_parse(names[i], &level), 0);
		assert_int_equal(level, i);
		assert_string_equal(log_level_name(i), names[i]);
		(void)snprintf(number, sizeof(number), "%d", i);
		assert_int_equal(log_level_parse(number, &level), 0);
		assert_int_equal(level, i);
	}
	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_DBG);
	level = 3;
	assert_int_equal(log_level_parse("9", &level), -EINVAL);
	assert_int_equal(log_level_parse("-1", &level), -EINVAL);
	assert_int_equal(log_level_parse("loud", &level), -EINVAL);
	assert_int_equal(log_level_parse("", &level), -EINVAL);
	assert_int_equal(level, 3);
}

static void lines_have_the_known_form(void **state)
{
	struct place *p = *state;
	auto_free char *text = NULL;

	assert_int_equal(log_open(&p->log, p->path, NULL), 0);
	assert_int_equal(str_set(&p->log.prefix, "lxc-start") | str_set(&p->log.name, "web1"), 0);
	p->log.level = LOG_TRACE;
	log_info(&p->log, "hello %d", 7);
	text = content(p);
	assert_true(matches(text, "^lxc-start web1 [0-9]{14}\\.[0-9]{3} INFO     tiffin - "
				  "test-log\\.c:lines_have_the_known_form:[0-9]+ - hello 7\n$"));
}

static void levels_below_the_set_one_are_left_out(void **state)
{
	struct place *p = *state;
	auto_free char *text = NULL;

	assert_int_equal(log_open(&p->log, p->path, NULL), 0);
	log_debug(&p->log, "quiet");
	log_warn(&p->log, "quiet too");
	log_error(&p->log, "loud");
	text = content(p);
	assert_null(strstr(text, "quiet"));
	assert_non_null(strstr(text, "loud"));
	log_error(NULL, "nowhere");
}

static void one_message_is_one_line(void **state)
{
	struct place *p = *state;
	auto_free char *text = NULL;

	assert_int_equal(log_open(&p->log, p->path, NULL), 0);
	log_error(&p->log, "a\nlxc-start fake 20260101000000.000 ERROR x - x:x:1 - forged\x1b[2J\x7f");
	text = content(p);
	assert_int_equal(strcspn(text, "\n"), strlen(text) - 1);
	assert_non_null(strstr(text, "a\\x0alxc-start fake"));
	assert_false(str_has_control(str_trim(text), false));
}

static void collect(void *arg, const char *text)
{
	(void)str_set(arg, text);
}

static void warnings_reach_the_user_whatever_the_level(void **state)
{
	struct place *p = *state;
	auto_free char *seen = NULL;

	p->log.sink = collect;
	p->log.sink_arg = &seen;
	p->log.level = LOG_FATAL;
	log_error(&p->log, "not this");
	assert_null(seen);
	log_warn(&p->log, "key %s is old", "lxc.utsname");
	assert_string_equal(seen, "key lxc.utsname is old");
}

static void the_file_is_made_with_its_directories_and_appended(void **state)
{
	struct place *p = *state;
	auto_free char *text = NULL;
	mode_t old = umask(0);
	struct stat st;

	assert_int_equal(log_open(&p->log, p->path, NULL), 0);
	(void)umask(old);
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	log_error(&p->log, "first");
	assert_int_equal(log_open(&p->log, p->path, NULL), 0);
	assert_true(fcntl(p->log.fd, F_GETFD) & FD_CLOEXEC);
	log_error(&p->log, "second");
	text = content(p);
	assert_non_null(strstr(text, "first"));
	assert_non_null(strstr(text, "second"));
}

static void planted_files_are_refused(void **state)
{
	struct place *p = *state;
	auto_err struct err *e = NULL;
	auto_free char *link = NULL, *fifo = NULL;

	assert_true(asprintf(&link, "%s/link", p->dir) > 0 && asprintf(&fifo, "%s/fifo", p->dir) > 0);
	unit_write(p->dir, "victim", "");
	assert_int_equal(symlink("victim", link), 0);
	assert_int_equal(mkfifo(fifo, 0666), 0);
	assert_int_equal(log_open(&p->log, link, &e), -ELOOP);
	assert_true(log_open(&p->log, fifo, &e) < 0);
	auto_close int reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	assert_true(reader >= 0);
	assert_int_equal(log_open(&p->log, fifo, &e), -EINVAL);
	assert_err_id(e, "not-a-regular-file");
	assert_true(log_open(&p->log, p->dir, &e) < 0);
	assert_true(log_open(&p->log, "", &e) < 0);
	assert_int_equal(p->log.fd, -EBADF);
}

static void a_refused_file_leaves_the_old_one(void **state)
{
	struct place *p = *state;
	int fd;

	assert_int_equal(log_open(&p->log, p->path, NULL), 0);
	fd = p->log.fd;
	assert_true(log_open(&p->log, p->dir, NULL) < 0);
	assert_int_equal(p->log.fd, fd);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
	CASE(levels_have_names_and_numbers),
	CASE(lines_have_the_known_form),
	CASE(levels_below_the_set_one_are_left_out),
	CASE(one_message_is_one_line),
	CASE(warnings_reach_the_user_whatever_the_level),
	CASE(the_file_is_made_with_its_directories_and_appended),
	CASE(planted_files_are_refused),
	CASE(a_refused_file_leaves_the_old_one),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "config/key.h"
#include "config/reader.h"
#include "config/writer.h"

struct warnings {
	char text[4096];
	unsigned n;
};

static void sink(void *arg, const char *text)
{
	struct warnings *w = arg;

	w->n++;
	(void)strncat(w->text, text, sizeof(w->text) - strlen(w->text) - 1);
}

static int parse(struct conf *c, const char *text, struct warnings *w, struct err **e)
{
	struct log l = LOG_INIT;

	l.sink = sink;
	l.sink_arg = w;
	return conf_parse(c, text, strlen(text), "cfg", w ? &l : NULL, e);
}

static void assert_get(const struct conf *c, const char *key, const char *want)
{
	auto_buf struct buf b = BUF_INIT(65536);

	assert_int_equal(key_get(c, key, &b, NULL), 0);
	assert_string_equal(buf_str(&b), want);
}

static void assert_text(const struct conf *c, const char *want)
{
	auto_buf struct buf b = BUF_INIT(65536);

	assert_int_equal(conf_text(c, &b), 0);
	assert_string_equal(buf_str(&b), want);
}

static void lines_are_split_trimmed_and_unquoted(void **state)
{
	static const struct {
		const char *line, *want;
	} rows[] = {
		{ "lxc.uts.name=a", "a" },
		{ "  \tlxc.uts.name \t=\t  a b  ", "a b" },
		{ "lxc.uts.name = \"a\"", "a" },
		{ "lxc.uts.name = ' a '", " a " },
		{ "lxc.uts.name = \"'a'\"", "'a'" },
		{ "lxc.uts.name = 'a\"", "'a\"" },
		{ "lxc.uts.name = A=\"b\"", "A=\"b\"" },
		{ "lxc.uts.name = x # y", "x # y" },
		{ "lxc.uts.name = \"", "\"" },
		{ "lxc.uts.name = a = b", "a = b" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_conf struct conf *c = conf_new();
		auto_err struct err *e = NULL;

		assert_int_equal(parse(c, rows[i].line, NULL, &e), 0);
		assert_get(c, "lxc.uts.name", rows[i].want);
	}
}

static void text_keeps_lines_comments_and_order(void **state)
{
	auto_conf struct conf *c = conf_new();

	assert_int_equal(parse(c, "# one\r\n\r\n  \n\tlxc.tty.max = 1\nlxc.tty.max = 2\rjunk\nlxc.uts.name =",
			       NULL, NULL),
			 0);
	assert_text(c, "# one\n\n\tlxc.tty.max = 1\nlxc.tty.max = 2\njunk\nlxc.uts.name =\n");
	assert_get(c, "lxc.tty.max", "2");
}

static void values_remember_file_and_line(void **state)
{
	auto_conf struct conf *c = conf_new();

	assert_int_equal(parse(c, "\r\n\n# x\nlxc.tty.max = 1\r\n\r\nlxc.idmap = u 0 1 2\n", NULL, NULL), 0);
	assert_string_equal(c->tty_max.at.file, "cfg");
	assert_int_equal(c->tty_max.at.line, 4);
	assert_int_equal(c->idmap.v[0].at.line, 6);
}

static void all_faults_are_found_in_one_pass(void **state)
{
	auto_conf struct conf *c = conf_new();
	auto_err struct err *e = NULL;

	assert_true(parse(c, "lxc.nope = 1\nlxc.tty.max = x\nlxc.uts.name\nlxc.pty.max = 3\n", NULL, &e) < 0);
	assert_err_id(e, "unknown-key");
	assert_err_has(e, "cfg:1: unknown key 'lxc.nope'");
	assert_err_has(e, "cfg:2: 'x' is not a valid value of lxc.tty.max");
	assert_err_has(e, "cfg:3: 'lxc.uts.name' has no '='");
}

static void only_twenty_faults_are_shown_and_the_rest_counted(void **state)
{
	auto_buf struct buf b = BUF_INIT(65536);
	auto_conf struct conf *c = conf_new();
	auto_err struct err *e = NULL;

	for (int i = 0; i < 33; i++)
		buf_adds(&b, "lxc.nope = 1\n");
	assert_true(parse(c, buf_str(&b), NULL, &e) < 0);
	assert_err_has(e, "cfg:20:");
	assert_err_has(e, "13 more faults");
	assert_null(strstr(err_root(e)->more, "cfg:21:"));
}

static void nul_byte_is_an_error_with_its_line(void **state)
{
	static const char text[] = "lxc.tty.max = 1\nlxc.uts.name = a\0b\nlxc.pty.max = 2\n";
	auto_conf struct conf *c = conf_new();
	auto_err struct err *e = NULL;

	assert_true(conf_parse(c, text, sizeof(text) - 1, "cfg", NULL, &e) < 0);
	assert_err_id(e, "config-binary");
	assert_err_has(e, "cfg:2");
	assert_get(c, "lxc.pty.max", "2");
}

static void near_misses_of_keys_are_warned_of(void **state)
{
	auto_conf struct conf *c = conf_new();
	struct warnings w = { 0 };

	assert_int_equal(parse(c, "junk\n# LXC.x = 1\nLXC.tty.max = 1\nlcx.tty.max\nfoo = 1\n", &w, NULL), 0);
	assert_int_equal(w.n, 3);
	assert_non_null(strstr(w.text, "cfg:3"));
	assert_non_null(strstr(w.text, "cfg:4"));
	assert_non_null(strstr(w.text, "cfg:5"));
}

static void hardware_address_is_filled_in_the_text_too(void **state)
{
	auto_conf struct conf *c = conf_new();
	auto_buf struct buf b = BUF_INIT(256);
	auto_free char *want = NULL;

	assert_int_equal(parse(c, "  lxc.net.0.hwaddr  = '10:66:6a:xx:xx:xx'", NULL, NULL), 0);
	assert_int_equal(key_get(c, "lxc.net.0.hwaddr", &b, NULL), 0);
	assert_null(strchr(buf_str(&b), 'x'));
	assert_true(asprintf(&want, "  lxc.net.0.hwaddr  = '%s'\n", buf_str(&b)) > 0);
	assert_text(c, want);
}

static void includes_are_read_in_place(void **state)
{
	char *dir = unit_tmpdir();
	auto_free char *main_file = NULL, *line = NULL;
	auto_conf struct conf *c = conf_new();
	auto_err struct err *e = NULL;

	unit_write(dir, "b.conf", "lxc.tty.max = 2\nlxc.mount.entry = b\n");
	assert_true(asprintf(&line,
			     "lxc.mount.entry = a\nlxc.include = b.conf\nlxc.include = %s/no/\n"
			     "lxc.mount.entry = c\n",
			     dir) > 0);
	unit_write(dir, "main", line);
	assert_true(asprintf(&main_file, "%s/main", dir) > 0);
	assert_int_equal(conf_load(c, main_file, NULL, &e), 0);
	assert_get(c, "lxc.mount.entry", "a\nb\nc\n");
	assert_text(c, line);
	assert_string_equal(c->files.v[0], main_file);
	assert_non_null(strstr(c->tty_max.at.file, "/b.conf"));
	unit_tmpdir_free(dir);
}

static void include_directories_are_sorted(void **state)
{
	char *dir = unit_tmpdir();
	auto_free char *line = NULL, *sub = NULL;
	auto_conf struct conf *c = conf_new();
	auto_err struct err *e = NULL;

	unit_write(dir, "20.conf", "lxc.mount.entry = 20\n");
	unit_write(dir, "10.conf", "lxc.mount.entry = 10\n");
	unit_write(dir, "30.con", "lxc.mount.entry = 30\n");
	unit_write(dir, ".conf", "lxc.mount.entry = dot\n");
	assert_true(asprintf(&sub, "%s/sub.conf", dir) > 0);
	assert_int_equal(mkdir(sub, 0755), 0);
	assert_true(asprintf(&line, "lxc.include = %s", dir) > 0);
	assert_int_equal(parse(c, line, NULL, &e), 0);
	assert_get(c, "lxc.mount.entry", "10\n20\n");
	unit_tmpdir_free(dir);
}

static void missing_include_is_an_error(void **state)
{
	auto_conf struct conf *c = conf_new();
	auto_err struct err *e = NULL;

	assert_true(parse(c, "\nlxc.include = /nonexistent/x.conf", NULL, &e) < 0);
	assert_err_id(e, "include-missing");
	assert_err_has(e, "cfg:2");
	assert_err_has(e, "/nonexistent/x.conf");
}

static void include_loop_is_named(void **state)
{
	char *dir = unit_tmpdir();
	auto_free char *path = NULL;
	auto_conf struct conf *c = conf_new();
	auto_err struct err *e = NULL;

	unit_write(dir, "a", "lxc.include = b\n");
	unit_write(dir, "b", "lxc.include = a\n");
	assert_true(asprintf(&path, "%s/a", dir) > 0);
	assert_true(conf_load(c, path, NULL, &e) < 0);
	assert_err_id(e, "include-loop");
	assert_err_has(e, " -> ");
	assert_err_has(e, "/b:1");
	unit_tmpdir_free(dir);
}

static void include_depth_is_limited(void **state)
{
	char *dir = unit_tmpdir();
	auto_free char *path = NULL;
	auto_conf struct conf *c = conf_new(), *good = conf_new();
	auto_err struct err *e = NULL;

	for (int i = 0; i < 20; i++) {
		char name[16], text[64];

		(void)snprintf(name, sizeof(name), "f%d", i);
		(void)snprintf(text, sizeof(text), "lxc.include = f%d\n", i + 1);
		unit_write(dir, name, i < 19 ? text : "lxc.tty.max = 1\n");
	}
	assert_true(asprintf(&path, "%s/f4", dir) > 0);
	assert_int_equal(conf_load(good, path, NULL, &e), 0);
	path[strlen(path) - 1] = '3';
	assert_true(conf_load(c, path, NULL, &e) < 0);
	assert_err_id(e, "include-depth");
	unit_tmpdir_free(dir);
}

/* Two files that include the next one twice each double the work with every level. */
static void include_bombs_end(void **state)
{
	char *dir = unit_tmpdir();
	auto_free char *path = NULL;
	auto_conf struct conf *c = conf_new();
	auto_err struct err *e = NULL;

	for (int i = 0; i < 15; i++) {
		char name[16], text[64];

		(void)snprintf(name, sizeof(name), "f%d", i);
		(void)snprintf(text, sizeof(text), "lxc.include = f%d\nlxc.include = f%d\n", i + 1, i + 1);
		unit_write(dir, name, text);
	}
	unit_write(dir, "f15", "lxc.mount.entry = x\n");
	assert_true(asprintf(&path, "%s/f0", dir) > 0);
	assert_true(conf_load(c, path, NULL, &e) < 0);
	assert_err_id(e, "include-count");
	assert_true(c->mount_entry.n <= 256);
	unit_tmpdir_free(dir);
}

static void odd_files_are_refused_without_hanging(void **state)
{
	char *dir = unit_tmpdir();
	auto_free char *fifo = NULL, *line = NULL, *big = NULL;
	auto_conf struct conf *c = conf_new();
	auto_err struct err *e = NULL, *e2 = NULL, *e3 = NULL, *e4 = NULL, *e5 = NULL;
	int fd;

	assert_true(asprintf(&fifo, "%s/fifo", dir) > 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_true(conf_load(c, fifo, NULL, &e) < 0);
	assert_err_id(e, "config-unreadable");
	assert_err_has(e, "fifo");
	assert_true(asprintf(&line, "lxc.include = %s", fifo) > 0);
	assert_true(parse(c, line, NULL, &e2) < 0);
	assert_err_id(e2, "config-unreadable");
	assert_true(conf_load(c, "/dev/zero", NULL, &e3) < 0);
	assert_err_has(e3, "a device");
	assert_true(conf_load(c, dir, NULL, &e4) < 0);
	assert_err_has(e4, "a directory");
	assert_true(asprintf(&big, "%s/big", dir) > 0);
	fd = open(big, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (1 << 20) + 1), 0);
	(void)close(fd);
	assert_true(conf_load(c, big, NULL, &e5) < 0);
	assert_err_id(e5, "config-too-large");
	unit_tmpdir_free(dir);
}

static void missing_config_is_named(void **state)
{
	auto_conf struct conf *c = conf_new();
	auto_err struct err *e = NULL;

	assert_int_equal(conf_load(c, "/nonexistent/config", NULL, &e), -ENOENT);
	assert_err_id(e, "config-unreadable");
	assert_err_has(e, "/nonexistent/config");
}

static void faults_in_includes_name_both_files(void **state)
{
	char *dir = unit_tmpdir();
	auto_free char *line = NULL;
	auto_conf struct conf *c = conf_new();
	auto_err struct err *e = NULL;

	unit_write(dir, "i.conf", "\nlxc.nope = 1\n");
	assert_true(asprintf(&line, "# x\nlxc.include = %s/i.conf\nlxc.tty.max = x\n", dir) > 0);
	assert_true(parse(c, line, NULL, &e) < 0);
	assert_err_has(e, "i.conf:2: unknown key");
	assert_err_has(e, "(cfg:2)");
	assert_err_has(e, "cfg:3: 'x'");
	unit_tmpdir_free(dir);
}

static void definitions_are_split_like_lines(void **state)
{
	auto_conf struct conf *c = conf_new();
	auto_err struct err *e = NULL, *e2 = NULL;

	assert_int_equal(conf_define(c, " lxc.uts.name = 'x y' ", NULL, NULL), 0);
	assert_get(c, "lxc.uts.name", "x y");
	assert_text(c, "lxc.uts.name = x y\n");
	assert_true(conf_define(c, "uts.name=x", NULL, &e) < 0);
	assert_err_id(e, "unknown-key");
	assert_true(conf_define(c, "lxc.uts.name", NULL, &e2) < 0);
	assert_err_id(e2, "config-syntax");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(lines_are_split_trimmed_and_unquoted),
	cmocka_unit_test(text_keeps_lines_comments_and_order),
	cmocka_unit_test(values_remember_file_and_line),
	cmocka_unit_test(all_faults_are_found_in_one_pass),
	cmocka_unit_test(only_twenty_faults_are_shown_and_the_rest_counted),
	cmocka_unit_test(nul_byte_is_an_error_with_its_line),
	cmocka_unit_test(near_misses_of_keys_are_warned_of),
	cmocka_unit_test(hardware_address_is_filled_in_the_text_too),
	cmocka_unit_test(includes_are_read_in_place),
	cmocka_unit_test(include_directories_are_sorted),
	cmocka_unit_test(missing_include_is_an_error),
	cmocka_unit_test(include_loop_is_named),
	cmocka_unit_test(include_depth_is_limited),
	cmocka_unit_test(include_bombs_end),
	cmocka_unit_test(odd_files_are_refused_without_hanging),
	cmocka_unit_test(missing_config_is_named),
	cmocka_unit_test(faults_in_includes_name_both_files),
	cmocka_unit_test(definitions_are_split_like_lines),
};
UNIT_MAIN(tests)

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
#include "base/io.h"
#include "base/str.h"
#include "config/key.h"
#include "config/reader.h"
#include "config/writer.h"

static void parse(struct conf *c, const char *text)
{
	auto_err struct err *e = NULL;
	int r = conf_parse(c, text, strlen(text), "cfg", NULL, &e);

	if (r < 0)
		print_error("%s\n", err_root(e)->what);
	assert_int_equal(r, 0);
}

static void assert_text(const struct conf *c, const char *want)
{
	auto_buf struct buf b = BUF_INIT(65536);

	assert_int_equal(conf_text(c, &b), 0);
	assert_string_equal(buf_str(&b), want);
}

static void assert_get(const struct conf *c, const char *key, const char *want)
{
	auto_buf struct buf b = BUF_INIT(65536);

	assert_int_equal(key_get(c, key, &b, NULL), 0);
	assert_string_equal(buf_str(&b), want);
}

static void set_appends_a_line(void **state)
{
	auto_conf struct conf *c = conf_new();

	parse(c, "# top\nlxc.uts.name = a\n");
	assert_int_equal(conf_set_item(c, "lxc.uts.name", "b", NULL, NULL), 0);
	assert_text(c, "# top\nlxc.uts.name = a\nlxc.uts.name = b\n");
	assert_get(c, "lxc.uts.name", "b");
}

static void old_names_are_saved_as_the_new_ones(void **state)
{
	auto_conf struct conf *c = conf_new();

	assert_int_equal(conf_set_item(c, "lxc.utsname", "a", NULL, NULL), 0);
	assert_int_equal(conf_set_item(c, "lxc.network.type", "veth", NULL, NULL), 0);
	assert_int_equal(conf_set_item(c, "lxc.network.ipv4", "1.2.3.4/24", NULL, NULL), 0);
	assert_text(c, "lxc.uts.name = a\nlxc.net.0.type = veth\nlxc.net.0.ipv4.address = 1.2.3.4/24\n");
}

static void refused_set_leaves_the_text(void **state)
{
	auto_conf struct conf *c = conf_new();

	parse(c, "lxc.tty.max = 1\n");
	assert_true(conf_set_item(c, "lxc.tty.max", "x", NULL, NULL) < 0);
	assert_true(conf_set_item(c, "lxc.uts.name", "a\nlxc.hook.start = b", NULL, NULL) < 0);
	assert_true(conf_set_item(c, "lxc.nope", "", NULL, NULL) < 0);
	assert_text(c, "lxc.tty.max = 1\n");
}

static void saved_value_reads_back_as_it_was_set(void **state)
{
	static const char *const values[] = { " a", "a ", "\"a\"", "'a' 'b'", "\"", "a", "\t", "'\"a\"'" };

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		auto_conf struct conf *c = conf_new(), *again = conf_new();
		auto_buf struct buf b = BUF_INIT(256);

		assert_int_equal(conf_set_item(c, "lxc.init.cmd", values[i], NULL, NULL), 0);
		assert_int_equal(conf_text(c, &b), 0);
		parse(again, buf_str(&b));
		assert_get(c, "lxc.init.cmd", values[i]);
		assert_get(again, "lxc.init.cmd", values[i]);
	}
}

static void clearing_removes_the_lines_of_the_key(void **state)
{
	static const struct {
		const char *text, *key, *want;
	} rows[] = {
		{ "lxc.uts.name = a\n#lxc.uts.name = b\nlxc.uts.name=c\n", "lxc.uts.name",
		  "#lxc.uts.name = b\n" },
		{ "lxc.tty.max = 1\nlxc.tty.dir = x\n", "lxc.tty.max", "lxc.tty.dir = x\n" },
		{ "lxc.net.1.type = veth\nlxc.net.10.type = veth\n", "lxc.net.1",
		  "lxc.net.10.type = veth\n" },
		{ "lxc.net.1.type = veth\nlxc.net.10.type = veth\nlxc.uts.name = a\n", "lxc.net",
		  "lxc.uts.name = a\n" },
		{ "lxc.hook.start = a\nlxc.hook.version = 1\nlxc.hook.stop = b\n", "lxc.hook",
		  "lxc.hook.version = 1\n" },
		{ "lxc.sysctl.a = 1\nlxc.sysctl.b = 1\n", "lxc.sysctl", "" },
		{ "lxc.sysctl.a = 1\nlxc.sysctl.a.b = 1\n", "lxc.sysctl.a", "lxc.sysctl.a.b = 1\n" },
		{ "lxc.cgroup.x = 1\nlxc.cgroup.dir = y\nlxc.cgroup2.x = 1\n", "lxc.cgroup",
		  "lxc.cgroup.dir = y\nlxc.cgroup2.x = 1\n" },
		{ "lxc.cgroup2.x = 1\nlxc.cgroup2.y = 1\n", "lxc.cgroup2", "" },
		{ "lxc.environment = A=1\nlxc.environment.hooks = A=2\n", "lxc.environment",
		  "lxc.environment.hooks = A=2\n" },
		{ "lxc.utsname = a\nlxc.tty = 3\n", "lxc.uts.name", "lxc.tty = 3\n" },
		{ "lxc.cap.drop = chown\nlxc.arch = x86\n", "lxc.cap.keep", "lxc.arch = x86\n" },
		{ "  lxc.uts.name = a\n", "lxc.uts.name", "" },
		{ "lxc.network.type = veth\nlxc.network.link = a\nlxc.network.type = veth\nlxc.network.link "
		  "= b\n",
		  "lxc.net.1", "lxc.net.0.type = veth\nlxc.net.0.link = a\n" },
		{ "lxc.network.type = veth\nlxc.network.link = a\n lxc.network.type = "
		  "veth\nlxc.network.ipv4=1.2.3.4/8\n",
		  "lxc.net.0", "lxc.net.1.type = veth\nlxc.net.1.ipv4.address=1.2.3.4/8\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int how = 0; how < 2; how++) {
			auto_conf struct conf *c = conf_new(), *again = conf_new();
			auto_buf struct buf a = BUF_INIT(65536), b = BUF_INIT(65536), text = BUF_INIT(65536);

			parse(c, rows[i].text);
			assert_int_equal(how ? conf_clear_item(c, rows[i].key, NULL, NULL)
					     : conf_set_item(c, rows[i].key, "", NULL, NULL),
					 0);
			assert_text(c, rows[i].want);
			/* What is saved means what is in memory: the same values, wherever they stand. */
			assert_int_equal(conf_text(c, &text), 0);
			parse(again, buf_str(&text));
			assert_int_equal(key_get(c, rows[i].key, &a, NULL),
					 key_get(again, rows[i].key, &b, NULL));
			assert_string_equal(buf_str(&a), buf_str(&b));
		}
}

/* An include would bring a cleared value back when the saved text is read. */
static void clearing_an_included_value_lasts(void **state)
{
	static const struct {
		const char *included, *key, *want;
	} rows[] = {
		{ "lxc.cap.drop = chown\n", "lxc.cap.drop", "" },
		{ "lxc.cap.drop = chown\n", "lxc.cap.keep", "" },
		{ "lxc.mount.entry = a b c\n", "lxc.mount.entry", "" },
		{ "lxc.net.0.type = veth\nlxc.net.0.link = a\n", "lxc.net.0.link", "" },
		{ "lxc.net.0.type = veth\nlxc.net.1.type = none\n", "lxc.net", "" },
		{ "lxc.autodev = 0\n", "lxc.autodev", "0" },
		{ "lxc.tty.max = 4\n", "lxc.tty.max", "0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_conf struct conf *c = conf_new(), *again = conf_new();
		auto_buf struct buf text = BUF_INIT(65536);
		auto_free char *line = NULL;
		char *dir = unit_tmpdir();

		unit_write(dir, "inc", rows[i].included);
		assert_true(asprintf(&line, "lxc.include = %s/inc\n", dir) > 0);
		parse(c, line);
		assert_int_equal(conf_set_item(c, rows[i].key, "", NULL, NULL), 0);
		assert_int_equal(conf_text(c, &text), 0);
		parse(again, buf_str(&text));
		assert_get(again, rows[i].key, rows[i].want);
		unit_tmpdir_free(dir);
	}
}

static void clearing_without_an_include_leaves_no_line(void **state)
{
	auto_conf struct conf *c = conf_new();

	parse(c, "lxc.include = /nonexistent/\nlxc.tty.max = 4\n");
	assert_int_equal(conf_clear_item(c, "lxc.tty.max", NULL, NULL), 0);
	assert_int_equal(conf_clear_item(c, "lxc.uts.name", NULL, NULL), 0);
	assert_text(c, "lxc.include = /nonexistent/\n");
}

static void template_address_is_the_same_in_text_and_memory(void **state)
{
	auto_conf struct conf *c = conf_new();
	auto_buf struct buf b = BUF_INIT(256);
	auto_free char *want = NULL;

	assert_int_equal(conf_set_item(c, "lxc.net.0.hwaddr", "10:66:6a:xx:xx:xx", NULL, NULL), 0);
	assert_int_equal(key_get(c, "lxc.net.0.hwaddr", &b, NULL), 0);
	assert_true(asprintf(&want, "lxc.net.0.hwaddr = %s\n", buf_str(&b)) > 0);
	assert_text(c, want);
}

static void dump_carries_everything(void **state)
{
	auto_conf struct conf *c = conf_new(), *copy = NULL;
	auto_buf struct buf a = BUF_INIT(65536), b = BUF_INIT(65536);
	auto_err struct err *e = NULL;

	parse(c,
	      "# remark with \\ in it\nlxc.rootfs.mount =\nlxc.autodev =\nlxc.cap.keep = none\n"
	      "lxc.net.2.type = veth\nlxc.net.2.ipv4.address = 1.2.3.4/24 1.2.3.9\n"
	      "lxc.net.2.veth.vlan.id = none\nlxc.net.4.type = phys\nlxc.net.4.type =\nlxc.net.6.flags = up\n"
	      "lxc.time.offset.boot = 5s\nlxc.time.offset.boot = 7ns\nlxc.seccomp.notify.proxy = unix:@x\n"
	      "lxc.init.cmd = \"'a'\"\nlxc.namespace.clone = net pid\nlxc.rootfs.path = overlay:/a:/b\n"
	      "lxc.hook.start = x\nlxc.hook.start = y\nlxc.idmap = u 0 1 2\nlxc.log.level = TRACE\n");
	assert_int_equal(str_set(&c->name, "web1"), 0);
	assert_int_equal(str_set(&c->lxcpath, "/var/lib/lxc"), 0);
	assert_int_equal(conf_dump(c, &a), 0);
	assert_int_equal(conf_undump(&copy, buf_str(&a), a.len, NULL, &e), 0);
	assert_int_equal(conf_dump(copy, &b), 0);
	assert_string_equal(buf_str(&a), buf_str(&b));
	assert_string_equal(copy->name, "web1");
	assert_string_equal(copy->lxcpath, "/var/lib/lxc");
	assert_string_equal(copy->files.v[0], "cfg");
	assert_int_equal(copy->text.n, c->text.n);
	assert_string_equal(copy->text.v[0], "# remark with \\ in it");
	assert_null(copy->rootfs_mount.v);
	assert_int_equal(copy->autodev.v, 0);
	assert_true(copy->cap_keep_mode);
	assert_int_equal(copy->nets.n, 3);
	assert_int_equal(copy->nets.v[0].veth_vlan_id.v, -1);
	assert_true(copy->nets.v[0].veth_vlan_id.set);
	assert_true(copy->nets.v[0].ipv4.v[0].broadcast_set);
	assert_int_equal(copy->nets.v[1].type, NET_INVALID);
	assert_false(copy->nets.v[2].type_set);
	assert_int_equal(copy->nets.v[2].type, NET_EMPTY);
	assert_int_equal(copy->time_boot_s.v, 5);
	assert_int_equal(copy->time_boot_ns.v, 7);
	assert_string_equal(copy->seccomp_proxy.v, "@x");
	assert_string_equal(copy->rootfs_type.v, "overlay");
	assert_int_equal(copy->idmap.v[0].at.line, 19);
	assert_int_equal(copy->log_level.v, LOG_TRACE);
}

static void damaged_dumps_are_refused(void **state)
{
	static const char *const texts[] = {
		"#@ 0:1\n",
		"#@nothing x\n",
		"#@name\n",
		"lxc.tty.max\n",
		"lxc.tty.max = x\n",
		"lxc.nope = 1\n",
		"#@file a\n#@ 1:1\n",
		"#@file a\n#@ 0:x\n",
		"lxc.include = /etc/passwd\n",
		"junk\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		auto_conf struct conf *c = NULL;
		auto_err struct err *e = NULL;

		assert_true(conf_undump(&c, texts[i], strlen(texts[i]), NULL, &e) < 0);
		assert_non_null(e);
		assert_null(c);
	}
}

static void save_replaces_the_file_with_the_text(void **state)
{
	char *dir = unit_tmpdir();
	auto_conf struct conf *c = conf_new();
	auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_free char *text = NULL;
	auto_err struct err *e = NULL;
	struct stat st;

	unit_write(dir, "config", "old\n");
	parse(c, "# x\nlxc.include = /usr/share/\nlxc.uts.name = a\n");
	assert_int_equal(conf_save(c, fd, "config", 0640, true, &e), 0);
	assert_int_equal(io_read_file(fd, "config", 1000, &text, NULL, NULL), 0);
	assert_string_equal(text, "# x\nlxc.include = /usr/share/\nlxc.uts.name = a\n");
	assert_int_equal(fstatat(fd, "config", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	/* A line break that got past the setters does not get past the writer. */
	assert_int_equal(strv_add(&c->text, "a\nlxc.hook.start = b"), 0);
	assert_true(conf_save(c, fd, "config", 0640, true, &e) < 0);
	assert_err_id(e, "control-character");
	unit_tmpdir_free(dir);
}

static void every_value_knows_its_line(void **state)
{
	auto_conf struct conf *c = conf_new();
	struct origin at;

	parse(c, "lxc.uts.name = a\nlxc.start.after = x y\n\nlxc.start.after = z\n");
	at = conf_origin(c, "lxc.start.after", 1);
	assert_non_null(at.file);
	assert_int_equal(at.line, 2);
	assert_int_equal(conf_origin(c, "lxc.start.after", 2).line, 4);
	assert_int_equal(conf_origin(c, "lxc.uts.name", 0).line, 1);
	assert_null(conf_origin(c, "lxc.start.after", 3).file);
	assert_null(conf_origin(c, "lxc.start.requires", 0).file);
	/* An empty line takes all away. */
	parse(c, "lxc.start.after =\nlxc.start.after = w\n");
	assert_int_equal(conf_origin(c, "lxc.start.after", 0).line, 2);
	assert_null(conf_origin(c, "lxc.start.after", 1).file);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_value_knows_its_line),
	cmocka_unit_test(set_appends_a_line),
	cmocka_unit_test(old_names_are_saved_as_the_new_ones),
	cmocka_unit_test(refused_set_leaves_the_text),
	cmocka_unit_test(saved_value_reads_back_as_it_was_set),
	cmocka_unit_test(clearing_removes_the_lines_of_the_key),
	cmocka_unit_test(clearing_an_included_value_lasts),
	cmocka_unit_test(clearing_without_an_include_leaves_no_line),
	cmocka_unit_test(template_address_is_the_same_in_text_and_memory),
	cmocka_unit_test(dump_carries_everything),
	cmocka_unit_test(damaged_dumps_are_refused),
	cmocka_unit_test(save_replaces_the_file_with_the_text),
};
UNIT_MAIN(tests)

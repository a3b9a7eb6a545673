/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/key.h"
#include "config/reader.h"

struct warnings {
	char text[16384];
	unsigned n;
};

static void sink(void *arg, const char *text)
{
	struct warnings *w = arg;

	w->n++;
	(void)strncat(w->text, text, sizeof(w->text) - strlen(w->text) - 2);
	(void)strncat(w->text, "\n", 1);
}

static int parse(struct conf *c, const char *text, struct warnings *w, struct err **e)
{
	struct log l = LOG_INIT;

	l.sink = sink;
	l.sink_arg = w;
	return conf_parse(c, text, strlen(text), "cfg", &l, e);
}

static void assert_get(const struct conf *c, const char *key, const char *want)
{
	auto_buf struct buf b = BUF_INIT(65536);

	assert_int_equal(key_get(c, key, &b, NULL), 0);
	assert_string_equal(buf_str(&b), want);
}

static void old_names_are_taken_with_one_warning_each(void **state)
{
	static const struct {
		const char *line, *key, *value;
	} rows[] = {
		{ "lxc.rootfs = /a", "lxc.rootfs.path", "/a" },
		{ "lxc.id_map = u 0 1 2", "lxc.idmap", "u 0 1 2" },
		{ "lxc.utsname = a", "lxc.uts.name", "a" },
		{ "lxc.pts = 5", "lxc.pty.max", "1024" },
		{ "lxc.pts = 2000", "lxc.pty.max", "2000" },
		{ "lxc.pts = 0", "lxc.pty.max", "0" },
		{ "lxc.tty = 5", "lxc.tty.max", "5" },
		{ "lxc.devttydir = lxc", "lxc.tty.dir", "lxc" },
		{ "lxc.console = none", "lxc.console.path", "none" },
		{ "lxc.mount = /f", "lxc.mount.fstab", "/f" },
		{ "lxc.aa_profile = x", "lxc.apparmor.profile", "x" },
		{ "lxc.aa_allow_incomplete = 1", "lxc.apparmor.allow_incomplete", "1" },
		{ "lxc.se_context = x", "lxc.selinux.context", "x" },
		{ "lxc.seccomp = /p", "lxc.seccomp.profile", "/p" },
		{ "lxc.haltsignal = SIGTERM", "lxc.signal.halt", "15" },
		{ "lxc.rebootsignal = SIGTERM", "lxc.signal.reboot", "15" },
		{ "lxc.stopsignal = SIGTERM", "lxc.signal.stop", "15" },
		{ "lxc.logfile = /l", "lxc.log.file", "/l" },
		{ "lxc.loglevel = 1", "lxc.log.level", "DEBUG" },
		{ "lxc.syslog = daemon", "lxc.log.syslog", "daemon" },
		{ "lxc.init_cmd = /i", "lxc.init.cmd", "/i" },
		{ "lxc.init_uid = 3", "lxc.init.uid", "3" },
		{ "lxc.init_gid = 3", "lxc.init.gid", "3" },
		{ "lxc.limit.nofile = 7", "lxc.prlimit.nofile", "7" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_conf struct conf *c = conf_new();
		auto_err struct err *e = NULL;
		struct warnings w = { 0 };

		assert_int_equal(parse(c, rows[i].line, &w, &e), 0);
		assert_int_equal(w.n, 1);
		assert_non_null(strstr(w.text, "cfg:1"));
		assert_non_null(strstr(w.text, rows[i].key));
		assert_get(c, rows[i].key, rows[i].value);
	}
}

static void keys_without_meaning_are_ignored_with_a_warning(void **state)
{
	auto_conf struct conf *c = conf_new();
	struct warnings w = { 0 };

	assert_int_equal(parse(c, "lxc.kmsg = 1\nlxc.pivotdir = x\n", &w, NULL), 0);
	assert_int_equal(w.n, 2);
	assert_non_null(strstr(w.text, "cfg:2: lxc.pivotdir"));
}

static void a_key_on_many_lines_has_one_warning(void **state)
{
	auto_conf struct conf *c = conf_new();
	struct warnings w = { 0 };

	assert_int_equal(parse(c,
			       "lxc.id_map = u 0 1 2\nlxc.id_map = g 0 1 2\nlxc.kmsg = 1\nlxc.network.type = veth\n"
			       "lxc.network.flags = up\nlxc.network.type = empty\nlxc.network.flags = up\nlxc.kmsg = 0\n"
			       "lxc.rootfs.backend = dir\nlxc.rootfs.backend = dir\nlxc.idmap = u 2 3 4\n",
			       &w, NULL),
			 0);
	assert_int_equal(w.n, 5);
	assert_non_null(strstr(w.text, "cfg:1: lxc.id_map"));
	assert_non_null(strstr(w.text, "cfg:4: lxc.network.type"));
	/* What is set later is still the same configuration. */
	assert_int_equal(parse(c, "lxc.id_map = u 9 9 1\nlxc.tty = 1\n", &w, NULL), 0);
	assert_int_equal(w.n, 6);
	assert_get(c, "lxc.net.1.type", "empty");
}

static void values_of_old_keys_are_checked(void **state)
{
	auto_conf struct conf *c = conf_new();
	auto_err struct err *e = NULL;
	struct warnings w = { 0 };

	assert_true(parse(c, "\nlxc.tty = many\n", &w, &e) < 0);
	assert_err_id(e, "bad-value");
	assert_err_has(e, "cfg:2");
}

static void names_are_not_matched_by_prefix(void **state)
{
	auto_conf struct conf *c = conf_new();
	auto_err struct err *e = NULL;
	struct warnings w = { 0 };

	assert_true(parse(c, "lxc.ttyfoo = 1\nlxc.networkx = 1\nlxc.consolex = 1\nlxc.limit. = 3\n", &w, &e) <
		    0);
	assert_err_id(e, "unknown-key");
	assert_err_has(e, "cfg:2");
	assert_err_has(e, "cfg:3");
	assert_err_has(e, "cfg:4");
	assert_int_equal(w.n, 0);
}

static void old_interfaces_are_counted_by_their_type_lines(void **state)
{
	auto_conf struct conf *c = conf_new();
	auto_err struct err *e = NULL;
	struct warnings w = { 0 };

	assert_int_equal(
		parse(c,
		      "lxc.net.4.type = none\n"
		      "lxc.network.type = veth\nlxc.network.link = br0\nlxc.network.ipv4 = 1.2.3.4/24\n"
		      "lxc.network.type = macvlan\nlxc.network.macvlan.mode = bridge\n"
		      "lxc.network.ipv6 = fd00::1/64\nlxc.network.0.mtu = 1400\n"
		      "lxc.network.flags = up\n",
		      &w, &e),
		0);
	assert_int_equal(w.n, 7); /* the second lxc.network.type is no news */
	assert_get(c, "lxc.net", "none\nveth\nmacvlan\n");
	assert_get(c, "lxc.net.5.link", "br0");
	assert_get(c, "lxc.net.5.ipv4.address", "1.2.3.4/24");
	assert_get(c, "lxc.net.5.mtu", "1400");
	assert_get(c, "lxc.net.6.macvlan.mode", "bridge");
	assert_get(c, "lxc.net.6.ipv6.address", "fd00::1/64");
	assert_get(c, "lxc.net.6.flags", "up");
	assert_get(c, "lxc.network.1.flags", "up");
	assert_get(c, "lxc.network.0.link", "br0");
}

static void old_interface_keys_need_an_interface(void **state)
{
	auto_conf struct conf *c = conf_new();
	auto_err struct err *e = NULL, *e2 = NULL;
	struct warnings w = { 0 };

	assert_true(parse(c, "lxc.network.link = br0\n", &w, &e) < 0);
	assert_err_has(e, "cfg:1");
	assert_err_has(e, "lxc.network.type");
	assert_true(parse(c, "lxc.network.3.link = br0\n", &w, &e2) < 0);
	assert_int_equal(c->nets.n, 0);
	assert_true(parse(c, "lxc.network.type = veth\nlxc.network =\n", &w, NULL) == 0);
	assert_int_equal(c->nets.n, 0);
	assert_int_equal(c->legacy_nets.n, 0);
}

static void old_backend_names_the_type_in_either_order(void **state)
{
	static const struct {
		const char *text, *type, *path;
	} rows[] = {
		{ "lxc.rootfs = /a\nlxc.rootfs.backend = lvm", "lvm", "/a" },
		{ "lxc.rootfs.backend = lvm\nlxc.rootfs = /a", "lvm", "/a" },
		{ "lxc.rootfs.backend = lvm\nlxc.rootfs = zfs:a/b", "zfs", "a/b" },
		{ "lxc.rootfs = overlayfs:/a:/b\nlxc.rootfs.backend = dir", "overlayfs", "/a:/b" },
		{ "lxc.rootfs = /a", NULL, "/a" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_conf struct conf *c = conf_new();
		struct warnings w = { 0 };

		assert_int_equal(parse(c, rows[i].text, &w, NULL), 0);
		if (rows[i].type)
			assert_string_equal(c->rootfs_type.v, rows[i].type);
		else
			assert_null(c->rootfs_type.v);
		assert_get(c, "lxc.rootfs.path", rows[i].path);
	}
}

static void cgroup_v1_keys_are_no_legacy(void **state)
{
	auto_conf struct conf *c = conf_new();
	struct warnings w = { 0 };

	assert_int_equal(parse(c, "lxc.cgroup.cpu.shares = 5\nlxc.cgroup.devices.deny = a\n", &w, NULL), 0);
	assert_int_equal(w.n, 0);
	assert_int_equal(c->cgroup1.n, 2);
	assert_string_equal(c->cgroup1.v[0].key, "cpu.shares");
	assert_int_equal(c->cgroup1.v[1].at.line, 2);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(old_names_are_taken_with_one_warning_each),
	cmocka_unit_test(keys_without_meaning_are_ignored_with_a_warning),
	cmocka_unit_test(a_key_on_many_lines_has_one_warning),
	cmocka_unit_test(values_of_old_keys_are_checked),
	cmocka_unit_test(names_are_not_matched_by_prefix),
	cmocka_unit_test(old_interfaces_are_counted_by_their_type_lines),
	cmocka_unit_test(old_interface_keys_need_an_interface),
	cmocka_unit_test(old_backend_names_the_type_in_either_order),
	cmocka_unit_test(cgroup_v1_keys_are_no_legacy),
};
UNIT_MAIN(tests)

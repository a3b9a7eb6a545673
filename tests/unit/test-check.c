/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/check.h"
#include "config/reader.h"

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

static int check(const char *text, struct warnings *w, struct err **e)
{
	auto_conf struct conf *c = conf_new();
	auto_err struct err *parse = NULL;
	struct log l = LOG_INIT;
	int r = conf_parse(c, text, strlen(text), "cfg", NULL, &parse);

	if (r < 0)
		print_error("%s: %s\n", text, err_root(parse)->what);
	assert_int_equal(r, 0);
	l.sink = sink;
	l.sink_arg = w;
	return conf_check(c, w ? &l : NULL, e);
}

#define MAPS "lxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 100000 65536\n"

static const char *const good[] = {
	"",
	"lxc.cgroup.dir.monitor = a\nlxc.cgroup.dir.container = b\nlxc.cgroup.dir.container.inner = c\n",
	"lxc.cgroup.dir = a\nlxc.cgroup.dir.monitor.pivot = b\n",
	"lxc.net.0.type = veth\nlxc.net.0.hwaddr = 10:66:6a:xx:xx:xx\nlxc.net.0.mtu = 1500\n",
	"lxc.net.0.type = veth\nlxc.net.0.name = eth%d\nlxc.net.1.type = veth\nlxc.net.1.name = eth%d\n",
	"lxc.net.0.flags = up\nlxc.net.0.flags =\n",
	MAPS "lxc.init.uid = 65535\nlxc.init.gid = 0\nlxc.rootfs.options = idmap=container\n",
	"lxc.time.offset.boot = 1h\n",
	"lxc.namespace.clone = time pid\nlxc.time.offset.boot = 1h\nlxc.sched.core = 1\n",
	"lxc.prlimit.nofile = 5:6\n",
	"lxc.mount.entry = proc proc proc\nlxc.mount.entry = # nothing\n",
	"lxc.mount.entry = /a b none bind,create=dir,optional 0 0\n",
	"lxc.tty.dir = lxc/x\n",
};

static void consistent_configurations_pass(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		auto_err struct err *e = NULL;
		int r = check(good[i], NULL, &e);

		if (r < 0)
			print_error("%s: %s\n", good[i], err_root(e)->what);
		assert_int_equal(r, 0);
		assert_null(e);
	}
}

static const struct {
	const char *text, *id, *where;
} bad[] = {
	{ "lxc.cgroup.dir = a\nlxc.cgroup.dir.monitor = b\n", "keys-conflict", "cfg:2" },
	{ "lxc.cgroup.dir = a\nlxc.cgroup.dir.container.inner = b\n", "keys-conflict", "cfg:2" },
	{ "lxc.cgroup.dir.monitor = b\n", "key-needs-key", "cfg:1" },
	{ "\nlxc.cgroup.dir.container = b\n", "key-needs-key", "cfg:2" },
	{ "lxc.cgroup.dir.container.inner = b\n", "key-needs-key", "cfg:1" },
	{ "\nlxc.net.0.link = br0\n", "net-without-type", "cfg:2" },
	{ "lxc.net.0.type = veth\nlxc.net.0.type =\nlxc.net.0.link = a\n", "net-without-type", "cfg:1" },
	{ "lxc.net.0.type = veth\nlxc.net.0.hwaddr = zz:16\n", "hwaddr-malformed", "cfg:2" },
	{ "lxc.net.0.type = veth\nlxc.net.0.hwaddr = 11:22:33:44:55:66\n", "hwaddr-malformed", "cfg:2" },
	{ "lxc.net.0.type = veth\nlxc.net.0.hwaddr = 10:22:33:44:55:66:77\n", "hwaddr-malformed", "cfg:2" },
	{ "lxc.net.0.type = veth\nlxc.net.0.hwaddr = 10:22:33:44:55\n", "hwaddr-malformed", "cfg:2" },
	{ "lxc.net.0.type = veth\nlxc.net.0.mtu = big\n", "mtu-malformed", "cfg:2" },
	{ "lxc.net.0.type = veth\nlxc.net.0.mtu = 67\n", "mtu-malformed", "cfg:2" },
	{ "lxc.net.0.type = veth\nlxc.net.0.name = a\nlxc.net.1.type = veth\nlxc.net.1.name = a\n",
	  "net-name-twice", "cfg:4" },
	{ "lxc.net.0.type = veth\nlxc.net.0.veth.pair = a\nlxc.net.1.type = veth\nlxc.net.1.veth.pair = a\n",
	  "net-name-twice", "cfg:4" },
	{ "lxc.time.offset.boot = 1h\nlxc.namespace.keep = time\n", "keys-conflict", "cfg:1" },
	{ "lxc.time.offset.monotonic = 1ms\nlxc.namespace.share.time = x\n", "keys-conflict", "cfg:1" },
	{ "lxc.time.offset.boot = 9000000000000s\n", "clock-overflow", "cfg:1" },
	{ "lxc.sched.core = 1\nlxc.namespace.share.pid = x\n", "keys-conflict", "cfg:1" },
	{ "lxc.tty.dir = ../x\n", "path-outside", "cfg:1" },
	{ "lxc.tty.dir = /x\n", "path-outside", "cfg:1" },
	{ "lxc.mount.auto = shmounts:/a/../../etc\n", "path-outside", "cfg:1" },
	{ "lxc.mount.auto = shmounts:/a:/b/..\n", "path-outside", "cfg:1" },
	{ "lxc.prlimit.nofiles = 5\n", "prlimit-unknown", "cfg:1" },
	{ "lxc.prlimit.nofile = 6:5\n", "prlimit-order", "cfg:1" },
	{ "lxc.mount.entry = proc proc\n", "mount-entry-malformed", "cfg:1" },
	{ "lxc.mount.entry = a b none create=socket 0 0\n", "mount-option-bad", "cfg:1" },
	{ "lxc.rootfs.options = idmap=container\n", "key-needs-key", "cfg:1" },
	{ MAPS "lxc.init.uid = 65536\n", "id-not-mapped", "cfg:3" },
	{ MAPS "lxc.init.gid = 70000\n", "id-not-mapped", "cfg:3" },
};

static void contradictions_are_refused_with_their_line(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_err struct err *e = NULL;

		if (check(bad[i].text, NULL, &e) >= 0)
			print_error("%s passed\n", bad[i].text);
		assert_non_null(e);
		assert_err_id(e, bad[i].id);
		assert_err_has(e, bad[i].where);
	}
}

static void overlapping_id_ranges_are_refused(void **state)
{
	auto_err struct err *e = NULL;

	assert_true(check(MAPS "lxc.idmap = u 5 300000 10\n", NULL, &e) < 0);
	assert_err_has(e, "cfg:");
}

static void all_contradictions_are_told_at_once(void **state)
{
	auto_err struct err *e = NULL;

	assert_true(check("lxc.tty.dir = /x\nlxc.prlimit.nofiles = 5\nlxc.net.0.link = a\n", NULL, &e) < 0);
	assert_err_has(e, "cfg:1");
	assert_err_has(e, "cfg:2");
	assert_err_has(e, "cfg:3");
}

static void host_name_of_a_kept_namespace_is_warned_of(void **state)
{
	struct warnings w = { 0 };

	assert_int_equal(check("lxc.uts.name = a\nlxc.namespace.keep = uts\n", &w, NULL), 0);
	assert_int_equal(w.n, 1);
	assert_non_null(strstr(w.text, "lxc.uts.name"));
}

static void clock_offsets_are_normalised(void **state)
{
	static const struct {
		int64_t s, ns, want_s, want_ns;
	} rows[] = {
		{ 5, 7, 5, 0 },		  { 0, 7, 0, 7 },   { 0, 1500000000, 1, 500000000 },
		{ 0, -1, -1, 999999999 }, { -3, 0, -3, 0 }, { 0, -2000000000, -2, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct conf_num s = { .v = rows[i].s }, ns = { .v = rows[i].ns };
		int64_t got_s, got_ns;

		conf_clock_offset(&s, &ns, &got_s, &got_ns);
		assert_int_equal(got_s, rows[i].want_s);
		assert_int_equal(got_ns, rows[i].want_ns);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(consistent_configurations_pass),
	cmocka_unit_test(contradictions_are_refused_with_their_line),
	cmocka_unit_test(overlapping_id_ranges_are_refused),
	cmocka_unit_test(all_contradictions_are_told_at_once),
	cmocka_unit_test(host_name_of_a_kept_namespace_is_warned_of),
	cmocka_unit_test(clock_offsets_are_normalised),
};
UNIT_MAIN(tests)

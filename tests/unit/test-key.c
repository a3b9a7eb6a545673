/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/paths.h"
#include "config/key.h"
#include "config/reader.h"
#include "config/writer.h"

static const struct origin nowhere = { 0 };

static char *get(const struct conf *c, const char *key)
{
	auto_buf struct buf b = BUF_INIT((size_t)1 << 20);
	auto_err struct err *e = NULL;

	if (key_get(c, key, &b, &e) < 0)
		return NULL;
	return buf_take(&b);
}

static void assert_get(const struct conf *c, const char *key, const char *want)
{
	auto_free char *text = get(c, key);

	if (!text || strcmp(text, want) != 0)
		print_error("%s reads '%s', not '%s'\n", key, text ? text : "(error)", want);
	assert_non_null(text);
	assert_string_equal(text, want);
}

static void set(struct conf *c, const char *key, const char *value)
{
	auto_err struct err *e = NULL;
	int r = key_set(c, key, value, nowhere, NULL, &e);

	if (r < 0)
		print_error("%s = %s: %s\n", key, value, err_root(e)->what);
	assert_int_equal(r, 0);
}

static void refuse(struct conf *c, const char *key, const char *value, const char *id)
{
	auto_err struct err *e = NULL;
	int r = key_set(c, key, value, nowhere, NULL, &e);

	if (r >= 0)
		print_error("%s = %s was taken\n", key, value);
	assert_true(r < 0);
	assert_err_id(e, id);
}

/* What every key reads before anything was set. */
static void defaults_are_as_documented(void **state)
{
	static const char *const zero[] = {
		"lxc.apparmor.allow_incomplete",
		"lxc.apparmor.allow_nesting",
		"lxc.autodev.tmpfs.size",
		"lxc.cgroup.relative",
		"lxc.console.buffer.size",
		"lxc.console.rotate",
		"lxc.console.size",
		"lxc.sched.core",
		"lxc.ephemeral",
		"lxc.hook.version",
		"lxc.init.uid",
		"lxc.init.gid",
		"lxc.keyring.session",
		"lxc.monitor.unshare",
		"lxc.monitor.signal.pdeath",
		"lxc.no_new_privs",
		"lxc.pty.max",
		"lxc.seccomp.allow_nesting",
		"lxc.signal.halt",
		"lxc.signal.reboot",
		"lxc.signal.stop",
		"lxc.start.auto",
		"lxc.start.delay",
		"lxc.start.order",
		"lxc.tty.max",
	};
	static const char *const empty[] = {
		"lxc.arch",
		"lxc.apparmor.profile",
		"lxc.apparmor.raw",
		"lxc.cap.drop",
		"lxc.cap.keep",
		"lxc.cgroup2",
		"lxc.cgroup",
		"lxc.cgroup.dir",
		"lxc.cgroup.dir.monitor",
		"lxc.cgroup.dir.monitor.pivot",
		"lxc.cgroup.dir.container",
		"lxc.cgroup.dir.container.inner",
		"lxc.console.logfile",
		"lxc.console.path",
		"lxc.environment",
		"lxc.environment.runtime",
		"lxc.environment.hooks",
		"lxc.execute.cmd",
		"lxc.group",
		"lxc.hook.autodev",
		"lxc.hook.clone",
		"lxc.hook.destroy",
		"lxc.hook.mount",
		"lxc.hook.post-stop",
		"lxc.hook.pre-mount",
		"lxc.hook.pre-start",
		"lxc.hook.start",
		"lxc.hook.start-host",
		"lxc.hook.stop",
		"lxc.idmap",
		"lxc.init.cmd",
		"lxc.init.cwd",
		"lxc.init.groups",
		"lxc.log.file",
		"lxc.log.syslog",
		"lxc.mount.auto",
		"lxc.mount.entry",
		"lxc.mount.fstab",
		"lxc.namespace.clone",
		"lxc.namespace.keep",
		"lxc.namespace.share.net",
		"lxc.net",
		"lxc.prlimit",
		"lxc.proc",
		"lxc.rootfs.options",
		"lxc.rootfs.path",
		"lxc.seccomp.notify.cookie",
		"lxc.seccomp.notify.proxy",
		"lxc.start.after",
		"lxc.start.ready",
		"lxc.start.requires",
		"lxc.seccomp.profile",
		"lxc.selinux.context",
		"lxc.selinux.context.keyring",
		"lxc.sysctl",
		"lxc.tty.dir",
		"lxc.uts.name",
	};
	auto_conf struct conf *c = conf_new();

	for (size_t i = 0; i < ARRAY_SIZE(zero); i++)
		assert_get(c, zero[i], "0");
	for (size_t i = 0; i < ARRAY_SIZE(empty); i++)
		assert_get(c, empty[i], "");
	assert_get(c, "lxc.autodev", "1");
	assert_get(c, "lxc.rootfs.managed", "1");
	assert_get(c, "lxc.log.level", "NOTSET");
	assert_get(c, "lxc.rootfs.mount", PATH_ROOTFS_MOUNT);
	assert_get(c, "lxc.time.offset.boot", "0ns");
	assert_get(c, "lxc.time.offset.monotonic", "0ns");
	assert_int_equal(c->arch.v, -1);
}

/* Sub-keys that only one type of interface has: accepted, refused, one beyond the bounds. */
static const struct {
	const char *type, *key, *value, *reads; /* reads NULL: refused */
} of_type[] = {
	{ "veth", "lxc.net.0.veth.mode", "router", "router" },
	{ "veth", "lxc.net.0.veth.mode", "Router", NULL },
	{ "veth", "lxc.net.0.veth.ipv4.route", "10.9.0.0/24", "10.9.0.0/24" },
	{ "veth", "lxc.net.0.veth.ipv4.route", "10.9.0.0", NULL },
	{ "veth", "lxc.net.0.veth.ipv6.route", "fd00:9::/64", "fd00:9::/64" },
	{ "veth", "lxc.net.0.veth.ipv6.route", "10.9.0.0/24", NULL },
	{ "veth", "lxc.net.0.veth.vlan.id", "4094", "4094" },
	{ "veth", "lxc.net.0.veth.vlan.id", "none", "-1" },
	{ "veth", "lxc.net.0.veth.vlan.id", "4095", NULL },
	{ "veth", "lxc.net.0.veth.vlan.tagged.id", "4094", "4094" },
	{ "veth", "lxc.net.0.veth.vlan.tagged.id", "none", NULL },
	{ "veth", "lxc.net.0.veth.n_rxqueues", "1", "1" },
	{ "veth", "lxc.net.0.veth.n_rxqueues", "0", NULL },
	{ "veth", "lxc.net.0.veth.n_txqueues", "8", "8" },
	{ "veth", "lxc.net.0.veth.n_txqueues", "-1", NULL },
	{ "ipvlan", "lxc.net.0.ipvlan.mode", "l3s", "l3s" },
	{ "ipvlan", "lxc.net.0.ipvlan.mode", "l4", NULL },
	{ "ipvlan", "lxc.net.0.ipvlan.isolation", "vepa", "vepa" },
	{ "ipvlan", "lxc.net.0.ipvlan.isolation", "passthru", NULL },
	{ "vlan", "lxc.net.0.vlan.id", "4094", "4094" },
	{ "vlan", "lxc.net.0.vlan.id", "none", NULL },
	{ "macvlan", "lxc.net.0.macvlan.mode", "passthru", "passthru" },
	{ "macvlan", "lxc.net.0.macvlan.mode", "l2", NULL },
	{ "macvlan", "lxc.net.0.vlan.id", "5", NULL },
};

static void sub_keys_of_one_type(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(of_type); i++) {
		auto_conf struct conf *c = conf_new();
		auto_err struct err *e = NULL;

		set(c, "lxc.net.0.type", of_type[i].type);
		if (of_type[i].reads) {
			set(c, of_type[i].key, of_type[i].value);
			assert_get(c, of_type[i].key, of_type[i].reads);
			continue;
		}
		if (key_set(c, of_type[i].key, of_type[i].value, nowhere, NULL, &e) >= 0)
			print_error("%s = %s was taken\n", of_type[i].key, of_type[i].value);
		assert_non_null(e);
	}
}

/* Each line on a new configuration: what is read back. */
static const struct {
	const char *key, *value, *reads;
} good[] = {
	{ "lxc.arch", "arm64", "x86_64" },
	{ "lxc.arch", "armhf", "i686" },
	{ "lxc.arch", "loong64", "x86_64" },
	{ "lxc.apparmor.profile", "unconfined", "unconfined" },
	{ "lxc.autodev.tmpfs.size", "1000000", "1000000" },
	{ "lxc.autodev", "", "0" },
	{ "lxc.cap.drop", "sys_admin  net_raw 5", "sys_admin\nnet_raw\n5\n" },
	{ "lxc.cap.keep", "kill none setuid", "setuid\n" },
	{ "lxc.cgroup.dir", "a//b/./c/", "a/b/c" },
	{ "lxc.cgroup.dir.container.inner", "ns", "ns" },
	{ "lxc.console.size", "auto", "131072" },
	{ "lxc.console.size", "128KB", "131072" },
	{ "lxc.console.size", "100 MB", "134217728" },
	{ "lxc.console.size", "5000", "8192" },
	{ "lxc.console.size", "128K", "4096" },
	{ "lxc.console.size", "0", "4096" },
	{ "lxc.console.path", "none", "none" },
	{ "lxc.environment", "A=b c", "A=b c\n" },
	{ "lxc.environment", "A=", "A=\n" },
	{ "lxc.group", "a b\tc", "a\nb\nc\n" },
	{ "lxc.hook.start", "/bin/true a  b", "/bin/true a  b\n" },
	{ "lxc.idmap", "u  0x10\t100000 65536", "u 16 100000 65536" },
	{ "lxc.init.groups", "1,2,5", "1,2,5" },
	{ "lxc.init.uid", "4294967294", "4294967294" },
	{ "lxc.init.cwd", "./a//b/", "a/b" },
	{ "lxc.log.level", "debug", "DEBUG" },
	{ "lxc.log.level", "8", "FATAL" },
	{ "lxc.log.syslog", "Local3", "Local3" },
	{ "lxc.mount.auto", "proc sys:ro cgroup:mixed:force", "proc:mixed sys:ro cgroup:mixed:force" },
	{ "lxc.mount.auto", "proc:rw proc:mixed", "proc:mixed" },
	{ "lxc.mount.auto", "cgroup2:ro shmounts:/a", "cgroup2:ro shmounts:/a:/dev/.lxc-mounts" },
	{ "lxc.mount.entry", "# x", "# x\n" },
	{ "lxc.namespace.clone", "NET pid user", "user\npid\nnet\n" },
	{ "lxc.namespace.share.net", "web1", "web1" },
	{ "lxc.prlimit.nofile", "10", "10" },
	{ "lxc.prlimit.nofile", "10 : 20", "10:20" },
	{ "lxc.prlimit.nofile", "unlimited", "unlimited" },
	{ "lxc.prlimit.nofile", "5:unlimited", "5:unlimited" },
	{ "lxc.prlimit.nofile", ":100", "0:100" },
	{ "lxc.rootfs.path", "dir:/a//b/", "/a/b" },
	{ "lxc.rootfs.path", "/srv/a:b", "/srv/a:b" },
	{ "lxc.rootfs.path", "foo:/y", "foo:/y" },
	{ "lxc.rootfs.path", "overlay:/a:/b", "/a:/b" },
	{ "lxc.rootfs.options", "ro,nodev,foo=bar", "ro,nodev,foo=bar" },
	{ "lxc.seccomp.notify.proxy", "unix:/run/x", "/run/x" },
	{ "lxc.seccomp.notify.proxy", "unix:@x", "x" },
	{ "lxc.signal.stop", "sigterm", "15" },
	{ "lxc.signal.stop", "SIGRTMIN+3", "37" },
	{ "lxc.signal.stop", "sigrtmax-2", "62" },
	{ "lxc.signal.stop", "0x9", "9" },
	{ "lxc.start.after", "db  a.b-c\tdns", "db\na.b-c\ndns\n" },
	{ "lxc.start.order", "-5", "-5" },
	{ "lxc.start.ready", "network", "network\n" },
	{ "lxc.start.ready", "init", "init\n" },
	{ "lxc.start.ready", "port:65535", "port:65535\n" },
	{ "lxc.start.ready", "command:test -e /run/a b", "command:test -e /run/a b\n" },
	{ "lxc.start.requires", "db", "db\n" },
	{ "lxc.sysctl.net.ipv4.ip_forward", "1", "1" },
	{ "lxc.cgroup2.memory.max", "1G", "1G\n" },
	{ "lxc.cgroup.memory.limit_in_bytes", "1G", "1G\n" },
	{ "lxc.time.offset.boot", "1h", "3600s" },
	{ "lxc.time.offset.boot", "-2 m", "-120s" },
	{ "lxc.time.offset.boot", "3ms", "3000000ns" },
	{ "lxc.tty.max", "0x10", "16" },
	{ "lxc.tty.max", "010", "8" },
	{ "lxc.uts.name", "host name", "host name" },
	{ "lxc.net.0.type", "macvlan", "macvlan" },
	{ "lxc.net.0.flags", "whatever", "up" },
	{ "lxc.net.0.link", "eth+", "eth+" },
	{ "lxc.net.0.name", "eth%d", "eth%d" },
	{ "lxc.net.0.hwaddr", "00:16:3e:11:22:33", "00:16:3e:11:22:33" },
	{ "lxc.net.0.ipv4.address", "10.0.3.5/24 10.0.3.254", "10.0.3.5/24" },
	{ "lxc.net.0.ipv4.address", "192.168.1.5", "192.168.1.5/24" },
	{ "lxc.net.0.ipv6.address", "fd00:0::2", "fd00::2/64" },
	{ "lxc.net.0.ipv4.gateway", "auto", "auto" },
	{ "lxc.net.0.ipv6.gateway", "fd00::1", "fd00::1" },
	{ "lxc.net.0.l2proxy", "1", "1" },
	{ "lxc.net.0.mtu", "1400", "1400" },
	{ "lxc.net.0.script.up", "/bin/up  a", "/bin/up  a" },
	{ "lxc.net.0.script.down", "/bin/down", "/bin/down" },
};

static void good_values_read_back(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		auto_conf struct conf *c = conf_new();

		set(c, good[i].key, good[i].value);
		assert_get(c, good[i].key, good[i].reads);
	}
}

static void every_value_survives_dump_and_undump(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		auto_buf struct buf a = BUF_INIT(65536), b = BUF_INIT(65536);
		auto_conf struct conf *c = conf_new(), *copy = NULL;
		auto_err struct err *e = NULL;

		set(c, good[i].key, good[i].value);
		assert_int_equal(conf_dump(c, &a), 0);
		assert_int_equal(conf_undump(&copy, buf_str(&a), a.len, NULL, &e), 0);
		assert_get(copy, good[i].key, good[i].reads);
		assert_int_equal(conf_dump(copy, &b), 0);
		assert_string_equal(buf_str(&a), buf_str(&b));
	}
}

static const struct {
	const char *key, *value;
} bad[] = {
	{ "lxc.arch", "ARM" },
	{ "lxc.arch", "" },
	{ "lxc.autodev", "2" },
	{ "lxc.autodev.tmpfs.size", "4M" },
	{ "lxc.autodev.tmpfs.size", "-5" },
	{ "lxc.cap.drop", "none" },
	{ "lxc.cap.drop", "SYS_ADMIN" },
	{ "lxc.cap.drop", "cap_chown" },
	{ "lxc.cap.drop", "chown 64" },
	{ "lxc.cgroup", "x" },
	{ "lxc.cgroup2", "x" },
	{ "lxc.cgroup2.", "x" },
	{ "lxc.cgroup.dir", "/a" },
	{ "lxc.cgroup.dir", "a..b" },
	{ "lxc.cgroup.dir.container.inner", "a/b" },
	{ "lxc.cgroup.dir.container.inner", ".." },
	{ "lxc.cgroup.relative", "2" },
	{ "lxc.console.size", "-3" },
	{ "lxc.console.size", "1GiB" },
	{ "lxc.console.size", "12TB" },
	{ "lxc.console.size", "99999999999GB" },
	{ "lxc.environment", "=x" },
	{ "lxc.hook", "x" },
	{ "lxc.hook.version", "2" },
	{ "lxc.idmap", "b 0 1 2" },
	{ "lxc.idmap", "u 0 1" },
	{ "lxc.idmap", "u 0 1 2 3" },
	{ "lxc.idmap", "u 0 1x 2" },
	{ "lxc.idmap", "u 4294967295 0 1" },
	{ "lxc.init.groups", "3 4" },
	{ "lxc.init.groups", "root" },
	{ "lxc.init.uid", "root" },
	{ "lxc.init.uid", "-1" },
	{ "lxc.init.uid", "4294967295" },
	{ "lxc.init.uid", "12x" },
	{ "lxc.init.gid", "4294967296" },
	{ "lxc.log.level", "9" },
	{ "lxc.log.syslog", "auth" },
	{ "lxc.mount.auto", "proc:ro" },
	{ "lxc.mount.auto", "sys nonsense" },
	{ "lxc.mount.auto", "shmounts:" },
	{ "lxc.mount.auto", "proc:mixed:force" },
	{ "lxc.mount.fstab", "" },
	{ "lxc.namespace.clone", "net foo" },
	{ "lxc.net", "x" },
	{ "lxc.net.0", "x" },
	{ "lxc.net.0.type", "foo" },
	{ "lxc.net.0.link", "sixteencharacter" },
	{ "lxc.net.0.ipv4.address", "10.0.0.1/33" },
	{ "lxc.net.0.ipv4.address", "10.0.0.256" },
	{ "lxc.net.0.ipv6.address", "fd00::1/999" },
	{ "lxc.net.0.ipv4.gateway", "fd00::1" },
	{ "lxc.net.0.l2proxy", "2" },
	{ "lxc.prlimit", "3" },
	{ "lxc.prlimit.nofile", "10x" },
	{ "lxc.prlimit.nofile", "-5" },
	{ "lxc.prlimit.nofile", ":" },
	{ "lxc.prlimit.nofile", "99999999999999999999" },
	{ "lxc.proc", "x" },
	{ "lxc.pty.max", "-1" },
	{ "lxc.rootfs.managed", "2" },
	{ "lxc.rootfs.options", "optional" },
	{ "lxc.rootfs.options", "create=dir" },
	{ "lxc.rootfs.options", "idmap=" },
	{ "lxc.seccomp.notify.proxy", "tcp:1" },
	{ "lxc.signal.stop", "TERM" },
	{ "lxc.signal.stop", "SIGRTMIN" },
	{ "lxc.signal.stop", "SIGRTMIN+31" },
	{ "lxc.signal.stop", "200" },
	{ "lxc.start.auto", "2" },
	{ "lxc.start.after", "db a/b" },
	{ "lxc.start.after", "-x" },
	{ "lxc.start.delay", "-1" },
	{ "lxc.start.ready", "port:" },
	{ "lxc.start.ready", "port:0" },
	{ "lxc.start.ready", "port:65536" },
	{ "lxc.start.ready", "port:1x" },
	{ "lxc.start.ready", "command: " },
	{ "lxc.start.ready", "networks" },
	{ "lxc.start.requires", ".hidden" },
	{ "lxc.sysctl", "x" },
	{ "lxc.sysctl.", "x" },
	{ "lxc.time.offset.boot", "9 ns" },
	{ "lxc.time.offset.boot", "5" },
	{ "lxc.time.offset.boot", "h" },
	{ "lxc.time.offset.boot", "9223372036854775807h" },
	{ "lxc.tty.max", "4 " },
	{ "lxc.tty.max", "4x" },
	{ "lxc.tty.max", "4294967296" },
	{ "lxc.uts.name", "12345678901234567890123456789012345678901234567890123456789012345" },
};

static void bad_values_are_refused_and_change_nothing(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_buf struct buf before = BUF_INIT(65536), after = BUF_INIT(65536);
		auto_conf struct conf *c = conf_new();

		for (size_t j = 0; j < ARRAY_SIZE(good); j++)
			if (strcmp(good[j].key, bad[i].key) == 0)
				set(c, good[j].key, good[j].value);
		(void)conf_dump(c, &before);
		refuse(c, bad[i].key, bad[i].value, "bad-value");
		(void)conf_dump(c, &after);
		assert_string_equal(buf_str(&before), buf_str(&after));
	}
}

static void bad_value_names_key_value_reason_and_example(void **state)
{
	auto_conf struct conf *c = conf_new();
	auto_err struct err *e = NULL;
	struct origin at = { "/x/config", 7 };

	assert_int_equal(key_set(c, "lxc.tty.max", "4x", at, NULL, &e), -EINVAL);
	assert_err_has(e, "/x/config:7");
	assert_err_has(e, "lxc.tty.max");
	assert_err_has(e, "'4x'");
	assert_err_has(e, "lxc.tty.max = 4");
}

static void control_characters_are_refused_everywhere(void **state)
{
	auto_conf struct conf *c = conf_new();
	static const char *const values[] = { "a\nlxc.hook.start = /bin/sh", "a\rb", "a\033[31m", "a\177" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		for (size_t j = 0; j < ARRAY_SIZE(values); j++)
			refuse(c, good[i].key, values[j], "control-character");
	refuse(c, "lxc.sysctl.a\nb", "1", "bad-value");
	refuse(c, "lxc.cgroup2.a b", "1", "bad-value");
	refuse(c, "lxc.sysctl.a=b", "1", "bad-value");
	set(c, "lxc.mount.entry", "a\tb none bind 0 0");
}

static void unknown_keys_name_the_nearest(void **state)
{
	static const struct {
		const char *key, *near;
	} keys[] = {
		{ "lxc.utsname2", "lxc.uts.name" },
		{ "lxc.uts.nam", "lxc.uts.name" },
		{ "lxc.UTS.NAME", "lxc.uts.name" },
		{ "lxc.cgroup2xyz", "lxc.cgroup2" },
		{ "lxc.apparmor.profil", "lxc.apparmor.profile" },
		{ "lxc.net.3.vethpair", "lxc.net.3.veth.pair" },
		{ "lxc.net.3.address", "lxc.net.3.ipv4.address" },
		{ "lxc.init_uids", "lxc.init.uid" },
		{ "lxc.mount.entri", "lxc.mount.entry" },
	};
	auto_conf struct conf *c = conf_new();

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		auto_err struct err *e = NULL;

		assert_int_equal(key_set(c, keys[i].key, "1", nowhere, NULL, &e), -ENOENT);
		assert_err_id(e, "unknown-key");
		assert_err_has(e, keys[i].near);
	}
	assert_null(key_nearest("lxc.completely.different"));
	refuse(c, "lxc.namespace.share.foo", "web1", "unknown-key");
	refuse(c, "lxc.net.x.link", "br0", "unknown-key");
	refuse(c, "lxc.net.00.link", "br0", "unknown-key");
	refuse(c, "lxc.net.2147483647.link", "br0", "unknown-key");
	assert_int_equal(c->nets.n, 0);
}

static void empty_value_clears(void **state)
{
	auto_conf struct conf *c = conf_new(), *fresh = conf_new();

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		auto_free char *want = NULL;

		if (strncmp(good[i].key, "lxc.net.", 8) == 0 || strcmp(good[i].key, "lxc.arch") == 0)
			continue;
		set(c, good[i].key, good[i].value);
		set(c, good[i].key, "");
		want = get(fresh, good[i].key);
		if (strcmp(good[i].key, "lxc.autodev") == 0 ||
		    strcmp(good[i].key, "lxc.autodev.tmpfs.size") == 0)
			continue;
		assert_get(c, good[i].key, want);
	}
	assert_get(c, "lxc.autodev", "0");
	assert_get(c, "lxc.autodev.tmpfs.size", "500000");
}

static void clear_restores_defaults(void **state)
{
	auto_conf struct conf *c = conf_new();

	set(c, "lxc.autodev", "0");
	assert_int_equal(key_clear(c, "lxc.autodev", NULL), 0);
	assert_get(c, "lxc.autodev", "1");
	set(c, "lxc.arch", "i686");
	assert_int_equal(key_clear(c, "lxc.arch", NULL), 0);
	assert_get(c, "lxc.arch", "");
	set(c, "lxc.mount.fstab", "/a");
	assert_int_equal(key_clear(c, "lxc.mount.fstab", NULL), 0);
	assert_get(c, "lxc.mount.fstab", "");
	set(c, "lxc.tty.max", "4");
	assert_int_equal(key_clear(c, "lxc.tty.max", NULL), 0);
	assert_get(c, "lxc.tty.max", "0");
	set(c, "lxc.rootfs.path", "zfs:a/b");
	assert_int_equal(key_clear(c, "lxc.rootfs.path", NULL), 0);
	assert_null(c->rootfs_type.v);
	assert_int_equal(key_clear(c, "lxc.nope", NULL), -ENOENT);
}

static void lists_append_and_maps_replace(void **state)
{
	auto_conf struct conf *c = conf_new();

	set(c, "lxc.mount.entry", "a");
	set(c, "lxc.mount.entry", "b");
	assert_get(c, "lxc.mount.entry", "a\nb\n");
	set(c, "lxc.cgroup2.memory.max", "1");
	set(c, "lxc.cgroup2.memory.max", "2");
	set(c, "lxc.cgroup2.memory.low", "3");
	assert_get(c, "lxc.cgroup2.memory.max", "1\n2\n");
	assert_get(c, "lxc.cgroup2",
		   "lxc.cgroup2.memory.max = 1\nlxc.cgroup2.memory.max = 2\n"
		   "lxc.cgroup2.memory.low = 3\n");
	set(c, "lxc.cgroup2.memory.max", "");
	assert_get(c, "lxc.cgroup2", "lxc.cgroup2.memory.low = 3\n");
	set(c, "lxc.sysctl.a", "1");
	set(c, "lxc.sysctl.a", "2");
	assert_get(c, "lxc.sysctl.a", "2");
	assert_get(c, "lxc.sysctl", "lxc.sysctl.a = 2\n");
	set(c, "lxc.proc.x", "10");
	set(c, "lxc.proc.x", "20");
	assert_get(c, "lxc.proc.x", "1020");
	set(c, "lxc.prlimit.core", "1");
	set(c, "lxc.prlimit.core", "2:3");
	assert_get(c, "lxc.prlimit", "lxc.prlimit.core = 2:3\n");
	set(c, "lxc.idmap", "u 0 1 2");
	set(c, "lxc.idmap", "g 0 1 2");
	assert_get(c, "lxc.idmap", "u 0 1 2\ng 0 1 2");
	set(c, "lxc.namespace.keep", "net");
	set(c, "lxc.namespace.keep", "user");
	assert_get(c, "lxc.namespace.keep", "user\nnet\n");
	set(c, "lxc.hook.stop", "x");
	set(c, "lxc.hook", "");
	assert_get(c, "lxc.hook.stop", "");
}

static void capability_modes_exclude_each_other(void **state)
{
	auto_conf struct conf *c = conf_new();

	set(c, "lxc.cap.keep", "none");
	assert_true(c->cap_keep_mode);
	assert_get(c, "lxc.cap.keep", "");
	refuse(c, "lxc.cap.drop", "chown", "bad-value");
	set(c, "lxc.cap.drop", "");
	assert_false(c->cap_keep_mode);
	set(c, "lxc.cap.drop", "chown");
	refuse(c, "lxc.cap.keep", "kill", "bad-value");
	set(c, "lxc.namespace.clone", "net");
	refuse(c, "lxc.namespace.keep", "pid", "bad-value");
}

static void variable_without_value_comes_from_the_environment(void **state)
{
	auto_conf struct conf *c = conf_new();
	auto_free char *want = NULL;

	assert_non_null(getenv("PATH"));
	assert_true(asprintf(&want, "PATH=%s\n", getenv("PATH")) > 0);
	set(c, "lxc.environment", "PATH");
	assert_get(c, "lxc.environment", want);
	refuse(c, "lxc.environment.runtime", "TIFFIN_SURELY_UNSET", "environment-unset");
}

static void interfaces_keep_their_keys_in_any_order(void **state)
{
	auto_conf struct conf *c = conf_new();

	set(c, "lxc.net.3.link", "br0");
	assert_get(c, "lxc.net.3.type", "empty");
	assert_false(c->nets.v[0].type_set);
	set(c, "lxc.net.3.type", "veth");
	assert_get(c, "lxc.net.3.link", "br0");
	set(c, "lxc.net.3.veth.pair", "v0");
	set(c, "lxc.net.3.type", "macvlan");
	set(c, "lxc.net.3.type", "veth");
	assert_get(c, "lxc.net.3.veth.pair", "");
	set(c, "lxc.net.1.type", "none");
	assert_get(c, "lxc.net", "none\nveth\n");
	set(c, "lxc.net.1.type", "");
	assert_get(c, "lxc.net", "(invalid)\nveth\n");
	refuse(c, "lxc.net.3.macvlan.mode", "bridge", "net-type-mismatch");
	refuse(c, "lxc.net.9.flags", "", "net-missing");
	set(c, "lxc.net.9", "");
	set(c, "lxc.net.3", "");
	assert_get(c, "lxc.net", "(invalid)\n");
	set(c, "lxc.net", "");
	assert_get(c, "lxc.net", "");
	refuse(c, "lxc.net.4.nonsense", "x", "unknown-key");
	assert_int_equal(c->nets.n, 0);
}

static void whole_interfaces_have_no_value(void **state)
{
	auto_conf struct conf *c = conf_new();
	auto_buf struct buf b = BUF_INIT(256);
	auto_err struct err *e = NULL;

	set(c, "lxc.net.0.type", "veth");
	assert_int_equal(key_get(c, "lxc.net.0", &b, &e), -ENOENT);
	assert_err_id(e, "key-not-readable");
	assert_int_equal(key_get(c, "lxc.net.1.type", &b, NULL), -EINVAL);
	assert_int_equal(key_get(c, "lxc.include", &b, NULL), -ENOSYS);
	assert_int_equal(key_get(c, "lxc.hook", &b, NULL), -EINVAL);
	assert_int_equal(key_get(c, "lxc.nope", &b, NULL), -ENOENT);
}

static void interface_types_have_their_own_keys(void **state)
{
	static const struct {
		const char *type, *key, *value, *reads;
	} rows[] = {
		{ "veth", "veth.mode", "router", "router" },
		{ "veth", "veth.ipv4.route", "10.9.0.0/24", "10.9.0.0/24" },
		{ "veth", "veth.ipv6.route", "fd00::/48", "fd00::/48" },
		{ "veth", "veth.vlan.id", "none", "-1" },
		{ "veth", "veth.vlan.id", "4094", "4094" },
		{ "veth", "veth.vlan.tagged.id", "5", "5" },
		{ "veth", "veth.n_rxqueues", "4", "4" },
		{ "macvlan", "macvlan.mode", "passthru", "passthru" },
		{ "ipvlan", "ipvlan.mode", "l2", "l2" },
		{ "ipvlan", "ipvlan.isolation", "vepa", "vepa" },
		{ "vlan", "vlan.id", "5000", "5000" },
	};
	static const struct {
		const char *key, *value;
	} wrong[] = {
		{ "veth.mode", "x" },	    { "veth.ipv4.route", "10.9.0.0" },
		{ "veth.vlan.id", "4095" }, { "veth.vlan.tagged.id", "none" },
		{ "veth.n_txqueues", "0" }, { "veth.pair", "a/b" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_buf struct buf a = BUF_INIT(65536);
		auto_conf struct conf *c = conf_new(), *copy = NULL;
		auto_free char *key = NULL;

		assert_true(asprintf(&key, "lxc.net.5.%s", rows[i].key) > 0);
		set(c, "lxc.net.5.type", rows[i].type);
		set(c, key, rows[i].value);
		assert_get(c, key, rows[i].reads);
		(void)conf_dump(c, &a);
		assert_int_equal(conf_undump(&copy, buf_str(&a), a.len, NULL, NULL), 0);
		assert_get(copy, key, rows[i].reads);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		auto_conf struct conf *c = conf_new();
		auto_free char *key = NULL;

		assert_true(asprintf(&key, "lxc.net.0.%s", wrong[i].key) > 0);
		set(c, "lxc.net.0.type", "veth");
		refuse(c, key, wrong[i].value, "bad-value");
	}
}

static void hardware_address_templates_are_filled_as_unicast(void **state)
{
	for (int i = 0; i < 200; i++) {
		auto_conf struct conf *c = conf_new();
		auto_free char *a = NULL;

		set(c, "lxc.net.0.hwaddr", "xX:xx:xx:xx:xx:xx");
		a = get(c, "lxc.net.0.hwaddr");
		assert_int_equal(strlen(a), 17);
		assert_int_equal(strspn(a, "0123456789abcdef:"), 17);
		assert_non_null(strchr("26ae", a[1]));
	}
}

static void broadcast_follows_the_prefix(void **state)
{
	static const struct {
		const char *value, *broadcast;
	} rows[] = {
		{ "10.0.3.5/24", "10.0.3.255" },    { "10.0.3.5/31", "0.0.0.0" },
		{ "10.0.3.5/32", "0.0.0.0" },	    { "10.0.3.5/8", "10.255.255.255" },
		{ "1.2.3.4/0", "255.255.255.255" }, { "10.0.3.5/24 10.0.3.7", "10.0.3.7" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_conf struct conf *c = conf_new();
		char text[INET_ADDRSTRLEN];

		set(c, "lxc.net.0.ipv4.address", rows[i].value);
		assert_non_null(inet_ntop(AF_INET, &c->nets.v[0].ipv4.v[0].broadcast, text, sizeof(text)));
		assert_string_equal(text, rows[i].broadcast);
	}
}

static void lists_of_keys_are_as_lxc_gives_them(void **state)
{
	static const struct {
		const char *prefix, *names;
	} rows[] = {
		{ "lxc.apparmor", "allow_incomplete\nallow_nesting\nprofile\nraw\n" },
		{ "lxc.cgroup", "dir\n" },
		{ "lxc.rootfs", "mount\noptions\npath\n" },
		{ "lxc.console", "logfile\npath\n" },
		{ "lxc.signal", "halt\nreboot\nstop\n" },
		{ "lxc.start", "auto\ndelay\norder\nafter\nready\nrequires\n" },
		{ "lxc.net.0", "type\nscript.up\nscript.down\nflags\nlink\nname\nhwaddr\nmtu\n"
			       "ipv6.address\nipv6.gateway\nipv4.address\nipv4.gateway\nveth.pair\n"
			       "veth.ipv4.route\nveth.ipv6.route\nveth.vlan.id\n" },
		{ "lxc.net.1", "type\nscript.up\nscript.down\n" },
	};
	auto_buf struct buf all = BUF_INIT(65536);
	auto_conf struct conf *c = conf_new();

	set(c, "lxc.net.0.type", "veth");
	set(c, "lxc.net.1.type", "empty");
	assert_int_equal(key_list(c, NULL, &all, NULL), 0);
	/* LXC's, and three of ours. */
	assert_int_equal(all.len, 1480 + strlen("lxc.start.after\nlxc.start.ready\nlxc.start.requires\n"));
	assert_non_null(strstr(buf_str(&all), "\nlxc.start.after\nlxc.start.auto\n"));
	assert_non_null(strstr(buf_str(&all), "\nlxc.start.ready\nlxc.start.requires\n"));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_buf struct buf b = BUF_INIT(65536);

		assert_int_equal(key_list(c, rows[i].prefix, &b, NULL), 0);
		assert_string_equal(buf_str(&b), rows[i].names);
	}
	assert_int_equal(key_list(c, "lxc.log", &all, NULL), -EINVAL);
	assert_int_equal(key_list(c, "lxc.net.7", &all, NULL), -EINVAL);
}

static void supported_keys_match_exactly(void **state)
{
	assert_true(key_is_supported("lxc.arch"));
	assert_true(key_is_supported("lxc.start.after"));
	assert_true(key_is_supported("lxc.start.ready"));
	assert_true(key_is_supported("lxc.start.requires"));
	assert_true(key_is_supported("lxc.prlimit"));
	assert_true(key_is_supported("lxc.net"));
	assert_true(key_is_supported("lxc.net."));
	assert_true(key_is_supported("lxc.cgroup"));
	assert_false(key_is_supported("lxc.prlimit.nofile"));
	assert_false(key_is_supported("lxc.net.0.type"));
	assert_false(key_is_supported("lxc.namespace.share.net"));
	assert_false(key_is_supported("lxc.cgroup2.memory.max"));
	assert_false(key_is_supported("lxc.utsname"));
	assert_false(key_is_supported(""));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(defaults_are_as_documented),
	cmocka_unit_test(sub_keys_of_one_type),
	cmocka_unit_test(good_values_read_back),
	cmocka_unit_test(every_value_survives_dump_and_undump),
	cmocka_unit_test(bad_values_are_refused_and_change_nothing),
	cmocka_unit_test(bad_value_names_key_value_reason_and_example),
	cmocka_unit_test(control_characters_are_refused_everywhere),
	cmocka_unit_test(unknown_keys_name_the_nearest),
	cmocka_unit_test(empty_value_clears),
	cmocka_unit_test(clear_restores_defaults),
	cmocka_unit_test(lists_append_and_maps_replace),
	cmocka_unit_test(capability_modes_exclude_each_other),
	cmocka_unit_test(variable_without_value_comes_from_the_environment),
	cmocka_unit_test(interfaces_keep_their_keys_in_any_order),
	cmocka_unit_test(whole_interfaces_have_no_value),
	cmocka_unit_test(interface_types_have_their_own_keys),
	cmocka_unit_test(hardware_address_templates_are_filled_as_unicast),
	cmocka_unit_test(broadcast_follows_the_prefix),
	cmocka_unit_test(lists_of_keys_are_as_lxc_gives_them),
	cmocka_unit_test(supported_keys_match_exactly),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* walk - every member of struct lxc_container and every exported function, in every state of a container, as a
 * client sees them: one line "LABEL<TAB>RESULT" per call, the same in every run. tests/integration/61-walk.sh builds it with the installed
 * headers, compares it with walk.expected, and with what LXC's own library says.
 *
 *	walk LXCPATH ROOT NAME
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <lxc/lxccontainer.h>
#include <lxc/version.h>

static const char *lxcpath, *root, *name;
static bool modern;	/* the library is of the headers' API level */

static void say(const char *label, const char *fmt, ...)
{
	va_list ap;

	printf("%s\t", label);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static void say_bool(const char *label, bool v)
{
	say(label, "%s", v ? "true" : "false");
}

static void say_int(const char *label, long v)
{
	say(label, "%ld", v);
}

/* On one line, with what is this run's own replaced. */
static void say_text(const char *label, const char *v)
{
	char out[8192];
	size_t n = 0;

	if (!v) {
		say(label, "NULL");
		return;
	}
	while (*v && n < sizeof(out) - 16) {
		const char *from[] = { lxcpath, root, name }, *to[] = { "LXCPATH", "ROOT", "NAME" };
		bool done = false;

		for (int i = 0; i < 3 && !done; i++)
			if (strncmp(v, from[i], strlen(from[i])) == 0) {
				n += (size_t)snprintf(out + n, sizeof(out) - n, "%s", to[i]);
				v += strlen(from[i]);
				done = true;
			}
		if (!done && *v == '\n') {
			out[n++] = '|';
			v++;
		} else if (!done) {
			out[n++] = *v++;
		}
	}
	out[n] = '\0';
	say(label, "\"%s\"", out);
}

static void say_list(const char *label, char **list)
{
	char text[4096] = "";

	if (!list) {
		say(label, "NULL");
		return;
	}
	for (char **p = list; *p; p++) {
		if (strncmp(*p, "fe80:", 5) == 0)
			strncat(text, "LINKLOCAL", 200);
		else
			strncat(text, *p, 200);
		strncat(text, " ", 2);
		free(*p);
	}
	free(list);
	say(label, "%s", text);
}

static const char *at(const char *what, const char *state)
{
	static char label[256];

	snprintf(label, sizeof(label), "%s: %s", state, what);
	return label;
}

static struct lxc_container *handle(const char *suffix)
{
	char full[256];
	struct lxc_container *c;

	snprintf(full, sizeof(full), "%s%s", name, suffix);
	c = lxc_container_new(full, lxcpath);
	if (!c) {
		fprintf(stderr, "no handle of %s\n", full);
		exit(1);
	}
	return c;
}

static void configure(struct lxc_container *c)
{
	char path[4096];

	snprintf(path, sizeof(path), "dir:%s", root);
	c->set_config_item(c, "lxc.rootfs.path", path);
	c->set_config_item(c, "lxc.uts.name", "inside");
	c->set_config_item(c, "lxc.tty.max", "2");
	c->set_config_item(c, "lxc.pty.max", "1024");
	c->set_config_item(c, "lxc.console.buffer.size", "65536");
	c->set_config_item(c, "lxc.net.0.type", "veth");
	c->set_config_item(c, "lxc.net.0.link", "lxcbr0");
	c->set_config_item(c, "lxc.net.0.flags", "up");
	c->set_config_item(c, "lxc.net.0.name", "eth0");
	c->set_config_item(c, "lxc.net.0.ipv4.address", "10.0.3.79/24");
	c->set_config_item(c, "lxc.cap.drop", "sys_time");
	c->set_config_item(c, "lxc.environment", "FROM=config");
	c->set_config_item(c, "lxc.mount.auto", "proc:mixed sys:mixed");
	c->set_config_item(c, "lxc.init.cmd", "/sbin/init");
}

/* ---- what needs no container */

static void functions(void)
{
	static const char *const extensions[] = {
		"lxc_log", "lxc_config_item_is_supported", "console_log", "reboot2", "mount_injection", "cgroup_relative",
		"mount_injection_file", "seccomp_allow_nesting", "seccomp_notify", "network_veth_routes", "network_ipvlan",
		"network_l2proxy", "network_gateway_device_route", "network_phys_macvlan_mtu", "network_veth_router",
		"cgroup2_devices", "cgroup2", "pidfd", "cgroup_advanced_isolation", "network_bridge_vlan", "time_namespace",
		"seccomp_allow_deny_syntax", "devpts_fd", "seccomp_notify_fd_active", "seccomp_proxy_send_notify_fd",
		"idmapped_mounts", "idmapped_mounts_v2", "core_scheduling", "cgroup2_auto_mounting",
		"environment_runtime_hooks", "telepathy", "", "LXC_LOG",
	};
	static const char *const keys[] = {
		"lxc.net.", "lxc.net", "lxc.net.0.type", "lxc.cgroup2", "lxc.cgroup", "lxc.cgroup2.memory.max",
		"lxc.namespace.share.", "lxc.namespace.share.net", "lxc.uts.name", "lxc.rootfs.path", "lxc.hook.start-host",
		"lxc.environment.runtime", "lxc.nonsense", "lxc", "",
	};
	static const char *const items[] = {
		"lxc.bdev.lvm.vg", "lxc.bdev.lvm.thin_pool", "lxc.bdev.zfs.root", "lxc.bdev.rbd.rbdpool",
		"lxc.bdev.rbd.rbduser", "lxc.cgroup.pattern", "lxc.cgroup.use", "lxc.nonsense", "lxc.uts.name", "",
	};
	const char *states[8];
	char label[128];

	say_bool("lxc_get_version is that of the header", strcmp(lxc_get_version(), LXC_VERSION) == 0);
	say_int("lxc_get_wait_states(NULL)", lxc_get_wait_states(NULL));
	say_int("lxc_get_wait_states", lxc_get_wait_states(states));
	for (int i = 0; i < 8; i++) {
		snprintf(label, sizeof(label), "wait state %d", i);
		say_text(label, states[i]);
	}
	say_bool("extension NULL", lxc_has_api_extension(NULL));
	for (size_t i = 0; i < sizeof(extensions) / sizeof(*extensions); i++) {
		snprintf(label, sizeof(label), "extension %s", extensions[i]);
		say_bool(label, lxc_has_api_extension(extensions[i]));
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		snprintf(label, sizeof(label), "supported %s", keys[i]);
		say_bool(label, lxc_config_item_is_supported(keys[i]));
	}
	for (size_t i = 0; i < sizeof(items) / sizeof(*items); i++) {
		const char *v;

		errno = 77;
		v = lxc_get_global_config_item(items[i]);
		snprintf(label, sizeof(label), "global %s", items[i]);
		say(label, "%s errno %d", v ? v : "NULL", errno);
	}
	say_bool("global lxc.lxcpath is absolute", lxc_get_global_config_item("lxc.lxcpath")[0] == '/');
	say_bool("global lxc.default_config is absolute", lxc_get_global_config_item("lxc.default_config")[0] == '/');
	say_bool("lxc_container_new(NULL)", lxc_container_new(NULL, lxcpath) != NULL);
	say_int("lxc_container_get(NULL)", lxc_container_get(NULL));
	say_int("lxc_container_put(NULL)", lxc_container_put(NULL));
	say_int("list_defined in a missing directory", list_defined_containers("/no/such/path", NULL, NULL));
	say_int("lxc_log_init(NULL)", lxc_log_init(NULL));
}

static void log_calls(void)
{
	char file[4096];
	struct lxc_log log = { .name = name, .lxcpath = lxcpath, .file = file, .level = "DEBUG", .prefix = "walk", .quiet = true };
	struct lxc_log none = { .name = name, .lxcpath = lxcpath, .file = "none", .quiet = true };
	struct stat st;
	struct lxc_container *c;

	snprintf(file, sizeof(file), "%s/log/deep/file", lxcpath);
	say_int("lxc_log_init", lxc_log_init(&log));
	say_int("lxc_log_init again", lxc_log_init(&log));
	say_bool("its file is there", stat(file, &st) == 0);
	say("its mode", "%o", stat(file, &st) == 0 ? st.st_mode & 0777 : 0);
	c = handle("-log");
	c->start(c, 0, NULL);
	lxc_container_put(c);
	say_bool("its file has lines", stat(file, &st) == 0 && st.st_size > 0);
	lxc_log_close();
	lxc_log_close();
	say_int("lxc_log_init to no file", lxc_log_init(&none));
	lxc_log_close();
	snprintf(file, sizeof(file), "/proc/self/cmdline/no");
	say_int("lxc_log_init to an impossible file", lxc_log_init(&log));
	lxc_log_close();
}

static void null_handles(void)
{
	struct lxc_container *c = handle("-null");
	int num = 0, fd = 0;
	pid_t pid;

	/* LXC 5.0.2 dereferences NULL in one of these. */
	if (!modern) {
		lxc_container_put(c);
		return;
	}
#define NULL_BOOL(member, ...) say_bool("NULL: " #member, c->member(NULL, ##__VA_ARGS__))
#define NULL_INT(member, ...) say_int("NULL: " #member, c->member(NULL, ##__VA_ARGS__))
#define NULL_PTR(member, ...) say_bool("NULL: " #member, c->member(NULL, ##__VA_ARGS__) != NULL)
	NULL_BOOL(is_defined);
	NULL_PTR(state);
	NULL_BOOL(is_running);
	NULL_BOOL(freeze);
	NULL_BOOL(unfreeze);
	NULL_INT(init_pid);
	NULL_BOOL(load_config, NULL);
	NULL_BOOL(start, 0, NULL);
	NULL_BOOL(startl, 0, NULL);
	NULL_BOOL(stop);
	NULL_BOOL(want_daemonize, true);
	NULL_BOOL(want_close_all_fds, true);
	NULL_PTR(config_file_name);
	NULL_BOOL(wait, "STOPPED", 0);
	NULL_BOOL(set_config_item, "lxc.uts.name", "a");
	NULL_BOOL(destroy);
	NULL_BOOL(save_config, NULL);
	NULL_BOOL(create, "none", NULL, NULL, 0, NULL);
	NULL_BOOL(createl, "none", NULL, NULL, 0, NULL);
	NULL_BOOL(rename, "a");
	NULL_BOOL(reboot);
	NULL_BOOL(reboot2, 0);
	NULL_BOOL(shutdown, 0);
	c->clear_config(NULL);
	NULL_BOOL(clear_config_item, "lxc.uts.name");
	NULL_INT(get_config_item, "lxc.uts.name", NULL, 0);
	NULL_PTR(get_running_config_item, "lxc.uts.name");
	NULL_INT(get_keys, NULL, NULL, 0);
	NULL_PTR(get_interfaces);
	NULL_PTR(get_ips, NULL, NULL, 0);
	NULL_INT(get_cgroup_item, "memory.max", NULL, 0);
	NULL_BOOL(set_cgroup_item, "memory.max", "1");
	NULL_PTR(get_config_path);
	NULL_BOOL(set_config_path, "/tmp");
	NULL_PTR(clone, "a", NULL, 0, NULL, NULL, 0, NULL);
	NULL_INT(console_getfd, &num, &fd);
	NULL_INT(console, 0, 0, 1, 2, 1);
	NULL_INT(attach, lxc_attach_run_shell, NULL, NULL, &pid);
	NULL_INT(attach_run_wait, NULL, "true", NULL);
	NULL_INT(attach_run_waitl, NULL, "true", "true", NULL);
	NULL_INT(snapshot, NULL);
	NULL_INT(snapshot_list, NULL);
	NULL_BOOL(snapshot_restore, "snap0", NULL);
	NULL_BOOL(snapshot_destroy, "snap0");
	NULL_BOOL(snapshot_destroy_all);
	NULL_BOOL(destroy_with_snapshots);
	NULL_BOOL(may_control);
	NULL_BOOL(add_device_node, "/dev/null", NULL);
	NULL_BOOL(remove_device_node, "/dev/null", NULL);
	NULL_BOOL(attach_interface, "lo", NULL);
	NULL_BOOL(detach_interface, "lo", NULL);
	NULL_BOOL(checkpoint, NULL, false, false);
	NULL_BOOL(restore, NULL, false);
	NULL_INT(console_log, NULL);
	NULL_INT(mount, "a", "b", "c", 0, NULL, NULL);
	NULL_INT(umount, "a", 0, NULL);
	NULL_INT(init_pidfd);
	NULL_INT(devpts_fd);
	NULL_INT(seccomp_notify_fd);
	NULL_INT(seccomp_notify_fd_active);
	NULL_BOOL(set_timeout, 1);
	lxc_container_put(c);
}

/* ---- configuration */

static void item(struct lxc_container *c, const char *key)
{
	char value[4096], label[128];
	int n = c->get_config_item(c, key, NULL, 0), m;

	memset(value, '#', sizeof(value));
	m = c->get_config_item(c, key, value, sizeof(value));
	value[sizeof(value) - 1] = '\0';
	snprintf(label, sizeof(label), "item %s", key);
	if (m < 0)
		say(label, "%d %d", n, m);
	else
		say_text(label, value);
	if (m >= 0 && n != m)
		say(label, "length %d without a buffer, %d with", n, m);
}

static void buffers(struct lxc_container *c, const char *key)
{
	char value[16], label[128];

	for (int size = 1; size <= 8; size++) {
		int n;

		memset(value, '#', sizeof(value));
		n = c->get_config_item(c, key, value, size);
		snprintf(label, sizeof(label), "%s into %d bytes", key, size);
		for (int i = 0; i < 15; i++)
			if (!value[i])
				value[i] = '0';
		say(label, "%d %.8s", n, value);
	}
}

static void configuration(void)
{
	struct lxc_container *c = handle("-conf");
	char file[4096], keys[16384];
	static const char *const prefixes[] = {
		"lxc.apparmor", "lxc.cgroup", "lxc.selinux", "lxc.mount", "lxc.rootfs", "lxc.uts", "lxc.hook", "lxc.cap",
		"lxc.console", "lxc.environment", "lxc.seccomp", "lxc.signal", "lxc.start", "lxc.monitor", "lxc.keyring",
		"lxc.net", "lxc.net.0", "lxc.net.1", "lxc.net.9", "lxc.nonsense",
	};
	char label[128], *text;
	int n;

	say_bool("empty: has a configuration", c->lxc_conf != NULL);
	say_bool("daemonize at first", c->daemonize);
	say_int("numthreads", c->numthreads);
	say_bool("error_string", c->error_string != NULL);
	say_int("error_num at first", c->error_num);
	if (modern)
		say_int("rcv_timeout at first", c->rcv_timeout);
	say_int("empty: get_config_item", c->get_config_item(c, "lxc.uts.name", NULL, 0));
	say_bool("empty: clear_config_item", c->clear_config_item(c, "lxc.uts.name"));
	say_bool("empty: want_daemonize", c->want_daemonize(c, false));
	say_bool("empty: want_close_all_fds", c->want_close_all_fds(c, false));
	say_bool("empty: get_keys has many", c->get_keys(c, NULL, NULL, 0) > 1000);
	say_int("empty: get_keys of a prefix", c->get_keys(c, "lxc.net.0", NULL, 0));
	say_bool("empty: load_config", c->load_config(c, NULL));
	n = c->get_keys(c, NULL, NULL, 0);
	memset(keys, '#', sizeof(keys));
	say_bool("get_keys fills what it said", c->get_keys(c, NULL, keys, sizeof(keys)) == n && strlen(keys) == (size_t)n);
	say_bool("get_keys in a small buffer", c->get_keys(c, NULL, keys, 10) == n && strlen(keys) == 9);
	c->clear_config(c);
	configure(c);
	c->set_config_item(c, "lxc.net.1.type", "macvlan");
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		snprintf(label, sizeof(label), "keys of %s", prefixes[i]);
		n = c->get_keys(c, prefixes[i], keys, sizeof(keys));
		if (n < 0)
			say_int(label, n);
		else
			say_text(label, keys);
	}
	static const char *const some[] = {
		"lxc.rootfs.path", "lxc.uts.name", "lxc.tty.max", "lxc.pty.max", "lxc.net", "lxc.net.0.type", "lxc.net.0.link",
		"lxc.net.0.flags", "lxc.net.0.ipv4.address", "lxc.net.0.mtu", "lxc.net.7.type", "lxc.cap.drop", "lxc.cap.keep",
		"lxc.environment", "lxc.mount.auto", "lxc.mount.entry", "lxc.init.cmd", "lxc.init.uid", "lxc.arch",
		"lxc.idmap", "lxc.signal.halt", "lxc.start.auto", "lxc.group", "lxc.console.buffer.size", "lxc.apparmor.profile",
		"lxc.autodev", "lxc.cgroup2", "lxc.cgroup2.memory.max", "lxc.prlimit.nofile", "lxc.sysctl.net.ipv4.ip_forward",
		"lxc.hook.mount", "lxc.no_new_privs", "lxc.ephemeral", "lxc.nonsense", "lxc", "",
	};
	for (size_t i = 0; i < sizeof(some) / sizeof(*some); i++)
		item(c, some[i]);
	c->set_config_item(c, "lxc.tty.max", "12");
	buffers(c, "lxc.uts.name");
	buffers(c, "lxc.tty.max");
	buffers(c, "lxc.cap.drop");
	c->set_config_item(c, "lxc.tty.max", "2");
	say_bool("set a bad key", c->set_config_item(c, "lxc.nonsense", "1"));
	say_bool("set a bad value", c->set_config_item(c, "lxc.tty.max", "many"));
	say_bool("set no key", c->set_config_item(c, "", "many"));
	say_bool("set an empty value", c->set_config_item(c, "lxc.uts.name", ""));
	say_int("its length then", c->get_config_item(c, "lxc.uts.name", NULL, 0));
	say_bool("set no value", c->set_config_item(c, "lxc.cap.drop", NULL));
	say_int("the length of no list", c->get_config_item(c, "lxc.cap.drop", NULL, 0));
	say_bool("clear a bad key", c->clear_config_item(c, "lxc.nonsense"));
	say_bool("clear a nic", c->clear_config_item(c, "lxc.net.1"));
	say_int("one nic left", c->get_config_item(c, "lxc.net", NULL, 0));
	say_bool("clear all nics", c->clear_config_item(c, "lxc.net"));
	say_int("no nic left", c->get_config_item(c, "lxc.net", NULL, 0));
	say_bool("want_daemonize", c->want_daemonize(c, false));
	say_bool("daemonize", c->daemonize);
	say_bool("want_close_all_fds", c->want_close_all_fds(c, true));
	say_text("get_config_path", c->get_config_path(c));
	text = c->config_file_name(c);
	say_text("config_file_name", text);
	free(text);
	if (modern) /* LXC 5.0.2 dereferences it */
		say_bool("set_config_path NULL", c->set_config_path(c, NULL));
	say_bool("set_config_path", c->set_config_path(c, "/somewhere/else"));
	text = c->config_file_name(c);
	say_text("config_file_name then", text);
	free(text);
	say_bool("set_config_path back", c->set_config_path(c, lxcpath));
	say_bool("save elsewhere", (snprintf(file, sizeof(file), "%s/saved", lxcpath), c->save_config(c, file)));
	say_bool("load it", c->load_config(c, file));
	say_bool("load what is missing", c->load_config(c, "/no/such/file"));
	say_bool("save where it cannot be", c->save_config(c, "/no/such/directory/file"));
	if (modern) { /* LXC 5.0.2 has no such member */
		say_bool("set_timeout 0", c->set_timeout(c, 0));
		say_bool("set_timeout -2", c->set_timeout(c, -2));
		say_bool("set_timeout 3", c->set_timeout(c, 3));
		say_int("rcv_timeout of 3", c->rcv_timeout);
		say_bool("set_timeout -1", c->set_timeout(c, -1));
		say_int("rcv_timeout without a limit", c->rcv_timeout);
	}
	say_int("lxc_container_get", lxc_container_get(c));
	say_int("lxc_container_put", lxc_container_put(c));
	say_int("lxc_container_put the last", lxc_container_put(c));
	unlink(file);
}

/* ---- the state matrix: what every call gives for a container in this state, where it changes nothing */

static int seven(void *payload)
{
	return 7;
}

static void matrix(struct lxc_container *c, const char *state)
{
	uint64_t max = 0;
	struct lxc_console_log log = { .read_max = &max };
	int num = -1, fd = -1, holder, r;
	bool frozen = strcmp(state, "frozen") == 0;
	char *text, value[64], **list;
	pid_t pid = -1;

	say_bool(at("is_defined", state), c->is_defined(c));
	say_text(at("state", state), c->state(c));
	say_bool(at("is_running", state), c->is_running(c));
	say_bool(at("may_control", state), c->may_control(c));
	r = c->init_pid(c);
	say(at("init_pid", state), "%s", r > 1 ? "a pid" : r == -1 ? "-1" : "something else");
	r = c->init_pidfd(c);
	say(at("init_pidfd", state), "%s%d", r >= 0 ? "fd " : "", r >= 0 ? 0 : r);
	if (r >= 0)
		close(r);
	r = c->devpts_fd(c);
	say(at("devpts_fd", state), "%s%d", r >= 0 ? "fd " : "", r >= 0 ? 0 : r);
	if (r >= 0)
		close(r);
	say_int(at("seccomp_notify_fd", state), c->seccomp_notify_fd(c));
	say_int(at("seccomp_notify_fd_active", state), c->seccomp_notify_fd_active(c));
	text = c->get_running_config_item(c, "lxc.uts.name");
	say_text(at("get_running_config_item", state), text);
	free(text);
	text = c->get_running_config_item(c, "lxc.nonsense");
	say_text(at("get_running_config_item of nonsense", state), text);
	free(text);
	text = c->get_running_config_item(c, "lxc.cap.drop");
	say_text(at("get_running_config_item of a list", state), text);
	free(text);
	say_list(at("get_interfaces", state), c->get_interfaces(c));
	say_list(at("get_ips inet", state), c->get_ips(c, NULL, "inet", 0));
	say_list(at("get_ips lo", state), c->get_ips(c, "lo", "inet", 0));
	list = c->get_ips(c, NULL, "nonsense", 0);
	say_list(at("get_ips nonsense", state), list);
	memset(value, 0, sizeof(value));
	r = c->get_cgroup_item(c, "pids.max", value, sizeof(value));
	say(at("get_cgroup_item", state), "%d %s", r, r > 0 ? (value[strcspn(value, "\n")] = '\0', value) : "");
	say_int(at("get_cgroup_item without a buffer", state), c->get_cgroup_item(c, "pids.max", NULL, 0));
	say_int(at("get_cgroup_item without a size", state), c->get_cgroup_item(c, "pids.max", value, 0));
	say_bool(at("get_cgroup_item of nonsense", state), c->get_cgroup_item(c, "pids.nonsense", value, sizeof(value)) < 0);
	say_bool(at("set_cgroup_item", state), c->set_cgroup_item(c, "pids.max", "4321"));
	say_bool(at("set_cgroup_item of nonsense", state), c->set_cgroup_item(c, "pids.nonsense", "1"));
	say_bool(at("set_cgroup_item to nothing", state), c->set_cgroup_item(c, "pids.max", ""));
	say_bool(at("set_cgroup_item back", state), c->set_cgroup_item(c, "pids.max", "max"));
	holder = c->console_getfd(c, &num, &fd);
	say(at("console_getfd", state), "%s%d tty %d", holder >= 0 ? "fd " : "", holder >= 0 ? 0 : holder, num);
	if (holder >= 0) {
		int num2 = num, fd2 = -1, held2 = c->console_getfd(c, &num2, &fd2);

		say_bool(at("console_getfd of a busy tty", state), held2 >= 0);
		num2 = -1;
		held2 = c->console_getfd(c, &num2, &fd2);
		say(at("console_getfd of the next tty", state), "%s tty %d", held2 >= 0 ? "fd" : "none", num2);
		if (held2 >= 0) {
			int num3 = -1, fd3;

			say_bool(at("console_getfd when none is free", state), c->console_getfd(c, &num3, &fd3) >= 0);
			close(held2);
			close(fd2);
		}
		say_bool(at("its pty is a terminal", state), isatty(fd));
		close(holder);
		close(fd);
	}
	num = 99;
	say_bool(at("console_getfd of a tty that is not there", state), c->console_getfd(c, &num, &fd) >= 0);
	/* Whether the console has said something yet is a matter of time. */
	log.read = log.clear = true;
	r = c->console_log(c, &log);
	say(at("console_log", state), "%s", r == 0 || r == -ENODATA ? "it has a log" : strerror(-r));
	free(log.data);
	say_bool(at("wait for the present state", state), c->wait(c, c->state(c), 1));
	say_bool(at("wait for nonsense", state), c->wait(c, "RUNNING|NONSENSE", 1));
	say_bool(at("wait for an empty list", state), c->wait(c, "", 1));
	say_bool(at("wait for another state", state), c->wait(c, "ABORTING", 1));
	if (!frozen) {
		r = c->attach(c, seven, NULL, NULL, &pid);
		if (r == 0) {
			int status = -1;

			waitpid(pid, &status, 0);
			say(at("attach", state), "0 exit %d", WEXITSTATUS(status));
		} else {
			say_int(at("attach", state), r);
		}
		say(at("attach_run_waitl", state), "%d", c->attach_run_waitl(c, NULL, "sh", "sh", "-c", "exit 3", NULL));
	}
	if (modern) { /* LXC 5.0.2 calls and writes to NULL */
		say_int(at("attach without a function", state), c->attach(c, NULL, NULL, NULL, &pid));
		say_int(at("attach without a place for the pid", state), c->attach(c, seven, NULL, NULL, NULL));
	}
	say_int(at("umount what is not mounted", state), c->umount(c, "/no/such/mount", 0, NULL) == 0);
	say_bool(at("add_device_node of nothing", state), c->add_device_node(c, "/dev/nonsense", NULL));
	say_bool(at("attach_interface of nothing", state), c->attach_interface(c, "nonsense0", NULL));
	say_bool(at("detach_interface of nothing", state), c->detach_interface(c, "nonsense0", NULL));
	if (c->is_running(c)) {
		say_bool(at("start", state), c->start(c, 0, NULL));
		say_int(at("error_num after it", state), c->error_num);
		say_bool(at("destroy", state), c->destroy(c));
		say_bool(at("rename", state), c->rename(c, "another"));
		say_bool(at("clone", state), c->clone(c, "another", NULL, 0, NULL, NULL, 0, NULL) != NULL);
		say_int(at("snapshot", state), c->snapshot(c, NULL));
		say_text(at("state after snapshot", state), c->state(c));
		say_bool(at("snapshot_destroy_all", state), c->snapshot_destroy_all(c));
		say_bool(at("restore", state), c->restore(c, (char *)(uintptr_t)"/no/such/dump", false));
	} else {
		say_bool(at("stop", state), c->stop(c));
		say_bool(at("shutdown", state), c->shutdown(c, 1));
		say_bool(at("reboot", state), c->reboot(c));
		say_bool(at("reboot2", state), c->reboot2(c, 1));
		say_bool(at("freeze", state), c->freeze(c));
		say_bool(at("unfreeze", state), c->unfreeze(c));
		say_bool(at("checkpoint", state), c->checkpoint(c, (char *)(uintptr_t)"/no/such/dump", false, false));
	}
}

/* ---- attach, every option */

struct seen {
	lxc_attach_options_t options;
	struct lxc_container *c;
};

/* What a function inside sees, through a pipe. */
static void inside(struct lxc_container *c, const char *label, lxc_attach_options_t *o, int (*fn)(void *), void *payload)
{
	int p[2], status = -1, r;
	char text[4096] = "";
	size_t got = 0;
	pid_t pid = -1;
	ssize_t n;

	if (pipe(p) < 0)
		exit(1);
	o->stdout_fd = p[1];
	r = c->attach(c, fn, payload, o, &pid);
	close(p[1]);
	while (r == 0 && (n = read(p[0], text + got, sizeof(text) - 1 - got)) > 0)
		got += (size_t)n;
	close(p[0]);
	if (r == 0)
		waitpid(pid, &status, 0);
	if (r < 0) {
		say(label, "%d", r);
		return;
	}
	if (got && text[got - 1] == '\n')
		text[got - 1] = '\0';
	if (WIFEXITED(status))
		printf("%s\texit %d: ", label, WEXITSTATUS(status));
	else
		printf("%s\tsignal %d: ", label, WTERMSIG(status));
	for (char *t = text; *t; t++)
		putchar(*t == '\n' ? '|' : *t);
	putchar('\n');
	fflush(stdout);
}

static int tell_uts(void *p)
{
	struct utsname u;

	uname(&u);
	dprintf(1, "%s %s", u.nodename, u.machine);
	return 0;
}

static int tell_ids(void *p)
{
	gid_t groups[64];
	uid_t r, e, s;
	gid_t gr, ge, gs;
	int n = getgroups(64, groups);

	getresuid(&r, &e, &s);
	getresgid(&gr, &ge, &gs);
	dprintf(1, "%u,%u,%u %u,%u,%u groups", r, e, s, gr, ge, gs);
	for (int i = 0; i < n; i++)
		dprintf(1, " %u", groups[i]);
	return 0;
}

static int tell_caps(void *p)
{
	/* CAP_SYS_TIME, 25: in the configuration's lxc.cap.drop. */
	dprintf(1, "%d nnp %d", prctl(PR_CAPBSET_READ, 25), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	return 0;
}

static int tell_env(void *p)
{
	static const char *const names[] = { "PATH", "container", "FROM", "KEPT", "LOST", "EXTRA", "EMPTY" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *v = getenv(names[i]);

		if (strcmp(names[i], "PATH") == 0)
			dprintf(1, "PATH:%s ", v ? strcmp(v, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin") == 0 ? "standard" : "the caller's" : "none");
		else
			dprintf(1, "%s=%s ", names[i], v ? v : "(unset)");
	}
	return 0;
}

static int tell_cwd(void *p)
{
	char cwd[4096];

	dprintf(1, "%s", getcwd(cwd, sizeof(cwd)) ? cwd : "none");
	return 0;
}

static int tell_cgroup(void *p)
{
	char text[8192] = "";
	FILE *f = fopen("/proc/self/cgroup", "re");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	text[n] = '\0';
	dprintf(1, "%s", strstr(text, "pids:/\n") || strncmp(text, "0::/\n", 5) == 0 ? "at the root of its cgroup namespace" :
			 "elsewhere");
	return 0;
}

static int tell_personality(void *p)
{
	dprintf(1, "%x", personality(0xffffffff));
	return 0;
}

static int tell_fds(void *p)
{
	char byte = '?';
	ssize_t n = read(0, &byte, 1);

	dprintf(1, "stdin %c", n == 1 ? byte : '-');
	dprintf(2, "stderr");
	return 0;
}

static int tell_proc(void *p)
{
	struct statfs fs;
	char link[64] = "";
	ssize_t n = readlink("/proc/self", link, sizeof(link) - 1);

	dprintf(1, "%s", statfs("/proc", &fs) == 0 && fs.f_type == 0x9fa0 && n > 0 && atoi(link) == getpid() ?
			 "proc is that of its processes" : "proc is another's");
	return 0;
}

static int tell_tty(void *p)
{
	dprintf(1, "%d%d%d", isatty(0), isatty(1), isatty(2));
	return 0;
}

static int tell_session(void *p)
{
	dprintf(1, "%s", getsid(0) == getpid() ? "leader of its session" : "in another's session");
	return 0;
}

static int tell_signals(void *p)
{
	sigset_t set;
	struct sigaction sa;
	int blocked = 0;

	sigprocmask(SIG_BLOCK, NULL, &set);
	for (int i = 1; i < 32; i++)
		blocked += sigismember(&set, i) == 1;
	sigaction(SIGUSR1, NULL, &sa);
	dprintf(1, "blocked %d", blocked);
	return 0;
}

static void attaching(struct lxc_container *c)
{
	lxc_attach_options_t o = LXC_ATTACH_OPTIONS_DEFAULT;
	const lxc_attach_options_t defaults = LXC_ATTACH_OPTIONS_DEFAULT;
	char *extra[] = { (char *)(uintptr_t)"EXTRA=1", (char *)(uintptr_t)"EMPTY=", (char *)(uintptr_t)"container=mine", NULL };
	char *keep[] = { (char *)(uintptr_t)"KEPT", (char *)(uintptr_t)"NEVERSET", NULL };
	char *keep_path[] = { (char *)(uintptr_t)"PATH", NULL };
	gid_t groups[] = { 10, 20, 30 };
	int p[2], q[2];
	char text[64] = "";
	ssize_t n;
	char *sh[] = { (char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c", (char *)(uintptr_t)"echo $0", NULL };
	lxc_attach_command_t command = { (char *)(uintptr_t)"sh", sh }, missing = { (char *)(uintptr_t)"/no/such/program", sh },
			     directory = { (char *)(uintptr_t)"/etc", sh };

	setenv("KEPT", "kept", 1);
	setenv("LOST", "lost", 1);
#define AGAIN() (o = defaults)
	inside(c, "attach: uts", &o, tell_uts, NULL);
	say_bool("attach: namespaces are stored", o.namespaces != -1 && (o.namespaces & (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS |
		CLONE_NEWIPC | CLONE_NEWNET)) == (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET));
	AGAIN();
	o.namespaces = CLONE_NEWNS | CLONE_NEWPID;
	inside(c, "attach: uts without its namespace differs", &o, tell_session, NULL);
	AGAIN();
	inside(c, "attach: ids", &o, tell_ids, NULL);
	o.uid = 1000;
	o.gid = 1001;
	inside(c, "attach: ids that are asked for", &o, tell_ids, NULL);
	AGAIN();
	o.attach_flags |= LXC_ATTACH_SETGROUPS;
	o.groups.size = 3;
	o.groups.list = groups;
	inside(c, "attach: groups", &o, tell_ids, NULL);
	o.groups.size = 0;
	o.groups.list = NULL;
	inside(c, "attach: an empty list of groups", &o, tell_ids, NULL);
	AGAIN();
	inside(c, "attach: capabilities", &o, tell_caps, NULL);
	o.attach_flags &= ~LXC_ATTACH_DROP_CAPABILITIES;
	inside(c, "attach: all capabilities", &o, tell_caps, NULL);
	AGAIN();
	o.attach_flags |= LXC_ATTACH_NO_NEW_PRIVS;
	inside(c, "attach: no new privileges", &o, tell_caps, NULL);
	AGAIN();
	inside(c, "attach: environment", &o, tell_env, NULL);
	o.extra_env_vars = extra;
	inside(c, "attach: more environment", &o, tell_env, NULL);
	o.env_policy = LXC_ATTACH_CLEAR_ENV;
	inside(c, "attach: clear environment", &o, tell_env, NULL);
	o.extra_env_vars = NULL;
	o.extra_keep_env = keep;
	inside(c, "attach: keep some", &o, tell_env, NULL);
	o.extra_keep_env = keep_path;
	setenv("PATH", "/bin:/sbin", 1);
	inside(c, "attach: keep PATH", &o, tell_env, NULL);
	AGAIN();
	o.initial_cwd = (char *)(uintptr_t)"/etc";
	inside(c, "attach: directory", &o, tell_cwd, NULL);
	o.initial_cwd = (char *)(uintptr_t)"/no/such/directory";
	inside(c, "attach: missing directory", &o, tell_cwd, NULL);
	AGAIN();
	inside(c, "attach: cgroup", &o, tell_cgroup, NULL);
	AGAIN();
	inside(c, "attach: personality", &o, tell_personality, NULL);
	o.personality = PER_LINUX32;
	inside(c, "attach: 32 bits", &o, tell_uts, NULL);
	o.attach_flags &= ~LXC_ATTACH_SET_PERSONALITY;
	inside(c, "attach: personality without the flag", &o, tell_personality, NULL);
	AGAIN();
	if (pipe(p) < 0 || pipe(q) < 0 || write(p[1], "x", 1) != 1)
		exit(1);
	o.stdin_fd = p[0];
	o.stderr_fd = q[1];
	inside(c, "attach: descriptors", &o, tell_fds, NULL);
	close(q[1]);
	n = read(q[0], text, sizeof(text) - 1);
	say("attach: its stderr", "%.*s", n > 0 ? (int)n : 0, text);
	close(p[0]);
	close(p[1]);
	close(q[0]);
	AGAIN();
	inside(c, "attach: proc", &o, tell_proc, NULL);
	o.namespaces = CLONE_NEWPID;
	o.attach_flags |= LXC_ATTACH_REMOUNT_PROC_SYS;
	inside(c, "attach: proc mounted anew", &o, tell_proc, NULL);
	AGAIN();
	inside(c, "attach: signals", &o, tell_signals, NULL);
	inside(c, "attach: a command", &o, lxc_attach_run_command, &command);
	inside(c, "attach: a missing command", &o, lxc_attach_run_command, &missing);
	inside(c, "attach: a directory as a command", &o, lxc_attach_run_command, &directory);
	AGAIN();
	p[0] = open("/dev/null", O_RDONLY);
	o.stdin_fd = p[0];
	inside(c, "attach: a shell at its end of input", &o, lxc_attach_run_shell, NULL);
	close(p[0]);
	AGAIN();
	o.attach_flags &= ~LXC_ATTACH_LSM_EXEC;
	o.attach_flags |= LXC_ATTACH_LSM_NOW;
	inside(c, "attach: label at once", &o, tell_ids, NULL);
	AGAIN();
	/* The terminal relays from and to these, and blocks until the end. */
	if (pipe(p) == 0) {
		pid_t pid = -1;
		int status = -1, r;

		o.attach_flags |= LXC_ATTACH_TERMINAL;
		o.stdin_fd = open("/dev/null", O_RDONLY);
		o.stdout_fd = p[1];
		r = c->attach(c, tell_tty, NULL, &o, &pid);
		close(p[1]);
		n = r == 0 ? read(p[0], text, sizeof(text) - 1) : 0;
		close(p[0]);
		close(o.stdin_fd);
		if (r == 0)
			waitpid(pid, &status, 0);
		say("attach: terminal", "%d %.*s", r, n > 0 ? (int)n : 0, text);
	}
	say_int("attach_run_wait exit", c->attach_run_wait(c, NULL, "sh", (const char *const[]){ "sh", "-c", "exit 5", NULL }));
	say_int("attach_run_wait signal", c->attach_run_wait(c, NULL, "sh", (const char *const[]){ "sh", "-c", "kill -9 $$", NULL }));
	say_int("attach_run_wait missing", c->attach_run_wait(c, NULL, "/no/such", (const char *const[]){ "x", NULL }));
	say_int("attach_run_wait NULL program", c->attach_run_wait(c, NULL, NULL, NULL));
	say_int("attach_run_waitl argv[0]", c->attach_run_waitl(c, NULL, "sh", "other", "-c", "test $0 = other", NULL));
}

/* ---- devices, mounts, interfaces, console of a running one */

static bool inside_test(struct lxc_container *c, const char *test)
{
	return c->attach_run_waitl(c, NULL, "sh", "sh", "-c", test, NULL) == 0;
}

static void ip(char *argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)execvp(argv[0], argv);
		_exit(127);
	}
	(void)waitpid(pid, NULL, 0);
}

static void run_time(struct lxc_container *c)
{
	uint64_t max = 0;
	struct lxc_console_log log = { .read_max = &max };
	struct lxc_mount mnt = { .version = LXC_MOUNT_API_V1 };
	struct lxc_container *bare;
	char *text;
	int r, num = 0, fd = -1;

	say_bool("device: add", c->add_device_node(c, "/dev/full", NULL));
	say_bool("device: it is there", inside_test(c, "test $(stat -c %t:%T /dev/full) = 1:7"));
	say_bool("device: add under another name", c->add_device_node(c, "/dev/full", "/dev/deep/er/zero5"));
	say_bool("device: add a file", c->add_device_node(c, "/etc/passwd", NULL));
	say_bool("device: add a directory", c->add_device_node(c, "/dev", NULL));
	say_bool("device: remove", c->remove_device_node(c, "/dev/full", NULL));
	say_bool("device: it is gone", inside_test(c, "test ! -e /dev/full"));
	ip((char *[]){ "ip", "link", "add", "walkdummy", "type", "veth", "peer", "name", "walkpeer", NULL });
	say_bool("nic: attach", c->attach_interface(c, "walkdummy", "walk0"));
	say_list("nic: interfaces", c->get_interfaces(c));
	say_bool("nic: detach", c->detach_interface(c, "walk0", "walkback"));
	say_bool("nic: it is back", access("/sys/class/net/walkback", F_OK) == 0);
	say_bool("nic: attach under its own name", c->attach_interface(c, "walkback", NULL));
	say_bool("nic: detach under its own name", c->detach_interface(c, "walkback", NULL));
	ip((char *[]){ "ip", "link", "del", "walkpeer", NULL });
	say_int("mount: without a configuration", (bare = handle(""), bare->clear_config(bare), bare->mount(bare, NULL, "/mnt", "tmpfs", 0, NULL, &mnt)));
	say_int("umount: without a configuration", bare->umount(bare, "/mnt", 0, &mnt));
	lxc_container_put(bare);
	say_int("mount: a file system", c->mount(c, NULL, "/mnt/fresh", "tmpfs", MS_NOSUID, "size=64k", &mnt));
	say_bool("mount: it is there", inside_test(c, "grep -q ' /mnt/fresh tmpfs .*nosuid.*size=64k' /proc/mounts"));
	mkdir("/run/walk-dir", 0755);
	fclose(fopen("/run/walk-dir/file", "we"));
	say_int("mount: a directory", c->mount(c, "/run/walk-dir", "/mnt/dir", NULL, MS_BIND | MS_RDONLY, NULL, &mnt));
	say_bool("mount: it is read-only", inside_test(c, "test -e /mnt/dir/file && ! touch /mnt/dir/x 2>/dev/null"));
	say_int("mount: a file", c->mount(c, "/run/walk-dir/file", "/mnt/one", NULL, MS_BIND, NULL, &mnt));
	say_bool("mount: it is a file", inside_test(c, "test -f /mnt/one"));
	say_int("mount: what is missing", c->mount(c, "/no/such/source", "/mnt/two", NULL, MS_BIND, NULL, &mnt));
	say_int("mount: no such type", c->mount(c, NULL, "/mnt/two", "nonsensefs", 0, NULL, &mnt));
	say_int("umount", c->umount(c, "/mnt/fresh", 0, &mnt));
	say_bool("umount: it is gone", inside_test(c, "! grep -q /mnt/fresh /proc/mounts"));
	say_int("umount: lazily", c->umount(c, "/mnt/dir", MNT_DETACH, &mnt));
	say_int("umount: a file", c->umount(c, "/mnt/one", 0, &mnt));
	say_bool("umount: twice", c->umount(c, "/mnt/one", 0, &mnt) == 0);
	unlink("/run/walk-dir/file");
	rmdir("/run/walk-dir");

	/* The console: what was said is in the log, once. */
	log.read = log.clear = true;
	c->console_log(c, &log);
	free(log.data);
	inside_test(c, "printf 'one two three' >/dev/console");
	for (int i = 0; i < 100; i++) {
		struct timespec t = { 0, 20000000 };

		nanosleep(&t, NULL);
		log = (struct lxc_console_log){ .read_max = &max, .read = true };
		max = 4;
		r = c->console_log(c, &log);
		if (r == 0)
			break;
	}
	say("console_log: four bytes", "%d %d %s", r, (int)max, log.data ? log.data : "NULL");
	free(log.data);
	max = 0;
	log = (struct lxc_console_log){ .read_max = &max, .read = true, .clear = true };
	r = c->console_log(c, &log);
	say("console_log: the rest", "%d %d %s", r, (int)max, log.data ? log.data : "NULL");
	free(log.data);
	max = 5;
	log = (struct lxc_console_log){ .read_max = &max, .read = true, .data = (char *)&max };
	r = c->console_log(c, &log);
	say("console_log: nothing left", "%d %d %s", r, (int)max, log.data ? "data" : "NULL");
	max = 0;
	log = (struct lxc_console_log){ .read_max = &max };
	say_int("console_log: neither", c->console_log(c, &log));
	log = (struct lxc_console_log){ .read_max = NULL, .read = true };
	if (modern) /* LXC 5.0.2 dereferences it */
		say_int("console_log: no read_max", c->console_log(c, &log));
	r = c->console_getfd(c, &num, &fd);
	say("console_getfd: the console", "%s %d", r >= 0 ? "fd" : "none", num);
	if (r >= 0) {
		close(r);
		close(fd);
	}
	say_bool("set_cgroup_item devices.allow", c->set_cgroup_item(c, "devices.allow", "c 10:229 rwm"));
	say_bool("set_cgroup_item devices.deny", c->set_cgroup_item(c, "devices.deny", "c 10:229 rwm"));
	say_bool("set_cgroup_item a bad device", c->set_cgroup_item(c, "devices.allow", "q 1:2 rwm"));
	text = c->get_running_config_item(c, "lxc.net.0.name");
	say_text("running lxc.net.0.name", text);
	free(text);
	text = c->get_running_config_item(c, "lxc.net.0.veth.pair");
	say_bool("running lxc.net.0.veth.pair is a device", text && *text);
	free(text);
	text = c->get_running_config_item(c, "lxc.mount.auto");
	say_text("running lxc.mount.auto", text);
	free(text);
	text = c->get_running_config_item(c, "lxc.seccomp.profile");
	say_text("running lxc.seccomp.profile", text);
	free(text);
}

static bool has_state(struct lxc_container *c, const char *state)
{
	for (int i = 0; i < 400; i++) {
		struct timespec t = { 0, 25000000 };

		if (strcmp(c->state(c), state) == 0)
			return true;
		nanosleep(&t, NULL);
	}
	return false;
}

static bool has_started(struct lxc_container *c)
{
	for (int i = 0; i < 400; i++) {
		struct timespec t = { 0, 25000000 };

		if (inside_test(c, "test -e /dev/log"))
			return true;
		nanosleep(&t, NULL);
	}
	return false;
}

/* Another process stops it as soon as it runs. */
static bool killed_in_the_foreground(struct lxc_container *c)
{
	char *sleep_argv[] = { (char *)(uintptr_t)"/bin/sleep", (char *)(uintptr_t)"1000", NULL };
	pid_t pid = fork();
	bool ret;

	if (pid == 0) {
		struct lxc_container *other = handle("");

		if (has_state(other, "RUNNING"))
			other->stop(other);
		_exit(0);
	}
	ret = c->start(c, 0, sleep_argv);
	waitpid(pid, NULL, 0);
	return ret;
}

static void lists(const char *when)
{
	struct lxc_container **cs = NULL;
	char **names = NULL;
	int n;

	for (int i = 0; i < 3; i++) {
		static const struct {
			const char *name;
			int (*fn)(const char *, char ***, struct lxc_container ***);
		} fns[] = { { "list_defined", list_defined_containers }, { "list_active", list_active_containers },
			    { "list_all", list_all_containers } };

		say_int(at(fns[i].name, when), fns[i].fn(lxcpath, NULL, NULL));
		n = fns[i].fn(lxcpath, &names, &cs);
		for (int j = 0; j < n; j++) {
			char label[64];

			snprintf(label, sizeof(label), "%s entry %d", fns[i].name, j);
			say_text(at(label, when), names[j]);
			say_bool(at(label, "handle"), strcmp(cs[j]->name, names[j]) == 0);
			free(names[j]);
			lxc_container_put(cs[j]);
		}
		if (n > 0) {
			free(names);
			free(cs);
		}
		names = NULL;
		cs = NULL;
	}
}

int main(int argc, char **argv)
{
	struct lxc_container *c, *again;
	char *true_argv[] = { (char *)(uintptr_t)"/bin/true", NULL }, *false_argv[] = { (char *)(uintptr_t)"/bin/sh", (char *)(uintptr_t)"-c", (char *)(uintptr_t)"exit 9", NULL };
	char *missing_argv[] = { (char *)(uintptr_t)"/no/such/init", NULL };
	pid_t first;

	if (argc != 4)
		return 2;
	lxcpath = argv[1];
	root = argv[2];
	name = argv[3];
	modern = strcmp(lxc_get_version(), LXC_VERSION) == 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	functions();
	log_calls();
	null_handles();
	configuration();

	c = handle("");
	lists("before");
	matrix(c, "undefined");
	say_bool("undefined: start", c->start(c, 0, NULL));
	say_bool("undefined: destroy", c->destroy(c));
	say_bool("undefined: rename", c->rename(c, "another"));
	say_bool("undefined: clone", c->clone(c, "another", NULL, 0, NULL, NULL, 0, NULL) != NULL);
	say_int("undefined: snapshot", c->snapshot(c, NULL));
	configure(c);
	say_bool("save_config", c->save_config(c, NULL));
	matrix(c, "stopped");
	lists("stopped");

	say_bool("start", c->start(c, 0, NULL));
	say_int("error_num", c->error_num);
	say_bool("it gets up", has_started(c));
	matrix(c, "running");
	lists("running");
	attaching(c);
	run_time(c);
	again = handle("");
	say_bool("another handle sees it", again->is_running(again));
	say_bool("freeze", again->freeze(again));
	lxc_container_put(again);
	matrix(c, "frozen");
	say_bool("shutdown of a frozen one", c->shutdown(c, 1));
	say_bool("unfreeze", c->unfreeze(c));
	say_bool("which then ends", has_state(c, "STOPPED"));
	say_bool("start again", c->start(c, 0, NULL));
	say_bool("it gets up again", has_started(c));
	first = c->init_pid(c);
	say_bool("reboot2", c->reboot2(c, 20));
	say_bool("with a new init", c->init_pid(c) != first);
	say_bool("it gets up once more", has_started(c));
	say_bool("freeze it", c->freeze(c));
	say_bool("stop a frozen one", c->stop(c));
	say_text("state then", c->state(c));
	say_bool("startl", c->startl(c, 0, "/bin/sleep", "1000", NULL));
	say_bool("shutdown without waiting", c->shutdown(c, 0));
	say_bool("stop", c->stop(c));
	say_bool("start what is missing", c->start(c, 0, missing_argv));
	say_text("state after it", c->state(c));
	say_bool("want_daemonize false", c->want_daemonize(c, false));
	say_bool("foreground true", c->start(c, 0, true_argv));
	say_int("error_num of true", c->error_num);
	say_bool("foreground 9", c->start(c, 0, false_argv));
	say_int("error_num of exit 9", c->error_num);
	if (modern) /* LXC 5.0.2 does not come back */
		say_bool("foreground killed", killed_in_the_foreground(c));
	if (modern)
		say_int("error_num of killed", c->error_num);
	say_bool("foreground missing", c->start(c, 0, missing_argv));
	say_bool("its error_num is not 0", c->error_num != 0);
	say_bool("destroy", c->destroy(c));
	say_bool("is_defined", c->is_defined(c));
	say_bool("it still has a configuration", c->lxc_conf != NULL);
	lists("after");
	say_int("put", lxc_container_put(c));
	return 0;
}

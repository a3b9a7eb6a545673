/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* The cgroups of a container on this machine as it is, on pure v2 and on pure v1 (each in a mount
 * namespace). Every test uses names of its own and leaves nothing. */
#include "harness/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cgroup/internal.h"
#include "kernel/proc.h"

enum layout { AS_IT_IS, PURE_V2, PURE_V1 };

struct setup {
	enum layout layout;
	void (*fn)(struct conf *c);
};

static char *warnings;

static void keep_warning(void *arg, const char *text)
{
	char *all = NULL;

	(void)arg;
	CHECK(asprintf(&all, "%s%s\n", warnings ? warnings : "", text) >= 0);
	free(warnings);
	warnings = all;
}

static struct log test_log = { .fd = -EBADF, .level = LOG_ERROR, .sink = keep_warning };

static void add_item(struct conf_list *l, const char *key, const char *value)
{
	struct conf_item it = { .key = strdup(key), .value = strdup(value), .at = { "config", (unsigned)l->n + 10 } };

	CHECK(it.key && it.value && VEC_PUSH(l, it) == 0);
}

static void set_str(struct conf_str *s, const char *v)
{
	s->v = strdup(v);
	s->at = (struct origin){ "config", 3 };
}

/* Children of tests exit at once: what they allocate is not freed one by one. */
static struct conf *test_conf(void)
{
	struct conf *c = calloc(1, sizeof(*c));

	CHECK(c && asprintf(&c->name, "unit-%d", getpid()) > 0);
	return c;
}

static void mount_layout(enum layout layout)
{
	if (layout == AS_IT_IS)
		return;
	if (layout == PURE_V2) {
		while (umount2("/sys/fs/cgroup", MNT_DETACH) == 0)
			continue;
		CHECK_OK(mount("none", "/sys/fs/cgroup", "cgroup2", 0, NULL), NULL);
		return;
	}
	if (umount2("/sys/fs/cgroup/unified", MNT_DETACH) < 0)
		unit_skip("needs a hybrid layout with /sys/fs/cgroup/unified");
}

static void run_in(void *arg)
{
	const struct setup *s = arg;

	mount_layout(s->layout);
	s->fn(test_conf());
}

static void with_layout(enum layout layout, void (*fn)(struct conf *c))
{
	struct setup s = { .layout = layout, .fn = fn };

	if (!unit_is_root())
		unit_skip("needs root");
	if (access("/sys/fs/cgroup", F_OK) < 0)
		unit_skip("needs /sys/fs/cgroup");
	unit_child_ns(0, run_in, &s);
}

static struct cgroups *plan(const struct conf *c)
{
	struct cgroups *g = NULL;
	struct err *e = NULL;

	CHECK_OK(cgroup_plan(c, &test_log, &g, &e), e);
	return g;
}

/* True if no hierarchy has a cgroup with the container's name in it. */
static bool nothing_left(const struct cgroups *g)
{
	char *command = NULL;
	int r;

	CHECK(asprintf(&command, "test -z \"$(find /sys/fs/cgroup -depth -type d -name '*%s*' 2>/dev/null)\"", g->name) > 0);
	pid_t pid = fork();

	if (pid == 0) {
		(void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	CHECK(waitpid(pid, &r, 0) == pid);
	free(command);
	return r == 0;
}

/* A child in the payload's cgroups that waits for its end; it is what init is. */
static pid_t start_init(struct cgroups *g, int *ret_pidfd)
{
	struct err *e = NULL;
	int fd = cgroup_payload_fd(g);
	pid_t pid = proc_clone(0, fd, ret_pidfd, &e);

	CHECK_OK(pid, e);
	if (pid == 0)
		for (;;)
			(void)pause();
	CHECK_OK(cgroup_enter_payload(g, pid, fd >= 0, &e), e);
	return pid;
}

static char *cgroup_of(pid_t pid)
{
	char path[64], *text = NULL;
	auto_close int fd = -EBADF;

	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK_OK(io_read_fd(fd, 65536, &text, NULL), NULL);
	return text;
}

/* A member of the payload in every hierarchy that has one. */
static void check_member(struct cgroups *g, pid_t pid)
{
	auto_free char *text = cgroup_of(pid);
	size_t n = 0;

	for (size_t i = 0; i < g->h.n; i++) {
		auto_free char *line = NULL;

		if (!g->h.v[i].usable)
			continue;
		CHECK(asprintf(&line, ":%s:%s\n", g->h.v[i].v2 ? "" : g->h.v[i].label, dirs_payload(&g->h.v[i])->path) > 0);
		CHECK(strstr(text, line));
		n++;
	}
	CHECK(n > 0);
}

static void reap(pid_t pid)
{
	int status;

	CHECK_OK(proc_wait(pid, &status), NULL);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void whole_life(struct conf *c)
{
	auto_close int pidfd = -EBADF;
	struct cgroups *g = plan(c);
	struct err *e = NULL;
	char name[64];
	pid_t pid;

	CHECK_OK(cgroup_create(g, &e), e);
	CHECK(cgroup_count(g) == 0);
	pid = start_init(g, &pidfd);
	check_member(g, pid);
	CHECK(cgroup_count(g) == 1);
	(void)snprintf(name, sizeof(name), "/lxc.payload.%s", c->name);
	CHECK(STREQ(cgroup_path(g, layout_v2(&g->h) ? NULL : "memory", true), name));
	CHECK_OK(cgroup_limits(g, &e), e);
	CHECK_OK(cgroup_delegate(g, c, &e), e);
	CHECK_OK(cgroup_devices(g, &e), e);
	CHECK_OK(cgroup_freeze(g, true, 5000, &e), e);
	CHECK_OK(cgroup_freeze(g, false, 5000, &e), e);
	CHECK_OK(cgroup_freeze(g, true, 5000, &e), e);
	/* A frozen container dies as well. */
	CHECK_OK(cgroup_kill(g, &e), e);
	reap(pid);
	CHECK_OK(cgroup_remove(g, &e), e);
	CHECK_OK(cgroup_remove(g, &e), e);
	CHECK(nothing_left(g));
	cgroup_free(g);
}

static void lives_and_dies_here(void **state)
{
	with_layout(AS_IT_IS, whole_life);
}

static void lives_and_dies_on_v2(void **state)
{
	with_layout(PURE_V2, whole_life);
}

static void lives_and_dies_on_v1(void **state)
{
	with_layout(PURE_V1, whole_life);
}

/* The guest makes cgroups of its own, deep and wide. */
static void guest_tree(struct conf *c)
{
	auto_close int pidfd = -EBADF;
	struct cgroups *g = plan(c);
	struct err *e = NULL;
	pid_t pid;

	CHECK_OK(cgroup_create(g, &e), e);
	pid = start_init(g, &pidfd);
	for (size_t i = 0; i < g->h.n; i++) {
		int fd = dirs_payload(&g->h.v[i])->fd;

		for (int depth = 0; depth < 40; depth++) {
			CHECK_OK(mkdirat(fd, "side", 0755), NULL);
			CHECK_OK(mkdirat(fd, "deeper", 0755), NULL);
			fd = openat(fd, "deeper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			CHECK(fd >= 0);
		}
		if (strv_has(&g->h.v[i].controllers, "cpuset"))
			continue;
		char text[16];

		(void)snprintf(text, sizeof(text), "%d", pid);
		CHECK_OK(io_write_value(fd, "cgroup.procs", text), NULL);
	}
	CHECK(cgroup_count(g) == 1);
	CHECK_OK(cgroup_kill(g, &e), e);
	reap(pid);
	CHECK_OK(cgroup_remove(g, &e), e);
	CHECK(nothing_left(g));
}

static void a_guests_own_cgroups_go_too(void **state)
{
	with_layout(AS_IT_IS, guest_tree);
}

static void a_guests_own_cgroups_go_too_on_v1(void **state)
{
	with_layout(PURE_V1, guest_tree);
}

static void names_in_use(struct conf *c)
{
	struct cgroups *a = plan(c), *b = plan(c), *d = plan(c);
	struct err *e = NULL;
	const char *v = layout_v2(&a->h) ? NULL : "memory";
	char first[64], second[64];

	(void)snprintf(first, sizeof(first), "/lxc.payload.%s", c->name);
	(void)snprintf(second, sizeof(second), "/lxc.payload.%s-1", c->name);
	CHECK_OK(cgroup_create(a, &e), e);
	/* Empty, and yet in use: the other start has not entered it yet. */
	CHECK_OK(cgroup_create(b, &e), e);
	CHECK(STREQ(cgroup_path(a, v, true), first));
	CHECK(STREQ(cgroup_path(b, v, true), second));
	/* A monitor that dies leaves its directories behind, unlocked. */
	cgroup_free(a);
	CHECK_OK(cgroup_create(d, &e), e);
	CHECK(STREQ(cgroup_path(d, v, true), first));
	CHECK_OK(cgroup_remove(b, &e), e);
	CHECK_OK(cgroup_remove(d, &e), e);
	CHECK(nothing_left(d));
}

static void only_a_dead_leftover_is_reused(void **state)
{
	with_layout(AS_IT_IS, names_in_use);
}

static void only_a_dead_leftover_is_reused_on_v1(void **state)
{
	with_layout(PURE_V1, names_in_use);
}

static void configured_names(struct conf *c)
{
	struct cgroups *a, *b;
	struct err *e = NULL;
	char dir[64], want[128];
	const char *v;
	pid_t pid;

	(void)snprintf(dir, sizeof(dir), "%s-dir/below", c->name);
	set_str(&c->cgroup_dir, dir);
	a = plan(c);
	b = plan(c);
	v = layout_v2(&a->h) ? NULL : "memory";
	CHECK_OK(cgroup_create(a, &e), e);
	(void)snprintf(want, sizeof(want), "/%s/lxc.payload.%s", dir, c->name);
	CHECK(STREQ(cgroup_path(a, v, true), want));
	pid = start_init(a, NULL);
	check_member(a, pid);
	/* Another container in the same directory, which outlives the first. */
	CHECK_OK(cgroup_create(b, &e), e);
	CHECK_OK(cgroup_kill(a, &e), e);
	reap(pid);
	CHECK_OK(cgroup_remove(a, &e), e);
	CHECK(!nothing_left(a));
	CHECK_OK(cgroup_remove(b, &e), e);
	CHECK(nothing_left(b));
}

static void directories_above_go_with_the_last_container(void **state)
{
	with_layout(AS_IT_IS, configured_names);
}

static void fixed_names(struct conf *c)
{
	struct cgroups *a, *b;
	struct err *e = NULL;
	char text[64], want[128];
	const char *v;
	pid_t pid;

	(void)snprintf(text, sizeof(text), "%s-m", c->name);
	set_str(&c->cgroup_dir_monitor, text);
	(void)snprintf(text, sizeof(text), "%s-p/outer", c->name);
	set_str(&c->cgroup_dir_container, text);
	set_str(&c->cgroup_dir_container_inner, "inner");
	a = plan(c);
	b = plan(c);
	v = layout_v2(&a->h) ? NULL : "memory";
	CHECK_OK(cgroup_create(a, &e), e);
	(void)snprintf(want, sizeof(want), "/%s-p/outer", c->name);
	CHECK(STREQ(cgroup_path(a, v, true), want));
	(void)snprintf(want, sizeof(want), "/%s-p/outer/inner", c->name);
	CHECK(STREQ(cgroup_path(a, v, false), want));
	pid = start_init(a, NULL);
	check_member(a, pid);
	CHECK(cgroup_create(b, &e) == -EEXIST);
	CHECK(err_is(e, "cgroup-name-taken"));
	CHECK_OK(cgroup_freeze(a, true, 5000, &e), e);
	CHECK_OK(cgroup_kill(a, &e), e);
	reap(pid);
	CHECK_OK(cgroup_remove(a, &e), e);
	CHECK(nothing_left(a));
}

static void fixed_names_are_taken_or_refused(void **state)
{
	with_layout(AS_IT_IS, fixed_names);
}

static void fixed_names_on_v2(void **state)
{
	with_layout(PURE_V2, fixed_names);
}

static void crash(struct conf *c)
{
	struct cgroups *g = plan(c), *again = NULL;
	auto_buf struct buf b = BUF_INIT(65536);
	struct err *e = NULL;
	pid_t pid;

	CHECK_OK(cgroup_create(g, &e), e);
	pid = start_init(g, NULL);
	CHECK_OK(cgroup_save(g, &b), NULL);
	CHECK(!strchr(buf_str(&b), '\n'));
	cgroup_free(g);
	CHECK_OK(cgroup_restore(c, buf_str(&b), &test_log, &again, &e), e);
	CHECK(cgroup_count(again) == 1);
	check_member(again, pid);
	CHECK(cgroup_remove(again, &e) == -EBUSY);
	CHECK(err_is(e, "cgroup-busy"));
	CHECK(cgroup_count(again) == 1);
	CHECK_OK(cgroup_kill(again, &e), e);
	reap(pid);
	CHECK_OK(cgroup_remove(again, &e), e);
	CHECK(nothing_left(again));
	/* What is gone is not an error, and neither is what somebody else made since. */
	CHECK_OK(cgroup_restore(c, buf_str(&b), &test_log, &again, NULL), NULL);
	CHECK(cgroup_path(again, NULL, true) == NULL);
	CHECK_OK(cgroup_remove(again, &e), e);
}

static void what_a_dead_monitor_left_is_found_and_removed(void **state)
{
	with_layout(AS_IT_IS, crash);
}

/* The process that plays the monitor is born in its cgroup. */
static void retirement(struct conf *c)
{
	struct cgroups *g = plan(c);
	struct err *e = NULL;
	int done[2], status;
	char byte;
	pid_t pid;

	CHECK_OK(cgroup_create(g, &e), e);
	CHECK_OK(pipe2(done, O_CLOEXEC), NULL);
	pid = proc_clone(0, cgroup_monitor_fd(g), NULL, &e);
	CHECK_OK(pid, e);
	if (pid == 0) {
		CHECK_OK(cgroup_enter_monitor(g, getpid(), true, &e), e);
		CHECK_OK(cgroup_remove_payload(g, &e), e);
		CHECK_OK(cgroup_retire(g, &e), e);
		_exit(0);
	}
	fd_close(done[1]);
	CHECK_OK(proc_wait(pid, &status), NULL);
	CHECK(status == 0);
	/* The end of the pipe is the end of everything that knew it. */
	CHECK(read(done[0], &byte, 1) == 0);
	CHECK(nothing_left(g));
}

static void a_monitor_retires_from_its_own_cgroup(void **state)
{
	with_layout(AS_IT_IS, retirement);
}

static void a_monitor_retires_on_v2(void **state)
{
	with_layout(PURE_V2, retirement);
}

static void moves_out(struct conf *c)
{
	struct cgroups *g = plan(c);
	struct err *e = NULL;

	CHECK_OK(cgroup_create(g, &e), e);
	CHECK_OK(cgroup_enter_monitor(g, getpid(), false, &e), e);
	CHECK_OK(cgroup_remove(g, &e), e);
	CHECK(nothing_left(g));
}

static void a_monitor_moves_out_to_remove_its_cgroup(void **state)
{
	with_layout(AS_IT_IS, moves_out);
}

static void a_monitor_moves_out_on_v1(void **state)
{
	with_layout(PURE_V1, moves_out);
}

static void read_and_write(struct conf *c)
{
	struct cgroups *g;
	auto_buf struct buf b = BUF_INIT(65536), d = BUF_INIT(65536);
	struct err *e = NULL;

	add_item(&c->cgroup1, "memory.limit_in_bytes", "64M");
	g = plan(c);
	CHECK_OK(cgroup_create(g, &e), e);
	CHECK_OK(cgroup_limits(g, &e), e);
	CHECK_OK(cgroup_get(g, "memory.limit_in_bytes", &b, &e), e);
	CHECK(STREQ(buf_str(&b), "67108864\n"));
	CHECK_OK(cgroup_set(g, "memory.limit_in_bytes", "32M", &e), e);
	CHECK_OK(cgroup_get(g, "memory.limit_in_bytes", &d, &e), e);
	CHECK(STREQ(buf_str(&d), "33554432\n"));
	CHECK(cgroup_set(g, "memory.limit_in_bytes", "much", &e) == -EINVAL);
	CHECK(err_is(e, "limit-refused"));
	CHECK(cgroup_get(g, "memory.nonsense", &b, &e) == -ENOENT);
	CHECK(cgroup_get(g, "../cgroup.procs", &b, &e) == -EINVAL);
	CHECK(cgroup_get(g, "a/b", &b, &e) == -EINVAL);
	CHECK(cgroup_set(g, "..", "1", &e) == -EINVAL);
	CHECK_OK(cgroup_remove(g, NULL), NULL);
}

static void files_are_read_and_written(void **state)
{
	if (access("/sys/fs/cgroup/memory/memory.limit_in_bytes", F_OK) < 0)
		unit_skip("needs the memory controller on v1");
	with_layout(AS_IT_IS, read_and_write);
}

static void read_core_files(struct conf *c)
{
	struct cgroups *g = plan(c);
	auto_buf struct buf b = BUF_INIT(65536);
	struct err *e = NULL;

	CHECK_OK(cgroup_create(g, &e), e);
	CHECK_OK(cgroup_set(g, "cgroup.max.depth", "7", &e), e);
	CHECK_OK(cgroup_get(g, "cgroup.max.depth", &b, &e), e);
	CHECK(STREQ(buf_str(&b), "7\n"));
	CHECK_OK(cgroup_remove(g, NULL), NULL);
}

static void core_files_of_v2_are_read_and_written(void **state)
{
	with_layout(PURE_V2, read_core_files);
}

static void a_limit(struct conf *c)
{
	struct cgroups *g = NULL;
	struct err *e = NULL;

	add_item(&c->cgroup1, "memory.limit_in_bytes", "lots");
	g = plan(c);
	CHECK_OK(cgroup_create(g, &e), e);
	CHECK(cgroup_limits(g, &e) == -EINVAL);
	CHECK(err_is(e, "limit-refused"));
	CHECK(STREQ(err_root(e)->where, "config:10"));
	CHECK(strstr(err_root(e)->what, "memory.limit_in_bytes = lots"));
	CHECK_OK(cgroup_remove(g, NULL), NULL);
	CHECK(nothing_left(g));
}

static void a_refused_limit_names_key_value_file_and_line(void **state)
{
	if (access("/sys/fs/cgroup/memory/memory.limit_in_bytes", F_OK) < 0)
		unit_skip("needs the memory controller on v1");
	with_layout(AS_IT_IS, a_limit);
}

static void a_missing_controller(struct conf *c)
{
	struct cgroups *g = NULL;
	struct err *e = NULL;

	add_item(&c->cgroup2, "nosuch.max", "1");
	CHECK(cgroup_plan(c, &test_log, &g, &e) == -ENOENT);
	CHECK(err_is(e, "cgroup-controller-missing"));
	CHECK(STREQ(err_root(e)->where, "config:10"));
}

static void a_controller_that_does_not_exist_is_named(void **state)
{
	with_layout(AS_IT_IS, a_missing_controller);
}

/* Rules in force: as the policy says, for real opens by a process in the payload. */
static void device_rules(struct conf *c)
{
	struct cgroups *g;
	struct err *e = NULL;
	int status, fd;
	pid_t pid;

	add_item(&c->cgroup2, "devices.deny", "a");
	add_item(&c->cgroup2, "devices.allow", "c 1:3 rwm");
	add_item(&c->cgroup2, "devices.allow", "c 1:5 r");
	g = plan(c);
	CHECK_OK(cgroup_create(g, &e), e);
	CHECK_OK(cgroup_devices(g, &e), e);
	fd = cgroup_payload_fd(g);
	for (int round = 0; round < 2; round++) {
		pid = proc_clone(0, fd, NULL, &e);
		CHECK_OK(pid, e);
		if (pid == 0) {
			char byte = 0;

			CHECK_OK(cgroup_attach(g, getpid(), &e), e);
			CHECK(open("/dev/null", O_RDWR | O_CLOEXEC) >= 0);
			CHECK(open("/dev/zero", O_RDONLY | O_CLOEXEC) >= 0);
			CHECK(open("/dev/zero", O_RDWR | O_CLOEXEC) < 0 && errno == EPERM);
			CHECK((open("/dev/full", O_RDONLY | O_CLOEXEC) >= 0) == (round == 1));
			_exit(byte);
		}
		CHECK_OK(proc_wait(pid, &status), NULL);
		CHECK(status == 0);
		CHECK_OK(cgroup_device_change(g, true, "/dev/full r", &e), e);
	}
	CHECK(cgroup_device_change(g, true, "c 1:3 rwx", &e) == -EINVAL);
	CHECK(err_is(e, "device-rule-malformed"));
	CHECK_OK(cgroup_remove(g, NULL), NULL);
}

static void device_rules_hold_here(void **state)
{
	with_layout(AS_IT_IS, device_rules);
}

static void device_rules_hold_on_v2(void **state)
{
	with_layout(PURE_V2, device_rules);
}

static void unwritable(struct conf *c)
{
	struct cgroups *g = NULL;
	struct err *e = NULL;

	CHECK_OK(mount(NULL, "/sys/fs/cgroup", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), NULL);
	g = plan(c);
	CHECK(warnings && strstr(warnings, "is not writable"));
	CHECK_OK(cgroup_create(g, &e), e);
	CHECK(cgroup_path(g, NULL, true) == NULL);
	CHECK_OK(cgroup_limits(g, &e), e);
	CHECK_OK(cgroup_enter_payload(g, getpid(), false, &e), e);
	CHECK_OK(cgroup_kill(g, &e), e);
	CHECK_OK(cgroup_remove(g, &e), e);
	add_item(&c->cgroup2, "cgroup.max.depth", "5");
	CHECK(cgroup_plan(c, &test_log, &g, &e) == -EACCES);
	CHECK(err_is(e, "cgroup-not-writable"));
	CHECK(STREQ(err_root(e)->where, "config:10"));
	CHECK(*err_remedy(e));
}

static void without_a_writable_hierarchy_only_limits_fail(void **state)
{
	with_layout(PURE_V2, unwritable);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(lives_and_dies_here),
	cmocka_unit_test(lives_and_dies_on_v2),
	cmocka_unit_test(lives_and_dies_on_v1),
	cmocka_unit_test(a_guests_own_cgroups_go_too),
	cmocka_unit_test(a_guests_own_cgroups_go_too_on_v1),
	cmocka_unit_test(only_a_dead_leftover_is_reused),
	cmocka_unit_test(only_a_dead_leftover_is_reused_on_v1),
	cmocka_unit_test(directories_above_go_with_the_last_container),
	cmocka_unit_test(fixed_names_are_taken_or_refused),
	cmocka_unit_test(fixed_names_on_v2),
	cmocka_unit_test(what_a_dead_monitor_left_is_found_and_removed),
	cmocka_unit_test(a_monitor_retires_from_its_own_cgroup),
	cmocka_unit_test(a_monitor_retires_on_v2),
	cmocka_unit_test(a_monitor_moves_out_to_remove_its_cgroup),
	cmocka_unit_test(a_monitor_moves_out_on_v1),
	cmocka_unit_test(files_are_read_and_written),
	cmocka_unit_test(core_files_of_v2_are_read_and_written),
	cmocka_unit_test(a_refused_limit_names_key_value_file_and_line),
	cmocka_unit_test(a_controller_that_does_not_exist_is_named),
	cmocka_unit_test(device_rules_hold_here),
	cmocka_unit_test(device_rules_hold_on_v2),
	cmocka_unit_test(without_a_writable_hierarchy_only_limits_fail),
};
UNIT_MAIN(tests)

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
#include <sys/prctl.h>
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
		/* What somebody mounted elsewhere, a chroot say, does not make the host hybrid. */
		CHECK_OK(mount("/sys/fs/cgroup", "/mnt", NULL, MS_BIND | MS_REC, NULL), NULL);
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

/* What init is: there until it is killed, by the end of a test that fails as well. */
static attr_noreturn void linger(void)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		(void)pause();
}

/* A child in the payload's cgroups that waits for its end; it is what init is. */
static pid_t start_init(struct cgroups *g, int *ret_pidfd)
{
	struct err *e = NULL;
	int fd = cgroup_payload_fd(g);
	pid_t pid = proc_clone(0, fd, ret_pidfd, &e);

	CHECK_OK(pid, e);
	if (pid == 0)
		linger();
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

/* A member of the payload in every hierarchy that has one; of its leaf on v2 when attached. */
static void check_place(struct cgroups *g, pid_t pid, bool attached)
{
	auto_free char *text = cgroup_of(pid);
	size_t n = 0;

	for (size_t i = 0; i < g->h.n; i++) {
		auto_free char *line = NULL;

		if (!g->h.v[i].usable)
			continue;
		CHECK(asprintf(&line, ":%s:%s%s\n", g->h.v[i].v2 ? "" : g->h.v[i].label,
			       dirs_payload(&g->h.v[i])->path, attached && g->h.v[i].v2 ? "/.lxc" : "") > 0);
		CHECK(strstr(text, line));
		n++;
	}
	CHECK(n > 0);
}

static void check_member(struct cgroups *g, pid_t pid)
{
	check_place(g, pid, false);
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
	CHECK(!cgroup_is_frozen(g));
	CHECK_OK(cgroup_freeze(g, true, 5000, &e), e);
	CHECK(cgroup_is_frozen(g));
	CHECK_OK(cgroup_freeze(g, false, 5000, &e), e);
	CHECK(!cgroup_is_frozen(g));
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
		CHECK_OK(cgroup_retire(g, -1, &e), e);
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

static void put(int dir, const char *file, const char *text)
{
	auto_close int fd = openat(dir, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_true(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

/* Files as the kernel has them: base with processes in it, and in it the container's. */
static void no_thread_root_is_made(void **state)
{
	char dir[] = "/tmp/unit-cgroup.XXXXXX", limit[] = "/base/limit";
	struct cgroups g = { .fixed_names = false };
	struct hierarchy h = { .v2 = true, .mount = dir, .base = (char *)"base" };
	auto_strv struct strv on = { 0 };

	(void)state;
	assert_true(mkdtemp(dir));
	auto_close int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(root >= 0 && mkdirat(root, "base", 0755) == 0 && mkdirat(root, "base/limit", 0755) == 0);
	auto_close int base = openat(root, "base", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	h.root_fd = root;
	h.dir[CG_LIMIT].path = limit;
	put(base, "cgroup.controllers", "cpu pids\n");
	put(base, "cgroup.subtree_control", "");
	put(base, "cgroup.type", "domain\n");
	put(base, "cgroup.procs", "17\n");
	assert_int_equal(v2_enable(&g, &h, NULL), 0);
	assert_int_equal(v2_read_words(base, "cgroup.subtree_control", &on), 0);
	assert_int_equal(on.n, 0);
	put(base, "cgroup.procs", "");
	assert_int_equal(v2_enable(&g, &h, NULL), 0);
	assert_int_equal(v2_read_words(base, "cgroup.subtree_control", &on), 0);
	assert_int_equal(on.n, 2);
	for (const char *const *f = (const char *const[]){ "cgroup.controllers", "cgroup.subtree_control", "cgroup.type",
							   "cgroup.procs", NULL };
	     *f; f++)
		assert_true(unlinkat(base, *f, 0) == 0);
	assert_true(unlinkat(base, "limit", AT_REMOVEDIR) == 0);
	assert_true(unlinkat(root, "base", AT_REMOVEDIR) == 0 && rmdir(dir) == 0);
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

static bool is_writable(int root, const char *path)
{
	auto_free char *dir = NULL;
	bool made;

	CHECK(asprintf(&dir, "%s/probe", path) > 0);
	made = mkdirat(root, dir, 0755) == 0;
	CHECK(made || errno == EROFS);
	if (made)
		CHECK_OK(unlinkat(root, dir, AT_REMOVEDIR), NULL);
	return made;
}

static bool exists(int root, const char *path)
{
	return faccessat(root, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Runs as init does: in the payload, with or without a cgroup namespace; the root is an empty tmpfs. */
static void mounted(struct conf *c, bool namespace, void (*check)(const struct cgroups *g, int root))
{
	struct cgroups *g = plan(c);
	struct err *e = NULL;
	int status, fd;
	pid_t pid;

	CHECK_OK(cgroup_create(g, &e), e);
	fd = cgroup_payload_fd(g);
	pid = proc_clone(CLONE_NEWNS, fd, NULL, &e);
	CHECK_OK(pid, e);
	if (pid == 0) {
		int root;

		CHECK_OK(cgroup_enter_payload(g, getpid(), fd >= 0, &e), e);
		if (namespace)
			CHECK_OK(unshare(CLONE_NEWCGROUP), NULL);
		CHECK_OK(mount("none", "/mnt", "tmpfs", 0, NULL), NULL);
		root = open("/mnt", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		CHECK_OK(cgroup_mount(g, c, root, namespace, &e), e);
		check(g, root);
		_exit(0);
	}
	CHECK_OK(proc_wait(pid, &status), NULL);
	CHECK_OK(cgroup_remove(g, &e), e);
	CHECK(nothing_left(g));
	CHECK(status == 0);
}

static void check_nothing(const struct cgroups *g, int root)
{
	(void)g;
	CHECK(!exists(root, "sys/fs/cgroup"));
}

/* Every hierarchy shows the container's own cgroup as its root. */
static void check_tree(const struct cgroups *g, int root, bool tmpfs_writable, bool own_writable)
{
	CHECK(is_writable(root, "sys/fs/cgroup") == tmpfs_writable);
	for (size_t i = 0; i < g->h.n; i++) {
		const struct hierarchy *h = &g->h.v[i];
		const char *name = strchr(h->label, '=') ? strchr(h->label, '=') + 1 : h->label;
		struct stat here, there;
		char path[512];

		(void)snprintf(path, sizeof(path), "sys/fs/cgroup/%s", name);
		CHECK_OK(fstatat(root, path, &here, 0), NULL);
		CHECK_OK(fstat(h->dir[CG_LIMIT].fd, &there), NULL);
		CHECK(here.st_ino == there.st_ino);
		CHECK(is_writable(root, path) == own_writable);
		for (size_t k = 0; k < h->controllers.n && h->controllers.n > 1 && !h->v2; k++) {
			(void)snprintf(path, sizeof(path), "sys/fs/cgroup/%s", h->controllers.v[k]);
			CHECK(exists(root, path));
		}
	}
}

static void check_rw_tree(const struct cgroups *g, int root)
{
	check_tree(g, root, true, true);
}

static void check_mixed_tree(const struct cgroups *g, int root)
{
	check_tree(g, root, false, true);
}

static void check_ro_tree(const struct cgroups *g, int root)
{
	check_tree(g, root, false, false);
}

static void automount_in_namespace(struct conf *c)
{
	c->auto_cgroup = CGAUTO_MIXED;
	mounted(c, true, check_nothing);
	c->auto_cgroup_force = true;
	mounted(c, true, check_mixed_tree);
	c->auto_cgroup = CGAUTO_RO;
	mounted(c, true, check_ro_tree);
	c->auto_cgroup = CGAUTO_DEFAULT;
	mounted(c, true, check_rw_tree);
	/* A guest that may not mount gets its mounts from us, and "cgroup" is mixed then. */
	c->auto_cgroup_force = false;
	add_item(&c->cap_drop, "", "sys_admin");
	mounted(c, true, check_mixed_tree);
}

static void need_v1(void)
{
	if (access("/sys/fs/cgroup/memory/memory.limit_in_bytes", F_OK) < 0)
		unit_skip("needs the memory controller on v1");
}

static void the_guest_sees_its_own_cgroups(void **state)
{
	need_v1();
	with_layout(AS_IT_IS, automount_in_namespace);
}

static char *bound(const struct hierarchy *h, bool own)
{
	const char *name = strchr(h->label, '=') ? strchr(h->label, '=') + 1 : h->label;
	char *path = NULL;

	CHECK(asprintf(&path, "sys/fs/cgroup/%s%s", name, own ? h->dir[CG_LIMIT].path : "") > 0);
	return path;
}

static void check_bound(const struct cgroups *g, int root, bool whole_writable, bool own_writable, bool full)
{
	for (size_t i = 0; i < g->h.n; i++) {
		auto_free char *whole = bound(&g->h.v[i], false), *own = bound(&g->h.v[i], true), *probe = NULL;

		CHECK(is_writable(root, whole) == whole_writable);
		CHECK(is_writable(root, own) == own_writable);
		CHECK(asprintf(&probe, "%s/cgroup.procs", whole) > 0);
		CHECK(exists(root, probe) == full);
	}
}

static void check_bound_mixed(const struct cgroups *g, int root)
{
	check_bound(g, root, false, true, false);
}

static void check_bound_ro(const struct cgroups *g, int root)
{
	check_bound(g, root, false, false, false);
}

static void check_full_mixed(const struct cgroups *g, int root)
{
	check_bound(g, root, false, true, true);
}

static void check_full_ro(const struct cgroups *g, int root)
{
	check_bound(g, root, false, false, true);
}

static void automount_without_namespace(struct conf *c)
{
	c->auto_cgroup = CGAUTO_MIXED;
	mounted(c, false, check_bound_mixed);
	c->auto_cgroup = CGAUTO_RO;
	mounted(c, false, check_bound_ro);
	c->auto_cgroup = CGAUTO_FULL_MIXED;
	mounted(c, false, check_full_mixed);
	c->auto_cgroup = CGAUTO_FULL_RO;
	mounted(c, false, check_full_ro);
}

static void without_a_namespace_its_own_directories_are_bound(void **state)
{
	need_v1();
	with_layout(AS_IT_IS, automount_without_namespace);
}

static void check_v2_rw(const struct cgroups *g, int root)
{
	struct stat here, there;

	CHECK_OK(fstatat(root, "sys/fs/cgroup", &here, 0), NULL);
	CHECK_OK(fstat(layout_v2((struct hierarchies *)&g->h)->dir[CG_LIMIT].fd, &there), NULL);
	CHECK(here.st_ino == there.st_ino);
	CHECK(is_writable(root, "sys/fs/cgroup"));
}

static void check_v2_ro(const struct cgroups *g, int root)
{
	(void)g;
	CHECK(exists(root, "sys/fs/cgroup/cgroup.procs"));
	CHECK(!is_writable(root, "sys/fs/cgroup"));
}

static void automount_v2(struct conf *c)
{
	struct err *e = NULL;
	struct cgroups *g;

	c->auto_cgroup = CGAUTO_MIXED;
	mounted(c, true, check_v2_rw);
	c->auto_cgroup = CGAUTO_V2_RO;
	mounted(c, true, check_v2_ro);
	g = plan(c);
	CHECK(cgroup_mount(g, c, AT_FDCWD, false, &e) == -ENOTSUP);
	CHECK(err_is(e, "cgroup-mount-unsupported"));
}

static void on_v2_there_is_one_mount(void **state)
{
	with_layout(PURE_V2, automount_v2);
}

static void need_hugetlb_on_v2(void)
{
	auto_strv struct strv words = { 0 };
	auto_close int root = open("/sys/fs/cgroup", O_PATH | O_DIRECTORY | O_CLOEXEC);

	CHECK_OK(v2_read_words(root, "cgroup.controllers", &words), NULL);
	if (!strv_has(&words, "hugetlb"))
		unit_skip("needs the hugetlb controller on v2");
}

static void limits_on_v2(struct conf *c)
{
	auto_buf struct buf b = BUF_INIT(4096);
	struct cgroups *g;
	struct err *e = NULL;
	char dir[64];

	need_hugetlb_on_v2();
	(void)snprintf(dir, sizeof(dir), "%s-a/b", c->name);
	set_str(&c->cgroup_dir, dir);
	add_item(&c->cgroup2, "hugetlb.2MB.max", "4M");
	add_item(&c->cgroup1, "hugetlb.2MB.rsvd.limit_in_bytes", "-1");
	g = plan(c);
	CHECK_OK(cgroup_create(g, &e), e);
	CHECK_OK(cgroup_limits(g, &e), e);
	CHECK_OK(cgroup_get(g, "hugetlb.2MB.max", &b, &e), e);
	CHECK(STREQ(buf_str(&b), "4194304\n"));
	CHECK_OK(cgroup_remove(g, &e), e);
	CHECK(nothing_left(g));
	add_item(&c->cgroup2, "hugetlb.3MB.max", "4M");
	g = plan(c);
	CHECK_OK(cgroup_create(g, &e), e);
	CHECK(cgroup_limits(g, &e) == -ENOENT);
	CHECK(err_is(e, "cgroup-file-unknown"));
	CHECK(STREQ(err_root(e)->where, "config:11"));
	CHECK_OK(cgroup_remove(g, NULL), NULL);
}

static void controllers_are_enabled_down_to_the_limits(void **state)
{
	with_layout(PURE_V2, limits_on_v2);
}

/* The base holds processes itself: the kernel enables nothing below it. */
static void busy_base(struct conf *c)
{
	auto_free char *base = NULL;
	auto_close int root = open("/sys/fs/cgroup", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -EBADF;
	struct cgroups *g;
	struct err *e = NULL;
	int r;

	need_hugetlb_on_v2();
	CHECK(asprintf(&base, "%s-base", c->name) > 0);
	CHECK_OK(mkdirat(root, base, 0755), NULL);
	fd = openat(root, base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_OK(io_write_value(fd, "cgroup.procs", "0"), NULL);
	c->cgroup_relative.v = 1;
	g = plan(c);
	CHECK_OK(cgroup_create(g, &e), e);
	CHECK_OK(cgroup_remove(g, &e), e);
	add_item(&c->cgroup2, "hugetlb.2MB.max", "4M");
	g = plan(c);
	r = cgroup_create(g, &e);
	CHECK_OK(io_write_value(root, "cgroup.procs", "0"), NULL);
	CHECK_OK(unlinkat(root, base, AT_REMOVEDIR), NULL);
	CHECK(r == -ENOTSUP);
	CHECK(err_is(e, "cgroup-controller-off"));
	CHECK(strstr(err_root(e)->what, base) && strstr(err_root(e)->what, "hugetlb"));
}

static void a_controller_that_cannot_be_enabled_is_named(void **state)
{
	with_layout(PURE_V2, busy_base);
}

static void add_map(struct conf *c, bool gid, uint32_t nsid, uint32_t hostid, uint32_t range)
{
	struct conf_idmap m = { .gid = gid, .nsid = nsid, .hostid = hostid, .range = range };

	CHECK(VEC_PUSH(&c->idmap, m) == 0);
}

static void delegation(struct conf *c)
{
	struct cgroups *g;
	struct err *e = NULL;

	add_map(c, false, 0, 100000, 65536);
	add_map(c, true, 0, 200000, 65536);
	g = plan(c);
	CHECK_OK(cgroup_create(g, &e), e);
	CHECK_OK(cgroup_delegate(g, c, &e), e);
	for (size_t i = 0; i < g->h.n; i++) {
		int fd = g->h.v[i].dir[CG_LIMIT].fd;
		struct stat st;

		CHECK_OK(fstat(fd, &st), NULL);
		CHECK(st.st_uid == 100000 && st.st_gid == 200000 && (st.st_mode & 07777) == 0775);
		CHECK_OK(fstatat(fd, "cgroup.procs", &st, 0), NULL);
		CHECK(st.st_uid == 100000 && st.st_gid == 200000 && (st.st_mode & 0777) == 0664);
		if (fstatat(fd, g->h.v[i].v2 ? "cgroup.freeze" : "memory.limit_in_bytes", &st, 0) == 0)
			CHECK(st.st_uid == 0 && st.st_gid == 0);
	}
	CHECK_OK(cgroup_remove(g, &e), e);
	CHECK(nothing_left(g));
}

static void a_mapped_root_owns_its_directory_but_not_its_limits(void **state)
{
	with_layout(AS_IT_IS, delegation);
}

static void malformed_text(struct conf *c)
{
	static const char *const bad[] = {
		"", "2", "1 m", "1 m:unified", "1 l:unified:1:relative", "1 l:unified:1:/../x", "1 l:unified:1:/",
		"1 l:unified:-1:/x", "1 l:unified:x:/x", "1 l:unified:1:/x%0", "1 l:unified:1:/x%00",
		"1 l:unified:1:/x%0ay", "1 q:unified:1:/x", "1 p:unified:/abs", "1 p:unified:../x", "1 h:unified:x",
		"1 x:c:1:3:7", "1 d:deny x:q:1:3:7", "1 d:deny x:c:1:3:8", "1 d:deny x:c:-2:3:7", "1 d:deny x:c:1:3",
		"1 l:unified:1:/x:y:z:a",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cgroups *g = NULL;
		struct err *e = NULL;

		if (cgroup_restore(c, bad[i], &test_log, &g, &e) >= 0 || g)
			unit_child_fail(__FILE__, __LINE__, bad[i]);
		err_free(e);
	}
}

static void saved_text_is_not_believed_blindly(void **state)
{
	with_layout(PURE_V2, malformed_text);
}

static bool same_text(const char *a, const char *b)
{
	return a && b && STREQ(a, b);
}

/* Init moves itself on v1; the monitor stays where it was. */
static void birth(struct conf *c)
{
	auto_free char *before = cgroup_of(getpid()), *after = NULL;
	struct cgroups *g = plan(c);
	struct err *e = NULL;
	int fd, done[2];
	pid_t pid;
	char byte;

	CHECK_OK(cgroup_create(g, &e), e);
	fd = cgroup_payload_fd(g);
	CHECK_OK(pipe2(done, O_CLOEXEC), NULL);
	cgroup_birth_begin(g);
	pid = proc_clone(0, fd, NULL, &e);
	if (pid == 0) {
		CHECK_OK(cgroup_birth_join(g, &e), e);
		CHECK(write(done[1], "", 1) == 1);
		linger();
	}
	cgroup_birth_end(g);
	CHECK_OK(pid, e);
	fd_close(done[1]);
	CHECK(read(done[0], &byte, 1) == 1);
	check_member(g, pid);
	after = cgroup_of(getpid());
	CHECK(same_text(before, after));
	CHECK_OK(cgroup_enter_payload(g, pid, fd >= 0, &e), e);
	check_member(g, pid);
	CHECK_OK(cgroup_kill(g, &e), e);
	reap(pid);
	CHECK_OK(cgroup_remove(g, &e), e);
	CHECK(nothing_left(g));
}

static void init_is_born_in_its_cgroups(void **state)
{
	with_layout(AS_IT_IS, birth);
}

/* A plan whose v1 hierarchies wait, and are not there yet. */
static struct cgroups *plan_later(struct conf *c)
{
	struct cgroups *g = plan(c);
	struct err *e = NULL;
	size_t later = 0;

	if (!cgroup_may_be_later(g))
		unit_skip("needs a hybrid layout");
	cgroup_leave_rest(g, true);
	CHECK_OK(cgroup_create(g, &e), e);
	for (size_t i = 0; i < g->h.n; i++) {
		CHECK(!g->h.v[i].usable || (g->h.v[i].later != NULL) == !g->h.v[i].v2);
		CHECK((dirs_payload(&g->h.v[i])->fd >= 0) == g->h.v[i].v2);
		later += g->h.v[i].later != NULL;
	}
	CHECK(later > 0);
	return g;
}

/* What init does: born without them, it gets them from the monitor. Their descriptors are both processes'. */
static void late(struct conf *c)
{
	struct cgroups *g = plan_later(c);
	struct cgroup_entry entry;
	struct err *e = NULL;
	int go[2], done[2];
	pid_t pid;
	char byte;

	CHECK_OK(pipe2(go, O_CLOEXEC), NULL);
	CHECK_OK(pipe2(done, O_CLOEXEC), NULL);
	pid = proc_clone(CLONE_FILES, cgroup_payload_fd(g), NULL, &e);
	if (pid == 0) {
		CHECK(read(go[0], &entry, sizeof(entry)) == sizeof(entry));
		CHECK(cgroup_join_rest(g, entry.v1, 0, &e) == -EBADF);
		CHECK(strstr(err_line(e), "lxc.payload."));
		err_free(take_ptr(e));
		CHECK_OK(cgroup_join_rest(g, entry.v1, entry.n, &e), e);
		CHECK(write(done[1], "", 1) == 1);
		linger();
	}
	CHECK_OK(pid, e);
	CHECK_OK(cgroup_create_rest(g, &entry, &e), e);
	CHECK(write(go[1], &entry, sizeof(entry)) == sizeof(entry));
	CHECK(read(done[0], &byte, 1) == 1);
	cgroup_entry_done(&entry);
	check_member(g, pid);
	CHECK_OK(cgroup_enter_payload(g, pid, true, &e), e);
	CHECK_OK(cgroup_kill(g, &e), e);
	reap(pid);
	/* Another life, as after a reboot. */
	CHECK_OK(cgroup_remove_payload(g, &e), e);
	CHECK_OK(cgroup_create(g, &e), e);
	CHECK_OK(cgroup_create_rest(g, &entry, &e), e);
	CHECK(entry.n > 0);
	cgroup_entry_done(&entry);
	CHECK_OK(cgroup_remove(g, &e), e);
	CHECK(nothing_left(g));
}

static void init_enters_v1_when_it_is_there(void **state)
{
	with_layout(AS_IT_IS, late);
}

/* A monitor that is killed between the two: what it has named is found; not what another has made, or is in. */
static void late_crash(struct conf *c)
{
	auto_buf struct buf b = BUF_INIT(65536);
	struct cgroups *g = plan_later(c), *again = NULL;
	struct cgroup_entry entry;
	struct err *e = NULL;

	CHECK_OK(cgroup_save(g, &b), NULL);
	CHECK_OK(cgroup_create_rest(g, &entry, &e), e);
	cgroup_entry_done(&entry);
	/* Its lock is g's: as of another container. */
	CHECK_OK(cgroup_restore(c, buf_str(&b), &test_log, &again, &e), e);
	CHECK(cgroup_path(again, NULL, true) && !cgroup_path(again, "memory", true));
	cgroup_free(again);
	cgroup_free(g);
	CHECK_OK(cgroup_restore(c, buf_str(&b), &test_log, &again, &e), e);
	CHECK(cgroup_path(again, "memory", true) != NULL);
	CHECK_OK(cgroup_remove(again, &e), e);
	CHECK(nothing_left(again));
}

static void what_was_to_be_made_is_found(void **state)
{
	with_layout(AS_IT_IS, late_crash);
}

/* Another program takes a name when all seemed free. */
static void late_race(struct conf *c)
{
	struct cgroups *g = plan_later(c);
	struct hierarchy *h = layout_find(&g->h, "pids");
	struct cgroup_entry entry;
	struct err *e = NULL;
	char name[64];
	int other;
	pid_t pid;

	if (!h || h->v2)
		unit_skip("needs pids on v1");
	(void)snprintf(name, sizeof(name), "lxc.payload.%s", c->name);
	CHECK_OK(mkdirat(h->root_fd, name, 0755), NULL);
	pid = fork();
	if (pid == 0)
		linger();
	other = openat(h->root_fd, name, CG_LEAF_FLAGS);
	CHECK(other >= 0 && dprintf(openat(other, "cgroup.procs", O_WRONLY | O_CLOEXEC), "%d", pid) > 0);
	CHECK_OK(cgroup_create_rest(g, &entry, &e), e);
	cgroup_entry_done(&entry);
	CHECK(strncmp(cgroup_path(g, "pids", true) + 1, name, strlen(name)) == 0);
	CHECK(STREQ(cgroup_path(g, "pids", true) + 1 + strlen(name), "-1"));
	CHECK(STREQ(cgroup_path(g, "memory", true) + 1, name));
	CHECK_OK(cgroup_remove(g, &e), e);
	CHECK(faccessat(h->root_fd, name, F_OK, 0) == 0);
	CHECK_OK(kill(pid, SIGKILL), NULL);
	reap(pid);
	CHECK_OK(unlinkat(h->root_fd, name, AT_REMOVEDIR), NULL);
	CHECK(nothing_left(g));
}

static void a_name_that_is_taken_meanwhile_is_left_alone(void **state)
{
	with_layout(AS_IT_IS, late_race);
}

static void visit(struct conf *c)
{
	struct cgroup_entry x = { .v2 = -EBADF };
	struct cgroups *g = plan(c);
	struct err *e = NULL;
	int done[2];
	char byte;
	pid_t pid;

	CHECK_OK(cgroup_create(g, &e), e);
	for (int by_monitor = 0; by_monitor < 2; by_monitor++) {
		CHECK_OK(cgroup_attach_open(g, &x, &e), e);
		CHECK_OK(pipe2(done, O_CLOEXEC), NULL);
		/* Not born there: the payload has been killed once, see can_be_born. */
		pid = proc_clone(0, -1, NULL, &e);
		CHECK_OK(pid, e);
		if (pid == 0) {
			if (!by_monitor)
				CHECK_OK(cgroup_attach_self(&x, false), NULL);
			CHECK(write(done[1], "", 1) == 1);
			linger();
		}
		fd_close(done[1]);
		CHECK(read(done[0], &byte, 1) == 1);
		fd_close(done[0]);
		if (by_monitor)
			CHECK_OK(cgroup_attach(g, pid, &e), e);
		check_place(g, pid, true);
		CHECK_OK(cgroup_kill(g, &e), e);
		reap(pid);
		cgroup_entry_done(&x);
	}
	CHECK_OK(cgroup_remove(g, &e), e);
	CHECK(nothing_left(g));
}

static void a_process_attaches_by_itself_or_is_moved(void **state)
{
	need_v1();
	with_layout(AS_IT_IS, visit);
}

/* The guest has enabled controllers: its root takes no processes any more. */
static void visit_busy(struct conf *c)
{
	struct cgroup_entry x = { .v2 = -EBADF };
	auto_free char *text = NULL;
	struct cgroups *g = plan(c);
	struct err *e = NULL;
	pid_t pid;

	need_hugetlb_on_v2();
	CHECK_OK(cgroup_create(g, &e), e);
	CHECK_OK(io_write_value(cgroup_payload_fd(g), "cgroup.subtree_control", "+hugetlb"), NULL);
	CHECK_OK(cgroup_attach_open(g, &x, &e), e);
	pid = proc_clone(0, x.v2, NULL, &e);
	CHECK_OK(pid, e);
	if (pid == 0)
		linger();
	text = cgroup_of(pid);
	CHECK(strstr(text, "/.lxc\n"));
	CHECK_OK(cgroup_kill(g, &e), e);
	reap(pid);
	CHECK_OK(cgroup_remove(g, &e), e);
	CHECK(nothing_left(g));
}

static void who_attaches_finds_a_leaf(void **state)
{
	with_layout(PURE_V2, visit_busy);
}

/* The monitor keeps its cgroup over a reboot, the payload gets a fresh one. */
static void reboot(struct conf *c)
{
	struct cgroups *g = plan(c);
	struct err *e = NULL;
	pid_t pid;

	for (int round = 0; round < 3; round++) {
		CHECK_OK(cgroup_create(g, &e), e);
		CHECK_OK(cgroup_create(g, &e), e);
		pid = start_init(g, NULL);
		check_member(g, pid);
		CHECK_OK(cgroup_kill(g, &e), e);
		reap(pid);
		CHECK_OK(cgroup_remove_payload(g, &e), e);
		CHECK(cgroup_path(g, "memory", true) == NULL);
		CHECK(cgroup_count(g) == 0);
	}
	CHECK_OK(cgroup_remove(g, &e), e);
	CHECK(nothing_left(g));
}

static void a_reboot_gets_a_fresh_payload(void **state)
{
	with_layout(AS_IT_IS, reboot);
}

/* The caller's own cgroup has been killed once: on some kernels nobody is born from there. */
static void marked_parent(struct conf *c)
{
	auto_close int root = open("/sys/fs/cgroup", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_free char *base = NULL, *kill_file = NULL;
	struct cgroups *g;
	struct err *e = NULL;
	int fd, status, done[2];
	char byte;
	pid_t pid;

	CHECK(asprintf(&base, "%s-marked", c->name) > 0 && asprintf(&kill_file, "%s/cgroup.kill", base) > 0);
	CHECK_OK(mkdirat(root, base, 0755), NULL);
	if (io_write_value(root, kill_file, "1") < 0) {
		CHECK_OK(unlinkat(root, base, AT_REMOVEDIR), NULL);
		unit_skip("needs cgroup.kill");
	}
	fd = openat(root, base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_OK(io_write_value(fd, "cgroup.procs", "0"), NULL);
	g = plan(c);
	CHECK_OK(cgroup_create(g, &e), e);
	fd = cgroup_birth_fd(g, false);
	pid = proc_clone(0, fd, NULL, &e);
	CHECK_OK(pid, e);
	if (pid == 0) {
		(void)poll(NULL, 0, 50);
		_exit(42);
	}
	CHECK_OK(cgroup_enter_payload(g, pid, fd >= 0, &e), e);
	check_member(g, pid);
	CHECK_OK(proc_wait(pid, &status), NULL);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	/* A monitor that retires leaves somebody who is not killed over it either. */
	CHECK_OK(pipe2(done, O_CLOEXEC), NULL);
	pid = proc_clone(0, cgroup_birth_fd(g, true), NULL, &e);
	CHECK_OK(pid, e);
	if (pid == 0) {
		CHECK_OK(cgroup_enter_monitor(g, getpid(), cgroup_birth_fd(g, true) >= 0, &e), e);
		CHECK_OK(cgroup_remove_payload(g, &e), e);
		CHECK_OK(cgroup_retire(g, -1, &e), e);
		_exit(0);
	}
	fd_close(done[1]);
	CHECK(read(done[0], &byte, 1) == 0);
	CHECK_OK(proc_wait(pid, &status), NULL);
	CHECK(status == 0);
	CHECK_OK(io_write_value(root, "cgroup.procs", "0"), NULL);
	CHECK_OK(unlinkat(root, base, AT_REMOVEDIR), NULL);
	CHECK(nothing_left(g));
}

static void nobody_is_killed_at_birth(void **state)
{
	with_layout(PURE_V2, marked_parent);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_reboot_gets_a_fresh_payload),
	cmocka_unit_test(nobody_is_killed_at_birth),
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
	cmocka_unit_test(no_thread_root_is_made),
	cmocka_unit_test(without_a_writable_hierarchy_only_limits_fail),
	cmocka_unit_test(the_guest_sees_its_own_cgroups),
	cmocka_unit_test(without_a_namespace_its_own_directories_are_bound),
	cmocka_unit_test(on_v2_there_is_one_mount),
	cmocka_unit_test(init_is_born_in_its_cgroups),
	cmocka_unit_test(init_enters_v1_when_it_is_there),
	cmocka_unit_test(what_was_to_be_made_is_found),
	cmocka_unit_test(a_name_that_is_taken_meanwhile_is_left_alone),
	cmocka_unit_test(a_process_attaches_by_itself_or_is_moved),
	cmocka_unit_test(who_attaches_finds_a_leaf),
	cmocka_unit_test(saved_text_is_not_believed_blindly),
	cmocka_unit_test(controllers_are_enabled_down_to_the_limits),
	cmocka_unit_test(a_controller_that_cannot_be_enabled_is_named),
	cmocka_unit_test(a_mapped_root_owns_its_directory_but_not_its_limits),
};
UNIT_MAIN(tests)

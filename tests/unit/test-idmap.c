/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "kernel/idmap.h"
#include "kernel/proc.h"

static const char config[] = "/c/config";

static void add(struct idmap *m, bool gid, uint32_t nsid, uint32_t hostid, uint32_t range, unsigned line)
{
	struct idmap_range r = { gid, nsid, hostid, range, { config, line } };

	if (VEC_PUSH(m, r) < 0)
		abort();
}

/* Both kinds alike. */
static void add_both(struct idmap *m, uint32_t nsid, uint32_t hostid, uint32_t range)
{
	add(m, false, nsid, hostid, range, 1);
	add(m, true, nsid, hostid, range, 2);
}

static void good_maps_pass(void **state)
{
	struct idmap m = { 0 };

	assert_int_equal(idmap_check(&m, NULL), 0);
	add_both(&m, 0, 100000, 1000);
	add_both(&m, 1000, 1000, 1);
	add_both(&m, 1001, 101001, 64535);
	assert_int_equal(idmap_check(&m, NULL), 0);
	idmap_done(&m);
	add_both(&m, 0, 0, 4294967295U);
	assert_int_equal(idmap_check(&m, NULL), 0);
	idmap_done(&m);
}

static void overlaps_name_both_lines(void **state)
{
	auto_err struct err *e = NULL;
	struct idmap m = { 0 };

	add(&m, false, 0, 100000, 65536, 3);
	add(&m, false, 65535, 300000, 1, 4);
	assert_int_equal(idmap_check(&m, &e), -EINVAL);
	assert_err_id(e, "idmap-overlap");
	assert_err_has(e, "/c/config:4: id range 'u 65535 300000 1' overlaps 'u 0 100000 65536' (/c/config:3)");
	assert_err_has(e, "ids of the container");
	m.v[1] = (struct idmap_range){ false, 65536, 165535, 10, { config, 5 } };
	assert_int_equal(idmap_check(&m, &e), -EINVAL);
	assert_err_has(e, "ids of the host");
	idmap_done(&m);
}

static void users_and_groups_do_not_overlap(void **state)
{
	struct idmap m = { 0 };

	add_both(&m, 0, 1000, 1);
	assert_int_equal(idmap_check(&m, NULL), 0);
	idmap_done(&m);
}

static void empty_and_overlong_ranges_are_refused(void **state)
{
	static const uint32_t bad[][3] = {
		{ 0, 0, 0 }, { 1, 0, 4294967295U }, { 0, 1, 4294967295U }, { 4294967295U, 0, 1 }, { 0, 4294967290U, 6 },
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_err struct err *e = NULL;
		struct idmap m = { 0 };

		add(&m, true, bad[i][0], bad[i][1], bad[i][2], 9);
		assert_int_equal(idmap_check(&m, &e), -EINVAL);
		assert_err_id(e, "idmap-range-bad");
		assert_err_has(e, "/c/config:9");
		idmap_done(&m);
	}
}

static void a_kind_must_not_be_missing(void **state)
{
	auto_err struct err *e = NULL;
	struct idmap m = { 0 };

	add(&m, false, 0, 100000, 65536, 1);
	assert_int_equal(idmap_check(&m, &e), -EINVAL);
	assert_err_id(e, "idmap-kind-missing");
	assert_err_has(e, "no gid range");
	m.v[0].gid = true;
	assert_int_equal(idmap_check(&m, &e), -EINVAL);
	assert_err_has(e, "no uid range");
	idmap_done(&m);
}

static void three_hundred_and_forty_ranges_are_the_most(void **state)
{
	auto_err struct err *e = NULL;
	struct idmap m = { 0 };

	for (uint32_t i = 0; i < 340; i++)
		add_both(&m, i, i, 1);
	assert_int_equal(idmap_check(&m, NULL), 0);
	add(&m, false, 340, 340, 1, 7);
	assert_int_equal(idmap_check(&m, &e), -E2BIG);
	assert_err_id(e, "idmap-too-many");
	idmap_done(&m);
}

static void ids_translate_both_ways(void **state)
{
	struct idmap m = { 0 };

	add_both(&m, 0, 100000, 1000);
	add(&m, false, 1000, 1000, 1, 3);
	assert_int_equal(idmap_to_host(&m, false, 0), 100000);
	assert_int_equal(idmap_to_host(&m, false, 999), 100999);
	assert_int_equal(idmap_to_host(&m, false, 1000), 1000);
	assert_int_equal(idmap_to_host(&m, true, 1000), UINT32_MAX);
	assert_int_equal(idmap_to_host(&m, false, 1001), UINT32_MAX);
	assert_int_equal(idmap_to_ns(&m, false, 100999), 999);
	assert_int_equal(idmap_to_ns(&m, false, 1000), 1000);
	assert_int_equal(idmap_to_ns(&m, true, 99999), UINT32_MAX);
	assert_int_equal(idmap_to_ns(&m, true, 101000), UINT32_MAX);
	idmap_done(&m);
}

static pid_t waiting_child(void)
{
	pid_t pid = proc_clone(CLONE_NEWUSER, -1, NULL, NULL);

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}
	if (pid < 0)
		unit_skip("needs userns: %s", strerror(-pid));
	return pid;
}

static void drop_child(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)proc_wait(pid, NULL);
}

static void map_of(pid_t pid, const char *name, char *text, size_t size)
{
	unsigned a, b, n;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	auto_fclose FILE *f = fopen(path, "re");

	CHECK(f && fscanf(f, "%u %u %u", &a, &b, &n) == 3);
	(void)snprintf(text, size, "%u %u %u", a, b, n);
}

/* Root over all ids needs no grant in any file. */
static void root_maps_what_it_likes(void **state)
{
	struct idmap m = { 0 };
	auto_err struct err *e = NULL;
	char text[64];
	pid_t pid;

	if (!unit_is_root())
		unit_skip("needs root");
	add_both(&m, 0, 3000000000U, 65536);
	pid = waiting_child();
	int r = idmap_write(&m, pid, &e);

	map_of(pid, "uid_map", text, sizeof(text));
	assert_string_equal(text, "0 3000000000 65536");
	map_of(pid, "gid_map", text, sizeof(text));
	assert_string_equal(text, "0 3000000000 65536");
	drop_child(pid);
	assert_int_equal(r, 0);
	idmap_done(&m);
}

/* As an ordinary user who was granted nothing. */
static void refused_range(void *arg)
{
	struct idmap m = { 0 };
	auto_free char *line = NULL;
	struct err *e = NULL;
	pid_t pid;

	if (geteuid() == 0)
		CHECK(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
	add_both(&m, 0, 2000000000U, 65536);
	pid = waiting_child();
	CHECK(idmap_write(&m, pid, &e) < 0);
	drop_child(pid);
	if (err_is(e, "program-missing"))
		unit_skip("needs newgidmap (package uidmap)");
	line = err_line(e);
	if (!err_is(e, "idmap-not-granted") || !strstr(line, "/c/config:2: gid range 2000000000-2000065535 is not granted to ") ||
	    !strstr(line, "in /etc/subgid") || !strstr(line, "usermod --add-subgids 2000000000-2000065535 "))
		unit_child_fail(__FILE__, __LINE__, line);
	err_free(e);
	idmap_done(&m);
}

static void a_range_that_is_not_granted_is_named_with_the_cure(void **state)
{
	if (geteuid() == 0 && !unit_is_root())
		unit_skip("needs root in the initial user namespace, or none");
	unit_child(refused_range, NULL);
}

static void foreign_ids(void *arg)
{
	struct idmap m = { 0 };
	struct err *e = NULL;
	pid_t pid = waiting_child();

	add_both(&m, 0, 100000, 65536);
	CHECK(idmap_write(&m, pid, &e) == -EPERM);
	CHECK(err_is(e, "idmap-not-mapped-here"));
	drop_child(pid);
	err_free(e);
	idmap_done(&m);
}

static void inside_a_namespace_only_its_ids_can_be_mapped(void **state)
{
	unit_child_userns(0, foreign_ids, NULL);
}

/* What can be mapped by whoever runs this: everything, or himself alone. */
static void own_map(struct idmap *m)
{
	if (unit_is_root()) {
		add_both(m, 0, 100000, 65536);
	} else {
		add(m, false, 0, geteuid(), 1, 1);
		add(m, true, 0, getegid(), 1, 2);
	}
}

static void skip_if_it_must(const struct err *e)
{
	if (e && (err_is(e, "userns-forbidden") || err_is(e, "program-missing") || err_is(e, "program-failed"))) {
		auto_free char *line = err_line(e);

		unit_skip("needs userns: %s", line);
	}
}

static void a_namespace_is_kept_by_its_descriptor(void **state)
{
	auto_err struct err *e = NULL;
	struct idmap m = { 0 };
	struct stat ours, theirs;

	own_map(&m);
	auto_close int fd = idmap_userns_fd(&m, &e);

	idmap_done(&m);
	if (fd < 0)
		skip_if_it_must(e);
	assert_true(fd >= 0);
	assert_int_equal(stat("/proc/self/ns/user", &ours) | fstat(fd, &theirs), 0);
	assert_true(ours.st_ino != theirs.st_ino);
}

static int as_root(void *arg, struct err **e)
{
	if (geteuid() != 0 || getuid() != 0 || getegid() != 0)
		return err_set(e, EPERM, NULL, "not root but %u", geteuid());
	/* A mount namespace of its own, where root may mount. */
	if (mount("none", "/proc", "tmpfs", 0, NULL) < 0)
		return err_set(e, errno, NULL, "cannot mount");
	return *(int *)arg;
}

static int fails(void *arg, struct err **e)
{
	return err_already_running(e, "web1", NULL);
}

static int dies(void *arg, struct err **e)
{
	(void)kill(getpid(), SIGKILL);
	return 0;
}

static void functions_run_as_root_of_the_map(void **state)
{
	auto_err struct err *e = NULL;
	struct idmap m = { 0 };
	int answer = 77, r;

	own_map(&m);
	r = idmap_run(&m, as_root, &answer, &e);
	if (r < 0)
		skip_if_it_must(e);
	assert_null(e);
	assert_int_equal(r, 77);
	assert_int_equal(access("/proc/self/stat", R_OK), 0);
	assert_int_equal(idmap_run(&m, fails, NULL, &e), -EALREADY);
	assert_err_id(e, "already-running");
	assert_err_has(e, "container web1 is already running; try: lxc-stop -n web1 stops it");
	assert_true(idmap_run(&m, dies, NULL, &e) < 0);
	assert_err_has(e, "died");
	assert_true(idmap_run(&m, fails, NULL, NULL) < 0);
	idmap_done(&m);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(good_maps_pass),
	cmocka_unit_test(overlaps_name_both_lines),
	cmocka_unit_test(users_and_groups_do_not_overlap),
	cmocka_unit_test(empty_and_overlong_ranges_are_refused),
	cmocka_unit_test(a_kind_must_not_be_missing),
	cmocka_unit_test(three_hundred_and_forty_ranges_are_the_most),
	cmocka_unit_test(ids_translate_both_ways),
	cmocka_unit_test(root_maps_what_it_likes),
	cmocka_unit_test(a_range_that_is_not_granted_is_named_with_the_cure),
	cmocka_unit_test(inside_a_namespace_only_its_ids_can_be_mapped),
	cmocka_unit_test(a_namespace_is_kept_by_its_descriptor),
	cmocka_unit_test(functions_run_as_root_of_the_map),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/ns.h"
#include "kernel/proc.h"

static void names_and_rows_agree(void **state)
{
	for (enum ns_index i = 0; i < NS_COUNT; i++) {
		assert_int_equal(ns_by_name(ns_table[i].name), i);
		assert_true(ns_table[i].flag != 0);
		for (enum ns_index j = 0; j < i; j++)
			assert_int_equal(ns_table[i].flag & ns_table[j].flag, 0);
	}
	assert_int_equal(ns_by_name("nothing"), NS_COUNT);
	assert_int_equal(ns_by_name("NET"), NS_COUNT);
	assert_int_equal(ns_by_name_nocase("NET"), NS_NET);
	assert_int_equal(ns_by_name_nocase(""), NS_COUNT);
}

static void own_namespaces_open_and_are_shared(void **state)
{
	for (enum ns_index i = 0; i < NS_COUNT; i++) {
		auto_close int fd = ns_open(getpid(), i, NULL);

		if (fd == -ENOENT && i == NS_TIME)
			continue;
		assert_true(fd >= 0);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(ns_is_shared(getpid(), i), 1);
	}
}

/* Twice: the second answer is the first one's. */
static void kinds_are_known_as_proc_has_them(void **state)
{
	for (int twice = 0; twice < 2; twice++)
		for (int i = 0; i < NS_COUNT; i++) {
			char path[64];

			(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", ns_table[i].proc);
			assert_int_equal(ns_is_known((enum ns_index)i), access(path, F_OK) == 0);
		}
}

/* By its pidfd, and without one, it is the same namespace. */
static void a_pidfd_opens_the_namespaces_of_its_process(void **state)
{
	auto_close int pidfd = proc_pidfd_open(getpid());

	assert_true(pidfd >= 0);
	for (int i = 0; i < NS_COUNT; i++) {
		auto_close int by = ns_open_of(pidfd, getpid(), (enum ns_index)i, NULL);
		auto_close int without = ns_open_of(-EBADF, getpid(), (enum ns_index)i, NULL);

		assert_int_equal(by >= 0, ns_is_known((enum ns_index)i));
		assert_int_equal(without >= 0, ns_is_known((enum ns_index)i));
		if (by >= 0) {
			assert_true(ns_is_own(by, (enum ns_index)i));
			assert_int_equal(fcntl(by, F_GETFD), FD_CLOEXEC);
		}
	}
}

static void nobody_has_none(void **state)
{
	auto_err struct err *e = NULL;

	assert_int_equal(ns_open(0x3fffffff, NS_NET, &e), -ENOENT);
	assert_err_has(e, "cannot open /proc/1073741823/ns/net");
	assert_int_equal(ns_is_shared(0x3fffffff, NS_NET), -ENOENT);
}

static void a_new_namespace_is_another(void **state)
{
	uint64_t flags = CLONE_NEWUTS | CLONE_NEWUSER;
	pid_t pid = proc_clone(flags, -1, NULL, NULL);
	int shared;

	if (pid == 0)
		for (;;)
			(void)pause();
	if (pid < 0)
		unit_skip("needs userns: %s", strerror(-pid));
	shared = ns_is_shared(pid, NS_UTS) | ns_is_shared(pid, NS_USER) << 1 | ns_is_shared(pid, NS_NET) << 2;
	(void)kill(pid, SIGKILL);
	(void)proc_wait(pid, NULL);
	assert_int_equal(shared, 1 << 2);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(names_and_rows_agree),
	cmocka_unit_test(own_namespaces_open_and_are_shared),
	cmocka_unit_test(kinds_are_known_as_proc_has_them),
	cmocka_unit_test(a_pidfd_opens_the_namespaces_of_its_process),
	cmocka_unit_test(nobody_has_none),
	cmocka_unit_test(a_new_namespace_is_another),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/paths.h"
#include "config/system.h"

/* Becomes an ordinary user whose home is arg; the privilege is the test's own to give up. */
static void become_user(const char *home)
{
	CHECK(setenv("HOME", home, 1) == 0);
	if (geteuid() == 0 && seteuid(65534) < 0)
		unit_skip("needs a second user id");
}

static char *home_with(const char *text)
{
	char *home = unit_tmpdir();
	auto_free char *dir = NULL;

	assert_true(asprintf(&dir, "%s/.config", home) > 0);
	assert_int_equal(mkdir(dir, 0755), 0);
	free(dir);
	assert_true(asprintf(&dir, "%s/.config/lxc", home) > 0);
	assert_int_equal(mkdir(dir, 0755), 0);
	if (text) {
		unit_write(dir, "lxc.conf", text);
		free(dir);
		assert_true(asprintf(&dir, "%s/.config/lxc/lxc.conf", home) > 0);
		assert_int_equal(chmod(dir, 0644), 0);
	}
	return home;
}

static void check_item(const char *key, const char *want)
{
	auto_free char *value = NULL;
	struct err *e = NULL;

	CHECK_OK(system_item(key, &value, &e), e);
	CHECK(want ? value && strcmp(value, want) == 0 : !value);
}

static void defaults_child(void *arg)
{
	auto_free char *path = NULL, *config = NULL;

	become_user(arg);
	CHECK(asprintf(&path, "%s/.local/share/lxc", (char *)arg) > 0);
	CHECK(asprintf(&config, "%s/.config/lxc/default.conf", (char *)arg) > 0);
	check_item("lxc.lxcpath", path);
	check_item("lxc.default_config", config);
	check_item("lxc.bdev.lvm.vg", "lxc");
	check_item("lxc.bdev.zfs.root", "lxc");
	check_item("lxc.bdev.rbd.rbduser", NULL);
	check_item("lxc.cgroup.use", NULL);
	check_item("lxc.cgroup.pattern", NULL);
}

static void user_without_a_file_gets_defaults_below_home(void **state)
{
	char *home = home_with(NULL);

	unit_child(defaults_child, home);
	unit_tmpdir_free(home);
}

static void file_child(void *arg)
{
	become_user(arg);
	check_item("lxc.lxcpath", "/srv/lxc");
	check_item("lxc.bdev.lvm.vg", "first ");
	check_item("lxc.bdev.lvm.thin_pool", "lxc");
	check_item("lxc.bdev.zfs.root", "\"quoted\"");
	check_item("lxc.cgroup.pattern", "");
}

static void file_is_read_as_documented(void **state)
{
	char *home = home_with("#lxc.lxcpath = /no\nlxc.lxcpathx = /no\n \tlxc.lxcpath\t=  /srv/lxc//\n"
			       "lxc.bdev.lvm.vg=first \nlxc.bdev.lvm.vg = second\nlxc.bdev.lvm.thin_pool\n"
			       "lxc.bdev.zfs.root = \"quoted\"\nlxc.cgroup.pattern =\n");

	unit_child(file_child, home);
	unit_tmpdir_free(home);
}

static void root_child(void *arg)
{
	if (access(PATH_SYSTEM_CONFIG, F_OK) == 0)
		unit_skip("needs no %s", PATH_SYSTEM_CONFIG);
	check_item("lxc.lxcpath", PATH_LXCPATH);
	check_item("lxc.default_config", PATH_DEFAULT_CONFIG);
}

static void root_without_a_file_gets_the_built_in_places(void **state)
{
	unit_child_ns(0, root_child, NULL);
}

static void fifo_child(void *arg)
{
	auto_free char *path = NULL, *value = NULL;
	struct err *e = NULL;

	CHECK(asprintf(&path, "%s/.config/lxc/lxc.conf", (char *)arg) > 0);
	CHECK(mkfifo(path, 0644) == 0);
	become_user(arg);
	CHECK(system_item("lxc.lxcpath", &value, &e) < 0);
	CHECK(err_is(e, "config-unreadable"));
	err_free(e);
}

static void fifo_as_system_file_is_refused(void **state)
{
	char *home = home_with(NULL);

	unit_child(fifo_child, home);
	unit_tmpdir_free(home);
}

static void unknown_item_is_an_error(void **state)
{
	auto_free char *value = NULL;
	auto_err struct err *e = NULL;

	assert_int_equal(system_item("lxc.nope", &value, &e), -EINVAL);
	assert_err_id(e, "system-item-unknown");
	assert_null(value);
}

static void seven_items_are_listed(void **state)
{
	size_t n = 0;

	while (system_items()[n])
		n++;
	assert_int_equal(n, 7);
	assert_string_equal(system_items()[0], "lxc.default_config");
	assert_string_equal(system_items()[6], "lxc.cgroup.pattern");
}

static void rundir_child(void *arg)
{
	auto_free char *dir = NULL, *want = NULL;
	struct err *e = NULL;

	if (geteuid() == 0 && setegid(65534) < 0)
		unit_skip("needs a second group id");
	become_user(arg);
	CHECK(setenv("XDG_RUNTIME_DIR", "/xdg/1", 1) == 0);
	dir = system_rundir(&e);
	CHECK(dir && strcmp(dir, "/xdg/1") == 0);
	CHECK(unsetenv("XDG_RUNTIME_DIR") == 0);
	free(dir);
	dir = system_rundir(&e);
	/* Whoever builds this in a login has one of those. */
	CHECK(asprintf(&want, "/run/user/%u", (unsigned)geteuid()) > 0);
	if (access(want, W_OK) < 0) {
		free(want);
		CHECK(asprintf(&want, "%s/.cache/lxc/run", (char *)arg) > 0);
	}
	CHECK(dir && strcmp(dir, want) == 0);
	CHECK(unsetenv("HOME") == 0);
	CHECK(!system_rundir(&e));
	CHECK(err_is(e, "rundir-unknown"));
	err_free(e);
}

static void run_directory_of_a_user_is_his_own(void **state)
{
	char *home = home_with(NULL);

	unit_child(rundir_child, home);
	unit_tmpdir_free(home);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(user_without_a_file_gets_defaults_below_home),
	cmocka_unit_test(file_is_read_as_documented),
	cmocka_unit_test(root_without_a_file_gets_the_built_in_places),
	cmocka_unit_test(fifo_as_system_file_is_refused),
	cmocka_unit_test(unknown_item_is_an_error),
	cmocka_unit_test(seven_items_are_listed),
	cmocka_unit_test(run_directory_of_a_user_is_his_own),
};
UNIT_MAIN(tests)

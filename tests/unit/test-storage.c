/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "config/key.h"
#include "config/reader.h"
#include "storage/storage.h"

static char *tmp;

static int setup(void **state)
{
	tmp = unit_tmpdir();
	return 0;
}

static int teardown(void **state)
{
	unit_tmpdir_free(tmp);
	return 0;
}

static char *in_tmp(const char *name)
{
	return path_join(tmp, name);
}

static void make_dir(const char *name)
{
	auto_free char *p = in_tmp(name);

	assert_int_equal(mkdir(p, 0755), 0);
}

static bool is_there(const char *name)
{
	auto_free char *p = in_tmp(name);
	struct stat st;

	return lstat(p, &st) == 0;
}

/* A configuration with these lines, as if read from "c1.conf". */
static struct conf *conf_of(const char *text)
{
	struct conf *c = conf_new();
	struct err *e = NULL;

	assert_non_null(c);
	if (conf_parse(c, text, strlen(text), "c1.conf", NULL, &e) < 0) {
		err_print(stderr, "conf_of", e, true);
		fail();
	}
	return c;
}

static int resolve(const char *text, struct storage **ret, struct err **e)
{
	auto_conf struct conf *c = conf_of(text);

	return storage_resolve(c, NULL, ret, e);
}

static void no_rootfs_resolves_to_none(void **state)
{
	struct storage *s = (struct storage *)(uintptr_t)1;

	assert_int_equal(resolve("lxc.uts.name = a\n", &s, NULL), 0);
	assert_null(s);
}

static void existing_directory_resolves_with_and_without_type(void **state)
{
	static const char *const prefix[] = { "", "dir:" };

	for (size_t i = 0; i < ARRAY_SIZE(prefix); i++) {
		auto_free char *text = NULL;
		struct storage *s = NULL;

		assert_true(asprintf(&text, "lxc.rootfs.path = %s%s\n", prefix[i], tmp) > 0);
		assert_int_equal(resolve(text, &s, NULL), 0);
		assert_string_equal(storage_type(s), "dir");
		assert_string_equal(storage_source(s), tmp);
		storage_free(s);
	}
}

static void missing_root_is_named_with_its_line(void **state)
{
	auto_err struct err *e = NULL;
	struct storage *s = NULL;

	assert_true(resolve("# first\nlxc.rootfs.path = dir:/nowhere/at/all\n", &s, &e) < 0);
	assert_err_id(e, "rootfs-missing");
	assert_err_has(e, "/nowhere/at/all");
	assert_err_has(e, "c1.conf:2");
}

static void file_as_root_is_refused(void **state)
{
	auto_free char *text = NULL;
	auto_err struct err *e = NULL;
	struct storage *s = NULL;

	unit_write(tmp, "image", "x");
	assert_true(asprintf(&text, "lxc.rootfs.path = %s/image\n", tmp) > 0);
	assert_true(resolve(text, &s, &e) < 0);
	assert_err_id(e, unit_is_root() ? "fstype-undetected" : "storage-needs-root");
	assert_err_has(e, "c1.conf:1");
}

static void missing_programs_are_named_with_their_package(void **state)
{
	static const struct {
		const char *line, *package;
	} cases[] = {
		{ "lxc.rootfs.path = zfs:tank/c1\n", "zfsutils-linux" },
		{ "lxc.rootfs.path = rbd:/dev/rbd/pool/c1\n", "ceph-common" },
	};

	if (!unit_is_root())
		unit_skip("needs root");
	assert_int_equal(setenv("PATH", tmp, 1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_err struct err *e = NULL;
		struct storage *s = NULL;

		assert_true(resolve(cases[i].line, &s, &e) < 0);
		assert_err_id(e, "program-missing");
		assert_err_has(e, cases[i].package);
		assert_err_has(e, "c1.conf:1");
	}
}

static void words_that_are_no_type_are_named(void **state)
{
	auto_err struct err *e = NULL;
	struct storage *s = NULL;

	assert_true(resolve("lxc.rootfs.path = rootdisk:/srv/x\n", &s, &e) < 0);
	assert_err_id(e, "storage-type-unknown");
	assert_err_has(e, "'rootdisk'");
}

static void idmap_option_needs_an_id_map(void **state)
{
	auto_free char *text = NULL;
	auto_err struct err *e = NULL;
	struct storage *s = NULL;

	assert_true(asprintf(&text, "lxc.rootfs.path = %s\nlxc.rootfs.options = idmap=container\n", tmp) > 0);
	assert_true(resolve(text, &s, &e) < 0);
	assert_err_id(e, "rootfs-idmap-unmapped");
	assert_err_has(e, "c1.conf:2");
}

static void create_makes_an_empty_root_and_destroy_removes_it(void **state)
{
	auto_conf struct conf *c = conf_of("lxc.uts.name = a\n");
	auto_free char *path = NULL, *expected = NULL, *dir = in_tmp("c1");
	auto_err struct err *e = NULL;

	make_dir("c1");
	assert_int_equal(storage_create(NULL, NULL, dir, c, &path, &e), 0);
	assert_true(asprintf(&expected, "dir:%s/rootfs", dir) > 0);
	assert_string_equal(path, expected);
	assert_true(is_there("c1/rootfs"));
	unit_write(dir, "rootfs/file", "x");
	assert_int_equal(key_set(c, "lxc.rootfs.path", path, (struct origin){ 0 }, NULL, &e), 0);
	assert_int_equal(storage_destroy(c, dir, NULL, &e), 0);
	assert_false(is_there("c1/rootfs"));
	assert_true(is_there("c1"));
}

static void create_does_not_use_a_root_that_has_something_in_it(void **state)
{
	auto_conf struct conf *c = conf_of("lxc.uts.name = a\n");
	auto_free char *path = NULL, *dir = in_tmp("c1");
	auto_err struct err *e = NULL;

	make_dir("c1");
	make_dir("c1/rootfs");
	unit_write(dir, "rootfs/precious", "x");
	assert_true(storage_create("dir", NULL, dir, c, &path, &e) < 0);
	assert_err_id(e, "rootfs-occupied");
	assert_true(is_there("c1/rootfs/precious"));
}

static void create_takes_the_first_type_that_works(void **state)
{
	auto_conf struct conf *c = conf_of("lxc.uts.name = a\n");
	auto_free char *path = NULL, *dir = in_tmp("c1");
	auto_err struct err *e = NULL;

	make_dir("c1");
	assert_int_equal(storage_create("nbd,dir", NULL, dir, c, &path, &e), 0);
	assert_null(e);
	assert_non_null(strstr(path, "dir:"));
	assert_true(storage_create("nbd", NULL, dir, c, &path, &e) < 0);
	assert_err_id(e, "storage-create-none");
}

static void destroy_keeps_a_root_outside_of_the_container(void **state)
{
	static const char *const outside[] = { "ext", "c1/../ext", "c12/rootfs" };
	auto_free char *dir = in_tmp("c1");

	make_dir("c1");
	make_dir("c12");
	make_dir("c12/rootfs");
	make_dir("ext");
	for (size_t i = 0; i < 3; i++) {
		auto_free char *text = NULL, *path = in_tmp(outside[i]);
		auto_conf struct conf *c = NULL;

		assert_true(asprintf(&text, "lxc.rootfs.path = dir:%s\n", path) > 0);
		c = conf_of(text);
		assert_int_equal(storage_destroy(c, dir, NULL, NULL), 0);
		assert_true(is_there(outside[i]));
	}
}

static void destroy_does_not_go_through_a_symlink(void **state)
{
	auto_free char *dir = in_tmp("c1"), *target = in_tmp("victim"), *link = in_tmp("c1/rootfs"), *text = NULL;
	auto_conf struct conf *c = NULL;

	make_dir("c1");
	make_dir("victim");
	unit_write(target, "precious", "x");
	assert_int_equal(symlink(target, link), 0);
	assert_true(asprintf(&text, "lxc.rootfs.path = dir:%s\n", link) > 0);
	c = conf_of(text);
	assert_int_equal(storage_destroy(c, dir, NULL, NULL), 0);
	assert_true(is_there("victim/precious"));
	assert_false(is_there("c1/rootfs"));
}

static void rmtree_removes_deep_trees_and_odd_files(void **state)
{
	auto_free char *path = in_tmp("deep"), *fifo = in_tmp("deep/fifo"), *link = in_tmp("deep/link");
	auto_close int top = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_err struct err *e = NULL;
	int fd;

	make_dir("deep");
	make_dir("outside");
	unit_write(tmp, "outside/precious", "x");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(symlink("../outside", link), 0);
	/* Deeper than there are descriptors, and than a path may be long. */
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 3000; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "0123456789", 0755), 0);
		next = openat(fd, "0123456789", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		fd_replace(&fd, next);
	}
	fd_close(fd);
	if (storage_rmtree(top, "deep", &e) < 0)
		err_print(stderr, "rmtree", e, true);
	assert_null(e);
	assert_false(is_there("deep"));
	assert_true(is_there("outside/precious"));
}

static void rmtree_takes_only_names(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "/" };
	auto_close int top = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(storage_rmtree(top, bad[i], NULL), -EINVAL);
	assert_int_equal(storage_rmtree(top, "not-there", NULL), 0);
}

static void in_mount_ns(void *arg)
{
	auto_free char *mnt = in_tmp("tree/mnt"), *file = in_tmp("tree/mnt/precious");
	auto_close int top = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_err struct err *e = NULL;
	struct stat st;

	CHECK(mount("none", mnt, "tmpfs", 0, NULL) == 0);
	CHECK(close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)) == 0);
	CHECK(storage_rmtree(top, "tree", &e) < 0);
	CHECK(err_is(e, "rmtree-mount"));
	CHECK(stat(file, &st) == 0);
	CHECK(is_there("tree/a-file"));
	CHECK(umount2(mnt, MNT_DETACH) == 0);
	CHECK(storage_rmtree(top, "tree", NULL) == 0);
}

static void rmtree_stops_at_a_mount(void **state)
{
	make_dir("tree");
	make_dir("tree/mnt");
	unit_write(tmp, "tree/a-file", "x");
	unit_child_ns(0, in_mount_ns, NULL);
	assert_false(is_there("tree"));
}

static void rmtree_clears_the_immutable_flag(void **state)
{
	auto_free char *file = in_tmp("tree/fixed");
	auto_close int top = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd, flags = 0;

	if (!unit_is_root())
		unit_skip("needs root");
	make_dir("tree");
	unit_write(tmp, "tree/fixed", "x");
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0) {
		fd_close(fd);
		unit_skip("needs a file system with an immutable flag");
	}
	flags |= FS_IMMUTABLE_FL;
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0) {
		fd_close(fd);
		unit_skip("needs a file system with an immutable flag");
	}
	fd_close(fd);
	assert_int_equal(storage_rmtree(top, "tree", NULL), 0);
	assert_false(is_there("tree"));
}

static void mount_read_only(void *arg)
{
	auto_free char *root = in_tmp("root"), *at = in_tmp("at"), *text = NULL, *file = in_tmp("at/new");
	auto_close int mnt = -EBADF;
	auto_conf struct conf *c = NULL;
	struct err *e = NULL;
	struct storage *s = NULL;

	CHECK(asprintf(&text, "lxc.rootfs.path = %s\nlxc.rootfs.options = %s\n", root, (const char *)arg) > 0);
	c = conf_new();
	CHECK_OK(conf_parse(c, text, strlen(text), "c1.conf", NULL, &e), e);
	CHECK_OK(storage_resolve(c, NULL, &s, &e), e);
	mnt = storage_mount(s, c, &e);
	CHECK_OK(mnt, e);
	CHECK(syscall(SYS_move_mount, mnt, "", AT_FDCWD, at, 4 /* MOVE_MOUNT_F_EMPTY_PATH */) == 0);
	if (strcmp(arg, "ro") == 0) {
		CHECK(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) < 0 && errno == EROFS);
	} else {
		CHECK(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) >= 0);
	}
	storage_free(s);
}

static void options_are_applied_to_the_mount(void **state)
{
	make_dir("root");
	make_dir("at");
	unit_child_ns(0, mount_read_only, (char *)(uintptr_t)"ro");
	unit_child_ns(0, mount_read_only, (char *)(uintptr_t)"nosuid");
	assert_true(is_there("root/new"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
static const struct CMUnitTest tests[] = {
	T(no_rootfs_resolves_to_none),
	T(existing_directory_resolves_with_and_without_type),
	T(missing_root_is_named_with_its_line),
	T(file_as_root_is_refused),
	T(missing_programs_are_named_with_their_package),
	T(words_that_are_no_type_are_named),
	T(idmap_option_needs_an_id_map),
	T(create_makes_an_empty_root_and_destroy_removes_it),
	T(create_does_not_use_a_root_that_has_something_in_it),
	T(create_takes_the_first_type_that_works),
	T(destroy_keeps_a_root_outside_of_the_container),
	T(destroy_does_not_go_through_a_symlink),
	T(rmtree_removes_deep_trees_and_odd_files),
	T(rmtree_takes_only_names),
	T(rmtree_stops_at_a_mount),
	T(rmtree_clears_the_immutable_flag),
	T(options_are_applied_to_the_mount),
};
UNIT_MAIN(tests)

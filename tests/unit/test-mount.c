/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "kernel/host.h"
#include "kernel/idmap.h"
#include "kernel/mount.h"
#include "kernel/mountinfo.h"

static int open_dir(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	CHECK(fd >= 0);
	return fd;
}

/* A tmpfs on dir, with directories a and b in it. Its fd. */
static int playground(const char *dir)
{
	auto_close int at = open_dir(dir);
	struct err *e = NULL;
	int fd = mount_new("tmpfs", NULL, "mode=0755,size=1m", 0, &e);

	CHECK_OK(fd, e);
	CHECK_OK(mount_attach(fd, at, &e), e);
	CHECK(mkdirat(fd, "a", 0755) == 0 && mkdirat(fd, "b", 0755) == 0);
	return fd;
}

static void new_file_system(void *arg)
{
	auto_close int at = open_dir(arg), fd = -EBADF;
	struct err *e = NULL;
	struct statvfs v;
	struct stat st;

	fd = mount_new("tmpfs", "a source", "mode=0711,size=64k", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, &e);
	CHECK_OK(fd, e);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CHECK(!mount_is_root(at));
	CHECK_OK(mount_attach(fd, at, &e), e);
	CHECK(stat(arg, &st) == 0 && (st.st_mode & 07777) == 0711);
	CHECK(statvfs(arg, &v) == 0 && (v.f_flag & ST_NOSUID) && (v.f_flag & ST_NODEV) && !(v.f_flag & ST_RDONLY));
	CHECK(v.f_blocks * v.f_frsize == 65536);
	auto_close int root = open_dir(arg);
	auto_mountinfo struct mountinfo m = { 0 };

	CHECK(mount_is_root(root));
	CHECK_OK(mountinfo_read(&m, &e), e);
	CHECK(strcmp(mountinfo_find(&m, arg)->source, "a source") == 0);
}

static void in_ns(void (*fn)(void *arg))
{
	char *dir = unit_tmpdir();

	unit_child_ns(0, fn, dir);
	unit_tmpdir_free(dir);
}

static void a_new_file_system_is_mounted_with_options(void **state)
{
	in_ns(new_file_system);
}

static void bad_options(void *arg)
{
	auto_free char *line = NULL;
	struct err *e = NULL;

	CHECK(mount_new("tmpfs", NULL, "mode=0755,frobnicate=9", 0, &e) < 0);
	line = err_line(e);
	CHECK(line && strstr(line, "frobnicate"));
	/* The kernel's own words. */
	CHECK(strstr(line, "nknown parameter"));
	CHECK(mount_new("tmpfs", NULL, "size=many", 0, &e) < 0);
	CHECK(mount_new("nosuchfs", NULL, NULL, 0, &e) == -ENODEV);
	CHECK(err_is(e, "fstype-unknown"));
	err_free(e);
}

static void a_refused_option_is_named(void **state)
{
	in_ns(bad_options);
}

static void not_for_users(void *arg)
{
	struct err *e = NULL;

	CHECK(mount_new("ext4", "/dev/null", NULL, 0, &e) < 0);
	CHECK(err_is(e, "mount-forbidden") || err_is(e, "fstype-unknown"));
	err_free(e);
}

static void what_a_user_namespace_may_not_mount_is_said(void **state)
{
	unit_child_userns(0, not_for_users, NULL);
}

static void empty_words(void *arg)
{
	struct err *e = NULL;

	CHECK_OK(mount_new("tmpfs", NULL, ",,mode=0700,,size=64k,", 0, &e), e);
	CHECK_OK(mount_new("tmpfs", NULL, "", 0, &e), e);
}

static void empty_option_words_are_skipped(void **state)
{
	in_ns(empty_words);
}

/* An overlay whose lowerdir is longer than fsconfig takes, with a comma in a name. */
static void long_option(void *arg)
{
	auto_close int base = playground(arg), fd = -EBADF, at = -EBADF;
	auto_buf struct buf lower = BUF_INIT(65536), options = BUF_INIT(65536);
	struct err *e = NULL;
	char name[80];

	for (int i = 0; i < 8; i++) {
		(void)snprintf(name, sizeof(name), "a/lower%s-%050d", i == 3 ? ",x" : "", i);
		CHECK(mkdirat(base, name, 0755) == 0);
		(void)snprintf(name, sizeof(name), "a/lower%s-%050d", i == 3 ? "\\,x" : "", i);
		buf_addf(&lower, "%s%s/%s", i ? ":" : "", (char *)arg, name);
		(void)snprintf(name, sizeof(name), "a/lower%s-%050d/f%d", i == 3 ? ",x" : "", i, i);
		CHECK(mkdirat(base, name, 0755) == 0);
	}
	buf_addf(&options, "lowerdir=%s", buf_str(&lower));
	fd = mount_new("overlay", "long", buf_str(&options), MOUNT_ATTR_NODEV, &e);
	if (fd < 0 && err_is(e, "fstype-unknown"))
		unit_skip("needs overlay");
	CHECK_OK(fd, e);
	CHECK_OK(at = openat(base, "b", O_PATH | O_DIRECTORY | O_CLOEXEC), NULL);
	CHECK_OK(mount_attach(fd, at, &e), e);
	for (int i = 0; i < 8; i++) {
		(void)snprintf(name, sizeof(name), "f%d", i);
		CHECK(faccessat(fd, name, F_OK, 0) == 0);
	}
	struct statvfs v;

	CHECK(fstatvfs(fd, &v) == 0 && (v.f_flag & ST_NODEV));
	/* And its failure is told as well. */
	buf_adds(&options, ",upperdir=/nonexistent/u,workdir=/nonexistent/w");
	CHECK(mount_new("overlay", "long", buf_str(&options), 0, &e) == -ENOENT);
	err_free(e);
}

static void options_longer_than_the_kernel_takes_work(void **state)
{
	in_ns(long_option);
}

static void clone_and_set(void *arg)
{
	struct mount_attrs ro = { .set = MOUNT_ATTR_RDONLY, .userns_fd = -1 };
	auto_close int base = playground(arg), a = openat(base, "a", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int b = openat(base, "b", O_PATH | O_DIRECTORY | O_CLOEXEC), clone = -EBADF;
	struct err *e = NULL;

	CHECK_OK(clone = mount_clone(a, false, &e), e);
	CHECK_OK(mount_set(clone, &ro, &e), e);
	CHECK(mkdirat(clone, "x", 0755) < 0 && errno == EROFS);
	CHECK_OK(mount_attach(clone, b, &e), e);
	CHECK(mkdirat(base, "b/x", 0755) < 0 && errno == EROFS);
	CHECK(mkdirat(base, "a/x", 0755) == 0);
	/* Changed once attached: through a descriptor of its root. */
	auto_close int root = openat(base, "b", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct mount_attrs rw = { .clear = MOUNT_ATTR_RDONLY, .set = MOUNT_ATTR_NOATIME, .userns_fd = -1 };
	struct statvfs v;

	CHECK_OK(mount_set(root, &rw, &e), e);
	CHECK(mkdirat(base, "b/y", 0755) == 0 && fstatvfs(root, &v) == 0 && (v.f_flag & ST_NOATIME));
}

static void clones_are_changed_before_they_show(void **state)
{
	in_ns(clone_and_set);
}

static void recursive(void *arg)
{
	struct mount_attrs ro = { .set = MOUNT_ATTR_RDONLY, .recursive = true, .userns_fd = -1 };
	auto_close int base = playground(arg), sub = -EBADF, at = -EBADF, clone = -EBADF, flat = -EBADF;
	struct err *e = NULL;

	CHECK_OK(sub = mount_new("tmpfs", NULL, "size=64k", 0, &e), e);
	CHECK_OK(at = openat(base, "a", O_PATH | O_DIRECTORY | O_CLOEXEC), NULL);
	CHECK_OK(mount_attach(sub, at, &e), e);
	CHECK(mkdirat(sub, "inner", 0755) == 0);
	CHECK_OK(clone = mount_clone(base, true, &e), e);
	CHECK_OK(flat = mount_clone(base, false, &e), e);
	CHECK(faccessat(clone, "a/inner", F_OK, 0) == 0);
	CHECK(faccessat(flat, "a/inner", F_OK, 0) < 0);
	CHECK_OK(mount_set(clone, &ro, &e), e);
	CHECK(mkdirat(clone, "a/x", 0755) < 0 && errno == EROFS);
	CHECK(mkdirat(base, "a/x", 0755) == 0);
}

static void recursion_covers_submounts(void **state)
{
	in_ns(recursive);
}

static void propagation_of(void *arg)
{
	struct mount_attrs shared = { .propagation = MS_SHARED, .userns_fd = -1 };
	auto_close int base = playground(arg);
	auto_mountinfo struct mountinfo m = { 0 }, after = { 0 };
	struct err *e = NULL;

	CHECK_OK(mount_set(base, &shared, &e), e);
	CHECK_OK(mountinfo_read(&m, &e), e);
	CHECK(mountinfo_find(&m, arg)->shared > 0);
	CHECK_OK(mount_propagate("", MS_PRIVATE, &e), e);
	CHECK_OK(mountinfo_read(&after, &e), e);
	for (size_t i = 0; i < after.n; i++)
		CHECK(!after.v[i].shared && !after.v[i].master);
	CHECK(mount_propagate("/nonexistent", MS_PRIVATE, &e) == -ENOENT);
	err_free(e);
}

static void propagation_is_set_and_cut(void **state)
{
	in_ns(propagation_of);
}

static void moving(void *arg)
{
	auto_close int base = playground(arg), sub = -EBADF, a = -EBADF, b = -EBADF, from = -EBADF;
	struct err *e = NULL;

	CHECK_OK(sub = mount_new("tmpfs", NULL, "size=64k", 0, &e), e);
	CHECK_OK(a = openat(base, "a", O_PATH | O_CLOEXEC), NULL);
	CHECK_OK(b = openat(base, "b", O_PATH | O_CLOEXEC), NULL);
	CHECK_OK(mount_attach(sub, a, &e), e);
	CHECK(mkdirat(base, "a/inner", 0755) == 0);
	CHECK_OK(from = openat(base, "a", O_PATH | O_CLOEXEC), NULL);
	CHECK_OK(mount_move(from, b, &e), e);
	CHECK(faccessat(base, "b/inner", F_OK, 0) == 0);
	CHECK(faccessat(base, "a/inner", F_OK, 0) < 0);
	/* What is no mount cannot be moved. */
	CHECK(mount_move(a, b, &e) == -EINVAL);
	err_free(e);
}

static void a_mount_can_be_moved(void **state)
{
	in_ns(moving);
}

static void detaching(void *arg)
{
	auto_close int base = playground(arg), sub = -EBADF, before = -EBADF, after = -EBADF;
	struct err *e = NULL;

	CHECK_OK(before = openat(base, "a", O_PATH | O_CLOEXEC), NULL);
	for (int i = 0; i < 2; i++) {
		CHECK_OK(sub = mount_new("tmpfs", NULL, "size=64k", 0, &e), e);
		CHECK_OK(mount_attach(sub, before, &e), e);
		CHECK(mkdirat(base, i ? "a/second" : "a/first", 0755) == 0);
	}
	/* The root of the topmost mount. */
	CHECK_OK(after = openat(base, "a", O_PATH | O_CLOEXEC), NULL);
	CHECK_OK(mount_detach(after), NULL);
	CHECK(faccessat(base, "a/first", F_OK, 0) == 0);
	/* The directory that is covered. */
	CHECK_OK(mount_detach(before), NULL);
	CHECK(faccessat(base, "a/first", F_OK, 0) < 0);
	CHECK(mount_detach(before) == -EINVAL);
	CHECK(mount_detach(after) < 0);
	CHECK(mkdirat(base, "a/writable", 0755) == 0);
}

static void a_mount_is_detached_by_either_descriptor(void **state)
{
	in_ns(detaching);
}

static void not_a_place(void *arg)
{
	auto_close int base = playground(arg), file = -EBADF, sub = -EBADF;
	auto_free char *line = NULL;
	struct err *e = NULL;

	CHECK_OK(file = openat(base, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600), NULL);
	CHECK_OK(sub = mount_new("tmpfs", NULL, NULL, 0, &e), e);
	CHECK(mount_attach(sub, file, &e) < 0);
	line = err_line(e);
	CHECK(line && strstr(line, "cannot mount on ") && strstr(line, "/file"));
	err_free(e);
}

static void a_wrong_place_is_named(void **state)
{
	in_ns(not_a_place);
}

/* As Linux 5.10: attributes by remounting what is attached, its submounts too. */
static void without_setattr(void *arg)
{
	struct mount_attrs ro = { .set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, .recursive = true, .userns_fd = -1,
				  .propagation = MS_SLAVE, .propagation_rec = true };
	auto_close int base = playground(arg), sub = -EBADF, a = -EBADF, b = -EBADF, clone = -EBADF;
	struct statvfs v;
	struct err *e = NULL;

	unit_enosys(SYS_mount_setattr);
	CHECK_OK(sub = mount_new("tmpfs", NULL, "size=64k", MOUNT_ATTR_NOEXEC, &e), e);
	CHECK_OK(a = openat(base, "a", O_PATH | O_CLOEXEC), NULL);
	CHECK_OK(b = openat(base, "b", O_PATH | O_CLOEXEC), NULL);
	CHECK_OK(mount_attach(sub, a, &e), e);
	CHECK_OK(clone = mount_clone(base, true, &e), e);
	CHECK(mount_set(clone, &ro, &e) == -EINVAL);
	CHECK_OK(mount_attach_with(clone, b, &ro, &e), e);
	CHECK(mkdirat(base, "b/x", 0755) < 0 && errno == EROFS);
	CHECK(mkdirat(base, "b/a/x", 0755) < 0 && errno == EROFS);
	CHECK(mkdirat(base, "a/x", 0755) == 0);
	auto_close int inner = openat(base, "b/a", O_PATH | O_CLOEXEC);

	CHECK(fstatvfs(inner, &v) == 0 && (v.f_flag & ST_NOEXEC) && (v.f_flag & ST_NOSUID) && (v.f_flag & ST_RDONLY));
	struct mount_attrs rw = { .clear = MOUNT_ATTR_RDONLY, .userns_fd = -1 };

	CHECK_OK(mount_set(inner, &rw, &e), e);
	CHECK(fstatvfs(inner, &v) == 0 && (v.f_flag & ST_NOEXEC) && !(v.f_flag & ST_RDONLY));
	rw.userns_fd = 0;
	CHECK(mount_set(inner, &rw, &e) < 0);
	CHECK(err_is(e, "idmapped-mount-unsupported"));
	err_free(e);
}

static void old_kernels_remount(void **state)
{
	in_ns(without_setattr);
}

static void attach_with(void *arg)
{
	struct mount_attrs ro = { .set = MOUNT_ATTR_RDONLY, .userns_fd = -1 };
	auto_close int base = playground(arg), a = openat(base, "a", O_PATH | O_CLOEXEC);
	auto_close int b = openat(base, "b", O_PATH | O_CLOEXEC), clone = -EBADF;
	struct err *e = NULL;

	CHECK_OK(clone = mount_clone(a, false, &e), e);
	CHECK_OK(mount_attach_with(clone, b, &ro, &e), e);
	CHECK(mkdirat(base, "b/x", 0755) < 0 && errno == EROFS);
}

static void attributes_and_attaching_go_together(void **state)
{
	in_ns(attach_with);
}

static void idmapped(void *arg)
{
	struct idmap map = { 0 };
	auto_close int base = playground(arg), userns = -EBADF, clone = -EBADF, self = -EBADF;
	struct mount_attrs attrs = MOUNT_ATTRS_INIT;
	struct err *e = NULL;
	struct stat st;

	CHECK(VEC_PUSH(&map, ((struct idmap_range){ false, 0, 100000, 65536, { 0 } })) == 0);
	CHECK(VEC_PUSH(&map, ((struct idmap_range){ true, 0, 100000, 65536, { 0 } })) == 0);
	CHECK_OK(userns = idmap_userns_fd(&map, &e), e);
	if (!mount_can_idmap(base, userns))
		unit_skip("needs idmapped mounts of tmpfs (Linux 6.3)");
	CHECK_OK(clone = mount_clone(base, true, &e), e);
	attrs.userns_fd = userns;
	attrs.recursive = true;
	CHECK_OK(mount_set(clone, &attrs, &e), e);
	CHECK(fstatat(clone, "a", &st, 0) == 0 && st.st_uid == 100000 && st.st_gid == 100000);
	CHECK(fstatat(base, "a", &st, 0) == 0 && st.st_uid == 0);
	/* The first namespace maps nothing. */
	CHECK_OK(self = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC), NULL);
	CHECK(!mount_can_idmap(base, self));
	CHECK(!mount_can_idmap(base, -1));
	idmap_done(&map);
}

static void ids_are_shifted_by_a_mount(void **state)
{
	if (!unit_is_root())
		unit_skip("needs root");
	in_ns(idmapped);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_new_file_system_is_mounted_with_options),
	cmocka_unit_test(a_refused_option_is_named),
	cmocka_unit_test(what_a_user_namespace_may_not_mount_is_said),
	cmocka_unit_test(empty_option_words_are_skipped),
	cmocka_unit_test(options_longer_than_the_kernel_takes_work),
	cmocka_unit_test(clones_are_changed_before_they_show),
	cmocka_unit_test(recursion_covers_submounts),
	cmocka_unit_test(propagation_is_set_and_cut),
	cmocka_unit_test(a_mount_can_be_moved),
	cmocka_unit_test(a_mount_is_detached_by_either_descriptor),
	cmocka_unit_test(a_wrong_place_is_named),
	cmocka_unit_test(old_kernels_remount),
	cmocka_unit_test(attributes_and_attaching_go_together),
	cmocka_unit_test(ids_are_shifted_by_a_mount),
};
UNIT_MAIN(tests)

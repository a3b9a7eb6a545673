/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "storage/storage.h"

static char *tmp;
static int from = -EBADF, to = -EBADF;

static int setup(void **state)
{
	auto_free char *a = NULL, *b = NULL;

	tmp = unit_tmpdir();
	a = path_join(tmp, "from");
	b = path_join(tmp, "to");
	if (mkdir(a, 0755) < 0 || mkdir(b, 0755) < 0)
		return -1;
	from = open(a, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	to = open(b, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return 0;
}

static int teardown(void **state)
{
	fd_replace(&from, -EBADF);
	fd_replace(&to, -EBADF);
	unit_tmpdir_free(tmp);
	return 0;
}

static void write_at(int dir, const char *name, const char *text, mode_t mode)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

static void copy(void)
{
	struct err *e = NULL;

	if (storage_copytree(from, to, NULL, &e) < 0) {
		err_print(stderr, "copytree", e, true);
		err_free(e);
		fail();
	}
}

static struct stat stat_at(int dir, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

static void assert_alike(const char *name)
{
	struct stat a = stat_at(from, name), b = stat_at(to, name);

	assert_int_equal(a.st_mode, b.st_mode);
	assert_int_equal(a.st_uid, b.st_uid);
	assert_int_equal(a.st_gid, b.st_gid);
	if (!S_ISDIR(a.st_mode)) {
		assert_int_equal(a.st_size, b.st_size);
		assert_int_equal(a.st_nlink, b.st_nlink);
	}
	assert_int_equal(a.st_rdev, b.st_rdev);
	assert_int_equal(a.st_mtim.tv_sec, b.st_mtim.tv_sec);
	assert_int_equal(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
}

static void set_time(int dir, const char *name, long sec, long nsec)
{
	struct timespec t[2] = { { sec, nsec }, { sec, nsec } };

	assert_int_equal(utimensat(dir, name, t, AT_SYMLINK_NOFOLLOW), 0);
}

static void modes_times_and_links_are_kept(void **state)
{
	static const char *const names[] = { ".",	   "plain",   "readonly", "suid", "dir", "dir/inner", "sticky",
					     "link", "dangling", "fifo", "hard1", "dir/hard2", "dir/hard3" };
	char text[16] = "";

	write_at(from, "plain", "hello", 0644);
	write_at(from, "readonly", "", 0);
	write_at(from, "suid", "x", 06755);
	assert_int_equal(mkdirat(from, "dir", 0), 0);
	assert_int_equal(fchmodat(from, "dir", 02751, 0), 0);
	write_at(from, "dir/inner", "inner", 0640);
	assert_int_equal(mkdirat(from, "sticky", 0755), 0);
	assert_int_equal(fchmodat(from, "sticky", 01777, 0), 0);
	assert_int_equal(symlinkat("plain", from, "link"), 0);
	assert_int_equal(symlinkat("/etc/../nowhere at all", from, "dangling"), 0);
	assert_int_equal(mkfifoat(from, "fifo", 0620), 0);
	write_at(from, "hard1", "linked", 0600);
	assert_int_equal(linkat(from, "hard1", from, "dir/hard2", 0), 0);
	assert_int_equal(linkat(from, "hard1", from, "dir/hard3", 0), 0);
	for (size_t i = ARRAY_SIZE(names); i > 0; i--)
		set_time(from, names[i - 1], 1000000000 + (long)i, 123456789);
	copy();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_alike(names[i]);
	assert_int_equal(stat_at(to, "hard1").st_ino, stat_at(to, "dir/hard3").st_ino);
	assert_int_equal(readlinkat(to, "link", text, sizeof(text)), 5);
}

static void holes_stay_holes(void **state)
{
	struct stat st;
	int fd = openat(from, "sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	char a[5], b[5];

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "begin", 5, 0), 5);
	assert_int_equal(pwrite(fd, "inner", 5, 64 << 20), 5);
	assert_int_equal(ftruncate(fd, 256 << 20), 0);
	assert_int_equal(close(fd), 0);
	copy();
	st = stat_at(to, "sparse");
	assert_int_equal(st.st_size, 256 << 20);
	assert_true(st.st_blocks * 512 < 1 << 20);
	fd = openat(to, "sparse", O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, a, 5, 0), 5);
	assert_int_equal(pread(fd, b, 5, 64 << 20), 5);
	assert_memory_equal(a, "begin", 5);
	assert_memory_equal(b, "inner", 5);
	assert_int_equal(close(fd), 0);
}

static void content_of_any_size_is_copied(void **state)
{
	static const size_t sizes[] = { 1, 4095, 4096, 4097, 262144, 262145, (17 << 20) + 3 };
	char *data = malloc((18 << 20)), *back = malloc((18 << 20));

	for (size_t i = 0; i < (18 << 20); i++)
		data[i] = (char)(i * 2654435761U >> 13 | 1);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char name[32];
		int fd;

		(void)snprintf(name, sizeof(name), "f%zu", i);
		fd = openat(from, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		assert_int_equal(write(fd, data, sizes[i]), sizes[i]);
		assert_int_equal(close(fd), 0);
	}
	copy();
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char name[32];
		int fd;

		(void)snprintf(name, sizeof(name), "f%zu", i);
		fd = openat(to, name, O_RDONLY | O_CLOEXEC);
		assert_int_equal(read(fd, back, 18 << 20), sizes[i]);
		assert_memory_equal(back, data, sizes[i]);
		assert_int_equal(close(fd), 0);
	}
	free(data);
	free(back);
}

/* Deeper than there are descriptors, and than a path may be long; hard links across it. */
static void trees_of_any_depth_are_copied(void **state)
{
	static const char name[] = "0123456789";
	int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	write_at(from, "top", "same", 0644);
	for (int i = 0; i < 3000; i++) {
		int next;

		assert_int_equal(mkdirat(fd, name, 0755), 0);
		next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		fd_replace(&fd, next);
	}
	assert_int_equal(linkat(from, "top", fd, "zbottom", 0), 0);
	write_at(fd, "deep1", "deep", 0644);
	assert_int_equal(linkat(fd, "deep1", from, "zdeep2", 0), 0);
	fd_close(fd);
	copy();
	fd = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 3000; i++) {
		int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		assert_true(next >= 0);
		fd_replace(&fd, next);
	}
	assert_int_equal(stat_at(fd, "zbottom").st_ino, stat_at(to, "top").st_ino);
	assert_int_equal(stat_at(fd, "deep1").st_ino, stat_at(to, "zdeep2").st_ino);
	fd_close(fd);
	fd = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(storage_rmtree(fd, "from", NULL), 0);
	assert_int_equal(storage_rmtree(fd, "to", NULL), 0);
	fd_close(fd);
}

static void devices_and_owners_are_kept(void **state)
{
	if (!unit_is_root())
		unit_skip("needs root");
	assert_int_equal(mknodat(from, "null", S_IFCHR | 0666, makedev(1, 3)), 0);
	assert_int_equal(mknodat(from, "disk", S_IFBLK | 0660, makedev(7, 0)), 0);
	assert_int_equal(mknodat(from, "sock", S_IFSOCK | 0700, 0), 0);
	assert_int_equal(fchownat(from, "disk", 0, 6, 0), 0);
	write_at(from, "owned", "x", 04711);
	assert_int_equal(fchownat(from, "owned", 1234, 4321, 0), 0);
	assert_int_equal(fchmodat(from, "owned", 04711, 0), 0);
	assert_int_equal(symlinkat("x", from, "link"), 0);
	assert_int_equal(fchownat(from, "link", 7, 8, AT_SYMLINK_NOFOLLOW), 0);
	copy();
	assert_alike("null");
	assert_alike("disk");
	assert_alike("sock");
	assert_alike("owned");
	assert_alike("link");
}

#define ACL_ENTRY(tag, perm, id) tag & 0xff, tag >> 8, perm, 0, id & 0xff, (id >> 8) & 0xff, (id >> 16) & 0xff, (unsigned)id >> 24
#define NO_ID 0xffffffffU

/* u::rw-,u:uid:r--,g::r--,g:gid:rw-,m::rw-,o::--- */
static size_t acl_of(unsigned char *p, unsigned uid, unsigned gid)
{
	const unsigned char acl[] = { 2, 0, 0, 0,
		ACL_ENTRY(0x01, 6, NO_ID), ACL_ENTRY(0x02, 4, uid), ACL_ENTRY(0x04, 4, NO_ID),
		ACL_ENTRY(0x08, 6, gid), ACL_ENTRY(0x10, 6, NO_ID), ACL_ENTRY(0x20, 0, NO_ID) };

	memcpy(p, acl, sizeof(acl));
	return sizeof(acl);
}

static void set_xattr(int dir, const char *name, const char *key, const void *value, size_t n)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	if (fsetxattr(fd, key, value, n, 0) < 0) {
		fd_close(fd);
		unit_skip("needs a file system with %s", key);
	}
	fd_close(fd);
}

static size_t get_xattr(int dir, const char *name, const char *key, void *value)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fgetxattr(fd, key, value, 65536);

	fd_close(fd);
	assert_true(n >= 0);
	return (size_t)n;
}

static void capability(struct vfs_ns_cap_data *cap, unsigned root)
{
	*cap = (struct vfs_ns_cap_data){
		.magic_etc = htole32((root ? VFS_CAP_REVISION_3 : VFS_CAP_REVISION_2) | VFS_CAP_FLAGS_EFFECTIVE),
		.data[0].permitted = htole32(1U << CAP_NET_RAW),
		.rootid = htole32(root),
	};
}

static void attributes_are_kept(void **state)
{
	static const char *const keys[] = { "user.note", "user.large", "system.posix_acl_access" };
	unsigned char acl[64], *a = malloc(65536), *b = malloc(65536);
	struct vfs_ns_cap_data cap;

	write_at(from, "file", "x", 0640);
	assert_int_equal(mkdirat(from, "dir", 0750), 0);
	memset(a, 'y', 3000);
	set_xattr(from, "file", "user.note", "a\0b", 3);
	set_xattr(from, "file", "user.large", a, 3000);
	set_xattr(from, "file", "system.posix_acl_access", acl, acl_of(acl, 33, 44));
	set_xattr(from, "dir", "system.posix_acl_default", acl, acl_of(acl, 55, 66));
	if (unit_is_root()) {
		capability(&cap, 0);
		set_xattr(from, "file", "security.capability", &cap, XATTR_CAPS_SZ_2);
		set_xattr(from, "file", "trusted.overlay.opaque", "y", 1);
	}
	copy();
	assert_alike("file");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t n = get_xattr(from, "file", keys[i], a);

		assert_int_equal(get_xattr(to, "file", keys[i], b), n);
		assert_memory_equal(a, b, n);
	}
	assert_int_equal(get_xattr(to, "dir", "system.posix_acl_default", b), acl_of(acl, 55, 66));
	assert_memory_equal(b, acl, acl_of(acl, 55, 66));
	if (unit_is_root()) {
		assert_int_equal(get_xattr(to, "file", "security.capability", b), XATTR_CAPS_SZ_2);
		assert_memory_equal(b, &cap, XATTR_CAPS_SZ_2);
		assert_int_equal(get_xattr(to, "file", "trusted.overlay.opaque", b), 1);
	}
	free(a);
	free(b);
}

static void map_of(struct idmap *m, unsigned host, unsigned n)
{
	for (int gid = 0; gid < 2; gid++) {
		struct idmap_range range = { .gid = gid, .nsid = 0, .hostid = host, .range = n };

		assert_int_equal(VEC_PUSH(m, range), 0);
	}
}

static int copy_mapped(unsigned a, unsigned b, unsigned b_range, struct err **e)
{
	struct idmap x = { 0 }, y = { 0 };
	int r;

	if (a)
		map_of(&x, a, 65536);
	if (b)
		map_of(&y, b, b_range);
	r = storage_copytree_mapped(from, to, &(struct storage_mapping){ .from = &x, .to = &y }, NULL, e);
	idmap_done(&x);
	idmap_done(&y);
	return r;
}

static void ids_are_shifted_everywhere(void **state)
{
	static const unsigned cases[][2] = { { 100000, 300000 }, { 0, 300000 }, { 100000, 0 }, { 0, 0 } };
	unsigned char acl[64], buf[256], *got = malloc(65536);
	auto_err struct err *e = NULL;

	if (!unit_is_root())
		unit_skip("needs root");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned a = cases[i][0], b = cases[i][1];
		struct vfs_ns_cap_data cap;
		struct stat st;
		size_t n;

		write_at(from, "file", "x", 0640);
		assert_int_equal(fchownat(from, "file", a + 1000, a + 50, 0), 0);
		/* Not of the map: stays, and so stays nobody. */
		write_at(from, "stranger", "x", 0640);
		assert_int_equal(fchownat(from, "stranger", 77, a + 1, 0), 0);
		set_xattr(from, "file", "system.posix_acl_access", acl, acl_of(acl, a + 33, a + 44));
		capability(&cap, a);
		set_xattr(from, "file", "security.capability", &cap, a ? XATTR_CAPS_SZ_3 : XATTR_CAPS_SZ_2);
		assert_int_equal(copy_mapped(a, b, 65536, &e), 0);
		st = stat_at(to, "file");
		assert_int_equal(st.st_uid, b + 1000);
		assert_int_equal(st.st_gid, b + 50);
		st = stat_at(to, "stranger");
		assert_int_equal(st.st_uid, a ? 77 : b + 77);
		assert_int_equal(st.st_gid, b + 1);
		n = acl_of(buf, b + 33, b + 44);
		assert_int_equal(get_xattr(to, "file", "system.posix_acl_access", got), n);
		assert_memory_equal(got, buf, n);
		capability(&cap, b);
		n = b ? XATTR_CAPS_SZ_3 : XATTR_CAPS_SZ_2;
		assert_int_equal(get_xattr(to, "file", "security.capability", got), n);
		assert_memory_equal(got, &cap, n);
		(void)unlinkat(from, "file", 0);
		(void)unlinkat(from, "stranger", 0);
		(void)unlinkat(to, "file", 0);
		(void)unlinkat(to, "stranger", 0);
	}
	free(got);
}

static void ids_that_the_target_lacks_are_named(void **state)
{
	auto_err struct err *e = NULL;

	if (!unit_is_root())
		unit_skip("needs root");
	write_at(from, "file", "x", 0640);
	assert_int_equal(fchownat(from, "file", 100500, 100000, 0), 0);
	assert_true(copy_mapped(100000, 300000, 500, &e) < 0);
	assert_err_id(e, "copy-id-unmapped");
	assert_err_has(e, "from/file has id 500");
}

static void copy_over_mounts(void *arg)
{
	auto_free char *dir = path_join(tmp, "from/mnt"), *file = path_join(tmp, "from/covered"),
		       *a = path_join(tmp, "from"), *b = path_join(tmp, "to");
	struct err *e = NULL;
	struct stat st;

	/* Descriptors of another mount namespace do not see what is mounted in this one. */
	fd_replace(&from, open(a, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	fd_replace(&to, open(b, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	CHECK(mount("none", dir, "tmpfs", 0, NULL) == 0);
	CHECK(mknodat(from, "mnt/inside", S_IFREG | 0600, 0) == 0);
	CHECK(mount("/etc/passwd", file, NULL, MS_BIND, NULL) == 0);
	CHECK_OK(storage_copytree(from, to, NULL, &e), e);
	CHECK(fstatat(to, "mnt", &st, 0) == 0 && S_ISDIR(st.st_mode));
	CHECK(fstatat(to, "mnt/inside", &st, 0) < 0);
	CHECK(fstatat(to, "covered", &st, 0) == 0 && st.st_size == 0);
}

static void mounts_are_not_crossed(void **state)
{
	assert_int_equal(mkdirat(from, "mnt", 0755), 0);
	write_at(from, "covered", "", 0644);
	unit_child_ns(0, copy_over_mounts, NULL);
}

static void copy_without_openat2(void *arg)
{
	unit_enosys(SYS_openat2);
	unit_enosys(SYS_copy_file_range);
	copy_over_mounts(arg);
	CHECK(faccessat(to, "file", R_OK, 0) == 0);
}

static void old_kernels_copy_too(void **state)
{
	assert_int_equal(mkdirat(from, "mnt", 0755), 0);
	write_at(from, "covered", "", 0644);
	write_at(from, "file", "text", 0644);
	unit_child_ns(0, copy_without_openat2, NULL);
}

struct count {
	uint64_t bytes, files;
	unsigned asked, stop_at;
};

static void tick(void *arg, uint64_t bytes, uint64_t files)
{
	struct count *c = arg;

	c->bytes = bytes;
	c->files = files;
}

static bool cancelled(void *arg)
{
	struct count *c = arg;

	return ++c->asked == c->stop_at;
}

static void copies_can_be_cancelled(void **state)
{
	struct count c = { .stop_at = 3 };
	struct storage_progress p = { tick, cancelled, &c };
	auto_err struct err *e = NULL;

	for (int i = 0; i < 5; i++) {
		char name[8] = { 'f', (char)('0' + i) };

		write_at(from, name, "x", 0644);
	}
	assert_int_equal(storage_copytree(from, to, &p, &e), -ECANCELED);
	assert_err_id(e, "copy-cancelled");
	assert_int_equal(c.asked, 3);
}

static void progress_is_told(void **state)
{
	struct count c = { 0 };
	struct storage_progress p = { tick, NULL, &c };

	write_at(from, "a", "12345", 0644);
	write_at(from, "b", "12345", 0644);
	assert_int_equal(storage_copytree(from, to, &p, NULL), 0);
	/* At the end, whatever the time it took. */
	assert_int_equal(c.bytes, 10);
	assert_int_equal(c.files, 2);
}

static void what_is_there_is_not_overwritten(void **state)
{
	auto_err struct err *e = NULL;

	write_at(from, "a", "new", 0644);
	write_at(to, "a", "precious", 0644);
	assert_int_equal(storage_copytree(from, to, NULL, &e), -EEXIST);
	assert_int_equal(stat_at(to, "a").st_size, 8);
}

static void assert_content(int dir, const char *name, const char *want)
{
	char text[16] = "";
	auto_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	assert_string_equal(text, want);
}

/* Only what is provably whole is kept. */
static void resuming_keeps_what_is_whole(void **state)
{
	static const char *const names[] = { "whole", "longer", "newer", "moded", "owned" };
	const struct storage_mapping how = { .resume = true };
	struct timespec t[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	auto_err struct err *e = NULL;
	for (size_t i = 0; i < 5; i++) {
		write_at(from, names[i], "12345", 0640);
		write_at(to, names[i], i == 1 ? "123456" : "ABCDE", 0640);
		assert_int_equal(utimensat(from, names[i], t, 0), 0);
	}
	write_at(from, "mine", "12345", 0640);
	assert_int_equal(fchmodat(to, "moded", 0644, 0), 0);
	assert_int_equal(geteuid() == 0 ? fchownat(to, "owned", 1, 1, 0) : fchmodat(to, "owned", 0600, 0), 0);
	/* Its times after the source was changed, as all that is whole. */
	usleep(20000);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(i == 2 ? 0 : utimensat(to, names[i], t, 0), 0);
	/* A link to something of another place is replaced, not followed. */
	write_at(from, "a-link", "12345", 0640);
	assert_int_equal(symlinkat("mine", to, "a-link"), 0);
	CHECK_OK(storage_copytree_mapped(from, to, &how, NULL, &e), e);
	for (size_t i = 0; i < 5; i++)
		assert_content(to, names[i], i == 0 ? "ABCDE" : "12345");
	assert_true(S_ISREG(stat_at(to, "a-link").st_mode));
	/* A source that has changed since is copied, though it looks the same. */
	assert_int_equal(utimensat(from, "whole", t, 0), 0);
	CHECK_OK(storage_copytree_mapped(from, to, &how, NULL, &e), e);
	assert_content(to, "whole", "12345");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
static const struct CMUnitTest tests[] = {
	T(modes_times_and_links_are_kept),
	T(holes_stay_holes),
	T(content_of_any_size_is_copied),
	T(trees_of_any_depth_are_copied),
	T(devices_and_owners_are_kept),
	T(attributes_are_kept),
	T(ids_are_shifted_everywhere),
	T(ids_that_the_target_lacks_are_named),
	T(mounts_are_not_crossed),
	T(old_kernels_copy_too),
	T(copies_can_be_cancelled),
	T(progress_is_told),
	T(what_is_there_is_not_overwritten),
	T(resuming_keeps_what_is_whole),
};
UNIT_MAIN(tests)

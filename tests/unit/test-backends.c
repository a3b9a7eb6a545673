/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* The types that need a file system or programs of their own: btrfs and loop for real on loop devices, the
 * others with programs that write down how they were called. */
#include "harness/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "config/key.h"
#include "config/reader.h"
#include "kernel/btrfs.h"
#include "kernel/host.h"
#include "kernel/loop.h"
#include "kernel/spawn.h"
#include "storage/storage.h"

/* A file system of the test's own. */
#define TOP "/tmp/backends"
#define BIN TOP "/bin"
#define CALLS TOP "/calls"
#define MIB ((uint64_t)1 << 20)

static struct conf *conf_of(const char *text)
{
	struct conf *c = conf_new();
	struct err *e = NULL;

	CHECK(c);
	CHECK_OK(conf_parse(c, text, strlen(text), "c1.conf", NULL, &e), e);
	return c;
}

static struct conf *conf_with(const char *path)
{
	auto_free char *text = NULL;

	CHECK(asprintf(&text, "lxc.rootfs.path = %s\n", path) > 0);
	return conf_of(text);
}

static bool has(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void need_program(const char *name)
{
	static const char *const dirs[] = { "/usr/sbin", "/sbin", "/usr/bin", "/bin" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		auto_free char *path = path_join(dirs[i], name);

		if (access(path, X_OK) == 0)
			return;
	}
	unit_skip("needs %s", name);
}

static void need_loop(void)
{
	if (!unit_is_root())
		unit_skip("needs root");
	if (access("/dev/loop-control", R_OK | W_OK) < 0)
		unit_skip("needs loop devices");
}

static void run(const char *program, const char *a, const char *b, const char *c)
{
	char *const argv[] = { (char *)(uintptr_t)program, (char *)(uintptr_t)a, (char *)(uintptr_t)b,
			       (char *)(uintptr_t)c, NULL };
	struct spawn s = SPAWN_INIT;
	struct err *e = NULL;

	s.path = program;
	s.argv = argv;
	CHECK_OK(spawn_check(&s, &e), e);
}

/* TOP is a tmpfs, or a file system of this type in an image. The device goes with its last user. */
static void world(const char *fstype, const char *mkfs)
{
	auto_close int fd = -EBADF, dev = -EBADF;
	auto_free char *path = NULL;
	struct err *e = NULL;

	CHECK(mount("none", "/tmp", "tmpfs", 0, NULL) == 0);
	CHECK(mkdir(TOP, 0755) == 0);
	if (fstype) {
		fd = open("/tmp/image", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		CHECK(fd >= 0 && ftruncate(fd, (off_t)(320 * MIB)) == 0);
		run(mkfs, "/tmp/image", NULL, NULL);
		dev = loop_attach(fd, &path, &e);
		CHECK_OK(dev, e);
		CHECK(mount(path, TOP, fstype, 0, NULL) == 0);
	}
	CHECK(mkdir(TOP "/c1", 0755) == 0 && mkdir(TOP "/c2", 0755) == 0 && mkdir(TOP "/c3", 0755) == 0);
}

static int put_file(int root, void *arg, struct err **e)
{
	int fd = openat(root, arg ? arg : "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0640);

	CHECK(fd >= 0 && write(fd, "content", 7) == 7);
	CHECK(fsync(fd) == 0 && close(fd) == 0);
	return 0;
}

static int see_file(int root, void *arg, struct err **e)
{
	struct stat st;

	CHECK(fstatat(root, "file", &st, 0) == 0 && st.st_size == 7);
	CHECK(fstat(root, &st) == 0 && (st.st_mode & 07777) == 0755);
	return 0;
}

static struct conf *create(const char *type, const struct storage_spec *spec, const char *dir, const char *expected)
{
	struct conf *plain = conf_of("lxc.uts.name = a\n"), *c;
	struct err *e = NULL;
	char *path = NULL;

	CHECK_OK(storage_create(type, spec, dir, plain, &path, &e), e);
	if (strcmp(path, expected) != 0)
		(void)fprintf(stderr, "# got %s\n", path);
	CHECK(strcmp(path, expected) == 0);
	c = conf_with(path);
	free(path);
	conf_free(plain);
	return c;
}

static struct conf *copy(const struct conf *from, const char *to_dir, const char *type, unsigned flags,
			 const struct storage_spec *spec, const char *expected, bool depends)
{
	struct conf *plain = conf_of("lxc.uts.name = b\n"), *c;
	struct storage_copy how = { .from = from, .to = plain, .from_dir = TOP "/c1", .to_dir = to_dir,
				    .from_name = "c1", .to_name = path_base(to_dir), .flags = flags, .type = type,
				    .spec = spec };
	struct err *e = NULL;
	char *path = NULL;
	bool got = !depends;

	CHECK_OK(storage_copy(&how, &path, &got, NULL, &e), e);
	if (strcmp(path, expected) != 0)
		(void)fprintf(stderr, "# got %s\n", path);
	CHECK(strcmp(path, expected) == 0);
	CHECK(got == depends);
	c = conf_with(path);
	free(path);
	conf_free(plain);
	return c;
}

static void do_with(const struct conf *c, int (*fn)(int root, void *arg, struct err **e))
{
	struct err *e = NULL;

	CHECK_OK(storage_with_root(c, NULL, fn, NULL, &e), e);
}

static void destroy(const struct conf *c, const char *dir)
{
	struct err *e = NULL;

	CHECK_OK(storage_destroy(c, dir, NULL, &e), e);
}

/* ---- btrfs */

static void subvolumes(void *arg)
{
	struct conf *c1, *c2, *c3, *c4;
	struct storage_usage u;
	struct err *e = NULL;
	int fd;

	need_loop();
	need_program("mkfs.btrfs");
	world("btrfs", "mkfs.btrfs");
	c1 = create("btrfs", NULL, TOP "/c1", "btrfs:" TOP "/c1/rootfs");
	do_with(c1, put_file);
	fd = open(TOP "/c1/rootfs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(btrfs_is_subvolume(fd));
	/* The container has made one itself. */
	CHECK(mkdirat(fd, "var", 0755) == 0 && mkdirat(fd, "var/lib", 0755) == 0);
	fd_replace(&fd, openat(fd, "var/lib", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	CHECK(btrfs_create(fd, "machines") == 0);
	fd_replace(&fd, openat(fd, "machines", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	CHECK(btrfs_create(fd, "inner") == 0);
	fd_close(fd);
	c2 = copy(c1, TOP "/c2", NULL, STORAGE_SNAPSHOT, NULL, "btrfs:" TOP "/c2/rootfs", false);
	do_with(c2, see_file);
	/* A copy on the same file system shares too; one of another type does not. */
	c3 = copy(c1, TOP "/c3", NULL, STORAGE_SAME_PATH, NULL, "btrfs:" TOP "/c3/rootfs", false);
	do_with(c3, see_file);
	CHECK(mkdir(TOP "/c4", 0755) == 0);
	c4 = copy(c1, TOP "/c4", "dir", 0, NULL, "dir:" TOP "/c4/rootfs", false);
	do_with(c4, see_file);
	CHECK_OK(storage_usage(c1, TOP "/c1", &u, &e), e);
	CHECK(u.limit == 0);
	CHECK(storage_resize(c1, TOP "/c1", 64 * MIB, &e) < 0 && err_is(e, "resize-unsupported"));
	err_free(take_ptr(e));
	run("btrfs", "quota", "enable", TOP);
	CHECK_OK(storage_resize(c1, TOP "/c1", 64 * MIB, &e), e);
	CHECK_OK(storage_usage(c1, TOP "/c1", &u, &e), e);
	CHECK(u.limit == 64 * MIB && u.exclusive != UINT64_MAX);
	destroy(c1, TOP "/c1");
	destroy(c2, TOP "/c2");
	destroy(c3, TOP "/c3");
	CHECK(!has(TOP "/c1/rootfs") && !has(TOP "/c2/rootfs") && !has(TOP "/c3/rootfs"));
	conf_free(c1);
	conf_free(c2);
	conf_free(c3);
	conf_free(c4);
}

static void btrfs_roots_are_subvolumes(void **state)
{
	unit_child_ns(0, subvolumes, NULL);
}

static void no_btrfs(void *arg)
{
	struct conf *plain = conf_of("lxc.uts.name = a\n"), *c;
	struct err *e = NULL;
	char *path = NULL;

	need_loop();
	world(NULL, NULL);
	CHECK(storage_create("btrfs", NULL, TOP "/c1", plain, &path, &e) < 0 && err_is(e, "btrfs-not"));
	err_free(e);
	CHECK(!has(TOP "/c1/rootfs"));
	conf_free(plain);
	/* Falls on to the one that can. */
	CHECK(setenv("PATH", TOP, 1) == 0);
	c = create("best", NULL, TOP "/c1", "dir:" TOP "/c1/rootfs");
	conf_free(c);
}

static void best_takes_what_there_is(void **state)
{
	unit_child_ns(0, no_btrfs, NULL);
}

/* ---- loop */

static uint64_t blocks_of(const struct conf *c)
{
	struct storage *s = NULL;
	struct err *e = NULL;
	struct statvfs v;
	int fd;

	CHECK_OK(storage_resolve(c, NULL, &s, &e), e);
	fd = storage_mount(s, c, &e);
	CHECK_OK(fd, e);
	CHECK(fstatvfs(fd, &v) == 0);
	fd_close(fd);
	storage_free(s);
	return (uint64_t)v.f_blocks * v.f_frsize;
}

static void need_mkfs(const char *fstype)
{
	auto_free char *mkfs = NULL;

	CHECK(asprintf(&mkfs, "mkfs.%s", fstype) > 0);
	need_program(mkfs);
}

static void growth(void *arg)
{
	const char *fstype = arg;
	uint64_t size = strcmp(fstype, "xfs") == 0 ? 400 : 128, before;
	struct storage_spec spec = { .fssize = size * MIB, .fstype = fstype };
	struct storage *running = NULL;
	struct err *e = NULL;
	struct conf *c1;
	int fd;

	need_loop();
	need_mkfs(fstype);
	if (strncmp(fstype, "ext", 3) == 0 && !host_has_cap(CAP_SYS_RESOURCE))
		unit_skip("needs CAP_SYS_RESOURCE, to grow ext4 in use");
	world(NULL, NULL);
	c1 = create("loop", &spec, TOP "/c1", "loop:" TOP "/c1/rootdev");
	do_with(c1, put_file);
	before = blocks_of(c1);
	/* While it is in use. */
	CHECK_OK(storage_resolve(c1, NULL, &running, &e), e);
	fd = storage_mount(running, c1, &e);
	CHECK_OK(fd, e);
	if (storage_resize(c1, TOP "/c1", (size + 128) * MIB, &e) < 0)
		CHECK_OK(-1, e);
	fd_close(fd);
	storage_free(running);
	CHECK(blocks_of(c1) > before + 64 * MIB);
	do_with(c1, see_file);
	CHECK(storage_resize(c1, TOP "/c1", MIB, &e) < 0 && err_is(e, "resize-shrink"));
	err_free(e);
	destroy(c1, TOP "/c1");
	conf_free(c1);
}

static void ext4_images_are_grown(void **state)
{
	unit_child_ns(0, growth, (char *)(uintptr_t)"ext4");
}

static void xfs_images_are_grown(void **state)
{
	unit_child_ns(0, growth, (char *)(uintptr_t)"xfs");
}

static void btrfs_images_are_grown(void **state)
{
	unit_child_ns(0, growth, (char *)(uintptr_t)"btrfs");
}

static void image(void *arg)
{
	const char *fstype = arg;
	uint64_t size = strcmp(fstype, "xfs") == 0 ? 400 : 128;
	struct storage_spec spec = { .fssize = size * MIB, .fstype = fstype }, bigger = { .fssize = (size + 64) * MIB };
	struct conf *c1, *c2, *c3;
	struct storage_usage u;
	struct err *e = NULL;

	need_loop();
	need_mkfs(fstype);
	world(NULL, NULL);
	c1 = create("loop", &spec, TOP "/c1", "loop:" TOP "/c1/rootdev");
	do_with(c1, put_file);
	do_with(c1, see_file);
	c2 = copy(c1, TOP "/c2", NULL, STORAGE_SAME_PATH, NULL, "loop:" TOP "/c2/rootdev", false);
	do_with(c2, see_file);
	CHECK_OK(storage_usage(c2, TOP "/c2", &u, &e), e);
	CHECK(u.limit == size * MIB && u.used < u.limit);
	c3 = copy(c1, TOP "/c3", NULL, STORAGE_SAME_PATH, &bigger, "loop:" TOP "/c3/rootdev", false);
	CHECK_OK(storage_usage(c3, TOP "/c3", &u, &e), e);
	CHECK(u.limit == (size + 64) * MIB);
	destroy(c1, TOP "/c1");
	CHECK(!has(TOP "/c1/rootdev") && has(TOP "/c2/rootdev"));
	/* Somebody else's image stays. */
	destroy(c2, TOP "/c3");
	CHECK(has(TOP "/c2/rootdev"));
	conf_free(c1);
	conf_free(c2);
	conf_free(c3);
}

static void ext4_images_are_made_and_copied(void **state)
{
	unit_child_ns(0, image, (char *)(uintptr_t)"ext4");
}

static void xfs_images_are_made_and_copied(void **state)
{
	unit_child_ns(0, image, (char *)(uintptr_t)"xfs");
}

static void btrfs_images_are_made_and_copied(void **state)
{
	unit_child_ns(0, image, (char *)(uintptr_t)"btrfs");
}

static void mapped_image(void *arg)
{
	struct conf *mapped = conf_of("lxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 100000 65536\n");
	struct storage_spec spec = { .fssize = 64 * MIB };
	struct storage *s = NULL;
	struct err *e = NULL;
	char *path = NULL;
	struct stat st;
	struct conf *c;
	int fd;

	need_loop();
	need_program("mkfs.ext4");
	world(NULL, NULL);
	CHECK_OK(storage_create("loop", &spec, TOP "/c1", mapped, &path, &e), e);
	c = conf_with(path);
	CHECK_OK(storage_resolve(c, NULL, &s, &e), e);
	fd = storage_mount(s, c, &e);
	CHECK_OK(fd, e);
	CHECK(fstat(fd, &st) == 0 && st.st_uid == 100000 && st.st_gid == 100000);
	CHECK(storage_wants_host(s));
	fd_close(fd);
	storage_free(s);
	/* Nothing is left of one that cannot be made. */
	free(path);
	spec.fstype = "nosuchfs";
	CHECK(storage_create("loop", &spec, TOP "/c2", mapped, &path, &e) < 0 && err_is(e, "program-missing"));
	CHECK(!has(TOP "/c2/rootdev"));
	err_free(e);
	conf_free(c);
	conf_free(mapped);
}

static void images_belong_to_the_map(void **state)
{
	unit_child_ns(0, mapped_image, NULL);
}

/* ---- with programs that write down how they were called */

static void fake(const char *name, const char *body)
{
	auto_free char *path = path_join(BIN, name);
	FILE *f = fopen(path, "we");

	CHECK(f);
	CHECK(fprintf(f, "#!/bin/sh\necho \"%s $*\" >>" CALLS "\n%s\n", name, body) > 0);
	CHECK(fclose(f) == 0 && chmod(path, 0755) == 0);
}

/* /dev with one block device in it, that the programs show under the names they make up. */
static void devices(void)
{
	auto_free char *path = NULL;
	struct err *e = NULL;
	struct stat st;
	/* Both stay open: the device lives as long as this process. */
	int fd, dev;

	CHECK(mkdir(BIN, 0755) == 0);
	fd = open("/tmp/disk", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && ftruncate(fd, (off_t)(64 * MIB)) == 0);
	dev = loop_attach(fd, &path, &e);
	CHECK_OK(dev, e);
	CHECK(fstat(dev, &st) == 0);
	CHECK(mount("none", "/dev", "tmpfs", 0, NULL) == 0);
	CHECK(mknod("/dev/disk", S_IFBLK | 0600, st.st_rdev) == 0 && mknod("/dev/null", S_IFCHR | 0666, makedev(1, 3)) == 0);
	CHECK(setenv("PATH", BIN ":/usr/sbin:/usr/bin:/sbin:/bin", 1) == 0);
}

static void called(const char *expected)
{
	char *text = NULL;
	struct err *e = NULL;

	CHECK_OK(io_read_file(AT_FDCWD, CALLS, 65536, &text, NULL, &e), e);
	if (strcmp(text, expected) != 0)
		(void)fprintf(stderr, "# called:\n%s# expected:\n%s", text, expected);
	CHECK(strcmp(text, expected) == 0);
	CHECK(unlink(CALLS) == 0);
	free(text);
}

static void volumes(void *arg)
{
	struct storage_spec spec = { .fssize = 64 * MIB, .vg = "vg0" }, named = { .fssize = 64 * MIB, .lv = "other", .thinpool = "pool" };
	struct conf *c, *c2, *alien;
	struct err *e = NULL;

	need_loop();
	need_program("mkfs.ext4");
	world(NULL, NULL);
	devices();
	fake("lvs", "case $5 in */pool) echo '  twi-aotz--' ;; */thin*) echo '  Vwi-a-tz--' ;; *) exit 5 ;; esac");
	/* The last word is the name; before it goes -n, and the group unless it is a snapshot. */
	fake("lvcreate", "case $1 in -s) dev=; for w in \"$@\"; do case $p in -n) new=$w ;; esac; p=$w; done\n"
			 "d=${p%/*}; ln -s ../disk $d/$new ;;\n"
			 "*) for w in \"$@\"; do case $w in -n) vg=$p ;; esac; p=$w; done; mkdir -p /dev/$vg; ln -s ../disk /dev/$vg/$p ;; esac");
	fake("lvremove", "rm $2");
	fake("lvchange", "exit 5");
	c = create("lvm", &spec, TOP "/c1", "lvm:/dev/vg0/c1");
	called("lvs --unbuffered --noheadings -o lv_attr /dev/vg0/lxc\nlvcreate -Wy --yes -L 67108864b vg0 -n c1\n");
	do_with(c, put_file);
	do_with(c, see_file);
	/* A classic snapshot stands on its origin. */
	c2 = copy(c, TOP "/c2", NULL, STORAGE_SNAPSHOT, NULL, "lvm:/dev/vg0/c2", true);
	called("lvs --unbuffered --noheadings -o lv_attr /dev/vg0/c1\nlvcreate -s -L 67108864b -n c2 /dev/vg0/c1\n");
	destroy(c2, TOP "/c2");
	called("lvremove -f /dev/vg0/c2\n");
	CHECK(!has("/dev/vg0/c2") && !has(TOP "/c2/storage"));
	conf_free(c2);
	/* Whose name is not the container's, and which it did not make. */
	alien = conf_with("lvm:/dev/vg0/c1");
	destroy(alien, TOP "/c3");
	CHECK(has("/dev/vg0/c1") && !has(CALLS));
	/* One that was made, but not written down in the configuration any more. */
	destroy(NULL, TOP "/c1");
	called("lvremove -f /dev/vg0/c1\n");
	conf_free(c);
	conf_free(alien);
	c = create("lvm", &named, TOP "/c1", "lvm:/dev/lxc/other");
	called("lvs --unbuffered --noheadings -o lv_attr /dev/lxc/pool\n"
	       "lvcreate -Wy --yes --thinpool /dev/lxc/pool -V 67108864b lxc -n other\n");
	destroy(c, TOP "/c1");
	called("lvremove -f /dev/lxc/other\n");
	conf_free(c);
	/* Old programs: exit status 3 says that they do not know the words. */
	fake("lvcreate", "case $1 in -Wy) exit 3 ;; esac; mkdir -p /dev/vg0; ln -s ../disk /dev/vg0/thin1");
	spec.lv = "thin1";
	c = create("lvm", &spec, TOP "/c1", "lvm:/dev/vg0/thin1");
	called("lvs --unbuffered --noheadings -o lv_attr /dev/vg0/lxc\nlvcreate -Wy --yes -L 67108864b vg0 -n thin1\n"
	       "lvcreate -qq -L 67108864b vg0 -n thin1\n");
	fake("lvcreate", "ln -s ../disk /dev/vg0/c2");
	c2 = copy(c, TOP "/c2", "lvm", STORAGE_SNAPSHOT, NULL, "lvm:/dev/vg0/c2", false);
	called("lvs --unbuffered --noheadings -o lv_attr /dev/vg0/thin1\nlvcreate -s -n c2 /dev/vg0/thin1\n");
	conf_free(c);
	conf_free(c2);
	/* A failure leaves nothing, and is told. */
	fake("lvcreate", "echo 'No space in vg0' >&2; exit 5");
	{
		struct conf *plain = conf_of("lxc.uts.name = a\n");
		char *path = NULL;

		spec.lv = "c3";
		CHECK(storage_create("lvm", &spec, TOP "/c3", plain, &path, &e) < 0);
		CHECK(err_is(e, "program-failed") && strstr(err_line(e), "No space in vg0"));
		CHECK(!has(TOP "/c3/storage"));
		err_free(e);
		conf_free(plain);
	}
}

static void volumes_are_made_by_lvm(void **state)
{
	unit_child_ns(0, volumes, NULL);
}

static void datasets(void *arg)
{
	struct storage_spec spec = { .zfsroot = "tank/lxc" };
	struct conf *c, *c2;

	need_loop();
	world(NULL, NULL);
	devices();
	fake("zfs", "case $1 in list) for n in \"$@\"; do :; done; grep -qx \"$n\" " TOP "/sets 2>/dev/null && echo $n || exit 1 ;;\n"
		    "create|clone) for n in \"$@\"; do :; done; echo $n >>" TOP "/sets ;;\n"
		    "get) case $7 in tank/lxc/c2) echo tank/lxc/c1@c2 ;; *) echo - ;; esac ;;\n"
		    "destroy) sed -i \"\\\\|^$3\\$|d\" " TOP "/sets ;; esac");
	c = create("zfs", &spec, TOP "/c1", "zfs:tank/lxc/c1");
	called("zfs list -H -o name tank/lxc/c1\n"
	       "zfs create -o mountpoint=" TOP "/c1/rootfs -o canmount=noauto -p tank/lxc/c1\n");
	c2 = copy(c, TOP "/c2", NULL, STORAGE_SNAPSHOT, NULL, "zfs:tank/lxc/c2", false);
	called("zfs list -H -o name tank/lxc/c1\nzfs destroy tank/lxc/c1@c2\nzfs snapshot -r tank/lxc/c1@c2\n"
	       "zfs clone -p -o canmount=noauto -o mountpoint=" TOP "/c2/rootfs tank/lxc/c1@c2 tank/lxc/c2\n");
	destroy(c2, TOP "/c2");
	called("zfs list -H -o name tank/lxc/c2\nzfs get -H -p -o value origin tank/lxc/c2\nzfs destroy -r tank/lxc/c2\n"
	       "zfs destroy tank/lxc/c1@c2\n");
	destroy(c, TOP "/c3");
	called("zfs list -H -o name tank/lxc/c1\n");
	conf_free(c);
	conf_free(c2);
}

static void datasets_are_made_by_zfs(void **state)
{
	unit_child_ns(0, datasets, NULL);
}

static void ceph_images(void *arg)
{
	struct storage_spec spec = { .fssize = 64 * MIB, .rbdpool = "pool", .rbduser = "me" };
	struct conf *c, *d;

	need_loop();
	need_program("mkfs.ext4");
	world(NULL, NULL);
	devices();
	fake("rbd", "case $1 in map) mkdir -p /dev/rbd/pool; for n in \"$@\"; do :; done; ln -s ../../disk /dev/rbd/pool/$n ;;\n"
		    "unmap) for n in \"$@\"; do :; done; rm $n ;; esac");
	c = create("rbd", &spec, TOP "/c1", "rbd:/dev/rbd/pool/c1");
	called("rbd create --id me --pool pool c1 --size 64\nrbd map --id me --pool pool c1\n");
	do_with(c, put_file);
	/* As after a reboot. */
	CHECK(unlink("/dev/rbd/pool/c1") == 0);
	do_with(c, see_file);
	called("rbd map --pool pool c1\n");
	d = copy(c, TOP "/c2", "dir", 0, NULL, "dir:" TOP "/c2/rootfs", false);
	do_with(d, see_file);
	destroy(c, TOP "/c1");
	called("rbd unmap /dev/rbd/pool/c1\nrbd rm pool/c1\n");
	conf_free(c);
	conf_free(d);
}

static void images_are_made_by_ceph(void **state)
{
	unit_child_ns(0, ceph_images, NULL);
}

static void vm_image(void *arg)
{
	struct conf *c;
	struct storage *s = NULL;
	struct err *e = NULL;

	need_loop();
	if (access("/sys/block/nbd0", F_OK) == 0)
		unit_skip("needs a kernel without nbd devices");
	world(NULL, NULL);
	CHECK(close(open(TOP "/c1/disk.qcow2", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) == 0);
	c = conf_with("nbd:" TOP "/c1/disk.qcow2:1");
	CHECK_OK(storage_resolve(c, NULL, &s, &e), e);
	CHECK(storage_attach(s, &e) < 0 && err_is(e, "nbd-busy"));
	err_free(take_ptr(e));
	storage_free(s);
	destroy(c, TOP "/c1");
	CHECK(has(TOP "/c1/disk.qcow2"));
	conf_free(c);
	c = conf_with("nbd:" TOP "/c1/gone.qcow2:1");
	CHECK(storage_resolve(c, NULL, &s, &e) < 0 && err_is(e, "rootfs-missing"));
	err_free(e);
	conf_free(c);
}

static void images_of_virtual_machines_want_nbd(void **state)
{
	unit_child_ns(0, vm_image, NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(btrfs_roots_are_subvolumes),
	cmocka_unit_test(best_takes_what_there_is),
	cmocka_unit_test(ext4_images_are_made_and_copied),
	cmocka_unit_test(xfs_images_are_made_and_copied),
	cmocka_unit_test(btrfs_images_are_made_and_copied),
	cmocka_unit_test(ext4_images_are_grown),
	cmocka_unit_test(xfs_images_are_grown),
	cmocka_unit_test(btrfs_images_are_grown),
	cmocka_unit_test(images_belong_to_the_map),
	cmocka_unit_test(volumes_are_made_by_lvm),
	cmocka_unit_test(datasets_are_made_by_zfs),
	cmocka_unit_test(images_are_made_by_ceph),
	cmocka_unit_test(images_of_virtual_machines_want_nbd),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "config/key.h"
#include "config/reader.h"
#include "storage/storage.h"

/* The work directory must not lie on an overlay itself: everything is on a tmpfs of the test's. */
#define TOP "/tmp/overlay,test:1"

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

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	CHECK(close(fd) == 0);
}

static bool has(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void world(void)
{
	CHECK(mount("none", "/tmp", "tmpfs", 0, NULL) == 0);
	CHECK(mkdir(TOP, 0755) == 0);
	CHECK(mkdir(TOP "/base", 0755) == 0 && mkdir(TOP "/base/rootfs", 0711) == 0);
	CHECK(mkdir(TOP "/c1", 0755) == 0 && mkdir(TOP "/c2", 0755) == 0);
	put(TOP "/base/rootfs/a", "base");
	put(TOP "/base/rootfs/b", "base");
}

static int change(int root, void *arg, struct err **e)
{
	struct stat st;
	int fd;

	CHECK(faccessat(root, "a", R_OK, 0) == 0);
	CHECK(fstat(root, &st) == 0 && (st.st_mode & 07777) == 0711);
	CHECK(unlinkat(root, "b", 0) == 0);
	fd = openat(root, "c", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	CHECK(fd >= 0);
	CHECK(close(fd) == 0);
	return 0;
}

static int look(int root, void *arg, struct err **e)
{
	CHECK(faccessat(root, "a", R_OK, 0) == 0);
	CHECK(faccessat(root, "b", R_OK, 0) < 0);
	CHECK(faccessat(root, "c", R_OK, 0) == 0);
	return 0;
}

static struct conf *copy(struct conf *from, const char *from_dir, const char *to_dir, const char *type, unsigned flags,
			 const char *expected, bool depends)
{
	struct conf *plain = conf_of("lxc.uts.name = x\n"), *c;
	struct storage_copy how = {
		.from = from, .to = plain, .from_dir = from_dir, .to_dir = to_dir, .from_name = "a", .to_name = "b",
		.flags = flags, .type = type,
	};
	char *path = NULL;
	bool got = !depends;
	struct err *e = NULL;

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

static void snapshot_chain(void *arg)
{
	struct conf *base, *c1, *c2, *c3;
	struct err *e = NULL;

	world();
	base = conf_with("dir:" TOP "/base/rootfs");
	c1 = copy(base, TOP "/base", TOP "/c1", NULL, STORAGE_SNAPSHOT,
		  "overlay:" TOP "/base/rootfs:" TOP "/c1/overlay/delta", true);
	CHECK_OK(storage_with_root(c1, NULL, change, NULL, &e), e);
	CHECK(has(TOP "/base/rootfs/b") && !has(TOP "/base/rootfs/c"));
	CHECK(has(TOP "/c1/overlay/delta/c"));
	/* Of a snapshot: the same base, and the changes that there were. */
	c2 = copy(c1, TOP "/c1", TOP "/c2", NULL, STORAGE_SNAPSHOT | STORAGE_SAME_PATH,
		  "overlay:" TOP "/base/rootfs:" TOP "/c2/overlay/delta", true);
	CHECK_OK(storage_with_root(c2, NULL, look, NULL, &e), e);
	CHECK(mkdir(TOP "/c1/snaps", 0755) == 0 && mkdir(TOP "/c1/snaps/snap0", 0755) == 0);
	c3 = copy(c1, TOP "/c1", TOP "/c1/snaps/snap0", NULL,
		  STORAGE_SNAPSHOT | STORAGE_MAYBE_SNAPSHOT | STORAGE_KEEP_TYPE | STORAGE_INTO_SNAPS,
		  "overlay:" TOP "/base/rootfs:" TOP "/c1/snaps/snap0/overlay/delta", false);
	conf_free(c3);
	/* A copy holds everything. */
	CHECK(mkdir(TOP "/c3", 0755) == 0);
	c3 = copy(c1, TOP "/c1", TOP "/c3", NULL, STORAGE_SAME_PATH, "dir:" TOP "/c3/rootfs", false);
	CHECK(has(TOP "/c3/rootfs/a") && !has(TOP "/c3/rootfs/b") && has(TOP "/c3/rootfs/c"));
	/* Only what is the snapshot's own goes with it. */
	CHECK_OK(storage_destroy(c1, TOP "/c1", NULL, &e), e);
	CHECK(!has(TOP "/c1/overlay/delta") && !has(TOP "/c1/overlay/work") && has(TOP "/base/rootfs/a"));
	CHECK_OK(storage_with_root(c2, NULL, look, NULL, &e), e);
	conf_free(c1);
	conf_free(c2);
	conf_free(c3);
	conf_free(base);
}

static void snapshots_of_directories_are_overlays(void **state)
{
	unit_child_ns(0, snapshot_chain, NULL);
}

static void old_words(void *arg)
{
	static const char *const words[] = { "overlayfs", "aufs", "overlay" };
	struct err *e = NULL;

	world();
	CHECK(mkdir(TOP "/c1/delta0", 0711) == 0 && mkdir(TOP "/c1/olwork", 0755) == 0 && mkdir(TOP "/mid", 0755) == 0);
	put(TOP "/mid/m", "middle");
	put(TOP "/mid/a", "middle");
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		auto_free char *path = NULL;
		struct conf *c;

		CHECK(asprintf(&path, "%s:" TOP "/mid:" TOP "/base/rootfs:" TOP "/c1/delta0", words[i]) > 0);
		c = conf_with(path);
		if (i == 0)
			CHECK_OK(storage_with_root(c, NULL, change, NULL, &e), e);
		else
			CHECK_OK(storage_with_root(c, NULL, look, NULL, &e), e);
		CHECK(!has(TOP "/c1/work"));
		conf_free(c);
	}
}

static void historic_words_and_places_work(void **state)
{
	unit_child_ns(0, old_words, NULL);
}

static void refusals(void *arg)
{
	static const struct {
		const char *path, *id;
	} bad[] = {
		{ "overlay:" TOP "/base/rootfs", "overlay-malformed" },
		{ "overlay:relative:" TOP "/c1", "overlay-malformed" },
		{ "overlay:" TOP "/gone:" TOP "/c1", "overlay-layer-missing" },
		{ "overlay:" TOP "/base/rootfs:" TOP "/c1/gone", "overlay-layer-missing" },
	};
	struct conf *base, *mapped = conf_of("lxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 100000 65536\n");
	struct storage_copy how = { .from_dir = TOP "/base", .to_dir = TOP "/c1", .from_name = "a", .to_name = "b" };
	struct err *e = NULL;
	char *path = NULL;
	bool depends;

	world();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct conf *c = conf_with(bad[i].path);
		struct storage *s = NULL;

		CHECK(storage_resolve(c, NULL, &s, &e) < 0);
		if (!err_is(e, bad[i].id))
			err_print(stderr, bad[i].path, e, true);
		CHECK(err_is(e, bad[i].id));
		err_free(take_ptr(e));
		conf_free(c);
	}
	base = conf_with("dir:" TOP "/base/rootfs");
	how.from = base;
	how.to = mapped;
	how.flags = STORAGE_SNAPSHOT;
	CHECK(storage_copy(&how, &path, &depends, NULL, &e) < 0 && err_is(e, "overlay-maps-differ"));
	err_free(take_ptr(e));
	how.flags = 0;
	how.type = "overlay";
	CHECK(storage_copy(&how, &path, &depends, NULL, &e) < 0 && err_is(e, "storage-snapshot-only"));
	err_free(take_ptr(e));
	how.flags = STORAGE_SNAPSHOT;
	how.type = "dir";
	CHECK(storage_copy(&how, &path, &depends, NULL, &e) < 0 && err_is(e, "storage-snapshot-none"));
	err_free(take_ptr(e));
	CHECK(!has(TOP "/c1/overlay") && !has(TOP "/c1/rootfs"));
	conf_free(base);
	conf_free(mapped);
}

static void what_cannot_be_is_refused(void **state)
{
	unit_child_ns(0, refusals, NULL);
}

static bool stop(void *arg)
{
	return true;
}

static void cancel_copy(void *arg)
{
	struct conf *base, *plain = conf_of("lxc.uts.name = x\n");
	struct storage_progress p = { .cancelled = stop };
	struct storage_copy how = { .from_dir = TOP "/base", .to_dir = TOP "/c1", .from_name = "a", .to_name = "b",
				    .to = plain, .progress = &p };
	struct err *e = NULL;
	char *path = NULL;
	bool depends;

	world();
	how.from = base = conf_with("dir:" TOP "/base/rootfs");
	CHECK(storage_copy(&how, &path, &depends, NULL, &e) < 0 && err_is(e, "copy-cancelled"));
	CHECK(!has(TOP "/c1/rootfs"));
	conf_free(base);
	conf_free(plain);
	err_free(e);
}

static void a_cancelled_copy_leaves_nothing(void **state)
{
	unit_child_ns(0, cancel_copy, NULL);
}

static void mapped_copy(void *arg)
{
	struct conf *base, *to = conf_of("lxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 100000 65536\n");
	struct storage_copy how = { .from_dir = TOP "/base", .to_dir = TOP "/c1", .from_name = "a", .to_name = "b",
				    .to = to };
	struct err *e = NULL;
	char *path = NULL;
	struct stat st;
	bool depends;

	if (!unit_is_root())
		unit_skip("needs root");
	world();
	how.from = base = conf_with("dir:" TOP "/base/rootfs");
	CHECK_OK(storage_copy(&how, &path, &depends, NULL, &e), e);
	CHECK(stat(TOP "/c1/rootfs/a", &st) == 0 && st.st_uid == 100000 && st.st_gid == 100000);
	CHECK(stat(TOP "/c1/rootfs", &st) == 0 && st.st_uid == 100000 && (st.st_mode & 07777) == 0711);
	free(path);
	conf_free(base);
	conf_free(to);
}

static void a_copy_belongs_to_the_map_of_its_container(void **state)
{
	unit_child_ns(0, mapped_copy, NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(snapshots_of_directories_are_overlays),
	cmocka_unit_test(historic_words_and_places_work),
	cmocka_unit_test(what_cannot_be_is_refused),
	cmocka_unit_test(a_cancelled_copy_leaves_nothing),
	cmocka_unit_test(a_copy_belongs_to_the_map_of_its_container),
};
UNIT_MAIN(tests)

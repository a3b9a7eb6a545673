/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* btrfs - the root is a subvolume: snapshots take no time, and quota groups know its size. */
#include "kernel/btrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "storage/driver.h"

#define ROOT_NAME "rootfs"

static int create(const struct storage_spec *spec, const char *dir, int dirfd, const struct conf *c,
		  char **ret_source, struct err **e)
{
	auto_free char *path = path_join(dir, ROOT_NAME);
	auto_close int fd = -EBADF;
	int r;

	if (!path)
		return err_no_memory(e);
	if (!btrfs_is(dirfd))
		return err_btrfs_not(e, dir);
	r = btrfs_create(dirfd, ROOT_NAME);
	if (r == -EEXIST)
		return err_rootfs_occupied(e, path);
	if (r < 0)
		return err_set(e, -r, NULL, "cannot make subvolume %s", path);
	fd = storage_make_root(dirfd, ROOT_NAME, path, c, e);
	if (fd < 0) {
		(void)btrfs_destroy(dirfd, ROOT_NAME);
		return fd;
	}
	*ret_source = take_ptr(path);
	return 0;
}

static int snapshot(struct storage *from, const struct storage_copy *how, int dirfd, char **ret_source,
		    bool *ret_depends, struct err **e)
{
	auto_free char *path = path_join(how->to_dir, ROOT_NAME);
	auto_close int fd = open(from->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (!path)
		return err_no_memory(e);
	if (fd < 0)
		return err_set(e, errno, NULL, "cannot open %s", from->source);
	r = btrfs_snapshot(fd, dirfd, ROOT_NAME);
	if (r == -EEXIST)
		return err_rootfs_occupied(e, path);
	if (r < 0)
		return err_set(e, -r, NULL, "cannot make snapshot %s of %s", path, from->source);
	*ret_source = take_ptr(path);
	*ret_depends = false;
	return 0;
}

/* What lies beside the container's directory on the same file system can be shared; a plain directory
 * that carries the type's name cannot. */
static bool snapshots(const struct storage *from)
{
	auto_close int fd = open(from->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return from->driver == &storage_btrfs && fd >= 0 && btrfs_is_subvolume(fd);
}

static int usage(struct storage *s, struct storage_usage *ret, struct err **e)
{
	auto_close int fd = open(s->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct btrfs_usage u;
	int r;

	if (fd < 0)
		return err_set(e, errno, NULL, "cannot open %s", s->source);
	if (btrfs_usage(fd, &u) < 0) {
		/* Without quota groups the files are counted. */
		r = storage_tree_usage(fd, &ret->used, e);
		ret->exclusive = UINT64_MAX;
		ret->limit = 0;
		return r;
	}
	*ret = (struct storage_usage){ u.used, u.exclusive, u.limit };
	return 0;
}

static int resize(struct storage *s, uint64_t bytes, struct err **e)
{
	auto_close int fd = open(s->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_set(e, errno, NULL, "cannot open %s", s->source);
	r = btrfs_limit(fd, bytes);
	if (r == -ENOTCONN || r == -ENOENT || r == -EINVAL)
		return err_resize_unsupported(e, "btrfs", "quota groups are off (btrfs quota enable)");
	return r < 0 ? err_set(e, -r, NULL, "cannot set a limit for %s", s->source) : 0;
}

static uint64_t limit(const struct storage *s)
{
	auto_close int fd = open(s->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct btrfs_usage u;

	return fd >= 0 && btrfs_usage(fd, &u) == 0 ? u.limit : 0;
}

const struct storage_driver storage_btrfs = {
	.name = "btrfs",
	.for_users = true,
	.can_snapshot = true,
	.can_backup = true,
	.resolve = dir_resolve,
	.mount = dir_mount,
	.create = create,
	.destroy = storage_remove_own,
	.snapshot = snapshot,
	.snapshots = snapshots,
	.usage = usage,
	.resize = resize,
	.limit = limit,
};

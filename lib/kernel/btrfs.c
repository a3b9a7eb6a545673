/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/btrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <endian.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "kernel/openat.h"

#define DEPTH_MAX 64
/* A subvolume in which others are made as fast as they are removed does not keep us for ever. */
#define PASSES_MAX 1000

bool btrfs_is(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && (uint32_t)fs.f_type == BTRFS_SUPER_MAGIC;
}

bool btrfs_is_subvolume(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && st.st_ino == BTRFS_FIRST_FREE_OBJECTID && btrfs_is(fd);
}

static int set_name(char *to, size_t size, const char *name)
{
	size_t n = strlen(name);

	if (n >= size || strchr(name, '/'))
		return -ENAMETOOLONG;
	memcpy(to, name, n + 1);
	return 0;
}

int btrfs_create(int dirfd, const char *name)
{
	struct btrfs_ioctl_vol_args args = { 0 };
	int r = set_name(args.name, BTRFS_PATH_NAME_MAX, name);

	if (r < 0)
		return r;
	return ioctl(dirfd, BTRFS_IOC_SUBVOL_CREATE, &args) < 0 ? -errno : 0;
}

int btrfs_snapshot(int fd, int dirfd, const char *name)
{
	struct btrfs_ioctl_vol_args_v2 args = { .fd = fd };
	int r = set_name(args.name, BTRFS_SUBVOL_NAME_MAX, name);

	if (r < 0)
		return r;
	return ioctl(dirfd, BTRFS_IOC_SNAP_CREATE_V2, &args) < 0 ? -errno : 0;
}

static int destroy_one(int dirfd, const char *name)
{
	struct btrfs_ioctl_vol_args args = { 0 };
	int r = set_name(args.name, BTRFS_PATH_NAME_MAX, name);

	if (r < 0)
		return r;
	return ioctl(dirfd, BTRFS_IOC_SNAP_DESTROY, &args) < 0 ? -errno : 0;
}

static void make_writable(int fd)
{
	uint64_t flags;

	if (ioctl(fd, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) == 0 && (flags & BTRFS_SUBVOL_RDONLY)) {
		flags &= ~BTRFS_SUBVOL_RDONLY;
		(void)ioctl(fd, BTRFS_IOC_SUBVOL_SETFLAGS, &flags);
	}
}

static int destroy(int dirfd, const char *name, unsigned depth);

/* One that is directly in the subvolume behind fd, wherever its directory is there. */
static int destroy_inner(int fd, uint64_t treeid, uint64_t dirid, unsigned depth)
{
	auto_free struct btrfs_ioctl_ino_lookup_user_args *args = calloc(1, sizeof(*args));
	auto_close int dir = -EBADF;

	if (!args)
		return -ENOMEM;
	args->dirid = dirid;
	args->treeid = treeid;
	if (ioctl(fd, BTRFS_IOC_INO_LOOKUP_USER, args) < 0)
		return errno == ENOENT ? 0 : -errno;
	args->path[sizeof(args->path) - 1] = '\0';
	dir = open_no_symlinks(fd, *args->path ? args->path : ".", O_RDONLY | O_DIRECTORY, 0);
	return dir < 0 ? dir : destroy(dir, args->name, depth + 1);
}

static int destroy_inner_all(int fd, unsigned depth)
{
	auto_free struct btrfs_ioctl_get_subvol_rootref_args *refs = calloc(1, sizeof(*refs));
	int r = 0;

	if (!refs)
		return -ENOMEM;
	for (int pass = 0; pass < PASSES_MAX && r == 0; pass++) {
		*refs = (struct btrfs_ioctl_get_subvol_rootref_args){ 0 };
		if (ioctl(fd, BTRFS_IOC_GET_SUBVOL_ROOTREF, refs) < 0 && errno != EOVERFLOW)
			return -errno;
		if (!refs->num_items)
			return 0;
		for (unsigned i = 0; i < refs->num_items && r == 0; i++)
			r = destroy_inner(fd, refs->rootref[i].treeid, refs->rootref[i].dirid, depth);
	}
	return r;
}

static int destroy(int dirfd, const char *name, unsigned depth)
{
	auto_close int fd = -EBADF;
	int r = destroy_one(dirfd, name);

	if (r != -ENOTEMPTY || depth >= DEPTH_MAX)
		return r == -ENOENT ? 0 : r;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	make_writable(fd);
	r = destroy_inner_all(fd, depth);
	return r < 0 ? r : destroy_one(dirfd, name);
}

int btrfs_destroy(int dirfd, const char *name)
{
	return destroy(dirfd, name, 0);
}

static int subvolume_id(int fd, uint64_t *ret)
{
	struct btrfs_ioctl_get_subvol_info_args *info = calloc(1, sizeof(*info));
	int r = !info ? -ENOMEM : ioctl(fd, BTRFS_IOC_GET_SUBVOL_INFO, info) < 0 ? -errno : 0;

	if (r == 0)
		*ret = info->treeid;
	free(info);
	return r;
}

/* The item of this type that the quota tree has for the subvolume. */
static int quota_item(int fd, uint64_t id, unsigned type, void *ret, size_t size)
{
	auto_free struct btrfs_ioctl_search_args *args = calloc(1, sizeof(*args));
	struct btrfs_ioctl_search_header head;

	if (!args)
		return -ENOMEM;
	args->key = (struct btrfs_ioctl_search_key){
		.tree_id = BTRFS_QUOTA_TREE_OBJECTID,
		.min_type = type,
		.max_type = type,
		.min_offset = id,
		.max_offset = id,
		.max_transid = UINT64_MAX,
		.nr_items = 1,
	};
	if (ioctl(fd, BTRFS_IOC_TREE_SEARCH, args) < 0)
		return -errno;
	if (!args->key.nr_items)
		return -ENOENT;
	memcpy(&head, args->buf, sizeof(head));
	if (head.type != type || head.len < size)
		return -ENOENT;
	memcpy(ret, args->buf + sizeof(head), size);
	return 0;
}

int btrfs_usage(int fd, struct btrfs_usage *ret)
{
	struct btrfs_qgroup_info_item info;
	struct btrfs_qgroup_limit_item limit = { 0 };
	uint64_t id = 0;
	int r = subvolume_id(fd, &id);

	if (r == 0)
		r = quota_item(fd, id, BTRFS_QGROUP_INFO_KEY, &info, sizeof(info));
	if (r < 0)
		return r;
	(void)quota_item(fd, id, BTRFS_QGROUP_LIMIT_KEY, &limit, sizeof(limit));
	*ret = (struct btrfs_usage){
		.used = le64toh(info.rfer),
		.exclusive = le64toh(info.excl),
		.limit = le64toh(limit.flags) & BTRFS_QGROUP_LIMIT_MAX_RFER ? le64toh(limit.max_rfer) : 0,
	};
	return 0;
}

/* Two subvolumes of one file system have different devices. */
static bool is_same_fs(int a, int b)
{
	struct btrfs_ioctl_fs_info_args x = { 0 }, y = { 0 };

	return ioctl(a, BTRFS_IOC_FS_INFO, &x) == 0 && ioctl(b, BTRFS_IOC_FS_INFO, &y) == 0 &&
	       memcmp(x.fsid, y.fsid, sizeof(x.fsid)) == 0;
}

int btrfs_limit(int fd, uint64_t bytes)
{
	/* A limit of all ones is none. */
	struct btrfs_ioctl_qgroup_limit_args args = {
		.lim = { .flags = BTRFS_QGROUP_LIMIT_MAX_RFER, .max_rfer = bytes ? bytes : UINT64_MAX },
	};
	auto_close int above = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t id = 0;
	int r = subvolume_id(fd, &id);

	if (r < 0)
		return r;
	args.qgroupid = id;
	/* The kernel wants room in the subvolume through which it is told, which one that is full does not have. */
	if (above >= 0 && is_same_fs(above, fd) && ioctl(above, BTRFS_IOC_QGROUP_LIMIT, &args) == 0)
		return 0;
	return ioctl(fd, BTRFS_IOC_QGROUP_LIMIT, &args) < 0 ? -errno : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* btrfs - subvolumes and their quota groups, by ioctl. All return 0 or -errno and set no error. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

bool btrfs_is(int fd);
/* The directory behind fd is the top of a subvolume. */
bool btrfs_is_subvolume(int fd);
/* name: at most 255 bytes. */
int btrfs_create(int dirfd, const char *name);
/* fd: the subvolume. */
int btrfs_snapshot(int fd, int dirfd, const char *name);
/* Deletes subvolume name with those in it; -EOPNOTSUPP or -EINVAL when it is none. */
int btrfs_destroy(int dirfd, const char *name);

struct btrfs_usage {
	uint64_t used, exclusive;
	uint64_t limit;			/* of what it refers to; 0: none */
};
/* -ENOENT or -ENOTCONN: quota groups are not enabled. */
int btrfs_usage(int fd, struct btrfs_usage *ret);
/* bytes 0: no limit. */
int btrfs_limit(int fd, uint64_t bytes);

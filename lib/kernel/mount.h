/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* mount - the new mount API by file descriptor, one function per intent; where the kernel (5.10+)
 * lacks a call, a tested fallback. No function takes a path below a rootfs: open it first. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Attribute bits are the kernel's MOUNT_ATTR_*. */
struct mount_attrs {
	uint64_t set, clear;
	uint64_t propagation;	/* MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE or 0 */
	bool propagation_rec;
	bool recursive;		/* set and clear apply to submounts too */
	int userns_fd;		/* >= 0: MOUNT_ATTR_IDMAP with that namespace; -1: none */
	const char *name;	/* what is mounted, for messages (a detached mount has no path); NULL: its path */
};
#define MOUNT_ATTRS_INIT { .userns_fd = -1 }

/* A new superblock of type, options "a=b,c" (NULL: none; "\\," is a comma in a word), as a detached
 * mount fd with these attributes. The kernel's own message is part of the error. Words are passed one
 * by one; where one is longer than the kernel's 255 bytes for that, a short-lived child in a mount
 * namespace of its own uses mount(2), and hands the mount over. */
int mount_new(const char *type, const char *source, const char *options, uint64_t attrs, struct err **e);
/* A detached clone of the tree at fd (open_tree CLONE). */
int mount_clone(int fd, bool recursive, struct err **e);
/* mount_setattr on a detached mount or a mount point fd. Before Linux 5.12 this is a remount, which
 * works on attached mounts only: use mount_attach_with, which does both in the right order. */
int mount_set(int fd, const struct mount_attrs *a, struct err **e);
/* Attaches a detached mount on the object behind target_fd. */
int mount_attach(int mount_fd, int target_fd, struct err **e);
/* mount_set, then mount_attach; where the kernel can only do it the other way round, that (and
 * nothing stays attached on failure). */
int mount_attach_with(int mount_fd, int target_fd, const struct mount_attrs *a, struct err **e);
/* Moves what is mounted at from_fd (its root) onto target_fd. */
int mount_move(int from_fd, int target_fd, struct err **e);
/* Lazily unmounts what is mounted exactly at fd; -EINVAL when it is no mount point. fd may be the root
 * of the mount (opened after it was made) or the directory below it (opened before): the lookup of
 * umount ends with a step onto what is mounted there, so both name the topmost mount. Needs /proc. */
int mount_detach(int fd);
/* Changes propagation of the mount at path (""/ for the root of this namespace), recursively. */
int mount_propagate(const char *path, uint64_t propagation, struct err **e);
/* True if fd is the root of a mount. */
bool mount_is_root(int fd);
/* True if the running kernel has mount_setattr / idmapped mounts on the filesystem of fd (tried). */
bool mount_can_idmap(int fd, int userns_fd);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* storage - where root file systems live: one driver per type. A spec is "TYPE:SRC" or a bare path. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "config/conf.h"

struct storage;

struct storage_spec {			/* options of create, all borrowed, NULL/0: default */
	const char *fstype;
	uint64_t fssize;
	const char *dir;
	const char *zfsroot, *vg, *lv, *thinpool, *rbdname, *rbdpool, *rbduser;
};

/* Resolves c's rootfs: type given or probed, source checked (exists, is a directory, readable).
 * No rootfs.path: *ret is NULL. */
int storage_resolve(const struct conf *c, struct log *l, struct storage **ret, struct err **e);
void storage_free(struct storage *s);
const char *storage_type(const struct storage *s);
const char *storage_source(const struct storage *s);
/* Monitor: attaches block devices where there are any. Undo: storage_detach. */
int storage_attach(struct storage *s, struct err **e);
void storage_detach(struct storage *s);
/* True when lxc.rootfs.options says idmap=container: storage_mount then has to be called in the
 * monitor, which may make the user namespace that the mount takes its map from. */
bool storage_wants_userns(const struct storage *s);
/* A detached mount of the root, options of lxc.rootfs.options applied. fd or -errno. Called where the
 * source is visible and its file system may be mounted: by the monitor in its own mount namespace (the
 * fd is inherited by init or sent to it), or by init. */
int storage_mount(struct storage *s, const struct conf *c, struct err **e);
/* Makes an empty root for container directory dir ("LXCPATH/NAME"). type: NULL, a name, a comma
 * list or "best". *ret_path: the value of lxc.rootfs.path, with prefix (new). owner: mapped root. */
int storage_create(const char *type, const struct storage_spec *spec, const char *dir, const struct conf *c,
		   char **ret_path, struct err **e);
/* Deletes what storage_create made: never through a symlink, never across a mount, never anything
 * outside the container's directory unless this library made it there. */
int storage_destroy(const struct conf *c, const char *dir, struct log *l, struct err **e);
/* Removes a whole tree by directory fd: never follows a symlink, never crosses a mount, clears
 * immutable flags, removes subvolumes. 0 or the first -errno with the path in *e. */
int storage_rmtree(int parent_fd, const char *name, struct err **e);
/* Fails with err_rmtree_mount if anything is mounted below the directory behind fd, as this process
 * sees it. storage_rmtree asks first, so that it deletes all or nothing of a tree. */
int storage_no_mounts(int fd, struct err **e);

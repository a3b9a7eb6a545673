/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* storage - where root file systems live: one driver per type. A spec is "TYPE:SRC" or a bare path. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "config/conf.h"
#include "kernel/idmap.h"

struct storage;

struct storage_spec {			/* options of create, all borrowed, NULL/0: default */
	const char *fstype;
	uint64_t fssize;
	const char *dir;
	const char *name;		/* of a volume, where no more special one is given; NULL: the directory's */
	bool resume;			/* a directory may hold what an interrupted copy has left */
	const char *zfsroot, *vg, *lv, *thinpool, *rbdname, *rbdpool, *rbduser;
};

/* Resolves c's rootfs: type given or probed, source checked (exists, is a directory, readable).
 * No rootfs.path: *ret is NULL. */
int storage_resolve(const struct conf *c, struct log *l, struct storage **ret, struct err **e);
void storage_free(struct storage *s);
/* True when the owners of the root's files are written as the container sees them, whatever its lxc.idmap says, and the
 * mount shows them shifted: lxc.rootfs.options has idmap=, or the root is in the container's own directory and belongs
 * to root of the host. Never for whom that takes root of the host and who is not. */
bool storage_is_neutral(const struct conf *c);
/* lxc.rootfs.options has idmap=. */
bool storage_has_idmap(const struct conf *c);
/* For a start: chooses idmap=container for such a root where lxc.rootfs.options do not, and its file system can. */
int storage_choose_idmap(struct storage *s, const struct conf *c, const struct idmap *m, struct log *l, struct err **e);
/* lxc.rootfs.options has idmap=, or that was chosen. */
bool storage_is_idmapped(const struct storage *s);
/* Both have the same lxc.idmap lines, in the same order. */
bool storage_same_maps(const struct conf *a, const struct conf *b);
/* The path in c is the root directory itself, which needs not be mounted to be seen. */
bool storage_is_directory(const struct conf *c);
const char *storage_type(const struct storage *s);
const char *storage_source(const struct storage *s);
/* Monitor: attaches block devices where there are any. Undo: storage_detach. */
int storage_attach(struct storage *s, struct err **e);
void storage_detach(struct storage *s);
/* True when lxc.rootfs.options says idmap=container: storage_mount then has to be called in the
 * monitor, which may make the user namespace that the mount takes its map from. */
bool storage_wants_userns(const struct storage *s);
/* True when storage_mount has to be called in the monitor as well, because the root of a user namespace
 * may not mount it, or would not mount it as the host's root does. */
bool storage_wants_host(const struct storage *s);
/* A detached mount of the root, options of lxc.rootfs.options applied. fd or -errno. Called where the
 * source is visible and its file system may be mounted: by the monitor in its own mount namespace (the
 * fd is inherited by init or sent to it), or by init. */
int storage_mount(struct storage *s, const struct conf *c, struct err **e);
/* Makes an empty root for container directory dir ("LXCPATH/NAME"). type: NULL, a name, a comma
 * list or "best". *ret_path: the value of lxc.rootfs.path, with prefix (new). owner: mapped root. */
int storage_create(const char *type, const struct storage_spec *spec, const char *dir, const struct conf *c,
		   char **ret_path, struct err **e);
/* Deletes what storage_create made: never through a symlink, never across a mount, never anything
 * outside the container's directory unless this library made it there. c NULL: what the directory's mark
 * names, as an interrupted create left it. */
int storage_destroy(const struct conf *c, const char *dir, struct log *l, struct err **e);
/* Programs that this thread runs from now on have fd open, too (negative: none): a lock on it stays until they have ended,
 * also when this process is killed. Returns what was set before. */
int storage_hold(int fd);
/* Removes a whole tree by directory fd: never follows a symlink, never crosses a mount, clears
 * immutable flags, removes subvolumes. 0 or the first -errno with the path in *e. */
int storage_rmtree(int parent_fd, const char *name, struct err **e);
/* Fails with err_rmtree_mount if anything is mounted below the directory behind fd, as this process
 * sees it. storage_rmtree asks first, so that it deletes all or nothing of a tree. */
int storage_no_mounts(int fd, struct err **e);

struct storage_progress {	/* of a long copy; called from the copying thread, at most some times a second */
	void (*tick)(void *arg, uint64_t done_bytes, uint64_t done_files);
	bool (*cancelled)(void *arg);	/* true: stop, remove what was made, return -ECANCELED */
	void *arg;
};

enum {
	STORAGE_SNAPSHOT = 1,		/* a snapshot of the back end's own */
	STORAGE_MAYBE_SNAPSHOT = 2,	/* if it can, else a copy */
	STORAGE_KEEP_TYPE = 4,		/* a copy keeps the source's type, else it is a dir */
	STORAGE_INTO_SNAPS = 8,		/* target is a snapshot below the source's own directory */
	STORAGE_SAME_PATH = 16,		/* source and target are below one lxcpath (rule 5 of storage.md 4) */
	STORAGE_RESUME = 32,		/* goes on with what an interrupted copy of this source has left; failure leaves it */
};

struct storage_copy {			/* all borrowed */
	const struct conf *from;	/* the source's expanded configuration */
	const char *from_dir;		/* LXCPATH/NAME of the source */
	const char *from_name, *to_name;
	const struct conf *to;		/* the target's: its id map owns the new root */
	const char *to_dir;		/* exists, empty or with a config only */
	const char *type;		/* -B, NULL: storage.md 4's rules */
	const struct storage_spec *spec;/* sizes, vg, ...; NULL: defaults */
	unsigned flags;
	const struct storage_progress *progress; /* NULL */
};
/* Copies or snapshots the root. *ret_path: new value of lxc.rootfs.path with its prefix (new). *ret_depends: the new
 * root stands on the source's (overlay, classic lvm snapshot): the caller records it on both sides. On failure nothing
 * is left of the target's storage. Crash-safe: what is made carries the target's directory, which the caller marks
 * partial. Error ids of its own in errors.def. */
int storage_copy(const struct storage_copy *how, char **ret_path, bool *ret_depends, struct log *l, struct err **e);
/* Whether that would copy file by file into a directory, which STORAGE_RESUME can go on with; *ret_type: of the target. */
int storage_copy_is_tree(const struct storage_copy *how, bool *ret, const char **ret_type, struct log *l, struct err **e);
/* Can `type` (NULL: what c uses) snapshot itself / be snapshotted by the API's snapshot()? */
bool storage_can_snapshot(const struct conf *c);
bool storage_can_backup(const struct conf *c);
/* Mounts the root privately, runs fn(rootfd), and unmounts: for the identity reset and the clone hooks of a copy that
 * is not running. In the caller's process no mount table changes (a child or detached mount does it). */
int storage_with_root(const struct conf *c, struct log *l, int (*fn)(int rootfd, void *arg, struct err **e), void *arg,
		      struct err **e);
/* A detached mount of the root that is only read, also while it is mounted elsewhere: fd or -errno. *ret, which holds
 * what is attached for it, is freed behind the last use. Called where storage_mount may be. */
int storage_view(const struct conf *c, struct log *l, struct storage **ret, struct err **e);
/* Copies the tree behind from_fd into the empty directory behind to_fd: ids, modes, times, hard links, sparse files,
 * xattrs, ACLs, capabilities, devices; reflink, else copy_file_range. Never follows a symlink, never crosses a mount. */
int storage_copytree(int from_fd, int to_fd, const struct storage_progress *p, struct err **e);
struct storage_mapping {
	const struct idmap *from, *to;	/* an empty map is that of a privileged container; NULL: ids are kept */
	bool no_devices;		/* device nodes stay out */
	bool resume;			/* the target holds what an interrupted copy has left: it becomes equal to the source */
	const char *from_name, *to_name;	/* of the two trees, in messages; NULL: the paths of their descriptors */
};
/* The same with ids shifted from one map to the other, in access control lists and file capabilities too. */
int storage_copytree_mapped(int from_fd, int to_fd, const struct storage_mapping *how, const struct storage_progress *p,
			    struct err **e);
struct storage_usage {
	uint64_t used;			/* bytes on disk, shared parts included */
	uint64_t exclusive;		/* UINT64_MAX: not known */
	uint64_t limit;			/* 0: none */
};
int storage_usage(const struct conf *c, const char *dir, struct storage_usage *ret, struct err **e);
/* New size or limit in bytes: grows a volume (live where the file system can), or sets a quota. */
int storage_resize(const struct conf *c, const char *dir, uint64_t bytes, struct err **e);
/* The quota that storage_resize has set, in bytes; 0: none, or the root is a volume whose size is its limit. */
uint64_t storage_limit(const struct conf *c);
/* Whether such a quota lets the container's root pass, for a capability that he keeps. */
bool storage_limit_spares_root(const struct conf *c);

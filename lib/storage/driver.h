/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* driver - what one storage type provides. Inside lib/storage only; storage.c holds the table. */
#pragma once
#include <sys/types.h>

#include "base/strv.h"
#include "kernel/mountopt.h"
#include "storage/storage.h"

struct storage {
	const struct storage_driver *driver;
	char *source;			/* without "TYPE:" */
	struct mountopt options;	/* lxc.rootfs.options */
	/* It is mounted to be copied: nothing in it is changed or run, no device in it opened, and what
	 * is mounted below it stays out. */
	bool view;
	dev_t dev;			/* identity of the source when it was checked */
	ino_t ino;

	struct strv lowers;		/* overlay: the first is on top */
	char *upper, *work;

	char *device;			/* block types: what is mounted, while it is attached */
	char *fstype;
	int device_fd;			/* holds it attached */
	bool attached;			/* by this process: what it attached it detaches */
};

struct storage_driver {
	const char *name;
	bool on_host;			/* only root of the host can mount it */
	bool for_users;			/* usable without root */
	bool block;			/* s->device is a device of a certain size */
	bool can_snapshot, can_backup;
	/* Checks the source and fills what the driver keeps in s. */
	int (*resolve)(struct storage *s, const struct conf *c, struct log *l, struct err **e);
	/* As storage_attach, _detach, _mount. NULL: nothing to do. */
	int (*attach)(struct storage *s, struct err **e);
	void (*detach)(struct storage *s);
	int (*mount)(struct storage *s, const struct conf *c, struct err **e);
	/* Makes an empty root for the container directory dir (dirfd is open on it); *ret_source is the
	 * part after "TYPE:" (new). On failure nothing is left of it. */
	int (*create)(const struct storage_spec *spec, const char *dir, int dirfd, const struct conf *c,
		      char **ret_source, struct err **e);
	/* Deletes source if it is the container's own. A source that is gone already is no failure. */
	int (*destroy)(const char *source, const char *dir, int dirfd, struct log *l, struct err **e);
	/* A snapshot of from for the directory how->to_dir (dirfd). NULL: none. */
	int (*snapshot)(struct storage *from, const struct storage_copy *how, int dirfd, char **ret_source,
			bool *ret_depends, struct err **e);
	/* Says in the options where a copy of `from` is made that nobody has named a place for: beside it. What they point to
	 * is kept. NULL: there is but one place. */
	int (*beside)(const struct storage *from, struct storage_spec *spec, struct strv *keep, struct err **e);
	/* Whether this source can be backed up, where not all can. NULL: can_backup says it. */
	bool (*backs_up)(const char *source);
	/* Whether snapshot takes this one; NULL: those of the same driver. */
	bool (*snapshots)(const struct storage *from);
	int (*usage)(struct storage *s, struct storage_usage *ret, struct err **e);
	int (*resize)(struct storage *s, uint64_t bytes, struct err **e);
	/* What resize has set and the file system keeps apart from the data; 0: nothing. NULL: there is no such thing. */
	uint64_t (*limit)(const struct storage *s);
	/* Whether that does not hold for who has CAP_SYS_RESOURCE. NULL: it does. */
	bool (*limit_spares)(const struct storage *s);
};

extern const struct storage_driver storage_btrfs, storage_dir, storage_loop, storage_lvm, storage_nbd, storage_overlay,
	storage_rbd, storage_zfs;

/* What other types of directories share with dir. */
int dir_resolve(struct storage *s, const struct conf *c, struct log *l, struct err **e);
int dir_mount(struct storage *s, const struct conf *c, struct err **e);
/* The root is a directory within the container's own that belongs to root of the host, although ids are mapped. */
bool dir_is_neutral(const struct conf *c);
bool dir_can_idmap(const struct storage *s, const struct idmap *m);
/* What the files below a directory take, each counted once. */
int storage_tree_usage(int top, uint64_t *ret, struct err **e);
/* Gives all files below a directory a project number, so that a quota counts them. */
int storage_tree_project(int top, uint32_t project, struct err **e);

/* Gives the directory behind fd to the mapped root of c; nothing without an id map. */
int storage_give(int fd, const struct conf *c, struct err **e);
/* Calls fn where the files of c's container can be read, written and given away: for an ordinary user in a child that is
 * root of a namespace with all of his ids (ids: its map), else right here (ids: NULL). */
int storage_as_owner(const struct conf *c, int (*fn)(void *arg, const struct idmap *ids, struct err **e), void *arg,
		     struct err **e);
/* Makes and opens a directory 0755 of the mapped root in dirfd; one that is there must be empty. path
 * names it in messages. fd or -errno. */
int storage_make_root(int dirfd, const char *name, const char *path, const struct conf *c, struct err **e);
/* Removes dir/REST where that is what source means; a source elsewhere is kept, with a word in l. */
int storage_remove_own(const char *source, const char *dir, int dirfd, struct log *l, struct err **e);
/* A storage of this driver, resolved. */
int storage_open(const struct storage_driver *d, const char *source, const struct conf *c, struct log *l,
		 struct storage **ret, struct err **e);
/* The type that c names, or that its path shows. */
int storage_driver_of(const struct conf *c, const struct storage_driver **ret, struct err **e);
int storage_driver_named(const char *type, const struct storage_driver **ret, struct err **e);
/* True where this process may mount what it likes. */
bool storage_is_privileged(void);
/* The attributes that a mount gets from lxc.rootfs.options, or that a view has. */
int storage_set_attributes(const struct storage *s, int mnt, const struct conf *c, struct err **e);

static inline void storage_auto_free(struct storage **s)
{
	storage_free(*s);
}
#define auto_storage __attribute__((cleanup(storage_auto_free)))

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* driver - what one storage type provides. Inside lib/storage only; storage.c holds the table. */
#pragma once
#include <sys/types.h>

#include "kernel/mountopt.h"
#include "storage/storage.h"

struct storage {
	const struct storage_driver *driver;
	char *source;			/* without "TYPE:" */
	struct mountopt options;	/* lxc.rootfs.options */
	dev_t dev;			/* identity of the source when it was checked */
	ino_t ino;
};

struct storage_driver {
	const char *name;
	/* Checks the source and fills what the driver keeps in s. */
	int (*resolve)(struct storage *s, const struct conf *c, struct log *l, struct err **e);
	/* As storage_attach, _detach, _mount. NULL: nothing to do. */
	int (*attach)(struct storage *s, struct err **e);
	void (*detach)(struct storage *s);
	int (*mount)(struct storage *s, const struct conf *c, struct err **e);
	/* Makes an empty root for the container directory dir (dirfd is open on it); *ret_source is the
	 * part after "TYPE:" (new). */
	int (*create)(const struct storage_spec *spec, const char *dir, int dirfd, const struct conf *c,
		      char **ret_source, struct err **e);
	/* Deletes source if it is the container's own. A source that is gone already is no failure. */
	int (*destroy)(const char *source, const char *dir, int dirfd, struct log *l, struct err **e);
};

extern const struct storage_driver storage_dir;

/* Gives the directory behind fd to the mapped root of c; nothing without an id map. */
int storage_give(int fd, const struct conf *c, struct err **e);

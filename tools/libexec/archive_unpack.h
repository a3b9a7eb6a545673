/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* archive_unpack - an archive at work on its way into a container: for archive_unpack.c, which follows its trees, and
 * archive_entry.c, which makes what they hold. All return 0 or a negative errno with the error set. */
#pragma once
#include <sys/stat.h>

#include "archive.h"
#include "base/vec.h"

#define NAME_BYTES 255

struct level {
	int fd;
	char *name;
};

struct unpack {
	const struct unpacking *how;
	struct log *l;
	struct source *src;
	int dir;		/* the container's directory */
	struct stat own, config;	/* of it, and of the configuration there: what is beside belongs to the same */
	char *old_name;		/* in the archive */
	char *maps;		/* lines of the container's configuration */
	size_t snaps;
	char *prefix;		/* of the tree at hand: "rootfs", NULL before the first */
	VEC(struct level);	/* its directories on the way to the last entry; the first is its root */
	bool root_done;		/* the tree is complete */
	bool have_root;		/* there was a rootfs */
	unsigned left_out;	/* devices that a user namespace cannot have */
	struct ticker ticker;
};

/* The path of an entry, never NULL. */
const char *unpack_name(struct archive_entry *entry);
int unpack_fail(const struct unpack *u, struct archive_entry *entry, int num, struct err **e);
int unpack_hostile(struct archive_entry *entry, const char *why, struct err **e);
/* Owner, mode, extended attributes and times of an open file or directory. */
int unpack_attributes(struct unpack *u, struct archive_entry *entry, int fd, struct err **e);
/* A single entry that is no directory; dir is its own, name has been checked. */
int unpack_file(struct unpack *u, struct archive_entry *entry, int dir, const char *name, struct err **e);
int unpack_node(struct unpack *u, struct archive_entry *entry, int dir, const char *name, struct err **e);
int unpack_symlink(struct unpack *u, struct archive_entry *entry, int dir, const char *name, struct err **e);
int unpack_link(struct unpack *u, struct archive_entry *entry, int dir, const char *name, struct err **e);

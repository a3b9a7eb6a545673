/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* copytree - the parts of copying a tree: what is kept for the whole of it, the data of one file, and
 * the attributes of one inode. Inside lib/storage only; all return 0 or -errno, and set no error unless they take one. */
#pragma once
#include <stdint.h>
#include <sys/stat.h>

#include "kernel/idmap.h"
#include "storage/storage.h"

struct copy {
	const struct idmap *from, *to;	/* both set and one not empty: ids are shifted; NULL: kept */
	const struct storage_progress *progress;
	uint64_t bytes, files, ticked_ns;
	uint32_t uid, gid;		/* what new files belong to */
	mode_t umask;
	bool no_reflink, no_range;	/* the file systems cannot */
	uint32_t unmapped;		/* the id that the target's map lacks, after -EOVERFLOW */
	char *buffer;			/* COPY_BUFFER bytes, made when needed */
};
#define COPY_BUFFER (256U << 10)

/* -ECANCELED when the caller wants to stop; tells how far the copy is, some times a second. */
int copy_tick(struct copy *c);
/* The content of a regular file of this size, holes kept, into an empty one. */
int copy_data(struct copy *c, int from, int to, const struct stat *st);
/* An id of the source's as the target's: -EOVERFLOW when the target's map lacks it. An id that the
 * source's map does not have stays what it is. */
int copy_id(struct copy *c, bool gid, uint32_t id, uint32_t *ret);
/* Owner, mode, extended attributes and times from an open file or directory to another; mode is what
 * the target has now, permission bits alone. */
int copy_attributes(struct copy *c, int from, int to, const struct stat *st, mode_t mode);
/* The same by name in a directory, for what is not opened: links, devices, fifos and sockets. */
int copy_attributes_at(struct copy *c, int from_dir, int to_dir, const char *name, const struct stat *st);
/* Where an interrupted copy is continued: whether the file `name` is the whole copy of a regular file. */
bool copy_is_whole(struct copy *c, int to_dir, const char *name, const struct stat *source);
/* Removes whatever has that name, if there is anything; sets e or not. */
int copy_clear(int dir, const char *name, struct err **e);
/* Removes what the source's directory does not have; sets e or not. */
int copy_sweep(int from, int to, struct err **e);

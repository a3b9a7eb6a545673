/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* archive_pack - a container at work on its way into an archive: for archive_pack.c, which walks its trees, and
 * archive_inode.c, which writes what is found there. */
#pragma once
#include <sys/stat.h>

#include "archive.h"
#include "base/vec.h"
#include "config/conf.h"
#include "kernel/idmap.h"
#include "storage/storage.h"

#define PACK_BUFFER ((size_t)256 << 10)		/* of buffer */
#define PACK_XATTRS_MAX 65536			/* of names and of value */

struct root {
	char *prefix;		/* owned: "rootfs", "snaps/NAME/rootfs" */
	struct conf *conf;	/* owned */
	struct storage *storage;
	int fd;
	int use;		/* the directory that it is in, held as in use */
};

/* What stands before the trees: collected where the caller's rights count. */
struct piece {
	char *name, *text;	/* owned */
	size_t n;
	unsigned mode;
};

struct link {
	dev_t dev;
	ino_t ino;
	char *path;
};

struct pack {
	const struct packing *how;
	struct log *l;
	char *dir;			/* owned: LXCPATH/NAME */
	int dirfd;
	struct strv files;		/* in it, that its configuration names */
	VEC(struct root);
	struct piece *pieces;
	size_t n_pieces;
	struct idmap map;		/* of the container; empty: it has none */
	struct sink *sink;
	struct ticker ticker;
	struct buf path;		/* of the entry at hand */
	void *links;			/* tree of struct link */
	char *buffer, *names, *value;
};

/* An error of the entry at hand. */
int pack_fail(const struct pack *p, int num, struct err **e);
/* An inode by its name in dir, and its descriptor (negative: it is not opened): header, attributes, content. Its second
 * name is a hard link to the first. */
int pack_inode(struct pack *p, int dir, const char *name, int fd, const struct stat *st, struct err **e);
/* Of p->links. */
void pack_free_link(void *link);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* archive - a container as one stream: tar in pax format, compressed with zstd. What there is in it, in
 * this order: "manifest", "config", "files/NAME" (what the configuration names in the container's
 * directory), "snaps/NAME/{config,ts,comment}", then the trees "rootfs" and "snaps/NAME/rootfs", each
 * directory behind what it holds, and at last "digest": the SHA-256 of every byte of the tar before it.
 * Nothing is ever sought, in either direction. Owners are those that the container sees. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

#define ARCHIVE_FORMAT 1
#define ARCHIVE_MAGIC "tiffin-container "	/* and the format: the first line of the manifest */
#define ARCHIVE_MANIFEST "manifest"
#define ARCHIVE_CONFIG "config"
#define ARCHIVE_DIGEST "digest"
#define ARCHIVE_FILES "files/"
#define ARCHIVE_SNAPS "snaps/"
#define ARCHIVE_ROOT "rootfs"
#define ARCHIVE_SMALL_MAX ((size_t)16 << 20)	/* manifest, configuration and the like */
#define ARCHIVE_SNAPS_MAX 10000
#define ARCHIVE_DEPTH_MAX 2000			/* of directories; deeper ones have no path that the kernel takes */
/* These stand for the container's own directory, and that of the configurations which come with us. */
#define ARCHIVE_HERE "@CONTAINER@"
#define ARCHIVE_SHARED "@SHARED@"
#define DIGEST_BYTES 32

struct archive;
struct archive_entry;

/* How far it is, on a terminal. */
struct ticker {
	const char *prog;
	bool shown, told;
	uint64_t bytes, files, begun_ns, told_ns;
};
void ticker_begin(struct ticker *t, const char *prog);
void ticker_add(struct ticker *t, uint64_t bytes, uint64_t files);
void ticker_end(struct ticker *t);

/* ---- writing */

struct sink;
int sink_open(int fd, int level, struct sink **ret, struct err **e);
void sink_free(struct sink *s);
struct archive *sink_archive(struct sink *s);
/* What failed: the archive's own words, or that the output takes no more. */
int sink_fail(struct sink *s, const char *doing, struct err **e);
/* A regular file out of memory. */
int sink_add(struct sink *s, const char *name, unsigned mode, const void *p, size_t n, struct err **e);
/* The digest, and the end. */
int sink_close(struct sink *s, struct err **e);

/* ---- reading */

struct source;
int source_open(int fd, struct source **ret, struct err **e);
void source_free(struct source *s);
struct archive *source_archive(struct source *s);
int source_fail(struct source *s, struct err **e);
/* The next entry: 1, or 0 at the end of the tar. */
int source_next(struct source *s, struct archive_entry **ret, struct err **e);
/* All of the entry at hand, a regular file of at most ARCHIVE_SMALL_MAX (new, NUL-terminated). */
int source_text(struct source *s, struct archive_entry *entry, char **ret, size_t *ret_len, struct err **e);
/* Manifest and configuration, with which every archive begins (new). */
int source_begin(struct source *s, char **ret_name, char **ret_config, struct err **e);
/* The entry at hand is the digest: it is right, nothing follows it, and the stream is complete. */
int source_verify(struct source *s, struct archive_entry *entry, struct err **e);

/* ---- what may be in a configuration that somebody else wrote */

struct policy {			/* all borrowed */
	const char *dir;	/* the container's directory from now on */
	const char *name;	/* its name; NULL: lxc.uts.name stays */
	const char *maps;	/* "lxc.idmap = ..." lines in place of those in the text; NULL: these stay */
	bool trust;		/* everything is taken */
	bool new_macs;
};
/* Is KEY = VALUE something that cannot reach the host? */
bool policy_allows(const char *key, const char *value);
/* The text with its places filled in, and without lxc.rootfs.path. what names it in messages. */
int policy_apply(const struct policy *p, const char *text, const char *what, struct buf *out, struct err **e);

/* ---- the two directions */

struct packing {
	const char *lxcpath, *name;
	int fd;			/* where to */
	int level;		/* of the compression */
	bool snapshots;
	int partner;		/* asked before the end whether the container held still; -1: nobody is */
};
int pack(const struct packing *p, struct log *l, struct err **e);

struct unpacking {
	const char *dir, *name, *rootfs;
	bool trust;		/* of configurations and devices */
	bool new_identity;
	uint64_t limit;		/* bytes of content; 0: none */
	int64_t caller_uid, caller_gid;	/* as the user namespace has them; -1: there is none */
};
int unpack(const struct unpacking *u, struct log *l, struct err **e);
/* Reads as far as the configuration; prints "NAME\n" and the vetted text. p->dir is the directory of all containers. */
int head(const struct policy *p, struct err **e);

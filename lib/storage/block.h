/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* block - what the types on block devices and images have in common, and running the programs of a back
 * end. Inside lib/storage only. */
#pragma once
#include <stdarg.h>

#include "base/buf.h"
#include "storage/driver.h"

#define BLOCK_SIZE_DEFAULT ((uint64_t)1 << 30)
#define BLOCK_FSTYPE_DEFAULT "ext4"

/* Runs a program found in the caller's PATH, with the caller's environment: the words are its arguments,
 * NULL ends them. It must succeed. Its output is dropped but for the last line of its complaint. */
int storage_run(struct err **e, const char *program, ...) __attribute__((sentinel));
/* The same with what it writes on stdout and stderr (new, trimmed). */
int storage_ask(char **ret, struct err **e, const char *program, ...) __attribute__((sentinel));
int storage_run_argv(const char *const *argv, struct err **e);
/* The same, where some exit statuses mean something. */
int storage_run_status(int *ret_status, struct err **e, const char *const *argv);

/* The file system on a device or in an image: new; *ret is NULL when there is none that is known. */
int block_fstype(const char *path, char **ret, struct err **e);
/* The same, and it is an error when there is none. */
int block_need_fstype(struct storage *s, const char *path, struct err **e);
int block_mkfs(const struct storage_spec *spec, const char *path, struct err **e);
/* Mounts s->device. */
int block_mount(struct storage *s, const struct conf *c, struct err **e);
/* Gives the fresh file system in s to the root of c. */
int block_prepare(const struct storage_driver *d, const char *source, const struct conf *c, struct err **e);
int block_size(const char *path, uint64_t *ret);
int block_usage(struct storage *s, struct storage_usage *ret, struct err **e);
/* Grows the file system on s->device, which has grown, to all of it, mounted or not. */
int block_grow(struct storage *s, struct err **e);

/* What the library made outside of a container's directory is written down in it, first: what a killed
 * create leaves can be found, and nothing else is ever destroyed. */
int storage_mark(int dirfd, const char *type, const char *source, struct err **e);
void storage_unmark(int dirfd);
/* "TYPE:SOURCE" (new), NULL if there is none. */
char *storage_marked(int dirfd);
/* True if the mark says so, or if the thing is called like the container (LXC left no marks). */
bool storage_is_own(int dirfd, const char *dir, const char *type, const char *source);
/* What a volume of the copy is called (new); NULL when out of memory. */
char *storage_copy_name(const struct storage_copy *how);
/* Letters, digits and "+_.-"; at most 127; not beginning with '-'. */
bool block_name_is_valid(const char *name);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* io - whole small files, at a directory fd, with limits. */
#pragma once
#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Opens for reading and insists on a regular file (O_NONBLOCK, fstat): a fifo, device or directory
 * is -EINVAL with a message that says what it is. flags: extra open flags such as O_NOFOLLOW. */
int io_open_regular(int dirfd, const char *path, int flags, struct err **e);
/* Reads a regular file of at most max bytes. *ret is new and NUL-terminated; *ret_len may be NULL. */
int io_read_file(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len, struct err **e);
/* Reads an open fd to its end, at most max bytes (-EFBIG beyond). Kernel files included. */
int io_read_fd(int fd, size_t max, char **ret, size_t *ret_len);
/* Reads a one-value kernel file; trailing newline removed. Returns length or -errno. */
ssize_t io_read_line(int dirfd, const char *path, char *buf, size_t size);
/* Writes everything; 0 or -errno. */
int io_write_all(int fd, const void *p, size_t n);
/* One write(2) to an existing kernel file (O_WRONLY|O_CLOEXEC, no O_CREAT); 0 or -errno. */
int io_write_value(int dirfd, const char *path, const char *value);
/* Replaces NAME in directory dirfd atomically: a temporary file beside it, fsync, rename, fsync of
 * the directory. mode is exact (umask does not apply). */
int io_replace(int dirfd, const char *name, const void *p, size_t n, mode_t mode, struct err **e);
/* The same for what a crash of the whole system may take along: nobody waits for a disk. After such a crash
 * NAME may be the old file, the new one, or one without its content. */
int io_replace_volatile(int dirfd, const char *name, const void *p, size_t n, mode_t mode, struct err **e);
/* Writes over NAME, which is a file that exists and no symlink, in one write: no new file, no second name, no disk. What was longer
 * is filled up with newlines. Who reads meanwhile may see a part of each: the content must show that. -errno, nothing
 * written or a part: of more than IO_OVERWRITE_MAX bytes, of a file with other names. */
#define IO_OVERWRITE_MAX 4096	/* one page: no signal can come in between */
int io_overwrite(int dirfd, const char *name, const void *p, size_t n);
/* The directory of that name in dirfd ("." for itself), which is no symlink, to be read with readdir. NULL with errno. */
DIR *io_opendir(int dirfd, const char *name);
/* The same for an open one. Takes fd, in any case. */
DIR *io_fdopendir(int fd);
/* What keeps this process from entering or executing path: the first of its directories without the x permission, or path
 * itself (new; NULL: nothing that its modes say, or no memory). */
char *io_obstacle(const char *path);

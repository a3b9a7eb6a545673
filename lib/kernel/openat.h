/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* openat - paths below a directory that somebody else controls. Every path inside a container goes
 * through here: openat2 with RESOLVE_*, or a component-wise walk where openat2 is missing. Absolute
 * symlinks inside resolve inside the root (IN_ROOT) or are refused (no_symlinks). */
#pragma once
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/err.h"

/* Opens path in the tree of rootfd as if rootfd were /: "..", absolute and relative symlinks stay
 * inside; magic links are refused. flags: open flags (O_CLOEXEC is added). fd or -errno. */
int open_in_root(int rootfd, const char *path, int flags, mode_t mode);
/* The same, but any symlink on the way or at the end is -ELOOP, and so is leaving the root. */
int open_no_symlinks(int rootfd, const char *path, int flags, mode_t mode);
/* What the two above do where the kernel has no openat2, or where its answer is EAGAIN for too long;
 * here for tests. Magic links are read as text, which keeps them inside too. */
int open_by_walk(int rootfd, const char *path, int flags, mode_t mode, bool no_symlinks);
/* Makes directories (mode, exact) along path inside rootfd, following symlinks as open_in_root, and
 * returns an O_PATH fd of the last one; -errno. -ENOTDIR when a component is no directory. */
int mkdir_in_root(int rootfd, const char *path, mode_t mode);
/* Makes parent directories 0755 and an empty regular file (mode, exact) if nothing is there; O_PATH fd
 * of what is there at the end (any type but a symlink: those are followed inside); -errno. */
int mkfile_in_root(int rootfd, const char *path, mode_t mode);
/* Opens the parent directory of path inside rootfd (O_PATH|O_DIRECTORY) and returns the last
 * component's name (borrowed from path) in *ret_name. -EINVAL for "", ".", ".." and a slash at the end. */
int open_parent_in_root(int rootfd, const char *path, const char **ret_name);
/* Re-opens an O_PATH fd through /proc/self/fd with flags. fd or -errno. */
int open_again(int fd, int flags);
/* The absolute path of fd in this mount namespace (readlink of /proc/self/fd). New; NULL on failure. */
char *fd_path(int fd);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* partial - the marker of a container that is being created, copied or destroyed: the file "partial" in its
 * directory, locked by the process at work. A marker without a lock is what a killed one left. */
#pragma once
#include <stdbool.h>

#include "base/err.h"

/* A new container directory is built as ".NAME.new" beside its place and renamed when it has its
 * marker and its configuration. */
#define STAGING_PREFIX "."
#define STAGING_SUFFIX ".new"
/* New; NULL when out of memory. */
char *partial_staging(const char *name);
/* The container's name (new) if entry is such a directory's name; else NULL. */
char *partial_staged(const char *entry);

enum partial { PARTIAL_NONE, PARTIAL_BUSY, PARTIAL_STALE };

/* dir: the container's directory. */
enum partial partial_state(const char *dir);
#define PARTIAL_MARKER "partial"
/* Makes the marker in dirfd and takes its lock: an fd that holds it. */
int partial_begin(int dirfd, struct err **e);
/* The same for a removal, over any marker that nobody holds. */
int partial_begin_removal(int dirfd, struct err **e);
/* True if what was interrupted was a removal. */
bool partial_is_removal(const char *dir);
/* Writes into a marker whose lock is held that this is a copy of that container. */
int partial_note_origin(int marker, const char *lxcpath, const char *name, struct err **e);
/* Whether what was interrupted is a copy; *ret_lxcpath and *ret_name: of what (new; NULL: not wanted). */
bool partial_is_copy(const char *dir, char **ret_lxcpath, char **ret_name);
/* Takes the lock of the marker that an interrupted creation left: an fd that holds it. */
int partial_take(int dirfd, struct err **e);
/* The end of a creation: the configuration is on the disk, and the marker goes. */
int partial_complete(int dirfd, struct err **e);
/* Removes the marker (not the lock: that goes with the fd). */
int partial_end(int dirfd);
/* Fails when a creation is under way or was interrupted. */
int partial_check(const char *dir, const char *name, const char *lxcpath, struct err **e);

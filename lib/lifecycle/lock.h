/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lock - the lock file of a container (RUNDIR/lxc/lock/LXCPATH/.NAME, 0600) shared by all processes. */
#pragma once
#include "base/err.h"

/* Opens a run directory (O_PATH), which may be a symlink of the system (/var/run), or makes it and its parents; -errno.
 * Nothing is made below a directory that somebody else owns or may write to: -EPERM. */
int lock_rundir(const char *path);
/* Opens (and makes) the lock file: fd or -errno. Directories 0755, each opened without following
 * symlinks and owned by the caller. */
int lock_open(const char *lxcpath, const char *name, struct err **e);
/* Exclusive, with a limit (-1: none); 0, -ETIMEDOUT, -errno. Held until lock_release or lock_end. */
int lock_take(int fd, int timeout_ms, struct err **e);
void lock_release(int fd);
/* Releases and closes it (negative: nothing). Closing alone would not do: a child that another thread forked meanwhile
 * has the descriptor until it executes something, and with it the lock. */
void lock_end(int fd);
static inline void auto_lock_fn(int *fd)
{
	lock_end(*fd);
}
#define auto_lock __attribute__((cleanup(auto_lock_fn)))

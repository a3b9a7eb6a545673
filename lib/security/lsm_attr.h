/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lsm_attr - the attribute files of this thread in a procfs that may have been prepared by somebody
 * else: nothing is written unless the file is one of procfs, reached without a symlink or a mount. */
#pragma once
#include <sys/types.h>

/* Writes value to attr/NAME ("current", "apparmor/current", "exec", ...) of the calling thread in
 * one write. proc_fd: directory fd of a procfs. 0, -ENOENT without that file, -ENOTSUP when proc_fd
 * is no procfs, -errno. Allocates nothing. */
int lsm_attr_write(int proc_fd, const char *name, const char *value);
/* Reads attr/NAME of pid (0: the caller) in the caller's /proc; newline removed. Length or -errno. */
ssize_t lsm_attr_read(pid_t pid, const char *name, char *buf, size_t size);

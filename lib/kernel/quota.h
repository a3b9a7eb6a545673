/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* quota - project quotas of a file system (ext4, xfs): files carry a number, which their directory hands
 * on, and the file system limits what all of one number take. All return 0 or -errno, set no error. */
#pragma once
#include <stdint.h>

/* Of an open file or directory; 0: none. */
int quota_project(int fd, uint32_t *ret);
/* A directory hands it on to what is made in it. */
int quota_set_project(int fd, uint32_t project);
struct quota_usage {
	uint64_t used, limit;		/* bytes; limit 0: none */
};
/* fd: anything on the file system. -ESRCH: it keeps no project quotas. */
int quota_usage(int fd, uint32_t project, struct quota_usage *ret);
int quota_limit(int fd, uint32_t project, uint64_t bytes);

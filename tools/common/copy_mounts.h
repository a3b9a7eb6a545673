/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* copy_mounts - what a throwaway copy gets besides the data of the original: directories of the host, and
 * memory in the place of a disk. */
#pragma once
#include "common/tool.h"

/* Checks "bind=SRC[:DST][:ro|rw]" and "overlay=SRC[:DST]", separated by commas, and adds them to mounts.
 * 0 or -1 after a message. */
int copy_mounts_add(struct tool *t, struct strv *mounts, const char *text);
/* Adds them to the configuration of the copy; overlays write to its directory. */
int copy_mounts_apply(struct tool *t, const struct strv *mounts, struct lxc_container *c);
/* Has the overlay of the copy write to memory. */
int copy_mounts_tmpfs(struct tool *t, struct lxc_container *c);

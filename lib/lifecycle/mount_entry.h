/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* mount_entry - one line of lxc.mount.fstab or lxc.mount.entry: parsed by the plan, its bind source
 * cloned by the monitor, attached by init. */
#pragma once
#include "lifecycle/run.h"

/* Parses fstab and entries of r->conf into r->mounts. */
int mount_entries_plan(struct run *r, struct err **e);
/* Makes the upper and work directories of overlays that lie in the container's own directory. */
int mount_entries_make_dirs(struct run *r, struct err **e);
/* Opens and clones the bind sources (in the mount namespace of the caller). */
int mount_entries_prepare(struct run *r, struct err **e);
/* Init: attaches everything below root_fd, in order. */
int mount_entries_attach(struct run *r, int root_fd, struct err **e);
/* Init, after the switch of root: propagation words, which the switch would undo. */
int mount_entries_propagate(struct run *r, struct err **e);
/* True if a mount of the configuration covers path or a parent of it. */
bool mount_entries_cover(const struct run *r, const char *path);
/* The object below root_fd that a mount goes on, made where create says so: 'd', 'f' or 0. An O_PATH
 * fd; -errno with the mount_target_* error. */
int mount_target_open(int root_fd, const char *target, int create, struct err **e);

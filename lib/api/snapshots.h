/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* snapshots - the snapshots of a container, for what is done to all of them. */
#pragma once
#include "handle.h"

/* Calls fn for every complete snapshot; the first failure ends it, and its error is k's. */
int snapshots_each(struct call *k, int (*fn)(struct call *snap, void *arg), void *arg);
/* Removes from the directory of the snapshots the beginnings of those whose makers were killed; a name that is not one of ours
 * stays. */
int snapshots_drop_begun(struct call *k, const char *dir);

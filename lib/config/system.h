/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* system - the global items of lxc.conf (lxc.lxcpath, lxc.bdev.*, ...) and the places that depend
 * on who is calling. Read once per call; no cache, no global state. */
#pragma once
#include <stdbool.h>

#include "base/err.h"

/* The value of a global item: from the file, else the default. *ret is new, or NULL when the item
 * has no value. -EINVAL: unknown item. */
int system_item(const char *key, char **ret, struct err **e);
/* The names, in the order of lxc-config -l. */
const char *const *system_items(void);
/* The place of an item in a list of all of them (some are in no listing); -ENOENT. */
int system_item_index(const char *key);
/* The caller's run directory: PATH_RUNTIME if it belongs to the caller, else $XDG_RUNTIME_DIR, else what
 * that is in a login, /run/user/UID, if it is there and the caller's alone, else $HOME/.cache/lxc/run. New; the directory itself may not exist yet. */
char *system_rundir(struct err **e);

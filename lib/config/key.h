/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* key - the registry of every configuration key: one row per key in keys.def, from which parsing,
 * listing, saving, documentation and completion follow. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "config/conf.h"

/* Sets key to value (already trimmed). value "" or NULL clears. at: where it stands. Control
 * characters in value are refused. Legacy keys are translated, with one log_warn each that names
 * file:line and the new key. -EINVAL, -ERANGE, -ENOENT (unknown key) with *e naming key, value and
 * what is wrong, and the nearest known key. */
int key_set(struct conf *c, const char *key, const char *value, struct origin at, struct log *l,
	    struct err **e);
/* Appends the value as LXC's getter prints it. -ENOENT: unknown key. */
int key_get(const struct conf *c, const char *key, struct buf *b, struct err **e);
int key_clear(struct conf *c, const char *key, struct err **e);
/* get_keys: NULL for all, else a prefix. -EINVAL for an unknown prefix. */
int key_list(const struct conf *c, const char *prefix, struct buf *b, struct err **e);
/* lxc_config_item_is_supported. */
bool key_is_supported(const char *key);
/* True for keys whose getter returns integers and lists by snprintf rules (the buffer is truncated). */
bool key_truncates(const char *key);
/* The nearest known key (borrowed), NULL if none is near. */
const char *key_nearest(const char *key);

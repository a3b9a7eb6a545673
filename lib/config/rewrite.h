/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* rewrite - the text of a configuration for a copy or under another name: values are changed line by
 * line, in place, and everything else stays as its author wrote it. Only the text is changed: the
 * caller reads it again. */
#pragma once
#include "base/err.h"
#include "config/conf.h"

/* Given a line's key and value, *ret becomes the new value (new); left alone, the line stays. 0 or
 * -errno with *e. */
typedef int (*conf_rewrite_fn)(const char *key, const char *value, char **ret, void *arg, struct err **e);
/* Calls fn for every "lxc.KEY = VALUE" of the text. */
int conf_rewrite(struct conf *c, conf_rewrite_fn fn, void *arg, struct err **e);
/* A new hardware address for every line that has a full one. */
int conf_renew_macs(struct conf *c, struct err **e);
/* value with the directory from replaced by to wherever it stands as a path (at the beginning of the
 * value, of a word or of an option); NULL without *e when it stands nowhere. */
int path_retarget(const char *value, const char *from, const char *to, char **ret, struct err **e);

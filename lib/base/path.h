/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* path - lexical work on paths and the one validator of names. No file access. */
#pragma once
#include <stdbool.h>

#include "base/err.h"

/* "DIR/NAME", exactly one slash between. Returns new, NULL when out of memory. */
char *path_join(const char *dir, const char *name);
/* Collapses "//" and "/./", drops a leading "./" and a trailing "/"; ".." is kept. Returns new. */
char *path_simplify(const char *path);
/* True if a component is "..". */
bool path_has_dotdot(const char *path);
bool path_is_absolute(const char *path);
/* Last component (borrowed); "" for "/". */
const char *path_base(const char *path);
/* The one validator of container and snapshot names, used by every entry point: not empty, at most
 * 200 bytes, no '/', no control character, no blank or quote, not starting with '.' or '-'.
 * 0 or -EINVAL with err_name_invalid. */
int name_check(const char *name, struct err **e);
/* The same for a network interface name: 1-15 bytes, no '/', ':', blank, control; not "." or "..". */
bool ifname_is_valid(const char *name);

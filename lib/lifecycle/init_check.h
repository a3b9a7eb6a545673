/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* init_check - would exec of the init program work inside this root? Asked before anything is made
 * where the root can be seen, and again before the root is switched to. */
#pragma once
#include "base/err.h"

/* root: for the message. argv0 with a slash is that file; without, it is looked up in the standard
 * path. 0, or -errno with one of the init_* errors. */
int init_check(int root_fd, const char *root, const char *argv0, struct err **e);

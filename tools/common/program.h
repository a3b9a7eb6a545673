/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* program - running another program of the host: no shell, the standard search path. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"

/* The file that NAME stands for in the standard search path: new, NULL if there is none. */
char *program_find(const char *name);
/* Runs argv and waits. out: gets what it prints (what does not fit is dropped) and its messages go to
 * /dev/null; NULL: both go where ours go. The exit status, 128 + signal, or -1 when it could not be run. */
int program_run(char *const argv[], struct buf *out);

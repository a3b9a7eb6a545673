/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* zygote - a process that has nothing to do but to fork: each child is the supervisor of one start, which has no program to
 * load. For who starts many containers. */
#pragma once
#include "base/err.h"

/* Makes it, of a process of one thread whose file no guest can write to; env is what a monitor has. It ends with this
 * process. supervise: supervise_main. */
int zygote_make(int (*supervise)(void), char **env, struct err **e);
/* Has it fork a supervisor, from any thread: with the descriptors of supervise.h (log -EBADF: none) and that title. False where
 * there is none, not any more, or no room for the title. The child is not this process's. */
bool zygote_fork(const char *title, int status, int memfd, int log);

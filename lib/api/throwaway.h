/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* throwaway - containers that are destroyed when they stop. The monitor does it; the file "ephemeral" in the
 * container's directory says who made it and when, so that one whose maker, monitor or host died first is
 * known for what it is, and collected by the next command that comes by. */
#pragma once
#include <stdbool.h>

#include "base/err.h"

/* Writes the file into a container's directory: this process is going to start the container. */
int throwaway_mark(int dirfd, struct err **e);
/* Destroys the container if it is such a leftover; true if it is gone now. */
bool throwaway_collect(const char *lxcpath, const char *name);
/* The same for those that stand on the container in dir, which is in lxcpath: what is left of them holds nobody up. */
void throwaway_collect_users(const char *lxcpath, const char *dir);

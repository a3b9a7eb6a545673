/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* scope - a cgroup from systemd. An ordinary user may make cgroups only below one that was delegated to him; his
 * own systemd manager gives him such a scope. The program lxc-scope asks for it. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* Moves the calling process, which has one thread, into a new delegated scope where that is of use: for an ordinary
 * user whose systemd manager runs, and for root who may not use the cgroups that there are. 1: done; 0: of no use, or
 * there is no such manager, or we are in such a scope already; -errno: refused. */
int scope_enter(const char *name, struct err **e);
/* Has the manager move pid to where a container's init is, if that is below a scope of ours: between a login session and
 * a scope nobody but systemd may. 1: done, 0: it is in no scope of ours, -errno. */
int scope_join(pid_t init, pid_t pid, struct err **e);
/* Where a process that is in a scope of ours stands, as long as it has no better place. */
#define SCOPE_PLACE "lxc.pivot"

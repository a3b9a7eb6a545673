/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* foreign - containers that LXC's own monitors run. Those know no commands for cgroup files, and have their clients
 * freeze with version 1: it is done here, in the client, with its rights, in the cgroups that the monitor names. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "lifecycle/client.h"

/* As client_cgroup_get, client_cgroup_set, client_get_many and client_freeze. */
int foreign_cgroup_get(const struct target *t, const char *file, struct buf *b, struct err **e);
int foreign_cgroup_set(const struct target *t, const char *file, const char *value, struct err **e);
int foreign_get_many(const struct target *t, const char *const *names, size_t n, char **values, struct err **e);
int foreign_freeze(const struct target *t, bool frozen, struct err **e);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* attach - running a function or a program inside a running container. Everything that can fail for
 * lack of something is known before the first fork; after it only system calls. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "config/conf.h"
#include "lifecycle/client.h"
#include "lxc/attach_options.h"

/* opts: as the public API's (namespaces -1 is resolved into *opts). conf: the caller's loaded
 * configuration (environment, prlimits), may be NULL. exec_only: fn does nothing but exec, so that
 * every other descriptor can be closed before the container sees the process. Returns 0 and the pid of the attached
 * process, a child of the caller, and, where ret_pidfd is not NULL, a pidfd of it (-EBADF: none); the chain of a failure that happens before fn runs is in *e. */
int attach_run(const struct target *t, const struct conf *conf, lxc_attach_options_t *opts,
	       lxc_attach_exec_t fn, void *payload, bool exec_only, pid_t *ret_pid,
	       int *ret_pidfd, struct err **e);

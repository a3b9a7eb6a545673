/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* hooks - running the lxc.hook.* lists: /bin/sh -c "exec HOOK ...", hook versions 0 and 1, an
 * explicit environment. The last line of a failing hook's output is its cause. */
#pragma once
#include "lifecycle/run.h"

#define HOOK_LIMIT_S 600

/* "pre-start". */
const char *hook_name(enum conf_hook kind);
/* The variables that hooks of this run see. child: hooks that run in init's process also get
 * lxc.environment and lxc.environment.hooks. */
int hooks_environment(const struct run *r, bool child, struct strv *env, struct err **e);
/* Runs one program and collects its output; in the monitor the command socket stays served. 0 with
 * the wait status, -ETIMEDOUT after HOOK_LIMIT_S, -errno. arg: struct run (see net_set_runner). */
int hooks_spawn(void *arg, struct spawn *s, struct buf *out, int *status, struct err **e);
/* Mapped: opens the programs of the hooks that init runs as root of its user namespace, which may not be allowed to
 * enter their directories. By who may: the monitor, or init while it is still the caller. */
int hooks_open(struct run *r, struct err **e);
/* Runs all hooks of a kind; the first failure ends it. extra: further arguments (version 0) or NULL.
 * more_env: NAME=value pairs to add, or NULL. In the monitor the command socket stays served. */
int hooks_run(struct run *r, enum conf_hook kind, const struct strv *extra, const struct strv *more_env,
	      struct err **e);

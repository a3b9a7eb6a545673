/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* launch - what lxc-start and lxc-execute have in common: settings given as KEY=VALUE and
 * namespaces shared with another container or process. */
#pragma once
#include "common/tool.h"

enum launch_share { SHARE_NET, SHARE_IPC, SHARE_UTS, SHARE_PID, SHARE_MAX };

struct launch {
	struct strv defines;
	const char *share[SHARE_MAX];
};

void launch_done(struct launch *l);
/* Remembers KEY=VALUE after a look at its form. 0 or -1 after a message. */
int launch_define(struct tool *t, struct launch *l, const char *text);
/* Applies all of it to the handle, after its configuration was loaded. 0 or -1 after a message. */
int launch_apply(struct tool *t, struct launch *l, struct lxc_container *c);
/* One configuration item with the error shown. 0 or -1. */
int launch_set(struct tool *t, struct lxc_container *c, const char *key, const char *value);
/* Path as the container's monitor will see it, whose working directory is another. NULL: no memory. */
char *launch_absolute(const char *path);

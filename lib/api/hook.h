/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* hook - the hooks that run in the client: destroy and clone. */
#pragma once
#include "base/strv.h"
#include "config/conf.h"
#include "handle.h"

/* Runs the hooks of a kind in order; the first that fails ends it. args: further arguments; more_env:
 * "NAME=value" pairs; both may be NULL. */
int hook_run_all(struct call *k, const struct conf *conf, enum conf_hook kind, const struct strv *args,
		 const struct strv *more_env);

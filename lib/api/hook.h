/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* hook - the hooks that run in the client: destroy and clone. */
#pragma once
#include "base/strv.h"
#include "config/conf.h"
#include "handle.h"

struct hook_run {			/* all borrowed */
	enum conf_hook kind;
	const struct strv *args;	/* further arguments; NULL: none */
	const struct strv *env;		/* "NAME=value" pairs, over those of every hook; NULL: none */
	int root;			/* >= 0: a detached mount, for one hook to see on lxc.rootfs.mount */
	size_t only;			/* just this one, counted from 1; 0: all */
};

/* Refused if conf, which is k's, has hooks of the kind and its file is not to be trusted. To be asked before anything is
 * done, and by the caller himself: a user namespace has other ids. */
int hook_check(struct call *k, const struct conf *conf, enum conf_hook kind);
/* Runs the hooks of a kind in order; the first that fails ends it. */
int hook_run_all(struct call *k, const struct conf *conf, const struct hook_run *how, struct err **e);

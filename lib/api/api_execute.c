/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_execute - starts that are the last thing a program does, so that it can be, or make, the monitor itself. A file of its
 * own: who links statically and does not call them is not to have a monitor in his program. */
#include <unistd.h>

#include <lxc/lxcext.h>

#include "base/compiler.h"
#include "base/err.h"
#include "kernel/proc.h"
#include "lifecycle/launch.h"
#include "protect.h"
#include "vtable.h"

/* An ordinary user's security module may know the other program alone; and signals and open files are only one process's own,
 * which a thread might be using. */
static bool is_fit(void)
{
	return geteuid() == 0 && proc_has_one_thread();
}

/* A guest that finds our file must not be able to write to it. */
static bool is_safe(void)
{
	return is_fit() && protect_is_done();
}

attr_public bool lxcext_execute(struct lxc_container *c, char *const argv[])
{
	return api_start_last(c, 1, argv, true, is_fit() ? supervise_here : NULL);
}

attr_public bool lxcext_start_end(struct lxc_container *c, int useinit, char *const argv[])
{
	return api_start_last(c, useinit, argv, false, is_safe() ? supervise_here : NULL);
}

attr_public int lxcext_start_many(void)
{
	auto_err struct err *e = NULL;

	return is_safe() ? launch_many(supervise_main, &e) : 0;
}

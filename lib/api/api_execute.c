/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_execute - starts that are the last thing a program does, so that it can be, or make, the monitor itself. A file of its
 * own: who links statically and does not call them is not to have a monitor in his program. */
#include <sys/stat.h>
#include <unistd.h>

#include <lxc/lxcext.h>

#include "base/compiler.h"
#include "base/err.h"
#include "lifecycle/launch.h"
#include "protect.h"
#include "vtable.h"

/* What is only one process's own, signals and open files, a thread might be using. */
static bool is_alone(void)
{
	struct stat st;

	return stat("/proc/self/task", &st) == 0 && st.st_nlink == 3;
}

/* An ordinary user's security module may know the other program alone; and a guest that finds ours must not be able to write to it. */
static bool is_safe(void)
{
	return geteuid() == 0 && protect_is_done() && is_alone();
}

attr_public bool lxcext_execute(struct lxc_container *c, char *const argv[])
{
	return api_start_exec(c, 1, argv, is_alone() ? supervise_here : NULL);
}

attr_public bool lxcext_start_end(struct lxc_container *c, int useinit, char *const argv[])
{
	return api_start_end(c, useinit, argv, is_safe() ? supervise_here : NULL);
}

attr_public int lxcext_start_many(void)
{
	auto_err struct err *e = NULL;

	return is_safe() ? launch_many(supervise_main, &e) : 0;
}

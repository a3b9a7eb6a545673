/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_execute - a command under our init, in the foreground. A file of its own: who links statically and does not call
 * it is not to have a monitor in his program. */
#include <sys/stat.h>

#include <lxc/lxcext.h>

#include "api/vtable.h"
#include "base/compiler.h"

/* What is only one process's own, signals and open files, a thread might be using. */
static bool is_alone(void)
{
	struct stat st;

	return stat("/proc/self/task", &st) == 0 && st.st_nlink == 3;
}

attr_public bool lxcext_execute(struct lxc_container *c, char *const argv[])
{
	return api_start_exec(c, 1, argv, is_alone() ? supervise_here : NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* unavailable - the members of the interface that this version does not carry out. Each gives its
 * documented failure value and says so. */
#include <errno.h>

#include "handle.h"
#include "vtable.h"

static int refuse(struct lxc_container *c, const char *what)
{
	struct call k;

	if (!call_begin(&k, c))
		return -EINVAL;
	return call_end(&k, err_call_unavailable(&k.e, what), "%s", k.name);
}

bool api_checkpoint(struct lxc_container *c, char *directory, bool stop, bool verbose)
{
	return refuse(c, "checkpoints") == 0;
}

bool api_restore(struct lxc_container *c, char *directory, bool verbose)
{
	return refuse(c, "checkpoints") == 0;
}

int api_migrate(struct lxc_container *c, unsigned int cmd, struct migrate_opts *opts, unsigned int size)
{
	if (!c)
		return -1;
	(void)refuse(c, "checkpoints");
	return cmd > MIGRATE_FEATURE_CHECK ? -EINVAL : 1;
}

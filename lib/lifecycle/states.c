/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/states.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const char *const names[STATE_MAX] = {
	"STOPPED", "STARTING", "RUNNING", "STOPPING", "ABORTING", "FREEZING", "FROZEN", "THAWED",
};

const char *state_name(int state)
{
	return state >= 0 && state < STATE_MAX ? names[state] : NULL;
}

enum lxc_state state_by_name(const char *name)
{
	int i = 0;

	while (i < STATE_MAX && strcmp(names[i], name) != 0)
		i++;
	return (enum lxc_state)i;
}

int state_mask(const char *list, unsigned *ret)
{
	unsigned mask = 0;

	for (;;) {
		size_t n = strcspn(list, "|");
		int i = 0;

		while (i < STATE_MAX && (strlen(names[i]) != n || strncmp(names[i], list, n) != 0))
			i++;
		if (i == STATE_MAX)
			return -EINVAL;
		mask |= 1U << i;
		if (!list[n])
			break;
		list += n + 1;
	}
	*ret = mask;
	return 0;
}

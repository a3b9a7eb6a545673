/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* states - the states of a container, with LXC's numbers and names. */
#pragma once

enum lxc_state {
	STATE_STOPPED,
	STATE_STARTING,
	STATE_RUNNING,
	STATE_STOPPING,
	STATE_ABORTING,
	STATE_FREEZING,
	STATE_FROZEN,
	STATE_THAWED,
	STATE_MAX
};

/* "RUNNING"; NULL for numbers outside. */
const char *state_name(int state);
/* STATE_MAX when unknown. Case-sensitive. */
enum lxc_state state_by_name(const char *name);
/* "RUNNING|STOPPED" to a bit mask (1 << state); -EINVAL for an unknown name or an empty list. */
int state_mask(const char *names, unsigned *ret);

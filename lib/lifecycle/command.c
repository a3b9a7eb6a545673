/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/command.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"

static_assert(sizeof(struct state_message) == 264, "LXC's size");
static_assert(sizeof(struct cmd_request) == 2 * sizeof(int) + sizeof(void *), "LXC's size");

static_assert(sizeof(struct cgroup_ctx_reply) == 96, "LXC's size");
static_assert(sizeof(struct cgroup_fd_reply) == 80, "LXC's size");

/* LXC counts the leading NUL and keeps one byte spare: 105 bytes of text are the most. */
#define ADDRESS_MAX 105

void command_address(const char *lxcpath, const char *name, char out[108])
{
	int n = snprintf(out, 108, "%s/%s/command", lxcpath, name);
	uint64_t h = HASH_FNV1A_INIT;

	if (n > 0 && n <= ADDRESS_MAX)
		return;
	h = hash_fnv1a(lxcpath, strlen(lxcpath), h);
	h = hash_fnv1a("/", 1, h);
	h = hash_fnv1a(name, strlen(name), h);
	(void)snprintf(out, 108, "lxc/%016" PRIx64 "/command", h);
}

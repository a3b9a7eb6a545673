/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* guest - what can be learned of the system in a root before it is started. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

/* The version of the systemd that init is; 0 when init is none, or nothing tells. 230: older than 231, from when on
 * files tell. */
unsigned guest_systemd(int root_fd, const char *init);
/* Fails if that version does not work with the cgroups that the host has: unified, it has v2 alone. */
int guest_check_cgroups(int root_fd, const char *root, unsigned systemd, bool unified, struct err **e);
/* From this version on systemd knows v2 alone, and is given nothing else. (256 and 257 take v1 in a container, with the
 * limits that a hybrid host has nowhere else.) */
#define GUEST_SYSTEMD_V2_ONLY 258

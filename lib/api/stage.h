/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* stage - a container directory that appears in one step: it is built under another name, with its marker
 * (partial.h) and its configuration, and renamed. A process that is killed leaves either nothing that
 * looks like a container, or something that shows itself as incomplete. */
#pragma once
#include "handle.h"

struct stage {
	int parent;		/* lxcpath */
	int dir;		/* the container's directory */
	int marker;		/* holds the lock of the marker */
	const char *of_lxcpath, *of_name;	/* borrowed: of a copy, its original; NULL: it is none */
};
#define STAGE_INIT { -EBADF, -EBADF, -EBADF, NULL, NULL }

/* Opens k's lxcpath, made where it is missing. */
int stage_open_parent(struct call *k, struct stage *s);
/* Makes k's directory (owner and mode as its configuration wants them) with conf as its configuration.
 * Called with the disk lock held; parent is open. On failure nothing is left. */
int stage_make(struct call *k, const struct conf *conf, struct stage *s);
/* The same under the name STAGING in lxcpath, where it stays. What a dead process left there goes. */
int stage_make_as(struct call *k, const struct conf *conf, const char *staging, struct stage *s);
void stage_done(struct stage *s);
#define auto_stage __attribute__((cleanup(stage_done)))

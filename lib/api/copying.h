/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* copying - a copy at work, and its steps: for copy.c, which makes a new container, and replace.c, which puts the copy in
 * the place of another. All steps that can fail return a negative errno, with the error in to->e. */
#pragma once
#include "base/strv.h"
#include "copy.h"
#include "handle.h"
#include "stage.h"

#define COPYING_CONFIG "config"

struct copying {
	struct call *from, *to;
	const struct copy *how;
	struct conf *source, *conf;	/* owned */
	struct stage at;
	int use;			/* the source's directory, held as in use */
	char *place;			/* owned: where the copy is made */
	char *path;			/* owned: lxc.rootfs.path with its prefix */
	struct strv needs;		/* whose data the copy stands on */
	bool recorded, made;
	bool keep;			/* what is made stays when it cannot be completed */
	struct freeze_hold frozen;
	size_t hook;			/* the one that runs, counted from 1; 0: all */
	int old;			/* what is replaced: its directory, held alone */
};

void copying_done(struct copying *c);
#define auto_copying __attribute__((cleanup(copying_done)))

#define COPYING_INIT(source, target, what)                                                             \
	{                                                                                              \
		.from = (source), .to = (target), .how = (what), .at = STAGE_INIT, .use = -EBADF, .old = -EBADF, \
		.frozen = FREEZE_HOLD_INIT                                                             \
	}

/* r; an error of the source becomes one of the copy. */
int copying_of_source(struct copying *c, int r);
/* Holds the source as in use, and still while it runs. The error is the source's. */
int copying_open(struct copying *c);
/* What copying_open has frozen goes on. Twice does no harm. */
void copying_thaw(struct copying *c);
/* The configuration to be, without a root. */
int copying_conf(struct copying *c);
/* All between the empty directory of the copy and its being complete. */
int copying_fill(struct copying *c);
int copying_save(struct copying *c);

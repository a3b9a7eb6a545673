/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* retarget - the configuration of a copy: what it says of the original's directory is said of its own, and
 * the files meant by it (hooks, fstab, seccomp policy, layers of overlay entries) come along. */
#pragma once
#include "config/conf.h"
#include "handle.h"

struct retarget {		/* all borrowed */
	const char *from_dir;	/* the original's directory */
	const char *to_dir;	/* the copy's, as its configuration shall name it */
	int from, to;		/* both, open; to may be elsewhere yet */
};

/* Changes the text of conf (only that) and copies the files. */
int retarget_copy(struct conf *conf, const struct retarget *t, struct err **e);
/* The text of conf with every path below from_dir below to_dir: for a container that is moved. */
int retarget_move(struct conf *conf, const char *from_dir, const char *to_dir, struct err **e);
/* A new conf from the text of conf, as if it stood in file. */
int retarget_reread(struct call *k, const struct conf *conf, struct conf **ret);

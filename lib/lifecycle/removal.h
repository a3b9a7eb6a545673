/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* removal - deleting a container's storage and directory, in an order that leaves something which shows
 * itself as half removed, and can be removed again, wherever it is cut off: marked first, the root and all
 * else, the bases told, then configuration and marker. */
#pragma once
#include "base/err.h"
#include "base/log.h"
#include "config/conf.h"

struct removal {		/* all borrowed */
	const char *lxcpath, *name, *dir;
	const struct conf *conf;	/* NULL: there is none that could be read; the storage is a directory */
	struct log *log;
};

/* parent and dirfd: lxcpath and the container's directory, open. Asks for mounts below it before the first
 * file goes. */
int removal_run(const struct removal *m, int parent, int dirfd, struct err **e);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* copy - a container made out of another one: what clones, snapshots, restored snapshots and throwaway
 * containers have in common. The new one is marked as incomplete until the last step; on failure nothing
 * of it is left, and the original is never written to but for the record of who stands on it. */
#pragma once
#include <stdbool.h>

#include "handle.h"
#include "storage/storage.h"

struct copy {					/* all borrowed */
	int flags;				/* LXC_CLONE_* */
	const char *type;			/* NULL: as storage.h says */
	struct storage_spec spec;
	char *const *hookargs;			/* NULL: none */
	const struct storage_progress *progress;	/* NULL: none */
	bool keep_identity;			/* machine-id, ssh keys and the like stay as they are */
	bool quick;				/* as little as possible: no new ssh keys */
	bool resume;				/* goes on with what an interrupted one has left; see lxcext.h */
	bool into_snaps;			/* the target is a snapshot of the source */
	bool throwaway;				/* throwaway.h, and lxc.ephemeral is set */
	bool itself;			/* copy_replace: the source is what is replaced; no clone hook is told of it */
	/* Called with the configuration to be, whose text alone is changed, before anything is made. NULL: nothing. */
	int (*edit)(struct call *to, struct conf *conf, void *arg);
	/* Called with the directory of the complete target, before it counts as such. NULL: nothing. */
	int (*finish)(struct call *to, int dirfd, void *arg);
	void *arg;
};

/* Makes the container of `to`, which must not exist, from that of `from`. On failure the error is in to->e. */
int copy_make(struct call *from, struct call *to, const struct copy *how);
/* Puts a copy of `from` (`to` itself with how->itself) in the place of `to`, which exists, does not run, and stays as it is until the copy
 * is complete. What lies in its directory and is no part of a container (its snapshots) stays there. */
int copy_replace(struct call *from, struct call *to, const struct copy *how);
/* Ends what a killed copy_replace has begun: its incomplete copy, or what was replaced, goes. Nothing
 * when it is still at work. What is left of throwaway copies that stand on the container goes too. The caller holds neither lock nor use of the container. */
int copy_settle(struct call *to);
#define COPY_STAGING_SUFFIX ".restore"
/* Where copy_replace works: ".NAME.restore" in the lxcpath (new; NULL when out of memory). */
char *copy_staging(const char *name);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "resume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "lifecycle/partial.h"
#include "storage/storage.h"

#define ROOTFS "rootfs"

int resume_check(struct copying *c)
{
	struct call *from = c->from, *to = c->to;
	auto_free char *lxcpath = NULL, *name = NULL;

	if (partial_state(to->dir) != PARTIAL_STALE)
		return 0;
	if (!partial_is_copy(to->dir, &lxcpath, &name) || !STREQ(name, from->name) || !STREQ(lxcpath, from->lxcpath))
		return err_copy_not_resumable(&to->e, to->name, to->lxcpath, from->name);
	return 1;
}

/* All but the root and the marker is made anew. */
static int clear(struct copying *c)
{
	auto_closedir DIR *d = io_opendir(c->at.dir, ".");
	int r = 0;

	if (!d)
		return err_set(&c->to->e, errno, NULL, "cannot open %s", c->to->dir);
	for (const struct dirent *ent = readdir(d); ent && r == 0; ent = readdir(d))
		if (!STREQ(ent->d_name, ".") && !STREQ(ent->d_name, "..") && !STREQ(ent->d_name, ROOTFS) &&
		    !STREQ(ent->d_name, PARTIAL_MARKER) && !STREQ(ent->d_name, COPYING_CONFIG))
			r = storage_rmtree(c->at.dir, ent->d_name, &c->to->e);
	return r;
}

int resume_take(struct copying *c)
{
	struct call *to = c->to;
	int r;

	c->at.dir = openat(c->at.parent, to->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->at.dir < 0)
		return err_set(&to->e, errno, NULL, "cannot open %s", to->dir);
	r = c->at.marker = partial_take(c->at.dir, &to->e);
	if (r >= 0)
		r = clear(c);
	return r < 0 ? r : copying_save(c);
}

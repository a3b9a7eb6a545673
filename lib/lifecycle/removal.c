/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/removal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/compiler.h"
#include "base/io.h"
#include "lifecycle/depend.h"
#include "lifecycle/partial.h"
#include "storage/storage.h"

/* In this order, last of all: what tells lists, and a second removal, what they have before them. */
static const char *const last[] = { DEPEND_NEEDS, "ephemeral", "config", PARTIAL_MARKER };

static bool is_last(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(last); i++)
		if (STREQ(last[i], name))
			return true;
	return false;
}

static int remove_content(const struct removal *m, int dirfd, struct err **e)
{
	auto_closedir DIR *d = io_opendir(dirfd, ".");

	if (!d)
		return err_set(e, errno, NULL, "cannot read %s", m->dir);
	for (const struct dirent *ent = readdir(d); ent; ent = readdir(d)) {
		int r;

		if (STREQ(ent->d_name, ".") || STREQ(ent->d_name, "..") || is_last(ent->d_name))
			continue;
		r = storage_rmtree(dirfd, ent->d_name, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The directory may have been somebody's before, with more in it than a container: then he finds out. */
static int remove_rest(const struct removal *m, int parent, int dirfd, struct err **e)
{
	for (size_t i = 0; i < ARRAY_SIZE(last); i++) {
		int r = storage_rmtree(dirfd, last[i], e);

		if (r < 0)
			return r;
	}
	return storage_rmtree(parent, m->name, e);
}

int removal_run(const struct removal *m, int parent, int dirfd, struct err **e)
{
	auto_free char *source = NULL, *source_path = NULL;
	auto_strv struct strv needs = { 0 };
	auto_close int marker = -EBADF;
	bool begun;
	/* Half a container is worse than a whole one. */
	int r = storage_no_mounts(dirfd, e);

	if (r == 0)
		r = depend_needs(m->dir, &needs, e);
	/* A copy that was killed before it had written down what its base knows of already. */
	begun = r == 0 && !needs.n && partial_is_copy(m->dir, &source_path, &source);
	if (r == 0)
		r = marker = partial_begin_removal(dirfd, e);
	if (r < 0)
		return r;
	r = storage_destroy(m->conf, m->dir, m->log, e);
	if (r < 0)
		return err_wrap(e, r, "deleting the root file system");
	r = remove_content(m, dirfd, e);
	if (r == 0)
		r = begun ? depend_forget_copy(source_path, source, m->lxcpath, m->name, e) :
			    depend_forget(&needs, m->lxcpath, m->name, e);
	return r < 0 ? r : remove_rest(m, parent, dirfd, e);
}

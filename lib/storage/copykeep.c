/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* copykeep - what an interrupted copy has left: which of it is whole and stays, and what goes. A file's times are set
 * when all else of it is there (copyattr), so that one with the size, the times, the mode and the owner of its source is
 * whole, if the source's inode has not changed since. A file with holes got its size before its data reached the disk:
 * it is copied again. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "storage/copytree.h"

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

bool copy_is_whole(struct copy *c, int to_dir, const char *name, const struct stat *source)
{
	struct stat st;
	uint32_t uid, gid;

	if (fstatat(to_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (copy_id(c, false, source->st_uid, &uid) < 0 || copy_id(c, true, source->st_gid, &gid) < 0)
		return false;
	return st.st_size == source->st_size && st.st_mode == source->st_mode && st.st_uid == uid && st.st_gid == gid &&
	       st.st_mtim.tv_sec == source->st_mtim.tv_sec && st.st_mtim.tv_nsec == source->st_mtim.tv_nsec &&
	       is_before(&source->st_ctim, &st.st_ctim) && (uint64_t)st.st_blocks * 512 >= (uint64_t)st.st_size;
}

int copy_clear(int dir, const char *name, struct err **e)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	/* EPERM is what POSIX has for a directory. */
	return errno == EISDIR || errno == EPERM ? storage_rmtree(dir, name, e) : -errno;
}

/* One pass: how many went, or -errno. */
static int sweep(int from, int to, struct err **e)
{
	auto_closedir DIR *d = io_opendir(to, ".");
	int gone = 0;

	if (!d)
		return -errno;
	for (const struct dirent *ent = readdir(d); ent; ent = readdir(d)) {
		struct stat st;
		int r;

		if (STREQ(ent->d_name, ".") || STREQ(ent->d_name, "..") ||
		    fstatat(from, ent->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
			continue;
		r = copy_clear(to, ent->d_name, e);
		if (r < 0)
			return r;
		gone = 1;
	}
	return gone;
}

int copy_sweep(int from, int to, struct err **e)
{
	int r;

	/* What is removed may hide others from the pass that removes it. */
	do {
		r = sweep(from, to, e);
	} while (r > 0);
	return r;
}

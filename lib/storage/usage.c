/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* usage - what a root takes on the disk, by looking at every file of it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/compiler.h"
#include "storage/storage.h"

#define DEPTH_MAX 400

static int walk(int fd, dev_t dev, unsigned depth, uint64_t *bytes)
{
	auto_closedir DIR *d = fdopendir(fd);

	if (!d) {
		fd_close(fd);
		return -ENOMEM;
	}
	for (const struct dirent *ent = readdir(d); ent; ent = readdir(d)) {
		struct stat st;
		int child, r;

		if (STREQ(ent->d_name, ".") || STREQ(ent->d_name, ".."))
			continue;
		if (fstatat(dirfd(d), ent->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != dev)
			continue;
		/* A file of several names is counted in parts. */
		*bytes += (uint64_t)st.st_blocks * 512U / (S_ISDIR(st.st_mode) || !st.st_nlink ? 1 : st.st_nlink);
		if (!S_ISDIR(st.st_mode) || depth >= DEPTH_MAX)
			continue;
		child = openat(dirfd(d), ent->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
		r = child < 0 ? 0 : walk(child, dev, depth + 1, bytes);
		if (r < 0)
			return r;
	}
	return 0;
}

static int walk_path(const char *path, uint64_t *bytes, struct err **e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
	struct stat st;

	if (fd < 0)
		return err_set(e, errno, NULL, "cannot open %s", path);
	if (fstat(fd, &st) < 0) {
		fd_close(fd);
		return err_set(e, errno, NULL, "cannot stat %s", path);
	}
	r = walk(fd, st.st_dev, 0, bytes);
	return r < 0 ? err_set(e, -r, NULL, "cannot read %s", path) : 0;
}

int storage_usage(const struct conf *c, const char *dir, struct storage_usage *ret, struct err **e)
{
	struct storage_usage u = { .exclusive = UINT64_MAX };
	const char *path = c->rootfs_path.v, *upper;
	struct stat st;
	int r = 0;

	(void)dir;
	if (!path) {
		*ret = (struct storage_usage){ 0 };
		return 0;
	}
	upper = c->rootfs_type.v && strncmp(c->rootfs_type.v, "overlay", strlen("overlay")) == 0 ? strrchr(path, ':') : NULL;
	if (upper) {
		/* The last layer is the container's own; those below it are shared. */
		u.exclusive = 0;
		r = walk_path(upper + 1, &u.exclusive, e);
		u.used = u.exclusive;
	} else if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
		u.used = (uint64_t)st.st_blocks * 512U;
		u.limit = (uint64_t)st.st_size;
	} else {
		r = walk_path(path, &u.used, e);
	}
	if (r == 0)
		*ret = u;
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* loop - the root is an image: a sparse file with a file system in it, attached while it is in use. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "kernel/loop.h"
#include "storage/block.h"

#define IMAGE "rootdev"

static int resolve(struct storage *s, const struct conf *c, struct log *l, struct err **e)
{
	struct stat st;

	if (!path_is_absolute(s->source))
		return err_rootfs_relative(e, s->source);
	if (stat(s->source, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? err_rootfs_missing(e, s->source) :
							      err_set(e, errno, NULL, "cannot stat %s", s->source);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, NULL, "%s is not a file", s->source);
	return block_need_fstype(s, s->source, e);
}

static int attach(struct storage *s, struct err **e)
{
	auto_close int fd = open(s->source, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, errno, NULL, "cannot open %s", s->source);
	s->device_fd = loop_attach(fd, &s->device, e);
	if (s->device_fd < 0)
		return err_wrap(e, s->device_fd, "attaching %s", s->source);
	s->attached = true;
	return 0;
}

/* The device goes when nobody has it open or mounted. */
static void detach(struct storage *s)
{
	fd_replace(&s->device_fd, -EBADF);
	free(take_ptr(s->device));
}

static int fill(const struct storage_spec *spec, int fd, const char *path, const struct conf *c, struct err **e)
{
	uint64_t size = spec->fssize ? spec->fssize : BLOCK_SIZE_DEFAULT;
	int r;

	if (size > INT64_MAX || ftruncate(fd, (off_t)size) < 0)
		return err_set(e, size > INT64_MAX ? EFBIG : errno, NULL, "cannot give %s its size", path);
	r = block_mkfs(spec, path, e);
	return r < 0 ? r : block_prepare(&storage_loop, path, c, e);
}

static int create(const struct storage_spec *spec, const char *dir, int dirfd, const struct conf *c,
		  char **ret_source, struct err **e)
{
	auto_free char *path = path_join(dir, IMAGE);
	auto_close int fd = -EBADF;
	int r;

	if (!path)
		return err_no_memory(e);
	fd = openat(dirfd, IMAGE, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? err_rootfs_occupied(e, path) : err_set(e, errno, NULL, "cannot make %s", path);
	r = fill(spec, fd, path, c, e);
	if (r < 0) {
		(void)unlinkat(dirfd, IMAGE, 0);
		return r;
	}
	*ret_source = take_ptr(path);
	return 0;
}

static int usage(struct storage *s, struct storage_usage *ret, struct err **e)
{
	struct stat st;

	if (stat(s->source, &st) < 0)
		return err_set(e, errno, NULL, "cannot stat %s", s->source);
	ret->used = ret->exclusive = (uint64_t)st.st_blocks * 512;
	ret->limit = (uint64_t)st.st_size;
	return 0;
}

static int resize(struct storage *s, uint64_t bytes, struct err **e)
{
	struct stat st;
	int r;

	if (stat(s->source, &st) < 0)
		return err_set(e, errno, NULL, "cannot stat %s", s->source);
	if (bytes < (uint64_t)st.st_size)
		return err_resize_shrink(e, s->source, (unsigned long long)st.st_size, bytes);
	if (bytes > INT64_MAX || truncate(s->source, (off_t)bytes) < 0)
		return err_set(e, bytes > INT64_MAX ? EFBIG : errno, NULL, "cannot grow %s", s->source);
	r = storage_attach(s, e);
	if (r < 0)
		return r;
	r = loop_update_size(s->device_fd);
	return r < 0 ? err_set(e, -r, NULL, "cannot grow %s", s->device) : block_grow(s, e);
}

const struct storage_driver storage_loop = {
	.name = "loop",
	.on_host = true,
	.block = true,
	.can_backup = true,
	.resolve = resolve,
	.attach = attach,
	.detach = detach,
	.mount = block_mount,
	.create = create,
	.destroy = storage_remove_own,
	.usage = usage,
	.resize = resize,
};

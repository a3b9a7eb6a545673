/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* rbd - the root is an image in a Ceph pool, mapped by the kernel as "/dev/rbd/POOL/NAME". One that is
 * not mapped, as after a reboot, is mapped when the container starts. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"
#include "config/system.h"
#include "storage/block.h"

#define DEVICES "/dev/rbd/"

struct image {
	char *pool, *name, *user, *dev;
};

static void image_done(struct image *i)
{
	free(i->pool);
	free(i->name);
	free(i->user);
	free(i->dev);
}
#define auto_image __attribute__((cleanup(image_done)))

static int check(const struct image *i, struct err **e)
{
	const char *bad = !block_name_is_valid(i->pool) ? i->pool : !block_name_is_valid(i->name) ? i->name : NULL;

	return bad ? err_set(e, EINVAL, "volume-name", "'%s' cannot be the name of a pool or image", bad) : 0;
}

static int image_of_source(const char *source, struct image *i, struct err **e)
{
	const char *rest = str_after(source, DEVICES), *slash = rest ? strchr(rest, '/') : NULL;

	if (!slash)
		return err_set(e, EINVAL, NULL, "%s is not " DEVICES "POOL/NAME", source);
	i->pool = strndup(rest, (size_t)(slash - rest));
	i->name = strdup(slash + 1);
	i->dev = strdup(source);
	if (!i->pool || !i->name || !i->dev)
		return err_no_memory(e);
	return system_item("lxc.bdev.rbd.rbduser", &i->user, e) < 0 ? -EINVAL : check(i, e);
}

static int image_of_spec(const struct storage_spec *spec, const char *dir, struct image *i, struct err **e)
{
	int r = 0;

	i->name = strdup(spec->rbdname ? spec->rbdname : spec->name ? spec->name : path_base(dir));
	if (spec->rbdpool)
		i->pool = strdup(spec->rbdpool);
	else
		r = system_item("lxc.bdev.rbd.rbdpool", &i->pool, e);
	if (r == 0 && spec->rbduser)
		i->user = strdup(spec->rbduser);
	else if (r == 0)
		r = system_item("lxc.bdev.rbd.rbduser", &i->user, e);
	if (r < 0)
		return r;
	if (!i->name || !i->pool || asprintf(&i->dev, DEVICES "%s/%s", i->pool, i->name) < 0) {
		i->dev = NULL;
		return err_no_memory(e);
	}
	return check(i, e);
}

/* "rbd WORD [--id USER] ..." */
static int rbd(const struct image *i, struct err **e, const char *word, const char *const *rest)
{
	const char *argv[16] = { "rbd", word };
	size_t n = 2;

	if (i->user && *i->user) {
		argv[n++] = "--id";
		argv[n++] = i->user;
	}
	while (*rest)
		argv[n++] = *rest++;
	argv[n] = NULL;
	return storage_run_argv(argv, e);
}

static int map(const struct image *i, struct err **e)
{
	const char *const rest[] = { "--pool", i->pool, i->name, NULL };
	struct stat st;

	return stat(i->dev, &st) == 0 ? 0 : rbd(i, e, "map", rest);
}

static int remove_image(const struct image *i, struct err **e)
{
	const char *const dev[] = { i->dev, NULL };
	auto_free char *spec = NULL;
	struct stat st;
	int r = stat(i->dev, &st) == 0 ? rbd(i, e, "unmap", dev) : 0;

	if (r == 0 && asprintf(&spec, "%s/%s", i->pool, i->name) < 0) {
		spec = NULL;
		r = err_no_memory(e);
	}
	if (r == 0) {
		const char *const rest[] = { spec, NULL };

		r = rbd(i, e, "rm", rest);
	}
	return r;
}

static int resolve(struct storage *s, const struct conf *c, struct log *l, struct err **e)
{
	auto_image struct image i = { 0 };
	struct stat st;
	int r = image_of_source(s->source, &i, e);

	if (r == 0)
		r = map(&i, e);
	if (r < 0)
		return r;
	if (stat(s->source, &st) < 0)
		return err_volume_missing(e, "image", s->source, "rbd ls");
	return S_ISBLK(st.st_mode) ? block_need_fstype(s, s->source, e) :
				     err_set(e, ENOTBLK, NULL, "%s is not a block device", s->source);
}

static int attach(struct storage *s, struct err **e)
{
	s->device = strdup(s->source);
	if (!s->device)
		return err_no_memory(e);
	s->attached = true;
	return 0;
}

static void detach(struct storage *s)
{
	free(take_ptr(s->device));
}

static int make(const struct image *i, uint64_t size, struct err **e)
{
	char mib[24];
	const char *const rest[] = { "--pool", i->pool, i->name, "--size", mib, NULL };

	(void)snprintf(mib, sizeof(mib), "%" PRIu64, MAX(size >> 20, (uint64_t)1));
	return rbd(i, e, "create", rest);
}

static int create(const struct storage_spec *spec, const char *dir, int dirfd, const struct conf *c,
		  char **ret_source, struct err **e)
{
	auto_image struct image i = { 0 };
	struct stat st;
	int r = image_of_spec(spec, dir, &i, e);

	if (r < 0)
		return r;
	if (stat(i.dev, &st) == 0)
		return err_rootfs_occupied(e, i.dev);
	r = storage_mark(dirfd, "rbd", i.dev, e);
	if (r < 0)
		return r;
	r = make(&i, spec->fssize ? spec->fssize : BLOCK_SIZE_DEFAULT, e);
	if (r < 0) {
		storage_unmark(dirfd);
		return r;
	}
	r = map(&i, e);
	if (r == 0)
		r = block_mkfs(spec, i.dev, e);
	if (r == 0)
		r = block_prepare(&storage_rbd, i.dev, c, e);
	if (r < 0) {
		if (remove_image(&i, NULL) == 0)
			storage_unmark(dirfd);
		return r;
	}
	*ret_source = take_ptr(i.dev);
	return 0;
}

static int destroy(const char *source, const char *dir, int dirfd, struct log *l, struct err **e)
{
	auto_image struct image i = { 0 };
	int r = image_of_source(source, &i, e);

	if (r < 0)
		return r;
	if (!storage_is_own(dirfd, dir, "rbd", source)) {
		log_warn(l, "%s is kept: it was not made for this container; rbd rm %s/%s removes it", source, i.pool,
			 i.name);
		return 0;
	}
	r = remove_image(&i, e);
	if (r == 0)
		storage_unmark(dirfd);
	return r;
}

static int resize(struct storage *s, uint64_t bytes, struct err **e)
{
	auto_image struct image i = { 0 };
	char mib[24];
	uint64_t size;
	int r = image_of_source(s->source, &i, e);

	if (r == 0 && block_size(s->source, &size) < 0)
		r = err_set(e, errno, NULL, "cannot tell the size of %s", s->source);
	if (r == 0 && bytes < size)
		r = err_resize_shrink(e, s->source, (unsigned long long)size, bytes);
	if (r < 0)
		return r;
	(void)snprintf(mib, sizeof(mib), "%" PRIu64, bytes >> 20);
	const char *const rest[] = { "--pool", i.pool, i.name, "--size", mib, NULL };

	r = rbd(&i, e, "resize", rest);
	if (r == 0)
		r = storage_attach(s, e);
	return r < 0 ? r : block_grow(s, e);
}

const struct storage_driver storage_rbd = {
	.name = "rbd",
	.on_host = true,
	.block = true,
	.resolve = resolve,
	.attach = attach,
	.detach = detach,
	.mount = block_mount,
	.create = create,
	.destroy = destroy,
	.usage = block_usage,
	.resize = resize,
};

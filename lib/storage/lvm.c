/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lvm - the root is a logical volume, "/dev/VG/LV", thin where the volume group has the pool. Any other
 * block device can be used too; only volumes are made, and only those are removed. */
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

/* lvcreate's word for an argument that it does not know. */
#define STATUS_USAGE 3

/* First character of the attributes: 't' is a thin pool, 'V' a thin volume. '\0': no such volume. */
static char kind_of(const char *dev)
{
	auto_free char *text = NULL;

	if (storage_ask(&text, NULL, "lvs", "--unbuffered", "--noheadings", "-o", "lv_attr", dev, NULL) < 0)
		return '\0';
	return *text;
}

/* A node alone is none: it may have been left by a program that was killed. */
static bool is_there(const char *dev)
{
	struct stat st;

	return stat(dev, &st) == 0 && kind_of(dev) != '\0';
}

/* True if the volume's group can be read, and has none of this name. A node may be there nevertheless. */
static bool is_gone(const char *dev)
{
	auto_free char *vg = strndup(dev, (size_t)(path_base(dev) - dev)), *text = NULL;
	auto_strv struct strv names = { 0 };

	for (size_t n = vg ? strlen(vg) : 0; n && vg[n - 1] == '/'; n--)
		vg[n - 1] = '\0';
	return vg && storage_ask(&text, NULL, "lvs", "--unbuffered", "--noheadings", "-o", "lv_name", vg, NULL) == 0 &&
	       strv_split(&names, text, " \n") == 0 && !strv_has(&names, path_base(dev));
}

/* A volume that is not active has no device: thin snapshots are made so, and a crash may leave one so. */
static int activate(const char *dev)
{
	struct stat st;

	if (stat(dev, &st) == 0)
		return 0;
	(void)storage_run(NULL, "lvchange", "-ay", "-K", dev, NULL);
	return stat(dev, &st) < 0 ? -errno : 0;
}

static int resolve(struct storage *s, const struct conf *c, struct log *l, struct err **e)
{
	struct stat st;

	if (!path_is_absolute(s->source))
		return err_rootfs_relative(e, s->source);
	if (activate(s->source) < 0)
		return err_volume_missing(e, "logical volume", s->source, "lvs");
	if (stat(s->source, &st) < 0)
		return err_set(e, errno, NULL, "cannot stat %s", s->source);
	if (!S_ISBLK(st.st_mode))
		return err_set(e, ENOTBLK, NULL, "%s is not a block device", s->source);
	return block_need_fstype(s, s->source, e);
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

/* lvcreate with what is asked for before these words or, where it is too old for them, without. */
static int lvcreate(const char *const *words, struct err **e)
{
	static const char *const wipe[] = { "lvcreate", "-Wy", "--yes" }, *const old[] = { "lvcreate", "-qq" };
	const char *argv[16] = { 0 };
	size_t n = 0, k;
	int status = 0, r;

	for (k = 0; k < ARRAY_SIZE(wipe); k++)
		argv[n++] = wipe[k];
	for (k = 0; words[k]; k++)
		argv[n++] = words[k];
	r = storage_run_status(&status, e, argv);
	if (r < 0 || status == 0)
		return r;
	n = 0;
	if (status == STATUS_USAGE)
		for (k = 0; k < ARRAY_SIZE(old); k++)
			argv[n++] = old[k];
	else
		for (k = 0; k < ARRAY_SIZE(wipe); k++)
			argv[n++] = wipe[k];
	for (k = 0; words[k]; k++)
		argv[n++] = words[k];
	argv[n] = NULL;
	/* The first attempt made nothing; the second says what is wrong. */
	return storage_run_argv(argv, e);
}

struct volume {
	char *vg, *lv, *pool, *dev;
};

static void volume_done(struct volume *v)
{
	free(v->vg);
	free(v->lv);
	free(v->pool);
	free(v->dev);
}
#define auto_volume __attribute__((cleanup(volume_done)))

static int take_name(char **ret, const char *given, const char *key, struct err **e)
{
	int r = 0;

	*ret = given ? strdup(given) : NULL;
	if (given && !*ret)
		return err_no_memory(e);
	if (!given && key)
		r = system_item(key, ret, e);
	if (r == 0 && *ret && !block_name_is_valid(*ret))
		return err_set(e, EINVAL, "volume-name", "'%s' cannot be the name of a volume", *ret);
	return r;
}

static int volume_of(const struct storage_spec *spec, const char *dir, struct volume *v, struct err **e)
{
	int r = take_name(&v->vg, spec->vg, "lxc.bdev.lvm.vg", e);

	if (r == 0)
		r = take_name(&v->lv, spec->lv ? spec->lv : spec->name ? spec->name : path_base(dir), NULL, e);
	if (r == 0)
		r = take_name(&v->pool, spec->thinpool, "lxc.bdev.lvm.thin_pool", e);
	if (r == 0 && asprintf(&v->dev, "/dev/%s/%s", v->vg, v->lv) < 0) {
		v->dev = NULL;
		r = err_no_memory(e);
	}
	return r;
}

static int make_volume(const struct volume *v, uint64_t size, struct err **e)
{
	auto_free char *pool = NULL, *bytes = NULL;

	if (asprintf(&pool, "/dev/%s/%s", v->vg, v->pool ? v->pool : "") < 0) {
		pool = NULL;
		return err_no_memory(e);
	}
	if (asprintf(&bytes, "%" PRIu64 "b", size) < 0) {
		bytes = NULL;
		return err_no_memory(e);
	}
	if (v->pool && kind_of(pool) == 't') {
		const char *const thin[] = { "--thinpool", pool, "-V", bytes, v->vg, "-n", v->lv, NULL };

		return lvcreate(thin, e);
	}
	const char *const thick[] = { "-L", bytes, v->vg, "-n", v->lv, NULL };

	return lvcreate(thick, e);
}

static int create(const struct storage_spec *spec, const char *dir, int dirfd, const struct conf *c,
		  char **ret_source, struct err **e)
{
	auto_volume struct volume v = { 0 };
	int r = volume_of(spec, dir, &v, e);

	if (r < 0)
		return r;
	if (is_there(v.dev))
		return err_rootfs_occupied(e, v.dev);
	r = storage_mark(dirfd, "lvm", v.dev, e);
	if (r < 0)
		return r;
	r = make_volume(&v, spec->fssize ? spec->fssize : BLOCK_SIZE_DEFAULT, e);
	if (r < 0) {
		storage_unmark(dirfd);
		return r;
	}
	r = block_mkfs(spec, v.dev, e);
	if (r == 0)
		r = block_prepare(&storage_lvm, v.dev, c, e);
	if (r < 0) {
		if (storage_run(NULL, "lvremove", "-f", v.dev, NULL) == 0)
			storage_unmark(dirfd);
		return r;
	}
	*ret_source = take_ptr(v.dev);
	return 0;
}

static int destroy(const char *source, const char *dir, int dirfd, struct log *l, struct err **e)
{
	struct err *mine = NULL;
	struct stat st;
	int r;

	if (!storage_is_own(dirfd, dir, "lvm", source)) {
		log_warn(l, "%s is kept: it was not made for this container; lvremove %s removes it", source, source);
		return 0;
	}
	if (stat(source, &st) < 0 && kind_of(source) == '\0')
		return 0;
	r = storage_run(&mine, "lvremove", "-f", source, NULL);
	if (r < 0 && !is_gone(source)) {
		err_move(e, mine);
		return r;
	}
	err_free(mine);
	storage_unmark(dirfd);
	return 0;
}

/* Two file systems of one identity cannot be mounted at once. */
static int new_identity(const char *fstype, const char *dev, struct err **e)
{
	if (STREQ(fstype, "xfs"))
		return storage_run(e, "xfs_admin", "-U", "generate", dev, NULL);
	if (STREQ(fstype, "btrfs"))
		return storage_run(e, "btrfstune", "-f", "-u", dev, NULL);
	return 0;
}

static int take_snapshot(struct storage *from, const struct storage_copy *how, const char *lv, bool thin, struct err **e)
{
	auto_free char *bytes = NULL;
	uint64_t size = how->spec ? how->spec->fssize : 0;
	int r;

	if (thin)
		return storage_run(e, "lvcreate", "-s", "-n", lv, from->source, NULL);
	r = size ? 0 : block_size(from->source, &size);
	if (r < 0)
		return err_set(e, -r, NULL, "cannot tell the size of %s", from->source);
	if (asprintf(&bytes, "%" PRIu64 "b", size) < 0) {
		bytes = NULL;
		return err_no_memory(e);
	}
	return storage_run(e, "lvcreate", "-s", "-L", bytes, "-n", lv, from->source, NULL);
}

static int snapshot(struct storage *from, const struct storage_copy *how, int dirfd, char **ret_source,
		    bool *ret_depends, struct err **e)
{
	auto_free char *own = storage_copy_name(how), *dev = NULL;
	const char *lv = how->spec && how->spec->lv ? how->spec->lv : own;
	bool thin = kind_of(from->source) == 'V';
	int r;

	if (!own)
		return err_no_memory(e);
	if (!block_name_is_valid(lv))
		return err_set(e, EINVAL, "volume-name", "'%s' cannot be the name of a volume", lv);
	if (asprintf(&dev, "%.*s%s", (int)(path_base(from->source) - from->source), from->source, lv) < 0) {
		dev = NULL;
		return err_no_memory(e);
	}
	if (is_there(dev))
		return err_rootfs_occupied(e, dev);
	r = storage_mark(dirfd, "lvm", dev, e);
	if (r < 0)
		return r;
	r = take_snapshot(from, how, lv, thin, e);
	if (r < 0) {
		storage_unmark(dirfd);
		return r;
	}
	r = activate(dev) < 0 ? err_volume_missing(e, "logical volume", dev, "lvs") : new_identity(from->fstype, dev, e);
	if (r < 0) {
		if (storage_run(NULL, "lvremove", "-f", dev, NULL) == 0)
			storage_unmark(dirfd);
		return r;
	}
	*ret_source = take_ptr(dev);
	/* A classic snapshot goes with its origin. */
	*ret_depends = !thin;
	return 0;
}

/* A volume of a thin pool goes into that pool. */
static int beside(const struct storage *from, struct storage_spec *spec, struct strv *keep, struct err **e)
{
	const char *group = str_after(from->source, "/dev/"), *end = group ? strchr(group, '/') : NULL;
	auto_free char *vg = end && end[1] && !strchr(end + 1, '/') ? strndup(group, (size_t)(end - group)) : NULL, *pool = NULL;

	if (spec->vg || !end)
		return 0;
	if (!vg)
		return strchr(end + 1, '/') || !end[1] ? 0 : err_no_memory(e);
	if (!spec->thinpool && kind_of(from->source) == 'V' &&
	    storage_ask(&pool, NULL, "lvs", "--noheadings", "-o", "pool_lv", from->source, NULL) == 0 && block_name_is_valid(pool)) {
		if (strv_add(keep, pool) < 0)
			return err_no_memory(e);
		spec->thinpool = keep->v[keep->n - 1];
	}
	if (strv_add(keep, vg) < 0)
		return err_no_memory(e);
	spec->vg = keep->v[keep->n - 1];
	return 0;
}

/* What stands on a classic volume goes with it: that is no backup. */
static bool backs_up(const char *source)
{
	return kind_of(source) == 'V';
}

static int resize(struct storage *s, uint64_t bytes, struct err **e)
{
	auto_free char *text = NULL;
	uint64_t size;
	int r = block_size(s->source, &size);

	if (r < 0)
		return err_set(e, -r, NULL, "cannot tell the size of %s", s->source);
	if (bytes < size)
		return err_resize_shrink(e, s->source, (unsigned long long)size, bytes);
	if (asprintf(&text, "%" PRIu64 "b", bytes) < 0) {
		text = NULL;
		return err_no_memory(e);
	}
	r = bytes > size ? storage_run(e, "lvextend", "-L", text, s->source, NULL) : 0;
	if (r == 0)
		r = storage_attach(s, e);
	return r < 0 ? r : block_grow(s, e);
}

const struct storage_driver storage_lvm = {
	.name = "lvm",
	.on_host = true,
	.block = true,
	.can_snapshot = true,
	.resolve = resolve,
	.attach = attach,
	.detach = detach,
	.mount = block_mount,
	.create = create,
	.destroy = destroy,
	.snapshot = snapshot,
	.beside = beside,
	.backs_up = backs_up,
	.usage = block_usage,
	.resize = resize,
};

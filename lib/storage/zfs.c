/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* zfs - the root is a data set, mounted from its name. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "config/system.h"
#include "kernel/mount.h"
#include "storage/block.h"

#define PROMOTIONS_MAX 100
#define ZFS_SUPER_MAGIC 0x2fc12fc1

static bool is_dataset(const char *name)
{
	return *name && *name != '/' && *name != '-' && !str_has_control(name, false) && !strpbrk(name, " @\"'");
}

static int need_name(const char *name, struct err **e)
{
	return is_dataset(name) ? 0 : err_set(e, EINVAL, "volume-name", "'%s' cannot be the name of a data set", name);
}

/* Old configurations have the place where it is mounted. */
static int resolve(struct storage *s, const struct conf *c, struct log *l, struct err **e)
{
	auto_free char *name = NULL;
	auto_err struct err *mine = NULL;
	int r = storage_ask(&name, &mine, "zfs", "list", "-H", "-o", "name", s->source, NULL);

	if (r < 0 && err_is(mine, "program-failed"))
		return err_volume_missing(e, "data set", s->source, "zfs list");
	if (r < 0) {
		err_move(e, take_ptr(mine));
		return r;
	}
	/* Several lines: of one that is mounted over another. */
	name[strcspn(name, "\n")] = '\0';
	if (*s->source == '/' && *name) {
		free(s->source);
		s->source = take_ptr(name);
	}
	return need_name(s->source, e);
}

static int get(const char *dataset, const char *property, char **ret, struct err **e)
{
	return storage_ask(ret, e, "zfs", "get", "-H", "-p", "-o", "value", property, dataset, NULL);
}

/* It is mounted already, and a second mount of it is refused: a clone of that one does as well. */
static int clone_mounted(const struct storage *s, struct err **e)
{
	auto_free char *at = NULL;
	auto_close int fd = -EBADF;
	struct statfs fs;
	int r = get(s->source, "mountpoint", &at, e);

	if (r < 0)
		return r;
	fd = open(at, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, NULL, "cannot open %s, where data set %s is mounted", at, s->source);
	if (fstatfs(fd, &fs) < 0 || fs.f_type != ZFS_SUPER_MAGIC)
		return err_set(e, EBUSY, NULL, "data set %s is mounted, but not on %s", s->source, at);
	return mount_clone(fd, false, e);
}

static int zfs_mount(struct storage *s, const struct conf *c, struct err **e)
{
	const char *more = s->options.data && !s->view ? s->options.data : "";
	auto_free char *options = NULL;
	auto_close int mnt = -EBADF;
	struct err *mine = NULL;
	int r;

	if (asprintf(&options, "%s%szfsutil,mntpoint=%s", more, *more ? "," : "", s->source) < 0) {
		options = NULL;
		return err_no_memory(e);
	}
	mnt = mount_new("zfs", s->source, options, 0, &mine);
	if (mnt == -EBUSY) {
		err_free(take_ptr(mine));
		mnt = clone_mounted(s, &mine);
	}
	if (mnt < 0) {
		err_move(e, mine);
		return mnt;
	}
	r = storage_set_attributes(s, mnt, c, e);
	return r < 0 ? r : take_fd(&mnt);
}

static int mountpoint_option(char **ret, const char *dir, struct err **e)
{
	if (asprintf(ret, "mountpoint=%s/rootfs", dir) >= 0)
		return 0;
	*ret = NULL;
	return err_no_memory(e);
}

static int prepare(const char *dataset, const char *dir, const struct conf *c, struct err **e)
{
	auto_storage struct storage *s = NULL;
	auto_close int mnt = -EBADF;
	int r;

	if (!conf_is_mapped(c))
		return 0;
	r = storage_open(&storage_zfs, dataset, c, NULL, &s, e);
	if (r == 0)
		r = mnt = zfs_mount(s, c, e);
	return r < 0 ? r : storage_give(mnt, c, e);
}

static int create(const struct storage_spec *spec, const char *dir, int dirfd, const struct conf *c,
		  char **ret_source, struct err **e)
{
	auto_free char *root = spec->zfsroot ? strdup(spec->zfsroot) : NULL, *name = NULL, *place = NULL;
	int r = spec->zfsroot ? 0 : system_item("lxc.bdev.zfs.root", &root, e);

	if (r < 0 || !root)
		return r < 0 ? r : err_no_memory(e);
	if (asprintf(&name, "%s/%s", root, spec->name ? spec->name : path_base(dir)) < 0) {
		name = NULL;
		return err_no_memory(e);
	}
	r = need_name(name, e);
	if (r == 0)
		r = mountpoint_option(&place, dir, e);
	if (r < 0)
		return r;
	/* It is there already: somebody else's. */
	if (storage_run(NULL, "zfs", "list", "-H", "-o", "name", name, NULL) == 0)
		return err_rootfs_occupied(e, name);
	r = storage_mark(dirfd, "zfs", name, e);
	if (r < 0)
		return r;
	r = storage_run(e, "zfs", "create", "-o", place, "-o", "canmount=noauto", "-p", name, NULL);
	if (r < 0) {
		storage_unmark(dirfd);
		return r;
	}
	(void)mkdirat(dirfd, "rootfs", 0755);
	r = prepare(name, dir, c, e);
	if (r < 0) {
		if (storage_run(NULL, "zfs", "destroy", "-r", name, NULL) == 0)
			storage_unmark(dirfd);
		return r;
	}
	*ret_source = take_ptr(name);
	return 0;
}

/* One of the clones that stand on snapshots of the data set, of the latest of these (new); NULL: there is none. */
static char *a_clone(const char *dataset)
{
	auto_free char *text = NULL;
	char *last = NULL, *at = NULL;

	if (storage_ask(&text, NULL, "zfs", "get", "-H", "-r", "-t", "snapshot", "-o", "value", "clones", dataset, NULL) < 0)
		return NULL;
	for (char *line = strtok_r(text, "\n", &at); line; line = strtok_r(NULL, "\n", &at))
		if (*line && !STREQ(line, "-"))
			last = line;
	if (!last)
		return NULL;
	last[strcspn(last, ",")] = '\0';
	return is_dataset(last) ? strdup(last) : NULL;
}

/* Clones live on without what they were cloned from: a promoted one takes over the snapshots they all stand on. */
static int destroy_dataset(const char *dataset, struct err **e)
{
	struct err *mine = NULL;
	int r = storage_run(&mine, "zfs", "destroy", "-r", dataset, NULL);

	for (int i = 0; r < 0 && i < PROMOTIONS_MAX; i++) {
		auto_free char *clone = a_clone(dataset);

		if (!clone || storage_run(NULL, "zfs", "promote", clone, NULL) < 0)
			break;
		err_free(take_ptr(mine));
		r = storage_run(&mine, "zfs", "destroy", "-r", dataset, NULL);
	}
	if (r < 0)
		err_move(e, mine);
	return r;
}

static int destroy(const char *source, const char *dir, int dirfd, struct log *l, struct err **e)
{
	auto_free char *origin = NULL, *name = NULL;
	auto_err struct err *mine = NULL;
	int r = storage_ask(&name, &mine, "zfs", "list", "-H", "-o", "name", source, NULL);

	if (r < 0 && err_is(mine, "program-failed"))
		return 0;
	if (r < 0) {
		err_move(e, take_ptr(mine));
		return r;
	}
	name[strcspn(name, "\n")] = '\0';
	if (*source == '/' && is_dataset(name))
		source = name;
	if (!storage_is_own(dirfd, dir, "zfs", source)) {
		log_warn(l, "%s is kept: it was not made for this container; zfs destroy -r %s removes it", source,
			 source);
		return 0;
	}
	if (get(source, "origin", &origin, NULL) < 0)
		origin = NULL;
	r = destroy_dataset(source, e);
	if (r < 0)
		return r;
	storage_unmark(dirfd);
	/* The snapshot that it was cloned from was made for it. */
	if (origin && strchr(origin, '@'))
		(void)storage_run(NULL, "zfs", "destroy", origin, NULL);
	return 0;
}

static int snapshot(struct storage *from, const struct storage_copy *how, int dirfd, char **ret_source,
		    bool *ret_depends, struct err **e)
{
	auto_free char *new = storage_copy_name(how), *snap = NULL, *name = NULL, *place = NULL;
	int r;

	if (!new)
		return err_no_memory(e);
	if (asprintf(&snap, "%s@%s", from->source, new) < 0) {
		snap = NULL;
		return err_no_memory(e);
	}
	if (asprintf(&name, "%.*s%s", (int)(path_base(from->source) - from->source), from->source, new) < 0) {
		name = NULL;
		return err_no_memory(e);
	}
	r = need_name(name, e);
	if (r == 0)
		r = mountpoint_option(&place, how->to_dir, e);
	if (r == 0)
		r = storage_mark(dirfd, "zfs", name, e);
	if (r < 0)
		return r;
	/* A destroyed clone of this name may have left its snapshot. */
	(void)storage_run(NULL, "zfs", "destroy", snap, NULL);
	r = storage_run(e, "zfs", "snapshot", "-r", snap, NULL);
	if (r == 0)
		r = storage_run(e, "zfs", "clone", "-p", "-o", "canmount=noauto", "-o", place, snap, name, NULL);
	if (r < 0) {
		(void)storage_run(NULL, "zfs", "destroy", snap, NULL);
		storage_unmark(dirfd);
		return r;
	}
	(void)mkdirat(dirfd, "rootfs", 0755);
	*ret_source = take_ptr(name);
	*ret_depends = false;
	return 0;
}

static uint64_t number(const char *dataset, const char *property)
{
	auto_free char *text = NULL;
	uint64_t v;

	return get(dataset, property, &text, NULL) == 0 && num_u64(text, 10, UINT64_MAX, &v) == 0 ? v : 0;
}

static int usage(struct storage *s, struct storage_usage *ret, struct err **e)
{
	ret->used = number(s->source, "referenced");
	ret->exclusive = number(s->source, "used");
	ret->limit = number(s->source, "refquota");
	if (!ret->limit)
		ret->limit = number(s->source, "quota");
	return 0;
}

static int resize(struct storage *s, uint64_t bytes, struct err **e)
{
	char text[48];

	if (bytes)
		(void)snprintf(text, sizeof(text), "refquota=%" PRIu64, bytes);
	else
		(void)snprintf(text, sizeof(text), "refquota=none");
	return storage_run(e, "zfs", "set", text, s->source, NULL);
}

static uint64_t limit(const struct storage *s)
{
	return number(s->source, "refquota");
}

static int beside(const struct storage *from, struct storage_spec *spec, struct strv *keep, struct err **e)
{
	const char *end = strrchr(from->source, '/');

	if (spec->zfsroot || !end)
		return 0;
	if (strv_addf(keep, "%.*s", (int)(end - from->source), from->source) < 0)
		return err_no_memory(e);
	spec->zfsroot = keep->v[keep->n - 1];
	return 0;
}

const struct storage_driver storage_zfs = {
	.name = "zfs",
	.on_host = true,
	.can_snapshot = true,
	.can_backup = true,
	.resolve = resolve,
	.mount = zfs_mount,
	.create = create,
	.destroy = destroy,
	.snapshot = snapshot,
	.beside = beside,
	.usage = usage,
	.resize = resize,
	.limit = limit,
};

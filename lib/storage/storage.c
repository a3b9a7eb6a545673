/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "storage/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "kernel/idmap.h"
#include "storage/driver.h"

/* "best" tries them in this order. */
static const struct storage_driver *const drivers[] = { &storage_dir };

/* Types that LXC has. One that is here and not above is refused by name. */
static const char *const known_types[] = { "dir",     "btrfs", "loop", "lvm", "nbd",
					   "overlay", "overlayfs", "rbd", "zfs" };

static bool is_known(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(known_types); i++)
		if (STREQ(known_types[i], type))
			return true;
	return false;
}

static int find_driver(const char *type, const struct storage_driver **ret, struct err **e)
{
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (STREQ(drivers[i]->name, type)) {
			*ret = drivers[i];
			return 0;
		}
	return is_known(type) ? err_storage_unsupported(e, type) : err_storage_type_unknown(e, type);
}

/* A bare path is a directory: LXC's probing prefers that too. What looks like a type and is none
 * (the configuration only splits off known ones) is named as such. */
static int driver_of(const struct conf *c, const struct storage_driver **ret, struct err **e)
{
	const char *path = c->rootfs_path.v, *colon = strchr(path, ':');

	if (c->rootfs_type.v)
		return find_driver(c->rootfs_type.v, ret, e);
	if (*path != '/' && colon) {
		auto_free char *type = strndup(path, (size_t)(colon - path));

		return type ? err_storage_type_unknown(e, type) : err_no_memory(e);
	}
	return find_driver("dir", ret, e);
}

void storage_free(struct storage *s)
{
	if (!s)
		return;
	free(s->source);
	mountopt_done(&s->options);
	free(s);
}
DEFINE_AUTO(struct storage *, storage_free)

int storage_resolve(const struct conf *c, struct log *l, struct storage **ret, struct err **e)
{
	auto_with(storage_free) struct storage *s = NULL;
	int r;

	if (!c->rootfs_path.v) {
		*ret = NULL;
		return 0;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_no_memory(e);
	s->source = strdup(c->rootfs_path.v);
	if (!s->source)
		return err_no_memory(e);
	r = driver_of(c, &s->driver, e);
	if (r < 0)
		return err_at(e, r, c->rootfs_path.at);
	r = mountopt_parse(c->rootfs_options.v, &s->options, e);
	if (r < 0)
		return err_wrap_at(e, r, c->rootfs_options.at, "reading lxc.rootfs.options");
	r = s->driver->resolve(s, c, l, e);
	if (r < 0)
		return err_at(e, r, c->rootfs_path.at);
	*ret = take_ptr(s);
	return 0;
}

const char *storage_type(const struct storage *s)
{
	return s->driver->name;
}

const char *storage_source(const struct storage *s)
{
	return s->source;
}

bool storage_wants_userns(const struct storage *s)
{
	return s && s->options.idmap && STREQ(s->options.idmap, "container");
}

int storage_attach(struct storage *s, struct err **e)
{
	return s && s->driver->attach ? s->driver->attach(s, e) : 0;
}

void storage_detach(struct storage *s)
{
	if (s && s->driver->detach)
		s->driver->detach(s);
}

int storage_mount(struct storage *s, const struct conf *c, struct err **e)
{
	int r = s->driver->mount(s, c, e);

	return r < 0 ? err_wrap_at(e, r, c->rootfs_path.at, "mounting the root file system %s", s->source) : r;
}

int storage_give(int fd, const struct conf *c, struct err **e)
{
	struct idmap m;
	uint32_t uid, gid;

	if (!c || !conf_is_mapped(c))
		return 0;
	if (conf_idmap(c, &m) < 0)
		return err_no_memory(e);
	uid = idmap_to_host(&m, false, 0);
	gid = idmap_to_host(&m, true, 0);
	idmap_done(&m);
	if (uid == UINT32_MAX || gid == UINT32_MAX)
		return 0;
	if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
		return err_at(e, err_set(e, errno, NULL, "cannot give the root file system to %u:%u", uid, gid),
			      c->idmap.v[0].at);
	return 0;
}

static int create_as(const char *type, const struct storage_spec *spec, const char *dir, const struct conf *c,
		     char **ret_path, struct err **e)
{
	auto_close int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct storage_driver *d;
	auto_free char *source = NULL;
	int r = find_driver(type, &d, e);

	if (r < 0)
		return r;
	if (dirfd < 0)
		return err_set(e, errno, NULL, "cannot open %s", dir);
	r = d->create(spec, dir, dirfd, c, &source, e);
	if (r < 0)
		return r;
	if (asprintf(ret_path, "%s:%s", d->name, source) < 0) {
		*ret_path = NULL;
		return err_no_memory(e);
	}
	return 0;
}

int storage_create(const char *type, const struct storage_spec *spec, const char *dir, const struct conf *c,
		   char **ret_path, struct err **e)
{
	static const struct storage_spec none;
	auto_strv struct strv types = { 0 };
	int r = -EINVAL;

	if (!spec)
		spec = &none;
	if (!type || STREQ(type, "best")) {
		for (size_t i = 0; i < ARRAY_SIZE(drivers) && r < 0; i++)
			if (strv_add(&types, type ? drivers[i]->name : "dir") < 0)
				return err_no_memory(e);
	} else if (strv_split(&types, type, ",") < 0) {
		return err_no_memory(e);
	}
	if (!types.n)
		return err_storage_type_unknown(e, type ? type : "");
	for (size_t i = 0; i < types.n; i++) {
		/* The error that counts is the last one: the type the caller would have settled for. */
		r = create_as(types.v[i], spec, dir, c, ret_path, e);
		if (r == 0) {
			if (e) {
				err_free(*e);
				*e = NULL;
			}
			return 0;
		}
	}
	return r;
}

int storage_destroy(const struct conf *c, const char *dir, struct log *l, struct err **e)
{
	auto_close int dirfd = -EBADF;
	const struct storage_driver *d;
	int r;

	if (!c->rootfs_path.v)
		return 0;
	r = driver_of(c, &d, e);
	if (r < 0)
		return err_at(e, r, c->rootfs_path.at);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dirfd < 0)
		return err_set(e, errno, NULL, "cannot open %s", dir);
	return d->destroy(c->rootfs_path.v, dir, dirfd, l, e);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* dir - the root file system is a directory. resolve and mount run in the monitor or in init, create
 * and destroy in the client. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/host.h"
#include "kernel/idmap.h"
#include "kernel/mount.h"
#include "kernel/openat.h"
#include "kernel/quota.h"
#include "storage/driver.h"

#define LOG_CATEGORY_DIR "dir"
#define ROOT_NAME "rootfs"

int dir_resolve(struct storage *s, const struct conf *c, struct log *l, struct err **e)
{
	auto_close int fd = -EBADF;
	struct stat st;

	if (!path_is_absolute(s->source))
		return err_rootfs_relative(e, s->source);
	fd = open(s->source, O_PATH | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_rootfs_missing(e, s->source);
	if (fd < 0)
		return err_set(e, errno, NULL, "cannot open root file system %s", s->source);
	if (fstat(fd, &st) < 0)
		return err_set(e, errno, NULL, "cannot stat root file system %s", s->source);
	if (!S_ISDIR(st.st_mode))
		return err_rootfs_not_directory(e, s->source);
	if (s->options.data)
		log_warn(l, "%s:%u: lxc.rootfs.options: a directory has no use for '%s'",
			 c->rootfs_options.at.file ? c->rootfs_options.at.file : "-", c->rootfs_options.at.line,
			 s->options.data);
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return 0;
}

/* The namespace whose map the mount gets, new; *ret stays as it is when none does. The container's own
 * does not exist yet: another one with the same map does as well. */
static int idmap_fd(const struct storage *s, const struct conf *c, int *ret, struct err **e)
{
	struct idmap m;

	if (!s->options.idmap)
		return 0;
	if (STREQ(s->options.idmap, "container")) {
		if (conf_idmap(c, &m) < 0)
			return err_no_memory(e);
		*ret = idmap_userns_fd(&m, e);
		idmap_done(&m);
		return *ret < 0 ? *ret : 0;
	}
	*ret = open(s->options.idmap, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return *ret < 0 ? err_set(e, errno, NULL, "cannot open %s", s->options.idmap) : 0;
}

int storage_set_attributes(const struct storage *s, int mnt, const struct conf *c, struct err **e)
{
	struct mount_attrs a = MOUNT_ATTRS_INIT;
	auto_close int userns = -EBADF;
	int r;

	if (s->view) {
		a.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
		return mount_set(mnt, &a, e);
	}
	a.set = s->options.attr_set;
	a.clear = s->options.attr_clr;
	a.recursive = true;
	a.name = s->source;
	a.propagation = s->options.propagation ? s->options.propagation : MS_PRIVATE;
	a.propagation_rec = true;
	r = idmap_fd(s, c, &userns, e);
	if (r < 0)
		return r;
	if (userns >= 0)
		a.userns_fd = userns;
	return mount_set(mnt, &a, e);
}

/* Made by somebody who did not shift the owners: root of the host owns it, whom the map does not have. */
static bool belongs_to_host(int fd, const struct idmap *m)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == 0 && st.st_gid == 0 &&
	       idmap_to_ns(m, false, 0) == UINT32_MAX && idmap_to_ns(m, true, 0) == UINT32_MAX;
}

bool dir_is_neutral(const struct conf *c)
{
	auto_free char *own = c->lxcpath && c->name ? path_join(c->lxcpath, c->name) : NULL;
	const char *rest = own && c->rootfs_path.v ? str_after(c->rootfs_path.v, own) : NULL;
	auto_close int fd = -EBADF;
	struct idmap m = { 0 };
	bool neutral;

	if (!conf_is_mapped(c) || !rest || *rest != '/' || path_has_dotdot(rest) || !storage_is_directory(c) || !storage_is_privileged())
		return false;
	fd = open(c->rootfs_path.v, O_PATH | O_DIRECTORY | O_CLOEXEC);
	neutral = fd >= 0 && conf_idmap(c, &m) == 0 && belongs_to_host(fd, &m);
	idmap_done(&m);
	return neutral;
}

bool dir_can_idmap(const struct storage *s, const struct idmap *m)
{
	auto_close int fd = open(s->source, O_PATH | O_DIRECTORY | O_CLOEXEC), userns = -EBADF;

	if (fd >= 0)
		userns = idmap_userns_fd(m, NULL);
	return userns >= 0 && mount_can_idmap(fd, userns);
}

int dir_mount(struct storage *s, const struct conf *c, struct err **e)
{
	/* Opened again, because a mount can only be cloned in the mount namespace that it is in; it
	 * must be the directory that was checked. */
	auto_close int fd = open(s->source, O_PATH | O_DIRECTORY | O_CLOEXEC), mnt = -EBADF;
	struct stat st;
	int r;

	if (fd < 0)
		return err_set(e, errno, NULL, "cannot open %s", s->source);
	if (fstat(fd, &st) < 0)
		return err_set(e, errno, NULL, "cannot stat %s", s->source);
	if (st.st_dev != s->dev || st.st_ino != s->ino)
		return err_set(e, ESTALE, NULL, "%s was exchanged while the container started", s->source);
	if (s->view && !host_has_cap(CAP_SYS_ADMIN)) {
		fd_replace(&fd, open(s->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		return fd < 0 ? err_set(e, errno, NULL, "cannot open %s", s->source) : take_fd(&fd);
	}
	mnt = mount_clone(fd, !s->view, e);
	if (mnt < 0)
		return mnt;
	r = storage_set_attributes(s, mnt, c, e);
	return r < 0 ? r : take_fd(&mnt);
}

static int is_empty(int dirfd, const char *name)
{
	auto_closedir DIR *d = io_opendir(dirfd, name);

	if (!d)
		return -errno;
	for (const struct dirent *ent = readdir(d); ent; ent = readdir(d))
		if (!STREQ(ent->d_name, ".") && !STREQ(ent->d_name, ".."))
			return 0;
	return 1;
}

/* An existing directory that the user wants as the root. */
static int use_existing(const char *path, const struct conf *c, struct err **e)
{
	auto_close int fd = -EBADF;

	if (!path_is_absolute(path))
		return err_rootfs_relative(e, path);
	if (str_has_control(path, false))
		return err_set(e, EINVAL, "value-control", "the path of the root file system contains a control "
							   "character");
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? err_rootfs_missing(e, path) :
					 err_set(e, errno, NULL, "cannot open %s", path);
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_rootfs_not_directory(e, path);
	return storage_give(fd, c, e);
}

int storage_make_root(int dirfd, const char *name, const char *path, const struct conf *c, struct err **e)
{
	auto_close int fd = -EBADF;
	bool made = true;
	int r;

	if (mkdirat(dirfd, name, 0755) < 0) {
		if (errno != EEXIST)
			return err_set(e, errno, NULL, "cannot make %s", path);
		made = false;
		r = is_empty(dirfd, name);
		if (r == 0)
			return err_rootfs_occupied(e, path);
		if (r < 0)
			return err_set(e, -r, NULL, "cannot use %s as the root file system", path);
	}
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = fd < 0 ? err_set(e, errno, NULL, "cannot open %s", path) : 0;
	if (r == 0 && fchmod(fd, 0755) < 0)
		r = err_set(e, errno, NULL, "cannot set the mode of %s", path);
	if (r == 0)
		r = storage_give(fd, c, e);
	if (r < 0 && made)
		(void)unlinkat(dirfd, name, AT_REMOVEDIR);
	return r < 0 ? r : take_fd(&fd);
}

static int create(const struct storage_spec *spec, const char *dir, int dirfd, const struct conf *c,
		  char **ret_source, struct err **e)
{
	auto_free char *path = path_join(dir, ROOT_NAME), *source = NULL;
	auto_close int fd = -EBADF;
	int r;

	if (!path)
		return err_no_memory(e);
	if (spec->dir) {
		r = use_existing(spec->dir, c, e);
		if (r < 0)
			return r;
	}
	source = strdup(spec->dir ? spec->dir : path);
	if (!source)
		return err_no_memory(e);
	/* What an interrupted copy has left there is the copier's to look through; a user sees it in its namespace only. */
	if (spec->resume && is_empty(dirfd, ROOT_NAME) != 1)
		fd = openat(dirfd, ROOT_NAME, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		fd = storage_make_root(dirfd, ROOT_NAME, path, c, e);
	if (fd < 0)
		return fd;
	*ret_source = take_ptr(source);
	return 0;
}

/* Only what lies in the container's own directory is the container's. A directory elsewhere existed
 * before (--dir, or a path that somebody wrote into the configuration) and stays. */
int storage_remove_own(const char *source, const char *dir, int dirfd, struct log *l, struct err **e)
{
	auto_free char *clean = path_simplify(source), *own = path_simplify(dir);
	auto_close int parent = -EBADF;
	auto_free char *up = NULL;
	const char *rest, *name;

	if (!clean || !own)
		return err_no_memory(e);
	rest = str_after(clean, own);
	if (!rest || *rest != '/' || !rest[1] || path_has_dotdot(rest)) {
		struct stat st;

		if (lstat(clean, &st) == 0)
			log_warn(l, "%s is kept: it lies outside of %s", source, dir);
		return 0;
	}
	while (*rest == '/')
		rest++;
	name = path_base(rest);
	up = name == rest ? strdup(".") : strndup(rest, (size_t)(name - rest));
	if (!up)
		return err_no_memory(e);
	parent = open_no_symlinks(dirfd, up, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (parent == -ENOENT)
		return 0;
	if (parent < 0)
		return err_set(e, -parent, NULL, "cannot open %s/%s", dir, up);
	return storage_rmtree(parent, name, e);
}

/* Numbers that nobody chooses by hand. */
#define PROJECT_FIRST 0x54000000U
#define PROJECT_TRIES 1000
#define PROJECT_LAST (PROJECT_FIRST + 0xffffff + PROJECT_TRIES)

/* The quota that counts what is in the directory behind fd: its number, or 0. */
static uint32_t quota_of(int fd, struct quota_usage *ret)
{
	uint32_t project;

	return quota_project(fd, &project) == 0 && project && quota_usage(fd, project, ret) == 0 ? project : 0;
}

static int usage(struct storage *s, struct storage_usage *ret, struct err **e)
{
	auto_close int fd = open(s->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct quota_usage q;
	int r;

	if (fd < 0)
		return err_set(e, errno, NULL, "cannot open %s", s->source);
	if (quota_of(fd, &q)) {
		*ret = (struct storage_usage){ .used = q.used, .exclusive = UINT64_MAX, .limit = q.limit };
		return 0;
	}
	r = storage_tree_usage(fd, &ret->used, e);
	/* How much of it is shared with copies only the file system knows. */
	ret->exclusive = UINT64_MAX;
	ret->limit = 0;
	return r;
}

/* A number that nothing on this file system has been counted under. */
static int new_project(int fd, uint32_t *ret)
{
	struct stat st;
	struct quota_usage q;
	int r = fstat(fd, &st) < 0 ? -errno : 0;

	for (uint32_t i = 0; i < PROJECT_TRIES && r == 0; i++) {
		*ret = (uint32_t)(st.st_ino & 0xffffff) + PROJECT_FIRST + i;
		r = quota_usage(fd, *ret, &q);
		/* The kernel says ENOENT for a number without a record. */
		if (r == -ENOENT || (r == 0 && q.used == 0 && q.limit == 0))
			return 0;
	}
	return r < 0 ? r : -EBUSY;
}

static int resize(struct storage *s, uint64_t bytes, struct err **e)
{
	auto_close int fd = open(s->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct quota_usage q;
	uint32_t project = 0;
	int r;

	if (fd < 0)
		return err_set(e, errno, NULL, "cannot open %s", s->source);
	r = quota_usage(fd, 0, &q);
	if (r < 0 && r != -ENOENT)
		return err_resize_unsupported(e, "dir", "its file system keeps no project quotas (mount option prjquota)");
	r = quota_project(fd, &project);
	if (r == 0 && !project) {
		r = new_project(fd, &project);
		if (r == 0)
			r = storage_tree_project(fd, project, e);
		if (r < 0 && e && *e)
			return r;
	}
	if (r == 0)
		r = quota_limit(fd, project, bytes);
	return r < 0 ? err_set(e, -r, NULL, "cannot set a quota for %s", s->source) : 0;
}

/* The kernel keeps the limit of a number that nothing carries any more. */
static int destroy(const char *source, const char *dir, int dirfd, struct log *l, struct err **e)
{
	auto_close int fd = open(source, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct quota_usage q;
	uint32_t project = fd < 0 ? 0 : quota_of(fd, &q);
	int r = storage_remove_own(source, dir, dirfd, l, e);

	/* One that somebody else has chosen may count more than this. */
	if (r == 0 && project >= PROJECT_FIRST && project <= PROJECT_LAST && quota_usage(dirfd, project, &q) == 0 && !q.used)
		(void)quota_limit(dirfd, project, 0);
	return r;
}

static uint64_t limit(const struct storage *s)
{
	auto_close int fd = open(s->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct quota_usage q;

	return fd >= 0 && quota_of(fd, &q) ? q.limit : 0;
}

/* ext4 counts what root takes beyond the limit, and xfs refuses it. */
static bool limit_spares(const struct storage *s)
{
	struct statfs fs;

	return statfs(s->source, &fs) == 0 && fs.f_type == EXT4_SUPER_MAGIC;
}

const struct storage_driver storage_dir = {
	.name = "dir",
	.for_users = true,
	.can_backup = true,
	.resolve = dir_resolve,
	.mount = dir_mount,
	.create = create,
	.destroy = destroy,
	.usage = usage,
	.resize = resize,
	.limit = limit,
	.limit_spares = limit_spares,
};

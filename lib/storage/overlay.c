/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* overlay - a root that is a difference to another one. Its source is "LOWER:UPPER"; further lower
 * directories go between them, "LOWER1:/LOWER2:/UPPER", the first on top. The directory that the kernel
 * works in is "work" beside UPPER ("olwork" beside the "delta0" of old releases). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/host.h"
#include "kernel/idmap.h"
#include "kernel/mount.h"
#include "storage/copytree.h"
#include "storage/driver.h"

#define OVERLAY "overlay"
#define DELTA "delta"
#define WORK "work"
#define OPTIONS_MAX 65536

/* Splits at every colon that a path follows. */
static int split(struct storage *s, struct err **e)
{
	const char *p = s->source;

	while (*p == '/') {
		const char *end = strstr(p, ":/");
		auto_free char *one = end ? strndup(p, (size_t)(end - p)) : strdup(p);

		if (!one)
			return err_no_memory(e);
		if (!end) {
			s->upper = path_simplify(one);
			if (!s->upper)
				return err_no_memory(e);
			break;
		}
		if (strv_push(&s->lowers, path_simplify(one)) < 0)
			return err_no_memory(e);
		p = end + 1;
	}
	return s->upper && s->lowers.n ? 0 : err_overlay_malformed(e, s->source);
}

static char *beside(const char *upper, const char *name)
{
	const char *base = path_base(upper);
	char *s = NULL;

	return asprintf(&s, "%.*s%s", (int)(base - upper), upper, name) < 0 ? NULL : s;
}

static int find_work(struct storage *s, struct err **e)
{
	struct stat st;

	if (STREQ(path_base(s->upper), "delta0")) {
		s->work = beside(s->upper, "olwork");
		if (!s->work)
			return err_no_memory(e);
		if (stat(s->work, &st) == 0)
			return 0;
		free(take_ptr(s->work));
	}
	s->work = beside(s->upper, WORK);
	return s->work ? 0 : err_no_memory(e);
}

static int check_layer(const char *path, struct stat *st, struct err **e)
{
	if (stat(path, st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? err_overlay_layer_missing(e, path) :
							      err_set(e, errno, NULL, "cannot stat %s", path);
	return S_ISDIR(st->st_mode) ? 0 : err_rootfs_not_directory(e, path);
}

static int resolve(struct storage *s, const struct conf *c, struct log *l, struct err **e)
{
	struct stat st;
	int r = split(s, e);

	if (r == 0)
		r = find_work(s, e);
	for (size_t i = 0; i < s->lowers.n && r == 0; i++)
		r = check_layer(s->lowers.v[i], &st, e);
	if (r == 0)
		r = check_layer(s->upper, &st, e);
	if (r < 0)
		return r;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return 0;
}

/* A path within an option: ':' separates layers, ',' options. */
static void add_path(struct buf *b, const char *path)
{
	for (const char *p = path; *p; p++) {
		if (strchr(":,\\", *p))
			buf_addc(b, '\\');
		buf_addc(b, *p);
	}
}

/* Marks of deleted files are in trusted.*, which root of the host alone may use, or in user.*. */
static bool needs_user_marks(void)
{
	return !host_in_initial_userns() || !host_has_cap(CAP_SYS_ADMIN);
}

/* Layers by descriptor: an ordinary user reaches them through directories that his container's root may not enter. */
struct layers {
	VEC(int);
};

static void layers_done(struct layers *l)
{
	for (size_t i = 0; i < l->n; i++)
		fd_close(l->v[i]);
	VEC_DONE(l);
}
#define auto_layers __attribute__((cleanup(layers_done)))

static int add_layer(struct buf *b, const char *path, struct layers *opened, struct err **e)
{
	auto_close int fd = -EBADF;

	if (!opened) {
		add_path(b, path);
		return 0;
	}
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, NULL, "cannot open %s", path);
	buf_addf(b, "/proc/self/fd/%d", fd);
	if (VEC_PUSH(opened, fd) < 0)
		return err_no_memory(e);
	(void)take_fd(&fd);
	return 0;
}

/* The file system acts with the ids of who mounts it, and what it makes in its work directory it has to own inside: the
 * caller, who is not mapped, opens the layers and lends the mount the ids of the container's root. */
static int mount_as_root(const char *options, bool lend, struct err **e)
{
	int uid = lend ? setfsuid(0) : 0, gid = lend ? setfsgid(0) : 0;
	int mnt = mount_new("overlay", "overlay", options, 0, e);

	if (lend) {
		(void)setfsgid((gid_t)gid);
		(void)setfsuid((uid_t)uid);
	}
	return mnt;
}

static int overlay_mount(struct storage *s, const struct conf *c, struct err **e)
{
	auto_buf struct buf o = BUF_INIT(OPTIONS_MAX);
	auto_layers struct layers opened = { 0 };
	const bool lend = needs_user_marks() && geteuid() != 0;
	struct layers *l = lend ? &opened : NULL;
	auto_close int mnt = -EBADF;
	int r = 0;

	buf_adds(&o, "lowerdir=");
	/* A view does not take the upper directory, which a running container may be using. */
	if (s->view)
		r = add_layer(&o, s->upper, l, e);
	for (size_t i = 0; i < s->lowers.n && r == 0; i++) {
		if (i || s->view)
			buf_addc(&o, ':');
		r = add_layer(&o, s->lowers.v[i], l, e);
	}
	if (r == 0 && !s->view) {
		if (mkdir(s->work, 0755) < 0 && errno != EEXIST)
			return err_set(e, errno, NULL, "cannot make %s", s->work);
		buf_adds(&o, ",upperdir=");
		r = add_layer(&o, s->upper, l, e);
		buf_adds(&o, ",workdir=");
		if (r == 0)
			r = add_layer(&o, s->work, l, e);
	}
	if (r < 0)
		return r;
	if (needs_user_marks())
		buf_adds(&o, ",userxattr");
	if (s->options.data && !s->view)
		buf_addf(&o, ",%s", s->options.data);
	if (!buf_ok(&o))
		return err_no_memory(e);
	mnt = mount_as_root(buf_str(&o), lend, e);
	if (mnt < 0)
		return mnt;
	r = storage_set_attributes(s, mnt, c, e);
	return r < 0 ? r : take_fd(&mnt);
}

/* DIR/overlay with delta and work in it; *ret_delta is open. */
static int make_delta(const char *dir, int dirfd, const struct conf *c, int *ret_delta, struct err **e)
{
	auto_free char *path = path_join(dir, OVERLAY);
	auto_close int top = -EBADF, delta = -EBADF, work = -EBADF;
	int r;

	if (!path)
		return err_no_memory(e);
	/* Its owner is who makes containers: the container's root has no business in it. */
	top = storage_make_root(dirfd, OVERLAY, path, NULL, e);
	if (top < 0)
		return top;
	delta = storage_make_root(top, DELTA, path, c, e);
	r = delta;
	if (r >= 0)
		r = work = storage_make_root(top, WORK, path, c, e);
	if (r < 0) {
		(void)unlinkat(top, DELTA, AT_REMOVEDIR);
		(void)unlinkat(dirfd, OVERLAY, AT_REMOVEDIR);
		return r;
	}
	*ret_delta = take_fd(&delta);
	return 0;
}

static int create(const struct storage_spec *spec, const char *dir, int dirfd, const struct conf *c,
		  char **ret_source, struct err **e)
{
	auto_free char *path = path_join(dir, "rootfs");
	auto_close int root = -EBADF, delta = -EBADF;
	int r;

	if (!path)
		return err_no_memory(e);
	root = storage_make_root(dirfd, "rootfs", path, c, e);
	if (root < 0)
		return root;
	r = make_delta(dir, dirfd, c, &delta, e);
	if (r == 0 && asprintf(ret_source, "%s:%s/" OVERLAY "/" DELTA, path, dir) < 0) {
		*ret_source = NULL;
		r = err_no_memory(e);
	}
	if (r < 0)
		(void)unlinkat(dirfd, "rootfs", AT_REMOVEDIR);
	return r;
}

/* What was changed goes; what it is a difference to belongs to another container, or goes with the
 * directory of this one. */
static int destroy(const char *source, const char *dir, int dirfd, struct log *l, struct err **e)
{
	struct storage s = { .source = (char *)source };
	int r = split(&s, e);

	if (r == 0)
		r = find_work(&s, e);
	if (r == 0)
		r = storage_remove_own(s.upper, dir, dirfd, l, e);
	if (r == 0)
		r = storage_remove_own(s.work, dir, dirfd, NULL, e);
	strv_done(&s.lowers);
	free(s.upper);
	free(s.work);
	return r;
}

static bool snapshots(const struct storage *from)
{
	return from->driver == &storage_dir || from->driver == &storage_overlay;
}

/* The top directory of the upper layer is what the merged root's looks like. */
static int look_like(int delta, const char *lower, struct err **e)
{
	struct copy copy = { .uid = UINT32_MAX };
	auto_close int fd = open(lower, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, NULL, "cannot open %s", lower);
	r = copy_attributes(&copy, fd, delta, &st, (mode_t)-1);
	return r < 0 ? err_set(e, -r, NULL, "cannot give the delta the attributes of %s", lower) : 0;
}

struct filling {
	const struct storage *from;
	const struct storage_copy *how;
	int delta;
};

static int fill_delta(void *arg, const struct idmap *ids, struct err **e)
{
	const struct filling *f = arg;
	auto_close int fd = -EBADF;

	if (f->from->driver == &storage_dir)
		return look_like(f->delta, f->from->source, e);
	fd = open(f->from->upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, NULL, "cannot open %s", f->from->upper);
	return storage_copytree(fd, f->delta, f->how->progress, e);
}

static int snapshot(struct storage *from, const struct storage_copy *how, int dirfd, char **ret_source,
		    bool *ret_depends, struct err **e)
{
	bool chained = from->driver == &storage_overlay;
	auto_free char *lowers = chained ? strv_join(&from->lowers, ":") : strdup(from->source);
	struct filling f = { .from = from, .how = how };
	auto_close int delta = -EBADF;
	int r;

	if (!lowers)
		return err_no_memory(e);
	if (!storage_same_maps(how->from, how->to))
		return err_overlay_maps_differ(e);
	r = make_delta(how->to_dir, dirfd, how->to, &delta, e);
	if (r < 0)
		return r;
	f.delta = delta;
	r = storage_as_owner(how->to, fill_delta, &f, e);
	if (r == 0 && asprintf(ret_source, "%s:%s/" OVERLAY "/" DELTA, lowers, how->to_dir) < 0) {
		*ret_source = NULL;
		r = err_no_memory(e);
	}
	if (r < 0) {
		(void)storage_rmtree(dirfd, OVERLAY, NULL);
		return r;
	}
	/* A snapshot that lies within its container goes when that does. */
	*ret_depends = !(chained && (how->flags & STORAGE_INTO_SNAPS));
	return 0;
}

static int count(const char *path, uint64_t *sum, struct err **e)
{
	auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t one = 0;
	int r = fd < 0 ? err_set(e, errno, NULL, "cannot open %s", path) : storage_tree_usage(fd, &one, e);

	*sum += one;
	return r;
}

static int usage(struct storage *s, struct storage_usage *ret, struct err **e)
{
	int r;

	ret->exclusive = ret->used = 0;
	r = count(s->upper, &ret->exclusive, e);

	ret->used = ret->exclusive;
	for (size_t i = 0; i < s->lowers.n && r == 0; i++)
		r = count(s->lowers.v[i], &ret->used, e);
	return r;
}

const struct storage_driver storage_overlay = {
	.name = OVERLAY,
	.for_users = true,
	.can_snapshot = true,
	.can_backup = true,
	.resolve = resolve,
	.mount = overlay_mount,
	.create = create,
	.destroy = destroy,
	.snapshot = snapshot,
	.snapshots = snapshots,
	.usage = usage,
};

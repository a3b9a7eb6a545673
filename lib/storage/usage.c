/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* usage - how much a root takes, and how much it may. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "kernel/openat.h"
#include "kernel/quota.h"
#include "storage/driver.h"

/* Open addressing, for files that have several names. */
struct seen {
	struct {
		dev_t dev;
		ino_t ino;
	} *v;
	size_t n, room;
};

static size_t slot(const struct seen *s, dev_t dev, ino_t ino)
{
	size_t i = (size_t)((ino ^ dev << 20) * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (s->room - 1);

	while (s->v[i].ino && (s->v[i].ino != ino || s->v[i].dev != dev))
		i = (i + 1) & (s->room - 1);
	return i;
}

/* 1: new, 0: seen before, -ENOMEM. */
static int is_new(struct seen *s, dev_t dev, ino_t ino)
{
	size_t i;

	if (s->n * 2 >= s->room) {
		struct seen bigger = { .room = s->room ? s->room * 2 : 1024, .n = s->n };

		bigger.v = calloc(bigger.room, sizeof(*bigger.v));
		if (!bigger.v)
			return -ENOMEM;
		for (i = 0; i < s->room; i++)
			if (s->v[i].ino)
				bigger.v[slot(&bigger, s->v[i].dev, s->v[i].ino)] = s->v[i];
		free(s->v);
		*s = bigger;
	}
	i = slot(s, dev, ino);
	if (s->v[i].ino)
		return 0;
	s->v[i].dev = dev;
	s->v[i].ino = ino;
	s->n++;
	return 1;
}

/* Directories that are still to be read, by their way from the top: an fd for each would be too many. */
struct tree {
	int top;
	uint64_t mount;
	struct seen seen;
	VEC(char *);
	uint64_t sum;
	uint32_t project;		/* not 0: given to all, instead of being counted */
};

#define PIECE 3072

/* On the same mount, never through a symlink, however long the way is. */
static int open_below(const struct tree *t, const char *path)
{
	auto_close int at = -EBADF;
	size_t len = strlen(path);
	struct statx sx;

	while (len) {
		size_t n = MIN(len, (size_t)PIECE);
		char piece[PIECE + 1];
		int fd;

		while (n < len && path[n] != '/')
			n--;
		memcpy(piece, path, n);
		piece[n] = '\0';
		fd = open_no_symlinks(at < 0 ? t->top : at, piece, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0);
		if (fd < 0)
			return fd;
		fd_replace(&at, fd);
		path += MIN(n + 1, len);
		len -= MIN(n + 1, len);
	}
	if (statx(at, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0)
		return -errno;
	return sx.stx_mnt_id == t->mount ? take_fd(&at) : -EXDEV;
}

static int give_project(int dir, const char *name, uint32_t project)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || errno == ELOOP ? 0 : -errno;
	return quota_set_project(fd, project);
}

static int add_entry(struct tree *t, int dir, const char *path, const char *name)
{
	struct stat st;
	int r = 1;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (t->project && (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode))) {
		r = give_project(dir, name, t->project);
		if (r < 0)
			return r;
	}
	if (S_ISDIR(st.st_mode)) {
		char *sub = NULL;

		if (asprintf(&sub, "%s/%s", path, name) < 0)
			return -ENOMEM;
		r = VEC_PUSH(t, sub);
		if (r < 0) {
			free(sub);
			return r;
		}
		r = 1;
	} else if (st.st_nlink > 1) {
		r = is_new(&t->seen, st.st_dev, st.st_ino);
	}
	if (r > 0)
		t->sum += (uint64_t)st.st_blocks * 512;
	return MIN(r, 0);
}

static int read_dir(struct tree *t, const char *path)
{
	auto_closedir DIR *d = NULL;
	int fd = open_below(t, path), r = 0;

	/* Gone meanwhile, or something is mounted there. */
	if (fd == -ENOENT || fd == -EXDEV || fd == -ENOTDIR || fd == -ELOOP)
		return 0;
	if (fd < 0)
		return fd;
	d = io_fdopendir(fd);
	if (!d)
		return -ENOMEM;
	for (const struct dirent *ent = readdir(d); ent && r == 0; ent = readdir(d))
		if (!STREQ(ent->d_name, ".") && !STREQ(ent->d_name, ".."))
			r = add_entry(t, dirfd(d), path, ent->d_name);
	return r;
}

static int walk(struct tree *t, struct err **e)
{
	struct statx sx;
	char *dot = strdup(".");
	int r = dot ? VEC_PUSH(t, dot) : -ENOMEM;

	if (r < 0)
		free(dot);
	if (r == 0 && statx(t->top, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0)
		r = -errno;
	t->mount = sx.stx_mnt_id;
	while (r == 0 && t->n) {
		auto_free char *path = t->v[--t->n];

		r = read_dir(t, path);
	}
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i]);
	VEC_DONE(t);
	free(t->seen.v);
	if (r < 0)
		return r == -ENOMEM ? err_no_memory(e) : err_set(e, -r, NULL, "cannot walk the files of the root");
	return 0;
}

int storage_tree_usage(int top, uint64_t *ret, struct err **e)
{
	struct tree t = { .top = top };
	int r = walk(&t, e);

	if (r == 0)
		*ret = t.sum;
	return r;
}

int storage_tree_project(int top, uint32_t project, struct err **e)
{
	struct tree t = { .top = top, .project = project };
	int r = quota_set_project(top, project);

	return r < 0 ? err_set(e, -r, NULL, "cannot set the project of the root") : walk(&t, e);
}

struct question {
	const struct conf *c;
	struct storage_usage *ret;
	uint64_t bytes;
	bool set;
};

static int ask(void *arg, struct err **e)
{
	struct question *q = arg;
	auto_storage struct storage *s = NULL;
	int r = storage_resolve(q->c, NULL, &s, e);

	if (r == 0 && !s)
		r = err_storage_unresolved(e, q->c->uts_name.v ? q->c->uts_name.v : "");
	if (r < 0)
		return r;
	if (!q->set)
		return s->driver->usage ? s->driver->usage(s, q->ret, e) : err_resize_unsupported(e, s->driver->name, "it is not known");
	if (!s->driver->resize)
		return err_resize_unsupported(e, s->driver->name, "it is what its maker made it");
	return s->driver->resize(s, q->bytes, e);
}

int storage_usage(const struct conf *c, const char *dir, struct storage_usage *ret, struct err **e)
{
	struct storage_usage u = { .exclusive = UINT64_MAX };
	struct question q = { .c = c, .ret = &u };
	int r = c->rootfs_path.v ? ask(&q, e) : 0;

	if (r == 0)
		*ret = u;
	return r;
}

uint64_t storage_limit(const struct conf *c)
{
	auto_storage struct storage *s = NULL;
	auto_err struct err *e = NULL;

	if (!c->rootfs_path.v || storage_resolve(c, NULL, &s, &e) < 0 || !s || !s->driver->limit)
		return 0;
	return s->driver->limit(s);
}

bool storage_limit_spares_root(const struct conf *c)
{
	auto_storage struct storage *s = NULL;
	auto_err struct err *e = NULL;

	if (conf_is_mapped(c) || !conf_keeps_cap(c, CAP_SYS_RESOURCE) || !c->rootfs_path.v)
		return false;
	return storage_resolve(c, NULL, &s, &e) == 0 && s && s->driver->limit_spares && s->driver->limit_spares(s);
}

int storage_resize(const struct conf *c, const char *dir, uint64_t bytes, struct err **e)
{
	struct question q = { .c = c, .bytes = bytes, .set = true };

	return ask(&q, e);
}

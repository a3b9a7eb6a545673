/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* replace - a copy in the place of the container that there is. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "copying.h"
#include "dir.h"
#include "lifecycle/depend.h"
#include "lifecycle/partial.h"
#include "retarget.h"
#include "throwaway.h"
#include "use.h"

/* Made in a container before it is replaced: it tells the old one from the new one afterwards. */
#define REPLACED ".replaced"

char *copy_staging(const char *name)
{
	char *s = NULL;

	return asprintf(&s, STAGING_PREFIX "%s" COPY_STAGING_SUFFIX, name) < 0 ? NULL : s;
}

/* What a container consists of; all else in its directory is somebody's own. */
static bool is_part(const char *entry)
{
	static const char *const parts[] = { ".",	"..",	   COPYING_CONFIG,	 "rootfs",     "rootdev",
					     "overlay", "delta0", "olwork",	 "partial",    "ephemeral",
					     "ts",	"comment", REPLACED, DEPEND_NEEDS, DEPEND_USERS };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (STREQ(parts[i], entry))
			return true;
	return false;
}

/* The directory below which an overlay of the container's own has its base. */
static bool stands_on_own_root(const struct call *k, const struct conf *conf)
{
	auto_free char *lower = path_join(k->dir, "rootfs:");

	return lower && conf->rootfs_path.v && str_after(conf->rootfs_path.v, lower);
}

/* Whatever the new one has not got goes over to it: snapshots, files of the administrator's, and the root
 * where the new one stands on it too. */
static int move_rest(int from, int to, bool root, struct err **e)
{
	auto_closedir DIR *d = io_opendir(from, ".");

	if (!d)
		return err_set(e, errno, NULL, "cannot read the directory that was replaced");
	for (const struct dirent *ent = readdir(d); ent; ent = readdir(d)) {
		if (is_part(ent->d_name) && !(root && STREQ(ent->d_name, "rootfs")))
			continue;
		if (renameat2(from, ent->d_name, to, ent->d_name, RENAME_NOREPLACE) == 0)
			continue;
		if (errno != EEXIST && errno != ENOENT)
			return err_set(e, errno, NULL, "cannot move %s out of the directory that was replaced",
				       ent->d_name);
	}
	return 0;
}

/* The configuration of what lies in the staging directory, naming what lies there; NULL if it cannot be
 * read, or if its root is the container's own. */
static int staged_conf(struct call *k, const char *place, bool replaced, struct conf **ret)
{
	auto_free char *file = path_join(place, COPYING_CONFIG);
	auto_conf struct conf *conf = NULL, *own = NULL, *moved = NULL;
	int r = 0;

	if (!file)
		return err_no_memory(&k->e);
	if (call_read_conf(k, file, &conf) < 0 || call_read_conf(k, k->configfile, &own) < 0) {
		err_free(take_ptr(k->e));
		return 0;
	}
	if (replaced) {
		r = retarget_move(conf, k->dir, place, &k->e);
		if (r == 0)
			r = retarget_reread(k, conf, &moved);
		if (r < 0)
			return r;
	}
	if (!moved)
		moved = take_ptr(conf);
	if (moved->rootfs_path.v && (!own->rootfs_path.v || !STREQ(moved->rootfs_path.v, own->rootfs_path.v)))
		*ret = take_ptr(moved);
	return 0;
}

/* Those of pairs that are not among kept. */
static int needed_no_more(const struct strv *pairs, const struct strv *kept, struct strv *ret)
{
	for (size_t i = 0; i + 1 < pairs->n; i += 2) {
		bool found = false;

		for (size_t j = 0; j + 1 < kept->n && !found; j += 2)
			found = STREQ(pairs->v[i], kept->v[j]) && STREQ(pairs->v[i + 1], kept->v[j + 1]);
		if (!found && (strv_add(ret, pairs->v[i]) < 0 || strv_add(ret, pairs->v[i + 1]) < 0))
			return -ENOMEM;
	}
	return 0;
}

/* Removes the staging directory, which holds what was replaced, or a copy that was not completed. */
static int remove_staged(struct call *k, int parent, int staged, const char *staging, const char *place)
{
	auto_strv struct strv pairs = { 0 }, kept = { 0 }, gone = { 0 };
	auto_conf struct conf *conf = NULL, *live = NULL;
	auto_close int own = -EBADF;
	struct stat st;
	bool replaced = fstatat(staged, REPLACED, &st, AT_SYMLINK_NOFOLLOW) == 0;
	int r = depend_needs(place, &pairs, &k->e);

	if (r == 0)
		r = depend_needs(k->dir, &kept, &k->e);
	if (r == 0 && needed_no_more(&pairs, &kept, &gone) < 0)
		r = err_no_memory(&k->e);
	if (r == 0 && replaced) {
		own = openat(parent, k->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = own < 0 ? err_set(&k->e, errno, NULL, "cannot open %s", k->dir) : 0;
		if (r == 0)
			r = call_read_conf(k, k->configfile, &live);
		if (r == 0)
			r = move_rest(staged, own, stands_on_own_root(k, live), &k->e);
	}
	if (r == 0)
		r = staged_conf(k, place, replaced, &conf);
	if (r == 0 && conf)
		r = storage_destroy(conf, place, &k->log, &k->e);
	if (r == 0)
		r = storage_rmtree(parent, staging, &k->e);
	return r < 0 ? r : depend_forget(&gone, k->lxcpath, k->name, &k->e);
}

int copy_settle(struct call *k)
{
	auto_free char *staging = copy_staging(k->name), *place = staging ? path_join(k->lxcpath, staging) : NULL;
	auto_close int parent = -EBADF;
	auto_use int staged = -EBADF;
	auto_lock int lock = -EBADF;
	struct stat st;

	if (!place)
		return err_no_memory(&k->e);
	throwaway_collect_users(k->lxcpath, k->dir);
	if (lstat(place, &st) < 0)
		return 0;
	lock = call_disk_lock(k);
	if (lock < 0)
		return lock;
	parent = open(k->lxcpath, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	staged = parent < 0 ? -EBADF : openat(parent, staging, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* Somebody is at work there, or it is no business of this user's. */
	if (staged < 0 || flock(staged, LOCK_EX | LOCK_NB) < 0 || partial_state(place) == PARTIAL_BUSY)
		return 0;
	return remove_staged(k, parent, staged, staging, place);
}

static int check_replaced(struct copying *c)
{
	auto_strv struct strv users = { 0 };
	auto_free char *list = NULL;
	struct call *to = c->to;
	enum lxc_state state;
	int r = call_state(to, &state);

	if (r == 0 && state != STATE_STOPPED)
		r = err_rename_running(&to->e, to->name);
	if (r == 0)
		r = depend_users(to->dir, &users, &to->e);
	if (r < 0 || !users.n)
		return r;
	list = strv_join(&users, ", ");
	return list ? err_clones_exist(&to->e, to->name, list) : err_no_memory(&to->e);
}

/* The names in the configuration are those that will be right in a moment. */
static int name_finally(struct copying *c)
{
	struct conf *fresh = NULL;
	int r = retarget_move(c->conf, c->place, c->to->dir, &c->to->e);

	if (r == 0)
		r = retarget_reread(c->to, c->conf, &fresh);
	if (r < 0)
		return r;
	conf_free(c->conf);
	c->conf = fresh;
	return copying_save(c);
}

/* What it replaces is deleted next: first all of the new one is on the disk, not only on its way there. */
static int keep(struct copying *c)
{
	struct call *to = c->to;

	if (syncfs(c->at.dir) == 0)
		return 0;
	if (errno == ENOSPC || errno == EDQUOT)
		return err_no_room(&to->e, errno, c->place);
	return err_set(&to->e, errno, NULL, "cannot write %s to its disk", c->place);
}

static int exchange(struct copying *c, const char *staging)
{
	struct call *to = c->to;
	auto_lock int lock = call_disk_lock(to);
	auto_close int mark = -EBADF;
	int r;

	if (lock < 0)
		return lock;
	mark = openat(c->old, REPLACED, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (mark < 0)
		return err_set(&to->e, errno, NULL, "cannot mark %s as the one that is replaced", to->dir);
	/* Held from the first instant, until what it replaces is gone. */
	(void)flock(c->at.dir, LOCK_EX | LOCK_NB);
	r = partial_end(c->at.dir);
	if (r == 0) {
		(void)fsync(c->at.dir);
		r = renameat2(c->at.parent, staging, c->at.parent, to->name, RENAME_EXCHANGE) < 0 ? -errno : 0;
	}
	if (r < 0) {
		(void)unlinkat(c->old, REPLACED, 0);
		return err_set(&to->e, -r, NULL, "cannot put %s in the place of %s", c->place, to->dir);
	}
	(void)fsync(c->at.parent);
	return 0;
}

static int stage_copy(struct copying *c, const char *staging)
{
	struct call *to = c->to;
	auto_lock int lock = call_disk_lock(to);
	int r = lock < 0 ? lock : stage_open_parent(to, &c->at);

	if (r == 0)
		r = stage_make_as(to, c->conf, staging, &c->at);
	c->made = r == 0;
	return r;
}

static int replace(struct copying *c, const char *staging)
{
	struct call *to = c->to;
	int r = c->old = use_alone(to);

	if (r >= 0)
		r = check_replaced(c);
	if (r == 0)
		r = copying_of_source(c, copying_open(c));
	if (r == 0)
		r = (c->place = path_join(to->lxcpath, staging)) ? 0 : err_no_memory(&to->e);
	if (r == 0)
		r = copying_conf(c);
	if (r == 0)
		r = stage_copy(c, staging);
	if (r == 0)
		r = copying_fill(c);
	if (r == 0)
		r = name_finally(c);
	if (r == 0)
		r = keep(c);
	if (r == 0)
		r = exchange(c, staging);
	copying_thaw(c);
	return r;
}

static void complain(struct call *to, struct err *e, const char *place)
{
	auto_free char *why = err_line(e);

	log_warn(&to->log, "not all of %s could be removed yet: %s", place, why ? why : "out of memory");
}

int copy_replace(struct call *from, struct call *to, const struct copy *how)
{
	auto_copying struct copying c = COPYING_INIT(from, to, how);
	auto_free char *staging = copy_staging(to->name);
	struct err *first;
	int r, removed;

	if (!staging)
		return err_no_memory(&to->e);
	r = copy_settle(to);
	if (r == 0)
		r = replace(&c, staging);
	if (!c.made)
		return r;
	/* One of the two goes: what was replaced, or what could not replace it. */
	first = take_ptr(to->e);
	removed = remove_staged(to, c.at.parent, r == 0 ? c.old : c.at.dir, staging, c.place);
	if (removed < 0) {
		complain(to, to->e, c.place);
		err_free(take_ptr(to->e));
	}
	to->e = first;
	if (r == 0) {
		handle_lock(to->h);
		handle_set_conf(to->h, take_ptr(c.conf));
		handle_unlock(to->h);
	}
	return r;
}

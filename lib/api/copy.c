/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"
#include "config/rewrite.h"
#include "config/writer.h"
#include "dir.h"
#include "hook.h"
#include "lifecycle/depend.h"
#include "lifecycle/partial.h"
#include "retarget.h"
#include "stage.h"
#include "storage/identity.h"
#include "throwaway.h"
#include "use.h"

#define CONFIG "config"
/* Made in a container before it is replaced: it tells the old one from the new one afterwards. */
#define REPLACED ".replaced"

struct copying {
	struct call *from, *to;
	const struct copy *how;
	struct conf *source, *conf;	/* owned */
	struct stage at;
	int use;			/* the source's directory, held as in use */
	char *place;			/* owned: where the copy is made */
	char *path;			/* owned: lxc.rootfs.path with its prefix */
	struct strv needs;		/* whose data the copy stands on */
	bool recorded, made;
	struct freeze_hold frozen;
	size_t hook;			/* the one that runs, counted from 1; 0: all */
	int old;			/* what is replaced: its directory, held alone */
};

static void copying_done(struct copying *c)
{
	conf_free(c->source);
	conf_free(c->conf);
	(void)flock(c->at.dir, LOCK_UN);
	stage_done(&c->at);
	use_end(c->use);
	use_end(c->old);
	free(c->place);
	free(c->path);
	strv_done(&c->needs);
}
#define auto_copying __attribute__((cleanup(copying_done)))

char *copy_staging(const char *name)
{
	char *s = NULL;

	return asprintf(&s, STAGING_PREFIX "%s" COPY_STAGING_SUFFIX, name) < 0 ? NULL : s;
}

/* An error of the source is one of the copy. */
static int of_source(struct copying *c, int r)
{
	if (r < 0 && c->from != c->to && c->from->e) {
		err_move(&c->to->e, c->from->e);
		c->from->e = NULL;
	}
	return r;
}

/* the source */

static void thaw(struct copying *c)
{
	if (client_let_go(&c->from->target, &c->frozen, NULL) < 0)
		log_warn(&c->from->log, "%s is still frozen; lxc-unfreeze -n %s lets it go on", c->from->name,
			 c->from->name);
}

/* What runs is held still while it is read. One that is frozen already stays so. */
static int hold_still(struct copying *c)
{
	struct call *from = c->from;
	enum lxc_state state;
	int r = call_state(from, &state);

	if (r < 0 || state == STATE_STOPPED)
		return r;
	if (!(c->how->flags & LXC_CLONE_ALLOW_RUNNING))
		return err_copy_running(&from->e, from->name);
	if (state != STATE_RUNNING && state != STATE_FREEZING && state != STATE_FROZEN)
		return 0;
	r = client_hold_frozen(&from->target, &c->frozen, &from->e);
	return r < 0 ? err_wrap(&from->e, r, "freezing %s while it is copied", from->name) : 0;
}

/* What is replaced by a copy of itself is held alone already. */
static int use_source(struct copying *c)
{
	struct call *from = c->from;
	int fd;

	if (!c->how->itself)
		return use_shared(from);
	fd = openat(c->old, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(&from->e, errno, NULL, "cannot open %s", from->dir) : fd;
}

static int open_source(struct copying *c)
{
	struct call *from = c->from;
	int r = call_need_conf(from, &c->source);

	if (r == 0 && !call_is_defined(from))
		r = err_container_unknown(&from->e, from->name, from->lxcpath);
	if (r == 0)
		r = hook_check(from, c->source, HOOK_CLONE);
	if (r == 0)
		r = c->use = use_source(c);
	if (r >= 0)
		r = partial_check(from->dir, from->name, from->lxcpath, &from->e);
	return r < 0 ? r : hold_still(c);
}

/* the configuration */

static int without_root(struct copying *c)
{
	struct call *to = c->to;
	auto_conf struct conf *conf = NULL;
	/* A copy of the source's, to be taken apart. */
	int r = call_copy_conf(c->from, &conf);

	if (r == 0 && !conf)
		r = call_need_conf(c->from, &conf);
	if (r < 0)
		return of_source(c, r);
	r = conf_clear_item(conf, "lxc.rootfs.path", NULL, &to->e);
	if (r == 0 && !(c->how->flags & LXC_CLONE_KEEPNAME)) {
		r = conf_clear_item(conf, "lxc.uts.name", NULL, &to->e);
		if (r == 0)
			r = conf_set_item(conf, "lxc.uts.name", to->name, NULL, &to->e);
	}
	if (r == 0 && !(c->how->flags & LXC_CLONE_KEEPMACADDR))
		r = conf_renew_macs(conf, &to->e);
	if (r == 0 && c->how->throwaway)
		r = conf_set_item(conf, "lxc.ephemeral", "1", NULL, &to->e);
	if (r == 0 && c->how->edit)
		r = c->how->edit(to, conf, c->how->arg);
	return r < 0 ? r : retarget_reread(to, conf, &c->conf);
}

static int save(struct copying *c)
{
	return dir_save_config(c->to, c->conf, c->at.dir, CONFIG);
}

static int finish_conf(struct copying *c)
{
	struct call *to = c->to;
	struct retarget t = { .from_dir = c->from->dir, .to_dir = c->place, .from = c->use, .to = c->at.dir };
	struct conf *fresh = NULL;
	int r = retarget_copy(c->conf, &t, &to->e);

	if (r == 0)
		r = retarget_reread(to, c->conf, &fresh);
	if (r < 0)
		return r;
	conf_free(c->conf);
	c->conf = fresh;
	return save(c);
}

/* the root */

static unsigned storage_flags(const struct copying *c)
{
	static const struct {
		int lxc;
		unsigned storage;
	} flags[] = {
		{ LXC_CLONE_SNAPSHOT, STORAGE_SNAPSHOT },
		{ LXC_CLONE_MAYBE_SNAPSHOT, STORAGE_MAYBE_SNAPSHOT },
		{ LXC_CLONE_KEEPBDEVTYPE, STORAGE_KEEP_TYPE },
	};
	unsigned v = c->how->into_snaps ? STORAGE_INTO_SNAPS : 0;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (c->how->flags & flags[i].lxc)
			v |= flags[i].storage;
	if (STREQ(c->from->lxcpath, c->to->lxcpath))
		v |= STORAGE_SAME_PATH;
	return v;
}

/* Before the copy counts, its bases know of it. */
static int record_needs(struct copying *c, bool depends)
{
	struct call *from = c->from, *to = c->to;
	bool shares = str_after(c->path, "overlay") || depends;
	int r;

	/* What takes the place of a container has its snapshot's changes copied, and may outlive it. */
	depends = depends && c->old < 0;
	r = shares ? depend_needs(from->dir, &c->needs, &to->e) : 0;

	if (r == 0 && depends && (strv_add(&c->needs, from->lxcpath) < 0 || strv_add(&c->needs, from->name) < 0))
		r = err_no_memory(&to->e);
	if (r < 0 || !c->needs.n)
		return r;
	c->recorded = true;
	r = depend_record(&c->needs, to->lxcpath, to->name, &to->e);
	return r < 0 ? r : depend_set_needs(c->place, &c->needs, &to->e);
}

static int copy_root(struct copying *c)
{
	struct call *to = c->to;
	struct storage_copy s = {
		.from = c->source,
		.from_dir = c->from->dir,
		.from_name = c->from->name,
		.to_name = to->name,
		.to = c->conf,
		.to_dir = c->place,
		.type = c->how->type,
		.spec = &c->how->spec,
		.flags = storage_flags(c),
		.progress = c->how->progress,
	};
	bool depends = false;
	int r;

	if (!c->source->rootfs_path.v)
		return 0;
	r = storage_copy(&s, &c->path, &depends, &to->log, &to->e);
	if (r < 0)
		return r;
	r = conf_set_item(c->conf, "lxc.rootfs.path", c->path, &to->log, &to->e);
	/* From here on a destroy finds the root by the configuration. */
	if (r == 0)
		r = save(c);
	return r < 0 ? r : record_needs(c, depends);
}

/* inside the root */

static int reset_identity(int rootfd, void *arg, struct err **e)
{
	struct copying *c = arg;
	bool own_name = !(c->how->flags & LXC_CLONE_KEEPNAME);
	struct identity id = {
		.hostname = own_name ? c->to->name : NULL,
		.old_hostname = own_name ? c->source->uts_name.v : NULL,
		.ids = !c->how->keep_identity,
		.ssh_keys = !c->how->keep_identity && !c->how->quick,
	};

	return identity_reset(rootfd, &id, &c->to->log, e);
}

static int run_hooks(int rootfd, void *arg, struct err **e)
{
	struct copying *c = arg;
	auto_strv struct strv env = { 0 }, args = { 0 };
	struct hook_run run = { .kind = HOOK_CLONE, .args = &args, .env = &env, .root = rootfd, .only = c->hook };
	int r = strv_addf(&env, "LXC_SRC_NAME=%s", c->from->name);

	if (r == 0 && c->path)
		r = strv_addf(&env, "LXC_ROOTFS_PATH=%s", c->path);
	if (r == 0)
		r = strv_addf(&env, "LXC_CONFIG_FILE=%s/" CONFIG, c->place);
	if (r == 0 && rootfd < 0 && c->conf->rootfs_path.v)
		r = strv_addf(&env, "LXC_ROOTFS_MOUNT=%s", c->conf->rootfs_path.v);
	for (size_t i = 0; c->how->hookargs && c->how->hookargs[i] && r == 0; i++)
		r = strv_add(&args, c->how->hookargs[i]);
	return r < 0 ? err_no_memory(e) : hook_run_all(c->to, c->conf, &run, e);
}

/* A directory is worked on where it is. */
static bool is_plain(const struct copying *c)
{
	return c->path && str_after(c->path, "dir:") && !conf_is_mapped(c->conf);
}

static int in_root(struct copying *c)
{
	struct call *to = c->to;
	bool identity = !(c->how->flags & LXC_CLONE_KEEPNAME) || !c->how->keep_identity;
	int r = 0;

	if (identity && c->path) {
		r = storage_with_root(c->conf, &to->log, reset_identity, c, &to->e);
		if (r < 0)
			return r;
	}
	if (!c->conf->hooks[HOOK_CLONE].n || c->how->itself)
		return 0;
	if (!c->path || is_plain(c))
		return run_hooks(-1, c, &to->e);
	/* A mount can be attached once. */
	for (c->hook = 1; c->hook <= c->conf->hooks[HOOK_CLONE].n && r == 0; c->hook++)
		r = storage_with_root(c->conf, &to->log, run_hooks, c, &to->e);
	return r;
}

/* the steps */

static int check_target(struct copying *c)
{
	struct call *to = c->to;
	struct stat st;
	int r = partial_check(to->dir, to->name, to->lxcpath, &to->e);

	if (r == 0 && lstat(to->dir, &st) == 0)
		r = call_is_defined(to) ? err_container_exists(&to->e, to->name, to->lxcpath) :
					  err_set(&to->e, EEXIST, NULL, "%s exists already", to->dir);
	return r;
}

static int take_place(struct copying *c)
{
	struct call *to = c->to;
	auto_lock int lock = call_disk_lock(to);
	int r = lock < 0 ? lock : stage_open_parent(to, &c->at);

	if (r == 0)
		r = check_target(c);
	if (r == 0)
		r = stage_make(to, c->conf, &c->at);
	c->made = r == 0;
	if (r == 0 && c->how->throwaway)
		r = throwaway_mark(c->at.dir, &to->e);
	return r;
}

/* One that was started meanwhile was read while it changed. */
static int check_still(struct copying *c)
{
	struct call *from = c->from;
	enum lxc_state state;
	int r = 0;

	if (!(c->how->flags & LXC_CLONE_ALLOW_RUNNING)) {
		r = call_state(from, &state);
		if (r == 0 && state != STATE_STOPPED)
			r = err_copy_running(&from->e, from->name);
	}
	return of_source(c, r);
}

static int fill(struct copying *c)
{
	int r = copy_root(c);

	if (r == 0)
		r = check_still(c);
	if (r == 0)
		r = finish_conf(c);
	/* The source has been read. */
	thaw(c);
	if (r == 0)
		r = in_root(c);
	if (r == 0 && c->how->finish)
		r = c->how->finish(c->to, c->at.dir, c->how->arg);
	return r;
}

/* The error that led here stays the one that is reported. */
static void undo(struct copying *c, const char *name)
{
	struct call *to = c->to;
	auto_err struct err *e = NULL;
	int r = 0;

	if (!c->made)
		return;
	if (c->path)
		r = storage_destroy(c->conf, c->place, &to->log, &e);
	if (r == 0)
		r = storage_rmtree(c->at.parent, name, &e);
	if (r == 0 && c->recorded)
		r = depend_forget(&c->needs, to->lxcpath, to->name, &e);
	if (r < 0) {
		auto_free char *why = err_line(e);

		log_warn(&to->log, "not all of %s could be removed again: %s", c->place, why ? why : "");
	}
}

static int make(struct copying *c)
{
	struct call *to = c->to;
	int r;

	(void)throwaway_collect(to->lxcpath, to->name);
	r = of_source(c, open_source(c));
	if (r == 0)
		r = (c->place = strdup(to->dir)) ? 0 : err_no_memory(&to->e);
	if (r == 0)
		r = check_target(c);
	if (r == 0)
		r = without_root(c);
	if (r == 0)
		r = take_place(c);
	if (r == 0)
		r = fill(c);
	if (r == 0 && partial_end(c->at.dir) < 0)
		r = err_set(&to->e, errno, NULL, "cannot remove the marker of the copy");
	thaw(c);
	if (r < 0)
		undo(c, to->name);
	return r;
}

#define COPYING_INIT(source, target, what)                                                             \
	{                                                                                              \
		.from = (source), .to = (target), .how = (what), .at = STAGE_INIT, .use = -EBADF, .old = -EBADF, \
		.frozen = FREEZE_HOLD_INIT                                                             \
	}

int copy_make(struct call *from, struct call *to, const struct copy *how)
{
	auto_copying struct copying c = COPYING_INIT(from, to, how);
	int r = make(&c);

	if (r == 0) {
		handle_lock(to->h);
		handle_set_conf(to->h, take_ptr(c.conf));
		handle_unlock(to->h);
	}
	return r;
}

/* in the place of another */

/* What a container consists of; all else in its directory is somebody's own. */
static bool is_part(const char *entry)
{
	static const char *const parts[] = { ".",	"..",	   CONFIG,	 "rootfs",     "rootdev",
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
	auto_closedir DIR *d = NULL;
	int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		fd_close(fd);
		return err_set(e, errno, NULL, "cannot read the directory that was replaced");
	}
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
	auto_free char *file = path_join(place, CONFIG);
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
	return save(c);
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
		r = of_source(c, open_source(c));
	if (r == 0)
		r = (c->place = path_join(to->lxcpath, staging)) ? 0 : err_no_memory(&to->e);
	if (r == 0)
		r = without_root(c);
	if (r == 0)
		r = stage_copy(c, staging);
	if (r == 0)
		r = fill(c);
	if (r == 0)
		r = name_finally(c);
	if (r == 0)
		r = keep(c);
	if (r == 0)
		r = exchange(c, staging);
	thaw(c);
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

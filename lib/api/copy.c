/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "copying.h"

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
#include "resume.h"
#include "retarget.h"
#include "stage.h"
#include "storage/identity.h"
#include "throwaway.h"
#include "use.h"


void copying_done(struct copying *c)
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
/* An error of the source is one of the copy. */
int copying_of_source(struct copying *c, int r)
{
	if (r < 0 && c->from != c->to && c->from->e) {
		err_move(&c->to->e, c->from->e);
		c->from->e = NULL;
	}
	return r;
}

/* the source */

void copying_thaw(struct copying *c)
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

int copying_open(struct copying *c)
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

int copying_conf(struct copying *c)
{
	struct call *to = c->to;
	auto_conf struct conf *conf = NULL;
	/* A copy of the source's, to be taken apart. */
	int r = call_copy_conf(c->from, &conf);

	if (r == 0 && !conf)
		r = call_need_conf(c->from, &conf);
	if (r < 0)
		return copying_of_source(c, r);
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

int copying_save(struct copying *c)
{
	return dir_save_config(c->to, c->conf, c->at.dir, COPYING_CONFIG, false);
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
	return copying_save(c);
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
	unsigned v = (c->how->into_snaps ? STORAGE_INTO_SNAPS : 0) | (c->keep ? STORAGE_RESUME : 0);

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

static struct storage_copy storage_request(const struct copying *c)
{
	return (struct storage_copy){
		.from = c->source,
		.from_dir = c->from->dir,
		.from_name = c->from->name,
		.to_name = c->to->name,
		.to = c->conf,
		.to_dir = c->place,
		.type = c->how->type,
		.spec = &c->how->spec,
		.flags = storage_flags(c),
		.progress = c->how->progress,
	};
}

static int copy_root(struct copying *c)
{
	struct call *to = c->to;
	struct storage_copy s = storage_request(c);
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
		r = copying_save(c);
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
		r = strv_addf(&env, "LXC_CONFIG_FILE=%s/" COPYING_CONFIG, c->place);
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

/* 1: there is what an interrupted copy has left, and that is wanted. */
static int check_target(struct copying *c)
{
	struct call *to = c->to;
	struct stat st;
	int r = c->how->resume ? resume_check(c) : 0;

	if (r != 0)
		return r;
	r = partial_check(to->dir, to->name, to->lxcpath, &to->e);
	if (r == 0 && lstat(to->dir, &st) == 0)
		r = call_is_defined(to) ? err_container_exists(&to->e, to->name, to->lxcpath) :
					  err_set(&to->e, EEXIST, NULL, "%s exists already", to->dir);
	return r;
}

/* What is copied file by file is not thrown away, where it may be gone on with. */
static int decide_keeping(struct copying *c)
{
	struct storage_copy s = storage_request(c);
	struct call *to = c->to;
	const char *type;
	int r;

	if (!c->how->resume || !c->source->rootfs_path.v)
		return 0;
	r = storage_copy_is_tree(&s, &c->keep, &type, &to->log, &to->e);
	if (r == 0 && !c->keep && partial_state(to->dir) == PARTIAL_STALE)
		r = err_copy_type_not_resumable(&to->e, to->name, to->lxcpath, type);
	return r;
}

static int take_place(struct copying *c)
{
	struct call *to = c->to;
	auto_lock int lock = call_disk_lock(to);
	int r = lock < 0 ? lock : stage_open_parent(to, &c->at);

	c->at.of_lxcpath = c->from->lxcpath;
	c->at.of_name = c->from->name;
	if (r == 0)
		r = check_target(c);
	if (r == 1)
		r = resume_take(c);
	else if (r == 0)
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
	return copying_of_source(c, r);
}

/* A quota is no part of the data: a copy gets that of its source, what is put in the place of another that of the other. */
static uint64_t wanted_limit(struct copying *c)
{
	struct call *to = c->to;
	auto_conf struct conf *replaced = NULL;

	if (c->old < 0)
		return storage_limit(c->source);
	if (call_read_conf(to, to->configfile, &replaced) < 0) {
		err_free(take_ptr(to->e));
		return 0;
	}
	return storage_limit(replaced);
}

/* bytes 0: lifted, so that what uses it up can be given an identity all the same. */
static void set_limit(struct copying *c, uint64_t bytes)
{
	struct call *to = c->to;
	auto_err struct err *e = NULL;

	if (storage_limit(c->conf) == bytes || storage_resize(c->conf, c->place, bytes, &e) == 0)
		return;
	auto_free char *why = err_line(e);

	log_warn(&to->log, "%s has not the limit of its size that it should have: %s", to->name, why ? why : "");
}

static int fill(struct copying *c)
{
	uint64_t bytes = wanted_limit(c);
	int r = copy_root(c);

	if (r == 0)
		set_limit(c, 0);
	if (r == 0)
		r = check_still(c);
	if (r == 0)
		r = finish_conf(c);
	/* The source has been read. */
	copying_thaw(c);
	if (r == 0)
		r = in_root(c);
	if (r == 0)
		set_limit(c, bytes);
	if (r == 0 && c->how->finish)
		r = c->how->finish(c->to, c->at.dir, c->how->arg);
	return r;
}

/* What a program makes for a copy that was killed is not there yet when somebody removes the rest. */
int copying_fill(struct copying *c)
{
	int before = storage_hold(c->at.marker), r = fill(c);

	(void)storage_hold(before);
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
	if (c->keep) {
		log_warn(&to->log, "what there is of %s is kept: the same command with --resume goes on with it, "
			 "lxc-destroy removes it", to->name);
		return;
	}
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
	r = copying_of_source(c, copying_open(c));
	if (r == 0)
		r = (c->place = strdup(to->dir)) ? 0 : err_no_memory(&to->e);
	if (r == 0)
		r = MIN(check_target(c), 0);
	if (r == 0)
		r = copying_conf(c);
	if (r == 0)
		r = decide_keeping(c);
	if (r == 0)
		r = take_place(c);
	if (r == 0)
		r = copying_fill(c);
	if (r == 0)
		r = partial_complete(c->at.dir, &to->e);
	copying_thaw(c);
	if (r < 0)
		undo(c, to->name);
	return r;
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


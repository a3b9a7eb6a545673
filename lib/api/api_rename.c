/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_rename - another name for a container. Two things change, the name of the directory and the paths in
 * the configuration; the second waits in a file that only counts in a directory of the new name, so that
 * there is no instant at which the two do not fit. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"
#include "config/writer.h"
#include "copy.h"
#include "handle.h"
#include "hook.h"
#include "lifecycle/client.h"
#include "lifecycle/depend.h"
#include "lifecycle/partial.h"
#include "rename.h"
#include "retarget.h"
#include "storage/identity.h"
#include "storage/storage.h"
#include "throwaway.h"
#include "use.h"
#include "vtable.h"

#define CONFIG "config"
#define PENDING_PREFIX ".config.for."

struct renaming {
	struct call *k;		/* under the old name */
	struct call to;		/* under the new one */
	struct conf *old, *conf;	/* owned */
	int parent, dir;
	struct strv needs;
	char *pending;		/* owned */
	size_t hook;		/* the one that runs, counted from 1; 0: all */
	bool recorded;
};

static void renaming_done(struct renaming *m)
{
	conf_free(m->old);
	conf_free(m->conf);
	fd_close(m->parent);
	use_end(m->dir);
	strv_done(&m->needs);
	free(m->pending);
}
#define auto_renaming __attribute__((cleanup(renaming_done)))

static char *pending_name(const char *name)
{
	char *s = NULL;

	return asprintf(&s, PENDING_PREFIX "%s", name) < 0 ? NULL : s;
}

void rename_settle(struct call *k)
{
	auto_free char *pending = pending_name(k->name), *path = pending ? path_join(k->dir, pending) : NULL;
	auto_close int dir = -EBADF;
	struct stat st;

	if (!path || lstat(path, &st) < 0)
		return;
	dir = open(k->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Whoever is between the two steps does the same. */
	if (dir >= 0 && renameat(dir, pending, dir, CONFIG) == 0)
		(void)fsync(dir);
}

/* What forbids another name. */
static int check(struct renaming *m)
{
	struct call *k = m->k;
	auto_strv struct strv users = { 0 };
	auto_free char *list = NULL, *snaps = NULL;
	enum lxc_state state;
	struct stat st;
	int r = call_state(k, &state);

	if (r == 0 && state != STATE_STOPPED)
		r = err_rename_running(&k->e, k->name);
	if (r == 0)
		r = partial_check(k->dir, k->name, k->lxcpath, &k->e);
	if (r == 0 && !call_is_defined(k))
		r = err_container_unknown(&k->e, k->name, k->lxcpath);
	if (r == 0 && lstat(m->to.dir, &st) == 0)
		r = err_container_exists(&k->e, m->to.name, k->lxcpath);
	if (r == 0)
		r = depend_users(k->dir, &users, &k->e);
	if (r < 0)
		return r;
	list = users.n ? strv_join(&users, ", ") : NULL;
	if (users.n)
		return list ? err_clones_exist(&k->e, k->name, list) : err_no_memory(&k->e);
	/* Every snapshot names its place too. */
	snaps = path_join(k->dir, "snaps");
	if (!snaps)
		return err_no_memory(&k->e);
	if (rmdir(snaps) < 0 && (errno == ENOTEMPTY || errno == EEXIST))
		return err_snapshots_exist(&k->e, k->name, snaps);
	return 0;
}

/* With owner and mode of the file whose place it takes. */
static int save_pending(struct renaming *m)
{
	struct call *k = m->k;
	struct stat st;
	int r;

	if (fstatat(m->dir, CONFIG, &st, 0) < 0)
		return err_set(&k->e, errno, NULL, "cannot stat %s", k->configfile);
	r = conf_save(m->conf, m->dir, m->pending, st.st_mode & 07777, true, &k->e);
	if (r < 0)
		return err_wrap(&k->e, r, "saving the configuration in %s", k->dir);
	if ((st.st_uid != geteuid() || st.st_gid != getegid()) &&
	    fchownat(m->dir, m->pending, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		log_warn(&k->log, "%s changed its owner when it was saved", k->configfile);
	return r;
}

static int write_pending(struct renaming *m)
{
	struct call *k = m->k, *to = &m->to;
	auto_conf struct conf *conf = NULL;
	int r = call_need_conf(k, &m->old);

	if (r == 0)
		r = hook_check(k, m->old, HOOK_CLONE);
	if (r == 0)
		r = call_read_conf(k, k->configfile, &conf);
	if (r == 0)
		r = conf_clear_item(conf, "lxc.uts.name", NULL, &k->e);
	if (r == 0)
		r = conf_set_item(conf, "lxc.uts.name", to->name, NULL, &k->e);
	if (r == 0)
		r = retarget_move(conf, k->dir, to->dir, &k->e);
	if (r < 0)
		return r;
	r = retarget_reread(to, conf, &m->conf);
	if (r < 0) {
		err_move(&k->e, take_ptr(to->e));
		return r;
	}
	m->pending = pending_name(to->name);
	if (!m->pending)
		return err_no_memory(&k->e);
	return save_pending(m);
}

static int move(struct renaming *m)
{
	struct call *k = m->k;
	int r = depend_needs(k->dir, &m->needs, &k->e);

	if (r == 0 && m->needs.n) {
		m->recorded = true;
		r = depend_record(&m->needs, k->lxcpath, m->to.name, &k->e);
	}
	if (r < 0)
		return r;
	if (renameat2(m->parent, k->name, m->parent, m->to.name, RENAME_NOREPLACE) < 0)
		return errno == EEXIST ? err_container_exists(&k->e, m->to.name, k->lxcpath) :
					 err_set(&k->e, errno, NULL, "cannot rename %s", k->dir);
	(void)fsync(m->parent);
	if (renameat(m->dir, m->pending, m->dir, CONFIG) < 0)
		return err_set(&k->e, errno, NULL, "cannot rename %s/%s", m->to.dir, m->pending);
	(void)fsync(m->dir);
	return 0;
}

static int name_root(int rootfd, void *arg, struct err **e)
{
	struct renaming *m = arg;
	struct identity id = { .hostname = m->to.name, .old_hostname = m->old->uts_name.v };

	return identity_reset(rootfd, &id, &m->k->log, e);
}

static int run_hooks(int rootfd, void *arg, struct err **e)
{
	struct renaming *m = arg;
	auto_strv struct strv env = { 0 };
	struct hook_run run = { .kind = HOOK_CLONE, .env = &env, .root = rootfd, .only = m->hook };
	int r = strv_addf(&env, "LXC_SRC_NAME=%s", m->k->name);

	if (r == 0 && rootfd < 0 && m->conf->rootfs_path.v)
		r = strv_addf(&env, "LXC_ROOTFS_MOUNT=%s", m->conf->rootfs_path.v);
	if (r < 0)
		return err_no_memory(e);
	return hook_run_all(&m->to, m->conf, &run, e);
}

static int run_all_hooks(struct renaming *m, struct err **e)
{
	const struct conf *c = m->conf;
	bool plain = !conf_is_mapped(c) && (!c->rootfs_type.v || STREQ(c->rootfs_type.v, "dir"));
	int r = 0;

	/* A directory is worked on where it is. */
	if (!c->rootfs_path.v || plain)
		return run_hooks(-1, m, e);
	/* A mount can be attached once. */
	for (m->hook = 1; m->hook <= c->hooks[HOOK_CLONE].n && r == 0; m->hook++)
		r = storage_with_root(c, &m->k->log, run_hooks, m, e);
	return r;
}

/* It has its new name; what fails now is told, and mended by hand. */
static void follow_up(struct renaming *m)
{
	struct call *k = m->k;
	auto_err struct err *e = NULL;
	int r = m->needs.n ? depend_forget(&m->needs, k->lxcpath, k->name, &e) : 0;

	if (r == 0 && m->conf->rootfs_path.v)
		r = storage_with_root(m->conf, &k->log, name_root, m, &e);
	if (r == 0)
		r = run_all_hooks(m, &e);
	if (r < 0) {
		auto_free char *why = err_line(e);

		log_warn(&k->log, "%s is %s now, but not all of it knows: %s", k->name, m->to.name,
			 why ? why : "out of memory");
	}
	client_forget(k->lxcpath, k->name);
}

static int rename_to(struct call *k, struct lxc_container *target)
{
	auto_renaming struct renaming m = { .k = k, .parent = -EBADF, .dir = -EBADF };
	auto_lock int lock = -EBADF;
	int r;

	if (!call_begin(&m.to, target))
		return err_no_memory(&k->e);
	(void)throwaway_collect(m.to.lxcpath, m.to.name);
	r = copy_settle(k);
	if (r == 0)
		r = m.dir = use_alone(k);
	lock = r < 0 ? -EBADF : call_disk_lock(k);
	if (r >= 0)
		r = lock < 0 ? lock : check(&m);
	if (r == 0) {
		m.parent = open(k->lxcpath, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = m.parent < 0 ? err_set(&k->e, errno, NULL, "cannot open %s", k->lxcpath) : write_pending(&m);
	}
	if (r == 0)
		r = move(&m);
	if (r == 0)
		follow_up(&m);
	if (r < 0 && m.pending && access(k->dir, F_OK) == 0) {
		(void)unlinkat(m.dir, m.pending, 0);
		if (m.recorded)
			(void)depend_forget(&m.needs, k->lxcpath, m.to.name, NULL);
	}
	return call_drop(&m.to, r);
}

bool api_rename(struct lxc_container *c, const char *newname)
{
	struct handle *h = NULL;
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return false;
	r = newname ? name_check(newname, &k.e) : err_name_invalid(&k.e, "", "it is empty");
	if (r == 0) {
		h = handle_new(newname, k.lxcpath);
		r = h ? rename_to(&k, &h->pub) : err_no_memory(&k.e);
	}
	if (h)
		(void)lxc_container_put(&h->pub);
	return call_end(&k, r, "cannot rename %s to %s", k.name, newname ? newname : "") == 0;
}

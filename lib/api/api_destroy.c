/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_destroy - deleting a container: hooks, storage, then the directory with the configuration last,
 * so that what a killed destroy leaves is still listed and can be destroyed again. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "copy.h"
#include "handle.h"
#include "lifecycle/client.h"
#include "hook.h"
#include "kernel/idmap.h"
#include "lifecycle/depend.h"
#include "lifecycle/partial.h"
#include "lifecycle/removal.h"
#include "storage/storage.h"
#include "snapshots.h"
#include "use.h"
#include "vtable.h"

#define SNAPSHOTS "snaps"
#define BUSY_TRIES 100
#define BUSY_STEP_MS 10

/* Entries of a directory, "." and ".." not counted: 0 also when there is none. */
static size_t count_entries(int dirfd, const char *name)
{
	auto_closedir DIR *d = io_opendir(dirfd, name);
	size_t n = 0;

	if (!d)
		return 0;
	for (const struct dirent *ent = readdir(d); ent; ent = readdir(d))
		n += !STREQ(ent->d_name, ".") && !STREQ(ent->d_name, "..");
	return n;
}

static int check_dependents(struct call *k, int dirfd)
{
	auto_free char *path = path_join(k->dir, SNAPSHOTS), *list = NULL;
	auto_strv struct strv users = { 0 };
	int r = path ? snapshots_drop_begun(k, path) : err_no_memory(&k->e);

	if (r < 0)
		return r;
	if (count_entries(dirfd, SNAPSHOTS))
		return err_snapshots_exist(&k->e, k->name, path);
	r = depend_users(k->dir, &users, &k->e);
	if (r < 0)
		return r;
	if (users.n) {
		list = strv_join(&users, ", ");
		return list ? err_clones_exist(&k->e, k->name, list) : err_no_memory(&k->e);
	}
	return 0;
}

static int open_dir(struct call *k, int *ret_parent)
{
	auto_close int parent = open(k->lxcpath, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -EBADF;

	if (parent < 0)
		return err_set(&k->e, errno, NULL, "cannot open %s", k->lxcpath);
	fd = openat(parent, k->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR)) {
		struct stat st;

		if (fstatat(parent, k->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
			return err_container_dir_symlink(&k->e, k->dir);
		return err_container_unknown(&k->e, k->name, k->lxcpath);
	}
	if (fd < 0)
		return errno == ENOENT ? err_container_unknown(&k->e, k->name, k->lxcpath) :
					 err_set(&k->e, errno, NULL, "cannot open %s", k->dir);
	*ret_parent = take_fd(&parent);
	return take_fd(&fd);
}

static int destroy_files(struct call *k, const struct conf *conf, int parent, int dirfd)
{
	struct removal m = { .lxcpath = k->lxcpath, .name = k->name, .dir = k->dir, .conf = conf, .log = &k->log };

	if (conf) {
		struct hook_run hooks = { .kind = HOOK_DESTROY, .root = -1 };
		int r = hook_check(k, conf, HOOK_DESTROY);

		if (r == 0)
			r = hook_run_all(k, conf, &hooks, &k->e);
		if (r < 0)
			return r;
		/* The administrator manages this one: LXC's hooks have run, and that is all. */
		if (!conf->rootfs_managed.v)
			return 0;
	}
	return removal_run(&m, parent, dirfd, &k->e);
}

/* The configuration of what is to be destroyed; NULL for the remains of an interrupted create, whose
 * configuration need not even load. */
static int conf_to_destroy(struct call *k, enum partial partial, struct conf **ret)
{
	int r = call_copy_conf(k, ret);

	if (r < 0 || *ret)
		return r;
	if (partial == PARTIAL_STALE)
		return 0;
	return call_need_conf(k, ret);
}

/* The container does not exist, but the beginning of one may: then removing that is what was asked. */
static int destroy_staged(struct call *k)
{
	auto_free char *staging = partial_staging(k->name), *dir = staging ? path_join(k->lxcpath, staging) : NULL;
	auto_close int parent = -EBADF;
	auto_lock int lock = -EBADF;
	struct stat st;

	if (!dir)
		return err_no_memory(&k->e);
	if (lstat(dir, &st) < 0)
		return err_container_unknown(&k->e, k->name, k->lxcpath);
	lock = call_disk_lock(k);
	if (lock < 0)
		return lock;
	/* Creates build it under this lock: now it is nobody's. */
	parent = open(k->lxcpath, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return err_set(&k->e, errno, NULL, "cannot open %s", k->lxcpath);
	return storage_rmtree(parent, staging, &k->e);
}

/* Nothing stands in the way of destroying it. Asked once before
 * anything is waited for, and again when nobody else can change the answer. */
static int check(struct call *k, int dirfd, enum partial *ret_partial)
{
	enum lxc_state state;
	int r;

	*ret_partial = partial_state(k->dir);
	/* What a killed process held goes with the last of its children. */
	for (int i = 0; *ret_partial == PARTIAL_BUSY && i < BUSY_TRIES; i++) {
		(void)poll(NULL, 0, BUSY_STEP_MS);
		*ret_partial = partial_state(k->dir);
	}
	if (!call_is_defined(k) && *ret_partial != PARTIAL_STALE)
		return err_container_unknown(&k->e, k->name, k->lxcpath);
	if (*ret_partial == PARTIAL_BUSY)
		return err_create_busy(&k->e, k->name);
	r = call_state(k, &state);
	if (r == 0 && state != STATE_STOPPED)
		r = err_destroy_running(&k->e, k->name, k->lxcpath);
	return r < 0 ? r : use_alone_fd(k, dirfd);
}

static int nothing(void *arg, struct err **e)
{
	return 0;
}

/* A user removes the files of a mapped container's ids as these ids: not half of it, where he may not have them now. */
static int check_ids(struct call *k, const struct conf *conf, int dirfd)
{
	struct idmap ids = { 0 };
	struct stat st;
	int r;

	if (geteuid() == 0 || !conf || !conf_is_mapped(conf) || !conf->rootfs_managed.v ||
	    fstatat(dirfd, "rootfs", &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_uid == geteuid())
		return 0;
	r = conf_idmap(conf, &ids) < 0 ? err_no_memory(&k->e) : idmap_run(&ids, nothing, NULL, &k->e);
	idmap_done(&ids);
	return err_wrap(&k->e, r, "taking the ids of its files");
}

static int destroy(struct call *k)
{
	auto_close int parent = -EBADF;
	auto_use int dirfd = -EBADF;
	auto_lock int lock = -EBADF;
	auto_conf struct conf *conf = NULL;
	enum partial partial;
	int r = copy_settle(k);

	if (r < 0)
		return r;
	dirfd = open_dir(k, &parent);
	if (dirfd < 0 && err_is(k->e, "container-unknown"))
		return destroy_staged(k);
	if (dirfd < 0)
		return dirfd;
	/* Who was killed at the very end of a removal left an empty directory; nothing else goes in this way. */
	if (!call_is_defined(k) && partial_state(k->dir) == PARTIAL_NONE && unlinkat(parent, k->name, AT_REMOVEDIR) == 0)
		return 0;
	r = check(k, dirfd, &partial);
	if (r < 0)
		return r;
	lock = call_disk_lock(k);
	if (lock < 0)
		return lock;
	r = check(k, dirfd, &partial);
	if (r < 0)
		return r;
	r = conf_to_destroy(k, partial, &conf);
	if (r == 0 && (!conf || conf->rootfs_managed.v))
		r = check_dependents(k, dirfd);
	if (r == 0)
		r = check_ids(k, conf, dirfd);
	return r < 0 ? r : destroy_files(k, conf, parent, dirfd);
}

bool api_destroy(struct lxc_container *c)
{
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return false;
	r = destroy(&k);
	if (r == 0)
		client_forget(k.lxcpath, k.name);
	return call_end(&k, r, "cannot destroy %s", k.name) == 0;
}

bool api_destroy_with_snapshots(struct lxc_container *c)
{
	auto_close int dir = -EBADF;
	struct call k;
	bool none;

	if (!call_begin(&k, c))
		return false;
	dir = open(k.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	none = dir < 0 || !count_entries(dir, SNAPSHOTS);
	(void)call_drop(&k, 0);
	/* LXC fails here when a container never had a snapshot; nobody can want that. */
	if (!none && !api_snapshot_destroy_all(c))
		return false;
	return api_destroy(c);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_snapshot - snapshots: containers in a directory of their own below the one they were taken of. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "copy.h"
#include "dir.h"
#include "handle.h"
#include "lifecycle/depend.h"
#include "lifecycle/partial.h"
#include "snapshots.h"
#include "storage/storage.h"
#include "use.h"
#include "vtable.h"
#include "watch.h"

#define TIMESTAMP "ts"
#define COMMENT "comment"
#define COMMENT_MAX ((size_t)16 << 20)
#define SNAPSHOTS_MAX 1000000
#define TIMESTAMP_MAX 64

/* Where the snapshots of a container are (new): beside the lxcpath if there is such a directory, as very old
 * versions had it, else in the container's own. */
static char *snapshots_dir(const struct call *k)
{
	auto_free char *legacy = NULL, *staging = NULL, *staged = NULL;
	char *dir = NULL;
	struct stat st;

	if (asprintf(&legacy, "%ssnaps", k->lxcpath) < 0) {
		legacy = NULL;
		return NULL;
	}
	if (stat(legacy, &st) == 0 && S_ISDIR(st.st_mode))
		return path_join(legacy, k->name);
	if (asprintf(&dir, "%s/snaps", k->dir) < 0)
		return NULL;
	/* While one is restored there is an instant at which they are still with what is replaced. */
	staging = copy_staging(k->name);
	if (staging && stat(dir, &st) < 0 && asprintf(&staged, "%s/%s/snaps", k->lxcpath, staging) >= 0 &&
	    stat(staged, &st) == 0) {
		free(dir);
		return take_ptr(staged);
	}
	return dir;
}

/* A further call, on the snapshot, of which the first is the outcome. */
static int sub_begin(struct call *k, struct call *sub, struct handle **ret, const char *name, const char *lxcpath)
{
	*ret = handle_new(name, lxcpath);
	return *ret && call_begin(sub, &(*ret)->pub) ? 0 : err_no_memory(&k->e);
}

static int sub_end(struct call *k, struct call *sub, struct handle *h, int r)
{
	if (r < 0 && sub->e) {
		err_move(&k->e, sub->e);
		sub->e = NULL;
	}
	for (size_t i = 0; i < sub->warnings.n; i++)
		if (!strv_has(&k->warnings, sub->warnings.v[i]))
			(void)strv_add(&k->warnings, sub->warnings.v[i]);
	(void)call_drop(sub, 0);
	(void)lxc_container_put(&h->pub);
	return r;
}

static bool is_directory(const struct conf *conf)
{
	return !conf->rootfs_type.v || STREQ(conf->rootfs_type.v, "dir");
}

/* making one */

struct making {
	char *comment;		/* owned; NULL: none */
	size_t comment_len;
};

static int put_file(struct call *to, int dirfd, const char *name, const void *p, size_t n)
{
	return io_replace(dirfd, name, p, n, 0644, &to->e);
}

static int write_facts(struct call *to, int dirfd, void *arg)
{
	const struct making *m = arg;
	char text[TIMESTAMP_MAX];
	time_t now = time(NULL);
	struct tm tm;
	size_t n;
	int r;

	if (!localtime_r(&now, &tm))
		return err_set(&to->e, errno, NULL, "cannot tell the time");
	n = strftime(text, sizeof(text), "%Y:%m:%d %H:%M:%S", &tm);
	r = put_file(to, dirfd, TIMESTAMP, text, n);
	if (r == 0 && m->comment)
		r = put_file(to, dirfd, COMMENT, m->comment, m->comment_len);
	return r;
}

/* The first free number from first on; the name is new. */
static int free_name(struct call *k, const char *dir, unsigned first, unsigned *ret, char **ret_name)
{
	auto_close int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_set(&k->e, errno, NULL, "cannot open %s", dir);
	for (unsigned i = first; i < SNAPSHOTS_MAX; i++) {
		auto_free char *name = NULL;
		struct stat st;

		if (asprintf(&name, "snap%u", i) < 0) {
			name = NULL;
			return err_no_memory(&k->e);
		}
		if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		*ret = i;
		*ret_name = take_ptr(name);
		return 0;
	}
	return err_set(&k->e, ENOSPC, NULL, "%s has no more room for snapshots", dir);
}

static int take_one(struct call *k, const char *dir, const char *name, const struct copy *how)
{
	struct handle *h = NULL;
	struct call to;
	int r = sub_begin(k, &to, &h, name, dir);

	if (r < 0) {
		if (h)
			(void)lxc_container_put(&h->pub);
		return r;
	}
	return sub_end(k, &to, h, copy_make(k, &to, how));
}

static int snapshot(struct call *k, const char *commentfile, const struct storage_progress *progress, int *ret)
{
	auto_free char *dir = NULL, *comment = NULL;
	auto_conf struct conf *conf = NULL;
	struct making m = { 0 };
	struct copy how = {
		.flags = LXC_CLONE_KEEPNAME | LXC_CLONE_KEEPMACADDR | LXC_CLONE_KEEPBDEVTYPE |
			 LXC_CLONE_MAYBE_SNAPSHOT | LXC_CLONE_ALLOW_RUNNING,
		.keep_identity = true,
		.into_snaps = true,
		.progress = progress,
		.finish = write_facts,
		.arg = &m,
	};
	auto_use int use = -EBADF;
	unsigned n = 0;
	int r = copy_settle(k);

	/* From here on it has this name. */
	if (r == 0)
		r = use = use_shared(k);
	if (r >= 0)
		r = call_need_conf(k, &conf);
	if (r == 0 && !call_is_defined(k))
		r = err_container_unknown(&k->e, k->name, k->lxcpath);
	if (r == 0 && conf->rootfs_path.v && !storage_can_backup(conf))
		r = err_snapshot_unsupported(&k->e, k->name);
	if (r == 0 && commentfile)
		r = io_read_file(AT_FDCWD, commentfile, COMMENT_MAX, &comment, &m.comment_len, &k->e);
	if (r < 0)
		return r;
	m.comment = comment;
	if (!is_directory(conf))
		how.flags |= LXC_CLONE_SNAPSHOT;
	dir = snapshots_dir(k);
	r = dir ? dir_make_path(dir, &k->e) : err_no_memory(&k->e);
	for (; r == 0; n++) {
		auto_free char *name = NULL;

		r = free_name(k, dir, n, &n, &name);
		if (r == 0)
			r = take_one(k, dir, name, &how);
		/* Somebody else was faster. */
		if (r < 0 && (err_is(k->e, "container-exists") || err_is(k->e, "create-busy"))) {
			err_free(take_ptr(k->e));
			r = 0;
			continue;
		}
		break;
	}
	*ret = (int)n;
	return r;
}

static int take(struct lxc_container *c, const char *commentfile, const struct storage_progress *progress)
{
	struct call k;
	int n = -1, r;

	if (!call_begin(&k, c))
		return -EINVAL;
	r = snapshot(&k, commentfile, progress, &n);
	r = call_end(&k, r, "cannot make a snapshot of %s", k.name);
	return r < 0 ? r : n;
}

int api_snapshot(struct lxc_container *c, const char *commentfile)
{
	int r = take(c, commentfile, NULL);

	return r < 0 ? -1 : r;
}

attr_public int lxcext_snapshot(struct lxc_container *c, const char *commentfile, const struct lxcext_copy *how)
{
	struct lxcext_copy own;
	struct watch w;

	if (!how)
		return take(c, commentfile, NULL);
	return watch_take(&own, how) ? take(c, commentfile, watch_init(&w, &own)) : -EINVAL;
}

/* those there are */

static void free_snapshot(struct lxc_snapshot *s)
{
	free(s->name);
	free(s->comment_pathname);
	free(s->timestamp);
	free(s->lxcpath);
}

static int add_snapshot(struct call *k, const char *dir, const char *name, struct lxc_snapshot *s)
{
	auto_free char *own = path_join(dir, name), *ts = own ? path_join(own, TIMESTAMP) : NULL;

	if (!ts)
		return err_no_memory(&k->e);
	*s = (struct lxc_snapshot){
		.name = strdup(name),
		.comment_pathname = path_join(own, COMMENT),
		.lxcpath = strdup(dir),
		.free = free_snapshot,
	};
	if (!s->name || !s->comment_pathname || !s->lxcpath) {
		free_snapshot(s);
		return err_no_memory(&k->e);
	}
	if (partial_state(own) == PARTIAL_NONE)
		(void)io_read_file(AT_FDCWD, ts, TIMESTAMP_MAX, &s->timestamp, NULL, NULL);
	return 0;
}

/* True for a directory with a configuration, but for one that is just being made. */
static bool is_snapshot(int dirfd, const char *dir, const char *name)
{
	auto_free char *own = path_join(dir, name);
	char file[NAME_MAX + sizeof("/config")];
	struct stat st;

	(void)snprintf(file, sizeof(file), "%s/config", name);
	return own && name_check(name, NULL) == 0 && fstatat(dirfd, file, &st, 0) == 0 &&
	       partial_state(own) != PARTIAL_BUSY;
}

/* Their names; -ENOENT without an error when there is no directory of them. */
static int read_names(struct call *k, const char *dir, struct strv *names)
{
	auto_closedir DIR *d = opendir(dir);

	if (!d)
		return errno == ENOENT ? -ENOENT : err_set(&k->e, errno, NULL, "cannot read %s", dir);
	for (const struct dirent *ent = readdir(d); ent; ent = readdir(d))
		if (is_snapshot(dirfd(d), dir, ent->d_name) && strv_add(names, ent->d_name) < 0)
			return err_no_memory(&k->e);
	return 0;
}

static int settle_one(struct call *snap, void *arg)
{
	(void)arg;
	(void)copy_settle(snap);
	err_free(take_ptr(snap->e));
	return 0;
}

/* What a killed lxc-remap left beside a snapshot. The snapshots are opened only where there is something. */
static void settle_snapshots(struct call *k, const char *dir)
{
	auto_closedir DIR *d = opendir(dir);
	bool found = false;

	for (const struct dirent *ent = d ? readdir(d) : NULL; ent && !found; ent = readdir(d))
		found = *ent->d_name == '.' && str_ends(ent->d_name, COPY_STAGING_SUFFIX);
	if (found && snapshots_each(k, settle_one, NULL) < 0)
		err_free(take_ptr(k->e));
}

static int list(struct call *k, struct lxc_snapshot **ret)
{
	auto_free char *dir = NULL;
	auto_strv struct strv names = { 0 };
	struct lxc_snapshot *v = NULL;
	size_t n = 0;
	int r;

	if (!call_is_defined(k))
		return err_container_unknown(&k->e, k->name, k->lxcpath);
	/* An ordinary user's look at it does not depend on being able to tidy up. */
	(void)copy_settle(k);
	err_free(take_ptr(k->e));
	dir = snapshots_dir(k);
	if (!dir)
		return err_no_memory(&k->e);
	settle_snapshots(k, dir);
	r = read_names(k, dir, &names);
	if (r < 0)
		return r == -ENOENT && !k->e ? 0 : r;
	if (names.n > INT_MAX / 2)
		return err_set(&k->e, E2BIG, NULL, "there are too many snapshots in %s", dir);
	v = names.n ? calloc(names.n, sizeof(*v)) : NULL;
	if (names.n && !v)
		return err_no_memory(&k->e);
	for (; n < names.n && r == 0; n++)
		r = add_snapshot(k, dir, names.v[n], &v[n]);
	if (r < 0) {
		for (size_t i = 0; i + 1 < n; i++)
			free_snapshot(&v[i]);
		free(v);
		return r;
	}
	*ret = v;
	return (int)n;
}

int api_snapshot_list(struct lxc_container *c, struct lxc_snapshot **snapshots)
{
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return -1;
	r = snapshots ? list(&k, snapshots) : err_set(&k.e, EINVAL, NULL, "there is no place for the list");
	r = call_end(&k, r, "cannot list the snapshots of %s", k.name);
	return r < 0 ? -1 : r;
}

/* something done to all */

int snapshots_each(struct call *k, int (*fn)(struct call *snap, void *arg), void *arg)
{
	auto_free char *dir = snapshots_dir(k);
	auto_strv struct strv names = { 0 };
	int r = dir ? read_names(k, dir, &names) : err_no_memory(&k->e);

	if (r < 0)
		return r == -ENOENT && !k->e ? 0 : r;
	strv_sort(&names);
	for (size_t i = 0; i < names.n && r == 0; i++) {
		auto_free char *own = path_join(dir, names.v[i]);
		struct handle *h = NULL;
		struct call snap;

		if (!own)
			return err_no_memory(&k->e);
		if (partial_state(own) != PARTIAL_NONE)
			continue;
		r = sub_begin(k, &snap, &h, names.v[i], dir);
		if (r == 0)
			r = sub_end(k, &snap, h, fn(&snap, arg));
		else if (h)
			(void)lxc_container_put(&h->pub);
	}
	return r;
}

/* restoring one */

static int check_snapshot(struct call *k, const struct call *snap)
{
	if (!call_is_defined(snap))
		return err_snapshot_unknown(&k->e, snap->name, k->name);
	return partial_state(snap->dir) != PARTIAL_NONE ? err_snapshot_partial(&k->e, snap->name, k->name) : 0;
}

static int restore_as(struct call *k, struct call *snap, const char *newname, const struct copy *how)
{
	struct handle *h = NULL;
	struct call to;
	int r = sub_begin(k, &to, &h, newname, k->lxcpath);

	if (r < 0) {
		if (h)
			(void)lxc_container_put(&h->pub);
		return r;
	}
	return sub_end(k, &to, h, copy_make(snap, &to, how));
}

static int restore_from(struct call *k, struct call *snap, const char *newname, const struct storage_progress *progress)
{
	bool in_place = !newname || STREQ(newname, k->name);
	struct copy how = { .flags = LXC_CLONE_KEEPBDEVTYPE, .progress = progress };
	auto_conf struct conf *conf = NULL;
	int r = check_snapshot(k, snap);

	if (r < 0)
		return r;
	r = call_need_conf(snap, &conf);
	if (r < 0) {
		err_move(&k->e, take_ptr(snap->e));
		return r;
	}
	if (!is_directory(conf))
		how.flags |= LXC_CLONE_SNAPSHOT | LXC_CLONE_MAYBE_SNAPSHOT;
	if (!in_place)
		return restore_as(k, snap, newname, &how);
	/* It is the same machine as before: name, addresses and ids are those that it had. */
	how.flags |= LXC_CLONE_KEEPNAME | LXC_CLONE_KEEPMACADDR;
	how.keep_identity = true;
	return copy_replace(snap, k, &how);
}

static int restore(struct call *k, const char *name, const char *newname, const struct storage_progress *progress)
{
	auto_strv struct strv users = { 0 };
	auto_free char *dir = NULL, *text = NULL;
	auto_use int use = -EBADF;
	struct handle *h = NULL;
	struct call snap;
	int r = copy_settle(k);

	if (r == 0)
		r = name_check(name, &k->e);
	if (r == 0 && newname)
		r = name_check(newname, &k->e);
	/* Another container takes nothing away from those, and wants the snapshot to keep its path. */
	if (r == 0 && (!newname || STREQ(newname, k->name)))
		r = depend_users(k->dir, &users, &k->e);
	else if (r == 0)
		r = use_if_there(k, &use);
	if (r < 0)
		return r;
	if (users.n) {
		text = strv_join(&users, ", ");
		return text ? err_clones_exist(&k->e, k->name, text) : err_no_memory(&k->e);
	}
	dir = snapshots_dir(k);
	r = dir ? sub_begin(k, &snap, &h, name, dir) : err_no_memory(&k->e);
	if (r < 0) {
		if (h)
			(void)lxc_container_put(&h->pub);
		return r;
	}
	return sub_end(k, &snap, h, restore_from(k, &snap, newname, progress));
}

static int put_back(struct lxc_container *c, const char *snapname, const char *newname,
		    const struct storage_progress *progress)
{
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return -EINVAL;
	r = snapname ? restore(&k, snapname, newname, progress) : err_name_invalid(&k.e, "", "it is empty");
	return call_end(&k, r, "cannot restore snapshot %s of %s", snapname ? snapname : "", k.name);
}

bool api_snapshot_restore(struct lxc_container *c, const char *snapname, const char *newname)
{
	return put_back(c, snapname, newname, NULL) == 0;
}

attr_public int lxcext_snapshot_restore(struct lxc_container *c, const char *snapname, const char *newname,
					const struct lxcext_copy *how)
{
	struct lxcext_copy own;
	struct watch w;

	if (!how)
		return put_back(c, snapname, newname, NULL);
	return watch_take(&own, how) ? put_back(c, snapname, newname, watch_init(&w, &own)) : -EINVAL;
}

/* destroying them */

/* One whose maker was killed before it had its name. 1: it is gone; 0: there was none. */
static int drop_begun(struct call *k, const char *dir, const char *name)
{
	auto_free char *staging = partial_staging(name), *own = staging ? path_join(dir, staging) : NULL;
	auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int r;

	if (!own || fd < 0 || lstat(own, &st) < 0 || partial_state(own) == PARTIAL_BUSY)
		return 0;
	r = storage_rmtree(fd, staging, &k->e);
	return r < 0 ? r : 1;
}

static int destroy_one(struct call *k, const char *dir, const char *name)
{
	struct handle *h = handle_new(name, dir);
	struct stat st;
	int r = 0;

	if (!h)
		return err_no_memory(&k->e);
	if (stat(h->pub.configfile, &st) < 0) {
		auto_free char *own = path_join(dir, name);

		/* What an interrupted one left need not have a configuration, nor its name. */
		if (!own || partial_state(own) == PARTIAL_NONE) {
			r = drop_begun(k, dir, name);
			if (r == 0)
				r = err_snapshot_unknown(&k->e, name, k->name);
			(void)lxc_container_put(&h->pub);
			return MIN(r, 0);
		}
	}
	if (!api_destroy(&h->pub)) {
		handle_lock(h);
		err_move(&k->e, take_ptr(h->error));
		handle_unlock(h);
		r = k->e && k->e->num > 0 ? -k->e->num : -EIO;
	}
	(void)lxc_container_put(&h->pub);
	return r;
}

static int destroy_named(struct call *k, const char *name)
{
	auto_free char *dir = NULL;
	auto_use int use = -EBADF;
	int r = name_check(name, &k->e);

	if (r == 0)
		r = copy_settle(k);
	/* Until it is gone it has this path. */
	if (r == 0)
		r = use_if_there(k, &use);
	if (r < 0)
		return r;
	dir = snapshots_dir(k);
	return dir ? destroy_one(k, dir, name) : err_no_memory(&k->e);
}

bool api_snapshot_destroy(struct lxc_container *c, const char *snapname)
{
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return false;
	r = snapname ? destroy_named(&k, snapname) : err_name_invalid(&k.e, "", "it is empty");
	return call_end(&k, r, "cannot destroy snapshot %s of %s", snapname ? snapname : "", k.name) == 0;
}

int snapshots_drop_begun(struct call *k, const char *dir)
{
	auto_closedir DIR *d = io_opendir(AT_FDCWD, dir);
	int r = 0;

	for (const struct dirent *ent = d ? readdir(d) : NULL; ent && r == 0; ent = readdir(d)) {
		auto_free char *name = partial_staged(ent->d_name), *own = path_join(dir, ent->d_name);

		if (name && own && partial_state(own) != PARTIAL_BUSY)
			r = storage_rmtree(dirfd(d), ent->d_name, &k->e);
	}
	return r;
}

static int destroy_all(struct call *k)
{
	auto_strv struct strv names = { 0 };
	auto_free char *dir = NULL;
	auto_use int use = -EBADF;
	int r = copy_settle(k);

	if (r == 0)
		r = use_if_there(k, &use);
	if (r < 0)
		return r;
	dir = snapshots_dir(k);
	if (!dir)
		return err_no_memory(&k->e);
	r = read_names(k, dir, &names);
	if (r == -ENOENT && !k->e)
		return err_set(&k->e, ENOENT, NULL, "%s has no snapshots", k->name);
	for (size_t i = 0; i < names.n && r == 0; i++)
		r = destroy_one(k, dir, names.v[i]);
	if (r == 0)
		r = snapshots_drop_begun(k, dir);
	if (r == 0 && rmdir(dir) < 0)
		r = err_set(&k->e, errno, NULL, "cannot remove %s", dir);
	return r;
}

bool api_snapshot_destroy_all(struct lxc_container *c)
{
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return false;
	r = destroy_all(&k);
	return call_end(&k, r, "cannot destroy the snapshots of %s", k.name) == 0;
}

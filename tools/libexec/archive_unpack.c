/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* archive_unpack - an archive into the directory of a container that is being created, as its template:
 * what is here is marked as incomplete until we end well, and is removed if we do not. The archive may
 * have been made by anybody. Its trees arrive in the order of a walk, each directory behind what it holds;
 * so every directory is made by us when its first entry comes, is known by its descriptor alone, and is
 * never entered again once it is complete: no name in the archive is ever resolved as a path, but for the
 * first name of a hard link, which is looked up beneath the root without following any link. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "archive_unpack.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/host.h"
#include "storage/identity.h"


static void leave(struct unpack *u, size_t n)
{
	while (u->n > n) {
		fd_close(u->v[--u->n].fd);
		free(u->v[u->n].name);
	}
}

static void unpack_done(struct unpack *u)
{
	leave(u, 0);
	VEC_DONE(u);
	fd_close(u->dir);
	free(u->old_name);
	free(u->maps);
	free(u->prefix);
	source_free(u->src);
}
#define auto_unpack __attribute__((cleanup(unpack_done)))

/* ---- small files before the trees */

/* Our own configuration, as create wrote it: what it maps goes for the snapshots too. */
static int read_maps(struct unpack *u, struct err **e)
{
	auto_buf struct buf b = BUF_INIT(ARCHIVE_SMALL_MAX);
	auto_free char *text = NULL;
	int r = io_read_file(u->dir, ARCHIVE_CONFIG, ARCHIVE_SMALL_MAX, &text, NULL, e);

	if (r < 0)
		return r;
	for (const char *at = text; *at;) {
		size_t n = strcspn(at, "\n");

		if (str_after(at, "lxc.idmap"))
			buf_addf(&b, "%.*s\n", (int)n, at);
		at += n + (at[n] == '\n');
	}
	buf_adds(&b, "");
	u->maps = buf_ok(&b) ? strdup(buf_str(&b)) : NULL;
	return u->maps ? 0 : err_no_memory(e);
}

/* Whoever imports goes on working with what is no part of a root: it is his, not the container's. */
static int give(int fd, const struct stat *like)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid == like->st_uid && st.st_gid == like->st_gid)
		return 0;
	return fchown(fd, like->st_uid, like->st_gid) < 0 ? -errno : 0;
}

static int write_file(const struct unpack *u, int dir, const char *name, mode_t mode, const char *text, size_t n,
		      struct err **e)
{
	auto_close int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	int r = fd < 0 ? -errno : io_write_all(fd, text, n);

	if (r == 0)
		r = give(fd, &u->config);
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	if (r == -EEXIST)
		return err_archive_hostile(e, name, "is there already");
	return r < 0 ? err_set(e, -r, NULL, "cannot make %s", name) : 0;
}

/* What the configuration names in the container's directory. */
static int take_file(struct unpack *u, struct archive_entry *entry, const char *name, struct err **e)
{
	static const char *const reserved[] = { "config", "rootfs", "rootdev", "overlay", "partial", "snaps", "ephemeral",
						"lxc_rdepends", "lxc_snapshots", "ts", "comment" };
	auto_free char *text = NULL;
	size_t n;
	int r = name_check(name, NULL);

	for (size_t i = 0; i < ARRAY_SIZE(reserved) && r == 0; i++)
		r = STREQ(name, reserved[i]) ? -EINVAL : 0;
	if (r < 0)
		return unpack_hostile(entry, "is no name for such a file", e);
	r = source_text(u->src, entry, &text, &n, e);
	return r < 0 ? r : write_file(u, u->dir, name, archive_entry_perm(entry) & 0755, text, n, e);
}

static int open_given(int dir, const char *name, const struct stat *like, bool made)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 ? -errno : made ? give(fd, like) : 0;

	return r < 0 ? r : take_fd(&fd);
}

/* The directory of a snapshot, made when its first file comes. */
static int snapshot_dir(struct unpack *u, const char *name, struct err **e)
{
	auto_close int snaps = -EBADF;
	bool made;
	int fd;

	if (mkdirat(u->dir, "snaps", 0755) < 0 && errno != EEXIST)
		return err_set(e, errno, NULL, "cannot make the directory of the snapshots");
	snaps = open_given(u->dir, "snaps", &u->config, true);
	if (snaps < 0)
		return err_set(e, -snaps, NULL, "cannot open the directory of the snapshots");
	made = mkdirat(snaps, name, u->own.st_mode & 0777) == 0;
	if (made) {
		if (++u->snaps > ARCHIVE_SNAPS_MAX)
			return err_archive_hostile(e, name, "is one snapshot more than there may be");
	} else if (errno != EEXIST) {
		return err_set(e, errno, NULL, "cannot make the snapshot %s", name);
	}
	fd = open_given(snaps, name, &u->own, made);
	return fd < 0 ? err_set(e, -fd, NULL, "cannot open the snapshot %s", name) : fd;
}

static int snapshot_config(struct unpack *u, const char *snap, const char *text, struct buf *out, struct err **e)
{
	auto_free char *dir = NULL, *what = NULL;
	struct policy policy = { .name = snap, .maps = u->maps, .trust = u->how->trust };

	if (asprintf(&dir, "%s/snaps/%s", u->how->dir, snap) < 0 ||
	    asprintf(&what, ARCHIVE_SNAPS "%s/" ARCHIVE_CONFIG, snap) < 0)
		return err_no_memory(e);
	policy.dir = dir;
	buf_addf(out, "lxc.rootfs.path = dir:%s/" ARCHIVE_ROOT "\n", dir);
	return policy_apply(&policy, text, what, out, e);
}

/* "NAME/config" and the like, behind "snaps/". */
static int take_snapshot_file(struct unpack *u, struct archive_entry *entry, const char *snap, const char *file,
			      struct err **e)
{
	auto_buf struct buf b = BUF_INIT(2 * ARCHIVE_SMALL_MAX);
	auto_free char *text = NULL;
	auto_close int dir = -EBADF;
	size_t n;
	int r;

	if (!STREQ(file, ARCHIVE_CONFIG) && !STREQ(file, "ts") && !STREQ(file, "comment"))
		return unpack_hostile(entry, "is no part of a snapshot", e);
	r = source_text(u->src, entry, &text, &n, e);
	if (r < 0)
		return r;
	if (strlen(text) != n)
		return unpack_hostile(entry, "holds a zero byte", e);
	dir = snapshot_dir(u, snap, e);
	if (dir < 0)
		return dir;
	if (STREQ(file, ARCHIVE_CONFIG))
		r = snapshot_config(u, snap, text, &b, e);
	else
		buf_add(&b, text, n);
	if (r == 0 && !buf_ok(&b))
		r = err_no_memory(e);
	return r < 0 ? r : write_file(u, dir, file, 0640, buf_str(&b), b.len, e);
}

/* ---- trees */

static int enter(struct unpack *u, int fd, const char *name, struct err **e)
{
	struct level *v = reallocarray(u->v, u->n + 1, sizeof(*v));
	char *copy = strdup(name);

	u->v = v ? v : u->v;
	if (!v || !copy) {
		free(copy);
		fd_close(fd);
		return err_no_memory(e);
	}
	u->v[u->n++] = (struct level){ .fd = fd, .name = copy };
	return 0;
}

static int make_directory(struct unpack *u, struct archive_entry *entry, const char *name, struct err **e)
{
	int up = u->v[u->n - 1].fd, fd;

	if (u->n > ARCHIVE_DEPTH_MAX)
		return unpack_hostile(entry, "lies deeper than any path may", e);
	/* One that is there has been completed before, or is something else. */
	if (mkdirat(up, name, 0700) < 0)
		return errno == EEXIST ? unpack_hostile(entry, "lies in a directory that is complete, or in none", e) :
					 unpack_fail(u, entry, errno, e);
	fd = openat(up, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? unpack_fail(u, entry, errno, e) : enter(u, fd, name, e);
}

static bool is_component(const char *name, size_t n)
{
	return n > 0 && n <= NAME_BYTES && !(n == 1 && *name == '.') && !(n == 2 && name[0] == '.' && name[1] == '.');
}

/* Goes to the directory of path, "a/b/c" of the tree: those on the way that are open stay so, the others are
 * left for good, and what is missing is made. *ret_base: the last component, checked. 1: the entry is a
 * directory that is open, as the last level. */
static int go_to(struct unpack *u, struct archive_entry *entry, const char *path, const char **ret_base, struct err **e)
{
	size_t level = 1;
	int r;

	for (;;) {
		size_t n = strcspn(path, "/");
		auto_free char *name = NULL;

		if (!is_component(path, n))
			return unpack_hostile(entry, "has a name that leads elsewhere", e);
		if (!path[n])
			break;
		name = strndup(path, n);
		if (!name)
			return err_no_memory(e);
		if (level >= u->n || !STREQ(u->v[level].name, name)) {
			leave(u, level);
			r = make_directory(u, entry, name, e);
			if (r < 0)
				return r;
		}
		level++;
		path += n + 1;
	}
	/* The entry of the directory that was just filled finds it open. */
	*ret_base = path;
	if (archive_entry_filetype(entry) == AE_IFDIR && level < u->n && STREQ(u->v[level].name, path)) {
		leave(u, level + 1);
		return 1;
	}
	leave(u, level);
	return 0;
}

static int take_directory(struct unpack *u, struct archive_entry *entry, const char *name, bool is_open, struct err **e)
{
	/* An empty one has not been met yet. */
	int r = is_open ? 0 : make_directory(u, entry, name, e);

	if (r == 0)
		r = unpack_attributes(u, entry, u->v[u->n - 1].fd, e);
	if (r == 0)
		leave(u, u->n - 1);
	return r;
}

static int take_entry(struct unpack *u, struct archive_entry *entry, const char *path, struct err **e)
{
	const char *name = NULL;
	int dir, r = go_to(u, entry, path, &name, e);
	bool is_open = r > 0;

	if (r < 0)
		return r;
	ticker_add(&u->ticker, 0, 1);
	dir = u->v[u->n - 1].fd;
	if (archive_entry_hardlink(entry) && !is_open)
		return unpack_link(u, entry, dir, name, e);
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return unpack_file(u, entry, dir, name, e);
	case AE_IFDIR:
		return take_directory(u, entry, name, is_open, e);
	case AE_IFLNK:
		return unpack_symlink(u, entry, dir, name, e);
	case AE_IFCHR:
	case AE_IFBLK:
	case AE_IFIFO:
		return unpack_node(u, entry, dir, name, e);
	default:
		return unpack_hostile(entry, "is of no type that belongs there", e);
	}
}

/* The directory that the tree goes into; snap NULL: the container's root. */
static int open_tree_root(struct unpack *u, const char *snap, struct err **e)
{
	auto_close int dir = -EBADF;
	struct stat st;
	int fd;

	if (!snap) {
		fd = open(u->how->rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		u->have_root = true;
		return fd < 0 ? err_set(e, errno, NULL, "cannot open %s", u->how->rootfs) : fd;
	}
	dir = snapshot_dir(u, snap, e);
	if (dir < 0)
		return dir;
	if (fstatat(dir, ARCHIVE_CONFIG, &st, AT_SYMLINK_NOFOLLOW) < 0 || mkdirat(dir, ARCHIVE_ROOT, 0700) < 0)
		return err_archive_hostile(e, snap, "is no snapshot that was announced, or comes twice");
	fd = openat(dir, ARCHIVE_ROOT, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_set(e, errno, NULL, "cannot open the root of snapshot %s", snap) : fd;
}

static int begin_tree(struct unpack *u, struct archive_entry *entry, const char *prefix, const char *snap, struct err **e)
{
	int fd;

	if (u->prefix && !u->root_done)
		return unpack_hostile(entry, "stands in the middle of another tree", e);
	if (!snap && u->have_root)
		return unpack_hostile(entry, "comes twice", e);
	leave(u, 0);
	fd = open_tree_root(u, snap, e);
	if (fd < 0)
		return fd;
	/* Nothing is inherited from where it was made. */
	(void)fremovexattr(fd, "system.posix_acl_default");
	(void)fremovexattr(fd, "system.posix_acl_access");
	free(u->prefix);
	u->prefix = strdup(prefix);
	u->root_done = false;
	if (!u->prefix) {
		fd_close(fd);
		return err_no_memory(e);
	}
	return enter(u, fd, "", e);
}

/* path: behind the prefix, "" or "/a/b". */
static int take_in_tree(struct unpack *u, struct archive_entry *entry, const char *prefix, const char *snap,
			const char *path, struct err **e)
{
	int r = 0;

	if (!u->prefix || !STREQ(u->prefix, prefix))
		r = begin_tree(u, entry, prefix, snap, e);
	else if (u->root_done)
		r = unpack_hostile(entry, "stands behind the end of its tree", e);
	if (r < 0)
		return r;
	if (*path)
		return take_entry(u, entry, path + 1, e);
	if (archive_entry_filetype(entry) != AE_IFDIR)
		return unpack_hostile(entry, "is no directory", e);
	leave(u, 1);
	u->root_done = true;
	return unpack_attributes(u, entry, u->v[0].fd, e);
}

/* ---- the whole */

/* "NAME/..." behind "snaps/". */
static int take_snapshot(struct unpack *u, struct archive_entry *entry, const char *rest, struct err **e)
{
	size_t n = strcspn(rest, "/");
	auto_free char *snap = strndup(rest, n), *prefix = NULL;
	const char *tree;

	if (!snap)
		return err_no_memory(e);
	if (!rest[n] || name_check(snap, NULL) < 0)
		return unpack_hostile(entry, "has no name of a snapshot", e);
	tree = str_after(rest + n + 1, ARCHIVE_ROOT);
	if (!tree || (*tree && *tree != '/'))
		return u->prefix ? unpack_hostile(entry, "stands behind the trees", e) :
				   take_snapshot_file(u, entry, snap, rest + n + 1, e);
	if (asprintf(&prefix, ARCHIVE_SNAPS "%s/" ARCHIVE_ROOT, snap) < 0)
		return err_no_memory(e);
	return take_in_tree(u, entry, prefix, snap, tree, e);
}

static int take(struct unpack *u, struct archive_entry *entry, struct err **e)
{
	auto_free char *own = strdup(unpack_name(entry));
	const char *name = own, *rest;
	size_t n = own ? strlen(own) : 0;

	if (!own)
		return err_no_memory(e);
	/* The library writes directories with a slash. */
	if (n > 1 && own[n - 1] == '/' && archive_entry_filetype(entry) == AE_IFDIR)
		own[n - 1] = '\0';
	if (archive_entry_is_encrypted(entry))
		return unpack_hostile(entry, "is encrypted", e);
	rest = str_after(name, ARCHIVE_ROOT);
	if (rest && (!*rest || *rest == '/'))
		return take_in_tree(u, entry, ARCHIVE_ROOT, NULL, rest, e);
	rest = str_after(name, ARCHIVE_SNAPS);
	if (rest)
		return take_snapshot(u, entry, rest, e);
	rest = str_after(name, ARCHIVE_FILES);
	if (rest && !u->prefix)
		return take_file(u, entry, rest, e);
	return unpack_hostile(entry, "belongs to no part of a container", e);
}

static int take_all(struct unpack *u, struct err **e)
{
	for (;;) {
		struct archive_entry *entry = NULL;
		int r = source_next(u->src, &entry, e);

		if (r < 0)
			return r;
		if (r == 0)
			return err_archive_damaged(e, "it is cut off before its digest");
		if (STREQ(unpack_name(entry), ARCHIVE_DIGEST)) {
			if (u->prefix && !u->root_done)
				return err_archive_damaged(e, "a tree in it is not complete");
			return source_verify(u->src, entry, e);
		}
		r = take(u, entry, e);
		if (r < 0)
			return r;
	}
}

/* It may have been moved here, and be nowhere else soon: what is reported as done is on the disk. */
static int keep(struct unpack *u, struct err **e)
{
	if (syncfs(u->dir) == 0)
		return 0;
	if (errno == ENOSPC || errno == EDQUOT)
		return err_no_room(e, errno, u->how->dir);
	return err_set(e, errno, NULL, "cannot write %s to its disk", u->how->dir);
}

static int reset_identity(struct unpack *u, struct err **e)
{
	bool renamed = !STREQ(u->old_name, u->how->name);
	struct identity id = {
		.hostname = renamed ? u->how->name : NULL,
		.old_hostname = renamed ? u->old_name : NULL,
		.ids = u->how->new_identity,
		.ssh_keys = u->how->new_identity,
	};
	auto_close int root = -EBADF;

	if (!u->have_root || (!renamed && !u->how->new_identity))
		return 0;
	root = open(u->how->rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_set(e, errno, NULL, "cannot open %s", u->how->rootfs);
	return identity_reset(root, &id, u->l, e);
}

int unpack(const struct unpacking *how, struct log *l, struct err **e)
{
	struct rlimit files;
	auto_unpack struct unpack u = { .how = how, .l = l, .dir = -EBADF };
	auto_free char *config = NULL;
	int r;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	(void)umask(0);
	u.dir = open(how->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (u.dir < 0)
		return err_set(e, errno, NULL, "cannot open %s", how->dir);
	if (fstat(u.dir, &u.own) < 0 || fstatat(u.dir, ARCHIVE_CONFIG, &u.config, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(e, errno, NULL, "cannot stat %s/" ARCHIVE_CONFIG, how->dir);
	r = read_maps(&u, e);
	if (r == 0)
		r = source_open(STDIN_FILENO, &u.src, e);
	if (r == 0)
		r = source_begin(u.src, &u.old_name, &config, e);
	ticker_begin(&u.ticker, "lxc-import");
	if (r == 0)
		r = take_all(&u, e);
	ticker_end(&u.ticker);
	if (r == 0)
		r = reset_identity(&u, e);
	if (r == 0)
		r = keep(&u, e);
	if (r == 0 && u.left_out)
		fprintf(stderr, "lxc-import: %u device nodes are left out: a container with an id map cannot have them, and gets those it needs when it starts\n",
			u.left_out);
	return r;
}

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
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "archive.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/vec.h"
#include "kernel/host.h"
#include "storage/identity.h"

#define NAME_BYTES 255
#define PATH_PIECE 3072			/* of a path that may be longer than the kernel takes at once */

struct level {
	int fd;
	char *name;
};

struct unpack {
	const struct unpacking *how;
	struct log *l;
	struct source *src;
	int dir;		/* the container's directory */
	struct stat own, config;	/* of it, and of the configuration there: what is beside belongs to the same */
	char *old_name;		/* in the archive */
	char *maps;		/* lines of the container's configuration */
	size_t snaps;
	char *prefix;		/* of the tree at hand: "rootfs", NULL before the first */
	VEC(struct level);	/* its directories on the way to the last entry; the first is its root */
	bool root_done;		/* the tree is complete */
	bool have_root;		/* there was a rootfs */
	unsigned left_out;	/* devices that a user namespace cannot have */
	struct ticker ticker;
};

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

static const char *name_of(struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry);

	return name ? name : "";
}

static int fail(const struct unpack *u, struct archive_entry *entry, int num, struct err **e)
{
	if (num == ENOSPC || num == EDQUOT)
		return err_no_room(e, num, u->how->dir);
	return err_set(e, num, NULL, "cannot make %s", name_of(entry));
}

static int hostile(struct archive_entry *entry, const char *why, struct err **e)
{
	return err_archive_hostile(e, name_of(entry), why);
}

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
		return hostile(entry, "is no name for such a file", e);
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
		return hostile(entry, "is no part of a snapshot", e);
	r = source_text(u->src, entry, &text, &n, e);
	if (r < 0)
		return r;
	if (strlen(text) != n)
		return hostile(entry, "holds a zero byte", e);
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

/* ---- attributes */

/* What a mapped root, or this file system, need not take. */
static bool is_optional(const char *name)
{
	return str_after(name, "trusted.");
}

static int set_xattrs(struct unpack *u, struct archive_entry *entry, const char *path, int fd, struct err **e)
{
	const char *name;
	const void *value;
	size_t n;

	(void)archive_entry_xattr_reset(entry);
	while (archive_entry_xattr_next(entry, &name, &value, &n) == ARCHIVE_OK) {
		int r;

		if (!name || !(str_after(name, "user.") || str_after(name, "trusted.") || STREQ(name, "security.capability") ||
			       STREQ(name, "system.posix_acl_access") || STREQ(name, "system.posix_acl_default")))
			return hostile(entry, "has an attribute that no file there may have", e);
		/* They steer file systems of the host. */
		if (is_optional(name) && !u->how->trust)
			continue;
		r = fd >= 0 ? fsetxattr(fd, name, value, n, 0) : lsetxattr(path, name, value, n, 0);
		if (r < 0 && !is_optional(name))
			return err_set(e, errno, NULL, "cannot set %s of %s", name, name_of(entry));
	}
	return 0;
}

static void times_of(struct archive_entry *entry, struct timespec t[2])
{
	t[0] = (struct timespec){ archive_entry_atime(entry), archive_entry_atime_nsec(entry) };
	t[1] = (struct timespec){ archive_entry_mtime(entry), archive_entry_mtime_nsec(entry) };
	if (!archive_entry_atime_is_set(entry))
		t[0].tv_nsec = UTIME_OMIT;
	if (!archive_entry_mtime_is_set(entry))
		t[1].tv_nsec = UTIME_OMIT;
}

/* Whoever imports is in our map behind the container's ids, and is no owner of anything in it. */
static int check_ids(const struct unpack *u, struct archive_entry *entry, struct err **e)
{
	la_int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);

	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX || uid == u->how->caller_uid ||
	    gid == u->how->caller_gid)
		return hostile(entry, "has an owner that is not in the container's id map", e);
	return 0;
}

/* In this order: a new owner takes capabilities and setuid bits away, a mode is part of a list. */
static int set_by_fd(struct unpack *u, struct archive_entry *entry, int fd, struct err **e)
{
	struct timespec t[2];
	int r = check_ids(u, entry, e);

	if (r < 0)
		return r;
	if (fchown(fd, (uid_t)archive_entry_uid(entry), (gid_t)archive_entry_gid(entry)) < 0)
		return fail(u, entry, errno, e);
	if (fchmod(fd, archive_entry_perm(entry) & 07777) < 0)
		return fail(u, entry, errno, e);
	r = set_xattrs(u, entry, NULL, fd, e);
	times_of(entry, t);
	if (r == 0 && futimens(fd, t) < 0)
		r = fail(u, entry, errno, e);
	return r;
}

static int set_by_name(struct unpack *u, struct archive_entry *entry, int dir, const char *name, struct err **e)
{
	char path[NAME_BYTES + 64];
	struct timespec t[2];
	int r = check_ids(u, entry, e);

	if (r < 0)
		return r;
	if (fchownat(dir, name, (uid_t)archive_entry_uid(entry), (gid_t)archive_entry_gid(entry), AT_SYMLINK_NOFOLLOW) < 0)
		return fail(u, entry, errno, e);
	/* We made it a moment ago, and nobody else writes here: it is no link. */
	if (archive_entry_filetype(entry) != AE_IFLNK && fchmodat(dir, name, archive_entry_perm(entry) & 07777, 0) < 0)
		return fail(u, entry, errno, e);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
	r = set_xattrs(u, entry, path, -1, e);
	times_of(entry, t);
	if (r == 0 && utimensat(dir, name, t, AT_SYMLINK_NOFOLLOW) < 0)
		r = fail(u, entry, errno, e);
	return r;
}

/* ---- single entries; dir is theirs, name has been checked */

static int write_blocks(struct unpack *u, struct archive_entry *entry, int fd, struct err **e)
{
	for (;;) {
		la_int64_t at;
		const void *p;
		size_t n;
		int r = archive_read_data_block(source_archive(u->src), &p, &n, &at);

		if (r == ARCHIVE_EOF)
			return 0;
		if (r < ARCHIVE_WARN)
			return source_fail(u->src, e);
		if (at < 0 || at > archive_entry_size(entry) || (la_int64_t)n > archive_entry_size(entry) - at)
			return hostile(entry, "holds more than its size", e);
		ticker_add(&u->ticker, n, 0);
		if (u->how->limit && u->ticker.bytes > u->how->limit)
			return err_archive_limit(e, u->how->limit);
		while (n) {
			ssize_t put = pwrite(fd, p, n, at);

			if (put < 0 && errno == EINTR)
				continue;
			if (put < 0)
				return fail(u, entry, errno, e);
			p = (const char *)p + put;
			n -= (size_t)put;
			at += put;
		}
	}
}

static int make_file(struct unpack *u, struct archive_entry *entry, int dir, const char *name, struct err **e)
{
	auto_close int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return errno == EEXIST ? hostile(entry, "comes twice", e) : fail(u, entry, errno, e);
	if (archive_entry_size(entry) < 0)
		return hostile(entry, "has no size", e);
	r = write_blocks(u, entry, fd, e);
	/* What ends with a hole. */
	if (r == 0 && ftruncate(fd, archive_entry_size(entry)) < 0)
		r = fail(u, entry, errno, e);
	return r < 0 ? r : set_by_fd(u, entry, fd, e);
}

static bool is_common_device(struct archive_entry *entry)
{
	static const struct {
		unsigned major, minor;
	} common[] = { { 0, 0 }, { 1, 3 }, { 1, 5 }, { 1, 7 }, { 1, 8 }, { 1, 9 }, { 5, 0 }, { 5, 1 }, { 5, 2 }, { 10, 200 }, { 10, 229 } };

	for (size_t i = 0; i < ARRAY_SIZE(common) && archive_entry_filetype(entry) == AE_IFCHR; i++)
		if (common[i].major == archive_entry_rdevmajor(entry) && common[i].minor == archive_entry_rdevminor(entry))
			return true;
	return false;
}

static int make_node(struct unpack *u, struct archive_entry *entry, int dir, const char *name, struct err **e)
{
	mode_t type = archive_entry_filetype(entry);
	dev_t dev = 0;

	if (type != AE_IFIFO) {
		if (!is_common_device(entry) && !u->how->trust)
			return err_archive_device(e, name_of(entry), (unsigned)archive_entry_rdevmajor(entry),
						  (unsigned)archive_entry_rdevminor(entry));
		dev = makedev(archive_entry_rdevmajor(entry), archive_entry_rdevminor(entry));
	}
	if (mknodat(dir, name, type | 0600, dev) < 0) {
		if (errno == EEXIST)
			return hostile(entry, "comes twice", e);
		if (errno != EPERM || type == AE_IFIFO || host_in_initial_userns())
			return fail(u, entry, errno, e);
		u->left_out++;
		return 0;
	}
	return set_by_name(u, entry, dir, name, e);
}

static int make_symlink(struct unpack *u, struct archive_entry *entry, int dir, const char *name, struct err **e)
{
	const char *target = archive_entry_symlink(entry);

	if (!target || !*target)
		return hostile(entry, "is a link to nothing", e);
	if (symlinkat(target, dir, name) < 0)
		return errno == EEXIST ? hostile(entry, "comes twice", e) : fail(u, entry, errno, e);
	return set_by_name(u, entry, dir, name, e);
}

/* The directory of a name that there is, "a/b" of the tree: below its root, reached without any link, however long. */
static int open_beneath(int root, const char *path, size_t len)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	auto_close int at = (int)syscall(SYS_openat2, root, ".", &how, sizeof(how));

	while (at >= 0 && len) {
		size_t n = MIN(len, (size_t)PATH_PIECE);
		char piece[PATH_PIECE + 1];

		while (n < len && n && path[n] != '/')
			n--;
		memcpy(piece, path, n);
		piece[n] = '\0';
		/* An empty one, of a name that is too long, is not found. */
		fd_replace(&at, (int)syscall(SYS_openat2, at, piece, &how, sizeof(how)));
		path += MIN(n + 1, len);
		len -= MIN(n + 1, len);
	}
	return take_fd(&at);
}

/* The first name of the file. */
static int make_link(struct unpack *u, struct archive_entry *entry, int dir, const char *name, struct err **e)
{
	const char *rest = str_after(archive_entry_hardlink(entry), u->prefix), *base;
	auto_close int parent = -EBADF;
	struct stat st;

	if (!rest || *rest != '/' || !rest[1] || path_has_dotdot(rest + 1))
		return hostile(entry, "is a hard link that leads elsewhere", e);
	rest++;
	base = strrchr(rest, '/');
	parent = open_beneath(u->v[0].fd, rest, base ? (size_t)(base - rest) : 0);
	base = base ? base + 1 : rest;
	if (parent < 0 || !*base || fstatat(parent, base, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
		return hostile(entry, "is a hard link to something that is not there", e);
	if (linkat(parent, base, dir, name, 0) < 0)
		return errno == EEXIST ? hostile(entry, "comes twice", e) : fail(u, entry, errno, e);
	return 0;
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
		return hostile(entry, "lies deeper than any path may", e);
	/* One that is there has been completed before, or is something else. */
	if (mkdirat(up, name, 0700) < 0)
		return errno == EEXIST ? hostile(entry, "lies in a directory that is complete, or in none", e) :
					 fail(u, entry, errno, e);
	fd = openat(up, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? fail(u, entry, errno, e) : enter(u, fd, name, e);
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
			return hostile(entry, "has a name that leads elsewhere", e);
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
		r = set_by_fd(u, entry, u->v[u->n - 1].fd, e);
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
		return make_link(u, entry, dir, name, e);
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return make_file(u, entry, dir, name, e);
	case AE_IFDIR:
		return take_directory(u, entry, name, is_open, e);
	case AE_IFLNK:
		return make_symlink(u, entry, dir, name, e);
	case AE_IFCHR:
	case AE_IFBLK:
	case AE_IFIFO:
		return make_node(u, entry, dir, name, e);
	default:
		return hostile(entry, "is of no type that belongs there", e);
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
		return hostile(entry, "stands in the middle of another tree", e);
	if (!snap && u->have_root)
		return hostile(entry, "comes twice", e);
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
		r = hostile(entry, "stands behind the end of its tree", e);
	if (r < 0)
		return r;
	if (*path)
		return take_entry(u, entry, path + 1, e);
	if (archive_entry_filetype(entry) != AE_IFDIR)
		return hostile(entry, "is no directory", e);
	leave(u, 1);
	u->root_done = true;
	return set_by_fd(u, entry, u->v[0].fd, e);
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
		return hostile(entry, "has no name of a snapshot", e);
	tree = str_after(rest + n + 1, ARCHIVE_ROOT);
	if (!tree || (*tree && *tree != '/'))
		return u->prefix ? hostile(entry, "stands behind the trees", e) :
				   take_snapshot_file(u, entry, snap, rest + n + 1, e);
	if (asprintf(&prefix, ARCHIVE_SNAPS "%s/" ARCHIVE_ROOT, snap) < 0)
		return err_no_memory(e);
	return take_in_tree(u, entry, prefix, snap, tree, e);
}

static int take(struct unpack *u, struct archive_entry *entry, struct err **e)
{
	auto_free char *own = strdup(name_of(entry));
	const char *name = own, *rest;
	size_t n = own ? strlen(own) : 0;

	if (!own)
		return err_no_memory(e);
	/* The library writes directories with a slash. */
	if (n > 1 && own[n - 1] == '/' && archive_entry_filetype(entry) == AE_IFDIR)
		own[n - 1] = '\0';
	if (archive_entry_is_encrypted(entry))
		return hostile(entry, "is encrypted", e);
	rest = str_after(name, ARCHIVE_ROOT);
	if (rest && (!*rest || *rest == '/'))
		return take_in_tree(u, entry, ARCHIVE_ROOT, NULL, rest, e);
	rest = str_after(name, ARCHIVE_SNAPS);
	if (rest)
		return take_snapshot(u, entry, rest, e);
	rest = str_after(name, ARCHIVE_FILES);
	if (rest && !u->prefix)
		return take_file(u, entry, rest, e);
	return hostile(entry, "belongs to no part of a container", e);
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
		if (STREQ(name_of(entry), ARCHIVE_DIGEST)) {
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

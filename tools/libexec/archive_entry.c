/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* archive_entry - single entries of an archive that anybody may have made: files, links, nodes, and their attributes. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "archive_unpack.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/host.h"

#define PATH_PIECE 3072			/* of a path that may be longer than the kernel takes at once */

const char *unpack_name(struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry);

	return name ? name : "";
}

int unpack_fail(const struct unpack *u, struct archive_entry *entry, int num, struct err **e)
{
	if (num == ENOSPC || num == EDQUOT)
		return err_no_room(e, num, u->how->dir);
	return err_set(e, num, NULL, "cannot make %s", unpack_name(entry));
}

int unpack_hostile(struct archive_entry *entry, const char *why, struct err **e)
{
	return err_archive_hostile(e, unpack_name(entry), why);
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
			return unpack_hostile(entry, "has an attribute that no file there may have", e);
		/* They steer file systems of the host. */
		if (is_optional(name) && !u->how->trust)
			continue;
		r = fd >= 0 ? fsetxattr(fd, name, value, n, 0) : lsetxattr(path, name, value, n, 0);
		if (r < 0 && !is_optional(name))
			return err_set(e, errno, NULL, "cannot set %s of %s", name, unpack_name(entry));
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
		return unpack_hostile(entry, "has an owner that is not in the container's id map", e);
	return 0;
}

/* In this order: a new owner takes capabilities and setuid bits away, a mode is part of a list. */
int unpack_attributes(struct unpack *u, struct archive_entry *entry, int fd, struct err **e)
{
	struct timespec t[2];
	int r = check_ids(u, entry, e);

	if (r < 0)
		return r;
	if (fchown(fd, (uid_t)archive_entry_uid(entry), (gid_t)archive_entry_gid(entry)) < 0)
		return unpack_fail(u, entry, errno, e);
	if (fchmod(fd, archive_entry_perm(entry) & 07777) < 0)
		return unpack_fail(u, entry, errno, e);
	r = set_xattrs(u, entry, NULL, fd, e);
	times_of(entry, t);
	if (r == 0 && futimens(fd, t) < 0)
		r = unpack_fail(u, entry, errno, e);
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
		return unpack_fail(u, entry, errno, e);
	/* We made it a moment ago, and nobody else writes here: it is no link. */
	if (archive_entry_filetype(entry) != AE_IFLNK && fchmodat(dir, name, archive_entry_perm(entry) & 07777, 0) < 0)
		return unpack_fail(u, entry, errno, e);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
	r = set_xattrs(u, entry, path, -1, e);
	times_of(entry, t);
	if (r == 0 && utimensat(dir, name, t, AT_SYMLINK_NOFOLLOW) < 0)
		r = unpack_fail(u, entry, errno, e);
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
			return unpack_hostile(entry, "holds more than its size", e);
		ticker_add(&u->ticker, n, 0);
		if (u->how->limit && u->ticker.bytes > u->how->limit)
			return err_archive_limit(e, u->how->limit);
		while (n) {
			ssize_t put = pwrite(fd, p, n, at);

			if (put < 0 && errno == EINTR)
				continue;
			if (put < 0)
				return unpack_fail(u, entry, errno, e);
			p = (const char *)p + put;
			n -= (size_t)put;
			at += put;
		}
	}
}

int unpack_file(struct unpack *u, struct archive_entry *entry, int dir, const char *name, struct err **e)
{
	auto_close int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return errno == EEXIST ? unpack_hostile(entry, "comes twice", e) : unpack_fail(u, entry, errno, e);
	if (archive_entry_size(entry) < 0)
		return unpack_hostile(entry, "has no size", e);
	r = write_blocks(u, entry, fd, e);
	/* What ends with a hole. */
	if (r == 0 && ftruncate(fd, archive_entry_size(entry)) < 0)
		r = unpack_fail(u, entry, errno, e);
	return r < 0 ? r : unpack_attributes(u, entry, fd, e);
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

int unpack_node(struct unpack *u, struct archive_entry *entry, int dir, const char *name, struct err **e)
{
	mode_t type = archive_entry_filetype(entry);
	dev_t dev = 0;

	if (type != AE_IFIFO) {
		if (!is_common_device(entry) && !u->how->trust)
			return err_archive_device(e, unpack_name(entry), (unsigned)archive_entry_rdevmajor(entry),
						  (unsigned)archive_entry_rdevminor(entry));
		dev = makedev(archive_entry_rdevmajor(entry), archive_entry_rdevminor(entry));
	}
	if (mknodat(dir, name, type | 0600, dev) < 0) {
		if (errno == EEXIST)
			return unpack_hostile(entry, "comes twice", e);
		if (errno != EPERM || type == AE_IFIFO || host_in_initial_userns())
			return unpack_fail(u, entry, errno, e);
		u->left_out++;
		return 0;
	}
	return set_by_name(u, entry, dir, name, e);
}

int unpack_symlink(struct unpack *u, struct archive_entry *entry, int dir, const char *name, struct err **e)
{
	const char *target = archive_entry_symlink(entry);

	if (!target || !*target)
		return unpack_hostile(entry, "is a link to nothing", e);
	if (symlinkat(target, dir, name) < 0)
		return errno == EEXIST ? unpack_hostile(entry, "comes twice", e) : unpack_fail(u, entry, errno, e);
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
int unpack_link(struct unpack *u, struct archive_entry *entry, int dir, const char *name, struct err **e)
{
	const char *rest = str_after(archive_entry_hardlink(entry), u->prefix), *base;
	auto_close int parent = -EBADF;
	struct stat st;

	if (!rest || *rest != '/' || !rest[1] || path_has_dotdot(rest + 1))
		return unpack_hostile(entry, "is a hard link that leads elsewhere", e);
	rest++;
	base = strrchr(rest, '/');
	parent = open_beneath(u->v[0].fd, rest, base ? (size_t)(base - rest) : 0);
	base = base ? base + 1 : rest;
	if (parent < 0 || !*base || fstatat(parent, base, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
		return unpack_hostile(entry, "is a hard link to something that is not there", e);
	if (linkat(parent, base, dir, name, 0) < 0)
		return errno == EEXIST ? unpack_hostile(entry, "comes twice", e) : unpack_fail(u, entry, errno, e);
	return 0;
}

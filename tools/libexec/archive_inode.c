/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* archive_inode - single inodes on their way into an archive. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "archive_pack.h"
#include "base/str.h"

void pack_free_link(void *arg)
{
	struct link *l = arg;

	free(l->path);
	free(l);
}

int pack_fail(const struct pack *p, int num, struct err **e)
{
	return err_set(e, num, NULL, "cannot read %s of %s", buf_str(&p->path), p->how->name);
}

static ssize_t list_xattrs(const char *path, int fd, char *buf)
{
	return fd >= 0 ? flistxattr(fd, buf, PACK_XATTRS_MAX) : llistxattr(path, buf, PACK_XATTRS_MAX);
}

static ssize_t get_xattr(const char *path, int fd, const char *name, char *buf)
{
	return fd >= 0 ? fgetxattr(fd, name, buf, PACK_XATTRS_MAX) : lgetxattr(path, name, buf, PACK_XATTRS_MAX);
}

/* Labels of security modules belong to the host. */
static bool travels(const char *name)
{
	return str_after(name, "user.") || str_after(name, "trusted.") || STREQ(name, "security.capability") ||
	       str_after(name, "system.posix_acl_");
}

static int add_xattrs(struct pack *p, struct archive_entry *entry, int dir, const char *name, int fd, struct err **e)
{
	char path[300 + 32];
	ssize_t n, len;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
	n = list_xattrs(path, fd, p->names);
	if (n < 0)
		return errno == EOPNOTSUPP || errno == ENOENT ? 0 : pack_fail(p, errno, e);
	for (const char *x = p->names; x < p->names + n; x += strlen(x) + 1) {
		if (!travels(x))
			continue;
		len = get_xattr(path, fd, x, p->value);
		if (len < 0 && errno == ENODATA)
			continue;
		if (len < 0)
			return pack_fail(p, errno, e);
		archive_entry_xattr_add_entry(entry, x, p->value, (size_t)len);
	}
	return 0;
}

static void auto_entry_fn(struct archive_entry **entry)
{
	archive_entry_free(*entry);
}
#define auto_entry __attribute__((cleanup(auto_entry_fn)))

static int compare_links(const void *a, const void *b)
{
	const struct link *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return (x->ino > y->ino) - (x->ino < y->ino);
}

/* 1: *ret is where this inode is in the archive already. */
static int find_link(struct pack *p, const struct stat *st, const char **ret)
{
	struct link probe = { .dev = st->st_dev, .ino = st->st_ino }, *mine;
	struct link *const *found;

	if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return 0;
	found = tfind(&probe, &p->links, compare_links);
	if (found) {
		*ret = (*found)->path;
		return 1;
	}
	mine = malloc(sizeof(*mine));
	if (!mine)
		return -ENOMEM;
	*mine = (struct link){ .dev = st->st_dev, .ino = st->st_ino, .path = strdup(buf_str(&p->path)) };
	if (!mine->path || !tsearch(mine, &p->links, compare_links)) {
		pack_free_link(mine);
		return -ENOMEM;
	}
	return 0;
}

static void describe(struct pack *p, struct archive_entry *entry, const struct stat *st)
{
	archive_entry_set_pathname(entry, buf_str(&p->path));
	archive_entry_set_filetype(entry, st->st_mode & S_IFMT);
	archive_entry_set_perm(entry, st->st_mode & 07777);
	archive_entry_set_uid(entry, st->st_uid);
	archive_entry_set_gid(entry, st->st_gid);
	archive_entry_set_mtime(entry, st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	archive_entry_set_atime(entry, st->st_atim.tv_sec, st->st_atim.tv_nsec);
	if (S_ISREG(st->st_mode))
		archive_entry_set_size(entry, st->st_size);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		archive_entry_set_rdevmajor(entry, major(st->st_rdev));
		archive_entry_set_rdevminor(entry, minor(st->st_rdev));
	}
}

static int write_header(struct pack *p, struct archive_entry *entry, struct err **e)
{
	int r = archive_write_header(sink_archive(p->sink), entry);

	ticker_add(&p->ticker, 0, 1);
	return r < ARCHIVE_WARN ? sink_fail(p->sink, "writing", e) : 0;
}

static int add_holes(struct archive_entry *entry, int fd, const struct stat *st)
{
	off_t at = 0;

	if ((uint64_t)st->st_blocks * 512 >= (uint64_t)st->st_size)
		return 0;
	while (at < st->st_size) {
		off_t data = lseek(fd, at, SEEK_DATA), end;

		if (data < 0)
			break;
		end = lseek(fd, data, SEEK_HOLE);
		if (end <= data)
			return 0;
		archive_entry_sparse_add_entry(entry, data, MIN(end, st->st_size) - data);
		at = end;
	}
	/* A file that is one hole. */
	if (!archive_entry_sparse_count(entry))
		archive_entry_sparse_add_entry(entry, st->st_size, 0);
	return 0;
}

/* Exactly as many bytes as were announced; the library passes over those of holes. */
static int write_content(struct pack *p, int fd, off_t size, struct err **e)
{
	off_t at = 0;

	while (at < size) {
		off_t data = lseek(fd, at, SEEK_DATA);
		size_t want = MIN((size_t)(size - at), PACK_BUFFER);
		ssize_t n;

		if ((data < 0 && errno == ENXIO) || data > at) {
			if (data > at)
				want = MIN(want, (size_t)(data - at));
			memset(p->buffer, 0, want);
			n = (ssize_t)want;
		} else {
			do {
				n = pread(fd, p->buffer, want, at);
			} while (n < 0 && errno == EINTR);
			if (n < 0)
				return pack_fail(p, errno, e);
		}
		/* It became shorter: the library fills up with zeros. */
		if (n == 0)
			break;
		if (archive_write_data(sink_archive(p->sink), p->buffer, (size_t)n) < 0)
			return sink_fail(p->sink, "writing", e);
		ticker_add(&p->ticker, (uint64_t)n, 0);
		at += n;
	}
	return 0;
}

int pack_inode(struct pack *p, int dir, const char *name, int fd, const struct stat *st, struct err **e)
{
	auto_entry struct archive_entry *entry = archive_entry_new();
	const char *first = NULL;
	char target[4097];
	ssize_t n;
	int r = entry ? find_link(p, st, &first) : -ENOMEM;

	if (r < 0)
		return err_no_memory(e);
	if (p->map.n && (idmap_to_host(&p->map, false, st->st_uid) == UINT32_MAX ||
			 idmap_to_host(&p->map, true, st->st_gid) == UINT32_MAX))
		return err_set(e, EOVERFLOW, NULL, "%s of %s belongs to somebody outside the id map of the container",
			       buf_str(&p->path), p->how->name);
	describe(p, entry, st);
	if (r > 0) {
		archive_entry_set_size(entry, 0);
		archive_entry_set_hardlink(entry, first);
		return write_header(p, entry, e);
	}
	if (S_ISLNK(st->st_mode)) {
		n = readlinkat(dir, name, target, sizeof(target) - 1);
		if (n < 0)
			return pack_fail(p, errno, e);
		target[n] = '\0';
		archive_entry_set_symlink(entry, target);
	}
	r = add_xattrs(p, entry, dir, name, fd, e);
	if (r < 0)
		return r;
	if (S_ISREG(st->st_mode) && fd >= 0)
		(void)add_holes(entry, fd, st);
	r = write_header(p, entry, e);
	if (r == 0 && S_ISREG(st->st_mode) && fd >= 0)
		r = write_content(p, fd, st->st_size, e);
	if (r == 0 && archive_write_finish_entry(sink_archive(p->sink)) < ARCHIVE_WARN)
		r = sink_fail(p->sink, "writing", e);
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/depend.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "lifecycle/lock.h"

#define FILE_MAX ((size_t)4 << 20)
#define LOCK_TIMEOUT_MS 30000

/* The lines of a file of a container; none when it does not exist. Who could write it is root or the
 * owner of the container, but what is in it is only ever compared, counted and shown. */
static int read_lines(int dirfd, const char *file, struct strv *lines, struct err **e)
{
	auto_free char *text = NULL;
	struct stat st;
	int r;

	if (fstatat(dirfd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_set(e, errno, NULL, "cannot stat %s", file);
	r = io_read_file(dirfd, file, FILE_MAX, &text, NULL, e);
	if (r < 0)
		return r;
	return strv_split(lines, text, "\n") < 0 ? err_no_memory(e) : 0;
}

static int write_lines(int dirfd, const char *file, const struct strv *lines, struct err **e)
{
	auto_buf struct buf b = BUF_INIT(FILE_MAX);

	if (!lines->n) {
		if (unlinkat(dirfd, file, 0) < 0 && errno != ENOENT)
			return err_set(e, errno, NULL, "cannot remove %s", file);
		return 0;
	}
	for (size_t i = 0; i < lines->n; i++)
		buf_addf(&b, "%s\n", lines->v[i]);
	if (!buf_ok(&b))
		return err_no_memory(e);
	return io_replace(dirfd, file, b.p, b.len, 0644, e);
}

static int open_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int read_pairs(const char *dir, const char *file, struct strv *pairs, struct err **e)
{
	auto_close int fd = open_dir(dir);
	int r;

	if (fd < 0)
		return fd == -ENOENT ? 0 : err_set(e, -fd, NULL, "cannot open %s", dir);
	r = read_lines(fd, file, pairs, e);
	return r < 0 ? err_wrap(e, r, "reading %s of %s", file, dir) : 0;
}

int depend_needs(const char *dir, struct strv *pairs, struct err **e)
{
	int r = read_pairs(dir, DEPEND_NEEDS, pairs, e);

	/* Half a pair names nothing. */
	if (r == 0 && pairs->n % 2)
		strv_remove(pairs, pairs->n - 1);
	return r;
}

int depend_set_needs(const char *dir, const struct strv *pairs, struct err **e)
{
	auto_close int fd = open_dir(dir);

	return fd < 0 ? err_set(e, -fd, NULL, "cannot open %s", dir) : write_lines(fd, DEPEND_NEEDS, pairs, e);
}

/* The old form: how many there are. */
static bool is_count(const struct strv *lines, unsigned *ret)
{
	return lines->n == 1 && num_uint(lines->v[0], 10, ret) == 0;
}

/* Only what is certainly gone does not count: a whole directory of containers may just not be mounted. */
static bool may_exist(const char *lxcpath, const char *name)
{
	auto_close int path = open_dir(lxcpath);
	struct stat st;

	return path < 0 || fstatat(path, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

int depend_users(const char *dir, struct strv *ret, struct err **e)
{
	auto_strv struct strv pairs = { 0 };
	auto_free char *own = strndup(dir, (size_t)(path_base(dir) - dir));
	int r = own ? read_pairs(dir, DEPEND_USERS, &pairs, e) : err_no_memory(e);
	unsigned count;

	if (r < 0)
		return r;
	if (is_count(&pairs, &count)) {
		r = count ? strv_addf(ret, "%u that an older version made", count) : 0;
		return r < 0 ? err_no_memory(e) : 0;
	}
	for (size_t n = strlen(own); n > 1 && own[n - 1] == '/'; n--)
		own[n - 1] = '\0';
	for (size_t i = 0; i + 1 < pairs.n && r == 0; i += 2) {
		if (name_check(pairs.v[i + 1], NULL) < 0 || !may_exist(pairs.v[i], pairs.v[i + 1]))
			continue;
		r = STREQ(pairs.v[i], own) ? strv_add(ret, pairs.v[i + 1])
					   : strv_addf(ret, "%s in %s", pairs.v[i + 1], pairs.v[i]);
	}
	return r < 0 ? err_no_memory(e) : 0;
}

static int change_count(struct strv *lines, unsigned count, bool add)
{
	strv_done(lines);
	count += add ? 1 : 0;
	if (!add && count)
		count--;
	return count ? strv_addf(lines, "%u", count) : 0;
}

/* Without the pair and without those that are gone. */
static int change_pairs(struct strv *lines, const char *lxcpath, const char *name, bool add)
{
	for (size_t i = 0; i + 1 < lines->n;) {
		bool same = STREQ(lines->v[i], lxcpath) && STREQ(lines->v[i + 1], name);

		if (!same && may_exist(lines->v[i], lines->v[i + 1])) {
			i += 2;
			continue;
		}
		strv_remove(lines, i + 1);
		strv_remove(lines, i);
	}
	if (lines->n % 2)
		strv_remove(lines, lines->n - 1);
	if (!add)
		return 0;
	return strv_add(lines, lxcpath) < 0 || strv_add(lines, name) < 0 ? -ENOMEM : 0;
}

enum record { RECORD, FORGET, FORGET_NAMED };

static int change_base(const char *base_path, const char *base, const char *lxcpath, const char *name, enum record what,
		       struct err **e)
{
	auto_free char *dir = path_join(base_path, base);
	auto_strv struct strv lines = { 0 };
	auto_close int fd = -EBADF;
	auto_lock int lock = -EBADF;
	bool add = what == RECORD;
	unsigned count;
	int r;

	if (!dir)
		return err_no_memory(e);
	fd = open_dir(dir);
	if (fd == -ENOENT && !add)
		return 0;
	if (fd < 0)
		return err_set(e, -fd, NULL, "cannot open %s", dir);
	lock = lock_open(base_path, base, e);
	if (lock < 0)
		return lock;
	r = lock_take(lock, LOCK_TIMEOUT_MS, e);
	if (r == 0)
		r = read_lines(fd, DEPEND_USERS, &lines, e);
	if (r < 0)
		return r;
	if ((!lines.n && !add) || (what == FORGET_NAMED && is_count(&lines, &count)))
		return 0;
	r = is_count(&lines, &count) ? change_count(&lines, count, add) : change_pairs(&lines, lxcpath, name, add);
	return r < 0 ? err_no_memory(e) : write_lines(fd, DEPEND_USERS, &lines, e);
}

static int change(const struct strv *pairs, const char *lxcpath, const char *name, enum record what, struct err **e)
{
	int r = 0;

	for (size_t i = 0; i + 1 < pairs->n && r == 0; i += 2) {
		r = name_check(pairs->v[i + 1], e);
		if (r == 0)
			r = change_base(pairs->v[i], pairs->v[i + 1], lxcpath, name, what, e);
		if (r < 0)
			r = err_wrap(e, r, "recording in %s that %s stands on it", pairs->v[i + 1], name);
	}
	return r;
}

int depend_record(const struct strv *pairs, const char *lxcpath, const char *name, struct err **e)
{
	return change(pairs, lxcpath, name, RECORD, e);
}

int depend_forget(const struct strv *pairs, const char *lxcpath, const char *name, struct err **e)
{
	return change(pairs, lxcpath, name, FORGET, e);
}

int depend_forget_copy(const char *base_path, const char *base, const char *lxcpath, const char *name, struct err **e)
{
	auto_free char *dir = path_join(base_path, base);
	auto_strv struct strv pairs = { 0 };
	int r = dir ? depend_needs(dir, &pairs, e) : err_no_memory(e);

	if (r == 0 && (strv_add(&pairs, base_path) < 0 || strv_add(&pairs, base) < 0))
		r = err_no_memory(e);
	return r < 0 ? r : change(&pairs, lxcpath, name, FORGET_NAMED, e);
}

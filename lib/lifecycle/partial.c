/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/storage.h"

#define MARKER PARTIAL_MARKER
#define REMOVAL "removal\n"
#define CONFIG "config"
/* Two lines follow: the lxcpath and the name of the original. */
#define COPY "copy of\n"
#define MARKER_MAX 8192

char *partial_staging(const char *name)
{
	char *s = NULL;

	return asprintf(&s, STAGING_PREFIX "%s" STAGING_SUFFIX, name) < 0 ? NULL : s;
}

char *partial_staged(const char *entry)
{
	const char *name = str_after(entry, STAGING_PREFIX);
	auto_free char *s = NULL;

	if (!name || !str_ends(name, STAGING_SUFFIX))
		return NULL;
	s = strndup(name, strlen(name) - strlen(STAGING_SUFFIX));
	return s && name_check(s, NULL) == 0 ? take_ptr(s) : NULL;
}

static int is_locked(int dirfd)
{
	auto_close int fd = openat(dirfd, MARKER, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	if (fcntl(fd, F_OFD_GETLK, &l) < 0)
		return -errno;
	return l.l_type != F_UNLCK;
}

enum partial partial_state(const char *dir)
{
	auto_close int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstatat(fd, MARKER, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return PARTIAL_NONE;
	r = is_locked(fd);
	/* What cannot be asked is treated as somebody's work in progress. */
	return r == 0 || r == -ELOOP ? PARTIAL_STALE : PARTIAL_BUSY;
}

static int lock_marker(int fd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &l) < 0 ? -errno : 0;
}

/* One that was found: it may be anything. */
static int lock_found(int fd, const char *what, struct err **e)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, EINVAL, NULL, "the marker '" MARKER "' in the container's directory is no file");
	r = lock_marker(fd);
	return r < 0 ? err_set(e, -r, NULL, "cannot lock the marker of the %s", what) : 0;
}

int partial_begin(int dirfd, struct err **e)
{
	auto_close int fd = openat(dirfd, MARKER, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return err_set(e, errno, NULL, "cannot mark the container as being created");
	r = lock_marker(fd);
	if (r < 0) {
		(void)unlinkat(dirfd, MARKER, 0);
		return err_set(e, -r, NULL, "cannot lock the marker of the creation");
	}
	return take_fd(&fd);
}

static bool starts_as_copy(int fd)
{
	char text[sizeof(COPY) - 1];

	return pread(fd, text, sizeof(text), 0) == (ssize_t)sizeof(text) && memcmp(text, COPY, sizeof(text)) == 0;
}

int partial_take(int dirfd, struct err **e)
{
	auto_close int fd = openat(dirfd, MARKER, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int r = fd < 0 ? err_set(e, errno, NULL, "cannot open the marker of the copy") : lock_found(fd, "copy", e);

	return r < 0 ? r : take_fd(&fd);
}

int partial_note_origin(int marker, const char *lxcpath, const char *name, struct err **e)
{
	auto_free char *text = NULL;
	int n = asprintf(&text, COPY "%s\n%s\n", lxcpath, name);

	if (n < 0) {
		text = NULL;
		return err_no_memory(e);
	}
	return pwrite(marker, text, (size_t)n, 0) == n ? 0 : err_set(e, errno, NULL, "cannot write the marker of the copy");
}

bool partial_is_copy(const char *dir, char **ret_lxcpath, char **ret_name)
{
	auto_free char *path = path_join(dir, MARKER), *text = NULL, *from = NULL;
	char *rest, *end;

	if (!path || io_read_file(AT_FDCWD, path, MARKER_MAX, &text, NULL, NULL) < 0 || !str_after(text, COPY))
		return false;
	from = strdup(str_after(text, COPY));
	rest = from ? strchr(from, '\n') : NULL;
	end = rest ? strchr(rest + 1, '\n') : NULL;
	if (!end)
		return false;
	*rest++ = '\0';
	*end = '\0';
	if (*from != '/' || name_check(rest, NULL) < 0)
		return false;
	if (ret_name && !(*ret_name = strdup(rest)))
		return false;
	if (ret_lxcpath)
		*ret_lxcpath = take_ptr(from);
	return true;
}

static bool is_full(int num)
{
	return num == ENOSPC || num == EDQUOT;
}

/* Where the disk is full, and a removal the way out of that, another name of the configuration does. */
static int open_removal(int dirfd)
{
	const int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	int fd = openat(dirfd, MARKER, flags | O_CREAT, 0600);

	if (fd < 0 && is_full(errno) && linkat(dirfd, CONFIG, dirfd, MARKER, 0) == 0)
		fd = openat(dirfd, MARKER, flags);
	return fd;
}

int partial_begin_removal(int dirfd, struct err **e)
{
	auto_close int fd = open_removal(dirfd);
	struct stat st;
	int r;

	/* Something else of that name: it goes first, and the marker takes its place. */
	if (fd < 0 && (errno == ELOOP || errno == EISDIR || errno == ENXIO))
		return storage_rmtree(dirfd, MARKER, e) < 0 ? -EIO : partial_begin_removal(dirfd, e);
	if (fd < 0)
		return err_set(e, errno, NULL, "cannot mark the container as being removed");
	r = lock_found(fd, "removal", e);
	if (r < 0)
		return r;
	/* What was begun to be copied is no copy any more. */
	if (starts_as_copy(fd))
		(void)!ftruncate(fd, 0);
	/* An empty one says less, but enough: what it marks is not complete, and is removed in the same way. */
	if (fstat(fd, &st) == 0 && st.st_size == 0 && write(fd, REMOVAL, strlen(REMOVAL)) < 0 && !is_full(errno)) {
		int saved = errno;

		(void)unlinkat(dirfd, MARKER, 0);
		return err_set(e, saved, NULL, "cannot mark the container as being removed");
	}
	return take_fd(&fd);
}

bool partial_is_removal(const char *dir)
{
	auto_free char *path = path_join(dir, MARKER), *text = NULL;

	return path && io_read_file(AT_FDCWD, path, 64, &text, NULL, NULL) == 0 && STREQ(text, REMOVAL);
}

int partial_end(int dirfd)
{
	return unlinkat(dirfd, MARKER, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int partial_complete(int dirfd, struct err **e)
{
	auto_close int conf = openat(dirfd, CONFIG, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (conf >= 0 && fsync(conf) < 0 && errno != EINVAL)
		return err_set(e, errno, NULL, "cannot write the configuration to its disk");
	return partial_end(dirfd) < 0 ? err_set(e, errno, NULL, "cannot remove the marker of the creation") : 0;
}

int partial_check(const char *dir, const char *name, const char *lxcpath, struct err **e)
{
	auto_free char *source = NULL, *source_path = NULL;

	switch (partial_state(dir)) {
	case PARTIAL_BUSY:
		return err_create_busy(e, name);
	case PARTIAL_STALE:
		if (partial_is_copy(dir, &source_path, &source)) {
			bool here = STREQ(lxcpath, source_path);

			return err_copy_partial(e, name, lxcpath, source, source_path, here ? "" : " -p ", here ? "" : lxcpath);
		}
		return partial_is_removal(dir) ? err_removal_interrupted(e, name) : err_create_partial(e, name, lxcpath);
	default:
		return 0;
	}
}

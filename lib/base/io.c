/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"

static const char *kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a fifo";
	case S_IFCHR:
	case S_IFBLK:
		return "a device";
	case S_IFSOCK:
		return "a socket";
	default:
		return "not a regular file";
	}
}

int io_open_regular(int dirfd, const char *path, int flags, struct err **e)
{
	auto_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
	struct stat st;

	if (fd < 0)
		return err_set(e, errno, NULL, "cannot open %s", path);
	if (fstat(fd, &st) < 0)
		return err_set(e, errno, NULL, "cannot stat %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "not-a-regular-file", "%s is %s, not a regular file", path,
			       kind(st.st_mode));
	return take_fd(&fd);
}

int io_read_fd(int fd, size_t max, char **ret, size_t *ret_len)
{
	auto_buf struct buf b = BUF_INIT(max);
	char chunk[4096];	/* more would be as many more pages of the stack, for files that are mostly small */
	size_t len;

	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		if ((size_t)n > max - b.len)
			return -EFBIG;
		buf_add(&b, chunk, (size_t)n);
		if (!buf_ok(&b))
			return -ENOMEM;
	}
	len = b.len;
	*ret = buf_take(&b);
	if (!*ret)
		return -ENOMEM;
	if (ret_len)
		*ret_len = len;
	return 0;
}

int io_read_file(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len, struct err **e)
{
	auto_close int fd = io_open_regular(dirfd, path, 0, e);
	int r;

	if (fd < 0)
		return fd;
	r = io_read_fd(fd, max, ret, ret_len);
	if (r == -EFBIG)
		return err_set(e, EFBIG, "file-too-large", "%s is larger than %zu bytes", path, max);
	return r < 0 ? err_set(e, -r, NULL, "cannot read %s", path) : 0;
}

ssize_t io_read_line(int dirfd, const char *path, char *buf, size_t size)
{
	auto_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		n = read(fd, buf, size - 1);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	while (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return n;
}

int io_write_all(int fd, const void *p, size_t n)
{
	const char *s = p;

	while (n) {
		ssize_t w = write(fd, s, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return w < 0 ? -errno : -EIO;
		s += w;
		n -= (size_t)w;
	}
	return 0;
}

int io_write_value(int dirfd, const char *path, const char *value)
{
	auto_close int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		n = write(fd, value, strlen(value));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* On ext4 a rename over a file writes the new one to the disk first, which is what keeps it whole after a crash, and
 * what a volatile one need not wait for: exchanged, then the old one goes. */
static int move_into_place(int dirfd, const char *tmp, const char *name, bool durable)
{
	if (!durable && renameat2(dirfd, tmp, dirfd, name, RENAME_EXCHANGE) == 0) {
		(void)unlinkat(dirfd, tmp, 0);
		return 0;
	}
	return renameat(dirfd, tmp, dirfd, name) < 0 ? -errno : 0;
}

static int fill(int fd, const void *p, size_t n, mode_t mode, bool durable)
{
	int r = io_write_all(fd, p, n);

	return r == 0 && (fchmod(fd, mode) < 0 || (durable && fsync(fd) < 0)) ? -errno : r;
}

/* The file has no name before it is whole, and then for a moment one that the next writer takes away: who is killed
 * leaves nothing that stays. -EOPNOTSUPP: the file system, or a missing /proc, does not allow it. */
static int replace_unnamed(int dirfd, const char *name, const void *p, size_t n, mode_t mode)
{
	auto_close int fd = openat(dirfd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	auto_free char *tmp = NULL;
	char self[32];
	int r;

	if (fd < 0)
		return -EOPNOTSUPP;
	r = fill(fd, p, n, mode, true);
	if (r < 0)
		return r;
	if (asprintf(&tmp, "%s.tmp", name) < 0) {
		tmp = NULL;
		return -ENOMEM;
	}
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	for (int tries = 0; (r = linkat(AT_FDCWD, self, dirfd, tmp, AT_SYMLINK_FOLLOW)) < 0 && errno == EEXIST && tries < 10; tries++)
		(void)unlinkat(dirfd, tmp, 0);
	if (r < 0)
		return errno == ENOENT || errno == EXDEV || errno == EEXIST ? -EOPNOTSUPP : -errno;
	/* Gone: another writer has put our file into place along with his. */
	if (renameat(dirfd, tmp, dirfd, name) < 0 && errno != ENOENT) {
		r = -errno;
		(void)unlinkat(dirfd, tmp, 0);
	}
	return r;
}

static int replace(int dirfd, const char *name, const void *p, size_t n, mode_t mode, bool durable, struct err **e)
{
	auto_free char *tmp = NULL;
	auto_close int fd = -EBADF;
	uint64_t salt = 0;
	int r = durable ? replace_unnamed(dirfd, name, p, n, mode) : -EOPNOTSUPP;

	if (r != -EOPNOTSUPP) {
		if (r < 0)
			return err_set(e, -r, NULL, "cannot write %s", name);
		(void)fsync(dirfd);
		return 0;
	}
	if (getrandom(&salt, sizeof(salt), GRND_NONBLOCK) < 0)
		salt = (uint64_t)getpid();
	if (asprintf(&tmp, "%s.tmp-%08llx", name, (unsigned long long)(salt & 0xffffffffU)) < 0)
		return err_no_memory(e);
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(e, errno, NULL, "cannot create %s", tmp);
	r = fill(fd, p, n, mode, durable);
	if (r == 0)
		r = move_into_place(dirfd, tmp, name, durable);
	if (r < 0) {
		(void)unlinkat(dirfd, tmp, 0);
		return err_set(e, -r, NULL, "cannot write %s", name);
	}
	if (durable)
		(void)fsync(dirfd);
	return 0;
}

int io_replace(int dirfd, const char *name, const void *p, size_t n, mode_t mode, struct err **e)
{
	return replace(dirfd, name, p, n, mode, true, e);
}

int io_replace_volatile(int dirfd, const char *name, const void *p, size_t n, mode_t mode, struct err **e)
{
	return replace(dirfd, name, p, n, mode, false, e);
}

int io_overwrite(int dirfd, const char *name, const void *p, size_t n)
{
	auto_close int fd = openat(dirfd, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	char page[IO_OVERWRITE_MAX];
	struct stat st;
	size_t len;
	ssize_t w;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || n > sizeof(page) || (size_t)st.st_size > sizeof(page))
		return -EINVAL;
	len = n > (size_t)st.st_size ? n : (size_t)st.st_size;
	memcpy(page, p, n);
	memset(page + n, '\n', len - n);
	w = pwrite(fd, page, len, 0);
	if (w < 0)
		return -errno;
	return (size_t)w == len ? 0 : -EIO;
}

DIR *io_fdopendir(int fd)
{
	DIR *d = fdopendir(fd);

	if (!d)
		fd_close(fd);
	return d;
}

DIR *io_opendir(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? NULL : io_fdopendir(fd);
}

char *io_obstacle(const char *path)
{
	for (size_t n = 1; *path && path[n - 1]; n++) {
		auto_free char *part = NULL;

		if (n > 1 && path[n] && path[n] != '/')
			continue;
		part = strndup(path, n);
		if (!part || (access(part, X_OK) < 0 && errno == EACCES))
			return take_ptr(part);
	}
	return NULL;
}

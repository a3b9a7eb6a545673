/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/openat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/compiler.h"
#include "base/vec.h"

#define LINKS_MAX 40		/* as the kernel's own limit */
#define DEPTH_MAX 1024
#define AGAIN_MAX 64		/* renames anywhere on the host make openat2 say EAGAIN on ".." */
#define SWAPS_MAX 64

/* What to do where the last component, or one before it, is missing. */
enum make { MAKE_NOTHING, MAKE_DIRS, MAKE_FILE };

/* A walk by hand. Every directory on the way is held open, so that ".." is the one we came through
 * whatever is renamed meanwhile, and no name is looked up twice. */
struct walk {
	int root;		/* borrowed */
	VEC(int) dirs;		/* owned: the directories below root that lead here */
	char *rest;		/* owned: what is still to be walked */
	unsigned links;
	bool no_symlinks;
	enum make make;
	mode_t mode;
};

static void walk_done(struct walk *w)
{
	for (size_t i = 0; i < w->dirs.n; i++)
		fd_close(w->dirs.v[i]);
	VEC_DONE(&w->dirs);
	free(w->rest);
}
#define auto_walk __attribute__((cleanup(walk_done)))

static int here(const struct walk *w)
{
	return w->dirs.n ? w->dirs.v[w->dirs.n - 1] : w->root;
}

static void go_up(struct walk *w)
{
	if (w->dirs.n)
		fd_close(w->dirs.v[--w->dirs.n]);
}

static int go_down(struct walk *w, int *fd)
{
	if (w->dirs.n >= DEPTH_MAX)
		return -ENAMETOOLONG;
	if (VEC_PUSH(&w->dirs, *fd) < 0)
		return -ENOMEM;
	(void)take_fd(fd);
	return 0;
}

/* Takes the next name off the rest (new; NULL at the end). *ret_last: nothing follows it. */
static int next_name(struct walk *w, char **ret, bool *ret_last)
{
	char *p = w->rest + strspn(w->rest, "/");
	size_t n = strcspn(p, "/");
	const char *after = p + n;

	*ret = NULL;
	if (n == 0)
		return 0;
	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	*ret = strndup(p, n);
	if (!*ret)
		return -ENOMEM;
	/* A slash at the end asks for a directory: then this name is not the last, "." follows. */
	*ret_last = *after == '\0';
	memmove(w->rest, after, strlen(after) + 1);
	return 0;
}

/* Puts the text of the link behind fd in front of the rest. */
static int follow(struct walk *w, int fd)
{
	char target[PATH_MAX];
	char *rest = NULL;
	ssize_t n;

	if (w->no_symlinks || ++w->links > LINKS_MAX)
		return -ELOOP;
	n = readlinkat(fd, "", target, sizeof(target));
	if (n < 0)
		return -errno;
	if (n == 0 || (size_t)n >= sizeof(target) || strlen(w->rest) > (size_t)PATH_MAX * 4)
		return n == 0 ? -ENOENT : -ENAMETOOLONG;
	if (asprintf(&rest, "%.*s%s%s", (int)n, target, *w->rest ? "/" : "", w->rest) < 0)
		return -ENOMEM;
	free(w->rest);
	w->rest = rest;
	while (*rest == '/' && w->dirs.n)
		go_up(w);
	return 0;
}

/* Gives a directory that was just made its exact mode, whatever the umask. */
static int fix_mode(int fd, mode_t mode)
{
	auto_close int dir = -EBADF;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_mode & 07777) == mode)
		return 0;
	dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 || fchmod(dir, mode) < 0 ? -errno : 0;
}

/* Opens one existing name without following it. */
static int look(const struct walk *w, const char *name, struct stat *st)
{
	auto_close int fd = openat(here(w), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fstat(fd, st) < 0)
		return -errno;
	return take_fd(&fd);
}

static int make_dir(const struct walk *w, const char *name, mode_t mode, struct stat *st)
{
	auto_close int fd = -EBADF;
	int r;

	if (mkdirat(here(w), name, mode) < 0) {
		if (errno != EEXIST)
			return -errno;
		return look(w, name, st);
	}
	fd = look(w, name, st);
	if (fd < 0 || !S_ISDIR(st->st_mode))
		return take_fd(&fd);
	r = fix_mode(fd, mode);
	return r < 0 ? r : take_fd(&fd);
}

static int make_file(const struct walk *w, const char *name, struct stat *st)
{
	auto_close int fd = openat(here(w), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, w->mode);

	if (fd < 0 && errno != EEXIST)
		return -errno;
	if (fd >= 0 && fchmod(fd, w->mode) < 0)
		return -errno;
	return look(w, name, st);
}

/* The same, made where it is missing. */
static int look_or_make(const struct walk *w, const char *name, bool last, struct stat *st)
{
	int fd = look(w, name, st);

	/* A rival may remove what was just found; each round needs him to win again. */
	for (int i = 0; fd == -ENOENT && w->make != MAKE_NOTHING && i < SWAPS_MAX; i++)
		fd = last && w->make == MAKE_FILE ? make_file(w, name, st) :
		     make_dir(w, name, w->make == MAKE_DIRS ? w->mode : 0755, st);
	return fd;
}

/* The last name, opened with the caller's flags into *ret_fd; 0 without that: it was a link. */
static int open_last(struct walk *w, const char *name, int flags, mode_t mode, int *ret_fd)
{
	for (int i = 0; i < SWAPS_MAX; i++) {
		auto_close int at = -EBADF;
		struct stat st;
		int fd = -1, r = 0;

		/* A link is ELOOP, or ENOTDIR when a directory is asked for. */
		if (!(flags & O_PATH)) {
			fd = openat(here(w), name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
			r = fd < 0 ? -errno : 0;
		}
		if (fd >= 0 || (r < 0 && r != -ELOOP && r != -ENOTDIR)) {
			*ret_fd = fd;
			return r;
		}
		at = look(w, name, &st);
		if (at < 0)
			return at;
		if (S_ISLNK(st.st_mode) && !((flags & O_NOFOLLOW) && (flags & O_PATH)))
			return !(flags & O_NOFOLLOW) ? follow(w, at) : flags & O_DIRECTORY ? -ENOTDIR : -ELOOP;
		if (S_ISLNK(st.st_mode) && w->no_symlinks)
			return -ELOOP;
		if ((flags & O_DIRECTORY) && !S_ISDIR(st.st_mode))
			return -ENOTDIR;
		if (flags & O_PATH) {
			*ret_fd = take_fd(&at);
			return 0;
		}
		/* A link a moment ago and none now: once more. */
	}
	return -ELOOP;
}

static int open_here(const struct walk *w, int flags)
{
	int fd;

	if (flags & O_CREAT)
		return -EISDIR;
	fd = openat(here(w), ".", flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* One name of the walk. 0 with *ret_fd set: done; 0 without: go on; -errno. */
static int step(struct walk *w, const char *name, bool last, int flags, mode_t mode, int *ret_fd)
{
	auto_close int fd = -EBADF;
	struct stat st;

	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0) {
		if (w->no_symlinks && !w->dirs.n)
			return -ELOOP;
		go_up(w);
		return 0;
	}
	if (last && w->make == MAKE_NOTHING)
		return open_last(w, name, flags, mode, ret_fd);
	fd = look_or_make(w, name, last, &st);
	if (fd < 0)
		return fd;
	if (S_ISLNK(st.st_mode))
		return follow(w, fd);
	if (last && w->make == MAKE_FILE) {
		*ret_fd = take_fd(&fd);
		return 0;
	}
	return S_ISDIR(st.st_mode) ? go_down(w, &fd) : -ENOTDIR;
}

static int walk(struct walk *w, const char *path, int flags, mode_t mode)
{
	int fd = -EBADF, r = 0;

	if (!*path)
		return -ENOENT;
	w->rest = strdup(path);
	if (!w->rest)
		return -ENOMEM;
	while (r == 0 && fd < 0) {
		auto_free char *name = NULL;
		bool last = false;

		r = next_name(w, &name, &last);
		if (r == 0 && !name)
			return w->make == MAKE_FILE ? -EISDIR : open_here(w, flags);
		if (r == 0)
			r = step(w, name, last, flags, mode, &fd);
	}
	return r < 0 ? r : fd;
}

int open_by_walk(int rootfd, const char *path, int flags, mode_t mode, bool no_symlinks)
{
	auto_walk struct walk w = { .root = rootfd, .no_symlinks = no_symlinks };

	return walk(&w, path, flags, mode);
}

/* -ENOSYS: not there, or never quiet enough on this host. */
static int open2(int rootfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.mode = flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? mode : 0,
		.resolve = resolve | RESOLVE_NO_MAGICLINKS,
	};

	for (int i = 0; i < AGAIN_MAX; i++) {
		long fd = syscall(SYS_openat2, rootfd, path, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -ENOSYS;
}

/* A policy around us may answer EPERM for calls that it does not know; a real EPERM comes back from
 * the walk as well. */
static bool is_missing(int r)
{
	return r == -ENOSYS || r == -EPERM;
}

int open_in_root(int rootfd, const char *path, int flags, mode_t mode)
{
	int fd = open2(rootfd, path, flags, mode, RESOLVE_IN_ROOT);

	return is_missing(fd) ? open_by_walk(rootfd, path, flags, mode, false) : fd;
}

int open_no_symlinks(int rootfd, const char *path, int flags, mode_t mode)
{
	const char *below = path + strspn(path, "/");
	int fd;

	if (!*below && *path)
		below = ".";
	/* With it the kernel would hand out the link itself. */
	flags &= ~O_NOFOLLOW;
	fd = open2(rootfd, below, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	if (is_missing(fd))
		fd = open_by_walk(rootfd, below, flags, mode, true);
	return fd == -EXDEV ? -ELOOP : fd;
}

int mkdir_in_root(int rootfd, const char *path, mode_t mode)
{
	auto_walk struct walk w = { .root = rootfd, .make = MAKE_DIRS, .mode = mode };

	return walk(&w, path, O_PATH | O_DIRECTORY, 0);
}

int mkfile_in_root(int rootfd, const char *path, mode_t mode)
{
	auto_walk struct walk w = { .root = rootfd, .make = MAKE_FILE, .mode = mode };
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	/* Before any parent is made. */
	if (*path && (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0))
		return -EISDIR;
	return walk(&w, path, O_PATH, 0);
}

int open_parent_in_root(int rootfd, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	auto_free char *dir = NULL;
	int fd;

	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;
	dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	if (!dir)
		return -ENOMEM;
	fd = open_in_root(rootfd, dir, O_PATH | O_DIRECTORY, 0);
	if (fd >= 0)
		*ret_name = name;
	return fd;
}

int open_again(int fd, int flags)
{
	char path[64];
	int again;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags | O_CLOEXEC);
	return again < 0 ? -errno : again;
}

char *fd_path(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	if (n <= 0 || (size_t)n >= sizeof(path) || path[0] != '/')
		return NULL;
	return strndup(path, (size_t)n);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* rmtree - removing a tree whose content somebody else chose. Every directory is opened by name from
 * the fd of its parent, never through a symlink and never onto another mount; names that are not
 * directories are only unlinked. Depth is bounded: what lies deeper than the fds that are kept open is
 * first moved up to the top of the tree. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/compiler.h"
#include "base/path.h"
#include "kernel/idmap.h"
#include "kernel/btrfs.h"
#include "kernel/mountinfo.h"
#include "kernel/openat.h"
#include "storage/storage.h"

#define DEPTH_MAX 100
#define BLOCK 16384
/* A directory is read again as long as it is not empty: entries may have been moved there meanwhile. Somebody who keeps adding does not keep us for ever. */
#define PASSES_MAX 10000

struct removal {
	int top;		/* the directory that is being removed */
	unsigned moved;		/* number of the next directory that is moved up */
	bool btrfs;		/* there may be subvolumes */
	char *block[DEPTH_MAX + 1];	/* what is read of the directory of each level */
	struct err **e;
};

static void removal_done(struct removal *rm)
{
	for (size_t i = 0; i < ARRAY_SIZE(rm->block); i++)
		free(rm->block[i]);
}
#define auto_removal __attribute__((cleanup(removal_done)))

/* A directory on the same mount. Kernels whose openat2 is filtered away compare mount ids. */
static int open_child_dir(int dirfd, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
	};
	long fd = syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
	struct statx a, b;

	if (fd >= 0 || errno != ENOSYS)
		return fd >= 0 ? (int)fd : -errno;
	fd = openat(dirfd, name, (int)how.flags);
	if (fd < 0)
		return -errno;
	if (statx((int)fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &a) < 0 ||
	    statx(dirfd, "", AT_EMPTY_PATH, STATX_MNT_ID, &b) < 0 || a.stx_mnt_id != b.stx_mnt_id) {
		fd_close((int)fd);
		return -EXDEV;
	}
	return (int)fd;
}

/* The same where the owner took his own permission away. The mode is changed through an fd: a name
 * could be a link by now. */
static int open_child_dir_forced(int dirfd, const char *name)
{
	auto_close int path = -EBADF;
	char link[64];
	int fd = open_child_dir(dirfd, name);

	if (fd != -EACCES)
		return fd;
	path = openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (path < 0)
		return -errno;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", path);
	if (chmod(link, 0700) < 0)
		return -errno;
	return open_child_dir(dirfd, name);
}

/* Takes the immutable and append-only flags off; true if there were any. */
static bool clear_flags(int fd)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || !(flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)))
		return false;
	flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
	return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

static bool clear_flags_at(int dirfd, const char *name)
{
	auto_close int fd = -EBADF;
	struct stat st;

	/* Opening a device or a fifo could do something: only files and directories have such flags. */
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return false;
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd >= 0 && clear_flags(fd);
}

static int unlink_one(int dirfd, const char *name, int flags)
{
	if (unlinkat(dirfd, name, flags) == 0 || errno == ENOENT)
		return 0;
	if (errno == EPERM || errno == EACCES) {
		bool again = clear_flags(dirfd);

		again |= clear_flags_at(dirfd, name);
		if (again && unlinkat(dirfd, name, flags) == 0)
			return 0;
	}
	return errno == ENOENT ? 0 : -errno;
}

static int fail(struct removal *rm, int dirfd, const char *name, int r)
{
	char link[64], path[4096];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n < 0 ? 0 : n] = '\0';
	if (r == -EXDEV || r == -EBUSY) {
		auto_free char *full = path_join(path, name);

		return full ? err_rmtree_mount(rm->e, full) : err_no_memory(rm->e);
	}
	return err_set(rm->e, -r, NULL, "cannot remove %s/%s", path, name);
}

static int move_up(struct removal *rm, int dirfd, const char *name)
{
	char to[48];

	do {
		(void)snprintf(to, sizeof(to), ".rmtree-%u", rm->moved++);
		if (renameat2(dirfd, name, rm->top, to, RENAME_NOREPLACE) == 0)
			return 0;
	} while (errno == EEXIST);
	return errno == EPERM && clear_flags_at(dirfd, name) &&
			       renameat2(dirfd, name, rm->top, to, RENAME_NOREPLACE) == 0 ?
		       0 :
		       -errno;
}

static int remove_opened(struct removal *rm, int dirfd, const char *name, int fd, unsigned depth);

static int remove_dir(struct removal *rm, int dirfd, const char *name, unsigned depth)
{
	auto_close int fd = -EBADF;
	int r;

	if (depth >= DEPTH_MAX) {
		r = move_up(rm, dirfd, name);
		return r < 0 ? fail(rm, dirfd, name, r) : 0;
	}
	fd = open_child_dir_forced(dirfd, name);
	if (fd == -ENOENT)
		return 0;
	/* Not a directory (any more): the name goes, whatever it is. */
	if (fd == -ENOTDIR || fd == -ELOOP) {
		r = unlink_one(dirfd, name, 0);
		return r < 0 ? fail(rm, dirfd, name, r) : 0;
	}
	if (fd < 0)
		return fail(rm, dirfd, name, fd);
	return remove_opened(rm, dirfd, name, fd, depth);
}

static int remove_entry(struct removal *rm, int dirfd, const struct dirent64 *ent, unsigned depth)
{
	int r;

	if (ent->d_type != DT_DIR) {
		r = unlink_one(dirfd, ent->d_name, 0);
		if (r == 0)
			return 0;
		if (r != -EISDIR)
			return fail(rm, dirfd, ent->d_name, r);
	}
	return remove_dir(rm, dirfd, ent->d_name, depth + 1);
}

static int compare_entries(const void *a, const void *b)
{
	const struct dirent64 *const *x = a, *const *y = b;

	return ((*x)->d_ino > (*y)->d_ino) - ((*x)->d_ino < (*y)->d_ino);
}

/* What one reading gives, in the order of the inodes: neighbours on the disk are freed together. */
static int remove_some(struct removal *rm, int fd, char *block, ssize_t n, unsigned depth)
{
	const struct dirent64 *entries[BLOCK / offsetof(struct dirent64, d_name) + 1];
	size_t count = 0;
	int r = 0;

	for (ssize_t at = 0; at < n;) {
		const struct dirent64 *ent = (const struct dirent64 *)(const void *)(block + at);

		at += ent->d_reclen;
		if (!STREQ(ent->d_name, ".") && !STREQ(ent->d_name, ".."))
			entries[count++] = ent;
	}
	if (count > 1)
		qsort(entries, count, sizeof(*entries), compare_entries);
	for (size_t i = 0; i < count && r == 0; i++)
		r = remove_entry(rm, fd, entries[i], depth);
	return r;
}

static int empty_dir(struct removal *rm, int fd, unsigned depth)
{
	ssize_t n;

	if (!rm->block[depth])
		rm->block[depth] = malloc(BLOCK);
	if (!rm->block[depth])
		return fail(rm, fd, ".", -ENOMEM);
	while ((n = getdents64(fd, rm->block[depth], BLOCK)) > 0) {
		int r = remove_some(rm, fd, rm->block[depth], n, depth);

		if (r < 0)
			return r;
	}
	return n < 0 ? fail(rm, fd, ".", -errno) : 0;
}

/* A subvolume with all that is in it; where that is not allowed its files go one by one. */
static bool remove_subvolume(const struct removal *rm, int dirfd, const char *name, int fd)
{
	return rm->btrfs && btrfs_is_subvolume(fd) && btrfs_destroy(dirfd, name) == 0;
}

/* The directory name, which fd is open on. */
static int remove_opened(struct removal *rm, int dirfd, const char *name, int fd, unsigned depth)
{
	int r = -ENOTEMPTY;

	if (remove_subvolume(rm, dirfd, name, fd))
		return 0;
	for (unsigned pass = 0; (r == -ENOTEMPTY || r == -EEXIST) && pass < PASSES_MAX; pass++) {
		if (pass && lseek(fd, 0, SEEK_SET) < 0)
			return fail(rm, dirfd, name, -errno);
		r = empty_dir(rm, fd, depth);
		if (r < 0)
			return r;
		r = unlink_one(dirfd, name, AT_REMOVEDIR);
	}
	return r < 0 ? fail(rm, dirfd, name, r) : 0;
}

int storage_no_mounts(int fd, struct err **e)
{
	auto_mountinfo struct mountinfo m = { 0 };
	auto_free char *dir = fd_path(fd);

	/* Without /proc the removal itself still stops at mounts. */
	if (!dir || mountinfo_read(&m, NULL) < 0)
		return 0;
	for (size_t i = 0; i < m.n; i++)
		if (!STREQ(m.v[i].point, dir) && mountinfo_is_below(&m.v[i], dir))
			return err_rmtree_mount(e, m.v[i].point);
	return 0;
}

static int remove_tree(int parent_fd, const char *name, struct err **e)
{
	auto_removal struct removal rm = { .top = -EBADF, .e = e };
	auto_close int top = -EBADF;
	int r;

	if (!*name || strchr(name, '/') || STREQ(name, ".") || STREQ(name, ".."))
		return err_set(e, EINVAL, NULL, "'%s' is not a name of something to remove", name);
	top = open_child_dir_forced(parent_fd, name);
	if (top == -ENOENT)
		return 0;
	if (top == -ENOTDIR || top == -ELOOP) {
		r = unlink_one(parent_fd, name, 0);
		return r < 0 ? fail(&rm, parent_fd, name, r) : 0;
	}
	if (top < 0)
		return fail(&rm, parent_fd, name, top);
	rm.top = top;
	rm.btrfs = btrfs_is(top);
	r = storage_no_mounts(top, e);
	return r < 0 ? r : remove_opened(&rm, parent_fd, name, top, 0);
}

struct job {
	int parent_fd;
	const char *name;
};

static int remove_mapped(void *arg, struct err **e)
{
	const struct job *j = arg;

	return remove_tree(j->parent_fd, j->name, e);
}

/* What an ordinary user's containers own he removes as root of a namespace with all his ids. What then
 * remains, and why, the caller finds out himself. */
static void remove_as_owner(int parent_fd, const char *name)
{
	struct job j = { parent_fd, name };
	struct idmap m = { 0 };
	uint32_t uid, gid;

	if (idmap_of_caller(&m, UINT32_MAX - 1, NULL) == 0 && m.n && idmap_add_self(&m, &uid, &gid) == 0)
		(void)idmap_run(&m, remove_mapped, &j, NULL);
	idmap_done(&m);
}

int storage_rmtree(int parent_fd, const char *name, struct err **e)
{
	struct err *mine = NULL;
	int r = remove_tree(parent_fd, name, &mine);

	if ((r == -EACCES || r == -EPERM) && geteuid() != 0) {
		err_free(take_ptr(mine));
		remove_as_owner(parent_fd, name);
		r = remove_tree(parent_fd, name, &mine);
	}
	if (r < 0)
		err_move(e, take_ptr(mine));
	err_free(mine);
	return r;
}

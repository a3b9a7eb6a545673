/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "storage/block.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/mount.h"

#define MARK "storage"
#define MARK_MAX 4200
/* Not in the kernel's exported headers. */
#define EXT4_RESIZE _IOW('f', 16, uint64_t)
#define EXT_MAGIC_AT (1024 + 56)
#define EXT_COMPAT_AT (1024 + 92)
#define EXT_INCOMPAT_AT (1024 + 96)
#define EXT_HAS_JOURNAL 0x4
#define EXT_SINCE_4 (0x40 | 0x80 | 0x200) /* extents, 64bit, flex_bg */

/* ---- which file system */

static const struct {
	const char *name;
	off_t at;
	const char *magic;
	size_t n;
} signatures[] = {
	{ "xfs", 0, "XFSB", 4 },
	{ "btrfs", 0x10040, "_BHRfS_M", 8 },
	{ "f2fs", 1024, "\x10\x20\xf5\xf2", 4 },
	{ "squashfs", 0, "hsqs", 4 },
	{ "erofs", 1024, "\xe2\xe1\xf5\xe0", 4 },
	{ "nilfs2", 1030, "\x34\x34", 2 },
	{ "jfs", 32768, "JFS1", 4 },
	{ "reiserfs", 65588, "ReIsEr", 6 },
	{ "bcachefs", 4120, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca", 8 },
	{ "iso9660", 32769, "CD001", 5 },
};

static uint32_t le32_at(int fd, off_t at)
{
	uint32_t v = 0;

	return pread(fd, &v, sizeof(v), at) == (ssize_t)sizeof(v) ? le32toh(v) : 0;
}

static const char *detect(int fd)
{
	if ((le32_at(fd, EXT_MAGIC_AT) & 0xffff) == 0xef53) {
		if (le32_at(fd, EXT_INCOMPAT_AT) & EXT_SINCE_4)
			return "ext4";
		return le32_at(fd, EXT_COMPAT_AT) & EXT_HAS_JOURNAL ? "ext3" : "ext2";
	}
	for (size_t i = 0; i < ARRAY_SIZE(signatures); i++) {
		char buf[8];

		if (pread(fd, buf, signatures[i].n, signatures[i].at) == (ssize_t)signatures[i].n &&
		    memcmp(buf, signatures[i].magic, signatures[i].n) == 0)
			return signatures[i].name;
	}
	return NULL;
}

int block_fstype(const char *path, char **ret, struct err **e)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *found;

	if (fd < 0)
		return err_set(e, errno, NULL, "cannot open %s", path);
	found = detect(fd);
	*ret = found ? strdup(found) : NULL;
	return found && !*ret ? err_no_memory(e) : 0;
}

int block_need_fstype(struct storage *s, const char *path, struct err **e)
{
	int r = s->fstype ? 0 : block_fstype(path, &s->fstype, e);

	return r < 0 || s->fstype ? r : err_fstype_undetected(e, path);
}

/* ---- making and mounting one */

static bool is_word(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_.") == strlen(s);
}

int block_mkfs(const struct storage_spec *spec, const char *path, struct err **e)
{
	const char *type = spec->fstype ? spec->fstype : BLOCK_FSTYPE_DEFAULT;
	auto_free char *program = NULL;
	int r;

	if (!is_word(type))
		return err_fstype_unknown(e, type);
	if (asprintf(&program, "mkfs.%s", type) < 0)
		return err_no_memory(e);
	r = storage_run(e, program, path, NULL);
	return err_wrap(e, r, "making a file system on %s", path);
}

int block_mount(struct storage *s, const struct conf *c, struct err **e)
{
	auto_free char *options = NULL;
	auto_close int mnt = -EBADF;
	struct err *mine = NULL;
	int r = block_need_fstype(s, s->device, e);

	if (r < 0)
		return r;
	mnt = mount_new(s->fstype, s->device, s->view ? NULL : s->options.data, 0, &mine);
	/* What cannot be written is mounted as it is, as mount(8) does. */
	if (mnt == -EROFS || mnt == -EACCES) {
		err_free(take_ptr(mine));
		if (asprintf(&options, "ro%s%s", s->options.data ? "," : "", s->options.data ? s->options.data : "") < 0)
			return err_no_memory(e);
		mnt = mount_new(s->fstype, s->device, options, MOUNT_ATTR_RDONLY, &mine);
	}
	if (mnt < 0) {
		err_move(e, mine);
		return mnt;
	}
	r = storage_set_attributes(s, mnt, c, e);
	return r < 0 ? r : take_fd(&mnt);
}

int block_prepare(const struct storage_driver *d, const char *source, const struct conf *c, struct err **e)
{
	auto_storage struct storage *s = NULL;
	auto_close int mnt = -EBADF, root = -EBADF;
	int r = storage_open(d, source, c, NULL, &s, e);

	if (r == 0)
		r = storage_attach(s, e);
	if (r == 0)
		r = mnt = d->mount(s, c, e);
	if (r < 0)
		return r;
	root = openat(mnt, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_set(e, errno, NULL, "cannot open the root of %s", source);
	/* The root is empty, as every type's; fsck makes this again when it needs it. */
	(void)unlinkat(root, "lost+found", AT_REMOVEDIR);
	if (fchmod(root, 0755) < 0)
		return err_set(e, errno, NULL, "cannot set the mode of the root of %s", source);
	return storage_give(root, c, e);
}

/* ---- sizes */

int block_size(const char *path, uint64_t *ret)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISBLK(st.st_mode))
		return ioctl(fd, BLKGETSIZE64, ret) < 0 ? -errno : 0;
	*ret = (uint64_t)st.st_size;
	return 0;
}

int block_usage(struct storage *s, struct storage_usage *ret, struct err **e)
{
	auto_close int mnt = -EBADF;
	struct statvfs v;
	uint64_t size;
	int r;

	s->view = true;
	r = storage_attach(s, e);
	if (r == 0)
		r = mnt = s->driver->mount(s, NULL, e);
	if (r < 0)
		return r;
	if (fstatvfs(mnt, &v) < 0)
		return err_set(e, errno, NULL, "cannot ask the file system of %s", s->source);
	r = block_size(s->device, &size);
	if (r < 0)
		return err_set(e, -r, NULL, "cannot tell the size of %s", s->device);
	ret->used = (uint64_t)(v.f_blocks - v.f_bfree) * v.f_frsize;
	ret->exclusive = ret->used;
	ret->limit = size;
	return 0;
}

struct xfs_geometry {			/* xfs_fsop_geom_v1 of the kernel */
	uint32_t blocksize, rtextsize, agblocks, agcount, logblocks, sectsize, inodesize, imaxpct;
	uint64_t datablocks, rtblocks, rtextents, logstart;
	unsigned char uuid[16];
	uint32_t sunit, swidth;
	int32_t version;
	uint32_t flags, logsectsize, rtsectsize, dirblocksize;
};
struct xfs_growth {
	uint64_t newblocks;
	uint32_t imaxpct;
};
#define XFS_GEOMETRY _IOR('X', 100, struct xfs_geometry)
#define XFS_GROW _IOW('X', 110, struct xfs_growth)

static int grow_ext(int fd, uint64_t size)
{
	struct statvfs v;
	uint64_t blocks;

	if (fstatvfs(fd, &v) < 0)
		return -errno;
	blocks = size / v.f_bsize;
	return ioctl(fd, EXT4_RESIZE, &blocks) < 0 ? -errno : 0;
}

static int grow_xfs(int fd, uint64_t size)
{
	struct xfs_geometry geometry;
	struct xfs_growth growth = { 0 };

	if (ioctl(fd, XFS_GEOMETRY, &geometry) < 0 || !geometry.blocksize)
		return -errno;
	growth.newblocks = size / geometry.blocksize;
	growth.imaxpct = geometry.imaxpct;
	if (growth.newblocks <= geometry.datablocks)
		return 0;
	return ioctl(fd, XFS_GROW, &growth) < 0 ? -errno : 0;
}

static int grow_btrfs(int fd, uint64_t size)
{
	struct btrfs_ioctl_vol_args args = { .name = "max" };

	(void)size;
	return ioctl(fd, BTRFS_IOC_RESIZE, &args) < 0 ? -errno : 0;
}

static const struct {
	const char *fstype;
	int (*grow)(int fd, uint64_t size);
} growers[] = {
	{ "ext4", grow_ext }, { "ext3", grow_ext }, { "xfs", grow_xfs }, { "btrfs", grow_btrfs },
};

/* A second mount of a device is the same file system: this grows it under a running container. */
int block_grow(struct storage *s, struct err **e)
{
	auto_close int mnt = -EBADF, fd = -EBADF;
	uint64_t size;
	int r = s->driver->mount(s, NULL, e);

	if (r < 0)
		return r;
	mnt = r;
	fd = openat(mnt, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = fd < 0 ? -errno : block_size(s->device, &size);
	if (r < 0)
		return err_set(e, -r, NULL, "cannot tell the size of %s", s->device);
	for (size_t i = 0; i < ARRAY_SIZE(growers); i++) {
		if (!STREQ(growers[i].fstype, s->fstype))
			continue;
		r = growers[i].grow(fd, size);
		return r < 0 ? err_set(e, -r, NULL, "cannot grow the file system on %s", s->device) : 0;
	}
	return err_resize_filesystem(e, s->fstype, s->source);
}

/* ---- the mark */

int storage_mark(int dirfd, const char *type, const char *source, struct err **e)
{
	auto_free char *text = NULL;

	if (asprintf(&text, "%s:%s\n", type, source) < 0)
		return err_no_memory(e);
	return io_replace(dirfd, MARK, text, strlen(text), 0600, e);
}

void storage_unmark(int dirfd)
{
	(void)unlinkat(dirfd, MARK, 0);
}

char *storage_marked(int dirfd)
{
	auto_free char *text = NULL;

	if (io_read_file(dirfd, MARK, MARK_MAX, &text, NULL, NULL) < 0)
		return NULL;
	return strdup(str_trim(text));
}

bool storage_is_own(int dirfd, const char *dir, const char *type, const char *source)
{
	auto_free char *mark = storage_marked(dirfd), *own = NULL, *name = path_simplify(dir);

	if (!name || asprintf(&own, "%s:%s", type, source) < 0)
		return false;
	if (mark)
		return STREQ(mark, own);
	return STREQ(path_base(source), path_base(name));
}

bool block_name_is_valid(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_.-");

	return n && n <= 127 && !name[n] && *name != '-' && !STREQ(name, ".") && !STREQ(name, "..");
}

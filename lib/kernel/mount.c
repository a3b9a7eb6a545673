/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/compiler.h"
#include "base/strv.h"
#include "kernel/mountinfo.h"
#include "kernel/openat.h"
#include "kernel/proc.h"
#include "kernel/socket.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef STATX_ATTR_MOUNT_ROOT
#define STATX_ATTR_MOUNT_ROOT 0x00002000
#endif

/* fsconfig copies at most this much of a value, its NUL included. */
#define FSCONFIG_VALUE_MAX 256

/* The attributes as mount(2) and statvfs(3) know them. */
static const struct {
	uint64_t attr;
	unsigned long ms, st;
} attr_table[] = {
	{ MOUNT_ATTR_RDONLY, MS_RDONLY, ST_RDONLY },
	{ MOUNT_ATTR_NOSUID, MS_NOSUID, ST_NOSUID },
	{ MOUNT_ATTR_NODEV, MS_NODEV, ST_NODEV },
	{ MOUNT_ATTR_NOEXEC, MS_NOEXEC, ST_NOEXEC },
	{ MOUNT_ATTR_NODIRATIME, MS_NODIRATIME, ST_NODIRATIME },
	{ MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW, 0x2000 },
};

/* What the kernel has to say about a file system context, its lines joined. */
static void add_log(int fs, struct buf *b)
{
	char line[512];
	ssize_t n;

	while ((n = read(fs, line, sizeof(line) - 1)) > 0) {
		const char *text = line;

		/* "e ", "w " or "i " goes in front of each. */
		line[n] = '\0';
		if (n > 2 && line[1] == ' ')
			text += 2;
		buf_addf(b, "%s%.*s", b->len ? "; " : "", (int)strcspn(text, "\n"), text);
	}
}

static int new_error(int fs, int num, const char *type, const char *source, const char *word, struct err **e)
{
	auto_buf struct buf log = BUF_INIT(4096);
	bool has_word = word && *word;

	if (fs >= 0)
		add_log(fs, &log);
	if (num == ENODEV && fs < 0)
		return err_fstype_unknown(e, type);
	if (num == EPERM && !log.len)
		return err_mount_forbidden(e, type);
	return err_set(e, num, NULL, "cannot mount file system %s%s%s%s%s%s%s%s", type, source ? " from " : "",
		       source ? source : "", has_word ? " with option '" : "", has_word ? word : "",
		       has_word ? "'" : "", log.len ? ": " : "", buf_str(&log));
}

static int set_option(int fs, const char *word)
{
	const char *equals = strchr(word, '=');
	auto_free char *key = NULL;

	if (!equals)
		return fsconfig(fs, FSCONFIG_SET_FLAG, word, NULL, 0) < 0 ? -errno : 0;
	key = strndup(word, (size_t)(equals - word));
	if (!key)
		return -ENOMEM;
	return fsconfig(fs, FSCONFIG_SET_STRING, key, equals + 1, 0) < 0 ? -errno : 0;
}

/* Splits options at commas; "\," is a comma of the word (lowerdir has such). */
static int split_options(struct strv *words, const char *options)
{
	auto_buf struct buf word = BUF_INIT((size_t)1 << 20);
	int r = 0;

	for (const char *p = options;; p++) {
		if (*p == '\\' && p[1]) {
			if (p[1] != ',')
				buf_addc(&word, *p);
			buf_addc(&word, *++p);
			continue;
		}
		if (*p && *p != ',') {
			buf_addc(&word, *p);
			continue;
		}
		if (word.len)
			r = strv_push(words, buf_take(&word));
		if (r < 0 || !*p)
			return buf_ok(&word) ? r : -ENOMEM;
	}
}

static bool has_long_value(const struct strv *words, const char *source)
{
	if (source && strlen(source) >= FSCONFIG_VALUE_MAX)
		return true;
	for (size_t i = 0; i < words->n; i++) {
		const char *equals = strchr(words->v[i], '=');

		if (equals && strlen(equals + 1) >= FSCONFIG_VALUE_MAX)
			return true;
	}
	return false;
}

static int new_by_context(const char *type, const char *source, const struct strv *words, uint64_t attrs,
			  struct err **e)
{
	auto_close int fs = fsopen(type, FSOPEN_CLOEXEC), fd = -EBADF;
	int r;

	if (fs < 0)
		return new_error(-1, errno, type, NULL, NULL, e);
	if (source && fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return new_error(fs, errno, type, source, NULL, e);
	for (size_t i = 0; i < words->n; i++) {
		r = set_option(fs, words->v[i]);
		if (r < 0)
			return new_error(fs, -r, type, source, words->v[i], e);
	}
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return new_error(fs, errno, type, source, NULL, e);
	fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attrs);
	if (fd < 0)
		return new_error(fs, errno, type, source, NULL, e);
	return take_fd(&fd);
}

/* mount(2) takes values of any length, but only onto a place. A child makes one for itself: in a
 * mount namespace of its own any directory will do, and nobody sees it. */
static int new_in_child(const char *type, const char *source, const char *options, int sock)
{
	auto_close int fd = -EBADF, root = -EBADF;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	if (mount(source ? source : "none", "/", type, 0, options) < 0)
		return -errno;
	/* ".." of the root is looked up through what was just put on it. */
	root = open("/..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	fd = mount_clone(root, false, NULL);
	return fd < 0 ? fd : socket_send(sock, "", 1, &fd, 1, false);
}

static int new_by_child(const char *type, const char *source, const char *options, struct err **e)
{
	int sv[2], fd = -EBADF, status = 0, r = socket_pair(SOCK_SEQPACKET, sv, e);
	char c;
	pid_t pid;

	if (r < 0)
		return r;
	auto_close int ours = sv[0], theirs = sv[1];

	pid = proc_clone_seen(CLONE_NEWNS, e);
	if (pid < 0)
		return pid;
	if (pid == 0)
		_exit(-new_in_child(type, source, options, theirs) & 0xff);
	fd_replace(&theirs, -EBADF);
	r = (int)socket_recv_packet(ours, &c, 1, &fd, 1, NULL, -1);
	(void)proc_wait(pid, &status);
	if (r == 1 && fd >= 0)
		return fd;
	return new_error(-1, WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EIO, type, source,
			 NULL, e);
}

int mount_new(const char *type, const char *source, const char *options, uint64_t attrs, struct err **e)
{
	struct mount_attrs a = { .set = attrs, .userns_fd = -1 };
	auto_strv struct strv words = { 0 };
	auto_close int fd = -EBADF;
	int r = split_options(&words, options ? options : "");

	if (r < 0)
		return err_no_memory(e);
	if (!has_long_value(&words, source))
		return new_by_context(type, source, &words, attrs, e);
	fd = new_by_child(type, source, options, e);
	if (fd < 0)
		return fd;
	r = attrs ? mount_set(fd, &a, e) : 0;
	return r < 0 ? r : take_fd(&fd);
}

int mount_clone(int fd, bool recursive, struct err **e)
{
	int clone = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0));

	if (clone < 0) {
		int num = errno;
		auto_free char *path = fd_path(fd);

		return err_set(e, num, NULL, "cannot clone the mount at %s", path ? path : "a descriptor");
	}
	return clone;
}

/* A change of the access time mode replaces the whole mode, or the kernel refuses it. */
static struct mount_attr kernel_attr(const struct mount_attrs *a)
{
	struct mount_attr k = { .attr_set = a->set, .attr_clr = a->clear };

	if ((a->set | a->clear) & MOUNT_ATTR__ATIME)
		k.attr_clr |= MOUNT_ATTR__ATIME;
	if (a->userns_fd >= 0) {
		k.attr_set |= MOUNT_ATTR_IDMAP;
		k.userns_fd = (uint64_t)a->userns_fd;
	}
	return k;
}

/* The type of the file system of fd, for messages. */
static const char *fs_name(int fd)
{
	static const struct {
		uint32_t magic;
		const char *name;
	} known[] = {
		{ 0xef53, "ext4" },	    { 0x58465342, "xfs" },	{ 0x9123683e, "btrfs" },    { 0x01021994, "tmpfs" },
		{ 0x794c7630, "overlay" },  { 0x2fc12fc1, "zfs" },	{ 0x6969, "nfs" },	    { 0xff534d42, "cifs" },
		{ 0xfe534d42, "smb" },	    { 0x65735546, "fuse" },	{ 0x01021997, "9p" },	    { 0x6a656a63, "virtiofs" },
		{ 0x00c36400, "ceph" },	    { 0x858458f6, "ramfs" },	{ 0x73717368, "squashfs" }, { 0xe0f5e1e2, "erofs" },
		{ 0xf2f52010, "f2fs" },	    { 0xca451a4e, "bcachefs" }, { 0x4d44, "vfat" },	    { 0x2011bab0, "exfat" },
		{ 0x7366746e, "ntfs3" },    { 0x9660, "iso9660" },	{ 0x9fa0, "proc" },	    { 0x62656572, "sysfs" },
		{ 0x63677270, "cgroup2" },  { 0x27e0eb, "cgroup" },	{ 0x1cd1, "devpts" },
	};
	struct statfs fs;

	for (size_t i = 0; fstatfs(fd, &fs) == 0 && i < ARRAY_SIZE(known); i++)
		if ((uint32_t)fs.f_type == known[i].magic)
			return known[i].name;
	return "which has no name here";
}

static int set_error(struct err **e, int num, int fd, const struct mount_attrs *a)
{
	auto_free char *path = a->name ? NULL : fd_path(fd);
	const char *name = a->name ? a->name : path ? path : "a descriptor";

	if (a->userns_fd >= 0 && (num == EINVAL || num == EOPNOTSUPP || num == ENOSYS))
		return err_idmapped_mount_unsupported(e, name, fs_name(fd));
	return err_set(e, num, NULL, "cannot change the mount at %s", name);
}

/* Flags that a remount must repeat, or it would clear them. */
static unsigned long remount_flags(const struct statvfs *st, const struct mount_attr *k)
{
	unsigned long flags = 0;

	for (size_t i = 0; i < ARRAY_SIZE(attr_table); i++) {
		bool on = st->f_flag & attr_table[i].st;

		if (k->attr_clr & attr_table[i].attr)
			on = false;
		if (k->attr_set & attr_table[i].attr)
			on = true;
		if (on)
			flags |= attr_table[i].ms;
	}
	if (k->attr_clr & MOUNT_ATTR__ATIME) {
		uint64_t mode = k->attr_set & MOUNT_ATTR__ATIME;

		return flags | (mode == MOUNT_ATTR_NOATIME ? MS_NOATIME :
				mode == MOUNT_ATTR_STRICTATIME ? MS_STRICTATIME : MS_RELATIME);
	}
	return flags | (st->f_flag & ST_NOATIME ? MS_NOATIME : st->f_flag & ST_RELATIME ? MS_RELATIME : MS_STRICTATIME);
}

static int classic_remount(int fd, const struct mount_attr *k)
{
	char path[64];
	struct statvfs st;

	if (fstatvfs(fd, &st) < 0)
		return -errno;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | remount_flags(&st, k), NULL) < 0)
		return -errno;
	return 0;
}

/* The submounts, by their paths in this namespace. They are below an attached mount: what stands at
 * a path is checked by the id that mountinfo gave. */
static int classic_below(int fd, const struct mount_attr *k)
{
	auto_mountinfo struct mountinfo m = { 0 };
	auto_free char *top = fd_path(fd);
	int r = top ? mountinfo_read(&m, NULL) : -ENOENT;

	for (size_t i = 0; i < m.n && r == 0; i++) {
		auto_close int sub = -EBADF;
		struct statx sx;

		if (!mountinfo_is_below(&m.v[i], top) || strcmp(m.v[i].point, top) == 0)
			continue;
		sub = open(m.v[i].point, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		/* Covered by another mount: not seen, not changed. */
		if (sub < 0 || statx(sub, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0 || sx.stx_mnt_id != (uint64_t)m.v[i].id)
			continue;
		r = classic_remount(sub, k);
	}
	return r;
}

/* Linux 5.10 and 5.11. A detached mount cannot be reached there: -EINVAL. */
static int set_classic(int fd, const struct mount_attrs *a, const struct mount_attr *k)
{
	char path[64];
	int r = 0;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (a->userns_fd >= 0)
		return -ENOSYS;
	if (k->attr_set | k->attr_clr)
		r = classic_remount(fd, k);
	if (r == 0 && a->recursive && (k->attr_set | k->attr_clr))
		r = classic_below(fd, k);
	if (r == 0 && a->propagation &&
	    mount(NULL, path, NULL, a->propagation | (a->propagation_rec ? MS_REC : 0), NULL) < 0)
		r = -errno;
	return r;
}

int mount_set(int fd, const struct mount_attrs *a, struct err **e)
{
	struct mount_attr k = kernel_attr(a), propagation = { .propagation = a->propagation };
	int r = 0;

	if ((k.attr_set | k.attr_clr) &&
	    mount_setattr(fd, "", AT_EMPTY_PATH | (a->recursive ? AT_RECURSIVE : 0), &k, sizeof(k)) < 0)
		r = -errno;
	if (r == 0 && a->propagation &&
	    mount_setattr(fd, "", AT_EMPTY_PATH | (a->propagation_rec ? AT_RECURSIVE : 0), &propagation,
			  sizeof(propagation)) < 0)
		r = -errno;
	if (r == -ENOSYS)
		r = set_classic(fd, a, &k);
	return r < 0 ? set_error(e, -r, fd, a) : 0;
}

static int move(int from_fd, int target_fd, struct err **e)
{
	if (move_mount(from_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
		int num = errno;
		auto_free char *path = fd_path(target_fd);

		return err_set(e, num, NULL, "cannot mount on %s", path ? path : "a descriptor");
	}
	return 0;
}

int mount_attach(int mount_fd, int target_fd, struct err **e)
{
	return move(mount_fd, target_fd, e);
}

int mount_attach_with(int mount_fd, int target_fd, const struct mount_attrs *a, struct err **e)
{
	struct mount_attr none = { 0 };
	/* Changing nothing tells whether the call is there. */
	bool before = mount_setattr(mount_fd, "", AT_EMPTY_PATH, &none, sizeof(none)) == 0 || errno != ENOSYS;
	int r = before ? mount_set(mount_fd, a, e) : 0;

	if (r == 0)
		r = mount_attach(mount_fd, target_fd, e);
	if (r < 0 || before)
		return r;
	r = mount_set(mount_fd, a, e);
	if (r < 0)
		(void)mount_detach(mount_fd);
	return r;
}

int mount_move(int from_fd, int target_fd, struct err **e)
{
	return move(from_fd, target_fd, e);
}

int mount_detach(int fd)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return umount2(path, MNT_DETACH) < 0 ? -errno : 0;
}

int mount_propagate(const char *path, uint64_t propagation, struct err **e)
{
	const char *where = *path ? path : "/";

	if (mount(NULL, where, NULL, MS_REC | (unsigned long)propagation, NULL) < 0)
		return err_set(e, errno, NULL, "cannot change the propagation of mounts at %s", where);
	return 0;
}

bool mount_is_root(int fd)
{
	struct statx sx;

	return statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_TYPE, &sx) == 0 &&
	       (sx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) && (sx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

bool mount_can_idmap(int fd, int userns_fd)
{
	struct mount_attrs a = { .userns_fd = userns_fd };
	auto_close int clone = mount_clone(fd, false, NULL);

	return clone >= 0 && userns_fd >= 0 && mount_set(clone, &a, NULL) == 0;
}

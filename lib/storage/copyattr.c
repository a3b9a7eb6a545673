/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* copyattr - owner, mode, extended attributes and times of one inode. Ids are also in access control
 * lists and in file capabilities: there they are shifted too. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/posix_acl_xattr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/compiler.h"
#include "base/str.h"
#include "storage/copytree.h"

#define ACL_ACCESS "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"
#define CAPABILITY "security.capability"
/* posix_acl.h of the kernel does not export them. */
#define TAG_USER 0x02
#define TAG_GROUP 0x08
#define LIST_MAX 65536
#define VALUE_MAX 65536

int copy_id(struct copy *c, bool gid, uint32_t id, uint32_t *ret)
{
	uint32_t inside = id;

	*ret = id;
	if (!c->from || !c->to)
		return 0;
	if (c->from->n) {
		inside = idmap_to_ns(c->from, gid, id);
		if (inside == UINT32_MAX)
			return 0;
	}
	if (c->to->n) {
		*ret = idmap_to_host(c->to, gid, inside);
		if (*ret == UINT32_MAX) {
			c->unmapped = inside;
			return -EOVERFLOW;
		}
		return 0;
	}
	*ret = inside;
	return 0;
}

static bool is_shifting(const struct copy *c)
{
	return c->from && c->to;
}

static int shift_acl(struct copy *c, char *value, size_t n)
{
	struct posix_acl_xattr_header head;

	if (n < sizeof(head))
		return -EINVAL;
	memcpy(&head, value, sizeof(head));
	if (le32toh(head.a_version) != POSIX_ACL_XATTR_VERSION || (n - sizeof(head)) % sizeof(struct posix_acl_xattr_entry))
		return -EINVAL;
	for (size_t at = sizeof(head); at < n; at += sizeof(struct posix_acl_xattr_entry)) {
		struct posix_acl_xattr_entry entry;
		uint32_t id;
		int r;

		memcpy(&entry, value + at, sizeof(entry));
		if (le16toh(entry.e_tag) != TAG_USER && le16toh(entry.e_tag) != TAG_GROUP)
			continue;
		r = copy_id(c, le16toh(entry.e_tag) == TAG_GROUP, le32toh(entry.e_id), &id);
		if (r < 0)
			return r;
		entry.e_id = htole32(id);
		memcpy(value + at, &entry, sizeof(entry));
	}
	return 0;
}

/* A capability names the root user of the namespace it counts in; without a name that is the host's.
 * value has room for the longer form. */
static int shift_capability(struct copy *c, char *value, size_t *n)
{
	struct vfs_ns_cap_data cap = { 0 };
	uint32_t magic, root = 0;
	int r;

	if (*n != XATTR_CAPS_SZ_2 && *n != XATTR_CAPS_SZ_3)
		return 0;
	memcpy(&cap, value, *n);
	magic = le32toh(cap.magic_etc);
	if ((magic & VFS_CAP_REVISION_MASK) == VFS_CAP_REVISION_3)
		root = le32toh(cap.rootid);
	r = copy_id(c, false, root, &root);
	if (r < 0)
		return r;
	magic = (magic & ~VFS_CAP_REVISION_MASK) | (root ? VFS_CAP_REVISION_3 : VFS_CAP_REVISION_2);
	cap.magic_etc = htole32(magic);
	cap.rootid = htole32(root);
	*n = root ? XATTR_CAPS_SZ_3 : XATTR_CAPS_SZ_2;
	memcpy(value, &cap, *n);
	return 0;
}

static int shift_value(struct copy *c, const char *name, char *value, size_t *n)
{
	if (!is_shifting(c))
		return 0;
	if (STREQ(name, ACL_ACCESS) || STREQ(name, ACL_DEFAULT))
		return shift_acl(c, value, *n);
	return STREQ(name, CAPABILITY) ? shift_capability(c, value, n) : 0;
}

/* An inode by descriptor, or by a path whose last component is not followed. */
struct node {
	int fd;
	const char *path;
};

static ssize_t list(const struct node *n, char *buf, size_t size)
{
	return n->path ? llistxattr(n->path, buf, size) : flistxattr(n->fd, buf, size);
}

static ssize_t get(const struct node *n, const char *name, char *buf, size_t size)
{
	return n->path ? lgetxattr(n->path, name, buf, size) : fgetxattr(n->fd, name, buf, size);
}

static int set(const struct node *n, const char *name, const char *value, size_t size)
{
	return n->path ? lsetxattr(n->path, name, value, size, 0) : fsetxattr(n->fd, name, value, size, 0);
}

/* Labels and the like belong to the place where a file is: another file system or a user namespace
 * need not take them. What a program stored, a list or a capability is not dropped silently. */
static bool is_optional(const char *name)
{
	if (STREQ(name, CAPABILITY) || STREQ(name, ACL_ACCESS) || STREQ(name, ACL_DEFAULT))
		return false;
	return str_after(name, "security.") || str_after(name, "system.") || str_after(name, "btrfs.");
}

static int copy_xattr(struct copy *c, const struct node *from, const struct node *to, const char *name)
{
	char small[256 + sizeof(struct vfs_ns_cap_data)];
	auto_free char *large = NULL;
	char *value = small;
	ssize_t got = get(from, name, small, 256);
	size_t n;
	int r;

	if (got < 0 && errno == ERANGE) {
		value = large = malloc(VALUE_MAX);
		if (!large)
			return -ENOMEM;
		got = get(from, name, large, VALUE_MAX);
	}
	if (got < 0)
		return errno == ENODATA || is_optional(name) ? 0 : -errno;
	n = (size_t)got;
	r = shift_value(c, name, value, &n);
	if (r < 0)
		return r;
	return set(to, name, value, n) < 0 && !is_optional(name) ? -errno : 0;
}

static int copy_xattrs(struct copy *c, const struct node *from, const struct node *to)
{
	char small[1024];
	auto_free char *large = NULL;
	const char *names = small;
	ssize_t n = list(from, small, sizeof(small));
	int r = 0;

	if (n < 0 && errno == ERANGE) {
		large = malloc(LIST_MAX);
		if (!large)
			return -ENOMEM;
		names = large;
		n = list(from, large, LIST_MAX);
	}
	if (n < 0)
		return errno == EOPNOTSUPP || errno == ENOSYS ? 0 : -errno;
	for (const char *p = names; p < names + n && r == 0; p += strlen(p) + 1)
		r = copy_xattr(c, from, to, p);
	return r;
}

static const struct timespec *times_of(const struct stat *st, struct timespec t[2])
{
	t[0] = st->st_atim;
	t[1] = st->st_mtim;
	return t;
}

int copy_attributes(struct copy *c, int from, int to, const struct stat *st, mode_t mode)
{
	const struct node a = { .fd = from }, b = { .fd = to };
	mode_t want = st->st_mode & 07777;
	struct timespec t[2];
	uint32_t uid, gid;
	int r = copy_id(c, false, st->st_uid, &uid);

	if (r == 0)
		r = copy_id(c, true, st->st_gid, &gid);
	if (r < 0)
		return r;
	if ((uid != c->uid || gid != c->gid) && fchown(to, uid, gid) < 0)
		return -errno;
	if (want != mode && fchmod(to, want) < 0)
		return -errno;
	/* After the owner, whose change takes capabilities away, and the mode, which is part of a list. */
	r = copy_xattrs(c, &a, &b);
	if (r < 0)
		return r;
	return futimens(to, times_of(st, t)) < 0 ? -errno : 0;
}

int copy_attributes_at(struct copy *c, int from_dir, int to_dir, const char *name, const struct stat *st)
{
	char from_path[300 + 32], to_path[300 + 32];
	const struct node a = { .path = from_path }, b = { .path = to_path };
	struct timespec t[2];
	uint32_t uid, gid;
	int r = copy_id(c, false, st->st_uid, &uid);

	if (r == 0)
		r = copy_id(c, true, st->st_gid, &gid);
	if (r < 0)
		return r;
	if ((uid != c->uid || gid != c->gid) && fchownat(to_dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	/* Nobody else writes into the new directory: the name is what was just made, and no link. */
	if (!S_ISLNK(st->st_mode) && fchmodat(to_dir, name, st->st_mode & 07777, 0) < 0)
		return -errno;
	(void)snprintf(from_path, sizeof(from_path), "/proc/self/fd/%d/%s", from_dir, name);
	(void)snprintf(to_path, sizeof(to_path), "/proc/self/fd/%d/%s", to_dir, name);
	r = copy_xattrs(c, &a, &b);
	if (r < 0)
		return r;
	return utimensat(to_dir, name, times_of(st, t), AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

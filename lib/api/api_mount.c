/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_mount - mounting into a running container. The mount is made here as a detached one; a short
 * child enters the container's mount namespace and attaches it there, so that nothing of the host
 * becomes visible inside on the way and no tunnel directory is needed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "inside.h"
#include "kernel/mount.h"
#include "kernel/openat.h"
#include "kernel/proc.h"
#include "vtable.h"

#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x00000004
#define MOVE_MOUNT_T_EMPTY_PATH 0x00000040
#endif

static uint64_t attributes(unsigned long flags)
{
	static const struct {
		unsigned long flag;
		uint64_t attr;
	} rows[] = {
		{ MS_RDONLY, MOUNT_ATTR_RDONLY },     { MS_NOSUID, MOUNT_ATTR_NOSUID },
		{ MS_NODEV, MOUNT_ATTR_NODEV },	      { MS_NOEXEC, MOUNT_ATTR_NOEXEC },
		{ MS_NOATIME, MOUNT_ATTR_NOATIME },   { MS_NODIRATIME, MOUNT_ATTR_NODIRATIME },
		{ MS_STRICTATIME, MOUNT_ATTR_STRICTATIME },
	};
	uint64_t r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (flags & rows[i].flag)
			r |= rows[i].attr;
	return r;
}

/* A detached mount of what is asked for; *ret_dir: it is to be mounted on a directory. */
static int make_mount(struct call *k, const char *source, const char *type, unsigned long flags,
		      const char *data, bool *ret_dir)
{
	auto_close int fd = -EBADF, mnt = -EBADF;
	struct mount_attrs a = MOUNT_ATTRS_INIT;
	bool bind = flags & MS_BIND;
	struct stat st;
	int r;

	*ret_dir = true;
	a.set = attributes(flags);
	/* Access times are one field of the attributes: setting one value means clearing the others. */
	if (a.set & MOUNT_ATTR__ATIME)
		a.clear = MOUNT_ATTR__ATIME;
	if (!bind)
		return mount_new(type, source && *source ? source : type, data, a.set, &k->e);
	fd = open(source ? source : "", O_PATH | O_CLOEXEC);
	if (fd < 0)
		return err_mount_source_missing(&k->e, source ? source : "");
	if (fstat(fd, &st) < 0)
		return err_set(&k->e, errno, NULL, "cannot stat %s", source);
	*ret_dir = S_ISDIR(st.st_mode);
	mnt = mount_clone(fd, flags & MS_REC, &k->e);
	if (mnt < 0)
		return mnt;
	a.propagation = MS_PRIVATE;
	r = mount_set(mnt, &a, &k->e);
	return r < 0 ? r : take_fd(&mnt);
}

/* Makes the place inside, owned by the container's root. */
static int make_target(struct call *k, const struct inside *in, const char *target, bool dir)
{
	auto_close int root = inside_root(k, in), fd = -EBADF;
	uid_t uid;
	gid_t gid;

	if (root < 0)
		return root;
	fd = open_in_root(root, target, O_PATH, 0);
	if (fd >= 0)
		return 0;
	if (fd != -ENOENT)
		return err_set(&k->e, -fd, NULL, "cannot open %s in %s", target, k->name);
	fd = dir ? mkdir_in_root(root, target, 0755) : mkfile_in_root(root, target, 0644);
	if (fd < 0)
		return err_set(&k->e, -fd, NULL, "cannot make %s in %s", target, k->name);
	if (proc_owner(in->pid, &uid, &gid) == 0 && uid != 0 && fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
		log_warn(&k->log, "%s in %s belongs to the host's root", target, k->name);
	return 0;
}

struct job {
	int mntns;
	int mnt;		/* to attach; -1: unmount */
	const char *target;
	const char *parent, *name;	/* of target, for the unmount */
	int flags;
};

static int open_inside(const char *path, uint64_t flags)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	long fd;

	if (root < 0)
		return -errno;
	fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
	return fd < 0 ? -errno : (int)fd;
}

/* In the child, inside; system calls only. errno, 0 for success. */
static int work(const struct job *j)
{
	int fd;

	if (setns(j->mntns, CLONE_NEWNS) < 0)
		return errno;
	if (j->mnt < 0) {
		fd = open_inside(j->parent, O_PATH | O_DIRECTORY);
		if (fd < 0)
			return -fd;
		if (fchdir(fd) < 0 || umount2(j->name, j->flags | UMOUNT_NOFOLLOW) < 0)
			return errno;
		return 0;
	}
	fd = open_inside(j->target, O_PATH);
	if (fd < 0)
		return -fd;
	if (syscall(SYS_move_mount, j->mnt, "", fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return errno;
	return 0;
}

static int run_job(struct call *k, const struct job *j)
{
	int status, r;
	pid_t pid = proc_clone_seen(0, &k->e);

	if (pid == 0)
		_exit(work(j));
	if (pid < 0)
		return pid;
	r = proc_wait(pid, &status);
	if (r < 0 || !WIFEXITED(status))
		return err_set(&k->e, r < 0 ? -r : 0, NULL, "the process that entered %s was lost", k->name);
	if (WEXITSTATUS(status) == EINVAL && j->mnt < 0)
		return err_set(&k->e, EINVAL, "not-mounted", "nothing is mounted on %s", j->target);
	return WEXITSTATUS(status) ? err_set(&k->e, WEXITSTATUS(status), NULL, "%s", j->target) : 0;
}

static int mount_inside(struct call *k, const char *source, const char *target, const char *type,
			unsigned long flags, const char *data)
{
	auto_inside struct inside in = INSIDE_INIT;
	auto_close int mnt = -EBADF, mntns = -EBADF;
	bool dir;
	int r = inside_open(k, &in);

	if (r < 0)
		return r;
	mnt = make_mount(k, source, type, flags, data, &dir);
	if (mnt < 0)
		return mnt;
	mntns = inside_ns(k, &in, NS_MNT);
	if (mntns < 0)
		return mntns;
	r = make_target(k, &in, target, dir);
	if (r < 0)
		return r;
	const struct job j = { .mntns = mntns, .mnt = mnt, .target = target };

	return run_job(k, &j);
}

static bool has_conf(struct call *k)
{
	bool has;

	handle_lock(k->h);
	has = handle_conf(k->h);
	handle_unlock(k->h);
	return has;
}

int api_mount(struct lxc_container *c, const char *source, const char *target, const char *filesystemtype,
	      unsigned long mountflags, const void *data, struct lxc_mount *mnt)
{
	bool bind = mountflags & MS_BIND;
	struct call k;
	int r;

	if (!c || !target || !call_begin(&k, c))
		return -EINVAL;
	if (!has_conf(&k))
		return call_end(&k, err_no_configuration(&k.e, k.name), "cannot mount on %s in %s", target, k.name);
	if (!path_is_absolute(target) || (!bind && (!filesystemtype || !*filesystemtype)))
		r = err_set(&k.e, EINVAL, NULL, "an absolute target and a file system type are needed");
	else
		r = mount_inside(&k, source, target, filesystemtype, mountflags, data);
	return call_end(&k, r, "cannot mount on %s in %s", target, k.name) < 0 ? -1 : 0;
}

static int umount_inside(struct call *k, const char *target, int flags)
{
	auto_inside struct inside in = INSIDE_INIT;
	auto_free char *clean = path_simplify(target), *parent = NULL;
	auto_close int mntns = -EBADF;
	int r = inside_open(k, &in);

	if (r < 0)
		return r;
	parent = clean ? strndup(clean, (size_t)(path_base(clean) - clean)) : NULL;
	if (!parent)
		return err_no_memory(&k->e);
	if (!*path_base(clean) || path_has_dotdot(clean))
		return err_set(&k->e, EINVAL, NULL, "%s is not the path of a mount", target);
	mntns = inside_ns(k, &in, NS_MNT);
	if (mntns < 0)
		return mntns;
	const struct job j = { mntns, -1, clean, parent, path_base(clean), flags };

	return run_job(k, &j);
}

int api_umount(struct lxc_container *c, const char *target, unsigned long mountflags, struct lxc_mount *mnt)
{
	struct call k;
	int r;

	if (!c || !target || !call_begin(&k, c))
		return -EINVAL;
	if (!has_conf(&k))
		return call_end(&k, err_no_configuration(&k.e, k.name), "cannot unmount %s in %s", target, k.name);
	if (!path_is_absolute(target))
		r = err_set(&k.e, EINVAL, NULL, "an absolute target is needed");
	else
		r = umount_inside(&k, target, (int)mountflags);
	return call_end(&k, r, "cannot unmount %s in %s", target, k.name) < 0 ? -1 : 0;
}

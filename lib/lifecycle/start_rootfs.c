/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* Init's rows about the root file system: mounting it, what is mounted in it, switching to it. */
#include "lifecycle/start.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "kernel/caps.h"
#include "kernel/mount.h"
#include "kernel/openat.h"
#include "lifecycle/hooks.h"
#include "lifecycle/init_check.h"
#include "lifecycle/mount_entry.h"

#undef LOG_CATEGORY
#define LOG_CATEGORY "start"

#define KERNEL_FS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* A procfs of our own pid namespace that the guest's root cannot stand in for. */
static int open_proc(struct run *r, struct err **e)
{
	r->proc_fd = mount_new("proc", "proc", NULL, KERNEL_FS, e);
	return MIN(r->proc_fd, 0);
}

/* Without a root of its own the container sees the host's, with a /proc that fits its processes. */
static int use_host_root(struct run *r, struct err **e)
{
	r->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r->root_fd < 0)
		return err_set(e, errno, NULL, "cannot open /");
	return 0;
}

int init_prepare_mounts(struct run *r, struct err **e)
{
	return start_prepare_mounts(r, e);
}

static int mount_point_error(const struct run *r, const char *where, int num, struct err **e)
{
	auto_free char *obstacle = num == EACCES && run_is_mapped(r) ? io_obstacle(where) : NULL;

	return obstacle ? err_rootfs_mount_forbidden(e, where, obstacle, idmap_to_host(&r->idmap, false, geteuid())) :
			  err_rootfs_mount_missing(e, where);
}

int init_mount_root(struct run *r, struct err **e)
{
	const char *where = r->conf->rootfs_mount.v;
	auto_close int target = -EBADF;
	struct mount_attrs slave = { .propagation = MS_SLAVE, .propagation_rec = true, .userns_fd = -1 };
	int rc = mount_propagate("/", MS_SLAVE, e);

	if (rc == 0 && (r->all_flags & CLONE_NEWPID))
		rc = open_proc(r, e);
	else if (rc == 0)
		(void)open_proc(r, NULL); /* of processes that are not only ours: for sysctls and labels */
	if (rc == 0)
		rc = hooks_run(r, HOOK_PRE_MOUNT, NULL, NULL, e);
	if (rc < 0)
		return rc;
	if (!r->storage)
		return use_host_root(r, e);
	if (r->root_fd < 0) {
		r->root_fd = storage_mount(r->storage, r->conf, e);
		if (r->root_fd < 0)
			return err_at(e, r->root_fd, r->conf->rootfs_path.at);
	}
	rc = mount_set(r->root_fd, &slave, e);
	if (rc < 0)
		return rc;
	target = open(where, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (target < 0)
		return err_at(e, mount_point_error(r, where, errno, e), r->conf->rootfs_mount.at);
	return mount_attach(r->root_fd, target, e);
}

/* The directory for one of the system's own mounts: made where missing, never through a symlink. */
static int system_directory(int root_fd, const char *name, struct err **e)
{
	int fd;

	if (mkdirat(root_fd, name, 0755) < 0 && errno != EEXIST && errno != EROFS)
		return err_set(e, errno, NULL, "cannot create /%s in the container's root", name);
	fd = open_no_symlinks(root_fd, name, O_PATH | O_DIRECTORY, 0);
	if (fd == -ELOOP || fd == -ENOTDIR)
		return err_root_target_symlink(e, name);
	return fd < 0 ? err_set(e, -fd, NULL, "cannot open /%s in the container's root", name) : fd;
}

int init_mount_dev(struct run *r, struct err **e)
{
	auto_close int target = -EBADF, fd = -EBADF;
	char options[64];
	long long size = r->conf->autodev_tmpfs_size.v;
	int rc;

	(void)snprintf(options, sizeof(options), "mode=0755,size=%lld", size > 0 ? size : 500000LL);
	target = system_directory(r->root_fd, "dev", e);
	if (target < 0)
		return target;
	fd = mount_new("tmpfs", "none", options, MOUNT_ATTR_NOSUID, e);
	rc = fd < 0 ? fd : mount_attach(fd, target, e);
	return rc < 0 || mkdirat(fd, "pts", 0755) == 0 ? rc : err_set(e, errno, NULL, "cannot create /dev/pts");
}

/* Puts a clone of the tree at below/name back onto itself, read-only. Missing: nothing to protect. */
static int cover(int below, const char *name, uint64_t attrs, struct err **e)
{
	struct mount_attrs a = { .set = attrs, .userns_fd = -1 };
	auto_close int there = open_no_symlinks(below, name, O_PATH, 0), fd = -EBADF;
	int rc;

	if (there == -ENOENT)
		return 0;
	if (there < 0)
		return err_set(e, -there, NULL, "cannot open %s of a system mount", name);
	fd = mount_clone(there, false, e);
	if (fd < 0)
		return fd;
	rc = attrs ? mount_set(fd, &a, e) : 0;
	return rc < 0 ? rc : mount_attach(fd, there, e);
}

static bool keeps(const struct run *r, const char *cap)
{
	int number;

	return caps_parse(cap, &number) == 0 && !(r->caps_drop & (UINT64_C(1) << number));
}

/* /proc: with "mixed", sys is read-only but for sys/net (where the network is the container's), and
 * sysrq-trigger is read-only. */
static int mount_proc(struct run *r, struct err **e)
{
	auto_close int target = system_directory(r->root_fd, "proc", e), fd = -EBADF, net = -EBADF, at = -EBADF;
	int rc;

	if (target < 0)
		return target;
	fd = mount_new("proc", "proc", NULL, KERNEL_FS, e);
	if (fd < 0)
		return fd;
	rc = mount_attach(fd, target, e);
	if (rc < 0 || r->conf->auto_proc != AUTO_MIXED)
		return rc;
	if (keeps(r, "net_admin") && (r->all_flags & CLONE_NEWNET)) {
		at = open_no_symlinks(fd, "sys/net", O_PATH | O_DIRECTORY, 0);
		net = at >= 0 ? mount_clone(at, false, e) : -EBADF;
		if (at >= 0 && net < 0)
			return net;
	}
	rc = cover(fd, "sys", MOUNT_ATTR_RDONLY | KERNEL_FS, e);
	if (rc == 0)
		rc = cover(fd, "sysrq-trigger", MOUNT_ATTR_RDONLY | KERNEL_FS, e);
	if (rc < 0 || net < 0)
		return rc;
	fd_replace(&at, open_in_root(r->root_fd, "proc/sys/net", O_PATH | O_DIRECTORY, 0));
	return at < 0 ? err_set(e, -at, NULL, "cannot open /proc/sys/net") : mount_attach(net, at, e);
}

/* A sysfs shows a network namespace, and may be mounted by who owns that. To a mapped container with another's we show
 * the host's, with all that is mounted in it: what covers something there may not be taken off. */
static int host_sys(const struct run *r, struct err **e)
{
	struct mount_attrs a = { .set = KERNEL_FS, .recursive = true, .userns_fd = -1 };
	auto_close int host = open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -EBADF;
	int rc;

	if (host < 0)
		return err_set(e, errno, NULL, "cannot open /sys");
	if (r->conf->auto_sys != AUTO_RW)
		a.set |= MOUNT_ATTR_RDONLY;
	fd = mount_clone(host, true, e);
	rc = fd < 0 ? fd : mount_set(fd, &a, e);
	return rc < 0 ? rc : take_fd(&fd);
}

static int mount_sys(struct run *r, struct err **e)
{
	static const uint64_t attrs[] = {
		[AUTO_RO] = MOUNT_ATTR_RDONLY, [AUTO_RW] = 0, [AUTO_MIXED] = KERNEL_FS
	};
	struct mount_attrs ro = { .set = MOUNT_ATTR_RDONLY, .userns_fd = -1 };
	auto_close int target = system_directory(r->root_fd, "sys", e), fd = -EBADF, net = -EBADF, at = -EBADF;
	struct err *mine = NULL;
	bool is_host;
	int rc;

	if (target < 0)
		return target;
	fd = mount_new("sysfs", "sysfs", NULL, attrs[r->conf->auto_sys], &mine);
	is_host = fd < 0 && run_is_mapped(r) && !(r->all_flags & CLONE_NEWNET);
	if (is_host) {
		err_free(take_ptr(mine));
		fd = host_sys(r, e);
	}
	if (mine)
		err_move(e, mine);
	if (fd < 0)
		return fd;
	rc = mount_attach(fd, target, e);
	if (rc < 0 || is_host || r->conf->auto_sys != AUTO_MIXED)
		return rc;
	at = open_no_symlinks(fd, "devices/virtual/net", O_PATH | O_DIRECTORY, 0);
	if (at >= 0 && (net = mount_clone(at, false, e)) < 0)
		return net;
	rc = mount_set(fd, &ro, e);
	return rc < 0 || net < 0 ? rc : mount_attach(net, at, e);
}

int init_mount_auto(struct run *r, struct err **e)
{
	const struct conf *c = r->conf;
	int rc = 0;

	if (c->auto_proc != AUTO_NONE)
		rc = mount_proc(r, e);
	else if (!r->storage && (r->all_flags & CLONE_NEWPID))
		rc = mount_proc(r, e);
	if (rc == 0 && c->auto_sys != AUTO_NONE)
		rc = mount_sys(r, e);
	return rc < 0 ? err_at(e, rc, c->auto_at) : 0;
}

int init_mount_entries(struct run *r, struct err **e)
{
	return mount_entries_attach(r, r->root_fd, e);
}

int init_mount_cgroups(struct run *r, struct err **e)
{
	int rc;

	if (r->conf->auto_cgroup == CGAUTO_NONE)
		return 0;
	rc = cgroup_mount(r->cgroups, r->conf, r->root_fd, r->all_flags & CLONE_NEWCGROUP, e);
	return rc < 0 ? err_at(e, rc, r->conf->auto_at) : 0;
}

int init_mount_hooks(struct run *r, struct err **e)
{
	int rc = hooks_run(r, HOOK_MOUNT, NULL, NULL, e);
	struct stat before, now;

	if (rc < 0 || !r->storage)
		return rc;
	if (fstat(r->root_fd, &before) < 0 || stat(r->conf->rootfs_mount.v, &now) < 0)
		return err_set(e, errno, NULL, "cannot stat the container's root");
	if (before.st_dev != now.st_dev || before.st_ino != now.st_ino)
		return err_rootfs_overmounted(e);
	return 0;
}

int init_check_program(struct run *r, struct err **e)
{
	int rc;

	if (r->application || !r->storage)
		return 0;
	rc = init_check(r->root_fd, storage_source(r->storage), r->argv.v[0], e);
	if (rc < 0 && r->from_config && r->conf->init_cmd.v)
		err_at(e, rc, r->conf->init_cmd.at);
	return rc;
}

/* boot_id differs for each container and each start: a file of ours over the kernel's. */
static int cover_boot_id(void)
{
	unsigned char b[16];
	char text[40];
	auto_close int fd = -EBADF, at = -EBADF, mnt = -EBADF;
	struct mount_attrs ro = { .set = MOUNT_ATTR_RDONLY | KERNEL_FS, .userns_fd = -1 };

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		return -EIO;
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	(void)snprintf(text, sizeof(text), "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x\n",
		       b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
		       b[14], b[15]);
	fd = open("/dev/.lxc-boot-id", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444);
	if (fd < 0 || io_write_all(fd, text, strlen(text)) < 0)
		return -EIO;
	at = open("/proc/sys/kernel/random/boot_id", O_PATH | O_CLOEXEC);
	fd_replace(&fd, open("/dev/.lxc-boot-id", O_PATH | O_CLOEXEC | O_NOFOLLOW));
	mnt = fd >= 0 && at >= 0 ? mount_clone(fd, false, NULL) : -EBADF;
	if (mnt < 0 || mount_set(mnt, &ro, NULL) < 0)
		return -EIO;
	return mount_attach(mnt, at, NULL);
}

static int pivot(struct run *r, struct err **e)
{
	auto_close int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (old < 0 || fchdir(r->root_fd) < 0)
		return err_set(e, errno, NULL, "cannot enter the container's root");
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_set(e, errno, NULL, "cannot switch to the container's root");
	/* The old root is now stacked on the new one: away with it, and nothing goes out to the host. */
	if (fchdir(old) < 0 || mount("", ".", NULL, MS_SLAVE | MS_REC, NULL) < 0 ||
	    umount2(".", MNT_DETACH) < 0)
		return err_set(e, errno, NULL, "cannot leave the host's root");
	if (chdir("/") < 0)
		return err_set(e, errno, NULL, "cannot enter the container's root");
	return mount_propagate("/", MS_SHARED, e);
}

int init_switch_root(struct run *r, struct err **e)
{
	int rc = 0;

	if (r->storage)
		rc = pivot(r, e);
	else if (chdir("/") < 0)
		rc = err_set(e, errno, NULL, "cannot enter /");
	if (rc == 0)
		rc = mount_entries_propagate(r, e);
	if (rc == 0 && r->autodev && r->storage && cover_boot_id() < 0)
		log_info(&r->log, "boot_id is the host's");
	/* Nothing of the host stays open from here on: hooks and the guest may look at /proc/1/fd. */
	for (size_t i = 0; i < r->mounts.n; i++)
		fd_replace(&r->mounts.v[i].mount_fd, -EBADF);
	fd_replace(&r->root_fd, -EBADF);
	fd_replace(&r->log.fd, -EBADF);
	return rc;
}

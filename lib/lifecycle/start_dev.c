/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/start_dev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/mount.h"
#include "kernel/openat.h"
#include "lifecycle/hooks.h"
#include "lifecycle/start.h"

#undef LOG_CATEGORY
#define LOG_CATEGORY "dev"

static const struct node {
	const char *name;
	unsigned major, minor;
} nodes[] = {
	{ "full", 1, 7 }, { "null", 1, 3 },    { "random", 1, 8 },
	{ "tty", 5, 0 },  { "urandom", 1, 9 }, { "zero", 1, 5 },
};

int dev_prepare_nodes(struct run *r, struct err **e)
{
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		auto_close int fd = -EBADF;
		char path[32];
		struct stat st;

		(void)snprintf(path, sizeof(path), "/dev/%s", nodes[i].name);
		fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0)
			return err_set(e, errno, NULL, "the host's %s cannot be opened", path);
		if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(nodes[i].major, nodes[i].minor))
			return err_set(e, ENODEV, "device-wrong", "the host's %s is not device %u:%u", path,
				       nodes[i].major, nodes[i].minor);
		r->node_fd[i] = mount_clone(fd, false, e);
		if (r->node_fd[i] < 0)
			return r->node_fd[i];
	}
	return 0;
}

/* /dev of the container's root: our tmpfs with autodev, else what the root brings. */
static int open_dev(struct run *r, struct err **e)
{
	int fd = open_no_symlinks(r->root_fd, "dev", O_PATH | O_DIRECTORY, 0);

	if (fd == -ELOOP || fd == -ENOTDIR)
		return err_root_target_symlink(e, "dev");
	if (fd < 0)
		return err_hint(e, err_set(e, -fd, NULL, "cannot open /dev in the container's root"),
				"make the directory in the root, or set lxc.autodev = 1");
	return fd;
}

/* Puts a mount on dev/name: an empty file is made for it; what is there must not be a symlink. */
static int bind_file(int dev, const char *name, int mount_fd, struct err **e)
{
	auto_close int at = -EBADF;
	struct stat st;
	int fd = openat(dev, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0);

	if (fd < 0 && errno != EEXIST && errno != EROFS)
		return err_set(e, errno, NULL, "cannot create /dev/%s", name);
	fd_close(fd);
	at = open_no_symlinks(dev, name, O_PATH, 0);
	if (at == -ELOOP || (at >= 0 && (fstat(at, &st) < 0 || S_ISLNK(st.st_mode))))
		return err_set(e, ELOOP, "root-target-symlink", "/dev/%s in the container's root is a symlink", name);
	if (at < 0)
		return err_set(e, -at, NULL, "cannot open /dev/%s", name);
	return mount_attach(mount_fd, at, e);
}

static int make_node(struct run *r, int dev, size_t i, struct err **e)
{
	const struct node *n = &nodes[i];
	dev_t number = makedev(n->major, n->minor);
	struct stat st;
	bool made;

	if (r->node_fd[i] >= 0)
		return bind_file(dev, n->name, r->node_fd[i], e);
	made = mknodat(dev, n->name, S_IFCHR | 0666, number) == 0;
	/* In a tmpfs of ours nothing changes the mode. */
	if (made && r->autodev)
		return 0;
	if (!made && errno != EEXIST)
		return err_set(e, errno, NULL, "cannot make /dev/%s", n->name);
	if (fstatat(dev, n->name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != number)
		return err_set(e, ENODEV, "device-wrong", "/dev/%s is not device %u:%u", n->name, n->major,
			       n->minor);
	return fchmodat(dev, n->name, 0666, 0) < 0 ? err_set(e, errno, NULL, "cannot set the mode of /dev/%s", n->name) :
						     0;
}

int init_fill_dev(struct run *r, struct err **e)
{
	int rc = hooks_run(r, HOOK_AUTODEV, NULL, NULL, e);
	auto_close int dev = rc < 0 ? rc : open_dev(r, e);
	mode_t mask;

	if (dev < 0)
		return dev;
	/* That of whoever started us must not show. */
	mask = umask(0);
	for (size_t i = 0; i < ARRAY_SIZE(nodes) && rc == 0; i++)
		rc = make_node(r, dev, i, e);
	(void)umask(mask);
	return rc;
}

/* A new devpts on dev/pts. gid 5 is tty everywhere; a map without it does without. */
static int mount_devpts(struct run *r, int dev, struct err **e)
{
	auto_close int at = -EBADF;
	char options[128];
	struct err *mine = NULL;
	int fd, rc;

	if (mkdirat(dev, "pts", 0755) < 0 && errno != EEXIST && errno != EROFS)
		return err_set(e, errno, NULL, "cannot create /dev/pts");
	at = open_no_symlinks(dev, "pts", O_PATH | O_DIRECTORY, 0);
	if (at < 0)
		return err_root_target_symlink(e, "dev/pts");
	for (int with_gid = 1; with_gid >= 0; with_gid--) {
		(void)snprintf(options, sizeof(options), "%snewinstance,ptmxmode=0666,mode=0620,max=%u",
			       with_gid ? "gid=5," : "",
			       r->pty_max + r->tty_count + (r->caller_mounts && r->pty_max <= 1));
		err_free(mine);
		mine = NULL;
		fd = mount_new("devpts", "devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, &mine);
		if (fd >= 0)
			break;
	}
	if (fd < 0) {
		err_move(e, mine);
		return fd;
	}
	err_free(mine);
	rc = mount_attach(fd, at, e);
	if (rc < 0) {
		fd_close(fd);
		return rc;
	}
	return fd;
}

/* /dev/ptmx is this instance's own. */
static int link_ptmx(int dev, int devpts, struct err **e)
{
	auto_close int ptmx = openat(devpts, "ptmx", O_PATH | O_NOFOLLOW | O_CLOEXEC), mnt = -EBADF;

	if (ptmx < 0)
		return err_set(e, errno, NULL, "cannot open /dev/pts/ptmx");
	if (unlinkat(dev, "ptmx", 0) < 0 && errno != ENOENT && errno != EROFS && errno != EBUSY)
		return err_set(e, errno, NULL, "cannot remove the old /dev/ptmx");
	mnt = mount_clone(ptmx, false, e);
	return mnt < 0 ? mnt : bind_file(dev, "ptmx", mnt, e);
}

/* The pty's node as a mount on dev/DIR/name and dev/name. */
static int place_console(struct run *r, int dev, int dir, struct err **e)
{
	auto_close int mnt = -EBADF, again = -EBADF;
	int rc;

	mnt = r->console_mount >= 0 ? take_fd(&r->console_mount) : mount_clone(r->console.pts, false, e);
	if (mnt < 0)
		return mnt;
	if (dir < 0)
		return bind_file(dev, "console", mnt, e);
	rc = bind_file(dir, "console", mnt, e);
	if (rc < 0)
		return rc;
	again = mount_clone(mnt, false, e);
	return again < 0 ? again : bind_file(dev, "console", again, e);
}

static int place_tty(struct run *r, unsigned i, int dev, int dir, struct err **e)
{
	auto_close int mnt = mount_clone(r->ttys[i].pts, false, e);
	char name[16], target[300];
	int rc;

	if (mnt < 0)
		return mnt;
	(void)snprintf(name, sizeof(name), "tty%u", i + 1);
	if (dir < 0)
		return bind_file(dev, name, mnt, e);
	rc = bind_file(dir, name, mnt, e);
	if (rc < 0)
		return rc;
	(void)snprintf(target, sizeof(target), "%s/%s", r->conf->tty_dir.v, name);
	if (unlinkat(dev, name, 0) < 0 && errno != ENOENT)
		return err_set(e, errno, NULL, "cannot remove the old /dev/%s", name);
	return symlinkat(target, dev, name) < 0 ? err_set(e, errno, NULL, "cannot link /dev/%s", name) : 0;
}

static int tty_directory(struct run *r, int dev, struct err **e)
{
	const char *name = r->conf->tty_dir.v;
	int fd;

	if (!name || !*name)
		return -EBADF;
	if (strchr(name, '/') || STREQ(name, "..") || STREQ(name, "."))
		return err_at(e, err_set(e, EINVAL, "tty-dir", "lxc.tty.dir = %s is not one path component", name),
			      r->conf->tty_dir.at);
	if (mkdirat(dev, name, 0755) < 0 && errno != EEXIST)
		return err_set(e, errno, NULL, "cannot create /dev/%s", name);
	fd = open_no_symlinks(dev, name, O_PATH | O_DIRECTORY, 0);
	return fd < 0 ? err_root_target_symlink(e, name) : fd;
}

static void link_standard(int dev)
{
	static const char *const links[][2] = {
		{ "/proc/self/fd", "fd" },
		{ "/proc/self/fd/0", "stdin" },
		{ "/proc/self/fd/1", "stdout" },
		{ "/proc/self/fd/2", "stderr" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		(void)!symlinkat(links[i][0], dev, links[i][1]);
}

/* Leaves for the monitor what host_take_terminals expects, in its order. */
static int hand_over(struct run *r, int devpts, struct err **e)
{
	struct seq_cargo *out = &r->seq.out;

	if (r->want_console && !r->console_from_host)
		out->fds[out->n++] = take_fd(&r->console.ptx);
	for (unsigned i = 0; i < r->tty_count; i++)
		out->fds[out->n++] = take_fd(&r->ttys[i].ptx);
	if (r->has_devpts && devpts >= 0) {
		int copy = fcntl(devpts, F_DUPFD_CLOEXEC, 3);

		if (copy < 0)
			return err_set(e, errno, NULL, "cannot keep the devpts");
		out->fds[out->n++] = copy;
	}
	return 0;
}

int init_terminals(struct run *r, struct err **e)
{
	auto_close int dev = -EBADF, dir = -EBADF, devpts = -EBADF;
	int rc = 0;

	if (!r->storage)
		return 0;
	dev = open_dev(r, e);
	if (dev < 0)
		return r->autodev || r->want_console || r->tty_count ? dev : 0;
	if (r->pty_max + r->tty_count > 0 || (r->want_console && !r->console_from_host)) {
		devpts = mount_devpts(r, dev, e);
		if (devpts < 0)
			return devpts;
	}
	if (r->has_devpts)
		rc = link_ptmx(dev, devpts, e);
	if (rc == 0 && (r->want_console || r->tty_count)) {
		dir = tty_directory(r, dev, e);
		rc = dir == -EBADF ? 0 : MIN(dir, 0);
	}
	if (rc == 0 && r->want_console && !r->console_from_host)
		rc = pty_open(devpts, &r->console, e);
	if (rc == 0 && r->want_console)
		rc = place_console(r, dev, dir, e);
	for (unsigned i = 0; i < r->tty_count && rc == 0; i++) {
		rc = pty_open(devpts, &r->ttys[i], e);
		if (rc == 0)
			rc = place_tty(r, i, dev, dir, e);
	}
	if (rc == 0)
		link_standard(dev);
	/* Without lxc.pty.max only the ttys wanted a devpts: the guest sees none. */
	if (rc == 0 && devpts >= 0 && !r->has_devpts)
		rc = mount_detach(devpts);
	return rc < 0 ? rc : hand_over(r, devpts, e);
}

/* The container's own devpts, as it was mounted at the start and not something put over it. */
static int open_own_devpts(const struct run *r, int dev, struct err **e)
{
	auto_close int fd = open_no_symlinks(dev, "pts", O_RDONLY | O_DIRECTORY, 0);
	struct stat now, then;

	if (fd < 0)
		return err_set(e, -fd, NULL, "cannot open /dev/pts of the container");
	if (fstat(fd, &now) < 0 || fstat(r->devpts_fd, &then) < 0)
		return err_set(e, errno, NULL, "cannot stat /dev/pts of the container");
	if (now.st_dev != then.st_dev || now.st_ino != then.st_ino)
		return err_set(e, ESTALE, NULL, "/dev/pts of the container was exchanged");
	return take_fd(&fd);
}

/* Takes the mounts of dead ptys off a name in a directory. By a relative name without a slash: nothing on
 * the way to it can be exchanged. */
static void uncover(int dir, const char *name)
{
	if (dir >= 0 && fchdir(dir) == 0)
		(void)umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW);
}

int dev_renew_terminals(struct run *r, struct err **e)
{
	auto_close int dev = open_dev(r, e), dir = -EBADF, devpts = -EBADF;
	int rc = MIN(dev, 0);
	char name[16];

	if (rc == 0 && r->has_devpts)
		rc = devpts = open_own_devpts(r, dev, e);
	if (rc >= 0) {
		dir = tty_directory(r, dev, e);
		rc = dir == -EBADF ? 0 : MIN(dir, 0);
	}
	if (rc == 0 && r->want_console && !r->console_from_host)
		rc = pty_open(devpts, &r->console, e);
	if (rc == 0 && r->want_console) {
		uncover(dir, "console");
		uncover(dev, "console");
		rc = place_console(r, dev, dir, e);
	}
	for (unsigned i = 0; i < r->tty_count && rc == 0; i++) {
		rc = pty_open(devpts, &r->ttys[i], e);
		if (rc < 0)
			break;
		(void)snprintf(name, sizeof(name), "tty%u", i + 1);
		uncover(dir >= 0 ? dir : dev, name);
		rc = place_tty(r, i, dev, dir, e);
	}
	return rc < 0 ? rc : hand_over(r, -EBADF, e);
}

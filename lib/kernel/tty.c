/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"

/* The multiplexer, wherever it is: character device 5:2. */
static int check_ptmx(int fd, const char *path, struct err **e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, NULL, "cannot stat %s", path);
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2))
		return err_set(e, ENODEV, NULL, "%s is not the pseudo terminal multiplexer", path);
	return 0;
}

static int pty_from(int dirfd, const char *path, int flags, struct pty *ret, struct err **e)
{
	auto_close int ptx = openat(dirfd, path, O_RDWR | O_NOCTTY | O_CLOEXEC | flags), pts = -EBADF;
	int unlock = 0, r;
	unsigned index;

	if (ptx < 0 && (errno == ENOSPC || errno == EIO))
		return err_pty_limit(e);
	if (ptx < 0)
		return err_set(e, errno, NULL, "cannot open %s", path);
	r = check_ptmx(ptx, path, e);
	if (r < 0)
		return r;
	if (ioctl(ptx, TIOCSPTLCK, &unlock) < 0)
		return err_set(e, errno, NULL, "cannot unlock a pseudo terminal");
	if (ioctl(ptx, TIOCGPTN, &index) < 0)
		return err_set(e, errno, NULL, "a pseudo terminal has no number");
	pts = ioctl(ptx, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (pts < 0)
		return err_set(e, errno, NULL, "cannot open the peer of pseudo terminal %u", index);
	*ret = (struct pty){ .ptx = take_fd(&ptx), .pts = take_fd(&pts), .index = (int)index };
	return 0;
}

int pty_open(int devpts_fd, struct pty *ret, struct err **e)
{
	return pty_from(devpts_fd, "ptmx", O_NOFOLLOW, ret, e);
}

int pty_open_host(struct pty *ret, struct err **e)
{
	return pty_from(AT_FDCWD, "/dev/ptmx", 0, ret, e);
}

void pty_close(struct pty *p)
{
	fd_close(p->ptx);
	fd_close(p->pts);
	*p = (struct pty)PTY_INIT;
}

int tty_raw(int fd, struct termios *saved)
{
	struct termios now, raw;

	if (tcgetattr(fd, &now) < 0)
		return -errno;
	raw = now;
	cfmakeraw(&raw);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	/* At once: waiting for output to drain would hang behind a stopped terminal. */
	if (tcsetattr(fd, TCSANOW, &raw) < 0)
		return -errno;
	*saved = now;
	return 0;
}

int tty_restore(int fd, const struct termios *saved)
{
	return tcsetattr(fd, TCSANOW, saved) < 0 ? -errno : 0;
}

int tty_copy_winsize(int from, int to)
{
	struct winsize size;

	if (ioctl(from, TIOCGWINSZ, &size) < 0 || ioctl(to, TIOCSWINSZ, &size) < 0)
		return -errno;
	return 0;
}

void tty_follow_size(int from, int to)
{
	struct winsize size, has;

	if (ioctl(from, TIOCGWINSZ, &size) < 0 || ioctl(to, TIOCGWINSZ, &has) < 0)
		return;
	if (size.ws_row != has.ws_row || size.ws_col != has.ws_col)
		(void)ioctl(to, TIOCSWINSZ, &size);
}

int tty_login(int fd)
{
	/* EPERM: we lead a session already. */
	if (setsid() < 0 && errno != EPERM)
		return -errno;
	return ioctl(fd, TIOCSCTTY, 0) < 0 ? -errno : 0;
}

int tty_stdio(int fd)
{
	for (int i = 0; i < 3; i++) {
		int r = fd == i ? fcntl(fd, F_SETFD, 0) : dup2(fd, i);

		if (r < 0)
			return -errno;
	}
	return 0;
}

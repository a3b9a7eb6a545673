/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "ask_init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "inside.h"
#include "kernel/openat.h"
#include "kernel/proc.h"

/* What sysvinit reads: a change of the run level. */
struct initctl_request {
	int magic, command, runlevel, sleep;
	char rest[368];
};
#define INITCTL_MAGIC 0x03091969
#define INITCTL_RUNLEVEL 1
_Static_assert(sizeof(struct initctl_request) == 384, "as sysvinit reads it");

/* The path is the guest's: only a pipe is opened, and only one that somebody reads. */
static bool ask_sysvinit(int root, const char *path, bool reboot)
{
	const struct initctl_request q = { INITCTL_MAGIC, INITCTL_RUNLEVEL, reboot ? '6' : '0', 5, "" };
	auto_close int place = open_in_root(root, path, O_PATH, 0), fd = -EBADF;
	struct stat st;

	if (place < 0 || fstat(place, &st) < 0 || !S_ISFIFO(st.st_mode))
		return false;
	fd = open_again(place, O_WRONLY | O_NONBLOCK | O_NOCTTY);
	return fd >= 0 && write(fd, &q, sizeof(q)) == (ssize_t)sizeof(q);
}

/* A file whose mode says yes (0100) or no (0), made if there is none. */
static bool set_flag(const struct inside *in, int root, const char *path, bool yes)
{
	auto_close int fd = open_in_root(root, path, O_PATH, 0);
	char link[32];
	struct stat st;
	uid_t uid;
	gid_t gid;

	if (fd == -ENOENT && !yes)
		return true;
	if (fd == -ENOENT) {
		fd = mkfile_in_root(root, path, 0100);
		if (fd >= 0 && proc_owner(in->pid, &uid, &gid) == 0 && uid != 0)
			(void)!fchownat(fd, "", uid, gid, AT_EMPTY_PATH);
	}
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return chmod(link, yes ? 0100 : 0) == 0;
}

static bool ask_runit(struct call *k, const struct inside *in, int root, bool reboot)
{
	static const char *const flags[][2] = {
		{ "run/runit.reboot", "run/runit.stopit" },	/* Debian's */
		{ "run/runit/reboot", "run/runit/stopit" },
	};
	/* Debian's makes its flag at boot; it has a directory run/runit, too, for other things. */
	auto_close int debians = open_in_root(root, flags[0][1], O_PATH, 0);
	auto_close int dir = open_in_root(root, "run/runit", O_PATH | O_DIRECTORY, 0);
	const char *const *f = flags[debians < 0 && dir >= 0];

	return set_flag(in, root, f[0], reboot) && set_flag(in, root, f[1], true) &&
	       client_signal(&k->target, SIGCONT, NULL) == 0;
}

bool ask_init(struct call *k, bool reboot)
{
	auto_inside struct inside in = INSIDE_INIT;
	auto_close int root = -EBADF;
	struct err *own = take_ptr(k->e);
	char name[64] = "";
	bool done = false;

	if (inside_open(k, &in) == 0 && (root = inside_root(k, &in)) >= 0 &&
	    proc_status_field(in.pid, "Name", name, sizeof(name)) >= 0) {
		const char *init = str_trim(name);

		if (STREQ(init, "init"))
			done = ask_sysvinit(root, "run/initctl", reboot) || ask_sysvinit(root, "dev/initctl", reboot);
		else if (STREQ(init, "runit"))
			done = ask_runit(k, &in, root, reboot);
	}
	/* That it was not to be is no error of the call's. */
	err_free(k->e);
	k->e = own;
	return done;
}

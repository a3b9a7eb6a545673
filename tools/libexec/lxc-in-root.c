/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-in-root - runs a program (a clone hook) in a mount namespace of its own, where the root file system
 * behind an inherited descriptor is mounted on a directory: lxc-in-root FD DIRECTORY PROGRAM [ARGUMENT]...
 * Nothing of it is seen outside, and nothing of it is left. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/num.h"
#include "kernel/mount.h"

static int enter(int root, const char *directory, struct err **e)
{
	auto_close int target = -EBADF;

	if (unshare(CLONE_NEWNS) < 0)
		return err_set(e, errno, NULL, "cannot make a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_set(e, errno, NULL, "cannot cut mount propagation");
	target = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (target < 0)
		return err_set(e, errno, NULL, "cannot open %s", directory);
	return mount_attach(root, target, e);
}

int main(int argc, char *argv[])
{
	auto_err struct err *e = NULL;
	int root;

	if (argc < 4 || num_int(argv[1], 10, &root) < 0 || root < 3) {
		fputs("Usage: lxc-in-root FD DIRECTORY PROGRAM [ARGUMENT]...\n", stderr);
		return 1;
	}
	if (enter(root, argv[2], &e) < 0) {
		err_print(stderr, "lxc-in-root", e, false);
		return 1;
	}
	(void)close(root);
	(void)execv(argv[3], argv + 3);
	fprintf(stderr, "lxc-in-root: cannot run %s: %s\n", argv[3], strerror(errno));
	return 1;
}

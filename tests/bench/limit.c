/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* limit - the least that starting a container can cost: one program that clones into new namespaces, mounts what a
 * container must have, pivots and executes. What remains to a container manager is measured against it.
 *
 *	limit ROOT PROGRAM	PROGRAM is a path in ROOT; limit ends when PROGRAM runs, and kills it then. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void run(const char *root, char *program)
{
	char *const argv[] = { program, NULL };

	check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
	check(mount(root, root, NULL, MS_BIND | MS_REC, NULL), "bind");
	check(chdir(root), "chdir");
	check(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "proc");
	check(mount("sysfs", "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL), "sys");
	check(mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=500k"), "dev");
	check(mkdir("dev/pts", 0755), "dev/pts");
	check(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"), "devpts");
	check((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
	check(umount2(".", MNT_DETACH), "umount");
	check(sethostname("limit", 5), "sethostname");
	(void)execv(program, argv);
	check(-1, "exec");
}

int main(int argc, char *argv[])
{
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET,
		.exit_signal = SIGCHLD,
	};
	char hybrid[] = "/sys/fs/cgroup/unified/limit-XXXXXX", pure[] = "/sys/fs/cgroup/limit-XXXXXX";
	char *dir = access("/sys/fs/cgroup/unified", F_OK) == 0 ? hybrid : pure, byte;
	int cgroup, p[2], status;
	long pid;

	if (argc != 3) {
		(void)fprintf(stderr, "usage: limit ROOT PROGRAM\n");
		return 1;
	}
	if (mkdtemp(dir)) {
		cgroup = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (cgroup >= 0) {
			args.flags |= CLONE_INTO_CGROUP;
			args.cgroup = (uint64_t)cgroup;
		}
	}
	check(pipe2(p, O_CLOEXEC), "pipe");
	pid = syscall(SYS_clone3, &args, sizeof(args));
	check((int)pid, "clone3");
	if (pid == 0) {
		(void)close(p[0]);
		run(argv[1], argv[2]);
	}
	(void)close(p[1]);
	/* The end of the pipe is the exec. */
	(void)!read(p[0], &byte, 1);
	(void)kill((pid_t)pid, SIGKILL);
	(void)waitpid((pid_t)pid, &status, 0);
	(void)rmdir(dir);
	return WIFSIGNALED(status) ? 0 : 1;
}

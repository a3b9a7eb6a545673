/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/paths.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

const struct ns_info ns_table[NS_COUNT] = {
	[NS_USER] = { "user", "user", CLONE_NEWUSER },
	[NS_MNT] = { "mnt", "mnt", CLONE_NEWNS },
	[NS_PID] = { "pid", "pid", CLONE_NEWPID },
	[NS_UTS] = { "uts", "uts", CLONE_NEWUTS },
	[NS_IPC] = { "ipc", "ipc", CLONE_NEWIPC },
	[NS_NET] = { "net", "net", CLONE_NEWNET },
	[NS_CGROUP] = { "cgroup", "cgroup", CLONE_NEWCGROUP },
	[NS_TIME] = { "time", "time", CLONE_NEWTIME },
};

enum ns_index ns_by_name(const char *name)
{
	enum ns_index i = NS_USER;

	while (i < NS_COUNT && strcmp(ns_table[i].name, name) != 0)
		i++;
	return i;
}

enum ns_index ns_by_name_nocase(const char *name)
{
	enum ns_index i = NS_USER;

	while (i < NS_COUNT && strcasecmp(ns_table[i].name, name) != 0)
		i++;
	return i;
}

bool ns_is_known(enum ns_index ns)
{
	enum { UNASKED, KNOWN, UNKNOWN };
	/* The same for as long as the kernel runs. */
	static atomic_char answers[NS_COUNT];
	char path[64];

	if (answers[ns] == UNASKED) {
		(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", ns_table[ns].proc);
		answers[ns] = access(path, F_OK) == 0 ? KNOWN : UNKNOWN;
	}
	return answers[ns] == KNOWN;
}

int ns_open(pid_t pid, enum ns_index ns, struct err **e)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, ns_table[ns].proc);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, NULL, "cannot open %s", path);
	return fd;
}

int ns_open_of(int pidfd, pid_t pid, enum ns_index ns, struct err **e)
{
	/* PIDFD_GET_..._NAMESPACE of linux/pidfd.h: _IO(0xFF, n). */
	static const unsigned char numbers[NS_COUNT] = {
		[NS_CGROUP] = 1, [NS_IPC] = 2, [NS_MNT] = 3, [NS_NET] = 4,
		[NS_PID] = 5,	 [NS_TIME] = 7, [NS_USER] = 9, [NS_UTS] = 10,
	};
	int fd = pidfd < 0 ? -1 : ioctl(pidfd, _IO(0xff, numbers[ns]), 0);

	return fd >= 0 ? fd : ns_open(pid, ns, e);
}

bool ns_is_own(int fd, enum ns_index ns)
{
	char mine[64];
	struct stat a, b;

	(void)snprintf(mine, sizeof(mine), "/proc/self/ns/%s", ns_table[ns].proc);
	if (stat(mine, &a) < 0 || fstat(fd, &b) < 0)
		return true;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int ns_is_shared(pid_t pid, enum ns_index ns)
{
	char mine[64], theirs[64];
	struct stat a, b;

	(void)snprintf(mine, sizeof(mine), "/proc/self/ns/%s", ns_table[ns].proc);
	(void)snprintf(theirs, sizeof(theirs), "/proc/%d/ns/%s", pid, ns_table[ns].proc);
	if (stat(mine, &a) < 0 || stat(theirs, &b) < 0)
		return -errno;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Why user namespaces are refused: each a file that says so by its value. */
static const struct obstacle {
	const char *file, *value, *why, *remedy;
} obstacles[] = {
	{ "/proc/sys/kernel/unprivileged_userns_clone", "0",
	  "the sysctl kernel.unprivileged_userns_clone of this host is 0",
	  "as root: sysctl -w kernel.unprivileged_userns_clone=1 (and the same in /etc/sysctl.d to keep it)" },
	{ "/proc/sys/user/max_user_namespaces", "0", "the sysctl user.max_user_namespaces of this host is 0",
	  "as root: sysctl -w user.max_user_namespaces=15000 (and the same in /etc/sysctl.d to keep it)" },
	{ "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
	  "AppArmor of this host allows them only to programs with a profile that says so",
	  "as root: cp " PATH_TEMPLATE_CONFIG "/apparmor-userns /etc/apparmor.d/lxc-userns && apparmor_parser -r "
	  "/etc/apparmor.d/lxc-userns" },
};

int ns_userns_refused(int num, struct err **e)
{
	for (size_t i = 0; i < sizeof(obstacles) / sizeof(*obstacles); i++) {
		const struct obstacle *o = &obstacles[i];
		char value[32] = "";

		if (io_read_line(AT_FDCWD, o->file, value, sizeof(value)) > 0 && strcmp(value, o->value) == 0)
			return err_userns_forbidden(e, o->why, o->remedy);
	}
	if (num == ENOSPC)
		return err_namespace_limit(e);
	return err_userns_forbidden(e, "the kernel refuses it to this process",
				    "check that it is not in a chroot, nor under a system call policy or a security "
				    "module that denies it: dmesg may say which");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

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

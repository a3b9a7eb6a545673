/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* ns - the table of namespaces: name, clone flag, /proc name. The order is the order of output and
 * of entering. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

enum ns_index { NS_USER, NS_MNT, NS_PID, NS_UTS, NS_IPC, NS_NET, NS_CGROUP, NS_TIME, NS_COUNT };

struct ns_info {
	const char *name;	/* "net" */
	const char *proc;	/* name under /proc/PID/ns; for time the one of children */
	int flag;		/* CLONE_NEWNET */
};
extern const struct ns_info ns_table[NS_COUNT];

/* Index by name, NS_COUNT if unknown. */
enum ns_index ns_by_name(const char *name);
enum ns_index ns_by_name_nocase(const char *name);
/* True if this kernel has namespaces of that kind. */
bool ns_is_known(enum ns_index ns);
/* An fd of PID's namespace; -errno with *e set. */
int ns_open(pid_t pid, enum ns_index ns, struct err **e);
/* The same of the process behind pidfd, by that alone where the kernel can (Linux 6.11): no name is looked up in /proc. */
int ns_open_of(int pidfd, pid_t pid, enum ns_index ns, struct err **e);
/* True if the namespace file is of the caller's namespace, or cannot be told. */
bool ns_is_own(int fd, enum ns_index ns);
/* True if PID and the caller are in the same namespace; negative errno on failure. */
int ns_is_shared(pid_t pid, enum ns_index ns);
/* What a refused CLONE_NEWUSER (num) means on this host: the sysctl or module at fault, and the remedy. */
int ns_userns_refused(int num, struct err **e);

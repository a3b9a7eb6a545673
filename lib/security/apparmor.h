/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* apparmor - which profile a container gets. Everything is asked of the kernel below a root
 * directory fd, so that the decisions can be tested on a machine without AppArmor. */
#pragma once
#include <stdbool.h>

#include "base/err.h"
#include "base/log.h"
#include "config/conf.h"

struct apparmor_host {
	bool enabled;
	bool listable;		/* the list of loaded profiles can be read */
	bool mount_mediation;
	bool stacking;		/* profiles can be stacked in policy namespaces */
	bool stacked;		/* this process is in a stack with a namespace already */
	bool userns_mediation;	/* creating a user namespace needs a rule (kernel 6.7, Ubuntu's earlier) */
	bool io_uring_mediation;
	bool in_userns;		/* this process is root of a user namespace at most */
	const char *search;	/* where apparmor_parser is looked for; NULL: the system's path */
	char label[512];	/* of this process, without the mode; "" unknown */
};

void apparmor_host(int root, struct apparmor_host *ret);
/* 1 loaded, 0 not, -errno: the list cannot be read. */
int apparmor_is_loaded(int root, const char *profile);

struct apparmor_plan {
	char *profile;		/* to change to; NULL: nothing is changed */
	bool generated;		/* the container gets a profile of its own; profile is NULL */
};

/* What lxc.apparmor.profile means on this host. */
int apparmor_plan(const struct conf *c, int root, const struct apparmor_host *h, struct log *l,
		  struct apparmor_plan *ret, struct err **e);
void apparmor_plan_done(struct apparmor_plan *p);
/* Changes this thread's label at once. proc_fd: see lsm_apply. */
int apparmor_change(const char *profile, int proc_fd, struct err **e);

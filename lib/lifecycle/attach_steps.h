/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* attach_steps - what the attached process does between its birth and the caller's function. After a
 * fork of a threaded program: system calls on prepared data only. */
#pragma once
#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "cgroup/cgroup.h"
#include "kernel/ns.h"
#include "kernel/tty.h"
#include "lxc/attach_options.h"
#include "security/seccomp.h"

/* Everything is known before the first fork. */
/* What comes with a seccomp listener over status_fd. */
#define ATTACH_LISTENER "listener"

struct attach_ctx {
	pid_t init_pid;
	int init_pidfd;
	int own_pidfd;			/* of the attached process, where that was asked for */
	bool wants_pidfd;
	int ns_fd[NS_COUNT];		/* those to enter; -EBADF: stay */
	bool own_mnt;			/* the container's mount namespace is entered */
	int flags;			/* LXC_ATTACH_* */
	long personality;		/* -1: leave */
	uint64_t caps_keep;		/* bits of init's bounding set */
	bool drop_caps;
	uid_t uid;
	gid_t gid;
	bool has_userns;
	const gid_t *groups;
	size_t n_groups;
	bool set_groups;
	char *label;			/* NULL: none */
	int proc_fd;			/* the host's procfs, checked */
	bool no_new_privs;
	struct seccomp_program seccomp;
	char **env;
	const char *cwd;
	int stdio[3];
	bool is_terminal[3];		/* of pty; those of stdio that it replaces */
	struct pty pty;			/* LXC_ATTACH_TERMINAL */
	bool exec_only;
	struct cgroup_entry cgroups;	/* the ways into the container's */
	bool moves_itself;		/* through these; else is_moved, before it goes on, or it stays where it is */
	bool is_moved;
	bool born;			/* in cgroups.v2 */
	bool waits;			/* until the caller has done its part */
	int status_fd;			/* SEQPACKET to the caller: an error frame, or the word to go on */
	lxc_attach_exec_t fn;
	void *payload;
};

/* What the transient process sends when it cannot move itself. */
#define ATTACH_MOVE_ME '?'

/* The attached process, from its birth. Does not return. */
void attach_child(struct attach_ctx *a) attr_noreturn;
/* The transient process: enters the namespaces, makes the attached process as a child of the caller,
 * reports its pid as the first packet on status_fd. Does not return. */
void attach_transient(struct attach_ctx *a) attr_noreturn;

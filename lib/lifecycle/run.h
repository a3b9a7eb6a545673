/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* run - everything one run of one container knows. Filled by plan.c before any process exists, then
 * by the rows of the start table. init is a fork of the monitor, so it has a copy of all this as it
 * was when it was born; what is learnt later travels with the handoffs. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/strv.h"
#include "base/vec.h"
#include "cgroup/cgroup.h"
#include "config/conf.h"
#include "kernel/idmap.h"
#include "kernel/mountopt.h"
#include "kernel/ns.h"
#include "kernel/tty.h"
#include "lifecycle/sequence.h"
#include "lifecycle/states.h"
#include "network/network.h"
#include "security/lsm.h"
#include "security/seccomp.h"
#include "storage/storage.h"

/* One line of lxc.mount.fstab or lxc.mount.entry, parsed. */
struct mount_entry {
	char *source, *target, *type;	/* target: relative to the root */
	struct mountopt opts;
	struct origin at;
	int mount_fd;			/* detached mount prepared by the monitor; -EBADF: init makes it */
	bool skip;			/* optional and its source is missing */
	struct idmap share;		/* idmap=caller: or owner: the one user and group that are shown as others */
	bool share_owner;		/* it is owner: */
};
struct mount_entries {
	VEC(struct mount_entry);
};

/* The program of a hook that runs as the container's root, opened by who may enter its directories. */
struct hook_program {
	const char *line;		/* borrowed from conf */
	int fd;
};
struct hook_programs {
	VEC(struct hook_program);
};

#define TTY_MAX 32

struct run {
	/* who */
	struct conf *conf;		/* owned */
	const char *name, *lxcpath;	/* borrowed from conf */
	char *dir;			/* LXCPATH/NAME */
	char *rundir;			/* system_rundir */
	struct log log;

	/* how it was asked for */
	bool restores;			/* from a checkpoint, in the place of the start */
	bool starts;			/* not only to be explained: what is known to be wanted is begun */
	bool foreground, application, close_fds, quiet;
	struct rlimit files;		/* of the starter, and init's where lxc.prlimit.nofile does not say */
	struct strv argv;		/* init's argv */
	char *pidfile;
	bool from_config;		/* argv comes from lxc.init.cmd and the like */

	/* plan: immutable once plan_make returned */
	uint64_t clone_flags;		/* what clone3 makes */
	uint64_t late_flags;		/* what init unshares itself: cgroup, time */
	bool cgroups_late;		/* those of v1, beside init's first rows */
	bool net_late;			/* the network namespace is made once ids are mapped */
	uint64_t all_flags;		/* all namespaces of its own, for GET_CLONE_FLAGS */
	struct idmap idmap;
	struct cgroups *cgroups;
	struct net_run *net;
	struct early_net *early_net;	/* until init is born; NULL: none */
	struct storage *storage;	/* NULL: no root of its own */
	struct lsm *lsm;
	struct seccomp_program seccomp;
	struct mount_entries mounts;
	struct hook_programs hook_programs; /* mapped: see hooks_open */
	uint64_t caps_drop;		/* bits of the bounding set to drop */
	bool autodev;
	unsigned tty_count, pty_max;
	bool want_console, console_from_host;
	bool stdio_tty[3];		/* application in the foreground: which of 0-2 the console replaces */
	bool has_devpts;		/* a devpts of its own stays mounted */
	bool cgroups_made;
	bool born_in_cgroup;		/* the monitor was born in its v2 cgroup */
	bool init_born;			/* so was init */
	bool early_mounts;		/* the monitor prepares root and binds before init exists */
	bool caller_mounts;		/* an ordinary user's: init clones mounts, while it is still him */
	int share_fd[NS_COUNT];		/* lxc.namespace.share.* */
	uint64_t foreign_flags;		/* those that are not the monitor's own either */

	/* the run */
	struct sequence seq;
	enum lxc_state state;
	pid_t init_pid;
	pid_t hook_pid;			/* init's, for hooks, which are told it after its end as well */
	int init_pidfd;
	uint64_t init_start;
	int ns_fd[NS_COUNT];		/* kept for hooks and for network clean-up */
	int listen_fd;			/* command socket */
	int root_fd;			/* init: the root mount; monitor: detached mount before the clone */
	int proc_fd;			/* init: a procfs of its own pid namespace, not reachable by the guest */
	int devpts_fd;
	int exe_fd;			/* application mode: our init program */
	int node_fd[8];			/* mapped: detached mounts of the host's device nodes */
	struct pty console;
	int console_mount;		/* detached mount of the console's node, where it is the host's devpts */
	struct pty ttys[TTY_MAX];
	int seccomp_fd;			/* notify listener */
	int status_fd;			/* to the client that started us; -EBADF once answered */
	bool reboot;			/* init asked for it */
	uint64_t halt_until_ms;		/* CLOCK_MONOTONIC: until then a shutdown is wanted, and a reboot is not */
	int exit_status;		/* wait status of init; -1 unknown */
	bool adopted;
	uint64_t oom_kills;		/* processes that the kernel killed for want of memory */
	char *stopper;			/* who asked for the end: "HOW UID PID COMMAND", see instance.h; NULL: nobody */
	char *error_line;		/* what made the last start fail */
	bool timed;			/* how long each step takes is wanted */
	char *timing;			/* seq_timing of the start */

	/* Monitor: waits until fd (0) or other (1; may be -1) is readable while it serves the command
	 * socket and signals; -ECANCELED when the start is called off, -ETIMEDOUT after limit_ms (0:
	 * none). NULL in init: there a plain blocking wait will do. */
	int (*wait)(struct run *r, int fd, int other, unsigned limit_ms);
	void *monitor;
};

/* A run with all fds closed; takes conf. NULL when out of memory. */
struct run *run_new(struct conf *conf);
void run_free(struct run *r);
/* Closes what belongs to one life of the container (not the command socket). */
void run_close_fds(struct run *r);
void mount_entries_done(struct mount_entries *m);
static inline bool run_is_mapped(const struct run *r)
{
	return r->idmap.n > 0;
}

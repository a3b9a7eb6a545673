/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* launch - starting a container from the client's process: the configuration goes into a memfd, the
 * supervisor program is spawned, and its first answer (running, or an error chain) comes back. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/strv.h"
#include "lifecycle/supervise.h"

/* A supervisor that is there before it is known what it is to do. */
struct launch_ahead {
	int fd;			/* its status socket; its end is its end */
	int exe;		/* what it was executed from: of a mount of its own, whose end the kernel waits for */
	pid_t pid;
	char *title;		/* as ps shows it: whose it is */
};

struct launch {
	const char *name, *lxcpath;
	const struct buf *dump;		/* conf_dump_values of its configuration; NULL: LAUNCH_ADOPT, which needs none */
	bool foreground;		/* the call lasts as long as the container; stdio is its console */
	bool application;		/* lxc-execute: our init is pid 1 and runs argv */
	char *const *argv;		/* NULL: from the config */
	const char *pidfile;
	bool close_fds;			/* foreground: nothing but 0-2 is inherited */
	const struct log *log;		/* the caller's log file and level for the monitor; may be NULL */
	struct strv *warnings;		/* appended to; may be NULL */
	bool quiet;
	struct buf *timing;		/* not foreground: gets seq_timing of the start; may be NULL */
	bool json;			/* launch_explain: as JSON */
	struct launch_ahead *ahead;	/* launch_start: used up if it is there and this container's; may be NULL */
	const struct strv *restore;	/* criu_restore_command's: from a checkpoint instead of anew; may be NULL */
	supervise_fn *monitor;	/* where no other program need be executed: supervise_here, else NULL */
	void (*forget)(void *arg); /* with monitor: frees what only the start was to be told, dump included; may be NULL */
	void *forget_arg;
	int *held;		/* with monitor: the descriptor that is held open until the container runs, or until the caller is the monitor */
};

/* Begins the supervisor of a start that is about to come: its program is loaded while the caller goes on. *ret is zero
 * where that fails; launch_ahead_done ends one that was not used, and may be called on a zero. */
void launch_ahead(const char *name, const char *lxcpath, struct launch_ahead *ret);
void launch_ahead_done(struct launch_ahead *a);
/* Starts. With l->monitor set, in the background, the process ends with 0 when RUNNING, and comes back only on failure; what
 * launch_exec says of that holds. Else 0 when RUNNING (foreground: when it has ended; *ret_status is the wait status of init).
 * *ret_status also carries error_num's meaning on failure. */
int launch_start(const struct launch *l, int *ret_status, struct err **e);
/* Replaces this process by the foreground supervisor. Returns only on failure. Where l->monitor is set, no other program is
 * executed: the caller has one thread, and answers for it that nothing of the guest's runs before our own init does, since the
 * guest could find the caller's program in /proc/PID/exe. */
int launch_exec(const struct launch *l, struct err **e);
/* From here on starts in the background need not execute a program: see zygote.h. */
int launch_many(int (*supervise)(void), struct err **e);
/* What a start would do, without starting: the plan and the step table as text. */
int launch_explain(const struct launch *l, struct buf *out, struct err **e);

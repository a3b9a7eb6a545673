/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* instance - the state file of a container: RUNDIR/lxc/instance/LXCPATH/NAME/{state,config}. The
 * monitor writes it at every change; readers need no round trip; a monitor that adopts, or a
 * command that cleans up after a killed one, finds in it what there is. Only its owner's files are
 * believed. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct instance_state {
	int state;			/* enum lxc_state */
	pid_t monitor_pid, init_pid;
	uint64_t monitor_start, init_start;
	uint64_t all_flags;
	int exit_status;
	bool application;
	char *boot_id;
	uint64_t oom_kills;
	char *error;			/* one line; NULL */
	char *stopper;			/* "request|signal UID PID COMMAND": who asked for the end; NULL: nobody */
	char *cgroups, *net;		/* texts of cgroup_save and net_save; NULL */
	char *config;			/* conf_dump_values of the running configuration; NULL unless asked for */
};

/* An fd of the directory below (which begins with "lxc/") the run directory, found or made as instance_dir says. */
int instance_rundir(const char *rundir, const char *below, mode_t mode, bool create, struct err **e);
/* An fd of the instance directory. create: made (0700) where missing. Every component below the run
 * directory is opened without following symlinks and must belong to the caller. -ENOENT without *e
 * when it does not exist. */
int instance_dir(const char *rundir, const char *lxcpath, const char *name, bool create, struct err **e);
/* The same in two steps, for many: the directory that all of one run directory are in, and one of them below it. -ENOENT
 * without *e when it does not exist. */
int instance_top(const char *rundir, struct err **e);
int instance_dir_in(int top, const char *lxcpath, const char *name, struct err **e);
/* last (may be NULL): the text of the write before, owned; one that says nothing new is left out. */
int instance_write(int dirfd, const struct instance_state *s, char **last, struct err **e);
/* Before the state says that something runs: it may be half written when its writer is killed. */
int instance_write_config(int dirfd, const char *text, size_t len, struct err **e);
/* -ENOENT without *e when there is none; -ESTALE when it is of another boot. */
int instance_read(int dirfd, bool with_config, struct instance_state *ret, struct err **e);
void instance_state_done(struct instance_state *s);
/* Removes state and config. */
void instance_clear(int dirfd);
/* True if the process is alive and still the same one. */
bool instance_alive(pid_t pid, uint64_t start);

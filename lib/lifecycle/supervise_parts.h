/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* supervise_parts - what the files of the monitor's main program share. */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>

#include "lifecycle/launch_head.h"
#include "lifecycle/monitor.h"
#include "lifecycle/supervise.h"

#define EXIT_INTERNAL 1

struct supervisor {
	struct launch_head head;
	struct monitor m;
	char *text;		/* the launch memfd */
	const char *body;	/* the configuration in it */
	size_t body_len;
	int status_fd;
	int log_fd;		/* the caller's log file; -EBADF: none */
	struct rlimit files;	/* of open files, of whoever started this */
	sigset_t mask;		/* signals that arrive through the loop */
	sigset_t before;	/* what was blocked before */
	const struct supervise_here *here; /* its maker's; NULL: this is a program of its own */
	struct err **failure;	/* here, in the background: for the maker, once there is nobody else */
	int err_fd;		/* then the caller's stderr, until it runs */
	pid_t stander;		/* who made this one and ends as it does; 0: nobody */
};

/* ---- supervise_status */

/* One packet to the client: a tag (STATUS_...), a number, a payload. */
void supervise_tell(struct supervisor *s, char tag, int number, const void *p, size_t n);
/* As many packets as it takes. */
void supervise_tell_text(struct supervisor *s, const char *text, size_t n);
/* A sink of warnings; arg is the supervisor. */
void supervise_warn(void *arg, const char *text);
/* The end of a start that did not work: to the client, or to the terminal we are on. Takes e; returns EXIT_INTERNAL. */
int supervise_report(struct supervisor *s, struct err *e, int error_num);

/* ---- supervise_begin */

/* The launch data, and what of the starter's descriptors is kept. */
int supervise_read_launch(struct supervisor *s, struct err **e);
/* The launch data that is here already (taken). */
int supervise_take_launch(struct supervisor *s, char *text, size_t len, struct err **e);
/* Signals that the monitor handles arrive through its loop; the rest keep their default. */
void supervise_block_signals(sigset_t *mask);
/* A fresh run from the launch data: for the start, and again for every reboot. */
int supervise_new_run(struct supervisor *s, struct err **e);
/* The init of an application container. */
int supervise_open_init(struct run *r, struct err **e);
/* Nothing of the caller: its descriptors, directory, session, keyring, umask. */
int supervise_detach(struct supervisor *s, struct err **e);
int supervise_write_pidfile(struct run *r, struct err **e);
/* Before anything is made the state file says so: whoever comes after a kill at any instant finds what to clean up. The
 * lock on its directory lasts as long as a monitor lives, through its fork. */
int supervise_announce(struct supervisor *s, struct err **e);
/* lxc.monitor.unshare. */
int supervise_enter_namespace(struct run *r, struct err **e);
/* What lxc-info tells of a start that failed. */
void supervise_record_failure(struct supervisor *s, const struct err *e);

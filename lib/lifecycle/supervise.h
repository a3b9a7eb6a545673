/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* supervise - the monitor's whole life: read what to start, plan, start, stay, clean up. Runs in the
 * program lxc-supervise, and in lxc-execute where that need not execute another (launch_exec). */
#pragma once
#include <stddef.h>

#include "base/err.h"

/* fds that launch.c hands over. */
#define SUPERVISE_STATUS_FD 3
#define SUPERVISE_LAUNCH_FD 4
#define SUPERVISE_LOG_FD 5
/* Or, to one that is begun ahead (launch_ahead), 3 alone: a packet of one byte then brings 4 and, if there is a log, 5. */
#define SUPERVISE_LATE_FDS (SUPERVISE_LOG_FD - SUPERVISE_LAUNCH_FD + 1)

/* First byte of a packet on the status socket. */
#define STATUS_RUNNING 'R'	/* then an int: nothing */
#define STATUS_WARNING 'W'	/* then text */
#define STATUS_ERROR 'E'	/* then an int (error_num), then an error frame */
#define STATUS_TEXT 'T'		/* then text: the explanation or the times that were asked for */
#define STATUS_ENDED 'X'	/* foreground: then an int, the wait status of init */

/* The head of the launch memfd: "KEY=VALUE\0" lines, an empty one ends it, the dump follows. */
#define LAUNCH_MAGIC "tiffin-launch=1"
#define SUPERVISE_TEXT_MAX (16U << 20)

int supervise_main(void);
/* The same in the caller's own process, which has one thread: it becomes the monitor in the foreground, or ends when it has made one
 * that watches the container in the background. Returns, with an error, where that cannot be started; then the process has the
 * working directory, environment, and so on of a monitor, and had better say so and end. */
struct supervise_here {
	char *text;		/* the launch data; not the caller's any more */
	size_t len;
	int log_fd;		/* the caller's log file; -EBADF: none */
	int held;		/* what is held open until the container runs; -EBADF: nothing */
	char **environment;	/* what a monitor has; for ever */
	const char *title;	/* what it is then called, in the background */
};
typedef int supervise_fn(const struct supervise_here *h, struct err **e);
int supervise_here(const struct supervise_here *h, struct err **e);

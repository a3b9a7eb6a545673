/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* supervise - the monitor's whole life: read what to start, plan, start, stay, clean up. Runs in the
 * program lxc-supervise, and in lxc-execute where that need not execute another (launch_exec). */
#pragma once
#include <stddef.h>

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
/* The same for a foreground monitor in the caller's own process, which has one thread: text is the launch data (its own from here
 * on), log_fd the caller's log file (-EBADF: none), environment what a monitor has. Does not return. */
typedef void supervise_fn(char *text, size_t len, int log_fd, char **environment);
_Noreturn void supervise_here(char *text, size_t len, int log_fd, char **environment);

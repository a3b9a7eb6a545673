/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* events - what lxc-monitord and those who listen to it share: monitors of containers write messages
 * (struct state_message) into the fifo of their lxcpath, the daemon passes them on to everybody who is
 * connected to its socket. Names and messages are LXC's, so that either side may be. */
#pragma once
#include <stdbool.h>

#include "base/err.h"
#include "lifecycle/command.h"

#define EVENTS_FIFO "monitor-fifo"
#define EVENTS_READY 'S'		/* what the daemon writes to who started it */
#define EVENTS_QUIT "quit"		/* what a client says to end it */
#define EVENTS_ADDRESS_MAX 106

/* The abstract name of the daemon's socket. 0, or -ENAMETOOLONG with *e. */
int events_address(const char *lxcpath, char ret[EVENTS_ADDRESS_MAX], struct err **e);
/* The directory of the fifo below the run directory: "lxc/LXCPATH". New. */
char *events_dir(const char *lxcpath);
/* Writes a message into the fifo of lxcpath, if a daemon listens there: never through a symlink, only one of ours. */
void events_write(const char *rundir, const char *lxcpath, const char *name, enum state_message_type type, int value);
/* Is who is at the other end of a socket root or us? */
bool events_peer_is_ours(int fd);
/* Connects to the daemon of lxcpath; where there is none and start is set, starts it first. The fd;
 * -ECONNREFUSED without *e when there is none and none was to be started. */
int events_open(const char *lxcpath, bool start, struct err **e);

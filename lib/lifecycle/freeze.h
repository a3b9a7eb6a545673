/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* freeze - FREEZE and UNFREEZE of the command socket. A container may take its time to stop (a process in
 * the middle of a slow system call): who asked waits, the monitor goes on serving everybody else. */
#pragma once
#include "lifecycle/monitor.h"

/* A container that takes longer to freeze is thawed again. */
#define FREEZE_LIMIT_S 10

/* Orders it and answers c at once if it is so at once, else when it is. limit_ms: when to give up; a freeze
 * is taken back then. Returns what a command handler does. */
int freeze_request(struct monitor *m, struct client *c, bool frozen, unsigned limit_ms);
/* The same freeze for who reads the container's files: until the connection ends, so that a reader that is killed
 * leaves nothing frozen. Several may hold it. Who froze it by freeze_request before, or does so meanwhile, keeps it. */
int freeze_hold(struct monitor *m, struct client *c, unsigned limit_ms);
/* The container ends, or is killed: who waits is told that it did not come to it. */
void freeze_cancel(struct monitor *m);

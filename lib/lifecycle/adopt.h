/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* adopt - what a monitor does that comes after one that died: the container lives on and is taken
 * over, or its remains are cleaned up. */
#pragma once
#include "lifecycle/monitor.h"

enum { ADOPT_RUNNING = 0, ADOPT_CLEANED = 1 };

/* Reads the state file. Init lives: m->r is filled as after a start (but for the old console
 * session), m->launch_text is what it was started with; ADOPT_RUNNING. Init is gone: hooks, network
 * and cgroups are brought to an end; ADOPT_CLEANED. */
int adopt_run(struct monitor *m, const char *lxcpath, const char *name, struct err **e);
/* Console and ttys of a container that was taken over: new ptys in the place of those that ended with the
 * old monitor. What fails is logged: a container without a console is still one. */
void adopt_terminals(struct monitor *m);
/* A process that is init and was not made by this monitor: its pidfd, namespaces and devpts. */
int adopt_init(struct run *r, struct err **e);

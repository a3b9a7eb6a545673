/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* early_net - the network namespace of a container that has no ids of its own, made beside what comes before its first
 * process: the kernel takes as long for it as for all the rest of a clone. Where it cannot be made so, the clone makes it. */
#pragma once
#include "lifecycle/run.h"

/* From now on none is made beside in this process: others that start containers have something to do for all processors. */
void early_net_off(void);
/* Whether a processor has nothing to do; not after early_net_off. */
bool early_net_pays(void);
/* Begins, once the plan has the namespaces. */
void early_net_begin(struct run *r);
/* Waits for it: in the process that began, before another one goes on. */
void early_net_end(struct run *r);
/* The caller enters it, and goes back: between the two a child is born into it. False: there is none, the caller is where
 * he was. */
bool early_net_enter(struct run *r);
/* 0 or -errno. */
int early_net_leave(struct run *r, struct err **e);
/* NULL: nothing. */
void early_net_free(struct early_net *n);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* start_dev - what is in the container's /dev: nodes, devpts, console, ttys, links. */
#pragma once
#include "lifecycle/run.h"

/* Monitor, for a mapped container that cannot make nodes: detached mounts of the host's. */
int dev_prepare_nodes(struct run *r, struct err **e);
/* In a child of an adopting monitor that has entered the container's mount namespace, with r->root_fd on
 * its root: new ptys in the place of those that hung up with the old monitor. Leaves what
 * host_take_terminals expects, but for the devpts, in r->seq.out. */
int dev_renew_terminals(struct run *r, struct err **e);

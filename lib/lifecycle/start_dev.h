/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* start_dev - what is in the container's /dev: nodes, devpts, console, ttys, links. */
#pragma once
#include "lifecycle/run.h"

/* Monitor, for a mapped container that cannot make nodes: detached mounts of the host's. */
int dev_prepare_nodes(struct run *r, struct err **e);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* restore - a container's first life from a checkpoint: the host's half of a start, with criu in the place of init. */
#pragma once
#include "base/strv.h"
#include "lifecycle/monitor.h"

/* command: criu_restore_command's. On success init runs and is watched like one that was started. */
int restore_run(struct run *r, const struct strv *command, struct err **e);

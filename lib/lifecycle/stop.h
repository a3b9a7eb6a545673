/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* stop - what happens after init has ended: network back, hooks, profile, cgroups, storage, the
 * state file; the destruction of an ephemeral container. Monitor. */
#pragma once
#include "lifecycle/monitor.h"

/* init is gone (r->exit_status is known where it can be). Runs the whole end up to STOPPED. True: what nobody need wait for
 * is left to stop_late, the monitor's own descriptors and cgroup; where may_be_late, and no client waits for that. */
bool stop_run(struct monitor *m, bool may_be_late);
void stop_late(struct monitor *m);
/* A start that failed: undoes it and records why. */
void stop_failed_start(struct monitor *m, const struct err *e);

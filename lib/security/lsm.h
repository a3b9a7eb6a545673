/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lsm - the label that init gets. Planned by the monitor (is the profile loaded?), set by init. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/log.h"
#include "config/conf.h"

struct lsm;

/* AppArmor where the kernel has it, else nothing. c->name and c->lxcpath are set. */
int lsm_plan(const struct conf *c, struct log *l, struct lsm **ret, struct err **e);
void lsm_free(struct lsm *m);
/* Loads what must be loaded (generated profiles). Undo: lsm_unload. */
int lsm_load(struct lsm *m, struct err **e);
void lsm_unload(struct lsm *m);
/* In init (or an attached process): sets the label. proc_fd: a directory fd of a procfs that is
 * known to be one, opened before the guest could touch /proc. */
int lsm_apply(const struct lsm *m, int proc_fd, struct err **e);
/* Before a new session keyring is made: the context it gets (SELinux; else nothing is done). */
int lsm_apply_keyring(const struct lsm *m, int proc_fd, struct err **e);
/* The label in words, for --explain; "" if none. Borrowed. */
const char *lsm_label(const struct lsm *m);
/* Label of a running process ("" if there is no LSM); new. */
char *lsm_label_of(pid_t pid);
/* Gives this process (or, on_exec, what it executes next) a label taken from a running one. Nothing
 * where no LSM is enabled. */
int lsm_set_label(const char *label, bool on_exec, int proc_fd, struct err **e);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* depend - which containers stand on whose data: "lxc_rdepends" in a container names those it needs,
 * "lxc_snapshots" those that need it, each as pairs of lines LXCPATH, NAME. A record in a base is
 * made before anything stands on it and goes after that is gone, so that a crash leaves a record too
 * many, never one too few; records of what does not exist any more do not count. */
#pragma once
#include <stdbool.h>

#include "base/err.h"
#include "base/strv.h"

#define DEPEND_NEEDS "lxc_rdepends"
#define DEPEND_USERS "lxc_snapshots"

/* Pairs as in the files: LXCPATH, NAME, LXCPATH, NAME... dir: of the container. No file: none. */
int depend_needs(const char *dir, struct strv *pairs, struct err **e);
/* Writes the needs of a container (none: the file goes). */
int depend_set_needs(const char *dir, const struct strv *pairs, struct err **e);
/* Those that stand on the container in dir and exist, "NAME" each ("NAME in LXCPATH" where that is another
 * than its own). In old records a number: then one entry that says so. */
int depend_users(const char *dir, struct strv *ret, struct err **e);
/* Records in every base of pairs that LXCPATH/NAME stands on it, or takes that back. A base that is gone
 * has nothing to record. Takes the disk lock of each base. */
int depend_record(const struct strv *pairs, const char *lxcpath, const char *name, struct err **e);
int depend_forget(const struct strv *pairs, const char *lxcpath, const char *name, struct err **e);
/* Takes back what there is of it in the base, and in what that one stands on: of a copy that was cut off before its needs were
 * written. Old records, which are numbers, stay: nobody knows whether it was counted. */
int depend_forget_copy(const char *base_path, const char *base, const char *lxcpath, const char *name, struct err **e);

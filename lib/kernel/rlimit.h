/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* rlimit - resource limits by name: parse, format, apply to a process. */
#pragma once
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/err.h"

/* RLIMIT_* of a name ("nofile") or of a number; -EINVAL if there is none. */
int rlimit_by_name(const char *name);
/* The nearest name (borrowed); NULL if none is near. */
const char *rlimit_nearest(const char *name);
/* "SOFT" or "SOFT:HARD", each decimal or "unlimited" (or -1), blanks allowed around the colon. A
 * missing SOFT is 0, a missing HARD is SOFT. 0, -EINVAL, -ERANGE. */
int rlimit_parse(const char *s, struct rlimit *ret);
/* Canonical text: one number if both are equal. */
void rlimit_format(const struct rlimit *l, char *buf, size_t size);
/* Sets limit resource (called name in errors) of pid; 0 is this process. */
int rlimit_apply(pid_t pid, int resource, const char *name, const struct rlimit *l, struct err **e);
/* Lets this process have a thousand files open, where its limit is lower and it may. */
void rlimit_raise_files(void);

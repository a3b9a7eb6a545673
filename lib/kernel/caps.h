/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* caps - capability names and what a container's init gives up. Plain system calls only, so that a
 * child may run all of it after fork. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define CAPS_BIT(cap) (UINT64_C(1) << (cap))

/* Number of a name without "cap_", lower case, or of a decimal number up to caps_last().
 * -EINVAL: unknown name; -ERANGE: this kernel has no such capability. */
int caps_parse(const char *word, int *ret);
/* "sys_admin"; NULL if the number has no name here. */
const char *caps_name(int cap);
/* The nearest name (borrowed); NULL if none is near. */
const char *caps_nearest(const char *word);
/* The highest capability of the running kernel. */
int caps_last(void);
/* Removes every capability whose bit is set in mask from the bounding set. */
int caps_drop_bounding(uint64_t mask, struct err **e);
/* Empties the ambient and the inheritable set of this thread. */
int caps_clear_inherited(struct err **e);
/* True if it is in the effective set of this thread. */
bool caps_has(int cap);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* compiler - attributes and arithmetic helpers. No logic. */
#pragma once
#include <stddef.h>

#define attr_printf(f, a) __attribute__((format(printf, f, a)))
#define attr_must_check __attribute__((warn_unused_result))
#define attr_unused __attribute__((unused))
#define attr_noreturn __attribute__((noreturn))
#define attr_public __attribute__((visibility("default")))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define STREQ(a, b) (strcmp((a), (b)) == 0)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* num - strict numbers. The whole string must be the number: no blanks, no trailing text, no silent
 * wrap. 0, -EINVAL (not a number) or -ERANGE; *ret is written only on success. base as strtoul's. */
#pragma once
#include <stdint.h>
#include <sys/types.h>

int num_u64(const char *s, int base, uint64_t max, uint64_t *ret);
int num_i64(const char *s, int base, int64_t min, int64_t max, int64_t *ret);
int num_uint(const char *s, int base, unsigned *ret);
/* The number that text begins with, in decimal (10) or hexadecimal (16) digits; *rest: what follows it. 0, or
 * -EINVAL when no digit is there, -ERANGE. */
int num_prefix(const char *text, int base, uint64_t max, uint64_t *ret, const char **rest);
int num_int(const char *s, int base, int *ret);
/* Decimal; 1 to the largest pid_t. */
int num_pid(const char *s, pid_t *ret);
/* Decimal id; 4294967295 (the "no id" value) is refused with -ERANGE. */
int num_id(const char *s, uint32_t *ret);

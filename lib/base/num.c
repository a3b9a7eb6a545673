/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "base/num.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

int num_u64(const char *s, int base, uint64_t max, uint64_t *ret)
{
	unsigned long long v;
	char *end;

	if (!isdigit((unsigned char)*s) && !(base == 16 && isxdigit((unsigned char)*s)))
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, base);
	if (errno == ERANGE)
		return -ERANGE;
	if (errno || end == s || *end)
		return -EINVAL;
	if (v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int num_i64(const char *s, int base, int64_t min, int64_t max, int64_t *ret)
{
	const char *digits = *s == '-' || *s == '+' ? s + 1 : s;
	long long v;
	char *end;

	if (!isdigit((unsigned char)*digits))
		return -EINVAL;
	errno = 0;
	v = strtoll(s, &end, base);
	if (errno == ERANGE)
		return -ERANGE;
	if (errno || *end)
		return -EINVAL;
	if (v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int num_uint(const char *s, int base, unsigned *ret)
{
	uint64_t v;
	int r = num_u64(s, base, UINT_MAX, &v);

	if (r == 0)
		*ret = (unsigned)v;
	return r;
}

int num_int(const char *s, int base, int *ret)
{
	int64_t v;
	int r = num_i64(s, base, INT_MIN, INT_MAX, &v);

	if (r == 0)
		*ret = (int)v;
	return r;
}

int num_pid(const char *s, pid_t *ret)
{
	uint64_t v;
	int r = num_u64(s, 10, INT_MAX, &v);

	if (r < 0)
		return r;
	if (v == 0)
		return -ERANGE;
	*ret = (pid_t)v;
	return 0;
}

int num_id(const char *s, uint32_t *ret)
{
	uint64_t v;
	int r = num_u64(s, 10, UINT32_MAX - 1, &v);

	if (r == 0)
		*ret = (uint32_t)v;
	return r;
}

int num_prefix(const char *text, int base, uint64_t max, uint64_t *ret, const char **rest)
{
	size_t n = strspn(text, base == 16 ? "0123456789abcdefABCDEF" : "0123456789");
	char digits[32];

	if (n == 0)
		return -EINVAL;
	if (n >= sizeof(digits))
		return -ERANGE;
	memcpy(digits, text, n);
	digits[n] = '\0';
	*rest = text + n;
	return num_u64(digits, base, max, ret);
}

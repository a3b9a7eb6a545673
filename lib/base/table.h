/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* table - name to value tables. Every enumeration with a text form uses one. */
#pragma once
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/compiler.h"

struct name_value {
	const char *name;
	long value;
};

static inline const struct name_value *table_by_name_n(const struct name_value *t, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(t[i].name, name) == 0)
			return &t[i];
	return NULL;
}

static inline const struct name_value *table_by_nocase_n(const struct name_value *t, size_t n,
							 const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(t[i].name, name) == 0)
			return &t[i];
	return NULL;
}

/* The first name of a value; NULL if there is none. */
static inline const char *table_by_value_n(const struct name_value *t, size_t n, long value)
{
	for (size_t i = 0; i < n; i++)
		if (t[i].value == value)
			return t[i].name;
	return NULL;
}

#define table_by_name(t, name) table_by_name_n(t, ARRAY_SIZE(t), name)
#define table_by_nocase(t, name) table_by_nocase_n(t, ARRAY_SIZE(t), name)
#define table_by_value(t, value) table_by_value_n(t, ARRAY_SIZE(t), value)

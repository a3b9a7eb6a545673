/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* strv - vectors of owned strings, always NULL-terminated once non-empty. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct strv {
	char **v;	/* NULL while empty */
	size_t n;
};

/* All return 0 or -ENOMEM. push takes s (also on failure; s may be NULL: -ENOMEM). */
int strv_push(struct strv *l, char *s);
int strv_add(struct strv *l, const char *s);
int strv_addf(struct strv *l, const char *fmt, ...) attr_printf(2, 3);
int strv_copy(struct strv *to, const struct strv *from);
/* Splits at any of seps, dropping empty words. */
int strv_split(struct strv *l, const char *s, const char *seps);
bool strv_has(const struct strv *l, const char *s);
void strv_remove(struct strv *l, size_t i);
void strv_sort(struct strv *l);
/* Returns new, NULL when out of memory. */
char *strv_join(const struct strv *l, const char *sep);
/* Returns the NULL-terminated array and leaves the vector empty; never NULL unless out of memory. */
char **strv_take(struct strv *l);
void strv_done(struct strv *l);
static inline void auto_strv_fn(struct strv *l)
{
	strv_done(l);
}
#define auto_strv __attribute__((cleanup(auto_strv_fn)))

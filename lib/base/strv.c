/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "base/strv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

int strv_push(struct strv *l, char *s)
{
	char **v;

	if (!s)
		return -ENOMEM;
	v = reallocarray(l->v, l->n + 2, sizeof(*v));
	if (!v) {
		free(s);
		return -ENOMEM;
	}
	l->v = v;
	l->v[l->n++] = s;
	l->v[l->n] = NULL;
	return 0;
}

int strv_add(struct strv *l, const char *s)
{
	return strv_push(l, strdup(s));
}

int strv_addf(struct strv *l, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? -ENOMEM : strv_push(l, s);
}

int strv_copy(struct strv *to, const struct strv *from)
{
	int r = 0;

	for (size_t i = 0; i < from->n && !r; i++)
		r = strv_add(to, from->v[i]);
	return r;
}

int strv_split(struct strv *l, const char *s, const char *seps)
{
	int r = 0;

	while (!r && *(s += strspn(s, seps))) {
		size_t n = strcspn(s, seps);

		r = strv_push(l, strndup(s, n));
		s += n;
	}
	return r;
}

bool strv_has(const struct strv *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i], s) == 0)
			return true;
	return false;
}

void strv_remove(struct strv *l, size_t i)
{
	free(l->v[i]);
	memmove(l->v + i, l->v + i + 1, (l->n - i) * sizeof(*l->v));
	l->n--;
}

static int compare(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

void strv_sort(struct strv *l)
{
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), compare);
}

char *strv_join(const struct strv *l, const char *sep)
{
	struct buf b = BUF_INIT((size_t)64 << 20);

	for (size_t i = 0; i < l->n; i++) {
		if (i)
			buf_adds(&b, sep);
		buf_adds(&b, l->v[i]);
	}
	return buf_take(&b);
}

char **strv_take(struct strv *l)
{
	char **v = l->v ? l->v : calloc(1, sizeof(*v));

	l->v = NULL;
	l->n = 0;
	return v;
}

void strv_done(struct strv *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	l->v = NULL;
	l->n = 0;
}

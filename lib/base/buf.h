/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* buf - a growing byte string with a ceiling that is given at birth. A failed append (ceiling or
 * memory) makes the buffer empty and sticky-failed; check once at the end with buf_ok or buf_take.
 * The content is always NUL-terminated. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct buf {
	char *p;	/* NULL while empty */
	size_t len;	/* without the NUL */
	size_t cap;
	size_t max;	/* most bytes that len may reach */
	bool failed;
};

#define BUF_INIT(ceiling) { .max = (ceiling) }

void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) attr_printf(2, 3);
void buf_vaddf(struct buf *b, const char *fmt, va_list ap) attr_printf(2, 0);
/* Removes the first n bytes. */
void buf_consume(struct buf *b, size_t n);
static inline bool buf_ok(const struct buf *b)
{
	return !b->failed;
}
/* "" when empty. */
static inline const char *buf_str(const struct buf *b)
{
	return b->p ? b->p : "";
}
/* Returns new: the content (never NULL unless failed), and leaves the buffer empty. */
char *buf_take(struct buf *b);
void buf_done(struct buf *b);
static inline void auto_buf_fn(struct buf *b)
{
	buf_done(b);
}
#define auto_buf __attribute__((cleanup(auto_buf_fn)))

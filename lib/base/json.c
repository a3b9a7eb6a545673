/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "base/json.h"

#include <inttypes.h>
#include <string.h>

/* The length of the UTF-8 character at s, 0 if there is none: no overlong form, no surrogate. */
static size_t utf8_length(const unsigned char *s)
{
	static const unsigned long least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned long c;
	size_t n;

	if (*s < 0x80)
		return 1;
	n = *s >= 0xf0 && *s < 0xf8 ? 4 : *s >= 0xe0 && *s < 0xf0 ? 3 : *s >= 0xc2 && *s < 0xe0 ? 2 : 0;
	if (n == 0)
		return 0;
	c = *s & (0xffU >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

static void add_quoted(struct buf *b, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	buf_addc(b, '"');
	while (*s) {
		size_t n = utf8_length(s);

		if (n == 0) {
			buf_adds(b, "\\ufffd");
			n = 1;
		} else if (*s == '"' || *s == '\\') {
			buf_addc(b, '\\');
			buf_addc(b, (char)*s);
		} else if (*s < 0x20 || *s == 0x7f) {
			buf_addf(b, "\\u%04x", *s);
		} else {
			buf_add(b, s, n);
		}
		s += n;
	}
	buf_addc(b, '"');
}

static void begin(struct json *j, const char *key)
{
	if (j->more)
		buf_addc(j->out, ',');
	j->more = true;
	if (!key)
		return;
	add_quoted(j->out, key);
	buf_addc(j->out, ':');
}

static void open_with(struct json *j, const char *key, char c)
{
	begin(j, key);
	buf_addc(j->out, c);
	j->more = false;
}

static void close_with(struct json *j, char c)
{
	buf_addc(j->out, c);
	j->more = true;
}

void json_object(struct json *j, const char *key)
{
	open_with(j, key, '{');
}

void json_object_end(struct json *j)
{
	close_with(j, '}');
}

void json_array(struct json *j, const char *key)
{
	open_with(j, key, '[');
}

void json_array_end(struct json *j)
{
	close_with(j, ']');
}

void json_string(struct json *j, const char *key, const char *value)
{
	if (!value) {
		json_null(j, key);
		return;
	}
	begin(j, key);
	add_quoted(j->out, value);
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
	begin(j, key);
	buf_addf(j->out, "%" PRIu64, value);
}

void json_i64(struct json *j, const char *key, int64_t value)
{
	begin(j, key);
	buf_addf(j->out, "%" PRId64, value);
}

void json_number(struct json *j, const char *key, const char *digits)
{
	begin(j, key);
	buf_adds(j->out, digits);
}

void json_bool(struct json *j, const char *key, bool value)
{
	begin(j, key);
	buf_adds(j->out, value ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
	begin(j, key);
	buf_adds(j->out, "null");
}

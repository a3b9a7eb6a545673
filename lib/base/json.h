/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* json - writes JSON (RFC 8259) into a buffer, one value after the other. What is not UTF-8 in a string is
 * shown as U+FFFD, so that the output is always valid. key is NULL inside arrays and at the top. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct json {
	struct buf *out;
	bool more;	/* something precedes in the open object or array */
};

#define JSON_INIT(b) { .out = (b) }

void json_object(struct json *j, const char *key);
void json_object_end(struct json *j);
void json_array(struct json *j, const char *key);
void json_array_end(struct json *j);
/* NULL is null. */
void json_string(struct json *j, const char *key, const char *value);
void json_u64(struct json *j, const char *key, uint64_t value);
void json_i64(struct json *j, const char *key, int64_t value);
/* A number that is text already, such as "1.50". */
void json_number(struct json *j, const char *key, const char *digits);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);

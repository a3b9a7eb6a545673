/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* jsonout - what --json and --json-errors print: one object on one line, whose "schema" names the file
 * doc/json/NAME.json and whose "version" grows when a field goes or changes its meaning. New fields
 * may come at any time. */
#pragma once
#include "base/json.h"
#include "common/tool.h"

#define JSONOUT_VERSION 1

struct jsonout {
	struct buf buf;
	struct json json;
};

/* Begins the object; what is added to the result is printed by jsonout_end. */
struct json *jsonout_begin(struct jsonout *o, const char *schema);
/* Ends the object and prints it. EXIT_SUCCESS, or EXIT_FAILURE after a message. */
int jsonout_end(struct tool *t, struct jsonout *o);

/* An array of the words of a configuration value, which stand one to a line. */
void jsonout_lines(struct json *j, const char *key, const char *value);

/* One line on out about an error of the library (c NULL: of a call without a handle); false if nothing has failed. */
bool jsonout_failed(FILE *out, const char *prog, struct lxc_container *c);
void jsonout_error(FILE *out, const char *prog, const struct err *e);
void jsonout_warning(FILE *out, const char *prog, const char *text);

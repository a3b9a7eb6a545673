/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* listing - which containers there are, selected and with those facts about each that are to be
 * shown: the work of lxc-ls. Facts that nobody asked for are not looked up. */
#pragma once
#include <regex.h>

#include "common/tool.h"

enum listing_column {
	COLUMN_NAME,
	COLUMN_STATE,
	COLUMN_PID,
	COLUMN_RAM,
	COLUMN_SWAP,
	COLUMN_AUTOSTART,
	COLUMN_GROUPS,
	COLUMN_INTERFACE,
	COLUMN_IPV4,
	COLUMN_IPV6,
	COLUMN_UNPRIVILEGED,
	COLUMN_MAX,
};

struct listing_columns {
	enum listing_column v[COLUMN_MAX * 2];
	size_t n;
};

/* All given conditions must hold. */
struct listing_filter {
	bool active, running, frozen, stopped, defined;
	bool enter;		/* nothing is left out by it: is_running will be wanted */
	struct strv groups;	/* all of them */
	const regex_t *name;	/* NULL: any */
};

struct listing_row {
	char *shown;			/* the name; "PARENT/NAME" of one inside another */
	unsigned depth;			/* inside how many others */
	bool is_running;		/* known to run, neither frozen nor stuck */
	char *cells[COLUMN_MAX];	/* NULL: "-" */
};

struct listing {
	struct listing_row *v;
	size_t n;
};

/* Reads a comma list of column names, in any case. NULL, or the word at fault (its rest follows). */
const char *listing_parse_columns(const char *list, struct listing_columns *ret);
/* 0, or -1 after a message. columns NULL: names only. A lxcpath that does not exist has no rows. */
int listing_read(struct tool *t, const char *lxcpath, const struct listing_filter *want,
		 const struct listing_columns *columns, struct listing *ret);
void listing_show_table(const struct listing *l, const struct listing_columns *columns);
/* EXIT_SUCCESS, or EXIT_FAILURE after a message. */
int listing_show_json(struct tool *t, const char *lxcpath, const struct listing *l, const struct listing_columns *columns);
void listing_row_done(struct listing_row *row);
void listing_done(struct listing *l);
static inline void auto_listing_fn(struct listing *l)
{
	listing_done(l);
}
#define auto_listing __attribute__((cleanup(auto_listing_fn)))

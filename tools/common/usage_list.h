/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* usage_list - what all running containers of a directory use, kept from look to look so that rates can be
 * told: the work of lxc-top. */
#pragma once
#include "base/buf.h"
#include "common/tool.h"
#include "common/usage.h"

struct usage_row {
	char *name;
	struct lxc_container *c;
	struct usage now, before;
	uint64_t now_ns, before_ns;	/* when; before_ns 0: this is the first look */
	unsigned cpu_permille;		/* of one processor, since the last look */
	bool seen;
};

struct usage_list {
	struct usage_row *v;
	size_t n;
};

/* key: one of USAGE_ORDER_KEYS; names go up, numbers go down, unless reversed. */
struct usage_order {
	char key;
	bool reverse;
};
#define USAGE_ORDER_KEYS "n c b m s k u p t"
/* False if there is no such key. */
bool usage_order_set(struct usage_order *o, char key);

/* Looks again. 0, or -1 after a message. */
int usage_list_read(struct tool *t, const char *lxcpath, struct usage_list *l);
void usage_list_sort(struct usage_list *l, const struct usage_order *order);
void usage_list_done(struct usage_list *l);
/* A screen of rows x columns: two lines of headings, as many containers from the first-th on as fit, and
 * the totals. Columns that do not fit are left out, the least important ones first. */
void usage_list_draw(const struct usage_list *l, const struct usage_order *order, size_t first, unsigned rows,
		     unsigned columns, struct buf *out);

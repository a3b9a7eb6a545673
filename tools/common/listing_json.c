/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* listing_json - the rows of lxc-ls as JSON. */
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"
#include "common/jsonout.h"
#include "common/listing.h"

enum cell_type { CELL_STRING, CELL_NUMBER, CELL_MEGABYTES, CELL_BOOL, CELL_LIST };

static const struct {
	const char *key;
	enum cell_type type;
} cells[COLUMN_MAX] = {
	[COLUMN_NAME] = { "name", CELL_STRING },
	[COLUMN_STATE] = { "state", CELL_STRING },
	[COLUMN_PID] = { "pid", CELL_NUMBER },
	[COLUMN_RAM] = { "ram_megabytes", CELL_MEGABYTES },
	[COLUMN_SWAP] = { "swap_megabytes", CELL_MEGABYTES },
	[COLUMN_AUTOSTART] = { "autostart", CELL_BOOL },
	[COLUMN_GROUPS] = { "groups", CELL_LIST },
	[COLUMN_INTERFACE] = { "interfaces", CELL_LIST },
	[COLUMN_IPV4] = { "ipv4", CELL_LIST },
	[COLUMN_IPV6] = { "ipv6", CELL_LIST },
	[COLUMN_UNPRIVILEGED] = { "unprivileged", CELL_BOOL },
};

static void add_list(struct json *j, const char *key, const char *text)
{
	auto_strv struct strv words = { 0 };

	json_array(j, key);
	if (text && strv_split(&words, text, ", ") == 0)
		for (size_t i = 0; i < words.n; i++)
			json_string(j, NULL, words.v[i]);
	json_array_end(j);
}

static void add_cell(struct json *j, enum listing_column column, const char *text)
{
	const char *key = cells[column].key;

	switch (cells[column].type) {
	case CELL_STRING:
		json_string(j, key, text);
		return;
	case CELL_BOOL:
		json_bool(j, key, text && (STREQ(text, "1") || STREQ(text, "true")));
		return;
	case CELL_LIST:
		add_list(j, key, text);
		return;
	case CELL_NUMBER:
	case CELL_MEGABYTES:
		break;
	}
	if (text) {
		auto_free char *digits = strndup(text, strspn(text, "0123456789."));

		json_number(j, key, digits && *digits ? digits : "0");
	} else {
		json_null(j, key);
	}
}

/* "PARENT/NAME" of one inside another. */
static void add_name(struct json *j, const struct listing_row *row)
{
	const char *name = path_base(row->shown);
	auto_free char *parent = row->depth ? strndup(row->shown, (size_t)(name - row->shown) - 1) : NULL;

	json_string(j, "name", name);
	if (!row->depth)
		return;
	json_u64(j, "nesting", row->depth);
	json_string(j, "parent", parent);
}

int listing_show_json(struct tool *t, const char *lxcpath, const struct listing *l, const struct listing_columns *columns)
{
	struct jsonout o;
	struct json *j = jsonout_begin(&o, "lxc-ls");

	json_string(j, "lxcpath", lxcpath);
	json_array(j, "containers");
	for (size_t i = 0; i < l->n; i++) {
		bool done[COLUMN_MAX] = { [COLUMN_NAME] = true };

		json_object(j, NULL);
		add_name(j, &l->v[i]);
		for (size_t k = 0; k < columns->n; k++) {
			enum listing_column column = columns->v[k];

			if (!done[column])
				add_cell(j, column, l->v[i].cells[column]);
			done[column] = true;
		}
		json_object_end(j);
	}
	json_array_end(j);
	return jsonout_end(t, &o);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* A client of the API: lines "KEY=VALUE" set, "KEY" alone clears. Refused values change nothing; what
 * is saved reads back as what is in memory. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "config/key.h"
#include "config/reader.h"
#include "config/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The canonical form without text and origins. */
static char *values(const struct conf *c)
{
	auto_buf struct buf all = BUF_INIT((size_t)64 << 20), out = BUF_INIT((size_t)64 << 20);

	if (conf_dump(c, &all) < 0)
		return NULL;
	for (const char *p = buf_str(&all); *p;) {
		size_t n = strcspn(p, "\n");

		if (strncmp(p, "#@", 2) != 0)
			buf_add(&out, p, n + 1);
		p += n + 1;
	}
	return buf_take(&out);
}

/* Clearing the type of an interface whose other keys stay cannot be told in the text. */
static bool is_special(const char *key)
{
	return str_ends(key, ".type");
}

static void check_saved(const struct conf *c)
{
	auto_buf struct buf text = BUF_INIT((size_t)64 << 20);
	auto_free char *have = values(c), *saved = NULL;
	auto_conf struct conf *again = conf_new();

	if (!have || !again || conf_text(c, &text) < 0)
		return;
	if (conf_parse(again, buf_str(&text), text.len, "saved", NULL, NULL) < 0)
		abort();
	saved = values(again);
	if (saved && strcmp(have, saved) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *input = strndup((const char *)data, size);
	auto_conf struct conf *c = conf_new();
	auto_free char *before = c ? values(c) : NULL;
	bool comparable = true;
	char *rest = input, *line;

	if (!input || !c || strstr(input, "lxc.include"))
		return 0;
	for (line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
		auto_buf struct buf b = BUF_INIT((size_t)16 << 20);
		auto_free char *after = NULL;
		auto_err struct err *e = NULL;
		char *eq = strchr(line, '=');
		int r;

		if (eq)
			*eq++ = '\0';
		r = eq ? conf_set_item(c, line, eq, NULL, &e) : conf_clear_item(c, line, NULL, &e);
		after = values(c);
		if (r < 0 && (!e || (before && after && strcmp(before, after) != 0)))
			abort();
		if (r >= 0 && (!eq || !*eq) && is_special(line))
			comparable = false;
		free(before);
		before = take_ptr(after);
		(void)key_get(c, line, &b, NULL);
		(void)key_list(c, line, &b, NULL);
	}
	if (comparable)
		check_saved(c);
	return 0;
}

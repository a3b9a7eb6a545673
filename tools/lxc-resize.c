/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-resize - shows or sets how much the root of a container may take on the disk. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <lxc/lxcext.h>

#include "common/show.h"
#include "common/tool.h"

#define OPT_TABLE "lxc-resize.opt"
#include "common/opt_table.h"

struct resize {
	bool raw;
};

static int option(struct tool *t, int key, const char *value)
{
	struct resize *z = t->data;

	switch ((enum key)key) {
	case KEY_NO_HUMANIZE:
		z->raw = true;
		break;
	case KEY_NONE:
		break;
	}
	return 0;
}

static void show(const struct resize *z, const char *label, uint64_t bytes)
{
	char text[SHOW_SIZE_MAX];

	if (z->raw)
		show_linef(label, "%" PRIu64, bytes);
	else
		show_line(label, show_size(bytes, text));
}

static int show_usage(struct tool *t, struct lxc_container *c)
{
	const struct resize *z = t->data;
	struct lxcext_usage u;

	if (lxcext_disk_usage(c, &u) < 0)
		return tool_failed(t, c, "cannot tell what %s takes on the disk", t->name);
	show(z, "Disk use:", u.used);
	if (u.exclusive != UINT64_MAX)
		show(z, "Disk own:", u.exclusive);
	if (u.limit)
		show(z, "Disk limit:", u.limit);
	return tool_flush(t);
}

static int run(struct tool *t, struct lxc_container *c)
{
	uint64_t bytes = 0;

	if (!tool_is_configured(t, c))
		return tool_unknown(t);
	if (t->n_args == 0)
		return show_usage(t, c);
	if (strcmp(t->args[0], "none") != 0 && tool_size(t, "SIZE", t->args[0], &bytes) < 0)
		return EXIT_FAILURE;
	if (lxcext_disk_limit(c, bytes) < 0)
		return tool_failed(t, c, "cannot set the size of %s", t->name);
	return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-resize",
		.synopsis = "[OPTION]... -n NAME [SIZE|none]",
		.summary = "Shows or sets how much a container's root file system may take.",
		.flags = TOOL_TAKES_ARGS,
		.option = option);
	auto_tool struct tool t = { 0 };
	struct resize z = { 0 };
	struct lxc_container *c;
	int r;

	if (!tool_begin(&t, &def, &z, argc, argv, &r))
		return r;
	if (t.n_args > 1) {
		(void)tool_usage(&t, "more than one size is given");
		return EXIT_FAILURE;
	}
	c = tool_open(&t);
	if (!c)
		return EXIT_FAILURE;
	r = run(&t, c);
	tool_close(&t, c);
	return r;
}

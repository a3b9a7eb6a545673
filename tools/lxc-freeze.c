/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-freeze - stops all processes of a container where they are. */
#include <stdlib.h>

#include "common/tool.h"

int main(int argc, char *argv[])
{
	static const struct tool_def def = {
		.prog = "lxc-freeze",
		.synopsis = "[OPTION]... -n NAME",
		.summary = "Stops all processes of a container where they are, until lxc-unfreeze.",
	};
	auto_tool struct tool t = { 0 };
	struct lxc_container *c;
	int r;

	if (!tool_begin(&t, &def, NULL, argc, argv, &r))
		return r;
	c = tool_open(&t);
	if (!c)
		return EXIT_FAILURE;
	if (!c->is_running(c))
		r = tool_is_configured(&t, c) ? tool_not_running(&t) : tool_unknown(&t);
	else
		r = c->freeze(c) ? EXIT_SUCCESS : tool_failed(&t, c, "cannot freeze %s", t.name);
	tool_close(&t, c);
	return r;
}

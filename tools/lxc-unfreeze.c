/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-unfreeze - lets the processes of a frozen container go on. */
#include <stdlib.h>

#include "common/tool.h"

int main(int argc, char *argv[])
{
	static const struct tool_def def = {
		.prog = "lxc-unfreeze",
		.synopsis = "[OPTION]... -n NAME",
		.summary = "Lets the processes of a frozen container go on.",
	};
	auto_tool struct tool t = { 0 };
	struct lxc_container *c;
	int r;

	if (!tool_begin(&t, &def, NULL, argc, argv, &r))
		return r;
	c = tool_open(&t);
	if (!c)
		return EXIT_FAILURE;
	if (!tool_is_configured(&t, c) && !c->is_running(c))
		r = tool_unknown(&t);
	else	/* a container that is not frozen, or stopped, needs nothing: success, as LXC's */
		r = c->unfreeze(c) ? EXIT_SUCCESS : tool_failed(&t, c, "cannot unfreeze %s", t.name);
	tool_close(&t, c);
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-cgroup - shows or sets a value of a running container's cgroup. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "common/jsonout.h"
#include "common/show.h"
#include "common/tool.h"

#define OPT_TABLE "lxc-cgroup.opt"
#include "common/opt_table.h"

static int option(struct tool *t, int key, const char *value)
{
	(void)value;
	if (key == KEY_JSON)
		*(bool *)t->data = true;
	return 0;
}

static int show_json(struct tool *t, const char *text)
{
	struct jsonout o;
	struct json *j = jsonout_begin(&o, "lxc-cgroup");

	json_string(j, "name", t->name);
	json_string(j, "file", t->args[0]);
	json_string(j, "value", text);
	return jsonout_end(t, &o);
}

static int run(struct tool *t, struct lxc_container *c)
{
	auto_free char *text = NULL;

	if (!c->is_running(c))
		return tool_is_configured(t, c) ? tool_not_running(t) : tool_unknown(t);
	if (t->n_args > 1) {
		if (!c->set_cgroup_item(c, t->args[0], t->args[1]))
			return tool_failed(t, c, "cannot set %s of %s to '%s'", t->args[0], t->name, t->args[1]);
		return EXIT_SUCCESS;
	}
	text = stat_cgroup_file(c, t->args[0]);
	if (!text)
		return tool_failed(t, c, "cannot read %s of %s", t->args[0], t->name);
	if (*(bool *)t->data)
		return show_json(t, text);
	/* The file's own newline and one more, as LXC's. */
	printf("%s\n", text);
	return tool_flush(t);
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-cgroup",
		.synopsis = "[OPTION]... -n NAME FILE [VALUE]",
		.summary = "Shows a file of a running container's cgroup, or writes VALUE to it.",
		.flags = TOOL_TAKES_ARGS,
		.option = option);
	bool json = false;
	auto_tool struct tool t = { 0 };
	struct lxc_container *c;
	int r;

	if (!tool_begin(&t, &def, &json, argc, argv, &r))
		return r;
	if (t.n_args < 1) {
		(void)tool_usage(&t, "no cgroup file given, such as memory.max");
		return EXIT_FAILURE;
	}
	if (t.n_args > 2)
		tool_warn(&t, "the argument '%s' is not used", t.args[2]);
	c = tool_open(&t);
	if (!c)
		return EXIT_FAILURE;
	r = run(&t, c);
	tool_close(&t, c);
	return r;
}

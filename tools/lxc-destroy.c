/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-destroy - removes a container, its root and its configuration. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "common/tool.h"

#define OPT_TABLE "lxc-destroy.opt"
#include "common/opt_table.h"

struct destroy {
	bool force, snapshots;
};

static int option(struct tool *t, int key, const char *value)
{
	struct destroy *d = t->data;

	switch ((enum key)key) {
	case KEY_FORCE:
		d->force = true;
		break;
	case KEY_SNAPSHOTS:
		d->snapshots = true;
		break;
	case KEY_NONE:
		break;
	}
	return 0;
}

static bool is_ephemeral(struct lxc_container *c)
{
	char value[8] = "";

	return c->get_config_item(c, "lxc.ephemeral", value, sizeof(value)) > 0 && strcmp(value, "1") == 0;
}

static int has_snapshots(struct lxc_container *c)
{
	struct lxc_snapshot *list = NULL;
	int n = c->snapshot_list(c, &list);

	for (int i = 0; i < n; i++)
		list[i].free(&list[i]);
	free(list);
	return n;
}

static int run(struct tool *t, struct destroy *d, struct lxc_container *c)
{
	bool was_running = c->is_running(c), ok;
	auto_err struct err *e = NULL;

	if (was_running && !d->force) {
		(void)err_destroy_running(&e, t->name, tool_given_path(t));
		return tool_error_chain(t, e);
	}
	if (was_running && !c->stop(c))
		return tool_failed(t, c, "cannot stop %s", t->name);
	/* The monitor of an ephemeral container removes it when it ends. */
	if (was_running && is_ephemeral(c))
		return EXIT_SUCCESS;
	if (was_running && !c->is_defined(c))
		return EXIT_SUCCESS;	/* it ran without a configuration file: nothing else was there */
	if (d->snapshots && has_snapshots(c) > 0)
		ok = c->destroy_with_snapshots(c);
	else
		ok = c->destroy(c);
	return ok ? EXIT_SUCCESS : tool_failed(t, c, "cannot destroy %s", t->name);
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-destroy",
		.synopsis = "[OPTION]... -n NAME",
		.summary = "Removes a container with its root file system and its configuration.",
		.option = option);
	auto_tool struct tool t = { 0 };
	struct destroy d = { 0 };
	struct lxc_container *c;
	int r;

	if (!tool_begin(&t, &def, &d, argc, argv, &r))
		return r;
	c = tool_open(&t);
	if (!c)
		return EXIT_FAILURE;
	r = run(&t, &d, c);
	tool_close(&t, c);
	return r;
}

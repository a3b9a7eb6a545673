/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-execute - runs one command as an application container, under our init. */
#include <stdlib.h>

#include <lxc/lxcext.h>

#include "base/cleanup.h"
#include "common/launch.h"

#define OPT_TABLE "lxc-execute.opt"
#include "common/opt_table.h"

struct execute {
	struct launch launch;
	const char *uid, *gid;
	bool daemon;
};

static int option(struct tool *t, int key, const char *value)
{
	struct execute *x = t->data;
	unsigned id;

	switch ((enum key)key) {
	case KEY_DAEMON:
		x->daemon = true;
		break;
	case KEY_RCFILE:
		t->rcfile = value;
		break;
	case KEY_DEFINE:
		return launch_define(t, &x->launch, value);
	case KEY_UID:
		x->uid = value;
		return tool_id(t, "--uid (-u)", value, &id);
	case KEY_GID:
		x->gid = value;
		return tool_id(t, "--gid (-g)", value, &id);
	case KEY_SHARE_NET:
	case KEY_SHARE_IPC:
	case KEY_SHARE_UTS:
	case KEY_SHARE_PID:
		x->launch.share[key - KEY_SHARE_NET] = value;
		break;
	case KEY_NONE:
		break;
	}
	return 0;
}

static int run(struct tool *t, struct execute *x, struct lxc_container *c)
{
	char **argv = t->n_args ? t->args : NULL;

	if (!tool_is_configured(t, c))
		return tool_unknown(t);
	if (launch_apply(t, &x->launch, c) < 0)
		return EXIT_FAILURE;
	if (x->uid && launch_set(t, c, "lxc.init.uid", x->uid) < 0)
		return EXIT_FAILURE;
	if (x->gid && launch_set(t, c, "lxc.init.gid", x->gid) < 0)
		return EXIT_FAILURE;
	if (!argv && c->get_config_item(c, "lxc.execute.cmd", NULL, 0) <= 0) {
		(void)tool_usage(t, "no command given, and lxc.execute.cmd of %s is not set", t->name);
		return EXIT_FAILURE;
	}
	tool_show_warnings(t, c);
	(void)c->want_daemonize(c, x->daemon);
	if (!x->daemon) {
		(void)lxcext_execute(c, argv);
		return tool_failed(t, c, "cannot run %s", t->name);
	}
	if (!c->start(c, 1, argv))
		return tool_failed(t, c, "cannot run %s", t->name);
	return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-execute",
		.synopsis = "[OPTION]... -n NAME [-- COMMAND [ARGUMENT]...]",
		.summary = "Runs COMMAND in a container of its own and ends with its exit status.",
		.flags = TOOL_READS_PATH | TOOL_TAKES_ARGS,
		.option = option);
	struct execute x = { .daemon = false };
	auto_tool struct tool t = { 0 };
	struct lxc_container *c;
	int r;

	if (tool_begin(&t, &def, &x, argc, argv, &r)) {
		c = tool_open(&t);
		r = c ? run(&t, &x, c) : EXIT_FAILURE;
		tool_close(&t, c);
	}
	launch_done(&x.launch);
	return r;
}

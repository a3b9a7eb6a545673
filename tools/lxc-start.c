/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-start - starts a container. In the foreground the program becomes the monitor. */
#include <stdlib.h>
#include <string.h>

#include <lxc/lxcext.h>

#include "base/cleanup.h"
#include "common/launch.h"

#define OPT_TABLE "lxc-start.opt"
#include "common/opt_table.h"

struct start {
	struct launch launch;
	const char *pidfile, *console, *console_log;
	bool foreground, close_all_fds, explain;
};

static int option(struct tool *t, int key, const char *value)
{
	struct start *s = t->data;

	switch ((enum key)key) {
	case KEY_DAEMON:
		s->foreground = false;
		break;
	case KEY_FOREGROUND:
		s->foreground = true;
		break;
	case KEY_PIDFILE:
		s->pidfile = value;
		break;
	case KEY_RCFILE:
		t->rcfile = value;
		break;
	case KEY_CONSOLE:
		s->console = value;
		break;
	case KEY_CONSOLE_LOG:
		s->console_log = value;
		break;
	case KEY_CLOSE_ALL_FDS:
		s->close_all_fds = true;
		break;
	case KEY_DEFINE:
		return launch_define(t, &s->launch, value);
	case KEY_SHARE_NET:
	case KEY_SHARE_IPC:
	case KEY_SHARE_UTS:
	case KEY_SHARE_PID:
		s->launch.share[key - KEY_SHARE_NET] = value;
		break;
	case KEY_EXPLAIN:
		s->explain = true;
		break;
	case KEY_NONE:
		break;
	}
	return 0;
}

static int set_path(struct tool *t, struct lxc_container *c, const char *key, const char *path)
{
	auto_free char *absolute = launch_absolute(path);

	if (!absolute)
		return tool_usage(t, "out of memory");
	return launch_set(t, c, key, absolute);
}

static int configure(struct tool *t, struct start *s, struct lxc_container *c)
{
	if (launch_apply(t, &s->launch, c) < 0)
		return -1;
	if (s->console && strcmp(s->console, "none") == 0 && launch_set(t, c, "lxc.console.path", "none") < 0)
		return -1;
	if (s->console && strcmp(s->console, "none") != 0 && set_path(t, c, "lxc.console.path", s->console) < 0)
		return -1;
	if (s->console_log && set_path(t, c, "lxc.console.logfile", s->console_log) < 0)
		return -1;
	if (s->pidfile) {
		c->pidfile = launch_absolute(s->pidfile);
		if (!c->pidfile)
			return tool_usage(t, "out of memory");
	}
	if (s->close_all_fds)
		(void)c->want_close_all_fds(c, true);
	(void)c->want_daemonize(c, !s->foreground);
	return 0;
}

static int explain(struct tool *t, struct lxc_container *c, char **argv)
{
	auto_free char *text = lxcext_explain(c, 0, argv);

	if (!text)
		return tool_failed(t, c, "cannot explain %s", t->name);
	fputs(text, stdout);
	return EXIT_SUCCESS;
}

static int run(struct tool *t, struct start *s, struct lxc_container *c)
{
	char **argv = t->n_args ? t->args : NULL;

	/* With nothing but -s settings there must be a command: the host's init is not meant. */
	if (!tool_is_configured(t, c) && !(argv && s->launch.defines.n))
		return tool_unknown(t);
	if (!s->explain && c->is_running(c)) {
		auto_err struct err *e = NULL;

		(void)err_already_running(&e, t->name, tool_given_path(t));
		(void)tool_error_chain(t, e);
		return EXIT_SUCCESS;	/* as LXC's: what was asked for is the case */
	}
	if (configure(t, s, c) < 0)
		return EXIT_FAILURE;
	if (s->explain)
		return explain(t, c, argv);
	tool_show_warnings(t, c);
	if (s->foreground) {
		(void)lxcext_start_exec(c, 0, argv);
		return tool_failed(t, c, "cannot start %s", t->name);
	}
	if (!c->start(c, 0, argv))
		return tool_failed(t, c, "cannot start %s", t->name);
	return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-start",
		.synopsis = "[OPTION]... -n NAME [-- COMMAND [ARGUMENT]...]",
		.summary = "Starts a container, with COMMAND in the place of its init if one is given.",
		.flags = TOOL_READS_PATH | TOOL_TAKES_ARGS,
		.option = option);
	struct start s = { .launch.defines.n = 0 };
	auto_tool struct tool t = { 0 };
	struct lxc_container *c;
	int r;

	if (tool_begin(&t, &def, &s, argc, argv, &r)) {
		c = tool_open(&t);
		r = c ? run(&t, &s, c) : EXIT_FAILURE;
		tool_close(&t, c);
	}
	launch_done(&s.launch);
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-stop - shuts a container down, kills it, or reboots it. */
#include <lxc/lxcext.h>
#include <stdlib.h>
#include <string.h>

#include "common/tool.h"

#define OPT_TABLE "lxc-stop.opt"
#include "common/opt_table.h"

#define DEFAULT_TIMEOUT 60
#define EXIT_NOT_RUNNING 2

struct stop {
	int timeout;
	bool timeout_given, reboot, nowait, kill, nokill, nolock;
};

static int option(struct tool *t, int key, const char *value)
{
	struct stop *s = t->data;

	switch ((enum key)key) {
	case KEY_REBOOT:
		s->reboot = true;
		break;
	case KEY_NOWAIT:
		s->nowait = true;
		break;
	case KEY_TIMEOUT:
		s->timeout_given = true;
		return tool_number(t, "--timeout (-t)", value, -1, &s->timeout);
	case KEY_KILL:
		s->kill = true;
		break;
	case KEY_NOLOCK:
		s->nolock = true;
		break;
	case KEY_NOKILL:
		s->nokill = true;
		break;
	case KEY_NONE:
		break;
	}
	return 0;
}

static int check_options(struct tool *t, struct stop *s)
{
	if (s->nowait)
		s->timeout = 0;
	else if (!s->timeout_given)
		s->timeout = s->kill ? 0 : DEFAULT_TIMEOUT;
	if (s->nolock && !s->kill)
		return tool_usage(t, "option --nolock works only together with --kill (-k)");
	if (s->kill && s->nokill)
		return tool_usage(t, "options --kill (-k) and --nokill exclude each other");
	if (s->kill && s->reboot)
		return tool_usage(t, "options --kill (-k) and --reboot (-r) exclude each other");
	if (s->kill && s->timeout != 0)
		return tool_usage(t, "options --kill (-k) and --timeout (-t) exclude each other");
	return 0;
}

static int kill_it(struct tool *t, struct lxc_container *c)
{
	return c->stop(c) ? EXIT_SUCCESS : tool_failed(t, c, "cannot stop %s", t->name);
}

static int run(struct tool *t, struct stop *s, struct lxc_container *c)
{
	if (!c->is_running(c)) {
		(void)(c->is_defined(c) ? tool_not_running(t) : tool_unknown(t));
		return EXIT_NOT_RUNNING;
	}
	if (s->kill)
		return kill_it(t, c);
	if (s->reboot)
		return c->reboot2(c, s->timeout) ? EXIT_SUCCESS : tool_failed(t, c, "cannot reboot %s", t->name);
	if (c->shutdown(c, s->timeout))
		return EXIT_SUCCESS;
	if (s->nokill || s->nowait)
		return tool_failed(t, c, "%s did not shut down within %d s", t->name, s->timeout);
	/* A second look: what has become of it since. */
	(void)lxcext_keep_state(c, false);
	if (!c->is_running(c))
		return EXIT_SUCCESS;
	/* Only time that ran out is a reason to kill: what cannot be asked to stop is said as it is. */
	if (strcmp(lxcext_error_id(c), "shutdown-timeout") != 0)
		return tool_failed(t, c, "cannot stop %s", t->name);
	tool_warn(t, "%s did not shut down within %d s and is killed now", t->name, s->timeout);
	return kill_it(t, c);
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-stop",
		.synopsis = "[OPTION]... -n NAME",
		.summary = "Shuts a container down; kills it if it is not down after a minute.",
		.flags = TOOL_ONE_LOOK,
		.option = option);
	auto_tool struct tool t = { 0 };
	struct stop s = { 0 };
	struct lxc_container *c;
	int r;

	if (!tool_begin(&t, &def, &s, argc, argv, &r))
		return r;
	if (check_options(&t, &s) < 0)
		return EXIT_FAILURE;
	c = tool_open(&t);
	if (!c)
		return EXIT_FAILURE;
	r = run(&t, &s, c);
	tool_close(&t, c);
	return r;
}

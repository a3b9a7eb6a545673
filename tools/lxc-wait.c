/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-wait - waits until a container is in one of some states. */
#include <stdlib.h>
#include <string.h>

#include <lxc/lxcext.h>

#include "base/strv.h"
#include "common/tool.h"

#define OPT_TABLE "lxc-wait.opt"
#include "common/opt_table.h"

#define MAX_STATES 16

struct wait {
	const char *states;
	int timeout;
};

/* Every word between '|' must be a state. */
static int check_states(struct tool *t, const char *states)
{
	const char *known[MAX_STATES];
	int n = lxc_get_wait_states(NULL);

	if (n < 1 || n > MAX_STATES)
		return tool_usage(t, "the library knows %d states", n);
	(void)lxc_get_wait_states(known);
	for (const char *p = states;; p++) {
		size_t len = strcspn(p, "|");
		int i = 0;

		while (i < n && !(strlen(known[i]) == len && strncmp(known[i], p, len) == 0))
			i++;
		if (i == n)
			return tool_usage(t, "option --state (-s): '%.*s' is not a state of a container",
					  (int)len, p);
		p += len;
		if (!*p)
			return 0;
	}
}

static int option(struct tool *t, int key, const char *value)
{
	struct wait *w = t->data;

	switch ((enum key)key) {
	case KEY_STATE:
		w->states = value;
		return check_states(t, value);
	case KEY_TIMEOUT:
		return tool_number(t, "--timeout (-t)", value, -1, &w->timeout);
	case KEY_NONE:
		break;
	}
	return 0;
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-wait",
		.synopsis = "[OPTION]... -n NAME -s STATES",
		.summary = "Waits until a container is in one of the given states.",
		.option = option);
	struct wait w = { .timeout = -1 };
	auto_tool struct tool t = { 0 };
	struct lxc_container *c;
	int r;

	if (!tool_begin(&t, &def, &w, argc, argv, &r))
		return r;
	if (!w.states) {
		(void)tool_usage(&t, "no state to wait for given (option --state)");
		return EXIT_FAILURE;
	}
	c = tool_open(&t);
	if (!c)
		return EXIT_FAILURE;
	if (c->wait(c, w.states, w.timeout))
		r = EXIT_SUCCESS;
	else
		r = tool_failed(&t, c, "%s is %s, not %s, after %d s", t.name, c->state(c), w.states, w.timeout);
	tool_close(&t, c);
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-console - connects this terminal to a terminal of a container. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "common/restore.h"
#include "common/tool.h"

#define OPT_TABLE "lxc-console.opt"
#include "common/opt_table.h"

struct console {
	int tty;
	int escape;	/* 1: Ctrl-a ... 26: Ctrl-z */
};

static int parse_escape(struct tool *t, const char *value, int *ret)
{
	const char *letter = *value == '^' ? value + 1 : value;

	if (!isalpha((unsigned char)letter[0]) || letter[1])
		return tool_usage(t, "option --escape (-e): '%s' is not a letter or ^letter", value);
	*ret = tolower((unsigned char)letter[0]) - 'a' + 1;
	return 0;
}

static int option(struct tool *t, int key, const char *value)
{
	struct console *s = t->data;

	switch ((enum key)key) {
	case KEY_TTY:
		return tool_number(t, "--tty (-t)", value, -1, &s->tty);
	case KEY_ESCAPE:
		return parse_escape(t, value, &s->escape);
	case KEY_NONE:
		break;
	}
	return 0;
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-console",
		.synopsis = "[OPTION]... -n NAME",
		.summary = "Connects this terminal to a terminal of a running container.",
		.option = option);
	struct console s = { .tty = -1, .escape = 1 };
	auto_tool struct tool t = { 0 };
	struct lxc_container *c;
	int r;

	if (!tool_begin(&t, &def, &s, argc, argv, &r))
		return r;
	c = tool_open(&t);
	if (!c)
		return EXIT_FAILURE;
	restore_terminal_when_killed();
	if (strcmp(c->state(c), "FROZEN") == 0)
		tool_warn(&t, "%s is frozen: nothing runs in it until lxc-unfreeze -n %s%s%s", t.name, t.name,
		  PATH_OPTION(c->get_config_path(c)));
	if (!c->is_running(c))
		r = tool_is_configured(&t, c) ? tool_not_running(&t) : tool_unknown(&t);
	else if (c->console(c, s.tty, STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, s.escape) < 0)
		r = tool_failed(&t, c, "cannot open a terminal of %s", t.name);
	else
		r = EXIT_SUCCESS;
	tool_close(&t, c);
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-device - gives a running container a device or a network interface of the host, and takes it
 * back. */
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "common/tool.h"

static bool has_interface(struct lxc_container *c, const char *name)
{
	char **names = c->get_interfaces(c);
	bool found = false;

	for (size_t i = 0; names && names[i]; i++) {
		found |= strcmp(names[i], name) == 0;
		free(names[i]);
	}
	free(names);
	return found;
}

static int run(struct tool *t, struct lxc_container *c)
{
	const char *verb = t->args[0], *dev = t->args[1], *to = t->n_args > 2 ? t->args[2] : dev;
	bool ok;

	if (!c->is_running(c))
		return tool_is_configured(t, c) ? tool_not_running(t) : tool_unknown(t);
	if (*verb == 'a')
		ok = if_nametoindex(dev) ? c->attach_interface(c, dev, to) : c->add_device_node(c, dev, to);
	else
		ok = has_interface(c, dev) ? c->detach_interface(c, dev, to) : c->remove_device_node(c, dev, to);
	return ok ? EXIT_SUCCESS : tool_failed(t, c, "cannot %s %s for container %s", verb, dev, t->name);
}

static int check_arguments(struct tool *t)
{
	if (t->n_args == 0)
		return tool_usage(t, "neither add nor del is given");
	/* Their beginnings do, as LXC's. */
	if (!*t->args[0] || (!str_after("add", t->args[0]) && !str_after("del", t->args[0])))
		return tool_usage(t, "'%s' is neither add nor del", t->args[0]);
	if (t->n_args == 1)
		return tool_usage(t, "no device or network interface is given");
	return 0;
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = {
		.prog = "lxc-device",
		.synopsis = "[OPTION]... -n NAME add|del DEVICE [AS]",
		.summary = "Gives a running container a device or network interface, or takes it back.",
		.flags = TOOL_TAKES_ARGS,
	};
	auto_tool struct tool t = { 0 };
	struct lxc_container *c;
	int r;

	if (!tool_begin(&t, &def, NULL, argc, argv, &r))
		return r;
	if (geteuid() != 0)
		return tool_error(&t, "only root can do this");
	if (check_arguments(&t) < 0)
		return EXIT_FAILURE;
	c = tool_open(&t);
	if (!c)
		return EXIT_FAILURE;
	r = run(&t, c);
	tool_close(&t, c);
	return r;
}

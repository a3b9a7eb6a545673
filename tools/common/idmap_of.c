/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/idmap_of.h"

#include <stdlib.h>

#include <lxc/lxcext.h>

#include "base/cleanup.h"

static int load(struct tool *t, struct lxc_container *c, const char *file)
{
	if (!file)
		return lxcext_load_default(c) == 0 ? EXIT_SUCCESS : tool_failed(t, c, "cannot load a default configuration");
	c->clear_config(c);
	return c->load_config(c, file) ? EXIT_SUCCESS : tool_failed(t, c, "cannot load %s", file);
}

int idmap_of_config(struct tool *t, const char *lxcpath, const char *file, struct strv *ret)
{
	struct lxc_container *c = lxcpath ? lxc_container_new("map", lxcpath) : NULL;
	auto_free char *text = NULL;
	int n, r;

	if (!c)
		return lxcpath ? tool_failed(t, NULL, "out of memory") : EXIT_FAILURE;
	r = load(t, c, file);
	n = r == EXIT_SUCCESS ? c->get_config_item(c, "lxc.idmap", NULL, 0) : 0;
	text = n > 0 ? calloc(1, (size_t)n + 1) : NULL;
	if (text)
		(void)c->get_config_item(c, "lxc.idmap", text, n + 1);
	(void)lxc_container_put(c);
	if (text && strv_split(ret, text, "\n") < 0)
		return tool_error(t, "out of memory");
	return r;
}

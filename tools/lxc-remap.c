/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-remap - gives a container another id map, and its files the owners that go with it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lxc/lxcext.h>

#include "base/cleanup.h"
#include "common/copy_progress.h"
#include "common/idmap_of.h"

#define OPT_TABLE "lxc-remap.opt"
#include "common/opt_table.h"

struct settings {
	struct strv maps;
	const char *config;
	bool privileged;
};

static int option(struct tool *t, int key, const char *value)
{
	struct settings *s = t->data;

	switch ((enum key)key) {
	case KEY_MAP:
		return strv_add(&s->maps, value) < 0 ? tool_usage(t, "out of memory") : 0;
	case KEY_CONFIG:
		s->config = value;
		return 0;
	case KEY_PRIVILEGED:
		s->privileged = true;
		return 0;
	case KEY_NONE:
		break;
	}
	return 0;
}

static int check(struct tool *t, const struct settings *s)
{
	if (!!s->maps.n + !!s->config + s->privileged > 1)
		return tool_usage(t, "only one of --map (-m), --config (-f) and --privileged can say what the new map is");
	if (!s->maps.n && !s->config && !s->privileged && geteuid() == 0)
		return tool_usage(t, "no id map given (--map, --config or --privileged)");
	return 0;
}

static int remap(struct tool *t, const struct settings *s, struct lxc_container *c)
{
	static const char *const none[] = { NULL };
	struct copy_progress progress;
	struct lxcext_copy how = {
		.size = sizeof(how),
		.progress = copy_progress_tick,
		.cancelled = copy_progress_cancelled,
		.arg = &progress,
	};
	int r;

	copy_progress_begin(&progress, t, c);
	r = lxcext_remap(c, s->maps.n ? (const char *const *)s->maps.v : none, &how);
	copy_progress_end(&progress);
	if (r < 0)
		(void)tool_failed(t, c, "cannot give %s other ids", t->name);
	if (r < 0 && copy_progress_cancelled(&progress)) {
		tool_show_warnings(t, c);
		copy_progress_reraise(&progress);
	}
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(struct tool *t, struct settings *s, struct lxc_container *c)
{
	if (!c->is_defined(c))
		return tool_unknown(t);
	if (!s->maps.n && !s->privileged && idmap_of_config(t, tool_lxcpath(t), s->config, &s->maps) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	return remap(t, s, c);
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-remap",
		.synopsis = "[OPTION]... -n NAME",
		.summary = "Gives a container another id map, and its files the owners that go with it.",
		.flags = TOOL_READS_PATH,
		.option = option);
	struct settings s = { 0 };
	auto_tool struct tool t = { 0 };
	struct lxc_container *c;
	int r;

	if (tool_begin(&t, &def, &s, argc, argv, &r)) {
		c = check(&t, &s) < 0 ? NULL : tool_open(&t);
		r = c ? run(&t, &s, c) : EXIT_FAILURE;
		tool_close(&t, c);
	}
	strv_done(&s.maps);
	return r;
}

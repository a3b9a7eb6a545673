/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-checkpoint - writes the processes of a running container to files, and starts it again from them. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <lxc/lxcext.h>

#include "base/cleanup.h"
#include "common/launch.h"
#include "common/tool.h"

#define OPT_TABLE "lxc-checkpoint.opt"
#include "common/opt_table.h"

struct checkpoint {
	const char *directory, *predump_dir, *action_script;
	bool restore, stop, pre_dump, daemon, foreground;
};

static int option(struct tool *t, int key, const char *value)
{
	struct checkpoint *k = t->data;

	switch ((enum key)key) {
	case KEY_CHECKPOINT_DIR:
		k->directory = value;
		break;
	case KEY_RESTORE:
		k->restore = true;
		break;
	case KEY_VERBOSE:
		t->verbose = true;
		break;
	case KEY_ACTION_SCRIPT:
		k->action_script = value;
		break;
	case KEY_STOP:
		k->stop = true;
		break;
	case KEY_PRE_DUMP:
		k->pre_dump = true;
		break;
	case KEY_PREDUMP_DIR:
		k->predump_dir = value;
		break;
	case KEY_DAEMON:
		k->daemon = true;
		break;
	case KEY_FOREGROUND:
		k->foreground = true;
		break;
	case KEY_NONE:
		break;
	}
	return 0;
}

static int finish_options(struct tool *t, const struct checkpoint *k)
{
	if (!k->directory || !*k->directory)
		return tool_usage(t, "no directory of the checkpoint given (--checkpoint-dir, -D)");
	if (k->restore && k->stop)
		return tool_usage(t, "options --restore (-r) and --stop (-s) exclude each other");
	if (k->restore && k->pre_dump)
		return tool_usage(t, "options --restore (-r) and --pre-dump (-p) exclude each other");
	if (k->restore && k->predump_dir)
		return tool_usage(t, "options --restore (-r) and --predump-dir exclude each other");
	if (!k->restore && (k->daemon || k->foreground))
		return tool_usage(t, "option %s works only with --restore (-r)",
				  k->foreground ? "--foreground (-F)" : "--daemon (-d)");
	if (k->daemon && k->foreground)
		return tool_usage(t, "options --daemon (-d) and --foreground (-F) exclude each other");
	if (k->pre_dump && k->stop)
		return tool_usage(t, "options --pre-dump (-p) and --stop (-s) exclude each other");
	if (k->predump_dir && *k->predump_dir == '/')
		return tool_usage(t, "option --predump-dir: %s is not relative to the directory of the checkpoint",
				  k->predump_dir);
	return 0;
}

static int dump(struct tool *t, struct lxc_container *c, const struct checkpoint *k, struct migrate_opts *o)
{
	if (!c->is_running(c))
		return tool_is_configured(t, c) ? tool_not_running(t) : tool_unknown(t);
	o->stop = k->stop;
	if (c->migrate(c, k->pre_dump ? MIGRATE_PRE_DUMP : MIGRATE_DUMP, o, sizeof(*o)) == 0)
		return EXIT_SUCCESS;
	return tool_failed(t, c, "cannot checkpoint %s", t->name);
}

/* 0 if its init ended with 0. */
static int wait_for_end(struct tool *t, struct lxc_container *c)
{
	int status;

	if (!c->wait(c, "STOPPED", -1))
		return tool_failed(t, c, "cannot wait for the end of %s", t->name);
	if (lxcext_last_exit(c, &status, NULL) < 0)
		return EXIT_SUCCESS;
	return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int restore(struct tool *t, struct lxc_container *c, const struct checkpoint *k, struct migrate_opts *o)
{
	struct stat st;

	if (!tool_is_configured(t, c))
		return tool_unknown(t);
	if (c->is_running(c)) {
		auto_err struct err *e = NULL;

		(void)err_already_running(&e, t->name, tool_given_path(t));
		return tool_error_chain(t, e);
	}
	if (stat(o->directory, &st) < 0 || !S_ISDIR(st.st_mode))
		return tool_error(t, "there is no directory %s with a checkpoint", o->directory);
	(void)c->want_daemonize(c, true);
	if (c->migrate(c, MIGRATE_RESTORE, o, sizeof(*o)) != 0)
		return tool_failed(t, c, "cannot restore %s", t->name);
	return k->foreground ? wait_for_end(t, c) : EXIT_SUCCESS;
}

static int run(struct tool *t, const struct checkpoint *k)
{
	auto_free char *directory = launch_absolute(k->directory);
	auto_free char *script = k->action_script ? launch_absolute(k->action_script) : NULL;
	struct migrate_opts o = { .directory = directory, .verbose = t->verbose, .preserves_inodes = false };
	struct lxc_container *c;
	int r;

	if (!directory || (k->action_script && !script))
		return tool_error(t, "out of memory");
	o.action_script = script;
	o.predump_dir = (char *)k->predump_dir;
	c = tool_open(t);
	if (!c)
		return EXIT_FAILURE;
	r = k->restore ? restore(t, c, k, &o) : dump(t, c, k, &o);
	tool_close(t, c);
	return r;
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-checkpoint",
		.synopsis = "[OPTION]... -n NAME -D DIR",
		.summary = "Writes the processes of a running container to files, or starts it from them.",
		.option = option);
	struct checkpoint k = { .restore = false };
	auto_tool struct tool t = { 0 };
	int r;

	if (tool_begin(&t, &def, &k, argc, argv, &r))
		r = finish_options(&t, &k) < 0 ? EXIT_FAILURE : run(&t, &k);
	return r;
}

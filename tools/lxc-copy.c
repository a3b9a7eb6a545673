/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-copy - copies a container, renames it, or starts a copy that goes away when it stops. */
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <lxc/attach_options.h>
#include <lxc/lxcext.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "common/copy_mounts.h"
#include "common/copy_progress.h"
#include "common/launch.h"

#define OPT_TABLE "lxc-copy.opt"
#include "common/opt_table.h"

#define NAME_TRIES 100

enum task { TASK_COPY, TASK_SNAPSHOT, TASK_RENAME, TASK_EPHEMERAL };

struct settings {
	enum task task;		/* the last one that was asked for */
	const char *newname, *newpath, *type;
	struct strv mounts;
	uint64_t size;
	int flags;		/* LXC_CLONE_* */
	bool foreground, keepdata, tmpfs, keep_identity, resume;
	const char *ephemeral_only;	/* an option that needs -e */
};

static int option(struct tool *t, int key, const char *value)
{
	struct settings *s = t->data;

	switch ((enum key)key) {
	case KEY_NEWNAME:
		s->newname = value;
		return 0;
	case KEY_NEWPATH:
		s->newpath = value;
		return *value ? 0 : tool_usage(t, "option --newpath (-p) needs a directory, not ''");
	case KEY_RENAME:
		s->task = TASK_RENAME;
		return 0;
	case KEY_SNAPSHOT:
		s->task = TASK_SNAPSHOT;
		return 0;
	case KEY_ALLOWRUNNING:
		s->flags |= LXC_CLONE_ALLOW_RUNNING;
		return 0;
	case KEY_EPHEMERAL:
		s->task = TASK_EPHEMERAL;
		return 0;
	case KEY_DAEMON:
		s->foreground = false;
		return 0;
	case KEY_FOREGROUND:
		s->foreground = true;
		s->ephemeral_only = "--foreground (-F)";
		return 0;
	case KEY_KEEPDATA:
		s->keepdata = true;
		s->ephemeral_only = "--keepdata (-D)";
		return 0;
	case KEY_MOUNT:
		s->ephemeral_only = "--mount (-m)";
		return copy_mounts_add(t, &s->mounts, value);
	case KEY_BACKINGSTORAGE:
		s->type = value;
		return 0;
	case KEY_TMPFS:
		s->tmpfs = true;
		s->ephemeral_only = "--tmpfs (-t)";
		return 0;
	case KEY_FSSIZE:
		return tool_size(t, "--fssize (-L)", value, &s->size);
	case KEY_KEEPNAME:
		s->flags |= LXC_CLONE_KEEPNAME;
		return 0;
	case KEY_KEEPMAC:
		s->flags |= LXC_CLONE_KEEPMACADDR;
		return 0;
	case KEY_RESUME:
		s->resume = true;
		return 0;
	case KEY_KEEP_IDENTITY:
		s->keep_identity = true;
		return 0;
	case KEY_NONE:
		break;
	}
	return 0;
}

static int check_type(struct tool *t, struct settings *s)
{
	static const char *const types[] = { "dir", "overlay", "overlayfs", "btrfs", "loop", "lvm", "zfs", "rbd", "nbd" };

	if (s->type && STREQ(s->type, "aufs")) {
		tool_warn(t, "aufs is no more; overlay takes its place");
		s->type = "overlay";
	}
	for (size_t i = 0; s->type && i < ARRAY_SIZE(types); i++)
		if (STREQ(types[i], s->type))
			return 0;
	return s->type ? tool_usage(t, "option --backingstorage (-B): '%s' is not a type of storage; they are dir, "
				       "overlay, btrfs, loop, lvm and zfs", s->type)
		       : 0;
}

static int check(struct tool *t, struct settings *s)
{
	auto_err struct err *e = NULL;

	if (s->task != TASK_EPHEMERAL && s->ephemeral_only)
		return tool_usage(t, "option %s works only with --ephemeral (-e)", s->ephemeral_only);
	if (s->resume && s->task != TASK_COPY)
		return tool_usage(t, "option --resume works only with a whole copy, not with --snapshot (-s), --ephemeral (-e) or --rename (-R)");
	if (s->tmpfs && s->keepdata)
		return tool_usage(t, "options --tmpfs (-t) and --keepdata (-D) contradict each other");
	if (s->tmpfs && s->type && !STREQ(s->type, "overlay") && !STREQ(s->type, "overlayfs"))
		return tool_usage(t, "option --tmpfs (-t) works only with the storage type overlay");
	if (check_type(t, s) < 0)
		return -1;
	if (!s->newname && s->task != TASK_EPHEMERAL)
		return tool_usage(t, "no name for the copy given (option --newname)");
	if (s->newname && name_check(s->newname, &e) < 0) {
		(void)tool_error_chain(t, e);
		return -1;
	}
	return 0;
}

/* "web_a1B2c3", which nobody has yet. */
static char *make_name(struct tool *t, const struct settings *s)
{
	static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const char *lxcpath = s->newpath ? s->newpath : tool_lxcpath(t);

	for (int tries = 0; lxcpath && tries < NAME_TRIES; tries++) {
		auto_free char *name = NULL, *dir = NULL;
		unsigned char random[6];

		if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
			return NULL;
		for (size_t i = 0; i < sizeof(random); i++)
			random[i] = (unsigned char)letters[random[i] % (sizeof(letters) - 1)];
		if (asprintf(&name, "%s_%.6s", t->name, (const char *)random) < 0)
			return NULL;
		dir = path_join(lxcpath, name);
		if (dir && access(dir, F_OK) < 0)
			return take_ptr(name);
	}
	return NULL;
}

static struct lxc_container *copy(struct tool *t, struct settings *s, struct lxc_container *c, char **hookargs)
{
	struct copy_progress progress;
	struct lxcext_copy how = {
		.size = sizeof(how),
		.newname = s->newname,
		.lxcpath = s->newpath,
		.flags = s->flags,
		.bdevtype = s->type,
		.newsize = s->size,
		.hookargs = hookargs,
		.progress = copy_progress_tick,
		.cancelled = copy_progress_cancelled,
		.arg = &progress,
	};
	struct lxc_container *new;

	if (s->keep_identity)
		how.extra |= LXCEXT_COPY_KEEP_IDENTITY;
	if (s->resume)
		how.extra |= LXCEXT_COPY_RESUME;
	if (s->task == TASK_EPHEMERAL)
		how.extra |= LXCEXT_COPY_QUICK | (s->keepdata ? 0 : LXCEXT_COPY_EPHEMERAL);
	if (s->task == TASK_SNAPSHOT || s->task == TASK_EPHEMERAL)
		how.flags |= LXC_CLONE_SNAPSHOT;
	copy_progress_begin(&progress, t, c);
	new = lxcext_copy(c, &how);
	copy_progress_end(&progress);
	if (!new)
		(void)tool_failed(t, c, "cannot copy %s to %s", t->name, s->newname);
	/* Ctrl-C: nothing is left, and who called us learns that it was that. */
	if (copy_progress_cancelled(&progress)) {
		tool_show_warnings(t, c);
		copy_progress_reraise(&progress);
	}
	return new;
}

static int rename_it(struct tool *t, struct settings *s, struct lxc_container *c)
{
	return c->rename(c, s->newname) ? EXIT_SUCCESS
					: tool_failed(t, c, "cannot rename %s to %s", t->name, s->newname);
}

/* a throwaway copy */

static int configure(struct tool *t, struct settings *s, struct lxc_container *new)
{
	if (copy_mounts_apply(t, &s->mounts, new) < 0)
		return -1;
	if (s->tmpfs && copy_mounts_tmpfs(t, new) < 0)
		return -1;
	if ((s->mounts.n || s->tmpfs) && !new->save_config(new, NULL))
		return tool_failed(t, new, "cannot save the configuration of %s", s->newname), -1;
	return 0;
}

/* Its status is its own affair: what counts here is whether it could be run. */
static int run_command(struct tool *t, struct settings *s, struct lxc_container *new)
{
	lxc_attach_options_t options = LXC_ATTACH_OPTIONS_DEFAULT;
	int r;

	options.env_policy = LXC_ATTACH_CLEAR_ENV;
	r = new->attach_run_wait(new, &options, t->args[0], (const char *const *)t->args);
	if (r < 0)
		(void)tool_failed(t, new, "cannot run %s in %s", t->args[0], s->newname);
	if (!new->shutdown(new, -1))
		return tool_failed(t, new, "cannot stop %s", s->newname);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int start(struct tool *t, struct settings *s, struct lxc_container *new)
{
	bool command = t->n_args;

	(void)new->want_daemonize(new, command || !s->foreground);
	if (!t->quiet) {
		printf("Created %s as clone of %s\n", s->newname, t->name);
		if (s->tmpfs)
			puts("Everything that is changed in it is kept in memory,\nand lost when it stops.");
		(void)fflush(stdout);
	}
	if (!command && s->foreground) {
		(void)lxcext_start_exec(new, 0, NULL);
		return tool_failed(t, new, "cannot start %s", s->newname);
	}
	if (!new->start(new, 0, NULL))
		return tool_failed(t, new, "cannot start %s", s->newname);
	return command ? run_command(t, s, new) : EXIT_SUCCESS;
}

static int ephemeral(struct tool *t, struct settings *s, struct lxc_container *c)
{
	auto_free char *name = s->newname ? NULL : make_name(t, s);
	struct lxc_container *new;
	int r;

	if (!s->newname && !name)
		return tool_error(t, "no name could be made up for a copy of %s", t->name);
	if (name)
		s->newname = name;
	new = copy(t, s, c, NULL);
	if (!new)
		return EXIT_FAILURE;
	tool_show_warnings(t, new);
	r = configure(t, s, new) < 0 ? EXIT_FAILURE : start(t, s, new);
	/* One that was never started has nobody who destroys it. */
	if (r != EXIT_SUCCESS && !s->keepdata && new->is_defined(new) && !new->is_running(new) && !new->destroy(new))
		(void)tool_failed(t, new, "cannot destroy %s", s->newname);
	tool_show_warnings(t, new);
	(void)lxc_container_put(new);
	s->newname = NULL;
	return r;
}

static int run(struct tool *t, struct settings *s, struct lxc_container *c)
{
	struct lxc_container *new;

	if (!c->is_defined(c))
		return tool_unknown(t);
	if (s->task == TASK_RENAME)
		return rename_it(t, s, c);
	if (s->task == TASK_EPHEMERAL)
		return ephemeral(t, s, c);
	new = copy(t, s, c, t->n_args ? t->args : NULL);
	if (!new)
		return EXIT_FAILURE;
	tool_show_warnings(t, new);
	(void)lxc_container_put(new);
	return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-copy",
		.synopsis = "[OPTION]... -n NAME -N NEW [-- ARGUMENT...]",
		.summary = "Copies a container, renames it, or starts a copy that is thrown away when it stops.",
		.flags = TOOL_READS_PATH | TOOL_TAKES_ARGS,
		.option = option);
	struct settings s = { .task = TASK_COPY };
	auto_tool struct tool t = { 0 };
	struct lxc_container *c;
	int r;

	if (tool_begin(&t, &def, &s, argc, argv, &r)) {
		c = check(&t, &s) < 0 ? NULL : tool_open(&t);
		r = c ? run(&t, &s, c) : EXIT_FAILURE;
		tool_close(&t, c);
	}
	strv_done(&s.mounts);
	return r;
}

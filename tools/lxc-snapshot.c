/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-snapshot - makes, lists, restores and destroys snapshots of a container. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "common/launch.h"

#define OPT_TABLE "lxc-snapshot.opt"
#include "common/opt_table.h"

#define COMMENT_MAX (1U << 20)

struct snapshot {
	enum key action;	/* KEY_NONE: make one */
	const char *comment, *subject, *newname;
	bool comments;
};

static int option(struct tool *t, int key, const char *value)
{
	struct snapshot *s = t->data;

	switch ((enum key)key) {
	case KEY_COMMENT:
		s->comment = value;
		break;
	case KEY_LIST:
		s->action = KEY_LIST;
		break;
	case KEY_SHOWCOMMENTS:
		s->comments = true;
		break;
	case KEY_RESTORE:
	case KEY_DESTROY:
		s->action = (enum key)key;
		s->subject = value;
		if (!*value)
			return tool_usage(t, "option %s needs the name of a snapshot, not ''",
					  key == KEY_RESTORE ? "--restore (-r)" : "--destroy (-d)");
		break;
	case KEY_NEWNAME:
		s->newname = value;
		break;
	case KEY_NONE:
		break;
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	return strverscmp(((const struct lxc_snapshot *)a)->name, ((const struct lxc_snapshot *)b)->name);
}

static void show_one(const struct lxc_snapshot *s, bool comments)
{
	auto_free char *text = NULL;

	printf("%s (%s) %s\n", s->name, s->lxcpath, s->timestamp ? s->timestamp : "");
	if (comments && io_read_file(AT_FDCWD, s->comment_pathname, COMMENT_MAX, &text, NULL, NULL) == 0)
		printf("%s", text);
}

static int list(struct tool *t, const struct snapshot *s, struct lxc_container *c)
{
	struct lxc_snapshot *v = NULL;
	int n = c->snapshot_list(c, &v);

	if (n < 0)
		return tool_failed(t, c, "cannot list the snapshots of %s", t->name);
	if (n == 0)
		puts("No snapshots");
	else
		qsort(v, (size_t)n, sizeof(*v), by_number);
	for (int i = 0; i < n; i++) {
		show_one(&v[i], s->comments);
		v[i].free(&v[i]);
	}
	free(v);
	return tool_flush(t);
}

static int make(struct tool *t, const struct snapshot *s, struct lxc_container *c)
{
	auto_free char *comment = s->comment ? launch_absolute(s->comment) : NULL;

	if (c->snapshot(c, comment) < 0)
		return tool_failed(t, c, "cannot make a snapshot of %s", t->name);
	return EXIT_SUCCESS;
}

static int destroy(struct tool *t, const struct snapshot *s, struct lxc_container *c)
{
	bool ok = strcmp(s->subject, "ALL") == 0 ? c->snapshot_destroy_all(c) : c->snapshot_destroy(c, s->subject);

	return ok ? EXIT_SUCCESS : tool_failed(t, c, "cannot destroy snapshot %s of %s", s->subject, t->name);
}

static int run(struct tool *t, struct snapshot *s, struct lxc_container *c)
{
	const char *newname = s->newname ? s->newname : t->n_args ? t->args[0] : NULL;
	auto_err struct err *e = NULL;

	if (!c->is_defined(c))
		return tool_unknown(t);
	switch (s->action) {
	case KEY_LIST:
		return list(t, s, c);
	case KEY_DESTROY:
		return destroy(t, s, c);
	case KEY_RESTORE:
		if (newname && name_check(newname, &e) < 0)
			return tool_error_chain(t, e);
		return c->snapshot_restore(c, s->subject, newname)
			       ? EXIT_SUCCESS
			       : tool_failed(t, c, "cannot restore snapshot %s of %s", s->subject, t->name);
	default:
		return make(t, s, c);
	}
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-snapshot",
		.synopsis = "[OPTION]... -n NAME [NEW]",
		.summary = "Makes a snapshot of a container, or lists, restores or destroys snapshots.",
		.flags = TOOL_READS_PATH | TOOL_TAKES_ARGS,
		.option = option);
	struct snapshot s = { .action = KEY_NONE };
	auto_tool struct tool t = { 0 };
	struct lxc_container *c;
	int r;

	if (!tool_begin(&t, &def, &s, argc, argv, &r))
		return r;
	c = tool_open(&t);
	if (!c)
		return EXIT_FAILURE;
	r = run(&t, &s, c);
	tool_close(&t, c);
	return r;
}

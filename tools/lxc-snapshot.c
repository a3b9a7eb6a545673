/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-snapshot - makes, lists, restores and destroys snapshots of a container. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lxc/lxcext.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "common/copy_progress.h"
#include "common/jsonout.h"
#include "common/launch.h"
#include "common/show.h"

#define OPT_TABLE "lxc-snapshot.opt"
#include "common/opt_table.h"

#define COMMENT_MAX (1U << 20)
#define AGE_MAX 32

struct snapshot {
	enum key action;	/* KEY_NONE: make one */
	const char *comment, *subject, *newname;
	bool comments, table, json;
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
	case KEY_JSON:
		s->json = true;
		break;
	case KEY_LONG:
		s->table = true;
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

/* One whose making goes on, or was cut off. */
static bool is_complete(const struct lxc_snapshot *s)
{
	auto_free char *marker = NULL;

	return asprintf(&marker, "%s/%s/partial", s->lxcpath, s->name) >= 0 && access(marker, F_OK) < 0;
}

static char *comment_of(const struct lxc_snapshot *s)
{
	char *text = NULL;

	return io_read_file(AT_FDCWD, s->comment_pathname, COMMENT_MAX, &text, NULL, NULL) == 0 ? text : NULL;
}

static void show_one(struct tool *t, const struct lxc_snapshot *s, bool comments)
{
	auto_free char *text = comments ? comment_of(s) : NULL;

	printf("%s (%s) %s\n", s->name, s->lxcpath, s->timestamp ? s->timestamp : "");
	if (text)
		printf("%s", text);
	if (!is_complete(s))
		tool_warn(t, "snapshot %s is not complete; lxc-snapshot -n %s -d %s removes what there is of it", s->name,
			  t->name, s->name);
}

/* "YYYY:MM:DD HH:MM:SS" in local time; false if it is not that. */
static bool time_of(const struct lxc_snapshot *s, time_t *ret)
{
	struct tm tm = { .tm_isdst = -1 };
	const char *end = s->timestamp ? strptime(s->timestamp, "%Y:%m:%d %H:%M:%S", &tm) : NULL;

	if (!end || *end)
		return false;
	*ret = mktime(&tm);
	return *ret != (time_t)-1;
}

/* "3d", "7h", "12m", "5s". */
static void age_text(const struct lxc_snapshot *s, char text[AGE_MAX])
{
	static const struct {
		long seconds;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	time_t then;
	long age;
	size_t i = 0;

	(void)snprintf(text, AGE_MAX, "-");
	if (!time_of(s, &then))
		return;
	age = (long)(time(NULL) - then);
	age = age > 0 ? age : 0;
	while (i + 1 < ARRAY_SIZE(units) && age < units[i].seconds)
		i++;
	(void)snprintf(text, AGE_MAX, "%ld%c", age / units[i].seconds, units[i].unit);
}

static void show_row(struct tool *t, const struct lxc_snapshot *s)
{
	struct lxc_container *c = lxc_container_new(s->name, s->lxcpath);
	char size[SHOW_SIZE_MAX] = "-", own[SHOW_SIZE_MAX] = "-", age[AGE_MAX];
	auto_free char *comment = comment_of(s);
	struct lxcext_usage usage;

	if (c && is_complete(s) && lxcext_disk_usage(c, &usage) == 0) {
		(void)show_size(usage.used, size);
		if (usage.exclusive != UINT64_MAX)
			(void)show_size(usage.exclusive, own);
	}
	age_text(s, age);
	printf("%-8s %-19s %5s %12s %12s %.*s\n", s->name, s->timestamp ? s->timestamp : "-", age, size, own,
	       comment ? (int)strcspn(comment, "\n") : 1, comment ? comment : "-");
	if (!is_complete(s))
		tool_warn(t, "snapshot %s is not complete; lxc-snapshot -n %s -d %s removes what there is of it", s->name,
			  t->name, s->name);
	if (c)
		(void)lxc_container_put(c);
}

static void show_table(struct tool *t, const struct lxc_snapshot *v, int n)
{
	if (n)
		printf("%-8s %-19s %5s %12s %12s %s\n", "NAME", "TIME", "AGE", "SIZE", "OWN", "COMMENT");
	for (int i = 0; i < n; i++)
		show_row(t, &v[i]);
}

static void add_json(struct json *j, const struct lxc_snapshot *s)
{
	struct lxc_container *c = lxc_container_new(s->name, s->lxcpath);
	auto_free char *comment = comment_of(s);
	bool complete = is_complete(s), known;
	struct lxcext_usage usage = { 0 };
	time_t then = 0;

	known = c && complete && lxcext_disk_usage(c, &usage) == 0;
	json_object(j, NULL);
	json_string(j, "name", s->name);
	json_string(j, "path", s->lxcpath);
	json_bool(j, "complete", complete);
	if (time_of(s, &then)) {
		json_i64(j, "created", (int64_t)then);
		json_i64(j, "age", (int64_t)MAX(time(NULL) - then, 0));
	} else {
		json_null(j, "created");
		json_null(j, "age");
	}
	if (known)
		json_u64(j, "used", usage.used);
	else
		json_null(j, "used");
	if (known && usage.exclusive != UINT64_MAX)
		json_u64(j, "exclusive", usage.exclusive);
	else
		json_null(j, "exclusive");
	json_string(j, "comment", comment);
	json_object_end(j);
	if (c)
		(void)lxc_container_put(c);
}

static int show_json(struct tool *t, const struct lxc_snapshot *v, int n)
{
	struct jsonout o;
	struct json *j = jsonout_begin(&o, "lxc-snapshot");

	json_string(j, "container", t->name);
	json_array(j, "snapshots");
	for (int i = 0; i < n; i++)
		add_json(j, &v[i]);
	json_array_end(j);
	return jsonout_end(t, &o);
}

static int list(struct tool *t, const struct snapshot *s, struct lxc_container *c)
{
	struct lxc_snapshot *v = NULL;
	int n = c->snapshot_list(c, &v), r = EXIT_SUCCESS;

	if (n < 0)
		return tool_failed(t, c, "cannot list the snapshots of %s", t->name);
	if (n == 0 && !s->json)
		puts("No snapshots");
	else if (n)
		qsort(v, (size_t)n, sizeof(*v), by_number);
	if (s->json)
		r = show_json(t, v, n);
	else if (s->table)
		show_table(t, v, n);
	for (int i = 0; i < n; i++) {
		if (!s->table && !s->json)
			show_one(t, &v[i], s->comments);
		v[i].free(&v[i]);
	}
	free(v);
	return r == EXIT_SUCCESS ? tool_flush(t) : r;
}

/* What takes its time shows how far it is, and can be called off: then nothing is left, and who called us learns that
 * it was that. */
struct watched {
	struct copy_progress progress;
	struct lxcext_copy how;
};

static const struct lxcext_copy *watch_begin(struct watched *w, struct tool *t, struct lxc_container *c)
{
	w->how = (struct lxcext_copy){
		.size = sizeof(w->how),
		.progress = copy_progress_tick,
		.cancelled = copy_progress_cancelled,
		.arg = &w->progress,
	};
	copy_progress_begin(&w->progress, t, c);
	return &w->how;
}

static int watch_end(struct watched *w, struct tool *t, struct lxc_container *c, int r)
{
	if (copy_progress_cancelled(&w->progress)) {
		tool_show_warnings(t, c);
		copy_progress_reraise(&w->progress);
	}
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int make(struct tool *t, const struct snapshot *s, struct lxc_container *c)
{
	auto_free char *comment = s->comment ? launch_absolute(s->comment) : NULL;
	struct watched w;
	int r = lxcext_snapshot(c, comment, watch_begin(&w, t, c));

	copy_progress_end(&w.progress);
	if (r < 0)
		(void)tool_failed(t, c, "cannot make a snapshot of %s", t->name);
	return watch_end(&w, t, c, r);
}

static int restore(struct tool *t, const struct snapshot *s, struct lxc_container *c, const char *newname)
{
	struct watched w;
	int r = lxcext_snapshot_restore(c, s->subject, newname, watch_begin(&w, t, c));

	copy_progress_end(&w.progress);
	if (r < 0)
		(void)tool_failed(t, c, "cannot restore snapshot %s of %s", s->subject, t->name);
	return watch_end(&w, t, c, r);
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
		return restore(t, s, c, newname);
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

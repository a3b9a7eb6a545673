/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-doctor - looks for what keeps containers from working, and says what mends it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "common/doctor.h"
#include "common/jsonout.h"
#include "common/program.h"

#define OPT_TABLE "lxc-doctor.opt"
#include "common/opt_table.h"

struct settings {
	bool all, fix, yes, json;
};

static int option(struct tool *t, int key, const char *value)
{
	struct settings *s = t->data;

	(void)value;
	switch ((enum key)key) {
	case KEY_ALL:
		s->all = true;
		break;
	case KEY_FIX:
		s->fix = true;
		break;
	case KEY_YES:
		s->yes = true;
		break;
	case KEY_JSON:
		s->json = true;
		break;
	case KEY_NONE:
		break;
	}
	return 0;
}

static void show(const struct doctor *d, bool all)
{
	size_t fine = 0;

	for (size_t i = 0; i < d->n; i++) {
		const struct finding *f = &d->v[i];

		if (f->level == FINDING_OK)
			fine++;
		if (f->level == FINDING_OK && !all)
			continue;
		printf("%-8s %s\n", finding_level_name(f->level), f->text);
		if (f->remedy)
			printf("%-8s try: %s\n", "", f->remedy);
	}
	if (!all && fine == d->n)
		printf("%zu checks, nothing found\n", d->n);
}

static int show_json(struct tool *t, const struct doctor *d)
{
	struct jsonout o;
	struct json *j = jsonout_begin(&o, "lxc-doctor");

	json_string(j, "container", t->name);
	json_array(j, "findings");
	for (size_t i = 0; i < d->n; i++) {
		const struct finding *f = &d->v[i];

		json_object(j, NULL);
		json_string(j, "level", finding_level_name(f->level));
		json_string(j, "id", f->id);
		json_string(j, "text", f->text);
		json_string(j, "remedy", f->remedy);
		json_array(j, "fix");
		for (char **word = f->fix; word && *word; word++)
			json_string(j, NULL, *word);
		json_array_end(j);
		json_object_end(j);
	}
	json_array_end(j);
	return jsonout_end(t, &o);
}

/* Only a "y" is a yes. */
static bool is_agreed(const struct finding *f)
{
	char answer[16];

	fprintf(stderr, "%s\nrun '%s'? [y/N] ", f->text, f->remedy);
	return fgets(answer, sizeof(answer), stdin) && (*answer == 'y' || *answer == 'Y');
}

/* Runs the remedies that are agreed to. EXIT_SUCCESS if all that were run worked. */
static int fix(struct tool *t, struct doctor *d, bool yes)
{
	int r = EXIT_SUCCESS;

	for (size_t i = 0; i < d->n; i++) {
		struct finding *f = &d->v[i];
		int status;

		if (!f->fix || (!yes && !is_agreed(f)))
			continue;
		fprintf(stderr, "running %s\n", f->remedy);
		status = program_run(f->fix, NULL);
		if (status == 0)
			f->level = FINDING_OK;
		else
			r = status < 0 ? tool_error(t, "%s cannot be run", f->fix[0])
				       : tool_error(t, "'%s' failed with exit status %d", f->remedy, status);
	}
	return r;
}

static bool has_fault(const struct doctor *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].level == FINDING_FAULT)
			return true;
	return false;
}

static int run(struct tool *t, const struct settings *s)
{
	const char *lxcpath = tool_lxcpath(t);
	struct doctor d = { .tool = t };
	int r = EXIT_SUCCESS;

	if (!lxcpath)
		return EXIT_FAILURE;
	if (s->fix && !s->yes && !isatty(STDIN_FILENO))
		return tool_usage(t, "option --fix asks, and standard input is not a terminal; --yes answers all"), EXIT_FAILURE;
	if (t->name && !doctor_check_container(&d, lxcpath)) {
		doctor_done(&d);
		return EXIT_FAILURE;
	}
	if (!t->name) {
		doctor_check_host(&d, lxcpath);
		doctor_check_network(&d);
	}
	if (s->json)
		r = show_json(t, &d);
	else
		show(&d, s->all);
	if (s->fix && r == EXIT_SUCCESS && tool_flush(t) == EXIT_SUCCESS)
		r = fix(t, &d, s->yes);
	if (d.failed)
		r = tool_error(t, "out of memory");
	else if (r == EXIT_SUCCESS)
		r = has_fault(&d) ? EXIT_FAILURE : tool_flush(t);
	doctor_done(&d);
	return r;
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-doctor",
		.synopsis = "[OPTION]... [-n NAME]",
		.summary = "Looks for what keeps containers, or the container NAME, from working.",
		.flags = TOOL_NO_NAME | TOOL_TAKES_ARGS,
		.option = option);
	struct settings s = { .all = false };
	auto_tool struct tool t = { 0 };
	auto_err struct err *e = NULL;
	int r;

	if (!tool_begin(&t, &def, &s, argc, argv, &r))
		return r;
	if (!t.name && t.n_args)
		t.name = t.args[0];
	if (t.name && name_check(t.name, &e) < 0)
		return tool_error_chain(&t, e);
	return run(&t, &s);
}

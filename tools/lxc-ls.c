/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-ls - lists containers: names on a line, one per line, or a table. */
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <lxc/lxcext.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "common/listing.h"
#include "common/nested.h"
#include "common/tool.h"

#define OPT_TABLE "lxc-ls.opt"
#include "common/opt_table.h"

#define DEFAULT_DEPTH 5
#define DEPTH_MAX 32		/* the kernel nests user namespaces no deeper */

struct ls {
	bool line, fancy, json;
	const char *columns, *filter;
	struct listing_filter want;
	unsigned depth;
	bool rows;		/* this is the lxc-ls that another one runs inside a container */
	char **argv;
};

static int option(struct tool *t, int key, const char *value)
{
	struct ls *s = t->data;

	switch ((enum key)key) {
	case KEY_LINE:
		s->line = true;
		return 0;
	case KEY_FANCY:
		s->fancy = true;
		return 0;
	case KEY_FANCY_FORMAT:
		s->columns = value;
		return 0;
	case KEY_ACTIVE:
		s->want.active = true;
		return 0;
	case KEY_RUNNING:
		s->want.running = true;
		return 0;
	case KEY_FROZEN:
		s->want.frozen = true;
		return 0;
	case KEY_STOPPED:
		s->want.stopped = true;
		return 0;
	case KEY_DEFINED:
		s->want.defined = true;
		return 0;
	case KEY_NESTING:
		/* LXC takes any nonsense for the default. */
		s->depth = DEFAULT_DEPTH;
		if (value && num_uint(value, 10, &s->depth) < 0)
			s->depth = DEFAULT_DEPTH;
		s->depth = MIN(s->depth, DEPTH_MAX);
		return 0;
	case KEY_GROUPS:
		return strv_split(&s->want.groups, value, ",") < 0 ? tool_usage(t, "out of memory") : 0;
	case KEY_FILTER:
		s->filter = value;
		return 0;
	case KEY_JSON:
		s->json = true;
		return 0;
	case KEY_NONE:
		break;
	}
	return 0;
}

static int compile_filter(struct tool *t, struct ls *s, regex_t *re)
{
	char why[128];
	int r;

	if (!s->filter && t->n_args == 1)
		s->filter = t->args[0];
	else if (t->n_args)
		tool_warn(t, "arguments are not used: one alone, and without --filter, filters the names");
	if (!s->filter)
		return 0;
	r = regcomp(re, s->filter, REG_EXTENDED | REG_NOSUB);
	if (r != 0) {
		(void)regerror(r, re, why, sizeof(why));
		return tool_usage(t, "'%s' is not a regular expression: %s", s->filter, why);
	}
	s->want.name = re;
	return 0;
}

static void show_lines(const struct listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		printf("%s\n", l->v[i].shown);
}

/* As LXC: all names padded to the longest, as many to a line as the terminal is wide; one to a line
 * where there is no terminal. */
static void show_columns(const struct listing *l)
{
	size_t width = 4, per_line = 1;
	struct winsize size = { 0 };

	for (size_t i = 0; i < l->n; i++)
		width = MAX(width, strlen(l->v[i].shown));
	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && isatty(STDERR_FILENO) &&
	    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > width + 1)
		per_line = size.ws_col / (width + 1);
	for (size_t i = 0; i < l->n; i++)
		printf("%-*s%c", (int)width, l->v[i].shown, (i + 1) % per_line == 0 ? '\n' : ' ');
	if (l->n % per_line != 0)
		putchar('\n');
}

/* What the lxc-ls inside a container is asked for: the same, and one level less. */
static int inner_options(const struct ls *s, const char *columns, struct strv *ret)
{
	const struct { bool on; const char *option; } flags[] = {
		{ s->want.active, "--active" },	  { s->want.running, "--running" },
		{ s->want.frozen, "--frozen" },	  { s->want.stopped, "--stopped" },
		{ s->want.defined, "--defined" }, { s->fancy || s->json, "--fancy" },
	};
	auto_free char *groups = s->want.groups.n ? strv_join(&s->want.groups, ",") : NULL;
	int r = strv_addf(ret, "--nesting=%u", s->depth - 1);

	for (size_t i = 0; i < ARRAY_SIZE(flags) && r == 0; i++)
		r = flags[i].on ? strv_add(ret, flags[i].option) : 0;
	if (r == 0)
		r = strv_addf(ret, "--fancy-format=%s", columns);
	if (r == 0 && s->want.groups.n)
		r = groups ? strv_addf(ret, "--groups=%s", groups) : -ENOMEM;
	if (r == 0 && s->filter)
		r = strv_addf(ret, "--filter=%s", s->filter);
	return r;
}

static int add_nested(struct tool *t, struct ls *s, const char *lxcpath, const char *names,
		      const struct listing_columns *columns, struct listing *l)
{
	auto_strv struct strv options = { 0 };
	struct nested how = { .lxcpath = lxcpath, .depth = s->depth, .options = &options, .columns = columns };

	if (inner_options(s, names, &options) < 0)
		return tool_usage(t, "out of memory");
	return nested_read(t, &how, l);
}

static int show(struct tool *t, const struct ls *s, const char *lxcpath, const struct listing *l,
		const struct listing_columns *columns)
{
	if (s->rows)
		nested_print(l, s->fancy ? columns : NULL);
	else if (s->json)
		return listing_show_json(t, lxcpath, l, columns);
	else if (s->fancy)
		listing_show_table(l, columns);
	else if (s->line)
		show_lines(l);
	else
		show_columns(l);
	return tool_flush(t);
}

static int list(struct tool *t, struct ls *s)
{
	static const char standard[] = "NAME,STATE,AUTOSTART,GROUPS,IPV4,IPV6,UNPRIVILEGED";
	static const char every[] = "NAME,STATE,PID,RAM,SWAP,AUTOSTART,GROUPS,INTERFACE,IPV4,IPV6,UNPRIVILEGED";
	const char *lxcpath = tool_lxcpath(t), *names = s->columns ? s->columns : s->json ? every : standard, *bad;
	auto_listing struct listing l = { 0 };
	struct listing_columns columns;

	if (!lxcpath)
		return EXIT_FAILURE;
	bad = listing_parse_columns(names, &columns);
	if (s->json && bad)
		return tool_usage(t, "option --fancy-format (-F): there is no column '%.*s'", (int)strcspn(bad, ","), bad),
		       EXIT_FAILURE;
	if (s->fancy && bad) {
		/* LXC's way: no table, but no failure either. */
		if (!t->quiet)
			fprintf(stderr, "Invalid key: %.*s\n", (int)strcspn(bad, ","), bad);
		return EXIT_SUCCESS;
	}
	/* Nothing of a container may come near a file of the host that it could write to. */
	if (s->depth && lxcext_protect_self(s->argv) < 0) {
		if (!s->rows)
			return tool_failed(t, NULL, "cannot protect this program from the containers that it enters");
		s->depth = 0;
	}
	s->want.enter = s->depth;
	if (listing_read(t, lxcpath, &s->want, s->fancy || s->json ? &columns : NULL, &l) < 0)
		return EXIT_FAILURE;
	if (s->depth && add_nested(t, s, lxcpath, names, s->fancy || s->json ? &columns : NULL, &l) < 0)
		return EXIT_FAILURE;
	tool_end(t, NULL, show(t, s, lxcpath, &l, &columns));
}

static int run(int argc, char **argv)
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-ls",
		.synopsis = "[OPTION]... [REGEX]",
		.summary = "Lists the containers, or those whose name matches REGEX.",
		.flags = TOOL_NO_NAME | TOOL_TAKES_ARGS,
		.option = option);
	struct ls s = { .rows = STREQ(argv[0], NESTED_ROWS), .argv = argv };
	auto_tool struct tool t = { 0 };
	regex_t re;
	int r;

	if (tool_begin(&t, &def, &s, argc, argv, &r))
		r = compile_filter(&t, &s, &re) < 0 ? EXIT_SUCCESS : list(&t, &s);
	if (s.want.name)
		regfree(&re);
	strv_done(&s.want.groups);
	return r;
}

int main(int argc, char *argv[])
{
	if (argc && STREQ(argv[0], NESTED_ENTER))
		return nested_enter(argc, argv, run);
	return run(argc, argv);
}

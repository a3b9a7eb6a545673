/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/opt.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "harness/unit.h"

enum { ALPHA = 1, TIME, LIST, LETTER, NAME = OPT_COMMON + 1, SHOW_VERSION, VERBOSE, COMMON_TIME };

static const struct opt own[] = {
	{ ALPHA, 'a', "alpha", OPT_FLAG, "", "first letter", false },
	{ TIME, 't', "timeout", OPT_ARG, "SECONDS", "how long", false },
	{ LIST, 'e', "elevated", OPT_OPTIONAL, "LIST", "what", false },
	{ LETTER, 'x', NULL, OPT_FLAG, "", "only a letter", false },
};
static const struct opt common[] = {
	{ NAME, 'n', "name", OPT_ARG, "NAME", "the name", false },
	{ SHOW_VERSION, 0, "version", OPT_FLAG, "", "the version", false },
	{ VERBOSE, 0, "verbose", OPT_FLAG, "", "more", true },
	{ COMMON_TIME, 0, "timeout", OPT_ARG, "T", "hidden by the tool's own", false },
};
static const struct opt_set set = { own, common, ARRAY_SIZE(own), ARRAY_SIZE(common) };

/* The keys and values of a command line as text, or the error. */
static char *parse(const char *line)
{
	char *copy = strdup(line), *argv[16] = { (char *)"tool" }, *save = NULL, *text = NULL;
	struct opt_parser p = { 0 };
	const struct opt *o = NULL;
	const char *value = NULL;
	struct err *e = NULL;
	int argc = 1, r;
	FILE *out;
	size_t n;

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	out = open_memstream(&text, &n);
	assert_int_equal(opt_parser_init(&p, &set, &e), 0);
	while ((r = opt_next(&p, argc, argv, &o, &value, &e)) > 0)
		fprintf(out, "%d=%s ", o->key > OPT_COMMON ? o->key - OPT_COMMON + 100 : o->key, value ? value : "");
	if (r < 0)
		fprintf(out, "%s", err_root(e)->what);
	while (r == 0 && optind < argc)
		fprintf(out, "[%s]", argv[optind++]);
	fclose(out);
	opt_parser_done(&p);
	err_free(e);
	free(copy);
	return text;
}

static void check(const char *line, const char *want)
{
	auto_free char *got = parse(line);

	assert_string_equal(got, want);
}

static void takes_letters_and_long_names(void **state)
{
	check("-a --alpha -t5 -t 6 --timeout=7 --timeout 8 -x", "1= 1= 2=5 2=6 2=7 2=8 4= ");
	check("-n web1 --name=web2", "101=web1 101=web2 ");
}

static void optional_values_must_be_attached(void **state)
{
	check("-e CAP -eCAP --elevated --elevated=LSM", "3= 3=CAP 3= 3=LSM [CAP]");
}

static void arguments_may_stand_between_options(void **state)
{
	check("web1 -a other", "1= [web1][other]");
	check("web1 -- -a", "[web1][-a]");
}

static void unique_abbreviations_are_taken(void **state)
{
	check("--al --tim 3", "1= 2=3 ");
	check("--na web1", "101=web1 ");
}

static void options_of_ours_do_not_make_abbreviations_ambiguous(void **state)
{
	check("--ver --v -a", "102= 102= 1= ");
	check("--verb", "103= ");
}

static void faults_are_named(void **state)
{
	check("--beta", "there is no option --beta");
	check("-z", "there is no option -z");
	check("-az", "1= there is no option -z");
	check("--timeout", "option --timeout (-t) needs an argument: SECONDS");
	check("--tim", "option --timeout (-t) needs an argument: SECONDS");
	check("-t", "option --timeout (-t) needs an argument: SECONDS");
	check("--alpha=3", "option --alpha takes no argument");
	check("--version=3", "option --version takes no argument");
	check("--ver=3", "option --version takes no argument");
}

static void help_hides_what_the_tool_has_itself(void **state)
{
	auto_free char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	opt_print_help(out, common, ARRAY_SIZE(common), &set);
	fclose(out);
	assert_non_null(strstr(text, "  -n, --name=NAME"));
	assert_non_null(strstr(text, "      --version "));
	assert_null(strstr(text, "hidden"));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(takes_letters_and_long_names),
	cmocka_unit_test(optional_values_must_be_attached),
	cmocka_unit_test(arguments_may_stand_between_options),
	cmocka_unit_test(unique_abbreviations_are_taken),
	cmocka_unit_test(options_of_ours_do_not_make_abbreviations_ambiguous),
	cmocka_unit_test(faults_are_named),
	cmocka_unit_test(help_hides_what_the_tool_has_itself),
};
UNIT_MAIN(tests)

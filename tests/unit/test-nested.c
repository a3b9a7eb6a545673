/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* What a guest may say about the containers inside it, and what is shown of that. */
#include "common/nested.h"

#include <stdlib.h>
#include <string.h>

#include "harness/unit.h"

static struct listing_columns columns_of(const char *list)
{
	struct listing_columns c;

	assert_null(listing_parse_columns(list, &c));
	return c;
}

/* Parses text of a container "web"; the number of rows, negative if it was not understood. */
static int rows_of(const char *text, unsigned depth, const struct listing_columns *c, struct listing *l)
{
	char *copy = strdup(text);
	bool good = nested_parse(copy, "web", depth, c, l);

	free(copy);
	return good ? (int)l->n : -1;
}

static void rows_are_understood(void **state)
{
	struct listing_columns c = columns_of("NAME,STATE,PID");
	auto_listing struct listing l = { 0 };

	assert_int_equal(rows_of("0\tone\tone\tRUNNING\t77\n1\tone/two\t\\two\t\t\n", 2, &c, &l), 2);
	assert_string_equal(l.v[0].shown, "web/one");
	assert_string_equal(l.v[0].cells[COLUMN_NAME], "\\one");
	assert_string_equal(l.v[0].cells[COLUMN_STATE], "RUNNING");
	assert_string_equal(l.v[0].cells[COLUMN_PID], "77");
	assert_int_equal(l.v[0].depth, 1);
	assert_string_equal(l.v[1].shown, "web/one/two");
	assert_string_equal(l.v[1].cells[COLUMN_NAME], " \\two");
	assert_null(l.v[1].cells[COLUMN_STATE]);
	assert_int_equal(l.v[1].depth, 2);
}

static void names_alone_are_understood(void **state)
{
	auto_listing struct listing l = { 0 };

	assert_int_equal(rows_of("0\tone\n0\ttwo\n", 1, NULL, &l), 2);
	assert_string_equal(l.v[1].shown, "web/two");
}

static void nonsense_is_refused_and_what_came_before_stays(void **state)
{
	static const char *const bad[] = {
		"0\tone",			/* cut off */
		"0\n",
		"\n",
		"x\tone\n",
		"-1\tone\n",
		"2\ta/b/c\n",			/* deeper than was asked for */
		"99999999999999999999\tone\n",
		"1\tone\n",			/* depth and name do not fit */
		"0\tone/two\n",
		"0\t../etc\n",
		"0\t/\n",
		"0\t\n",
		"0\ta b\n",
		"0\t\033[2J\n",
		"0\ta\302\233b\n",		/* CSI of one character */
		"0\ta\342\200\256b\n",		/* right to left from here on */
		"0\ta\377\n",
		"0\tone\tmore\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_listing struct listing l = { 0 };
		char text[256];

		(void)snprintf(text, sizeof(text), "0\tgood\n%s", bad[i]);
		assert_int_equal(rows_of(text, 2, NULL, &l), -1);
		assert_int_equal(l.n, 1);
		assert_string_equal(l.v[0].shown, "web/good");
	}
}

static void cells_too_many_or_too_few_are_refused(void **state)
{
	struct listing_columns c = columns_of("NAME,STATE");

	for (int i = 0; i < 2; i++) {
		auto_listing struct listing l = { 0 };

		assert_int_equal(rows_of(i ? "0\tone\tone\tRUNNING\tmore\n" : "0\tone\tone\n", 1, &c, &l), -1);
		assert_int_equal(l.n, 0);
	}
}

static void nothing_reaches_the_terminal_that_it_would_obey(void **state)
{
	static const struct {
		const char *said, *shown;
	} cells[] = {
		{ "\033]0;title\007", "?]0;title?" },
		{ "a\rb\177", "a?b?" },
		{ "\302\205\302\240\303\244", "??\302\240\303\244" },
		{ "\342\200\256abc\342\201\246", "???abc???" },
		{ "\300\257\355\240\200\364\220\200\200", "?????????" },
		{ "\342\202", "??" },
		{ "\360\237\246\212", "\360\237\246\212" },
	};
	struct listing_columns c = columns_of("GROUPS");

	for (size_t i = 0; i < ARRAY_SIZE(cells); i++) {
		auto_listing struct listing l = { 0 };
		char text[256];

		(void)snprintf(text, sizeof(text), "0\tone\t%s\n", cells[i].said);
		assert_int_equal(rows_of(text, 1, &c, &l), 1);
		assert_string_equal(l.v[0].cells[COLUMN_GROUPS], cells[i].shown);
	}
}

static void cells_are_cut(void **state)
{
	struct listing_columns c = columns_of("GROUPS");
	auto_listing struct listing l = { 0 };
	char text[9000] = "0\tone\t";

	memset(text + strlen(text), 'x', 8000);
	text[8006] = '\n';
	assert_int_equal(rows_of(text, 1, &c, &l), 1);
	assert_in_range(strlen(l.v[0].cells[COLUMN_GROUPS]), 1000, 1100);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(rows_are_understood),
	cmocka_unit_test(names_alone_are_understood),
	cmocka_unit_test(nonsense_is_refused_and_what_came_before_stays),
	cmocka_unit_test(cells_too_many_or_too_few_are_refused),
	cmocka_unit_test(nothing_reaches_the_terminal_that_it_would_obey),
	cmocka_unit_test(cells_are_cut),
};
UNIT_MAIN(tests)

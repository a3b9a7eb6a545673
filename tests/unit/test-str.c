/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/strv.h"

static void prefixes_and_suffixes(void **state)
{
	assert_string_equal(str_after("lxc.net.0", "lxc.net."), "0");
	assert_string_equal(str_after("x", ""), "x");
	assert_null(str_after("lx", "lxc"));
	assert_true(str_ends("a.conf", ".conf"));
	assert_true(str_ends("a", ""));
	assert_false(str_ends("conf", ".conf"));
}

static void trimming_takes_blanks_at_both_ends(void **state)
{
	char a[] = " \t a b \r\n", b[] = "  ", c[] = "", d[] = "x";

	assert_string_equal(str_trim(a), "a b");
	assert_string_equal(str_trim(b), "");
	assert_string_equal(str_trim(c), "");
	assert_string_equal(str_trim(d), "x");
}

static void control_characters_are_found(void **state)
{
	assert_false(str_has_control("plain \xc3\xa4 text", false));
	assert_true(str_has_control("a\nb", true));
	assert_true(str_has_control("a\x7f", true));
	assert_true(str_has_control("a\tb", false));
	assert_false(str_has_control("a\tb", true));
	assert_false(str_has_control("", false));
}

static void setting_replaces_and_unsets(void **state)
{
	char *s = NULL;

	assert_int_equal(str_set(&s, "one"), 0);
	assert_string_equal(s, "one");
	/* From itself: the copy comes before the release. */
	assert_int_equal(str_set(&s, s + 1), 0);
	assert_string_equal(s, "ne");
	assert_int_equal(str_set(&s, NULL), 0);
	assert_null(s);
}

static void distance_counts_edits(void **state)
{
	char a[200], b[200];

	assert_int_equal(str_distance("", ""), 0);
	assert_int_equal(str_distance("abc", "abc"), 0);
	assert_int_equal(str_distance("abc", ""), 3);
	assert_int_equal(str_distance("kitten", "sitting"), 3);
	assert_int_equal(str_distance("lxc.net.0.typ", "lxc.net.0.type"), 1);
	memset(a, 'a', 199);
	memset(b, 'b', 199);
	a[199] = b[199] = '\0';
	assert_int_equal(str_distance(a, b), 63);
}

static void words_are_split_with_quotes(void **state)
{
	static const struct {
		const char *line, *joined;
	} cases[] = {
		{ "", "" },
		{ "  ", "" },
		{ "/sbin/init", "/sbin/init" },
		{ " a  b\tc\n", "a|b|c" },
		{ "'a b' \"c d\"", "a b|c d" },
		{ "'' x", "|x" },
		{ "it's", "it's" },
		{ "'a\"b'", "a\"b" },
		{ "'a'b", "a|b" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_strv struct strv l = { 0 };
		auto_free char *joined = NULL;

		assert_int_equal(str_words(&l, cases[i].line), 0);
		joined = strv_join(&l, "|");
		assert_string_equal(joined, cases[i].joined);
	}
}

static void an_unclosed_quote_is_an_error(void **state)
{
	static const char *const bad[] = { "'", "a 'b", "\"a'" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_strv struct strv l = { 0 };

		assert_int_equal(str_words(&l, bad[i]), -EINVAL);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(prefixes_and_suffixes),
	cmocka_unit_test(trimming_takes_blanks_at_both_ends),
	cmocka_unit_test(control_characters_are_found),
	cmocka_unit_test(setting_replaces_and_unsets),
	cmocka_unit_test(distance_counts_edits),
	cmocka_unit_test(words_are_split_with_quotes),
	cmocka_unit_test(an_unclosed_quote_is_an_error),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"

static void joining_puts_one_slash(void **state)
{
	static const char *const cases[][3] = {
		{ "/a", "b", "/a/b" }, { "/a/", "b", "/a/b" }, { "/a//", "//b", "/a/b" }, { "/", "b", "/b" },
		{ "a", "b/c", "a/b/c" }, { "//", "b", "/b" }, { "/a", "", "/a/" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *p = path_join(cases[i][0], cases[i][1]);

		assert_string_equal(p, cases[i][2]);
	}
}

static void simplifying_keeps_meaning(void **state)
{
	static const char *const cases[][2] = {
		{ "/", "/" },	    { "//", "/" },	  { "/a//b", "/a/b" },	{ "/a/./b/.", "/a/b" },
		{ "./a", "a" },	    { "./", "." },	  { ".", "." },		{ "", "" },
		{ "a/", "a" },	    { "/a/../b", "/a/../b" }, { "../a", "../a" }, { "/.a/..b/", "/.a/..b" },
		{ "/./", "/" },	    { "a/.../b", "a/.../b" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *p = path_simplify(cases[i][0]);

		assert_string_equal(p, cases[i][1]);
	}
}

static void dotdot_is_seen_as_a_component_only(void **state)
{
	static const char *const yes[] = { "..", "/..", "a/..", "a/../b", "..//" };
	static const char *const no[] = { "", "/", "...", "a..b", "..a", "a../b", "/.", "./a" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		assert_true(path_has_dotdot(yes[i]));
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		assert_false(path_has_dotdot(no[i]));
}

static void base_is_what_follows_the_last_slash(void **state)
{
	assert_string_equal(path_base("/a/b"), "b");
	assert_string_equal(path_base("b"), "b");
	assert_string_equal(path_base("/"), "");
	assert_true(path_is_absolute("/a"));
	assert_false(path_is_absolute("a"));
	assert_false(path_is_absolute(""));
}

static void ordinary_names_are_valid(void **state)
{
	static const char *const good[] = { "a", "web1", "a.b", "A_b-c+d", "x:y@z", "0", "_", "a=b,c", "\xc3\xa4" };
	char longest[201];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(name_check(good[i], NULL), 0);
	memset(longest, 'x', 200);
	longest[200] = '\0';
	assert_int_equal(name_check(longest, NULL), 0);
}

static void other_names_are_refused_with_the_reason(void **state)
{
	static const char *const bad[][2] = {
		{ "", "empty" },	  { ".", "'.'" },	  { "..", "'.'" },	  { ".a", "'.'" },
		{ "-n", "'-'" },	  { "a/b", "'/'" },	  { "/", "'/'" },	  { "a\nb", "control" },
		{ "a\rb", "control" },	  { "a\x1b", "control" }, { "a\x7f", "control" }, { "a b", "blank" },
		{ "a\tb", "control" },	  { "a'b", "quote" },	  { "a$b", "shell" },	  { "a;b", "shell" },
		{ "a%s", "shell" },	  { "a*", "shell" },	  { "a\\b", "shell" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_err struct err *e = NULL;

		assert_int_equal(name_check(bad[i][0], &e), -EINVAL);
		assert_err_id(e, "name-invalid");
		assert_err_has(e, bad[i][1]);
	}
	auto_err struct err *e = NULL;
	char longer[202];

	memset(longer, 'x', 201);
	longer[201] = '\0';
	assert_int_equal(name_check(longer, &e), -EINVAL);
	assert_err_has(e, "longer than 200 bytes");
	assert_int_equal(name_check(NULL, &e), -EINVAL);
}

static void interface_names_are_the_kernels(void **state)
{
	static const char *const good[] = { "eth0", "a", "veth1000_abcdef", "br-1.2", "lxcbr0" };
	static const char *const bad[] = { "", ".", "..", "a/b", "a b", "a:b", "a\tb", "a\n", "1234567890123456", "\x01" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(ifname_is_valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(ifname_is_valid(bad[i]));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(joining_puts_one_slash),
	cmocka_unit_test(simplifying_keeps_meaning),
	cmocka_unit_test(dotdot_is_seen_as_a_component_only),
	cmocka_unit_test(base_is_what_follows_the_last_slash),
	cmocka_unit_test(ordinary_names_are_valid),
	cmocka_unit_test(other_names_are_refused_with_the_reason),
	cmocka_unit_test(interface_names_are_the_kernels),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <limits.h>

#include "base/num.h"

static void unsigned_numbers_are_whole_words(void **state)
{
	static const struct {
		const char *text;
		int base, result;
		uint64_t value;
	} cases[] = {
		{ "0", 10, 0, 0 },	    { "007", 10, 0, 7 },	{ "18446744073709551615", 10, 0, UINT64_MAX },
		{ "755", 8, 0, 0755 },	    { "ff", 16, 0, 255 },	{ "0x10", 0, 0, 16 },
		{ "", 10, -EINVAL, 0 },	    { " 1", 10, -EINVAL, 0 },	{ "1 ", 10, -EINVAL, 0 },
		{ "1\n", 10, -EINVAL, 0 },  { "-1", 10, -EINVAL, 0 },	{ "+1", 10, -EINVAL, 0 },
		{ "1k", 10, -EINVAL, 0 },   { "0x10", 10, -EINVAL, 0 }, { "8", 8, -EINVAL, 0 },
		{ "fg", 16, -EINVAL, 0 },   { "0x", 16, -EINVAL, 0 },	{ "1.0", 10, -EINVAL, 0 },
		{ "18446744073709551616", 10, -ERANGE, 0 },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t v = 4711;

		assert_int_equal(num_u64(cases[i].text, cases[i].base, UINT64_MAX, &v), cases[i].result);
		assert_true(v == (cases[i].result ? 4711 : cases[i].value));
	}
}

static void the_limit_is_inclusive(void **state)
{
	uint64_t v = 0;

	assert_int_equal(num_u64("100", 10, 100, &v), 0);
	assert_int_equal(num_u64("101", 10, 100, &v), -ERANGE);
	assert_int_equal(v, 100);
}

static void signed_numbers_have_one_sign(void **state)
{
	int64_t v = 0;

	assert_int_equal(num_i64("-9223372036854775808", 10, INT64_MIN, INT64_MAX, &v), 0);
	assert_true(v == INT64_MIN);
	assert_int_equal(num_i64("+5", 10, 0, 9, &v), 0);
	assert_int_equal(v, 5);
	assert_int_equal(num_i64("--5", 10, -9, 9, &v), -EINVAL);
	assert_int_equal(num_i64("-", 10, -9, 9, &v), -EINVAL);
	assert_int_equal(num_i64("- 5", 10, -9, 9, &v), -EINVAL);
	assert_int_equal(num_i64("", 10, -9, 9, &v), -EINVAL);
	assert_int_equal(num_i64("-10", 10, -9, 9, &v), -ERANGE);
	assert_int_equal(num_i64("10", 10, -9, 9, &v), -ERANGE);
	assert_int_equal(num_i64("-9223372036854775809", 10, INT64_MIN, INT64_MAX, &v), -ERANGE);
}

static void ints_do_not_wrap(void **state)
{
	unsigned u = 1;
	int i = 1;

	assert_int_equal(num_uint("4294967295", 10, &u), 0);
	assert_int_equal(u, UINT_MAX);
	assert_int_equal(num_uint("4294967296", 10, &u), -ERANGE);
	assert_int_equal(num_int("-2147483648", 10, &i), 0);
	assert_int_equal(i, INT_MIN);
	assert_int_equal(num_int("2147483648", 10, &i), -ERANGE);
	assert_int_equal(i, INT_MIN);
}

static void pids_are_positive(void **state)
{
	pid_t pid = 7;

	assert_int_equal(num_pid("1", &pid), 0);
	assert_int_equal(num_pid("2147483647", &pid), 0);
	assert_int_equal(num_pid("0", &pid), -ERANGE);
	assert_int_equal(num_pid("-1", &pid), -EINVAL);
	assert_int_equal(num_pid("2147483648", &pid), -ERANGE);
	assert_int_equal(num_pid("0x1", &pid), -EINVAL);
}

/* 4294967295 must never become an id: setuid would read it as "no change". */
static void the_no_id_value_is_no_id(void **state)
{
	uint32_t id = 7;

	assert_int_equal(num_id("4294967294", &id), 0);
	assert_true(id == 4294967294U);
	assert_int_equal(num_id("4294967295", &id), -ERANGE);
	assert_int_equal(num_id("4294967296", &id), -ERANGE);
	assert_int_equal(num_id("-1", &id), -EINVAL);
	assert_true(id == 4294967294U);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(unsigned_numbers_are_whole_words),
	cmocka_unit_test(the_limit_is_inclusive),
	cmocka_unit_test(signed_numbers_have_one_sign),
	cmocka_unit_test(ints_do_not_wrap),
	cmocka_unit_test(pids_are_positive),
	cmocka_unit_test(the_no_id_value_is_no_id),
};
UNIT_MAIN(tests)

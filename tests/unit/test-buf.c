/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

static void empty_buffer_reads_as_empty_string(void **state)
{
	auto_buf struct buf b = BUF_INIT(10);

	assert_true(buf_ok(&b));
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(b.len, 0);
}

static void appends_of_all_kinds_concatenate(void **state)
{
	auto_buf struct buf b = BUF_INIT(100);

	buf_adds(&b, "ab");
	buf_addc(&b, 'c');
	buf_add(&b, "d\0e", 3);
	buf_addf(&b, "%d", 42);
	assert_int_equal(b.len, 8);
	assert_memory_equal(b.p, "abcd\0e42", 9);
}

static void ceiling_is_reached_exactly(void **state)
{
	auto_buf struct buf b = BUF_INIT(4);

	buf_adds(&b, "abcd");
	assert_true(buf_ok(&b));
	assert_string_equal(buf_str(&b), "abcd");
}

static void ceiling_plus_one_fails_and_stays_failed(void **state)
{
	auto_buf struct buf b = BUF_INIT(4);

	buf_adds(&b, "abcd");
	buf_addc(&b, 'e');
	assert_false(buf_ok(&b));
	assert_string_equal(buf_str(&b), "");
	buf_addc(&b, 'f');
	assert_false(buf_ok(&b));
	assert_null(buf_take(&b));
}

static void growth_keeps_the_content(void **state)
{
	auto_buf struct buf b = BUF_INIT(100000);

	for (int i = 0; i < 10000; i++)
		buf_addf(&b, "%d,", i % 10);
	assert_true(buf_ok(&b));
	assert_int_equal(b.len, 20000);
	for (size_t i = 0; i < 10000; i++)
		assert_int_equal(b.p[2 * i], '0' + (int)(i % 10));
}

static void consume_removes_from_the_front(void **state)
{
	auto_buf struct buf b = BUF_INIT(100);

	buf_adds(&b, "abcdef");
	buf_consume(&b, 2);
	assert_string_equal(buf_str(&b), "cdef");
	buf_consume(&b, 100);
	assert_string_equal(buf_str(&b), "");
	buf_adds(&b, "x");
	assert_string_equal(buf_str(&b), "x");
}

static void take_of_an_empty_buffer_is_an_empty_string(void **state)
{
	struct buf b = BUF_INIT(0);
	auto_free char *p = buf_take(&b);

	assert_non_null(p);
	assert_string_equal(p, "");
}

static void take_leaves_a_usable_empty_buffer(void **state)
{
	auto_buf struct buf b = BUF_INIT(100);
	auto_free char *p = NULL;

	buf_adds(&b, "one");
	p = buf_take(&b);
	assert_string_equal(p, "one");
	buf_adds(&b, "two");
	assert_string_equal(buf_str(&b), "two");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(empty_buffer_reads_as_empty_string),
	cmocka_unit_test(appends_of_all_kinds_concatenate),
	cmocka_unit_test(ceiling_is_reached_exactly),
	cmocka_unit_test(ceiling_plus_one_fails_and_stays_failed),
	cmocka_unit_test(growth_keeps_the_content),
	cmocka_unit_test(consume_removes_from_the_front),
	cmocka_unit_test(take_of_an_empty_buffer_is_an_empty_string),
	cmocka_unit_test(take_leaves_a_usable_empty_buffer),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include "base/json.h"

static void values_stand_between_commas(void **state)
{
	auto_buf struct buf b = BUF_INIT(4096);
	struct json j = JSON_INIT(&b);

	json_object(&j, NULL);
	json_string(&j, "s", "x");
	json_array(&j, "a");
	json_array_end(&j);
	json_array(&j, "n");
	json_u64(&j, NULL, UINT64_MAX);
	json_i64(&j, NULL, -1);
	json_object(&j, NULL);
	json_object_end(&j);
	json_array_end(&j);
	json_bool(&j, "t", true);
	json_string(&j, "none", NULL);
	json_object_end(&j);
	assert_string_equal(buf_str(&b), "{\"s\":\"x\",\"a\":[],\"n\":[18446744073709551615,-1,{}],\"t\":true,\"none\":null}");
}

static void expect_json(const char *value, const char *want)
{
	auto_buf struct buf b = BUF_INIT(4096);
	struct json j = JSON_INIT(&b);

	json_string(&j, NULL, value);
	assert_string_equal(buf_str(&b), want);
}

static void strings_are_escaped(void **state)
{
	expect_json("a\"b\\c/", "\"a\\\"b\\\\c/\"");
	expect_json("\n\t\x1b\x7f", "\"\\u000a\\u0009\\u001b\\u007f\"");
	expect_json("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"");
}

static void what_is_not_utf8_is_replaced(void **state)
{
	expect_json("a\xff" "b", "\"a\\ufffdb\"");
	expect_json("\xc3", "\"\\ufffd\"");
	expect_json("\xe2\x82", "\"\\ufffd\\ufffd\"");
	expect_json("\xc0\xaf", "\"\\ufffd\\ufffd\"");		/* an overlong slash */
	expect_json("\xe0\x80\xaf", "\"\\ufffd\\ufffd\\ufffd\"");	/* another */
	expect_json("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");	/* a surrogate */
	expect_json("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");	/* beyond Unicode */
}

static void a_full_buffer_is_an_error_at_the_end(void **state)
{
	auto_buf struct buf b = BUF_INIT(8);
	struct json j = JSON_INIT(&b);

	json_string(&j, NULL, "longer than that");
	assert_false(buf_ok(&b));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(values_stand_between_commas),
	cmocka_unit_test(strings_are_escaped),
	cmocka_unit_test(what_is_not_utf8_is_replaced),
	cmocka_unit_test(a_full_buffer_is_an_error_at_the_end),
};
UNIT_MAIN(tests)

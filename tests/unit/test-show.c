/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/show.h"

#include <string.h>

#include "harness/unit.h"

static void sizes_are_shown_as_lxc_does(void **state)
{
	char t[SHOW_SIZE_MAX];

	assert_string_equal(show_size(0, t), "0 bytes");
	assert_string_equal(show_size(1024, t), "1024 bytes");
	assert_string_equal(show_size(1025, t), "1.00 KiB");
	assert_string_equal(show_size(1048576, t), "1024.00 KiB");
	assert_string_equal(show_size(1048577, t), "1.00 MiB");
	assert_string_equal(show_size(3407872, t), "3.25 MiB");
	assert_string_equal(show_size(1073741824, t), "1024.00 MiB");
	assert_string_equal(show_size(5368709120, t), "5.00 GiB");
}

static void fields_are_found_whole(void **state)
{
	static const char text[] = "usage_usec_more 1\nusage_usec 123\nlast 18446744073709551615\nneg -1\n";
	uint64_t v = 7;

	assert_true(stat_field(text, "usage_usec", &v));
	assert_int_equal(v, 123);
	assert_true(stat_field(text, "last", &v));
	assert_true(v == UINT64_MAX);
	v = 7;
	assert_false(stat_field(text, "neg", &v));
	assert_false(stat_field(text, "usage", &v));
	assert_false(stat_field("", "usage", &v));
	assert_int_equal(v, 7);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(sizes_are_shown_as_lxc_does),
	cmocka_unit_test(fields_are_found_whole),
};
UNIT_MAIN(tests)

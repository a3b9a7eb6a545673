/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "common/timing.h"

#define STEPS "0 2000000 client executing the monitor\n2000000 2500000 monitor creating cgroups\n" \
	      "2600000 3000000 init mounting <the> root\n"

static void the_table_has_a_line_for_each_step_and_the_total(void **state)
{
	char text[] = STEPS;
	auto_buf struct buf b = BUF_INIT(65536);
	struct timing t;

	assert_int_equal(timing_parse(text, &t), 0);
	assert_int_equal(t.n, 3);
	timing_table(&t, &b);
	assert_non_null(strstr(buf_str(&b), "     2.000      0.500  monitor  creating cgroups\n"));
	assert_non_null(strstr(buf_str(&b), "     3.000"));
	timing_done(&t);
}

static void json_has_nanoseconds(void **state)
{
	char text[] = STEPS;
	auto_buf struct buf b = BUF_INIT(65536);
	struct timing t;

	assert_int_equal(timing_parse(text, &t), 0);
	timing_json(&t, "c\"1", &b);
	assert_non_null(strstr(buf_str(&b), "\"c\\\"1\""));
	assert_non_null(strstr(buf_str(&b), "2600000"));
	timing_done(&t);
}

static void the_chart_escapes_and_scales(void **state)
{
	char text[] = STEPS;
	auto_buf struct buf b = BUF_INIT(65536);
	struct timing t;

	assert_int_equal(timing_parse(text, &t), 0);
	timing_svg(&t, "c1", &b);
	assert_non_null(strstr(buf_str(&b), "mounting &lt;the&gt; root"));
	/* Two thirds of the width for two of three milliseconds. */
	assert_non_null(strstr(buf_str(&b), "class=\"client\" x=\"10.0\" y=\"50\" width=\"533.3\""));
	timing_done(&t);
}

static void the_boot_comes_after_the_start(void **state)
{
	char text[] = STEPS;
	auto_buf struct buf table = BUF_INIT(65536), json = BUF_INIT(65536), svg = BUF_INIT(65536), none = BUF_INIT(65536);
	struct timing t;

	assert_int_equal(timing_parse(text, &t), 0);
	timing_json(&t, "c1", &none);
	assert_non_null(strstr(buf_str(&none), "\"boot_ns\":null"));
	t.boot_ns = 1500000000;
	timing_table(&t, &table);
	assert_non_null(strstr(buf_str(&table), "     3.000   1500.000  init     booting\n"));
	assert_non_null(strstr(buf_str(&table), "  1503.000 "));
	timing_json(&t, "c1", &json);
	assert_non_null(strstr(buf_str(&json), "\"total_ns\":3000000,\"boot_ns\":1500000000"));
	timing_svg(&t, "c1", &svg);
	assert_non_null(strstr(buf_str(&svg), "booting until it is ready 1500.000 ms"));
	/* The scale is still the start's. */
	assert_non_null(strstr(buf_str(&svg), "class=\"client\" x=\"10.0\" y=\"50\" width=\"533.3\""));
	timing_done(&t);
}

static void damaged_lines_are_refused(void **state)
{
	static const char *const bad[] = { "x\n", "1 2\n", "2 1 init x\n", "1 -2 init x\n", "1 2 init\n" };
	struct timing t;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "%s", bad[i]);
		assert_int_equal(timing_parse(text, &t), -EINVAL);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_table_has_a_line_for_each_step_and_the_total),
	cmocka_unit_test(json_has_nanoseconds),
	cmocka_unit_test(the_chart_escapes_and_scales),
	cmocka_unit_test(the_boot_comes_after_the_start),
	cmocka_unit_test(damaged_lines_are_refused),
};
UNIT_MAIN(tests)

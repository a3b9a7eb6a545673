/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kernel/rlimit.h"

static void names_and_numbers_give_resources(void **state)
{
	assert_int_equal(rlimit_by_name("nofile"), RLIMIT_NOFILE);
	assert_int_equal(rlimit_by_name("rttime"), RLIMIT_RTTIME);
	assert_int_equal(rlimit_by_name("7"), 7);
	assert_int_equal(rlimit_by_name("16"), -EINVAL);
	assert_int_equal(rlimit_by_name("NOFILE"), -EINVAL);
	assert_int_equal(rlimit_by_name(""), -EINVAL);
	assert_string_equal(rlimit_nearest("nofiles"), "nofile");
	assert_null(rlimit_nearest("something"));
}

static void values_are_soft_and_hard(void **state)
{
	static const struct {
		const char *text;
		rlim_t soft, hard;
		const char *canonical;
	} cases[] = {
		{ "1024", 1024, 1024, "1024" },
		{ "1024:2048", 1024, 2048, "1024:2048" },
		{ " 1 : 2 ", 1, 2, "1:2" },
		{ "unlimited", RLIM_INFINITY, RLIM_INFINITY, "unlimited" },
		{ "-1", RLIM_INFINITY, RLIM_INFINITY, "unlimited" },
		{ "5:unlimited", 5, RLIM_INFINITY, "5:unlimited" },
		{ ":7", 0, 7, "0:7" },
		{ "7:", 7, 7, "7" },
		{ "0", 0, 0, "0" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rlimit l = { 1, 1 };
		char text[64];

		assert_int_equal(rlimit_parse(cases[i].text, &l), 0);
		assert_true(l.rlim_cur == cases[i].soft && l.rlim_max == cases[i].hard);
		rlimit_format(&l, text, sizeof(text));
		assert_string_equal(text, cases[i].canonical);
	}
}

static void other_values_are_refused(void **state)
{
	static const char *const bad[] = { "", ":", " ", "a", "1k", "1:2:3", "-2", "1 2", "unlimited x", "0x10" };
	struct rlimit l = { 4, 7 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(rlimit_parse(bad[i], &l), -EINVAL);
	assert_int_equal(rlimit_parse("18446744073709551616", &l), -ERANGE);
	assert_true(l.rlim_cur == 4 && l.rlim_max == 7);
}

static void apply(void *arg)
{
	struct rlimit lower = { 64, 128 }, higher = { 64, 256 }, now;
	struct err *e = NULL;

	CHECK_OK(rlimit_apply(0, RLIMIT_NOFILE, "nofile", &lower, &e), e);
	CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 64 && now.rlim_max == 128);
	if (geteuid() == 0)
		return;
	CHECK(rlimit_apply(getpid(), RLIMIT_NOFILE, "nofile", &higher, &e) == -EPERM);
	CHECK(strcmp(e->what, "limit nofile cannot be set to 64:256") == 0);
	err_free(e);
}

static void limits_are_applied(void **state)
{
	unit_child(apply, NULL);
}

static void a_refused_limit_is_named(void **state)
{
	auto_err struct err *e = NULL;
	struct rlimit twisted = { 10, 5 };

	assert_int_equal(rlimit_apply(0, RLIMIT_NOFILE, "nofile", &twisted, &e), -EINVAL);
	assert_err_has(e, "limit nofile cannot be set to 10:5");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(names_and_numbers_give_resources),
	cmocka_unit_test(values_are_soft_and_hard),
	cmocka_unit_test(other_values_are_refused),
	cmocka_unit_test(limits_are_applied),
	cmocka_unit_test(a_refused_limit_is_named),
};
UNIT_MAIN(tests)

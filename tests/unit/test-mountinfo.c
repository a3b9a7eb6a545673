/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "kernel/mountinfo.h"

static int parse(const char *text, struct mountinfo *m, struct err **e)
{
	return mountinfo_parse(strdup(text), m, e);
}

static void all_fields_are_read(void **state)
{
	auto_mountinfo struct mountinfo m = { 0 };

	assert_int_equal(parse("36 35 98:12 /sub\\040dir /mnt/a\\134b\\011c rw,noatime shared:7 master:1 "
			       "propagate_from:2 unbindable new:thing - fuse.ssh\\043x /dev/s\\040da rw,a=b\n",
			       &m, NULL), 0);
	assert_int_equal(m.n, 1);
	assert_int_equal(m.v[0].id, 36);
	assert_int_equal(m.v[0].parent, 35);
	assert_true(m.v[0].dev == makedev(98, 12));
	assert_string_equal(m.v[0].root, "/sub dir");
	assert_string_equal(m.v[0].point, "/mnt/a\\b\tc");
	assert_string_equal(m.v[0].options, "rw,noatime");
	assert_int_equal(m.v[0].shared, 7);
	assert_int_equal(m.v[0].master, 1);
	assert_int_equal(m.v[0].propagate_from, 2);
	assert_true(m.v[0].unbindable);
	assert_string_equal(m.v[0].type, "fuse.ssh#x");
	assert_string_equal(m.v[0].source, "/dev/s da");
	assert_string_equal(m.v[0].super, "rw,a=b");
}

static void no_optional_fields_and_an_empty_source_are_fine(void **state)
{
	auto_mountinfo struct mountinfo m = { 0 };

	assert_int_equal(parse("1 1 0:1 / / rw - tmpfs  rw", &m, NULL), 0);
	assert_int_equal(m.v[0].shared, 0);
	assert_string_equal(m.v[0].source, "");
	assert_string_equal(m.v[0].super, "rw");
}

static void malformed_lines_are_named(void **state)
{
	static const char *const bad[] = {
		"x", "1 2 0:1 / / rw tmpfs t rw", "a 2 0:1 / / rw - t s rw", "1 -2 0:1 / / rw - t s rw",
		"1 2 01 / / rw - t s rw", "1 2 0: / / rw - t s rw", "1 2 0:1 / / rw shared:x - t s rw",
		"1 2 0:1 / / rw - t s", "1 2 0:1 / / rw - t s rw more", "99999999999 2 0:1 / / rw - t s rw", "\n",
		"1 2 0:1 / / rw a b c d e f g h i j k l m n o p q r s t u v w x y z a b c - t s rw",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_mountinfo struct mountinfo m = { 0 };
		auto_err struct err *e = NULL;
		auto_buf struct buf text = BUF_INIT(1000);

		buf_addf(&text, "1 1 0:1 / / rw - t s rw\n%s", bad[i]);
		assert_int_equal(parse(buf_str(&text), &m, &e), -EINVAL);
		assert_err_has(e, "line 2 of the mount table");
		assert_int_equal(m.n, 0);
	}
}

static void half_escapes_are_left_alone(void **state)
{
	auto_mountinfo struct mountinfo m = { 0 };

	assert_int_equal(parse("1 1 0:1 / /a\\04\\9\\400\\ rw - t s\\ rw\\0\n", &m, NULL), 0);
	assert_string_equal(m.v[0].point, "/a\\04\\9\\400\\");
	assert_string_equal(m.v[0].source, "s\\");
	assert_string_equal(m.v[0].super, "rw\\0");
}

static const char table[] = "20 1 0:1 / / rw - t a rw\n"
			    "21 20 0:2 / /x rw - t b rw\n"
			    "22 21 0:3 / /x/y rw - t c rw\n"
			    "23 20 0:4 / /xx rw - t d rw\n"
			    "24 22 0:5 / /x/y rw - t e rw\n"
			    "25 24 0:6 / /x/y/z rw - t f rw\n";

static void the_topmost_of_a_stack_is_found(void **state)
{
	auto_mountinfo struct mountinfo m = { 0 };

	assert_int_equal(parse(table, &m, NULL), 0);
	assert_int_equal(mountinfo_find(&m, "/x/y")->id, 24);
	assert_int_equal(mountinfo_find(&m, "/")->id, 20);
	assert_null(mountinfo_find(&m, "/x/"));
	assert_int_equal(mountinfo_by_id(&m, 22)->id, 22);
	assert_null(mountinfo_by_id(&m, 99));
}

static void below_is_by_component(void **state)
{
	auto_mountinfo struct mountinfo m = { 0 };

	assert_int_equal(parse(table, &m, NULL), 0);
	assert_true(mountinfo_is_below(mountinfo_by_id(&m, 22), "/x"));
	assert_true(mountinfo_is_below(mountinfo_by_id(&m, 21), "/x/"));
	assert_false(mountinfo_is_below(mountinfo_by_id(&m, 23), "/x"));
	assert_true(mountinfo_is_below(mountinfo_by_id(&m, 23), "/"));
}

static void children_come_before_parents(void **state)
{
	static const int expected[] = { 25, 24, 22, 23, 21, 20 };
	auto_mountinfo struct mountinfo m = { 0 };

	assert_int_equal(parse(table, &m, NULL), 0);
	assert_int_equal(mountinfo_deepest_first(&m), 0);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(m.v[i].id, expected[i]);
}

static void a_loop_of_parents_ends(void **state)
{
	auto_mountinfo struct mountinfo m = { 0 };

	assert_int_equal(parse("1 2 0:1 / /a rw - t a rw\n2 3 0:1 / /b rw - t a rw\n3 1 0:1 / /c rw - t a rw\n", &m, NULL), 0);
	assert_int_equal(mountinfo_deepest_first(&m), 0);
	assert_int_equal(m.n, 3);
}

static void an_empty_table_is_fine(void **state)
{
	auto_mountinfo struct mountinfo m = { 0 };

	assert_int_equal(parse("", &m, NULL), 0);
	assert_int_equal(m.n, 0);
	assert_int_equal(mountinfo_deepest_first(&m), 0);
	assert_null(mountinfo_find(&m, "/"));
}

static void our_own_table_is_understood(void **state)
{
	auto_mountinfo struct mountinfo m = { 0 };
	auto_err struct err *e = NULL;
	int r = mountinfo_read(&m, &e);

	if (r < 0)
		print_error("# %s\n", e ? e->what : "");
	assert_int_equal(r, 0);
	assert_true(m.n > 0);
	assert_non_null(mountinfo_find(&m, "/proc"));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(all_fields_are_read),
	cmocka_unit_test(no_optional_fields_and_an_empty_source_are_fine),
	cmocka_unit_test(malformed_lines_are_named),
	cmocka_unit_test(half_escapes_are_left_alone),
	cmocka_unit_test(the_topmost_of_a_stack_is_found),
	cmocka_unit_test(below_is_by_component),
	cmocka_unit_test(children_come_before_parents),
	cmocka_unit_test(a_loop_of_parents_ends),
	cmocka_unit_test(an_empty_table_is_fine),
	cmocka_unit_test(our_own_table_is_understood),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "base/table.h"
#include "base/vec.h"

static void vectors_grow_and_end_with_null(void **state)
{
	auto_strv struct strv l = { 0 };

	assert_int_equal(strv_add(&l, "a"), 0);
	assert_int_equal(strv_addf(&l, "%s-%d", "b", 2), 0);
	assert_int_equal(strv_push(&l, strdup("c")), 0);
	assert_int_equal(l.n, 3);
	assert_string_equal(l.v[1], "b-2");
	assert_null(l.v[3]);
	assert_int_equal(strv_push(&l, NULL), -ENOMEM);
	assert_int_equal(l.n, 3);
}

static void splitting_drops_empty_words(void **state)
{
	auto_strv struct strv l = { 0 };
	auto_free char *joined = NULL;

	assert_int_equal(strv_split(&l, ",,a, b,,c,", ", "), 0);
	joined = strv_join(&l, "|");
	assert_string_equal(joined, "a|b|c");
	assert_int_equal(strv_split(&l, "", ","), 0);
	assert_int_equal(l.n, 3);
}

static void members_are_found_removed_and_sorted(void **state)
{
	auto_strv struct strv l = { 0 };
	auto_free char *joined = NULL;

	assert_int_equal(strv_split(&l, "c b a d", " "), 0);
	assert_true(strv_has(&l, "a"));
	assert_false(strv_has(&l, "e"));
	strv_remove(&l, 1);
	assert_false(strv_has(&l, "b"));
	assert_null(l.v[3]);
	strv_remove(&l, 2);
	assert_null(l.v[2]);
	strv_sort(&l);
	joined = strv_join(&l, ",");
	assert_string_equal(joined, "a,c");
}

static void copies_are_deep(void **state)
{
	auto_strv struct strv a = { 0 }, b = { 0 };

	assert_int_equal(strv_add(&a, "x"), 0);
	assert_int_equal(strv_copy(&b, &a), 0);
	a.v[0][0] = 'y';
	assert_string_equal(b.v[0], "x");
}

static void the_empty_vector_is_a_vector(void **state)
{
	auto_strv struct strv l = { 0 };
	auto_free char *joined = strv_join(&l, ",");
	char **taken;

	assert_string_equal(joined, "");
	strv_sort(&l);
	assert_false(strv_has(&l, ""));
	taken = strv_take(&l);
	assert_non_null(taken);
	assert_null(taken[0]);
	free(taken);
}

static void taking_leaves_an_empty_vector(void **state)
{
	auto_strv struct strv l = { 0 };
	char **taken;

	assert_int_equal(strv_add(&l, "a"), 0);
	taken = strv_take(&l);
	assert_int_equal(l.n, 0);
	assert_string_equal(taken[0], "a");
	assert_null(taken[1]);
	free(taken[0]);
	free(taken);
	assert_int_equal(strv_add(&l, "b"), 0);
	assert_int_equal(l.n, 1);
}

static void typed_vectors_push_and_remove(void **state)
{
	VEC(int) v = { 0 };

	for (int i = 0; i < 5; i++)
		assert_int_equal(VEC_PUSH(&v, i * i), 0);
	VEC_REMOVE(&v, 1);
	VEC_REMOVE(&v, 3);
	assert_int_equal(v.n, 3);
	assert_int_equal(v.v[0], 0);
	assert_int_equal(v.v[1], 4);
	assert_int_equal(v.v[2], 9);
	VEC_DONE(&v);
	assert_null(v.v);
}

static void tables_translate_both_ways(void **state)
{
	static const struct name_value t[] = { { "one", 1 }, { "uno", 1 }, { "Two", 2 } };

	assert_int_equal(table_by_name(t, "uno")->value, 1);
	assert_null(table_by_name(t, "two"));
	assert_int_equal(table_by_nocase(t, "tWO")->value, 2);
	assert_string_equal(table_by_value(t, 1), "one");
	assert_null(table_by_value(t, 3));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(vectors_grow_and_end_with_null),
	cmocka_unit_test(splitting_drops_empty_words),
	cmocka_unit_test(members_are_found_removed_and_sorted),
	cmocka_unit_test(copies_are_deep),
	cmocka_unit_test(the_empty_vector_is_a_vector),
	cmocka_unit_test(taking_leaves_an_empty_vector),
	cmocka_unit_test(typed_vectors_push_and_remove),
	cmocka_unit_test(tables_translate_both_ways),
};
UNIT_MAIN(tests)

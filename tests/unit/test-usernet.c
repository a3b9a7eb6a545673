/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "network/usernet.h"

#include <string.h>

#include "base/cleanup.h"
#include "harness/unit.h"

static void alice(struct strv *names)
{
	assert_int_equal(strv_add(names, "alice"), 0);
	assert_int_equal(strv_add(names, "@staff"), 0);
}

static void lines_grant_to_users_and_groups(void **state)
{
	static const char text[] = "# comment\nalice veth br0 2\n@staff\tveth  br0 1\nbob veth br0 9\nalice phys br0 9\n"
				   "alice veth br1 3\n alice veth br0 9\nalice veth br0\nalice veth br0 x\n"
				   "alice veth br0 5 6\nalic veth br0 9\nalicex veth br0 9\n";
	auto_strv struct strv names = { 0 };
	struct usernet_grants g = { 0 };

	alice(&names);
	assert_int_equal(usernet_parse(text, &names, "veth", "br0", &g), 0);
	assert_int_equal(g.n, 2);
	assert_string_equal(g.v[0].owner, "alice");
	assert_int_equal(g.v[0].count, 2);
	assert_string_equal(g.v[1].owner, "@staff");
	usernet_done(&g);
	assert_int_equal(usernet_parse(text, &names, "veth", NULL, &g), 0);
	assert_int_equal(g.n, 3);
	usernet_done(&g);
}

static bool exists(const char *device, void *arg)
{
	return strncmp(device, "here", 4) == 0;
}

static void what_is_gone_does_not_count(void **state)
{
	auto_buf struct buf b = BUF_INIT(4096);

	assert_int_equal(usernet_cull("alice veth br0 here1\nalice veth br0 gone\nbob veth br0 here2\nx\n", exists, NULL, &b), 0);
	assert_string_equal(buf_str(&b), "alice veth br0 here1\nbob veth br0 here2\n");
	assert_int_equal(usernet_count(buf_str(&b), "alice", "veth", "br0"), 1);
	assert_int_equal(usernet_count(buf_str(&b), "alice", "veth", "br"), 0);
	assert_int_equal(usernet_count(buf_str(&b), "ali", "veth", "br0"), 0);
}

static void room_is_found_in_the_order_of_the_file(void **state)
{
	auto_strv struct strv names = { 0 };
	struct usernet_grants g = { 0 };
	const char *one = "alice veth br0 a\n", *three = "alice veth br0 a\nalice veth br0 b\n@staff veth br0 c\n";

	alice(&names);
	assert_int_equal(usernet_parse("alice veth br0 1\n@staff veth br0 1\nalice veth br0 1\n", &names, "veth", "br0", &g), 0);
	assert_string_equal(usernet_room(&g, "", "veth", "br0")->owner, "alice");
	assert_string_equal(usernet_room(&g, one, "veth", "br0")->owner, "alice");
	assert_string_equal(usernet_room(&g, "alice veth br0 a\nalice veth br0 b\n", "veth", "br0")->owner, "@staff");
	assert_null(usernet_room(&g, three, "veth", "br0"));
	usernet_done(&g);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(lines_grant_to_users_and_groups),
	cmocka_unit_test(what_is_gone_does_not_count),
	cmocka_unit_test(room_is_found_in_the_order_of_the_file),
};
UNIT_MAIN(tests)

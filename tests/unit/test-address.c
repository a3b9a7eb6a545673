/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/address.h"

#include <arpa/inet.h>

#include "harness/unit.h"

static struct address make(const char *text, unsigned prefix)
{
	struct address a = { .family = AF_INET, .prefix = prefix };

	if (inet_pton(AF_INET, text, &a.v4) == 1)
		return a;
	a.family = AF_INET6;
	assert_int_equal(inet_pton(AF_INET6, text, &a.v6), 1);
	return a;
}

static void broadcast_is_the_last_address(void **state)
{
	static const struct {
		const char *address;
		unsigned prefix;
		const char *expected;
	} cases[] = {
		{ "10.0.3.5", 24, "10.0.3.255" },   { "192.168.1.5", 25, "192.168.1.127" },
		{ "172.16.9.9", 12, "172.31.255.255" }, { "10.1.2.3", 0, "255.255.255.255" },
		{ "10.1.2.3", 30, "10.1.2.3" },	    { "10.1.2.3", 31, "0.0.0.0" },
		{ "10.1.2.3", 32, "0.0.0.0" },
	};

	for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
		char text[INET_ADDRSTRLEN];
		struct in_addr a = { 0 }, b;

		assert_int_equal(inet_pton(AF_INET, cases[k].address, &a), 1);
		b = address_broadcast(a, cases[k].prefix);
		assert_string_equal(inet_ntop(AF_INET, &b, text, sizeof(text)), cases[k].expected);
	}
}

static void text_has_the_prefix(void **state)
{
	char buf[INET6_ADDRSTRLEN + 4];
	struct address four = make("10.0.3.5", 24), six = make("fd00::5", 128);

	assert_string_equal(address_text(&four, true, buf), "10.0.3.5/24");
	assert_string_equal(address_text(&four, false, buf), "10.0.3.5");
	assert_string_equal(address_text(&six, true, buf), "fd00::5/128");
}

static void covers_looks_at_the_network(void **state)
{
	struct address net = make("10.0.3.1", 20), in = make("10.0.15.255", 32), out = make("10.0.16.0", 32);
	struct address all = make("0.0.0.0", 0), six = make("fd00::1", 64), near = make("fd00::ffff:1", 128);
	struct address far = make("fd00:0:0:1::1", 128);

	assert_true(address_covers(&net, &in));
	assert_false(address_covers(&net, &out));
	assert_true(address_covers(&all, &out));
	assert_false(address_covers(&all, &six));
	assert_true(address_covers(&six, &near));
	assert_false(address_covers(&six, &far));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(broadcast_is_the_last_address),
	cmocka_unit_test(text_has_the_prefix),
	cmocka_unit_test(covers_looks_at_the_network),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "config/publish.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "config/key.h"
#include "harness/unit.h"

static void forms_are_understood(void **state)
{
	static const struct {
		const char *text, *address;
		unsigned host, container, count;
		bool udp;
	} good[] = {
		{ "80", "", 80, 80, 1, false },
		{ "8080:80", "", 8080, 80, 1, false },
		{ "8080:80/tcp", "", 8080, 80, 1, false },
		{ "53:5353/udp", "", 53, 5353, 1, true },
		{ "127.0.0.1:8080:80", "127.0.0.1", 8080, 80, 1, false },
		{ "[::1]:8080:80/udp", "::1", 8080, 80, 1, true },
		{ "5000-5009", "", 5000, 5000, 10, false },
		{ "5000-5009:6000", "", 5000, 6000, 10, false },
		{ "5000-5009:6000-6009", "", 5000, 6000, 10, false },
		{ "65535:1", "", 65535, 1, 1, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct publish p;
		const char *why;

		if (publish_parse(good[i].text, &p, &why) < 0)
			fail_msg("%s is refused: %s", good[i].text, why);
		assert_string_equal(p.address, good[i].address);
		assert_int_equal(p.host, good[i].host);
		assert_int_equal(p.container, good[i].container);
		assert_int_equal(p.count, good[i].count);
		assert_int_equal(p.udp, good[i].udp);
	}
}

static void others_are_refused(void **state)
{
	static const char *const bad[] = {
		"", "0", "65536", "-1", "80:", ":80", "80:0", "80:65536", "80/sctp", "80/", "8080:80:1", "a:80", "80,81",
		"300.1.1.1:80:80", "[::1:80:80", "[x]:80:80", "::1:80:80", "9-5", "1-2:1-3", "65000-65100:65500", "80 ",
		"%eth0:80", "~80", "127.0.0.1/80",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct publish p;
		const char *why;

		if (publish_parse(bad[i], &p, &why) == 0)
			fail_msg("'%s' is taken", bad[i]);
	}
}

static int set(struct conf *c, const char *key, const char *value, struct err **e)
{
	return key_set(c, key, value, (struct origin){ 0 }, NULL, e);
}

static void one_port_is_published_once(void **state)
{
	auto_conf struct conf *c = conf_new();
	auto_buf struct buf b = BUF_INIT(256);
	auto_err struct err *e = NULL;

	assert_int_equal(set(c, "lxc.net.0.type", "user", &e), 0);
	assert_int_equal(set(c, "lxc.net.0.publish", "8000-8009:80", &e), 0);
	assert_int_equal(set(c, "lxc.net.0.publish", "8000:80/udp", &e), 0);
	assert_int_equal(key_get(c, "lxc.net.0.publish", &b, &e), 0);
	assert_string_equal(buf_str(&b), "8000-8009:80\n8000:80/udp");
	assert_true(set(c, "lxc.net.0.publish", "127.0.0.1:8005:1", &e) < 0);
	assert_err_has(e, "another line publishes that port");
}

static void it_needs_user_mode(void **state)
{
	auto_conf struct conf *c = conf_new();
	auto_err struct err *e = NULL;

	assert_int_equal(set(c, "lxc.net.0.type", "veth", &e), 0);
	assert_true(set(c, "lxc.net.0.publish", "80", &e) < 0);
	assert_err_has(e, "lxc.net.0.publish needs type user");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(forms_are_understood),
	cmocka_unit_test(others_are_refused),
	cmocka_unit_test(one_port_is_published_once),
	cmocka_unit_test(it_needs_user_mode),
};
UNIT_MAIN(tests)

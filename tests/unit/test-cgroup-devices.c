/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* Device rules: their text, and the policy that they make. That the kernel enforces the same policy
 * is shown in test-cgroup. */
#include "harness/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cgroup/devices.h"

#define ALL (DEVICE_MKNOD | DEVICE_READ | DEVICE_WRITE)

static struct device_rule parse(const char *text, bool allow)
{
	struct device_rule r = { 0 };
	auto_err struct err *e = NULL;

	assert_int_equal(device_rule_parse(text, allow, true, &r, &e), 0);
	return r;
}

static void well_formed_rules_are_read(void **state)
{
	struct device_rule r = parse("c 1:3 rwm", true);

	(void)state;
	assert_true(r.allow && !r.all);
	assert_int_equal(r.type, 'c');
	assert_int_equal(r.major, 1);
	assert_int_equal(r.minor, 3);
	assert_int_equal(r.access, ALL);
	r = parse("b *:4294967295 w", false);
	assert_int_equal(r.type, 'b');
	assert_int_equal(r.major, DEVICE_ANY);
	assert_int_equal(r.minor, 4294967295);
	assert_int_equal(r.access, DEVICE_WRITE);
	r = parse("a *:* m", false);
	assert_true(!r.all);
	assert_int_equal(r.access, DEVICE_MKNOD);
	r = parse(" a ", false);
	assert_true(r.all);
	r = parse("c  136:*\trw", true);
	assert_int_equal(r.major, 136);
	r = parse("/dev/null rw", true);
	assert_int_equal(r.major, 1);
	assert_int_equal(r.minor, 3);
	assert_int_equal(r.type, 'c');
}

static void malformed_rules_are_refused(void **state)
{
	static const char *const bad[] = {
		"", " ", "x 1:3 rwm", "c 1:3 q", "c 1:3", "c 1:3 ", "c", "c 1 rwm", "c 1: rwm", "c :3 rwm",
		"c 1:3:4 rwm", "c -1:3 rwm", "c 1:0x3 rwm", "c 1:3 rwmr", "c 1:3 rwm more", "cc 1:3 rwm",
		"c 4294967296:3 rwm", "c 1:4294967296 rwm", "c ** rwm", "c *:** rwm", "a all", "aa", "c 1:3\nrwm",
		"c 1:3 rwm\n", "C 1:3 rwm", "/dev/null", "/dev/null x",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct device_rule r = { .major = 77 };
		auto_err struct err *e = NULL;

		if (device_rule_parse(bad[i], true, true, &r, &e) != -EINVAL)
			fail_msg("'%s' is taken", bad[i]);
		assert_err_id(e, "device-rule-malformed");
		assert_int_equal(r.major, 77);
	}
}

static void paths_must_be_devices(void **state)
{
	struct device_rule r = { 0 };
	auto_err struct err *e = NULL, *f = NULL;

	(void)state;
	assert_int_equal(device_rule_parse("/dev/no-such-device rw", true, true, &r, &e), -ENODEV);
	assert_err_id(e, "device-missing");
	assert_int_equal(device_rule_parse("/dev rw", true, true, &r, &f), -ENODEV);
	assert_err_has(f, "not a device");
	assert_int_equal(device_rule_parse("/dev/null rw", true, false, &r, NULL), -EINVAL);
}

static void text_comes_back(void **state)
{
	static const char *const rules[] = { "a", "c 1:3 rwm", "b *:* m", "c 136:* rw", "a *:5 r" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		struct device_rule r = parse(rules[i], true);
		struct buf b = BUF_INIT(64);

		device_rule_text(&r, &b);
		assert_string_equal(buf_str(&b), rules[i]);
		buf_done(&b);
	}
}

/* Rules as "+c 1:3 rwm" and "-a", separated by ';'. */
static struct device_policy policy(const char *rules, bool allow_default)
{
	struct device_policy p = { .allow_default = allow_default };
	char text[512], *rest = text, *word;

	(void)snprintf(text, sizeof(text), "%s", rules);
	while ((word = strsep(&rest, ";"))) {
		struct device_rule r = parse(word + 1, *word == '+');

		assert_int_equal(device_policy_apply(&p, &r), 0);
	}
	return p;
}

static void an_allowlist_allows_what_it_lists(void **state)
{
	struct device_policy p = policy("-a;+c 1:3 rwm;+c 5:* r;+b 8:0 w", false);

	(void)state;
	assert_true(device_policy_allows(&p, 'c', 1, 3, ALL));
	assert_true(device_policy_allows(&p, 'c', 5, 9, DEVICE_READ));
	assert_false(device_policy_allows(&p, 'c', 5, 9, DEVICE_READ | DEVICE_WRITE));
	assert_false(device_policy_allows(&p, 'b', 1, 3, DEVICE_READ));
	assert_false(device_policy_allows(&p, 'c', 1, 5, DEVICE_READ));
	device_policy_done(&p);
}

static void a_denial_takes_back_what_was_allowed(void **state)
{
	struct device_policy p = policy("-a;+c 1:3 rwm;-c 1:3 w", false);

	(void)state;
	assert_true(device_policy_allows(&p, 'c', 1, 3, DEVICE_READ));
	assert_false(device_policy_allows(&p, 'c', 1, 3, DEVICE_WRITE));
	device_policy_done(&p);
	p = policy("-a;+c 1:3 rwm;-c 1:3 rwm", false);
	assert_int_equal(p.exceptions.n, 0);
	device_policy_done(&p);
}

static void a_denylist_denies_any_part_of_what_it_lists(void **state)
{
	struct device_policy p = policy("+a;-c 1:3 w", false);

	(void)state;
	assert_true(device_policy_allows(&p, 'c', 1, 3, DEVICE_READ));
	assert_false(device_policy_allows(&p, 'c', 1, 3, DEVICE_WRITE));
	assert_false(device_policy_allows(&p, 'c', 1, 3, DEVICE_READ | DEVICE_WRITE));
	assert_true(device_policy_allows(&p, 'c', 1, 4, ALL));
	device_policy_done(&p);
}

static void a_lone_a_switches_the_mode_and_empties_the_list(void **state)
{
	struct device_policy p = policy("-a;+c 1:3 rwm;-a", true);

	(void)state;
	assert_false(p.allow_default);
	assert_int_equal(p.exceptions.n, 0);
	device_policy_done(&p);
	p = policy("-a;+c 1:3 rwm;+a", true);
	assert_true(p.allow_default);
	assert_int_equal(p.exceptions.n, 0);
	device_policy_done(&p);
}

static void only_rules_set_a_policy_and_there_is_a_limit(void **state)
{
	struct device_policy p = { 0 };
	struct device_rule r = { .allow = true, .type = 'c', .access = ALL };
	int rc = 0;

	(void)state;
	assert_false(p.set);
	for (r.minor = 0; r.minor < DEVICE_EXCEPTIONS_MAX && rc == 0; r.minor++)
		rc = device_policy_apply(&p, &r);
	assert_int_equal(rc, 0);
	assert_true(p.set);
	assert_int_equal(device_policy_apply(&p, &r), -E2BIG);
	r.minor = 1;
	assert_int_equal(device_policy_apply(&p, &r), 0);
	device_policy_done(&p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(well_formed_rules_are_read),
	cmocka_unit_test(malformed_rules_are_refused),
	cmocka_unit_test(paths_must_be_devices),
	cmocka_unit_test(text_comes_back),
	cmocka_unit_test(an_allowlist_allows_what_it_lists),
	cmocka_unit_test(a_denial_takes_back_what_was_allowed),
	cmocka_unit_test(a_denylist_denies_any_part_of_what_it_lists),
	cmocka_unit_test(a_lone_a_switches_the_mode_and_empties_the_list),
	cmocka_unit_test(only_rules_set_a_policy_and_there_is_a_limit),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "kernel/mountopt.h"

static void no_options_are_no_options(void **state)
{
	static const char *const none[] = { NULL, "", ",", ",,", "defaults", "sync,async,lazytime,remount" };

	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		auto_mountopt struct mountopt m = MOUNTOPT_INIT;

		assert_int_equal(mountopt_parse(none[i], &m, NULL), 0);
		assert_true(!m.attr_set && !m.attr_clr && !m.ms_flags && !m.propagation && !m.bind && !m.data);
	}
}

static void attributes_are_set_and_cleared(void **state)
{
	auto_mountopt struct mountopt m = MOUNTOPT_INIT;

	assert_int_equal(mountopt_parse("ro,nosuid,nodev,noexec,suid", &m, NULL), 0);
	assert_true(m.attr_set == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
	assert_true(m.attr_clr == MOUNT_ATTR_NOSUID);
	assert_true(m.ms_flags == (MS_RDONLY | MS_NODEV | MS_NOEXEC));
}

static void the_last_of_opposites_wins(void **state)
{
	auto_mountopt struct mountopt a = MOUNTOPT_INIT, b = MOUNTOPT_INIT;

	assert_int_equal(mountopt_parse("ro,rw", &a, NULL), 0);
	assert_true(!a.attr_set && a.attr_clr == MOUNT_ATTR_RDONLY && !a.ms_flags);
	assert_int_equal(mountopt_parse("rw,ro", &b, NULL), 0);
	assert_true(b.attr_set == MOUNT_ATTR_RDONLY && !b.attr_clr && b.ms_flags == MS_RDONLY);
}

/* One field of three values for the kernel: the field is always cleared before one is set. */
static void access_times_are_one_choice(void **state)
{
	static const struct {
		const char *text;
		uint64_t set;
		unsigned long ms;
	} cases[] = {
		{ "noatime", MOUNT_ATTR_NOATIME, MS_NOATIME },
		{ "strictatime", MOUNT_ATTR_STRICTATIME, MS_STRICTATIME },
		{ "noatime,relatime", MOUNT_ATTR_RELATIME, MS_RELATIME },
		{ "relatime,noatime", MOUNT_ATTR_NOATIME, MS_NOATIME },
		{ "noatime,atime", MOUNT_ATTR_RELATIME, 0 },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_mountopt struct mountopt m = MOUNTOPT_INIT;

		assert_int_equal(mountopt_parse(cases[i].text, &m, NULL), 0);
		assert_true(m.attr_set == cases[i].set);
		assert_true(m.attr_clr == MOUNT_ATTR__ATIME);
		assert_true(m.ms_flags == cases[i].ms);
	}
}

static void propagation_and_our_own_words_are_taken_out(void **state)
{
	auto_mountopt struct mountopt m = MOUNTOPT_INIT, n = MOUNTOPT_INIT;

	assert_int_equal(mountopt_parse("rbind,create=dir,optional,relative,rslave,idmap=container", &m, NULL), 0);
	assert_true(m.bind && m.rbind && m.create_dir && !m.create_file && m.optional && m.relative);
	assert_true(m.propagation == MS_SLAVE && m.propagation_rec);
	assert_string_equal(m.idmap, "container");
	assert_null(m.data);
	assert_int_equal(mountopt_parse("bind,shared,private,idmap=/proc/1/ns/user", &n, NULL), 0);
	assert_true(n.propagation == MS_PRIVATE && !n.propagation_rec && n.bind && !n.rbind);
	assert_string_equal(n.idmap, "/proc/1/ns/user");
}

/* Words that only begin like ours are the file system's. */
static void words_match_whole(void **state)
{
	auto_mountopt struct mountopt m = MOUNTOPT_INIT;

	assert_int_equal(mountopt_parse("rootcontext=x,devfoo,ro=1,xoptional,size=5m,mode=0755,optional2,bindx", &m, NULL), 0);
	assert_true(!m.attr_set && !m.attr_clr && !m.optional && !m.bind);
	assert_string_equal(m.data, "rootcontext=x,devfoo,ro=1,xoptional,size=5m,mode=0755,optional2,bindx");
}

static void contradictions_and_bad_words_are_named(void **state)
{
	static const char *const bad[] = { "create=both", "create=", "idmap=", "idmap=relative", "idmap=caller", "idmap=caller:", "idmap=caller:1x", "idmap=owner:1:", "idmap=owner:4294967295", "create=dir,create=file",
					   "bind,move", "move,rbind" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_mountopt struct mountopt m = MOUNTOPT_INIT;
		auto_err struct err *e = NULL;

		assert_int_equal(mountopt_parse(bad[i], &m, &e), -EINVAL);
		assert_err_id(e, "mount-option-bad");
		assert_true(!m.data && !m.idmap && !m.bind);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(no_options_are_no_options),
	cmocka_unit_test(attributes_are_set_and_cleared),
	cmocka_unit_test(the_last_of_opposites_wins),
	cmocka_unit_test(access_times_are_one_choice),
	cmocka_unit_test(propagation_and_our_own_words_are_taken_out),
	cmocka_unit_test(words_match_whole),
	cmocka_unit_test(contradictions_and_bad_words_are_named),
};
UNIT_MAIN(tests)

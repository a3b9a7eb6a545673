/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/caps.h"
#include "kernel/proc.h"

/* Ours against libcap's, which knows the same kernel. */
static void names_are_the_kernels(void **state)
{
	for (int cap = 0; cap <= CAP_CHECKPOINT_RESTORE; cap++) {
		char *theirs = cap_to_name(cap);
		int parsed = -1;

		assert_non_null(theirs);
		assert_non_null(caps_name(cap));
		assert_string_equal(theirs + strlen("cap_"), caps_name(cap));
		assert_int_equal(caps_parse(caps_name(cap), &parsed), 0);
		assert_int_equal(parsed, cap);
		(void)cap_free(theirs);
	}
	assert_null(caps_name(-1));
	assert_null(caps_name(63));
}

static void numbers_reach_to_the_last_one(void **state)
{
	char text[16];
	int cap = -1;

	assert_true(caps_last() >= CAP_AUDIT_READ && caps_last() < 63);
	assert_int_equal(caps_parse("21", &cap), 0);
	assert_int_equal(cap, CAP_SYS_ADMIN);
	(void)snprintf(text, sizeof(text), "%d", caps_last() + 1);
	assert_int_equal(caps_parse(text, &cap), -ERANGE);
	assert_int_equal(caps_parse("-1", &cap), -EINVAL);
	assert_int_equal(caps_parse("", &cap), -EINVAL);
	assert_int_equal(caps_parse("CAP_SYS_ADMIN", &cap), -EINVAL);
	assert_int_equal(cap, CAP_SYS_ADMIN);
}

static void a_slip_finds_its_name(void **state)
{
	assert_string_equal(caps_nearest("CAP_SYS_ADMIN"), "sys_admin");
	assert_string_equal(caps_nearest("sys_amdin"), "sys_admin");
	assert_null(caps_nearest("xyzzyxyzzy"));
}

static void drop(void *arg)
{
	struct err *e = NULL;

	CHECK_OK(caps_drop_bounding(CAPS_BIT(CAP_SYS_TIME) | CAPS_BIT(CAP_MKNOD), &e), e);
	CHECK(prctl(PR_CAPBSET_READ, CAP_SYS_TIME) == 0);
	CHECK(prctl(PR_CAPBSET_READ, CAP_MKNOD) == 0);
	CHECK(prctl(PR_CAPBSET_READ, CAP_CHOWN) == 1);
	/* Once more is no error, nor are bits that this kernel has no capability for. */
	CHECK_OK(caps_drop_bounding(CAPS_BIT(CAP_SYS_TIME) | CAPS_BIT(63), &e), e);
}

static void the_bounding_set_shrinks(void **state)
{
	unit_child_ns(0, drop, NULL);
}

static void inherit(void *arg)
{
	char text[32];
	struct err *e = NULL;
	cap_value_t one = CAP_NET_RAW;
	cap_t now = cap_get_proc();

	CHECK(now && cap_set_flag(now, CAP_INHERITABLE, 1, &one, CAP_SET) == 0 && cap_set_proc(now) == 0);
	(void)cap_free(now);
	CHECK(cap_set_ambient(CAP_NET_RAW, CAP_SET) == 0);
	CHECK_OK(caps_clear_inherited(&e), e);
	CHECK(cap_get_ambient(CAP_NET_RAW) == 0);
	CHECK(proc_status_field(getpid(), "CapInh", text, sizeof(text)) == 16 && strcmp(text, "0000000000000000") == 0);
	CHECK(proc_status_field(getpid(), "CapEff", text, sizeof(text)) == 16 && strcmp(text, "0000000000000000") != 0);
}

static void nothing_is_inherited(void **state)
{
	unit_child_ns(0, inherit, NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(names_are_the_kernels),
	cmocka_unit_test(numbers_reach_to_the_last_one),
	cmocka_unit_test(a_slip_finds_its_name),
	cmocka_unit_test(the_bounding_set_shrinks),
	cmocka_unit_test(nothing_is_inherited),
};
UNIT_MAIN(tests)

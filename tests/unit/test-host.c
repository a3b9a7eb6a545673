/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <linux/capability.h>
#include <string.h>
#include <unistd.h>

#include "kernel/host.h"

static void root_is_uid_0_of_the_first_namespace_only(void **state)
{
	assert_int_equal(host_is_root(), unit_is_root());
	if (geteuid() != 0)
		assert_false(host_is_root());
}

static void in_a_user_namespace(void *arg)
{
	CHECK(geteuid() == 0);
	CHECK(!host_in_initial_userns());
	CHECK(!host_is_root());
	CHECK(host_has_cap(CAP_SYS_ADMIN));
}

static void root_of_a_user_namespace_is_not_root(void **state)
{
	unit_child_userns(0, in_a_user_namespace, NULL);
}

static void capabilities_are_those_in_effect(void **state)
{
	assert_false(host_has_cap(63));
	assert_false(host_has_cap(-1));
	assert_false(host_has_cap(64));
	if (unit_is_root())
		assert_true(host_has_cap(CAP_CHOWN));
}

static void the_boot_id_is_a_uuid(void **state)
{
	char a[HOST_BOOT_ID_SIZE], b[HOST_BOOT_ID_SIZE];

	assert_int_equal(host_boot_id(a), 0);
	assert_int_equal(host_boot_id(b), 0);
	assert_int_equal(strlen(a), 36);
	assert_int_equal(a[8], '-');
	assert_string_equal(a, b);
}

static void the_machine_has_a_name(void **state)
{
	char machine[HOST_MACHINE_SIZE];

	host_machine(machine);
	assert_true(strlen(machine) > 2);
}

static void systemd_is_its_run_directory(void **state)
{
	assert_int_equal(host_has_systemd(), access("/run/systemd/system/", F_OK) == 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(root_is_uid_0_of_the_first_namespace_only),
	cmocka_unit_test(root_of_a_user_namespace_is_not_root),
	cmocka_unit_test(capabilities_are_those_in_effect),
	cmocka_unit_test(the_boot_id_is_a_uuid),
	cmocka_unit_test(the_machine_has_a_name),
	cmocka_unit_test(systemd_is_its_run_directory),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/subid.h"

#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "harness/unit.h"

/* In a mount namespace of its own: the file has this text. */
static void pretend(const char *dir, const char *name, const char *text)
{
	auto_free char *from = path_join(dir, name), *to = path_join("/etc", name);

	if (access(to, F_OK) < 0)
		unit_skip("needs %s: it does not exist", to);
	unit_write(dir, name, text);
	CHECK(mount(from, to, NULL, MS_BIND, NULL) == 0);
}

static void read_ranges(void *arg)
{
	struct subids s = { 0 };
	struct err *e = NULL;

	pretend(arg, "subuid", "other:100000:65536\nroot:165536:1000\nroot:x:5\n0:300000:65536\n# c\n"
			       "root:4294967290:10\nroot:5:0\nroot:1:2:3\n");
	pretend(arg, "subgid", "");
	CHECK_OK(subid_read(false, &s, &e), e);
	CHECK(s.n == 2);
	CHECK(s.v[0].first == 165536 && s.v[0].count == 1000);
	CHECK(s.v[1].first == 300000 && s.v[1].count == 65536);
	VEC_DONE(&s);
	CHECK_OK(subid_read(true, &s, &e), e);
	CHECK(s.n == 0);
	CHECK(subid_free(false) == 166536);
	CHECK(subid_free(true) == 100000);
}

static void ranges_are_the_callers_and_well_formed(void **state)
{
	char *dir = unit_tmpdir();

	if (!unit_is_root())
		unit_skip("needs root");
	unit_child_ns(0, read_ranges, dir);
	unit_tmpdir_free(dir);
}

static void files_and_options_belong_together(void **state)
{
	assert_string_equal(subid_file(false), "/etc/subuid");
	assert_string_equal(subid_option(false), "--add-subuids");
	assert_string_equal(subid_file(true), "/etc/subgid");
	assert_string_equal(subid_option(true), "--add-subgids");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(ranges_are_the_callers_and_well_formed),
	cmocka_unit_test(files_and_options_belong_together),
};
UNIT_MAIN(tests)

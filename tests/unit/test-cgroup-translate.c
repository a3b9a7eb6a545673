/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* What limits become on a host with other cgroups than the configuration was written for. The hosts
 * are made up: nothing is read from this one. */
#include "harness/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "cgroup/internal.h"

static char warnings[4096];

static void keep_warning(void *arg, const char *text)
{
	size_t n = strlen(warnings);

	(void)arg;
	(void)snprintf(warnings + n, sizeof(warnings) - n, "%s\n", text);
}

static struct log test_log = { .fd = -EBADF, .level = LOG_ERROR, .sink = keep_warning };

/* "unified=memory cpu;memory;cpu,cpuacct": hierarchies by label, v2 with its controllers. */
static struct cgroups *host(const char *layout)
{
	struct cgroups *g = cgroups_new();
	auto_strv struct strv words = { 0 };

	assert_non_null(g);
	g->log = &test_log;
	warnings[0] = '\0';
	assert_int_equal(strv_split(&words, layout, ";"), 0);
	for (size_t i = 0; i < words.n; i++) {
		const char *v2 = str_after(words.v[i], "unified=");
		struct hierarchy h = { .v2 = v2 != NULL, .usable = true, .root_fd = -EBADF, .join_fd = -EBADF };

		for (int k = 0; k < CG_ROLES; k++)
			h.dir[k].fd = -EBADF;
		h.label = strdup(v2 ? "unified" : words.v[i]);
		h.mount = strdup("/sys/fs/cgroup");
		h.root = strdup("/");
		h.base = strdup("");
		assert_int_equal(strv_split(&h.controllers, v2 ? v2 : words.v[i], v2 ? " " : ","), 0);
		assert_int_equal(VEC_PUSH(&g->h, h), 0);
	}
	return g;
}

#define V2 "unified=memory cpu io pids cpuset hugetlb"
#define V1 "memory;cpu,cpuacct;blkio;pids;cpuset;hugetlb;devices;freezer"

static void add_item(struct conf_list *l, const char *key, const char *value, unsigned line)
{
	struct conf_item it = { .key = strdup(key), .value = strdup(value), .at = { "config", line } };

	assert_int_equal(VEC_PUSH(l, it), 0);
}

static void list_done(struct conf_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].key);
		free(l->v[i].value);
	}
	VEC_DONE(l);
}

/* Lines "1memory.max=5;2cpu.max=3": the digit is the version. The result is "FILE=VALUE;..." or, when
 * the configuration is refused, the error's id. */
static char *translated(const char *layout, const char *lines)
{
	struct cgroups *g = host(layout);
	struct conf c = { 0 };
	auto_strv struct strv words = { 0 };
	auto_err struct err *e = NULL;
	struct buf b = BUF_INIT(4096);
	int r;

	assert_int_equal(strv_split(&words, lines, ";"), 0);
	for (size_t i = 0; i < words.n; i++) {
		char *eq = strchr(words.v[i], '=');

		*eq = '\0';
		add_item(*words.v[i] == '1' ? &c.cgroup1 : &c.cgroup2, words.v[i] + 1, eq + 1, (unsigned)i + 1);
	}
	r = translate_limits(g, &c, &e);
	if (r < 0) {
		assert_string_not_equal(err_root(e)->where, "");
		buf_adds(&b, err_id(e));
	}
	for (size_t i = 0; r == 0 && i < g->limits.n; i++)
		buf_addf(&b, "%s%s=%s", i ? ";" : "", g->limits.v[i].file, g->limits.v[i].value);
	list_done(&c.cgroup1);
	list_done(&c.cgroup2);
	cgroup_free(g);
	return buf_take(&b);
}

struct row {
	const char *given, *want;
};

static void check_rows(const char *layout, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		auto_free char *got = translated(layout, rows[i].given);

		if (!STREQ(got, rows[i].want))
			fail_msg("%s gives '%s', not '%s'", rows[i].given, got, rows[i].want);
	}
}

static void v1_limits_become_v2_limits(void **state)
{
	static const struct row rows[] = {
		{ "1memory.limit_in_bytes=256M", "memory.max=256M" },
		{ "1memory.limit_in_bytes=-1", "memory.max=max" },
		{ "1memory.limit_in_bytes=100;1memory.memsw.limit_in_bytes=250", "memory.max=100;memory.swap.max=150" },
		{ "1memory.limit_in_bytes=1K;1memory.memsw.limit_in_bytes=1M", "memory.max=1K;memory.swap.max=1047552" },
		{ "1memory.limit_in_bytes=2M;1memory.memsw.limit_in_bytes=1M", "cgroup-value-malformed" },
		{ "1cpu.shares=1024", "cpu.weight=39" },
		{ "1cpu.shares=2", "cpu.weight=1" },
		{ "1cpu.shares=262144", "cpu.weight=10000" },
		{ "1cpu.shares=many", "cgroup-value-malformed" },
		{ "1cpu.cfs_quota_us=50000", "cpu.max=50000 100000" },
		{ "1cpu.cfs_period_us=20000;1cpu.cfs_quota_us=-1", "cpu.max=max 20000" },
		{ "1cpu.cfs_period_us=20000", "cpu.max=max 20000" },
		{ "1cpuset.cpus=0-1;1cpuset.mems=0", "cpuset.cpus=0-1;cpuset.mems=0" },
		{ "1pids.max=77", "pids.max=77" },
		{ "1blkio.weight=10", "io.weight=1" },
		{ "1blkio.weight=1000", "io.weight=10000" },
		{ "1blkio.throttle.read_bps_device=8:0 1048576", "io.max=8:0 rbps=1048576" },
		{ "1blkio.throttle.write_iops_device=8:16 0", "io.max=8:16 wiops=max" },
		{ "1blkio.throttle.write_iops_device=8:16", "cgroup-value-malformed" },
		{ "1hugetlb.2MB.limit_in_bytes=4M", "hugetlb.2MB.max=4M" },
		{ "1hugetlb.1GB.rsvd.limit_in_bytes=1G", "hugetlb.1GB.rsvd.max=1G" },
	};

	(void)state;
	check_rows(V2, rows, ARRAY_SIZE(rows));
}

static void v2_limits_become_v1_limits(void **state)
{
	static const struct row rows[] = {
		{ "2memory.max=256M", "memory.limit_in_bytes=256M" },
		{ "2memory.max=max", "memory.limit_in_bytes=-1" },
		{ "2memory.swap.max=50;2memory.max=100", "memory.limit_in_bytes=100;memory.memsw.limit_in_bytes=150" },
		{ "2memory.swap.max=max", "memory.memsw.limit_in_bytes=-1" },
		{ "2cpu.weight=10000", "cpu.shares=262144" },
		{ "2cpu.weight=1", "cpu.shares=2" },
		{ "2cpu.max=50000 100000", "cpu.cfs_period_us=100000;cpu.cfs_quota_us=50000" },
		{ "2cpu.max=max", "cpu.cfs_quota_us=-1" },
		{ "2cpu.max=fast", "cgroup-value-malformed" },
		{ "2pids.max=77", "pids.max=77" },
		{ "2cpuset.cpus=0", "cpuset.cpus=0" },
		{ "2io.weight=default 10000", "blkio.weight=1000" },
		{ "2io.max=8:0 rbps=5 wiops=max", "blkio.throttle.read_bps_device=8:0 5;blkio.throttle.write_iops_device=8:0 0" },
		{ "2io.max=8:0 what=5", "cgroup-value-malformed" },
		{ "2hugetlb.2MB.max=max", "hugetlb.2MB.limit_in_bytes=-1" },
	};

	(void)state;
	check_rows(V1, rows, ARRAY_SIZE(rows));
}

static void native_limits_are_written_as_they_are(void **state)
{
	static const struct row hybrid[] = {
		{ "1memory.limit_in_bytes=256M;1memory.limit_in_bytes=128M", "memory.limit_in_bytes=256M;memory.limit_in_bytes=128M" },
		{ "1memory.memsw.limit_in_bytes=2M;1memory.limit_in_bytes=1M",
		  "memory.limit_in_bytes=1M;memory.memsw.limit_in_bytes=2M" },
		{ "2cgroup.max.depth=3", "cgroup.max.depth=3" },
		{ "2hugetlb.2MB.max=2M", "hugetlb.2MB.max=2M" },
		{ "2memory.max=2M", "memory.limit_in_bytes=2M" },
	};

	(void)state;
	check_rows("memory;unified=hugetlb", hybrid, ARRAY_SIZE(hybrid));
}

static void the_native_form_of_a_limit_wins_silently(void **state)
{
	static const struct row v2[] = { { "1memory.limit_in_bytes=1M;2memory.max=2M", "memory.max=2M" } };
	static const struct row v1[] = { { "2memory.max=2M;1memory.limit_in_bytes=1M", "memory.limit_in_bytes=1M" } };

	(void)state;
	check_rows(V2, v2, 1);
	assert_string_equal(warnings, "");
	check_rows(V1, v1, 1);
	assert_string_equal(warnings, "");
}

static void what_has_no_counterpart_is_named_once(void **state)
{
	static const struct row v2[] = {
		{ "1memory.swappiness=10;1memory.swappiness=20;1net_cls.classid=5", "" },
	};
	static const struct row v1[] = { { "2memory.high=2M", "" } };

	(void)state;
	check_rows(V2, v2, 1);
	assert_non_null(strstr(warnings, "config:1: lxc.cgroup.memory.swappiness has no effect"));
	assert_null(strstr(warnings, "config:2"));
	assert_non_null(strstr(warnings, "config:3: lxc.cgroup.net_cls.classid has no effect"));
	check_rows(V1, v1, 1);
	assert_non_null(strstr(warnings, "config:1: lxc.cgroup2.memory.high has no effect"));
}

static void missing_controllers_are_errors(void **state)
{
	static const struct row v2[] = {
		{ "2nosuch.max=1", "cgroup-controller-missing" },
		{ "2memory.max=1", "cgroup-controller-missing" },
		{ "1memory.limit_in_bytes=1", "cgroup-controller-missing" },
	};
	static const struct row hybrid[] = { { "1net_cls.classid=1", "cgroup-controller-missing" } };

	(void)state;
	check_rows("unified=hugetlb", v2, ARRAY_SIZE(v2));
	check_rows(V1 ";unified=", hybrid, ARRAY_SIZE(hybrid));
}

static void names_that_are_no_limit_files_are_refused(void **state)
{
	static const char *const keys[] = { "../memory.max", "memory/max", "..", "memory.max\n", "memory max", "",
					    ".memory", "cgroup.procs", "tasks", "release_agent" };

	(void)state;
	for (int version = 1; version <= 2; version++)
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			auto_free char *line = NULL, *got = NULL;

			assert_true(asprintf(&line, "%d%s=1", version, keys[i]) > 0);
			got = translated(V1 ";" V2, line);
			if (!STREQ(got, "cgroup-file-invalid"))
				fail_msg("'%s' gives '%s'", keys[i], got);
		}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(v1_limits_become_v2_limits),
	cmocka_unit_test(v2_limits_become_v1_limits),
	cmocka_unit_test(native_limits_are_written_as_they_are),
	cmocka_unit_test(the_native_form_of_a_limit_wins_silently),
	cmocka_unit_test(what_has_no_counterpart_is_named_once),
	cmocka_unit_test(missing_controllers_are_errors),
	cmocka_unit_test(names_that_are_no_limit_files_are_refused),
};
UNIT_MAIN(tests)

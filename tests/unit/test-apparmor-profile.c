/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "security/apparmor_profile.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "harness/unit.h"

/* AppArmor's globs, as far as the generator writes them. */
static bool matches(const char *g, const char *s);

static bool matches_brace(const char *g, const char *s)
{
	const char *end = g + 1, *part = g + 1;
	char buf[1024];

	for (int depth = 1; depth; end++)
		depth += (*end == '{') - (*end == '}');
	for (const char *p = part; p < end; p++) {
		/* No braces within braces here. */
		if (*p != ',' && *p != '}')
			continue;
		(void)snprintf(buf, sizeof(buf), "%.*s%s", (int)(p - part), part, end);
		if (matches(buf, s))
			return true;
		part = p + 1;
	}
	return false;
}

static bool matches(const char *g, const char *s)
{
	if (!*g)
		return !*s;
	if (g[0] == '{')
		return matches_brace(g, s);
	if (g[0] == '*') {
		const bool deep = g[1] == '*';

		for (;; s++) {
			if (matches(g + 1 + deep, s))
				return true;
			if (!*s || (*s == '/' && !deep))
				return false;
		}
	}
	if (g[0] == '[') {
		const char *end = strchr(g, ']');

		assert_int_equal(g[1], '^');
		return *s && !memchr(g + 2, *s, (size_t)(end - g - 2)) && matches(end + 1, s + 1);
	}
	return *g == *s && matches(g + 1, s + 1);
}

static bool any_matches(char *globs, const char *path)
{
	auto_free char *copy = strdup(globs);
	char *rest = copy, *line;

	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line && matches(line, path))
			return true;
	return false;
}

static void all_except_matches_everything_else(void **state)
{
	static const char *const except[] = { "kernel/domainname", "kernel/hostname", "kernel/msg*", "net/" };
	static const struct {
		const char *path;
		bool want;
	} cases[] = {
		{ "/s/kernel/hostname", false },    { "/s/kernel/domainname", false },
		{ "/s/kernel/msgmax", false },	    { "/s/kernel/msg", false },
		{ "/s/net/ipv4/ip_forward", false }, { "/s/net/core", false },
		{ "/s/kernel/core_pattern", true }, { "/s/kernel/hostnam", true },
		{ "/s/kernel/hostnames", true },    { "/s/kernel/h", true },
		{ "/s/kernel/d", true },	    { "/s/kernel/ms", true },
		{ "/s/kernel/random/boot_id", true }, { "/s/kernel/h/x", true },
		{ "/s/kernel/domainnames/x", true }, { "/s/vm/swappiness", true },
		{ "/s/n", true },		    { "/s/ne", true },
		{ "/s/netx/y", true },		    { "/s/kernels", true },
		{ "/s/k", true },		    { "/s/k/x", true },
		{ "/s/fs/a/b/c", true },	    { "/t/fs", false },
	};
	auto_buf struct buf b = BUF_INIT(65536);

	apparmor_all_except(&b, "/s/", except, ARRAY_SIZE(except), "", "{,/**}");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (any_matches(b.p, cases[i].path) != cases[i].want)
			fail_msg("%s: %d", cases[i].path, !cases[i].want);
}

static const struct {
	const char *file;
	struct apparmor_profile p;
} golden[] = {
	{ "privileged", { .name = "lxc-c1_</var/lib/lxc>" } },
	{ "privileged-stacked", { .name = "lxc-c1_</var/lib/lxc>", .ns = "lxc-c1_<-var-lib-lxc>", .unix_rules = true } },
	{ "nesting", { .name = "lxc-c1_</var/lib/lxc>", .nesting = true } },
	{ "mapped", { .name = "lxc-c1_</var/lib/lxc>", .mapped = true, .unix_rules = true, .new_rules = true,
		      .userns_rules = true, .io_uring_rules = true, .ns = "lxc-c1_<-var-lib-lxc>" } },
};

/* UPDATE_GOLDEN=1 writes the files anew; what changed is then for the reader of the diff. */
static void texts_are_the_golden_ones(void **state)
{
	const char *top = getenv("top_srcdir");
	struct conf_item raw[] = { { .value = (char *)"deny /x/** rw," }, { .value = (char *)"/y r," } };
	const struct conf_list list = { { raw, ARRAY_SIZE(raw) } };

	for (size_t i = 0; i < ARRAY_SIZE(golden); i++) {
		auto_free char *path = NULL, *want = NULL, *got = NULL;
		struct apparmor_profile p = golden[i].p;

		p.raw = p.mapped ? &list : NULL;
		got = apparmor_profile_text(&p);
		assert_non_null(got);
		assert_true(asprintf(&path, "%s/tests/golden/apparmor", top ? top : ".") > 0);
		if (getenv("UPDATE_GOLDEN"))
			unit_write(path, golden[i].file, got);
		auto_close int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

		assert_int_equal(io_read_file(dir, golden[i].file, 1 << 20, &want, NULL, NULL), 0);
		assert_string_equal(got, want);
	}
}

/* In a user namespace nothing stands between a guest and the
 * kernel's own checks; outside of one, much does. */
static void mapped_guests_have_no_walls_of_paths(void **state)
{
	const struct apparmor_profile mapped = { .name = "x", .mapped = true }, privileged = { .name = "x" };
	auto_free char *a = apparmor_profile_text(&mapped), *b = apparmor_profile_text(&privileged);

	assert_non_null(strstr(a, "\n  mount,\n"));
	assert_non_null(strstr(a, "\n  pivot_root,\n"));
	assert_null(strstr(a, "deny /"));
	assert_null(strstr(b, "\n  mount,\n"));
	assert_non_null(strstr(b, "}proc/kcore rwklx,"));
	assert_non_null(strstr(a, "deny network alg,"));
	assert_non_null(strstr(b, "deny network alg,"));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(all_except_matches_everything_else),
	cmocka_unit_test(texts_are_the_golden_ones),
	cmocka_unit_test(mapped_guests_have_no_walls_of_paths),
};
UNIT_MAIN(tests)

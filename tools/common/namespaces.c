/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/namespaces.h"

#include <sched.h>
#include <string.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* The short words in any case, the long ones in upper case only. */
static const struct name_value short_names[] = {
	{ "mnt", CLONE_NEWNS },	       { "net", CLONE_NEWNET },	 { "uts", CLONE_NEWUTS },
	{ "ipc", CLONE_NEWIPC },       { "pid", CLONE_NEWPID },	 { "user", CLONE_NEWUSER },
	{ "cgroup", CLONE_NEWCGROUP }, { "time", CLONE_NEWTIME },
};
static const struct name_value long_names[] = {
	{ "MOUNT", CLONE_NEWNS },
	{ "NETWORK", CLONE_NEWNET },
	{ "UTSNAME", CLONE_NEWUTS },
};

static const struct name_value *find_namespace(const char *word)
{
	const struct name_value *row = table_by_name_n(long_names, ARRAY_SIZE(long_names), word);

	return row ? row : table_by_nocase_n(short_names, ARRAY_SIZE(short_names), word);
}

int words_parse(struct tool *t, const char *option, const char *what, const char *list,
		const struct name_value *(*find)(const char *), int *ret)
{
	auto_strv struct strv words = { 0 };
	int flags = 0;

	if (strv_split(&words, list, "|") < 0)
		return tool_usage(t, "out of memory");
	if (words.n == 0)
		return tool_usage(t, "option %s: '%s' names no %s", option, list, what);
	for (size_t i = 0; i < words.n; i++) {
		const struct name_value *row = find(words.v[i]);

		if (!row)
			return tool_usage(t, "option %s: '%s' is not a %s", option, words.v[i], what);
		flags |= (int)row->value;
	}
	*ret = flags;
	return 0;
}

int namespaces_parse(struct tool *t, const char *list, int *ret)
{
	return words_parse(t, "--namespaces (-s)", "namespace", list, find_namespace, ret);
}

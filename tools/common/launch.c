/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/launch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"

void launch_done(struct launch *l)
{
	strv_done(&l->defines);
}

int launch_define(struct tool *t, struct launch *l, const char *text)
{
	const char *trimmed = text + strspn(text, " \t");

	if (!strchr(text, '='))
		return tool_usage(t, "option --define (-s): '%s' is not KEY=VALUE", text);
	if (!str_after(trimmed, "lxc."))
		return tool_usage(t, "option --define (-s): '%s' does not begin with 'lxc.'", text);
	return strv_add(&l->defines, text) < 0 ? tool_usage(t, "out of memory") : 0;
}

int launch_set(struct tool *t, struct lxc_container *c, const char *key, const char *value)
{
	if (c->set_config_item(c, key, value))
		return 0;
	(void)tool_failed(t, c, "cannot set %s to '%s'", key, value);
	return -1;
}

/* The same splitting as for a line of a config file: at the first '=', blanks around both sides
 * dropped, one pair of equal quotes around the value dropped. */
static int apply_define(struct tool *t, struct lxc_container *c, const char *text)
{
	auto_free char *line = strdup(text);
	char *value, *key;
	size_t n;

	if (!line)
		return tool_usage(t, "out of memory");
	value = strchr(line, '=');
	*value++ = '\0';
	key = str_trim(line);
	value = str_trim(value);
	n = strlen(value);
	if (n > 1 && (*value == '"' || *value == '\'') && value[n - 1] == *value) {
		value[n - 1] = '\0';
		value++;
	}
	return launch_set(t, c, key, value);
}

int launch_apply(struct tool *t, struct launch *l, struct lxc_container *c)
{
	static const char *const keys[SHARE_MAX] = {
		[SHARE_NET] = "lxc.namespace.share.net",
		[SHARE_IPC] = "lxc.namespace.share.ipc",
		[SHARE_UTS] = "lxc.namespace.share.uts",
		[SHARE_PID] = "lxc.namespace.share.pid",
	};

	for (size_t i = 0; i < l->defines.n; i++)
		if (apply_define(t, c, l->defines.v[i]) < 0)
			return -1;
	for (int i = 0; i < SHARE_MAX; i++)
		if (l->share[i] && launch_set(t, c, keys[i], l->share[i]) < 0)
			return -1;
	return 0;
}

char *launch_absolute(const char *path)
{
	auto_free char *cwd = NULL;

	if (path_is_absolute(path))
		return strdup(path);
	cwd = getcwd(NULL, 0);
	return cwd ? path_join(cwd, path) : NULL;
}

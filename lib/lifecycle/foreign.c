/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/foreign.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "cgroup/cgroup.h"
#include "config/system.h"
#include "lifecycle/command.h"
#include "lifecycle/events.h"

#define FILE_MAX (4U << 20)

DEFINE_AUTO(struct cgroups *, cgroup_free)

/* Of LXC 4.0.0 and before there is but one cgroup. */
static char *path_of(void *arg, const char *controller)
{
	const struct target *t = arg;
	char *path = NULL;

	if (client_cgroup_path(t, controller, true, &path, NULL) < 0 && client_cgroup_path(t, controller, false, &path, NULL) < 0)
		return NULL;
	return path;
}

static int open_cgroups(const struct target *t, struct cgroups **ret, struct err **e)
{
	struct target copy = *t;

	return cgroup_of_other(path_of, &copy, ret, e);
}

int foreign_cgroup_get(const struct target *t, const char *file, struct buf *b, struct err **e)
{
	auto_with(cgroup_free) struct cgroups *g = NULL;
	int r = open_cgroups(t, &g, e);

	return r < 0 ? r : cgroup_get(g, file, b, e);
}

int foreign_cgroup_set(const struct target *t, const char *file, const char *value, struct err **e)
{
	auto_with(cgroup_free) struct cgroups *g = NULL;
	int r = open_cgroups(t, &g, e);

	return r < 0 ? r : cgroup_set(g, file, value, e);
}

static char *foreign_item(const struct target *t, const char *key)
{
	char *value;

	return client_config_item(t, key, &value, NULL) == 0 ? value : NULL;
}

int foreign_get_many(const struct target *t, const char *const *names, size_t n, char **values, struct err **e)
{
	auto_with(cgroup_free) struct cgroups *g = NULL;
	int r = open_cgroups(t, &g, e);

	for (size_t i = 0; i < n && r == 0; i++) {
		auto_buf struct buf b = BUF_INIT(FILE_MAX);
		const char *name = names[i];

		values[i] = NULL;
		if (*name == MANY_ELSE && i && values[i - 1])
			continue;
		name += *name == MANY_ELSE;
		if (*name == MANY_FILE)
			values[i] = cgroup_get(g, name + 1, &b, NULL) == 0 ? buf_take(&b) : NULL;
		else if (*name == MANY_KEY)
			values[i] = foreign_item(t, name + 1);
	}
	return r;
}

/* Who waits for a state is told by the monitor, who listens for all by us, as LXC's clients do it. */
static void tell(const struct target *t, const char *rundir, enum lxc_state state)
{
	client_tell_state(t, state);
	if (rundir)
		events_write(rundir, t->lxcpath, t->name, MESSAGE_STATE, (int)state);
}

int foreign_freeze(const struct target *t, bool frozen, struct err **e)
{
	auto_with(cgroup_free) struct cgroups *g = NULL;
	auto_free char *rundir = system_rundir(NULL);
	int r = open_cgroups(t, &g, e);

	if (r < 0)
		return r;
	if (frozen)
		tell(t, rundir, STATE_FREEZING);
	r = cgroup_freeze(g, frozen, t->timeout_ms ? t->timeout_ms : CLIENT_TIMEOUT_MS, e);
	/* One that took too long was thawed again. */
	if (r == 0)
		tell(t, rundir, frozen ? STATE_FROZEN : STATE_THAWED);
	if (r < 0 || !frozen)
		tell(t, rundir, STATE_RUNNING);
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "cgroup/internal.h"

/* Writes pid into PATH of the hierarchy that a line "ID:CONTROLLERS:PATH" names. */
static int join_line(struct cgroups *g, char *line, const char *pid, struct err **e)
{
	char *controllers = strchr(line, ':'), *path;
	struct hierarchy *h;
	auto_close int dir = -EBADF;
	int r;

	path = controllers ? strchr(controllers + 1, ':') : NULL;
	if (!path)
		return 0;
	*controllers++ = *path++ = '\0';
	if (*controllers)
		controllers[strcspn(controllers, ",")] = '\0';
	h = *controllers ? layout_find(&g->h, controllers) : layout_v2(&g->h);
	if (!h)
		return 0;
	dir = dirs_open(h, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = dir < 0 ? dir : io_write_value(dir, "cgroup.procs", pid);
	/* A guest that manages cgroups has made its root one that takes no processes. */
	if (r == -EBUSY || r == -ENOENT)
		return 0;
	return r < 0 ? err_set(e, -r, NULL, "the process cannot join %s of %s", path, h->label) : 0;
}

int cgroup_join(pid_t where, pid_t pid, struct err **e)
{
	auto_cgroups struct cgroups *g = cgroups_new();
	char path[64], text[16];
	auto_free char *lines = NULL;
	auto_close int fd = -EBADF;
	int r;

	if (!g)
		return err_no_memory(e);
	r = layout_read(false, &g->h, e);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", where);
	(void)snprintf(text, sizeof(text), "%d", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	r = fd < 0 ? -errno : io_read_fd(fd, 65536, &lines, NULL);
	if (r < 0)
		return err_set(e, -r, NULL, "cannot read %s", path);
	for (char *line = lines, *next; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		r = join_line(g, line, text, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "cgroup/internal.h"

/* A path of /proc/PID/cgroup below the mount of its hierarchy; NULL: it is not below it. */
static const char *below_mount(const struct hierarchy *h, const char *path)
{
	const char *rest = STREQ(h->root, "/") ? path : str_after(path, h->root);

	return rest && !path_has_dotdot(rest) ? rest + strspn(rest, "/") : NULL;
}

/* What passes controllers of version 2 on takes no processes itself: LXC and we have a place for them in it. */
static int join(const struct hierarchy *h, int dir, const char *pid)
{
	int r = io_write_value(dir, "cgroup.procs", pid);

	if (r != -EBUSY || !h->v2)
		return r;
	(void)mkdirat(dir, ATTACH_DIR, 0755);

	auto_close int leaf = openat(dir, ATTACH_DIR, CG_LEAF_FLAGS);

	return leaf < 0 ? r : io_write_value(leaf, "cgroup.procs", pid);
}

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
	path = (char *)below_mount(h, path);
	if (!path)
		return 0;
	dir = dirs_open(h, path, CG_ROOT_FLAGS);
	r = dir < 0 ? dir : join(h, dir, pid);
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

/* Opens the limit cgroup of one hierarchy; one that cannot be opened is left out. */
static int open_limit(struct hierarchy *h, char *(*path_of)(void *arg, const char *controller), void *arg)
{
	auto_free char *path = path_of(arg, h->v2 ? NULL : h->controllers.v[0]);
	struct cg_dir *d = &h->dir[CG_LIMIT];

	if (!path || !*path || path_has_dotdot(path))
		return 0;
	if (asprintf(&d->path, "/%s", path + strspn(path, "/")) < 0) {
		d->path = NULL;
		return -ENOMEM;
	}
	d->fd = dirs_open(h, dir_at(d), CG_ROOT_FLAGS);
	return 0;
}

int cgroup_of_other(char *(*path_of)(void *arg, const char *controller), void *arg, struct cgroups **ret, struct err **e)
{
	auto_cgroups struct cgroups *g = cgroups_new();
	const struct hierarchy *devices;
	int r;

	if (!g)
		return err_no_memory(e);
	r = layout_read(false, &g->h, e);
	for (size_t i = 0; i < g->h.n && r == 0; i++)
		/* Where version 1 has a freezer, that is what LXC looks at. */
		if (!g->h.v[i].v2 || !layout_find(&g->h, "freezer"))
			r = open_limit(&g->h.v[i], path_of, arg) < 0 ? err_no_memory(e) : 0;
	if (r < 0)
		return r;
	devices = layout_find(&g->h, "devices");
	g->devices_h = devices ? devices - g->h.v : -1;
	*ret = take_ptr(g);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* delegate - gives the payload's own directory to the container's root. Runs in the monitor. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/table.h"
#include "cgroup/internal.h"

struct owner {
	uid_t uid;
	gid_t gid;
};

/* Limits stay with us: only the directory and the files of the kernel's own list are given away. */
static int chown_dir(int fd, const struct strv *files, const struct owner *o)
{
	if (fchown(fd, o->uid, o->gid) < 0 || fchmod(fd, 0775) < 0)
		return -errno;
	for (size_t i = 0; i < files->n; i++) {
		if (strchr(files->v[i], '/'))
			continue;
		if (fchownat(fd, files->v[i], o->uid, o->gid, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno != ENOENT)
				return -errno;
			continue;
		}
		if (fchmodat(fd, files->v[i], 0664, 0) < 0)
			return -errno;
	}
	return 0;
}

struct chown_job {
	int fd;
	const struct strv *files;
};

/* As mapped root of a namespace that has the caller's id too: the group becomes the container's
 * root, the owner stays the caller. */
static int chown_mapped(void *arg, struct err **e)
{
	const struct chown_job *j = arg;
	struct owner o = { .uid = (uid_t)-1, .gid = 0 };
	int r = chown_dir(j->fd, j->files, &o);

	return r < 0 ? err_set(e, -r, NULL, "cannot give the cgroup to the container's root") : 0;
}

/* The map with the caller's own ids at the first free place, so that its files are mapped. */
static int extend_map(const struct idmap *map, struct idmap *ret)
{
	uint32_t free_uid = 0, free_gid = 0;
	struct idmap_range own = { .range = 1 };
	int r = 0;

	for (size_t i = 0; i < map->n && r == 0; i++) {
		const struct idmap_range *m = &map->v[i];
		uint32_t end = m->nsid + m->range;

		if (m->gid)
			free_gid = end > free_gid ? end : free_gid;
		else
			free_uid = end > free_uid ? end : free_uid;
		r = VEC_PUSH(ret, *m);
	}
	own.nsid = free_uid;
	own.hostid = geteuid();
	if (r == 0 && idmap_to_ns(map, false, own.hostid) == UINT32_MAX)
		r = VEC_PUSH(ret, own);
	own = (struct idmap_range){ .gid = true, .nsid = free_gid, .hostid = getegid(), .range = 1 };
	if (r == 0 && idmap_to_ns(map, true, own.hostid) == UINT32_MAX)
		r = VEC_PUSH(ret, own);
	return r;
}

static int give(const struct cgroups *g, int fd, const struct strv *files, struct err **e)
{
	struct owner o = { .uid = idmap_to_host(&g->map, false, 0), .gid = idmap_to_host(&g->map, true, 0) };
	struct chown_job j = { .fd = fd, .files = files };
	struct idmap map = { 0 };
	int r;

	if (o.uid == UINT32_MAX || o.gid == UINT32_MAX)
		return 0;
	if (geteuid() == 0) {
		r = chown_dir(fd, files, &o);
		return r < 0 ? err_set(e, -r, NULL, "cannot give the cgroup to the container's root") : 0;
	}
	r = extend_map(&g->map, &map);
	r = r < 0 ? err_no_memory(e) : idmap_run(&map, chown_mapped, &j, e);
	idmap_done(&map);
	return r;
}

int cgroup_delegate(struct cgroups *g, const struct conf *c, struct err **e)
{
	static const char *const always[] = { "cgroup.procs", "cgroup.threads", "cgroup.subtree_control",
					      "memory.oom.group" };
	auto_close int kernel = open("/sys/kernel/cgroup", CG_ROOT_FLAGS);
	auto_strv struct strv v2 = { 0 }, v1 = { 0 };
	int r = 0;

	if (!conf_is_mapped(c))
		return 0;
	if (kernel >= 0)
		r = v2_read_words(kernel, "delegate", &v2);
	for (size_t i = 0; r != -ENOMEM && i < ARRAY_SIZE(always); i++)
		if (!strv_has(&v2, always[i]))
			r = strv_add(&v2, always[i]);
	if (r == -ENOMEM || strv_add(&v1, "cgroup.procs") < 0 || strv_add(&v1, "tasks") < 0)
		return err_no_memory(e);
	r = 0;
	for (size_t i = 0; i < g->h.n && r == 0; i++) {
		const struct hierarchy *h = &g->h.v[i];
		const struct cg_dir *d = dirs_payload(h);

		if (d->fd < 0)
			continue;
		r = give(g, d->fd, h->v2 ? &v2 : &v1, e);
		if (r < 0)
			r = err_wrap(e, r, "delegating cgroup %s", d->path);
	}
	return r;
}

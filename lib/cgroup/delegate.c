/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* delegate - gives the payload's own directory to the container's root, and finds the place where a
 * process that attaches may enter. Runs in the monitor. */
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

#define ATTACH_DIR ".lxc"

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

/* A v2 cgroup that passes controllers on takes no processes: a leaf below it does. */
static int attach_leaf(const struct hierarchy *h)
{
	const struct cg_dir *d = dirs_payload(h);
	auto_strv struct strv on = { 0 };
	int r = v2_read_words(d->fd, "cgroup.subtree_control", &on), fd;

	if (r < 0)
		return r;
	if (!on.n) {
		fd = openat(d->fd, ".", CG_LEAF_FLAGS);
		return fd < 0 ? -errno : fd;
	}
	if (mkdirat(d->fd, ATTACH_DIR, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(d->fd, ATTACH_DIR, CG_LEAF_FLAGS);
	return fd < 0 ? -errno : fd;
}

int cgroup_attach_fd(struct cgroups *g, struct err **e)
{
	const struct hierarchy *h = layout_v2(&g->h);
	int fd;

	if (!h || dirs_payload(h)->fd < 0)
		return err_set(e, ENOENT, NULL, "the container has no cgroup on v2");
	fd = attach_leaf(h);
	return fd < 0 ? err_set(e, -fd, NULL, "cannot enter cgroup %s", dirs_payload(h)->path) : fd;
}

/* The text of /proc/PID/cgroup, "" when it cannot be read. */
static char *memberships(pid_t pid)
{
	char path[64];
	auto_close int fd = -EBADF;
	char *text = NULL;

	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || io_read_fd(fd, CG_FILE_MAX, &text, NULL) < 0)
		return strdup("");
	return text;
}

/* True if the process is in the payload's directory of h or below it. */
static bool is_member(const struct hierarchy *h, const char *text)
{
	auto_free char *line = NULL;
	const char *at;

	if (asprintf(&line, ":%s:%s%s", h->v2 ? "" : h->label, STREQ(h->root, "/") ? "" : h->root,
		     dirs_payload(h)->path) < 0) {
		line = NULL;
		return false;
	}
	at = strstr(text, line);
	return at && (at[strlen(line)] == '\n' || at[strlen(line)] == '/');
}

int cgroup_attach(struct cgroups *g, pid_t pid, struct err **e)
{
	auto_free char *text = memberships(pid);
	char number[16];

	if (!text)
		return err_no_memory(e);
	(void)snprintf(number, sizeof(number), "%d", pid);
	for (size_t i = 0; i < g->h.n; i++) {
		const struct hierarchy *h = &g->h.v[i];
		const struct cg_dir *d = dirs_payload(h);
		auto_close int leaf = -EBADF;
		int r;

		if (d->fd < 0 || is_member(h, text))
			continue;
		leaf = h->v2 ? attach_leaf(h) : -EBADF;
		r = h->v2 && leaf < 0 ? leaf : io_write_value(h->v2 ? leaf : d->fd, "cgroup.procs", number);
		if (r < 0)
			return err_set(e, -r, NULL, "cannot move process %d into cgroup %s", pid, d->path);
	}
	return 0;
}

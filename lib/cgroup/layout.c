/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* layout - which hierarchies this host has, where they are mounted, where containers go in them, and
 * whether the caller may make cgroups there. Runs in the monitor. */
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
#include "base/table.h"
#include "cgroup/internal.h"
#include "cgroup/scope.h"
#include "kernel/mountinfo.h"

/* Controllers whose name changed from v1 to v2. */
static const struct {
	const char *v1, *v2;
} renamed[] = {
	{ "blkio", "io" },
};

const char *layout_controller_v1(const char *controller)
{
	for (size_t i = 0; i < ARRAY_SIZE(renamed); i++)
		if (STREQ(renamed[i].v2, controller))
			return renamed[i].v1;
	return controller;
}

const char *layout_controller_v2(const char *controller)
{
	for (size_t i = 0; i < ARRAY_SIZE(renamed); i++)
		if (STREQ(renamed[i].v1, controller))
			return renamed[i].v2;
	return controller;
}

static void hierarchy_done(struct hierarchy *h)
{
	strv_done(&h->controllers);
	strv_done(&h->parents);
	free(h->label);
	free(h->mount);
	free(h->root);
	free(h->base);
	free(h->home);
	free(h->later);
	fd_close(h->root_fd);
	fd_close(h->join_fd);
	for (int i = 0; i < CG_ROLES; i++) {
		free(h->dir[i].path);
		fd_close(h->dir[i].fd);
	}
}

void layout_done(struct hierarchies *h)
{
	for (size_t i = 0; i < h->n; i++)
		hierarchy_done(&h->v[i]);
	VEC_DONE(h);
}

struct hierarchy *layout_v2(struct hierarchies *h)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].v2)
			return &h->v[i];
	return NULL;
}

struct hierarchy *layout_find(struct hierarchies *h, const char *controller)
{
	for (size_t i = 0; i < h->n; i++)
		if (!h->v[i].v2 && strv_has(&h->v[i].controllers, controller))
			return &h->v[i];
	return NULL;
}

char *layout_path(const struct hierarchy *h, const char *path)
{
	return path_join(h->mount, path);
}

/* True if option, up to a comma, is one of the mount's super options. */
static bool has_option(const char *options, const char *option)
{
	size_t n = strlen(option);

	for (const char *p = options; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (strncmp(p, option, n) == 0 && (p[n] == ',' || p[n] == '\0'))
			return true;
	return false;
}

static bool mount_is_of(const struct mountinfo_entry *m, const struct hierarchy *h)
{
	if (h->v2)
		return STREQ(m->type, "cgroup2");
	return STREQ(m->type, "cgroup") && h->controllers.n && has_option(m->super, h->controllers.v[0]);
}

/* An fd of the mount point if what is visible there is this mount and nothing on top of it. */
static int open_mount(const struct mountinfo_entry *m)
{
	auto_close int fd = open(m->point, CG_ROOT_FLAGS);
	struct statx sx;

	if (fd < 0)
		return -errno;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &sx) < 0)
		return -errno;
	if ((sx.stx_mask & STATX_MNT_ID) && sx.stx_mnt_id != (uint64_t)m->id)
		return -ESTALE;
	return take_fd(&fd);
}

/* The standard place is preferred to bind mounts elsewhere, and a whole hierarchy to a part. */
static int rank(const struct mountinfo_entry *m)
{
	return (mountinfo_is_below(m, "/sys/fs/cgroup") ? 2 : 0) + (STREQ(m->root, "/") ? 1 : 0);
}

/* True if /sys/fs/cgroup is v2 itself. Then v1 hierarchies that are mounted at other places are somebody else's. */
static bool host_is_v2(const struct mountinfo *mounts)
{
	bool v2 = false;

	for (size_t i = 0; i < mounts->n; i++)
		if (STREQ(mounts->v[i].point, "/sys/fs/cgroup"))
			v2 = STREQ(mounts->v[i].type, "cgroup2");
	return v2;
}

static int find_mount(struct hierarchy *h, const struct mountinfo *mounts)
{
	int least = !h->v2 && host_is_v2(mounts) ? 2 : 0, best = -1;

	for (size_t i = 0; i < mounts->n; i++) {
		const struct mountinfo_entry *m = &mounts->v[i];
		auto_close int fd = -EBADF;

		if (!mount_is_of(m, h) || rank(m) < least || rank(m) <= best)
			continue;
		fd = open_mount(m);
		if (fd < 0)
			continue;
		if (str_set(&h->mount, m->point) < 0 || str_set(&h->root, m->root) < 0)
			return -ENOMEM;
		fd_replace(&h->root_fd, take_fd(&fd));
		best = rank(m);
	}
	return best < 0 ? -ENOENT : 0;
}

/* What stands after the second colon of hierarchy id's line in /proc/PID/cgroup. New; NULL: none. */
static char *membership(const char *text, const char *id)
{
	size_t n = strlen(id);

	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		const char *c;

		if (strncmp(p, id, n) != 0 || p[n] != ':')
			continue;
		c = strchr(p + n + 1, ':');
		return c ? strndup(c + 1, strcspn(c + 1, "\n")) : NULL;
	}
	return NULL;
}

/* The path of a cgroup below a mount that shows the hierarchy from root on. NULL: not below it. */
static const char *below(const char *path, const char *root)
{
	const char *rest = STREQ(root, "/") ? path : str_after(path, root);

	if (!rest || (*rest && *rest != '/') || path_has_dotdot(rest))
		return NULL;
	return rest + strspn(rest, "/");
}

static int find_base(struct hierarchy *h, const char *id, bool of_init, const char *own, const char *init)
{
	auto_free char *self = membership(own, id), *first = membership(init, id);
	const char *home = self ? below(self, h->root) : NULL, *base = NULL;

	if (of_init && first)
		base = below(first, h->root);
	if (!base)
		base = home;
	if (str_set(&h->home, home) < 0 || str_set(&h->base, base ? base : "") < 0)
		return -ENOMEM;
	if (!base)
		h->why = EXDEV;
	/* Where systemd, and who has a scope of systemd's, stands: containers go beside it. */
	const char *stand = of_init ? "init.scope" : SCOPE_PLACE;

	if (str_ends(h->base, stand)) {
		size_t n = strlen(h->base) - strlen(stand);

		if (n == 0 || h->base[n - 1] == '/')
			h->base[n ? n - 1 : 0] = '\0';
	}
	return 0;
}

/* v2: delegation means these files; v1: the directory and its list of processes. */
static int check_writable(struct hierarchy *h, const char *delegate)
{
	auto_close int below = *h->base ? dirs_open(h, h->base, CG_ROOT_FLAGS) : -EBADF;
	auto_strv struct strv files = { 0 };
	int fd = *h->base ? below : h->root_fd;

	if (fd < 0)
		return fd;
	if (strv_add(&files, ".") < 0 || strv_add(&files, "cgroup.procs") < 0 ||
	    (h->v2 && strv_split(&files, delegate, "\n ") < 0))
		return -ENOMEM;
	for (size_t i = 0; i < files.n; i++)
		if (faccessat(fd, files.v[i], W_OK, AT_EACCESS) < 0 && errno != ENOENT)
			return -errno;
	return 0;
}

/* The controllers that can be enabled: root may enable them from the top on, a user has those that
 * were delegated. */
static int read_v2_controllers(struct hierarchy *h)
{
	auto_close int dir = dirs_open(h, geteuid() == 0 ? "" : h->base, CG_ROOT_FLAGS);
	int r = dir < 0 ? dir : v2_read_words(dir, "cgroup.controllers", &h->controllers);

	return r == -ENOMEM ? r : 0;
}

/* What is read once for all hierarchies. */
struct sources {
	struct mountinfo mounts;
	char *own, *init;	/* /proc/self/cgroup, /proc/1/cgroup */
	char *delegate;		/* the files that v2 delegation means */
	bool of_init;		/* containers go below the cgroup of pid 1 */
};

static void sources_done(struct sources *s)
{
	mountinfo_done(&s->mounts);
	free(s->own);
	free(s->init);
	free(s->delegate);
}

/* One line of /proc/self/cgroup: "4:memory:/path", "9:name=systemd:/", "0::/". */
static int read_line(struct hierarchies *all, char *line, const struct sources *s)
{
	char *rest = line, *id = strsep(&rest, ":"), *list = strsep(&rest, ":");
	struct hierarchy h = { .root_fd = -EBADF, .join_fd = -EBADF };
	int r = 0;

	for (int i = 0; i < CG_ROLES; i++)
		h.dir[i].fd = -EBADF;
	if (!list || !rest)
		return 0;
	h.v2 = *list == '\0';
	h.label = strdup(h.v2 ? "unified" : list);
	if (!h.label || (!h.v2 && strv_split(&h.controllers, list, ",") < 0))
		r = -ENOMEM;
	if (r == 0)
		r = find_mount(&h, &s->mounts);
	if (r == 0)
		r = find_base(&h, id, s->of_init, s->own, s->init);
	if (r == 0 && !h.why)
		h.why = -check_writable(&h, s->delegate);
	if (r == 0 && h.v2)
		r = read_v2_controllers(&h);
	h.usable = r == 0 && h.why == 0;
	if (r == 0 && VEC_PUSH(all, h) < 0)
		r = -ENOMEM;
	if (r < 0)
		hierarchy_done(&h);
	return r == -ENOENT ? 0 : r;
}

static int read_proc(const char *path, char **ret, struct err **e)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : io_read_fd(fd, (size_t)1 << 20, ret, NULL);

	return r < 0 ? err_set(e, -r, NULL, "cannot read %s", path) : 0;
}

static int read_sources(struct sources *s, struct err **e)
{
	int r = mountinfo_read(&s->mounts, e);

	if (r == 0)
		r = read_proc("/proc/self/cgroup", &s->own, e);
	if (r < 0)
		return r;
	if (read_proc("/proc/1/cgroup", &s->init, NULL) < 0)
		s->init = strdup("");
	if (read_proc("/sys/kernel/cgroup/delegate", &s->delegate, NULL) < 0)
		s->delegate = strdup("cgroup.procs\ncgroup.threads\ncgroup.subtree_control\n");
	return s->init && s->delegate ? 0 : err_no_memory(e);
}

int layout_read(bool relative, struct hierarchies *h, struct err **e)
{
	struct sources s = { .of_init = geteuid() == 0 && !relative };
	int r = read_sources(&s, e);

	for (const char *p = s.own; r == 0 && *p;) {
		size_t n = strcspn(p, "\n");
		auto_free char *line = strndup(p, n);

		p += n + (p[n] == '\n');
		r = line ? read_line(h, line, &s) : -ENOMEM;
		if (r < 0)
			r = err_set(e, -r, NULL, "cannot read the cgroup layout");
	}
	sources_done(&s);
	return r;
}

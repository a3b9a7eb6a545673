/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "storage/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/strv.h"
#include "kernel/host.h"
#include "kernel/idmap.h"
#include "storage/block.h"

static const struct storage_driver *const drivers[] = { &storage_dir, &storage_overlay, &storage_btrfs, &storage_loop,
						       &storage_lvm, &storage_zfs,     &storage_rbd,   &storage_nbd };

/* "best" tries them in this order. */
static const char *const best[] = { "btrfs", "zfs", "lvm", "dir", "rbd" };

/* Words of old configurations. */
static const struct {
	const char *old, *now;
} aliases[] = { { "overlayfs", "overlay" }, { "aufs", "overlay" } };

int storage_driver_named(const char *type, const struct storage_driver **ret, struct err **e)
{
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (STREQ(aliases[i].old, type))
			type = aliases[i].now;
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (STREQ(drivers[i]->name, type)) {
			*ret = drivers[i];
			return 0;
		}
	return err_storage_type_unknown(e, type);
}

/* The type of a path without one. A directory that exists is just that, whatever it is on: LXC's
 * probing prefers it too. */
static const char *probe(const char *path)
{
	struct stat st;

	if (*path != '/')
		return "zfs";
	if (str_after(path, "/dev/rbd/"))
		return "rbd";
	if (stat(path, &st) < 0 || S_ISDIR(st.st_mode))
		return "dir";
	return S_ISBLK(st.st_mode) ? "lvm" : S_ISREG(st.st_mode) ? "loop" : "dir";
}

/* What looks like a type and is none (the configuration only splits off known ones) is named as such. */
int storage_driver_of(const struct conf *c, const struct storage_driver **ret, struct err **e)
{
	const char *path = c->rootfs_path.v, *colon = strchr(path, ':');

	if (c->rootfs_type.v)
		return storage_driver_named(c->rootfs_type.v, ret, e);
	if (*path != '/' && colon) {
		auto_free char *type = strndup(path, (size_t)(colon - path));

		return type ? err_storage_type_unknown(e, type) : err_no_memory(e);
	}
	return storage_driver_named(probe(path), ret, e);
}

bool storage_is_directory(const struct conf *c)
{
	const struct storage_driver *d = NULL;

	return c->rootfs_path.v && storage_driver_of(c, &d, NULL) == 0 && (d == &storage_dir || d == &storage_btrfs);
}

bool storage_is_privileged(void)
{
	return geteuid() == 0 && host_has_cap(CAP_SYS_ADMIN);
}

void storage_free(struct storage *s)
{
	if (!s)
		return;
	storage_detach(s);
	free(s->source);
	mountopt_done(&s->options);
	strv_done(&s->lowers);
	free(s->upper);
	free(s->work);
	free(s->device);
	free(s->fstype);
	free(s);
}
static int make(const struct storage_driver *d, const char *source, const char *options, struct storage **ret,
		struct err **e)
{
	auto_storage struct storage *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_no_memory(e);
	s->driver = d;
	s->device_fd = -EBADF;
	s->source = strdup(source);
	if (!s->source)
		return err_no_memory(e);
	r = mountopt_parse(options, &s->options, e);
	if (r < 0)
		return r;
	*ret = take_ptr(s);
	return 0;
}

int storage_open(const struct storage_driver *d, const char *source, const struct conf *c, struct log *l,
		 struct storage **ret, struct err **e)
{
	auto_storage struct storage *s = NULL;
	int r = make(d, source, NULL, &s, e);

	if (r == 0)
		r = d->resolve(s, c, l, e);
	if (r == 0)
		*ret = take_ptr(s);
	return r;
}

int storage_resolve(const struct conf *c, struct log *l, struct storage **ret, struct err **e)
{
	const struct storage_driver *d;
	auto_storage struct storage *s = NULL;
	int r;

	if (!c->rootfs_path.v) {
		*ret = NULL;
		return 0;
	}
	r = storage_driver_of(c, &d, e);
	if (r < 0)
		return err_at(e, r, c->rootfs_path.at);
	if (c->rootfs_type.v && STREQ(c->rootfs_type.v, "aufs"))
		log_warn(l, "%s:%u: aufs is not in today's kernels; %s is mounted as an overlay",
			 c->rootfs_path.at.file ? c->rootfs_path.at.file : "-", c->rootfs_path.at.line,
			 c->rootfs_path.v);
	r = make(d, c->rootfs_path.v, c->rootfs_options.v, &s, e);
	if (r < 0)
		return err_wrap_at(e, r, c->rootfs_options.at, "reading lxc.rootfs.options");
	if (d->on_host && !storage_is_privileged())
		return err_at(e, err_storage_needs_root(e, d->name), c->rootfs_path.at);
	if (storage_wants_userns(s) && !conf_is_mapped(c))
		return err_wrap_at(e, err_rootfs_idmap_unmapped(e), c->rootfs_options.at,
				   "reading lxc.rootfs.options");
	r = d->resolve(s, c, l, e);
	if (r < 0)
		return err_at(e, r, c->rootfs_path.at);
	*ret = take_ptr(s);
	return 0;
}

const char *storage_type(const struct storage *s)
{
	return s->driver->name;
}

const char *storage_source(const struct storage *s)
{
	return s->source;
}

bool storage_wants_userns(const struct storage *s)
{
	return s && s->options.idmap && STREQ(s->options.idmap, "container");
}

bool storage_wants_host(const struct storage *s)
{
	return s && (s->driver->on_host || (s->driver == &storage_overlay && storage_is_privileged()));
}

bool storage_has_idmap(const struct conf *c)
{
	auto_mountopt struct mountopt m = MOUNTOPT_INIT;

	return c->rootfs_options.v && mountopt_parse(c->rootfs_options.v, &m, NULL) == 0 && m.idmap;
}

bool storage_is_neutral(const struct conf *c)
{
	return conf_is_mapped(c) && storage_is_privileged() && (storage_has_idmap(c) || dir_is_neutral(c));
}

bool storage_is_idmapped(const struct storage *s)
{
	return s && s->options.idmap;
}

int storage_choose_idmap(struct storage *s, const struct conf *c, const struct idmap *m, struct log *l, struct err **e)
{
	if (!s || s->options.idmap || !dir_is_neutral(c))
		return 0;
	if (!dir_can_idmap(s, m)) {
		log_warn(l, "%s belongs to root of the host, and its file system cannot be mounted with shifted ids: its "
			 "files will be nobody's in the container; lxc-remap -n %s --config %s shifts their owners",
			 s->source, c->name, c->files.n ? c->files.v[0] : "FILE");
		return 0;
	}
	log_info(l, "%s belongs to root of the host: its files are shown with the container's ids", s->source);
	return str_set(&s->options.idmap, "container") < 0 ? err_no_memory(e) : 0;
}

int storage_attach(struct storage *s, struct err **e)
{
	return s && s->driver->attach && !s->attached ? s->driver->attach(s, e) : 0;
}

void storage_detach(struct storage *s)
{
	if (s && s->driver && s->driver->detach && s->attached)
		s->driver->detach(s);
	if (s)
		s->attached = false;
}

int storage_mount(struct storage *s, const struct conf *c, struct err **e)
{
	int r = storage_attach(s, e);

	if (r == 0)
		r = s->driver->mount(s, c, e);
	return r < 0 ? err_wrap_at(e, r, c->rootfs_path.at, "mounting the root file system %s", s->source) : r;
}

struct gift {
	int fd;
	uint32_t uid, gid;
};

static int give(void *arg, struct err **e)
{
	const struct gift *g = arg;

	if (fchownat(g->fd, "", g->uid, g->gid, AT_EMPTY_PATH) < 0)
		return err_set(e, errno, NULL, "cannot give the root file system to %u:%u", g->uid, g->gid);
	return 0;
}

/* An ordinary user gives it away as root of a namespace that has both owners. */
static int give_mapped(int fd, struct idmap *m, struct err **e)
{
	struct gift g = { .fd = fd };
	uint32_t uid, gid;

	if (fchownat(fd, "", (uid_t)-1, getegid(), AT_EMPTY_PATH) < 0)
		return err_set(e, errno, NULL, "cannot set the group of the root file system");
	if (idmap_add_self(m, &uid, &gid) < 0)
		return err_no_memory(e);
	return idmap_run(m, give, &g, e);
}

int storage_give(int fd, const struct conf *c, struct err **e)
{
	struct gift g = { .fd = fd };
	struct idmap m;
	int r;

	if (!c || !conf_is_mapped(c) || (storage_has_idmap(c) && storage_is_privileged()))
		return 0;
	if (conf_idmap(c, &m) < 0)
		return err_no_memory(e);
	g.uid = idmap_to_host(&m, false, 0);
	g.gid = idmap_to_host(&m, true, 0);
	if (g.uid == UINT32_MAX || g.gid == UINT32_MAX)
		r = 0;
	else
		r = geteuid() != 0 ? give_mapped(fd, &m, e) : give(&g, e);
	idmap_done(&m);
	return r < 0 ? err_at(e, r, c->idmap.v[0].at) : 0;
}

struct owner_job {
	int (*fn)(void *arg, const struct idmap *ids, struct err **e);
	void *arg;
	const struct idmap *ids;
};

static int run_as_owner(void *arg, struct err **e)
{
	const struct owner_job *j = arg;

	return j->fn(j->arg, j->ids, e);
}

int storage_as_owner(const struct conf *c, int (*fn)(void *arg, const struct idmap *ids, struct err **e), void *arg,
		     struct err **e)
{
	struct idmap ids = { 0 };
	struct owner_job j = { fn, arg, &ids };
	uint32_t uid, gid;
	int r;

	if (storage_is_privileged() || geteuid() == 0 || !conf_is_mapped(c))
		return fn(arg, NULL, e);
	r = idmap_of_caller(&ids, UINT32_MAX - 1, e);
	if (r == 0 && idmap_add_self(&ids, &uid, &gid) < 0)
		r = err_no_memory(e);
	if (r == 0)
		r = idmap_run(&ids, run_as_owner, &j, e);
	idmap_done(&ids);
	return r;
}

static int create_as(const char *type, const struct storage_spec *spec, const char *dir, const struct conf *c,
		     char **ret_path, struct err **e)
{
	auto_close int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct storage_driver *d;
	auto_free char *source = NULL;
	int r = storage_driver_named(type, &d, e);

	if (r < 0)
		return r;
	if (dirfd < 0)
		return err_set(e, errno, NULL, "cannot open %s", dir);
	if (!d->create)
		return err_storage_create_none(e, d->name);
	if (d->on_host && !storage_is_privileged())
		return err_storage_needs_root(e, d->name);
	r = d->create(spec, dir, dirfd, c, &source, e);
	if (r < 0)
		return r;
	if (asprintf(ret_path, "%s:%s", d->name, source) < 0) {
		*ret_path = NULL;
		return err_no_memory(e);
	}
	return 0;
}

int storage_create(const char *type, const struct storage_spec *spec, const char *dir, const struct conf *c,
		   char **ret_path, struct err **e)
{
	static const struct storage_spec none;
	auto_strv struct strv types = { 0 };
	int r = -EINVAL;

	if (!spec)
		spec = &none;
	if (!type || STREQ(type, "best")) {
		for (size_t i = 0; i < (type ? ARRAY_SIZE(best) : 1); i++)
			if (strv_add(&types, type ? best[i] : "dir") < 0)
				return err_no_memory(e);
	} else if (strv_split(&types, type, ",") < 0) {
		return err_no_memory(e);
	}
	if (!types.n)
		return err_storage_type_unknown(e, type ? type : "");
	for (size_t i = 0; i < types.n; i++) {
		auto_err struct err *mine = NULL;

		r = create_as(types.v[i], spec, dir, c, ret_path, &mine);
		if (r == 0) {
			if (e)
				err_free(take_ptr(*e));
			return 0;
		}
		/* The error that counts is the last one: the type the caller would have settled for. */
		err_move(e, take_ptr(mine));
	}
	return r;
}

/* What the mark names, when it is something else than what the configuration has: an interrupted create
 * or copy made it and did not come to write it down. */
static int destroy_marked(const char *dir, int dirfd, struct log *l, struct err **e)
{
	auto_free char *mark = storage_marked(dirfd);
	const struct storage_driver *d;
	char *colon = mark ? strchr(mark, ':') : NULL;

	if (!colon)
		return 0;
	*colon = '\0';
	if (storage_driver_named(mark, &d, NULL) < 0)
		return 0;
	return d->destroy(colon + 1, dir, dirfd, l, e);
}

int storage_destroy(const struct conf *c, const char *dir, struct log *l, struct err **e)
{
	auto_close int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const struct storage_driver *d;
	int r;

	if (dirfd < 0)
		return err_set(e, errno, NULL, "cannot open %s", dir);
	if (!c || !c->rootfs_path.v)
		return destroy_marked(dir, dirfd, l, e);
	r = storage_driver_of(c, &d, e);
	if (r < 0)
		return err_at(e, r, c->rootfs_path.at);
	r = d->destroy(c->rootfs_path.v, dir, dirfd, l, e);
	return r < 0 ? r : destroy_marked(dir, dirfd, l, e);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* copy - a root becomes another container's: which type it gets, whether as a snapshot, and the copying
 * where it is none. Both roots are mounted for it without being seen anywhere. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "kernel/idmap.h"
#include "kernel/mount.h"
#include "storage/block.h"

static bool takes(const struct storage_driver *target, const struct storage *from)
{
	if (!target->snapshot)
		return false;
	return target->snapshots ? target->snapshots(from) : target == from->driver;
}

struct decision {
	const struct storage_driver *target;
	bool snapshot;
};

/* A type was named. */
static int decide_named(const struct storage_copy *how, const struct storage *from, bool wanted, struct decision *d,
			struct err **e)
{
	int r = storage_driver_named(how->type, &d->target, e);

	if (r < 0)
		return r;
	d->snapshot = wanted && takes(d->target, from);
	if (wanted && !d->snapshot && !(how->flags & STORAGE_MAYBE_SNAPSHOT))
		return d->target == from->driver ? err_storage_snapshot_none(e, d->target->name) :
						   err_storage_snapshot_type(e, from->driver->name, d->target->name);
	if (!d->snapshot && d->target == &storage_overlay)
		return err_storage_snapshot_only(e, d->target->name);
	return 0;
}

static int decide(const struct storage_copy *how, const struct storage *from, struct decision *d, struct err **e)
{
	bool wanted = how->flags & (STORAGE_SNAPSHOT | STORAGE_MAYBE_SNAPSHOT);

	if (how->type)
		return decide_named(how, from, wanted, d, e);
	d->target = from->driver;
	d->snapshot = wanted && takes(d->target, from);
	if (wanted && !d->snapshot && !(how->flags & STORAGE_KEEP_TYPE) && takes(&storage_overlay, from)) {
		d->target = &storage_overlay;
		d->snapshot = true;
	}
	if (wanted && !d->snapshot && !(how->flags & STORAGE_MAYBE_SNAPSHOT))
		return err_storage_snapshot_none(e, from->driver->name);
	if (d->snapshot)
		return 0;
	/* Elsewhere there may be no volume group or pool to put it; and what another program made is
	 * not made here. A copy that stands by itself is no overlay. */
	if (!(how->flags & (STORAGE_SAME_PATH | STORAGE_KEEP_TYPE)) || d->target == &storage_overlay ||
	    !d->target->create)
		d->target = &storage_dir;
	return 0;
}

/* The map that c's files are owned in, as those are seen here (ids: see storage_as_owner): none either where the mount
 * does the mapping. */
static int map_of(const struct conf *c, bool neutral, const struct idmap *ids, struct idmap *ret, struct err **e)
{
	int r = 0;

	if (conf_is_mapped(c) && !neutral && conf_idmap(c, ret) < 0)
		r = err_no_memory(e);
	for (size_t i = 0; r == 0 && ids && i < ret->n; i++)
		ret->v[i].hostid = idmap_to_ns(ids, ret->v[i].gid, ret->v[i].hostid);
	return r;
}

/* The root of the copy, to be written: the directory that was made, or the volume mounted. */
static int open_target(struct storage *to, const struct storage_copy *how, struct err **e)
{
	int r = storage_attach(to, e);

	return r < 0 ? r : to->driver->mount(to, how->to, e);
}

struct filling {
	struct storage *from, *to;
	const struct storage_copy *how;
};

static int fill_here(void *arg, const struct idmap *ids, struct err **e)
{
	const struct filling *f = arg;
	auto_close int source = -EBADF, target = -EBADF;
	struct idmap from_map = { 0 }, to_map = { 0 };
	const struct storage_mapping mapping = {
		.from = &from_map,
		.to = &to_map,
		/* A container without a map may have had nodes that one with a map must not open. */
		.resume = f->how->flags & STORAGE_RESUME,
		.no_devices = !conf_is_mapped(f->how->from) && conf_is_mapped(f->how->to),
		/* What is mounted out of sight has no path. */
		.from_name = f->from->driver == &storage_dir ? f->from->source : f->how->from_name,
		.to_name = f->to->driver == &storage_dir ? f->to->source : f->how->to_dir,
	};
	int r = map_of(f->how->from, storage_is_neutral(f->how->from), ids, &from_map, e);

	if (r == 0)
		r = map_of(f->how->to, storage_has_idmap(f->how->to), ids, &to_map, e);
	if (r == 0)
		r = storage_attach(f->from, e);
	if (r == 0)
		r = source = f->from->driver->mount(f->from, f->how->from, e);
	if (r >= 0)
		r = target = open_target(f->to, f->how, e);
	if (r >= 0)
		r = storage_copytree_mapped(source, target, &mapping, f->how->progress, e);
	idmap_done(&from_map);
	idmap_done(&to_map);
	return r;
}

static int fill(struct storage *from, struct storage *to, const struct storage_copy *how, struct err **e)
{
	struct filling f = { from, to, how };

	from->view = true;
	return storage_as_owner(conf_is_mapped(how->from) ? how->from : how->to, fill_here, &f, e);
}

/* Volumes share one name space: snapshots of several containers have the same names, and what is to take
 * the place of a container is made while that has its own. */
char *storage_copy_name(const struct storage_copy *how)
{
	auto_free char *clean = path_simplify(how->to_dir);
	char *s = NULL;
	int r;

	if (!clean)
		return NULL;
	if (how->flags & STORAGE_INTO_SNAPS)
		r = asprintf(&s, "%s-%s", how->from_name, how->to_name);
	else if (STREQ(path_base(clean), how->to_name))
		r = asprintf(&s, "%s", how->to_name);
	else
		r = asprintf(&s, "%s-%08lx", how->to_name, (unsigned long)time(NULL));
	return r < 0 ? NULL : s;
}

/* A volume is as large as the one it is copied from, and has its kind of file system. */
static int measure(struct storage *from, struct storage_spec *spec, struct err **e)
{
	int r;

	if (!from->driver->block)
		return 0;
	r = storage_attach(from, e);
	if (r == 0)
		r = block_need_fstype(from, from->device, e);
	if (r < 0)
		return r;
	if (!spec->fstype)
		spec->fstype = from->fstype;
	if (!spec->fssize && block_size(from->device, &spec->fssize) < 0)
		return err_set(e, errno, NULL, "cannot tell the size of %s", from->device);
	return 0;
}

static int copy_whole(const struct storage_driver *d, struct storage *from, const struct storage_copy *how, int dirfd,
		      char **ret_source, struct log *l, struct err **e)
{
	auto_storage struct storage *to = NULL;
	struct storage_spec spec = { 0 };
	auto_strv struct strv beside = { 0 };
	auto_free char *source = NULL, *name = storage_copy_name(how);
	int r;

	if (!name)
		return err_no_memory(e);
	if (how->spec)
		spec = *how->spec;
	spec.dir = NULL;
	spec.name = name;
	spec.resume = how->flags & STORAGE_RESUME;
	r = d->block ? measure(from, &spec, e) : 0;
	if (r == 0 && d->beside && d == from->driver)
		r = d->beside(from, &spec, &beside, e);
	if (r < 0)
		return r;
	r = d->create(&spec, how->to_dir, dirfd, how->to, &source, e);
	if (r < 0)
		return r;
	r = storage_open(d, source, how->to, l, &to, e);
	if (r == 0)
		r = fill(from, to, how, e);
	/* Before it can be removed. */
	storage_free(take_ptr(to));
	if (r < 0 && spec.resume)
		return r;
	if (r < 0) {
		auto_err struct err *why = NULL;

		if (d->destroy(source, how->to_dir, dirfd, l, &why) < 0) {
			auto_free char *line = err_line(why);

			log_warn(l, "not all of %s:%s could be removed again: %s", d->name, source, line ? line : "");
		}
		return r;
	}
	*ret_source = take_ptr(source);
	return 0;
}

bool storage_same_maps(const struct conf *a, const struct conf *b)
{
	bool same = a->idmap.n == b->idmap.n;

	for (size_t i = 0; i < a->idmap.n && same; i++) {
		const struct conf_idmap *x = &a->idmap.v[i], *y = &b->idmap.v[i];

		same = x->gid == y->gid && x->nsid == y->nsid && x->hostid == y->hostid && x->range == y->range;
	}
	return same;
}

/* Subvolumes of one file system are shared even when a copy is asked for: nothing tells them apart. */
static int copy_or_share(const struct storage_driver *d, struct storage *from, const struct storage_copy *how, int dirfd,
			 char **ret_source, struct log *l, struct err **e)
{
	bool depends;

	if (d == &storage_btrfs && takes(d, from) && storage_same_maps(how->from, how->to) &&
	    d->snapshot(from, how, dirfd, ret_source, &depends, NULL) == 0)
		return 0;
	return copy_whole(d, from, how, dirfd, ret_source, l, e);
}

/* What the root becomes; may fail for reasons of the source or of its type. */
static int plan(const struct storage_copy *how, struct log *l, struct storage **ret_from, struct decision *d, struct err **e)
{
	auto_storage struct storage *from = NULL;
	int r = storage_resolve(how->from, l, &from, e);

	if (r == 0 && !from)
		r = err_storage_unresolved(e, how->from_name);
	if (r == 0)
		r = decide(how, from, d, e);
	if (r == 0 && !storage_is_privileged() && !d->target->for_users)
		r = err_storage_needs_root(e, d->target->name);
	if (r == 0 && !d->target->create)
		r = err_storage_create_none(e, d->target->name);
	if (r < 0)
		return r;
	if (d->snapshot && d->target == &storage_overlay && storage_is_neutral(how->from)) {
		if (!(how->flags & STORAGE_MAYBE_SNAPSHOT))
			return err_overlay_neutral(e, from->source);
		*d = (struct decision){ .target = &storage_dir };
	}
	/* Whoever has other ids gets files of his own; an overlay has none to give. */
	if (d->snapshot && d->target != &storage_overlay && !storage_same_maps(how->from, how->to))
		d->snapshot = false;
	*ret_from = take_ptr(from);
	return 0;
}

int storage_copy_is_tree(const struct storage_copy *how, bool *ret, const char **ret_type, struct log *l, struct err **e)
{
	auto_storage struct storage *from = NULL;
	struct decision d = { 0 };
	int r = plan(how, l, &from, &d, e);

	if (r < 0)
		return r;
	*ret = !d.snapshot && d.target == &storage_dir;
	*ret_type = d.target->name;
	return 0;
}

int storage_copy(const struct storage_copy *how, char **ret_path, bool *ret_depends, struct log *l, struct err **e)
{
	auto_close int dirfd = open(how->to_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_storage struct storage *from = NULL;
	struct decision d = { 0 };
	auto_free char *source = NULL;
	bool depends = false;
	int r;

	if (dirfd < 0)
		return err_set(e, errno, NULL, "cannot open %s", how->to_dir);
	r = plan(how, l, &from, &d, e);
	if (r < 0)
		return r;
	r = d.snapshot ? d.target->snapshot(from, how, dirfd, &source, &depends, e) :
			 copy_or_share(d.target, from, how, dirfd, &source, l, e);
	if (r < 0)
		return err_wrap(e, r, d.snapshot ? "making a snapshot of %s" : "copying the root of %s", how->from_name);
	if (asprintf(ret_path, "%s:%s", d.target->name, source) < 0) {
		*ret_path = NULL;
		(void)d.target->destroy(source, how->to_dir, dirfd, l, NULL);
		return err_no_memory(e);
	}
	*ret_depends = depends;
	return 0;
}

static const struct storage_driver *driver_or_none(const struct conf *c)
{
	const struct storage_driver *d = NULL;

	return c->rootfs_path.v && storage_driver_of(c, &d, NULL) == 0 ? d : NULL;
}

bool storage_can_snapshot(const struct conf *c)
{
	const struct storage_driver *d = driver_or_none(c);

	return d && d->can_snapshot;
}

bool storage_can_backup(const struct conf *c)
{
	const struct storage_driver *d = driver_or_none(c);

	if (d && d->backs_up)
		return d->backs_up(strchr(c->rootfs_path.v, ':') ? strchr(c->rootfs_path.v, ':') + 1 : c->rootfs_path.v);
	return d && d->can_backup;
}

int storage_view(const struct conf *c, struct log *l, struct storage **ret, struct err **e)
{
	auto_storage struct storage *s = NULL;
	int r = storage_resolve(c, l, &s, e);

	if (r == 0 && !s)
		r = err_storage_unresolved(e, c->uts_name.v ? c->uts_name.v : "");
	if (r < 0)
		return r;
	s->view = true;
	r = storage_mount(s, c, e);
	if (r >= 0)
		*ret = take_ptr(s);
	return r;
}

struct with_root {
	const struct conf *c;
	struct log *l;
	int (*fn)(int rootfd, void *arg, struct err **e);
	void *arg;
};

static int with_root(void *arg, const struct idmap *ids, struct err **e)
{
	const struct with_root *w = arg;
	auto_storage struct storage *s = NULL;
	auto_close int fd = -EBADF;
	int r = storage_resolve(w->c, w->l, &s, e);

	if (r == 0 && !s)
		r = err_storage_unresolved(e, w->c->uts_name.v ? w->c->uts_name.v : "");
	if (r == 0)
		r = fd = storage_mount(s, w->c, e);
	return r < 0 ? r : w->fn(fd, w->arg, e);
}

int storage_with_root(const struct conf *c, struct log *l, int (*fn)(int rootfd, void *arg, struct err **e), void *arg,
		      struct err **e)
{
	struct with_root w = { c, l, fn, arg };

	/* The mount is detached: no table shows it, and it goes with its descriptor. */
	return storage_as_owner(c, with_root, &w, e);
}

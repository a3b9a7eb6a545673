/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_clone - copies of a container. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "copy.h"
#include "handle.h"
#include "vtable.h"
#include "watch.h"

static int check_arguments(struct call *k, const struct lxcext_copy *how)
{
	int known = LXC_CLONE_KEEPNAME | LXC_CLONE_KEEPMACADDR | LXC_CLONE_SNAPSHOT | LXC_CLONE_KEEPBDEVTYPE |
		    LXC_CLONE_MAYBE_SNAPSHOT | LXC_CLONE_ALLOW_RUNNING;

	if (how->flags & ~known)
		return err_set(&k->e, EINVAL, NULL, "the flags of the copy hold 0x%x, which means nothing",
			       (unsigned)(how->flags & ~known));
	return how->newname ? name_check(how->newname, &k->e) : 0;
}

static int clone_to(struct call *k, struct lxc_container *target, const struct lxcext_copy *how)
{
	struct watch w;
	struct copy copy = {
		.flags = how->flags,
		.type = how->bdevtype,
		.spec = {
			.fssize = how->newsize,
			.vg = how->bdevdata,
			.zfsroot = how->bdevdata,
			.rbdpool = how->bdevdata,
		},
		.hookargs = how->hookargs,
		.keep_identity = how->extra & LXCEXT_COPY_KEEP_IDENTITY,
		.quick = how->extra & LXCEXT_COPY_QUICK,
		.resume = how->extra & LXCEXT_COPY_RESUME,
		.throwaway = how->extra & LXCEXT_COPY_EPHEMERAL,
	};
	struct call to;
	int r;

	copy.progress = watch_init(&w, how);
	if (!call_begin(&to, target))
		return err_no_memory(&k->e);
	r = copy_make(k, &to, &copy);
	if (r < 0) {
		err_move(&k->e, to.e);
		to.e = NULL;
	}
	for (size_t i = 0; i < to.warnings.n; i++)
		if (!strv_has(&k->warnings, to.warnings.v[i]))
			(void)strv_add(&k->warnings, to.warnings.v[i]);
	return call_drop(&to, r);
}

static struct lxc_container *copy_of(struct lxc_container *c, const struct lxcext_copy *how)
{
	struct lxc_container *target = NULL;
	auto_free char *lxcpath = NULL;
	struct handle *h = NULL;
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return NULL;
	r = check_arguments(&k, how);
	if (r == 0)
		r = lxcpath_resolve(how->lxcpath ? how->lxcpath : k.lxcpath, &lxcpath, &k.e);
	if (r == 0) {
		h = handle_new(how->newname ? how->newname : k.name, lxcpath);
		target = h ? &h->pub : NULL;
		r = target ? copy_settle(&k) : err_no_memory(&k.e);
	}
	if (r == 0)
		r = clone_to(&k, target, how);
	if (r < 0 && target) {
		(void)lxc_container_put(target);
		target = NULL;
	}
	(void)call_end(&k, r, "cannot copy %s%s%s", k.name, how->newname ? " to " : "",
		       how->newname ? how->newname : "");
	return target;
}

struct lxc_container *api_clone(struct lxc_container *c, const char *newname, const char *lxcpath, int flags,
				const char *bdevtype, const char *bdevdata, uint64_t newsize, char **hookargs)
{
	struct lxcext_copy how = {
		.size = sizeof(how),
		.newname = newname,
		.lxcpath = lxcpath,
		.flags = flags,
		.bdevtype = bdevtype,
		.bdevdata = bdevdata,
		.newsize = newsize,
		.hookargs = hookargs,
	};

	return copy_of(c, &how);
}

attr_public struct lxc_container *lxcext_copy(struct lxc_container *c, const struct lxcext_copy *how)
{
	struct lxcext_copy own;

	return watch_take(&own, how) ? copy_of(c, &own) : NULL;
}

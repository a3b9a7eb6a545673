/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_usage - what the root of a container takes on the disk, and may take. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "handle.h"
#include "storage/storage.h"

static int usage(struct call *k, struct lxcext_usage *ret)
{
	auto_conf struct conf *conf = NULL;
	struct storage_usage u = { 0 };
	int r = call_need_conf(k, &conf);

	if (r == 0)
		r = storage_usage(conf, k->dir, &u, &k->e);
	if (r < 0)
		return r;
	*ret = (struct lxcext_usage){ .used = u.used, .exclusive = u.exclusive, .limit = u.limit };
	return 0;
}

attr_public int lxcext_disk_usage(struct lxc_container *c, struct lxcext_usage *ret)
{
	struct call k;
	int r;

	if (!ret || !call_begin(&k, c))
		return -EINVAL;
	r = usage(&k, ret);
	return call_end(&k, r, "cannot tell what %s takes on the disk", k.name);
}

static int limit(struct call *k, uint64_t bytes)
{
	auto_conf struct conf *conf = NULL;
	auto_lock int lock = call_disk_lock(k);
	int r = lock < 0 ? lock : call_need_conf(k, &conf);

	if (r == 0)
		r = storage_resize(conf, k->dir, bytes, &k->e);
	if (r == 0 && bytes && storage_limit_spares_root(conf))
		log_warn(&k->log, "root of %s can take more than that: ext4 holds nobody who has CAP_SYS_RESOURCE to a quota; "
			 "lxc.cap.drop = sys_resource or an id map makes it count", k->name);
	return r;
}

attr_public int lxcext_disk_limit(struct lxc_container *c, uint64_t bytes)
{
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return -EINVAL;
	r = limit(&k, bytes);
	return call_end(&k, r, "cannot set the size of %s", k.name);
}

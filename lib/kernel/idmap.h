/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* idmap - ranges of ids: translate, check, write to a process, make a namespace for idmapped mounts. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/vec.h"

struct idmap_range {
	bool gid;
	uint32_t nsid, hostid, range;
	struct origin at;
};
struct idmap {
	VEC(struct idmap_range);
};

/* -EINVAL with an error that names both lines when two ranges overlap (inside or outside), when a
 * range is empty or leaves the 32-bit space, when there are more than 340, or one kind is missing. */
int idmap_check(const struct idmap *m, struct err **e);
/* Host id of a namespace id and back; UINT32_MAX when unmapped. */
uint32_t idmap_to_host(const struct idmap *m, bool gid, uint32_t nsid);
uint32_t idmap_to_ns(const struct idmap *m, bool gid, uint32_t hostid);
/* Writes both maps of pid: directly when this process may (root over all ids), else through
 * newuidmap/newgidmap; -errno names the range that is not granted and the file to edit. */
int idmap_write(const struct idmap *m, pid_t pid, struct err **e);
/* A user namespace fd with this map (a short-lived child), for mount_setattr. */
int idmap_userns_fd(const struct idmap *m, struct err **e);
/* Runs fn(arg) in a child that is mapped root in a new user namespace with this map (and its own
 * mount namespace); the chain crosses back. fn's return value is the result. */
int idmap_run(const struct idmap *m, int (*fn)(void *arg, struct err **e), void *arg, struct err **e);
/* Adds the caller's own user and group behind the ranges, where they are not mapped: its files keep an
 * owner inside. *ret_uid, *ret_gid: what they are there (UINT32_MAX: no room). 0 or -ENOMEM. */
int idmap_add_self(struct idmap *m, uint32_t *ret_uid, uint32_t *ret_gid);
/* Adds the ranges that the caller may map (subid.h), from id 0 inside on, at most max ids of a kind. */
int idmap_of_caller(struct idmap *m, uint32_t max, struct err **e);
void idmap_done(struct idmap *m);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* mountopt - the comma list of a mount entry or of lxc.rootfs.options, taken apart: attribute bits,
 * propagation, our own words, and the rest, which is the file system's business. Words match whole. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct mountopt {
	uint64_t attr_set, attr_clr;	/* MOUNT_ATTR_*; any atime word puts all of __ATIME in attr_clr */
	unsigned long ms_flags;		/* the same for mount(2): MS_RDONLY, MS_NOSUID, ... (no MS_BIND) */
	unsigned long propagation;	/* MS_SHARED, _SLAVE, _PRIVATE, _UNBINDABLE or 0; last word wins */
	bool propagation_rec;		/* the r-form was written */
	bool bind, rbind, move;		/* rbind implies bind */
	bool create_dir, create_file;
	bool optional, relative;
	char *idmap;			/* "container", "caller:UID[:GID]", "owner:UID[:GID]" or a path; NULL */
	char *data;			/* the other words, comma-joined; NULL if none */
};
#define MOUNTOPT_INIT { 0 }

/* Reads "caller:UID[:GID]" or (*ret_owner) "owner:UID[:GID]"; -EINVAL: it is neither. */
int mountopt_share(const char *idmap, bool *ret_owner, uint32_t *ret_uid, uint32_t *ret_gid);
/* opts may be NULL or "". -EINVAL with *e naming the word. */
int mountopt_parse(const char *opts, struct mountopt *ret, struct err **e);
void mountopt_done(struct mountopt *m);
static inline void auto_mountopt_fn(struct mountopt *m)
{
	mountopt_done(m);
}
#define auto_mountopt __attribute__((cleanup(auto_mountopt_fn)))

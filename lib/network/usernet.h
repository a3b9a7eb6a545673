/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* usernet - what the administrator's lxc-usernet lets an ordinary user connect: lines "NAME TYPE LINK
 * COUNT", where NAME is a user or @GROUP. And the database of what is connected: lines "NAME TYPE LINK
 * DEVICE". */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strv.h"
#include "base/vec.h"

struct usernet_grant {
	char *owner;		/* as it stands in the file: a user, or @GROUP */
	char *link;
	unsigned count;
};
struct usernet_grants {
	VEC(struct usernet_grant);
};

/* The names the caller goes by: the user, then @GROUP for each of the groups. 0 or -ENOMEM. */
int usernet_names(struct strv *ret);
/* The grants of a file's text to one of these names for devices of this type (link NULL: any link), in
 * the order of the file. Lines that are not understood grant nothing. 0 or -ENOMEM. */
int usernet_parse(const char *text, const struct strv *names, const char *type, const char *link,
		  struct usernet_grants *ret);
/* The same from the administrator's file, which must be root's and writable by root alone. */
int usernet_read(const char *path, const struct strv *names, const char *type, const char *link,
		 struct usernet_grants *ret, struct err **e);
void usernet_done(struct usernet_grants *g);

/* The lines of a database that are to stay (appended to out): those whose device exists says. */
int usernet_cull(const char *text, bool (*exists)(const char *device, void *arg), void *arg, struct buf *out);
/* How many devices an owner has on a link by the text of a database. */
unsigned usernet_count(const char *text, const char *owner, const char *type, const char *link);
/* The first grant that has room; NULL: none. */
const struct usernet_grant *usernet_room(const struct usernet_grants *g, const char *text, const char *type,
					 const char *link);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* mountinfo - the table of mounts of this mount namespace, parsed; find one, or walk them so that
 * every mount comes before the one it sits on. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/vec.h"

struct mountinfo_entry {
	int id, parent;
	dev_t dev;
	const char *root;	/* of this mount within its file system; unescaped, as all texts */
	const char *point;	/* where it is mounted, relative to this process's root */
	const char *options;	/* of the mount: "rw,nosuid" */
	int shared;		/* peer group, 0: not shared */
	int master;		/* peer group it receives from, 0: none */
	int propagate_from;	/* nearest master that is visible here, 0: none */
	bool unbindable;
	const char *type, *source;
	const char *super;	/* options of the file system */
};

struct mountinfo {
	VEC(struct mountinfo_entry);	/* in the kernel's order */
	char *text;			/* owned; the entries' strings are in it */
};

/* Reads /proc/self/mountinfo. Leaves *ret untouched on failure. */
int mountinfo_read(struct mountinfo *ret, struct err **e);
/* Parses text (taken, also on failure). -EINVAL names the line that is not understood. */
int mountinfo_parse(char *text, struct mountinfo *ret, struct err **e);
void mountinfo_done(struct mountinfo *m);
static inline void auto_mountinfo_fn(struct mountinfo *m)
{
	mountinfo_done(m);
}
#define auto_mountinfo __attribute__((cleanup(auto_mountinfo_fn)))

/* The mount that is seen at exactly this path (the last one stacked there); NULL: no mount point. */
const struct mountinfo_entry *mountinfo_find(const struct mountinfo *m, const char *point);
const struct mountinfo_entry *mountinfo_by_id(const struct mountinfo *m, int id);
/* True if point is dir or below it. */
bool mountinfo_is_below(const struct mountinfo_entry *entry, const char *dir);
/* Reorders the entries: children before parents, later mounts before earlier ones. */
int mountinfo_deepest_first(struct mountinfo *m);

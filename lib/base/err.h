/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* err - an error is a chain: what we were doing, down to what went wrong, and what to do about it.
 *
 * A fallible function returns 0 (or a count) or -errno and takes `struct err **e` last. Success
 * never touches *e; failure sets it exactly once at the root (err_set or a classified err_<id> of
 * errors.def); boundaries add context with err_wrap. e == NULL: the caller does not care. */
#pragma once
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/compiler.h"

/* Where a value came from. file is borrowed (interned by its owner); NULL: not from a file. */
struct origin {
	const char *file;
	unsigned line;
};

struct err {
	struct err *cause;	/* owned; NULL at the root cause */
	int num;		/* positive errno, 0 if none applies */
	const char *id;		/* stable kebab-case name, "" if unclassified */
	const char *what;	/* root: "bridge lxcbr0 does not exist"; context: "creating network devices" */
	const char *where;	/* "/var/lib/lxc/web1/config:12", "" if none */
	const char *hint;	/* "systemctl start lxc-net", "" if none */
	const char *who;	/* role that raised it: "client", "monitor", "init", "attach"; "" if unset */
	const char *more;	/* further faults found in the same pass, one per line; "" if none */
	char text[];		/* storage of the strings */
};

/* All return -num (-EIO when num is 0) so that callers can `return err_set(e, ...)`.
 * A failing system call: err_set(e, errno, NULL, "cannot open %s", path) - the text of errno is
 * appended when it is printed. Pass num 0 when errno says nothing. */
int err_set(struct err **e, int num, const char *id, const char *fmt, ...) attr_printf(4, 5);
/* Adds a context link (a gerund) on top of *e; r is returned unchanged. */
int err_wrap(struct err **e, int r, const char *fmt, ...) attr_printf(3, 4);
/* The same with the file:line of the value that is at fault. */
int err_wrap_at(struct err **e, int r, struct origin at, const char *fmt, ...) attr_printf(4, 5);
/* Sets file:line of the topmost link of *e unless it has one. */
int err_at(struct err **e, int r, struct origin at);
/* Sets the remedy of the topmost link of *e. */
int err_hint(struct err **e, int r, const char *fmt, ...) attr_printf(3, 4);
/* Adds to the root of *e a further fault of the same pass; it is printed as a line of its own. */
int err_more(struct err **e, int r, const char *fmt, ...) attr_printf(3, 4);
/* Names the process role of all links of *e that have none. */
void err_role(struct err *e, const char *who);
/* Makes from the error in *e, in the place of one that is there; e may be NULL: from is released. */
void err_move(struct err **e, struct err *from);
void err_free(struct err *e);
static inline void auto_err_fn(struct err **e)
{
	err_free(*e);
}
#define auto_err __attribute__((cleanup(auto_err_fn)))

/* The root cause, its id ("" when unclassified), the deepest remedy ("" when none). */
const struct err *err_root(const struct err *e);
const char *err_id(const struct err *e);
const char *err_remedy(const struct err *e);
bool err_is(const struct err *e, const char *id);

/* One line: "TOP: ROOT; try: HINT" (no newline). Caller frees; NULL when out of memory. */
char *err_line(const struct err *e);
/* The three-line form for a terminal; verbose adds ids, errno names and roles of every link.
 * Control characters in the text are shown escaped. */
void err_print(FILE *out, const char *prog, const struct err *e, bool verbose);

/* One SEQPACKET datagram per chain, at most ERR_FRAME_MAX bytes, whole links only (the root and
 * the outermost links are kept). err_pack allocates nothing: it may be called after fork. */
#define ERR_FRAME_MAX 4096
size_t err_pack(const struct err *e, char buf[ERR_FRAME_MAX]);
/* NULL when the frame is malformed (every length is checked) or memory is out. */
struct err *err_unpack(const char *buf, size_t len);

/* " -P " and the path, for hints that name a command; both "" where the lxcpath (may be NULL) is the default. */
const char *err_path_option(const char *lxcpath);
const char *err_path_value(const char *lxcpath);
#define PATH_OPTION(lxcpath) err_path_option(lxcpath), err_path_value(lxcpath)

/* Classified errors: int err_<id>(struct err **e, ...), one row each in errors.def. */
#define ERR_UNPAREN(...) __VA_ARGS__
#define ERROR(name, errnum, params, what, hint, doc)                            \
	static inline int err_##name params                                     \
	{                                                                       \
		int r_ = err_set(e, errnum, #name, ERR_UNPAREN what);           \
		return err_hint(e, r_, ERR_UNPAREN hint);                       \
	}
#include "base/errors.def"
#undef ERROR

/* The disk is full, or what a quota allows of it is used up. */
static inline int err_no_room(struct err **e, int num, const char *path)
{
	return num == EDQUOT ? err_disk_quota(e, path) : err_disk_full(e, path);
}

/* The documentation of all ids, for lxc-errors(7) and lxc-config --explain. */
struct err_doc {
	const char *id;		/* underscores, as in errors.def */
	const char *what;	/* format text */
	const char *hint;	/* format text */
	const char *doc;
};
const struct err_doc *err_docs(size_t *ret_n);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* tool - the frame of every lxc-* program: common options, opening the container, showing errors
 * and warnings, exit codes. A tool is a table of options, one function that takes them, and one
 * that does the work. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <lxc/lxccontainer.h>

#include "base/strv.h"
#include "common/opt.h"

enum {
	TOOL_NO_NAME = 1 << 0,		/* works without a name; arguments are left alone */
	TOOL_MANY_PATHS = 1 << 1,	/* -P may be repeated */
	TOOL_READS_PATH = 1 << 2,	/* an ordinary user must be able to read the lxcpath */
	TOOL_TAKES_ARGS = 1 << 3,	/* has a use for arguments after the name */
	TOOL_ONE_LOOK = 1 << 4,		/* only asks: tool_open looks at the state once for all (lxcext_keep_state) */
};

struct tool;

struct tool_def {
	const char *prog;
	const char *synopsis;	/* what follows "Usage: PROG " */
	const char *summary;	/* one sentence */
	const struct opt *opts;
	size_t n_opts;
	unsigned flags;
	/* Takes one of the tool's own options. 0, or -1 after tool_usage. */
	int (*option)(struct tool *t, int key, const char *value);
	/* After --help has been printed (may be NULL). */
	void (*more_help)(struct tool *t);
};

struct tool {
	const struct tool_def *def;
	void *data;		/* the tool's own settings */
	const char *name;	/* NULL only with TOOL_NO_NAME */
	struct strv paths;	/* of -P */
	const char *logfile, *loglevel, *rcfile;
	bool quiet, verbose, json_errors;
	bool starts;		/* tool_open says that a start in the background follows (lxcext_start_ahead) */
	char **args;		/* the arguments after the options and the name; NULL-terminated */
	int n_args;
};

#define TOOL_DEF(...) { .opts = opt_table, .n_opts = ARRAY_SIZE(opt_table), __VA_ARGS__ }

/* Puts something into those of the descriptors 0, 1 and 2 that are closed: else the next thing that is
 * opened lands there, and is inherited by a container. tool_begin does it. */
void tool_fill_stdio(void);
/* Parses the command line and starts the log. True: go on; false: leave with *ret_exit. */
bool tool_begin(struct tool *t, const struct tool_def *def, void *data, int argc, char **argv, int *ret_exit);
void tool_done(struct tool *t);
static inline void auto_tool_fn(struct tool *t)
{
	tool_done(t);
}
#define auto_tool __attribute__((cleanup(auto_tool_fn)))

/* What -P said, NULL without it: for hints. */
static inline const char *tool_given_path(const struct tool *t)
{
	return t->paths.n ? t->paths.v[0] : NULL;
}
/* The lxcpath in force: -P or the global one. NULL after a message. */
const char *tool_lxcpath(struct tool *t);

/* A fault in the command line: one sentence and "try: PROG --help". Returns -1. */
int tool_usage(struct tool *t, const char *fmt, ...) attr_printf(2, 3);
/* An error of the tool itself: one sentence. Returns EXIT_FAILURE. */
int tool_error(struct tool *t, const char *fmt, ...) attr_printf(2, 3);
/* Shows e. Returns EXIT_FAILURE. */
int tool_error_chain(struct tool *t, const struct err *e);
/* Shows why the last call on c (NULL: a call without a handle) failed; fmt is said where the
 * library recorded no cause. Returns EXIT_FAILURE. */
int tool_failed(struct tool *t, struct lxc_container *c, const char *fmt, ...) attr_printf(3, 4);
void tool_warn(struct tool *t, const char *fmt, ...) attr_printf(2, 3);
/* Shows the warnings that calls on c have gathered since the last time. */
void tool_show_warnings(struct tool *t, struct lxc_container *c);

/* Flushes stdout: EXIT_SUCCESS, or EXIT_FAILURE after a message when it could not all be written. */
int tool_flush(struct tool *t);

/* Opens t->name (checked), applying --rcfile; NULL after a message. */
struct lxc_container *tool_open(struct tool *t);
/* Shows remaining warnings and releases the handle. c may be NULL. */
void tool_close(struct tool *t, struct lxc_container *c);
/* The end of a program, with status r: the same, but that what is allocated goes with the process, which costs less than to
 * free it piece by piece. */
attr_noreturn void tool_end(struct tool *t, struct lxc_container *c, int r);
/* True if there is a config file, or one was given. */
bool tool_is_configured(struct tool *t, struct lxc_container *c);
/* "container NAME does not exist in LXCPATH" with its remedy. Returns EXIT_FAILURE. */
int tool_unknown(struct tool *t);
int tool_not_running(struct tool *t);

/* Strict numbers of options: 0, or -1 after a sentence that names the option. */
int tool_number(struct tool *t, const char *option, const char *value, int min, int *ret);
int tool_id(struct tool *t, const char *option, const char *value, unsigned *ret);
/* "20G" and the like; a bare number counts MiB. */
int tool_size(struct tool *t, const char *option, const char *value, uint64_t *ret);

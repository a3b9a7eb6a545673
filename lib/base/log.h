/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* log - levelled lines to a file, with the context passed explicitly. The file's line format is
 * "PREFIX NAME YYYYMMDDHHMMSS.mmm LEVEL CATEGORY - FILE:FUNCTION:LINE - MESSAGE" (UTC), which log
 * readers of LXC parse. A log never prints on the terminal: what a person must see is an error
 * chain (err.h) or a warning, which the sink carries to whoever shows it. */
#pragma once
#include <stdbool.h>

#include "base/compiler.h"

enum log_level {
	LOG_TRACE,
	LOG_DBG,
	LOG_INF,
	LOG_NOTE,
	LOG_WARN,
	LOG_ERROR,
	LOG_CRITICAL,
	LOG_ALRT,
	LOG_FATAL,
	LOG_NOTSET,
};

struct log {
	int fd;			/* file, -EBADF: none */
	int level;		/* least level written to the file */
	char *prefix;		/* owned; program name */
	char *name;		/* owned; container name, may be NULL */
	bool syslog;
	/* Called for every message of LOG_WARN that a user must see (log_warn), whatever level is. */
	void (*sink)(void *arg, const char *text);
	void *sink_arg;
};

#define LOG_INIT { .fd = -EBADF, .level = LOG_ERROR }

/* -EINVAL for an unknown word. Accepts names in any case and the numbers 0-8. */
int log_level_parse(const char *s, int *ret);
const char *log_level_name(int level);
/* Opens path for appending (created 0640, parent directories 0755; never through a symlink in the
 * last component, regular files only). Replaces l->fd. */
struct err;
int log_open(struct log *l, const char *path, struct err **e);
void log_done(struct log *l);

struct log_site {
	const char *category, *file, *func;
	int line;
};
void log_write(struct log *l, int level, struct log_site at, const char *fmt, ...) attr_printf(4, 5);

/* l may be NULL: nothing is logged. The category is the module's name. */
#define log_at(l, lvl, ...)                                                                     \
	log_write(l, lvl, (struct log_site){ LOG_CATEGORY, __FILE_NAME__, __func__, __LINE__ }, \
		  __VA_ARGS__)
#ifndef LOG_CATEGORY
#define LOG_CATEGORY "tiffin"
#endif
#ifndef __FILE_NAME__
#define __FILE_NAME__ (__builtin_strrchr("/" __FILE__, '/') + 1)
#endif
#define log_trace(l, ...) log_at(l, LOG_TRACE, __VA_ARGS__)
#define log_debug(l, ...) log_at(l, LOG_DBG, __VA_ARGS__)
#define log_info(l, ...) log_at(l, LOG_INF, __VA_ARGS__)
#define log_notice(l, ...) log_at(l, LOG_NOTE, __VA_ARGS__)
/* A sentence that the user sees on the terminal, prefixed "warning: ". */
#define log_warn(l, ...) log_at(l, LOG_WARN, __VA_ARGS__)
#define log_error(l, ...) log_at(l, LOG_ERROR, __VA_ARGS__)

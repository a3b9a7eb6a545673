/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* launch_head - what a client tells the supervisor besides the configuration: pairs in front of the
 * dump in the launch memfd. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strv.h"

enum launch_mode { LAUNCH_START, LAUNCH_EXPLAIN, LAUNCH_ADOPT, LAUNCH_RESTORE };

struct launch_head {
	enum launch_mode mode;
	bool foreground, application, close_fds, quiet, timed;
	bool json;			/* LAUNCH_EXPLAIN: the plan as JSON */
	bool status;			/* a status socket is there; else errors go to stderr */
	int log_level;			/* of the log file on SUPERVISE_LOG_FD; LOG_NOTSET: there is none */
	char *prog, *pidfile, *name, *lxcpath;
	struct strv argv;
	struct strv restore;		/* criu_restore_command's, for LAUNCH_RESTORE */
};

int launch_head_write(const struct launch_head *h, struct buf *b);
/* Parses the head of text; *ret_body points behind it. */
int launch_head_read(const char *text, size_t len, struct launch_head *ret, const char **ret_body,
		     struct err **e);
void launch_head_done(struct launch_head *h);

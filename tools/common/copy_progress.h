/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* copy_progress - how far a long copy is, on a terminal, and calling it off with Ctrl-C. */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/tool.h"

struct copy_progress {
	struct tool *t;
	bool shown;			/* stderr is a terminal */
	uint64_t total;			/* bytes; 0: not known */
	uint64_t begun_ns, told_ns;
	bool told;
	struct sigaction old[3];
};

/* From here on SIGINT, SIGTERM and SIGHUP only ask for the end of the copy of c (NULL: of something
 * whose size is not known). */
void copy_progress_begin(struct copy_progress *p, struct tool *t, struct lxc_container *c);
void copy_progress_end(struct copy_progress *p);
/* For struct lxcext_copy. */
void copy_progress_tick(void *arg, uint64_t bytes, uint64_t files);
bool copy_progress_cancelled(void *arg);
/* Ends the program by the signal that called the copy off. */
void copy_progress_reraise(struct copy_progress *p);
/* "1.2 GiB, 3456 files, 56.7 MiB/s, 0:12 left", the last part only where total says it. */
void copy_progress_text(uint64_t bytes, uint64_t files, uint64_t total, uint64_t ns, char text[128]);

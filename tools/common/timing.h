/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* timing - shows what a start took, step by step: a table, JSON, or a chart (SVG). */
#pragma once
#include <stdint.h>

#include "base/buf.h"

struct timing_step {
	uint64_t begin_ns, end_ns;
	const char *who, *what;		/* into the text that was parsed */
};

struct timing {
	struct timing_step *v;
	size_t n;
	uint64_t total_ns;		/* the latest end */
	uint64_t boot_ns;		/* from there until its init said that it is ready; 0: that is not known */
};

/* Parses the lines of lxcext_start_timed, which it takes apart. 0, -EINVAL or -ENOMEM. */
int timing_parse(char *text, struct timing *ret);
void timing_done(struct timing *t);
void timing_table(const struct timing *t, struct buf *out);
void timing_json(const struct timing *t, const char *name, struct buf *out);
void timing_svg(const struct timing *t, const char *name, struct buf *out);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* sequence - one table of steps in the order they happen, each run by one of two processes. A change
 * of side in the table is the handoff: nobody writes barriers by hand. A failing row sends its
 * error chain across; the monitor then kills init and undoes its own rows in reverse. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* SIDE_MEANWHILE: the monitor's, which it runs while init is in the rows before, from init's turn on. It knows only what was there
 * then, cannot be undone by itself, and what it leaves is there for init's rows that follow. */
/* SIDE_WORD: init says that it is here, with what it hands over, and does not wait; what the monitor does meanwhile in the rows
 * after this one begins then. */
enum side { SIDE_MONITOR, SIDE_INIT, SIDE_MEANWHILE, SIDE_WORD };

struct run;

struct step {
	enum side side;
	const char *text;			/* gerund: shown by --explain and in errors */
	bool (*needed)(const struct run *r);	/* NULL: always. The same answer on both sides. */
	int (*run)(struct run *r, struct err **e);	/* not of SIDE_WORD */
	void (*undo)(struct run *r);		/* SIDE_MONITOR only */
};

#define SEQ_FDS_MAX 64

/* What travels with a handoff: fds that the finishing side left, received by the other. */
struct seq_cargo {
	int fds[SEQ_FDS_MAX];
	size_t n;
};

/* When a row was run, CLOCK_MONOTONIC; zeros: it was not. */
struct seq_time {
	uint64_t begin_ns, end_ns;
};

struct sequence {
	const struct step *steps;
	size_t n;
	int fd;			/* SEQPACKET to the other process; owned by the caller */
	volatile int *at;	/* shared page: the row init is in */
	volatile struct seq_time *times;	/* shared, one per row */
	struct seq_cargo out;	/* sent (and closed) with the next handoff */
	struct seq_cargo in;	/* what the last handoff brought; the receiver takes the fds */
	size_t done;		/* rows up to here were run; seq_undo walks back from it */
	int (*wait)(struct run *r, int fd, int other, unsigned limit_ms);	/* called before every blocking read; may be NULL */
};

/* Runs the monitor's rows from s->done up to (not including) the first row of init after row
 * `until` or the end. Used in two parts: before init exists, and after. */
int seq_run_monitor(struct sequence *s, size_t until, struct run *r, struct err **e);
/* Init's side, from row `from`, after the one that made it: its first rows wait for nobody if there are none of the monitor's
 * between. Returns only on failure (already reported to the monitor) or, after
 * the announcement, when the last row (exec) failed. */
int seq_run_init(struct sequence *s, size_t from, struct run *r, struct err **e);
/* Init's side where its rows cannot even begin: at its first turn the monitor is told why. */
void seq_refuse(struct sequence *s, size_t from, struct run *r, struct err *why);
/* Whether init is in its last row, which executes another program: that may run already. */
bool seq_is_executing(const struct sequence *s);
/* Undo of all monitor rows that were run, in reverse. */
void seq_undo(struct sequence *s, struct run *r);
/* "BEGIN END SIDE TEXT" lines of the rows that were run, in nanoseconds. */
void seq_timing(const struct sequence *s, struct buf *out);
void seq_explain(const struct step *steps, size_t n, const struct run *r, struct buf *out);

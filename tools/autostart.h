/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* autostart - one run of lxc-autostart: the containers that take part, what each of them waits for, the order that
 * follows from it (autostart-plan.c), and acting on them (autostart-run.c). */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "common/tool.h"

struct autostart {
	bool kill, shutdown, reboot, list, all, ignore_auto, as_json, enable, disable;
	struct strv groups;	/* "": containers without a group */
	int timeout, jobs;
	unsigned tried, failed;
	struct strv failures;	/* "NAME: why" */
};

/* An arrow from a container to one that comes before it. */
struct wait_for {
	struct node *node;
	const char *key;	/* that says so, in the configuration of holder: its item number nth */
	struct node *holder;
	size_t nth;
	bool required;
};

struct node {
	struct lxc_container *c;
	int order, delay;
	bool is_auto;		/* marked by its configuration, or that is not asked for */
	bool chosen;		/* by its group, or pulled in */
	bool acts;		/* something is to be done with it */
	bool only_wait;		/* it runs; those that wait for it want it ready */
	bool in_circle, placed, begun, finished, failed;
	char *missing, *missing_at;	/* a container that it requires and that does not exist; file:line */
	int pass, place;	/* of the groups; lxc.start.order, or of one that it waits for if that comes later */
	size_t stage;		/* of a shutdown */
	struct wait_for *before;
	size_t n_before;
};

struct nodes {
	struct node *v;		/* all defined containers, sorted by lxc.start.order and name */
	size_t n;
	struct node **plan;	/* those that take part, one after another */
	size_t n_plan;
};

static inline bool autostart_stops(const struct autostart *a)
{
	return a->shutdown || a->kill;
}

/* The items of a configuration key that is a list. 0 or -ENOMEM. */
int autostart_items(struct lxc_container *c, const char *key, struct strv *ret);
/* Of the chosen ones, with those that they require: who takes part, who waits for whom, and the plan. Circles are
 * reported and, at a start, their members marked as failed. 0, or -1 after a message. */
int autostart_plan(struct tool *t, struct autostart *a, struct nodes *l);
/* Acts on everything in the plan. 0, or -1 after a message. */
int autostart_run(struct tool *t, struct autostart *a, struct nodes *l);
/* Counts a failure, for the summary. */
void autostart_note(struct autostart *a, const struct node *k, const char *why);
void autostart_done(struct nodes *l);

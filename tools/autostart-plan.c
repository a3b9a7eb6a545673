/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lxc/lxcext.h>

#include "autostart.h"
#include "base/cleanup.h"
#include "base/err.h"

#define KEY_AFTER "lxc.start.after"
#define KEY_REQUIRES "lxc.start.requires"

int autostart_items(struct lxc_container *c, const char *key, struct strv *ret)
{
	int n = c->get_config_item(c, key, NULL, 0);
	auto_free char *value = n > 0 ? calloc(1, (size_t)n + 1) : NULL;

	if (n <= 0)
		return 0;
	if (!value || c->get_config_item(c, key, value, n + 1) != n)
		return -ENOMEM;
	return strv_split(ret, value, "\n");
}

static struct node *find_node(const struct nodes *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (STREQ(l->v[i].c->name, name))
			return &l->v[i];
	return NULL;
}

static int add_arrow(struct node *k, const struct wait_for *w)
{
	struct wait_for *v = reallocarray(k->before, k->n_before + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	k->before = v;
	v[k->n_before++] = *w;
	return 0;
}

/* What k requires takes part as well, and not later than k's group. */
static int pull_in(struct nodes *l, struct node *k)
{
	auto_strv struct strv names = { 0 };
	int r = autostart_items(k->c, KEY_REQUIRES, &names);

	for (size_t i = 0; i < names.n && r == 0; i++) {
		struct node *o = find_node(l, names.v[i]);

		if (!o && !k->missing) {
			k->missing = strdup(names.v[i]);
			k->missing_at = lxcext_config_where(k->c, KEY_REQUIRES, i);
			r = k->missing ? 0 : -ENOMEM;
		}
		if (!o || (o->chosen && o->pass <= k->pass))
			continue;
		o->chosen = true;
		o->pass = k->pass;
		r = pull_in(l, o);
	}
	return r;
}

/* At a stop the arrows point the other way. */
static int connect(struct autostart *a, struct nodes *l, struct node *k, const char *key)
{
	auto_strv struct strv names = { 0 };
	int r = autostart_items(k->c, key, &names);

	for (size_t i = 0; i < names.n && r == 0; i++) {
		struct node *o = find_node(l, names.v[i]);
		struct wait_for w = { .node = o, .key = key, .holder = k, .nth = i, .required = STREQ(key, KEY_REQUIRES) };

		if (!o || !o->chosen)
			continue;
		if (autostart_stops(a))
			w.node = k;
		r = add_arrow(autostart_stops(a) ? o : k, &w);
	}
	return r;
}

/* < 0: x comes before y. */
static int compare(const struct autostart *a, const struct node *x, const struct node *y)
{
	int sign = autostart_stops(a) ? -1 : 1;

	if (x->pass != y->pass)
		return x->pass < y->pass ? -1 : 1;
	if (x->place != y->place)
		return (x->place < y->place ? -1 : 1) * sign;
	/* The vector is sorted. */
	return (x < y ? -1 : x > y) * sign;
}

static bool is_free(const struct node *k)
{
	for (size_t i = 0; i < k->n_before; i++)
		if (!k->before[i].node->placed)
			return false;
	return true;
}

/* Who waits for something later is later himself. */
static void move_back(const struct autostart *a, struct node *k)
{
	for (size_t i = 0; i < k->n_before; i++) {
		const struct node *o = k->before[i].node;

		if (o->pass > k->pass || (o->pass == k->pass && (autostart_stops(a) ? o->place < k->place : o->place > k->place))) {
			k->pass = o->pass;
			k->place = o->place;
		}
	}
}

static struct node *next_free(const struct autostart *a, struct nodes *l)
{
	struct node *best = NULL;

	for (size_t i = 0; i < l->n; i++) {
		struct node *k = &l->v[i];

		if (!k->chosen || k->placed || !is_free(k))
			continue;
		move_back(a, k);
		if (!best || compare(a, k, best) < 0)
			best = k;
	}
	return best;
}

static struct wait_for *first_blocked(const struct node *k)
{
	for (size_t i = 0; i < k->n_before; i++)
		if (!k->before[i].node->placed)
			return &k->before[i];
	return NULL;
}

/* Nobody is free: whoever is left waits for somebody who is left, and walking on ends in a circle. The first of it
 * that the vector has. */
static struct node *on_circle(struct nodes *l)
{
	struct node *k = NULL, *first;

	for (size_t i = 0; i < l->n && !k; i++)
		if (l->v[i].chosen && !l->v[i].placed)
			k = &l->v[i];
	for (size_t i = 0; k && i < l->n; i++)
		k = first_blocked(k)->node;
	first = k;
	for (size_t i = 0; k && i < l->n; i++) {
		k = first_blocked(k)->node;
		first = k < first ? k : first;
	}
	return first;
}

/* The sentence, with every arrow and where it is written. */
static int describe_circle(const struct node *first, struct err **e)
{
	auto_strv struct strv names = { 0 };
	const struct node *k = first;
	auto_free char *list = NULL;
	int r;

	do {
		if (strv_add(&names, k->c->name) < 0)
			return -ENOMEM;
		k = first_blocked(k)->node;
	} while (k != first);
	list = strv_join(&names, ", ");
	if (!list)
		return -ENOMEM;
	r = err_start_circle(e, list);
	do {
		const struct wait_for *w = first_blocked(k);
		const struct node *o = w->holder == k ? w->node : k;
		auto_free char *at = lxcext_config_where(w->holder->c, w->key, w->nth);

		(void)err_more(e, r, "%s%s%s %s %s", at ? at : "", at ? ": " : "", w->holder->c->name,
			       w->required ? "requires" : "comes after", o->c->name);
		k = w->node;
	} while (k != first);
	return 0;
}

static void place(struct nodes *l, struct node *k)
{
	k->placed = true;
	l->plan[l->n_plan++] = k;
}

/* At a start its members fail. Nothing keeps a container from being stopped: there an arrow is dropped. */
static int break_circle(struct tool *t, struct autostart *a, struct nodes *l, struct node *first)
{
	bool start = !autostart_stops(a) && !a->reboot, matters = false;
	auto_err struct err *e = NULL;
	auto_free char *line = NULL;
	struct node *k = first;

	if (describe_circle(first, &e) < 0)
		return -ENOMEM;
	do {
		matters |= k->acts;
		k->in_circle = true;
		k = first_blocked(k)->node;
	} while (k != first);
	line = err_line(e);
	if (matters && start)
		(void)tool_error_chain(t, e);
	else if (matters)
		tool_warn(t, "%s", line ? line : "out of memory");
	if (!start) {
		for (size_t i = 0; i < l->n; i++)
			l->v[i].in_circle = false;
		*first_blocked(k) = k->before[k->n_before - 1];
		k->n_before--;
		return 0;
	}
	for (size_t i = 0; i < l->n; i++) {
		k = &l->v[i];
		if (!k->in_circle)
			continue;
		k->in_circle = false;
		place(l, k);
		if (k->acts && !a->list) {
			k->failed = k->finished = true;
			a->tried++;
			autostart_note(a, k, err_root(e)->what);
		}
	}
	return 0;
}

/* What is to be done: nothing with what is as it should be, but who waits for a container wants it ready. */
static void decide(const struct autostart *a, struct nodes *l)
{
	bool want = autostart_stops(a) || a->reboot;

	for (size_t i = 0; i < l->n; i++)
		l->v[i].acts = l->v[i].chosen && l->v[i].c->is_running(l->v[i].c) == want;
	for (size_t i = 0; i < l->n && !want; i++)
		for (size_t j = 0; l->v[i].acts && j < l->v[i].n_before; j++)
			l->v[i].before[j].node->only_wait = !l->v[i].before[j].node->acts;
}

int autostart_plan(struct tool *t, struct autostart *a, struct nodes *l)
{
	size_t n = 0;
	int r = 0;

	l->plan = calloc(l->n + 1, sizeof(struct node *));
	if (!l->plan)
		return tool_usage(t, "out of memory");
	for (size_t i = 0; i < l->n && r == 0; i++)
		if (l->v[i].chosen && !autostart_stops(a) && !a->reboot)
			r = pull_in(l, &l->v[i]);
	for (size_t i = 0; i < l->n && r == 0; i++) {
		struct node *k = &l->v[i];

		k->place = k->order;
		n += k->chosen;
		if (k->chosen)
			r = connect(a, l, k, KEY_AFTER);
		if (k->chosen && r == 0)
			r = connect(a, l, k, KEY_REQUIRES);
	}
	decide(a, l);
	while (l->n_plan < n && r == 0) {
		struct node *k = next_free(a, l);

		if (k)
			place(l, k);
		else
			r = break_circle(t, a, l, on_circle(l));
	}
	return r < 0 ? tool_usage(t, "out of memory") : 0;
}

void autostart_done(struct nodes *l)
{
	for (size_t i = 0; i < l->n; i++) {
		(void)lxc_container_put(l->v[i].c);
		free(l->v[i].missing);
		free(l->v[i].missing_at);
		free(l->v[i].before);
	}
	free(l->v);
	free(l->plan);
}

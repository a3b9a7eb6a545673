/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-autostart - starts, stops or reboots the containers that are marked for it, group by group and
 * in their order. What the boot script calls. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "autostart-user.h"
#include "base/cleanup.h"
#include "base/num.h"
#include "common/jsonout.h"
#include "common/tool.h"

#define OPT_TABLE "lxc-autostart.opt"
#include "common/opt_table.h"

#define EXIT_SOME_FAILED 2
#define JOBS_MAX 64

struct autostart {
	bool kill, shutdown, reboot, list, all, ignore_auto, as_json, enable, disable;
	struct strv groups;	/* "": containers without a group */
	int timeout, jobs;
	unsigned tried, failed;
	struct json *json;	/* of the list; NULL: plain lines */
};

struct candidate {
	struct lxc_container *c;
	int order, delay;
	bool done;
};

struct candidates {
	struct candidate *v;
	size_t n;
};

/* Containers that are acted upon at the same time; next, output and counters belong to who holds the lock. */
struct batch {
	struct tool *t;
	struct autostart *a;
	struct candidate **v;
	size_t n, next;
	pthread_mutex_t lock;
};

/* Adds the words of a comma list, empty ones included, once each. */
static int add_groups(struct tool *t, struct strv *groups, const char *list)
{
	for (;; list++) {
		size_t n = strcspn(list, ",");
		auto_free char *word = strndup(list, n);

		if (!word)
			return tool_usage(t, "out of memory");
		if (!strv_has(groups, word) && strv_push(groups, take_ptr(word)) < 0)
			return tool_usage(t, "out of memory");
		list += n;
		if (!*list)
			return 0;
	}
}

static int option(struct tool *t, int key, const char *value)
{
	struct autostart *a = t->data;

	switch ((enum key)key) {
	case KEY_KILL:
		a->kill = true;
		break;
	case KEY_SHUTDOWN:
		a->shutdown = true;
		break;
	case KEY_REBOOT:
		a->reboot = true;
		break;
	case KEY_LIST:
		a->list = true;
		break;
	case KEY_ALL:
		a->all = true;
		break;
	case KEY_IGNORE_AUTO:
		a->ignore_auto = true;
		break;
	case KEY_JSON:
		a->as_json = true;
		break;
	case KEY_GROUPS:
		return add_groups(t, &a->groups, value);
	case KEY_TIMEOUT:
		return tool_number(t, "--timeout (-t)", value, -1, &a->timeout);
	case KEY_JOBS:
		return tool_number(t, "--jobs (-j)", value, 1, &a->jobs);
	case KEY_ENABLE:
		a->enable = true;
		break;
	case KEY_DISABLE:
		a->disable = true;
		break;
	case KEY_NONE:
		break;
	}
	return 0;
}

static int number_item(struct lxc_container *c, const char *key)
{
	char text[32] = "";
	int v = 0;

	if (c->get_config_item(c, key, text, sizeof(text)) <= 0 || num_int(text, 10, &v) < 0)
		return 0;
	return v;
}

/* group "": true for a container that is in none. */
static bool in_group(struct lxc_container *c, const char *group)
{
	int n = c->get_config_item(c, "lxc.group", NULL, 0);
	auto_free char *value = n > 0 ? calloc(1, (size_t)n + 1) : NULL;
	auto_strv struct strv of = { 0 };

	if (n <= 0)
		return !*group;
	return value && c->get_config_item(c, "lxc.group", value, n + 1) == n &&
	       strv_split(&of, value, "\n") == 0 && strv_has(&of, group);
}

static int by_order(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return strcmp(x->c->name, y->c->name);
}

/* All defined containers that are marked, in starting order. */
static int find(struct tool *t, const struct autostart *a, const char *lxcpath, struct candidates *ret)
{
	char **names = NULL;
	int n = access(lxcpath, F_OK) < 0 && errno == ENOENT ? 0 : list_defined_containers(lxcpath, &names, NULL);

	if (n < 0)
		return tool_failed(t, NULL, "cannot list the containers in %s", lxcpath), -1;
	ret->v = calloc((size_t)n + 1, sizeof(*ret->v));
	for (int i = 0; i < n; i++) {
		struct lxc_container *c = ret->v ? lxc_container_new(names[i], lxcpath) : NULL;

		if (!c)
			(void)tool_failed(t, NULL, "cannot open container %s in %s", names[i], lxcpath);
		else if (!a->ignore_auto && number_item(c, "lxc.start.auto") != 1)
			(void)lxc_container_put(c);
		else
			ret->v[ret->n++] = (struct candidate){ .c = c, .order = number_item(c, "lxc.start.order"),
							       .delay = number_item(c, "lxc.start.delay") };
		free(names[i]);
	}
	free(names);
	if (!ret->v)
		return tool_usage(t, "out of memory");
	qsort(ret->v, ret->n, sizeof(*ret->v), by_order);
	return 0;
}

static bool stops(const struct autostart *a)
{
	return a->shutdown || a->kill;
}

static void list(const struct autostart *a, const struct candidate *k)
{
	if (a->json) {
		json_object(a->json, NULL);
		json_string(a->json, "name", k->c->name);
		json_i64(a->json, "delay", stops(a) ? 0 : k->delay);
		json_object_end(a->json);
	} else if (stops(a))
		printf("%s\n", k->c->name);
	else
		printf("%s %d\n", k->c->name, k->delay);
}

static bool act(const struct autostart *a, struct lxc_container *c)
{
	if (a->shutdown)
		return c->shutdown(c, a->timeout) || c->stop(c);
	if (a->kill)
		return c->stop(c);
	return a->reboot ? c->reboot(c) : c->start(c, 0, NULL);
}

static void *work(void *arg)
{
	struct batch *b = arg;
	const struct autostart *a = b->a;

	(void)pthread_mutex_lock(&b->lock);
	while (b->next < b->n) {
		struct candidate *k = b->v[b->next++];
		bool ok;

		(void)pthread_mutex_unlock(&b->lock);
		ok = act(a, k->c);
		(void)pthread_mutex_lock(&b->lock);
		tool_show_warnings(b->t, k->c);
		if (ok)
			continue;
		b->a->failed++;
		k->delay = 0;
		(void)tool_failed(b->t, k->c, "cannot %s %s", stops(a) ? "stop" : a->reboot ? "reboot" : "start",
				  k->c->name);
	}
	(void)pthread_mutex_unlock(&b->lock);
	return NULL;
}

/* Everything in the batch, by as many threads as may be; who cannot be had is done without. */
static void run_batch(struct batch *b)
{
	pthread_t threads[JOBS_MAX];
	size_t n = 0, wanted = MIN(b->n, (size_t)MIN(b->a->jobs, JOBS_MAX));

	b->next = 0;
	while (n + 1 < wanted && pthread_create(&threads[n], NULL, work, b) == 0)
		n++;
	(void)work(b);
	while (n)
		(void)pthread_join(threads[--n], NULL);
	/* A delay ends the batch that it stands in. */
	if (b->n && !stops(b->a) && b->v[b->n - 1]->delay > 0)
		(void)sleep((unsigned)b->v[b->n - 1]->delay);
	b->n = 0;
}

/* One pass over the containers of a group (NULL: all of them). Stopping goes backwards. Those of one lxc.start.order
 * go together; another order, or a delay, waits for all that came before. */
static int pass(struct tool *t, struct autostart *a, struct candidates *l, const char *group)
{
	struct batch b = { .t = t, .a = a, .v = calloc(l->n + 1, sizeof(*b.v)), .lock = PTHREAD_MUTEX_INITIALIZER };

	if (!b.v)
		return tool_usage(t, "out of memory");
	for (size_t i = 0; i < l->n; i++) {
		struct candidate *k = &l->v[stops(a) ? l->n - 1 - i : i];

		if (k->done || (group && !in_group(k->c, group)))
			continue;
		k->done = true;
		if (k->c->is_running(k->c) != (stops(a) || a->reboot))
			continue;
		a->tried++;
		if (a->list) {
			list(a, k);
			continue;
		}
		if (b.n && b.v[b.n - 1]->order != k->order)
			run_batch(&b);
		b.v[b.n++] = k;
		if (!stops(a) && k->delay > 0)
			run_batch(&b);
	}
	run_batch(&b);
	free(b.v);
	return 0;
}

static int run(struct tool *t, struct autostart *a)
{
	const char *lxcpath = tool_lxcpath(t);
	struct candidates l = { 0 };
	struct jsonout o;
	int r = 0;

	if (a->as_json && !a->list)
		return tool_usage(t, "option --json works only with --list (-L)"), EXIT_FAILURE;
	if (!lxcpath || find(t, a, lxcpath, &l) < 0)
		return EXIT_FAILURE;
	if (a->as_json) {
		a->json = jsonout_begin(&o, "lxc-autostart");
		json_string(a->json, "action", a->shutdown || a->kill ? "stop" : a->reboot ? "reboot" : "start");
		json_array(a->json, "containers");
	}
	if (a->all)
		r = pass(t, a, &l, NULL);
	else if (a->groups.n == 0)
		r = pass(t, a, &l, "");
	for (size_t i = 0; !a->all && i < a->groups.n && r == 0; i++)
		r = pass(t, a, &l, a->groups.v[i]);
	for (size_t i = 0; i < l.n; i++)
		(void)lxc_container_put(l.v[i].c);
	free(l.v);
	if (r < 0)
		return EXIT_FAILURE;
	if (a->json) {
		json_array_end(a->json);
		return jsonout_end(t, &o);
	}
	if (a->failed == 0)
		return tool_flush(t);
	return a->failed == a->tried ? EXIT_FAILURE : EXIT_SOME_FAILED;
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-autostart",
		.synopsis = "[OPTION]...",
		.summary = "Starts, or stops or reboots, the containers that have lxc.start.auto = 1.",
		.flags = TOOL_NO_NAME,
		.option = option);
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct autostart a = { .timeout = 60, .jobs = cores > 0 && cores < JOBS_MAX ? (int)cores + 1 : JOBS_MAX };
	auto_tool struct tool t = { 0 };
	int r;

	if (tool_begin(&t, &def, &a, argc, argv, &r))
		r = a.enable || a.disable ? autostart_user(&t, a.enable) : run(&t, &a);
	strv_done(&a.groups);
	return r;
}

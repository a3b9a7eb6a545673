/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-autostart - starts, stops or reboots the containers that are marked for it, group by group and
 * in their order. What the boot script calls. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lxc/lxcext.h>

#include "autostart-user.h"
#include "autostart.h"
#include "base/cleanup.h"
#include "base/num.h"
#include "common/jsonout.h"
#include "common/tool.h"

#define OPT_TABLE "lxc-autostart.opt"
#include "common/opt_table.h"

#define EXIT_SOME_FAILED 2
#define JOBS_MAX 64
#define OPENED_ALONE 8	/* so many are not worth another thread */

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
	auto_strv struct strv of = { 0 };

	if (autostart_items(c, "lxc.group", &of) < 0)
		return false;
	return *group ? strv_has(&of, group) : of.n == 0;
}

static int by_order(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return strcmp(x->c->name, y->c->name);
}

/* Containers that several threads open. */
struct opening {
	const char *lxcpath;
	char **names;
	struct lxc_container **c;	/* as names */
	size_t n;
	_Atomic size_t next;
};

static void *open_some(void *arg)
{
	struct opening *o = arg;

	for (size_t i; (i = o->next++) < o->n;)
		o->c[i] = lxc_container_new(o->names[i], o->lxcpath);
	return NULL;
}

/* Reading a configuration takes a while: with many of them, one processor would have nothing to do. */
static void open_all(struct opening *o, int jobs)
{
	size_t n = 0, wanted = MIN((size_t)MIN(jobs, JOBS_MAX), o->n / OPENED_ALONE);
	pthread_t threads[JOBS_MAX];

	while (n + 1 < wanted && pthread_create(&threads[n], NULL, open_some, o) == 0)
		n++;
	(void)open_some(o);
	while (n)
		(void)pthread_join(threads[--n], NULL);
}

/* All defined containers, in starting order. */
static int find(struct tool *t, const struct autostart *a, const char *lxcpath, struct nodes *ret)
{
	struct opening o = { .lxcpath = lxcpath };
	char **names = NULL;
	int n = access(lxcpath, F_OK) < 0 && errno == ENOENT ? 0 : list_defined_containers(lxcpath, &names, NULL);

	if (n < 0)
		return tool_failed(t, NULL, "cannot list the containers in %s", lxcpath), -1;
	ret->v = calloc((size_t)n + 1, sizeof(*ret->v));
	o.c = calloc((size_t)n + 1, sizeof(*o.c));
	o.names = names;
	o.n = ret->v && o.c ? (size_t)n : 0;
	open_all(&o, a->jobs);
	for (size_t i = 0; i < o.n; i++) {
		/* Once more for the reason, which is this thread's then. */
		struct lxc_container *c = o.c[i] ? o.c[i] : lxc_container_new(names[i], lxcpath);

		if (c)
			ret->v[ret->n++] = (struct node){ .c = c, .order = number_item(c, "lxc.start.order"),
							  .delay = number_item(c, "lxc.start.delay"),
							  .is_auto = a->ignore_auto || number_item(c, "lxc.start.auto") == 1 };
		else
			(void)tool_failed(t, NULL, "cannot open container %s in %s", names[i], lxcpath);
	}
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	free(o.c);
	if (o.n != (size_t)n)
		return tool_usage(t, "out of memory");
	qsort(ret->v, ret->n, sizeof(*ret->v), by_order);
	return 0;
}

/* One pass over the containers of a group (NULL: all of them). */
static void choose(struct nodes *l, const char *group, int pass)
{
	for (size_t i = 0; i < l->n; i++) {
		struct node *k = &l->v[i];

		if (!k->is_auto || k->chosen || (group && !in_group(k->c, group)))
			continue;
		k->chosen = true;
		k->pass = pass;
	}
}

static int list(struct tool *t, const struct autostart *a, const struct nodes *l)
{
	struct jsonout o;
	struct json *j = NULL;

	if (a->as_json) {
		j = jsonout_begin(&o, "lxc-autostart");
		json_string(j, "action", autostart_stops(a) ? "stop" : a->reboot ? "reboot" : "start");
		json_array(j, "containers");
	}
	for (size_t i = 0; i < l->n_plan; i++) {
		const struct node *k = l->plan[i];

		if (!k->acts)
			continue;
		if (j) {
			json_object(j, NULL);
			json_string(j, "name", k->c->name);
			json_i64(j, "delay", autostart_stops(a) ? 0 : k->delay);
			json_object_end(j);
		} else if (autostart_stops(a)) {
			printf("%s\n", k->c->name);
		} else {
			printf("%s %d\n", k->c->name, k->delay);
		}
	}
	if (!j)
		return tool_flush(t);
	json_array_end(j);
	return jsonout_end(t, &o);
}

static int act(struct tool *t, struct autostart *a, struct nodes *l)
{
	if (a->all)
		choose(l, NULL, 0);
	else if (a->groups.n == 0)
		choose(l, "", 0);
	for (size_t i = 0; !a->all && i < a->groups.n; i++)
		choose(l, a->groups.v[i], (int)i);
	if (autostart_plan(t, a, l) < 0)
		return EXIT_FAILURE;
	if (a->list)
		return list(t, a, l);
	if (autostart_run(t, a, l) < 0)
		return EXIT_FAILURE;
	if (a->failed == 0)
		return tool_flush(t);
	return a->failed == a->tried ? EXIT_FAILURE : EXIT_SOME_FAILED;
}

static int run(struct tool *t, struct autostart *a)
{
	const char *lxcpath = tool_lxcpath(t);
	struct nodes l = { 0 };
	int r;

	if (a->as_json && !a->list)
		return tool_usage(t, "option --json works only with --list (-L)"), EXIT_FAILURE;
	if (!lxcpath)
		return EXIT_FAILURE;
	if (!a->list && !a->reboot && !autostart_stops(a))
		(void)lxcext_start_many();
	r = find(t, a, lxcpath, &l) < 0 ? EXIT_FAILURE : act(t, a, &l);
	autostart_done(&l);
	return r;
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
	struct autostart a = { .timeout = 60, .jobs = cores > 0 && cores < JOBS_MAX ? (int)cores + 2 : JOBS_MAX };
	auto_tool struct tool t = { 0 };
	int r;

	if (tool_begin(&t, &def, &a, argc, argv, &r))
		r = a.enable || a.disable ? autostart_user(&t, a.enable) : run(&t, &a);
	strv_done(&a.groups);
	strv_done(&a.failures);
	return r;
}

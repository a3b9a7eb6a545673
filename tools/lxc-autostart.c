/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-autostart - starts, stops or reboots the containers that are marked for it, group by group and
 * in their order. What the boot script calls. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "common/jsonout.h"
#include "common/tool.h"

#define OPT_TABLE "lxc-autostart.opt"
#include "common/opt_table.h"

#define EXIT_SOME_FAILED 2

struct autostart {
	bool kill, shutdown, reboot, list, all, ignore_auto, as_json;
	struct strv groups;	/* "": containers without a group */
	int timeout;
	unsigned tried, failed;
	struct json *json;	/* of the list; NULL: plain lines */
};

struct candidate {
	struct lxc_container *c;
	int order;
	bool done;
};

struct candidates {
	struct candidate *v;
	size_t n;
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
			ret->v[ret->n++] = (struct candidate){ .c = c, .order = number_item(c, "lxc.start.order") };
		free(names[i]);
	}
	free(names);
	if (!ret->v)
		return tool_usage(t, "out of memory");
	qsort(ret->v, ret->n, sizeof(*ret->v), by_order);
	return 0;
}

static bool act(struct tool *t, struct autostart *a, struct lxc_container *c)
{
	bool stop = a->shutdown || a->kill, ok;
	int delay = stop ? 0 : number_item(c, "lxc.start.delay");

	if (a->list) {
		if (a->json) {
			json_object(a->json, NULL);
			json_string(a->json, "name", c->name);
			json_i64(a->json, "delay", delay);
			json_object_end(a->json);
		} else if (stop) {
			printf("%s\n", c->name);
		} else {
			printf("%s %d\n", c->name, delay);
		}
		return true;
	}
	if (a->shutdown)
		ok = c->shutdown(c, a->timeout) || c->stop(c);
	else if (a->kill)
		ok = c->stop(c);
	else if (a->reboot)
		ok = c->reboot(c);
	else
		ok = c->start(c, 0, NULL);
	tool_show_warnings(t, c);
	if (!ok)
		(void)tool_failed(t, c, "cannot %s %s", stop ? "stop" : a->reboot ? "reboot" : "start", c->name);
	else if (delay > 0)
		(void)sleep((unsigned)delay);
	return ok;
}

/* One pass over the containers of a group (NULL: all of them). Stopping goes backwards. */
static void pass(struct tool *t, struct autostart *a, struct candidates *l, const char *group)
{
	bool stop = a->shutdown || a->kill;

	for (size_t i = 0; i < l->n; i++) {
		struct candidate *k = &l->v[stop ? l->n - 1 - i : i];

		if (k->done || (group && !in_group(k->c, group)))
			continue;
		k->done = true;
		if (k->c->is_running(k->c) != (stop || a->reboot))
			continue;
		a->tried++;
		if (!act(t, a, k->c))
			a->failed++;
	}
}

static int run(struct tool *t, struct autostart *a)
{
	const char *lxcpath = tool_lxcpath(t);
	struct candidates l = { 0 };
	struct jsonout o;

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
		pass(t, a, &l, NULL);
	else if (a->groups.n == 0)
		pass(t, a, &l, "");
	for (size_t i = 0; !a->all && i < a->groups.n; i++)
		pass(t, a, &l, a->groups.v[i]);
	for (size_t i = 0; i < l.n; i++)
		(void)lxc_container_put(l.v[i].c);
	free(l.v);
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
	struct autostart a = { .timeout = 60 };
	auto_tool struct tool t = { 0 };
	int r;

	if (tool_begin(&t, &def, &a, argc, argv, &r))
		r = run(&t, &a);
	strv_done(&a.groups);
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-monitor - says when containers change their state, until it is killed. */
#include <poll.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lxc/lxcext.h>

#include "base/cleanup.h"
#include "common/jsonout.h"
#include "common/tool.h"

#define OPT_TABLE "lxc-monitor.opt"
#include "common/opt_table.h"

#define MESSAGE_MS 2000	/* a message that has begun arrives within this time */

struct monitor {
	const char *name;
	bool quit, json;
	regex_t re;
};

static int option(struct tool *t, int key, const char *value)
{
	struct monitor *m = t->data;

	switch ((enum key)key) {
	case KEY_NAME:
		m->name = value;
		break;
	case KEY_QUIT:
		m->quit = true;
		break;
	case KEY_JSON:
		m->json = true;
		break;
	case KEY_NONE:
		break;
	}
	return 0;
}

/* LXC puts the expression between ^ and $ as it is: of "a|b" each end is bound on one side only. */
static int compile(struct tool *t, struct monitor *m)
{
	auto_free char *whole = NULL;
	char why[128];
	int r;

	if (!m->name)
		m->name = t->n_args ? t->args[0] : ".*";
	if (asprintf(&whole, "^%s$", m->name) < 0)
		return tool_usage(t, "out of memory");
	r = regcomp(&m->re, whole, REG_EXTENDED | REG_NOSUB);
	if (r == 0)
		return 0;
	(void)regerror(r, &m->re, why, sizeof(why));
	return tool_usage(t, "'%s' is not a regular expression: %s", m->name, why);
}

/* Default paths: the configured one. */
static int fill_paths(struct tool *t)
{
	const char *standard = t->paths.n ? NULL : tool_lxcpath(t);

	if (t->paths.n)
		return 0;
	if (!standard)
		return -1;
	return strv_add(&t->paths, standard) < 0 ? tool_usage(t, "out of memory") : 0;
}

static int quit(struct tool *t)
{
	int worst = EXIT_SUCCESS;

	for (size_t i = 0; i < t->paths.n; i++) {
		int r = lxcext_events_quit(t->paths.v[i]);

		if (r == -ECONNREFUSED)
			worst = tool_error(t, "no lxc-monitord runs for %s", t->paths.v[i]);
		else if (r < 0)
			worst = tool_failed(t, NULL, "cannot end lxc-monitord of %s", t->paths.v[i]);
	}
	return worst;
}

static void show_json(const char *lxcpath, const struct lxcext_event *event)
{
	struct buf b = BUF_INIT(65536);
	struct json j = JSON_INIT(&b);

	json_object(&j, NULL);
	json_string(&j, "schema", "lxc-monitor");
	json_u64(&j, "version", JSONOUT_VERSION);
	json_string(&j, "lxcpath", lxcpath);
	json_string(&j, "name", event->name);
	json_string(&j, "event", event->type == LXCEXT_EVENT_STATE ? "state" : "exit");
	if (event->type == LXCEXT_EVENT_STATE) {
		json_string(&j, "state", event->state);
	} else {
		json_i64(&j, "status", WIFEXITED(event->value) ? WEXITSTATUS(event->value) : 128 + WTERMSIG(event->value));
		json_i64(&j, "signal", WIFSIGNALED(event->value) ? WTERMSIG(event->value) : 0);
	}
	json_object_end(&j);
	printf("%s\n", buf_str(&b));
	buf_done(&b);
}

static void show(const struct monitor *m, const char *lxcpath, const struct lxcext_event *event)
{
	bool state = event->type == LXCEXT_EVENT_STATE;

	if ((state && !event->state) || (!state && event->type != LXCEXT_EVENT_EXIT) ||
	    regexec(&m->re, event->name, 0, NULL, 0) != 0)
		return;
	if (m->json)
		show_json(lxcpath, event);
	else if (state)
		printf("'%s' changed state to [%s]\n", event->name, event->state);
	else
		printf("'%s' exited with status [%d]\n", event->name, WEXITSTATUS(event->value));
}

static int watch(struct tool *t, struct monitor *m, struct pollfd *p)
{
	struct lxcext_event event;

	for (size_t i = 0; i < t->paths.n; i++) {
		p[i].fd = lxcext_events_open(t->paths.v[i]);
		p[i].events = POLLIN;
		if (p[i].fd < 0)
			return tool_failed(t, NULL, "cannot watch the containers in %s", t->paths.v[i]);
	}
	for (;;) {
		if (poll(p, t->paths.n, -1) < 0 && errno != EINTR)
			return tool_error(t, "cannot wait for messages");
		for (size_t i = 0; i < t->paths.n; i++) {
			if (!p[i].revents)
				continue;
			if (lxcext_events_next(p[i].fd, &event, MESSAGE_MS) < 0)
				return tool_error(t, "lxc-monitord of %s has ended", t->paths.v[i]);
			show(m, t->paths.v[i], &event);
			if (tool_flush(t) != EXIT_SUCCESS)
				return EXIT_FAILURE;
		}
	}
}

static int run(struct tool *t, struct monitor *m)
{
	struct pollfd *p;
	int r;

	if (fill_paths(t) < 0)
		return EXIT_FAILURE;
	if (m->quit)
		return quit(t);
	if (compile(t, m) < 0)
		return EXIT_FAILURE;
	p = calloc(t->paths.n, sizeof(*p));
	for (size_t i = 0; p && i < t->paths.n; i++)
		p[i].fd = -EBADF;
	r = p ? watch(t, m, p) : tool_error(t, "out of memory");
	for (size_t i = 0; p && i < t->paths.n; i++)
		fd_close(p[i].fd);
	free(p);
	regfree(&m->re);
	return r;
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-monitor",
		.synopsis = "[OPTION]... [REGEX]",
		.summary = "Says when containers change their state, until it is killed.",
		.flags = TOOL_NO_NAME | TOOL_MANY_PATHS | TOOL_TAKES_ARGS,
		.option = option);
	struct monitor m = { .name = NULL };
	auto_tool struct tool t = { 0 };
	int r;

	if (tool_begin(&t, &def, &m, argc, argv, &r))
		r = run(&t, &m);
	return r;
}

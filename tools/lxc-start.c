/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-start - starts a container. In the foreground the program becomes the monitor, or stands for it. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lxc/lxcext.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "common/launch.h"
#include "common/timing.h"

#define OPT_TABLE "lxc-start.opt"
#include "common/opt_table.h"

#define BOOT_LIMIT_S 120

struct start {
	struct launch launch;
	const char *pidfile, *console, *console_log;
	const char *timing;	/* the format; NULL: not wanted */
	bool foreground, close_all_fds, explain;
};

static int option(struct tool *t, int key, const char *value)
{
	struct start *s = t->data;

	switch ((enum key)key) {
	case KEY_DAEMON:
		s->foreground = false;
		break;
	case KEY_FOREGROUND:
		s->foreground = true;
		break;
	case KEY_PIDFILE:
		s->pidfile = value;
		break;
	case KEY_RCFILE:
		t->rcfile = value;
		break;
	case KEY_CONSOLE:
		s->console = value;
		break;
	case KEY_CONSOLE_LOG:
		s->console_log = value;
		break;
	case KEY_CLOSE_ALL_FDS:
		s->close_all_fds = true;
		break;
	case KEY_DEFINE:
		return launch_define(t, &s->launch, value);
	case KEY_SHARE_NET:
	case KEY_SHARE_IPC:
	case KEY_SHARE_UTS:
	case KEY_SHARE_PID:
		s->launch.share[key - KEY_SHARE_NET] = value;
		break;
	case KEY_TIMING:
		s->timing = value ? value : "text";
		if (strcmp(s->timing, "text") != 0 && strcmp(s->timing, "json") != 0 && strcmp(s->timing, "svg") != 0)
			return tool_usage(t, "option --timing: '%s' is not a format; they are text, json and svg",
					  s->timing);
		break;
	case KEY_EXPLAIN:
		s->explain = true;
		break;
	case KEY_NONE:
		break;
	}
	return 0;
}

static int set_path(struct tool *t, struct lxc_container *c, const char *key, const char *path)
{
	auto_free char *absolute = launch_absolute(path);

	if (!absolute)
		return tool_usage(t, "out of memory");
	return launch_set(t, c, key, absolute);
}

static int configure(struct tool *t, struct start *s, struct lxc_container *c)
{
	if (launch_apply(t, &s->launch, c) < 0)
		return -1;
	if (s->console && strcmp(s->console, "none") == 0 && launch_set(t, c, "lxc.console.path", "none") < 0)
		return -1;
	if (s->console && strcmp(s->console, "none") != 0 && set_path(t, c, "lxc.console.path", s->console) < 0)
		return -1;
	if (s->console_log && set_path(t, c, "lxc.console.logfile", s->console_log) < 0)
		return -1;
	if (s->pidfile) {
		c->pidfile = launch_absolute(s->pidfile);
		if (!c->pidfile)
			return tool_usage(t, "out of memory");
	}
	if (s->close_all_fds)
		(void)c->want_close_all_fds(c, true);
	(void)c->want_daemonize(c, !s->foreground);
	return 0;
}

static int explain(struct tool *t, struct lxc_container *c, char **argv)
{
	auto_free char *text = lxcext_explain(c, 0, argv);

	if (!text)
		return tool_failed(t, c, "cannot explain %s", t->name);
	fputs(text, stdout);
	return EXIT_SUCCESS;
}

/* How long it takes until the container's init says that it has started everything. */
static void time_boot(struct tool *t, struct lxc_container *c, struct timing *steps)
{
	struct timespec begin, end;
	int r;

	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	r = lxcext_wait_ready(c, "init", BOOT_LIMIT_S);
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	if (r == 0)
		steps->boot_ns = (uint64_t)(end.tv_sec - begin.tv_sec) * 1000000000U + (uint64_t)end.tv_nsec - (uint64_t)begin.tv_nsec;
	else if (r != -ENOTSUP) /* which most inits do not say */
		tool_warn(t, "how long the init of %s takes to boot is not known: %s", t->name,
			  c->error_string ? c->error_string : "it ended");
}

static int start_timed(struct tool *t, struct start *s, struct lxc_container *c, char **argv)
{
	auto_buf struct buf out = BUF_INIT(1U << 20);
	struct timing steps = { .n = 0 };
	auto_free char *text = NULL;

	if (!lxcext_start_timed(c, 0, argv, &text))
		return tool_failed(t, c, "cannot start %s", t->name);
	if (!text || timing_parse(text, &steps) < 0)
		return tool_error(t, "%s runs, but its monitor did not say how long each step took", t->name);
	time_boot(t, c, &steps);
	if (strcmp(s->timing, "json") == 0)
		timing_json(&steps, t->name, &out);
	else if (strcmp(s->timing, "svg") == 0)
		timing_svg(&steps, t->name, &out);
	else
		timing_table(&steps, &out);
	timing_done(&steps);
	fputs(buf_str(&out), stdout);
	return tool_flush(t);
}

static int run(struct tool *t, struct start *s, struct lxc_container *c)
{
	char **argv = t->n_args ? t->args : NULL;

	if (!s->explain && c->is_running(c)) {
		auto_err struct err *e = NULL;

		(void)err_already_running(&e, t->name, tool_given_path(t));
		(void)tool_error_chain(t, e);
		return EXIT_SUCCESS;	/* as LXC's: what was asked for is the case */
	}
	(void)lxcext_keep_state(c, false);
	/* With nothing but -s settings there must be a command: the host's init is not meant. */
	if (!tool_is_configured(t, c) && !(argv && s->launch.defines.n))
		return tool_unknown(t);
	if (s->timing && s->foreground)
		return tool_usage(t, "option --timing cannot be had together with --foreground"), EXIT_FAILURE;
	if (configure(t, s, c) < 0)
		return EXIT_FAILURE;
	if (s->explain)
		return explain(t, c, argv);
	tool_show_warnings(t, c);
	if (s->timing)
		return start_timed(t, s, c, argv);
	if (s->foreground) {
		(void)lxcext_start_exec(c, 0, argv);
		return tool_failed(t, c, "cannot start %s", t->name);
	}
	/* What has to be said in another form, or not at all, is said here. */
	if (t->quiet || t->json_errors ? !c->start(c, 0, argv) : !lxcext_start_end(c, 0, argv))
		return tool_failed(t, c, "cannot start %s", t->name);
	return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-start",
		.synopsis = "[OPTION]... -n NAME [-- COMMAND [ARGUMENT]...]",
		.summary = "Starts a container, with COMMAND in the place of its init if one is given.",
		.flags = TOOL_READS_PATH | TOOL_TAKES_ARGS | TOOL_ONE_LOOK,
		.option = option);
	struct start s = { .launch.defines.n = 0 };
	auto_tool struct tool t = { 0 };
	struct lxc_container *c;
	int r;

	if (tool_begin(&t, &def, &s, argc, argv, &r)) {
		/* Root's makes the monitor itself. */
		t.starts = !s.foreground && !s.explain && (geteuid() != 0 || s.timing || t.quiet || t.json_errors);
		c = tool_open(&t);
		r = c ? run(&t, &s, c) : EXIT_FAILURE;
		tool_close(&t, c);
	}
	launch_done(&s.launch);
	return r;
}

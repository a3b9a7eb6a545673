/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc.net.N.script.up and script.down, in the monitor. */
#define LOG_CATEGORY "network"
#include <string.h>
#include <sys/wait.h>

#include "base/str.h"
#include "kernel/spawn.h"
#include "network/nic.h"

/* A script that never ends must not keep a container from starting or stopping for ever. */
#define SCRIPT_TIMEOUT_S 300

/* One shell word, whatever is in it. */
static void add_quoted(struct buf *b, const char *s)
{
	buf_adds(b, " '");
	for (; *s; s++) {
		if (*s == '\'')
			buf_adds(b, "'\\''");
		else
			buf_addc(b, *s);
	}
	buf_addc(b, '\'');
}

/* "exec SCRIPT ARGS": SCRIPT is a command line of the administrator's, so it is not quoted. */
static void command_line(const struct net_run *n, const struct nic *i, const char *script, bool up,
			 struct buf *b)
{
	buf_addf(b, "exec %s", script);
	if (n->conf->hook_version.v == 0) {
		add_quoted(b, n->conf->name ? n->conf->name : "");
		buf_adds(b, " 'net'");
		buf_adds(b, up ? " 'up'" : " 'down'");
	}
	buf_addf(b, " %s", i->type->word);
	if (i->conf->type == NET_EMPTY)
		return;
	if (i->conf->link.v)
		add_quoted(b, i->conf->link.v);
	if (i->conf->type == NET_VETH)
		add_quoted(b, i->host);
}

static int environment(const struct net_run *n, const struct nic *i, bool up, char *const *envp,
		       struct strv *env)
{
	enum conf_net_type type = i->conf->type;
	int r = 0;

	for (; envp && *envp && r == 0; envp++)
		if (!str_after(*envp, "LXC_HOOK_TYPE=") && !str_after(*envp, "LXC_HOOK_SECTION="))
			r = strv_add(env, *envp);
	if (n->conf->hook_version.v == 0 || r < 0)
		return r;
	r = strv_addf(env, "LXC_HOOK_TYPE=%s", up ? "up" : "down");
	if (r == 0)
		r = strv_add(env, "LXC_HOOK_SECTION=net");
	if (r == 0)
		r = strv_addf(env, "LXC_NET_TYPE=%s", i->type->word);
	if (r == 0 && (type == NET_VETH || type == NET_MACVLAN || type == NET_PHYS))
		r = strv_addf(env, "LXC_NET_PARENT=%s", i->conf->link.v ? i->conf->link.v : "");
	if (r == 0 && type == NET_VETH)
		r = strv_addf(env, "LXC_NET_PEER=%s", i->host);
	return r;
}

static void describe_status(int status, struct buf *b)
{
	if (WIFEXITED(status))
		buf_addf(b, "exit status %d", WEXITSTATUS(status));
	else
		buf_addf(b, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
}

static int judge(const struct nic *i, const char *script, bool up, int status, const struct buf *output,
		 struct err **e)
{
	auto_buf struct buf how = BUF_INIT(256);
	auto_free char *last = spawn_last_line(output);

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	describe_status(status, &how);
	if (last && *last)
		buf_addf(&how, ": %s", last);
	return err_net_script_failed(e, i->conf->index, up ? "up" : "down", script, buf_str(&how));
}

int script_run(const struct net_run *n, struct nic *i, bool up, char *const *envp, struct err **e)
{
	const struct conf_str *s = up ? &i->conf->script_up : &i->conf->script_down;
	auto_buf struct buf line = BUF_INIT(65536), output = BUF_INIT(65536);
	auto_strv struct strv env = { 0 };
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, NULL, NULL };
	struct spawn run = SPAWN_INIT;
	int status = 0, r;

	if (up)
		i->script_ran = true;
	if (!s->v)
		return 0;
	command_line(n, i, s->v, up, &line);
	if (!buf_ok(&line) || environment(n, i, up, envp, &env) < 0)
		return err_no_memory(e);

	argv[2] = line.p;
	run.path = "/bin/sh";
	run.argv = argv;
	run.envp = env.v;
	run.new_session = true;
	log_debug(n->log, "running %s", line.p);
	if (n->runner) {
		r = n->runner(n->runner_arg, &run, &output, &status, e);
	} else {
		run.output = &output;
		run.timeout_ms = SCRIPT_TIMEOUT_S * 1000;
		r = spawn_run(&run, &status, e);
	}
	if (output.len)
		log_debug(n->log, "script.%s of lxc.net.%u: %s", up ? "up" : "down", i->conf->index,
			  buf_str(&output));
	if (r == -ETIMEDOUT) {
		if (e) {
			err_free(*e);
			*e = NULL;
		}
		r = err_net_script_failed(e, i->conf->index, up ? "up" : "down", s->v, "no end within its time");
	}
	if (r == 0)
		r = judge(i, s->v, up, status, &output, e);
	if (r < 0 && up)
		i->script_ran = false;
	return r < 0 ? err_wrap_at(e, r, s->at, "running lxc.net.%u.script.%s", i->conf->index,
				   up ? "up" : "down") : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "hook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "kernel/spawn.h"

#define HOOK_LIMIT_MS 600000
#define HOOK_OUTPUT_MAX 65536

static const char *kind_name(enum conf_hook kind)
{
	return kind == HOOK_CLONE ? "clone" : "destroy";
}

static int add_var(struct strv *env, const char *name, const char *value)
{
	return value ? strv_addf(env, "%s=%s", name, value) : 0;
}

/* The caller's environment, then the variables of the contract. */
static int environment(struct call *k, const struct conf *conf, enum conf_hook kind,
		       const struct strv *more_env, struct strv *env)
{
	int r = 0;

	for (char **v = environ; v && *v && r == 0; v++)
		if (!str_after(*v, "LXC_"))
			r = strv_add(env, *v);
	if (r == 0)
		r = add_var(env, "LXC_NAME", k->name);
	if (r == 0)
		r = add_var(env, "LXC_CONFIG_FILE", k->configfile);
	if (r == 0)
		r = add_var(env, "LXC_ROOTFS_MOUNT", conf->rootfs_mount.v);
	if (r == 0)
		r = add_var(env, "LXC_ROOTFS_PATH", conf->rootfs_path.v);
	if (r == 0)
		r = add_var(env, "LXC_CONSOLE", conf->console_path.v);
	if (r == 0)
		r = add_var(env, "LXC_CONSOLE_LOGPATH", conf->console_logfile.v);
	if (r == 0 && conf->hook_version.v == 1)
		r = add_var(env, "LXC_HOOK_TYPE", kind_name(kind));
	if (r == 0 && conf->hook_version.v == 1)
		r = add_var(env, "LXC_HOOK_SECTION", "lxc");
	for (size_t i = 0; more_env && i < more_env->n && r == 0; i++)
		r = strv_add(env, more_env->v[i]);
	return r;
}

/* sh -c 'exec HOOK "$@"' sh ARGS: HOOK may carry arguments of its own, the rest is never parsed. */
static int command(struct call *k, const struct conf *conf, enum conf_hook kind, const char *hook,
		   const struct strv *args, struct strv *argv)
{
	int r = strv_add(argv, "sh");

	if (r == 0)
		r = strv_add(argv, "-c");
	if (r == 0)
		r = strv_addf(argv, "exec %s \"$@\"", hook);
	if (r == 0)
		r = strv_add(argv, "sh");
	if (conf->hook_version.v == 0) {
		if (r == 0)
			r = strv_add(argv, k->name);
		if (r == 0)
			r = strv_add(argv, "lxc");
		if (r == 0)
			r = strv_add(argv, kind_name(kind));
	}
	for (size_t i = 0; args && i < args->n && r == 0; i++)
		r = strv_add(argv, args->v[i]);
	return r;
}

static int run_one(struct call *k, const struct conf *conf, enum conf_hook kind, const struct conf_item *hook,
		   const struct strv *args, char *const *envp)
{
	auto_buf struct buf output = BUF_INIT(HOOK_OUTPUT_MAX);
	auto_strv struct strv argv = { 0 };
	auto_free char *last = NULL, *why = NULL;
	struct spawn s = SPAWN_INIT;
	int status = 0, r;

	if (command(k, conf, kind, hook->value, args, &argv) < 0)
		return err_no_memory(&k->e);
	s.path = "/bin/sh";
	s.argv = argv.v;
	s.envp = envp;
	s.output = &output;
	s.timeout_ms = HOOK_LIMIT_MS;
	r = spawn_run(&s, &status, &k->e);
	if (r < 0)
		return err_wrap_at(&k->e, r, hook->at, "running hook %s", hook->value);
	last = spawn_last_line(&output);
	if (last && *last)
		log_debug(&k->log, "hook %s: %s", hook->value, last);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (asprintf(&why, WIFEXITED(status) ? "exit status %d%s%s" : "signal %d%s%s",
		     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), last && *last ? ": " : "",
		     last ? last : "") < 0)
		return err_no_memory(&k->e);
	r = err_client_hook_failed(&k->e, kind_name(kind), hook->value, why);
	return err_at(&k->e, r, hook->at);
}

int hook_run_all(struct call *k, const struct conf *conf, enum conf_hook kind, const struct strv *args,
		 const struct strv *more_env)
{
	const struct conf_list *hooks = &conf->hooks[kind];
	auto_strv struct strv env = { 0 };
	int r = 0;

	if (!hooks->n)
		return 0;
	if (environment(k, conf, kind, more_env, &env) < 0)
		return err_no_memory(&k->e);
	for (size_t i = 0; i < hooks->n && r == 0; i++)
		r = run_one(k, conf, kind, &hooks->v[i], args, env.v);
	return r;
}

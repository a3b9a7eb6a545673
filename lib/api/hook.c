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
#include "base/paths.h"
#include "base/str.h"
#include "kernel/spawn.h"

#define IN_ROOT PATH_LIBEXEC "/lxc-in-root"
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

static bool is_given(const struct strv *more, const char *name)
{
	for (size_t i = 0; more && i < more->n; i++) {
		const char *rest = str_after(more->v[i], name);

		if (rest && *rest == '=')
			return true;
	}
	return false;
}

/* The caller's environment, then the variables of the contract. */
static int environment(struct call *k, const struct conf *conf, const struct hook_run *how, struct strv *env)
{
	const char *kind = kind_name(how->kind);
	int r = 0;

	for (char **v = environ; v && *v && r == 0; v++)
		if (!str_after(*v, "LXC_"))
			r = strv_add(env, *v);
	const struct {
		const char *name, *value;
	} vars[] = {
		{ "LXC_NAME", k->name },
		{ "LXC_CONFIG_FILE", k->configfile },
		{ "LXC_ROOTFS_MOUNT", conf->rootfs_mount.v },
		{ "LXC_ROOTFS_PATH", conf->rootfs_path.v },
		{ "LXC_CONSOLE", conf->console_path.v },
		{ "LXC_CONSOLE_LOGPATH", conf->console_logfile.v },
		{ "LXC_HOOK_TYPE", conf->hook_version.v == 1 ? kind : NULL },
		{ "LXC_HOOK_SECTION", conf->hook_version.v == 1 ? "lxc" : NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(vars) && r == 0; i++)
		if (!is_given(how->env, vars[i].name))
			r = add_var(env, vars[i].name, vars[i].value);
	for (size_t i = 0; how->env && i < how->env->n && r == 0; i++)
		r = strv_add(env, how->env->v[i]);
	return r;
}

/* sh -c 'exec HOOK "$@"' sh ARGS: HOOK may carry arguments of its own, the rest is never parsed. */
static int command(struct call *k, const struct conf *conf, const struct hook_run *how, const char *hook,
		   struct strv *argv)
{
	bool in_root = how->root >= 0;
	int r = in_root ? strv_add(argv, IN_ROOT) : 0;

	if (r == 0 && in_root)
		r = strv_addf(argv, "%d", how->root);
	if (r == 0 && in_root)
		r = strv_add(argv, conf->rootfs_mount.v);
	if (r == 0)
		r = strv_add(argv, in_root ? "/bin/sh" : "sh");
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
			r = strv_add(argv, kind_name(how->kind));
	}
	for (size_t i = 0; how->args && i < how->args->n && r == 0; i++)
		r = strv_add(argv, how->args->v[i]);
	return r;
}

static int run_one(struct call *k, const struct conf *conf, const struct hook_run *how, const struct conf_item *hook,
		   char *const *envp, struct err **e)
{
	auto_buf struct buf output = BUF_INIT(HOOK_OUTPUT_MAX);
	auto_strv struct strv argv = { 0 };
	auto_free char *last = NULL, *why = NULL;
	struct spawn s = SPAWN_INIT;
	int status = 0, r;

	if (command(k, conf, how, hook->value, &argv) < 0)
		return err_no_memory(e);
	s.path = how->root >= 0 ? IN_ROOT : "/bin/sh";
	s.argv = argv.v;
	s.envp = envp;
	s.output = &output;
	s.timeout_ms = HOOK_LIMIT_MS;
	s.keep = &how->root;
	s.n_keep = how->root >= 0 ? 1 : 0;
	r = spawn_run(&s, &status, e);
	if (r < 0)
		return err_wrap_at(e, r, hook->at, "running hook %s", hook->value);
	last = spawn_last_line(&output);
	if (last && *last)
		log_debug(&k->log, "hook %s: %s", hook->value, last);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (asprintf(&why, WIFEXITED(status) ? "exit status %d%s%s" : "signal %d%s%s",
		     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), last && *last ? ": " : "",
		     last ? last : "") < 0)
		return err_no_memory(e);
	r = err_client_hook_failed(e, kind_name(how->kind), hook->value, why);
	return err_at(e, r, hook->at);
}

int hook_check(struct call *k, const struct conf *conf, enum conf_hook kind)
{
	return conf->hooks[kind].n ? call_trust_config(k) : 0;
}

int hook_run_all(struct call *k, const struct conf *conf, const struct hook_run *how, struct err **e)
{
	const struct conf_list *hooks = &conf->hooks[how->kind];
	auto_strv struct strv env = { 0 };
	int r = 0;

	if (!hooks->n)
		return 0;
	if (environment(k, conf, how, &env) < 0)
		return err_no_memory(e);
	for (size_t i = 0; i < hooks->n && r == 0; i++)
		if (!how->only || how->only == i + 1)
			r = run_one(k, conf, how, &hooks->v[i], env.v, e);
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_attach - running functions and programs inside a running container. lxc_attach_run_command
 * and lxc_attach_run_shell run in the attached process, the rest in the caller's. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "handle.h"
#include "kernel/proc.h"
#include "lifecycle/attach.h"
#include "lxc/lxcext.h"
#include "vtable.h"

#define EXIT_CANNOT_EXECUTE 126
#define EXIT_NOT_FOUND 127
#define PASSWD_MAX 16384

attr_public int lxc_attach_run_command(void *payload)
{
	const lxc_attach_command_t *cmd = payload;

	(void)execvp(cmd->program, cmd->argv);
	switch (errno) {
	case EACCES:
	case ENOEXEC:
		return EXIT_CANNOT_EXECUTE;
	case ENOENT:
		return EXIT_NOT_FOUND;
	default:
		return -1;
	}
}

/* This process's user in the container's /etc/passwd. False: he is not in it. The name services that our C library
 * would ask besides are programs and libraries of the container's, which may not fit it. */
static bool read_user(struct passwd *ret, char buf[static PASSWD_MAX])
{
	auto_fclose FILE *f = fopen("/etc/passwd", "re");
	struct passwd *found;

	while (f && fgetpwent_r(f, ret, buf, PASSWD_MAX, &found) == 0)
		if (ret->pw_uid == getuid())
			return true;
	return false;
}

/* The other name services are asked by the container's own program. */
static const char *shell_of_getent(char buf[static PASSWD_MAX])
{
	int pipefd[2], status;
	char uid[16], *shell;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	(void)snprintf(uid, sizeof(uid), "%u", getuid());
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return NULL;
	pid = proc_clone(0, -1, NULL, NULL);
	if (pid == 0) {
		(void)dup2(pipefd[1], STDOUT_FILENO);
		(void)execlp("getent", "getent", "passwd", uid, (char *)NULL);
		_exit(EXIT_NOT_FOUND);
	}
	(void)close(pipefd[1]);
	while (pid > 0 && len < PASSWD_MAX - 1 && (n = read(pipefd[0], buf + len, PASSWD_MAX - 1 - len)) > 0)
		len += (size_t)n;
	(void)close(pipefd[0]);
	if (pid > 0)
		(void)proc_wait(pid, &status);
	buf[len] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	/* name:password:uid:gid:gecos:home:shell */
	shell = strrchr(buf, ':');
	return shell ? shell + 1 : NULL;
}

attr_public int lxc_attach_run_shell(void *payload)
{
	char buf[PASSWD_MAX];
	struct passwd pw;
	const char *shell = read_user(&pw, buf) ? pw.pw_shell : NULL;

	/* The shell decides what kind of session it is by its name. */
	if (!shell)
		shell = shell_of_getent(buf);
	if (shell && *shell)
		(void)execl(shell, shell, (char *)NULL);
	(void)execl("/bin/sh", "/bin/sh", (char *)NULL);
	return -1;
}

/* The one place where the library speaks: in the attached process, where nobody else can. */
attr_public int lxcext_attach_exec(void *payload)
{
	const lxc_attach_command_t *cmd = payload;
	int r = cmd ? lxc_attach_run_command(payload) : lxc_attach_run_shell(NULL);
	auto_err struct err *e = NULL;

	(void)err_set(&e, errno, NULL, "cannot execute %s", cmd ? cmd->program : "/bin/sh");
	err_print(stderr, program_invocation_short_name, e, false);
	return r;
}

static bool is_set(const struct strv *env, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], name, n) == 0 && env->v[i][n] == '=')
			return true;
	return false;
}

attr_public int lxcext_attach_login(void *payload)
{
	char buf[PASSWD_MAX];
	struct strv env = { 0 };
	struct passwd pw;

	if (read_user(&pw, buf)) {
		const char *const names[] = { "HOME", "USER", "LOGNAME", "SHELL" };
		const char *const values[] = { pw.pw_dir, pw.pw_name, pw.pw_name,
					       *pw.pw_shell ? pw.pw_shell : "/bin/sh" };

		for (char **v = environ; v && *v; v++)
			(void)strv_add(&env, *v);
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (!is_set(&env, names[i]))
				(void)strv_addf(&env, "%s=%s", names[i], values[i]);
		/* The process is new, and this is all that it still does. */
		if (env.n)
			environ = env.v;
	}
	return lxcext_attach_exec(payload);
}

static int attach(struct lxc_container *c, lxc_attach_exec_t fn, void *payload, lxc_attach_options_t *options,
		  pid_t *ret_pid, int *ret_pidfd)
{
	lxc_attach_options_t defaults = LXC_ATTACH_OPTIONS_DEFAULT;
	auto_conf struct conf *conf = NULL;
	struct call k;
	pid_t pid = -1;
	int r;

	if (!c || !fn || !ret_pid || !call_begin(&k, c))
		return -EINVAL;
	r = call_copy_conf(&k, &conf);
	if (r == 0)
		r = attach_run(&k.target, conf, options ? options : &defaults, fn, payload,
			       fn == lxc_attach_run_command || fn == lxc_attach_run_shell ||
				       fn == lxcext_attach_exec || fn == lxcext_attach_login,
			       &pid, ret_pidfd, &k.e);
	if (r == 0)
		*ret_pid = pid;
	return call_end(&k, r, "cannot attach to %s", k.name);
}

int api_attach(struct lxc_container *c, lxc_attach_exec_t fn, void *payload, lxc_attach_options_t *options,
	       pid_t *attached_process)
{
	return attach(c, fn, payload, options, attached_process, NULL);
}

int api_attach_run_wait(struct lxc_container *c, lxc_attach_options_t *options, const char *program,
			const char *const argv[])
{
	lxc_attach_command_t cmd = { (char *)(uintptr_t)program, (char **)(uintptr_t)argv };
	auto_close int pidfd = -EBADF;
	int status, r;
	pid_t pid;

	if (!c || !program || !argv)
		return -1;
	r = attach(c, lxc_attach_run_command, &cmd, options, &pid, proc_forgets_children() ? &pidfd : NULL);
	if (r < 0)
		return r;
	r = proc_wait(pid, &status);
	if (r == -ECHILD && pidfd >= 0)
		r = proc_pidfd_status(pidfd, &status);
	return r < 0 ? r : status;
}

int api_attach_run_waitl(struct lxc_container *c, lxc_attach_options_t *options, const char *program,
			 const char *arg, ...)
{
	auto_strv struct strv argv = { 0 };
	va_list ap;
	int r = 0;

	va_start(ap, arg);
	for (const char *a = arg; a && r == 0; a = va_arg(ap, const char *))
		r = strv_add(&argv, a);
	va_end(ap);
	if (r < 0 || !argv.n)
		return -1;
	return api_attach_run_wait(c, options, program, (const char *const *)argv.v);
}

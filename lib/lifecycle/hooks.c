/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "kernel/ns.h"
#include "kernel/proc.h"
#include "kernel/spawn.h"

#undef LOG_CATEGORY
#define LOG_CATEGORY "hooks"
#define OUTPUT_MAX 65536
#define STANDARD_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *const kinds[HOOK_COUNT] = {
	[HOOK_PRE_START] = "pre-start", [HOOK_PRE_MOUNT] = "pre-mount",	  [HOOK_MOUNT] = "mount",
	[HOOK_AUTODEV] = "autodev",	[HOOK_START_HOST] = "start-host", [HOOK_START] = "start",
	[HOOK_STOP] = "stop",		[HOOK_POST_STOP] = "post-stop",	  [HOOK_CLONE] = "clone",
	[HOOK_DESTROY] = "destroy",
};

const char *hook_name(enum conf_hook kind)
{
	return kinds[kind];
}

static int add(struct strv *env, const char *name, const char *value)
{
	return value ? strv_addf(env, "%s=%s", name, value) : 0;
}

int hooks_environment(const struct run *r, bool child, struct strv *env, struct err **e)
{
	const struct conf *c = r->conf;
	int rc = strv_add(env, STANDARD_PATH);

	if (child) {
		const struct conf_list *lists[] = { &c->environment, &c->environment_hooks };

		for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
			for (size_t i = 0; i < lists[k]->n && rc == 0; i++)
				rc = strv_add(env, lists[k]->v[i].value);
	}
	if (rc == 0)
		rc = add(env, "LXC_NAME", r->name);
	if (rc == 0 && c->files.n)
		rc = add(env, "LXC_CONFIG_FILE", c->files.v[0]);
	if (rc == 0)
		rc = add(env, "LXC_ROOTFS_MOUNT", c->rootfs_mount.v);
	if (rc == 0)
		rc = add(env, "LXC_ROOTFS_PATH", c->rootfs_path.v);
	if (rc == 0)
		rc = add(env, "LXC_CONSOLE", c->console_path.v);
	if (rc == 0)
		rc = add(env, "LXC_CONSOLE_LOGPATH", c->console_logfile.v);
	if (rc == 0 && ns_is_known(NS_CGROUP))
		rc = add(env, "LXC_CGNS_AWARE", "1");
	if (rc == 0)
		rc = add(env, "LXC_LOG_LEVEL", log_level_name(r->log.level));
	if (rc == 0)
		rc = add(env, "LXC_HOOK_VERSION", c->hook_version.v ? "1" : "0");
	if (rc == 0 && r->hook_pid > 0 && !child)
		rc = strv_addf(env, "LXC_PID=%d", r->hook_pid);
	return rc < 0 ? err_no_memory(e) : 0;
}

/* The program of a hook line, if it is given by an absolute path. */
static char *program_of(const char *line)
{
	size_t n;

	line += strspn(line, " \t");
	n = strcspn(line, " \t");
	return *line == '/' ? strndup(line, n) : NULL;
}

static bool in_init(enum conf_hook kind)
{
	return kind == HOOK_PRE_MOUNT || kind == HOOK_MOUNT || kind == HOOK_AUTODEV || kind == HOOK_START;
}

int hooks_open(struct run *r, struct err **e)
{
	static const enum conf_hook hosts[] = { HOOK_PRE_MOUNT, HOOK_MOUNT, HOOK_AUTODEV };

	for (size_t k = 0; k < ARRAY_SIZE(hosts) && run_is_mapped(r); k++) {
		const struct conf_list *l = &r->conf->hooks[hosts[k]];

		for (size_t i = 0; i < l->n; i++) {
			auto_free char *program = program_of(l->v[i].value);
			struct hook_program p = { .line = l->v[i].value, .fd = -EBADF };

			/* What is wrong with it is said when it is to run: a hook before it may put it there. */
			p.fd = program ? open(program, O_PATH | O_CLOEXEC) : -EBADF;
			if (p.fd >= 0 && VEC_PUSH(&r->hook_programs, p) < 0) {
				fd_close(p.fd);
				return err_no_memory(e);
			}
		}
	}
	return 0;
}

/* The descriptor of a program that cannot be reached by its path, but may be executed; -EBADF: there is none. */
static int opened(const struct run *r, const char *line)
{
	char path[64];

	for (size_t i = 0; i < r->hook_programs.n; i++) {
		const struct hook_program *p = &r->hook_programs.v[i];

		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", p->fd);
		if (p->line == line)
			return access(path, X_OK) == 0 ? p->fd : -EBADF;
	}
	return -EBADF;
}

/* fd: the program's, where its path leads nowhere. */
static char *shell_line(const struct run *r, enum conf_hook kind, const char *hook, int fd, const struct strv *extra)
{
	struct buf b = BUF_INIT(65536);

	if (fd >= 0) {
		hook += strspn(hook, " \t");
		buf_addf(&b, "exec /proc/self/fd/%d%s", fd, hook + strcspn(hook, " \t"));
	} else {
		buf_addf(&b, "exec %s", hook);
	}
	/* The name passed name_check, so that quotes cannot occur in it. */
	if (!r->conf->hook_version.v)
		buf_addf(&b, " '%s' 'lxc' '%s'", r->name, kinds[kind]);
	for (size_t i = 0; extra && !r->conf->hook_version.v && i < extra->n; i++)
		buf_addf(&b, " %s", extra->v[i]);
	return buf_take(&b);
}

static int fail(enum conf_hook kind, const char *hook, const struct buf *out, int status, struct err **e)
{
	auto_free char *last = spawn_last_line(out), *why = NULL;
	int n;

	if (last && *last)
		n = asprintf(&why, "%s", last);
	else if (WIFSIGNALED(status))
		n = asprintf(&why, "it was killed by signal %d", WTERMSIG(status));
	else
		n = asprintf(&why, "it ended with exit status %d", WEXITSTATUS(status));
	return n < 0 ? err_no_memory(e) : err_hook_failed(e, kinds[kind], hook, why);
}

/* Monitor: the hook runs while the loop goes on; its output comes through a pipe. */
static int run_served(struct run *r, struct spawn *s, struct buf *out, int *status, struct err **e)
{
	auto_close int pidfd = -EBADF, rd = -EBADF, wr = -EBADF;
	char chunk[4096];
	int p[2], rc;
	ssize_t n;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, errno, NULL, "cannot make a pipe for a hook");
	rd = p[0];
	wr = p[1];
	s->stdout_fd = s->stderr_fd = wr;
	rc = spawn_start(s, &pid, &pidfd, e);
	if (rc < 0)
		return rc;
	fd_replace(&wr, -EBADF);
	/* Ends with the process: a background child of the hook may hold the pipe open for ever. */
	for (;;) {
		rc = r->wait(r, pidfd, rd, HOOK_LIMIT_S * 1000);
		if (rc != 1)
			break;
		n = read(rd, chunk, sizeof(chunk));
		if (n > 0 && out->len < OUTPUT_MAX / 2)
			buf_add(out, chunk, (size_t)n);
		if (n <= 0) {
			rc = r->wait(r, pidfd, -1, HOOK_LIMIT_S * 1000);
			break;
		}
	}
	if (rc == 0 && fcntl(rd, F_SETFL, O_NONBLOCK) == 0)
		while ((n = read(rd, chunk, sizeof(chunk))) > 0 && out->len < OUTPUT_MAX / 2)
			buf_add(out, chunk, (size_t)n);
	if (rc < 0) {
		(void)kill(-pid, SIGKILL);
		(void)proc_wait(pid, status);
		return rc == -ETIMEDOUT ? -ETIMEDOUT : err_start_cancelled(e);
	}
	return proc_wait(pid, status);
}

int hooks_spawn(void *arg, struct spawn *s, struct buf *out, int *status, struct err **e)
{
	struct run *r = arg;

	if (r->wait)
		return run_served(r, s, out, status, e);
	s->output = out;
	s->timeout_ms = HOOK_LIMIT_S * 1000;
	return spawn_run(s, status, e);
}

/* What keeps a hook's program, or the shell, from running; mapped: whom that is about. */
static int forbidden(const struct run *r, enum conf_hook kind, const char *program, struct err **e)
{
	auto_free char *obstacle = io_obstacle(program), *who = NULL;
	uint32_t host = in_init(kind) ? idmap_to_host(&r->idmap, false, geteuid()) : UINT32_MAX;
	const char *inside = kind == HOOK_START ? " in the container" : "";

	if ((host == UINT32_MAX ? asprintf(&who, "uid %u", geteuid()) :
				  asprintf(&who, "the container's root (uid %u of the host)", host)) < 0)
		return err_no_memory(e);
	return err_hook_forbidden(e, kinds[kind], program, who, obstacle ? obstacle : program, inside);
}

static int run_one(struct run *r, enum conf_hook kind, const char *hook, const struct strv *extra,
		   char *const *envp, struct err **e)
{
	auto_free char *line = NULL, *program = program_of(hook);
	auto_buf struct buf out = BUF_INIT(OUTPUT_MAX);
	struct spawn s = SPAWN_INIT;
	int status = 0, fd = -EBADF, rc;
	struct err *mine = NULL;

	if (program && access(program, X_OK) < 0) {
		rc = errno;
		fd = rc == EACCES ? opened(r, hook) : -EBADF;
		if (fd < 0 && rc == EACCES)
			return forbidden(r, kind, program, e);
		if (fd < 0)
			return err_hook_missing(e, kinds[kind], program);
		s.keep = &fd;
		s.n_keep = 1;
	}
	line = shell_line(r, kind, hook, fd, extra);
	if (!line)
		return err_no_memory(e);
	char *const argv[] = { (char *)"sh", (char *)"-c", line, NULL };

	s.path = "/bin/sh";
	s.argv = argv;
	s.envp = envp;
	s.new_session = true;
	log_info(&r->log, "running %s hook: %s", kinds[kind], line);
	rc = hooks_spawn(r, &s, &out, &status, &mine);
	if (rc == -EACCES) {
		err_free(mine);
		return forbidden(r, kind, s.path, e);
	}
	err_move(e, mine);
	if (out.len)
		log_debug(&r->log, "%s hook said: %s", kinds[kind], buf_str(&out));
	if (rc == -ETIMEDOUT)
		return err_hook_timeout(e, kinds[kind], hook, HOOK_LIMIT_S);
	if (rc < 0)
		return rc;
	return status == 0 ? 0 : fail(kind, hook, &out, status, e);
}

int hooks_run(struct run *r, enum conf_hook kind, const struct strv *extra, const struct strv *more_env,
	      struct err **e)
{
	const struct conf_list *l = &r->conf->hooks[kind];
	auto_strv struct strv env = { 0 };
	int rc;

	if (!l->n)
		return 0;
	rc = hooks_environment(r, in_init(kind), &env, e);
	if (rc == 0 && more_env && strv_copy(&env, more_env) < 0)
		rc = err_no_memory(e);
	if (rc == 0 && r->conf->hook_version.v &&
	    (strv_addf(&env, "LXC_HOOK_TYPE=%s", kinds[kind]) < 0 || strv_add(&env, "LXC_HOOK_SECTION=lxc") < 0))
		rc = err_no_memory(e);
	for (size_t i = 0; i < l->n && rc == 0; i++) {
		rc = run_one(r, kind, l->v[i].value, extra, env.v, e);
		if (rc < 0)
			err_wrap_at(e, rc, l->v[i].at, "running lxc.hook.%s", kinds[kind]);
	}
	return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/proc.h"
#include "kernel/tty.h"
#include "lifecycle/freeze.h"
#include "lifecycle/hooks.h"
#include "lifecycle/removal.h"
#include "lifecycle/instance.h"
#include "lifecycle/start.h"

#undef LOG_CATEGORY
#define LOG_CATEGORY "stop"

static void log_error_chain(struct run *r, struct err *e)
{
	auto_free char *line = err_line(e);

	if (line)
		log_error(&r->log, "%s", line);
	err_free(e);
}

/* LXC_TARGET, and the namespaces that are still held, as hooks of version 0 and 1 get them. */
static int stop_arguments(struct run *r, struct strv *args, struct strv *env)
{
	static const char *const upper[NS_COUNT] = {
		[NS_USER] = "USER", [NS_MNT] = "MNT", [NS_PID] = "PID",	      [NS_UTS] = "UTS",
		[NS_IPC] = "IPC",   [NS_NET] = "NET", [NS_CGROUP] = "CGROUP", [NS_TIME] = "TIME",
	};
	int rc = strv_addf(env, "LXC_TARGET=%s", r->reboot ? "reboot" : "stop");

	for (int i = 0; i < NS_COUNT && rc == 0; i++) {
		if (r->ns_fd[i] < 0)
			continue;
		rc = strv_addf(args, "%s:/proc/%d/fd/%d", ns_table[i].name, getpid(), r->ns_fd[i]);
		if (rc == 0 && r->conf->hook_version.v)
			rc = strv_addf(env, "LXC_%s_NS=/proc/%d/fd/%d", upper[i], getpid(), r->ns_fd[i]);
	}
	return rc;
}

static void run_stop_hooks(struct run *r)
{
	auto_strv struct strv args = { 0 }, env = { 0 };
	struct err *e = NULL;

	if (!r->conf->hooks[HOOK_STOP].n || stop_arguments(r, &args, &env) < 0)
		return;
	if (hooks_run(r, HOOK_STOP, &args, &env, &e) < 0)
		log_error_chain(r, e);
}

static void run_post_stop_hooks(struct run *r)
{
	auto_strv struct strv args = { 0 }, env = { 0 };
	struct err *e = NULL;

	if (!r->conf->hooks[HOOK_POST_STOP].n || stop_arguments(r, &args, &env) < 0)
		return;
	if (hooks_run(r, HOOK_POST_STOP, NULL, &env, &e) < 0) {
		log_error_chain(r, e);
		r->reboot = false;
	}
}

static void close_console(struct monitor *m)
{
	seccomp_proxy_free(m->proxy);
	m->proxy = NULL;
	console_free(m->console);
	m->console = NULL;
	for (int i = 0; i < TTY_MAX; i++)
		m->tty_holder[i] = NULL;
	if (m->tty_is_raw && !m->r->reboot) {
		(void)tty_restore(0, &m->saved_tty);
		m->tty_is_raw = false;
	}
}

static void destroy_ephemeral(struct run *r)
{
	auto_close int parent = open(r->lxcpath, O_RDONLY | O_DIRECTORY | O_CLOEXEC), dir = -EBADF;
	struct removal m = { .lxcpath = r->lxcpath, .name = r->name, .dir = r->dir, .conf = r->conf, .log = &r->log };
	struct err *e = NULL;
	int rc;

	dir = parent < 0 ? -EBADF : openat(parent, r->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	rc = dir < 0 ? err_set(&e, errno, NULL, "cannot open %s", r->dir) : hooks_run(r, HOOK_DESTROY, NULL, NULL, &e);
	/* Somebody else's: only he removes it. */
	if (rc == 0 && !r->conf->rootfs_managed.v)
		return;
	if (rc == 0)
		rc = removal_run(&m, parent, dir, &e);
	if (rc < 0)
		log_error_chain(r, e);
}

/* What a mounted root held open is free once these are closed. keep_own: the monitor's own cgroup goes
 * at its very end, see cgroup_retire. */
static void release(struct run *r, bool keep_own)
{
	host_unload_profile(r);
	if (keep_own)
		host_remove_payload(r);
	else
		host_remove_cgroups(r);
	host_detach_storage(r);
}

/* The last reference to the mounts waits for an RCU grace period in the kernel, and for much longer while another one,
 * that of an interface, is being waited for. Hooks are to find the namespaces. */
static void release_namespaces(struct run *r)
{
	if (r->conf->hooks[HOOK_STOP].n || r->conf->hooks[HOOK_POST_STOP].n)
		return;
	for (int i = 0; i < NS_COUNT; i++)
		if (i != NS_NET)
			fd_replace(&r->ns_fd[i], -EBADF);
}

void stop_late(struct monitor *m)
{
	run_close_fds(m->r);
	host_retire(m->r);
}

bool stop_run(struct monitor *m, bool may_be_late)
{
	struct run *r = m->r;
	bool late;

	if (r->exit_status >= 0 && WIFSIGNALED(r->exit_status) && WTERMSIG(r->exit_status) == SIGHUP)
		r->reboot = monitor_may_reboot(r);
	freeze_cancel(m);
	m->ending = true; /* hooks at the end have a limit; a stop request cannot call them off */
	m->cancelled = false;
	monitor_count_oom_kills(r);
	monitor_tell_exit(r);
	loop_remove(m->net_source);
	m->net_source = NULL;
	release_namespaces(r);
	host_remove_network(r);
	(void)monitor_set_state(r, STATE_STOPPING, NULL);
	run_stop_hooks(r);
	close_console(m);
	release(r, !r->reboot);
	r->init_pid = 0;
	if (r->reboot) {
		(void)monitor_set_state(r, STATE_STOPPED, NULL);
		if (m->server)
			server_drop_subscribers(m->server);
	}
	run_post_stop_hooks(r);
	if (r->reboot) {
		run_close_fds(r);
		net_finish(true);
		return false;
	}
	/* A client of the socket hears of the end when nothing is left. */
	late = may_be_late && !(m->server && server_has_clients(m->server));
	if (!late)
		stop_late(m);
	r->state = STATE_STOPPED;
	if (m->instance_fd >= 0)
		(void)monitor_save(r, NULL);
	if (r->conf->ephemeral.v)
		destroy_ephemeral(r);
	if (r->pidfile)
		(void)unlink(r->pidfile);
	/* Subscribers hear of it by the end of the connection, which comes when nothing is left. */
	monitor_tell_fifo(r, STATE_STOPPED);
	host_close_socket(r);
	return late;
}

void stop_failed_start(struct monitor *m, const struct err *e)
{
	struct run *r = m->r;
	bool served = r->listen_fd >= 0;

	free(r->error_line);
	r->error_line = err_line(e);
	m->ending = true;
	m->cancelled = false;
	if (served)
		(void)monitor_set_state(r, STATE_ABORTING, NULL);
	close_console(m);
	host_kill_init(r);
	if (served)
		(void)monitor_set_state(r, STATE_STOPPING, NULL);
	/* The socket goes last: until then the name is ours, and nobody starts into our leftovers. */
	host_remove_network(r);
	if (served)
		run_stop_hooks(r);
	release(r, false);
	if (served)
		run_post_stop_hooks(r);
	run_close_fds(r);
	r->state = STATE_STOPPED;
	/* Unserved: another monitor may be the owner of the state file. */
	if (m->instance_fd >= 0 && served)
		(void)monitor_save(r, NULL);
	if (r->pidfile)
		(void)unlink(r->pidfile);
	if (served)
		monitor_tell_fifo(r, STATE_STOPPED);
	host_close_socket(r);
}

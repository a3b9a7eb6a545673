/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "kernel/memory.h"
#include "kernel/proc.h"
#include "lifecycle/command.h"
#include "lifecycle/events.h"
#include "lifecycle/freeze.h"
#include "lifecycle/instance.h"

#undef LOG_CATEGORY
#define LOG_CATEGORY "monitor"
#define STOP_FREEZE_MS 2000
#define NET_RESTART_MS 2000
#define OLD_STACK 65536		/* what planning may have touched of it */
#define IDLE_MS 5	/* a program that asks in a loop is back by then */

int monitor_serve(struct run *r, struct err **e)
{
	struct monitor *m = r->monitor;

	return m->server ? 0 : server_new(m->loop, r->listen_fd, m, &m->server, e);
}

void monitor_stop_serving(struct run *r)
{
	struct monitor *m = r->monitor;

	server_free(m->server);
	m->server = NULL;
}

void monitor_tell_fifo(struct run *r, enum lxc_state state)
{
	events_write(r->rundir, r->lxcpath, r->name, MESSAGE_STATE, (int)state);
}

void monitor_tell_exit(struct run *r)
{
	if (r->exit_status >= 0)
		events_write(r->rundir, r->lxcpath, r->name, MESSAGE_EXIT, r->exit_status);
}

/* What does not change as long as the process lives is asked for once. */
static void know_myself(struct monitor *m)
{
	if (m->self == getpid())
		return;
	m->self = getpid();
	(void)proc_start_time(m->self, &m->start_time);
	if (!*m->boot_id &&
	    io_read_line(AT_FDCWD, "/proc/sys/kernel/random/boot_id", m->boot_id, sizeof(m->boot_id)) <= 0)
		*m->boot_id = '\0';
}

int monitor_save(struct run *r, struct err **e)
{
	struct monitor *m = r->monitor;
	auto_buf struct buf cg = BUF_INIT(65536), net = BUF_INIT(65536);
	struct instance_state s = { 0 };

	if (m->instance_fd < 0)
		return 0;
	s.state = (int)r->state;
	s.monitor_pid = getpid();
	know_myself(m);
	s.monitor_start = m->start_time;
	s.init_pid = r->init_pid;
	s.init_start = r->init_start;
	s.all_flags = r->all_flags;
	s.exit_status = r->exit_status;
	s.application = r->application;
	s.oom_kills = r->oom_kills;
	s.stopper = r->stopper;
	s.error = r->error_line;
	if (*m->boot_id)
		s.boot_id = m->boot_id;
	if (r->cgroups && (r->cgroups_made || r->adopted) && cgroup_save(r->cgroups, &cg) == 0)
		s.cgroups = (char *)buf_str(&cg);
	if (r->net && net_save(r->net, &net) == 0)
		s.net = (char *)buf_str(&net);
	return instance_write(m->instance_fd, &s, &m->saved, e);
}

int monitor_set_state(struct run *r, enum lxc_state state, struct err **e)
{
	struct monitor *m = r->monitor;
	int rc;

	/* THAWED is said, RUNNING is what it is. */
	r->state = state == STATE_THAWED ? STATE_RUNNING : state;
	log_info(&r->log, "state %s", state_name((int)state));
	/* Who is told finds it in the file. */
	rc = monitor_save(r, e);
	if (m->server)
		server_announce(m->server, r->name, state);
	monitor_tell_fifo(r, state);
	return rc;
}

static int open_peer(struct run *r, struct monitor *m, struct err **e)
{
	const struct conf_str *path = &r->conf->console_path;
	int fd;

	if (path->v) {
		fd = open(path->v, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (fd < 0)
			return err_at(e, err_set(e, errno, NULL, "lxc.console.path = %s cannot be opened", path->v),
				      path->at);
		if (!isatty(fd)) {
			fd_close(fd);
			return err_at(e, err_set(e, ENOTTY, "console-not-a-tty", "lxc.console.path = %s is not a terminal",
						 path->v),
				      path->at);
		}
		return console_add_peer(m->console, fd, fd, e);
	}
	if (!r->foreground)
		return 0;
	if (r->application && !r->stdio_tty[0] && !r->stdio_tty[1] && !r->stdio_tty[2])
		return 0;
	if (isatty(0) && !m->tty_is_raw)
		m->tty_is_raw = tty_raw(0, &m->saved_tty) == 0;
	return console_add_peer(m->console, isatty(0) ? 0 : -1, isatty(1) || !r->application ? 1 : 2, e);
}

int monitor_open_console(struct run *r, struct err **e)
{
	struct monitor *m = r->monitor;
	int rc;

	if (!r->want_console || r->console.ptx < 0)
		return 0;
	rc = console_new(m->loop, r->console.ptx, r->conf, &r->log, &m->console, e);
	return rc < 0 ? rc : open_peer(r, m, e);
}

int monitor_open_proxy(struct run *r, struct err **e)
{
	struct monitor *m = r->monitor;
	int rc;

	if (r->seccomp_fd < 0)
		return 0;
	rc = seccomp_proxy_new(r->conf, &r->log, &m->proxy, e);
	if (rc == 0 && m->proxy)
		rc = seccomp_proxy_start(m->proxy, m->loop, r->seccomp_fd, r->init_pid, SECCOMP_PROXY_TIMEOUT_MS, e);
	return rc < 0 ? err_at(e, rc, r->conf->seccomp_proxy.at) : 0;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int restart_network(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	struct monitor *m = arg;
	struct err *e = NULL;

	m->net_source = NULL;
	if (m->ending)
		return 0;
	if (net_helper_restart(m->r->net, m->r->init_pid, &e) < 0) {
		auto_free char *line = err_line(e);

		log_error(&m->r->log, "%s", line ? line : "the network's program cannot be started again");
	}
	err_free(e);
	(void)monitor_save(m->r, NULL);
	(void)monitor_watch_network(m->r, NULL);
	return 0;
}

/* Again at once, but one that ends as soon as it has begun waits. */
static int on_network_end(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	struct monitor *m = arg;
	bool quick = now_ms() - m->net_began < NET_RESTART_MS;

	loop_remove(s);
	m->net_source = NULL;
	if (m->ending)
		return 0;
	log_warn(&m->r->log, "%s has ended and is started again", net_helper_name(m->r->net));
	(void)loop_add_timer(m->loop, quick ? NET_RESTART_MS : 1, restart_network, m, &m->net_source, NULL);
	return 0;
}

int monitor_watch_network(struct run *r, struct err **e)
{
	struct monitor *m = r->monitor;
	int fd = net_helper_fd(r->net);

	if (!net_has_helper(r->net) || m->net_source)
		return 0;
	/* None runs: an adopted container's has ended meanwhile, or it could not be started. */
	if (fd < 0)
		return loop_add_timer(m->loop, NET_RESTART_MS, restart_network, m, &m->net_source, e);
	m->net_began = now_ms();
	return loop_add(m->loop, fd, false, EPOLLIN, on_network_end, m, &m->net_source, e);
}

int monitor_add_listener(struct run *r, int listener, struct err **e)
{
	struct monitor *m = r->monitor;

	return seccomp_proxy_add(&m->proxy, r->conf, &r->log, m->loop, listener, r->init_pid, SECCOMP_PROXY_TIMEOUT_MS, e);
}

static int on_first(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	loop_stop(l, 1);
	return 0;
}

static int on_second(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	loop_stop(l, 2);
	return 0;
}

static int on_time(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	struct source **timer = arg;

	*timer = NULL;
	loop_stop(l, 3);
	return 0;
}

int monitor_wait(struct run *r, int fd, int other, unsigned limit_ms)
{
	struct monitor *m = r->monitor;
	struct source *first = NULL, *second = NULL, *timer = NULL;
	int rc;

	if (m->cancelled)
		return -ECANCELED;
	rc = loop_add(m->loop, fd, false, EPOLLIN, on_first, NULL, &first, NULL);
	if (rc == 0 && other >= 0)
		rc = loop_add(m->loop, other, false, EPOLLIN, on_second, NULL, &second, NULL);
	if (rc == 0 && limit_ms)
		rc = loop_add_timer(m->loop, limit_ms, on_time, &timer, &timer, NULL);
	if (rc == 0)
		rc = loop_run(m->loop);
	loop_remove(first);
	loop_remove(second);
	loop_remove(timer);
	if (m->cancelled)
		return -ECANCELED;
	return rc == 3 ? -ETIMEDOUT : rc > 0 ? rc - 1 : rc;
}

void monitor_note_stopper(struct run *r, const char *how, uid_t uid, pid_t pid)
{
	char path[64], command[64] = "";

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	(void)io_read_line(AT_FDCWD, path, command, sizeof(command));
	free(r->stopper);
	/* The state file gets it with the next state. */
	if (asprintf(&r->stopper, "%s %u %d %s", how, uid, pid, command) < 0)
		r->stopper = NULL;
}

void monitor_want_halt(struct monitor *m, unsigned wait_ms)
{
	m->r->halt_until_ms = wait_ms ? now_ms() + wait_ms : 0;
	/* The hooks of its end may be running. */
	if (wait_ms && m->ending)
		m->r->reboot = false;
}

bool monitor_may_reboot(const struct run *r)
{
	return now_ms() >= r->halt_until_ms;
}

static void give_back(void *arg)
{
	struct monitor *m = arg;

	if (m->ending)
		return;
	if (m->old_stack && getppid() != m->old_user)
		memory_release_stack(take_ptr(m->old_stack), OLD_STACK);
	memory_release();
}

void monitor_rest(struct monitor *m)
{
	loop_on_idle(m->loop, IDLE_MS, give_back, m);
}

/* "oom_kill N" of the file that counts them. */
static bool read_oom_kills(struct run *r, const char *file, uint64_t *ret)
{
	auto_buf struct buf b = BUF_INIT(65536);
	const char *at;

	if (!r->cgroups || cgroup_get(r->cgroups, file, &b, NULL) < 0)
		return false;
	for (at = strstr(buf_str(&b), "oom_kill "); at; at = strstr(at + 1, "oom_kill "))
		if (at == buf_str(&b) || at[-1] == '\n')
			return num_prefix(at + strlen("oom_kill "), 10, UINT64_MAX, ret, &at) == 0;
	return false;
}

void monitor_count_oom_kills(struct run *r)
{
	if (!read_oom_kills(r, "memory.events", &r->oom_kills))
		(void)read_oom_kills(r, "memory.oom_control", &r->oom_kills);
}

int monitor_stop(struct monitor *m, struct err **e)
{
	struct run *r = m->r;
	int sig = r->conf->signal_stop.v ? (int)r->conf->signal_stop.v : SIGKILL, rc;

	monitor_want_halt(m, UINT_MAX);
	if (m->ending)
		return 0;
	if (r->state == STATE_STARTING || r->init_pidfd < 0) {
		m->cancelled = true;
		loop_stop(m->loop, -ECANCELED);
		return 0;
	}
	freeze_cancel(m);
	rc = proc_pidfd_send(r->init_pidfd, sig);
	if (rc < 0 && rc != -ESRCH)
		return err_set(e, -rc, NULL, "cannot signal init");
	/* A frozen process takes even SIGKILL only once it is thawed (v1). */
	if (r->state == STATE_FROZEN || r->state == STATE_FREEZING)
		(void)cgroup_freeze(r->cgroups, false, STOP_FREEZE_MS, NULL);
	return 0;
}

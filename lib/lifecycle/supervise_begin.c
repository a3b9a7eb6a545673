/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* supervise_begin - a monitor's steps before the start: what it is to do, what it keeps of its starter, what is written
 * down first. */
#include "lifecycle/supervise_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/paths.h"
#include "base/str.h"
#include "base/table.h"
#include "cgroup/scope.h"
#include "config/reader.h"
#include "kernel/proc.h"
#include "kernel/socket.h"
#include "lifecycle/client.h"
#include "lifecycle/command.h"
#include "lifecycle/instance.h"
#include "lifecycle/plan.h"
#include "lifecycle/start.h"

#define LOCK_TRIES 2000
#define LOCK_STEP_US 1000
#define LOCK_QUICK_TRIES 20	/* most are there within a millisecond */
#define LOCK_QUICK_US 50

/* One that was begun ahead waits for what it is to do. Nobody has a use for it any more: it ends. */
static int await_launch(void)
{
	int fds[SUPERVISE_LATE_FDS];
	size_t n = 0;
	char byte;
	ssize_t r = socket_recv_packet(SUPERVISE_STATUS_FD, &byte, 1, fds, SUPERVISE_LATE_FDS, &n, -1);

	if (r == 0 || r == -ECONNRESET)
		_exit(0);
	if (r < 0)
		return (int)r;
	/* Out of the way first: each may have the other's number. */
	for (size_t i = 0; i < n; i++)
		fd_replace(&fds[i], fcntl(fds[i], F_DUPFD_CLOEXEC, SUPERVISE_LOG_FD + 1));
	for (size_t i = 0; i < n; i++) {
		if (fds[i] < 0 || dup2(fds[i], SUPERVISE_LAUNCH_FD + (int)i) < 0)
			return -errno;
		fd_close(fds[i]);
	}
	return n > 0 ? 0 : -EBADF;
}

int supervise_take_launch(struct supervisor *s, char *text, size_t len, struct err **e)
{
	int r;

	s->text = text;
	r = launch_head_read(text, len, &s->head, &s->body, e);
	if (r == 0)
		s->body_len = len - (size_t)(s->body - text);
	return r;
}

int supervise_read_launch(struct supervisor *s, struct err **e)
{
	char *text = NULL;
	size_t len;
	int r = fcntl(SUPERVISE_LAUNCH_FD, F_GETFD) < 0 ? await_launch() : 0;

	if (r == 0 && lseek(SUPERVISE_LAUNCH_FD, 0, SEEK_SET) < 0)
		r = -errno;
	if (r < 0)
		return err_set(e, -r, NULL, "this program is started by the lxc tools, not by hand");
	r = io_read_fd(SUPERVISE_LAUNCH_FD, SUPERVISE_TEXT_MAX, &text, &len);
	(void)close(SUPERVISE_LAUNCH_FD);
	if (r < 0)
		return err_set(e, -r, NULL, "cannot read the launch data");
	r = supervise_take_launch(s, text, len, e);
	if (r < 0)
		return r;
	if (s->head.status) {
		s->status_fd = SUPERVISE_STATUS_FD;
		(void)fcntl(s->status_fd, F_SETFD, FD_CLOEXEC);
	}
	if (s->head.log_level != LOG_NOTSET) {
		s->log_fd = fcntl(SUPERVISE_LOG_FD, F_DUPFD_CLOEXEC, 10);
		(void)close(SUPERVISE_LOG_FD);
	}
	/* A daemon holds nothing of its starter's open. */
	if (!s->head.foreground || s->head.close_fds)
		(void)proc_close_fds(SUPERVISE_STATUS_FD, (const int[]){ s->status_fd, s->log_fd }, 2);
	return 0;
}

/* Signals that the monitor handles arrive through its loop; the rest keep their default. */
void supervise_block_signals(sigset_t *mask)
{
	static const int fatal[] = { SIGBUS, SIGILL, SIGSEGV, SIGFPE, SIGABRT, SIGTRAP, SIGSYS };

	(void)sigfillset(mask);
	for (size_t i = 0; i < ARRAY_SIZE(fatal); i++)
		(void)sigdelset(mask, fatal[i]);
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
}

/* lxc.log.syslog: the facility that this program's messages go to. */
static void open_syslog(const struct conf *conf)
{
	static const struct name_value facilities[] = {
		{ "daemon", LOG_DAEMON }, { "local0", LOG_LOCAL0 }, { "local1", LOG_LOCAL1 },
		{ "local2", LOG_LOCAL2 }, { "local3", LOG_LOCAL3 }, { "local4", LOG_LOCAL4 },
		{ "local5", LOG_LOCAL5 }, { "local6", LOG_LOCAL6 }, { "local7", LOG_LOCAL7 },
	};
	const struct name_value *f = conf->log_syslog.v ? table_by_nocase(facilities, conf->log_syslog.v) : NULL;

	if (f)
		openlog("lxc", LOG_PID, (int)f->value);
}

/* Before the plan, which goes by the cgroups that can be used. Without a scope the plan says what that means. */
static void ask_for_scope(struct supervisor *s, const struct conf *conf)
{
	auto_err struct err *e = NULL;

	if (!conf->cgroup_relative.v && scope_enter(s->head.name, &e) < 0) {
		auto_free char *line = err_line(e);

		supervise_warn(s, line ? line : "systemd gives no scope");
	}
}

/* A fresh run from the launch data: for the start, and again for every reboot. */
int supervise_new_run(struct supervisor *s, struct err **e)
{
	struct conf *conf = NULL;
	int r = conf_undump(&conf, s->body, s->body_len, NULL, e);
	struct run *run;

	if (r < 0)
		return r;
	if (str_set(&conf->name, s->head.name) < 0 || str_set(&conf->lxcpath, s->head.lxcpath) < 0) {
		conf_free(conf);
		return err_no_memory(e);
	}
	run = run_new(conf);
	if (!run) {
		conf_free(conf);
		return err_no_memory(e);
	}
	run->restores = s->head.mode == LAUNCH_RESTORE;
	run->starts = s->head.mode == LAUNCH_START;
	run->foreground = s->head.foreground;
	run->application = s->head.application;
	run->close_fds = s->head.close_fds;
	run->files = s->files;
	run->quiet = s->head.quiet;
	run->timed = s->head.timed;
	run->wait = monitor_wait;
	run->monitor = &s->m;
	run->log.sink = supervise_warn;
	run->log.sink_arg = s;
	if (s->log_fd >= 0) {
		run->log.fd = fcntl(s->log_fd, F_DUPFD_CLOEXEC, 10);
		run->log.level = s->head.log_level;
	}
	s->m.r = run;
	if (strv_copy(&run->argv, &s->head.argv) < 0 || str_set(&run->pidfile, s->head.pidfile) < 0 ||
	    str_set(&run->log.prefix, s->head.prog ? s->head.prog : "lxc-start") < 0)
		return err_no_memory(e);
	open_syslog(conf);
	ask_for_scope(s, conf);
	return plan_make(run, e);
}

int supervise_open_init(struct run *r, struct err **e)
{
	static const char *const names[] = { PATH_SBIN "/init.lxc.static", PATH_SBIN "/init.lxc" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (access(names[i], X_OK) < 0)
			continue;
		r->exe_fd = proc_safe_exe(names[i], e);
		return MIN(r->exe_fd, 0);
	}
	return err_supervisor_missing(e, names[0]);
}

/* Nothing of the caller: its descriptors, directory, session, keyring, umask. */
int supervise_detach(struct supervisor *s, struct err **e)
{
	auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return err_set(e, errno, NULL, "cannot open /dev/null");
	for (int i = 0; i < 3; i++)
		if (dup2(null, i) < 0)
			return err_set(e, errno, NULL, "cannot redirect stdio");
	(void)setsid();
	return 0;
}

int supervise_write_pidfile(struct run *r, struct err **e)
{
	auto_close int fd = -EBADF;
	char text[16];

	if (!r->pidfile)
		return 0;
	(void)unlink(r->pidfile);
	fd = open(r->pidfile, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_pidfile_unwritable(e, r->pidfile);
	(void)snprintf(text, sizeof(text), "%d", getpid());
	return io_write_all(fd, text, strlen(text)) < 0 ? err_pidfile_unwritable(e, r->pidfile) : 0;
}

/* Somebody runs already: known before anything is made. */
static int check_free(const struct supervisor *s, struct err **e)
{
	struct run *r = s->m.r;
	char address[108];
	auto_close int fd = -EBADF;
	pid_t pid;

	command_address(r->lxcpath, r->name, address);
	fd = socket_connect_abstract(address, SOCK_STREAM, 2000);
	if (fd >= 0)
		return host_socket_holder(r, fd, e);
	return client_monitor_elsewhere(s->m.instance_fd, &pid) ? err_monitor_elsewhere(e, r->name, pid) : 0;
}

/* The lock of the state file's directory, which lasts as long as a monitor lives, through its fork. */
static int lock_instance(struct supervisor *s, struct err **e)
{
	struct run *r = s->m.r;

	for (int i = 0; flock(s->m.instance_fd, LOCK_EX | LOCK_NB) < 0; i++) {
		bool held = errno == EWOULDBLOCK;
		/* One that runs is not waited for; one that is ending goes within moments. */
		int rc = i == 0 ? check_free(s, e) : 0;

		if (rc == 0 && (!held || i == LOCK_TRIES))
			rc = err_already_running(e, r->name, r->lxcpath);
		if (rc < 0)
			return rc;
		(void)usleep(i < LOCK_QUICK_TRIES ? LOCK_QUICK_US : LOCK_STEP_US);
	}
	return check_free(s, e);
}

/* Before anything is made the state file says so: whoever comes after a kill at any instant finds what
 * to clean up. */
int supervise_announce(struct supervisor *s, struct err **e)
{
	struct run *r = s->m.r;
	int rc = instance_dir(r->rundir, r->lxcpath, r->name, true, e);

	if (rc < 0)
		return rc == -ENOENT ? err_set(e, ENOENT, NULL, "the run directory %s does not exist", r->rundir) : rc;
	s->m.instance_fd = rc;
	rc = lock_instance(s, e);
	if (rc < 0) {
		fd_replace(&s->m.instance_fd, -EBADF);
		return rc;
	}
	r->state = STATE_STARTING;
	rc = instance_write_config(s->m.instance_fd, s->text, (size_t)(s->body - s->text) + s->body_len, e);
	return rc < 0 ? rc : monitor_save(r, e);
}

int supervise_enter_namespace(struct run *r, struct err **e)
{
	if (!r->conf->monitor_unshare.v)
		return 0;
	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return err_at(e, err_set(e, errno, NULL, "the monitor's mount namespace cannot be made"),
			      r->conf->monitor_unshare.at);
	return 0;
}

void supervise_record_failure(struct supervisor *s, const struct err *e)
{
	struct run *r = s->m.r;
	char address[108];
	auto_close int fd = -EBADF;
	pid_t pid;

	if (!r || !r->rundir)
		return;
	command_address(r->lxcpath, r->name, address);
	/* Theirs is the state file, also where their socket cannot be reached from here. */
	if (s->m.instance_fd < 0) {
		fd = socket_connect_abstract(address, SOCK_STREAM, 1000);
		if (fd >= 0)
			return;
		s->m.instance_fd = instance_dir(r->rundir, r->lxcpath, r->name, true, NULL);
		if (s->m.instance_fd < 0 || client_monitor_elsewhere(s->m.instance_fd, &pid) ||
		    flock(s->m.instance_fd, LOCK_EX | LOCK_NB) < 0)
			return;
	}
	free(r->error_line);
	r->error_line = err_line(e);
	r->state = STATE_STOPPED;
	(void)monitor_save(r, NULL);
}

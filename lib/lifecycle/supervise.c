/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/proc.h"
#include "kernel/rlimit.h"
#include "kernel/signal.h"
#include "kernel/tty.h"
#include "lifecycle/adopt.h"
#include "lifecycle/command.h"
#include "lifecycle/early_net.h"
#include "lifecycle/plan.h"
#include "lifecycle/restore.h"
#include "lifecycle/start.h"
#include "lifecycle/stop.h"
#include "lifecycle/supervise_parts.h"

#undef LOG_CATEGORY
#define LOG_CATEGORY "supervise"
#define PROGRAM "lxc-supervise"
#define STOPPED_S 5	/* a monitor that has been stopped by a signal is not waited for that long */
#define MAKER_ENDED 256	/* no exit status: of who has made a monitor that is gone, with all that this one had */

static int on_init_end(struct loop *l, struct source *src, uint32_t events, void *arg)
{
	struct monitor *m = arg;
	struct run *r = m->r;

	loop_remove(m->init_source);
	m->init_source = NULL;
	if (r->adopted || proc_wait(r->init_pid, &r->exit_status) < 0)
		if (proc_pidfd_status(r->init_pidfd, &r->exit_status) < 0)
			r->exit_status = -1;
	loop_stop(l, 0);
	return 0;
}

static bool is_to_end(int sig)
{
	return sig == SIGTERM || sig == SIGINT || sig == SIGHUP || sig == SIGQUIT;
}

/* Whoever has seen the container's program at work may mean that, although we have not heard yet that it runs. What comes
 * again is for us. */
static bool keep_for_init(struct monitor *m, const struct signalfd_siginfo *si)
{
	if (!seq_is_executing(&m->r->seq) || m->n_early == ARRAY_SIZE(m->early))
		return false;
	for (size_t i = 0; i < m->n_early; i++)
		if (is_to_end((int)si->ssi_signo) && m->early[i].ssi_signo == si->ssi_signo)
			return false;
	m->early[m->n_early++] = *si;
	return true;
}

static void forward(struct monitor *m, const struct signalfd_siginfo *si)
{
	int sig = (int)si->ssi_signo;
	struct run *r = m->r;

	if (r->state == STATE_STARTING) {
		if (!keep_for_init(m, si) && is_to_end(sig))
			(void)monitor_stop(m, NULL);
		return;
	}
	if (m->ending && is_to_end(sig))
		monitor_want_halt(m, UINT_MAX);
	if (is_to_end(sig) || sig == SIGPWR)
		monitor_note_stopper(r, "signal", si->ssi_uid, (pid_t)si->ssi_pid);
	if (r->init_pidfd >= 0 && !m->ending)
		(void)proc_pidfd_send(r->init_pidfd, sig == SIGHUP ? SIGTERM : sig);
}

static int on_signal(struct loop *l, struct source *src, uint32_t events, void *arg)
{
	struct monitor *m = arg;
	struct signalfd_siginfo si;

	while (read(source_fd(src), &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		int sig = (int)si.ssi_signo;

		if (sig == SIGWINCH && m->tty_is_raw && m->r->console.ptx >= 0)
			(void)tty_copy_winsize(0, m->r->console.ptx);
		else if (sig != SIGWINCH && sig != SIGCHLD && sig != SIGPIPE && sig != SIGTSTP && sig != SIGTTIN &&
			 sig != SIGTTOU && sig != SIGCONT && sig != SIGURG)
			forward(m, &si);
	}
	return 0;
}

/* Who asked for the start has gone before it was done (Ctrl-C, kill): it is called off. */
static int on_client_gone(struct loop *l, struct source *src, uint32_t events, void *arg)
{
	struct monitor *m = arg;

	loop_remove(src);
	m->client_source = NULL;
	if (m->r->state == STATE_STARTING && !m->ending) {
		m->cancelled = true;
		loop_stop(l, -ECANCELED);
	}
	return 0;
}

/* The process that the caller knows is still there, and ends when the container runs. */
static bool is_in_background_here(const struct supervisor *s)
{
	return s->stander && !s->head.foreground;
}

static int watch_maker(struct supervisor *s, struct err **e)
{
	auto_close int fd = proc_pidfd_open(s->stander);
	int rc;

	if (fd < 0 || getppid() != s->stander)
		return err_start_cancelled(e);
	rc = loop_add(s->m.loop, fd, true, EPOLLIN, on_client_gone, &s->m, &s->m.client_source, e);
	if (rc == 0)
		(void)take_fd(&fd);
	return rc;
}

static int make_loop(struct supervisor *s, struct err **e)
{
	int rc = loop_new(&s->m.loop, e);

	if (rc == 0)
		rc = loop_add_signals(s->m.loop, &s->mask, on_signal, &s->m, e);
	if (rc == 0 && s->status_fd >= 0)
		rc = loop_add(s->m.loop, s->status_fd, false, EPOLLRDHUP, on_client_gone, &s->m, &s->m.client_source, e);
	if (rc == 0 && is_in_background_here(s))
		rc = watch_maker(s, e);
	return rc;
}

/* It runs: nothing is left of who has started it but the memory. */
static void let_maker_end(struct supervisor *s)
{
	/* The maker's stack, where that is, lasts until it is given back. */
	const struct supervise_here *h = take_ptr(s->here);

	proc_set_title(h->title);
	fd_replace(&s->err_fd, -EBADF);
	s->failure = NULL;
	proc_answer(s->stander, W_EXITCODE(0, 0));
	s->stander = 0;
	fd_close(h->held);
}

/* From RUNNING to the end of init. */
static int stay(struct supervisor *s, struct err **e)
{
	struct monitor *m = &s->m;
	struct run *r = m->r;
	int rc = loop_add(m->loop, r->init_pidfd, false, EPOLLIN, on_init_end, m, &m->init_source, e);

	if (rc == 0)
		rc = monitor_watch_network(r, e);
	/* A container that is adopted may be frozen. */
	if (rc == 0)
		rc = monitor_set_state(r, cgroup_is_frozen(r->cgroups) ? STATE_FROZEN : STATE_RUNNING, e);
	if (rc < 0)
		return rc;
	loop_remove(m->client_source);
	m->client_source = NULL;
	if (r->timing)
		supervise_tell_text(s, r->timing, strlen(r->timing));
	supervise_tell(s, STATUS_RUNNING, 0, NULL, 0);
	if (!s->head.foreground)
		fd_replace(&s->status_fd, -EBADF);
	if (is_in_background_here(s))
		let_maker_end(s);
	r->log.sink = NULL;
	for (size_t i = 0; i < m->n_early; i++)
		forward(m, &m->early[i]);
	m->n_early = 0;
	/* What the start has touched is hardly needed while the container runs. */
	monitor_rest(m);
	return loop_run(m->loop);
}

/* Init ended before it could say why: the signal that ended it may. */
static void explain_death(struct run *r, int rc, struct err **e)
{
	int sig;

	if (!err_is(*e, "init-died"))
		return;
	host_kill_init(r);
	sig = r->exit_status > 0 && WIFSIGNALED(r->exit_status) ? WTERMSIG(r->exit_status) : 0;
	if (sig == SIGSYS)
		(void)err_wrap_at(e, err_init_killed_by_policy(e, err_root(*e)->what, r->conf->seccomp_profile.v ?
										   r->conf->seccomp_profile.v : "the policy"),
				  r->conf->seccomp_profile.at, "setting up the container");
	else if (sig)
		(void)err_wrap(e, rc, "waiting for a process that ended by signal %d (%s)", sig, strsignal(sig));
}

/* The exit status of a foreground program: the application's, or 0. */
static int exit_code(const struct supervisor *s, int status)
{
	if (!s->head.application || status < 0)
		return 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* The process that the caller knows ends; nothing of the caller's stays open here. */
static void answer(struct supervisor *s)
{
	(void)supervise_detach(s, NULL);
	proc_answer(s->stander, W_EXITCODE(exit_code(s, s->m.r->exit_status), 0));
}

/* From the end of init to the end of what was made for it. */
static void finish(struct supervisor *s)
{
	if (!stop_run(&s->m, s->stander > 0))
		return;
	answer(s);
	stop_late(&s->m);
}

/* One life of the container; true if it wants another. */
static bool live(struct supervisor *s, int *ret)
{
	struct err *e = NULL;
	struct run *r = s->m.r;
	int rc, status;

	rc = s->head.mode == LAUNCH_RESTORE ? restore_run(r, &s->head.restore, &e) : start_run(r, &e);
	/* Only its first life comes from the checkpoint. */
	s->head.mode = LAUNCH_START;

	if (rc < 0) {
		explain_death(r, rc, &e);
		stop_failed_start(&s->m, e);
		status = r->exit_status;
		*ret = supervise_report(s, e, status > 0 ? status : 1);
		return false;
	}
	rc = stay(s, &e);
	if (rc < 0) {
		host_kill_init(r);
		s->stander = 0;
	}
	finish(s);
	if (rc < 0) {
		if (!e)
			(void)err_set(&e, -rc, NULL, "the monitor cannot go on");
		*ret = supervise_report(s, e, 1);
		return false;
	}
	*ret = r->exit_status;
	return r->reboot;
}

static int reboot(struct supervisor *s)
{
	struct run *old = s->m.r;
	int listen_fd = take_fd(&old->listen_fd), rc;
	struct err *e = NULL;

	rc = supervise_new_run(s, &e);
	s->m.r->listen_fd = listen_fd;
	s->m.ending = s->m.cancelled = false;
	if (s->m.r != old)
		run_free(old);
	if (rc == 0 && s->head.application)
		rc = supervise_open_init(s->m.r, &e);
	if (rc < 0) {
		stop_failed_start(&s->m, e);
		err_free(e);
	}
	return rc;
}

static int supervise(struct supervisor *s)
{
	int status = -1;

	while (live(s, &status))
		if (reboot(s) < 0)
			return EXIT_INTERNAL;
	if (s->status_fd >= 0) {
		supervise_tell(s, STATUS_ENDED, status, NULL, 0);
		return 0;
	}
	return s->m.r->error_line ? EXIT_INTERNAL : exit_code(s, status);
}

/* A monitor to be. */
struct birth {
	struct supervisor *s;
	int rd, wr;		/* a byte through this pipe: the record names the child */
	bool in_cgroup;
};

static int go_on(struct supervisor *s, int rc, struct err *e);

static _Noreturn void end(struct supervisor *s, int status);

/* The monitor's first steps. The one who made it waits until the record names this one, whatever comes of it then. */
static void be_monitor(void *arg)
{
	/* Of the maker's stack there is nothing left once it has been told. */
	const struct birth b = *(const struct birth *)arg;
	struct supervisor *s = b.s;
	struct run *r = s->m.r;
	struct err *e = NULL;
	int rc;

	r->born_in_cgroup = b.in_cgroup;
	cgroup_birth_known(r->cgroups, b.in_cgroup);
	rc = monitor_save(r, &e);
	(void)!write(b.wr, "", 1);
	(void)close(b.wr);
	(void)close(b.rd);
	if (s->here && !s->head.foreground) {
		/* The maker keeps its signals as they were. */
		signal_reset_all();
		(void)sigprocmask(SIG_SETMASK, &s->mask, NULL);
		s->err_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	}
	if (rc == 0 && !s->head.foreground)
		rc = supervise_detach(s, &e);
	end(s, go_on(s, rc, e));
}

/* A child in the cgroup behind fd (-1: in ours): its pid. The record names the child from then on; until it does, the
 * one who made it stays. -ECHILD: a kernel has killed it at birth, see cgroup_birth_fd. */
static pid_t try_monitor(struct supervisor *s, int fd, struct err **e)
{
	auto_close int rd = -EBADF, wr = -EBADF;
	struct birth b = { .s = s, .in_cgroup = fd >= 0 };
	int p[2], status;
	pid_t pid;
	char byte;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, errno, NULL, "cannot make a pipe");
	rd = b.rd = p[0];
	wr = b.wr = p[1];
	pid = proc_clone_same(0, fd, be_monitor, &b, e);
	if (pid < 0)
		return pid;
	fd_replace(&wr, -EBADF);
	/* A record or the end of the child: in both cases the memory is no more shared with somebody who needs b. */
	if (read(rd, &byte, 1) == 1 || fd < 0)
		return pid;
	(void)proc_wait(pid, &status);
	return err_set(e, ECHILD, NULL, "the monitor was killed at birth");
}

/* Does not return if it answers. Else the memory is the maker's alone again, with the reason in it. */
static int wait_for_monitor(struct supervisor *s, pid_t pid, const sigset_t *before, const char *name, struct err **failure)
{
	int status;

	if (!proc_stand_until(pid, before, STOPPED_S, &status)) {
		/* It is there, and has the memory when it goes on: with nobody to tell why it calls off the start. */
		s->failure = NULL;
		(void)err_monitor_stopped(failure, name, pid);
	} else if (!*failure)
		(void)err_monitor_lost(failure, name);
	return MAKER_ENDED;
}

/* The monitor is born in its cgroup where there is v2, so that no pid has to be written. Who made it goes, or, in the foreground,
 * where it is the process that the caller knows, stands for it. Returns where there is no such cgroup. */
static int make_monitor(struct supervisor *s, struct err **e)
{
	struct run *r = s->m.r;
	int rc = cgroup_create(r->cgroups, e), fd;
	bool stands = s->here || (s->head.foreground && s->status_fd < 0), here = s->here && !s->head.foreground;
	const sigset_t mask = s->mask, before = s->before;
	struct err **failure = s->failure;
	auto_free char *name = here ? strdup(s->head.name) : NULL;
	struct err *mine = NULL;
	pid_t pid = -1;

	early_net_end(r);
	if (rc < 0)
		return rc;
	r->cgroups_made = true;
	if (stands)
		s->stander = getpid();
	s->m.old_user = getpid();
	s->m.old_stack = __builtin_frame_address(0);
	fd = cgroup_monitor_fd(r->cgroups);
	if (fd >= 0)
		pid = try_monitor(s, fd, &mine);
	if (pid < 0) {
		err_free(take_ptr(mine));
		/* One in the foreground moves itself. */
		if (s->head.foreground) {
			cgroup_birth_known(r->cgroups, false);
			s->stander = 0;
			s->m.old_stack = NULL;
			return 0;
		}
		pid = try_monitor(s, -1, &mine);
	}
	/* Of s nothing any more: it is the monitor's. */
	if (pid > 0 && here)
		return wait_for_monitor(s, pid, &before, name, failure);
	if (pid > 0 && stands)
		proc_stand_for(pid, &mask);
	if (pid > 0)
		_exit(0);
	s->m.old_stack = NULL;
	err_move(e, mine);
	return pid;
}

/* The start once this is the process that is to watch the container, or is known not to become it. */
static int go_on(struct supervisor *s, int rc, struct err *e)
{
	if (rc == 0)
		rc = supervise_enter_namespace(s->m.r, &e);
	if (rc == 0)
		rc = make_loop(s, &e);
	if (rc == 0)
		rc = supervise_write_pidfile(s->m.r, &e);
	if (rc < 0) {
		if (s->m.r && s->m.r->cgroups_made)
			host_remove_cgroups(s->m.r);
		supervise_record_failure(s, e);
		return supervise_report(s, e, 1);
	}
	return supervise(s);
}

static int start(struct supervisor *s)
{
	struct err *e = NULL;
	int rc = supervise_new_run(s, &e);

	if (rc == 0 && s->head.application)
		rc = supervise_open_init(s->m.r, &e);
	if (rc == 0)
		rc = supervise_announce(s, &e);
	if (rc == 0)
		rc = make_monitor(s, &e);
	return rc == MAKER_ENDED ? rc : go_on(s, rc, e);
}

static int explain(struct supervisor *s)
{
	auto_buf struct buf out = BUF_INIT(1U << 20);
	struct err *e = NULL;
	int rc = supervise_new_run(s, &e);

	if (rc < 0)
		return supervise_report(s, e, 1);
	if (s->head.json) {
		plan_json(s->m.r, &out);
	} else {
		plan_explain(s->m.r, &out);
		buf_adds(&out, "\nsteps of the start:\n");
		start_explain(s->m.r, &out);
	}
	supervise_tell_text(s, out.p, out.len);
	return 0;
}

static int adopt(struct supervisor *s)
{
	struct err *e = NULL;
	pid_t pid = proc_clone(0, -1, NULL, &e);
	int rc;

	if (pid > 0)
		_exit(0);
	rc = pid < 0 ? pid : supervise_detach(s, &e);
	if (rc == 0)
		rc = adopt_run(&s->m, s->head.lxcpath, s->head.name, &e);
	if (rc < 0)
		return supervise_report(s, e, 1);
	if (rc == ADOPT_CLEANED) {
		supervise_tell(s, STATUS_ENDED, 0, NULL, 0);
		return 0;
	}
	free(s->text);
	s->text = take_ptr(s->m.launch_text);
	launch_head_done(&s->head);
	rc = launch_head_read(s->text, s->m.launch_len, &s->head, &s->body, &e);
	s->body_len = s->m.launch_len - (size_t)(s->body - s->text);
	s->head.foreground = false;
	s->m.r->wait = monitor_wait;
	if (rc == 0)
		rc = loop_new(&s->m.loop, &e);
	if (rc == 0)
		rc = loop_add_signals(s->m.loop, &s->mask, on_signal, &s->m, &e);
	if (rc == 0)
		rc = host_open_socket(s->m.r, &e);
	/* Named as the monitor: who waited to adopt finds that, and need not wait for the end. */
	if (rc == 0)
		rc = monitor_save(s->m.r, &e);
	(void)flock(s->m.instance_fd, LOCK_UN);
	if (rc == 0) {
		adopt_terminals(&s->m);
		rc = stay(s, &e);
	}
	if (rc < 0)
		return supervise_report(s, e, 1);
	(void)stop_run(&s->m, false);
	if (!s->m.r->reboot)
		return 0;
	return reboot(s) < 0 ? EXIT_INTERNAL : supervise(s);
}

static void supervisor_free(struct supervisor *s)
{
	seccomp_proxy_free(s->m.proxy);
	console_free(s->m.console);
	s->m.console = NULL;
	server_free(s->m.server);
	run_free(s->m.r);
	loop_free(s->m.loop);
	fd_close(s->m.instance_fd);
	free(s->m.saved);
	launch_head_done(&s->head);
	fd_close(s->err_fd);
	free(s->text);
	free(s);
}

static _Noreturn void end(struct supervisor *s, int status)
{
	supervisor_free(s);
	(void)fflush(NULL);
	net_finish(false);
	_exit(status);
}

/* Of the process that this is: not on the stack, since a daemon has another. */
static struct supervisor *new_supervisor(void)
{
	struct supervisor *s = calloc(1, sizeof(*s));

	if (!s)
		_exit(EXIT_INTERNAL);
	s->status_fd = s->log_fd = s->err_fd = s->m.instance_fd = -EBADF;
	(void)umask(022);
	/* The descriptors of a monitor are not for its starter's limit, which is init's. */
	(void)getrlimit(RLIMIT_NOFILE, &s->files);
	rlimit_raise_files();
	/* The caller's keys stay the caller's. */
	(void)syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL);
	(void)!chdir("/");
	return s;
}

static _Noreturn void fail(struct supervisor *s, struct err *e)
{
	err_print(stderr, PROGRAM, e, false);
	err_free(e);
	end(s, EXIT_INTERNAL);
}

static int run(struct supervisor *s)
{
	/* What our starter ignores is not to be ignored by init, which gets its signals from here. One that is spawned was
	 * given all defaults. */
	if (s->head.foreground)
		signal_reset_all();
	else if (s->here)
		signal_reset(SIGCHLD);
	(void)sigprocmask(SIG_SETMASK, NULL, &s->before);
	supervise_block_signals(&s->mask);
	switch (s->head.mode) {
	case LAUNCH_EXPLAIN:
		return explain(s);
	case LAUNCH_ADOPT:
		return adopt(s);
	default:
		return start(s);
	}
}

int supervise_main(void)
{
	struct supervisor *s;
	struct err *e = NULL;

	proc_fill_stdio();
	/* Not the number of the descriptor that this was executed from. */
	(void)prctl(PR_SET_NAME, PROGRAM, 0, 0, 0);
	s = new_supervisor();
	/* One that was begun ahead waits here. */
	if (supervise_read_launch(s, &e) < 0)
		fail(s, e);
	end(s, run(s));
}

int supervise_here(const struct supervise_here *h, struct err **e)
{
	struct supervisor *s = new_supervisor();
	struct err *mine = NULL;
	int rc;

	environ = h->environment;
	s->here = h;
	s->log_fd = h->log_fd;
	rc = supervise_take_launch(s, h->text, h->len, &mine);
	if (rc == 0 && !s->head.foreground)
		s->failure = &mine;
	if (rc == 0)
		rc = run(s);
	/* In the foreground it has been said. */
	if (rc >= 0 && rc != MAKER_ENDED && !mine)
		end(s, rc);
	if (rc != MAKER_ENDED)
		supervisor_free(s);
	err_move(e, mine);
	return -ECANCELED;
}

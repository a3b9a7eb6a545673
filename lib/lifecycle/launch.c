/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/paths.h"
#include "config/system.h"
#include "kernel/proc.h"
#include "kernel/socket.h"
#include "lifecycle/instance.h"
#include "lifecycle/launch_head.h"
#include "lifecycle/revive.h"
#include "lifecycle/states.h"
#include "lifecycle/zygote.h"

#define SUPERVISOR PATH_LIBEXEC "/lxc-supervise"
#define DRAIN_MS 3000
#define TICK_MS 1000
#define STOPPED_TICKS 5		/* a supervisor that a signal keeps stopped for so long will not answer */
#define REVIVE_LIMIT_MS 60000
#define KILL_WAIT_MS 1000
#define STANDARD_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int make_text(const struct launch_head *h, const struct buf *dump, struct buf *b, struct err **e)
{
	int r = launch_head_write(h, b);

	if (r == 0 && dump)
		buf_add(b, dump->p, dump->len);
	return r < 0 || !buf_ok(b) ? err_no_memory(e) : 0;
}

static int make_memfd(const struct launch_head *h, const struct buf *dump, struct err **e)
{
	auto_buf struct buf b = BUF_INIT(SUPERVISE_TEXT_MAX);
	auto_close int fd = -EBADF;
	int r = make_text(h, dump, &b, e);

	if (r < 0)
		return r;
	fd = memfd_create("tiffin-launch", MFD_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, NULL, "cannot make a memfd");
	r = io_write_all(fd, b.p, b.len);
	return r < 0 ? err_set(e, -r, NULL, "cannot fill a memfd") : take_fd(&fd);
}

/* What the monitor sees of the caller's environment: what finding its own places needs, no more. */
static int make_environment(struct strv *env)
{
	static const char *const kept[] = { "HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "TERM" };
	int r = strv_add(env, STANDARD_PATH);

	for (size_t i = 0; i < ARRAY_SIZE(kept) && r == 0; i++) {
		const char *v = getenv(kept[i]);

		if (v)
			r = strv_addf(env, "%s=%s", kept[i], v);
	}
	return r;
}

static char *make_title(const char *name, const char *lxcpath)
{
	char *s = NULL;

	return asprintf(&s, "[lxc monitor] %s %s", lxcpath, name) < 0 ? NULL : s;
}

static bool is_roots_alone(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_uid == 0 && !(st.st_mode & 022);
}

/* The supervisor runs from a read-only mount: a guest that reaches /proc/PID/exe cannot change it. */
static int open_supervisor(struct err **e)
{
	int fd;

	if (access(SUPERVISOR, X_OK) < 0)
		return err_supervisor_missing(e, SUPERVISOR);
	/* Root's file is out of reach of an ordinary user's guest anyway; and a security module that knows it by
	 * its path goes on to. */
	fd = geteuid() != 0 && is_roots_alone(SUPERVISOR) ? -EPERM : proc_safe_exe(SUPERVISOR, NULL);
	if (fd < 0)
		fd = open(SUPERVISOR, O_PATH | O_CLOEXEC);
	return fd < 0 ? err_supervisor_missing(e, SUPERVISOR) : fd;
}

/* memfd and log as supervise.h says, or -EBADF, whatever numbers ours have: all are moved out of the way first. *ret_exe is
 * closed when nothing waits for the caller: with the mount goes some time. */
static int spawn_supervisor(char *title, int status, int memfd, int log, bool keep_others, pid_t *ret, int *ret_exe,
			    struct err **e)
{
	auto_close int exe = open_supervisor(e), s = -EBADF, m = -EBADF, x = -EBADF, l = -EBADF;
	auto_strv struct strv env = { 0 };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	char path[32];
	sigset_t all, none;
	int r;

	if (exe < 0)
		return exe;
	if (!title || make_environment(&env) < 0)
		return err_no_memory(e);
	s = fcntl(status, F_DUPFD_CLOEXEC, 10);
	m = memfd >= 0 ? fcntl(memfd, F_DUPFD_CLOEXEC, 10) : -EBADF;
	x = fcntl(exe, F_DUPFD_CLOEXEC, 10);
	l = log >= 0 ? fcntl(log, F_DUPFD_CLOEXEC, 10) : -EBADF;
	if (s < 0 || x < 0 || (memfd >= 0 && m < 0) || (log >= 0 && l < 0))
		return err_set(e, errno, NULL, "cannot duplicate a descriptor");
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", x);
	char *const argv[] = { title, NULL };

	/* All bits: sigfillset leaves out the C library's own two, which would then be ignored for ever. */
	memset(&all, 0xff, sizeof(all));
	(void)sigemptyset(&none);
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	(void)posix_spawnattr_setsigdefault(&attr, &all);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, s, SUPERVISE_STATUS_FD);
	if (m >= 0)
		(void)posix_spawn_file_actions_adddup2(&actions, m, SUPERVISE_LAUNCH_FD);
	else
		(void)posix_spawn_file_actions_addclose(&actions, SUPERVISE_LAUNCH_FD);
	if (l >= 0)
		(void)posix_spawn_file_actions_adddup2(&actions, l, SUPERVISE_LOG_FD);
	if (!keep_others)
		(void)posix_spawn_file_actions_addclosefrom_np(&actions, MAX(x + 1, SUPERVISE_LOG_FD + 1));
	r = posix_spawn(ret, path, &actions, &attr, argv, env.v);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attr);
	if (r)
		return err_set(e, r, NULL, "cannot start %s", SUPERVISOR);
	*ret_exe = take_fd(&exe);
	return 0;
}

static int take_error(const char *p, size_t n, struct err **e)
{
	struct err *theirs = err_unpack(p, n);
	int num = theirs && err_root(theirs)->num > 0 ? err_root(theirs)->num : EIO;

	if (!theirs)
		return err_set(e, EPROTO, NULL, "the supervisor sent a malformed error");
	err_move(e, theirs);
	return -num;
}

static bool is_stopped(pid_t pid)
{
	char state[32];

	return pid > 0 && proc_status_field(pid, "State", state, sizeof(state)) > 0 && (*state == 'T' || *state == 't');
}

/* The supervisor that is waited for, where it is stopped by a signal: the one that was spawned, or the
 * daemon that it made, which the state file names. 0: neither is. */
static pid_t stopped_supervisor(const struct launch *l, pid_t spawned)
{
	auto_free char *rundir = system_rundir(NULL);
	auto_close int dir = rundir ? instance_dir(rundir, l->lxcpath, l->name, false, NULL) : -ENOENT;
	struct instance_state s = { 0 };
	pid_t pid = 0;

	if (is_stopped(spawned))
		return spawned;
	if (dir >= 0 && instance_read(dir, false, &s, NULL) == 0) {
		if (instance_alive(s.monitor_pid, s.monitor_start) && is_stopped(s.monitor_pid))
			pid = s.monitor_pid;
		instance_state_done(&s);
	}
	return pid;
}

/* One packet. A start may take as long as its hooks do; a supervisor that cannot go on is not waited for. */
static ssize_t await_packet(const struct launch *l, int fd, pid_t spawned, bool forever, unsigned limit_ms,
			    char *packet, size_t size, struct err **e)
{
	unsigned stopped = 0, waited = 0;

	for (;;) {
		ssize_t n = socket_recv_packet(fd, packet, size, NULL, 0, NULL, forever ? -1 : TICK_MS);
		pid_t pid;

		if (n != -ETIMEDOUT)
			return n;
		pid = stopped_supervisor(l, spawned);
		stopped = pid ? stopped + 1 : 0;
		waited += TICK_MS;
		if (stopped >= STOPPED_TICKS)
			return err_monitor_stopped(e, l->name, pid);
		if (limit_ms && waited >= limit_ms)
			return err_monitor_silent(e, l->name, (int)(limit_ms / 1000));
	}
}

/* Reads packets until the answer. until: the tag that means success. limit_ms: 0 for none. */
static int await(const struct launch *l, int fd, pid_t spawned, char until, unsigned limit_ms, int *ret_number,
		 struct buf *text, struct err **e)
{
	char packet[1 + sizeof(int) + ERR_FRAME_MAX];

	for (;;) {
		/* A container in the foreground may be stopped and go on as it likes. */
		ssize_t n = await_packet(l, fd, spawned, until == STATUS_ENDED, limit_ms, packet, sizeof(packet) - 1, e);
		int number;

		if (n == -ETIMEDOUT)
			return -ETIMEDOUT;
		if (n == 0 && until == STATUS_TEXT)
			return 0;
		if (n < (ssize_t)(1 + sizeof(int)))
			return err_monitor_lost(e, l->name);
		memcpy(&number, packet + 1, sizeof(number));
		packet[n] = '\0';
		if (packet[0] == STATUS_WARNING && l->warnings)
			(void)strv_add(l->warnings, packet + 1 + sizeof(int));
		if (packet[0] == STATUS_TEXT && text)
			buf_add(text, packet + 1 + sizeof(int), (size_t)n - 1 - sizeof(int));
		if (packet[0] == STATUS_ERROR) {
			if (ret_number)
				*ret_number = number;
			return take_error(packet + 1 + sizeof(int), (size_t)n - 1 - sizeof(int), e);
		}
		if (packet[0] == until && until != STATUS_TEXT) {
			if (ret_number && until == STATUS_ENDED)
				*ret_number = number;
			return 0;
		}
	}
}

/* Ours to reap, if there is one (the zygote's are not): the daemon's short-lived parent, or the foreground monitor itself. One that
 * hangs is killed first: what it has made is recorded, and cleaned up by the next command. */
static void reap(pid_t pid, bool hangs)
{
	if (pid <= 0)
		return;

	auto_close int pidfd = hangs ? proc_pidfd_open(pid) : -EBADF;
	int status;

	if (pidfd >= 0 && proc_pidfd_wait(pidfd, KILL_WAIT_MS) <= 0)
		(void)proc_pidfd_send(pidfd, SIGKILL);
	(void)proc_wait(pid, &status);
}

/* Until the last process that holds the other end is gone: it removes the monitor's cgroup. */
static void drain(int fd)
{
	char byte;

	while (socket_recv_packet(fd, &byte, sizeof(byte), NULL, 0, NULL, DRAIN_MS) > 0)
		continue;
}

static int log_fd_of(const struct launch *l)
{
	return l->log ? l->log->fd : -EBADF;
}

static int fill_head(const struct launch *l, enum launch_mode mode, struct launch_head *h)
{
	*h = (struct launch_head){
		.mode = mode,
		.foreground = l->foreground,
		.application = l->application,
		.close_fds = l->close_fds,
		.quiet = l->quiet,
		.timed = l->timing,
		.json = l->json,
		.log_level = log_fd_of(l) >= 0 ? l->log->level : LOG_NOTSET,
		.name = (char *)l->name,
		.lxcpath = (char *)l->lxcpath,
		.pidfile = (char *)l->pidfile,
		.prog = (char *)(l->application ? "lxc-execute" : "lxc-start"),
	};
	for (char *const *a = l->argv; a && *a; a++)
		if (strv_add(&h->argv, *a) < 0)
			return -ENOMEM;
	return l->restore ? strv_copy(&h->restore, l->restore) : 0;
}

/* One whose answers come by ret->fd; the title stays the caller's. memfd, log: as above. fork: by the zygote, where there is one. */
static int begin(char *title, int memfd, int log, bool keep_others, bool fork, struct launch_ahead *ret, struct err **e)
{
	auto_close int mine = -EBADF, theirs = -EBADF;
	int pair[2], r = socket_pair(SOCK_SEQPACKET, pair, e);

	if (r < 0)
		return r;
	mine = pair[0];
	theirs = pair[1];
	if (fork && zygote_fork(title, theirs, memfd, log))
		ret->exe = -EBADF;
	else
		r = spawn_supervisor(title, theirs, memfd, log, keep_others, &ret->pid, &ret->exe, e);
	if (r == 0)
		ret->fd = take_fd(&mine);
	return r;
}

void launch_ahead(const char *name, const char *lxcpath, struct launch_ahead *ret)
{
	auto_free char *title = make_title(name, lxcpath);
	auto_err struct err *e = NULL;

	*ret = (struct launch_ahead){ 0 };
	if (title && begin(title, -EBADF, -EBADF, false, false, ret, &e) == 0)
		ret->title = take_ptr(title);
}

void launch_ahead_done(struct launch_ahead *a)
{
	if (!a->title)
		return;
	fd_close(a->fd);
	fd_close(a->exe);
	free(a->title);
	reap(a->pid, false);
	*a = (struct launch_ahead){ 0 };
}

/* The one that is there already gets what it is to do; false: it is not there, or not any more. ret takes it. */
static bool use_ahead(struct launch_ahead *a, const char *title, int memfd, int log, struct launch_ahead *ret)
{
	const int fds[SUPERVISE_LATE_FDS] = { memfd, log };

	if (!a)
		return false;
	if (!a->title || !STREQ(a->title, title) || socket_send(a->fd, "", 1, fds, log >= 0 ? 2 : 1, false) < 0) {
		launch_ahead_done(a);
		return false;
	}
	*ret = *a;
	*a = (struct launch_ahead){ 0 };
	return true;
}

/* Hears what a supervisor answers, and reaps it: await's result and arguments. */
static int hear(const struct launch *l, struct launch_ahead *s, char until, unsigned limit_ms, int *ret_number,
		struct buf *text, struct err **e)
{
	int r;

	fd_close(s->exe);
	r = await(l, s->fd, s->pid, until, limit_ms, ret_number, text, e);
	reap(s->pid, r == -ETIMEDOUT);
	if (until == STATUS_ENDED)
		drain(s->fd);
	fd_close(s->fd);
	free(s->title);
	return r;
}

/* Gets a supervisor to do it and hears its answer. */
static int launch(const struct launch *l, enum launch_mode mode, char until, int *ret_number, struct buf *text,
		  struct err **e)
{
	auto_close int memfd = -EBADF;
	auto_free char *title = make_title(l->name, l->lxcpath);
	struct launch_ahead s = { .title = NULL };
	struct launch_head h;
	int r = fill_head(l, mode, &h);

	h.status = true;
	r = memfd = r < 0 || !title ? err_no_memory(e) : make_memfd(&h, l->dump, e);
	strv_done(&h.argv);
	strv_done(&h.restore);
	if (r < 0)
		return r;
	/* What a foreground monitor inherits of its starter is given to none that is there already. */
	if (l->foreground || !use_ahead(l->ahead, title, memfd, log_fd_of(l), &s))
		r = begin(title, memfd, log_fd_of(l), l->foreground && !l->close_fds, !l->foreground, &s, e);
	return r < 0 ? r : hear(l, &s, until, 0, ret_number, text, e);
}

int launch_explain(const struct launch *l, struct buf *out, struct err **e)
{
	return launch(l, LAUNCH_EXPLAIN, STATUS_TEXT, NULL, out, e);
}

/* What an execve would have done is for the monitor to do. */
static int become_monitor(const struct launch *l, const struct launch_head *h, const char *title, struct err **e)
{
	auto_buf struct buf b = BUF_INIT(SUPERVISE_TEXT_MAX);
	struct supervise_here here = { .log_fd = log_fd_of(l), .held = -EBADF, .title = title };
	struct strv env = { 0 };
	int r = make_text(h, l->dump, &b, e);

	if (r < 0)
		return r;
	if (make_environment(&env) < 0) {
		strv_done(&env);
		return err_no_memory(e);
	}
	/* What is read of the text is to have the room of what that was written of: the monitor keeps this memory. */
	if (l->forget)
		l->forget(l->forget_arg);
	(void)fflush(NULL);
	if (l->held && h->foreground)
		fd_replace(l->held, -EBADF);
	else if (l->held)
		here.held = *l->held;
	/* A monitor in the background holds nothing of its starter's open. */
	if (l->close_fds || !h->foreground)
		(void)proc_close_fds(3, (const int[]){ MIN(here.log_fd, here.held), MAX(here.log_fd, here.held) }, 2);
	here.len = b.len;
	here.text = buf_take(&b);
	here.environment = env.v;
	return l->monitor(&here, e);
}

int launch_start(const struct launch *l, int *ret_status, struct err **e)
{
	auto_free char *title = make_title(l->name, l->lxcpath);
	struct launch_head h;
	int r;

	if (!title)
		return err_no_memory(e);
	/* Remains of a run that was killed go first: the new one would find its names taken. */
	(void)revive_monitor(l->lxcpath, l->name);
	if (l->monitor && proc_note_title_room() > strlen(title)) {
		r = fill_head(l, LAUNCH_START, &h);
		if (r == 0)
			r = become_monitor(l, &h, title, e);
		strv_done(&h.argv);
		return r;
	}
	return launch(l, l->restore ? LAUNCH_RESTORE : LAUNCH_START, l->foreground ? STATUS_ENDED : STATUS_RUNNING, ret_status,
		      l->timing, e);
}

int launch_exec(const struct launch *l, struct err **e)
{
	auto_close int exe = -EBADF, memfd = -EBADF, log = -EBADF;
	auto_strv struct strv env = { 0 };
	auto_free char *name = NULL;
	struct launch_head h;
	int r;

	/* A foreground monitor is this process: it would be left with a child that nobody waits for. */
	if (l->ahead)
		launch_ahead_done(l->ahead);
	(void)revive_monitor(l->lxcpath, l->name);
	r = fill_head(l, LAUNCH_START, &h);
	h.foreground = true;
	if (r == 0 && l->monitor) {
		r = become_monitor(l, &h, NULL, e);
		strv_done(&h.argv);
		return r;
	}
	exe = r < 0 ? r : open_supervisor(e);
	memfd = exe < 0 ? exe : make_memfd(&h, l->dump, e);
	name = make_title(l->name, l->lxcpath);
	strv_done(&h.argv);
	if (memfd < 0)
		return memfd;
	if (!name || make_environment(&env) < 0)
		return err_no_memory(e);
	char *const argv[] = { name, NULL };

	/* Away from the number that the launch data must have; dup2 then clears close-on-exec. */
	fd_replace(&exe, fcntl(exe, F_DUPFD_CLOEXEC, 10));
	fd_replace(&memfd, fcntl(memfd, F_DUPFD_CLOEXEC, 10));
	fd_replace(&log, log_fd_of(l) >= 0 ? fcntl(log_fd_of(l), F_DUPFD_CLOEXEC, 10) : -EBADF);
	if (exe < 0 || memfd < 0 || dup2(memfd, SUPERVISE_LAUNCH_FD) < 0 ||
	    (log >= 0 && dup2(log, SUPERVISE_LOG_FD) < 0))
		return err_set(e, errno, NULL, "cannot duplicate a descriptor");
	if (l->close_fds)
		(void)proc_close_fds(3, (const int[]){ SUPERVISE_LAUNCH_FD, log >= 0 ? SUPERVISE_LOG_FD : exe, exe }, 3);
	(void)fexecve(exe, argv, env.v);
	return err_set(e, errno, NULL, "cannot execute %s", SUPERVISOR);
}

int launch_many(int (*supervise)(void), struct err **e)
{
	auto_strv struct strv env = { 0 };

	return make_environment(&env) < 0 ? err_no_memory(e) : zygote_make(supervise, env.v, e);
}

static bool needs_revival(const char *lxcpath, const char *name)
{
	auto_free char *rundir = system_rundir(NULL);
	auto_close int dir = rundir ? instance_dir(rundir, lxcpath, name, false, NULL) : -ENOENT;
	struct instance_state s = { 0 };
	bool dead;

	if (dir < 0 || instance_read(dir, false, &s, NULL) < 0)
		return false;
	dead = s.state != STATE_STOPPED && !instance_alive(s.monitor_pid, s.monitor_start);
	instance_state_done(&s);
	return dead;
}

int revive_monitor(const char *lxcpath, const char *name)
{
	struct launch_head h = { .mode = LAUNCH_ADOPT, .status = true, .log_level = LOG_NOTSET };
	const struct launch l = { .name = name, .lxcpath = lxcpath };
	struct launch_ahead s = { .title = NULL };
	auto_close int memfd = -EBADF;
	auto_free char *title = NULL;
	auto_err struct err *e = NULL;
	int r;

	if (!needs_revival(lxcpath, name))
		return 0;
	h.name = (char *)name;
	h.lxcpath = (char *)lxcpath;
	title = make_title(name, lxcpath);
	memfd = make_memfd(&h, NULL, &e);
	r = memfd < 0 ? memfd : begin(title, memfd, -EBADF, false, false, &s, &e);
	if (r < 0)
		return r;
	/* RUNNING: taken over. ENDED or an error: nothing runs any more. */
	r = hear(&l, &s, STATUS_RUNNING, REVIVE_LIMIT_MS, NULL, NULL, &e);
	return r == 0 || err_is(e, "already-running") ? 1 : 0;
}

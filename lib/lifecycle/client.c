/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"
#include "config/system.h"
#include "kernel/ns.h"
#include "kernel/proc.h"
#include "kernel/socket.h"
#include "lifecycle/command.h"
#include "lifecycle/foreign.h"
#include "lifecycle/instance.h"
#include "lifecycle/revive.h"
#include "lifecycle/server.h"

#define DYING_TIMEOUT_MS 1000
#define STOP_TRIES 5
#define PING_MS 2000		/* how often a monitor that ends a container must show that it lives */

static int timeout_of(const struct target *t)
{
	return t->timeout_ms ? t->timeout_ms : CLIENT_TIMEOUT_MS;
}

static int open_instance(const char *lxcpath, const char *name)
{
	auto_free char *rundir = system_rundir(NULL);

	return rundir ? instance_dir(rundir, lxcpath, name, false, NULL) : -ENOENT;
}

/* What the state file says of a container that is not stopped; ret is then the caller's to release. */
static bool read_record(const char *lxcpath, const char *name, struct instance_state *ret)
{
	auto_close int dir = open_instance(lxcpath, name);

	if (dir < 0 || instance_read(dir, false, ret, NULL) < 0)
		return false;
	if (ret->state != STATE_STOPPED)
		return true;
	instance_state_done(ret);
	return false;
}

struct client_view {
	bool recorded;			/* there is one that has not stopped */
	bool live;			/* and the monitor that it names lives, and could be asked from here */
	struct instance_state state;	/* if recorded */
};

static void look(const struct target *t, struct client_view *ret)
{
	struct instance_state *s = &ret->state;

	ret->recorded = read_record(t->lxcpath, t->name, s);
	ret->live = ret->recorded && proc_is_at_work(s->monitor_pid, s->monitor_start) &&
		    ns_is_shared(s->monitor_pid, NS_NET) != 0;
}

static void view_done(struct client_view *v)
{
	if (v->recorded)
		instance_state_done(&v->state);
}
#define auto_view __attribute__((cleanup(view_done)))

struct client_view *client_view_new(const struct target *t)
{
	struct client_view *v = calloc(1, sizeof(*v));

	if (v)
		look(t, v);
	return v;
}

void client_view_free(struct client_view *v)
{
	if (v)
		view_done(v);
	free(v);
}

/* The state where a monitor lives, NULL where none does. It writes every change down before it tells anybody, so it
 * need not be asked. */
static const struct instance_state *read_live(const struct target *t, struct client_view *room)
{
	const struct client_view *v = t->view ? t->view : room;

	if (!t->view)
		look(t, room);
	return v->live ? &v->state : NULL;
}

bool client_is_recorded(const struct target *t)
{
	struct instance_state s = { 0 };
	bool recorded = t->view ? t->view->recorded : read_record(t->lxcpath, t->name, &s);

	instance_state_done(&s);
	return recorded;
}

/* The monitor that the state file names, if there is one of this boot. */
static bool recorded_monitor(const char *lxcpath, const char *name, pid_t *ret)
{
	struct instance_state s = { 0 };
	bool live;

	if (!read_record(lxcpath, name, &s))
		return false;
	live = instance_alive(s.monitor_pid, s.monitor_start);
	*ret = s.monitor_pid;
	instance_state_done(&s);
	return live;
}

bool client_monitor_elsewhere(const char *lxcpath, const char *name, pid_t *ret)
{
	return recorded_monitor(lxcpath, name, ret) && ns_is_shared(*ret, NS_NET) == 0;
}

void client_forget(const char *lxcpath, const char *name)
{
	auto_close int dir = open_instance(lxcpath, name);
	auto_free char *rundir = system_rundir(NULL), *path = NULL;

	if (dir < 0 || !rundir || asprintf(&path, "%s/lxc/instance/%s/%s", rundir, lxcpath, name) < 0)
		return;
	instance_clear(dir, false);
	(void)rmdir(path);
}

bool client_peer_is_trusted(const char *lxcpath, const char *name, const struct ucred *peer)
{
	struct stat st;
	pid_t recorded;

	if (peer->uid != 0 && peer->uid != geteuid() &&
	    (stat(lxcpath, &st) < 0 || st.st_uid != peer->uid))
		return false;
	if (peer->uid == 0 && geteuid() != 0)
		return true; /* /proc of root's process may not tell us more */
	/* A guest without a network namespace of its own could bind the name too. */
	if (peer->pid > 0 && ns_is_shared(peer->pid, NS_PID) == 0)
		return false;
	return !recorded_monitor(lxcpath, name, &recorded) || recorded == peer->pid;
}

static int fail_connect(const struct target *t, int r, struct err **e)
{
	if (r == -ETIMEDOUT || r == -EAGAIN)
		return err_monitor_silent(e, t->name, timeout_of(t) < 1000 ? CLIENT_TIMEOUT_MS / 1000 : timeout_of(t) / 1000);
	if (r == -ECONNREFUSED || r == -ECONNRESET || r == -EPIPE || r == -ENOENT) {
		(void)err_not_running(e, t->name, t->lxcpath);
		return -ECONNREFUSED;
	}
	return err_set(e, -r, NULL, "the command socket of container %s cannot be used", t->name);
}

/* The kernel closes the sockets of a killed process a moment before the process is gone. A monitor that
 * nothing answers for, though it has not recorded its end, is in that moment. */
static void await_dying_monitor(const struct instance_state *s)
{
	auto_close int pidfd = instance_alive(s->monitor_pid, s->monitor_start) ? proc_pidfd_open(s->monitor_pid) : -EBADF;

	if (pidfd >= 0)
		(void)proc_pidfd_wait(pidfd, DYING_TIMEOUT_MS);
}

/* Nobody listens. Where a monitor has died, another one takes over: the connection to that. */
static int dial_revived(const struct target *t, const char *address, struct err **e)
{
	struct instance_state s = { 0 };
	pid_t monitor;
	bool alive;

	if (!read_record(t->lxcpath, t->name, &s))
		return -ECONNREFUSED;
	monitor = s.monitor_pid;
	alive = instance_alive(monitor, s.monitor_start) && ns_is_shared(monitor, NS_NET) == 0;
	if (!alive)
		await_dying_monitor(&s);
	instance_state_done(&s);
	if (alive)
		return err_monitor_elsewhere(e, t->name, monitor);
	if (revive_monitor(t->lxcpath, t->name) <= 0)
		return -ECONNREFUSED;
	return socket_connect_abstract(address, SOCK_STREAM, timeout_of(t));
}

int client_check_peer(const struct target *t, int fd, struct err **e)
{
	struct ucred peer;
	int r = socket_peer(fd, &peer);

	if (r < 0)
		return err_set(e, -r, NULL, "cannot tell who answers for container %s", t->name);
	/* The process that was seen to live as the monitor, and is still the one that holds the socket. */
	if (t->view && t->view->live && t->view->state.monitor_pid == peer.pid && peer.uid == geteuid())
		return 0;
	return client_peer_is_trusted(t->lxcpath, t->name, &peer) ? 0 :
								    err_monitor_untrusted(e, t->name, peer.uid, peer.pid);
}

/* A connection to the container's monitor, started anew where it has died. */
static int dial(const struct target *t, struct err **e)
{
	struct err *elsewhere = NULL;
	char address[108];
	int fd, r;

	command_address(t->lxcpath, t->name, address);
	fd = socket_connect_abstract(address, SOCK_STREAM, timeout_of(t));
	if (fd == -ECONNREFUSED)
		fd = dial_revived(t, address, &elsewhere);
	if (fd < 0 && elsewhere) {
		err_move(e, elsewhere);
		return fd;
	}
	if (fd < 0)
		return fail_connect(t, fd, e);
	r = client_check_peer(t, fd, e);
	if (r < 0)
		fd_close(fd);
	return r < 0 ? r : fd;
}

struct reply {
	struct cmd_reply head;
	char *data;		/* owned, NUL-terminated beyond len */
	int fds[CLIENT_FDS_MAX];	/* owned; -EBADF beyond n_fds */
	size_t n_fds;
};

static void reply_done(struct reply *r)
{
	free(r->data);
	r->data = NULL;
	for (size_t i = 0; i < r->n_fds; i++)
		fd_replace(&r->fds[i], -EBADF);
	r->n_fds = 0;
}

/* Only the first descriptor counts. */
static int reply_fd(struct reply *r)
{
	return r->n_fds ? take_fd(&r->fds[0]) : -EBADF;
}

static int send_request(int fd, int cmd, uintptr_t value, const void *data, size_t n)
{
	struct cmd_request req = { .cmd = cmd, .len = (int)n, .value = value };
	int r = socket_send(fd, &req, sizeof(req), NULL, 0, true);

	return r == 0 && n ? socket_send(fd, data, n, NULL, 0, false) : r;
}

static int read_reply(int fd, const struct target *t, struct reply *ret, struct err **e)
{
	struct reply r = { .n_fds = 0 };
	int rc = socket_recv(fd, &r.head, sizeof(r.head), r.fds, ARRAY_SIZE(r.fds), &r.n_fds, timeout_of(t));

	if (rc < 0)
		return fail_connect(t, rc, e);
	if (r.head.len < 0 || (unsigned)r.head.len > CMD_REPLY_MAX) {
		reply_done(&r);
		return err_monitor_protocol(e, t->name);
	}
	r.data = malloc((size_t)r.head.len + 1);
	if (!r.data) {
		reply_done(&r);
		return err_no_memory(e);
	}
	if (r.head.len)
		rc = socket_recv(fd, r.data, (size_t)r.head.len, NULL, 0, NULL, timeout_of(t));
	if (rc < 0) {
		reply_done(&r);
		return fail_connect(t, rc, e);
	}
	r.data[r.head.len] = '\0';
	*ret = r;
	return 0;
}

/* A refusal of our own commands carries a chain. */
static int refused(const struct target *t, struct reply *r, struct err **e)
{
	int rc = r->head.ret;
	struct err *theirs = r->head.len > 0 ? err_unpack(r->data, (size_t)r->head.len) : NULL;

	if (theirs) {
		err_move(e, theirs);
	} else if (rc == -EPERM || rc == -EACCES) {
		(void)err_monitor_refused(e, t->name);
	} else {
		(void)err_set(e, -rc, NULL, "the monitor of container %s refuses", t->name);
	}
	reply_done(r);
	return rc;
}

static int exchange(const struct target *t, int cmd, uintptr_t value, const void *data, size_t n,
		    struct reply *ret, bool *ret_dialled, struct err **e)
{
	auto_close int fd = dial(t, e);
	int r;

	*ret_dialled = fd >= 0;
	if (fd < 0)
		return fd;
	r = send_request(fd, cmd, value, data, n);
	if (r < 0)
		return fail_connect(t, r, e);
	return read_reply(fd, t, ret, e);
}

/* One request and its reply. *ret is the caller's to release on success. */
static int call(const struct target *t, int cmd, uintptr_t value, const void *data, size_t n, struct reply *ret,
		struct err **e)
{
	auto_err struct err *first = NULL;
	bool dialled;
	int r = exchange(t, cmd, value, data, n, ret, &dialled, &first);

	/* The monitor hung up in the middle: it has ended, or was killed and another can take over.
	 * Who asks again learns which. */
	if (r == -ECONNREFUSED && dialled)
		r = exchange(t, cmd, value, data, n, ret, &dialled, e);
	else if (r < 0 && e)
		*e = take_ptr(first);
	if (r < 0)
		return r;
	return ret->head.ret < 0 ? refused(t, ret, e) : 0;
}

static bool somebody_listens(const struct target *t)
{
	char address[108];
	int fd;

	command_address(t->lxcpath, t->name, address);
	fd = socket_connect_abstract(address, SOCK_STREAM, timeout_of(t));
	if (fd < 0)
		return fd != -ECONNREFUSED;
	fd_close(fd);
	return true;
}

int client_state(const struct target *t, enum lxc_state *ret, struct err **e)
{
	auto_view struct client_view room = { .live = false };
	const struct instance_state *s = read_live(t, &room);
	struct err *mine = NULL;
	struct reply r;
	int rc, state;

	if (s) {
		*ret = (enum lxc_state)s->state;
		return 0;
	}
	/* The common case of one that is stopped. */
	if (!(t->view ? t->view : &room)->recorded && !somebody_listens(t)) {
		*ret = STATE_STOPPED;
		return 0;
	}
	rc = call(t, CMD_GET_STATE, 0, NULL, 0, &r, &mine);
	if (rc == -ECONNREFUSED) {
		err_free(mine);
		*ret = STATE_STOPPED;
		return 0;
	}
	if (rc < 0) {
		err_move(e, mine);
		return rc;
	}
	state = INT_FROM_PTR(r.head.value);
	reply_done(&r);
	if (!state_name(state))
		return err_monitor_protocol(e, t->name);
	*ret = (enum lxc_state)state;
	return 0;
}

/* The init that a state file names, as a pidfd of that very process; -ESRCH: it has ended, or is not yet. */
static int open_recorded_init(const struct instance_state *s)
{
	auto_close int fd = s->init_pid > 0 ? proc_pidfd_open(s->init_pid) : -ESRCH;

	return fd >= 0 && instance_alive(s->init_pid, s->init_start) ? take_fd(&fd) : -ESRCH;
}

int client_init_pid(const struct target *t, pid_t *ret, struct err **e)
{
	auto_view struct client_view room = { .live = false };
	const struct instance_state *s = read_live(t, &room);
	struct reply r;
	pid_t pid;
	int rc;

	if (s && s->init_pid > 0 && instance_alive(s->init_pid, s->init_start)) {
		*ret = s->init_pid;
		return 0;
	}
	rc = call(t, CMD_GET_INIT_PID, 0, NULL, 0, &r, e);
	if (rc < 0)
		return rc;
	pid = (pid_t)INT_FROM_PTR(r.head.value);
	reply_done(&r);
	if (pid <= 0) {
		(void)err_not_running(e, t->name, t->lxcpath);
		return -ECONNREFUSED;
	}
	*ret = pid;
	return 0;
}

static int call_fd(const struct target *t, int cmd, struct err **e)
{
	struct reply r;
	int rc = call(t, cmd, 0, NULL, 0, &r, e), fd;

	if (rc < 0)
		return rc;
	fd = reply_fd(&r);
	reply_done(&r);
	return fd >= 0 ? fd : err_monitor_protocol(e, t->name);
}

int client_init_pidfd(const struct target *t, struct err **e)
{
	auto_view struct client_view room = { .live = false };
	const struct instance_state *s = read_live(t, &room);
	int fd = s ? open_recorded_init(s) : -ESRCH;

	return fd >= 0 ? fd : call_fd(t, CMD_GET_INIT_PIDFD, e);
}

int client_devpts_fd(const struct target *t, struct err **e)
{
	return call_fd(t, CMD_GET_DEVPTS_FD, e);
}

int client_seccomp_fd(const struct target *t, struct err **e)
{
	return call_fd(t, CMD_GET_SECCOMP_FD, e);
}

int client_init(const struct target *t, pid_t *ret_pid, struct err **e)
{
	auto_view struct client_view room = { .live = false };
	const struct instance_state *s = read_live(t, &room);
	int fd = s ? open_recorded_init(s) : -ESRCH;
	pid_t pid = s ? s->init_pid : 0;

	if (fd < 0) {
		fd = call_fd(t, CMD_GET_INIT_PIDFD, e);
		if (fd >= 0) {
			int rc = client_init_pid(t, &pid, e);

			if (rc < 0) {
				fd_close(fd);
				return rc;
			}
		}
	}
	if (fd >= 0)
		*ret_pid = pid;
	return fd;
}

int client_clone_flags(const struct target *t, int *ret, struct err **e)
{
	struct reply r;
	int rc = call(t, CMD_GET_CLONE_FLAGS, 0, NULL, 0, &r, e);

	if (rc < 0)
		return rc;
	*ret = INT_FROM_PTR(r.head.value);
	reply_done(&r);
	return 0;
}

void client_attach_done(struct client_attach *a)
{
	fd_replace(&a->pidfd, -EBADF);
	cgroup_entry_done(&a->cgroups);
	for (size_t i = 0; i < ARRAY_SIZE(a->items); i++)
		free(take_ptr(a->items[i]));
}

/* False: malformed. */
static bool take_attach(struct reply *r, struct client_attach *ret)
{
	struct attach_reply head;
	const char *p = r->data + sizeof(head), *end = r->data + MAX(r->head.len, 0);
	size_t used = 0;

	if (r->head.len < (int)sizeof(head))
		return false;
	memcpy(&head, r->data, sizeof(head));
	if (head.init_pid <= 0 || r->n_fds < 1U + !!head.has_v2 || r->n_fds - 1 - !!head.has_v2 > CGROUP_ENTRY_MAX)
		return false;
	ret->pid = head.init_pid;
	ret->clone_flags = (int)head.clone_flags;
	for (size_t i = 0; i < ATTACH_KEYS_N; i++, p += strlen(p) + 1) {
		if (p >= end || !memchr(p, '\0', (size_t)(end - p)))
			return false;
		ret->items[i] = strndup(p, strcspn(p, "\n"));
		if (!ret->items[i])
			return false;
	}
	ret->pidfd = take_fd(&r->fds[used++]);
	if (head.has_v2)
		ret->cgroups.v2 = take_fd(&r->fds[used++]);
	while (used < r->n_fds)
		ret->cgroups.v1[ret->cgroups.n++] = take_fd(&r->fds[used++]);
	return true;
}

int client_attach(const struct target *t, bool with_cgroups, struct client_attach *ret, struct err **e)
{
	struct client_attach a = CLIENT_ATTACH_INIT;
	struct reply r;
	int rc = call(t, CMD_ATTACH, with_cgroups, NULL, 0, &r, e);

	if (rc < 0)
		return rc;
	if (!take_attach(&r, &a)) {
		reply_done(&r);
		client_attach_done(&a);
		return err_monitor_protocol(e, t->name);
	}
	reply_done(&r);
	*ret = a;
	return 0;
}

static int ask_many(const struct target *t, const char *const *names, size_t n, char **values, struct err **e)
{
	auto_buf struct buf data = BUF_INIT(CMD_DATA_MAX);
	const char *p, *end;
	struct reply r;
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		buf_add(&data, names[i], strlen(names[i]) + 1);
	if (!buf_ok(&data) || n > CMD_MANY_MAX)
		return err_set(e, E2BIG, NULL, "too much is asked of the monitor at once");
	rc = call(t, CMD_GET_MANY, 0, data.p, data.len, &r, e);
	if (rc < 0)
		return rc;
	p = r.data;
	end = p + r.head.len;
	for (size_t i = 0; i < n; i++)
		values[i] = NULL;
	for (size_t i = 0; i < n && rc == 0; i++) {
		int32_t len = -1;

		if ((size_t)(end - p) < sizeof(len))
			break;
		memcpy(&len, p, sizeof(len));
		p += sizeof(len);
		if (len < 0)
			continue;
		if (len > end - p)
			break;
		values[i] = strndup(p, (size_t)len);
		if (!values[i])
			rc = err_no_memory(e);
		p += len;
	}
	reply_done(&r);
	for (size_t i = 0; i < n && rc < 0; i++)
		free(take_ptr(values[i]));
	return rc;
}

/* True: the monitor has no such command, and is LXC's own. Then what it said is forgotten. */
static bool is_foreign(const struct target *t, int r, struct err **mine)
{
	if ((r != -ENOSYS && r != -ENOENT) || client_is_recorded(t))
		return false;
	err_free(take_ptr(*mine));
	return true;
}

/* What is left to tell of a failed call. */
static int tell_failure(int r, struct err **e, struct err *mine)
{
	if (r < 0)
		err_move(e, mine);
	return r;
}

int client_get_many(const struct target *t, const char *const *names, size_t n, char **values, struct err **e)
{
	struct err *mine = NULL;
	int r = ask_many(t, names, n, values, &mine);

	return is_foreign(t, r, &mine) ? foreign_get_many(t, names, n, values, e) : tell_failure(r, e, mine);
}

int client_cgroup_path(const struct target *t, const char *controller, bool limit, char **ret, struct err **e)
{
	struct reply r;
	int rc = call(t, limit ? CMD_GET_LIMIT_CGROUP : CMD_GET_CGROUP, 0, controller,
		      controller ? strlen(controller) + 1 : 0, &r, e);

	if (rc < 0)
		return rc;
	*ret = take_ptr(r.data);
	reply_done(&r);
	return 0;
}

int client_config_item(const struct target *t, const char *key, char **ret, struct err **e)
{
	struct reply r;
	int rc = call(t, CMD_GET_CONFIG_ITEM, 0, key, strlen(key) + 1, &r, e);

	if (rc < 0)
		return rc;
	if (!r.head.len) {
		reply_done(&r);
		return err_set(e, ENOENT, NULL, "%s is not set in the running configuration of %s", key, t->name);
	}
	*ret = take_ptr(r.data);
	reply_done(&r);
	return 0;
}

/* Does it still answer? In what is left of the time that any answer may take. */
static int ping(const struct target *t)
{
	struct target rest = *t;
	struct reply r;
	int rc;

	rest.timeout_ms = CLIENT_TIMEOUT_MS - PING_MS;
	rc = call(&rest, CMD_GET_STATE, 0, NULL, 0, &r, NULL);

	if (rc == 0)
		reply_done(&r);
	return rc;
}

/* The end of the connection is the answer. Hooks at the end may take their time, as long as the monitor still
 * answers others meanwhile. */
static int await_end(const struct target *t, int fd, struct cmd_reply *reply)
{
	int r;

	if (t->timeout_ms > 0)
		return socket_recv(fd, reply, sizeof(*reply), NULL, 0, NULL, t->timeout_ms);
	do
		r = socket_recv(fd, reply, sizeof(*reply), NULL, 0, NULL, PING_MS);
	while (r == -ETIMEDOUT && ping(t) != -ETIMEDOUT);
	return r;
}

static int stop_once(const struct target *t, struct err **e)
{
	struct err *mine = NULL;
	auto_close int fd = dial(t, &mine);
	struct cmd_reply reply;
	int r;

	if (fd == -ECONNREFUSED) {
		err_free(mine);
		return 0;
	}
	if (fd < 0) {
		err_move(e, mine);
		return fd;
	}
	r = send_request(fd, CMD_STOP, 0, NULL, 0);
	if (r < 0)
		return r == -EPIPE || r == -ECONNRESET ? 0 : fail_connect(t, r, e);
	r = await_end(t, fd, &reply);
	if (r == -ECONNRESET)
		return 0;
	if (r < 0)
		return fail_connect(t, r, e);
	if (reply.ret == -EPERM)
		return err_monitor_refused(e, t->name);
	return reply.ret < 0 ? err_set(e, -reply.ret, NULL, "the monitor of container %s refuses", t->name) : 0;
}

/* A monitor writes down that the container has stopped before it hangs up, unless it was killed. */
static bool monitor_was_killed(const struct target *t)
{
	struct instance_state s = { 0 };
	bool killed;

	if (!read_record(t->lxcpath, t->name, &s))
		return false;
	await_dying_monitor(&s);
	killed = !instance_alive(s.monitor_pid, s.monitor_start);
	instance_state_done(&s);
	return killed;
}

int client_stop(const struct target *t, struct err **e)
{
	int r;

	/* Then who takes over is asked. */
	for (int tries = 0; tries < STOP_TRIES; tries++) {
		r = stop_once(t, e);
		if (r < 0 || !monitor_was_killed(t))
			return r;
	}
	return err_monitor_silent(e, t->name, CLIENT_TIMEOUT_MS / 1000);
}

int client_signal(const struct target *t, int sig, struct err **e)
{
	auto_close int fd = client_init_pidfd(t, e);
	int r;

	if (fd < 0)
		return fd;
	r = proc_pidfd_send(fd, sig);
	return r < 0 ? err_set(e, -r, NULL, "signal %d cannot be sent to container %s", sig, t->name) : 0;
}

void client_note_shutdown(const struct target *t)
{
	struct reply r;

	if (call(t, CMD_NOTE_SHUTDOWN, 0, NULL, 0, &r, NULL) == 0)
		reply_done(&r);
}

void client_tell_state(const struct target *t, enum lxc_state state)
{
	struct reply r;

	if (call(t, CMD_SERVE_STATE_CLIENTS, PTR_FROM_INT(state), NULL, 0, &r, NULL) == 0)
		reply_done(&r);
}

int client_freeze(const struct target *t, bool frozen, struct err **e)
{
	struct target longer = *t;
	auto_err struct err *mine = NULL;
	struct reply r;
	int rc;

	if (!longer.timeout_ms)
		longer.timeout_ms = 3 * CLIENT_TIMEOUT_MS;
	rc = call(&longer, frozen ? CMD_FREEZE : CMD_UNFREEZE, 0, NULL, 0, &r, &mine);
	if (is_foreign(t, rc, &mine))
		return foreign_freeze(t, frozen, e);
	if (rc == 0)
		reply_done(&r);
	else if (rc == -ETIMEDOUT && !err_is(mine, "monitor-silent"))
		(void)err_freeze_timeout(e, frozen ? "frozen" : "thawed");
	else
		err_move(e, take_ptr(mine));
	return rc;
}

int client_cgroup_get(const struct target *t, const char *file, struct buf *b, struct err **e)
{
	struct err *mine = NULL;
	struct reply r;
	int rc = call(t, CMD_CGROUP_GET, 0, file, strlen(file) + 1, &r, &mine);

	if (is_foreign(t, rc, &mine))
		return foreign_cgroup_get(t, file, b, e);
	if (rc < 0)
		return tell_failure(rc, e, mine);
	buf_add(b, r.data, (size_t)r.head.len);
	reply_done(&r);
	return buf_ok(b) ? 0 : err_no_memory(e);
}

int client_cgroup_set(const struct target *t, const char *file, const char *value, struct err **e)
{
	auto_buf struct buf data = BUF_INIT(CMD_DATA_MAX);
	struct err *mine = NULL;
	struct reply r;
	int rc;

	buf_add(&data, file, strlen(file) + 1);
	buf_add(&data, value, strlen(value) + 1);
	if (!buf_ok(&data))
		return err_set(e, E2BIG, NULL, "the value for %s is too long", file);
	rc = call(t, CMD_CGROUP_SET, 0, data.p, data.len, &r, &mine);
	if (is_foreign(t, rc, &mine))
		return foreign_cgroup_set(t, file, value, e);
	if (rc == 0)
		reply_done(&r);
	return tell_failure(rc, e, mine);
}

int client_cgroup_attach(const struct target *t, pid_t pid, struct err **e)
{
	struct reply r;
	int rc = call(t, CMD_CGROUP_ATTACH, PTR_FROM_INT(pid), NULL, 0, &r, e);

	if (rc == 0)
		reply_done(&r);
	return rc;
}

int client_add_listener(const struct target *t, int listener, struct err **e)
{
	const struct cmd_request req = { .cmd = CMD_SECCOMP_ADD_LISTENER };
	auto_close int fd = dial(t, e);
	struct reply r;
	int rc;

	if (fd < 0)
		return fd;
	rc = socket_send(fd, &req, sizeof(req), &listener, 1, true);
	if (rc < 0)
		return fail_connect(t, rc, e);
	rc = read_reply(fd, t, &r, e);
	if (rc < 0)
		return rc;
	rc = r.head.ret;
	reply_done(&r);
	return rc;
}

int client_tty(const struct target *t, int *num, int *ret_ptx, struct err **e)
{
	auto_close int fd = dial(t, e);
	struct reply r;
	int rc;

	if (fd < 0)
		return fd;
	rc = send_request(fd, CMD_GET_TTY_FD, PTR_FROM_INT(*num), NULL, 0);
	if (rc < 0)
		return fail_connect(t, rc, e);
	rc = read_reply(fd, t, &r, e);
	if (rc < 0)
		return rc;
	if (r.head.ret < 0 || !r.n_fds) {
		rc = r.head.ret < 0 ? r.head.ret : -EPROTO;
		reply_done(&r);
		if (rc == -EBUSY)
			return err_tty_busy(e, t->name, *num);
		if (rc == -EINVAL || rc == -ENODEV)
			return err_tty_missing(e, t->name, *num);
		return err_set(e, -rc, NULL, "no terminal of container %s can be had", t->name);
	}
	*num = INT_FROM_PTR(r.head.value);
	*ret_ptx = reply_fd(&r);
	reply_done(&r);
	return take_fd(&fd);
}

int client_console_log(const struct target *t, bool do_read, bool clear, uint64_t max, char **data,
		       uint64_t *ret_len, struct err **e)
{
	struct console_log_request req = { .clear = clear, .read = do_read, .read_max = max };
	struct reply r;
	int rc = call(t, CMD_CONSOLE_LOG, 0, &req, sizeof(req), &r, e);

	if (rc < 0)
		return rc;
	*ret_len = r.head.len > 0 ? (uint64_t)r.head.len - 1 : 0;
	*data = r.head.len > 0 ? take_ptr(r.data) : NULL;
	reply_done(&r);
	return 0;
}

int client_subscribe(const struct target *t, unsigned mask, bool survive_reboot, enum lxc_state *ret_now,
		     int *ret_fd, struct err **e)
{
	auto_close int fd = dial(t, e);
	int wanted[STATE_MAX] = { 0 }, rc, state;
	struct reply r;

	if (fd < 0)
		return fd;
	for (int i = 0; i < STATE_MAX; i++)
		wanted[i] = (mask >> i) & 1;
	if (survive_reboot && wanted[STATE_RUNNING])
		wanted[STATE_RUNNING] = 2;
	rc = send_request(fd, CMD_ADD_STATE_CLIENT, 0, wanted, sizeof(wanted));
	if (rc < 0)
		return fail_connect(t, rc, e);
	rc = read_reply(fd, t, &r, e);
	if (rc < 0)
		return rc;
	if (r.head.ret < 0)
		return refused(t, &r, e);
	state = INT_FROM_PTR(r.head.value);
	reply_done(&r);
	*ret_fd = state == STATE_MAX ? take_fd(&fd) : -1;
	if (state != STATE_MAX)
		*ret_now = (enum lxc_state)state;
	return 0;
}

int client_wait_fd(int fd, int timeout_ms, enum lxc_state *ret)
{
	struct state_message msg;
	int r = socket_recv(fd, &msg, sizeof(msg), NULL, 0, NULL, timeout_ms);

	if (r == -ECONNRESET || r == -EPIPE) {
		*ret = STATE_STOPPED;
		return 0;
	}
	if (r < 0)
		return r;
	if (!state_name(msg.value))
		return -EPROTO;
	*ret = (enum lxc_state)msg.value;
	return 0;
}

int client_watch(const struct target *t, struct err **e)
{
	auto_free char *rundir = system_rundir(e);
	auto_close int dir = -EBADF, fd = -EBADF;
	char path[32];

	if (!rundir)
		return -EIO;
	/* A container that never ran has no place there yet. */
	dir = instance_dir(rundir, t->lxcpath, t->name, true, e);
	if (dir < 0)
		return dir == -ENOENT ? err_set(e, ENOENT, NULL, "the run directory %s does not exist", rundir) : dir;
	fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
	if (fd < 0 || inotify_add_watch(fd, path, IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF) < 0)
		return err_set(e, errno, NULL, "the state of container %s cannot be watched", t->name);
	return take_fd(&fd);
}

void client_watch_drain(int fd)
{
	char events[4096];

	while (read(fd, events, sizeof(events)) > 0)
		continue;
}

int client_instance(const struct target *t, struct instance *ret, struct err **e)
{
	auto_close int dir = open_instance(t->lxcpath, t->name);
	struct instance_state s = { 0 };
	int r;

	if (dir < 0)
		return err_set(e, ENOENT, NULL, "nothing is recorded of container %s", t->name);
	r = instance_read(dir, false, &s, e);
	if (r < 0)
		return r == -ENOENT || r == -ESTALE ?
			       err_set(e, ENOENT, NULL, "nothing is recorded of container %s", t->name) :
			       r;
	*ret = (struct instance){ .exit_status = s.exit_status, .monitor_pid = s.monitor_pid };
	if (s.state != STATE_STOPPED && instance_alive(s.init_pid, s.init_start)) {
		ret->init_pid = s.init_pid;
		ret->init_start = s.init_start;
	}
	ret->last_error = take_ptr(s.error);
	ret->oom_kills = s.oom_kills;
	ret->stopper = take_ptr(s.stopper);
	instance_state_done(&s);
	return 0;
}

void instance_done(struct instance *i)
{
	free(i->last_error);
	free(i->stopper);
	strv_done(&i->nics);
	*i = (struct instance){ .exit_status = -1 };
}

/* "@LXCPATH/NAME/command" of /proc/net/unix; a hashed one is asked for its name. */
static int add_active(const char *lxcpath, char *path, struct strv *names)
{
	const char *prefix = lxcpath ? str_after(path, lxcpath) : path;
	char *slash;

	if (!str_ends(path, "/command"))
		return 0;
	path[strlen(path) - strlen("/command")] = '\0';
	slash = strrchr(path, '/');
	if (path[0] != '/' || !slash)
		return 0;
	if (lxcpath && (!prefix || strlen(lxcpath) != (size_t)(slash - path)))
		return 0;
	if (name_check(slash + 1, NULL) < 0)
		return 0;
	return strv_add(names, lxcpath ? slash + 1 : path);
}

#define LISTENING " 00010000 " /* the column Flags: __SO_ACCEPTCON */

int client_active(const char *lxcpath, struct strv *names, struct err **e)
{
	auto_fclose FILE *f = fopen("/proc/net/unix", "re");
	auto_free char *line = NULL;
	size_t size = 0;

	if (!f)
		return err_set(e, errno, NULL, "cannot read /proc/net/unix");
	while (getline(&line, &size, f) > 0) {
		char *at = strchr(line, '@');

		line[strcspn(line, "\n")] = '\0';
		/* Connections that a monitor has accepted bear its name, too, and live a moment longer. */
		if (!strstr(line, LISTENING))
			continue;
		if (at && add_active(lxcpath, at + 1, names) < 0)
			return err_no_memory(e);
	}
	strv_sort(names);
	return 0;
}

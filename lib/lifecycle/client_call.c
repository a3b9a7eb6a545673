/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* client_call - one request to the monitor and its reply. */
#include "lifecycle/client_call.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/ns.h"
#include "kernel/socket.h"
#include "lifecycle/revive.h"

int client_timeout(const struct target *t)
{
	return t->timeout_ms ? t->timeout_ms : CLIENT_TIMEOUT_MS;
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
	return !client_recorded_monitor(lxcpath, name, &recorded) || recorded == peer->pid;
}

int client_fail_connect(const struct target *t, int r, struct err **e)
{
	if (r == -ETIMEDOUT || r == -EAGAIN)
		return err_monitor_silent(e, t->name, client_timeout(t) < 1000 ? CLIENT_TIMEOUT_MS / 1000 : client_timeout(t) / 1000);
	if (r == -ECONNREFUSED || r == -ECONNRESET || r == -EPIPE || r == -ENOENT) {
		(void)err_not_running(e, t->name, t->lxcpath);
		return -ECONNREFUSED;
	}
	return err_set(e, -r, NULL, "the command socket of container %s cannot be used", t->name);
}

/* Nobody listens. Where a monitor has died, another one takes over: the connection to that. */
static int dial_revived(const struct target *t, const char *address, struct err **e)
{
	struct instance_state s = { 0 };
	pid_t monitor;
	bool alive;

	if (!client_read_record(t->lxcpath, t->name, &s))
		return -ECONNREFUSED;
	monitor = s.monitor_pid;
	alive = instance_alive(monitor, s.monitor_start) && ns_is_shared(monitor, NS_NET) == 0;
	if (!alive)
		client_await_dying(&s);
	instance_state_done(&s);
	if (alive)
		return err_monitor_elsewhere(e, t->name, monitor);
	if (revive_monitor(t->lxcpath, t->name) <= 0)
		return -ECONNREFUSED;
	return socket_connect_abstract(address, SOCK_STREAM, client_timeout(t));
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
int client_dial(const struct target *t, struct err **e)
{
	struct err *elsewhere = NULL;
	char address[108];
	int fd, r;

	command_address(t->lxcpath, t->name, address);
	fd = socket_connect_abstract(address, SOCK_STREAM, client_timeout(t));
	if (fd == -ECONNREFUSED)
		fd = dial_revived(t, address, &elsewhere);
	if (fd < 0 && elsewhere) {
		err_move(e, elsewhere);
		return fd;
	}
	if (fd < 0)
		return client_fail_connect(t, fd, e);
	r = client_check_peer(t, fd, e);
	if (r < 0)
		fd_close(fd);
	return r < 0 ? r : fd;
}

void call_reply_done(struct call_reply *r)
{
	free(r->data);
	r->data = NULL;
	for (size_t i = 0; i < r->n_fds; i++)
		fd_replace(&r->fds[i], -EBADF);
	r->n_fds = 0;
}

/* Only the first descriptor counts. */
int call_reply_fd(struct call_reply *r)
{
	return r->n_fds ? take_fd(&r->fds[0]) : -EBADF;
}

int client_send(int fd, int cmd, uintptr_t value, const void *data, size_t n)
{
	struct cmd_request req = { .cmd = cmd, .len = (int)n, .value = value };
	int r = socket_send(fd, &req, sizeof(req), NULL, 0, true);

	return r == 0 && n ? socket_send(fd, data, n, NULL, 0, false) : r;
}

int client_read_reply(int fd, const struct target *t, struct call_reply *ret, struct err **e)
{
	struct call_reply r = { .n_fds = 0 };
	int rc = socket_recv(fd, &r.head, sizeof(r.head), r.fds, ARRAY_SIZE(r.fds), &r.n_fds, client_timeout(t));

	if (rc < 0)
		return client_fail_connect(t, rc, e);
	if (r.head.len < 0 || (unsigned)r.head.len > CMD_REPLY_MAX) {
		call_reply_done(&r);
		return err_monitor_protocol(e, t->name);
	}
	r.data = malloc((size_t)r.head.len + 1);
	if (!r.data) {
		call_reply_done(&r);
		return err_no_memory(e);
	}
	if (r.head.len)
		rc = socket_recv(fd, r.data, (size_t)r.head.len, NULL, 0, NULL, client_timeout(t));
	if (rc < 0) {
		call_reply_done(&r);
		return client_fail_connect(t, rc, e);
	}
	r.data[r.head.len] = '\0';
	*ret = r;
	return 0;
}

/* A refusal of our own commands carries a chain. */
/* Refused because of the state that the container is in: at its begin, or its end. */
static bool is_between(const struct target *t, int rc, struct err **e)
{
	struct instance_state s = { 0 };
	bool is = false;

	if ((rc != -EBADF && rc != -ESRCH && rc != -EBUSY) || !client_read_record(t->lxcpath, t->name, &s))
		return false;
	if (s.state == STATE_STARTING)
		is = err_container_starting(e, t->name, t->lxcpath) < 0;
	else if (s.state == STATE_STOPPING || s.state == STATE_ABORTING)
		is = err_container_ending(e, t->name, t->lxcpath) < 0;
	instance_state_done(&s);
	return is;
}

int client_refused(const struct target *t, struct call_reply *r, struct err **e)
{
	int rc = r->head.ret;
	struct err *theirs = r->head.len > 0 ? err_unpack(r->data, (size_t)r->head.len) : NULL;

	if (theirs) {
		err_move(e, theirs);
	} else if (rc == -EPERM || rc == -EACCES) {
		(void)err_monitor_refused(e, t->name);
	} else if (!is_between(t, rc, e)) {
		(void)err_set(e, -rc, NULL, "the monitor of container %s refuses", t->name);
	}
	call_reply_done(r);
	return rc;
}

/* *ret_dialled: there was somebody to connect to. */
static int exchange(const struct target *t, int cmd, uintptr_t value, const void *data, size_t n,
		    struct call_reply *ret, bool *ret_dialled, struct err **e)
{
	auto_close int fd = client_dial(t, e);
	int r;

	*ret_dialled = fd >= 0;
	if (fd < 0)
		return fd;
	r = client_send(fd, cmd, value, data, n);
	if (r < 0)
		return client_fail_connect(t, r, e);
	r = client_read_reply(fd, t, ret, e);
	return r < 0 ? r : take_fd(&fd);
}

int client_exchange(const struct target *t, int cmd, uintptr_t value, const void *data, size_t n,
		    struct call_reply *ret, struct err **e)
{
	bool dialled;

	return exchange(t, cmd, value, data, n, ret, &dialled, e);
}

#define HUNG_UP_TRIES 10
#define HUNG_UP_US 50000

/* One request and its reply. *ret is the caller's to release on success. */
int client_call(const struct target *t, int cmd, uintptr_t value, const void *data, size_t n, struct call_reply *ret,
		struct err **e)
{
	struct err *mine = NULL;
	bool dialled;
	int r = exchange(t, cmd, value, data, n, ret, &dialled, &mine);

	/* The monitor hung up in the middle: it has ended, or was killed and another can take over, or has no room. Who
	 * asks again learns which. */
	for (int tries = 0; r == -ECONNREFUSED && dialled && tries < HUNG_UP_TRIES; tries++) {
		if (tries && !client_is_turned_away(t))
			break;
		if (tries)
			(void)usleep(HUNG_UP_US);
		err_free(take_ptr(mine));
		r = exchange(t, cmd, value, data, n, ret, &dialled, &mine);
	}
	if (r == -ECONNREFUSED && dialled && client_is_turned_away(t))
		r = err_monitor_crowded(&mine, t->name);
	if (r < 0)
		err_move(e, mine);
	if (r < 0)
		return r;
	fd_close(r);
	return ret->head.ret < 0 ? client_refused(t, ret, e) : 0;
}

bool client_somebody_listens(const struct target *t, int timeout_ms)
{
	char address[108];
	int fd;

	command_address(t->lxcpath, t->name, address);
	fd = socket_connect_abstract(address, SOCK_STREAM, timeout_ms);
	if (fd < 0)
		return fd != -ECONNREFUSED;
	fd_close(fd);
	return true;
}

int client_call_fd(const struct target *t, int cmd, struct err **e)
{
	struct call_reply r;
	int rc = client_call(t, cmd, 0, NULL, 0, &r, e), fd;

	if (rc < 0)
		return rc;
	fd = call_reply_fd(&r);
	call_reply_done(&r);
	return fd >= 0 ? fd : err_monitor_protocol(e, t->name);
}

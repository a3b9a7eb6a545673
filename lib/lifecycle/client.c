/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/proc.h"
#include "kernel/socket.h"
#include "lifecycle/client_call.h"

#define STOP_TRIES 5

#define PING_MS 2000		/* how often a monitor that ends a container must show that it lives */

int client_state(const struct target *t, enum lxc_state *ret, struct err **e)
{
	auto_view struct client_view room = { .live = false };
	const struct instance_state *s = client_read_live(t, &room);
	struct err *mine = NULL;
	struct call_reply r;
	int rc, state;

	if (s) {
		*ret = (enum lxc_state)s->state;
		return 0;
	}
	/* The common case of one that is stopped. */
	if (t->view ? t->view->silent : !room.recorded && !client_somebody_listens(t, client_timeout(t))) {
		*ret = STATE_STOPPED;
		return 0;
	}
	rc = client_call(t, CMD_GET_STATE, 0, NULL, 0, &r, &mine);
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
	call_reply_done(&r);
	if (!state_name(state))
		return err_monitor_protocol(e, t->name);
	*ret = (enum lxc_state)state;
	return 0;
}

int client_init_pid(const struct target *t, pid_t *ret, struct err **e)
{
	auto_view struct client_view room = { .live = false };
	const struct instance_state *s = client_read_live(t, &room);
	struct call_reply r;
	pid_t pid;
	int rc;

	if (s && s->init_pid > 0 && instance_alive(s->init_pid, s->init_start)) {
		*ret = s->init_pid;
		return 0;
	}
	rc = client_call(t, CMD_GET_INIT_PID, 0, NULL, 0, &r, e);
	if (rc < 0)
		return rc;
	pid = (pid_t)INT_FROM_PTR(r.head.value);
	call_reply_done(&r);
	if (pid <= 0) {
		(void)err_not_running(e, t->name, t->lxcpath);
		return -ECONNREFUSED;
	}
	*ret = pid;
	return 0;
}

int client_init_pidfd(const struct target *t, struct err **e)
{
	auto_view struct client_view room = { .live = false };
	const struct instance_state *s = client_read_live(t, &room);
	int fd = s ? client_open_recorded_init(s) : -ESRCH;

	return fd >= 0 ? fd : client_call_fd(t, CMD_GET_INIT_PIDFD, e);
}

int client_devpts_fd(const struct target *t, struct err **e)
{
	return client_call_fd(t, CMD_GET_DEVPTS_FD, e);
}

int client_seccomp_fd(const struct target *t, struct err **e)
{
	return client_call_fd(t, CMD_GET_SECCOMP_FD, e);
}

int client_init(const struct target *t, pid_t *ret_pid, struct err **e)
{
	auto_view struct client_view room = { .live = false };
	const struct instance_state *s = client_read_live(t, &room);
	int fd = s ? client_open_recorded_init(s) : -ESRCH;
	pid_t pid = s ? s->init_pid : 0;

	if (fd < 0) {
		fd = client_call_fd(t, CMD_GET_INIT_PIDFD, e);
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
	struct call_reply r;
	int rc = client_call(t, CMD_GET_CLONE_FLAGS, 0, NULL, 0, &r, e);

	if (rc < 0)
		return rc;
	*ret = INT_FROM_PTR(r.head.value);
	call_reply_done(&r);
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
static bool take_attach(struct call_reply *r, struct client_attach *ret)
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
	struct call_reply r;
	int rc = client_call(t, CMD_ATTACH, with_cgroups, NULL, 0, &r, e);

	if (rc < 0)
		return rc;
	if (r.head.ret == -EMFILE) {
		call_reply_done(&r);
		return err_set(e, EMFILE, NULL, "the monitor of container %s may not open another file", t->name);
	}
	if (!take_attach(&r, &a)) {
		call_reply_done(&r);
		client_attach_done(&a);
		return err_monitor_protocol(e, t->name);
	}
	call_reply_done(&r);
	*ret = a;
	return 0;
}

/* Does it still answer? In what is left of the time that any answer may take. */
static int ping(const struct target *t)
{
	struct target rest = *t;
	struct call_reply r;
	int rc;

	rest.timeout_ms = CLIENT_TIMEOUT_MS - PING_MS;
	rc = client_call(&rest, CMD_GET_STATE, 0, NULL, 0, &r, NULL);

	if (rc == 0)
		call_reply_done(&r);
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
	auto_close int fd = client_dial(t, &mine);
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
	r = client_send(fd, CMD_STOP, 0, NULL, 0);
	if (r < 0)
		return r == -EPIPE || r == -ECONNRESET ? 0 : client_fail_connect(t, r, e);
	r = await_end(t, fd, &reply);
	if (r == -ECONNRESET)
		return 0;
	if (r < 0)
		return client_fail_connect(t, r, e);
	if (reply.ret == -EPERM)
		return err_monitor_refused(e, t->name);
	return reply.ret < 0 ? err_set(e, -reply.ret, NULL, "the monitor of container %s refuses", t->name) : 0;
}

int client_stop(const struct target *t, struct err **e)
{
	int r;

	/* Then who takes over is asked. */
	for (int tries = 0; tries < STOP_TRIES; tries++) {
		r = stop_once(t, e);
		if (r < 0 || client_has_ended(t))
			return r;
	}
	if (client_is_turned_away(t))
		return err_monitor_crowded(e, t->name);
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

void client_note_shutdown(const struct target *t, unsigned wait_ms)
{
	struct call_reply r;

	if (client_call(t, CMD_NOTE_SHUTDOWN, wait_ms, NULL, 0, &r, NULL) == 0)
		call_reply_done(&r);
}

void client_tell_state(const struct target *t, enum lxc_state state)
{
	struct call_reply r;

	if (client_call(t, CMD_SERVE_STATE_CLIENTS, PTR_FROM_INT(state), NULL, 0, &r, NULL) == 0)
		call_reply_done(&r);
}

int client_add_listener(const struct target *t, int listener, struct err **e)
{
	const struct cmd_request req = { .cmd = CMD_SECCOMP_ADD_LISTENER };
	auto_close int fd = client_dial(t, e);
	struct call_reply r;
	int rc;

	if (fd < 0)
		return fd;
	rc = socket_send(fd, &req, sizeof(req), &listener, 1, true);
	if (rc < 0)
		return client_fail_connect(t, rc, e);
	rc = client_read_reply(fd, t, &r, e);
	if (rc < 0)
		return rc;
	rc = r.head.ret;
	call_reply_done(&r);
	return rc;
}

int client_tty(const struct target *t, int *num, int *ret_ptx, struct err **e)
{
	struct call_reply r;
	auto_close int fd = client_exchange(t, CMD_GET_TTY_FD, PTR_FROM_INT(*num), NULL, 0, &r, e);
	int rc;

	if (fd < 0)
		return fd;
	if (r.head.ret < 0 || !r.n_fds) {
		rc = r.head.ret < 0 ? r.head.ret : -EPROTO;
		call_reply_done(&r);
		if (rc == -EBUSY)
			return err_tty_busy(e, t->name, *num);
		if (rc == -EINVAL || rc == -ENODEV)
			return err_tty_missing(e, t->name, *num);
		return err_set(e, -rc, NULL, "no terminal of container %s can be had", t->name);
	}
	*num = INT_FROM_PTR(r.head.value);
	*ret_ptx = call_reply_fd(&r);
	call_reply_done(&r);
	return take_fd(&fd);
}

int client_console_log(const struct target *t, bool do_read, bool clear, uint64_t max, char **data,
		       uint64_t *ret_len, struct err **e)
{
	struct console_log_request req = { .clear = clear, .read = do_read, .read_max = max };
	struct call_reply r;
	int rc = client_call(t, CMD_CONSOLE_LOG, 0, &req, sizeof(req), &r, e);

	if (rc < 0)
		return rc;
	*ret_len = r.head.len > 0 ? (uint64_t)r.head.len - 1 : 0;
	*data = r.head.len > 0 ? take_ptr(r.data) : NULL;
	call_reply_done(&r);
	return 0;
}

int client_subscribe(const struct target *t, unsigned mask, bool survive_reboot, enum lxc_state *ret_now,
		     int *ret_fd, struct err **e)
{
	int wanted[STATE_MAX] = { 0 }, state;
	auto_close int fd = -EBADF;
	struct call_reply r;

	for (int i = 0; i < STATE_MAX; i++)
		wanted[i] = (mask >> i) & 1;
	if (survive_reboot && wanted[STATE_RUNNING])
		wanted[STATE_RUNNING] = 2;
	fd = client_exchange(t, CMD_ADD_STATE_CLIENT, 0, wanted, sizeof(wanted), &r, e);
	if (fd < 0)
		return fd;
	if (r.head.ret < 0)
		return client_refused(t, &r, e);
	state = INT_FROM_PTR(r.head.value);
	call_reply_done(&r);
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

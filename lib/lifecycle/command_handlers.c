/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* One short function per command; the table at the end. All run in the monitor. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/compiler.h"
#include "config/key.h"
#include "kernel/proc.h"
#include "lifecycle/freeze.h"
#include "lifecycle/monitor.h"
#include "lifecycle/server.h"

#undef LOG_CATEGORY
#define LOG_CATEGORY "commands"
#define TIFFIN_PROTOCOL 1

struct tty_claim {
	unsigned tty;		/* 0: the console */
};

/* The request's data as a string: its own NUL must be inside. NULL if it is none. */
static const char *text_of(const struct cmd_request *req, const char *data)
{
	return req->len > 0 && memchr(data, '\0', (size_t)req->len) ? data : NULL;
}

static int reply_error(struct monitor *m, struct client *c, int r, struct err *e)
{
	auto_free char *line = err_line(e);

	if (line)
		log_error(&m->r->log, "%s", line);
	err_free(e);
	return client_reply(c, r, PTR_FROM_INT(r));
}

/* Our own commands: the chain goes back with the refusal. */
static int reply_chain(struct monitor *m, struct client *c, int r, struct err *e)
{
	char frame[ERR_FRAME_MAX];
	size_t n = err_pack(e, frame);

	err_free(e);
	return client_reply_data(c, r, frame, n);
}

static int get_state(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	return client_reply(c, 0, PTR_FROM_INT(m->r->state));
}

static int get_init_pid(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	return client_reply(c, 0, PTR_FROM_INT(m->r->init_pid > 0 ? m->r->init_pid : -1));
}

static int get_clone_flags(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	return client_reply(c, 0, (uintptr_t)m->r->all_flags);
}

static int send_path(struct client *c, const char *path)
{
	return path ? client_reply_data(c, 0, path, strlen(path) + 1) : client_reply(c, -ENODEV, 0);
}

static int get_cgroup(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	return send_path(c, cgroup_path(m->r->cgroups, text_of(req, data), false));
}

static int get_limit_cgroup(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	return send_path(c, cgroup_path(m->r->cgroups, text_of(req, data), true));
}

static int get_config_item(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	const char *key = text_of(req, data);
	auto_buf struct buf b = BUF_INIT(1U << 20);
	int r = key ? key_get(m->r->conf, key, &b, NULL) : -EINVAL;

	if (r < 0 || !buf_ok(&b) || !b.len)
		return client_reply(c, -ENOENT, 0);
	buf_addc(&b, '\0');
	return client_reply_data(c, 0, b.p, b.len);
}

static int get_name(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	return client_reply_data(c, 0, m->r->name, strlen(m->r->name) + 1);
}

static int get_lxcpath(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	return client_reply_data(c, 0, m->r->lxcpath, strlen(m->r->lxcpath) + 1);
}

static int reply_fd(struct client *c, int fd)
{
	return fd >= 0 ? client_reply_fd(c, 0, (uintptr_t)0, fd) : client_reply(c, -EBADF, PTR_FROM_INT(-EBADF));
}

static int get_init_pidfd(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	/* One that has ended is none. */
	return reply_fd(c, m->ending ? -EBADF : m->r->init_pidfd);
}

static int get_devpts_fd(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	return reply_fd(c, m->r->devpts_fd);
}

static int get_seccomp_fd(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	return reply_fd(c, m->r->seccomp_fd);
}

static int get_cgroup2_fd(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	return reply_fd(c, cgroup_payload_fd(m->r->cgroups));
}

static int get_limit_cgroup2_fd(struct monitor *m, struct client *c, const struct cmd_request *req,
				const char *data)
{
	return reply_fd(c, cgroup_limit_fd(m->r->cgroups));
}

/* No answer on success: the connection's end, with the monitor's, is the answer. */
static int stop(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	struct err *e = NULL;
	int r;

	log_notice(&m->r->log, "stop asked for by uid %u, pid %d", client_creds(c)->uid, client_creds(c)->pid);
	monitor_note_stopper(m->r, "request", client_creds(c)->uid, client_creds(c)->pid);
	r = monitor_stop(m, &e);
	if (r < 0)
		return reply_error(m, c, r, e);
	client_hold(c, NULL, NULL);
	return 0;
}

static void release_tty(struct monitor *m, void *arg)
{
	struct tty_claim *claim = arg;

	if (claim->tty == 0 && m->console)
		console_client_gone(m->console);
	if (claim->tty > 0)
		m->tty_holder[claim->tty - 1] = NULL;
	free(claim);
}

static int free_tty(const struct monitor *m, int wanted)
{
	const struct run *r = m->r;

	if (wanted > (int)r->tty_count)
		return -EINVAL;
	if (wanted > 0)
		return m->tty_holder[wanted - 1] ? -EBUSY : wanted;
	for (unsigned i = 0; i < r->tty_count; i++)
		if (!m->tty_holder[i])
			return (int)i + 1;
	return -EBUSY;
}

static int get_tty_fd(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	int wanted = INT_FROM_PTR(req->value), n = 0, r = 0;
	struct tty_claim *claim;
	auto_close int fd = -EBADF;

	if (req->len >= (int)sizeof(int))
		memcpy(&wanted, data, sizeof(wanted));
	if (wanted == 0)
		r = m->console ? console_client(m->console, &fd, NULL) : -ENODEV;
	else
		r = n = free_tty(m, wanted);
	if (r < 0)
		return client_reply(c, r, PTR_FROM_INT(r));
	claim = calloc(1, sizeof(*claim));
	if (!claim)
		return -ENOMEM;
	claim->tty = (unsigned)n;
	if (n > 0)
		m->tty_holder[n - 1] = c;
	client_hold(c, release_tty, claim);
	return client_reply_fd(c, 0, PTR_FROM_INT(n), n > 0 ? m->r->ttys[n - 1].ptx : fd);
}

static int winch(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	return client_reply(c, 0, 0);
}

static int add_state_client(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	int wanted[STATE_MAX];
	unsigned mask = 0;

	if (req->len != (int)sizeof(wanted))
		return -EINVAL;
	memcpy(wanted, data, sizeof(wanted));
	for (int i = 0; i < STATE_MAX; i++)
		if (wanted[i])
			mask |= 1U << i;
	/* 2 in the RUNNING slot: tell me of the next RUNNING, not of this one. */
	if ((mask & (1U << m->r->state)) && !(wanted[STATE_RUNNING] == 2 && m->r->state == STATE_RUNNING))
		return client_reply(c, 0, PTR_FROM_INT(m->r->state));
	client_subscribe_states(c, mask, wanted[STATE_RUNNING] == 2);
	return client_reply(c, 0, PTR_FROM_INT(STATE_MAX));
}

static int console_log(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	struct console_log_request want;
	auto_free char *text = NULL;
	uint64_t n = 0;
	int r;

	if (req->len != (int)sizeof(want))
		return -EINVAL;
	memcpy(&want, data, sizeof(want));
	r = m->console ? console_ring_read(m->console, want.read, want.clear, want.read_max, &text, &n) : -EFAULT;
	if (r < 0)
		return client_reply(c, r, 0);
	return client_reply_data(c, 0, text ? text : "", text ? n + 1 : 0);
}

static unsigned freeze_limit(const struct cmd_request *req)
{
	int seconds = INT_FROM_PTR(req->value);

	return seconds > 0 && seconds < FREEZE_LIMIT_S ? (unsigned)seconds * 1000 : FREEZE_LIMIT_S * 1000;
}

static int do_freeze(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	return freeze_request(m, c, true, freeze_limit(req));
}

static int do_unfreeze(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	return freeze_request(m, c, false, freeze_limit(req));
}

static int do_hold(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	return freeze_hold(m, c, freeze_limit(req));
}

/* A peer that changed the state itself (LXC's freezer works in the client) has us tell the others. */
static int serve_state_clients(struct monitor *m, struct client *c, const struct cmd_request *req,
			       const char *data)
{
	int state = INT_FROM_PTR(req->value);

	if (!state_name(state) || (m->r->state != STATE_RUNNING && m->r->state != STATE_FROZEN &&
				   m->r->state != STATE_FREEZING))
		return client_reply(c, -EINVAL, 0);
	if (state != STATE_RUNNING && state != STATE_FREEZING && state != STATE_FROZEN && state != STATE_THAWED)
		return client_reply(c, -EINVAL, 0);
	(void)monitor_set_state(m->r, (enum lxc_state)state, NULL);
	return client_reply(c, 0, 0);
}

/* LXC's clients do their own cgroup work with these. */
static int get_cgroup_ctx(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	struct cgroup_ctx_reply reply = { 0 };

	if (req->len != (int)sizeof(reply))
		return client_reply(c, -EINVAL, 0);
	reply.n = (unsigned)cgroup_fds(m->r->cgroups, false, reply.fds, CGROUP_CTX_FDS, &reply.layout);
	if (!reply.n)
		return client_reply(c, -ENOENT, 0);
	return client_reply_fds(c, 0, &reply, sizeof(reply), reply.fds, reply.n);
}

static int cgroup_fd(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data,
		     bool limit)
{
	struct cgroup_fd_reply reply;
	int all[CGROUP_CTX_FDS];
	bool v2;

	if (req->len != (int)sizeof(reply))
		return client_reply(c, -EINVAL, 0);
	memcpy(&reply, data, sizeof(reply));
	if (!memchr(reply.controller, '\0', sizeof(reply.controller)))
		return client_reply(c, -EINVAL, 0);
	reply.fd = cgroup_controller_fd(m->r->cgroups, reply.controller, limit, &v2);
	if (reply.fd < 0)
		return client_reply(c, -ENOENT, 0);
	(void)cgroup_fds(m->r->cgroups, limit, all, ARRAY_SIZE(all), &reply.layout);
	reply.type = v2 ? 0x63677270 : 0x27e0eb;
	return client_reply_fds(c, 0, &reply, sizeof(reply), &reply.fd, 1);
}

static int get_cgroup_fd(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	return cgroup_fd(m, c, req, data, false);
}

static int get_limit_cgroup_fd(struct monitor *m, struct client *c, const struct cmd_request *req,
			       const char *data)
{
	return cgroup_fd(m, c, req, data, true);
}

/* A client is about to ask init itself to shut down. */
static int note_shutdown(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	monitor_want_halt(m, (unsigned)req->value);
	if (req->value)
		monitor_note_stopper(m->r, "request", client_creds(c)->uid, client_creds(c)->pid);
	/* There is nothing yet that could shut down. */
	if (req->value && m->r->state == STATE_STARTING)
		(void)monitor_stop(m, NULL);
	return client_reply(c, 0, 0);
}

static int hello(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	return client_reply(c, 0, TIFFIN_PROTOCOL);
}

static int do_cgroup_get(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	const char *file = text_of(req, data);
	auto_buf struct buf b = BUF_INIT(4U << 20);
	struct err *e = NULL;
	int r = file ? cgroup_get(m->r->cgroups, file, &b, &e) : -EINVAL;

	return r < 0 ? reply_chain(m, c, r, e) : client_reply_data(c, 0, buf_str(&b), b.len);
}

static int do_cgroup_set(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	const char *file = text_of(req, data), *value;
	struct err *e = NULL;
	size_t n;
	int r;

	if (!file)
		return -EINVAL;
	n = strlen(file) + 1;
	value = data + n;
	if (n >= (size_t)req->len || !memchr(value, '\0', (size_t)req->len - n))
		return -EINVAL;
	if (strcmp(file, "devices.allow") == 0 || strcmp(file, "devices.deny") == 0)
		r = cgroup_device_change(m->r->cgroups, strcmp(file, "devices.allow") == 0, value, &e);
	else
		r = cgroup_set(m->r->cgroups, file, value, &e);
	return r < 0 ? reply_chain(m, c, r, e) : client_reply(c, 0, 0);
}

/* Moves a process of the peer's own into the payload. */
static int do_cgroup_attach(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	pid_t pid = (pid_t)INT_FROM_PTR(req->value);
	struct err *e = NULL;
	uid_t uid;
	gid_t gid;
	int r;

	if (pid <= 1 || proc_owner(pid, &uid, &gid) < 0 ||
	    (client_creds(c)->uid != 0 && client_creds(c)->uid != uid))
		return client_reply(c, -EPERM, 0);
	r = cgroup_attach(m->r->cgroups, pid, &e);
	return r < 0 ? reply_chain(m, c, r, e) : client_reply(c, 0, 0);
}

/* An attached process under a policy with notify: its calls are answered as init's are. */
static int add_seccomp_listener(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	int fd = client_take_fd(c), r;
	struct err *e = NULL;

	if (fd < 0)
		return client_reply(c, -EBADF, 0);
	r = monitor_add_listener(m->r, fd, &e);
	if (r < 0)
		fd_close(fd);
	return r < 0 ? reply_chain(m, c, r, e) : client_reply(c, 0, 0);
}

/* All that a peer has to know before it enters the container. */
static int do_attach(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	static const char *const keys[ATTACH_KEYS_N] = ATTACH_KEYS;
	const struct run *run = m->r;
	struct attach_reply reply = { .init_pid = run->init_pid, .clone_flags = run->all_flags };
	auto_buf struct buf b = BUF_INIT(1U << 20);
	struct cgroup_entry x = { .v2 = -EBADF };
	int fds[CLIENT_FDS_MAX], r = 0;
	struct err *e = NULL;
	size_t n = 0;

	if (m->ending)
		r = err_container_ending(&e, run->name, run->lxcpath);
	else if (run->init_pid <= 0 || run->init_pidfd < 0)
		r = err_container_starting(&e, run->name, run->lxcpath);
	else if (req->value)
		r = cgroup_attach_open(run->cgroups, &x, &e);
	if (r == 0 && (fds[n++] = fcntl(run->init_pidfd, F_DUPFD_CLOEXEC, 3)) < 0) {
		r = err_set(&e, errno, NULL, "the monitor of container %s has no descriptor left", run->name);
		cgroup_entry_done(&x);
	}
	if (r < 0)
		return reply_chain(m, c, r, e);
	reply.has_v2 = x.v2 >= 0;
	if (reply.has_v2)
		fds[n++] = x.v2;
	for (size_t i = 0; i < x.n; i++)
		fds[n++] = x.v1[i];
	buf_add(&b, &reply, sizeof(reply));
	for (size_t i = 0; i < ATTACH_KEYS_N; i++) {
		(void)key_get(run->conf, keys[i], &b, NULL);
		buf_addc(&b, '\0');
	}
	r = client_give_fds(c, 0, b.p, b.len, fds, n);
	return buf_ok(&b) ? r : -ENOMEM;
}

static void add_block(struct buf *out, const struct buf *b, bool there)
{
	int32_t n = there && buf_ok(b) ? (int32_t)b->len : -1;

	buf_add(out, &n, sizeof(n));
	if (n > 0)
		buf_add(out, b->p, (size_t)n);
}

static bool get_one(const struct monitor *m, const char *name, struct buf *b)
{
	auto_err struct err *e = NULL;

	if (*name == MANY_FILE)
		return cgroup_get(m->r->cgroups, name + 1, b, &e) >= 0;
	return *name == MANY_KEY && key_get(m->r->conf, name + 1, b, NULL) >= 0 && b->len;
}

static int get_many(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data)
{
	auto_buf struct buf out = BUF_INIT(8U << 20);
	const char *end = data + MAX(req->len, 0);
	bool has = false;
	unsigned n = 0;

	for (const char *p = data; p < end; p += strlen(p) + 1, n++) {
		auto_buf struct buf b = BUF_INIT(1U << 20);

		if (!memchr(p, '\0', (size_t)(end - p)) || n == CMD_MANY_MAX)
			return -EINVAL;
		has = *p == MANY_ELSE ? !has && get_one(m, p + 1, &b) : get_one(m, p, &b);
		add_block(&out, &b, has);
	}
	return buf_ok(&out) ? client_reply_data(c, 0, out.p, out.len) : -ENOMEM;
}

static const struct {
	int cmd;
	command_fn fn;
} table[] = {
	{ CMD_GET_TTY_FD, get_tty_fd },
	{ CMD_TERMINAL_WINCH, winch },
	{ CMD_STOP, stop },
	{ CMD_GET_STATE, get_state },
	{ CMD_GET_INIT_PID, get_init_pid },
	{ CMD_GET_CLONE_FLAGS, get_clone_flags },
	{ CMD_GET_CGROUP, get_cgroup },
	{ CMD_GET_CONFIG_ITEM, get_config_item },
	{ CMD_GET_NAME, get_name },
	{ CMD_GET_LXCPATH, get_lxcpath },
	{ CMD_ADD_STATE_CLIENT, add_state_client },
	{ CMD_CONSOLE_LOG, console_log },
	{ CMD_SERVE_STATE_CLIENTS, serve_state_clients },
	{ CMD_SECCOMP_ADD_LISTENER, add_seccomp_listener },
	{ CMD_FREEZE, do_freeze },
	{ CMD_UNFREEZE, do_unfreeze },
	{ CMD_HOLD, do_hold },
	{ CMD_GET_CGROUP2_FD, get_cgroup2_fd },
	{ CMD_GET_INIT_PIDFD, get_init_pidfd },
	{ CMD_GET_LIMIT_CGROUP, get_limit_cgroup },
	{ CMD_GET_LIMIT_CGROUP2_FD, get_limit_cgroup2_fd },
	{ CMD_GET_DEVPTS_FD, get_devpts_fd },
	{ CMD_GET_SECCOMP_FD, get_seccomp_fd },
	{ CMD_GET_CGROUP_CTX, get_cgroup_ctx },
	{ CMD_GET_CGROUP_FD, get_cgroup_fd },
	{ CMD_GET_LIMIT_CGROUP_FD, get_limit_cgroup_fd },
	{ CMD_HELLO, hello },
	{ CMD_CGROUP_GET, do_cgroup_get },
	{ CMD_CGROUP_SET, do_cgroup_set },
	{ CMD_CGROUP_ATTACH, do_cgroup_attach },
	{ CMD_ATTACH, do_attach },
	{ CMD_GET_MANY, get_many },
	{ CMD_NOTE_SHUTDOWN, note_shutdown },
};

command_fn command_handler(int cmd)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].cmd == cmd)
			return table[i].fn;
	return NULL;
}

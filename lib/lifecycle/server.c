/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "kernel/ns.h"
#include "kernel/socket.h"

#define CLIENTS_MAX 64
#define CLIENTS_MIN 4
#define SPARE_FDS 24	/* for what clients ask for */
#define REQUEST_LIMIT_MS 10000

struct client {
	struct server *server;
	struct client *next;
	struct source *source, *timer;
	struct ucred creds;
	struct cmd_request req;
	size_t got;			/* bytes of req, then of data */
	char data[CMD_DATA_MAX + 1];
	struct buf out;
	int out_fds[CLIENT_FDS_MAX];	/* go with the first byte of out; owned */
	size_t n_out_fds;
	int in_fd;			/* came with the request; -EBADF */
	bool answered;			/* close once out is written, unless held */
	bool held;
	void (*done)(struct monitor *m, void *arg);
	void *done_arg;
	unsigned mask;			/* subscriber */
	bool survive_reboot;
};

struct server {
	struct loop *loop;
	struct monitor *monitor;
	struct source *source;
	struct client *clients;
	size_t n, max;
};

static void close_out_fds(struct client *c)
{
	while (c->n_out_fds)
		fd_close(c->out_fds[--c->n_out_fds]);
}

static void client_free(struct client *c)
{
	struct server *s = c->server;

	for (struct client **p = &s->clients; *p; p = &(*p)->next)
		if (*p == c) {
			*p = c->next;
			s->n--;
			break;
		}
	if (c->done)
		c->done(s->monitor, c->done_arg);
	loop_remove(c->timer);
	loop_remove(c->source);
	buf_done(&c->out);
	close_out_fds(c);
	fd_close(c->in_fd);
	free(c);
}

/* Writes what the socket takes. 0: all written; 1: more later; -errno. */
static int flush(struct client *c)
{
	while (c->out.len) {
		union {
			struct cmsghdr align;
			char buf[CMSG_SPACE(sizeof(int) * CLIENT_FDS_MAX)];
		} control = { 0 };
		struct iovec iov = { c->out.p, c->out.len };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n;

		if (c->n_out_fds) {
			size_t size = sizeof(int) * c->n_out_fds;
			struct cmsghdr *h;

			msg.msg_control = control.buf;
			msg.msg_controllen = CMSG_SPACE(size);
			h = CMSG_FIRSTHDR(&msg);
			h->cmsg_level = SOL_SOCKET;
			h->cmsg_type = SCM_RIGHTS;
			h->cmsg_len = CMSG_LEN(size);
			memcpy(CMSG_DATA(h), c->out_fds, size);
			/* LXC's clients read the head, and the fds with it, in one call of its size. */
			iov.iov_len = MIN(iov.iov_len, sizeof(struct cmd_reply));
		}
		n = sendmsg(source_fd(c->source), &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 1 : -errno;
		close_out_fds(c);
		buf_consume(&c->out, (size_t)n);
	}
	return 0;
}

static int queue(struct client *c, int ret, uintptr_t value, const void *p, size_t n)
{
	const struct cmd_reply reply = { .ret = ret, .len = (int)n, .value = value };

	if (n > CMD_REPLY_MAX)
		return -EMSGSIZE;
	buf_add(&c->out, &reply, sizeof(reply));
	buf_add(&c->out, p, n);
	c->answered = true;
	return buf_ok(&c->out) ? 0 : -ENOMEM;
}

static int queue_fds(struct client *c, int ret, uintptr_t value, const void *p, size_t n, const int *fds, size_t n_fds)
{
	for (size_t i = 0; i < n_fds && i < CLIENT_FDS_MAX; i++) {
		int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);

		/* The client is to hear of it: a connection that just ends is one to a monitor that is gone. */
		if (fd < 0) {
			int why = errno;

			close_out_fds(c);
			return queue(c, -why, 0, NULL, 0);
		}
		c->out_fds[c->n_out_fds++] = fd;
	}
	return queue(c, ret, value, p, n);
}

int client_reply(struct client *c, int ret, uintptr_t value)
{
	return queue(c, ret, value, NULL, 0);
}

int client_reply_data(struct client *c, int ret, const void *p, size_t n)
{
	return queue(c, ret, 0, p, n);
}

int client_reply_fd(struct client *c, int ret, uintptr_t value, int fd)
{
	return queue_fds(c, ret, value, NULL, 0, &fd, 1);
}

int client_reply_fds(struct client *c, int ret, const void *p, size_t n, const int *fds, size_t n_fds)
{
	return queue_fds(c, ret, 0, p, n, fds, n_fds);
}

int client_give_fds(struct client *c, int ret, const void *p, size_t n, const int *fds, size_t n_fds)
{
	for (size_t i = 0; i < n_fds; i++)
		c->out_fds[c->n_out_fds++] = fds[i];
	return queue(c, ret, 0, p, n);
}

static int settle(struct client *c);

void client_hold(struct client *c, void (*done)(struct monitor *m, void *arg), void *arg)
{
	c->held = true;
	c->done = done;
	c->done_arg = arg;
}

void client_release(struct client *c)
{
	c->held = false;
	c->done = NULL;
	(void)settle(c);
}

void client_keep(struct client *c, void (*done)(struct monitor *m, void *arg), void *arg)
{
	client_hold(c, done, arg);
	(void)settle(c);
}

void client_subscribe_states(struct client *c, unsigned mask, bool survive_reboot)
{
	c->held = true;
	c->mask = mask;
	c->survive_reboot = survive_reboot;
}

const struct ucred *client_creds(const struct client *c)
{
	return &c->creds;
}

/* After a request was answered (or refused): write, then close or hold. Never fails: what goes wrong
 * with one connection ends that connection, not the loop and with it the container. */
static int settle(struct client *c)
{
	int r = flush(c);

	if (r == 1) {
		r = loop_modify(c->source, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	} else if (r == 0 && c->held) {
		loop_remove(c->timer);
		c->timer = NULL;
		r = loop_modify(c->source, EPOLLIN | EPOLLRDHUP);
	} else {
		r = -ECONNRESET;
	}
	if (r < 0)
		client_free(c);
	return 0;
}

static bool is_allowed(const struct client *c)
{
	int r;

	if (c->creds.uid != 0 && (c->creds.uid != geteuid() || c->creds.gid != getegid()))
		return false;
	/* The root of a container without ids and network of its own reaches this socket too, and could
	 * have who connected end before it is asked about: who is gone is nobody we know. */
	if (c->creds.pid <= 0)
		return true;
	r = ns_is_shared(c->creds.pid, NS_PID);
	return r != 0 && r != -ENOENT && r != -ESRCH;
}

static int dispatch(struct client *c)
{
	command_fn fn = command_handler(c->req.cmd);
	int r;

	if (!is_allowed(c))
		r = client_reply(c, -EPERM, PTR_FROM_INT(-EPERM));
	else if (!fn)
		r = client_reply(c, -ENOSYS, 0);
	else
		r = fn(c->server->monitor, c, &c->req, c->data);
	if (r < 0) {
		client_free(c);
		return 0;
	}
	return c->answered || c->held ? settle(c) : 0;
}

/* The first descriptor that comes along is kept, in case that the command takes one; no other is. */
static void keep_fd(struct client *c, struct msghdr *msg)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h)) {
		size_t n = h->cmsg_len > CMSG_LEN(0) ? (h->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof(fd), sizeof(fd));
			if (c->in_fd < 0)
				c->in_fd = fd;
			else
				fd_close(fd);
		}
	}
}

static ssize_t take_bytes(struct client *c, void *to, size_t want)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * 2)];
	} control;
	struct iovec iov = { to, want };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)
	};
	ssize_t n = recvmsg(source_fd(c->source), &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n >= 0)
		keep_fd(c, &msg);
	return n;
}

int client_take_fd(struct client *c)
{
	int fd = c->in_fd;

	c->in_fd = -EBADF;
	return fd;
}

/* 1: complete; 0: more to come; -errno. */
static int receive(struct client *c)
{
	for (;;) {
		size_t head = sizeof(c->req), want;
		char *to;
		ssize_t n;

		if (c->got < head) {
			to = (char *)&c->req + c->got;
			want = head - c->got;
		} else {
			if (c->req.len < 0 || c->req.len > CMD_DATA_MAX)
				return -EMSGSIZE;
			want = (size_t)c->req.len - (c->got - head);
			to = c->data + (c->got - head);
		}
		if (want == 0)
			break;
		n = take_bytes(c, to, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (n == 0)
			return -ECONNRESET;
		c->got += (size_t)n;
	}
	c->data[c->req.len] = '\0';
	return 1;
}

static int on_client(struct loop *l, struct source *src, uint32_t events, void *arg)
{
	struct client *c = arg;
	char byte;
	int r;

	if (c->answered || c->held) {
		/* A held connection has nothing more to say: its end is what counts. */
		if (c->out.len)
			return settle(c);
		if ((events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) ||
		    recv(source_fd(src), &byte, 1, MSG_DONTWAIT) <= 0)
			client_free(c);
		return 0;
	}
	r = receive(c);
	if (r < 0)
		client_free(c);
	return r == 1 ? dispatch(c) : 0;
}

static int on_limit(struct loop *l, struct source *src, uint32_t events, void *arg)
{
	struct client *c = arg;

	c->timer = NULL;
	client_free(c);
	return 0;
}

static void client_add(struct server *s, int fd)
{
	struct client *c = calloc(1, sizeof(*c));
	auto_err struct err *e = NULL;
	int r;

	if (!c) {
		fd_close(fd);
		return;
	}
	c->server = s;
	c->in_fd = -EBADF;
	c->out = (struct buf)BUF_INIT(CMD_REPLY_MAX + 4096);
	r = socket_peer(fd, &c->creds);
	if (r == 0)
		r = loop_add(s->loop, fd, true, EPOLLIN | EPOLLRDHUP, on_client, c, &c->source, &e);
	if (r < 0) {
		fd_close(fd);
		free(c);
		return;
	}
	c->next = s->clients;
	s->clients = c;
	s->n++;
	r = loop_add_timer(s->loop, REQUEST_LIMIT_MS, on_limit, c, &c->timer, &e);
	if (r < 0)
		client_free(c);
}

/* Whom this container is no business of: nobody keeps its owner out by being many. */
static bool is_stranger(const struct client *c)
{
	return c->creds.uid != 0 && c->creds.uid != geteuid();
}

/* Makes room by dropping the oldest connection that has asked for nothing yet, a stranger's if there is one. */
static bool make_room(struct server *s)
{
	struct client *victim = NULL;

	for (struct client *c = s->clients; c; c = c->next)
		if (!c->held && !c->answered && (!victim || is_stranger(c) || !is_stranger(victim)))
			victim = c;
	if (victim)
		client_free(victim);
	return victim;
}

/* What may be open is used up by clients that say nothing. */
static int accept_one(struct server *s, int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	while (fd < 0 && errno == EMFILE && make_room(s))
		fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	return fd;
}

static int on_listen(struct loop *l, struct source *src, uint32_t events, void *arg)
{
	struct server *s = arg;

	/* A bounded number per turn, so that a flood does not starve the rest of the loop. */
	for (int i = 0; i < 16; i++) {
		int fd = accept_one(s, source_fd(src));

		if (fd < 0)
			break;
		if (s->n >= s->max)
			(void)make_room(s);
		if (s->n >= s->max)
			fd_close(fd);
		else
			client_add(s, fd);
	}
	return 0;
}

/* As many as there are descriptors for: each has one for itself and one for its time limit. */
static size_t room_for_clients(int listen_fd)
{
	int lowest = fcntl(listen_fd, F_DUPFD_CLOEXEC, 0);
	struct rlimit limit;
	rlim_t used = (rlim_t)MAX(lowest, 0) + SPARE_FDS;

	if (lowest >= 0)
		fd_close(lowest);
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= used + CLIENTS_MAX * 2)
		return CLIENTS_MAX;
	return limit.rlim_cur <= used + CLIENTS_MIN * 2 ? CLIENTS_MIN : (size_t)(limit.rlim_cur - used) / 2;
}

int server_new(struct loop *l, int listen_fd, struct monitor *m, struct server **ret, struct err **e)
{
	struct server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_no_memory(e);
	s->loop = l;
	s->monitor = m;
	s->max = room_for_clients(listen_fd);
	if (fcntl(listen_fd, F_SETFL, O_NONBLOCK | O_RDWR) < 0) {
		free(s);
		return err_set(e, errno, NULL, "cannot use the command socket");
	}
	r = loop_add(l, listen_fd, false, EPOLLIN, on_listen, s, &s->source, e);
	if (r < 0) {
		free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	while (s->clients)
		client_free(s->clients);
	loop_remove(s->source);
	free(s);
}

void server_announce(struct server *s, const char *name, enum lxc_state state)
{
	struct state_message msg = { .type = 0, .value = (int)state };
	struct client *next;

	(void)snprintf(msg.name, sizeof(msg.name), "%s", name);
	for (struct client *c = s->clients; c; c = next) {
		next = c->next;
		if (!(c->mask & (1U << state)))
			continue;
		c->mask = 0;
		c->held = false;
		c->answered = true;
		buf_add(&c->out, &msg, sizeof(msg));
		(void)settle(c);
	}
}

bool server_has_clients(const struct server *s)
{
	return s->clients;
}

void server_drop_subscribers(struct server *s)
{
	struct client *next;

	for (struct client *c = s->clients; c; c = next) {
		next = c->next;
		if (c->mask && !c->survive_reboot)
			client_free(c);
	}
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* Runs in the monitor. */
#define LOG_CATEGORY "seccomp"
#include "security/seccomp_proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "kernel/socket.h"

#define CONNECT_TIMEOUT_S 5

_Static_assert(sizeof(struct seccomp_proxy_head) == 32, "the head is part of the protocol");

#define LISTENERS_MAX 256

/* One per policy that is in force: init's, and those of attached commands. */
struct listener {
	struct seccomp_proxy *p;
	struct listener *next;
	int fd;
	bool owned;
	struct source *source;	/* NULL: no process is left under the filter */
};

struct seccomp_proxy {
	struct log *log;
	struct loop *loop;
	char *address;		/* "/PATH" or "@NAME"; NULL: nobody is asked */
	char *cookie;		/* "" if none */
	int fd;			/* to the proxy; -EBADF: down */
	struct listener *listeners;
	struct listener *asking;	/* whose question waits for an answer; the others wait in the kernel */
	pid_t init_pid;
	unsigned timeout_ms;
	struct seccomp_notif_sizes sizes;
	struct source *talking, *timer;	/* NULL while not there */
	uint64_t id;
	struct seccomp_notif *notif;	/* sizes.seccomp_notif bytes */
	char *answer;		/* head + notif + response, and a byte to see excess */
	size_t answer_len;
};

static int connect_to(const char *address)
{
	auto_close int fd = -EBADF;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const struct timeval limit = { .tv_sec = CONNECT_TIMEOUT_S };
	const size_t len = strlen(address);

	if (len >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, address, len);
	if (*address == '@')
		a.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	/* A path ends with a NUL that is not counted; an abstract name is what is counted. */
	if (connect(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		return -errno;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return take_fd(&fd);
}

static int alloc_buffers(struct seccomp_proxy *p, const struct conf *c, struct err **e)
{
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &p->sizes) < 0)
		return err_set(e, errno, NULL, "this kernel has no seccomp notifications");
	p->answer_len = sizeof(struct seccomp_proxy_head) + p->sizes.seccomp_notif + p->sizes.seccomp_notif_resp;
	p->address = c->seccomp_proxy.v ? strdup(c->seccomp_proxy.v) : NULL;
	p->cookie = strdup(c->seccomp_cookie.v ? c->seccomp_cookie.v : "");
	p->notif = calloc(1, p->sizes.seccomp_notif);
	p->answer = calloc(1, p->answer_len + 1);
	return (p->address || !c->seccomp_proxy.v) && p->cookie && p->notif && p->answer ? 0 : err_no_memory(e);
}

static int make(const struct conf *c, struct log *l, struct seccomp_proxy **ret, struct err **e)
{
	struct seccomp_proxy *p = calloc(1, sizeof(*p));
	int r;

	*ret = NULL;
	if (!p)
		return err_no_memory(e);
	p->log = l;
	p->fd = -EBADF;
	r = alloc_buffers(p, c, e);
	if (r == 0 && p->address) {
		p->fd = connect_to(p->address);
		if (p->fd < 0)
			r = err_at(e, err_seccomp_proxy_down(e, p->address, strerror(-p->fd)), c->seccomp_proxy.at);
	}
	if (r < 0)
		seccomp_proxy_free(p);
	else
		*ret = p;
	return r;
}

int seccomp_proxy_new(const struct conf *c, struct log *l, struct seccomp_proxy **ret, struct err **e)
{
	*ret = NULL;
	return c->seccomp_proxy.v ? make(c, l, ret, e) : 0;
}

static void listen_for(struct seccomp_proxy *p, uint32_t events)
{
	for (struct listener *l = p->listeners; l; l = l->next)
		if (l->source)
			(void)loop_modify(l->source, events);
}

/* Gives the kernel a response. ENOENT: the caller has died or was interrupted meanwhile. */
static void respond(struct seccomp_proxy *p, struct seccomp_notif_resp *resp)
{
	if (ioctl(p->asking->fd, SECCOMP_IOCTL_NOTIF_SEND, resp) < 0 && errno != ENOENT)
		log_info(p->log, "the kernel does not take the answer to a notification: %s", strerror(errno));
	p->asking = NULL;
	listen_for(p, EPOLLIN);
}

static void respond_default(struct seccomp_proxy *p)
{
	/* The kernel's structure may have grown since this was compiled. */
	auto_free struct seccomp_notif_resp *resp = calloc(1, MAX(p->sizes.seccomp_notif_resp, sizeof(*resp)));

	if (!resp || !p->asking)
		return;
	resp->id = p->id;
	resp->error = -ENOSYS;
	respond(p, resp);
}

static void hang_up(struct seccomp_proxy *p)
{
	loop_remove(p->talking);
	loop_remove(p->timer);
	p->talking = p->timer = NULL;
	fd_replace(&p->fd, -EBADF);
}

static int on_timeout(struct loop *loop, struct source *s, uint32_t events, void *arg)
{
	struct seccomp_proxy *p = arg;

	p->timer = NULL;
	log_info(p->log, "the seccomp proxy %s has not answered for %u ms", p->address, p->timeout_ms);
	/* An answer that comes later would be taken for the next call's. */
	hang_up(p);
	respond_default(p);
	return 0;
}

/* An answer, or the end of the connection. */
static int on_answer(struct loop *loop, struct source *s, uint32_t events, void *arg)
{
	struct seccomp_proxy *p = arg;
	struct iovec iov = { p->answer, p->answer_len + 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };	/* fds that come along are dropped */
	ssize_t n = recvmsg(p->fd, &msg, MSG_DONTWAIT);
	struct seccomp_notif_resp *resp;

	if (n < 0 && (errno == EAGAIN || errno == EINTR) && !(events & (EPOLLHUP | EPOLLERR)))
		return 0;
	if (n <= 0) {
		log_info(p->log, "the seccomp proxy %s has closed the connection", p->address);
		hang_up(p);
		respond_default(p);
		return 0;
	}
	if (!p->asking) {
		log_info(p->log, "the seccomp proxy %s has answered without a question", p->address);
		return 0;
	}
	loop_remove(p->timer);
	p->timer = NULL;
	if ((size_t)n != p->answer_len) {
		log_info(p->log, "the answer of the seccomp proxy %s has %zd bytes instead of %zu", p->address, n,
			 p->answer_len);
		/* What comes next on this connection could answer anything. */
		hang_up(p);
		respond_default(p);
		return 0;
	}
	/* Not aligned in a packet: the sizes are the kernel's. */
	auto_free char *copy = malloc(MAX(p->sizes.seccomp_notif_resp, sizeof(*resp)));

	if (!copy) {
		respond_default(p);
		return 0;
	}
	memcpy(copy, p->answer + sizeof(struct seccomp_proxy_head) + p->sizes.seccomp_notif,
	       p->sizes.seccomp_notif_resp);
	resp = (void *)copy;
	if (resp->id != p->id) {
		log_info(p->log, "the seccomp proxy %s has answered for another call", p->address);
		resp->id = p->id;
	}
	respond(p, resp);
	return 0;
}

static int watch_proxy(struct seccomp_proxy *p)
{
	return p->talking ? 0 : loop_add(p->loop, p->fd, false, EPOLLIN, on_answer, p, &p->talking, NULL);
}

static int send_question(struct seccomp_proxy *p, const int fds[3])
{
	const struct seccomp_proxy_head head = {
		.monitor_pid = getpid(),
		.init_pid = p->init_pid,
		.notif_size = p->sizes.seccomp_notif,
		.resp_size = p->sizes.seccomp_notif_resp,
		.data_size = p->sizes.seccomp_data,
		.cookie_len = strlen(p->cookie),
	};
	auto_buf struct buf b = BUF_INIT(65536);
	struct seccomp_notif_resp resp = { .id = p->id };

	buf_add(&b, &head, sizeof(head));
	buf_add(&b, p->notif, p->sizes.seccomp_notif);
	buf_add(&b, &resp, MIN(sizeof(resp), p->sizes.seccomp_notif_resp));
	for (size_t i = sizeof(resp); i < p->sizes.seccomp_notif_resp; i++)
		buf_addc(&b, '\0');
	buf_adds(&b, p->cookie);
	if (!buf_ok(&b))
		return -ENOMEM;
	return socket_send(p->fd, b.p, b.len, fds, 3, false);
}

/* Sends the question; once over a new connection if the old one does not take it. */
static int ask(struct seccomp_proxy *p, const int fds[3])
{
	int r = -ENOTCONN;

	for (int attempt = 0; p->address && attempt < 2 && r < 0; attempt++) {
		if (p->fd < 0) {
			p->fd = connect_to(p->address);
			if (p->fd < 0)
				return p->fd;
		}
		r = watch_proxy(p);
		if (r == 0)
			r = send_question(p, fds);
		if (r < 0)
			hang_up(p);
	}
	return r;
}

/* The caller as seen from here: its directory in /proc and its memory. Both are opened before it is
 * checked that the call still waits, so that the pid cannot be another process's by then. */
static int open_caller(struct seccomp_proxy *p, int fds[3])
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%u", p->notif->pid);
	fds[0] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fds[0] < 0)
		return -errno;
	fds[1] = openat(fds[0], "mem", O_RDWR | O_CLOEXEC);
	if (fds[1] < 0)
		return -errno;
	fds[2] = p->asking->fd;
	return ioctl(p->asking->fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &p->id) < 0 ? -errno : 0;
}

static int on_notification(struct loop *loop, struct source *s, uint32_t events, void *arg)
{
	struct listener *l = arg;
	struct seccomp_proxy *p = l->p;
	int fds[3] = { -EBADF, -EBADF, -EBADF }, r;

	if (!(events & EPOLLIN)) {
		loop_remove(l->source);
		l->source = NULL;
		return 0;
	}
	if (p->asking)
		return 0;	/* an event from before it was paused */
	memset(p->notif, 0, p->sizes.seccomp_notif);
	if (ioctl(l->fd, SECCOMP_IOCTL_NOTIF_RECV, p->notif) < 0)
		return 0;	/* the caller is gone: ENOENT */
	p->asking = l;
	p->id = p->notif->id;
	/* One question at a time; further calls wait in the kernel. */
	listen_for(p, 0);
	r = open_caller(p, fds);
	if (r == 0)
		r = ask(p, fds);
	fd_close(fds[0]);
	fd_close(fds[1]);
	if (r == 0)
		r = loop_add_timer(loop, p->timeout_ms, on_timeout, p, &p->timer, NULL);
	if (r < 0) {
		log_info(p->log, "the seccomp proxy %s cannot be asked: %s", p->address ? p->address : "(none)",
			 strerror(-r));
		respond_default(p);
	}
	return 0;
}

static int add_listener(struct seccomp_proxy *p, int fd, bool owned, struct err **e)
{
	struct listener *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_no_memory(e);
	*l = (struct listener){ .p = p, .next = p->listeners, .fd = fd, .owned = owned };
	r = loop_add(p->loop, fd, false, EPOLLIN, on_notification, l, &l->source, e);
	if (r == 0 && p->asking)
		r = loop_modify(l->source, 0);
	if (r < 0) {
		loop_remove(l->source);
		free(l);
		return r;
	}
	p->listeners = l;
	return 0;
}

int seccomp_proxy_start(struct seccomp_proxy *p, struct loop *loop, int listener, pid_t init_pid,
			unsigned timeout_ms, struct err **e)
{
	int r;

	p->loop = loop;
	p->init_pid = init_pid;
	p->timeout_ms = timeout_ms;
	r = listener < 0 ? 0 : add_listener(p, listener, false, e);
	return r < 0 || p->fd < 0 ? MIN(r, 0) : watch_proxy(p);
}

static void listener_free(struct listener *l)
{
	loop_remove(l->source);
	if (l->owned)
		fd_close(l->fd);
	free(l);
}

/* Lets go of those whose last process has ended. How many are left. */
static size_t reap(struct seccomp_proxy *p)
{
	size_t n = 0;

	for (struct listener **at = &p->listeners; *at;) {
		struct listener *l = *at;

		if (l->source || l == p->asking) {
			at = &l->next;
			n++;
			continue;
		}
		*at = l->next;
		listener_free(l);
	}
	return n;
}

int seccomp_proxy_add(struct seccomp_proxy **proxy, const struct conf *c, struct log *l, struct loop *loop, int listener,
		      pid_t init_pid, unsigned timeout_ms, struct err **e)
{
	int r;

	if (!*proxy) {
		r = make(c, l, proxy, e);
		if (r < 0)
			return r;
		r = seccomp_proxy_start(*proxy, loop, -EBADF, init_pid, timeout_ms, e);
		if (r < 0)
			return r;
	}
	if (reap(*proxy) >= LISTENERS_MAX)
		return err_set(e, EMFILE, NULL, "more than %d processes run under a policy with notify", LISTENERS_MAX);
	return add_listener(*proxy, listener, true, e);
}

void seccomp_proxy_free(struct seccomp_proxy *p)
{
	if (!p)
		return;
	hang_up(p);
	respond_default(p);
	for (struct listener *l = p->listeners, *next; l; l = next) {
		next = l->next;
		listener_free(l);
	}
	free(p->address);
	free(p->cookie);
	free(p->notif);
	free(p->answer);
	free(p);
}

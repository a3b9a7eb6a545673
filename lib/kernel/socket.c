/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/compiler.h"

/* A peer that takes nothing for this long is given up: no sender may hang for good. */
#define SEND_TIMEOUT_MS 30000

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t deadline_of(int timeout_ms)
{
	return timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
}

/* Waits for events on fd; deadline -1: none. 0, -ETIMEDOUT or -errno. */
static int wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		int64_t left = deadline < 0 ? -1 : deadline - now_ms();
		int r;

		if (deadline >= 0 && left < 0)
			left = 0;
		r = poll(&p, 1, (int)left);
		if (r > 0)
			return p.revents & POLLNVAL ? -EBADF : 0;
		if (r == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

/* Length of the address or -ENAMETOOLONG; the NUL in front is the abstract mark, none ends it. */
static int make_address(const char *name, struct sockaddr_un *a)
{
	size_t n = strlen(name);

	if (n == 0)
		return -EINVAL;
	if (n > sizeof(a->sun_path) - 1)
		return -ENAMETOOLONG;
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(a->sun_path + 1, name, n);
	return (int)(offsetof(struct sockaddr_un, sun_path) + 1 + n);
}

int socket_listen_abstract(const char *name, int type, int backlog, struct err **e)
{
	auto_close int fd = -EBADF;
	struct sockaddr_un a;
	int len = make_address(name, &a), on = 1;

	if (len < 0)
		return err_set(e, -len, NULL, "socket name @%s has no or more than %zu bytes", name,
			       sizeof(a.sun_path) - 1);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(e, errno, NULL, "cannot create a unix socket");
	/* Inherited by what accept returns, so that messages with SCM_CREDENTIALS can be received. */
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return err_set(e, errno, NULL, "cannot ask for credentials on socket @%s", name);
	if (bind(fd, (struct sockaddr *)&a, (socklen_t)len) < 0) {
		if (errno == EADDRINUSE)
			return -EADDRINUSE;
		return err_set(e, errno, NULL, "cannot bind socket @%s", name);
	}
	if (listen(fd, backlog) < 0)
		return err_set(e, errno, NULL, "cannot listen on socket @%s", name);
	return take_fd(&fd);
}

/* Limits how long connect may wait for room in the backlog: unix sockets have no EINPROGRESS, but
 * they obey the send time limit. */
static int set_send_limit(int fd, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000 };

	return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0 ? -errno : 0;
}

int socket_connect_abstract(const char *name, int type, int timeout_ms)
{
	int64_t deadline = deadline_of(timeout_ms);
	auto_close int fd = -EBADF;
	struct sockaddr_un a;
	int len = make_address(name, &a), r;

	if (len < 0)
		return len;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	for (;;) {
		/* 0 would mean no limit, so the last try gets a millisecond. */
		if (deadline >= 0) {
			int64_t left = deadline - now_ms();

			r = set_send_limit(fd, left > 0 ? left : 1);
			if (r < 0)
				return r;
		}
		if (connect(fd, (struct sockaddr *)&a, (socklen_t)len) == 0)
			break;
		if (errno == EAGAIN)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
		if (deadline >= 0 && now_ms() >= deadline)
			return -ETIMEDOUT;
	}
	r = deadline >= 0 ? set_send_limit(fd, 0) : 0;
	return r < 0 ? r : take_fd(&fd);
}

int socket_peer(int fd, struct ucred *ret)
{
	struct ucred c;
	socklen_t n = sizeof(c);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) < 0)
		return -errno;
	if (n != sizeof(c))
		return -EPROTO;
	*ret = c;
	return 0;
}

/* Room for the fds and the credentials of one message. */
union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(sizeof(int) * SOCKET_FDS_MAX) + CMSG_SPACE(sizeof(struct ucred))];
};

static struct cmsghdr *add_control(struct msghdr *m, struct cmsghdr *c, int type, const void *p, size_t n)
{
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), p, n);
	m->msg_controllen += CMSG_SPACE(n);
	return (struct cmsghdr *)(void *)((char *)c + CMSG_SPACE(n));
}

static void fill_control(struct msghdr *m, union control *u, const int *fds, size_t n_fds, bool creds)
{
	struct cmsghdr *c = &u->align;

	memset(u, 0, sizeof(*u));
	m->msg_control = u;
	m->msg_controllen = 0;
	if (n_fds)
		c = add_control(m, c, SCM_RIGHTS, fds, n_fds * sizeof(*fds));
	if (creds) {
		struct ucred own = { .pid = getpid(), .uid = getuid(), .gid = getgid() };

		(void)add_control(m, c, SCM_CREDENTIALS, &own, sizeof(own));
	}
	if (!m->msg_controllen)
		m->msg_control = NULL;
}

int socket_send(int fd, const void *p, size_t n, const int *fds, size_t n_fds, bool creds)
{
	int64_t deadline = deadline_of(SEND_TIMEOUT_MS);
	union control u;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)p, .iov_len = n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	int flags = fcntl(fd, F_GETFL), r;

	if (flags < 0)
		return -errno;
	if (n == 0 || n_fds > SOCKET_FDS_MAX)
		return -EINVAL;
	fill_control(&m, &u, fds, n_fds, creds);
	while (iov.iov_len) {
		ssize_t sent = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent >= 0) {
			iov.iov_base = (char *)iov.iov_base + sent;
			iov.iov_len -= (size_t)sent;
			m.msg_control = NULL;
			m.msg_controllen = 0;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN || (flags & O_NONBLOCK))
			return -errno;
		r = wait_for(fd, POLLOUT, deadline);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Collected fds of one receiving call. */
struct taken {
	int *fds;
	size_t max, n;
};

static void drop_fds(struct taken *t)
{
	for (size_t i = 0; i < t->n; i++)
		fd_close(t->fds[i]);
	t->n = 0;
}

static void take_fds(struct msghdr *m, struct taken *t)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (t->n < t->max)
				t->fds[t->n++] = fd;
			else
				fd_close(fd);
		}
	}
}

/* One recvmsg before the deadline; 0 at end of file. *ret_flags: MSG_TRUNC and the like. */
static ssize_t receive(int fd, void *p, size_t n, struct taken *t, int64_t deadline, int *ret_flags)
{
	for (;;) {
		union control u;
		struct iovec iov = { .iov_base = p, .iov_len = n };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &u,
				    .msg_controllen = sizeof(u) };
		ssize_t got = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		int r;

		if (got >= 0) {
			take_fds(&m, t);
			*ret_flags = m.msg_flags;
			return got;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		r = wait_for(fd, POLLIN, deadline);
		if (r < 0)
			return r;
	}
}

int socket_recv(int fd, void *p, size_t n, int *fds, size_t max_fds, size_t *ret_fds, int timeout_ms)
{
	struct taken t = { .fds = fds, .max = max_fds };
	int64_t deadline = deadline_of(timeout_ms);
	char *to = p;

	while (n) {
		int flags;
		ssize_t got = receive(fd, to, n, &t, deadline, &flags);

		if (got <= 0) {
			drop_fds(&t);
			return got < 0 ? (int)got : -ECONNRESET;
		}
		/* The kernel leaves out what this process may not open any more. */
		if (max_fds && (flags & MSG_CTRUNC) && t.n < max_fds) {
			drop_fds(&t);
			return -EMFILE;
		}
		to += got;
		n -= (size_t)got;
	}
	if (ret_fds)
		*ret_fds = t.n;
	return 0;
}

ssize_t socket_recv_packet(int fd, void *p, size_t n, int *fds, size_t max_fds, size_t *ret_fds, int timeout_ms)
{
	struct taken t = { .fds = fds, .max = max_fds };
	int flags = 0;
	ssize_t got = receive(fd, p, n, &t, deadline_of(timeout_ms), &flags);

	if (got >= 0 && (flags & MSG_TRUNC))
		got = -EMSGSIZE;
	if (got < 0)
		drop_fds(&t);
	else if (ret_fds)
		*ret_fds = t.n;
	return got;
}

int socket_pair(int type, int ret[2], struct err **e)
{
	int sv[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sv) < 0)
		return err_set(e, errno, NULL, "cannot create a socket pair");
	ret[0] = sv[0];
	ret[1] = sv[1];
	return 0;
}

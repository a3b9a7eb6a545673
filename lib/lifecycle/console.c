/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "kernel/tty.h"

#define PENDING_MAX (256U << 10)

/* Where console output goes besides log and ring. */
struct sink {
	int fd;				/* -EBADF: unused */
	struct source *source;		/* while something is pending */
	struct buf pending;
};

struct console {
	struct loop *loop;
	struct log *log;
	int ptx;
	int keep_pts;			/* so that the pty never hangs up between two users of it */
	struct source *source, *peer_source, *client_source;
	struct sink to_guest, to_peer, to_client;
	int peer_in;
	struct pty client;
	int log_fd;
	char *log_path;
	uint64_t log_size, log_limit;
	bool log_rotate;
	char *ring;
	uint64_t ring_size, ring_start, ring_len;
};

static int on_writable(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	struct sink *k = arg;

	while (k->pending.len) {
		ssize_t n = write(k->fd, k->pending.p, k->pending.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0) {
			buf_done(&k->pending);
			break;
		}
		buf_consume(&k->pending, (size_t)n);
	}
	loop_remove(k->source);
	k->source = NULL;
	return 0;
}

/* Writes what goes now, keeps the rest up to the limit. */
static void sink_write(struct console *c, struct sink *k, const char *p, size_t n)
{
	auto_close int dup = -EBADF;

	if (k->fd < 0)
		return;
	while (!k->pending.len && n) {
		ssize_t w = write(k->fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && errno != EAGAIN)
			return;
		if (w < 0)
			break;
		p += w;
		n -= (size_t)w;
	}
	if (!n || k->pending.len + n > PENDING_MAX)
		return;
	buf_add(&k->pending, p, n);
	if (k->source)
		return;
	/* A fd may be watched once per epoll: the write side has its own copy. */
	dup = fcntl(k->fd, F_DUPFD_CLOEXEC, 3);
	if (dup >= 0 && loop_add(c->loop, dup, true, EPOLLOUT, on_writable, k, &k->source, NULL) == 0)
		(void)take_fd(&dup);
}

static void sink_close(struct sink *k)
{
	loop_remove(k->source);
	k->source = NULL;
	buf_done(&k->pending);
	k->fd = -EBADF;
}

static void ring_add(struct console *c, const char *p, uint64_t n)
{
	if (!c->ring)
		return;
	if (n > c->ring_size) {
		p += n - c->ring_size;
		n = c->ring_size;
	}
	for (uint64_t i = 0; i < n; i++)
		c->ring[(c->ring_start + c->ring_len + i) % c->ring_size] = p[i];
	c->ring_len += n;
	if (c->ring_len > c->ring_size) {
		c->ring_start = (c->ring_start + c->ring_len - c->ring_size) % c->ring_size;
		c->ring_len = c->ring_size;
	}
}

static int open_log(struct console *c, bool truncate)
{
	struct stat st;
	int fd = open(c->log_path,
		      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
			      (truncate ? O_TRUNC : 0),
		      0640);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		fd_close(fd);
		return -EINVAL;
	}
	c->log_size = (uint64_t)st.st_size;
	fd_replace(&c->log_fd, fd);
	return 0;
}

/* At its limit the log starts again: renamed to FILE.1 with rotation, else emptied. */
static void log_add(struct console *c, const char *p, size_t n)
{
	if (c->log_fd < 0)
		return;
	if (c->log_limit && c->log_size + n > c->log_limit) {
		auto_free char *old = NULL;

		if (c->log_rotate && asprintf(&old, "%s.1", c->log_path) >= 0)
			(void)rename(c->log_path, old);
		if (open_log(c, true) < 0)
			return;
	}
	if (io_write_all(c->log_fd, p, n) == 0)
		c->log_size += n;
}

static int on_output(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	struct console *c = arg;
	char buf[4096];
	ssize_t n = read(c->ptx, buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		loop_remove(c->source);
		c->source = NULL;
		return 0;
	}
	log_add(c, buf, (size_t)n);
	ring_add(c, buf, (uint64_t)n);
	sink_write(c, &c->to_peer, buf, (size_t)n);
	sink_write(c, &c->to_client, buf, (size_t)n);
	return 0;
}

static int on_input(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	struct console *c = arg;
	int fd = source_fd(s);
	char buf[1024];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		if (s == c->peer_source)
			c->peer_source = NULL;
		else
			c->client_source = NULL;
		loop_remove(s);
		return 0;
	}
	sink_write(c, &c->to_guest, buf, (size_t)n);
	return 0;
}

static int open_records(struct console *c, const struct conf *conf, struct err **e)
{
	int r;

	if (conf->console_logfile.v) {
		c->log_path = strdup(conf->console_logfile.v);
		c->log_limit = (uint64_t)conf->console_size.v;
		c->log_rotate = conf->console_rotate.v;
		r = c->log_path ? open_log(c, false) : -ENOMEM;
		if (r < 0)
			return err_at(e, err_set(e, -r, NULL, "console log %s cannot be opened", conf->console_logfile.v),
				      conf->console_logfile.at);
	}
	if (conf->console_buffer_size.v > 0) {
		c->ring_size = (uint64_t)conf->console_buffer_size.v;
		c->ring = malloc(c->ring_size);
		if (!c->ring)
			return err_at(e, err_no_memory(e), conf->console_buffer_size.at);
	}
	return 0;
}

int console_new(struct loop *l, int ptx, const struct conf *conf, struct log *log, struct console **ret,
		struct err **e)
{
	struct console *c = calloc(1, sizeof(*c));
	struct buf pending = BUF_INIT(PENDING_MAX);
	int r;

	if (!c)
		return err_no_memory(e);
	c->loop = l;
	c->log = log;
	c->ptx = ptx;
	c->log_fd = c->keep_pts = c->peer_in = -EBADF;
	c->client = (struct pty)PTY_INIT;
	c->to_guest = (struct sink){ .fd = ptx, .pending = pending };
	c->to_peer = c->to_client = (struct sink){ .fd = -EBADF, .pending = pending };
	r = open_records(c, conf, e);
	if (r == 0 && ptx >= 0) {
		c->keep_pts = ioctl(ptx, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
		(void)fcntl(ptx, F_SETFL, O_RDWR | O_NONBLOCK);
		r = loop_add(l, ptx, false, EPOLLIN, on_output, c, &c->source, e);
	}
	if (r < 0) {
		console_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

/* What init said last may still be in the pty when it is gone. */
static void drain(struct console *c)
{
	char buf[4096];
	ssize_t n;

	while (c->source && (n = read(c->ptx, buf, sizeof(buf))) > 0) {
		log_add(c, buf, (size_t)n);
		ring_add(c, buf, (uint64_t)n);
		sink_write(c, &c->to_peer, buf, (size_t)n);
	}
}

void console_free(struct console *c)
{
	if (!c)
		return;
	drain(c);
	console_client_gone(c);
	loop_remove(c->peer_source);
	loop_remove(c->source);
	sink_close(&c->to_guest);
	sink_close(&c->to_peer);
	fd_close(c->keep_pts);
	fd_close(c->log_fd);
	free(c->log_path);
	free(c->ring);
	free(c);
}

int console_add_peer(struct console *c, int in, int out, struct err **e)
{
	c->to_peer.fd = out;
	c->peer_in = in;
	if (in < 0)
		return 0;
	if (isatty(in) && c->ptx >= 0)
		(void)tty_copy_winsize(in, c->ptx);
	return loop_add(c->loop, in, false, EPOLLIN, on_input, c, &c->peer_source, e);
}

int console_client(struct console *c, int *ret_fd, struct err **e)
{
	int r;

	if (c->client.pts >= 0)
		return -EBUSY;
	r = pty_open_host(&c->client, e);
	if (r < 0)
		return r;
	/* The client puts its own side into raw mode; this one must not echo either. */
	struct termios ignored;

	(void)tty_raw(c->client.pts, &ignored);
	(void)fcntl(c->client.pts, F_SETFL, O_RDWR | O_NONBLOCK);
	r = loop_add(c->loop, c->client.pts, false, EPOLLIN, on_input, c, &c->client_source, e);
	if (r < 0) {
		pty_close(&c->client);
		return r;
	}
	c->to_client.fd = c->client.pts;
	*ret_fd = take_fd(&c->client.ptx);
	return 0;
}

void console_client_gone(struct console *c)
{
	loop_remove(c->client_source);
	c->client_source = NULL;
	sink_close(&c->to_client);
	pty_close(&c->client);
}

int console_ring_read(struct console *c, bool do_read, bool clear, uint64_t max, char **ret, uint64_t *ret_len)
{
	uint64_t n = max && max < c->ring_len ? max : c->ring_len;
	char *p;

	if (!c->ring)
		return -EFAULT;
	if (!c->ring_len)
		return -ENODATA;
	p = malloc(n + 1);
	if (!p)
		return -ENOMEM;
	for (uint64_t i = 0; i < n; i++)
		p[i] = c->ring[(c->ring_start + i) % c->ring_size];
	p[n] = '\0';
	if (clear) {
		c->ring_len = c->ring_start = 0;
	} else if (do_read) {
		c->ring_start = (c->ring_start + n) % c->ring_size;
		c->ring_len -= n;
	}
	if (!do_read) {
		free(p);
		p = NULL;
		n = 0;
	}
	*ret = p;
	*ret_len = n;
	return 0;
}

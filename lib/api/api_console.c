/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_console - terminals of a running container: taking one, a session on one, the console's log. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "handle.h"
#include "kernel/tty.h"
#include "vtable.h"

#define CHUNK 4096
/* Without a signal handler of ours (the process is the caller's) the window size is looked at
 * whenever something happens, and this often when nothing does. */
#define WINCH_POLL_MS 1000

int api_console_getfd(struct lxc_container *c, int *ttynum, int *ptxfd)
{
	struct call k;
	int num, r, ptx = -EBADF;

	if (!call_begin(&k, c))
		return -1;
	if (!ttynum || !ptxfd)
		return call_end(&k, err_set(&k.e, EINVAL, NULL, "no place for the result was given"), NULL);
	num = *ttynum;
	r = client_tty(&k.target, &num, &ptx, &k.e);
	if (call_end(&k, r, "cannot get a terminal of %s", k.name) < 0)
		return r;
	*ttynum = num;
	*ptxfd = ptx;
	return r;
}

struct session {
	int in, out, ptx, holder;
	int escape;		/* the escape character, 0: none */
	bool escaped;		/* it was the last character */
	struct winsize size;
};

static void sync_size(struct session *s)
{
	struct winsize now;

	if (ioctl(s->in, TIOCGWINSZ, &now) < 0)
		return;
	if (now.ws_row == s->size.ws_row && now.ws_col == s->size.ws_col)
		return;
	s->size = now;
	(void)ioctl(s->ptx, TIOCSWINSZ, &now);
}

/* Handles what was typed: 1 to end the session, else 0 or -errno. */
static int typed(struct session *s, const char *p, size_t n)
{
	char out[2 * CHUNK];
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		bool is_escape = s->escape && p[i] == (char)s->escape;

		if (s->escaped && p[i] == 'q')
			return 1;
		if (is_escape && !s->escaped) {
			s->escaped = true;
			continue;
		}
		/* Escape and any other character: both go through. Escape twice: one. */
		if (s->escaped && !is_escape)
			out[len++] = (char)s->escape;
		s->escaped = false;
		out[len++] = p[i];
	}
	return io_write_all(s->ptx, out, len);
}

/* Copies one chunk; 1 at the end of the source. */
static int copy(int from, char *p, size_t *ret_n)
{
	ssize_t n;

	do {
		n = read(from, p, CHUNK);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		*ret_n = 0;
		return 0;
	}
	/* EIO: the container's side of the pty is closed. */
	if (n <= 0)
		return n < 0 && errno != EIO ? -errno : 1;
	*ret_n = (size_t)n;
	return 0;
}

static int session_run(struct session *s)
{
	struct pollfd p[3] = {
		{ .fd = s->in, .events = POLLIN },
		{ .fd = s->ptx, .events = POLLIN },
		{ .fd = s->holder, .events = POLLIN },
	};
	char chunk[CHUNK];
	size_t n;
	int r = 0;

	while (r == 0) {
		sync_size(s);
		if (poll(p, 3, WINCH_POLL_MS) < 0) {
			if (errno != EINTR)
				return -errno;
			continue;
		}
		if (p[1].revents) {
			r = copy(s->ptx, chunk, &n);
			if (r == 0)
				r = io_write_all(s->out, chunk, n);
		}
		if (r == 0 && p[0].revents) {
			r = copy(s->in, chunk, &n);
			if (r == 0)
				r = typed(s, chunk, n);
		}
		/* The monitor let go of the terminal: the container ended. */
		if (r == 0 && p[2].revents)
			r = 1;
	}
	return r < 0 ? r : 0;
}

int api_console(struct lxc_container *c, int ttynum, int stdinfd, int stdoutfd, int stderrfd, int escape)
{
	auto_close int holder = -EBADF, ptx = -EBADF;
	struct termios saved;
	bool raw = false;
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return -1;
	holder = client_tty(&k.target, &ttynum, &ptx, &k.e);
	if (holder < 0)
		return call_end(&k, holder, "cannot open a terminal of %s", k.name);
	if (isatty(stdinfd)) {
		r = tty_raw(stdinfd, &saved);
		if (r < 0)
			return call_end(&k, err_set(&k.e, -r, NULL, "cannot put the terminal into raw mode"),
					"cannot open a terminal of %s", k.name);
		raw = true;
	}
	if (escape >= 1)
		(void)dprintf(stderrfd,
			      "\r\nConnected to tty %d of %s. Ctrl-%c q leaves; Ctrl-%c twice sends Ctrl-%c.\r\n",
			      ttynum, k.name, 'a' + escape - 1, 'a' + escape - 1, 'a' + escape - 1);
	struct session s = { stdinfd, stdoutfd, ptx, holder, escape > 0 ? escape : 0, false, { 0 } };

	r = session_run(&s);
	if (raw)
		(void)tty_restore(stdinfd, &saved);
	if (r < 0)
		(void)err_set(&k.e, -r, NULL, "tty %d of %s", ttynum, k.name);
	return call_end(&k, r, "the session on a terminal of %s broke", k.name);
}

int api_console_log(struct lxc_container *c, struct lxc_console_log *log)
{
	uint64_t len = 0, max;
	char *data = NULL;
	struct call k;
	int r;

	if (!c || !log || !log->read_max || !call_begin(&k, c))
		return -EINVAL;
	max = *log->read_max;
	*log->read_max = 0;
	log->data = NULL;
	r = client_console_log(&k.target, log->read, log->clear, max, &data, &len, &k.e);
	if (r == -EFAULT)
		r = err_console_unbuffered(&k.e, k.name);
	if (r == -ENODATA)
		r = err_set(&k.e, ENODATA, "console-empty", "the console of %s has said nothing since it was read",
			    k.name);
	if (r < 0)
		return call_end(&k, r, "cannot read the console log of %s", k.name);
	(void)call_end(&k, 0, NULL);
	if (log->read) {
		log->data = data;
		*log->read_max = len;
	} else {
		free(data);
	}
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "kernel/tty.h"

enum { FROM_IN, FROM_PTX, FROM_END, FROM_WINCH, FROM_N };

/* 1: the escape sequence was completed. What is typed goes to the pty, "ESC ESC" as one ESC. */
static int type(const struct terminal_session *t, bool *armed, const char *p, size_t n)
{
	auto_buf struct buf b = BUF_INIT(16384);
	bool leave = false;

	for (size_t i = 0; i < n && !leave; i++) {
		if (*armed) {
			*armed = false;
			if (p[i] == 'q')
				leave = true;
			else if (p[i] == t->escape)
				buf_addc(&b, p[i]);
			else {
				buf_addc(&b, (char)t->escape);
				buf_addc(&b, p[i]);
			}
		} else if (t->escape > 0 && p[i] == t->escape) {
			*armed = true;
		} else {
			buf_addc(&b, p[i]);
		}
	}
	if (b.len && io_write_all(t->ptx, b.p, b.len) < 0)
		return -EIO;
	return leave;
}

/* 0: go on; 1: over. */
static int from_pty(const struct terminal_session *t)
{
	char buf[4096];
	ssize_t n = read(t->ptx, buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0)
		return 1;
	if (t->log_fd >= 0)
		(void)io_write_all(t->log_fd, buf, (size_t)n);
	return io_write_all(t->out, buf, (size_t)n) < 0;
}

static void drain(const struct terminal_session *t)
{
	struct pollfd p = { .fd = t->ptx, .events = POLLIN };

	while (poll(&p, 1, 0) > 0 && (p.revents & POLLIN) && from_pty(t) == 0)
		;
}

static int loop(const struct terminal_session *t, int winch)
{
	struct pollfd p[FROM_N] = {
		[FROM_IN] = { .fd = t->in, .events = POLLIN },
		[FROM_PTX] = { .fd = t->ptx, .events = POLLIN },
		[FROM_END] = { .fd = t->end_fd, .events = POLLIN },
		[FROM_WINCH] = { .fd = winch, .events = POLLIN },
	};
	struct signalfd_siginfo si;
	bool armed = false;
	char buf[1024];

	for (;;) {
		if (poll(p, FROM_N, -1) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (p[FROM_WINCH].revents & POLLIN) {
			(void)!read(winch, &si, sizeof(si));
			(void)tty_copy_winsize(t->in, t->ptx);
		}
		if ((p[FROM_PTX].revents & (POLLIN | POLLHUP | POLLERR)) && from_pty(t))
			return 0;
		if (p[FROM_END].revents) {
			drain(t);
			return 0;
		}
		if (p[FROM_IN].revents & (POLLIN | POLLHUP | POLLERR)) {
			ssize_t n = read(t->in, buf, sizeof(buf));

			if (n < 0 && (errno == EINTR || errno == EAGAIN))
				continue;
			if (n <= 0) {
				/* End of input: a terminal gets its end-of-file character. */
				(void)!write(t->ptx, "\004", 1);
				p[FROM_IN].fd = -1;
				continue;
			}
			if (type(t, &armed, buf, (size_t)n))
				return 0;
		}
	}
}

int terminal_run(const struct terminal_session *t, struct err **e)
{
	struct termios saved;
	sigset_t mask, old;
	auto_close int winch = -EBADF;
	bool raw = false;
	int r;

	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGWINCH);
	(void)pthread_sigmask(SIG_BLOCK, &mask, &old);
	winch = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (isatty(t->in)) {
		(void)tty_copy_winsize(t->in, t->ptx);
		raw = tty_raw(t->in, &saved) == 0;
	}
	r = loop(t, winch);
	if (raw)
		(void)tty_restore(t->in, &saved);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r < 0 ? err_set(e, -r, NULL, "the terminal session broke off") : 0;
}

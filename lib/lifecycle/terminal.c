/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/terminal.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/compiler.h"
#include "base/io.h"
#include "kernel/tty.h"

/* Where another thread of the caller takes SIGWINCH, the size is found out this often. */
#define SIZE_MS 1000
/* Small enough for a pty and a pipe that say they can be written to. */
#define PIECE 1024

enum { FROM_IN, FROM_PTX, FROM_END, FROM_WINCH, TO_OUT, FROM_N };

/* What was read and is not written yet. Neither direction waits for the other: a program that does not
 * read what is typed must not keep what it says from being shown. */
struct pending {
	char p[2 * PIECE];
	size_t n, at;
};

struct pump {
	const struct terminal_session *t;
	struct pending typed, said;
	struct pollfd p[FROM_N];
	bool armed;	/* the escape character was the last one typed */
	bool leave;
	bool in_is_open;
};

static bool is_empty(const struct pending *d)
{
	return d->at == d->n;
}

/* Passes on as much as goes. False when the other side is gone. */
static bool push(struct pending *d, int fd)
{
	ssize_t k = write(fd, d->p + d->at, MIN(d->n - d->at, (size_t)PIECE));

	if (k < 0)
		return errno == EINTR || errno == EAGAIN;
	d->at += (size_t)k;
	return true;
}

/* What is typed goes to the pty, "ESC ESC" as one ESC; "ESC q" leaves. */
static void take_typed(struct pump *u, const char *p, size_t n)
{
	struct pending *d = &u->typed;

	d->n = d->at = 0;
	for (size_t i = 0; i < n; i++) {
		bool is_escape = u->t->escape > 0 && p[i] == (char)u->t->escape;

		if (u->armed && p[i] == 'q') {
			u->leave = true;
			return;
		}
		if (is_escape && !u->armed) {
			u->armed = true;
			continue;
		}
		if (u->armed && !is_escape)
			d->p[d->n++] = (char)u->t->escape;
		u->armed = false;
		d->p[d->n++] = p[i];
	}
}

static void from_in(struct pump *u)
{
	const struct terminal_session *t = u->t;
	char buf[PIECE];
	ssize_t n = read(t->in, buf, sizeof(buf));

	if (n > 0) {
		take_typed(u, buf, (size_t)n);
		return;
	}
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	/* The caller's terminal is gone: so is the session. Other input ends as a terminal's does. */
	if (t->in == t->tty) {
		u->leave = true;
		return;
	}
	u->in_is_open = false;
	u->typed = (struct pending){ .p = "\004", .n = 1 };
}

/* False at the end. */
static bool from_pty(struct pump *u)
{
	const struct terminal_session *t = u->t;
	ssize_t n = read(t->ptx, u->said.p, sizeof(u->said.p));

	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	u->said.n = (size_t)n;
	u->said.at = 0;
	if (t->log_fd >= 0)
		(void)io_write_all(t->log_fd, u->said.p, u->said.n);
	return true;
}

/* The rest of what the program said before it ended. */
static void drain(struct pump *u)
{
	struct pollfd p = { .fd = u->t->ptx, .events = POLLIN };

	do {
		if (io_write_all(u->t->out, u->said.p + u->said.at, u->said.n - u->said.at) < 0)
			return;
		u->said.n = u->said.at = 0;
	} while (poll(&p, 1, 0) > 0 && (p.revents & POLLIN) && from_pty(u));
}

/* Nothing is looked for that could not be passed on; a descriptor without a wish would still report a hangup
 * without end, so it is left out. */
static void watch(struct pump *u)
{
	u->p[FROM_IN].fd = u->in_is_open && is_empty(&u->typed) ? u->t->in : -1;
	u->p[FROM_PTX].events = (short)((is_empty(&u->said) ? POLLIN : 0) | (is_empty(&u->typed) ? 0 : POLLOUT));
	u->p[FROM_PTX].fd = u->p[FROM_PTX].events ? u->t->ptx : -1;
	u->p[TO_OUT].fd = is_empty(&u->said) ? -1 : u->t->out;
}

static int loop(struct pump *u)
{
	const struct terminal_session *t = u->t;
	struct signalfd_siginfo si;

	while (!u->leave) {
		short ptx;

		watch(u);
		if (poll(u->p, FROM_N, t->tty >= 0 ? SIZE_MS : -1) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (u->p[FROM_WINCH].revents & POLLIN)
			(void)!read(u->p[FROM_WINCH].fd, &si, sizeof(si));
		if (t->tty >= 0)
			tty_follow_size(t->tty, t->ptx);
		ptx = u->p[FROM_PTX].revents;
		if (u->p[TO_OUT].revents && !push(&u->said, t->out))
			return 0;
		if ((ptx & POLLOUT) && !is_empty(&u->typed) && !push(&u->typed, t->ptx))
			return 0;
		if (is_empty(&u->said) && (ptx & (POLLIN | POLLHUP | POLLERR)) && !from_pty(u))
			return 0;
		if (u->p[FROM_END].revents) {
			drain(u);
			return 0;
		}
		if (u->p[FROM_IN].revents && is_empty(&u->typed))
			from_in(u);
	}
	return 0;
}

int terminal_run(const struct terminal_session *t, struct err **e)
{
	struct pump u = {
		.t = t,
		.in_is_open = t->in >= 0,
		.p = {
			[FROM_IN] = { .fd = -1, .events = POLLIN },
			[FROM_PTX] = { .fd = -1 },
			[FROM_END] = { .fd = t->end_fd, .events = POLLIN },
			[TO_OUT] = { .fd = -1, .events = POLLOUT },
		},
	};
	auto_close int winch = -EBADF;
	struct termios saved;
	sigset_t mask, old;
	bool raw = false;
	int r;

	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGWINCH);
	(void)pthread_sigmask(SIG_BLOCK, &mask, &old);
	winch = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	u.p[FROM_WINCH] = (struct pollfd){ .fd = winch, .events = POLLIN };
	if (t->in >= 0 && t->in == t->tty)
		raw = tty_raw(t->in, &saved) == 0;
	r = loop(&u);
	if (raw)
		(void)tty_restore(t->in, &saved);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r < 0 ? err_set(e, -r, NULL, "the terminal session broke off") : 0;
}

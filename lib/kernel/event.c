/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/event.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/compiler.h"

#define BATCH 32

struct source {
	struct loop *loop;
	struct source *prev, *next;
	int fd;
	bool owned;
	bool dead;	/* removed; freed when no batch of events can name it any more */
	bool timer;
	event_fn fn;
	void *arg;
};

struct loop {
	int epoll;
	unsigned depth;		/* of loop_run; sources die late while it is not 0 */
	bool stopped;
	int value;
	struct source *live, *dead;
	unsigned idle_ms;
	bool busy;		/* something has happened since rest was called */
	void (*rest)(void *arg);
	void *idle_arg;
};

int loop_new(struct loop **ret, struct err **e)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return err_no_memory(e);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0) {
		int r = err_set(e, errno, NULL, "cannot create an event loop");

		free(l);
		return r;
	}
	*ret = l;
	return 0;
}

static void bury(struct loop *l)
{
	while (l->dead) {
		struct source *s = l->dead;

		l->dead = s->next;
		free(s);
	}
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->live)
		loop_remove(l->live);
	bury(l);
	fd_close(l->epoll);
	free(l);
}

int loop_add(struct loop *l, int fd, bool owned, uint32_t events, event_fn fn, void *arg,
	     struct source **ret, struct err **e)
{
	struct source *s = calloc(1, sizeof(*s));
	struct epoll_event ev = { .events = events, .data.ptr = s };

	if (!s)
		return err_no_memory(e);
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
		int r = err_set(e, errno, NULL, "cannot watch file descriptor %d", fd);

		free(s);
		return r;
	}
	*s = (struct source){ .loop = l, .fd = fd, .owned = owned, .fn = fn, .arg = arg, .next = l->live };
	if (l->live)
		l->live->prev = s;
	l->live = s;
	if (ret)
		*ret = s;
	return 0;
}

int loop_modify(struct source *s, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };

	if (s->dead)
		return -ENOENT;
	return epoll_ctl(s->loop->epoll, EPOLL_CTL_MOD, s->fd, &ev) < 0 ? -errno : 0;
}

void loop_remove(struct source *s)
{
	struct loop *l;

	if (!s || s->dead)
		return;
	l = s->loop;
	(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, s->fd, NULL);
	if (s->owned)
		fd_close(s->fd);
	s->fd = -EBADF;
	s->dead = true;
	if (s->prev)
		s->prev->next = s->next;
	else
		l->live = s->next;
	if (s->next)
		s->next->prev = s->prev;
	s->prev = NULL;
	s->next = l->dead;
	l->dead = s;
	if (!l->depth)
		bury(l);
}

int source_fd(const struct source *s)
{
	return s->fd;
}

int loop_add_signals(struct loop *l, const sigset_t *mask, event_fn fn, void *arg, struct err **e)
{
	auto_close int fd = signalfd(-1, mask, SFD_CLOEXEC | SFD_NONBLOCK);
	int r;

	if (fd < 0)
		return err_set(e, errno, NULL, "cannot create a signal descriptor");
	r = pthread_sigmask(SIG_BLOCK, mask, NULL);
	if (r != 0)
		return err_set(e, r, NULL, "cannot block signals");
	r = loop_add(l, fd, true, EPOLLIN, fn, arg, NULL, e);
	if (r == 0)
		(void)take_fd(&fd);
	return r;
}

int loop_read_signal(struct source *s, struct signalfd_siginfo *ret)
{
	ssize_t n;

	do {
		n = read(s->fd, ret, sizeof(*ret));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	return n == (ssize_t)sizeof(*ret) ? 1 : -EIO;
}

int loop_add_timer(struct loop *l, uint64_t ms, event_fn fn, void *arg, struct source **ret, struct err **e)
{
	auto_close int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	struct itimerspec at = { .it_value = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 } };
	struct source *s = NULL;
	int r;

	if (fd < 0)
		return err_set(e, errno, NULL, "cannot create a timer");
	/* A zero time would disarm it. */
	if (ms == 0)
		at.it_value.tv_nsec = 1;
	if (timerfd_settime(fd, 0, &at, NULL) < 0)
		return err_set(e, errno, NULL, "cannot set a timer of %llu ms", (unsigned long long)ms);
	r = loop_add(l, fd, true, EPOLLIN, fn, arg, &s, e);
	if (r < 0)
		return r;
	(void)take_fd(&fd);
	s->timer = true;
	if (ret)
		*ret = s;
	return 0;
}

static int dispatch(struct loop *l, const struct epoll_event *ev)
{
	struct source *s = ev->data.ptr;

	/* An earlier handler of this batch may have removed it. */
	if (s->dead)
		return 0;
	if (s->timer)
		loop_remove(s);
	return s->fn(l, s, ev->events, s->arg);
}

void loop_on_idle(struct loop *l, unsigned ms, void (*rest)(void *arg), void *arg)
{
	l->idle_ms = ms;
	l->rest = rest;
	l->idle_arg = arg;
	l->busy = true;
}

static void note_activity(struct loop *l, bool busy)
{
	if (!busy && l->busy && l->rest)
		l->rest(l->idle_arg);
	l->busy = busy;
}

int loop_run(struct loop *l)
{
	struct epoll_event ev[BATCH];
	int r = 0;

	l->depth++;
	while (r >= 0 && !l->stopped) {
		int n = epoll_wait(l->epoll, ev, ARRAY_SIZE(ev), l->rest && l->busy ? (int)l->idle_ms : -1);

		if (n < 0 && errno != EINTR)
			r = -errno;
		if (n >= 0)
			note_activity(l, n > 0);
		for (int i = 0; i < n && r >= 0 && !l->stopped; i++)
			r = dispatch(l, &ev[i]);
		/* Only the outermost run may free: an outer batch can still name a dead source. */
		if (l->depth == 1)
			bury(l);
	}
	l->depth--;
	l->stopped = false;
	return r < 0 ? r : l->value;
}

void loop_stop(struct loop *l, int value)
{
	l->stopped = true;
	l->value = value;
}

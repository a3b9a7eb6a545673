/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* event - an epoll loop over fds only: sockets, signalfds, timerfds, pidfds, ptys. No signal
 * handlers. Handlers may add and remove sources, their own included. */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/signalfd.h>

#include "base/err.h"

struct loop;
struct source;

/* events: EPOLLIN etc. Return < 0 to leave the loop with that value, 0 to go on. */
typedef int (*event_fn)(struct loop *l, struct source *s, uint32_t events, void *arg);

int loop_new(struct loop **ret, struct err **e);
void loop_free(struct loop *l);			/* frees the sources; closes fds that it owns */
/* Watches fd. owned: the loop closes it when the source goes. */
int loop_add(struct loop *l, int fd, bool owned, uint32_t events, event_fn fn, void *arg,
	     struct source **ret, struct err **e);
int loop_modify(struct source *s, uint32_t events);
void loop_remove(struct source *s);		/* NULL is allowed */
int source_fd(const struct source *s);
/* A signalfd for mask; the signals are blocked in this thread. The handler reads the siginfo with
 * loop_read_signal. */
int loop_add_signals(struct loop *l, const sigset_t *mask, event_fn fn, void *arg, struct err **e);
/* The next pending signal of a source of loop_add_signals: 1 with *ret set, 0 when there is none
 * (any more), -errno. Call until 0. */
int loop_read_signal(struct source *s, struct signalfd_siginfo *ret);
/* One-shot timer, ms from now, monotonic. The source removes itself before fn runs: whoever keeps a pointer
 * to it forgets it in fn. */
int loop_add_timer(struct loop *l, uint64_t ms, event_fn fn, void *arg, struct source **ret, struct err **e);
/* Has rest(arg) called once whenever nothing has happened for ms, counted from now or from the last event. rest NULL: no
 * more. */
void loop_on_idle(struct loop *l, unsigned ms, void (*rest)(void *arg), void *arg);
/* Runs until a handler returns < 0 (that value) or loop_stop (its value). */
int loop_run(struct loop *l);
void loop_stop(struct loop *l, int value);

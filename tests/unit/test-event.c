/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/event.h"

struct record {
	int calls;
	uint32_t events;
	struct source *other;
	struct source *self;
};

static int stop_with_7(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	struct record *r = arg;

	r->calls++;
	r->events = events;
	loop_stop(l, 7);
	return 0;
}

static int fail_loop(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	return -EPROTO;
}

static int ready_fd(void)
{
	int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

static void a_ready_fd_calls_its_handler(void **state)
{
	struct record r = { 0 };
	struct loop *l = NULL;

	assert_int_equal(loop_new(&l, NULL), 0);
	assert_int_equal(loop_add(l, ready_fd(), true, EPOLLIN, stop_with_7, &r, NULL, NULL), 0);
	assert_int_equal(loop_run(l), 7);
	assert_int_equal(r.calls, 1);
	assert_true(r.events & EPOLLIN);
	loop_free(l);
}

static void a_failing_handler_ends_the_loop_with_its_value(void **state)
{
	struct loop *l = NULL;

	assert_int_equal(loop_new(&l, NULL), 0);
	assert_int_equal(loop_add(l, ready_fd(), true, EPOLLIN, fail_loop, NULL, NULL, NULL), 0);
	assert_int_equal(loop_run(l), -EPROTO);
	loop_free(l);
}

static int remove_other(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	struct record *r = arg;

	r->calls++;
	loop_remove(s == r->self ? r->other : r->self);
	loop_remove(s);
	loop_remove(s);
	loop_stop(l, 1);
	return 0;
}

/* Both are ready in one batch: whichever runs first removes the other, which must not be called. */
static void a_source_removed_in_the_same_batch_is_not_called(void **state)
{
	struct record r = { 0 };
	struct loop *l = NULL;

	assert_int_equal(loop_new(&l, NULL), 0);
	assert_int_equal(loop_add(l, ready_fd(), true, EPOLLIN, remove_other, &r, &r.self, NULL), 0);
	assert_int_equal(loop_add(l, ready_fd(), true, EPOLLIN, remove_other, &r, &r.other, NULL), 0);
	assert_int_equal(loop_run(l), 1);
	assert_int_equal(r.calls, 1);
	loop_free(l);
}

static int add_another(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	loop_remove(s);
	return loop_add(l, ready_fd(), true, EPOLLIN, stop_with_7, arg, NULL, NULL);
}

static void a_handler_may_add_sources(void **state)
{
	struct record r = { 0 };
	struct loop *l = NULL;

	assert_int_equal(loop_new(&l, NULL), 0);
	assert_int_equal(loop_add(l, ready_fd(), true, EPOLLIN, add_another, &r, NULL, NULL), 0);
	assert_int_equal(loop_run(l), 7);
	assert_int_equal(r.calls, 1);
	loop_free(l);
}

static void removal_closes_owned_fds_only(void **state)
{
	auto_close int kept = ready_fd();
	int owned = ready_fd();
	struct source *a, *b;
	struct loop *l = NULL;

	assert_int_equal(loop_new(&l, NULL), 0);
	assert_int_equal(loop_add(l, kept, false, EPOLLIN, fail_loop, NULL, &a, NULL), 0);
	assert_int_equal(loop_add(l, owned, true, EPOLLIN, fail_loop, NULL, &b, NULL), 0);
	assert_int_equal(source_fd(b), owned);
	loop_remove(a);
	loop_remove(b);
	loop_remove(NULL);
	assert_true(fcntl(kept, F_GETFD) >= 0);
	assert_int_equal(fcntl(owned, F_GETFD), -1);
	loop_free(l);
}

static void the_loop_closes_what_it_owns(void **state)
{
	int owned = ready_fd();
	struct loop *l = NULL;

	assert_int_equal(loop_new(&l, NULL), 0);
	assert_int_equal(loop_add(l, owned, true, EPOLLIN, fail_loop, NULL, NULL, NULL), 0);
	loop_free(l);
	assert_int_equal(fcntl(owned, F_GETFD), -1);
	loop_free(NULL);
}

static void modified_events_are_heeded(void **state)
{
	struct record r = { 0 };
	struct source *s;
	struct loop *l = NULL;

	assert_int_equal(loop_new(&l, NULL), 0);
	assert_int_equal(loop_add(l, ready_fd(), true, EPOLLIN, fail_loop, NULL, &s, NULL), 0);
	assert_int_equal(loop_modify(s, 0), 0);
	assert_int_equal(loop_add_timer(l, 20, stop_with_7, &r, NULL, NULL), 0);
	assert_int_equal(loop_run(l), 7);
	loop_free(l);
}

struct idleness {
	struct loop *l;
	int calls, timers;
};

static int note_timer(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	struct idleness *i = arg;

	i->timers++;
	return 0;
}

static void note_idle(void *arg)
{
	struct idleness *i = arg;

	if (++i->calls == 2)
		loop_stop(i->l, 7);
	else
		assert_int_equal(loop_add_timer(i->l, 1, note_timer, i, NULL, NULL), 0);
}

static void idleness_is_told_once_at_first_and_after_each_activity(void **state)
{
	struct idleness i = { 0 };

	assert_int_equal(loop_new(&i.l, NULL), 0);
	loop_on_idle(i.l, 5, note_idle, &i);
	assert_int_equal(loop_add_timer(i.l, 1, note_timer, &i, NULL, NULL), 0);
	assert_int_equal(loop_run(i.l), 7);
	assert_int_equal(i.timers, 2);
	i.calls = 1;
	loop_on_idle(i.l, 5, note_idle, &i);
	assert_int_equal(loop_run(i.l), 7);
	loop_free(i.l);
}

static void timers_fire_once_and_in_order(void **state)
{
	struct record first = { 0 }, second = { 0 };
	struct source *never;
	struct loop *l = NULL;

	assert_int_equal(loop_new(&l, NULL), 0);
	assert_int_equal(loop_add_timer(l, 50, stop_with_7, &second, NULL, NULL), 0);
	assert_int_equal(loop_add_timer(l, 0, stop_with_7, &first, NULL, NULL), 0);
	assert_int_equal(loop_add_timer(l, 10, fail_loop, NULL, &never, NULL), 0);
	loop_remove(never);
	assert_int_equal(loop_run(l), 7);
	assert_int_equal(first.calls, 1);
	assert_int_equal(second.calls, 0);
	assert_int_equal(loop_run(l), 7);
	assert_int_equal(first.calls, 1);
	assert_int_equal(second.calls, 1);
	loop_free(l);
}

static int on_signal(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	struct signalfd_siginfo info;
	int *seen = arg;

	while (loop_read_signal(s, &info) > 0)
		*seen |= 1 << info.ssi_signo;
	loop_stop(l, 0);
	return 0;
}

static void take_signals(void *arg)
{
	struct err *e = NULL;
	struct loop *l = NULL;
	sigset_t mask;
	int seen = 0;

	CHECK_OK(loop_new(&l, &e), e);
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGUSR1);
	(void)sigaddset(&mask, SIGTERM);
	CHECK_OK(loop_add_signals(l, &mask, on_signal, &seen, &e), e);
	(void)raise(SIGUSR1);
	(void)raise(SIGTERM);
	CHECK(loop_run(l) == 0);
	CHECK(seen == (1 << SIGUSR1 | 1 << SIGTERM));
	loop_free(l);
}

static void signals_come_as_events(void **state)
{
	unit_child(take_signals, NULL);
}

static void an_fd_that_cannot_be_watched_is_an_error(void **state)
{
	auto_close int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	auto_err struct err *e = NULL;
	struct loop *l = NULL;

	assert_int_equal(loop_new(&l, NULL), 0);
	assert_int_equal(loop_add(l, fd, false, EPOLLIN, fail_loop, NULL, NULL, &e), -EPERM);
	assert_non_null(e);
	assert_int_equal(loop_add(l, -1, true, EPOLLIN, fail_loop, NULL, NULL, &e), -EBADF);
	loop_free(l);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_ready_fd_calls_its_handler),
	cmocka_unit_test(a_failing_handler_ends_the_loop_with_its_value),
	cmocka_unit_test(a_source_removed_in_the_same_batch_is_not_called),
	cmocka_unit_test(a_handler_may_add_sources),
	cmocka_unit_test(removal_closes_owned_fds_only),
	cmocka_unit_test(the_loop_closes_what_it_owns),
	cmocka_unit_test(modified_events_are_heeded),
	cmocka_unit_test(idleness_is_told_once_at_first_and_after_each_activity),
	cmocka_unit_test(timers_fire_once_and_in_order),
	cmocka_unit_test(signals_come_as_events),
	cmocka_unit_test(an_fd_that_cannot_be_watched_is_an_error),
};
UNIT_MAIN(tests)

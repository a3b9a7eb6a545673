/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lxc/lxcext.h>

#include "autostart.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/num.h"

#define JOBS_MAX 64
#define LOOK_MS 100

/* Containers that may be acted upon at the same time, as far as they do not wait for one another. The nodes, output and
 * counters belong to who holds the lock. */
struct batch {
	struct tool *t;
	struct autostart *a;
	struct node **v;
	size_t n;
	bool (*act)(const struct autostart *a, struct lxc_container *c);
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

void autostart_note(struct autostart *a, const struct node *k, const char *why)
{
	a->failed++;
	(void)strv_addf(&a->failures, "%s: %s", k->c->name, why);
}

/* One time for all that makes the container ready. */
static bool is_ready(const struct autostart *a, struct lxc_container *c)
{
	auto_strv struct strv conditions = { 0 };
	time_t end = time(NULL) + a->timeout;

	if (autostart_items(c, "lxc.start.ready", &conditions) < 0)
		return false;
	for (size_t i = 0; i < conditions.n; i++)
		if (lxcext_wait_ready(c, conditions.v[i], a->timeout < 0 ? -1 : (int)MAX(end - time(NULL), 0)) < 0)
			return false;
	return true;
}

static bool start(const struct autostart *a, struct lxc_container *c)
{
	return (c->is_running(c) || c->start(c, 0, NULL)) && is_ready(a, c);
}

static bool reboot(const struct autostart *a, struct lxc_container *c)
{
	return c->reboot(c);
}

static bool stop(const struct autostart *a, struct lxc_container *c)
{
	return c->stop(c) || !c->is_running(c);
}

/* Its end is waited for elsewhere. */
static bool ask_to_end(const struct autostart *a, struct lxc_container *c)
{
	(void)c->shutdown(c, 0);
	return true;
}

static const char *verb(const struct autostart *a)
{
	return autostart_stops(a) ? "stop" : a->reboot ? "reboot" : "start";
}

static bool waits(const struct node *k)
{
	for (size_t i = 0; i < k->n_before; i++)
		if (!k->before[i].node->finished)
			return true;
	return false;
}

static struct node *pick(struct batch *b, size_t *ret_left)
{
	struct node *found = NULL;

	*ret_left = 0;
	for (size_t i = 0; i < b->n; i++) {
		*ret_left += !b->v[i]->begun;
		if (!found && !b->v[i]->begun && !waits(b->v[i]))
			found = b->v[i];
	}
	return found;
}

/* A container that cannot do without another is not started when that is not there. */
static bool is_hopeless(struct batch *b, const struct node *k, struct err **e)
{
	if (autostart_stops(b->a) || b->a->reboot || k->only_wait)
		return false;
	if (k->missing) {
		int r = err_start_required_missing(e, k->c->name, k->missing, k->c->get_config_path(k->c));
		char *colon = k->missing_at ? strrchr(k->missing_at, ':') : NULL;
		unsigned line;

		if (colon && num_uint(colon + 1, 10, &line) == 0) {
			*colon = '\0';
			(void)err_at(e, r, (struct origin){ k->missing_at, line });
			*colon = ':';
		}
		return true;
	}
	for (size_t i = 0; i < k->n_before; i++)
		if (k->before[i].required && k->before[i].node->failed) {
			(void)err_start_required_failed(e, k->c->name, k->before[i].node->c->name);
			return true;
		}
	return false;
}

static void report(struct batch *b, struct node *k, const struct err *e)
{
	const char *why = k->c->error_string;

	k->failed = true;
	if (e) {
		(void)tool_error_chain(b->t, e);
		why = err_root(e)->what;
	} else {
		(void)tool_failed(b->t, k->c, "cannot %s %s", verb(b->a), k->c->name);
	}
	autostart_note(b->a, k, why && *why ? why : "for a reason that is not known");
}

/* With the lock held, which is let go while something happens. */
static void handle_node(struct batch *b, struct node *k)
{
	auto_err struct err *e = NULL;
	bool ok = true;

	k->begun = true;
	if (k->acts)
		b->a->tried++;
	if (is_hopeless(b, k, &e)) {
		ok = false;
	} else {
		(void)pthread_mutex_unlock(&b->lock);
		ok = b->act(b->a, k->c);
		(void)pthread_mutex_lock(&b->lock);
	}
	tool_show_warnings(b->t, k->c);
	if (!ok) {
		b->a->tried += !k->acts;
		report(b, k, e);
	}
	k->finished = true;
	(void)pthread_cond_broadcast(&b->changed);
}

static void *work(void *arg)
{
	struct batch *b = arg;
	size_t left;

	(void)pthread_mutex_lock(&b->lock);
	for (;;) {
		struct node *k = pick(b, &left);

		if (k)
			handle_node(b, k);
		else if (left)
			(void)pthread_cond_wait(&b->changed, &b->lock);
		else
			break;
	}
	(void)pthread_mutex_unlock(&b->lock);
	return NULL;
}

/* Everything in the batch, by as many threads as may be; who cannot be had is done without. */
static void run_batch(struct batch *b)
{
	pthread_t threads[JOBS_MAX];
	size_t n = 0, wanted = MIN(b->n, (size_t)MIN(b->a->jobs, JOBS_MAX));

	while (n + 1 < wanted && pthread_create(&threads[n], NULL, work, b) == 0)
		n++;
	(void)work(b);
	while (n)
		(void)pthread_join(threads[--n], NULL);
	b->n = 0;
}

/* Another place in the order waits for all that came before, and so does what comes after a delay. */
static void run_plan(struct batch *b, const struct nodes *l)
{
	const struct node *last = NULL;

	for (size_t i = 0; i < l->n_plan; i++) {
		struct node *k = l->plan[i];

		if (!k->acts && !k->only_wait)
			k->finished = true;
		if (k->finished)
			continue;
		if (last && (last->pass != k->pass || last->place != k->place))
			run_batch(b);
		b->v[b->n++] = k;
		last = k;
		if (autostart_stops(b->a) || k->only_wait || k->delay <= 0)
			continue;
		run_batch(b);
		if (!k->failed)
			(void)sleep((unsigned)k->delay);
	}
	run_batch(b);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Waits until all in the batch have ended, or the time is over. Those that run are moved to the front; returns how
 * many. */
static size_t wait_for_end(struct batch *b, struct pollfd *fds, uint64_t end)
{
	size_t left = b->n;

	for (size_t i = 0; i < b->n; i++)
		fds[i] = (struct pollfd){ .fd = lxcext_state_fd(b->v[i]->c), .events = POLLIN };
	for (;;) {
		uint64_t now = now_ms();
		bool blind = false;

		for (size_t i = 0; i < left;) {
			struct pollfd fd = fds[i];

			if (fd.revents)
				(void)lxcext_state_read(b->v[i]->c, fd.fd);
			if (b->v[i]->c->is_running(b->v[i]->c)) {
				blind |= fd.fd < 0;
				i++;
				continue;
			}
			struct node *k = b->v[i];

			b->v[i] = b->v[--left];
			b->v[left] = k;
			fds[i] = fds[left];
			fds[left] = fd;
		}
		if (left == 0 || now >= end)
			break;
		(void)poll(fds, left, blind ? LOOK_MS : (int)MIN(end - now, (uint64_t)INT32_MAX));
	}
	for (size_t i = 0; i < b->n; i++)
		if (fds[i].fd >= 0)
			(void)close(fds[i].fd);
	return left;
}

/* Those of one stage are asked together and waited for together; who does not end in time is killed. */
static int shut_down(struct batch *b, uint64_t end)
{
	size_t all = b->n;
	auto_free struct pollfd *fds = calloc(all + 1, sizeof(*fds));

	if (!fds)
		return tool_usage(b->t, "out of memory");
	b->act = ask_to_end;
	run_batch(b);
	if (b->a->timeout == 0)
		return 0;
	b->n = all;
	b->n = wait_for_end(b, fds, end);
	for (size_t i = 0; i < b->n; i++) {
		b->v[i]->begun = false;
		b->v[i]->acts = false;
	}
	b->act = stop;
	run_batch(b);
	return 0;
}

/* The stage of a shutdown that each container belongs to: in the order of the plan, and behind all that it waits for.
 * Returns how many there are. */
static size_t number_stages(struct nodes *l)
{
	const struct node *last = NULL;
	size_t first = 0, next = 0;

	for (size_t i = 0; i < l->n_plan; i++) {
		struct node *k = l->plan[i];

		if (last && (last->pass != k->pass || last->place != k->place))
			first = next;
		last = k;
		k->stage = first;
		for (size_t j = 0; j < k->n_before; j++)
			k->stage = MAX(k->stage, k->before[j].node->stage + k->before[j].node->acts);
		next = MAX(next, k->stage + k->acts);
	}
	return next;
}

/* Each stage has its share of the time that is left for all. */
static int shut_down_all(struct batch *b, const struct nodes *l, size_t stages)
{
	uint64_t end = b->a->timeout < 0 ? UINT64_MAX : now_ms() + (uint64_t)b->a->timeout * 1000;
	int r = 0;

	for (size_t stage = 0; stage < stages && r == 0; stage++) {
		uint64_t now = now_ms();

		b->n = 0;
		for (size_t i = 0; i < l->n_plan; i++)
			if (l->plan[i]->acts && l->plan[i]->stage == stage)
				b->v[b->n++] = l->plan[i];
		r = shut_down(b, end == UINT64_MAX ? end : now >= end ? now : now + (end - now) / (stages - stage));
	}
	return r;
}

/* After many lines the failures are hard to find. */
static void summarise(struct tool *t, const struct autostart *a)
{
	(void)tool_error(t, "%u of %u containers %s not %s:", a->failed, a->tried, a->failed == 1 ? "was" : "were",
			 autostart_stops(a) ? "stopped" : a->reboot ? "rebooted" : "started");
	for (size_t i = 0; i < a->failures.n; i++)
		(void)tool_error(t, "%s", a->failures.v[i]);
}

int autostart_run(struct tool *t, struct autostart *a, struct nodes *l)
{
	struct batch b = { .t = t, .a = a, .v = calloc(l->n + 1, sizeof(struct node *)),
			   .act = autostart_stops(a) ? stop : a->reboot ? reboot : start,
			   .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
	int r = 0;

	if (!b.v)
		return tool_usage(t, "out of memory");
	for (size_t i = 0; i < l->n_plan; i++)
		if (!l->plan[i]->acts && !l->plan[i]->only_wait)
			l->plan[i]->finished = true;
	if (a->shutdown)
		r = shut_down_all(&b, l, number_stages(l));
	else
		run_plan(&b, l);
	free(b.v);
	if (a->failed)
		summarise(t, a);
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* Runs in the monitor. */
#include "lifecycle/freeze.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "lifecycle/command.h"

#undef LOG_CATEGORY
#define LOG_CATEGORY "freeze"
#define STEP_MAX_MS 20

struct freezing {
	struct monitor *m;
	struct client *client;		/* NULL: has gone */
	struct source *timer;
	bool frozen;
	bool hold;			/* as long as the client is there */
	unsigned step_ms;
	int64_t deadline_ms;
};

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int begin(struct monitor *m, struct client *c, bool frozen, bool hold, unsigned limit_ms);

/* One that held it has gone. The last one's going thaws it. */
static void on_hold_gone(struct monitor *m, void *arg)
{
	m->holds--;
	if (m->holds || !m->held || m->freezing || m->r->state != STATE_FROZEN)
		return;
	m->held = false;
	(void)begin(m, NULL, false, false, FREEZE_LIMIT_S * 1000);
}

/* The result becomes the state, and the reply if there is somebody to hear it. */
static int conclude(struct monitor *m, struct client *c, bool frozen, int rc, struct err *e)
{
	struct run *r = m->r;
	auto_free char *line = err_line(e);
	bool is_frozen = rc == 0 ? frozen : !frozen && cgroup_is_frozen(r->cgroups);

	if (line)
		log_error(&r->log, "%s", line);
	err_free(e);
	/* A freeze that takes too long is taken back; a thaw that failed may have left it frozen. */
	(void)monitor_set_state(r, is_frozen ? STATE_FROZEN : STATE_RUNNING, NULL);
	return c ? client_reply(c, rc, PTR_FROM_INT(rc)) : 0;
}

static int conclude_hold(struct monitor *m, struct client *c, int rc, struct err *e)
{
	(void)conclude(m, NULL, true, rc, e);
	if (rc < 0)
		return client_reply(c, rc, PTR_FROM_INT(rc));
	m->held = true;
	m->holds++;
	return client_reply(c, 0, 1);
}

static void finish(struct freezing *f, int rc, struct err *e)
{
	struct monitor *m = f->m;
	struct client *c = f->client;
	bool frozen = f->frozen, hold = f->hold;
	int r;

	loop_remove(f->timer);
	m->freezing = NULL;
	free(f);
	/* Who was to hold it has gone meanwhile. */
	if (hold && !c) {
		(void)conclude(m, NULL, true, rc, e);
		if (rc == 0)
			(void)begin(m, NULL, false, false, FREEZE_LIMIT_S * 1000);
		return;
	}
	r = hold ? conclude_hold(m, c, rc, e) : conclude(m, c, frozen, rc, e);
	if (c && hold && rc == 0 && r == 0)
		client_keep(c, on_hold_gone, NULL);
	else if (c)
		client_release(c);
}

static int on_step(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	struct freezing *f = arg;
	struct cgroups *g = f->m->r->cgroups;
	int rc = cgroup_freeze_done(g, f->frozen);
	struct err *e = NULL;

	f->timer = NULL;
	if (rc > 0) {
		finish(f, 0, NULL);
		return 0;
	}
	if (rc == 0 && now_ms() < f->deadline_ms) {
		f->step_ms = MIN(f->step_ms * 2, STEP_MAX_MS);
		rc = loop_add_timer(l, f->step_ms, on_step, f, &f->timer, &e);
		if (rc == 0)
			return 0;
	} else if (rc == 0) {
		rc = err_freeze_timeout(&e, f->frozen ? "frozen" : "thawed");
	}
	if (f->frozen)
		(void)cgroup_freeze_begin(g, false, NULL);
	finish(f, rc, e);
	return 0;
}

static void on_client_gone(struct monitor *m, void *arg)
{
	struct freezing *f = arg;

	f->client = NULL;
}

/* Ordered, and cannot be waited for. */
static int take_back(struct monitor *m, struct client *c, bool frozen, int rc, struct err *e)
{
	if (frozen)
		(void)cgroup_freeze_begin(m->r->cgroups, false, NULL);
	return conclude(m, c, frozen, rc, e);
}

/* c: NULL where nobody waits for it. */
static int begin(struct monitor *m, struct client *c, bool frozen, bool hold, unsigned limit_ms)
{
	struct run *r = m->r;
	struct freezing *f;
	struct err *e = NULL;
	int rc;

	(void)monitor_set_state(r, frozen ? STATE_FREEZING : STATE_THAWED, NULL);
	rc = cgroup_freeze_begin(r->cgroups, frozen, &e);
	if (rc == 0)
		rc = cgroup_freeze_done(r->cgroups, frozen);
	if (rc != 0) {
		rc = MIN(rc, 0);
		return hold ? conclude_hold(m, c, rc, e) : conclude(m, c, frozen, rc, e);
	}
	f = malloc(sizeof(*f));
	if (!f)
		return take_back(m, c, frozen, -ENOMEM, NULL);
	*f = (struct freezing){
		.m = m, .client = c, .frozen = frozen, .hold = hold, .step_ms = 1, .deadline_ms = now_ms() + limit_ms
	};
	rc = loop_add_timer(m->loop, f->step_ms, on_step, f, &f->timer, &e);
	if (rc < 0) {
		free(f);
		return take_back(m, c, frozen, rc, e);
	}
	m->freezing = f;
	if (c)
		client_hold(c, on_client_gone, f);
	return 0;
}

int freeze_request(struct monitor *m, struct client *c, bool frozen, unsigned limit_ms)
{
	struct run *r = m->r;

	if (m->freezing || (r->state != STATE_RUNNING && r->state != STATE_FROZEN))
		return client_reply(c, -EBUSY, PTR_FROM_INT(-EBUSY));
	m->held = false;
	return begin(m, c, frozen, false, limit_ms);
}

int freeze_hold(struct monitor *m, struct client *c, unsigned limit_ms)
{
	struct run *r = m->r;
	int rc;

	if (m->freezing || (r->state != STATE_RUNNING && r->state != STATE_FROZEN))
		return client_reply(c, -EBUSY, PTR_FROM_INT(-EBUSY));
	if (r->state == STATE_FROZEN && !m->held)
		return client_reply(c, 0, 0);
	if (r->state == STATE_FROZEN) {
		m->holds++;
		rc = client_reply(c, 0, 1);
	} else {
		rc = begin(m, c, true, true, limit_ms);
	}
	/* Held by it already, or to be once it is frozen. */
	if (rc == 0 && r->state == STATE_FROZEN)
		client_hold(c, on_hold_gone, NULL);
	return rc;
}

void freeze_cancel(struct monitor *m)
{
	struct freezing *f = m->freezing;
	struct client *c;

	if (!f)
		return;
	c = f->client;
	loop_remove(f->timer);
	m->freezing = NULL;
	free(f);
	if (!c)
		return;
	(void)client_reply(c, -ECANCELED, PTR_FROM_INT(-ECANCELED));
	client_release(c);
}

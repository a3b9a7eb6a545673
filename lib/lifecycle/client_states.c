/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* client_states - the states of many containers. Those that their monitors have not written down are asked for at the same
 * time, so that monitors that do not answer cost one limit together and keep nobody else waiting. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "kernel/socket.h"
#include "lifecycle/client.h"
#include "lifecycle/client_call.h"
#include "lifecycle/command.h"

#define WINDOW 256		/* descriptors that are open at once: a process may have 1024 */
#define RETRY_MS 20		/* until a full queue of connections is tried again */
#define LAST_MS 100		/* what one that was asked twice still gets */

struct slot {
	struct client_look *look;
	int fd;				/* negative: the monitor's queue was full */
	int64_t deadline;
	struct cmd_reply reply;
	size_t got;
	bool recorded;			/* there is one that has not stopped */
	bool again;			/* it hung up once */
};

struct round {
	struct slot slots[WINDOW];
	struct pollfd polls[WINDOW];
	size_t n;
	int timeout_ms;
};

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Those that a question to all does not suit (their monitor has died, say) are asked as a single one is. */
static void ask_alone(struct slot *s)
{
	struct target t = s->look->target;
	int64_t left = s->deadline - now_ms();

	t.timeout_ms = left > LAST_MS ? (int)left : LAST_MS;
	s->look->r = client_state(&t, &s->look->state, &s->look->e);
}

/* True: this one is done. */
static bool refused(struct slot *s)
{
	if (s->recorded)
		ask_alone(s);
	else
		s->look->state = STATE_STOPPED;
	return true;
}

/* A monitor that is stopped by a signal is asked nevertheless: whoever lists containers is to see that it does not answer. */
static bool is_written_down(struct slot *s)
{
	const struct target *t = &s->look->target;
	auto_view struct client_view room = { .live = false };
	const struct instance_state *state = client_read_live(t, &room);
	const struct client_view *view = t->view ? t->view : &room;

	s->recorded = view->recorded;
	if (!state || view->stopped)
		return false;
	s->look->state = (enum lxc_state)state->state;
	return true;
}

static bool ask(struct slot *s)
{
	const struct cmd_request req = { .cmd = CMD_GET_STATE };
	const struct target *t = &s->look->target;
	char address[108];

	if (t->view && t->view->silent)
		return refused(s);
	command_address(t->lxcpath, t->name, address);
	s->got = 0;
	s->fd = socket_connect_abstract(address, SOCK_STREAM, 0);
	if (s->fd == -ECONNREFUSED)
		return refused(s);
	if (s->fd == -ETIMEDOUT)
		return false;
	if (s->fd < 0) {
		ask_alone(s);
		return true;
	}
	s->look->r = client_check_peer(t, s->fd, &s->look->e);
	if (s->look->r == 0 && socket_send(s->fd, &req, sizeof(req), NULL, 0, true) == 0)
		return false;
	if (s->look->r == 0)
		ask_alone(s);
	return true;
}

static bool hung_up(struct slot *s)
{
	fd_replace(&s->fd, -EBADF);
	if (s->again) {
		ask_alone(s);
		return true;
	}
	s->again = true;
	return ask(s);
}

static bool hear(struct slot *s)
{
	ssize_t n = recv(s->fd, (char *)&s->reply + s->got, sizeof(s->reply) - s->got, MSG_DONTWAIT);
	int state;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0)
		return hung_up(s);
	s->got += (size_t)n;
	if (s->got < sizeof(s->reply))
		return false;
	state = INT_FROM_PTR(s->reply.value);
	if (s->reply.ret < 0)
		s->look->r = err_monitor_refused(&s->look->e, s->look->target.name);
	else if (!state_name(state))
		s->look->r = err_monitor_protocol(&s->look->e, s->look->target.name);
	else
		s->look->state = (enum lxc_state)state;
	return true;
}

/* What has come, or has not come in time. True: this one is done. */
static bool step(struct round *r, struct slot *s, short events, int64_t now)
{
	if (s->fd >= 0 ? events && hear(s) : ask(s))
		return true;
	if (now < s->deadline)
		return false;
	s->look->r = err_monitor_silent(&s->look->e, s->look->target.name, (r->timeout_ms + 999) / 1000);
	return true;
}

static void wait_for_some(struct round *r)
{
	int64_t until = r->slots[0].deadline, now = now_ms(), left;

	for (size_t i = 0; i < r->n; i++) {
		r->polls[i] = (struct pollfd){ .fd = r->slots[i].fd, .events = POLLIN };
		if (r->slots[i].fd < 0)
			until = MIN(until, now + RETRY_MS);
		until = MIN(until, r->slots[i].deadline);
	}
	left = until - now;
	(void)poll(r->polls, r->n, left > 0 ? (int)left : 0);
}

static void go_on(struct round *r)
{
	int64_t now;

	wait_for_some(r);
	now = now_ms();
	for (size_t i = r->n; i-- > 0;) {
		if (!step(r, &r->slots[i], r->polls[i].revents, now))
			continue;
		fd_close(r->slots[i].fd);
		r->slots[i] = r->slots[--r->n];
	}
}

void client_states(struct client_look *v, size_t n, int timeout_ms)
{
	auto_free struct round *r = calloc(1, sizeof(*r));

	for (size_t i = 0; i < n; i++) {
		v[i].r = r ? 0 : err_no_memory(&v[i].e);
		v[i].e = r ? NULL : v[i].e;
	}
	if (!r)
		return;
	r->timeout_ms = timeout_ms;
	for (size_t next = 0; next < n || r->n;) {
		while (next < n && r->n < WINDOW) {
			struct slot *s = &r->slots[r->n];

			*s = (struct slot){ .look = &v[next++], .fd = -EBADF, .deadline = now_ms() + timeout_ms };
			if (is_written_down(s) || ask(s))
				fd_close(s->fd);
			else
				r->n++;
		}
		if (r->n)
			go_on(r);
	}
}

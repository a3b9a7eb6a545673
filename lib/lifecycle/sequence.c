/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/sequence.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "kernel/socket.h"

/* 'g': your turn; 'f': an error frame follows; 'x': I am about to exec. */
enum { MSG_GO = 'g', MSG_FAIL = 'f', MSG_EXEC = 'x' };

static void cargo_close(struct seq_cargo *c)
{
	while (c->n)
		fd_close(c->fds[--c->n]);
}

static int say(struct sequence *s, char what)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * SEQ_FDS_MAX)];
	} control = { 0 };
	struct iovec iov = { &what, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (s->out.n) {
		struct cmsghdr *c;

		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * s->out.n);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * s->out.n);
		memcpy(CMSG_DATA(c), s->out.fds, sizeof(int) * s->out.n);
	}
	do {
		n = sendmsg(s->fd, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	cargo_close(&s->out);
	return n == 1 ? 0 : -errno;
}

static void take_cargo(struct sequence *s, struct msghdr *msg)
{
	cargo_close(&s->in);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		s->in.n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(s->in.fds, CMSG_DATA(c), s->in.n * sizeof(int));
	}
}

static int init_died(struct sequence *s, struct err **e)
{
	int at = *s->at;

	if (at < 0 || (size_t)at >= s->n)
		return err_init_died(e, "starting");
	return err_init_died(e, s->steps[at].text);
}

/* One message. 0 and *ret_what; a failure frame becomes *e; end of file is *ret_what = 0. */
static int hear(struct sequence *s, struct run *r, char *ret_what, struct err **e)
{
	char buf[1 + ERR_FRAME_MAX];
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * SEQ_FDS_MAX)];
	} control;
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct err *theirs;
	ssize_t n;

	if (s->wait && s->wait(r, s->fd, -1, 0) < 0)
		return err_start_cancelled(e);
	/* A word of ours that the other has not read when it ends is an error here, once, before what it has said itself. */
	do {
		n = recvmsg(s->fd, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return err_set(e, errno, NULL, "cannot read from the container's first process");
	if (n <= 0) {
		*ret_what = 0;
		return 0;
	}
	take_cargo(s, &msg);
	*ret_what = buf[0];
	if (buf[0] != MSG_FAIL)
		return 0;
	theirs = err_unpack(buf + 1, (size_t)n - 1);
	if (!theirs)
		return err_set(e, EPROTO, NULL, "the container's first process sent a malformed error");
	n = theirs->num > 0 ? -theirs->num : -EIO;
	err_move(e, theirs);
	return (int)n;
}

static int wait_turn(struct sequence *s, struct run *run, struct err **e)
{
	char what;
	int r = hear(s, run, &what, e);

	if (r < 0)
		return r;
	return what == MSG_GO ? 0 : init_died(s, e);
}

/* The announcement of exec, then end of file by exec's close-on-exec. */
static int wait_exec(struct sequence *s, struct run *run, struct err **e)
{
	char what;
	int r = hear(s, run, &what, e);

	if (r == 0 && what == MSG_EXEC) {
		r = hear(s, run, &what, e);
		if (r == 0 && what == 0)
			return 0;
	}
	return r < 0 ? r : init_died(s, e);
}

static void report(struct sequence *s, const struct err *e)
{
	char buf[1 + ERR_FRAME_MAX];
	size_t n;

	buf[0] = MSG_FAIL;
	n = err_pack(e, buf + 1);
	(void)!send(s->fd, buf, 1 + n, MSG_NOSIGNAL);
}

static bool is_needed(const struct step *t, const struct run *r)
{
	return !t->needed || t->needed(r);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static int run_step(struct sequence *s, size_t i, struct run *r, struct err **e)
{
	uint64_t begin = s->times ? now_ns() : 0;
	int rc;

	/* What executes a program does not come back. */
	if (s->times)
		s->times[i].begin_ns = s->times[i].end_ns = begin;
	rc = s->steps[i].run(r, e);
	if (s->times)
		s->times[i].end_ns = now_ns();
	return rc;
}

/* The rows up to the monitor's next turn that need not wait for it. */
static int run_meanwhile(struct sequence *s, size_t until, struct run *r, struct err **e)
{
	for (size_t i = s->done; i < until; i++) {
		const struct step *t = &s->steps[i];
		int rc;

		if (!is_needed(t, r) || t->side == SIDE_INIT)
			continue;
		if (t->side == SIDE_MONITOR)
			return 0;
		if (t->side == SIDE_WORD) {
			rc = wait_turn(s, r, e);
			if (rc < 0)
				return rc;
			continue;
		}
		rc = run_step(s, i, r, e);
		if (rc < 0)
			return err_wrap(e, rc, "%s", t->text);
		/* To nobody, perhaps: what became of init is heard at the next turn. */
		(void)say(s, MSG_GO);
	}
	return 0;
}

int seq_run_monitor(struct sequence *s, size_t until, struct run *r, struct err **e)
{
	enum side turn = s->done && s->steps[s->done - 1].side == SIDE_INIT ? SIDE_INIT : SIDE_MONITOR;
	bool born = false; /* in the row before: init begins by itself */
	int rc = 0;

	for (; s->done < until; s->done++) {
		const struct step *t = &s->steps[s->done];

		/* Both sides see the same rows: no word is given for one that has nothing to do. */
		if (!is_needed(t, r))
			continue;
		if (t->side == SIDE_INIT) {
			if (turn == SIDE_MONITOR && !born)
				rc = say(s, MSG_GO);
			if (rc < 0)
				return init_died(s, e);
			if (turn == SIDE_MONITOR)
				rc = run_meanwhile(s, until, r, e);
			if (rc < 0)
				return rc;
			turn = SIDE_INIT;
			continue;
		}
		if (t->side != SIDE_MONITOR && turn == SIDE_INIT)
			continue;
		if (turn == SIDE_INIT && (rc = wait_turn(s, r, e)) < 0)
			return rc;
		turn = SIDE_MONITOR;
		born = s->fd < 0;
		rc = run_step(s, s->done, r, e);
		born = born && s->fd >= 0;
		if (rc < 0)
			return err_wrap(e, rc, "%s", t->text);
	}
	return until == s->n && turn == SIDE_INIT ? wait_exec(s, r, e) : 0;
}

static bool begins_with_init(const struct sequence *s, size_t from, const struct run *r)
{
	while (from < s->n && !is_needed(&s->steps[from], r))
		from++;
	return from < s->n && s->steps[from].side == SIDE_INIT;
}

int seq_run_init(struct sequence *s, size_t from, struct run *r, struct err **e)
{
	enum side turn = begins_with_init(s, from, r) ? SIDE_INIT : SIDE_MONITOR;
	int rc = 0;

	for (size_t i = from; i < s->n; i++) {
		const struct step *t = &s->steps[i];

		if (!is_needed(t, r))
			continue;
		if (t->side == SIDE_WORD) {
			rc = say(s, MSG_GO);
			if (rc < 0)
				return rc;
			continue;
		}
		if (t->side == SIDE_MEANWHILE && turn == SIDE_INIT) {
			rc = wait_turn(s, r, e);
			if (rc < 0)
				return rc;
			continue;
		}
		if (t->side != SIDE_INIT) {
			if (turn == SIDE_INIT && (rc = say(s, MSG_GO)) < 0)
				return rc;
			turn = SIDE_MONITOR;
			continue;
		}
		if (turn == SIDE_MONITOR && (rc = wait_turn(s, r, e)) < 0)
			return rc;
		turn = SIDE_INIT;
		*s->at = (int)i;
		if (i == s->n - 1 && (rc = say(s, MSG_EXEC)) < 0)
			return rc;
		rc = run_step(s, i, r, e);
		if (rc < 0) {
			err_wrap(e, rc, "%s", t->text);
			err_role(e ? *e : NULL, "init");
			report(s, e ? *e : NULL);
			return rc;
		}
	}
	return 0;
}

void seq_refuse(struct sequence *s, size_t from, struct run *r, struct err *why)
{
	auto_err struct err *e = NULL;

	err_role(why, "init");
	/* The turn first: a word that nobody reads would end the connection before the monitor has the reason. */
	if (begins_with_init(s, from, r) || wait_turn(s, r, &e) == 0)
		report(s, why);
}

bool seq_is_executing(const struct sequence *s)
{
	return s->at && *s->at >= 0 && (size_t)*s->at == s->n - 1;
}

void seq_undo(struct sequence *s, struct run *r)
{
	/* The row that failed may have been half done: undo functions accept that. */
	size_t last = s->done < s->n ? s->done + 1 : s->n;

	while (last-- > 0)
		if (s->steps[last].side == SIDE_MONITOR && s->steps[last].undo)
			s->steps[last].undo(r);
	cargo_close(&s->in);
	cargo_close(&s->out);
	s->done = 0;
}

static const char *side_name(enum side side)
{
	return side == SIDE_INIT || side == SIDE_WORD ? "init" : "monitor";
}

void seq_timing(const struct sequence *s, struct buf *out)
{
	for (size_t i = 0; s->times && i < s->n; i++)
		if (s->times[i].begin_ns)
			buf_addf(out, "%" PRIu64 " %" PRIu64 " %s %s\n", s->times[i].begin_ns, s->times[i].end_ns,
				 side_name(s->steps[i].side), s->steps[i].text);
}

void seq_explain(const struct step *steps, size_t n, const struct run *r, struct buf *out)
{
	unsigned row = 0;

	for (size_t i = 0; i < n; i++)
		if (is_needed(&steps[i], r))
			buf_addf(out, "%3u  %-8s %s\n", ++row, side_name(steps[i].side), steps[i].text);
}

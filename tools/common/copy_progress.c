/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/copy_progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lxc/lxcext.h>

#include "base/compiler.h"
#include "common/show.h"

#define NS_PER_S UINT64_C(1000000000)
#define FIRST_NS NS_PER_S		/* what is done before nobody needs to watch */
#define EVERY_NS (NS_PER_S / 4)

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

/* Of the program: there is one copy at a time, and a handler has no other way to tell. */
static volatile sig_atomic_t caught;

static void catch(int sig)
{
	caught = sig;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void copy_progress_begin(struct copy_progress *p, struct tool *t, struct lxc_container *c)
{
	struct sigaction sa = { .sa_handler = catch, .sa_flags = SA_RESTART };
	struct lxcext_usage usage;

	*p = (struct copy_progress){ .t = t, .shown = !t->quiet && isatty(STDERR_FILENO) };
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		(void)sigaction(signals[i], NULL, &p->old[i]);
		/* nohup and the like stay as they are. */
		if (p->old[i].sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &sa, NULL);
	}
	if (p->shown && c && lxcext_disk_usage(c, &usage) == 0)
		p->total = usage.used;
	p->begun_ns = now_ns();
}

void copy_progress_end(struct copy_progress *p)
{
	/* The line is wiped: what follows is the outcome. */
	if (p->told)
		fputs("\r\033[K", stderr);
	p->told = false;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		(void)sigaction(signals[i], &p->old[i], NULL);
}

void copy_progress_text(uint64_t bytes, uint64_t files, uint64_t total, uint64_t ns, char text[128])
{
	char done[SHOW_SIZE_MAX], rate_text[SHOW_SIZE_MAX], left[32] = "";
	double seconds = (double)ns / (double)NS_PER_S;
	uint64_t rate = seconds > 0 ? (uint64_t)((double)bytes / seconds) : 0;

	if (rate && total > bytes) {
		uint64_t s = (total - bytes) / rate;

		if (s >= 3600)
			(void)snprintf(left, sizeof(left), ", %" PRIu64 ":%02u:%02u left", s / 3600,
				       (unsigned)(s / 60 % 60), (unsigned)(s % 60));
		else
			(void)snprintf(left, sizeof(left), ", %u:%02u left", (unsigned)(s / 60), (unsigned)(s % 60));
	}
	(void)snprintf(text, 128, "%s, %" PRIu64 " files, %s/s%s", show_size(bytes, done), files,
		       show_size(rate, rate_text), left);
}

void copy_progress_tick(void *arg, uint64_t bytes, uint64_t files)
{
	struct copy_progress *p = arg;
	uint64_t now = now_ns();
	char text[128];

	if (!p->shown || now - p->begun_ns < FIRST_NS || now - p->told_ns < EVERY_NS)
		return;
	copy_progress_text(bytes, files, p->total, now - p->begun_ns, text);
	fprintf(stderr, "\r%s: %s\033[K", p->t->def->prog, text);
	(void)fflush(stderr);
	p->told_ns = now;
	p->told = true;
}

bool copy_progress_cancelled(void *arg)
{
	(void)arg;
	return caught != 0;
}

void copy_progress_reraise(struct copy_progress *p)
{
	(void)p;
	(void)fflush(NULL);
	(void)signal(caught, SIG_DFL);
	(void)raise(caught);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* Whatever an authorised peer writes to a monitor's command socket, the monitor goes on: each input is what
 * one connection sends, to a monitor of a container that has next to nothing. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/event.h"
#include "kernel/socket.h"
#include "lifecycle/command.h"
#include "lifecycle/monitor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENOUGH_MS 3

static int enough(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	loop_stop(l, 7);
	return 0;
}

static struct run *make_run(struct monitor *m)
{
	struct conf *conf = conf_new();
	struct run *r;

	if (!conf)
		abort();
	conf->name = strdup("fuzz");
	conf->lxcpath = strdup("/nonexistent");
	r = run_new(conf);
	if (!r || cgroup_restore(conf, "1", &r->log, &r->cgroups, NULL) < 0)
		abort();
	r->rundir = strdup("/nonexistent");
	r->log.fd = -1;
	r->state = STATE_RUNNING;
	r->monitor = m;
	return r;
}

/* Sends it, lets the loop turn until it has nothing more to do, reads what comes back. */
static void talk(struct monitor *m, const char *address, const uint8_t *data, size_t size)
{
	auto_close int fd = socket_connect_abstract(address, SOCK_STREAM, 1000);
	char buf[4096];
	int r = 0;

	if (fd < 0)
		abort();
	if (size)
		(void)!send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (size % 2)
		(void)shutdown(fd, SHUT_WR);
	/* A request to stop leaves the loop: that is what it is for. */
	for (int turn = 0; turn < 4 && r != 7; turn++) {
		struct source *timer = NULL;

		if (loop_add_timer(m->loop, ENOUGH_MS, enough, NULL, &timer, NULL) < 0)
			abort();
		r = loop_run(m->loop);
		if (r != 7)
			loop_remove(timer);
		if (r != 7 && r != -ECANCELED)
			abort();
	}
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		continue;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct monitor m = { .instance_fd = -EBADF };
	char address[64];

	(void)snprintf(address, sizeof(address), "tiffin-fuzz-%d", getpid());
	m.r = make_run(&m);
	if (loop_new(&m.loop, NULL) < 0)
		abort();
	m.r->listen_fd = socket_listen_abstract(address, SOCK_STREAM, 10, NULL);
	if (m.r->listen_fd < 0 || server_new(m.loop, m.r->listen_fd, &m, &m.server, NULL) < 0)
		abort();
	talk(&m, address, data, size);
	server_free(m.server);
	run_free(m.r);
	loop_free(m.loop);
	return 0;
}

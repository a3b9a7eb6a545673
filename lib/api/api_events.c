/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_events - the state changes of all containers of one lxcpath. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "handle.h"
#include "globals.h"
#include "kernel/socket.h"
#include "lifecycle/events.h"
#include "lifecycle/states.h"

static int open_events(const char *lxcpath, bool start)
{
	auto_free char *path = NULL;
	struct err *e = NULL;
	int r = lxcpath_resolve(lxcpath, &path, &e);

	if (r == 0)
		r = events_open(path, start, &e);
	if (e)
		thread_fail(e);
	return r;
}

attr_public int lxcext_events_open(const char *lxcpath)
{
	return open_events(lxcpath, true);
}

attr_public int lxcext_events_next(int fd, struct lxcext_event *ret, int timeout_ms)
{
	struct state_message m;
	int r = socket_recv(fd, &m, sizeof(m), NULL, 0, NULL, timeout_ms);

	if (r < 0)
		return r;
	*ret = (struct lxcext_event){ .type = m.type, .value = m.value };
	if (m.type == MESSAGE_STATE)
		ret->state = state_name(m.value);
	(void)snprintf(ret->name, sizeof(ret->name), "%.*s", (int)sizeof(m.name) - 1, m.name);
	return 0;
}

attr_public int lxcext_events_quit(const char *lxcpath)
{
	auto_close int fd = open_events(lxcpath, false);

	return fd < 0 ? fd : socket_send(fd, EVENTS_QUIT, strlen(EVENTS_QUIT), NULL, 0, false);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* client_call - what the files of the client share: the state file of a container, and the exchanges with its monitor.
 * Errors are those of client.h. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "lifecycle/client.h"
#include "lifecycle/command.h"
#include "lifecycle/instance.h"
#include "lifecycle/server.h"

struct client_view {
	bool recorded;			/* there is one that has not stopped */
	bool live;			/* and the monitor that it names lives */
	bool stopped;			/* but for the signal that keeps it stopped */
	struct instance_state state;	/* if recorded */
	bool silent;			/* if not: nobody listened for the container either when that was asked */
};
#define auto_view __attribute__((cleanup(client_view_done)))

struct call_reply {
	struct cmd_reply head;
	char *data;		/* owned, NUL-terminated beyond len */
	int fds[CLIENT_FDS_MAX];	/* owned; -EBADF beyond n_fds */
	size_t n_fds;
};

/* ---- client_record */

/* An fd of the instance directory; -ENOENT. */
int client_open_instance(const char *lxcpath, const char *name);
/* What the state file says of a container that is not stopped; true: *ret is the caller's to release. */
bool client_read_record(const char *lxcpath, const char *name, struct instance_state *ret);
void client_view_done(struct client_view *v);
/* The state where a monitor lives, NULL where none does: of the target's view, or of a look that goes into room. The
 * monitor writes every change down before it tells anybody, so it need not be asked. */
const struct instance_state *client_read_live(const struct target *t, struct client_view *room);
/* The monitor that the state file names, if there is one of this boot. */
bool client_recorded_monitor(const char *lxcpath, const char *name, pid_t *ret);
/* The kernel closes the sockets of a killed process a moment before the process is gone. A monitor that nothing answers
 * for, though it has not recorded its end, is in that moment: waits until that is over. */
void client_await_dying(const struct instance_state *s);
/* A monitor writes down that the container has stopped before it hangs up. One that has not was killed, and is gone when this
 * returns, or had no room for us. */
bool client_has_ended(const struct target *t);
/* A monitor that hung up, lives and has not recorded the end of its container: it has no room for another client. */
bool client_is_turned_away(const struct target *t);
/* The init that a state file names, as a pidfd of that very process; -ESRCH: it has ended, or is not yet. */
int client_open_recorded_init(const struct instance_state *s);

/* ---- client_call */

/* Of one exchange, in milliseconds; -1: none. */
int client_timeout(const struct target *t);
/* What a connection that failed with r means. */
int client_fail_connect(const struct target *t, int r, struct err **e);
/* A connection to the container's monitor, started anew where it has died. */
int client_dial(const struct target *t, struct err **e);
/* Whether there is a socket of the container's name, also one that has no room for us within timeout_ms. */
bool client_somebody_listens(const struct target *t, int timeout_ms);
int client_send(int fd, int cmd, uintptr_t value, const void *data, size_t n);
int client_read_reply(int fd, const struct target *t, struct call_reply *ret, struct err **e);
void call_reply_done(struct call_reply *r);
/* The first descriptor, the caller's from then on; -EBADF. */
int call_reply_fd(struct call_reply *r);
/* The error of a refusal: our own commands carry a chain. Releases the reply. */
int client_refused(const struct target *t, struct call_reply *r, struct err **e);
/* One request and its reply, which may be a refusal, and the connection that they went over, for who needs it to
 * last. */
int client_exchange(const struct target *t, int cmd, uintptr_t value, const void *data, size_t n,
		    struct call_reply *ret, struct err **e);
/* The same for all others; a refusal is an error. *ret is the caller's to release on success. */
int client_call(const struct target *t, int cmd, uintptr_t value, const void *data, size_t n,
		struct call_reply *ret, struct err **e);
/* The descriptor that such a reply brings. */
int client_call_fd(const struct target *t, int cmd, struct err **e);

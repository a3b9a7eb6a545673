/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* client - typed calls to a container's monitor over its command socket. Runs in the process of
 * whoever uses the library: no state is kept, every exchange has a deadline, and a listener that
 * cannot show that it is root or the owner of the container's directory is not believed
 * (err_monitor_untrusted). When the monitor has died but the container lives, the first call that
 * touches it starts an adopting monitor.
 *
 * What the state file of a living monitor says (state, init) is taken from there, without a round trip.
 *
 * All: -ECONNREFUSED with err_not_running when the container is stopped; -ETIMEDOUT with
 * err_monitor_silent; -EPERM with err_monitor_refused. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strv.h"
#include "cgroup/cgroup.h"
#include "lifecycle/states.h"

#define CLIENT_TIMEOUT_MS 10000

struct target {
	const char *lxcpath, *name;	/* borrowed */
	int timeout_ms;			/* per exchange; 0: the default (10 s); -1: none */
	const struct client_view *view;	/* borrowed; NULL: every call looks at the state file itself */
};

/* One look at the state file of a container and at the processes that it names, for several questions. NULL when
 * memory is out. */
struct client_view *client_view_new(const struct target *t);
/* The same for n containers (NULL each), in directories below one that is opened once. */
void client_views_new(const struct target *const *t, size_t n, struct client_view **ret);
void client_view_free(struct client_view *v);

/* STATE_STOPPED (returning 0) when nothing runs. */
int client_state(const struct target *t, enum lxc_state *ret, struct err **e);
/* One of many containers that are asked for their states together. */
struct client_look {
	struct target target;		/* its time limit does not count */
	enum lxc_state state;		/* if r is 0 */
	int r;				/* as of client_state */
	struct err *e;			/* the caller's to free */
};
/* Fills in what is not target. Every monitor is asked, also where the state file would tell: one that does not answer
 * within timeout_ms shows (-ETIMEDOUT). All that do not cost this time once. */
void client_states(struct client_look *v, size_t n, int timeout_ms);
int client_init_pid(const struct target *t, pid_t *ret, struct err **e);
int client_init_pidfd(const struct target *t, struct err **e);	/* fd */
/* Both of one process: the pidfd, and the number that it had when it was opened. */
int client_init(const struct target *t, pid_t *ret_pid, struct err **e);
int client_devpts_fd(const struct target *t, struct err **e);	/* fd */
int client_seccomp_fd(const struct target *t, struct err **e);	/* fd */
int client_clone_flags(const struct target *t, int *ret, struct err **e);
/* What entering a container takes, of one moment and in one exchange: init, and the ways into its cgroups (none
 * unless asked for). -ENOSYS: a monitor that has no such command. items: the values of ATTACH_KEYS, "" if unset. */
struct client_attach {
	pid_t pid;
	int pidfd, clone_flags;
	char *items[4];
	struct cgroup_entry cgroups;
};
#define CLIENT_ATTACH_INIT { .pidfd = -EBADF, .cgroups.v2 = -EBADF }
int client_attach(const struct target *t, bool with_cgroups, struct client_attach *ret, struct err **e);
void client_attach_done(struct client_attach *a);
/* Many facts at once (at most CMD_MANY_MAX), named as CMD_GET_MANY says; each of values is new, or NULL where there is
 * none. */
int client_get_many(const struct target *t, const char *const *names, size_t n, char **values, struct err **e);
/* Payload (or limit) cgroup path in a controller's hierarchy; new. */
int client_cgroup_path(const struct target *t, const char *controller, bool limit, char **ret, struct err **e);
/* Value of a key in the running configuration; new; -ENOENT when unset or unknown. */
int client_config_item(const struct target *t, const char *key, char **ret, struct err **e);
/* Kills init (lxc.signal.stop) and waits until the monitor is gone. Not running: 0. */
int client_stop(const struct target *t, struct err **e);
/* Sends a signal to init through its pidfd. */
int client_signal(const struct target *t, int sig, struct err **e);
/* Has the monitor record that this process is about to ask init to shut down: an end within wait_ms is not followed by a
 * reboot that had begun already, or that a shutdown of the guest's turns into. 0: init is about to be asked to reboot.
 * Failures do not matter. */
void client_note_shutdown(const struct target *t, unsigned wait_ms);
/* Has an own monitor of LXC's tell those who wait what state it has been put into. */
void client_tell_state(const struct target *t, enum lxc_state state);
/* timeout_ms bounds the wait until the state is reached. */
int client_freeze(const struct target *t, bool frozen, struct err **e);

/* A container that is frozen while its files are read. */
struct freeze_hold {
	int fd;				/* the connection that holds it; -EBADF */
	bool by_hand;			/* its monitor cannot: thawed as it was frozen, by a request */
};
#define FREEZE_HOLD_INIT ((struct freeze_hold){ .fd = -EBADF })
/* Frozen until client_let_go, or until this process has ended, however. One that is frozen already stays so after
 * that. Errors: as client_freeze. */
int client_hold_frozen(const struct target *t, struct freeze_hold *ret, struct err **e);
/* Also of one that holds nothing. */
int client_let_go(const struct target *t, struct freeze_hold *h, struct err **e);
/* A cgroup file of the limit cgroup. */
int client_cgroup_get(const struct target *t, const char *file, struct buf *b, struct err **e);
int client_cgroup_set(const struct target *t, const char *file, const char *value, struct err **e);
/* Moves pid (of the caller's own) into the payload cgroup. */
int client_cgroup_attach(const struct target *t, pid_t pid, struct err **e);
/* Hands over the seccomp listener of an attached process. */
int client_add_listener(const struct target *t, int listener, struct err **e);
/* Allocates tty *num (-1: first free; 0: console); returns the socket that holds it, *ret_ptx the pty. */
int client_tty(const struct target *t, int *num, int *ret_ptx, struct err **e);
/* As lxc_console_log: data new (NULL if nothing was read). -ENODATA empty, -EFAULT no buffer. */
int client_console_log(const struct target *t, bool read, bool clear, uint64_t max, char **data,
		       uint64_t *ret_len, struct err **e);

/* Registers for state changes. A subscription is one-shot: the first state of mask that is reached
 * is reported. If the container is in one of them already, *ret_now gets it and -1 is returned as
 * the fd (value 0); otherwise an fd > 0 that client_wait_fd reads. */
int client_subscribe(const struct target *t, unsigned mask, bool survive_reboot, enum lxc_state *ret_now,
		     int *ret_fd, struct err **e);
/* 0 and *ret; the monitor's end counts as STOPPED; -ETIMEDOUT. */
int client_wait_fd(int fd, int timeout_ms, enum lxc_state *ret);

/* An fd that is readable after every change of the state file (not of containers that LXC's own monitors run); it
 * stays good from one run to the next. client_watch_drain makes it wait for the next. */
int client_watch(const struct target *t, struct err **e);
void client_watch_drain(int fd);

/* True if the container runs under a monitor in another network namespace: its socket cannot be
 * reached from here, but it must not be taken for stopped. dir: of the instance (-EBADF: nothing is known). *ret is its pid. */
bool client_monitor_elsewhere(int dir, pid_t *ret);
/* Drops what is recorded of a container that is no more. */
void client_forget(const char *lxcpath, const char *name);

/* True if a listener with these credentials may be believed for this container: root or the owner of
 * the lxcpath, of our own pid namespace, and the very process that the state file names if there is
 * one. */
struct ucred;
bool client_peer_is_trusted(const char *lxcpath, const char *name, const struct ucred *peer);
/* The same of who is at the other end of a connection: 0, or an error. */
int client_check_peer(const struct target *t, int fd, struct err **e);
/* True if the state file says that the container has not stopped. */
bool client_is_recorded(const struct target *t);

/* Facts of the running (or last) instance from the state file, without a round trip. */
struct instance {
	pid_t init_pid;			/* 0: not running */
	uint64_t init_start;		/* proc_start_time */
	pid_t monitor_pid;
	char *last_error;		/* packed as text: err_line of the last failed start; NULL */
	int exit_status;		/* wait status of the last run; -1 unknown */
	uint64_t oom_kills;
	char *stopper;			/* as in instance.h; NULL */
	struct strv nics;		/* "type link name hostname" per nic */
};
int client_instance(const struct target *t, struct instance *ret, struct err **e);
void instance_done(struct instance *i);
/* Names of containers with a live command socket below lxcpath (NULL: every lxcpath; then entries
 * read "LXCPATH/NAME"), sorted and unique. */
int client_active(const char *lxcpath, struct strv *names, struct err **e);

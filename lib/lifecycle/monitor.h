/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* monitor - the process that stays with a container: its loop, its state, what it tells others. */
#pragma once
#include <sys/signalfd.h>

#include "kernel/event.h"
#include "lifecycle/console.h"
#include "lifecycle/run.h"
#include "lifecycle/server.h"
#include "security/seccomp_proxy.h"

struct monitor {
	struct run *r;
	struct loop *loop;
	struct server *server;
	struct console *console;
	struct seccomp_proxy *proxy;
	struct freezing *freezing;	/* a freeze or thaw that is under way */
	unsigned holds;			/* connections that want it frozen as long as they last */
	bool held;			/* frozen for them, and for nobody else */
	struct source *init_source;
	struct source *client_source;	/* who waits for the start to be done */
	struct source *net_source;	/* the end of the network's program */
	uint64_t net_began;		/* when it was last started, ms */
	int instance_fd;		/* directory of the state file */
	char *saved;			/* what it says, owned */
	pid_t self;			/* the process that the next two are true of */
	uint64_t start_time;
	char boot_id[64];
	char *old_stack;		/* from here down: of old_user, until that has ended; NULL: none */
	pid_t old_user;			/* who made this process and has its memory as well */
	bool cancelled;			/* the start was called off */
	struct signalfd_siginfo early[8]; /* for init, which is executing its program, once that runs */
	size_t n_early;
	bool ending;			/* init is gone: nothing can be stopped any more */
	void *tty_holder[TTY_MAX];	/* client that holds tty N */
	struct termios saved_tty;
	bool tty_is_raw;
	char *launch_text;		/* the configuration as it was handed over, for a reboot */
	size_t launch_len;
};

/* Starts and ends serving the command socket. */
int monitor_serve(struct run *r, struct err **e);
void monitor_stop_serving(struct run *r);
/* Sets the state, tells subscribers and lxc-monitor's fifo, writes the state file. */
int monitor_set_state(struct run *r, enum lxc_state state, struct err **e);
/* Tells lxc-monitord's fifo only. */
void monitor_tell_fifo(struct run *r, enum lxc_state state);
/* The same with init's wait status, if it is known. */
void monitor_tell_exit(struct run *r);
/* Writes the state file. */
int monitor_save(struct run *r, struct err **e);
/* Has the loop start the network's program again when it ends. */
int monitor_watch_network(struct run *r, struct err **e);
/* Opens peer, log and ring of the console once init has left its terminals. */
int monitor_open_console(struct run *r, struct err **e);
/* Has the proxy of lxc.seccomp.notify.proxy answer the listener that init left. */
int monitor_open_proxy(struct run *r, struct err **e);
/* The same for the listener of an attached process: takes it, unless it fails. */
int monitor_add_listener(struct run *r, int listener, struct err **e);
/* struct run's wait. */
int monitor_wait(struct run *r, int fd, int other, unsigned limit_ms);
/* Records who wants the container to end: how ("request", "signal"), and which process. */
/* A stop (or a shutdown within wait_ms) is wanted from now on: no reboot follows, also one that has begun. 0: it may. */
void monitor_want_halt(struct monitor *m, unsigned wait_ms);
/* Whether init's end by a reboot is to be one. */
bool monitor_may_reboot(const struct run *r);
void monitor_note_stopper(struct run *r, const char *how, uid_t uid, pid_t pid);
/* From now on, whenever nothing has happened for a moment, gives back the pages that are hardly needed while the container
 * runs. */
void monitor_rest(struct monitor *m);
/* Reads from the cgroup, which must still be there, how many processes the kernel has killed for want of memory. */
void monitor_count_oom_kills(struct run *r);
/* Sends init the signal that stops it at once, and thaws it; before init exists: calls the start off. */
int monitor_stop(struct monitor *m, struct err **e);

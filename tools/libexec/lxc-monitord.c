/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-monitord - passes what the monitors of one lxcpath write into its fifo on to everybody who is
 * connected to its socket (lxc-monitor). Started by whoever listens first; ends by itself when nobody
 * has listened for a while, unless it was started with --daemon. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/path.h"
#include "config/system.h"
#include "kernel/event.h"
#include "kernel/proc.h"
#include "kernel/socket.h"
#include "lifecycle/events.h"
#include "lifecycle/instance.h"

#define PROG "lxc-monitord"
#define CLIENTS_MAX 512
#define IDLE_MS 30000
#define BACKLOG 64
#define MESSAGES 32	/* taken from the fifo at once */

struct daemon {
	const char *lxcpath;
	bool persistent;
	struct loop *loop;
	struct source *clients[CLIENTS_MAX];
	size_t n_clients;
	struct source *idle;
	int dir, fifo;		/* opened for writing too, so that it never is at its end */
};

static int became_idle(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	struct daemon *d = arg;

	(void)s;
	(void)events;
	d->idle = NULL;
	if (d->n_clients == 0)
		loop_stop(l, 0);
	return 0;
}

static void watch_idleness(struct daemon *d)
{
	if (d->persistent || d->n_clients > 0 || d->idle)
		return;
	if (loop_add_timer(d->loop, IDLE_MS, became_idle, d, &d->idle, NULL) < 0)
		loop_stop(d->loop, 0);
}

static void drop_client(struct daemon *d, struct source *s)
{
	for (size_t i = 0; i < d->n_clients; i++)
		if (d->clients[i] == s) {
			d->clients[i] = d->clients[--d->n_clients];
			break;
		}
	loop_remove(s);
	watch_idleness(d);
}

static int from_client(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	struct daemon *d = arg;
	char text[16] = "";
	ssize_t n = recv(source_fd(s), text, sizeof(text) - 1, MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n >= (ssize_t)strlen(EVENTS_QUIT) && strncmp(text, EVENTS_QUIT, strlen(EVENTS_QUIT)) == 0)
		loop_stop(l, 0);
	else if (n <= 0)
		drop_client(d, s);
	return 0;
}

static int new_client(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	struct daemon *d = arg;
	auto_close int fd = accept4(source_fd(s), NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct source *client;

	(void)events;
	if (fd < 0 || d->n_clients == CLIENTS_MAX || !events_peer_is_ours(fd) ||
	    loop_add(l, fd, true, EPOLLIN, from_client, d, &client, NULL) < 0)
		return 0;
	(void)take_fd(&fd);
	d->clients[d->n_clients++] = client;
	loop_remove(d->idle);
	d->idle = NULL;
	return 0;
}

/* One who does not read loses his connection, not the others their time. */
static void pass_on(struct daemon *d, const struct state_message *m)
{
	for (size_t i = d->n_clients; i-- > 0;)
		if (send(source_fd(d->clients[i]), m, sizeof(*m), MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof(*m))
			drop_client(d, d->clients[i]);
}

static int from_fifo(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	struct state_message m[MESSAGES];
	ssize_t n = read(source_fd(s), m, sizeof(m));

	(void)l;
	(void)events;
	/* A message is written whole; what is no multiple of one is none of ours. */
	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(*m); i++) {
		m[i].name[sizeof(m[i].name) - 1] = '\0';
		pass_on(arg, &m[i]);
	}
	return 0;
}

static int told_to_end(struct loop *l, struct source *s, uint32_t events, void *arg)
{
	(void)s;
	(void)events;
	(void)arg;
	loop_stop(l, 0);
	return 0;
}

/* The fifo, locked: whoever holds the lock is the daemon of this lxcpath. */
static int open_fifo(struct daemon *d, struct err **e)
{
	auto_free char *rundir = system_rundir(e), *below = events_dir(d->lxcpath);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat st;

	if (!rundir || !below)
		return rundir ? err_no_memory(e) : -ENOENT;
	d->dir = instance_rundir(rundir, below, 0755, true, e);
	if (d->dir < 0)
		return d->dir;
	if (mkfifoat(d->dir, EVENTS_FIFO, 0600) < 0 && errno != EEXIST)
		return err_set(e, errno, NULL, "cannot make the fifo %s/%s/%s", rundir, below, EVENTS_FIFO);
	d->fifo = openat(d->dir, EVENTS_FIFO, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (d->fifo < 0 || fstat(d->fifo, &st) < 0)
		return err_set(e, errno, NULL, "cannot open the fifo %s/%s/%s", rundir, below, EVENTS_FIFO);
	if (!S_ISFIFO(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
		return err_hint(e, err_set(e, EPERM, NULL, "%s/%s/%s is not a fifo of our own", rundir, below, EVENTS_FIFO),
				"rm %s/%s/%s", rundir, below, EVENTS_FIFO);
	if (fcntl(d->fifo, F_SETLK, &lock) < 0)
		return errno == EAGAIN || errno == EACCES ? err_monitord_running(e, d->lxcpath)
							  : err_set(e, errno, NULL, "cannot lock the fifo");
	return 0;
}

static int listen_at(struct daemon *d, struct err **e)
{
	char address[EVENTS_ADDRESS_MAX];
	auto_close int fd = -EBADF;
	int r = events_address(d->lxcpath, address, e);

	if (r < 0)
		return r;
	fd = socket_listen_abstract(address, SOCK_STREAM | SOCK_NONBLOCK, BACKLOG, e);
	if (fd == -EADDRINUSE)
		return err_monitord_running(e, d->lxcpath);
	if (fd < 0)
		return fd;
	r = loop_add(d->loop, fd, true, EPOLLIN, new_client, d, NULL, e);
	if (r == 0)
		(void)take_fd(&fd);
	return r;
}

static int prepare(struct daemon *d, struct err **e)
{
	sigset_t ends;
	int r = loop_new(&d->loop, e);

	(void)sigemptyset(&ends);
	(void)sigaddset(&ends, SIGTERM);
	(void)sigaddset(&ends, SIGINT);
	(void)sigaddset(&ends, SIGHUP);
	if (r == 0)
		r = open_fifo(d, e);
	if (r == 0)
		r = listen_at(d, e);
	if (r == 0)
		r = loop_add(d->loop, d->fifo, false, EPOLLIN, from_fifo, d, NULL, e);
	if (r == 0)
		r = loop_add_signals(d->loop, &ends, told_to_end, d, e);
	if (r == 0)
		watch_idleness(d);
	return r;
}

static int fail(struct err *e)
{
	err_print(stderr, PROG, e, false);
	err_free(e);
	return EXIT_FAILURE;
}

static int serve(struct daemon *d, int ready_fd)
{
	struct err *e = NULL;
	char c = EVENTS_READY;
	int r = prepare(d, &e);

	if (r == 0) {
		if (ready_fd >= 0)
			(void)!write(ready_fd, &c, 1);
		fd_close(ready_fd);
		r = loop_run(d->loop);
		(void)unlinkat(d->dir, EVENTS_FIFO, 0);
	}
	loop_free(d->loop);
	fd_close(d->fifo);
	fd_close(d->dir);
	return e ? fail(e) : r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Who started us waits for the byte, not for our end. */
static int in_background(struct daemon *d, int ready_fd)
{
	struct err *e = NULL;
	pid_t pid = proc_clone(0, -1, NULL, &e);

	if (pid < 0)
		return fail(e);
	if (pid > 0)
		return EXIT_SUCCESS;
	(void)setsid();
	(void)!chdir("/");
	return serve(d, ready_fd);
}

static int usage(FILE *out, int code)
{
	fputs("Usage: " PROG " LXCPATH FD             passes state changes on; started by lxc-monitor\n"
	      "       " PROG " --daemon [LXCPATH]     the same in the foreground, without ending when idle\n", out);
	return code;
}

int main(int argc, char *argv[])
{
	struct daemon d = { .dir = -EBADF, .fifo = -EBADF };
	auto_free char *standard = NULL;
	struct err *e = NULL;
	int fd;

	proc_fill_stdio();
	if (argc == 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0))
		return usage(stdout, EXIT_SUCCESS);
	if (argc >= 2 && argc <= 3 && strcmp(argv[1], "--daemon") == 0) {
		d.persistent = true;
		if (argc == 2 && system_item("lxc.lxcpath", &standard, &e) < 0)
			return fail(e);
		d.lxcpath = argc == 3 ? argv[2] : standard;
		if (!d.lxcpath || !path_is_absolute(d.lxcpath))
			return usage(stderr, EXIT_FAILURE);
		return serve(&d, -EBADF);
	}
	if (argc != 3 || !path_is_absolute(argv[1]) || num_int(argv[2], 10, &fd) < 0 || fd < 3 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return usage(stderr, EXIT_FAILURE);
	d.lxcpath = argv[1];
	return in_background(&d, fd);
}

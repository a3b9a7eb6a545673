/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/events.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/paths.h"
#include "base/strv.h"
#include "kernel/proc.h"
#include "kernel/socket.h"
#include "kernel/spawn.h"

#define DAEMON PATH_LIBEXEC "/lxc-monitord"
#define CONNECT_MS 2000
#define READY_MS 10000
#define TRIES 3

int events_address(const char *lxcpath, char ret[EVENTS_ADDRESS_MAX], struct err **e)
{
	auto_free char *text = NULL;
	int n;

	if (asprintf(&text, "lxc/%s/monitor-sock", lxcpath) < 0)
		return err_no_memory(e);
	n = snprintf(ret, EVENTS_ADDRESS_MAX, "lxc/%016" PRIx64 "/%s", hash_fnv1a(text, strlen(text), HASH_FNV1A_INIT),
		     lxcpath);
	if (n < EVENTS_ADDRESS_MAX)
		return 0;
	return err_monitord_path_long(e, lxcpath, (unsigned)(EVENTS_ADDRESS_MAX - 1 - strlen("lxc/0123456789abcdef/")));
}

char *events_dir(const char *lxcpath)
{
	char *path;

	return asprintf(&path, "lxc/%s", lxcpath) < 0 ? NULL : path;
}

void events_write(const char *rundir, const char *lxcpath, const char *name, enum state_message_type type, int value)
{
	auto_free char *path = NULL;
	auto_close int fd = -EBADF;
	struct state_message msg = { .type = type, .value = value };
	struct stat st;

	if (asprintf(&path, "%s/lxc/%s/" EVENTS_FIFO, rundir, lxcpath) < 0) {
		path = NULL;
		return;
	}
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode) || st.st_uid != geteuid())
		return;
	(void)snprintf(msg.name, sizeof(msg.name), "%s", name);
	(void)!write(fd, &msg, sizeof(msg));
}

bool events_peer_is_ours(int fd)
{
	struct ucred peer;

	return socket_peer(fd, &peer) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

static int connect_to(const char *lxcpath, struct err **e)
{
	char address[EVENTS_ADDRESS_MAX];
	auto_close int fd = -EBADF;
	struct ucred peer = { 0 };
	int r = events_address(lxcpath, address, e);

	if (r < 0)
		return r;
	fd = socket_connect_abstract(address, SOCK_STREAM, CONNECT_MS);
	if (fd == -ECONNREFUSED || fd == -ENOENT)
		return -ECONNREFUSED;
	if (fd < 0)
		return err_set(e, -fd, NULL, "cannot reach lxc-monitord for %s", lxcpath);
	r = socket_peer(fd, &peer);
	if (r < 0 || (peer.uid != 0 && peer.uid != geteuid()))
		return err_monitord_stranger(e, lxcpath, r < 0 ? 0 : (unsigned)peer.uid);
	return take_fd(&fd);
}

/* Returns when the daemon is ready, or has ended since another one is there already. */
static int start_daemon(const char *lxcpath, struct err **e)
{
	struct spawn s = SPAWN_INIT;
	int ends[2], status;
	auto_close int mine = -EBADF, theirs = -EBADF;
	auto_strv struct strv argv = { 0 };
	struct pollfd p = { .events = POLLIN };
	pid_t pid;
	char c;
	int r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(e, errno, NULL, "cannot make a pipe");
	mine = ends[0];
	theirs = ends[1];
	if (strv_add(&argv, DAEMON) < 0 || strv_add(&argv, lxcpath) < 0 || strv_addf(&argv, "%d", theirs) < 0)
		return err_no_memory(e);
	s.path = DAEMON;
	s.argv = argv.v;
	s.envp = environ;
	s.keep = &theirs;
	s.n_keep = 1;
	s.new_session = true;
	r = spawn_start(&s, &pid, NULL, e);
	if (r < 0)
		return r;
	fd_replace(&theirs, -EBADF);
	/* It goes to the background by itself. */
	(void)proc_wait(pid, &status);
	p.fd = mine;
	if (poll(&p, 1, READY_MS) <= 0)
		return err_set(e, ETIMEDOUT, NULL, "lxc-monitord for %s does not get ready", lxcpath);
	(void)!read(mine, &c, 1);
	return 0;
}

int events_open(const char *lxcpath, bool start, struct err **e)
{
	int fd = connect_to(lxcpath, e);

	for (int i = 0; start && fd == -ECONNREFUSED && i < TRIES; i++) {
		int r = start_daemon(lxcpath, e);

		if (r < 0)
			return r;
		fd = connect_to(lxcpath, e);
	}
	if (start && fd == -ECONNREFUSED)
		return err_monitord_failed(e, lxcpath, DAEMON);
	return fd;
}

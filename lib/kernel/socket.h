/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* socket - unix sockets: abstract addresses, fds and credentials, with deadlines. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/err.h"

#define SOCKET_FDS_MAX 16

/* Binds and listens on the abstract name (without the leading NUL; at most 107 bytes).
 * -EADDRINUSE without *e set when the name is taken. */
int socket_listen_abstract(const char *name, int type, int backlog, struct err **e);
/* Connects with a deadline; fd or -errno (-ECONNREFUSED: nobody listens), without *e. */
int socket_connect_abstract(const char *name, int type, int timeout_ms);
/* SO_PEERCRED. 0 or -errno. */
int socket_peer(int fd, struct ucred *ret);
/* Sends all n (at least 1) bytes with fds attached to the first byte and SCM_CREDENTIALS (our own
 * pid, uid, gid) if asked. 0 or -errno: -EPIPE when the peer is gone, never SIGPIPE; -ETIMEDOUT when
 * it takes nothing for 30 seconds; on a non-blocking fd -EAGAIN at once (part of a stream may have
 * been sent: close it). */
int socket_send(int fd, const void *p, size_t n, const int *fds, size_t n_fds, bool creds);
/* Receives exactly n bytes before the deadline (monotonic ms, -1: none). fds (at most max_fds) are
 * CLOEXEC; surplus ones are closed, and all are on failure. *ret_fds may be NULL. 0, -ECONNRESET
 * at end of file, -ETIMEDOUT, -errno. */
int socket_recv(int fd, void *p, size_t n, int *fds, size_t max_fds, size_t *ret_fds, int timeout_ms);
/* One datagram (SEQPACKET), at most n bytes; returns its length, 0 at end of file, -errno; a longer
 * one is -EMSGSIZE. */
ssize_t socket_recv_packet(int fd, void *p, size_t n, int *fds, size_t max_fds, size_t *ret_fds,
			   int timeout_ms);
/* Both ends CLOEXEC. */
int socket_pair(int type, int ret[2], struct err **e);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* server - the monitor's end of the command socket: accepts, checks who asks, reads one request,
 * dispatches by table (command_handlers.c), writes the reply without ever blocking. Every client is
 * bounded in number, size and time. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "kernel/event.h"
#include "lifecycle/command.h"
#include "lifecycle/states.h"

struct server;
struct client;
struct monitor;

/* Answers one request. Uses client_reply* or client_hold. 0, or -errno to drop the connection. */
typedef int (*command_fn)(struct monitor *m, struct client *c, const struct cmd_request *req, const char *data);

int server_new(struct loop *l, int listen_fd, struct monitor *m, struct server **ret, struct err **e);
void server_free(struct server *s);

/* Queues the reply: a return value and a small integer, or bytes, with fds (duplicated). */
int client_reply(struct client *c, int ret, uintptr_t value);
int client_reply_data(struct client *c, int ret, const void *p, size_t n);
int client_reply_fd(struct client *c, int ret, uintptr_t value, int fd);
/* Bytes and several fds (at most CLIENT_FDS_MAX). */
#define CLIENT_FDS_MAX 32
int client_reply_fds(struct client *c, int ret, const void *p, size_t n, const int *fds, size_t n_fds);
/* The same, but that the fds are the connection's from now on, also where this fails. */
int client_give_fds(struct client *c, int ret, const void *p, size_t n, const int *fds, size_t n_fds);
/* Replies and keeps the connection open; done is called with arg when it closes. */
void client_hold(struct client *c, void (*done)(struct monitor *m, void *arg), void *arg);
/* Ends a hold whose reply has been queued meanwhile: written, then closed. done is not called. c is gone. */
void client_release(struct client *c);
/* Ends a hold whose reply has been queued meanwhile with another one: written, and kept. c may be gone. */
void client_keep(struct client *c, void (*done)(struct monitor *m, void *arg), void *arg);
/* Keeps the connection as a subscriber of the states in mask (1 << state). */
void client_subscribe_states(struct client *c, unsigned mask, bool survive_reboot);
/* The descriptor that came with the request, the caller's from now on; -EBADF: there was none. */
int client_take_fd(struct client *c);
/* Who asks. */
const struct ucred *client_creds(const struct client *c);
/* Tells subscribers; one-shot. name: the container's. */
void server_announce(struct server *s, const char *name, enum lxc_state state);
/* At a reboot, subscribers that do not survive one are closed. */
void server_drop_subscribers(struct server *s);
bool server_has_clients(const struct server *s);

/* The handler of a command, NULL if unknown (command_handlers.c). */
command_fn command_handler(int cmd);

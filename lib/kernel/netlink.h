/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* netlink - one rtnetlink conversation: a request is built with the helpers of nlattr, sent,
 * and its answers read to the end. What the kernel says in its extended acknowledgement becomes
 * the text of the error. */
#pragma once
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "kernel/nlattr.h"

struct netlink {
	int fd;
	uint32_t seq;
};
#define NETLINK_INIT { .fd = -EBADF }

/* A request. Everything that is put into one here is of bounded size, far below the room. */
#define NETLINK_ROOM 4096
struct netlink_req {
	struct nlmsghdr *h;	/* into room; valid after netlink_begin */
	_Alignas(struct nlmsghdr) char room[NETLINK_ROOM];
};

/* A conversation in the caller's network namespace. */
int netlink_open(struct netlink *nl, struct err **e);
/* The same in another network namespace, through a short child that enters it and hands the socket
 * back: the caller's own threads never change namespace. */
int netlink_open_in(struct netlink *nl, int netns_fd, struct err **e);
static inline void netlink_close(struct netlink *nl)
{
	fd_close(take_fd(&nl->fd));
}
#define auto_netlink __attribute__((cleanup(netlink_close)))

/* Starts a message; returns its family header (zeroed, size bytes). flags beyond NLM_F_REQUEST. */
void *netlink_begin(struct netlink_req *q, uint16_t type, uint16_t flags, size_t size);
/* Called for each answer; a negative return ends the conversation with that error. */
typedef int (*netlink_fn)(const struct nlmsghdr *h, void *arg);
/* Sends and reads until the acknowledgement or the end of the dump. fn may be NULL. 0, what fn
 * returned, or the kernel's -errno with *e set ("the kernel refuses it: TEXT"). -EAGAIN: the table
 * changed under a dump, ask again. A socket that is not open yet is opened first, in the caller's namespace. */
int netlink_call(struct netlink *nl, struct netlink_req *q, netlink_fn fn, void *arg, struct err **e);

/* The id under which the caller's namespace knows another one; assigned if there is none and the
 * caller may. Negative errno if it has none. */
int netlink_nsid(struct netlink *nl, int netns_fd);
/* True when the namespace of that id has lost its last reference and is about to be removed. */
bool netlink_nsid_dying(struct netlink *nl, int nsid);

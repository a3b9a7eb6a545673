/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* address - addresses, routes and proxy neighbours over one rtnetlink conversation. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/strv.h"
#include "kernel/netlink.h"

struct address {
	int family;		/* AF_INET, AF_INET6; AF_UNSPEC: none */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
	unsigned prefix;
};

static inline unsigned address_bits(int family)
{
	return family == AF_INET ? 32 : 128;
}
/* "10.0.3.5/24"; with_prefix false: without the prefix. */
const char *address_text(const struct address *a, bool with_prefix, char buf[INET6_ADDRSTRLEN + 4]);
/* All host bits set; 0.0.0.0 for /31 and /32, which have no broadcast. */
struct in_addr address_broadcast(struct in_addr a, unsigned prefix);
/* True if both are of one family and b lies in a's network. */
/* The same address; prefixes are not looked at. */
bool address_equals(const struct address *a, const struct address *b);
bool address_covers(const struct address *a, const struct address *b);

/* broadcast: 0.0.0.0 for none; not used for IPv6. */
int address_add(struct netlink *nl, int index, const struct address *a, struct in_addr broadcast,
		struct err **e);
/* The first address of an interface, global before link-local. -ENOENT without *e: it has none. */
int address_first(struct netlink *nl, int index, int family, struct address *ret, struct err **e);

/* to NULL: the default route; via NULL: directly through the device. */
int route_add(struct netlink *nl, int index, const struct address *to, const struct address *via, int family,
	      struct err **e);
/* A route directly through the device. */
int route_delete(struct netlink *nl, int index, const struct address *to, struct err **e);
/* A neighbour entry that makes the interface answer for an address. */
int neighbour_proxy(struct netlink *nl, int index, const struct address *a, bool add, struct err **e);

/* Addresses as text without prefix in namespace nsid (-1: the conversation's own): of the interface
 * with that name, NULL: of all but lo; family AF_UNSPEC: both; scope: of link-local and global
 * IPv6 addresses those with this scope id. */
int address_list(struct netlink *nl, int nsid, const char *name, int family, int scope, struct strv *ret,
		 struct err **e);

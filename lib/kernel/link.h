/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* link - network devices: looked up, made, changed and deleted over one rtnetlink conversation. */
#pragma once
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strv.h"
#include "kernel/netlink.h"

#define LINK_MAC_LEN 6

struct link {
	int index;
	char name[IFNAMSIZ];
	char kind[IFNAMSIZ];		/* "bridge", "veth", ...; "" for a physical device */
	unsigned flags;			/* IFF_* */
	unsigned type;			/* ARPHRD_* */
	unsigned mtu, min_mtu, max_mtu;	/* limits: 0 where the kernel does not say */
	int master;			/* ifindex, 0: none */
	bool peer_elsewhere;		/* its other end or lower device is in another namespace */
	int peer_nsid;			/* which one, where the kernel says; else -1 */
	bool vlan_filtering;		/* of a bridge */
	unsigned char mac[LINK_MAC_LEN];	/* zero where it is no Ethernet address */
	unsigned char burnt_in[LINK_MAC_LEN];	/* the one that the hardware came with; zero: none */
};

/* 0, -ENODEV with *e set ("network interface X does not exist"), -errno. */
int link_get(struct netlink *nl, const char *name, struct link *ret, struct err **e);
/* The same in the namespace that this one knows as nsid. */
int link_get_in(struct netlink *nl, int nsid, const char *name, struct link *ret, struct err **e);
int link_get_index(struct netlink *nl, int index, struct link *ret, struct err **e);
/* The alternative names of one interface, appended. */
int link_altnames(struct netlink *nl, int index, struct strv *names, struct err **e);
/* Every name of the namespace nsid (-1: the conversation's own), in index order, appended. */
int link_list(struct netlink *nl, int nsid, struct strv *names, struct err **e);

/* One end of a pair, or a child of another device. */
struct link_end {
	const char *name;
	const unsigned char *mac;	/* NULL: the kernel's choice */
	unsigned mtu;			/* 0: the kernel's choice */
	unsigned rxqueues, txqueues;	/* 0: the kernel's choice */
	int master;			/* ifindex, 0: none */
	int netns_fd;			/* -1: here */
	bool up;
};
#define LINK_END_INIT { .netns_fd = -1 }

int link_add_veth(struct netlink *nl, const struct link_end *host, const struct link_end *peer,
		  struct err **e);
/* Children of the device with ifindex lower, which is in the conversation's namespace. */
int link_add_macvlan(struct netlink *nl, const struct link_end *end, int lower, uint32_t mode, struct err **e);
int link_add_ipvlan(struct netlink *nl, const struct link_end *end, int lower, uint16_t mode, uint16_t flags,
		    struct err **e);
int link_add_vlan(struct netlink *nl, const struct link_end *end, int lower, uint16_t id, struct err **e);

/* What a change does not name stays as it is. */
struct link_change {
	const char *name;
	const unsigned char *mac;
	unsigned mtu;
	int master;			/* 0: unchanged */
	int netns_fd;			/* -1: unchanged; moved there, under name if one is given */
	bool up, down;
};
#define LINK_CHANGE_INIT { .netns_fd = -1 }

int link_change(struct netlink *nl, int index, const struct link_change *c, struct err **e);
/* Waits for the kernel's RCU grace periods, 10-50 ms. */
int link_delete(struct netlink *nl, int index, struct err **e);
/* The same, but returns as soon as the interface is gone from the namespace, after 2 ms at the latest: a process of its
 * own sits through the grace periods. It is born in the v2 cgroup birth_fd (-1: the caller's), and has the caller's
 * memory, so that the caller must have one thread and end, or go on, only after link_finish_deletions. */
int link_delete_soon(struct netlink *nl, int index, int birth_fd, struct err **e);
/* Sees to it that they are done; wait: waits for them too. */
void link_finish_deletions(bool wait);
/* Waits until the kernel has removed an interface by itself. False: it is still there. */
bool link_wait_gone(int index, int timeout_ms);
int link_altname_add(struct netlink *nl, int index, const char *name, struct err **e);
int link_altname_delete(struct netlink *nl, int index, const char *name, struct err **e);
/* A bridge port's vlan: add or delete; flags BRIDGE_VLAN_INFO_*. */
int link_vlan(struct netlink *nl, int index, uint16_t id, uint16_t flags, bool add, struct err **e);
/* The port's own vlan id for untagged frames, 0 if it has none. */
int link_pvid(struct netlink *nl, int index, uint16_t *ret, struct err **e);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/link.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/veth.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel/proc.h"

static void copy_name(char *to, size_t size, const struct nlattr *a)
{
	(void)snprintf(to, size, "%.*s", (int)nla_len(a), nla_text(a));
}

static uint32_t get_u32(const struct nlattr *a)
{
	return nla_is_u32(a) ? nla_u32(a) : 0;
}

static void take_info(const struct nlattr *info, struct link *l)
{
	const struct nlattr *a, *d, *data = NULL;

	nla_for_each_nested(a, info) {
		if (nla_type(a) == IFLA_INFO_KIND)
			copy_name(l->kind, sizeof(l->kind), a);
		else if (nla_type(a) == IFLA_INFO_DATA)
			data = a;
	}
	if (!data || !STREQ(l->kind, "bridge"))
		return;
	nla_for_each_nested(d, data)
		if (nla_type(d) == IFLA_BR_VLAN_FILTERING && nla_is_u8(d))
			l->vlan_filtering = nla_u8(d) != 0;
}

static int take_link(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *ifi = nl_payload(h);
	struct link *l = arg;
	const struct nlattr *a;

	if (h->nlmsg_type != RTM_NEWLINK)
		return 0;
	*l = (struct link){ .index = ifi->ifi_index, .flags = ifi->ifi_flags, .type = ifi->ifi_type,
			     .peer_nsid = NETNSA_NSID_NOT_ASSIGNED };
	nla_for_each(a, h, sizeof(*ifi)) {
		switch (nla_type(a)) {
		case IFLA_IFNAME:
			copy_name(l->name, sizeof(l->name), a);
			break;
		case IFLA_MTU:
			l->mtu = get_u32(a);
			break;
		case IFLA_MIN_MTU:
			l->min_mtu = get_u32(a);
			break;
		case IFLA_MAX_MTU:
			l->max_mtu = get_u32(a);
			break;
		case IFLA_MASTER:
			l->master = (int)get_u32(a);
			break;
		case IFLA_LINK_NETNSID:
			l->peer_elsewhere = true;
			l->peer_nsid = (int)get_u32(a);
			break;
		case IFLA_ADDRESS:
			if (nla_len(a) == LINK_MAC_LEN)
				memcpy(l->mac, nla_data(a), LINK_MAC_LEN);
			break;
		case IFLA_PERM_ADDRESS:
			if (nla_len(a) == LINK_MAC_LEN)
				memcpy(l->burnt_in, nla_data(a), LINK_MAC_LEN);
			break;
		case IFLA_LINKINFO:
			take_info(a, l);
			break;
		default:
			break;
		}
	}
	return 0;
}

int link_get(struct netlink *nl, const char *name, struct link *ret, struct err **e)
{
	return link_get_in(nl, -1, name, ret, e);
}

int link_get_in(struct netlink *nl, int nsid, const char *name, struct link *ret, struct err **e)
{
	auto_err struct err *cause = NULL;
	struct netlink_req q;
	struct link l = { 0 };
	int r = -ENODEV;

	if (*name && strlen(name) < IFNAMSIZ) {
		(void)netlink_begin(&q, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
		nla_put_text(q.h, IFLA_IFNAME, name);
		if (nsid >= 0)
			nla_put_u32(q.h, IFLA_TARGET_NETNSID, (uint32_t)nsid);
		r = netlink_call(nl, &q, take_link, &l, &cause);
	}
	if (r == 0 && l.index == 0)
		r = -ENODEV;
	if (r == -ENODEV)
		return err_link_missing(e, name);
	if (r < 0) {
		if (e)
			*e = take_ptr(cause);
		return err_wrap(e, r, "looking for network interface %s", name);
	}
	*ret = l;
	return 0;
}

int link_get_index(struct netlink *nl, int index, struct link *ret, struct err **e)
{
	struct ifinfomsg *ifi;
	struct netlink_req q;
	struct link l = { 0 };
	int r;

	ifi = netlink_begin(&q, RTM_GETLINK, 0, sizeof(*ifi));
	ifi->ifi_index = index;
	r = netlink_call(nl, &q, take_link, &l, e);
	if (r < 0)
		return err_wrap(e, r, "looking for network interface number %d", index);
	if (l.index == 0)
		return err_set(e, ENODEV, NULL, "network interface number %d does not exist", index);
	*ret = l;
	return 0;
}

static int take_altnames(const struct nlmsghdr *h, void *arg)
{
	struct strv *names = arg;
	const struct nlattr *a, *p;

	nla_for_each(a, h, sizeof(struct ifinfomsg)) {
		if (nla_type(a) != IFLA_PROP_LIST)
			continue;
		nla_for_each_nested(p, a)
			if (nla_type(p) == IFLA_ALT_IFNAME &&
			    nla_is_text(p) &&
			    strv_add(names, nla_text(p)) < 0)
				return -ENOMEM;
	}
	return 0;
}

int link_altnames(struct netlink *nl, int index, struct strv *names, struct err **e)
{
	struct ifinfomsg *ifi;
	struct netlink_req q;
	int r;

	ifi = netlink_begin(&q, RTM_GETLINK, 0, sizeof(*ifi));
	ifi->ifi_index = index;
	r = netlink_call(nl, &q, take_altnames, names, e);
	return r < 0 ? err_wrap(e, r, "reading the names of network interface number %d", index) : 0;
}

static int take_name(const struct nlmsghdr *h, void *arg)
{
	struct link l;

	if (h->nlmsg_type != RTM_NEWLINK)
		return 0;
	(void)take_link(h, &l);
	return strv_add(arg, l.name);
}

int link_list(struct netlink *nl, int nsid, struct strv *names, struct err **e)
{
	size_t before = names->n;
	int r;

	for (int tries = 0; tries < 5; tries++) {
		struct netlink_req q;

		(void)netlink_begin(&q, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
		if (nsid >= 0)
			nla_put_u32(q.h, IFLA_TARGET_NETNSID, (uint32_t)nsid);
		r = netlink_call(nl, &q, take_name, names, tries < 4 ? NULL : e);
		if (r != -EAGAIN)
			break;
		while (names->n > before)
			strv_remove(names, names->n - 1);
	}
	return r;
}

static void put_end(struct ifinfomsg *ifi, struct netlink_req *q, const struct link_end *end)
{
	struct nlmsghdr *h = q->h;

	ifi->ifi_family = AF_UNSPEC;
	if (end->up)
		ifi->ifi_flags = ifi->ifi_change = IFF_UP;
	nla_put_text(h, IFLA_IFNAME, end->name);
	if (end->mac)
		nla_put(h, IFLA_ADDRESS, LINK_MAC_LEN, end->mac);
	if (end->mtu)
		nla_put_u32(h, IFLA_MTU, end->mtu);
	if (end->rxqueues)
		nla_put_u32(h, IFLA_NUM_RX_QUEUES, end->rxqueues);
	if (end->txqueues)
		nla_put_u32(h, IFLA_NUM_TX_QUEUES, end->txqueues);
	if (end->master)
		nla_put_u32(h, IFLA_MASTER, (uint32_t)end->master);
	if (end->netns_fd >= 0)
		nla_put_u32(h, IFLA_NET_NS_FD, (uint32_t)end->netns_fd);
}

static struct nlattr *begin_info(struct netlink_req *q, const char *kind, struct nlattr **data)
{
	struct nlattr *info = nla_nest_start(q->h, IFLA_LINKINFO);

	nla_put_text(q->h, IFLA_INFO_KIND, kind);
	*data = nla_nest_start(q->h, IFLA_INFO_DATA);
	return info;
}

/* Sends the finished request; the kernel's "Unknown device type" gets an error of its own. */
static int send_new(struct netlink *nl, struct netlink_req *q, const char *kind, struct nlattr *info,
		    struct nlattr *data, struct err **e)
{
	auto_err struct err *cause = NULL;
	int r;

	nla_nest_end(q->h, data);
	nla_nest_end(q->h, info);
	r = netlink_call(nl, q, NULL, NULL, &cause);
	if (r == -EOPNOTSUPP)
		return err_link_kind_unsupported(e, kind);
	if (r < 0 && e)
		*e = take_ptr(cause);
	return r;
}

static void begin_new(struct netlink_req *q, const struct link_end *end, int lower)
{
	put_end(netlink_begin(q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg)), q, end);
	if (lower)
		nla_put_u32(q->h, IFLA_LINK, (uint32_t)lower);
}

int link_add_veth(struct netlink *nl, const struct link_end *host, const struct link_end *peer,
		  struct err **e)
{
	struct nlattr *info, *data, *other;
	struct netlink_req q;
	int r;

	begin_new(&q, host, 0);
	info = begin_info(&q, "veth", &data);
	other = nla_nest_start(q.h, VETH_INFO_PEER);
	put_end(nl_extend(q.h, sizeof(struct ifinfomsg)), &q, peer);
	nla_nest_end(q.h, other);
	r = send_new(nl, &q, "veth", info, data, e);
	return r < 0 ? err_wrap(e, r, "creating veth pair %s - %s", host->name, peer->name) : 0;
}

int link_add_macvlan(struct netlink *nl, const struct link_end *end, int lower, uint32_t mode, struct err **e)
{
	struct nlattr *info, *data;
	struct netlink_req q;
	int r;

	begin_new(&q, end, lower);
	info = begin_info(&q, "macvlan", &data);
	nla_put_u32(q.h, IFLA_MACVLAN_MODE, mode);
	r = send_new(nl, &q, "macvlan", info, data, e);
	return r < 0 ? err_wrap(e, r, "creating macvlan %s", end->name) : 0;
}

int link_add_ipvlan(struct netlink *nl, const struct link_end *end, int lower, uint16_t mode, uint16_t flags,
		    struct err **e)
{
	struct nlattr *info, *data;
	struct netlink_req q;
	int r;

	begin_new(&q, end, lower);
	info = begin_info(&q, "ipvlan", &data);
	nla_put_u16(q.h, IFLA_IPVLAN_MODE, mode);
	nla_put_u16(q.h, IFLA_IPVLAN_FLAGS, flags);
	r = send_new(nl, &q, "ipvlan", info, data, e);
	return r < 0 ? err_wrap(e, r, "creating ipvlan %s", end->name) : 0;
}

int link_add_vlan(struct netlink *nl, const struct link_end *end, int lower, uint16_t id, struct err **e)
{
	struct nlattr *info, *data;
	struct netlink_req q;
	int r;

	begin_new(&q, end, lower);
	info = begin_info(&q, "vlan", &data);
	nla_put_u16(q.h, IFLA_VLAN_ID, id);
	r = send_new(nl, &q, "vlan", info, data, e);
	return r < 0 ? err_wrap(e, r, "creating vlan %s with id %u", end->name, (unsigned)id) : 0;
}

int link_change(struct netlink *nl, int index, const struct link_change *c, struct err **e)
{
	struct ifinfomsg *ifi;
	struct netlink_req q;

	ifi = netlink_begin(&q, RTM_NEWLINK, 0, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = index;
	if (c->up || c->down) {
		ifi->ifi_change = IFF_UP;
		ifi->ifi_flags = c->up ? IFF_UP : 0;
	}
	if (c->netns_fd >= 0)
		nla_put_u32(q.h, IFLA_NET_NS_FD, (uint32_t)c->netns_fd);
	if (c->name)
		nla_put_text(q.h, IFLA_IFNAME, c->name);
	if (c->mac)
		nla_put(q.h, IFLA_ADDRESS, LINK_MAC_LEN, c->mac);
	if (c->mtu)
		nla_put_u32(q.h, IFLA_MTU, c->mtu);
	if (c->master)
		nla_put_u32(q.h, IFLA_MASTER, (uint32_t)c->master);
	return netlink_call(nl, &q, NULL, NULL, e);
}

int link_delete(struct netlink *nl, int index, struct err **e)
{
	struct ifinfomsg *ifi;
	struct netlink_req q;

	ifi = netlink_begin(&q, RTM_DELLINK, 0, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = index;
	return netlink_call(nl, &q, NULL, NULL, e);
}

#define SOON_MS 2
#define DELETIONS_MAX 16

/* In a mapping of its own, not on a stack that goes on changing. */
struct deletion {
	pid_t pid;
	int index, fd;
	struct netlink_req q;
};

/* Those under way. */
static struct deletion *deletions[DELETIONS_MAX];
static size_t n_deletions;

/* In a process that has its maker's memory: system calls only. */
static void delete_behind(void *arg)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	const struct deletion *d = arg;

	/* What the maker closes is to be closed. */
	if (d->fd > 0)
		(void)close_range(0, (unsigned)d->fd - 1, 0);
	(void)close_range((unsigned)d->fd + 1, ~0U, 0);
	/* The kernel works within this call; its answer is of no use, the caller looks for itself. */
	(void)sendto(d->fd, d->q.h, d->q.h->nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	_exit(0);
}

/* 0 or -errno. */
static int start_deletion(int index, int birth_fd)
{
	auto_netlink struct netlink nl = NETLINK_INIT;
	struct ifinfomsg *ifi;
	struct deletion *d;
	int r = n_deletions < DELETIONS_MAX ? netlink_open(&nl, NULL) : -EAGAIN;

	if (r < 0)
		return r;
	d = mmap(NULL, sizeof(*d), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (d == MAP_FAILED)
		return -errno;
	ifi = netlink_begin(&d->q, RTM_DELLINK, 0, sizeof(*ifi));
	ifi->ifi_index = index;
	d->index = index;
	d->fd = nl.fd;
	d->pid = proc_clone_same(0, birth_fd, delete_behind, d, NULL);
	if (d->pid < 0) {
		r = d->pid;
		(void)munmap(d, sizeof(*d));
		return r;
	}
	deletions[n_deletions++] = d;
	return 0;
}

void link_finish_deletions(bool wait)
{
	auto_netlink struct netlink nl = NETLINK_INIT;

	while (n_deletions) {
		struct deletion *d = deletions[--n_deletions];
		int status = 0;
		pid_t pid;

		do
			pid = waitpid(d->pid, &status, wait ? 0 : WNOHANG);
		while (pid < 0 && errno == EINTR);
		/* Some kernels kill a process that is born into another cgroup: see cgroup_birth_fd. */
		if (pid == d->pid && WIFSIGNALED(status) && (nl.fd >= 0 || netlink_open(&nl, NULL) == 0))
			(void)link_delete(&nl, d->index, NULL);
	}
}

/* A socket that wakes up when an interface comes or goes. */
static int watch_links(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		(void)close(fd);
		return -EBADF;
	}
	return fd;
}

/* The name goes first, under the kernel's lock; the news of it follow. */
static bool wait_gone(int watch, int index, int timeout_ms)
{
	char name[IF_NAMESIZE], news[4096];
	struct timespec start, now;
	int left = timeout_ms;

	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	while (if_indextoname((unsigned)index, name)) {
		struct pollfd p = { .fd = watch, .events = POLLIN };

		if (left <= 0 || poll(&p, 1, left) == 0)
			return false;
		while (recv(watch, news, sizeof(news), 0) > 0)
			;
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		left = timeout_ms - (int)((now.tv_sec - start.tv_sec) * 1000 +
					  (now.tv_nsec - start.tv_nsec) / 1000000);
	}
	return true;
}

int link_delete_soon(struct netlink *nl, int index, int birth_fd, struct err **e)
{
	auto_close int watch = watch_links();

	if (start_deletion(index, birth_fd) < 0)
		return link_delete(nl, index, e);
	if (watch >= 0)
		(void)wait_gone(watch, index, SOON_MS);
	return 0;
}

bool link_wait_gone(int index, int timeout_ms)
{
	auto_close int watch = watch_links();

	return watch >= 0 && wait_gone(watch, index, timeout_ms);
}

static int altname(struct netlink *nl, uint16_t type, uint16_t flags, int index, const char *name,
		   struct err **e)
{
	struct ifinfomsg *ifi;
	struct netlink_req q;
	struct nlattr *list;

	if (strlen(name) >= 128)
		return err_set(e, ENAMETOOLONG, NULL, "alternative name %s is too long", name);
	ifi = netlink_begin(&q, type, flags, sizeof(*ifi));
	ifi->ifi_index = index;
	list = nla_nest_start(q.h, IFLA_PROP_LIST);
	nla_put_text(q.h, IFLA_ALT_IFNAME, name);
	nla_nest_end(q.h, list);
	return netlink_call(nl, &q, NULL, NULL, e);
}

int link_altname_add(struct netlink *nl, int index, const char *name, struct err **e)
{
	return altname(nl, RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND, index, name, e);
}

int link_altname_delete(struct netlink *nl, int index, const char *name, struct err **e)
{
	return altname(nl, RTM_DELLINKPROP, 0, index, name, e);
}

int link_vlan(struct netlink *nl, int index, uint16_t id, uint16_t flags, bool add, struct err **e)
{
	struct bridge_vlan_info v = { .flags = flags, .vid = id };
	struct ifinfomsg *ifi;
	struct netlink_req q;
	struct nlattr *spec;
	int r;

	ifi = netlink_begin(&q, add ? RTM_SETLINK : RTM_DELLINK, 0, sizeof(*ifi));
	ifi->ifi_family = AF_BRIDGE;
	ifi->ifi_index = index;
	spec = nla_nest_start(q.h, IFLA_AF_SPEC);
	nla_put(q.h, IFLA_BRIDGE_VLAN_INFO, sizeof(v), &v);
	nla_nest_end(q.h, spec);
	r = netlink_call(nl, &q, NULL, NULL, e);
	return r < 0 ? err_wrap(e, r, "%s vlan %u", add ? "adding" : "removing", (unsigned)id) : 0;
}

struct pvid_search {
	int index;
	uint16_t found;
};

static int take_pvid(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *ifi = nl_payload(h);
	const struct nlattr *a, *v;
	struct pvid_search *s = arg;

	if (h->nlmsg_type != RTM_NEWLINK || ifi->ifi_index != s->index)
		return 0;
	nla_for_each(a, h, sizeof(*ifi)) {
		if (nla_type(a) != IFLA_AF_SPEC)
			continue;
		nla_for_each_nested(v, a) {
			struct bridge_vlan_info info;

			if (nla_type(v) != IFLA_BRIDGE_VLAN_INFO ||
			    nla_len(v) != sizeof(info))
				continue;
			memcpy(&info, nla_data(v), sizeof(info));
			if (info.flags & BRIDGE_VLAN_INFO_PVID)
				s->found = info.vid;
		}
	}
	return 0;
}

int link_pvid(struct netlink *nl, int index, uint16_t *ret, struct err **e)
{
	struct pvid_search s = { .index = index };
	struct ifinfomsg *ifi;
	int r = 0;

	for (int tries = 0; tries < 5; tries++) {
		struct netlink_req q;

		ifi = netlink_begin(&q, RTM_GETLINK, NLM_F_DUMP, sizeof(*ifi));
		ifi->ifi_family = AF_BRIDGE;
		nla_put_u32(q.h, IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN);
		r = netlink_call(nl, &q, take_pvid, &s, tries < 4 ? NULL : e);
		if (r != -EAGAIN)
			break;
	}
	if (r < 0)
		return r;
	*ret = s.found;
	return 0;
}

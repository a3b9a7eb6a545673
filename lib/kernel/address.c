/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/address.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <string.h>

#include "kernel/link.h"

static size_t bytes(int family)
{
	return address_bits(family) / 8;
}

static const void *octets(const struct address *a)
{
	return a->family == AF_INET ? (const void *)&a->v4 : (const void *)&a->v6;
}

const char *address_text(const struct address *a, bool with_prefix, char buf[INET6_ADDRSTRLEN + 4])
{
	if (!inet_ntop(a->family, octets(a), buf, INET6_ADDRSTRLEN))
		return "?";
	if (with_prefix)
		(void)snprintf(buf + strlen(buf), 5, "/%u", a->prefix % 1000);
	return buf;
}

/* A host-order mask of the network part. */
static uint32_t mask4(unsigned prefix)
{
	return prefix == 0 ? 0 : UINT32_MAX << (32 - prefix);
}

struct in_addr address_broadcast(struct in_addr a, unsigned prefix)
{
	if (prefix >= 31)
		return (struct in_addr){ .s_addr = 0 };
	return (struct in_addr){ .s_addr = a.s_addr | htonl(~mask4(prefix)) };
}

bool address_equals(const struct address *a, const struct address *b)
{
	return a->family == b->family && memcmp(octets(a), octets(b), bytes(a->family)) == 0;
}

bool address_covers(const struct address *a, const struct address *b)
{
	unsigned whole = a->prefix / 8, rest = a->prefix % 8;
	const unsigned char *x = octets(a), *y = octets(b);

	if (a->family != b->family || a->prefix > address_bits(a->family))
		return false;
	if (memcmp(x, y, whole) != 0)
		return false;
	return rest == 0 || (x[whole] ^ y[whole]) >> (8 - rest) == 0;
}

int address_add(struct netlink *nl, int index, const struct address *a, struct in_addr broadcast,
		struct err **e)
{
	char text[INET6_ADDRSTRLEN + 4];
	struct ifaddrmsg *ifa;
	struct netlink_req q;
	int r;

	ifa = netlink_begin(&q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*ifa));
	ifa->ifa_family = (unsigned char)a->family;
	ifa->ifa_prefixlen = (unsigned char)a->prefix;
	ifa->ifa_index = (unsigned)index;
	nla_put(q.h, IFA_LOCAL, bytes(a->family), octets(a));
	nla_put(q.h, IFA_ADDRESS, bytes(a->family), octets(a));
	if (a->family == AF_INET && broadcast.s_addr)
		nla_put(q.h, IFA_BROADCAST, sizeof(broadcast), &broadcast);
	r = netlink_call(nl, &q, NULL, NULL, e);
	return r < 0 ? err_wrap(e, r, "adding address %s", address_text(a, true, text)) : 0;
}

static int route_change(struct netlink *nl, bool add, int index, const struct address *to,
			const struct address *via, int family, struct err **e)
{
	char text[INET6_ADDRSTRLEN + 4];
	struct netlink_req q;
	struct rtmsg *rtm;
	int r;

	rtm = netlink_begin(&q, add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE | NLM_F_EXCL : 0,
			    sizeof(*rtm));
	rtm->rtm_family = (unsigned char)family;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = RTPROT_BOOT;
	rtm->rtm_type = RTN_UNICAST;
	rtm->rtm_scope = via || family == AF_INET6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	if (to) {
		rtm->rtm_dst_len = (unsigned char)to->prefix;
		nla_put(q.h, RTA_DST, bytes(family), octets(to));
	}
	if (via)
		nla_put(q.h, RTA_GATEWAY, bytes(family), octets(via));
	nla_put_u32(q.h, RTA_OIF, (uint32_t)index);
	r = netlink_call(nl, &q, NULL, NULL, e);
	if (r < 0)
		return err_wrap(e, r, "%s route %s", add ? "adding" : "removing",
				to ? address_text(to, true, text) : "default");
	return 0;
}

int route_add(struct netlink *nl, int index, const struct address *to, const struct address *via, int family,
	      struct err **e)
{
	return route_change(nl, true, index, to, via, family, e);
}

int route_delete(struct netlink *nl, int index, const struct address *to, struct err **e)
{
	return route_change(nl, false, index, to, NULL, to->family, e);
}

int neighbour_proxy(struct netlink *nl, int index, const struct address *a, bool add, struct err **e)
{
	char text[INET6_ADDRSTRLEN + 4];
	struct netlink_req q;
	struct ndmsg *ndm;
	int r;

	ndm = netlink_begin(&q, add ? RTM_NEWNEIGH : RTM_DELNEIGH, add ? NLM_F_CREATE | NLM_F_REPLACE : 0,
			    sizeof(*ndm));
	ndm->ndm_family = (unsigned char)a->family;
	ndm->ndm_ifindex = index;
	ndm->ndm_flags = NTF_PROXY;
	ndm->ndm_type = NDA_DST;
	nla_put(q.h, NDA_DST, bytes(a->family), octets(a));
	r = netlink_call(nl, &q, NULL, NULL, e);
	if (r < 0)
		return err_wrap(e, r, "%s the proxy neighbour entry of %s", add ? "adding" : "removing",
				address_text(a, false, text));
	return 0;
}

/* One answer of RTM_GETADDR; false: not an address. */
static bool parse_address(const struct nlmsghdr *h, struct ifaddrmsg *ifa, struct address *ret)
{
	const struct nlattr *a, *found = NULL;

	if (h->nlmsg_type != RTM_NEWADDR)
		return false;
	memcpy(ifa, nl_payload(h), sizeof(*ifa));
	if (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6)
		return false;
	/* For IPv4 point-to-point links IFA_ADDRESS is the other side. */
	nla_for_each(a, h, sizeof(*ifa)) {
		if (nla_len(a) != bytes(ifa->ifa_family))
			continue;
		if (nla_type(a) == IFA_LOCAL || (nla_type(a) == IFA_ADDRESS && !found))
			found = a;
	}
	if (!found)
		return false;
	*ret = (struct address){ .family = ifa->ifa_family, .prefix = ifa->ifa_prefixlen };
	memcpy(ret->family == AF_INET ? (void *)&ret->v4 : (void *)&ret->v6, nla_data(found),
	       bytes(ret->family));
	return true;
}

static bool is_linklocal(const struct address *a)
{
	return a->family == AF_INET6 && (IN6_IS_ADDR_LINKLOCAL(&a->v6) || IN6_IS_ADDR_MC_LINKLOCAL(&a->v6));
}

static struct ifaddrmsg *begin_dump(struct netlink_req *q, int nsid, int family)
{
	struct ifaddrmsg *ifa = netlink_begin(q, RTM_GETADDR, NLM_F_DUMP, sizeof(*ifa));

	ifa->ifa_family = (unsigned char)family;
	if (nsid >= 0)
		nla_put_u32(q->h, IFA_TARGET_NETNSID, (uint32_t)nsid);
	return ifa;
}

struct first_search {
	int index;
	struct address found;
};

static int take_first(const struct nlmsghdr *h, void *arg)
{
	struct first_search *s = arg;
	struct ifaddrmsg ifa;
	struct address a;

	if (!parse_address(h, &ifa, &a) || (int)ifa.ifa_index != s->index)
		return 0;
	if (s->found.family == AF_UNSPEC || (is_linklocal(&s->found) && !is_linklocal(&a)))
		s->found = a;
	return 0;
}

int address_first(struct netlink *nl, int index, int family, struct address *ret, struct err **e)
{
	struct first_search s = { .index = index };
	int r = 0;

	for (int tries = 0; tries < 5; tries++) {
		struct netlink_req q;

		begin_dump(&q, -1, family)->ifa_index = (unsigned)index;
		r = netlink_call(nl, &q, take_first, &s, tries < 4 ? NULL : e);
		if (r != -EAGAIN)
			break;
	}
	if (r < 0)
		return r;
	if (s.found.family == AF_UNSPEC)
		return -ENOENT;
	*ret = s.found;
	return 0;
}

/* The kernel makes it first in every namespace, and relies on the number itself. */
#define LOOPBACK_INDEX 1

struct list_search {
	int only, except;	/* ifindex, 0: none */
	int scope;
	struct strv *names;
};

static int take_listed(const struct nlmsghdr *h, void *arg)
{
	char text[INET6_ADDRSTRLEN + 4];
	struct list_search *s = arg;
	struct ifaddrmsg ifa;
	struct address a;
	int index;

	if (!parse_address(h, &ifa, &a))
		return 0;
	index = (int)ifa.ifa_index;
	if ((s->only && index != s->only) || index == s->except)
		return 0;
	/* The scope id of an address is its zone: the interface for a link-local one, else 0. */
	if (a.family == AF_INET6 && (is_linklocal(&a) ? index : 0) != s->scope)
		return 0;
	return strv_add(s->names, address_text(&a, false, text));
}

int address_list(struct netlink *nl, int nsid, const char *name, int family, int scope, struct strv *ret,
		 struct err **e)
{
	struct list_search s = { .scope = scope, .names = ret, .except = name ? 0 : LOOPBACK_INDEX };
	size_t before = ret->n;
	struct link l;
	int r;

	if (name) {
		r = link_get_in(nl, nsid, name, &l, e);
		if (r < 0)
			return r;
		s.only = l.index;
	}
	for (int tries = 0; tries < 5; tries++) {
		struct netlink_req q;

		(void)begin_dump(&q, nsid, family);
		r = netlink_call(nl, &q, take_listed, &s, tries < 4 ? NULL : e);
		if (r != -EAGAIN)
			break;
		while (ret->n > before)
			strv_remove(ret, ret->n - 1);
	}
	while (r < 0 && ret->n > before)
		strv_remove(ret, ret->n - 1);
	return r;
}

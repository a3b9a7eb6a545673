/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* The container's half, in init, in its network namespace. It relies on nothing that the monitor
 * learned after init was cloned: names and gateways were settled by the plan. */
#include <string.h>

#include "network/nic.h"

#define LOOPBACK_INDEX 1

static int raise_link(struct netlink *nl, int index, struct err **e)
{
	struct link_change c = LINK_CHANGE_INIT;

	c.up = true;
	return link_change(nl, index, &c, e);
}

/* The same address as one before, which is there already. */
static bool is_repeated(const struct conf_addrs *list, size_t k)
{
	struct address a = address_from_conf(&list->v[k]);

	for (size_t i = 0; i < k; i++) {
		struct address b = address_from_conf(&list->v[i]);

		if (address_equals(&a, &b))
			return true;
	}
	return false;
}

static int add_addresses(struct netlink *nl, int index, const struct conf_addrs *list, struct err **e)
{
	for (size_t k = 0; k < list->n; k++) {
		const struct conf_addr *c = &list->v[k];
		struct address a = address_from_conf(c);
		struct in_addr broadcast = c->broadcast;
		int r;

		if (is_repeated(list, k))
			continue;
		if (a.family == AF_INET && !c->broadcast_set)
			broadcast = address_broadcast(a.v4, a.prefix);
		r = address_add(nl, index, &a, broadcast, e);
		if (r < 0)
			return err_at(e, r, c->at);
	}
	return 0;
}

/* A gateway outside every subnet of the nic is made reachable by a route of its own first. */
static int add_gateway(struct netlink *nl, int index, const struct conf_gateway *g, int family,
		       const struct address *via, struct err **e)
{
	struct address host = *via;
	int r;

	if (g->kind == GW_NONE)
		return 0;
	if (g->kind == GW_DEV)
		return err_at(e, route_add(nl, index, NULL, NULL, family, e), g->at);
	r = route_add(nl, index, NULL, via, family, NULL);
	if (r == 0)
		return 0;
	host.prefix = address_bits(family);
	(void)route_add(nl, index, &host, NULL, family, NULL);
	r = route_add(nl, index, NULL, via, family, e);
	return r < 0 ? err_at(e, r, g->at) : 0;
}

static int configure(struct nic *i, struct netlink *nl, struct err **e)
{
	const struct conf_net *c = i->conf;
	struct link l;
	int r;

	r = link_get(nl, i->name, &l, e);
	if (r < 0)
		return r;
	/* A pair has its address from birth. */
	if (i->has_mac && memcmp(l.mac, i->mac, LINK_MAC_LEN) != 0) {
		struct link_change change = LINK_CHANGE_INIT;

		change.mac = i->mac;
		r = link_change(nl, l.index, &change, e);
		if (r < 0)
			return err_wrap_at(e, r, c->hwaddr.at, "setting lxc.net.%u.hwaddr", c->index);
	}
	r = add_addresses(nl, l.index, &c->ipv4, e);
	if (r == 0)
		r = add_addresses(nl, l.index, &c->ipv6, e);
	if (r < 0 || !c->up.v)
		return r;
	r = raise_link(nl, l.index, e);
	if (r < 0)
		return err_wrap_at(e, r, c->up.at, "bringing %s up", i->name);
	r = add_gateway(nl, l.index, &c->gateway4, AF_INET, &i->gateway4, e);
	if (r == 0)
		r = add_gateway(nl, l.index, &c->gateway6, AF_INET6, &i->gateway6, e);
	return r;
}

int net_inside(struct net_run *n, struct err **e)
{
	auto_netlink struct netlink nl = NETLINK_INIT;
	int r = 0;

	if (n->any_up) {
		r = raise_link(&nl, LOOPBACK_INDEX, e);
		if (r < 0)
			return err_wrap(e, r, "bringing lo up");
	}
	for (size_t k = 0; k < n->n && r == 0; k++) {
		struct nic *i = &n->v[k];

		if (!i->type->has_device)
			continue;
		r = configure(i, &nl, e);
		if (r < 0)
			return err_wrap_at(e, r, i->conf->at, "configuring lxc.net.%u (%s)", i->conf->index,
					   i->name);
	}
	return r;
}

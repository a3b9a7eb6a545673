/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc.net.N.l2proxy: the link answers neighbour questions for the container's addresses. An ipvlan
 * in l3s mode also needs a route by which the host takes the packets in. */
#define LOG_CATEGORY "network"
#include <fcntl.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "network/nic.h"

#define LOOPBACK_INDEX 1

static int check_switch(const struct nic *i, const char *family, const char *name, struct err **e)
{
	char path[96 + IFNAMSIZ], key[96 + IFNAMSIZ], value[8] = "";

	(void)snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, i->link.name, name);
	if (io_read_line(AT_FDCWD, path, value, sizeof(value)) > 0 && STREQ(value, "1"))
		return 0;
	(void)snprintf(key, sizeof(key), "net.%s.conf.%s.%s", family, i->link.name, name);
	return err_forwarding_off(e, key);
}

int l2proxy_plan(const struct nic *i, struct err **e)
{
	const struct conf_net *c = i->conf;
	int r = 0;

	if (!i->link.index)
		r = err_l2proxy_unusable(e, "the nic has no link");
	else if (c->type == NET_PHYS)
		r = err_l2proxy_unusable(e, "the link of a nic of type phys leaves the host");
	else if (c->type == NET_IPVLAN && c->ipvlan_mode.v != IPVLAN_MODE_L3S)
		r = err_l2proxy_unusable(e, "an ipvlan needs mode l3s for it");
	if (r == 0 && c->ipv4.n)
		r = check_switch(i, "ipv4", "forwarding", e);
	if (r == 0 && c->ipv6.n)
		r = check_switch(i, "ipv6", "proxy_ndp", e);
	if (r == 0 && c->ipv6.n)
		r = check_switch(i, "ipv6", "forwarding", e);
	return r < 0 ? nic_fault(e, r, i, "l2proxy", c->l2proxy.at) : 0;
}

static int add_family(struct nic *i, struct netlink *nl, const struct conf_addrs *list, struct err **e)
{
	for (size_t k = 0; k < list->n; k++) {
		struct address a = address_from_conf(&list->v[k]);
		int r;

		a.prefix = address_bits(a.family);
		r = neighbour_proxy(nl, i->link.index, &a, true, e);
		if (r == 0 && i->conf->type == NET_IPVLAN)
			r = route_add(nl, LOOPBACK_INDEX, &a, NULL, a.family, e);
		if (r < 0)
			return err_at(e, r, list->v[k].at);
	}
	return 0;
}

int l2proxy_add(struct net_run *n, struct nic *i, struct netlink *nl, struct err **e)
{
	int r;

	i->proxied = true;
	r = add_family(i, nl, &i->conf->ipv4, e);
	return r < 0 ? r : add_family(i, nl, &i->conf->ipv6, e);
}

static void remove_family(struct net_run *n, struct nic *i, struct netlink *nl, const struct conf_addrs *list)
{
	for (size_t k = 0; k < list->n; k++) {
		struct address a = address_from_conf(&list->v[k]);
		auto_err struct err *e = NULL;
		int r;

		a.prefix = address_bits(a.family);
		r = neighbour_proxy(nl, i->link.index, &a, false, &e);
		if (r < 0 && r != -ENOENT && r != -ENXIO)
			log_warn(n->log, "a proxy neighbour entry stays on %s: %s", i->conf->link.v,
				 err_root(e)->what);
		if (i->conf->type == NET_IPVLAN)
			(void)route_delete(nl, LOOPBACK_INDEX, &a, NULL);
	}
}

void l2proxy_remove(struct net_run *n, struct nic *i, struct netlink *nl)
{
	if (nl->fd < 0)
		return;
	remove_family(n, i, nl, &i->conf->ipv4);
	remove_family(n, i, nl, &i->conf->ipv6);
}

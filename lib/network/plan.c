/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* The checks that all types share. Client or monitor; nothing is changed. */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/ioctl.h>

#include "base/num.h"
#include "base/paths.h"
#include "network/nic.h"

#define MTU_MIN 68u
#define MTU_MIN_IPV6 1280u
#define MTU_MAX 65535u

int nic_fault(struct err **e, int r, const struct nic *i, const char *sub, struct origin at)
{
	return err_wrap_at(e, r, at.line ? at : i->conf->at, "checking lxc.net.%u.%s", i->conf->index, sub);
}

bool net_is_privileged(void)
{
	cap_flag_value_t value = CAP_CLEAR;
	auto_close int ns = -EBADF, owner = -EBADF;
	cap_t caps = cap_get_proc();

	if (caps)
		(void)cap_get_flag(caps, CAP_NET_ADMIN, CAP_EFFECTIVE, &value);
	(void)cap_free(caps);
	if (value != CAP_SET)
		return false;
	/* The owner of our network namespace is shown only to who is inside it or above it: root of
	 * a user namespace that kept the host's network has the bit but not the right. */
	ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return true;
	owner = ioctl(ns, NS_GET_USERNS);
	return owner >= 0 || errno != EPERM;
}

struct address address_from_conf(const struct conf_addr *a)
{
	struct address r = { .family = a->family, .prefix = a->prefix };

	if (a->family == AF_INET)
		r.v4 = a->v4;
	else
		r.v6 = a->v6;
	return r;
}

static int plan_mac(struct nic *i, struct err **e)
{
	const struct conf_str *s = &i->conf->hwaddr;
	const char *why;

	if (!s->v)
		return 0;
	if (mac_parse(s->v, i->mac, &why) < 0)
		return nic_fault(e, err_hwaddr_invalid(e, s->v, why), i, "hwaddr", s->at);
	i->has_mac = true;
	return 0;
}

static int plan_mtu(struct nic *i, struct err **e)
{
	unsigned low = MAX(i->conf->type == NET_PHYS ? i->link.min_mtu : 0, MTU_MIN);
	const struct conf_str *s = &i->conf->mtu;
	unsigned high = MTU_MAX;
	int r;

	if (!s->v)
		return 0;
	if (i->conf->type == NET_PHYS && i->link.max_mtu)
		high = i->link.max_mtu;
	if (i->conf->type == NET_MACVLAN || i->conf->type == NET_IPVLAN || i->conf->type == NET_VLAN)
		high = i->link.mtu;
	if (i->conf->ipv6.n)
		low = MAX(low, MTU_MIN_IPV6);
	if (num_uint(s->v, 10, &i->mtu) < 0 || i->mtu < low || i->mtu > high) {
		r = err_mtu_invalid(e, s->v, low, high);
		return nic_fault(e, r, i, "mtu", s->at);
	}
	return 0;
}

static int plan_addresses(const struct nic *i, const struct conf_addrs *list, const char *sub, struct err **e)
{
	for (size_t k = 0; k < list->n; k++) {
		const struct conf_addr *c = &list->v[k];
		struct address a = address_from_conf(c);
		char text[INET6_ADDRSTRLEN + 4];

		if (a.prefix > address_bits(a.family))
			return nic_fault(e, err_prefix_invalid(e, address_text(&a, true, text),
							       address_bits(a.family)), i, sub, c->at);
		for (size_t j = 0; j < k; j++) {
			struct address b = address_from_conf(&list->v[j]);

			/* The very same again: a client has loaded its file on top of itself. */
			if (b.prefix == a.prefix && address_equals(&a, &b))
				break;
			b.prefix = address_bits(b.family);
			if (address_covers(&b, &a))
				return nic_fault(e, err_address_twice(e, address_text(&a, false, text)), i,
						 sub, c->at);
		}
	}
	return 0;
}

/* gateway = auto: what the link itself has. */
static int gateway_from_link(const struct nic *i, struct netlink *nl, int family, struct address *ret,
			     struct err **e)
{
	int r;

	if (!i->type->gateway_auto)
		return err_gateway_unusable(e, "auto", "only types veth and macvlan can take it from their link");
	if (!i->link.index)
		return err_gateway_unusable(e, "auto", "the nic has no link to take it from");
	r = address_first(nl, i->link.index, family, ret, e);
	if (r == -ENOENT)
		return err_gateway_auto(e, i->link.name, family == AF_INET ? "IPv4" : "IPv6");
	return r;
}

static bool is_local(const struct conf_addrs *list, const struct address *a)
{
	for (size_t k = 0; k < list->n; k++) {
		struct address b = address_from_conf(&list->v[k]);

		b.prefix = address_bits(b.family);
		if (address_covers(&b, a))
			return true;
	}
	return false;
}

static int check_gateway(const struct nic *i, struct netlink *nl, const struct conf_gateway *g, int family,
			 struct address *ret, struct err **e)
{
	const struct conf_addrs *own = family == AF_INET ? &i->conf->ipv4 : &i->conf->ipv6;
	char text[INET6_ADDRSTRLEN + 4] = "dev";
	int r;

	if (g->kind == GW_AUTO) {
		r = gateway_from_link(i, nl, family, ret, e);
		if (r < 0)
			return r;
	} else if (g->kind == GW_ADDR) {
		*ret = address_from_conf(&g->addr);
	}
	if (ret->family != AF_UNSPEC)
		(void)address_text(ret, false, text);
	if (!i->type->has_device)
		return err_gateway_unusable(e, text, "a nic of this type has no device to route through");
	if (!i->conf->up.v)
		return err_gateway_unusable(e, text, "the nic is not brought up (flags = up is missing)");
	/* Link-local addresses come by themselves, so IPv6 routes by device or to a neighbour work. */
	if (!own->n && !(family == AF_INET6 && (g->kind == GW_DEV || IN6_IS_ADDR_LINKLOCAL(&ret->v6))))
		return err_gateway_unusable(e, text, "the nic has no address of the same family");
	if (ret->family != AF_UNSPEC && is_local(own, ret))
		return err_gateway_unusable(e, text, "it is the nic's own address");
	return 0;
}

static int plan_gateway(const struct net_run *n, struct nic *i, struct netlink *nl, int family,
			struct err **e)
{
	const struct conf_gateway *g = family == AF_INET ? &i->conf->gateway4 : &i->conf->gateway6;
	const char *sub = family == AF_INET ? "ipv4.gateway" : "ipv6.gateway";
	int r;

	if (g->kind == GW_NONE)
		return 0;
	for (const struct nic *k = n->v; k < i; k++) {
		const struct conf_gateway *other = family == AF_INET ? &k->conf->gateway4 : &k->conf->gateway6;

		if (other->kind == GW_NONE)
			continue;
		return nic_fault(e, err_gateway_twice(e, sub, k->conf->index), i, sub, g->at);
	}
	r = check_gateway(i, nl, g, family, family == AF_INET ? &i->gateway4 : &i->gateway6, e);
	return r < 0 ? nic_fault(e, r, i, sub, g->at) : 0;
}

static int bridge_missing(const char *name, struct err **e)
{
	char remedy[256];

	if (STREQ(name, "lxcbr0"))
		return err_bridge_missing(e, name,
					  "start its service: systemctl start lxc-net (or " PATH_LIBEXEC
					  "/lxc-net start)");
	(void)snprintf(remedy, sizeof(remedy), "ip link add %s type bridge && ip link set %s up", name, name);
	return err_bridge_missing(e, name, remedy);
}

static int plan_link(struct nic *i, struct netlink *nl, struct err **e)
{
	const struct conf_str *s = &i->conf->link;
	const char *why;
	int r;

	if (!s->v) {
		if (!i->type->needs_link)
			return 0;
		return nic_fault(e, err_net_link_unset(e, i->conf->index, i->type->word), i, "link", s->at);
	}
	why = ifname_fault(s->v);
	if (why)
		return nic_fault(e, err_ifname_invalid(e, s->v, why), i, "link", s->at);
	if (!i->type->has_device)
		return 0;
	r = link_get(nl, s->v, &i->link, e);
	if (r == -ENODEV && i->conf->type == NET_VETH && !i->conf->veth_router.v) {
		if (e) {
			err_free(*e);
			*e = NULL;
		}
		r = bridge_missing(s->v, e);
	}
	return r < 0 ? nic_fault(e, r, i, "link", s->at) : 0;
}

int plan_values(struct net_run *n, struct nic *i, struct netlink *nl, struct err **e)
{
	int r = plan_mac(i, e);

	if (r == 0)
		r = plan_mtu(i, e);
	if (r == 0)
		r = plan_addresses(i, &i->conf->ipv4, "ipv4.address", e);
	return r == 0 ? plan_addresses(i, &i->conf->ipv6, "ipv6.address", e) : r;
}

int plan_common(struct net_run *n, struct nic *i, struct netlink *nl, struct err **e)
{
	int r = 0;

	if (i->conf->type == NET_VETH && !net_is_privileged()) {
		r = helper_plan(i, e);
		if (r < 0)
			return r;
	} else if (i->type->has_device && !net_is_privileged())
		return nic_fault(e, err_net_not_privileged(e, i->type->word), i, "type", i->conf->at);
	r = plan_link(i, nl, e);
	if (r == 0)
		r = plan_values(n, i, nl, e);
	if (r == 0)
		r = plan_gateway(n, i, nl, AF_INET, e);
	if (r == 0)
		r = plan_gateway(n, i, nl, AF_INET6, e);
	return r;
}

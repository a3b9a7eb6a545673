/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* macvlan, ipvlan and vlan: children of a host device that are born in the container's namespace
 * under their final name and vanish with it. */
#include <linux/if_link.h>

#include "network/nic.h"

static const uint16_t isolation_flags[] = { 0, IPVLAN_F_PRIVATE, IPVLAN_F_VEPA };

int child_plan(struct net_run *n, struct nic *i, struct netlink *nl, struct err **e)
{
	const struct conf_net *c = i->conf;

	if (i->link.flags & IFF_LOOPBACK)
		return nic_fault(e, err_link_unusable(e, i->link.name, i->type->word, "it is the loopback device"),
				 i, "link", c->link.at);
	if (c->type == NET_VLAN && (c->vlan_id.v < 0 || c->vlan_id.v > 4094))
		return nic_fault(e, err_vlan_unusable(e, "lxc.net.N.vlan.id goes from 0 to 4094"), i, "vlan.id",
				 c->vlan_id.at);
	if (c->type == NET_IPVLAN && i->has_mac)
		return nic_fault(e, err_hwaddr_invalid(e, c->hwaddr.v, "an ipvlan has the address of its link"),
				 i, "hwaddr", c->hwaddr.at);
	return 0;
}

int child_create(struct net_run *n, struct nic *i, struct netlink *nl, const struct nic_target *t,
		 struct err **e)
{
	const struct conf_net *c = i->conf;
	struct link_end end = { .name = i->name, .mtu = i->mtu, .mac = i->has_mac ? i->mac : NULL,
				.netns_fd = t->netns_fd };
	int r;

	if (c->type == NET_MACVLAN)
		r = link_add_macvlan(nl, &end, i->link.index, (uint32_t)c->macvlan_mode.v, e);
	else if (c->type == NET_IPVLAN)
		r = link_add_ipvlan(nl, &end, i->link.index, (uint16_t)c->ipvlan_mode.v,
				    isolation_flags[c->ipvlan_isolation.v], e);
	else
		r = link_add_vlan(nl, &end, i->link.index, (uint16_t)c->vlan_id.v, e);
	if (r < 0)
		return err_wrap_at(e, r, c->link.at, "making a child of %s", i->link.name);
	i->made = true;
	return 0;
}

/* Deleted explicitly only while somebody else can hold the namespace: a failed start. With the
 * namespace gone the kernel has done it. */
void child_undo(struct net_run *n, struct nic *i, struct netlink *nl, int netns_fd)
{
	auto_netlink struct netlink inside = NETLINK_INIT;
	struct link l;

	if (netns_fd < 0 || netlink_open_in(&inside, netns_fd, NULL) < 0)
		return;
	if (link_get(&inside, i->name, &l, NULL) == 0 && STREQ(l.kind, i->type->word))
		(void)link_delete(&inside, l.index, NULL);
}

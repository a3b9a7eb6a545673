/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* Looking into a container's network from outside. Any process, threaded ones too. */
#include "kernel/address.h"
#include "kernel/link.h"
#include "network/network.h"

/* A conversation that sees the namespace: from here by its id where the kernel lets us, else from
 * inside, where *ret_nsid is -1. */
static int look_into(struct netlink *nl, int netns_fd, int *ret_nsid, struct err **e)
{
	struct link lo;
	int r = netlink_open(nl, e);

	if (r < 0)
		return r;
	*ret_nsid = netlink_nsid(nl, netns_fd);
	if (*ret_nsid >= 0 && link_get_in(nl, *ret_nsid, "lo", &lo, NULL) == 0)
		return 0;
	netlink_close(nl);
	*ret_nsid = -1;
	return netlink_open_in(nl, netns_fd, e);
}

int net_list_interfaces(int netns_fd, struct strv *names, struct err **e)
{
	auto_netlink struct netlink nl = NETLINK_INIT;
	int nsid, r;

	r = look_into(&nl, netns_fd, &nsid, e);
	if (r == 0)
		r = link_list(&nl, nsid, names, e);
	return r < 0 ? err_wrap(e, r, "listing network interfaces") : 0;
}

int net_list_addresses(int netns_fd, const char *ifname, int family, int scope, struct strv *addrs,
		       struct err **e)
{
	auto_netlink struct netlink nl = NETLINK_INIT;
	int nsid, r = netlink_open(&nl, e);

	if (r < 0)
		return r;
	nsid = netlink_nsid(&nl, netns_fd);
	if (nsid >= 0 && address_list(&nl, nsid, ifname, family, scope, addrs, NULL) == 0)
		return 0;
	netlink_close(&nl);
	r = netlink_open_in(&nl, netns_fd, e);
	if (r == 0)
		r = address_list(&nl, -1, ifname, family, scope, addrs, e);
	return r < 0 ? err_wrap(e, r, "listing addresses") : 0;
}

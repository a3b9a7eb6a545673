/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* A veth pair: the far end is born in the container under its final name, the near end is a bridge
 * port, a router's leg or left alone. */
#define LOG_CATEGORY "network"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "network/nic.h"

/* For the pair of a namespace that is being removed, and of one whose last process may be ending. */
#define DYING_TIMEOUT_MS 3000
#define LEAVING_TIMEOUT_MS 500

static bool wants_vlans(const struct conf_net *c)
{
	return c->veth_vlan_id.set || c->veth_vlan_tagged.n;
}

static int plan_bridge(struct nic *i, struct err **e)
{
	const char *kind = *i->link.kind ? i->link.kind : "device without a kind";
	int r;

	if (STREQ(i->link.kind, "bridge"))
		return 0;
	/* The kernel module gives its bridges a kind of their own; with the datapath in user space
	 * only Open vSwitch itself knows. */
	if (STREQ(i->link.kind, "openvswitch") || ovs_is_bridge(i->link.name)) {
		i->ovs = true;
		return 0;
	}
	r = err_link_not_bridge(e, i->link.name, kind);
	return nic_fault(e, r, i, "link", i->conf->link.at);
}

static int plan_vlans(const struct nic *i, struct err **e)
{
	const struct conf_net *c = i->conf;
	const struct conf_num *id = &c->veth_vlan_id;
	struct origin at = id->set ? id->at : c->veth_vlan_tagged.n ? c->veth_vlan_tagged.v[0].at : c->at;
	const char *sub = id->set ? "veth.vlan.id" : "veth.vlan.tagged.id";

	if (!wants_vlans(c))
		return 0;
	if (c->veth_router.v || !i->link.index)
		return nic_fault(e, err_vlan_unusable(e, "they need veth.mode = bridge and a link"), i, sub, at);
	for (size_t k = 0; k < c->veth_vlan_tagged.n; k++)
		if (id->set && c->veth_vlan_tagged.v[k].v == id->v)
			return nic_fault(e, err_vlan_unusable(e, "the untagged id is in the list of tagged ones"),
					 i, "veth.vlan.tagged.id", c->veth_vlan_tagged.v[k].at);
	if (i->ovs && id->set && id->v < 0 && !c->veth_vlan_tagged.n)
		return nic_fault(e, err_vlan_unusable(e, "none leaves the port without any vlan"), i, sub, at);
	if (!i->ovs && !i->link.vlan_filtering)
		return nic_fault(e, err_bridge_no_vlans(e, i->link.name), i, sub, at);
	return 0;
}

static void describe_holder(struct netlink *nl, const struct link *l, char *buf, size_t size)
{
	struct link master;

	if (l->master && link_get_index(nl, l->master, &master, NULL) == 0)
		(void)snprintf(buf, size, "a %s, port of %s", *l->kind ? l->kind : "physical interface",
			       master.name);
	else
		(void)snprintf(buf, size, "a %s", *l->kind ? l->kind : "physical interface");
}

/* A container that has just died leaves its end behind for the moment that the kernel needs. */
static bool is_leaving(struct netlink *nl, const struct link *l)
{
	if (!STREQ(l->kind, "veth") || !l->peer_elsewhere)
		return false;
	return link_wait_gone(l->index, netlink_nsid_dying(nl, l->peer_nsid) ? DYING_TIMEOUT_MS :
							     LEAVING_TIMEOUT_MS);
}

static int plan_pair(struct nic *i, struct netlink *nl, struct err **e)
{
	const struct conf_str *s = &i->conf->veth_pair;
	char holder[64];
	const char *why;
	struct link l;

	if (!s->v)
		return 0;
	why = ifname_fault(s->v);
	if (why)
		return nic_fault(e, err_ifname_invalid(e, s->v, why), i, "veth.pair", s->at);
	if (link_get(nl, s->v, &l, NULL) == 0 && !is_leaving(nl, &l)) {
		describe_holder(nl, &l, holder, sizeof(holder));
		return nic_fault(e, err_veth_name_taken(e, s->v, holder), i, "veth.pair", s->at);
	}
	(void)snprintf(i->host, sizeof(i->host), "%.*s", IFNAMSIZ - 1, s->v);
	return 0;
}

/* A route to a network with host bits set is refused by the kernel without a good word. */
static int plan_routes(const struct nic *i, const struct conf_addrs *list, const char *sub, struct err **e)
{
	for (size_t k = 0; k < list->n; k++) {
		struct address a = address_from_conf(&list->v[k]), net = a;
		unsigned char *p = a.family == AF_INET ? (unsigned char *)&net.v4 : net.v6.s6_addr;
		unsigned bits = address_bits(a.family);
		char text[INET6_ADDRSTRLEN + 4], better[INET6_ADDRSTRLEN + 4];

		if (a.prefix > bits)
			return nic_fault(e, err_prefix_invalid(e, address_text(&a, true, text), bits), i, sub,
					 list->v[k].at);
		for (unsigned b = a.prefix; b < bits; b++)
			p[b / 8] &= (unsigned char)~(0x80u >> b % 8);
		if (memcmp(&net, &a, sizeof(a)) != 0)
			return nic_fault(e, err_route_host_bits(e, address_text(&a, true, text),
								address_text(&net, true, better)), i, sub,
					 list->v[k].at);
	}
	return 0;
}

/* The kernel's switch must be on already: it makes the whole host a router. */
static int plan_router(const struct nic *i, struct err **e)
{
	static const char path[] = "/proc/sys/net/ipv6/conf/all/forwarding";
	char value[8] = "";

	if (!i->conf->veth_router.v || i->gateway6.family == AF_UNSPEC)
		return 0;
	if (io_read_line(AT_FDCWD, path, value, sizeof(value)) > 0 && STREQ(value, "1"))
		return 0;
	return nic_fault(e, err_forwarding_off(e, "net.ipv6.conf.all.forwarding"), i, "ipv6.gateway",
			 i->conf->gateway6.at);
}

int veth_plan(struct net_run *n, struct nic *i, struct netlink *nl, struct err **e)
{
	int r = 0;

	if (i->link.index && !i->conf->veth_router.v)
		r = plan_bridge(i, e);
	if (r == 0)
		r = plan_vlans(i, e);
	if (r == 0)
		r = plan_pair(i, nl, e);
	for (const struct nic *k = n->v; k < i && r == 0; k++)
		if (*i->host && STREQ(k->host, i->host))
			r = nic_fault(e, err_ifname_twice(e, i->host), i, "veth.pair", i->conf->veth_pair.at);
	if (r == 0)
		r = plan_routes(i, &i->conf->veth_routes4, "veth.ipv4.route", e);
	if (r == 0)
		r = plan_routes(i, &i->conf->veth_routes6, "veth.ipv6.route", e);
	if (r == 0)
		r = plan_router(i, e);
	if (r == 0 && !i->mtu && i->link.index)
		i->mtu = i->link.mtu;
	return r;
}

/* One message makes both ends. A generated name that another process takes at the same moment is
 * tried again under another. */
static int make_pair(struct nic *i, struct netlink *nl, int netns_fd, struct err **e)
{
	const struct conf_net *c = i->conf;
	unsigned char host_mac[LINK_MAC_LEN];
	bool generated = !c->veth_pair.v;
	struct link_end peer = { .name = i->name, .mtu = i->mtu, .mac = i->has_mac ? i->mac : NULL,
				 .netns_fd = netns_fd };
	struct link_end host = { .name = i->host, .mtu = i->mtu, .mac = host_mac, .netns_fd = -1, .up = true };
	int r;

	if (i->link.index && !c->veth_router.v && !i->ovs)
		host.master = i->link.index;
	/* What one end receives the other sends. */
	if (c->veth_rxqueues.set)
		peer.rxqueues = host.txqueues = (unsigned)c->veth_rxqueues.v;
	if (c->veth_txqueues.set)
		peer.txqueues = host.rxqueues = (unsigned)c->veth_txqueues.v;
	mac_random(host_mac, true);

	for (int tries = 0;; tries++) {
		auto_err struct err *cause = NULL;

		if (generated)
			ifname_random(i->host, "veth", 6);
		r = link_add_veth(nl, &host, &peer, &cause);
		if (r == -EEXIST && generated && tries < 10 && if_nametoindex(i->host))
			continue;
		if (r < 0 && e)
			*e = take_ptr(cause);
		if (r < 0)
			return r;
		break;
	}
	i->made = true;
	i->host_index = (int)if_nametoindex(i->host);
	return 0;
}

/* The bridge speaks IPv6, its ports need not (unless a route leads through one). Where /proc/sys is
 * read-only the port has an address that nobody uses.
 *
 * The kernel does not wait in that file for the lock of all links but starts the call again, until it happens to be free:
 * milliseconds of work while other containers end, which keep each other waiting for it. A change of nothing by netlink
 * takes its place in that queue, and the lock was just given up when the file is written. */
static void silence_ipv6(const struct net_run *n, const struct nic *i, struct netlink *nl)
{
	const struct link_change nothing = LINK_CHANGE_INIT;
	auto_close int fd = -EBADF;
	char path[64 + IFNAMSIZ];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", i->host);
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	r = fd < 0 ? -errno : 0;
	if (fd >= 0)
		(void)link_change(nl, i->host_index, &nothing, NULL);
	if (fd >= 0 && write(fd, "1", 1) < 0)
		r = -errno;
	if (r < 0 && r != -ENOENT)
		log_info(n->log, "%s cannot be set: %s", path, strerror(-r));
}

static int set_vlans(const struct nic *i, struct netlink *nl, struct err **e)
{
	const struct conf_net *c = i->conf;
	uint16_t pvid = 0;
	int r = 0;

	if (c->veth_vlan_id.set) {
		r = link_pvid(nl, i->host_index, &pvid, e);
		if (r == 0 && pvid && pvid != c->veth_vlan_id.v)
			r = link_vlan(nl, i->host_index, pvid, 0, false, e);
		if (r == 0 && c->veth_vlan_id.v >= 0)
			r = link_vlan(nl, i->host_index, (uint16_t)c->veth_vlan_id.v,
				      BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED, true, e);
		if (r < 0)
			return err_wrap_at(e, r, c->veth_vlan_id.at, "setting lxc.net.%u.veth.vlan.id",
					   c->index);
	}
	for (size_t k = 0; k < c->veth_vlan_tagged.n; k++) {
		const struct conf_num *id = &c->veth_vlan_tagged.v[k];

		r = link_vlan(nl, i->host_index, (uint16_t)id->v, 0, true, e);
		if (r < 0)
			return err_wrap_at(e, r, id->at, "setting lxc.net.%u.veth.vlan.tagged.id", c->index);
	}
	return 0;
}

static int add_routes(const struct nic *i, struct netlink *nl, const struct conf_addrs *list, struct err **e)
{
	for (size_t k = 0; k < list->n; k++) {
		struct address a = address_from_conf(&list->v[k]);
		int r = route_add(nl, i->host_index, &a, NULL, a.family, e);

		if (r < 0)
			return err_at(e, r, list->v[k].at);
	}
	return 0;
}

static int host_sysctl(const struct nic *i, const char *family, const char *name, struct err **e)
{
	char path[96 + IFNAMSIZ];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, i->host, name);
	r = io_write_value(AT_FDCWD, path, "1");
	return r < 0 ? err_set(e, -r, NULL, "cannot write 1 to %s", path) : 0;
}

/* The host answers for the gateway and has a route to each address. */
static int route_family(const struct nic *i, struct netlink *nl, const struct address *gateway,
			const struct conf_addrs *own, const char *family, struct err **e)
{
	int r = 0;

	if (gateway->family != AF_UNSPEC) {
		r = host_sysctl(i, family, "forwarding", e);
		if (r == 0 && gateway->family == AF_INET6)
			r = host_sysctl(i, family, "proxy_ndp", e);
		if (r == 0)
			r = neighbour_proxy(nl, i->host_index, gateway, true, e);
	}
	for (size_t k = 0; k < own->n && r == 0; k++) {
		struct address a = address_from_conf(&own->v[k]);

		a.prefix = address_bits(a.family);
		r = route_add(nl, i->host_index, &a, NULL, a.family, e);
		if (r < 0)
			return err_at(e, r, own->v[k].at);
	}
	return r;
}

static int set_up_host_end(struct net_run *n, struct nic *i, struct netlink *nl, struct err **e)
{
	bool on_bridge = i->link.index && !i->conf->veth_router.v;
	int r = 0;

	if (on_bridge && !i->conf->veth_routes6.n)
		silence_ipv6(n, i, nl);
	if (i->ovs)
		r = ovs_attach(n, i, e);
	else if (on_bridge)
		r = set_vlans(i, nl, e);
	if (r == 0)
		r = add_routes(i, nl, &i->conf->veth_routes4, e);
	if (r == 0)
		r = add_routes(i, nl, &i->conf->veth_routes6, e);
	if (r == 0 && i->conf->veth_router.v)
		r = route_family(i, nl, &i->gateway4, &i->conf->ipv4, "ipv4", e);
	if (r == 0 && i->conf->veth_router.v)
		r = route_family(i, nl, &i->gateway6, &i->conf->ipv6, "ipv6", e);
	return r;
}

int veth_create(struct net_run *n, struct nic *i, struct netlink *nl, const struct nic_target *t,
		struct err **e)
{
	int r = i->by_helper ? helper_create(n, i, t, e) : make_pair(i, nl, t->netns_fd, e);

	return r < 0 || i->by_helper ? r : set_up_host_end(n, i, nl, e);
}

void veth_undo(struct net_run *n, struct nic *i, struct netlink *nl, int netns_fd)
{
	auto_err struct err *e = NULL;
	char name[IF_NAMESIZE];

	if (i->ovs)
		ovs_detach(n, i);
	/* An ordinary user's goes with the container's namespace. */
	if (i->by_helper)
		return;
	/* The number alone could by now be another device's, the name alone too. Asked without the lock of all interfaces,
	 * which the kernel holds for long while it takes a namespace down. */
	if (nl->fd < 0 || !if_indextoname((unsigned)i->host_index, name) || !STREQ(name, i->host))
		return;
	if (link_delete_soon(nl, i->host_index, n->birth_fd, &e) < 0 && err_root(e)->num != ENODEV)
		log_warn(n->log, "veth %s cannot be deleted: %s", i->host, err_root(e)->what);
}

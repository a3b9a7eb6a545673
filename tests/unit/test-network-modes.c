/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* The rarer sub-keys of a nic: vlan ids, queues, router mode, l2proxy, gateways from the link. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/io.h"
#include "base/str.h"
#include "unit/network-world.h"

static int add_filtering_bridge(struct world *w, const char *name)
{
	int index = world_add_device(w, name, "bridge");
	struct nlattr *info, *data;
	struct ifinfomsg *ifi;
	struct netlink_req q;

	ifi = netlink_begin(&q, RTM_NEWLINK, 0, sizeof(*ifi));
	ifi->ifi_index = index;
	info = nla_nest_start(q.h, IFLA_LINKINFO);
	nla_put_text(q.h, IFLA_INFO_KIND, "bridge");
	data = nla_nest_start(q.h, IFLA_INFO_DATA);
	nla_put_u8(q.h, IFLA_BR_VLAN_FILTERING, 1);
	nla_nest_end(q.h, data);
	nla_nest_end(q.h, info);
	if (netlink_call(&w->nl, &q, NULL, NULL, NULL) < 0)
		unit_skip("needs bridges with vlan filtering");
	return index;
}

struct vlans {
	int index;
	char text[256];
};

static int take_vlans(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *ifi = nl_payload(h);
	const struct nlattr *a, *v;
	struct vlans *s = arg;

	if (ifi->ifi_index != s->index)
		return 0;
	nla_for_each(a, h, sizeof(*ifi)) {
		if (nla_type(a) != IFLA_AF_SPEC)
			continue;
		nla_for_each_nested(v, a) {
			const struct bridge_vlan_info *i = nla_data(v);

			if (nla_type(v) == IFLA_BRIDGE_VLAN_INFO)
				(void)snprintf(s->text + strlen(s->text), sizeof(s->text) - strlen(s->text),
					       "%u%s%s ", i->vid, i->flags & BRIDGE_VLAN_INFO_PVID ? "p" : "",
					       i->flags & BRIDGE_VLAN_INFO_UNTAGGED ? "u" : "");
		}
	}
	return 0;
}

/* "10pu 20 ": ids of a port, p: for untagged frames that come in, u: untagged going out. */
static void expect_vlans(struct world *w, const char *expected)
{
	struct vlans s = { .index = w->run->v[0].host_index };
	struct ifinfomsg *ifi;
	struct netlink_req q;

	ifi = netlink_begin(&q, RTM_GETLINK, NLM_F_DUMP, sizeof(*ifi));
	ifi->ifi_family = AF_BRIDGE;
	nla_put_u32(q.h, IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN);
	CHECK_OK(netlink_call(&w->nl, &q, take_vlans, &s, &w->e), w->e);
	if (!STREQ(s.text, expected))
		(void)fprintf(stderr, "# vlans \"%s\", expected \"%s\"\n", s.text, expected);
	CHECK(STREQ(s.text, expected));
}

static void restart(struct world *w)
{
	world_destroy(w->run, w->guest, NULL);
	net_free(w->run);
	world_create(w);
}

static void vlans(void *arg)
{
	struct conf_net *n;
	struct world w;

	world_set_up(&w);
	(void)add_filtering_bridge(&w, "br0");
	n = world_add_nic(&w, NET_VETH, "br0");
	world_create(&w);
	expect_vlans(&w, "1pu ");
	n->veth_vlan_id = (struct conf_num){ .v = 10, .set = true };
	CHECK(VEC_PUSH(&n->veth_vlan_tagged, ((struct conf_num){ .v = 20, .set = true })) == 0);
	CHECK(VEC_PUSH(&n->veth_vlan_tagged, ((struct conf_num){ .v = 30, .set = true })) == 0);
	restart(&w);
	expect_vlans(&w, "10pu 20 30 ");
	n->veth_vlan_id.v = -1;
	restart(&w);
	expect_vlans(&w, "20 30 ");
	n->veth_vlan_id.v = 1;
	n->veth_vlan_tagged.n = 0;
	restart(&w);
	expect_vlans(&w, "1pu ");

	n->veth_vlan_id.v = 20;
	n->veth_vlan_tagged.n = 1;
	world_refuse(&w, "vlan-unusable", "list of tagged");
	n->veth_router.v = 1;
	world_refuse(&w, "vlan-unusable", "veth.mode = bridge");
	world_destroy(w.run, w.guest, NULL);
}

static void test_vlans(void **state)
{
	unit_child_ns(CLONE_NEWNET, vlans, NULL);
}

/* Queues of an interface, from /sys of the namespace that is entered; "rx/tx". */
static void count_queues(const char *name, char *buf, size_t size)
{
	unsigned rx = 0, tx = 0;
	char path[128];
	struct dirent *d;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/sys/class/net/%s/queues", name);
	dir = opendir(path);
	CHECK(dir);
	while ((d = readdir(dir))) {
		rx += strncmp(d->d_name, "rx-", 3) == 0;
		tx += strncmp(d->d_name, "tx-", 3) == 0;
	}
	(void)closedir(dir);
	(void)snprintf(buf, size, "%u/%u", rx, tx);
}

/* Shows the network namespace in which it is mounted. */
static void mount_sys(void)
{
	if (mount("sysfs", "/sys", "sysfs", 0, NULL) < 0)
		unit_skip("needs sysfs of a private namespace");
}

static void queues(void *arg)
{
	struct conf_net *n;
	struct world w;
	char text[32];

	world_set_up(&w);
	n = world_add_nic(&w, NET_VETH, NULL);
	n->veth_rxqueues = (struct conf_num){ .v = 2, .set = true };
	n->veth_txqueues = (struct conf_num){ .v = 3, .set = true };
	world_create(&w);
	mount_sys();
	count_queues(w.run->v[0].host, text, sizeof(text));
	CHECK(STREQ(text, "3/2"));
	world_enter(w.guest);
	mount_sys();
	count_queues("eth0", text, sizeof(text));
	CHECK(STREQ(text, "2/3"));
	world_enter(w.host);
	world_destroy(w.run, w.guest, NULL);
}

static void test_queues(void **state)
{
	unit_child_ns(CLONE_NEWNET, queues, NULL);
}

static int count_answer(const struct nlmsghdr *h, void *arg)
{
	if (h->nlmsg_type == RTM_NEWNEIGH)
		++*(int *)arg;
	return 0;
}

static int count_proxies(struct world *w, int family)
{
	struct netlink_req q;
	struct ndmsg *ndm;
	int n = 0;

	ndm = netlink_begin(&q, RTM_GETNEIGH, NLM_F_DUMP, sizeof(*ndm));
	ndm->ndm_family = (unsigned char)family;
	ndm->ndm_flags = NTF_PROXY;
	CHECK_OK(netlink_call(&w->nl, &q, count_answer, &n, &w->e), w->e);
	return n;
}

static bool look_up_route(const char *path, const char *text)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	auto_free char *all = NULL;

	CHECK(fd >= 0 && io_read_fd(fd, 65536, &all, NULL) >= 0);
	return strstr(all, text) != NULL;
}

static void router(void *arg)
{
	struct conf_net *n;
	struct world w;

	world_set_up(&w);
	n = world_add_nic(&w, NET_VETH, NULL);
	n->veth_router.v = 1;
	n->up.v = 1;
	world_add_address(&n->ipv4, "10.7.0.5", 32);
	world_add_address(&n->ipv6, "fd00::5", 128);
	n->gateway4 = (struct conf_gateway){ .kind = GW_ADDR, .addr = world_address("169.254.1.1", 32) };
	n->gateway6 = (struct conf_gateway){ .kind = GW_ADDR, .addr = world_address("fe80::1", 128) };
	world_refuse(&w, "forwarding-off", "net.ipv6.conf.all.forwarding");
	world_say("/proc/sys/net/ipv6/conf/all/forwarding", "1");
	world_create(&w);
	CHECK(count_proxies(&w, AF_INET) == 1 && count_proxies(&w, AF_INET6) == 1);
	world_enter(w.guest);
	CHECK(look_up_route("/proc/net/route", "eth0\t00000000\t0101FEA9"));
	world_enter(w.host);
	CHECK(look_up_route("/proc/net/route", "0500070A\t00000000"));
	CHECK(look_up_route("/proc/net/ipv6_route", "fd000000000000000000000000000005 80"));
	world_destroy(w.run, w.guest, NULL);
	CHECK(count_proxies(&w, AF_INET) == 0 && count_proxies(&w, AF_INET6) == 0);
}

static void test_router(void **state)
{
	unit_child_ns(CLONE_NEWNET, router, NULL);
}

static void l2proxy(void *arg)
{
	struct conf_net *n;
	struct world w;

	world_set_up(&w);
	(void)world_add_device(&w, "card0", "veth");
	n = world_add_nic(&w, NET_MACVLAN, NULL);
	n->type = NET_VETH;
	n->l2proxy.v = 1;
	n->veth_router.v = 1;
	world_add_address(&n->ipv4, "10.7.0.5", 24);
	world_add_address(&n->ipv6, "fd00::5", 64);
	world_refuse(&w, "l2proxy-unusable", "no link");
	CHECK(str_set(&n->link.v, "card0") == 0);
	/* A new namespace has it from the host's. */
	world_say("/proc/sys/net/ipv4/conf/card0/forwarding", "0");
	world_refuse(&w, "forwarding-off", "net.ipv4.conf.card0.forwarding");
	world_say("/proc/sys/net/ipv4/conf/card0/forwarding", "1");
	world_refuse(&w, "forwarding-off", "net.ipv6.conf.card0.proxy_ndp");
	world_say("/proc/sys/net/ipv6/conf/card0/proxy_ndp", "1");
	world_refuse(&w, "forwarding-off", "net.ipv6.conf.card0.forwarding");
	world_say("/proc/sys/net/ipv6/conf/card0/forwarding", "1");
	world_create(&w);
	CHECK(count_proxies(&w, AF_INET) == 1 && count_proxies(&w, AF_INET6) == 1);
	world_destroy(w.run, w.guest, NULL);
	CHECK(count_proxies(&w, AF_INET) == 0 && count_proxies(&w, AF_INET6) == 0);
}

static void test_l2proxy_leaves_nothing(void **state)
{
	unit_child_ns(CLONE_NEWNET, l2proxy, NULL);
}

static void gateway_auto(void *arg)
{
	struct address on_bridge = { .family = AF_INET, .prefix = 24 };
	struct conf_net *n;
	struct world w;
	int br;

	world_set_up(&w);
	br = world_add_device(&w, "br0", "bridge");
	on_bridge.v4 = world_address("10.7.0.1", 24).v4;
	CHECK_OK(address_add(&w.nl, br, &on_bridge, (struct in_addr){ 0 }, &w.e), w.e);
	n = world_add_nic(&w, NET_VETH, "br0");
	n->up.v = 1;
	world_add_address(&n->ipv4, "10.7.0.5", 24);
	n->gateway4 = (struct conf_gateway){ .kind = GW_AUTO };
	world_create(&w);
	world_enter(w.guest);
	CHECK(look_up_route("/proc/net/route", "eth0\t00000000\t0100070A"));
	world_enter(w.host);
	world_destroy(w.run, w.guest, NULL);
}

static void test_gateway_auto(void **state)
{
	unit_child_ns(CLONE_NEWNET, gateway_auto, NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_vlans),
	cmocka_unit_test(test_queues),
	cmocka_unit_test(test_router),
	cmocka_unit_test(test_l2proxy_leaves_nothing),
	cmocka_unit_test(test_gateway_auto),
};
UNIT_MAIN(tests)

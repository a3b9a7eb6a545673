/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* The nics of a container, in private network namespaces: one plays the host, one the guest. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/str.h"
#include "unit/network-world.h"

static void veth_on_bridge(void *arg)
{
	struct world w;
	struct conf_net *n;
	struct link host, guest;
	char host_name[IFNAMSIZ];
	int br;

	world_set_up(&w);
	br = world_add_device(&w, "br0", "bridge");
	n = world_add_nic(&w, NET_VETH, "br0");
	n->up.v = 1;
	CHECK(str_set(&n->hwaddr.v, "10:66:6A:01:02:03") == 0);
	CHECK(str_set(&n->mtu.v, "1400") == 0);
	world_add_address(&n->ipv4, "10.7.0.5", 24);
	world_add_address(&n->ipv6, "fd00::5", 64);
	n->gateway4 = (struct conf_gateway){ .kind = GW_ADDR, .addr = world_address("10.7.0.1", 32) };
	world_create(&w);

	(void)snprintf(host_name, sizeof(host_name), "%s", w.run->v[0].host);
	CHECK(strlen(host_name) == 10 && strncmp(host_name, "veth", 4) == 0);
	host = world_look(&w, w.host, host_name);
	guest = world_look(&w, w.guest, "eth0");
	CHECK(host.master == br && host.mtu == 1400 && host.flags & IFF_UP && host.mac[0] == 0xfe);
	CHECK(guest.mtu == 1400 && guest.flags & IFF_UP);
	CHECK(memcmp(guest.mac, "\x10\x66\x6a\x01\x02\x03", 6) == 0);
	CHECK(world_look(&w, w.guest, "lo").flags & IFF_UP);

	world_destroy(w.run, w.guest, NULL);
	CHECK(!world_exists(&w, host_name));
	world_destroy(w.run, w.guest, NULL);
}

static void test_veth_on_bridge(void **state)
{
	unit_child_ns(CLONE_NEWNET, veth_on_bridge, NULL);
}

static void names(void *arg)
{
	static const char *const expected[] = { "eth1", "eth0", "lan0", "eth2" };
	struct world w;

	world_set_up(&w);
	for (int k = 0; k < 4; k++)
		world_add_nic(&w, NET_VETH, NULL);
	CHECK(str_set(&w.c.nets.v[1].name.v, "eth0") == 0);
	CHECK(str_set(&w.c.nets.v[2].name.v, "lan%d") == 0);
	world_create(&w);
	for (int k = 0; k < 4; k++) {
		CHECK(STREQ(w.run->v[k].name, expected[k]));
		CHECK(world_look(&w, w.guest, expected[k]).index > 1);
	}
	CHECK(!(world_look(&w, w.guest, "lo").flags & IFF_UP));
	CHECK_OK(net_publish(w.run, &w.c), NULL);
	CHECK(STREQ(w.c.nets.v[3].name.v, "eth2") && STREQ(w.c.nets.v[3].veth_pair.v, w.run->v[3].host));
	world_destroy(w.run, w.guest, NULL);
}

static void test_names_are_resolved_in_order(void **state)
{
	unit_child_ns(CLONE_NEWNET, names, NULL);
}

static void addresses_and_routes(void *arg)
{
	struct strv v4 = { 0 }, all = { 0 }, local = { 0 }, ifs = { 0 };
	struct conf_net *n;
	struct world w;
	char *text = NULL;

	world_set_up(&w);
	world_say("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
	n = world_add_nic(&w, NET_VETH, NULL);
	n->up.v = 1;
	world_add_address(&n->ipv4, "10.7.0.5", 24);
	world_add_address(&n->ipv4, "10.8.0.5", 31);
	world_add_address(&n->ipv6, "fd00::5", 64);
	world_add_address(&n->veth_routes4, "10.9.0.0", 24);
	world_add_address(&n->veth_routes6, "fd09::", 64);
	/* Outside every subnet: reached by a route of its own. */
	n->gateway4 = (struct conf_gateway){ .kind = GW_ADDR, .addr = world_address("172.16.0.1", 32) };
	n->gateway6 = (struct conf_gateway){ .kind = GW_DEV };
	world_create(&w);

	CHECK_OK(net_list_interfaces(w.guest, &ifs, &w.e), w.e);
	CHECK(ifs.n == 2 && strv_has(&ifs, "lo") && strv_has(&ifs, "eth0"));
	CHECK_OK(net_list_addresses(w.guest, "eth0", AF_INET, 0, &v4, &w.e), w.e);
	CHECK(v4.n == 2 && STREQ(v4.v[0], "10.7.0.5") && STREQ(v4.v[1], "10.8.0.5"));
	CHECK_OK(net_list_addresses(w.guest, NULL, AF_UNSPEC, 0, &all, &w.e), w.e);
	CHECK(all.n == 3 && strv_has(&all, "fd00::5") && !strv_has(&all, "127.0.0.1"));
	CHECK(net_list_addresses(w.guest, "eth9", AF_UNSPEC, 0, &local, &w.e) == -ENODEV);

	world_enter(w.guest);
	CHECK(io_read_fd(open("/proc/net/route", O_RDONLY), 65536, &text, NULL) >= 0);
	CHECK(strstr(text, "eth0\t00000000\t010010AC\t0003"));
	CHECK(strstr(text, "eth0\t010010AC\t00000000\t0005"));
	world_enter(w.host);
	CHECK(io_read_fd(open("/proc/net/route", O_RDONLY), 65536, &text, NULL) >= 0);
	CHECK(strstr(text, "\t0000090A\t00000000\t0001"));
	CHECK(io_read_fd(open("/proc/net/ipv6_route", O_RDONLY), 65536, &text, NULL) >= 0);
	CHECK(strstr(text, "fd090000000000000000000000000000 40"));
	world_destroy(w.run, w.guest, NULL);
}

static void test_addresses_and_routes(void **state)
{
	unit_child_ns(CLONE_NEWNET, addresses_and_routes, NULL);
}

static void scripts(void *arg)
{
	char dir[] = "/tmp/test-network-XXXXXX", path[64], log[64], *text = NULL;
	char *envp[] = { (char[]){ "PATH=/usr/bin:/bin" }, (char[]){ "LXC_NAME=box" }, NULL };
	struct conf_net *n;
	struct world w;
	int fd;

	world_set_up(&w);
	CHECK(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/s", dir);
	(void)snprintf(log, sizeof(log), "%s/log", dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
	CHECK(dprintf(fd, "#!/bin/sh\necho \"$# $* $LXC_HOOK_TYPE $LXC_NET_TYPE $LXC_NET_PARENT $LXC_NET_PEER\" >>%s\n"
			  "[ \"$1\" != bad ] || { echo first; echo last words >&2; exit 3; }\n", log) > 0);
	close(fd);
	(void)world_add_device(&w, "br0", "bridge");
	n = world_add_nic(&w, NET_VETH, "br0");
	CHECK(str_set(&n->veth_pair.v, "vbox") == 0);
	CHECK(str_set(&n->script_up.v, path) == 0 && str_set(&n->script_down.v, path) == 0);
	world_plan(&w);
	CHECK_OK(net_create(w.run, w.guest, getpid(), envp, &w.e), w.e);
	world_destroy(w.run, w.guest, envp);
	net_free(w.run);
	CHECK(!world_exists(&w, "vbox"));

	/* The script's own words come first; version 1 adds the environment; failure undoes the nic. */
	w.c.hook_version.v = 1;
	CHECK(str_set(&n->script_up.v, NULL) == 0);
	CHECK(asprintf(&n->script_up.v, "%s bad", path) > 0);
	n->script_up.at = (struct origin){ "box.conf", 12 };
	world_plan(&w);
	CHECK(net_create(w.run, w.guest, getpid(), envp, &w.e) < 0);
	net_finish(true);
	CHECK(STREQ(err_id(w.e), "net-script-failed"));
	CHECK(strstr(err_root(w.e)->what, "exit status 3: last words"));
	CHECK(strstr(err_line(w.e), "box.conf:"));
	CHECK(!world_exists(&w, "vbox"));
	CHECK(io_read_fd(open(log, O_RDONLY), 65536, &text, NULL) >= 0);
	CHECK(STREQ(text, "6 box net up veth br0 vbox    \n6 box net down veth br0 vbox    \n"
			  "4 bad veth br0 vbox up veth br0 vbox\n"));
	(void)unlink(path);
	(void)unlink(log);
	(void)rmdir(dir);
}

static void test_scripts(void **state)
{
	unit_child_ns(CLONE_NEWNET, scripts, NULL);
}

static void refusals(void *arg)
{
	struct conf_net *n;
	struct world w;

	world_set_up(&w);
	(void)world_add_device(&w, "br0", "bridge");
	(void)world_add_device(&w, "dummy0x", "veth");
	n = world_add_nic(&w, NET_VETH, "nobr");
	world_refuse(&w, "bridge-missing", "bridge nobr does not exist (box.conf:8)");
	CHECK(str_set(&n->link.v, "lxcbr0") == 0);
	world_refuse(&w, "bridge-missing", "lxc-net start");
	CHECK(str_set(&n->link.v, "dummy0x") == 0);
	world_refuse(&w, "link-not-bridge", "dummy0x is not a bridge but a veth");
	CHECK(str_set(&n->link.v, "br0") == 0);

	CHECK(str_set(&n->veth_pair.v, "dummy0x") == 0);
	world_refuse(&w, "veth-name-taken", "dummy0x is already taken by a veth");
	CHECK(str_set(&n->veth_pair.v, "abcdefghijklmnop") == 0);
	world_refuse(&w, "ifname-invalid", "more than 15");
	CHECK(str_set(&n->veth_pair.v, NULL) == 0);
	CHECK(str_set(&n->name.v, "a b") == 0);
	world_refuse(&w, "ifname-invalid", "blank");
	CHECK(str_set(&n->name.v, "lo") == 0);
	world_refuse(&w, "ifname-twice", "lo");
	CHECK(str_set(&n->name.v, NULL) == 0);

	CHECK(str_set(&n->hwaddr.v, "01:00:5e:00:00:01") == 0);
	world_refuse(&w, "hwaddr-invalid", "multicast");
	CHECK(str_set(&n->hwaddr.v, "zz:16:3e:00:00:01") == 0);
	world_refuse(&w, "hwaddr-invalid", "not of the form");
	CHECK(str_set(&n->hwaddr.v, NULL) == 0);
	CHECK(str_set(&n->mtu.v, "67") == 0);
	world_refuse(&w, "mtu-invalid", "68 to 65535");
	CHECK(str_set(&n->mtu.v, "65536") == 0);
	world_refuse(&w, "mtu-invalid", "65536");
	CHECK(str_set(&n->mtu.v, NULL) == 0);

	n->gateway4 = (struct conf_gateway){ .kind = GW_AUTO };
	world_refuse(&w, "gateway-auto", "IPv4 address on br0");
	n->gateway4 = (struct conf_gateway){ .kind = GW_ADDR, .addr = world_address("10.0.0.1", 32) };
	world_refuse(&w, "gateway-unusable", "flags = up");
	n->up.v = 1;
	world_refuse(&w, "gateway-unusable", "no address of the same family");
	world_add_address(&n->ipv4, "10.0.0.5", 33);
	world_refuse(&w, "prefix-invalid", "10.0.0.5/33");
	n->ipv4.v[0].prefix = 24;
	world_add_address(&n->veth_routes4, "10.0.3.5", 24);
	world_refuse(&w, "route-host-bits", "10.0.3.0/24");
	n->veth_routes4.n = 0;
	n->veth_vlan_id = (struct conf_num){ .v = 7, .set = true };
	world_refuse(&w, "bridge-no-vlans", "br0");
	n->veth_vlan_id.set = false;
	world_plan(&w);

	world_add_nic(&w, NET_INVALID, NULL);
	world_refuse(&w, "net-type-unset", "lxc.net.1 has no type");
	w.c.nets.v[1].type = NET_MACVLAN;
	world_refuse(&w, "net-link-unset", "macvlan has no link");
}

static void test_refusals(void **state)
{
	unit_child_ns(CLONE_NEWNET, refusals, NULL);
}

static void failed_start(void *arg)
{
	struct world w;

	world_set_up(&w);
	world_add_nic(&w, NET_VETH, NULL);
	world_add_nic(&w, NET_VETH, NULL);
	CHECK(str_set(&w.c.nets.v[0].veth_pair.v, "va") == 0);
	CHECK(str_set(&w.c.nets.v[1].veth_pair.v, "vb") == 0);
	world_plan(&w);
	/* Taken between plan and creation. */
	(void)world_add_device(&w, "vb", "veth");
	CHECK(net_create(w.run, w.guest, getpid(), NULL, &w.e) == -EEXIST);
	net_finish(true);
	CHECK(strstr(err_line(w.e), "lxc.net.1"));
	CHECK(!world_exists(&w, "va"));
	CHECK(STREQ(world_look(&w, w.host, "vb").kind, "veth"));
}

static void test_failed_start_leaves_nothing(void **state)
{
	unit_child_ns(CLONE_NEWNET, failed_start, NULL);
}

/* A monitor was killed, then its container: the kernel is still removing the pair. */
static void dying_pair(void *arg)
{
	struct world w;
	char name[IFNAMSIZ] = "vbox";

	world_set_up(&w);
	CHECK(str_set(&world_add_nic(&w, NET_VETH, NULL)->veth_pair.v, name) == 0);
	world_create(&w);
	close(w.guest);
	world_plan(&w);
	CHECK(!world_exists(&w, name));
}

static void test_dying_pair_is_waited_for(void **state)
{
	unit_child_ns(CLONE_NEWNET, dying_pair, NULL);
}

static void phys(void *arg)
{
	struct net_run *adopted = NULL;
	struct buf b = BUF_INIT(65536);
	struct strv alts = { 0 };
	struct link l, before;
	struct conf_net *n;
	struct world w;
	int index;

	world_set_up(&w);
	index = world_add_device(&w, "card0", "veth");
	CHECK_OK(link_altname_add(&w.nl, index, "a-long-alternative-name", &w.e), w.e);
	n = world_add_nic(&w, NET_PHYS, "card0");
	CHECK(str_set(&n->name.v, "eth5") == 0 && str_set(&n->mtu.v, "1300") == 0);
	CHECK(str_set(&n->hwaddr.v, "10:66:6a:00:00:05") == 0);
	before = world_look(&w, w.host, "card0");
	world_create(&w);
	CHECK(!world_exists(&w, "card0"));
	CHECK(world_look(&w, w.guest, "eth5").mtu == 1300);

	/* The monitor dies; another one takes over, and gives the card back. */
	CHECK_OK(net_save(w.run, &b), NULL);
	net_free(w.run);
	CHECK_OK(net_restore(&w.c, buf_str(&b), NULL, &adopted, &w.e), w.e);
	world_destroy(adopted, w.guest, NULL);
	l = world_look(&w, w.host, "card0");
	CHECK(l.mtu == 1500 && memcmp(l.mac, before.mac, LINK_MAC_LEN) == 0);
	CHECK_OK(link_altnames(&w.nl, l.index, &alts, &w.e), w.e);
	CHECK(alts.n == 1 && STREQ(alts.v[0], "a-long-alternative-name"));
}

/* The monitor is killed after the move, before it could write that down. */
static void phys_unsaved(void *arg)
{
	struct net_run *adopted = NULL;
	struct buf b = BUF_INIT(65536);
	struct world w;

	world_set_up(&w);
	(void)world_add_device(&w, "card0", "veth");
	(void)world_add_nic(&w, NET_PHYS, "card0");
	world_plan(&w);
	CHECK_OK(net_save(w.run, &b), NULL);
	CHECK_OK(net_create(w.run, w.guest, getpid(), NULL, &w.e), w.e);
	CHECK(!world_exists(&w, "card0"));
	net_free(w.run);
	CHECK_OK(net_restore(&w.c, buf_str(&b), NULL, &adopted, &w.e), w.e);
	world_destroy(adopted, w.guest, NULL);
	CHECK(world_exists(&w, "card0"));
}

static void test_phys_comes_back_unsaved(void **state)
{
	unit_child_ns(CLONE_NEWNET, phys_unsaved, NULL);
}

static void test_phys_comes_back(void **state)
{
	unit_child_ns(CLONE_NEWNET, phys, NULL);
}

static void child_of_a_link(struct world *w, const char *kind)
{
	world_plan(w);
	if (net_create(w->run, w->guest, getpid(), NULL, &w->e) == -EOPNOTSUPP) {
		CHECK(STREQ(err_id(w->e), "link-kind-unsupported") && strstr(err_line(w->e), kind));
		unit_skip("needs the kernel's %s devices", kind);
	}
	CHECK_OK(0, w->e);
	CHECK(STREQ(world_look(w, w->guest, "eth0").kind, kind));
	world_destroy(w->run, w->guest, NULL);
	world_enter(w->guest);
	CHECK(if_nametoindex("eth0") == 0);
}

static void macvlan(void *arg)
{
	struct world w;

	world_set_up(&w);
	(void)world_add_device(&w, "card0", "veth");
	world_add_nic(&w, NET_MACVLAN, "card0")->macvlan_mode.v = MACVLAN_MODE_BRIDGE;
	child_of_a_link(&w, "macvlan");
}

static void test_macvlan(void **state)
{
	unit_child_ns(CLONE_NEWNET, macvlan, NULL);
}

static void ipvlan(void *arg)
{
	struct world w;

	world_set_up(&w);
	(void)world_add_device(&w, "card0", "veth");
	world_add_nic(&w, NET_IPVLAN, "card0")->ipvlan_mode.v = IPVLAN_MODE_L2;
	child_of_a_link(&w, "ipvlan");
}

static void test_ipvlan(void **state)
{
	unit_child_ns(CLONE_NEWNET, ipvlan, NULL);
}

static void vlan(void *arg)
{
	struct world w;

	world_set_up(&w);
	(void)world_add_device(&w, "card0", "veth");
	world_add_nic(&w, NET_VLAN, "card0")->vlan_id.v = 12;
	child_of_a_link(&w, "vlan");
}

static void test_vlan(void **state)
{
	unit_child_ns(CLONE_NEWNET, vlan, NULL);
}

static void restored_state(void **state)
{
	struct conf_net nets[] = { { .index = 3, .type = NET_VETH, .type_set = true } };
	struct conf c = { .nets = { .v = nets, .n = 1 } };
	static const char *const bad[] = { "3", "3 phys", "4 veth", "3 veth name", "3 veth name=a/b",
					   "3 veth index=x", "3 veth host=%zz", "3 veth made=99999999999" };
	struct net_run *n = NULL;

	assert_int_equal(net_restore(&c, "3 veth name=eth0 host=vethX index=9 made=1 script=1\n", NULL, &n, NULL), 0);
	assert_string_equal(n->v[0].name, "eth0");
	assert_string_equal(n->v[0].host, "vethX");
	assert_int_equal(n->v[0].host_index, 9);
	assert_true(n->v[0].made && n->v[0].script_ran);
	net_free(n);
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++)
		assert_true(net_restore(&c, bad[k], NULL, &n, NULL) < 0);
}

static void wants_namespace(void **state)
{
	struct conf_net nets[] = { { .type = NET_NONE }, { .type = NET_EMPTY } };
	struct conf c = { 0 };

	assert_true(net_wants_namespace(&c));
	c.nets.v = nets;
	c.nets.n = 1;
	assert_false(net_wants_namespace(&c));
	c.nets.n = 2;
	assert_true(net_wants_namespace(&c));
}

static void pure_rules(void **state)
{
	unsigned char mac[LINK_MAC_LEN];
	char name[IFNAMSIZ];
	const char *why;

	assert_null(ifname_fault("eth0"));
	assert_null(ifname_fault("abcdefghijklmno"));
	assert_non_null(ifname_fault("abcdefghijklmnop"));
	assert_non_null(ifname_fault(""));
	assert_non_null(ifname_fault(".."));
	assert_non_null(ifname_fault("a/b"));
	assert_non_null(ifname_fault("a\nb"));
	assert_non_null(ifname_fault("-h"));
	assert_non_null(ifname_fault("eth%d"));
	assert_null(ifname_template_fault("eth%d"));
	assert_non_null(ifname_template_fault("eth%s"));
	assert_non_null(ifname_template_fault("e%d%d"));

	assert_int_equal(mac_parse("00:16:3e:aa:BB:cc", mac, &why), 0);
	assert_memory_equal(mac, "\x00\x16\x3e\xaa\xbb\xcc", 6);
	assert_int_equal(mac_parse("00:16:3e:aa:bb", mac, &why), -EINVAL);
	assert_int_equal(mac_parse("00:16:3e:aa:bb:cc:dd", mac, &why), -EINVAL);
	assert_int_equal(mac_parse("00:00:00:00:00:00", mac, &why), -EINVAL);
	assert_int_equal(mac_parse("", mac, &why), -EINVAL);
	mac_random(mac, true);
	assert_int_equal(mac[0], 0xfe);
	mac_random(mac, false);
	assert_int_equal(mac[0] & 3, 2);
	ifname_random(name, "veth", 6);
	assert_int_equal(strlen(name), 10);
	assert_null(ifname_fault(name));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(pure_rules),
	cmocka_unit_test(wants_namespace),
	cmocka_unit_test(restored_state),
	cmocka_unit_test(test_veth_on_bridge),
	cmocka_unit_test(test_names_are_resolved_in_order),
	cmocka_unit_test(test_addresses_and_routes),
	cmocka_unit_test(test_scripts),
	cmocka_unit_test(test_refusals),
	cmocka_unit_test(test_failed_start_leaves_nothing),
	cmocka_unit_test(test_dying_pair_is_waited_for),
	cmocka_unit_test(test_phys_comes_back),
	cmocka_unit_test(test_phys_comes_back_unsaved),
	cmocka_unit_test(test_macvlan),
	cmocka_unit_test(test_ipvlan),
	cmocka_unit_test(test_vlan),
};
UNIT_MAIN(tests)

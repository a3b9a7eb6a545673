/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* Bridges of Open vSwitch, through ovs-vsctl. Its database outlives the devices, so a port is
 * always taken out of it again. */
#define LOG_CATEGORY "network"
#include "kernel/spawn.h"
#include "network/nic.h"

/* The switch's daemon may be stopped: then its program waits for ever. */
#define OVS_TIMEOUT_MS 10000u

static int ovs_run(const struct strv *words, struct err **e)
{
	auto_buf struct buf output = BUF_INIT(16384);
	struct spawn run = SPAWN_INIT;

	run.path = "ovs-vsctl";
	run.argv = words->v;
	run.output = &output;
	run.timeout_ms = OVS_TIMEOUT_MS;
	return spawn_check(&run, e);
}

static int ovs_words(struct strv *w, const char *a, const char *b, const char *c)
{
	const char *all[] = { "ovs-vsctl", "--timeout=8", a, b, c };

	for (size_t k = 0; k < ARRAY_SIZE(all) && all[k]; k++)
		if (strv_add(w, all[k]) < 0)
			return -ENOMEM;
	return 0;
}

bool ovs_is_bridge(const char *name)
{
	auto_strv struct strv w = { 0 };

	return ovs_words(&w, "br-exists", name, NULL) == 0 && ovs_run(&w, NULL) == 0;
}

static int add_vlans(struct strv *w, const struct conf_net *c)
{
	bool untagged = c->veth_vlan_id.set && c->veth_vlan_id.v >= 0;
	int r;

	r = strv_addf(w, "vlan_mode=%s", c->veth_vlan_tagged.n == 0 ? "access" :
		      untagged ? "native-untagged" : "trunk");
	if (r == 0 && untagged)
		r = strv_addf(w, "tag=%d", (int)c->veth_vlan_id.v);
	if (r == 0 && c->veth_vlan_tagged.n) {
		auto_buf struct buf b = BUF_INIT(65536);

		buf_adds(&b, "trunks=");
		for (size_t k = 0; k < c->veth_vlan_tagged.n; k++)
			buf_addf(&b, "%s%d", k ? "," : "", (int)c->veth_vlan_tagged.v[k].v);
		r = strv_push(w, buf_take(&b));
	}
	return r;
}

int ovs_attach(const struct net_run *n, const struct nic *i, struct err **e)
{
	const struct conf_net *c = i->conf;
	auto_strv struct strv add = { 0 }, set = { 0 };
	int r;

	if (ovs_words(&add, "add-port", i->link.name, i->host) < 0)
		return err_no_memory(e);
	r = ovs_run(&add, e);
	if (r < 0)
		return err_wrap_at(e, r, c->link.at, "adding %s to Open vSwitch bridge %s", i->host,
				   i->link.name);
	if (!c->veth_vlan_id.set && !c->veth_vlan_tagged.n)
		return 0;
	if (ovs_words(&set, "set", "port", i->host) < 0 || add_vlans(&set, c) < 0)
		return err_no_memory(e);
	r = ovs_run(&set, e);
	return r < 0 ? err_wrap_at(e, r, c->veth_vlan_id.at, "setting the vlans of %s", i->host) : 0;
}

void ovs_detach(const struct net_run *n, const struct nic *i)
{
	auto_strv struct strv w = { 0 };
	auto_err struct err *e = NULL;
	const char *link = i->conf->link.v;

	if (!link || ovs_words(&w, "--if-exists", "del-port", link) < 0 || strv_add(&w, i->host) < 0)
		return;
	if (ovs_run(&w, &e) < 0)
		log_warn(n->log, "port %s stays in Open vSwitch bridge %s: %s", i->host, link,
			 err_root(e)->what);
}

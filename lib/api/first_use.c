/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "first_use.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "config/writer.h"
#include "kernel/idmap.h"
#include "kernel/subid.h"
#include "network/network.h"

#define IDS_WANTED 65536u

static int set(struct call *k, struct conf *c, const char *key, const char *value)
{
	return conf_set_item(c, key, value, &k->log, &k->e);
}

static uint32_t count_of(const struct idmap *m, bool gid)
{
	uint32_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].gid == gid)
			n += m->v[i].range;
	return n;
}

/* Says what is missing in the terms of the file and the command that adds it. */
static int check_granted(struct call *k, const struct idmap *m, bool gid)
{
	uint32_t n = count_of(m, gid), first = subid_free(gid);
	char user[SUBID_USER_MAX];

	if (n >= IDS_WANTED)
		return 0;
	subid_user(user);
	if (n == 0)
		return err_subids_missing(&k->e, user, subid_file(gid), subid_option(gid), first,
					  first + IDS_WANTED - 1);
	return err_subids_short(&k->e, user, n, subid_file(gid), subid_option(gid), first, first + IDS_WANTED - n - 1);
}

static int set_idmap(struct call *k, struct conf *c)
{
	struct idmap m = { 0 };
	int r = idmap_of_caller(&m, IDS_WANTED, &k->e);

	if (r == 0)
		r = check_granted(k, &m, false);
	if (r == 0)
		r = check_granted(k, &m, true);
	for (size_t i = 0; i < m.n && r == 0; i++) {
		const struct idmap_range *range = &m.v[i];
		char text[64];

		(void)snprintf(text, sizeof(text), "%c %u %u %u", range->gid ? 'g' : 'u', range->nsid, range->hostid,
			       range->range);
		r = set(k, c, "lxc.idmap", text);
	}
	idmap_done(&m);
	return r;
}

static int set_network(struct call *k, struct conf *c)
{
	auto_free char *link = NULL;
	enum conf_net_type type = net_for_caller(&link);
	int r;

	r = set(k, c, "lxc.net.0.type", type == NET_VETH ? "veth" : type == NET_USER ? "user" : "empty");
	if (r == 0 && type == NET_VETH)
		r = set(k, c, "lxc.net.0.link", link);
	if (r == 0)
		r = set(k, c, "lxc.net.0.flags", "up");
	if (r == 0 && type == NET_VETH)
		r = set(k, c, "lxc.net.0.hwaddr", "10:66:6a:xx:xx:xx");
	if (r == 0 && type == NET_EMPTY)
		log_warn(&k->log, "%s gets no network: neither pasta nor slirp4netns is installed, and lxc-usernet allows "
				  "no bridge (on Debian: apt-get install passt)", k->name);
	return r;
}

int first_use_conf(struct call *k, struct conf **ret)
{
	auto_conf struct conf *c = conf_new();
	int r;

	if (!c)
		return err_no_memory(&k->e);
	r = set_idmap(k, c);
	if (r == 0)
		r = set_network(k, c);
	if (r < 0)
		return err_wrap(&k->e, r, "choosing a configuration");
	*ret = take_ptr(c);
	return 0;
}

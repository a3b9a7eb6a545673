/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* A device of the host that is lent to the container. What it was on the host (name, alternative
 * names, MTU) is remembered, in the state file too, and restored when it comes back. */
#define LOG_CATEGORY "network"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "network/nic.h"

static bool is_wireless(const char *name)
{
	char path[64 + IFNAMSIZ];

	(void)snprintf(path, sizeof(path), "/sys/class/net/%s/phy80211", name);
	return access(path, F_OK) == 0;
}

int phys_plan(struct net_run *n, struct nic *i, struct netlink *nl, struct err **e)
{
	const char *why = NULL;

	if (i->link.flags & IFF_LOOPBACK)
		why = "it is the loopback device";
	else if (i->link.master)
		why = "it is a port of a bridge or bond";
	else if (is_wireless(i->link.name))
		why = "it is wireless, and only whole radios can change the namespace";
	for (const struct nic *k = n->v; k < i && !why; k++)
		if (k->conf->type == NET_PHYS && k->link.index == i->link.index)
			why = "another nic of this container takes it";
	if (why)
		return nic_fault(e, err_link_unusable(e, i->link.name, "phys", why), i, "link",
				 i->conf->link.at);
	(void)snprintf(i->host, sizeof(i->host), "%s", i->link.name);
	i->host_index = i->link.index;
	return link_altnames(nl, i->link.index, &i->altnames, e);
}

/* script.up runs while the device is still on the host. */
int phys_create(struct net_run *n, struct nic *i, struct netlink *nl, const struct nic_target *t,
		struct err **e)
{
	struct link_change c = { .name = i->name, .mtu = i->mtu, .netns_fd = t->netns_fd };
	struct link inside;
	int nsid, r;

	r = script_run(n, i, true, t->envp, e);
	if (r < 0)
		return r;
	i->made = true;
	/* They would occupy names inside, and could not come back past what the container adds. */
	for (size_t k = 0; k < i->altnames.n; k++)
		(void)link_altname_delete(nl, i->link.index, i->altnames.v[k], NULL);
	r = link_change(nl, i->link.index, &c, e);
	if (r < 0)
		return err_wrap_at(e, r, i->conf->link.at, "moving %s into the container as %s", i->host,
				   i->name);
	nsid = netlink_nsid(nl, t->netns_fd);
	if (nsid >= 0 && link_get_in(nl, nsid, i->name, &inside, NULL) == 0)
		i->inside_index = inside.index;
	return 0;
}

static void drop_altnames(struct netlink *nl, int index)
{
	auto_strv struct strv names = { 0 };

	if (link_altnames(nl, index, &names, NULL) < 0)
		return;
	for (size_t k = 0; k < names.n; k++)
		(void)link_altname_delete(nl, index, names.v[k], NULL);
}

/* Out of the container: by number, since root inside may have renamed it. 0 if it came back. */
static int fetch(struct nic *i, int netns_fd, struct err **e)
{
	auto_netlink struct netlink inside = NETLINK_INIT;
	auto_close int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct link_change c = { .name = i->host, .netns_fd = here, .down = true };
	struct link l;
	int r;

	if (here < 0)
		return err_set(e, errno, NULL, "cannot open /proc/self/ns/net");
	r = netlink_open_in(&inside, netns_fd, e);
	if (r < 0)
		return r;
	if (i->inside_index)
		r = link_get_index(&inside, i->inside_index, &l, e);
	else
		r = link_get(&inside, i->name, &l, e);
	if (r < 0)
		return r;
	drop_altnames(&inside, l.index);
	r = link_change(&inside, l.index, &c, e);
	if (r == -EEXIST) {
		/* Somebody has taken its name meanwhile: better here under another than lost. */
		c.name = "phys%d";
		if (e) {
			err_free(*e);
			*e = NULL;
		}
		r = link_change(&inside, l.index, &c, e);
	}
	return r;
}

/* The same piece of hardware, whatever it is called now. */
static bool is_ours(const struct nic *i, const struct link *l)
{
	static const unsigned char zero[LINK_MAC_LEN];

	if (memcmp(i->link.burnt_in, zero, LINK_MAC_LEN) != 0)
		return memcmp(i->link.burnt_in, l->burnt_in, LINK_MAC_LEN) == 0;
	return memcmp(i->link.mac, l->mac, LINK_MAC_LEN) == 0 ||
	       (i->has_mac && memcmp(i->mac, l->mac, LINK_MAC_LEN) == 0);
}

/* Where it is now on the host: under its name, or its number when that differs. */
static bool is_home(const struct nic *i, struct netlink *nl, struct link *ret)
{
	if (nl->fd < 0)
		return false;
	if (link_get(nl, i->host, ret, NULL) == 0 && is_ours(i, ret))
		return true;
	return link_get_index(nl, i->host_index, ret, NULL) == 0 && is_ours(i, ret);
}

void phys_undo(struct net_run *n, struct nic *i, struct netlink *nl, int netns_fd)
{
	struct link_change c = LINK_CHANGE_INIT;
	auto_err struct err *e = NULL;
	struct link l;

	/* Without its namespace the kernel has brought it back by itself, under the name it had inside. */
	if (!is_home(i, nl, &l)) {
		if (netns_fd >= 0 && fetch(i, netns_fd, &e) < 0)
			log_warn(n->log, "%s cannot be taken back from the container: %s", i->host,
				 err_root(e)->what);
		if (!is_home(i, nl, &l)) {
			log_warn(n->log, "%s did not come back from the container", i->host);
			return;
		}
	}
	if (!STREQ(l.name, i->host))
		c.name = i->host;
	if (l.mtu != i->link.mtu)
		c.mtu = i->link.mtu;
	if (memcmp(l.mac, i->link.mac, LINK_MAC_LEN) != 0)
		c.mac = i->link.mac;
	if ((c.name || c.mtu || c.mac) && link_change(nl, l.index, &c, NULL) < 0)
		log_warn(n->log, "%s is back as %s but cannot be restored", i->host, l.name);
	for (size_t k = 0; k < i->altnames.n; k++)
		(void)link_altname_add(nl, l.index, i->altnames.v[k], NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* A veth pair of an ordinary user's container: lxc-user-nic makes it, which may do that for him as far as
 * lxc-usernet says. Everything that can be refused is refused in the plan. */
#define LOG_CATEGORY "network"
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/num.h"
#include "base/paths.h"
#include "base/str.h"
#include "kernel/subid.h"
#include "network/nic.h"
#include "network/usernet.h"

#define HELPER PATH_LIBEXEC "/lxc-user-nic"
#define LIMIT_MS 30000
#define OUTPUT_MAX 4096

static const char *helper_fault(void)
{
	if (access(HELPER, X_OK) < 0)
		return "it is not installed";
	return getxattr(HELPER, "security.capability", NULL, 0) > 0 ? NULL : "it has no file capabilities";
}

static bool is_granted(const char *link)
{
	struct usernet_grants g = { 0 };
	auto_strv struct strv names = { 0 };
	unsigned count = 0;

	if (usernet_names(&names) == 0 && usernet_read(PATH_USERNET, &names, "veth", link, &g, NULL) == 0)
		for (size_t i = 0; i < g.n; i++)
			count += g.v[i].count != 0;
	usernet_done(&g);
	return count;
}

/* What needs a right over the host's end, which the caller does not have. */
static int check_keys(const struct nic *i, struct err **e)
{
	const struct conf_net *c = i->conf;
	const struct {
		bool set;
		const char *sub;
		struct origin at;
	} keys[] = {
		{ c->veth_router.v, "veth.mode", c->veth_router.at },
		{ c->veth_vlan_id.set, "veth.vlan.id", c->veth_vlan_id.at },
		{ c->veth_vlan_tagged.n, "veth.vlan.tagged.id", c->at },
		{ c->veth_routes4.n, "veth.ipv4.route", c->at },
		{ c->veth_routes6.n, "veth.ipv6.route", c->at },
		{ c->l2proxy.v, "l2proxy", c->l2proxy.at },
	};
	char what[64];

	for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
		if (!keys[k].set)
			continue;
		(void)snprintf(what, sizeof(what), "veth with %s", keys[k].sub);
		return nic_fault(e, err_net_not_privileged(e, what), i, keys[k].sub, keys[k].at);
	}
	return 0;
}

int helper_plan(struct nic *i, struct err **e)
{
	const char *link = i->conf->link.v ? i->conf->link.v : "none", *why = helper_fault();
	char user[SUBID_USER_MAX];
	int r = check_keys(i, e);

	if (r < 0)
		return r;
	if (why)
		return nic_fault(e, err_user_nic_missing(e, HELPER, why, HELPER), i, "type", i->conf->at);
	subid_user(user);
	if (!is_granted(link))
		return nic_fault(e, err_usernet_denied(e, user, "veth", link, PATH_USERNET), i, "link",
				 i->conf->link.v ? i->conf->link.at : i->conf->at);
	i->by_helper = true;
	return 0;
}

/* "eth0:731:veth9MT2L4:730" */
static int take_answer(struct nic *i, const char *line, struct err **e)
{
	auto_strv struct strv f = { 0 };
	int inside, outside;

	if (strv_split(&f, line, ":\n") < 0)
		return err_no_memory(e);
	if (f.n != 4 || ifname_fault(f.v[0]) || ifname_fault(f.v[2]) || num_int(f.v[1], 10, &inside) < 0 ||
	    num_int(f.v[3], 10, &outside) < 0)
		return err_user_nic_failed(e, "its answer is not understood");
	(void)snprintf(i->name, sizeof(i->name), "%s", f.v[0]);
	(void)snprintf(i->host, sizeof(i->host), "%s", f.v[2]);
	i->host_index = outside;
	i->made = true;
	return 0;
}

int helper_create(struct net_run *n, struct nic *i, const struct nic_target *t, struct err **e)
{
	auto_buf struct buf output = BUF_INIT(OUTPUT_MAX);
	const char *link = i->conf->link.v ? i->conf->link.v : "none", *text;
	auto_strv struct strv argv = { 0 };
	struct spawn s = SPAWN_INIT;
	char pid[16];
	int r, status = 0;

	(void)snprintf(pid, sizeof(pid), "%d", t->init_pid);

	const char *const words[] = { "lxc-user-nic", "create", n->conf->lxcpath, n->conf->name, pid, "veth", link, i->name };

	for (size_t k = 0; k < ARRAY_SIZE(words); k++)
		if (strv_add(&argv, words[k]) < 0)
			return err_no_memory(e);
	s.path = HELPER;
	s.argv = argv.v;
	s.output = &output;
	s.timeout_ms = LIMIT_MS;
	r = spawn_run(&s, &status, e);
	if (r < 0)
		return r;
	text = buf_str(&output);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return take_answer(i, text, e);
	if (str_after(text, "lxc-user-nic: "))
		text = str_after(text, "lxc-user-nic: ");

	auto_free char *line = strndup(text, strcspn(text, "\n"));

	return err_user_nic_failed(e, line && *line ? line : "it ended without a word");
}

char *helper_bridge(void)
{
	struct usernet_grants g = { 0 };
	auto_strv struct strv names = { 0 };
	char *found = NULL;

	if (!helper_fault() && usernet_names(&names) == 0 &&
	    usernet_read(PATH_USERNET, &names, "veth", NULL, &g, NULL) == 0)
		for (size_t i = 0; i < g.n && !found; i++)
			if (g.v[i].count && !ifname_fault(g.v[i].link) && if_nametoindex(g.v[i].link))
				found = strdup(g.v[i].link);
	usernet_done(&g);
	return found;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "unit/network-world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/str.h"

void world_enter(int ns)
{
	CHECK(setns(ns, CLONE_NEWNET) == 0);
}

void world_say(const char *path, const char *value)
{
	CHECK_OK(io_write_value(AT_FDCWD, path, value), NULL);
}

int world_open_net(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	return fd;
}

int world_add_device(struct world *w, const char *name, const char *kind)
{
	struct link_change up = { .netns_fd = -1, .up = true };
	struct nlattr *info;
	struct netlink_req q;
	struct link l;

	(void)netlink_begin(&q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	nla_put_text(q.h, IFLA_IFNAME, name);
	info = nla_nest_start(q.h, IFLA_LINKINFO);
	nla_put_text(q.h, IFLA_INFO_KIND, kind);
	nla_nest_end(q.h, info);
	if (netlink_call(&w->nl, &q, NULL, NULL, &w->e) == -EOPNOTSUPP)
		unit_skip("needs the kernel's %s devices", kind);
	CHECK_OK(0, w->e);
	CHECK_OK(link_get(&w->nl, name, &l, &w->e), w->e);
	CHECK_OK(link_change(&w->nl, l.index, &up, &w->e), w->e);
	return l.index;
}

void world_set_up(struct world *w)
{
	*w = (struct world){ .host = world_open_net(), .nl = NETLINK_INIT };
	CHECK(unshare(CLONE_NEWNET) == 0);
	w->guest = world_open_net();
	world_enter(w->host);
	CHECK_OK(netlink_open(&w->nl, &w->e), w->e);
	CHECK(str_set(&w->c.name, "box") == 0);
}

struct conf_net *world_add_nic(struct world *w, enum conf_net_type type, const char *link)
{
	struct conf_net n = { .index = (unsigned)w->c.nets.n, .type = type, .type_set = true,
			      .at = { "box.conf", 7 } };

	CHECK(VEC_PUSH(&w->c.nets, n) == 0);
	CHECK(str_set(&w->c.nets.v[n.index].link.v, link) == 0);
	w->c.nets.v[n.index].link.at = (struct origin){ "box.conf", 8 };
	return &w->c.nets.v[n.index];
}

struct conf_addr world_address(const char *text, unsigned prefix)
{
	struct conf_addr a = { .family = strchr(text, ':') ? AF_INET6 : AF_INET, .prefix = prefix };

	CHECK(inet_pton(a.family, text, a.family == AF_INET ? (void *)&a.v4 : (void *)&a.v6) == 1);
	return a;
}

void world_add_address(struct conf_addrs *list, const char *text, unsigned prefix)
{
	CHECK(VEC_PUSH(list, world_address(text, prefix)) == 0);
}

void world_plan(struct world *w)
{
	CHECK_OK(net_plan(&w->c, NULL, &w->run, &w->e), w->e);
}

void world_create(struct world *w)
{
	world_plan(w);
	CHECK_OK(net_create(w->run, w->guest, getpid(), NULL, &w->e), w->e);
	world_enter(w->guest);
	CHECK_OK(net_inside(w->run, &w->e), w->e);
	world_enter(w->host);
}

void world_destroy(struct net_run *n, int guest, char *const *envp)
{
	net_destroy(n, guest, envp);
	net_finish(true);
}

struct link world_look(struct world *w, int ns, const char *name)
{
	struct netlink nl = NETLINK_INIT;
	struct link l = { 0 };

	world_enter(ns);
	CHECK_OK(netlink_open(&nl, &w->e), w->e);
	CHECK_OK(link_get(&nl, name, &l, &w->e), w->e);
	netlink_close(&nl);
	world_enter(w->host);
	return l;
}

bool world_exists(struct world *w, const char *name)
{
	struct link l;

	return link_get(&w->nl, name, &l, NULL) == 0;
}

void world_refuse(struct world *w, const char *id, const char *text)
{
	CHECK(net_plan(&w->c, NULL, &w->run, &w->e) < 0);
	if (!STREQ(err_id(w->e), id) || !strstr(err_line(w->e), text)) {
		(void)fprintf(stderr, "# %s: %s\n", err_id(w->e), err_line(w->e));
		CHECK(!"another error than expected");
	}
	err_free(w->e);
	w->e = NULL;
}

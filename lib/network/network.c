/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* All nics of a container, in order. net_inside runs in init, everything else in the monitor. */
#define LOG_CATEGORY "network"
#include "network/network.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "network/nic.h"

static int empty_plan(struct net_run *n, struct nic *i, struct netlink *nl, struct err **e)
{
	const struct conf_str *name = &i->conf->name;

	if (name->v && !STREQ(name->v, "lo"))
		return nic_fault(e, err_net_name_unused(e, name->v), i, "name", name->at);
	return 0;
}

const struct nic_type nic_types[] = {
	[NET_EMPTY] = { .word = "empty", .plan = empty_plan },
	[NET_NONE] = { .word = "none" },
	[NET_VETH] = { .word = "veth", .has_device = true, .gateway_auto = true,
		       .plan = veth_plan, .create = veth_create, .undo = veth_undo },
	[NET_MACVLAN] = { .word = "macvlan", .needs_link = true, .has_device = true, .gateway_auto = true,
			  .plan = child_plan, .create = child_create, .undo = child_undo },
	[NET_IPVLAN] = { .word = "ipvlan", .needs_link = true, .has_device = true,
			 .plan = child_plan, .create = child_create, .undo = child_undo },
	[NET_VLAN] = { .word = "vlan", .needs_link = true, .has_device = true,
		       .plan = child_plan, .create = child_create, .undo = child_undo },
	[NET_PHYS] = { .word = "phys", .needs_link = true, .has_device = true,
		       .plan = phys_plan, .create = phys_create, .undo = phys_undo },
	[NET_USER] = { .word = "user", .plan = user_plan, .create = user_create, .undo = user_undo },
};

bool net_wants_namespace(const struct conf *c)
{
	for (size_t k = 0; k < c->nets.n; k++)
		if (c->nets.v[k].type != NET_NONE)
			return true;
	return c->nets.n == 0;
}

/* True when the container enters or keeps a network that is not its own to configure. */
static bool is_shared(const struct conf *c)
{
	if (c->ns_share[NS_NET].v || c->ns_keep.v & CLONE_NEWNET)
		return true;
	return c->ns_clone.v && !(c->ns_clone.v & CLONE_NEWNET);
}

void net_free(struct net_run *n)
{
	if (!n)
		return;
	for (size_t k = 0; k < n->n; k++) {
		strv_done(&n->v[k].altnames);
		fd_close(n->v[k].helper_fd);
		fd_close(n->v[k].helper_log);
	}
	VEC_DONE(n);
	free(n);
}
DEFINE_AUTO(struct net_run *, net_free)

void net_set_runner(struct net_run *n, net_runner fn, void *arg)
{
	n->runner = fn;
	n->runner_arg = arg;
}

/* The nics of a conf without any check; -EINVAL with *e set when one has no type. */
static int collect(struct net_run *n, struct err **e)
{
	for (size_t k = 0; k < n->conf->nets.n; k++) {
		const struct conf_net *c = &n->conf->nets.v[k];
		struct nic i = { .conf = c, .helper_fd = -EBADF, .helper_log = -EBADF };

		if (!c->type_set || c->type == NET_INVALID)
			return err_at(e, err_net_type_unset(e, c->index), c->at);
		i.type = &nic_types[c->type];
		if (VEC_PUSH(n, i) < 0)
			return err_no_memory(e);
		if (c->up.v && c->type != NET_NONE)
			n->any_up = true;
	}
	return 0;
}

static int plan_one(struct net_run *n, struct nic *i, struct netlink *nl, struct err **e)
{
	int r;

	if (i->conf->type == NET_NONE)
		return 0;
	r = i->conf->type == NET_USER ? 0 : plan_common(n, i, nl, e);
	if (r < 0)
		return r;
	r = i->type->plan(n, i, nl, e);
	if (r < 0)
		return r;
	return i->conf->l2proxy.v ? l2proxy_plan(i, e) : 0;
}

int net_plan(const struct conf *c, struct log *l, struct net_run **ret, struct err **e)
{
	auto_with(net_free) struct net_run *n = calloc(1, sizeof(*n));
	auto_netlink struct netlink nl = NETLINK_INIT;
	int r;

	if (!n)
		return err_no_memory(e);
	n->conf = c;
	n->log = l;
	n->birth_fd = -EBADF;
	if (is_shared(c)) {
		if (c->nets.n && net_wants_namespace(c))
			log_warn(l, "the lxc.net lines are not used: the network namespace is not the container's own");
		*ret = take_ptr(n);
		return 0;
	}
	r = collect(n, e);
	for (size_t k = 0; k < n->n && r == 0; k++)
		r = plan_one(n, &n->v[k], &nl, e);
	if (r == 0)
		r = names_resolve(n, e);
	if (r < 0)
		return r;
	*ret = take_ptr(n);
	return 0;
}

static int create_one(struct net_run *n, struct nic *i, struct netlink *nl, const struct nic_target *t,
		      struct err **e)
{
	int r = 0;

	if (i->conf->l2proxy.v)
		r = l2proxy_add(n, i, nl, e);
	if (r == 0 && i->type->create)
		r = i->type->create(n, i, nl, t, e);
	/* Types whose device moves run the script themselves, before it leaves. */
	if (r == 0 && !i->script_ran && i->conf->type != NET_NONE)
		r = script_run(n, i, true, t->envp, e);
	return r < 0 ? err_wrap_at(e, r, i->conf->at, "creating lxc.net.%u (%s)", i->conf->index,
				   i->type->word) : 0;
}

int net_create(struct net_run *n, int netns_fd, pid_t init_pid, char *const *envp, struct err **e)
{
	struct nic_target t = { .netns_fd = netns_fd, .init_pid = init_pid, .envp = envp };
	auto_netlink struct netlink nl = NETLINK_INIT;
	int r = 0;

	for (size_t k = 0; k < n->n && r == 0; k++)
		r = create_one(n, &n->v[k], &nl, &t, e);
	if (r < 0)
		net_destroy(n, netns_fd, envp);
	return r;
}

static void destroy_one(struct net_run *n, struct nic *i, struct netlink *nl, int netns_fd,
			char *const *envp)
{
	auto_err struct err *e = NULL;
	bool down_due = i->script_ran;

	/* A physical device is back under its name when its script runs. */
	if (i->conf->type == NET_PHYS && (i->made || n->restored))
		i->type->undo(n, i, nl, netns_fd);
	i->script_ran = false;
	if (down_due && script_run(n, i, false, envp, &e) < 0) {
		auto_free char *line = err_line(e);

		log_warn(n->log, "%s", line ? line : "script.down failed");
	}
	if (i->conf->type != NET_PHYS && i->made)
		i->type->undo(n, i, nl, netns_fd);
	i->made = false;
	if (i->proxied || (n->restored && i->conf->l2proxy.v))
		l2proxy_remove(n, i, nl);
	i->proxied = false;
}

void net_destroy(struct net_run *n, int netns_fd, char *const *envp)
{
	auto_netlink struct netlink nl = NETLINK_INIT;
	auto_err struct err *e = NULL;
	bool due = n && n->restored;

	if (!n)
		return;
	for (size_t k = 0; k < n->n; k++)
		due = due || n->v[k].made || n->v[k].script_ran || n->v[k].proxied;
	if (!due)
		return;
	/* Before a process that shares our memory, but not our descriptors, is the first to use it. */
	if (netlink_open(&nl, &e) < 0)
		log_error(n->log, "%s", err_root(e)->what);
	for (size_t k = n->n; k-- > 0;)
		destroy_one(n, &n->v[k], &nl, netns_fd, envp);
	n->restored = false;
}

void net_set_birth(struct net_run *n, int cgroup_fd)
{
	n->birth_fd = cgroup_fd;
}

void net_finish(bool wait)
{
	link_finish_deletions(wait);
}

void net_set_application(struct net_run *n)
{
	n->application = true;
}

/* The nic that a program serves; NULL: none. */
static struct nic *user_nic(const struct net_run *n)
{
	for (size_t k = 0; n && k < n->n; k++)
		if (n->v[k].conf->type == NET_USER)
			return &n->v[k];
	return NULL;
}

bool net_has_host_half(const struct net_run *n)
{
	for (size_t k = 0; k < n->n; k++) {
		const struct nic *i = &n->v[k];

		if (i->type->create || i->conf->l2proxy.v || i->conf->script_up.v || i->conf->script_down.v)
			return true;
	}
	return false;
}

bool net_has_helper(const struct net_run *n)
{
	return user_nic(n);
}

int net_helper_fd(const struct net_run *n)
{
	const struct nic *i = user_nic(n);

	return i ? i->helper_fd : -EBADF;
}

int net_helper_restart(struct net_run *n, pid_t init_pid, struct err **e)
{
	n->init_pid = init_pid;
	return user_restart(n, user_nic(n), e);
}

const char *net_helper_name(const struct net_run *n)
{
	const struct nic *i = user_nic(n);

	return i ? user_program_name(i) : NULL;
}

enum conf_net_type net_for_caller(char **ret_link)
{
	*ret_link = helper_bridge();
	if (*ret_link)
		return NET_VETH;
	return user_is_possible() ? NET_USER : NET_EMPTY;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* nic - one network interface of a container while it is planned, made, configured and deleted.
 * Private to lib/network: every type is a row of nic_types, with what it does at each moment. */
#pragma once
#include <net/if.h>
#include <stdbool.h>

#include "base/strv.h"
#include "base/vec.h"
#include "kernel/address.h"
#include "kernel/link.h"
#include "network/network.h"

struct nic;

struct nic_target {
	int netns_fd;
	pid_t init_pid;
	char *const *envp;
};

struct nic_type {
	const char *word;
	bool needs_link;
	bool has_device;		/* something with a name appears inside */
	bool gateway_auto;
	/* Checks and resolves; changes nothing. */
	int (*plan)(struct net_run *n, struct nic *i, struct netlink *nl, struct err **e);
	/* Host half. What it made must be undone by undo, also after a failure half-way. */
	int (*create)(struct net_run *n, struct nic *i, struct netlink *nl, const struct nic_target *t,
		      struct err **e);
	/* After the container's death. netns_fd may be negative. */
	void (*undo)(struct net_run *n, struct nic *i, struct netlink *nl, int netns_fd);
};

enum user_program { USER_PASTA, USER_SLIRP };

struct nic {
	const struct conf_net *conf;	/* borrowed from the conf of the run */
	const struct nic_type *type;
	char name[IFNAMSIZ];		/* inside; "" if there is none */
	char host[IFNAMSIZ];		/* veth: host end; phys: its name on the host */
	unsigned char mac[LINK_MAC_LEN];
	bool has_mac;
	unsigned mtu;			/* 0: not our choice */
	struct link link;		/* lxc.net.N.link; index 0: none */
	bool ovs;			/* link is an Open vSwitch bridge */
	struct address gateway4, gateway6;	/* resolved; AF_UNSPEC: none or by device */
	int host_index;			/* of the host end, or of a physical device; 0: nothing is made */
	int inside_index;		/* phys: its number in the container */
	struct strv altnames;		/* phys: taken off while it is away; link has the rest to restore */
	/* user: the program that carries the packets */
	enum user_program program;
	pid_t helper;			/* 0: none */
	uint64_t helper_start;		/* with the pid it names one process */
	int helper_fd, helper_log;	/* pidfd; what it says */
	bool helper_is_child;
	bool by_helper;			/* veth: lxc-user-nic makes it */
	bool made;			/* there is something to undo */
	bool proxied;			/* l2proxy entries were added */
	bool script_ran;		/* script.up succeeded, script.down is due */
};

struct net_run {
	const struct conf *conf;	/* borrowed: outlives the run */
	struct log *log;		/* borrowed */
	VEC(struct nic);
	net_runner runner;		/* NULL: spawn_run */
	void *runner_arg;
	int birth_fd;			/* net_set_birth */
	bool any_up;
	bool application;		/* no guest that would ask for an address by itself */
	pid_t init_pid;			/* user: whose namespaces */
	bool restored;			/* by another monitor, which may have died between two steps */
};

extern const struct nic_type nic_types[];	/* by enum conf_net_type */

/* Wraps with the key (sub: part after "lxc.net.N.") and its file:line, or that of the nic. */
int nic_fault(struct err **e, int r, const struct nic *i, const char *sub, struct origin at);

/* name.c: rules without side effects. NULL, or why it is no interface name. */
const char *ifname_fault(const char *name);
/* The same where one %d may stand for a number. */
const char *ifname_template_fault(const char *name);
/* Six pairs of hexadecimal digits, whatever address they are. */
int mac_read(const char *s, unsigned char ret[LINK_MAC_LEN]);
/* 0 or -EINVAL; *ret_why says why. Takes aa:bb:cc:dd:ee:ff, any case, a unicast address. */
int mac_parse(const char *s, unsigned char ret[LINK_MAC_LEN], const char **ret_why);
/* A random local unicast address; host: with first byte 0xfe, so that a bridge never takes it. */
void mac_random(unsigned char ret[LINK_MAC_LEN], bool host);
/* PREFIX and n random letters or digits. */
void ifname_random(char ret[IFNAMSIZ], const char *prefix, size_t n);
/* Final names: fixed ones first, then the lowest free number for each template. */
int names_resolve(struct net_run *n, struct err **e);

struct address address_from_conf(const struct conf_addr *a);
/* Right over the caller's network namespace, not merely a capability bit. */
bool net_is_privileged(void);

/* plan.c: what every type shares. */
int plan_common(struct net_run *n, struct nic *i, struct netlink *nl, struct err **e);
/* What does not depend on a link: hwaddr, mtu, addresses. */
int plan_values(struct net_run *n, struct nic *i, struct netlink *nl, struct err **e);
/* script.c: runs script.up or script.down. */
int script_run(const struct net_run *n, struct nic *i, bool up, char *const *envp, struct err **e);
/* ovs.c: Open vSwitch through its own program. */
bool ovs_is_bridge(const char *name);
int ovs_attach(const struct net_run *n, const struct nic *i, struct err **e);
void ovs_detach(const struct net_run *n, const struct nic *i);
/* l2proxy.c: the link answers for the container's addresses. */
int l2proxy_plan(const struct nic *i, struct err **e);
int l2proxy_add(struct net_run *n, struct nic *i, struct netlink *nl, struct err **e);
void l2proxy_remove(struct net_run *n, struct nic *i, struct netlink *nl);

int veth_plan(struct net_run *n, struct nic *i, struct netlink *nl, struct err **e);
int veth_create(struct net_run *n, struct nic *i, struct netlink *nl, const struct nic_target *t,
		struct err **e);
void veth_undo(struct net_run *n, struct nic *i, struct netlink *nl, int netns_fd);
int child_plan(struct net_run *n, struct nic *i, struct netlink *nl, struct err **e);
int child_create(struct net_run *n, struct nic *i, struct netlink *nl, const struct nic_target *t,
		 struct err **e);
void child_undo(struct net_run *n, struct nic *i, struct netlink *nl, int netns_fd);
int phys_plan(struct net_run *n, struct nic *i, struct netlink *nl, struct err **e);
int phys_create(struct net_run *n, struct nic *i, struct netlink *nl, const struct nic_target *t,
		struct err **e);
void phys_undo(struct net_run *n, struct nic *i, struct netlink *nl, int netns_fd);

/* helper.c: a veth device through lxc-user-nic. */
int helper_plan(struct nic *i, struct err **e);
int helper_create(struct net_run *n, struct nic *i, const struct nic_target *t, struct err **e);
/* A bridge that the caller may use (new); NULL: none. */
char *helper_bridge(void);

/* user.c */
bool user_is_possible(void);
int user_plan(struct net_run *n, struct nic *i, struct netlink *nl, struct err **e);
int user_create(struct net_run *n, struct nic *i, struct netlink *nl, const struct nic_target *t, struct err **e);
void user_undo(struct net_run *n, struct nic *i, struct netlink *nl, int netns_fd);
int user_restart(struct net_run *n, struct nic *i, struct err **e);
/* After net_restore: watches the program if it still runs. */
void user_adopt(struct nic *i);
const char *user_program_name(const struct nic *i);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* network - the nics of one container: planned (does the bridge exist, is the name free, do the
 * addresses parse), created by the monitor, configured by init inside, deleted by the monitor. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "config/conf.h"
#include "kernel/spawn.h"

struct net_run;

/* Runs a script and waits for it; its output is collected. 0 with the wait status, -ETIMEDOUT with
 * or without *e set, -errno. */
typedef int (*net_runner)(void *arg, struct spawn *s, struct buf *output, int *ret_status, struct err **e);

/* False when the container stays in the caller's network namespace (every nic is of type none). */
bool net_wants_namespace(const struct conf *c);
/* Checks everything that can be checked without changing anything, with key and file:line: type
 * given, link exists and is a bridge, veth.pair free, names valid and unique, hwaddr and mtu valid,
 * gateway reachable, rights. A type or sub-key that this build does not implement is refused here. */
int net_plan(const struct conf *c, struct log *l, struct net_run **ret, struct err **e);
void net_free(struct net_run *n);
/* How scripts are run: the monitor serves its clients meanwhile. Without it they block the caller. */
void net_set_runner(struct net_run *n, net_runner fn, void *arg);
/* Monitor, after init exists in its network namespace: makes the devices, the far end directly in
 * netns_fd under its final name, MTU and address; bridge membership, host routes, then script.up.
 * envp: the hook environment. On failure what was made is deleted. */
int net_create(struct net_run *n, int netns_fd, pid_t init_pid, char *const *envp, struct err **e);
/* Whether net_create and net_destroy have anything to do. */
bool net_has_host_half(const struct net_run *n);
/* Init, inside: lo, addresses, up, routes, gateways. */
int net_inside(struct net_run *n, struct err **e);
/* Monitor, after the container's death (or a failed start): physical devices back, script.down,
 * host ends deleted. They are gone from the host when it returns; a thread sits through the kernel's
 * grace periods (10-50 ms), during which this process is multi-threaded. Idempotent. netns_fd stays
 * the caller's; the namespace's own devices vanish when the last reference to it is closed. */
void net_destroy(struct net_run *n, int netns_fd, char *const *envp);
/* net_destroy leaves deleting to processes that are born in this v2 cgroup (borrowed; -1: the caller's). */
void net_set_birth(struct net_run *n, int cgroup_fd);
/* Sees to it that what net_destroy has left to others gets done: to be called before the process ends, and before
 * anything else is made (wait: not before it is done). */
void net_finish(bool wait);
/* Writes generated names (veth.pair, name) into c, so that running config items show them. */
int net_publish(const struct net_run *n, struct conf *c);
/* For the state file: one line per nic; an adopting monitor gets it back. */
int net_save(const struct net_run *n, struct buf *b);
int net_restore(const struct conf *c, const char *text, struct log *l, struct net_run **ret, struct err **e);
/* Interfaces and addresses in another network namespace, without forking where the kernel can
 * (target netns id), else by a short child. names: all, lo included. addrs: as text without
 * prefix; ifname NULL: all but lo; family AF_UNSPEC: both; scope: IPv6 scope id. */
int net_list_interfaces(int netns_fd, struct strv *names, struct err **e);
int net_list_addresses(int netns_fd, const char *ifname, int family, int scope, struct strv *addrs,
		       struct err **e);
/* Before net_create: nothing in the container will ask for an address by itself. */
void net_set_application(struct net_run *n);
/* User-mode networking: a program serves the container's nic. */
bool net_has_helper(const struct net_run *n);
/* Its pidfd (borrowed), readable when it has ended; -EBADF: none runs. */
int net_helper_fd(const struct net_run *n);
int net_helper_restart(struct net_run *n, pid_t init_pid, struct err **e);
/* "pasta"; NULL: none. */
const char *net_helper_name(const struct net_run *n);
/* What an ordinary user's container can have: NET_VETH with the bridge in *ret_link (new), NET_USER, or
 * NET_EMPTY. */
enum conf_net_type net_for_caller(char **ret_link);

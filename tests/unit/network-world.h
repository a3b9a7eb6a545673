/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* network-world - two private network namespaces for tests of lib/network: one plays the host, one
 * the guest; and a configuration that is filled nic by nic. For children of unit_child_ns. */
#pragma once
#include "harness/unit.h"
#include "network/nic.h"

struct world {
	struct conf c;
	int host, guest;	/* namespaces */
	struct netlink nl;	/* in the host's */
	struct net_run *run;
	struct err *e;
};

void world_enter(int ns);
void world_say(const char *path, const char *value);
int world_open_net(void);
/* Device of a kind, up. Its number. */
int world_add_device(struct world *w, const char *name, const char *kind);
void world_set_up(struct world *w);
struct conf_net *world_add_nic(struct world *w, enum conf_net_type type, const char *link);
struct conf_addr world_address(const char *text, unsigned prefix);
void world_add_address(struct conf_addrs *list, const char *text, unsigned prefix);
void world_plan(struct world *w);
/* Both halves, as monitor and init do them. */
void world_create(struct world *w);
/* What a monitor does, and the end of what it has others do. */
void world_destroy(struct net_run *n, int guest, char *const *envp);
/* An interface that must be there, in one of the namespaces. */
struct link world_look(struct world *w, int ns, const char *name);
bool world_exists(struct world *w, const char *name);
/* The plan must fail, with this id and this text. */
void world_refuse(struct world *w, const char *id, const char *text);

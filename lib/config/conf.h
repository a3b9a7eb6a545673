/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* conf - what a container's configuration says, grouped by subject. Every value remembers the file
 * and line it came from. No behaviour but life and death; parsing is reader.h and key.h. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strv.h"
#include "base/vec.h"
#include "kernel/idmap.h"
#include "kernel/ns.h"

struct conf_str {
	char *v;		/* NULL: unset */
	struct origin at;
};

/* Numbers, booleans, signals, sizes, levels: v holds the key's default until set. */
struct conf_num {
	int64_t v;
	bool set;
	struct origin at;
};

/* One line of a list key. key: the part after the prefix (lxc.sysctl.KEY), NULL for plain lists. */
struct conf_item {
	char *key;
	char *value;
	struct origin at;
};
struct conf_list {
	VEC(struct conf_item);
};

enum conf_hook {
	HOOK_PRE_START,
	HOOK_PRE_MOUNT,
	HOOK_MOUNT,
	HOOK_AUTODEV,
	HOOK_START_HOST,
	HOOK_START,
	HOOK_STOP,
	HOOK_POST_STOP,
	HOOK_CLONE,
	HOOK_DESTROY,
	HOOK_COUNT
};

struct conf_idmap {
	bool gid;
	uint32_t nsid, hostid, range;
	struct origin at;
};

/* lxc.mount.auto, one value per class; the last word of a class wins. */
enum conf_auto { AUTO_NONE, AUTO_RO, AUTO_RW, AUTO_MIXED };
enum conf_auto_cgroup {
	CGAUTO_NONE,
	CGAUTO_DEFAULT,		/* "cgroup": rw if CAP_SYS_ADMIN is kept, else mixed */
	CGAUTO_RO,
	CGAUTO_RW,
	CGAUTO_MIXED,
	CGAUTO_FULL_DEFAULT,
	CGAUTO_FULL_RO,
	CGAUTO_FULL_RW,
	CGAUTO_FULL_MIXED,
	CGAUTO_V2,		/* "cgroup2" */
	CGAUTO_V2_RO,		/* "cgroup2:ro" */
};

enum conf_net_type {
	NET_EMPTY,
	NET_NONE,
	NET_VETH,
	NET_MACVLAN,
	NET_IPVLAN,
	NET_VLAN,
	NET_PHYS,
	NET_USER,		/* user mode: a program of the user's carries the packets */
	NET_INVALID = -1,	/* type was cleared, or no type line was ever given (see type_set) */
};

struct conf_addr {
	int family;		/* AF_INET, AF_INET6 */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
	struct in_addr broadcast;	/* v4; computed when not given; 0 for /31 and /32 */
	bool broadcast_set;
	unsigned prefix;
	struct origin at;
};
struct conf_addrs {
	VEC(struct conf_addr);
};

struct conf_gateway {
	enum { GW_NONE, GW_ADDR, GW_AUTO, GW_DEV } kind;
	struct conf_addr addr;
	struct origin at;
};

struct conf_vlan_ids {
	VEC(struct conf_num);
};

struct conf_net {
	unsigned index;			/* N of lxc.net.N */
	enum conf_net_type type;
	bool type_set;
	struct conf_num up;		/* flags = up */
	struct conf_str link, name, hwaddr, mtu, script_up, script_down;
	struct conf_addrs ipv4, ipv6;
	struct conf_gateway gateway4, gateway6;
	struct conf_num l2proxy;
	struct conf_str veth_pair;
	struct conf_num veth_router;	/* 0 bridge, 1 router */
	struct conf_addrs veth_routes4, veth_routes6;
	struct conf_num veth_vlan_id;	/* -1: none */
	struct conf_vlan_ids veth_vlan_tagged;
	struct conf_num veth_rxqueues, veth_txqueues;
	struct conf_num macvlan_mode;	/* MACVLAN_MODE_* of <linux/if_link.h> */
	struct conf_num ipvlan_mode;	/* IPVLAN_MODE_* */
	struct conf_num ipvlan_isolation; /* 0 bridge, 1 private, 2 vepa */
	struct conf_num vlan_id;
	struct conf_list publish;	/* [ADDRESS:]PORT[-PORT][:PORT][/tcp|/udp] */
	struct origin at;		/* of the first line of this nic */
};

struct conf_net_list {
	VEC(struct conf_net);		/* sorted by index */
};

struct conf_idmaps {
	VEC(struct conf_idmap);
};

struct conf {
	char *name;			/* container name, owned; NULL until known */
	char *lxcpath;			/* owned; NULL until known */
	struct strv files;		/* interned names that struct origin borrows; main file first */
	uint32_t file_uid;		/* whose the main file was when it was read */
	bool file_open;			/* everybody might write to it */
	struct strv text;		/* the unexpanded text, line by line without newline */

	struct conf_num arch;		/* personality(2) value; -1 unset */
	struct conf_str uts_name;
	struct conf_str init_cmd, execute_cmd, init_cwd;
	struct conf_num init_uid, init_gid;
	struct conf_list init_groups;	/* one gid per item, decimal */
	struct conf_num ephemeral;
	struct conf_list group;
	struct conf_num start_auto, start_delay, start_order;
	struct conf_list start_after, start_requires;	/* a container's name per item */
	struct conf_list start_ready;	/* "network", "init", "port:N" or "command:COMMAND" per item */
	struct conf_num sched_core, no_new_privs;
	struct conf_num monitor_unshare, monitor_pdeath;	/* pdeath: signal, 0 (default) none */
	struct conf_num signal_halt, signal_reboot, signal_stop;	/* 0: unset */

	struct conf_str console_path, console_logfile;
	struct conf_num console_rotate, console_size, console_buffer_size;
	struct conf_num tty_max, pty_max;
	struct conf_str tty_dir;

	struct conf_str log_file, log_syslog;
	struct conf_num log_level;	/* enum log_level; LOG_NOTSET when unset */

	struct conf_list environment, environment_runtime, environment_hooks;	/* "NAME=value" */
	struct conf_list hooks[HOOK_COUNT];
	struct conf_num hook_version;

	struct conf_num ns_clone, ns_keep;	/* masks of CLONE_NEW*; 0 = not given */
	struct conf_str ns_share[NS_COUNT];
	/* The seconds and the nanoseconds of an offset are separate fields; the unit decides which. */
	struct conf_num time_boot_s, time_boot_ns, time_monotonic_s, time_monotonic_ns;
	struct conf_idmaps idmap;

	struct conf_list cap_drop, cap_keep;	/* words as typed */
	bool cap_keep_mode;			/* true after any cap.keep, also "none" */

	struct conf_list cgroup2, cgroup1;	/* key: file; in file order */
	struct conf_str cgroup_dir, cgroup_dir_monitor, cgroup_dir_monitor_pivot, cgroup_dir_container,
		cgroup_dir_container_inner;
	struct conf_num cgroup_relative;

	struct conf_list prlimit, sysctl, proc;	/* key and value; values canonical */

	struct conf_str rootfs_type;		/* "dir", ...; unset: probe */
	struct conf_str rootfs_path;		/* without the type prefix */
	struct conf_str rootfs_mount, rootfs_options;
	struct conf_num rootfs_managed;
	struct conf_str mount_fstab;
	struct conf_list mount_entry;
	enum conf_auto auto_proc, auto_sys;
	enum conf_auto_cgroup auto_cgroup;
	bool auto_cgroup_force;
	struct conf_str shmounts_host, shmounts_container;
	struct origin auto_at;			/* last lxc.mount.auto line */
	struct conf_num autodev, autodev_tmpfs_size;

	struct conf_str apparmor_profile;
	struct conf_num apparmor_allow_incomplete, apparmor_allow_nesting;
	struct conf_list apparmor_raw;
	struct conf_str selinux_context, selinux_keyring;
	struct conf_str seccomp_profile;
	struct conf_num seccomp_allow_nesting;
	struct conf_str seccomp_proxy, seccomp_cookie;	/* proxy: text after "unix:" */
	struct conf_num keyring_disable;

	struct conf_net_list nets;
	struct {
		VEC(unsigned);
	} legacy_nets;			/* indexes of the nics that lxc.network.* lines made */
	struct strv legacy_said;	/* the old keys that a warning was given for */
};

/* NULL when out of memory. */
struct conf *conf_new(void);
void conf_free(struct conf *c);
static inline void auto_conf_fn(struct conf **c)
{
	conf_free(*c);
}
#define auto_conf __attribute__((cleanup(auto_conf_fn)))
/* The interned copy of a file name (borrowed from c); NULL when out of memory. */
const char *conf_intern(struct conf *c, const char *file);
/* lxc.namespace.share of any kind. */
static inline bool conf_shares_namespaces(const struct conf *c)
{
	for (int i = 0; i < NS_COUNT; i++)
		if (c->ns_share[i].v)
			return true;
	return false;
}

/* Hooks that run inside while the container is set up. */
static inline bool conf_has_setup_hooks(const struct conf *c)
{
	return c->hooks[HOOK_PRE_MOUNT].n || c->hooks[HOOK_MOUNT].n || c->hooks[HOOK_AUTODEV].n;
}

/* True if any idmap line was given: a user namespace is wanted. */
static inline bool conf_is_mapped(const struct conf *c)
{
	return c->idmap.n > 0;
}
/* Whether the container's root keeps a capability (CAP_*) of his user namespace. */
bool conf_keeps_cap(const struct conf *c, int cap);
/* The lxc.idmap lines as kernel/idmap.h takes them (release with idmap_done). 0 or -ENOMEM. */
int conf_idmap(const struct conf *c, struct idmap *ret);

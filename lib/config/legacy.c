/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* Keys of releases before 3.0, taken as their modern equivalents with one warning each. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/str.h"
#include "config/type.h"

#undef LOG_CATEGORY
#define LOG_CATEGORY "conf"

static const struct {
	const char *old, *new; /* new NULL: the key has lost its meaning */
} renames[] = {
	{ "lxc.rootfs", "lxc.rootfs.path" },
	{ "lxc.id_map", "lxc.idmap" },
	{ "lxc.utsname", "lxc.uts.name" },
	{ "lxc.pts", "lxc.pty.max" },
	{ "lxc.tty", "lxc.tty.max" },
	{ "lxc.devttydir", "lxc.tty.dir" },
	{ "lxc.console", "lxc.console.path" },
	{ "lxc.mount", "lxc.mount.fstab" },
	{ "lxc.aa_profile", "lxc.apparmor.profile" },
	{ "lxc.aa_allow_incomplete", "lxc.apparmor.allow_incomplete" },
	{ "lxc.se_context", "lxc.selinux.context" },
	{ "lxc.seccomp", "lxc.seccomp.profile" },
	{ "lxc.haltsignal", "lxc.signal.halt" },
	{ "lxc.rebootsignal", "lxc.signal.reboot" },
	{ "lxc.stopsignal", "lxc.signal.stop" },
	{ "lxc.logfile", "lxc.log.file" },
	{ "lxc.loglevel", "lxc.log.level" },
	{ "lxc.syslog", "lxc.log.syslog" },
	{ "lxc.init_cmd", "lxc.init.cmd" },
	{ "lxc.init_uid", "lxc.init.uid" },
	{ "lxc.init_gid", "lxc.init.gid" },
	{ "lxc.pivotdir", NULL },
	{ "lxc.kmsg", NULL },
};

/* Sub-keys of interfaces whose name changed. */
static const struct {
	const char *old, *new;
} net_renames[] = {
	{ "ipv4", "ipv4.address" },
	{ "ipv6", "ipv6.address" },
	{ "vlan", "vlan.id" },
};

#define NET_OLD "lxc.network"
#define BACKEND "lxc.rootfs.backend"
#define LIMIT	"lxc.limit."
#define PTYS_UNLIMITED 1024
#define PTYS_TEXT "1024"

static bool is_net(const char *key)
{
	const char *rest = str_after(key, NET_OLD);

	return rest && (*rest == '\0' || *rest == '.');
}

static bool rename_find(const char *key, size_t *ret)
{
	for (*ret = 0; *ret < ARRAY_SIZE(renames); (*ret)++)
		if (strcmp(renames[*ret].old, key) == 0)
			return true;
	return false;
}

bool legacy_is_key(const char *key)
{
	size_t i;

	return rename_find(key, &i) || is_net(key) || strcmp(key, BACKEND) == 0 ||
	       (str_after(key, LIMIT) && key[strlen(LIMIT)]);
}

static const char *net_sub(const char *old)
{
	for (size_t i = 0; i < ARRAY_SIZE(net_renames); i++)
		if (strcmp(net_renames[i].old, old) == 0)
			return net_renames[i].new;
	return old;
}

/* Position of the interface that "N.SUB" or "SUB" speaks of; *ret_sub. -EINVAL: there is none. */
static int net_position(const struct conf *c, const char *rest, size_t *ret, const char **ret_sub)
{
	size_t n = strspn(rest, "0123456789");
	uint64_t v;

	*ret_sub = rest;
	*ret = c->legacy_nets.n - 1;
	if (n && (rest[n] == '.' || !rest[n])) {
		auto_free char *digits = strndup(rest, n);

		*ret_sub = rest[n] ? rest + n + 1 : "";
		if (!digits || num_u64(digits, 10, INT_MAX, &v) < 0)
			return -EINVAL;
		*ret = (size_t)v;
	}
	return *ret < c->legacy_nets.n ? 0 : -EINVAL;
}

char *legacy_name(const struct conf *c, const char *key)
{
	const char *rest = str_after(key, LIMIT), *sub;
	char *name = NULL;
	size_t i;
	int n = -1;

	if (rest && *rest) {
		n = asprintf(&name, "lxc.prlimit.%s", rest);
	} else if (rename_find(key, &i)) {
		return renames[i].new ? strdup(renames[i].new) : NULL;
	} else if (strcmp(key, NET_OLD) == 0) {
		return strdup("lxc.net");
	} else if (is_net(key)) {
		if (net_position(c, key + strlen(NET_OLD) + 1, &i, &sub) < 0)
			return NULL;
		n = asprintf(&name, "lxc.net.%u%s%s", c->legacy_nets.v[i], *sub ? "." : "", net_sub(sub));
	}
	return n < 0 ? NULL : name;
}

/* "FILE:LINE: OLD ...", for the first line of each key. new NULL: it is ignored. */
static int warn(struct conf *c, struct log *l, struct origin at, const char *old, const char *new)
{
	const char *what = new ? "is an old name; it is taken as " : "has had no effect since LXC 2.1 and is ignored";

	if (strv_has(&c->legacy_said, old))
		return 0;
	if (at.file)
		log_warn(l, "%s:%u: %s %s%s", at.file, at.line, old, what, new ? new : "");
	else
		log_warn(l, "%s %s%s", old, what, new ? new : "");
	return strv_add(&c->legacy_said, old);
}

/* lxc.rootfs.backend: the type of a root that does not name its own, in either order. */
static int set_backend(struct conf *c, const char *value, struct origin at, struct log *l, struct err **e)
{
	auto_free char *spec = NULL;

	if (warn(c, l, at, BACKEND, "the prefix of lxc.rootfs.path") < 0)
		return err_no_memory(e);
	if (!*value)
		return 0;
	if (asprintf(&spec, "%s:", value) < 0)
		return err_no_memory(e);
	if (rootfs_type_prefix(spec) != strlen(spec))
		return err_bad_value(e, EINVAL, BACKEND, value, "there is no such storage type",
				     "use one of: dir zfs lvm rbd btrfs overlay overlayfs loop nbd");
	if (c->rootfs_type.v)
		return 0;
	return str_assign(&c->rootfs_type, value, at) < 0 ? err_no_memory(e) : 0;
}

/* A type line begins the next interface. */
static int new_nic(struct reader *r, struct conf *c, const char *key, const char *value, struct origin at,
		   struct log *l, struct err **e)
{
	unsigned index = c->nets.n ? c->nets.v[c->nets.n - 1].index + 1 : 0;
	auto_free char *name = NULL;
	int ret;

	if (asprintf(&name, "lxc.net.%u.type", index) < 0 || warn(c, l, at, key, name) < 0)
		return err_no_memory(e);
	ret = key_assign(r, c, name, value, at, l, e);
	if (ret < 0)
		return ret;
	return VEC_PUSH(&c->legacy_nets, index) < 0 ? err_no_memory(e) : 0;
}

static int set_net(struct reader *r, struct conf *c, const char *key, const char *value, struct origin at,
		   struct log *l, struct err **e)
{
	const char *rest = key[strlen(NET_OLD)] ? key + strlen(NET_OLD) + 1 : "", *sub;
	auto_free char *name = NULL;
	size_t i;
	int found;

	if (!*rest || (strcmp(rest, "type") == 0 && !*value)) {
		if (warn(c, l, at, key, "lxc.net") < 0)
			return err_no_memory(e);
		return key_assign(r, c, "lxc.net", value, at, l, e);
	}
	if (strcmp(rest, "type") == 0)
		return new_nic(r, c, key, value, at, l, e);
	found = net_position(c, rest, &i, &sub);
	if (found < 0 && strcmp(sub, "type") == 0 && i == c->legacy_nets.n)
		return new_nic(r, c, key, value, at, l, e);
	if (found < 0)
		return err_bad_value(e, EINVAL, key, value, "there is no interface that it could belong to",
				     "write lxc.network.type = veth before it");
	name = legacy_name(c, key);
	if (!name || warn(c, l, at, key, name) < 0)
		return err_no_memory(e);
	return key_assign(r, c, name, value, at, l, e);
}

/* lxc.pts never limited anything: any number but 0 meant a devpts of the container's own. */
const char *legacy_value(const char *key, const char *value)
{
	uint64_t n;

	if (strcmp(key, "lxc.pts") == 0 && num_u64(value, 10, PTYS_UNLIMITED, &n) == 0 && n)
		return PTYS_TEXT;
	return value;
}

int legacy_assign(struct reader *r, struct conf *c, const char *key, const char *value, struct origin at,
		  struct log *l, struct err **e)
{
	auto_free char *name = NULL;
	size_t i;

	if (is_net(key))
		return set_net(r, c, key, value, at, l, e);
	if (strcmp(key, BACKEND) == 0)
		return set_backend(c, value, at, l, e);
	if (rename_find(key, &i) && !renames[i].new)
		return warn(c, l, at, key, NULL) < 0 ? err_no_memory(e) : 0;
	name = legacy_name(c, key);
	if (!name || warn(c, l, at, key, name) < 0)
		return err_no_memory(e);
	return key_assign(r, c, name, legacy_value(key, value), at, l, e);
}

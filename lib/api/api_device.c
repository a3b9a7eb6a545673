/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_device - devices and network interfaces that are given to a running container. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "inside.h"
#include "kernel/link.h"
#include "kernel/netlink.h"
#include "kernel/openat.h"
#include "vtable.h"

struct device {
	const char *path;	/* inside */
	struct stat st;		/* of the host's node */
	char rule[64];		/* "c 1:3 rwm" */
};

static int describe(struct call *k, const char *src, const char *dest, struct device *ret)
{
	if (!path_is_absolute(src) || (dest && !path_is_absolute(dest)))
		return err_set(&k->e, EINVAL, NULL, "%s is not an absolute path",
			       path_is_absolute(src) ? dest : src);
	if (stat(src, &ret->st) < 0)
		return err_set(&k->e, errno, NULL, "cannot use %s", src);
	if (!S_ISCHR(ret->st.st_mode) && !S_ISBLK(ret->st.st_mode))
		return err_not_a_device(&k->e, src);
	ret->path = dest ? dest : src;
	(void)snprintf(ret->rule, sizeof(ret->rule), "%c %u:%u rwm", S_ISCHR(ret->st.st_mode) ? 'c' : 'b',
		       major(ret->st.st_rdev), minor(ret->st.st_rdev));
	return 0;
}

/* Removes a node or another leaf at name; never a directory. */
static int clear_place(struct call *k, const char *path, int dir, const char *name)
{
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return err_set(&k->e, errno, NULL, "cannot replace %s in %s", path, k->name);
	return 0;
}

static int make_node(struct call *k, int root, const struct device *d)
{
	auto_free char *up = strndup(d->path, (size_t)(path_base(d->path) - d->path));
	const char *name = path_base(d->path);
	auto_close int dir = -EBADF;
	int r;

	if (!up)
		return err_no_memory(&k->e);
	if (!*name)
		return err_set(&k->e, EISDIR, NULL, "%s names a directory", d->path);
	dir = mkdir_in_root(root, up, 0755);
	if (dir < 0)
		return err_set(&k->e, -dir, NULL, "cannot make %s in %s", up, k->name);
	r = clear_place(k, d->path, dir, name);
	if (r < 0)
		return r;
	/* The mode is set by mknod less this process's umask; a device that fewer may use than on the
	 * host is the safe side. */
	if (mknodat(dir, name, d->st.st_mode, d->st.st_rdev) < 0)
		return err_set(&k->e, errno, NULL, "cannot make %s in %s", d->path, k->name);
	return 0;
}

static int remove_node(struct call *k, int root, const struct device *d)
{
	const char *name;
	auto_close int dir = open_parent_in_root(root, d->path, &name);

	if (dir == -ENOENT)
		return 0;
	if (dir < 0)
		return err_set(&k->e, -dir, NULL, "cannot open %s in %s", d->path, k->name);
	return clear_place(k, d->path, dir, name);
}

static int change_device(struct call *k, const char *src, const char *dest, bool add)
{
	auto_inside struct inside in = INSIDE_INIT;
	auto_close int root = -EBADF;
	struct device d;
	int r = inside_open(k, &in);

	if (r == 0)
		r = inside_need_root(k, add ? "adding a device" : "removing a device");
	if (r == 0)
		r = describe(k, src, dest, &d);
	if (r < 0)
		return r;
	if (add && ns_is_shared(in.pid, NS_USER) == 0)
		return err_device_in_userns(&k->e, k->name);
	root = inside_root(k, &in);
	if (root < 0)
		return root;
	r = add ? make_node(k, root, &d) : remove_node(k, root, &d);
	if (r < 0)
		return r;
	r = client_cgroup_set(&k->target, add ? "devices.allow" : "devices.deny", d.rule, &k->e);
	if (r < 0 && add) {
		struct err *first = take_ptr(k->e);

		(void)remove_node(k, root, &d);
		err_free(k->e);
		k->e = first;
	}
	return r;
}

bool api_add_device_node(struct lxc_container *c, const char *src_path, const char *dest_path)
{
	struct call k;
	int r;

	if (!src_path || !call_begin(&k, c))
		return false;
	r = change_device(&k, src_path, dest_path, true);
	return call_end(&k, r, "cannot add device %s to %s", src_path, k.name) == 0;
}

bool api_remove_device_node(struct lxc_container *c, const char *src_path, const char *dest_path)
{
	struct call k;
	int r;

	if (!src_path || !call_begin(&k, c))
		return false;
	r = change_device(&k, src_path, dest_path, false);
	return call_end(&k, r, "cannot remove device %s from %s", src_path, k.name) == 0;
}

/* Moves interface dev of the conversation's namespace to another one, down and under a new name. */
static int move_interface(struct call *k, struct netlink *nl, const char *dev, int netns, const char *name)
{
	struct link_change change = LINK_CHANGE_INIT;
	auto_netlink struct netlink there = NETLINK_INIT;
	struct link link;
	int r;

	if (!ifname_is_valid(name))
		return err_ifname_invalid(&k->e, name, "it is too long, empty, or has a character that is not allowed");
	r = link_get(nl, dev, &link, &k->e);
	if (r == 0)
		r = netlink_open_in(&there, netns, &k->e);
	if (r < 0)
		return r;
	/* The kernel would move it, and then refuse the name. */
	if (link_get(&there, name, &(struct link){ 0 }, NULL) == 0)
		return err_ifname_invalid(&k->e, name, "there is an interface of that name already");
	change.name = name;
	change.netns_fd = netns;
	change.down = true;
	return link_change(nl, link.index, &change, &k->e);
}

static int attach_interface(struct call *k, const char *dev, const char *name)
{
	auto_inside struct inside in = INSIDE_INIT;
	auto_netlink struct netlink nl = NETLINK_INIT;
	auto_close int netns = -EBADF;
	int r = inside_open(k, &in);

	if (r == 0)
		r = inside_need_root(k, "giving an interface away");
	if (r < 0)
		return r;
	netns = inside_ns(k, &in, NS_NET);
	if (netns < 0)
		return netns;
	r = netlink_open(&nl, &k->e);
	return r < 0 ? r : move_interface(k, &nl, dev, netns, name);
}

static int detach_interface(struct call *k, const char *dev, const char *name)
{
	auto_close int theirs = -EBADF, ours = -EBADF;
	auto_inside struct inside in = INSIDE_INIT;
	auto_netlink struct netlink nl = NETLINK_INIT;
	int r = inside_open(k, &in);

	if (r == 0)
		r = inside_need_root(k, "taking an interface back");
	if (r < 0)
		return r;
	theirs = inside_ns(k, &in, NS_NET);
	if (theirs < 0)
		return theirs;
	ours = ns_open(getpid(), NS_NET, &k->e);
	if (ours < 0)
		return ours;
	r = netlink_open_in(&nl, theirs, &k->e);
	return r < 0 ? r : move_interface(k, &nl, dev, ours, name);
}

bool api_attach_interface(struct lxc_container *c, const char *dev, const char *dst_dev)
{
	struct call k;
	int r;

	if (!dev || !call_begin(&k, c))
		return false;
	r = attach_interface(&k, dev, dst_dev ? dst_dev : dev);
	return call_end(&k, r, "cannot move interface %s into %s", dev, k.name) == 0;
}

bool api_detach_interface(struct lxc_container *c, const char *dev, const char *dst_dev)
{
	struct call k;
	int r;

	if (!dev || !call_begin(&k, c))
		return false;
	r = detach_interface(&k, dev, dst_dev ? dst_dev : dev);
	return call_end(&k, r, "cannot take interface %s back from %s", dev, k.name) == 0;
}

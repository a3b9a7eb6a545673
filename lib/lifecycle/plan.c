/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/paths.h"
#include "base/str.h"
#include "config/check.h"
#include "config/system.h"
#include "kernel/caps.h"
#include "kernel/host.h"
#include "kernel/ns.h"
#include "kernel/openat.h"
#include "lifecycle/early_net.h"
#include "lifecycle/guest.h"
#include "lifecycle/init_check.h"
#include "lifecycle/mount_entry.h"

#undef LOG_CATEGORY
#define LOG_CATEGORY "plan"
#define DEFAULT_INIT "/sbin/init"

static int plan_places(struct run *r, struct err **e)
{
	r->dir = path_join(r->lxcpath, r->name);
	r->rundir = system_rundir(e);
	if (!r->rundir)
		return -EIO;
	return r->dir ? 0 : err_no_memory(e);
}

static int plan_log(struct run *r, struct err **e)
{
	const struct conf *c = r->conf;
	int rc;

	/* What the command line asked for beats the configuration. */
	if (c->log_level.set && r->log.fd < 0)
		r->log.level = (int)c->log_level.v;
	r->log.syslog = c->log_syslog.v;
	if (!r->log.name && str_set(&r->log.name, r->name) < 0)
		return err_no_memory(e);
	if (r->log.fd >= 0 || !c->log_file.v)
		return 0;
	rc = log_open(&r->log, c->log_file.v, e);
	return rc < 0 ? err_wrap_at(e, rc, c->log_file.at, "opening lxc.log.file") : 0;
}

/* What becomes pid 1: the call's words, else the configuration's, else /sbin/init. */
static int plan_argv(struct run *r, struct err **e)
{
	const struct conf *c = r->conf;
	const struct conf_str *cmd = &c->init_cmd;
	int rc;

	if (r->argv.n && !c->rootfs_path.v &&
	    (STREQ(path_base(r->argv.v[0]), "init") || STREQ(path_base(r->argv.v[0]), "systemd")))
		return err_no_rootfs(e, r->name, r->lxcpath);
	if (r->argv.n)
		return 0;
	if (r->application && c->execute_cmd.v)
		cmd = &c->execute_cmd;
	r->from_config = true;
	if (!cmd->v && r->application)
		return err_nothing_to_execute(e, r->name);
	/* The host's own init on the host's files would run its boot, with all that that removes. */
	if (!cmd->v && !c->rootfs_path.v)
		return err_no_rootfs(e, r->name, r->lxcpath);
	if (!cmd->v)
		return strv_add(&r->argv, DEFAULT_INIT) < 0 ? err_no_memory(e) : 0;
	rc = str_words(&r->argv, cmd->v);
	if (rc == -ENOMEM)
		return err_no_memory(e);
	if (rc < 0 || !r->argv.n || !*r->argv.v[0])
		return err_at(e, err_init_command_bad(e, cmd->v), cmd->at);
	return 0;
}

static int plan_idmap(struct run *r, struct err **e)
{
	if (conf_to_idmap(r->conf, &r->idmap) < 0)
		return err_no_memory(e);
	return r->idmap.n ? idmap_check(&r->idmap, e) : 0;
}

static uint64_t default_namespaces(const struct run *r)
{
	const struct conf *c = r->conf;
	uint64_t flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC;

	if (run_is_mapped(r))
		flags |= CLONE_NEWUSER;
	if (net_wants_namespace(c))
		flags |= CLONE_NEWNET;
	if (ns_is_known(NS_CGROUP))
		flags |= CLONE_NEWCGROUP;
	if (c->time_boot_s.v || c->time_boot_ns.v || c->time_monotonic_s.v || c->time_monotonic_ns.v)
		flags |= CLONE_NEWTIME;
	return flags;
}

static int plan_namespaces(struct run *r, struct err **e)
{
	const struct conf *c = r->conf;
	uint64_t all = default_namespaces(r), every = 0, flags = all;

	for (int i = 0; i < NS_COUNT; i++)
		every |= (uint64_t)ns_table[i].flag;
	if (c->ns_clone.set && c->ns_clone.v)
		flags = (uint64_t)c->ns_clone.v;
	else if (c->ns_keep.set && c->ns_keep.v)
		flags = every & ~(uint64_t)c->ns_keep.v;
	/* Without ids a user namespace cannot run anything, without an offset a time one does nothing. */
	flags &= ~((CLONE_NEWUSER | CLONE_NEWTIME) & ~all);
	if (run_is_mapped(r) && !(flags & CLONE_NEWUSER) && !c->ns_share[NS_USER].v)
		return err_at(e, err_namespaces_conflict(e, "lxc.idmap", "lxc.namespace.clone/keep without user"),
			      c->ns_clone.set ? c->ns_clone.at : c->ns_keep.at);
	if ((all & CLONE_NEWTIME) && !(flags & CLONE_NEWTIME))
		return err_at(e, err_namespaces_conflict(e, "lxc.time.offset", "lxc.namespace.keep = time"),
			      c->ns_keep.at);
	for (int i = 0; i < NS_COUNT; i++)
		if (c->ns_share[i].v)
			flags &= ~(uint64_t)ns_table[i].flag;
	r->all_flags = flags;
	r->late_flags = flags & (CLONE_NEWCGROUP | CLONE_NEWTIME);
	r->net_late = (flags & CLONE_NEWUSER) && (flags & CLONE_NEWNET);
	r->clone_flags = flags & ~(r->late_flags | (r->net_late ? CLONE_NEWNET : 0));
	return 0;
}

/* The bits of the bounding set to drop. */
static int plan_caps(struct run *r, struct err **e)
{
	const struct conf *c = r->conf;
	const struct conf_list *l = c->cap_keep_mode ? &c->cap_keep : &c->cap_drop;
	int last = caps_last();
	uint64_t named = 0, all = last >= 63 ? UINT64_MAX : (UINT64_C(1) << (last + 1)) - 1;

	for (size_t i = 0; i < l->n; i++) {
		int cap;

		if (strcmp(l->v[i].value, "none") == 0) {
			named = 0;
			continue;
		}
		if (caps_parse(l->v[i].value, &cap) < 0 || cap > last)
			return err_at(e, err_cap_unknown(e, l->v[i].value), l->v[i].at);
		named |= UINT64_C(1) << cap;
	}
	r->caps_drop = c->cap_keep_mode ? all & ~named : named;
	return 0;
}

int plan_devices(struct run *r, struct err **e)
{
	const struct conf *c = r->conf;

	/* Without a root of its own the host's /dev is what there is, unless asked for otherwise. */
	r->autodev = c->autodev.v && (r->storage || c->autodev.set);
	r->tty_count = r->storage && !r->application ? (unsigned)c->tty_max.v : 0;
	if (c->tty_max.v > TTY_MAX)
		return err_at(e, err_set(e, ERANGE, "tty-max", "lxc.tty.max = %lld is more than %d",
					 (long long)c->tty_max.v, TTY_MAX),
			      c->tty_max.at);
	r->pty_max = (unsigned)c->pty_max.v;
	r->has_devpts = r->storage && r->pty_max > 0;
	r->want_console = r->storage && !(c->console_path.v && strcmp(c->console_path.v, "none") == 0);
	/* The host's devpts has no node for a mapped root that an ordinary user could give away. */
	r->console_from_host = !r->storage || (r->pty_max <= 1 && !r->caller_mounts);
	/* An application in the foreground keeps pipes and files as they are; a terminal of the caller
	 * never reaches the container: the console takes its place. */
	for (int i = 0; i < 3; i++) {
		r->stdio_tty[i] = r->application && r->foreground && isatty(i);
		r->want_console |= r->stdio_tty[i];
	}
	return 0;
}

/* Where the root can be seen from here, look at init now: nothing is made for a container that
 * cannot run. A mount, a hook or another back end may still bring init in: then init looks itself. */
static int plan_init(struct run *r, struct err **e)
{
	const struct conf *c = r->conf;
	auto_close int root = -EBADF;
	auto_err struct err *mine = NULL;
	int rc;

	if (!r->storage || r->application || strcmp(storage_type(r->storage), "dir") != 0)
		return 0;
	if (c->hooks[HOOK_PRE_MOUNT].n || c->hooks[HOOK_MOUNT].n || c->hooks[HOOK_PRE_START].n || r->mounts.n)
		return 0;
	root = open(storage_source(r->storage), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return 0;
	rc = init_check(root, storage_source(r->storage), r->argv.v[0], &mine);
	if (rc < 0 && r->from_config && c->init_cmd.v)
		err_at(&mine, rc, c->init_cmd.at);
	if (rc < 0)
		err_move(e, take_ptr(mine));
	return rc;
}

/* A systemd in the root has to get along with this host's cgroups. */
static int plan_guest(struct run *r, struct err **e)
{
	auto_close int root = -EBADF;
	unsigned systemd;

	if (!r->storage || r->application || strcmp(storage_type(r->storage), "dir") != 0)
		return 0;
	root = open(storage_source(r->storage), O_PATH | O_DIRECTORY | O_CLOEXEC);
	systemd = root < 0 ? 0 : guest_systemd(root, r->argv.v[0]);
	if (systemd)
		log_info(&r->log, "the container's init is systemd, version %s%u", systemd == 230 ? "up to " : "", systemd);
	if (systemd && geteuid() != 0 && !cgroup_is_usable(r->cgroups))
		return err_guest_needs_cgroup(e, storage_source(r->storage));
	if (systemd >= GUEST_SYSTEMD_V2_ONLY)
		cgroup_unified_only(r->cgroups);
	return systemd ? guest_check_cgroups(root, storage_source(r->storage), systemd, cgroup_is_unified(r->cgroups), e) :
			 0;
}

static int plan_seccomp(struct run *r, struct err **e)
{
	auto_free char *dir = NULL;

	if (!r->conf->seccomp_profile.v)
		return 0;
	if (asprintf(&dir, "%s/lxc/seccomp", r->rundir) < 0)
		return err_no_memory(e);
	return seccomp_compile(r->conf, dir, &r->log, &r->seccomp, e);
}

static bool has_scripts(const struct conf *c)
{
	for (size_t i = 0; i < c->nets.n; i++)
		if (c->nets.v[i].script_up.v)
			return true;
	return false;
}

static bool has_cgroup_entries(const struct run *r)
{
	for (size_t i = 0; i < r->mounts.n; i++)
		if (str_after(r->mounts.v[i].type, "cgroup"))
			return true;
	return false;
}

/* Only where nobody sees it: nothing of the user's or of the guest's runs, and no cgroups are mounted, before init is where it
 * belongs. A mapped init may no longer move itself by what the monitor opened. */
static bool may_cgroups_be_late(const struct run *r)
{
	const struct conf *c = r->conf;

	return cgroup_may_be_later(r->cgroups) && (r->late_flags & CLONE_NEWCGROUP) && (r->all_flags & CLONE_NEWNS) &&
	       !run_is_mapped(r) && !cgroup_wants_mount(r->cgroups, c, true) && !has_cgroup_entries(r) && !conf_has_setup_hooks(c) &&
	       !conf_shares_namespaces(c) && !has_scripts(c);
}

int plan_make(struct run *r, struct err **e)
{
	const struct conf *c = r->conf;
	int rc;

	r->caller_mounts = c->idmap.n && !caps_has(CAP_SYS_ADMIN);
	if ((rc = plan_places(r, e)) < 0 || (rc = plan_log(r, e)) < 0 || (rc = conf_check(c, &r->log, e)) < 0 ||
	    (rc = plan_argv(r, e)) < 0 || (rc = plan_idmap(r, e)) < 0 || (rc = plan_namespaces(r, e)) < 0)
		return rc;
	if (r->starts && early_net_pays())
		early_net_begin(r);
	if ((rc = plan_caps(r, e)) < 0 || (rc = storage_resolve(c, &r->log, &r->storage, e)) < 0 ||
	    (rc = storage_choose_idmap(r->storage, c, &r->idmap, &r->log, e)) < 0 || (rc = plan_devices(r, e)) < 0 ||
	    (rc = mount_entries_plan(r, e)) < 0 || (rc = plan_init(r, e)) < 0 ||
	    (rc = cgroup_plan(c, &r->log, &r->cgroups, e)) < 0 || (rc = plan_guest(r, e)) < 0)
		return rc;
	if ((r->all_flags & CLONE_NEWNET) && (rc = net_plan(c, &r->log, &r->net, e)) < 0)
		return rc;
	if ((rc = lsm_plan(c, &r->log, &r->lsm, e)) < 0 || (rc = plan_seccomp(r, e)) < 0)
		return rc;
	r->cgroups_late = !r->restores && may_cgroups_be_late(r);
	cgroup_leave_rest(r->cgroups, r->cgroups_late);
	/* Without a pre-mount hook nothing can change what is mounted; and the map of an idmapped root can
	 * only be made out here. */
	r->early_mounts = !c->hooks[HOOK_PRE_MOUNT].n || storage_wants_userns(r->storage) ||
			  (storage_wants_host(r->storage) && conf_is_mapped(c));
	return 0;
}

static void explain_namespaces(const struct run *r, struct buf *out)
{
	buf_adds(out, "namespaces  ");
	for (int i = 0; i < NS_COUNT; i++) {
		if (r->all_flags & (uint64_t)ns_table[i].flag)
			buf_addf(out, "%s ", ns_table[i].name);
		else if (r->conf->ns_share[i].v)
			buf_addf(out, "%s(of %s) ", ns_table[i].name, r->conf->ns_share[i].v);
	}
	buf_addc(out, '\n');
}

static void explain_nic(const struct run *r, const struct conf_net *n, struct buf *out)
{
	const char *link = n->link.v ? n->link.v : "none";

	if (n->type == NET_USER)
		link = net_helper_name(r->net) ? net_helper_name(r->net) : "none";
	buf_addf(out, "network     lxc.net.%u, %s %s", n->index, n->type == NET_USER ? "user mode by" : "link", link);
	for (size_t i = 0; i < n->publish.n; i++)
		buf_addf(out, "%s %s", i ? "," : ", ports", n->publish.v[i].value);
	buf_addc(out, '\n');
}

void plan_explain(const struct run *r, struct buf *out)
{
	auto_free char *argv = strv_join(&r->argv, " ");

	buf_addf(out, "container   %s in %s\n", r->name, r->lxcpath);
	buf_addf(out, "init        %s%s\n", argv ? argv : "", r->application ? " (below our own pid 1)" : "");
	if (r->storage)
		buf_addf(out, "root        %s (%s%s)\n", storage_source(r->storage), storage_type(r->storage),
			 storage_is_idmapped(r->storage) ? ", its mount shifts ids" : "");
	else
		buf_adds(out, "root        the host's\n");
	explain_namespaces(r, out);
	for (size_t i = 0; i < r->idmap.n; i++)
		buf_addf(out, "ids         %s %u is host %u, %u of them\n", r->idmap.v[i].gid ? "gid" : "uid",
			 r->idmap.v[i].nsid, r->idmap.v[i].hostid, r->idmap.v[i].range);
	for (size_t i = 0; i < r->mounts.n; i++)
		buf_addf(out, "mount       %s on %s, type %s (%s:%u)\n", r->mounts.v[i].source,
			 r->mounts.v[i].target, r->mounts.v[i].type,
			 r->mounts.v[i].at.file ? r->mounts.v[i].at.file : "set", r->mounts.v[i].at.line);
	for (size_t i = 0; i < r->conf->nets.n; i++)
		explain_nic(r, &r->conf->nets.v[i], out);
	buf_addf(out, "cgroup      %s\n", cgroup_path(r->cgroups, NULL, false) ?
					       cgroup_path(r->cgroups, NULL, false) :
					       (cgroup_path(r->cgroups, "memory", false) ?
							cgroup_path(r->cgroups, "memory", false) :
							"none"));
	buf_addf(out, "profile     %s\n", r->lsm && *lsm_label(r->lsm) ? lsm_label(r->lsm) : "none");
	buf_addf(out, "seccomp     %u instructions\n", r->seccomp.len);
	buf_addf(out, "caps        %d dropped\n", __builtin_popcountll(r->caps_drop));
}

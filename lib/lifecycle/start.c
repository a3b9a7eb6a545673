/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/start.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/socket.h"

#undef LOG_CATEGORY
#define LOG_CATEGORY "start"

static bool has_storage(const struct run *r)
{
	return r->storage;
}
static bool has_network(const struct run *r)
{
	return r->net;
}
static bool has_host_network(const struct run *r)
{
	return r->net && net_has_host_half(r->net);
}
static bool has_tuning(const struct run *r)
{
	return r->conf->sched_core.v || r->conf->proc.n || r->conf->prlimit.n;
}
static bool has_start_host_hooks(const struct run *r)
{
	return r->conf->hooks[HOOK_START_HOST].n;
}
/* What the monitor does at the end it can do while init switches its root: init has made its devices and terminals, no program
 * of the guest's runs in between, and nothing of a later row is asked for. */
static bool has_quick_end(const struct run *r)
{
	return !r->conf->hooks[HOOK_START].n && !has_start_host_hooks(r) && !r->seccomp.notify && r->want_console;
}
static bool has_slow_end(const struct run *r)
{
	return !has_quick_end(r);
}
static bool has_quick_filter(const struct run *r)
{
	return has_quick_end(r) && cgroup_filters_devices(r->cgroups);
}
static bool has_slow_filter(const struct run *r)
{
	return !has_quick_end(r) && cgroup_filters_devices(r->cgroups);
}
static bool has_lsm(const struct run *r)
{
	return r->lsm;
}
static bool is_mapped(const struct run *r)
{
	return run_is_mapped(r);
}
static bool has_late_net(const struct run *r)
{
	return r->net_late;
}
static bool has_late_cgroups(const struct run *r)
{
	return r->cgroups_late;
}
static bool has_early_cgroups(const struct run *r)
{
	return !r->cgroups_late;
}
/* A cgroup namespace's root is where its maker is. */
static bool has_late_namespaces(const struct run *r)
{
	return r->late_flags && !r->cgroups_late;
}
static bool has_later_namespaces(const struct run *r)
{
	return r->late_flags && r->cgroups_late;
}
static bool has_hostname(const struct run *r)
{
	return r->conf->uts_name.v && (r->all_flags & CLONE_NEWUTS);
}
static bool has_autodev(const struct run *r)
{
	return r->autodev;
}
static bool wants_keyring(const struct run *r)
{
	return !r->conf->keyring_disable.v;
}
static bool has_entries(const struct run *r)
{
	return r->mounts.n;
}
static bool has_host_console(const struct run *r)
{
	return r->want_console && r->console_from_host;
}
static bool has_shared(const struct run *r)
{
	return conf_shares_namespaces(r->conf);
}
static bool has_caps(const struct run *r)
{
	return r->caps_drop;
}
static bool has_seccomp(const struct run *r)
{
	return r->seccomp.len;
}
static bool wants_nnp(const struct run *r)
{
	return r->conf->no_new_privs.v;
}
static bool has_caller_mounts(const struct run *r)
{
	return r->caller_mounts;
}
static bool has_own_mounts(const struct run *r)
{
	return r->all_flags & CLONE_NEWNS;
}

/* The start, in the order it happens. An undo belongs to its row: it accepts a half-done one. */
static const struct step steps[] = {
	{ SIDE_MONITOR, "opening the command socket", NULL, host_open_socket, host_close_socket },
	{ SIDE_MONITOR, "setting the state to STARTING", NULL, host_set_starting, NULL },
	{ SIDE_MONITOR, "running hooks pre-start", NULL, host_pre_start, NULL },
	{ SIDE_MONITOR, "allocating the console", has_host_console, host_console, NULL },
	{ SIDE_MONITOR, "preparing the security profile", has_lsm, host_load_profile, host_unload_profile },
	{ SIDE_MONITOR, "attaching storage", has_storage, host_attach_storage, host_detach_storage },
	{ SIDE_MONITOR, "creating cgroups", NULL, host_make_cgroups, host_remove_cgroups },
	{ SIDE_MONITOR, "opening namespaces to share", has_shared, host_open_shared, NULL },
	/* Sources are opened with the monitor's rights: a mapped root may not reach them by path. */
	{ SIDE_MONITOR, "preparing mounts", NULL, host_prepare_mounts, NULL },
	{ SIDE_MONITOR, "creating the first process", NULL, host_make_init, host_kill_init },
	{ SIDE_MONITOR, "writing uid and gid maps", is_mapped, host_map_ids, NULL },
	/* lo belongs to whom the maps say when it is made; and before init can no longer be looked into. */
	{ SIDE_INIT, "making the network namespace", has_late_net, init_unshare_net, NULL },
	{ SIDE_MONITOR, "keeping the network namespace", has_late_net, host_keep_net, NULL },
	/* Before init takes its cgroup namespace: its root is where init is then. */
	{ SIDE_MONITOR, "setting cgroup limits", has_early_cgroups, host_limit, NULL },
	{ SIDE_MONITOR, "creating network devices", has_host_network, host_make_network, host_remove_network },
	{ SIDE_MONITOR, "setting limits of the first process", has_tuning, host_tune_init, NULL },

	{ SIDE_INIT, "arming the death signal", NULL, init_arm, NULL },
	/* Its user is still the caller, who may go where no mapped id may; its capabilities are those of the
	 * new namespaces, in which the mounts are. */
	{ SIDE_INIT, "opening the caller's files", has_caller_mounts, init_prepare_mounts, NULL },
	{ SIDE_INIT, "becoming root of the user namespace", is_mapped, init_become_root, NULL },
	{ SIDE_INIT, "making cgroup and time namespaces", has_late_namespaces, init_unshare, NULL },
	{ SIDE_INIT, "mounting the root", has_own_mounts, init_mount_root, NULL },
	{ SIDE_INIT, "setting the host name", has_hostname, init_hostname, NULL },
	{ SIDE_INIT, "making a session keyring", wants_keyring, init_keyring, NULL },
	{ SIDE_INIT, "configuring the network", has_network, init_network, NULL },
	{ SIDE_INIT, "mounting /dev", has_autodev, init_mount_dev, NULL },
	{ SIDE_INIT, "mounting /proc and /sys", has_own_mounts, init_mount_auto, NULL },
	{ SIDE_INIT, "mounting the configured entries", has_entries, init_mount_entries, NULL },
	/* /sys must be there; before the hooks, which may look at cgroups. */
	{ SIDE_INIT, "mounting cgroups", has_own_mounts, init_mount_cgroups, NULL },
	{ SIDE_INIT, "running hooks mount", has_own_mounts, init_mount_hooks, NULL },
	{ SIDE_INIT, "filling /dev", has_autodev, init_fill_dev, NULL },
	{ SIDE_INIT, "making terminals", NULL, init_terminals, NULL },
	{ SIDE_INIT, "looking for the init program", NULL, init_check_program, NULL },
	{ SIDE_MEANWHILE, "making and limiting cgroups of v1", has_late_cgroups, host_make_late_cgroups, NULL },
	{ SIDE_INIT, "entering cgroups of v1", has_late_cgroups, init_join_cgroups, NULL },
	{ SIDE_INIT, "making cgroup and time namespaces", has_later_namespaces, init_unshare, NULL },
	{ SIDE_WORD, "handing over terminals", has_quick_end, NULL, NULL },
	{ SIDE_INIT, "switching root", has_own_mounts, init_switch_root, NULL },
	{ SIDE_INIT, "setting sysctls", NULL, init_sysctls, NULL },
	{ SIDE_INIT, "dropping capabilities", has_caps, init_drop_caps, NULL },
	/* A label can be refused once no_new_privs is set, and seccomp may deny what came before. */
	{ SIDE_INIT, "setting the security label", has_lsm, init_label, NULL },
	{ SIDE_INIT, "setting no_new_privs", wants_nnp, init_no_new_privs, NULL },
	{ SIDE_INIT, "installing the system call policy", has_seccomp, init_seccomp, NULL },
	{ SIDE_INIT, "running hooks start", NULL, init_start_hooks, NULL },
	{ SIDE_INIT, "redirecting stdio", NULL, init_stdio, NULL },

	/* After init has made its device nodes. */
	{ SIDE_MEANWHILE, "filtering devices", has_quick_filter, host_filter_devices, NULL },
	{ SIDE_MEANWHILE, "taking terminals", has_quick_end, host_take_terminals, NULL },
	{ SIDE_MONITOR, "filtering devices", has_slow_filter, host_filter_devices, NULL },
	{ SIDE_MONITOR, "running hooks start-host", has_start_host_hooks, host_start_host, NULL },
	{ SIDE_MONITOR, "taking terminals", has_slow_end, host_take_terminals, NULL },

	{ SIDE_INIT, "executing init", NULL, init_exec, NULL },
};

static size_t row_of(int (*fn)(struct run *r, struct err **e))
{
	size_t i = 0;

	while (i < ARRAY_SIZE(steps) && steps[i].run != fn)
		i++;
	return i;
}

/* Init's life from its birth to exec: host_make_init calls this in the child. */
void start_init(struct run *r, int fd, int rc, struct err *e)
{
	r->seq.fd = fd;
	if (rc == 0)
		(void)seq_run_init(&r->seq, row_of(host_make_init) + 1, r, &e);
	else
		seq_refuse(&r->seq, row_of(host_make_init) + 1, r, e);
	_exit(1);
}

/* What both processes write. */
struct shared {
	int at;
	struct seq_time times[ARRAY_SIZE(steps)];
};

static void keep_timing(struct run *r)
{
	auto_buf struct buf b = BUF_INIT(65536);

	seq_timing(&r->seq, &b);
	free(r->timing);
	r->timing = buf_take(&b);
}

int start_run(struct run *r, struct err **e)
{
	struct shared *page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int rc;

	if (page == MAP_FAILED)
		return err_no_memory(e);
	page->at = -1;
	r->seq = (struct sequence){
		.steps = steps, .n = ARRAY_SIZE(steps), .fd = -EBADF, .at = &page->at, .wait = r->wait,
		.times = r->timed ? page->times : NULL,
	};
	rc = seq_run_monitor(&r->seq, ARRAY_SIZE(steps), r, e);
	if (rc < 0) {
		err_role(e ? *e : NULL, "monitor");
		r->state = STATE_ABORTING;
	}
	if (r->timed)
		keep_timing(r);
	(void)munmap(page, sizeof(*page));
	r->seq.at = NULL;
	r->seq.times = NULL;
	fd_replace(&r->seq.fd, -EBADF);
	return rc;
}

void start_undo(struct run *r)
{
	seq_undo(&r->seq, r);
}

void start_explain(const struct run *r, struct buf *out)
{
	seq_explain(steps, ARRAY_SIZE(steps), r, out);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* The monitor's rows of the start table. */
#include "lifecycle/start.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "base/paths.h"
#include "base/str.h"
#include "config/writer.h"
#include "kernel/mount.h"
#include "kernel/proc.h"
#include "kernel/rlimit.h"
#include "kernel/socket.h"
#include "lifecycle/client.h"
#include "lifecycle/command.h"
#include "lifecycle/early_net.h"
#include "lifecycle/hooks.h"
#include "lifecycle/monitor.h"
#include "lifecycle/mount_entry.h"
#include "lifecycle/start_dev.h"

#undef LOG_CATEGORY
#define LOG_CATEGORY "start"

/* The name is taken: by the container's monitor, or by somebody who has no business there? */
int host_socket_holder(struct run *r, int fd, struct err **e)
{
	struct ucred peer = { 0 };

	if (fd < 0 || socket_peer(fd, &peer) < 0)
		return err_already_running(e, r->name, r->lxcpath);
	if (!client_peer_is_trusted(r->lxcpath, r->name, &peer))
		return err_socket_taken(e, r->name, peer.uid, peer.pid);
	return err_already_running(e, r->name, r->lxcpath);
}

int host_open_socket(struct run *r, struct err **e)
{
	char address[108];

	if (r->listen_fd >= 0)
		return 0; /* a reboot keeps it */
	command_address(r->lxcpath, r->name, address);
	r->listen_fd = socket_listen_abstract(address, SOCK_STREAM, 100, e);
	if (r->listen_fd == -EADDRINUSE) {
		auto_close int fd = socket_connect_abstract(address, SOCK_STREAM, 2000);

		return host_socket_holder(r, fd, e);
	}
	return r->listen_fd < 0 ? r->listen_fd : monitor_serve(r, e);
}

void host_close_socket(struct run *r)
{
	monitor_stop_serving(r);
	fd_replace(&r->listen_fd, -EBADF);
}

int host_set_starting(struct run *r, struct err **e)
{
	r->hook_pid = 0;
	return monitor_set_state(r, STATE_STARTING, e);
}

int host_pre_start(struct run *r, struct err **e)
{
	return hooks_run(r, HOOK_PRE_START, NULL, NULL, e);
}

int host_console(struct run *r, struct err **e)
{
	int rc = pty_open_host(&r->console, e);
	uint32_t uid = 0;

	if (rc < 0)
		return rc;
	/* What grantpt gives where there is a tty group: the group of a devpts is its mount's. */
	if (fchmod(r->console.pts, 0620) < 0)
		return err_set(e, errno, NULL, "cannot set the mode of the console");
	if (run_is_mapped(r)) {
		uid = idmap_to_host(&r->idmap, false, 0);
		/* An ordinary user cannot give it away; then it is used by descriptor only. */
		if (uid != UINT32_MAX && fchown(r->console.pts, uid, (gid_t)-1) < 0 && !r->caller_mounts)
			/* A user namespace around us may not have that id. */
			return errno == EINVAL ? err_idmap_not_mapped_here(e, "uid", "uid_map") :
						 err_set(e, errno, NULL, "cannot give the console to uid %u", uid);
	}
	if (!r->storage)
		return 0;
	r->console_mount = mount_clone(r->console.pts, false, e);
	return MIN(r->console_mount, 0);
}

int host_load_profile(struct run *r, struct err **e)
{
	return lsm_load(r->lsm, e);
}

void host_unload_profile(struct run *r)
{
	if (r->lsm)
		lsm_unload(r->lsm);
}

int host_attach_storage(struct run *r, struct err **e)
{
	return storage_attach(r->storage, e);
}

void host_detach_storage(struct run *r)
{
	if (r->storage)
		storage_detach(r->storage);
}

int host_make_cgroups(struct run *r, struct err **e)
{
	int rc = r->cgroups_made ? 0 : cgroup_create(r->cgroups, e);

	r->cgroups_made = true;
	if (rc == 0)
		rc = monitor_save(r, e);
	return rc < 0 ? rc : cgroup_enter_monitor(r->cgroups, getpid(), r->born_in_cgroup, e);
}

static void log_left(struct run *r, int rc, struct err *e)
{
	if (rc < 0) {
		auto_free char *line = err_line(e);

		log_error(&r->log, "%s", line ? line : "cgroups are left");
	}
	err_free(e);
}

void host_remove_cgroups(struct run *r)
{
	struct err *e = NULL;
	int rc = 0;

	if (r->cgroups)
		rc = cgroup_remove(r->cgroups, &e);
	log_left(r, rc, e);
}

void host_remove_payload(struct run *r)
{
	struct err *e = NULL;
	int rc = 0;

	if (r->cgroups)
		rc = cgroup_remove_payload(r->cgroups, &e);
	log_left(r, rc, e);
}

void host_retire(struct run *r)
{
	struct err *e = NULL;
	int rc = 0;

	if (r->cgroups)
		rc = cgroup_retire(r->cgroups, r->listen_fd, &e);
	log_left(r, rc, e);
}

/* A pid, a namespace file, or the name of a running container. */
static int open_shared(struct run *r, enum ns_index ns, struct err **e)
{
	const char *what = r->conf->ns_share[ns].v;
	struct target t = { .lxcpath = r->lxcpath, .name = what };
	struct err *mine = NULL;
	pid_t pid;
	int fd;

	if (*what == '/') {
		fd = open(what, O_RDONLY | O_CLOEXEC);
		return fd < 0 ? err_set(e, errno, NULL, "namespace file %s cannot be opened", what) : fd;
	}
	if (num_pid(what, &pid) < 0 && client_init_pid(&t, &pid, &mine) < 0) {
		err_free(mine);
		return err_share_target_gone(e, what, ns_table[ns].name);
	}
	fd = ns_open(pid, ns, &mine);
	err_free(mine);
	return fd < 0 ? err_share_target_gone(e, what, ns_table[ns].name) : fd;
}

int host_open_shared(struct run *r, struct err **e)
{
	for (int i = 0; i < NS_COUNT; i++) {
		if (!r->conf->ns_share[i].v)
			continue;
		r->share_fd[i] = open_shared(r, (enum ns_index)i, e);
		if (r->share_fd[i] < 0)
			return err_at(e, r->share_fd[i], r->conf->ns_share[i].at);
		if (!ns_is_own(r->share_fd[i], (enum ns_index)i))
			r->foreign_flags |= (uint64_t)ns_table[i].flag;
	}
	return 0;
}

int host_prepare_mounts(struct run *r, struct err **e)
{
	return r->caller_mounts ? 0 : start_prepare_mounts(r, e);
}

int start_prepare_mounts(struct run *r, struct err **e)
{
	int rc = 0;

	if (run_is_mapped(r) && r->autodev)
		rc = dev_prepare_nodes(r, e);
	if (rc == 0)
		rc = hooks_open(r, e);
	if (rc == 0)
		rc = mount_entries_make_dirs(r, e);
	if (rc < 0 || !r->early_mounts || !(r->all_flags & CLONE_NEWNS))
		return rc;
	if (r->storage) {
		r->root_fd = storage_mount(r->storage, r->conf, e);
		if (r->root_fd < 0)
			return err_at(e, r->root_fd, r->conf->rootfs_path.at);
	}
	return mount_entries_prepare(r, e);
}

static int compare_ints(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Only what init needs crosses: nothing of the monitor's may be found in /proc/1/fd later. */
static void keep_init_fds(struct run *r, int seq_fd)
{
	int keep[512];
	size_t n = 0, used = 0;
	const int single[] = { seq_fd, r->root_fd, r->console_mount, r->exe_fd, r->console.pts, r->log.fd };

	for (size_t i = 0; i < ARRAY_SIZE(single); i++)
		keep[n++] = single[i];
	for (size_t i = 0; i < ARRAY_SIZE(r->node_fd); i++)
		keep[n++] = r->node_fd[i];
	for (size_t i = 0; i < r->hook_programs.n && n < ARRAY_SIZE(keep); i++)
		keep[n++] = r->hook_programs.v[i].fd;
	for (size_t i = 0; i < r->mounts.n && n < ARRAY_SIZE(keep); i++)
		keep[n++] = r->mounts.v[i].mount_fd;
	for (size_t i = 0; i < n; i++)
		if (keep[i] > 2)
			keep[used++] = keep[i];
	qsort(keep, used, sizeof(*keep), compare_ints);
	(void)proc_close_fds(3, keep, used);
}

static int clone_init(struct run *r, struct err **e)
{
	uint64_t flags = r->clone_flags;
	int cg = cgroup_birth_fd(r->cgroups, false);
	bool in_net = early_net_enter(r);
	struct err *mine = NULL;
	pid_t pid;

	if (in_net)
		flags &= ~(uint64_t)CLONE_NEWNET;
	pid = proc_clone(flags, cg, &r->init_pidfd, &mine);

	r->init_born = cg >= 0 && pid >= 0;
	if (pid < 0 && cg >= 0) {
		/* No CLONE_INTO_CGROUP here: a write to cgroup.procs does it. */
		err_free(mine);
		mine = NULL;
		pid = proc_clone(flags, -1, &r->init_pidfd, &mine);
	}
	if (pid < 0 && in_net)
		(void)early_net_leave(r, NULL);
	if (pid > 0 && in_net && early_net_leave(r, &mine) < 0) {
		(void)proc_pidfd_send(r->init_pidfd, SIGKILL);
		pid = -EPERM;
	}
	if (pid < 0)
		err_move(e, mine);
	else
		err_free(mine);
	return pid;
}

/* With namespaces to share, a helper joins them and makes init as our child (CLONE_PARENT). */
static int clone_shared(struct run *r, int pair[2], struct err **e)
{
	auto_close int rd = -EBADF, wr = -EBADF;
	pid_t helper, pid = 0;
	int p[2], status;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, errno, NULL, "cannot make a pipe");
	rd = p[0];
	wr = p[1];
	helper = proc_clone(0, -1, NULL, e);
	if (helper < 0)
		return helper;
	if (helper == 0) {
		for (int i = 0; i < NS_COUNT; i++)
			if (r->share_fd[i] >= 0 && setns(r->share_fd[i], ns_table[i].flag) < 0)
				_exit(1);
		r->clone_flags |= CLONE_PARENT;
		pid = clone_init(r, NULL);
		if (pid == 0) {
			int fd = pair[1];

			/* Tell our pid as the monitor's namespace sees it: through the helper. */
			start_init_in(r, fd, pair[0]);
		}
		_exit(pid > 0 && write(wr, &pid, sizeof(pid)) == sizeof(pid) ? 0 : 1);
	}
	fd_replace(&wr, -EBADF);
	if (read(rd, &pid, sizeof(pid)) != sizeof(pid))
		pid = -ESRCH;
	(void)proc_wait(helper, &status);
	if (pid <= 0)
		return err_set(e, EPERM, NULL, "the namespaces to share cannot be joined");
	r->init_pidfd = proc_pidfd_open(pid);
	return pid;
}

static bool shares(const struct run *r)
{
	for (int i = 0; i < NS_COUNT; i++)
		if (r->share_fd[i] >= 0)
			return true;
	return false;
}

/* First thing in the new process. */
void start_init_in(struct run *r, int fd, int other)
{
	struct err *e = NULL;
	int rc = cgroup_birth_join(r->cgroups, &e);

	fd_close(other);
	keep_init_fds(r, fd);
	r->listen_fd = r->status_fd = -EBADF;
	r->wait = NULL;
	r->seq.wait = NULL;
	r->log.sink = NULL;
	start_init(r, fd, rc, e);
}

int host_make_init(struct run *r, struct err **e)
{
	int pair[2], rc = socket_pair(SOCK_SEQPACKET, pair, e);
	pid_t pid;

	if (rc < 0)
		return rc;
	cgroup_birth_begin(r->cgroups);
	pid = shares(r) ? clone_shared(r, pair, e) : clone_init(r, e);
	if (pid == 0)
		start_init_in(r, pair[1], pair[0]);
	cgroup_birth_end(r->cgroups);
	early_net_free(take_ptr(r->early_net));
	fd_close(pair[1]);
	if (pid < 0) {
		fd_close(pair[0]);
		return pid;
	}
	r->seq.fd = pair[0];
	r->init_pid = r->hook_pid = pid;
	(void)proc_start_time(pid, &r->init_start);
	/* The copies that init got are its own now. */
	fd_replace(&r->root_fd, -EBADF);
	fd_replace(&r->console_mount, -EBADF);
	for (size_t i = 0; i < r->mounts.n; i++)
		fd_replace(&r->mounts.v[i].mount_fd, -EBADF);
	for (size_t i = 0; i < ARRAY_SIZE(r->node_fd); i++)
		fd_replace(&r->node_fd[i], -EBADF);
	for (int i = 0; i < NS_COUNT; i++)
		if (r->clone_flags & (uint64_t)ns_table[i].flag)
			r->ns_fd[i] = ns_open_of(r->init_pidfd, pid, (enum ns_index)i, NULL);
	return monitor_save(r, e);
}

void host_kill_init(struct run *r)
{
	if (r->init_pid <= 0)
		return;
	if (r->init_pidfd >= 0)
		(void)proc_pidfd_send(r->init_pidfd, SIGKILL);
	else
		(void)kill(r->init_pid, SIGKILL);
	if (r->exit_status < 0 && proc_wait(r->init_pid, &r->exit_status) < 0)
		r->exit_status = -1;
	r->init_pid = 0;
	fd_replace(&r->init_pidfd, -EBADF);
}

int host_map_ids(struct run *r, struct err **e)
{
	int rc = idmap_write(&r->idmap, r->init_pid, e);

	return rc < 0 && r->idmap.n ? err_at(e, rc, r->idmap.v[0].at) : rc;
}

int host_keep_net(struct run *r, struct err **e)
{
	fd_replace(&r->ns_fd[NS_NET], ns_open_of(r->init_pidfd, r->init_pid, NS_NET, e));
	return r->ns_fd[NS_NET] < 0 ? r->ns_fd[NS_NET] : 0;
}

int host_limit(struct run *r, struct err **e)
{
	int rc = cgroup_enter_payload(r->cgroups, r->init_pid, r->init_born, e);

	if (rc == 0)
		rc = cgroup_limits(r->cgroups, e);
	return rc < 0 ? rc : cgroup_delegate(r->cgroups, r->conf, e);
}

int host_make_late_cgroups(struct run *r, struct err **e)
{
	struct seq_cargo *out = &r->seq.out;
	struct cgroup_entry entry;
	int rc = cgroup_create_rest(r->cgroups, &entry, e);

	_Static_assert(CGROUP_ENTRY_MAX <= SEQ_FDS_MAX, "an entry is no cargo");
	out->n = entry.n;
	memcpy(out->fds, entry.v1, sizeof(*entry.v1) * entry.n);
	/* Before anybody is in them. */
	if (rc == 0)
		rc = monitor_save(r, e);
	return rc < 0 ? rc : host_limit(r, e);
}

int host_make_network(struct run *r, struct err **e)
{
	auto_strv struct strv env = { 0 };
	int rc = hooks_environment(r, false, &env, e);

	net_set_runner(r->net, hooks_spawn, r);
	if (r->application)
		net_set_application(r->net);
	if (rc == 0)
		rc = net_create(r->net, r->ns_fd[NS_NET], r->init_pid, env.v, e);
	if (rc == 0)
		rc = net_publish(r->net, r->conf);
	return rc < 0 ? rc : monitor_save(r, e);
}

void host_remove_network(struct run *r)
{
	auto_strv struct strv env = { 0 };
	auto_close int outside = -EBADF;

	if (!r->net || !net_has_host_half(r->net))
		return;
	outside = r->cgroups ? cgroup_outside(r->cgroups) : -EBADF;
	(void)hooks_environment(r, false, &env, NULL);
	net_set_runner(r->net, hooks_spawn, r);
	net_set_birth(r->net, outside);
	net_destroy(r->net, r->ns_fd[NS_NET], env.v);
	net_set_birth(r->net, -EBADF);
}

/* lxc.proc.KEY below /proc/PID: files of the process itself, no way out of its directory. */
static int write_proc(struct run *r, const struct conf_item *item, struct err **e)
{
	auto_close int dir = -EBADF;
	auto_free char *path = NULL, *file = strdup(item->key);
	int rc;

	if (!file || asprintf(&path, "/proc/%d", r->init_pid) < 0)
		return err_no_memory(e);
	for (char *p = file; *p; p++)
		if (*p == '.')
			*p = '/';
	if (strchr(file, '/') || str_after(file, "mem") || STREQ(file, "environ"))
		return err_at(e, err_proc_refused(e, item->key, "it is not a setting of the process"), item->at);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	rc = dir < 0 ? -errno : io_write_value(dir, file, item->value);
	if (rc < 0)
		return err_at(e, err_proc_refused(e, item->key, strerrordesc_np(-rc)), item->at);
	return 0;
}

static int sched_core(struct run *r, struct err **e)
{
	/* PR_SCHED_CORE_CREATE on the thread group; no SMT means nothing to protect. */
	if (prctl(62, 1, r->init_pid, 1, 0) == 0 || errno == ENODEV)
		return 0;
	return err_at(e, err_set(e, errno, NULL, "lxc.sched.core: this kernel has no core scheduling"),
		      r->conf->sched_core.at);
}

int host_tune_init(struct run *r, struct err **e)
{
	const struct conf *c = r->conf;
	int rc = c->sched_core.v ? sched_core(r, e) : 0;

	for (size_t i = 0; i < c->proc.n && rc == 0; i++)
		rc = write_proc(r, &c->proc.v[i], e);
	for (size_t i = 0; i < c->prlimit.n && rc == 0; i++) {
		const struct conf_item *item = &c->prlimit.v[i];
		int resource = rlimit_by_name(item->key);
		struct rlimit limit;

		/* Open files are limited by init at the very end: its set-up needs them. */
		if (resource == RLIMIT_NOFILE)
			continue;
		rc = resource < 0 ? err_set(e, EINVAL, "limit-unknown", "lxc.prlimit.%s is no resource limit", item->key) :
				    rlimit_parse(item->value, &limit);
		if (rc == 0)
			rc = rlimit_apply(r->init_pid, resource, item->key, &limit, e);
		if (rc < 0)
			err_at(e, rc, item->at);
	}
	return rc;
}

int host_filter_devices(struct run *r, struct err **e)
{
	return cgroup_devices(r->cgroups, e);
}

int host_start_host(struct run *r, struct err **e)
{
	return hooks_run(r, HOOK_START_HOST, NULL, NULL, e);
}

/* What init left with its handoff, in the order of init_stdio. */
int host_take_terminals(struct run *r, struct err **e)
{
	struct seq_cargo *in = &r->seq.in;
	size_t at = 0;

	/* Those that init has made itself, for the hooks at the end. */
	for (int i = 0; i < NS_COUNT; i++)
		if (r->late_flags & (uint64_t)ns_table[i].flag)
			fd_replace(&r->ns_fd[i], ns_open_of(r->init_pidfd, r->init_pid, (enum ns_index)i, NULL));
	if (r->want_console && !r->console_from_host && at < in->n)
		r->console.ptx = in->fds[at++];
	for (unsigned i = 0; i < r->tty_count && at < in->n; i++)
		r->ttys[i].ptx = in->fds[at++];
	if (r->has_devpts && at < in->n)
		r->devpts_fd = in->fds[at++];
	if (r->seccomp.notify && at < in->n)
		r->seccomp_fd = in->fds[at++];
	while (at < in->n)
		fd_close(in->fds[at++]);
	in->n = 0;
	int rc = monitor_open_proxy(r, e);

	return rc < 0 ? rc : monitor_open_console(r, e);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/mount.h"
#include "kernel/proc.h"
#include "lifecycle/adopt.h"
#include "lifecycle/criu.h"
#include "lifecycle/instance.h"
#include "lifecycle/start.h"

#undef LOG_CATEGORY
#define LOG_CATEGORY "restore"
#define PID_FILE "restore.pid"

/* -D is among what criu_restore_command has written. */
static const char *directory_of(const struct strv *command)
{
	for (size_t i = 0; i + 1 < command->n; i++)
		if (strcmp(command->v[i], "-D") == 0)
			return command->v[i + 1];
	return "/";
}

static int add_cgroup_roots(struct run *r, struct strv *argv)
{
	auto_fclose FILE *f = fopen("/proc/self/cgroup", "re");
	auto_free char *line = NULL;
	size_t size = 0;
	int rc = 0;

	while (f && rc == 0 && getline(&line, &size, f) > 0) {
		char *names = strchr(line, ':'), *end = names ? strchr(names + 1, ':') : NULL;
		auto_free char *first = NULL;
		const char *path;

		if (!end)
			continue;
		*end = '\0';
		first = strndup(names + 1, strcspn(names + 1, ","));
		if (!first)
			return -ENOMEM;
		path = cgroup_path(r->cgroups, *first ? first : NULL, false);
		if (!path)
			continue;
		rc = strv_add(argv, "--cgroup-root");
		if (rc == 0)
			rc = *first ? strv_addf(argv, "%s:%s%s", names + 1, path[0] == '/' ? "" : "/", path) :
				      strv_addf(argv, "%s%s", path[0] == '/' ? "" : "/", path);
	}
	return rc;
}

/* What the supervisor alone knows. */
static int finish_command(struct run *r, const struct strv *command, const char *pid_file, struct strv *argv,
			  struct err **e)
{
	auto_free char *tty = criu_read_tty(directory_of(command));
	const char *label = r->lsm ? lsm_label(r->lsm) : "";
	int rc = strv_copy(argv, command);

	if (rc == 0)
		rc = strv_add(argv, "--pidfile");
	if (rc == 0)
		rc = strv_add(argv, pid_file);
	if (rc == 0 && r->storage)
		rc = strv_add(argv, "--root");
	if (rc == 0 && r->storage)
		rc = strv_add(argv, r->conf->rootfs_mount.v);
	if (rc == 0)
		rc = add_cgroup_roots(r, argv);
	if (rc == 0 && tty && r->console.pts >= 0) {
		rc = strv_add(argv, "--inherit-fd");
		if (rc == 0)
			rc = strv_addf(argv, "fd[%d]:%s", r->console.pts, tty);
	}
	if (rc == 0 && *label) {
		rc = strv_add(argv, "--lsm-profile");
		if (rc == 0)
			rc = strv_addf(argv, "apparmor:%s", label);
	}
	return rc < 0 ? err_no_memory(e) : criu_add_nics(argv, r->conf, e);
}

/* The root where criu wants it: a mount point of its own, which only criu sees. */
static int enter_root(struct run *r, struct err **e)
{
	auto_close int root = -EBADF, target = -EBADF;
	int rc;

	if (unshare(CLONE_NEWNS) < 0)
		return err_set(e, errno, NULL, "cannot make a mount namespace for criu");
	rc = mount_propagate("/", MS_SLAVE, e);
	if (rc < 0 || !r->storage)
		return rc;
	root = storage_mount(r->storage, r->conf, e);
	if (root < 0)
		return err_at(e, root, r->conf->rootfs_path.at);
	target = open(r->conf->rootfs_mount.v, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (target < 0)
		return err_at(e, err_rootfs_mount_missing(e, r->conf->rootfs_mount.v), r->conf->rootfs_mount.at);
	return mount_attach(root, target, e);
}

/* criu runs as a child of ours, so that what it restores is ours to wait for. */
static int run_criu(struct run *r, const struct strv *argv, const char *directory, struct err **e)
{
	auto_close int rd = -EBADF, wr = -EBADF;
	char frame[ERR_FRAME_MAX];
	int p[2], status, rc;
	struct err *theirs;
	pid_t pid;
	ssize_t n;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, errno, NULL, "cannot make a pipe");
	rd = p[0];
	wr = p[1];
	pid = proc_clone(0, -1, NULL, e);
	if (pid < 0)
		return pid;
	if (pid == 0) {
		struct err *mine = NULL;
		size_t len;

		rc = enter_root(r, &mine);
		if (rc == 0)
			rc = criu_run(argv, r->console.pts, "restore", directory, &mine);
		if (rc == 0)
			_exit(0);
		len = err_pack(mine, frame);
		(void)!write(wr, frame, len);
		_exit(1);
	}
	fd_replace(&wr, -EBADF);
	n = read(rd, frame, sizeof(frame));
	rc = proc_wait(pid, &status);
	if (rc < 0)
		return err_set(e, -rc, NULL, "criu was lost");
	if (n <= 0)
		return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : err_set(e, ECHILD, NULL, "criu was lost");
	theirs = err_unpack(frame, (size_t)n);
	if (!theirs)
		return err_set(e, EPROTO, NULL, "criu's failure was lost");
	err_move(e, theirs);
	return -EIO;
}

static int take_init(struct run *r, const char *pid_file, struct err **e)
{
	auto_free char *text = NULL;
	int64_t pid;
	int rc = io_read_file(AT_FDCWD, pid_file, 64, &text, NULL, e);

	(void)unlink(pid_file);
	if (rc < 0)
		return rc;
	text[strcspn(text, "\n")] = '\0';
	if (num_i64(text, 10, 2, INT32_MAX, &pid) < 0)
		return err_set(e, EPROTO, NULL, "criu does not say which process it has restored");
	r->init_pid = (pid_t)pid;
	(void)proc_start_time(r->init_pid, &r->init_start);
	return adopt_init(r, e);
}

/* The names that criu gives the host's ends: those that are configured, or random ones. */
static int name_pairs(struct run *r, struct err **e)
{
	if (r->net && net_publish(r->net, r->conf) < 0)
		return err_no_memory(e);
	for (size_t i = 0; i < r->conf->nets.n; i++) {
		struct conf_net *n = &r->conf->nets.v[i];
		char name[IFNAMSIZ];
		uint32_t random;

		if (n->type != NET_VETH || n->veth_pair.v)
			continue;
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return err_set(e, errno, NULL, "no random numbers are to be had");
		(void)snprintf(name, sizeof(name), "veth%08x", random);
		if (str_set(&n->veth_pair.v, name) < 0)
			return err_no_memory(e);
	}
	return 0;
}

int restore_run(struct run *r, const struct strv *command, struct err **e)
{
	static int (*const before[])(struct run *, struct err **) = {
		host_open_socket, host_set_starting, host_pre_start, host_load_profile, host_attach_storage, host_make_cgroups,
	};
	auto_strv struct strv argv = { 0 };
	auto_free char *pid_file = NULL, *name = NULL;
	int rc = 0;

	/* What criu restores is a child of criu's parent, which does not outlive it: then it is ours. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (asprintf(&name, ".%s.%s", r->name, PID_FILE) < 0 || !(pid_file = path_join(directory_of(command), name)))
		return err_no_memory(e);
	for (size_t i = 0; i < ARRAY_SIZE(before) && rc == 0; i++)
		rc = before[i](r, e);
	if (rc == 0 && r->want_console)
		rc = host_console(r, e);
	if (rc == 0)
		rc = name_pairs(r, e);
	if (rc == 0)
		rc = finish_command(r, command, pid_file, &argv, e);
	if (rc == 0)
		rc = run_criu(r, &argv, directory_of(command), e);
	if (rc < 0)
		return err_wrap(e, rc, "restoring from %s", directory_of(command));
	r->tty_count = 0; /* what criu restored has kept its own terminals */
	rc = take_init(r, pid_file, e);
	if (rc == 0)
		rc = host_limit(r, e);
	if (rc == 0)
		rc = host_start_host(r, e);
	return rc < 0 ? err_wrap(e, rc, "restoring from %s", directory_of(command)) : 0;
}

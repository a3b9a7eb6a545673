/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/run.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "lifecycle/early_net.h"

struct run *run_new(struct conf *conf)
{
	struct run *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->conf = conf;
	r->name = conf->name;
	r->lxcpath = conf->lxcpath;
	r->log = (struct log)LOG_INIT;
	(void)getrlimit(RLIMIT_NOFILE, &r->files);
	r->seq.fd = r->init_pidfd = r->listen_fd = r->root_fd = r->proc_fd = r->devpts_fd = -EBADF;
	r->exe_fd = r->seccomp_fd = r->status_fd = r->console_mount = -EBADF;
	for (int i = 0; i < NS_COUNT; i++)
		r->ns_fd[i] = r->share_fd[i] = -EBADF;
	for (size_t i = 0; i < ARRAY_SIZE(r->node_fd); i++)
		r->node_fd[i] = -EBADF;
	r->console = (struct pty)PTY_INIT;
	for (int i = 0; i < TTY_MAX; i++)
		r->ttys[i] = (struct pty)PTY_INIT;
	r->exit_status = -1;
	return r;
}

void run_close_fds(struct run *r)
{
	int *const fds[] = { &r->seq.fd, &r->init_pidfd, &r->root_fd,	 &r->proc_fd,
			     &r->devpts_fd, &r->exe_fd,	    &r->seccomp_fd,
			     &r->console_mount };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fd_replace(fds[i], -EBADF);
	for (int i = 0; i < NS_COUNT; i++) {
		fd_replace(&r->ns_fd[i], -EBADF);
		fd_replace(&r->share_fd[i], -EBADF);
	}
	for (size_t i = 0; i < ARRAY_SIZE(r->node_fd); i++)
		fd_replace(&r->node_fd[i], -EBADF);
	for (size_t i = 0; i < r->mounts.n; i++)
		fd_replace(&r->mounts.v[i].mount_fd, -EBADF);
	for (size_t i = 0; i < r->hook_programs.n; i++)
		fd_close(r->hook_programs.v[i].fd);
	VEC_DONE(&r->hook_programs);
	pty_close(&r->console);
	for (int i = 0; i < TTY_MAX; i++)
		pty_close(&r->ttys[i]);
}

void run_free(struct run *r)
{
	if (!r)
		return;
	run_close_fds(r);
	fd_close(r->listen_fd);
	fd_close(r->status_fd);
	mount_entries_done(&r->mounts);
	cgroup_free(r->cgroups);
	early_net_free(r->early_net);
	net_free(r->net);
	storage_free(r->storage);
	lsm_free(r->lsm);
	seccomp_done(&r->seccomp);
	idmap_done(&r->idmap);
	strv_done(&r->argv);
	free(r->pidfile);
	free(r->dir);
	free(r->rundir);
	free(r->error_line);
	free(r->timing);
	free(r->stopper);
	log_done(&r->log);
	conf_free(r->conf);
	free(r);
}

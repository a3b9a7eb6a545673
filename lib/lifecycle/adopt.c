/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "config/check.h"
#include "config/reader.h"
#include "config/system.h"
#include "kernel/proc.h"
#include "lifecycle/instance.h"
#include "lifecycle/launch_head.h"
#include "lifecycle/start.h"
#include "lifecycle/stop.h"

#undef LOG_CATEGORY
#define LOG_CATEGORY "adopt"
#define LAUNCH_MAX (16U << 20)

static int read_config(struct monitor *m, struct conf **ret, struct launch_head *head, struct err **e)
{
	const char *body;
	int rc = io_read_file(m->instance_fd, "config", LAUNCH_MAX, &m->launch_text, &m->launch_len, e);

	if (rc == 0)
		rc = launch_head_read(m->launch_text, m->launch_len, head, &body, e);
	if (rc < 0)
		return rc;
	return conf_undump(ret, body, m->launch_len - (size_t)(body - m->launch_text), NULL, e);
}

/* The devpts of the container, through init's own view of it. */
static int open_devpts(pid_t pid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/root/dev/pts", pid);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int restore(struct run *r, const struct instance_state *s, struct err **e)
{
	int rc = 0;

	r->adopted = true;
	r->state = (enum lxc_state)s->state;
	r->init_pid = r->hook_pid = s->init_pid;
	r->init_start = s->init_start;
	r->all_flags = s->all_flags;
	r->application = s->application;
	if (conf_is_mapped(r->conf) && conf_idmap(r->conf, &r->idmap) < 0)
		return err_no_memory(e);
	/* Killed before the names of its cgroups were written down: they are what the plan gives. */
	if ((!s->cgroups || !*s->cgroups) && s->state == STATE_STARTING) {
		rc = cgroup_plan(r->conf, &r->log, &r->cgroups, e);
		if (rc == 0)
			rc = cgroup_create(r->cgroups, e);
	} else {
		/* Never without: a file that names none gives an empty set, for which every question has an answer. */
		rc = cgroup_restore(r->conf, s->cgroups && *s->cgroups ? s->cgroups : "1", &r->log, &r->cgroups, e);
	}
	if (rc == 0 && s->net && *s->net)
		rc = net_restore(r->conf, s->net, &r->log, &r->net, e);
	/* For what they have to undo; what cannot be resolved any more has nothing to undo. */
	if (rc == 0) {
		(void)storage_resolve(r->conf, &r->log, &r->storage, NULL);
		(void)lsm_plan(r->conf, &r->log, &r->lsm, NULL);
	}
	return rc;
}

int adopt_init(struct run *r, struct err **e)
{
	r->init_pidfd = proc_pidfd_open(r->init_pid);
	if (r->init_pidfd < 0)
		return err_set(e, -r->init_pidfd, NULL, "the container's init cannot be watched");
	for (int i = 0; i < NS_COUNT; i++)
		if (r->all_flags & (uint64_t)ns_table[i].flag)
			r->ns_fd[i] = ns_open_of(r->init_pidfd, r->init_pid, (enum ns_index)i, NULL);
	r->devpts_fd = open_devpts(r->init_pid);
	return 0;
}

/* Init has been executed. Also in the middle of a freeze. */
static bool is_up(int state)
{
	return state == STATE_RUNNING || state == STATE_FREEZING || state == STATE_FROZEN || state == STATE_THAWED;
}

int adopt_run(struct monitor *m, const char *lxcpath, const char *name, struct err **e)
{
	struct instance_state s = { 0 };
	struct launch_head head = { 0 };
	auto_free char *rundir = system_rundir(e);
	struct conf *conf = NULL;
	bool alive;
	int rc;

	if (!rundir)
		return -EIO;
	rc = instance_dir(rundir, lxcpath, name, false, e);
	if (rc < 0)
		return rc == -ENOENT ? err_not_running(e, name, lxcpath) : rc;
	m->instance_fd = rc;
	/* One at a time; who waited finds the work done. */
	(void)flock(m->instance_fd, LOCK_EX);
	rc = instance_read(m->instance_fd, false, &s, e);
	if (rc == -ESTALE || rc == -ENOENT) {
		instance_clear(m->instance_fd);
		return ADOPT_CLEANED;
	}
	if (rc == 0 && instance_alive(s.monitor_pid, s.monitor_start))
		rc = err_already_running(e, name, lxcpath);
	if (rc == 0)
		rc = read_config(m, &conf, &head, e);
	if (rc < 0) {
		instance_state_done(&s);
		return rc;
	}
	(void)str_set(&conf->name, name);
	(void)str_set(&conf->lxcpath, lxcpath);
	m->r = run_new(conf);
	if (!m->r) {
		conf_free(conf);
		instance_state_done(&s);
		return err_no_memory(e);
	}
	m->r->monitor = m;
	m->r->rundir = take_ptr(rundir);
	m->r->pidfile = head.pidfile ? strdup(head.pidfile) : NULL;
	m->r->dir = path_join(lxcpath, name);
	alive = instance_alive(s.init_pid, s.init_start);
	rc = restore(m->r, &s, e);
	/* One that was still being set up, or ended while nobody watched, is cleaned up. */
	if (rc == 0 && alive && is_up(s.state))
		rc = adopt_init(m->r, e);
	else if (rc == 0) {
		if (alive)
			host_kill_init(m->r);
		m->r->init_pid = 0;
		(void)stop_run(m, false);
		rc = ADOPT_CLEANED;
	}
	launch_head_done(&head);
	instance_state_done(&s);
	return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* client_record - what is written down of a container by its monitor, and by whom it can be believed. */
#include "lifecycle/client_call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "config/system.h"
#include "kernel/ns.h"
#include "kernel/proc.h"

int client_open_instance(const char *lxcpath, const char *name)
{
	auto_free char *rundir = system_rundir(NULL);

	return rundir ? instance_dir(rundir, lxcpath, name, false, NULL) : -ENOENT;
}

static bool read_record(int dir, struct instance_state *ret)
{
	if (instance_read(dir, false, ret, NULL) < 0)
		return false;
	if (ret->state != STATE_STOPPED)
		return true;
	instance_state_done(ret);
	return false;
}

/* What the state file says of a container that is not stopped; ret is then the caller's to release. */
bool client_read_record(const char *lxcpath, const char *name, struct instance_state *ret)
{
	auto_close int dir = client_open_instance(lxcpath, name);

	return dir >= 0 && read_record(dir, ret);
}

static void look_in(int dir, struct client_view *ret)
{
	struct instance_state *s = &ret->state;

	ret->recorded = dir >= 0 && read_record(dir, s);
	/* Also where its socket cannot be reached from here: who asks for more than is recorded is told so. */
	ret->live = ret->recorded && proc_is_at_work(s->monitor_pid, s->monitor_start, &ret->stopped);
}

static void look(const struct target *t, struct client_view *ret)
{
	auto_close int dir = client_open_instance(t->lxcpath, t->name);

	look_in(dir, ret);
}

void client_view_done(struct client_view *v)
{
	if (v->recorded)
		instance_state_done(&v->state);
}

static struct client_view *new_view(const struct target *t, int dir, int timeout_ms)
{
	struct client_view *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	look_in(dir, v);
	/* A monitor of LXC's has no state file of ours. */
	v->silent = !v->recorded && !client_somebody_listens(t, timeout_ms);
	return v;
}

struct client_view *client_view_new(const struct target *t)
{
	auto_close int dir = client_open_instance(t->lxcpath, t->name);

	return new_view(t, dir, client_timeout(t));
}

void client_views_new(const struct target *const *t, size_t n, struct client_view **ret)
{
	auto_free char *rundir = system_rundir(NULL);
	auto_close int top = rundir ? instance_top(rundir, NULL) : -ENOENT;

	for (size_t i = 0; i < n; i++) {
		auto_close int dir = top < 0 ? -ENOENT : instance_dir_in(top, t[i]->lxcpath, t[i]->name, NULL);

		/* One whose socket is crowded does not keep the others waiting. */
		ret[i] = new_view(t[i], dir, 0);
	}
}

void client_view_free(struct client_view *v)
{
	if (v)
		client_view_done(v);
	free(v);
}

/* The state where a monitor lives, NULL where none does. It writes every change down before it tells anybody, so it
 * need not be asked. */
const struct instance_state *client_read_live(const struct target *t, struct client_view *room)
{
	const struct client_view *v = t->view ? t->view : room;

	if (!t->view)
		look(t, room);
	return v->live ? &v->state : NULL;
}

bool client_is_recorded(const struct target *t)
{
	struct instance_state s = { 0 };
	bool recorded = t->view ? t->view->recorded : client_read_record(t->lxcpath, t->name, &s);

	instance_state_done(&s);
	return recorded;
}

/* The monitor that the state file names, if there is one of this boot. */
bool client_recorded_monitor(const char *lxcpath, const char *name, pid_t *ret)
{
	struct instance_state s = { 0 };
	bool live;

	if (!client_read_record(lxcpath, name, &s))
		return false;
	live = instance_alive(s.monitor_pid, s.monitor_start);
	*ret = s.monitor_pid;
	instance_state_done(&s);
	return live;
}

bool client_monitor_elsewhere(int dir, pid_t *ret)
{
	struct instance_state s = { 0 };
	bool is;

	if (dir < 0 || !read_record(dir, &s))
		return false;
	*ret = s.monitor_pid;
	is = instance_alive(s.monitor_pid, s.monitor_start) && ns_is_shared(s.monitor_pid, NS_NET) == 0;
	instance_state_done(&s);
	return is;
}

void client_forget(const char *lxcpath, const char *name)
{
	auto_close int dir = client_open_instance(lxcpath, name);
	auto_free char *rundir = system_rundir(NULL), *path = NULL;

	if (dir < 0 || !rundir || asprintf(&path, "%s/lxc/instance/%s/%s", rundir, lxcpath, name) < 0)
		return;
	instance_clear(dir);
	(void)rmdir(path);
}

#define DYING_TIMEOUT_MS 1000

/* The kernel closes the sockets of a killed process a moment before the process is gone. A monitor that
 * nothing answers for, though it has not recorded its end, is in that moment. */
void client_await_dying(const struct instance_state *s)
{
	auto_close int pidfd = instance_alive(s->monitor_pid, s->monitor_start) ? proc_pidfd_open(s->monitor_pid) : -EBADF;

	if (pidfd >= 0)
		(void)proc_pidfd_wait(pidfd, DYING_TIMEOUT_MS);
}

bool client_has_ended(const struct target *t)
{
	struct instance_state s = { 0 };

	if (!client_read_record(t->lxcpath, t->name, &s))
		return true;
	client_await_dying(&s);
	instance_state_done(&s);
	return false;
}

bool client_is_turned_away(const struct target *t)
{
	struct instance_state s = { 0 };
	bool is;

	if (!client_read_record(t->lxcpath, t->name, &s))
		return false;
	is = s.state != STATE_STOPPED && instance_alive(s.monitor_pid, s.monitor_start);
	instance_state_done(&s);
	return is;
}

/* The init that a state file names, as a pidfd of that very process; -ESRCH: it has ended, or is not yet. */
int client_open_recorded_init(const struct instance_state *s)
{
	auto_close int fd = s->init_pid > 0 ? proc_pidfd_open(s->init_pid) : -ESRCH;

	return fd >= 0 && instance_alive(s->init_pid, s->init_start) ? take_fd(&fd) : -ESRCH;
}

int client_instance(const struct target *t, struct instance *ret, struct err **e)
{
	auto_close int dir = client_open_instance(t->lxcpath, t->name);
	struct instance_state s = { 0 };
	int r;

	if (dir < 0)
		return err_set(e, ENOENT, NULL, "nothing is recorded of container %s", t->name);
	r = instance_read(dir, false, &s, e);
	if (r < 0)
		return r == -ENOENT || r == -ESTALE ?
			       err_set(e, ENOENT, NULL, "nothing is recorded of container %s", t->name) :
			       r;
	*ret = (struct instance){ .exit_status = s.exit_status, .monitor_pid = s.monitor_pid };
	if (s.state != STATE_STOPPED && instance_alive(s.init_pid, s.init_start)) {
		ret->init_pid = s.init_pid;
		ret->init_start = s.init_start;
	}
	ret->last_error = take_ptr(s.error);
	ret->oom_kills = s.oom_kills;
	ret->stopper = take_ptr(s.stopper);
	instance_state_done(&s);
	return 0;
}

void instance_done(struct instance *i)
{
	free(i->last_error);
	free(i->stopper);
	strv_done(&i->nics);
	*i = (struct instance){ .exit_status = -1 };
}

int client_watch(const struct target *t, struct err **e)
{
	auto_free char *rundir = system_rundir(e);
	auto_close int dir = -EBADF, fd = -EBADF;
	char path[32];

	if (!rundir)
		return -EIO;
	/* A container that never ran has no place there yet. */
	dir = instance_dir(rundir, t->lxcpath, t->name, true, e);
	if (dir < 0)
		return dir == -ENOENT ? err_set(e, ENOENT, NULL, "the run directory %s does not exist", rundir) : dir;
	fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
	if (fd < 0 || inotify_add_watch(fd, path, IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF) < 0)
		return err_set(e, errno, NULL, "the state of container %s cannot be watched", t->name);
	return take_fd(&fd);
}

void client_watch_drain(int fd)
{
	char events[4096];

	while (read(fd, events, sizeof(events)) > 0)
		continue;
}

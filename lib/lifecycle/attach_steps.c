/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/attach_steps.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/caps.h"
#include "kernel/proc.h"
#include "kernel/signal.h"
#include "kernel/socket.h"
#include "security/lsm.h"

extern char **environ;

/* Raw set*id calls: glibc's wrappers would signal threads that this process does not have. */
static int set_ids(uid_t uid, gid_t gid)
{
	if (gid != (gid_t)-1 && syscall(SYS_setresgid, gid, gid, gid) < 0)
		return -errno;
	if (uid != (uid_t)-1 && syscall(SYS_setresuid, uid, uid, uid) < 0)
		return -errno;
	return 0;
}

attr_noreturn static void die(struct attach_ctx *a, struct err *e)
{
	char frame[ERR_FRAME_MAX];
	size_t n;

	err_role(e, "attach");
	n = err_pack(e, frame);
	(void)!send(a->status_fd, frame, n, MSG_NOSIGNAL);
	_exit(1);
}

static int drop_caps(struct attach_ctx *a, struct err **e)
{
	uint64_t all = (UINT64_C(2) << caps_last()) - 1;

	return caps_drop_bounding(all & ~a->caps_keep, e);
}

/* A view of /proc and /sys that fits namespaces that were entered without the mount namespace. */
static int remount_proc_sys(struct err **e)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return err_set(e, errno, NULL, "cannot make a mount namespace");
	if (umount2("/proc", MNT_DETACH) < 0 || mount("none", "/proc", "proc", 0, NULL) < 0)
		return err_set(e, errno, NULL, "cannot mount /proc anew");
	if (umount2("/sys", MNT_DETACH) < 0 || mount("none", "/sys", "sysfs", 0, NULL) < 0)
		return err_set(e, errno, NULL, "cannot mount /sys anew");
	return 0;
}

static int take_groups(struct attach_ctx *a, struct err **e)
{
	if (syscall(SYS_setgroups, a->set_groups ? a->n_groups : 0, a->groups) == 0)
		return 0;
	/* A user namespace may deny setgroups: then there is nothing of the caller's either. */
	return errno == EPERM && !a->set_groups ? 0 : err_set(e, errno, NULL, "cannot set the groups");
}

/* from: what becomes 0, 1 and 2; negative: stays as it is. */
static int place_stdio(int from[3])
{
	int r = 0;

	/* Two of them may be exchanged: first out of each other's way. */
	for (int i = 0; i < 3 && r == 0; i++)
		if (from[i] >= 0 && from[i] < 3 && from[i] != i) {
			from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 3);
			r = from[i] < 0 ? -errno : 0;
		}
	for (int i = 0; i < 3 && r == 0; i++)
		if (from[i] >= 0 && from[i] != i && dup2(from[i], i) < 0)
			r = -errno;
	for (int i = 0; i < 3; i++)
		if (fcntl(i, F_GETFD) >= 0)
			(void)fcntl(i, F_SETFD, 0);
	return r;
}

static int take_stdio(struct attach_ctx *a, struct err **e)
{
	int r;

	if (a->pty.pts >= 0) {
		if (setsid() < 0 || ioctl(a->pty.pts, TIOCSCTTY, 0) < 0)
			return err_set(e, errno, NULL, "cannot take the terminal");
		for (int i = 0; i < 3; i++)
			if (a->is_terminal[i])
				a->stdio[i] = a->pty.pts;
	}
	r = place_stdio(a->stdio);
	/* Without a terminal of its own the process must not reach the caller's. */
	if (a->pty.pts < 0 && !isatty(0))
		(void)setsid();
	return r < 0 ? err_set(e, -r, NULL, "cannot set up stdio") : 0;
}

static void enter_cwd(const struct attach_ctx *a)
{
	char real[PATH_MAX];

	if (a->cwd && chdir(a->cwd) == 0 && getcwd(real, sizeof(real)) && real[0] == '/')
		return;
	(void)!chdir("/");
}

static int child_steps(struct attach_ctx *a, struct err **e)
{
	int r = 0;

	if ((a->flags & LXC_ATTACH_REMOUNT_PROC_SYS) && !a->own_mnt)
		r = remount_proc_sys(e);
	if (r == 0 && a->personality >= 0 && personality((unsigned long)a->personality) < 0)
		r = err_set(e, errno, NULL, "cannot set the personality");
	/* The caller's keys stay the caller's; a kernel without keys has none to hand on. */
	(void)syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL);
	if (r == 0 && a->drop_caps)
		r = drop_caps(a, e);
	if (r == 0)
		r = take_groups(a, e);
	if (r == 0 && a->has_userns) {
		r = set_ids(a->uid, a->gid);
		if (r < 0)
			return err_set(e, -r, NULL, "cannot become uid %u, gid %u in the container", a->uid, a->gid);
		/* The change has made us traceable by the guest's root: not yet. */
		(void)prctl(PR_SET_DUMPABLE, 0);
	}
	if (r == 0 && a->label)
		r = lsm_set_label(a->label, a->flags & LXC_ATTACH_LSM_NOW ? false : true, a->proc_fd, e);
	if (r == 0 && a->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = err_set(e, errno, NULL, "cannot set no_new_privs");
	if (r == 0)
		r = take_stdio(a, e);
	if (r == 0 && a->pty.pts >= 0)
		(void)!fchown(a->pty.pts, a->uid, (gid_t)-1);
	if (r == 0)
		r = caps_clear_inherited(e);
	if (r == 0 && a->seccomp.len) {
		int listener = -EBADF;

		r = seccomp_install(&a->seccomp, &listener, e);
		/* To the caller, who has the monitor answer for us, before a call of ours can wait for it. */
		if (r == 0 && listener >= 0)
			r = MIN(socket_send(a->status_fd, ATTACH_LISTENER, sizeof(ATTACH_LISTENER), &listener, 1, false), 0);
		fd_close(listener);
	}
	if (r == 0 && !a->has_userns) {
		r = set_ids(a->uid, a->gid);
		if (r < 0)
			return err_set(e, -r, NULL, "cannot become uid %u, gid %u", a->uid, a->gid);
	}
	return r;
}

void attach_child(struct attach_ctx *a)
{
	struct err *e = NULL;
	sigset_t none;
	char go;

	/* Until the function runs, nobody in the container may look at us. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	if (recv(a->status_fd, &go, 1, 0) != 1)
		_exit(1);
	enter_cwd(a);
	if (child_steps(a, &e) < 0)
		die(a, e);
	(void)send(a->status_fd, "", 1, MSG_NOSIGNAL);
	environ = a->env;
	(void)sigemptyset(&none);
	if (a->exec_only) {
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		signal_reset_internal();
		(void)syscall(SYS_close_range, 3U, ~0U, 0U);
	} else {
		fd_close(a->status_fd);
		fd_close(a->proc_fd);
		/* What the function does not open itself does not survive its exec. */
		(void)syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
	}
	_exit(a->fn(a->payload));
}

static int compare_ints(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* A privileged container's root may look at the new process from its first instant: it is born without
 * the namespaces, the host's /proc (unless a label must be written) and whatever our caller has open. A function
 * of the caller's own may need what it opened: then only ours go. */
static void drop_fds(struct attach_ctx *a)
{
	int keep[] = { a->status_fd, a->label ? a->proc_fd : -1, a->pty.pts, a->stdio[0], a->stdio[1], a->stdio[2] };

	if (!a->label)
		fd_replace(&a->proc_fd, -EBADF);
	if (!a->exec_only) {
		for (int i = 0; i < NS_COUNT; i++)
			fd_replace(&a->ns_fd[i], -EBADF);
		fd_replace(&a->init_pidfd, -EBADF);
		fd_replace(&a->pty.ptx, -EBADF);
		return;
	}
	qsort(keep, ARRAY_SIZE(keep), sizeof(*keep), compare_ints);
	(void)proc_close_fds(3, keep, ARRAY_SIZE(keep));
}

/* Not before we are where limits apply. The caller has the monitor move us where we may not do it ourselves. */
static void enter_cgroups(struct attach_ctx *a)
{
	char ask = ATTACH_MOVE_ME, go;

	if (a->waits && recv(a->status_fd, &go, 1, 0) != 1)
		_exit(1);
	if (a->moves_itself && cgroup_attach_self(&a->cgroups, a->born) < 0 &&
	    (send(a->status_fd, &ask, 1, MSG_NOSIGNAL) != 1 || recv(a->status_fd, &go, 1, 0) != 1))
		_exit(1);
	cgroup_entry_done(&a->cgroups);
}

static void child_main(void *arg)
{
	attach_child(arg);
}

/* We are there already: the caller shares it with the container, and has no rights over it. */
static bool is_there(const struct attach_ctx *a, int i)
{
	char path[32];
	struct stat here, there;

	(void)snprintf(path, sizeof(path), "self/ns/%s", ns_table[i].proc);
	return fstatat(a->proc_fd, path, &here, 0) == 0 && fstat(a->ns_fd[i], &there) == 0 && here.st_dev == there.st_dev &&
	       here.st_ino == there.st_ino;
}

void attach_transient(struct attach_ctx *a)
{
	struct err *e = NULL;
	pid_t pid;

	(void)prctl(PR_SET_DUMPABLE, 0);
	enter_cgroups(a);
	/* User first: the rights over the others come from it. Privileged callers keep theirs anyway. */
	for (int i = 0; i < NS_COUNT; i++)
		if (a->ns_fd[i] >= 0 && setns(a->ns_fd[i], ns_table[i].flag) < 0) {
			int why = errno;

			if (is_there(a, i))
				continue;
			(void)err_set(&e, why, NULL, "cannot enter the container's %s namespace", ns_table[i].name);
			die(a, e);
		}
	drop_fds(a);
	/* A function of the caller's has the caller's stack, of whatever size that is. */
	pid = a->exec_only ? proc_clone_same(CLONE_PARENT, -1, child_main, a, &e) : proc_clone(CLONE_PARENT, -1, NULL, &e);
	if (pid < 0)
		die(a, e);
	if (pid == 0)
		attach_child(a);
	/* First packet: the pid. The child waits for the caller's word. */
	(void)send(a->status_fd, &pid, sizeof(pid), MSG_NOSIGNAL);
	_exit(0);
}

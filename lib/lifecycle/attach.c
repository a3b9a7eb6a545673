/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/str.h"
#include "cgroup/cgroup.h"
#include "cgroup/scope.h"
#include "config/key.h"
#include "config/system.h"
#include "kernel/arch.h"
#include "kernel/proc.h"
#include "kernel/rlimit.h"
#include "kernel/socket.h"
#include "lifecycle/attach_steps.h"
#include "lifecycle/command.h"
#include "lifecycle/terminal.h"
#include "security/lsm.h"

#define CLEAN_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PROC_MAGIC 0x9fa0

extern char **environ;

static void ctx_done(struct attach_ctx *a)
{
	fd_close(a->init_pidfd);
	fd_close(a->own_pidfd);
	for (int i = 0; i < NS_COUNT; i++)
		fd_close(a->ns_fd[i]);
	free(a->label);
	fd_close(a->proc_fd);
	seccomp_done(&a->seccomp);
	for (char **p = a->env; p && *p; p++)
		free(*p);
	free(a->env);
	pty_close(&a->pty);
	cgroup_entry_done(&a->cgroups);
}

/* The namespaces to enter: those asked for, or all that init has of its own. */
static int open_namespaces(struct attach_ctx *a, lxc_attach_options_t *opts, int clone_flags, struct err **e)
{
	bool all = opts->namespaces == -1;

	if (all)
		opts->namespaces = clone_flags;
	for (int i = 0; i < NS_COUNT; i++) {
		auto_err struct err *mine = NULL;

		/* Asked for all: shared ones of another container count as well. */
		if (!all && !(opts->namespaces & ns_table[i].flag))
			continue;
		a->ns_fd[i] = ns_open_of(a->init_pidfd, a->init_pid, (enum ns_index)i, &mine);
		/* A kernel without this kind has nothing to enter. */
		if (a->ns_fd[i] == -ENOENT)
			continue;
		if (a->ns_fd[i] < 0) {
			err_move(e, take_ptr(mine));
			return a->ns_fd[i];
		}
		/* Into one's own one may go again but for the first, and the other counts as the container's below. Who may
		 * not all the same is told apart when it is refused. */
		if ((i == NS_USER || i == NS_MNT) && ns_is_own(a->ns_fd[i], (enum ns_index)i))
			fd_replace(&a->ns_fd[i], -EBADF);
	}
	a->own_mnt = a->ns_fd[NS_MNT] >= 0;
	a->has_userns = a->ns_fd[NS_USER] >= 0;
	return 0;
}

/* True if id 0 exists in the user namespace of init. */
static bool maps_zero(pid_t pid, const char *which)
{
	char path[64];
	auto_fclose FILE *f = NULL;
	unsigned ns, host, n;
	bool found = false;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, which);
	f = fopen(path, "re");
	while (f && !found && fscanf(f, "%u %u %u", &ns, &host, &n) == 3)
		found = ns == 0 && n > 0;
	return found;
}

/* -1 is root, or where root is not mapped, whatever init is. */
static int choose_ids(struct attach_ctx *a, const lxc_attach_options_t *opts, struct err **e)
{
	char field[256];

	a->uid = opts->uid != (uid_t)-1 ? opts->uid : 0;
	a->gid = opts->gid != (gid_t)-1 ? opts->gid : 0;
	if (!a->has_userns)
		return 0;
	if (opts->uid == (uid_t)-1 && !maps_zero(a->init_pid, "uid_map") &&
	    proc_status_field(a->init_pid, "Uid", field, sizeof(field)) > 0) {
		field[strcspn(field, " \t")] = '\0';
		if (num_id(field, &a->uid) < 0)
			return err_set(e, ERANGE, NULL, "the uid of the container's init is out of range");
	}
	if (opts->gid == (gid_t)-1 && !maps_zero(a->init_pid, "gid_map") &&
	    proc_status_field(a->init_pid, "Gid", field, sizeof(field)) > 0) {
		field[strcspn(field, " \t")] = '\0';
		if (num_id(field, &a->gid) < 0)
			return err_set(e, ERANGE, NULL, "the gid of the container's init is out of range");
	}
	return 0;
}

static int choose_caps(struct attach_ctx *a, struct err **e)
{
	char field[64];

	if (!(a->flags & LXC_ATTACH_DROP_CAPABILITIES))
		return 0;
	if (proc_status_field(a->init_pid, "CapBnd", field, sizeof(field)) <= 0 ||
	    num_u64(field, 16, UINT64_MAX, &a->caps_keep) < 0)
		return err_set(e, EIO, NULL, "the capabilities of the container's init cannot be read");
	a->drop_caps = true;
	return 0;
}

/* What the running configuration says; unset or unknown is no error. */
static char *running_item(const struct target *t, const char *key)
{
	auto_err struct err *e = NULL;
	char *v = NULL;

	if (client_config_item(t, key, &v, &e) < 0)
		return NULL;
	v[strcspn(v, "\n")] = '\0';
	return v;
}

/* The four values of ATTACH_KEYS. */
enum item { ITEM_ARCH, ITEM_NNP, ITEM_SECCOMP, ITEM_NESTING };

static int choose_identity(struct attach_ctx *a, const lxc_attach_options_t *opts, char *const items[], struct err **e)
{
	const char *arch = items[ITEM_ARCH], *nnp = items[ITEM_NNP];
	unsigned long personality;

	a->personality = -1;
	if (a->flags & LXC_ATTACH_SET_PERSONALITY) {
		if (opts->personality != LXC_ATTACH_DETECT_PERSONALITY)
			a->personality = opts->personality;
		else if (arch && arch_parse(arch, &personality) == 0)
			a->personality = (long)personality;
	}
	a->no_new_privs = (a->flags & LXC_ATTACH_NO_NEW_PRIVS) || (nnp && STREQ(nnp, "1"));
	if (!(a->flags & LXC_ATTACH_LSM))
		return 0;
	if ((a->flags & LXC_ATTACH_LSM_LABEL) && opts->lsm_label) {
		a->label = strdup(opts->lsm_label);
		return a->label ? 0 : err_no_memory(e);
	}
	a->label = lsm_label_of(a->init_pid);
	if (a->label && (!*a->label || STREQ(a->label, "unconfined"))) {
		free(a->label);
		a->label = NULL;
	}
	return 0;
}

static int choose_seccomp(struct attach_ctx *a, char *const items[], struct err **e)
{
	const char *path = items[ITEM_SECCOMP], *nesting = items[ITEM_NESTING];
	auto_free char *rundir = NULL, *cache = NULL;
	auto_conf struct conf *c = NULL;
	int r;

	if (!(a->flags & LXC_ATTACH_LSM) || !path || !*path)
		return 0;
	rundir = system_rundir(NULL);
	c = conf_new();
	if (!c || (rundir && asprintf(&cache, "%s/lxc/seccomp", rundir) < 0))
		return err_no_memory(e);
	r = key_set(c, "lxc.seccomp.profile", path, (struct origin){ 0 }, NULL, e);
	if (r == 0 && nesting && *nesting)
		r = key_set(c, "lxc.seccomp.allow_nesting", nesting, (struct origin){ 0 }, NULL, e);
	return r < 0 ? r : seccomp_compile(c, cache, NULL, &a->seccomp, e);
}

static const char *value_of(char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; env && *env; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return *env;
	return NULL;
}

/* Later settings of a name win. */
static int put(struct strv *env, const char *pair)
{
	size_t n = strcspn(pair, "=");

	if (!pair[n] || n == 0)
		return 0;
	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], pair, n + 1) == 0) {
			strv_remove(env, i);
			break;
		}
	return strv_add(env, pair);
}

static int build_environment(struct attach_ctx *a, const struct conf *c, const lxc_attach_options_t *opts,
			     struct err **e)
{
	auto_strv struct strv env = { 0 };
	int r = 0;

	if (opts->env_policy == LXC_ATTACH_CLEAR_ENV) {
		for (char **k = opts->extra_keep_env; k && *k && r == 0; k++) {
			const char *pair = value_of(environ, *k);

			r = pair ? put(&env, pair) : 0;
		}
		if (r == 0 && !value_of(env.v, "PATH"))
			r = put(&env, CLEAN_PATH);
	} else {
		for (char **k = environ; k && *k && r == 0; k++)
			r = strv_add(&env, *k);
	}
	if (r == 0)
		r = put(&env, "container=lxc");
	for (size_t i = 0; c && i < c->environment.n && r == 0; i++)
		r = put(&env, c->environment.v[i].value);
	for (size_t i = 0; c && i < c->environment_runtime.n && r == 0; i++)
		r = put(&env, c->environment_runtime.v[i].value);
	for (char **k = opts->extra_env_vars; k && *k && r == 0; k++)
		r = put(&env, *k);
	a->env = r == 0 ? strv_take(&env) : NULL;
	return a->env ? 0 : err_no_memory(e);
}

/* The caller's terminals are replaced by one of the container's; what is a pipe or a file stays one. Where
 * the caller has no terminal and wants one nevertheless, it takes the place of all three. */
static void choose_terminals(struct attach_ctx *a)
{
	bool any = isatty(a->stdio[0]) || isatty(a->stdio[1]) || isatty(a->stdio[2]);

	for (int i = 0; i < 3; i++)
		a->is_terminal[i] = !any || isatty(a->stdio[i]);
}

/* -1: the caller has none. */
static int terminal_of(const struct attach_ctx *a)
{
	for (int i = 0; i < 3; i++)
		if (a->is_terminal[i] && isatty(a->stdio[i]))
			return a->stdio[i];
	return -1;
}

static int open_terminal(const struct target *t, struct attach_ctx *a, struct err **e)
{
	auto_close int devpts = -EBADF;
	auto_err struct err *mine = NULL;
	int r = 0;

	if (!(a->flags & LXC_ATTACH_TERMINAL))
		return 0;
	devpts = client_devpts_fd(t, &mine);
	/* A container without a devpts of its own gets one of the host's. */
	if (devpts < 0 || pty_open(devpts, &a->pty, &mine) < 0)
		r = pty_open_host(&a->pty, e);
	if (r < 0)
		return r;
	choose_terminals(a);
	/* Before anything can ask for it. */
	(void)tty_copy_winsize(terminal_of(a), a->pty.ptx);
	return fcntl(a->pty.ptx, F_SETFL, O_NONBLOCK) < 0 ? err_set(e, errno, NULL, "cannot set up the terminal") : 0;
}

/* A procfs that is one, opened before anything of the guest's can stand in its place. */
static int open_proc(struct attach_ctx *a, struct err **e)
{
	struct statfs fs;

	a->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (a->proc_fd < 0)
		return err_set(e, errno, NULL, "cannot open /proc");
	if (fstatfs(a->proc_fd, &fs) < 0 || fs.f_type != PROC_MAGIC)
		return err_set(e, EINVAL, "proc-is-fake", "/proc is not a procfs");
	return 0;
}

/* A monitor of LXC's own tells it bit by bit, and moves nobody. */
static int ask_bit_by_bit(const struct target *t, struct client_attach *x, struct err **e)
{
	static const char *const keys[ATTACH_KEYS_N] = ATTACH_KEYS;
	int r = client_init_pid(t, &x->pid, e);

	if (r < 0)
		return r;
	x->pidfd = proc_pidfd_open(x->pid);
	if (x->pidfd < 0)
		return err_not_running(e, t->name, t->lxcpath);
	for (size_t i = 0; i < ATTACH_KEYS_N; i++)
		x->items[i] = running_item(t, keys[i]);
	return client_clone_flags(t, &x->clone_flags, e);
}

static int ask(const struct target *t, struct attach_ctx *a, struct client_attach *x, struct err **e)
{
	bool move = a->flags & LXC_ATTACH_MOVE_TO_CGROUP;
	struct err *mine = NULL;
	int r = client_attach(t, move, x, &mine);

	if (r == -ENOSYS) {
		err_free(mine);
		r = ask_bit_by_bit(t, x, e);
	} else if (r < 0) {
		err_move(e, mine);
	}
	if (r < 0)
		return r;
	a->init_pid = x->pid;
	a->init_pidfd = take_fd(&x->pidfd);
	a->cgroups = x->cgroups;
	x->cgroups = (struct cgroup_entry){ .v2 = -EBADF };
	a->moves_itself = move && (a->cgroups.v2 >= 0 || a->cgroups.n);
	a->is_moved = move && !a->moves_itself;
	return 0;
}

static int prepare(const struct target *t, const struct conf *c, lxc_attach_options_t *opts, struct attach_ctx *a,
		   struct err **e)
{
	struct client_attach x = CLIENT_ATTACH_INIT;
	int r = ask(t, a, &x, e);

	if (r == 0)
		r = open_namespaces(a, opts, x.clone_flags, e);
	if (r == 0)
		r = choose_ids(a, opts, e);
	if (r == 0)
		r = choose_caps(a, e);
	if (r == 0)
		r = choose_identity(a, opts, x.items, e);
	if (r == 0)
		r = choose_seccomp(a, x.items, e);
	client_attach_done(&x);
	if (r == 0)
		r = build_environment(a, c, opts, e);
	if (r == 0)
		r = open_terminal(t, a, e);
	if (r == 0)
		r = open_proc(a, e);
	/* All of it was read from one process: it must still be that one. */
	if (r == 0 && proc_pidfd_send(a->init_pidfd, 0) < 0) {
		(void)err_not_running(e, t->name, t->lxcpath);
		r = -ECONNREFUSED;
	}
	return r;
}

static int apply_limits(const struct conf *c, pid_t pid, struct err **e)
{
	int r = 0;

	for (size_t i = 0; c && i < c->prlimit.n && r == 0; i++) {
		int resource = rlimit_by_name(c->prlimit.v[i].key);
		struct rlimit limit;

		if (resource < 0 || rlimit_parse(c->prlimit.v[i].value, &limit) < 0)
			continue;
		r = rlimit_apply(pid, resource, c->prlimit.v[i].key, &limit, e);
	}
	return r;
}

static int take_frame(const char *p, ssize_t n, struct err **e)
{
	struct err *theirs = n > 0 ? err_unpack(p, (size_t)n) : NULL;
	int num;

	if (!theirs)
		return err_set(e, ECHILD, NULL, "the attached process ended before it ran anything");
	num = err_root(theirs)->num > 0 ? err_root(theirs)->num : EIO;
	err_move(e, theirs);
	return -num;
}

/* What the attached process says once it may go on: 1 byte, it is about to run what it was made for; or an error.
 * Before that, its listener. */
static ssize_t hear_attached(const struct target *t, int fd, char frame[ERR_FRAME_MAX])
{
	int listener = -EBADF;
	size_t fds = 0;
	ssize_t n = socket_recv_packet(fd, frame, ERR_FRAME_MAX, &listener, 1, &fds, -1);

	if (n != (ssize_t)sizeof(ATTACH_LISTENER) || listener < 0) {
		fd_close(listener);
		return n;
	}
	/* A monitor of LXC's answers too; without one the calls would wait for ever, with the listener closed they fail. */
	(void)client_add_listener(t, listener, NULL);
	fd_close(listener);
	return recv(fd, frame, ERR_FRAME_MAX, 0);
}

static int move_to_cgroup(const struct target *t, const struct attach_ctx *a, pid_t pid, struct err **e)
{
	int r = client_cgroup_attach(t, pid, e);

	if (r == -EACCES || r == -EPERM) {
		struct err *mine = NULL;
		int moved = scope_join(a->init_pid, pid, &mine);

		if (moved == 0)
			return r;
		err_free(*e);
		*e = mine;
		return MIN(moved, 0);
	}
	if (r != -ENOSYS)
		return r;
	/* A monitor of LXC's own: no such command. */
	err_free(*e);
	*e = NULL;
	return cgroup_join(a->init_pid, pid, e);
}

/* What the transient process says first: the pid of the attached one, or an error. It may ask to be moved before. */
static ssize_t hear(const struct target *t, const struct attach_ctx *a, int fd, pid_t transient, char *frame, int *ret_r,
		    struct err **e)
{
	ssize_t n = recv(fd, frame, ERR_FRAME_MAX, 0);

	if (n != 1 || *frame != ATTACH_MOVE_ME)
		return n;
	*ret_r = move_to_cgroup(t, a, transient, e);
	if (*ret_r < 0 || send(fd, "", 1, MSG_NOSIGNAL) != 1)
		return 0;
	return recv(fd, frame, ERR_FRAME_MAX, 0);
}

/* The transient process enters the container's cgroups (where it can, it is born there), makes the attached one
 * and ends. 0 and the first packet in frame; -EAGAIN: it was killed at birth (see cgroup_create). */
static int make_transient(const struct target *t, const struct conf *c, struct attach_ctx *a, int pair[2], char *frame,
			  ssize_t *ret_n, struct err **e)
{
	bool waits = a->is_moved || (c && c->prlimit.n);
	int status = 0, r = 0, fd = a->born ? a->cgroups.v2 : -1;
	pid_t transient;

	a->waits = waits;
	transient = proc_clone(0, fd, NULL, fd >= 0 ? NULL : e);
	if (transient < 0)
		return fd >= 0 ? -EAGAIN : transient;
	if (transient == 0) {
		fd_close(pair[0]);
		attach_transient(a);
	}
	fd_replace(&a->status_fd, -EBADF);
	if (a->is_moved)
		r = move_to_cgroup(t, a, transient, e);
	if (r == 0)
		r = apply_limits(c, transient, e);
	if (r == 0 && waits)
		(void)send(pair[0], "", 1, MSG_NOSIGNAL);
	*ret_n = r == 0 ? hear(t, a, pair[0], transient, frame, &r, e) : 0;
	if (r < 0)
		(void)kill(transient, SIGKILL);
	/* The attached process has what it needs; the word to go on is not kept waiting by the end of this one. */
	if (r == 0 && *ret_n == (ssize_t)sizeof(pid_t)) {
		pid_t pid;

		memcpy(&pid, frame, sizeof(pid));
		if (a->wants_pidfd)
			fd_replace(&a->own_pidfd, proc_pidfd_open(pid));
		(void)send(pair[0], "", 1, MSG_NOSIGNAL);
	}
	(void)proc_wait(transient, &status);
	return r == 0 && *ret_n == 0 && fd >= 0 && WIFSIGNALED(status) ? -EAGAIN : r;
}

static int make_processes(const struct target *t, const struct conf *c, struct attach_ctx *a, pid_t *ret,
			  struct err **e)
{
	char frame[ERR_FRAME_MAX];
	ssize_t n = 0;
	int r, status;
	pid_t pid;

	a->born = a->moves_itself && a->cgroups.v2 >= 0;
	for (;;) {
		auto_close int mine = -EBADF;
		int pair[2];

		r = socket_pair(SOCK_SEQPACKET, pair, e);
		if (r < 0)
			return r;
		mine = pair[0];
		a->status_fd = pair[1];
		r = make_transient(t, c, a, pair, frame, &n, e);
		fd_replace(&a->status_fd, -EBADF);
		if (r == -EAGAIN && a->born) {
			a->born = false;
			continue;
		}
		if (r < 0)
			return r;
		if (n != (ssize_t)sizeof(pid))
			return take_frame(frame, n, e);
		memcpy(&pid, frame, sizeof(pid));
		n = hear_attached(t, mine, frame);
		break;
	}
	if (n != 1) {
		r = take_frame(frame, n, e);
		(void)proc_wait(pid, &status);
		return r;
	}
	*ret = pid;
	return 0;
}

static int run_terminal(struct attach_ctx *a, const lxc_attach_options_t *opts, pid_t pid)
{
	auto_close int end = proc_pidfd_open(pid);
	int tty = terminal_of(a);
	struct terminal_session s = {
		.in = a->is_terminal[0] ? a->stdio[0] : -1,
		.out = a->is_terminal[1] ? a->stdio[1] : tty,
		.tty = tty,
		.ptx = a->pty.ptx,
		.end_fd = end,
		.log_fd = opts->log_fd,
	};

	/* The terminal that is typed on is the one whose mode is changed. */
	if (s.in >= 0 && isatty(s.in))
		s.tty = s.in;
	return terminal_run(&s, NULL);
}

/* A caller whose stdin, stdout or stderr is closed would have one of our descriptors there, and the
 * attached process with it: /dev/null holds the places meanwhile. Returns how many are held. */
static int hold_stdio(int held[3])
{
	int n = 0, fd;

	while (n < 3 && (fd = open("/dev/null", O_RDWR | O_NOCTTY | O_CLOEXEC)) >= 0) {
		if (fd > 2) {
			fd_close(fd);
			break;
		}
		held[n++] = fd;
	}
	return n;
}

int attach_run(const struct target *t, const struct conf *conf, lxc_attach_options_t *opts, lxc_attach_exec_t fn,
	       void *payload, bool exec_only, pid_t *ret_pid, int *ret_pidfd, struct err **e)
{
	struct attach_ctx a = {
		.init_pidfd = -EBADF,
		.own_pidfd = -EBADF,
		.wants_pidfd = ret_pidfd,
		.proc_fd = -EBADF,
		.status_fd = -EBADF,
		.cgroups.v2 = -EBADF,
		.pty = PTY_INIT,
		.flags = opts->attach_flags,
		.groups = opts->groups.list,
		.n_groups = opts->groups.size,
		.set_groups = opts->attach_flags & LXC_ATTACH_SETGROUPS,
		.stdio = { opts->stdin_fd, opts->stdout_fd, opts->stderr_fd },
		.exec_only = exec_only,
		.fn = fn,
		.payload = payload,
	};
	auto_free char *cwd = NULL;
	struct err *mine = NULL;
	int held[3], n_held = hold_stdio(held), r;
	pid_t pid;

	for (int i = 0; i < NS_COUNT; i++)
		a.ns_fd[i] = -EBADF;
	cwd = opts->initial_cwd ? strdup(opts->initial_cwd) : getcwd(NULL, 0);
	a.cwd = cwd;
	r = prepare(t, conf, opts, &a, &mine);
	if (r == 0)
		r = make_processes(t, conf, &a, &pid, &mine);
	if (r == 0) {
		*ret_pid = pid;
		if (ret_pidfd)
			*ret_pidfd = take_fd(&a.own_pidfd);
		if (a.pty.ptx >= 0) {
			fd_replace(&a.pty.pts, -EBADF);
			(void)run_terminal(&a, opts, pid);
		}
	}
	ctx_done(&a);
	while (n_held)
		fd_close(held[--n_held]);
	if (r < 0)
		err_move(e, mine);
	else
		err_free(mine);
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* Init's rows about what the process is: ids, names, limits, capabilities, label, policy, exec. */
#include "lifecycle/start.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "config/check.h"
#include "kernel/caps.h"
#include "kernel/openat.h"
#include "kernel/proc.h"
#include "kernel/rlimit.h"
#include "lifecycle/hooks.h"

#undef LOG_CATEGORY
#define LOG_CATEGORY "start"
#define KEYCTL_JOIN_SESSION_KEYRING 1
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

int init_arm(struct run *r, struct err **e)
{
	sigset_t none;

	/* Their defaults are the monitor's own, see supervise_main. */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* Until exec the monitor's death is ours. Nobody in the container may trace us before that. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_set(e, errno, NULL, "cannot set the death signal");
	return caps_clear_inherited(e);
}

/* The ids of a mapped container's set-up: 0, or init's own where 0 is not mapped. */
int init_become_root(struct run *r, struct err **e)
{
	uid_t uid = idmap_to_host(&r->idmap, false, 0) != UINT32_MAX ? 0 : (uid_t)r->conf->init_uid.v;
	gid_t gid = idmap_to_host(&r->idmap, true, 0) != UINT32_MAX ? 0 : (gid_t)r->conf->init_gid.v;

	if (idmap_to_host(&r->idmap, false, uid) == UINT32_MAX)
		return err_id_not_mapped(e, "lxc.init.uid", uid);
	if (idmap_to_host(&r->idmap, true, gid) == UINT32_MAX)
		return err_id_not_mapped(e, "lxc.init.gid", gid);
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return err_set(e, errno, NULL, "cannot drop supplementary groups");
	if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return err_set(e, errno, NULL, "cannot become uid %u, gid %u of the user namespace", uid, gid);
	/* The change of ids has cleared these. */
	return init_arm(r, e);
}

static int write_time_offsets(const struct conf *c, struct err **e)
{
	char text[128];
	int64_t bs, bn, ms, mn;
	int rc;

	conf_clock_offset(&c->time_boot_s, &c->time_boot_ns, &bs, &bn);
	conf_clock_offset(&c->time_monotonic_s, &c->time_monotonic_ns, &ms, &mn);
	(void)snprintf(text, sizeof(text), "monotonic %lld %lld\nboottime %lld %lld\n", (long long)ms,
		       (long long)mn, (long long)bs, (long long)bn);
	rc = io_write_value(AT_FDCWD, "/proc/self/timens_offsets", text);
	return rc < 0 ? err_set(e, -rc, NULL, "lxc.time.offset is refused by the kernel") : 0;
}

int init_unshare_net(struct run *r, struct err **e)
{
	(void)r;
	return unshare(CLONE_NEWNET) < 0 ? err_set(e, errno, NULL, "cannot make a network namespace") : 0;
}

int init_join_cgroups(struct run *r, struct err **e)
{
	struct seq_cargo *in = &r->seq.in;
	int rc = cgroup_join_rest(r->cgroups, in->fds, in->n, e);

	while (in->n)
		fd_close(in->fds[--in->n]);
	return rc;
}

int init_unshare(struct run *r, struct err **e)
{
	int rc;

	if ((r->late_flags & CLONE_NEWCGROUP) && unshare(CLONE_NEWCGROUP) < 0)
		return err_set(e, errno, NULL, "cannot make a cgroup namespace");
	if (!(r->late_flags & CLONE_NEWTIME))
		return 0;
	if (unshare(CLONE_NEWTIME) < 0)
		return err_set(e, errno, NULL, "cannot make a time namespace");
	/* A mapped root may open its own file in /proc only while it may be traced; nobody is here yet. */
	(void)prctl(PR_SET_DUMPABLE, 1);
	rc = write_time_offsets(r->conf, e);
	(void)prctl(PR_SET_DUMPABLE, 0);
	if (rc < 0)
		return rc;

	auto_close int fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);

	return fd < 0 || setns(fd, CLONE_NEWTIME) < 0 ? err_set(e, errno, NULL, "cannot enter the time namespace") : 0;
}

int init_hostname(struct run *r, struct err **e)
{
	const char *name = r->conf->uts_name.v;

	if (sethostname(name, strlen(name)) < 0)
		return err_at(e, err_set(e, errno, NULL, "cannot set the host name %s", name), r->conf->uts_name.at);
	return 0;
}

int init_keyring(struct run *r, struct err **e)
{
	int rc = r->lsm && r->proc_fd >= 0 ? lsm_apply_keyring(r->lsm, r->proc_fd, e) : 0;

	if (rc < 0)
		return rc;
	/* Kernels without keys, or a policy that denies them, have nothing to protect. */
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS && errno != EPERM)
		return err_set(e, errno, NULL, "cannot make a session keyring");
	return 0;
}

int init_network(struct run *r, struct err **e)
{
	return net_inside(r->net, e);
}

/* Which /proc/sys entries belong to a namespace of the container. Everything else is the host's. */
static const struct scoped {
	const char *prefix;	/* a trailing '.' : everything below */
	uint64_t flag;
} sysctls[] = {
	{ "net.", CLONE_NEWNET },		    { "kernel.shm", CLONE_NEWIPC },
	{ "kernel.msg", CLONE_NEWIPC },		    { "kernel.sem", CLONE_NEWIPC },
	{ "kernel.auto_msgmni", CLONE_NEWIPC },	    { "fs.mqueue.", CLONE_NEWIPC },
	{ "kernel.hostname", CLONE_NEWUTS },	    { "kernel.domainname", CLONE_NEWUTS },
	{ "kernel.ns_last_pid", CLONE_NEWPID },	    { "kernel.pid_max", CLONE_NEWPID },
	{ "user.", CLONE_NEWUSER },
};

static const char *sysctl_refusal(const struct run *r, const char *key)
{
	if (strchr(key, '+') || path_has_dotdot(key))
		return "its name is not a sysctl";
	for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++)
		if (str_after(key, sysctls[i].prefix))
			return ((r->all_flags | r->foreign_flags) & sysctls[i].flag) ?
				       NULL :
				       "the container shares that namespace with the host";
	return "it belongs to the host, not to a namespace";
}

static int write_sysctl(struct run *r, const struct conf_item *item, struct err **e)
{
	const char *why = sysctl_refusal(r, item->key);
	auto_free char *path = NULL;
	auto_close int fd = -EBADF;
	ssize_t n;

	if (why)
		return err_at(e, err_sysctl_refused(e, item->key, why), item->at);
	if (asprintf(&path, "sys/%s", item->key) < 0)
		return err_no_memory(e);
	for (char *p = path; *p; p++)
		if (*p == '.')
			*p = '/';
	fd = open_no_symlinks(r->proc_fd, path, O_WRONLY, 0);
	n = fd < 0 ? -1 : write(fd, item->value, strlen(item->value));
	if (fd < 0 || n < 0)
		return err_at(e, err_sysctl_refused(e, item->key, strerrordesc_np(fd < 0 ? -fd : errno)), item->at);
	return 0;
}

int init_sysctls(struct run *r, struct err **e)
{
	const struct conf *c = r->conf;
	int rc = 0;

	if (c->arch.set && c->arch.v >= 0 && personality((unsigned long)c->arch.v) < 0)
		return err_at(e, err_set(e, errno, NULL, "the personality of lxc.arch cannot be set"), c->arch.at);
	for (size_t i = 0; i < c->sysctl.n && rc == 0; i++)
		rc = write_sysctl(r, &c->sysctl.v[i], e);
	return rc;
}

int init_drop_caps(struct run *r, struct err **e)
{
	return caps_drop_bounding(r->caps_drop, e);
}

int init_label(struct run *r, struct err **e)
{
	int rc;

	/* As for the time offsets: the attribute file of a mapped root's own. No start hook ran yet. */
	(void)prctl(PR_SET_DUMPABLE, 1);
	rc = lsm_apply(r->lsm, r->proc_fd, e);
	(void)prctl(PR_SET_DUMPABLE, 0);
	return rc;
}

int init_no_new_privs(struct run *r, struct err **e)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? err_set(e, errno, NULL, "cannot set no_new_privs") : 0;
}

int init_seccomp(struct run *r, struct err **e)
{
	int listener = -EBADF;
	int rc = seccomp_install(&r->seccomp, &listener, e);

	if (rc == 0 && listener >= 0)
		r->seq.out.fds[r->seq.out.n++] = listener;
	return rc;
}

int init_start_hooks(struct run *r, struct err **e)
{
	fd_replace(&r->proc_fd, -EBADF);
	return hooks_run(r, HOOK_START, NULL, NULL, e);
}

/* The guest's /dev/null, if it is one; the host's otherwise (it is ours already as fd 0). */
static int open_null(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
		return fd;
	fd_close(fd);
	return -EBADF;
}

static int application_stdio(struct run *r)
{
	for (int i = 0; i < 3; i++)
		if (r->stdio_tty[i] && dup2(r->console.pts, i) < 0)
			return -errno;
	if (r->stdio_tty[0] || r->stdio_tty[1] || r->stdio_tty[2])
		return tty_login(r->console.pts);
	return setsid() < 0 ? -errno : 0;
}

int init_stdio(struct run *r, struct err **e)
{
	auto_close int null = -EBADF;
	int rc = 0;

	if (r->application && r->foreground) {
		rc = application_stdio(r);
	} else if (r->console.pts >= 0) {
		/* No controlling terminal, as after a real boot: the first login on it takes it. */
		rc = setsid() < 0 ? -errno : tty_stdio(r->console.pts);
	} else {
		if (setsid() < 0)
			rc = -errno;
		null = open_null();
		for (int i = 0; i < 3 && null >= 0 && rc == 0; i++)
			rc = dup2(null, i) < 0 ? -errno : 0;
	}
	if (rc < 0)
		return err_set(e, -rc, NULL, "the container's terminal cannot be set up");
	(void)!fchown(0, (uid_t)r->conf->init_uid.v, (gid_t)-1);
	return 0;
}

/* After chdir: the place must be below the root, whatever /proc/self/fd or a symlink made of it. */
static int enter_cwd(const struct run *r, struct err **e)
{
	const struct conf_str *cwd = &r->conf->init_cwd;
	auto_close int root = -EBADF, fd = -EBADF;
	char real[PATH_MAX];

	if (!cwd->v)
		return 0;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = root < 0 ? -errno : mkdir_in_root(root, cwd->v, 0755);
	if (fd < 0 || fchdir(fd) < 0)
		return err_at(e, err_set(e, fd < 0 ? -fd : errno, NULL, "lxc.init.cwd = %s cannot be entered", cwd->v),
			      cwd->at);
	if (!getcwd(real, sizeof(real)) || real[0] != '/')
		return err_at(e, err_set(e, EPERM, "cwd-outside", "lxc.init.cwd = %s lies outside the container", cwd->v),
			      cwd->at);
	return 0;
}

static int limit_files(const struct run *r, struct err **e)
{
	const struct conf_list *l = &r->conf->prlimit;

	if (setrlimit(RLIMIT_NOFILE, &r->files) < 0)
		return err_set(e, errno, NULL, "the limit of open files cannot be set");
	for (size_t i = 0; i < l->n; i++) {
		struct rlimit limit;

		if (rlimit_by_name(l->v[i].key) != RLIMIT_NOFILE)
			continue;
		if (rlimit_parse(l->v[i].value, &limit) < 0 || setrlimit(RLIMIT_NOFILE, &limit) < 0)
			return err_at(e, err_set(e, errno ? errno : EINVAL, NULL, "lxc.prlimit.nofile = %s is refused",
						 l->v[i].value),
				      l->v[i].at);
	}
	return 0;
}

static int init_environment(const struct run *r, struct strv *env, struct err **e)
{
	const struct conf *c = r->conf;
	const struct conf_list *lists[] = { &c->environment, &c->environment_runtime };
	auto_strv struct strv ttys = { 0 };
	auto_free char *joined = NULL;
	int rc = 0;

	for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
		for (size_t i = 0; i < lists[k]->n && rc == 0; i++)
			rc = strv_add(env, lists[k]->v[i].value);
	if (rc == 0)
		rc = strv_add(env, "container=lxc");
	for (unsigned i = 0; i < r->tty_count && rc == 0 && r->has_devpts; i++)
		rc = strv_addf(&ttys, "pts/%d", r->ttys[i].index);
	if (rc == 0 && ttys.n) {
		joined = strv_join(&ttys, " ");
		rc = joined ? strv_addf(env, "container_ttys=%s", joined) : -ENOMEM;
	}
	return rc < 0 ? err_no_memory(e) : 0;
}

static int switch_ids(struct run *r, struct err **e)
{
	const struct conf *c = r->conf;
	gid_t groups[256] = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < c->init_groups.n; i++) {
		uint32_t gid;

		if (n == ARRAY_SIZE(groups) || num_id(c->init_groups.v[i].value, &gid) < 0)
			return err_at(e, err_set(e, EINVAL, NULL, "lxc.init.groups has too many or bad ids"),
				      c->init_groups.v[i].at);
		groups[n++] = gid;
	}
	if (setgroups(n, groups) < 0 && (n || errno != EPERM))
		return err_set(e, errno, NULL, "the groups of init cannot be set");
	if (c->init_gid.v && setresgid((gid_t)c->init_gid.v, (gid_t)c->init_gid.v, (gid_t)c->init_gid.v) < 0)
		return err_at(e, err_set(e, errno, NULL, "cannot become gid %lld", (long long)c->init_gid.v), c->init_gid.at);
	if (c->init_uid.v && setresuid((uid_t)c->init_uid.v, (uid_t)c->init_uid.v, (uid_t)c->init_uid.v) < 0)
		return err_at(e, err_set(e, errno, NULL, "cannot become uid %lld", (long long)c->init_uid.v), c->init_uid.at);
	return 0;
}

static int exec_error(struct run *r, const char *path, int num, struct err **e)
{
	int rc;

	if (num == ENOENT)
		rc = err_init_missing(e, path, r->storage ? storage_source(r->storage) : "/");
	else if (num == EACCES)
		rc = err_init_not_executable(e, path);
	else if (num == ENOEXEC)
		rc = err_init_format(e, path);
	else
		rc = err_set(e, num, NULL, "cannot execute %s", path);
	return r->from_config && r->conf->init_cmd.v ? err_at(e, rc, r->conf->init_cmd.at) : rc;
}

static int exec_search(struct run *r, char **envp, struct err **e)
{
	const char *file = r->argv.v[0], *dirs = DEFAULT_PATH;
	auto_strv struct strv list = { 0 };
	int num = ENOENT;

	if (strchr(file, '/')) {
		(void)execve(file, r->argv.v, envp);
		return exec_error(r, file, errno, e);
	}
	if (strv_split(&list, dirs, ":") < 0)
		return err_no_memory(e);
	for (size_t i = 0; i < list.n; i++) {
		auto_free char *path = path_join(list.v[i], file);

		if (!path)
			return err_no_memory(e);
		(void)execve(path, r->argv.v, envp);
		if (errno != ENOENT && errno != ENOTDIR)
			num = errno;
	}
	return exec_error(r, file, num, e);
}

/* Our pid 1 for lxc-execute comes from outside the root, through an fd of a read-only mount. */
static int exec_application(struct run *r, char **envp, struct err **e)
{
	auto_strv struct strv argv = { 0 };

	if (strv_add(&argv, "init") < 0 || strv_add(&argv, "-n") < 0 || strv_add(&argv, r->name) < 0 ||
	    strv_add(&argv, "--") < 0 || strv_copy(&argv, &r->argv) < 0)
		return err_no_memory(e);
	(void)syscall(SYS_execveat, r->exe_fd, "", argv.v, envp, AT_EMPTY_PATH);
	return err_set(e, errno, NULL, "cannot execute the container's own init");
}

int init_exec(struct run *r, struct err **e)
{
	auto_strv struct strv env = { 0 };
	int rc = init_environment(r, &env, e);

	if (rc == 0)
		rc = enter_cwd(r, e);
	if (rc == 0)
		rc = limit_files(r, e);
	if (rc == 0)
		rc = switch_ids(r, e);
	if (rc == 0)
		rc = caps_clear_inherited(e);
	if (rc < 0)
		return rc;
	if (prctl(PR_SET_PDEATHSIG, (unsigned long)r->conf->monitor_pdeath.v) < 0)
		return err_set(e, errno, NULL, "cannot set lxc.monitor.signal.pdeath");
	/* One call instead of a walk: whatever was overlooked ends with exec. */
	(void)syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
	return r->application ? exec_application(r, env.v, e) : exec_search(r, env.v, e);
}

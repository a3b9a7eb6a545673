/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "template.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/paths.h"
#include "base/str.h"
#include "kernel/idmap.h"
#include "kernel/proc.h"
#include "kernel/signal.h"
#include "storage/storage.h"

#define USERNSEXEC PATH_BIN "/lxc-usernsexec"
#define FULL_BYTES (1U << 20)

int template_find(const char *t, char **ret, struct err **e)
{
	auto_free char *path = NULL, *base = NULL;
	struct stat st;

	if (!*t)
		return err_template_name_invalid(e, t, "it is empty");
	if (str_has_control(t, false))
		return err_template_name_invalid(e, t, "it contains a control character");
	if (!path_is_absolute(t) && strchr(t, '/'))
		return err_template_name_invalid(e, t, "it is neither a name nor an absolute path");
	if (path_is_absolute(t)) {
		path = strdup(t);
	} else {
		if (asprintf(&base, "lxc-%s", t) < 0)
			return err_no_memory(e);
		path = path_join(PATH_TEMPLATES, base);
	}
	if (!path)
		return err_no_memory(e);
	if (stat(path, &st) < 0)
		return errno == ENOENT ? err_template_missing(e, t, PATH_TEMPLATES) :
					 err_set(e, errno, NULL, "cannot use template %s", path);
	if (!S_ISREG(st.st_mode))
		return err_template_name_invalid(e, t, "it is not a file");
	if (access(path, X_OK) < 0)
		return err_template_not_executable(e, path);
	*ret = take_ptr(path);
	return 0;
}

int template_check_args(char *const argv[], struct err **e)
{
	for (unsigned i = 0; argv && argv[i]; i++)
		if (str_has_control(argv[i], true))
			return err_template_argument_invalid(e, i + 1);
	return 0;
}

/* "-m u:0:100000:65536" for every range. */
static int add_maps(struct strv *argv, const struct idmap *m)
{
	int r = 0;

	for (size_t i = 0; i < m->n && r == 0; i++) {
		const struct idmap_range *range = &m->v[i];

		r = strv_add(argv, "-m");
		if (r == 0)
			r = strv_addf(argv, "%c:%u:%u:%u", range->gid ? 'g' : 'u', range->nsid, range->hostid,
				      range->range);
	}
	return r;
}

static int add_contract(struct strv *argv, const struct template_run *t, const char *argv0)
{
	int r = strv_add(argv, argv0);

	if (r == 0)
		r = strv_addf(argv, "--path=%s", t->dir);
	if (r == 0)
		r = strv_addf(argv, "--name=%s", t->name);
	if (r == 0)
		r = strv_addf(argv, "--rootfs=%s", t->rootfs);
	for (size_t i = 0; t->argv && t->argv[i] && r == 0; i++)
		r = strv_add(argv, t->argv[i]);
	return r;
}

static int mapped_argv(struct strv *argv, const struct template_run *t, const struct conf *conf)
{
	struct idmap m;
	uint32_t uid = 0, gid = 0;
	int r = conf_idmap(conf, &m);

	if (r == 0)
		r = strv_add(argv, "lxc-usernsexec");
	/* The caller too, so that the caller's files keep an owner. */
	if (r == 0)
		r = idmap_add_self(&m, &uid, &gid);
	if (r == 0)
		r = add_maps(argv, &m);
	idmap_done(&m);
	if (r == 0)
		r = strv_add(argv, "--");
	if (r == 0)
		r = add_contract(argv, t, t->path);
	if (r == 0)
		r = strv_add(argv, "--mapped-uid");
	if (r == 0)
		r = strv_addf(argv, "%u", uid);
	if (r == 0)
		r = strv_add(argv, "--mapped-gid");
	if (r == 0)
		r = strv_addf(argv, "%u", gid);
	return r;
}

/* In the child; the caller may have threads: system calls only. errno of what failed. */
static int become(const char *program, char *const *argv, const struct template_run *t, bool new_mounts, int report)
{
	const int kept[2] = { MIN(t->keep_fd, report), MAX(t->keep_fd, report) };

	signal_reset_all();
	(void)umask(022);
	/* What a template mounts goes away with its last process, and does not show on the host. */
	if (new_mounts && mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return errno;
	if (t->root_fd >= 0 && move_mount(t->root_fd, "", AT_FDCWD, t->rootfs, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return errno;
	if (t->quiet) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		if (null < 0)
			return errno;
		for (int fd = 0; fd <= 2; fd++)
			if (dup2(null, fd) < 0)
				return errno;
	}
	(void)proc_close_fds(3, kept, ARRAY_SIZE(kept));
	(void)fcntl(t->keep_fd, F_SETFD, 0);
	(void)execve(program, argv, environ);
	return errno;
}

/* Starts the program and waits for its end. */
static int run(const char *program, char *const *argv, const struct template_run *t, int *ret_status,
	       struct err **e)
{
	bool new_mounts = geteuid() == 0;
	int pipefd[2], failed = 0, r;
	ssize_t n;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_set(e, errno, NULL, "cannot make a pipe");
	auto_close int from_child = pipefd[0];
	int to_parent = pipefd[1];

	pid = proc_clone_exec(new_mounts ? CLONE_NEWNS : 0, e);
	if (pid == 0) {
		failed = become(program, argv, t, new_mounts, to_parent);
		(void)!write(to_parent, &failed, sizeof(failed));
		_exit(127);
	}
	fd_close(to_parent);
	if (pid < 0)
		return pid;
	/* End of file: the program runs. */
	do {
		n = read(from_child, &failed, sizeof(failed));
	} while (n < 0 && errno == EINTR);
	r = proc_wait(pid, ret_status);
	if (n == (ssize_t)sizeof(failed) && failed == ENOENT && access(program, F_OK) == 0)
		return err_program_interpreter_missing(e, program);
	if (n == (ssize_t)sizeof(failed) && failed == ENOEXEC)
		return err_template_no_program(e, program);
	if (n == (ssize_t)sizeof(failed))
		return err_set(e, failed, NULL, "cannot execute %s", program);
	return r < 0 ? err_set(e, -r, NULL, "cannot see the end of %s", program) : 0;
}

static bool is_full(const struct template_run *t)
{
	struct statvfs v;

	return (t->root_fd < 0 ? statvfs(t->rootfs, &v) : fstatvfs(t->root_fd, &v)) == 0 &&
	       ((uint64_t)v.f_bavail * v.f_frsize < FULL_BYTES || (v.f_files && !v.f_favail));
}

static int judge(const struct template_run *t, const char *base, int status, struct err **e)
{
	int r;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	/* The template has said something on its way, but a full disk explains any message. */
	if (is_full(t)) {
		r = err_disk_full(e, t->rootfs);
		return err_wrap(e, r, "running template %s", base);
	}
	if (WIFSIGNALED(status)) {
		const char *sig = signal_name(WTERMSIG(status));

		return err_template_killed(e, base, sig ? sig : "SIGRT");
	}
	return err_template_failed(e, base, WEXITSTATUS(status));
}

int template_run(const struct template_run *t, const struct conf *conf, struct err **e)
{
	/* Where the mount shifts ids, the files are made as the container sees them. */
	bool mapped = conf_is_mapped(conf) && !storage_is_neutral(conf);
	auto_strv struct strv argv = { 0 };
	const char *base = path_base(t->path);
	int status, r;

	r = mapped ? mapped_argv(&argv, t, conf) : add_contract(&argv, t, base);
	if (r < 0)
		return err_no_memory(e);
	if (mapped && access(USERNSEXEC, X_OK) < 0)
		return err_program_missing(e, "lxc-usernsexec", PATH_BIN, "lxc");
	r = run(mapped ? USERNSEXEC : t->path, argv.v, t, &status, e);
	if (r < 0)
		return r;
	return judge(t, base, status, e);
}

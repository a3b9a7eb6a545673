/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/compiler.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "kernel/proc.h"

#define STANDARD_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define TAIL_MAX 1024
#define HIGH_FD 3

/* What to install for a missing program, where Debian's package has another name. */
static const struct {
	const char *program, *package;
} packages[] = {
	{ "newuidmap", "uidmap" },	   { "newgidmap", "uidmap" },	     { "ip", "iproute2" },
	{ "dnsmasq", "dnsmasq-base" },	   { "nft", "nftables" },	     { "lvcreate", "lvm2" },
	{ "lvremove", "lvm2" },		   { "lvs", "lvm2" },		     { "vgs", "lvm2" },
	{ "lvextend", "lvm2" },		   { "zfs", "zfsutils-linux" },	     { "btrfs", "btrfs-progs" },
	{ "qemu-nbd", "qemu-utils" },	   { "rbd", "ceph-common" },	     { "mkfs.ext4", "e2fsprogs" },
	{ "mkfs.xfs", "xfsprogs" },	   { "mkfs.btrfs", "btrfs-progs" },  { "losetup", "mount" },
	{ "ovs-vsctl", "openvswitch-switch" }, { "apparmor_parser", "apparmor" }, { "xz", "xz-utils" },
	{ "mksquashfs", "squashfs-tools" }, { "pasta", "passt" },	     { "slirp4netns", "slirp4netns" },
	{ "dhclient", "isc-dhcp-client" }, { "udhcpc", "udhcpc" },
};

static const char *package_of(const char *program)
{
	for (size_t i = 0; i < ARRAY_SIZE(packages); i++)
		if (strcmp(packages[i].program, program) == 0)
			return packages[i].package;
	return program;
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The file to run: new; NULL with *e set. */
static char *find_program(const struct spawn *s, struct err **e)
{
	const char *search = s->search ? s->search : STANDARD_PATH;
	auto_strv struct strv dirs = { 0 };
	char *path;

	if (strchr(s->path, '/')) {
		path = strdup(s->path);
		if (!path)
			(void)err_no_memory(e);
		return path;
	}
	if (strv_split(&dirs, search, ":") < 0) {
		(void)err_no_memory(e);
		return NULL;
	}
	for (size_t i = 0; i < dirs.n; i++) {
		path = path_join(dirs.v[i], s->path);
		if (!path) {
			(void)err_no_memory(e);
			return NULL;
		}
		if (is_program(path))
			return path;
		free(path);
	}
	(void)err_program_missing(e, s->path, search, package_of(s->path));
	return NULL;
}

static int exec_error(struct err **e, int num, const char *path)
{
	auto_free char *dir = NULL, *obstacle = NULL;
	struct stat st;

	if (num == EACCES && (obstacle = io_obstacle(path)))
		return err_program_forbidden(e, path, obstacle);
	if (num != ENOENT)
		return err_set(e, num, NULL, "cannot run %s", path);
	if (stat(path, &st) == 0)
		return err_program_interpreter_missing(e, path);
	dir = strndup(path, (size_t)(path_base(path) - path));
	return err_program_missing(e, path_base(path), dir && *dir ? dir : "/", package_of(path_base(path)));
}

/* The three standard descriptors as they are given to the child. */
struct stdio {
	int fd[3];	/* borrowed, or one of high; -1 until it is /dev/null */
	int high[3];	/* owned duplicates of descriptors that another one's place would overwrite */
};

static void stdio_done(struct stdio *io)
{
	for (int i = 0; i < 3; i++)
		fd_close(io->high[i]);
}
#define auto_stdio __attribute__((cleanup(stdio_done)))

static bool is_null(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/* Where there is no /dev/null that is one (in a container's root), that of our own input, or a file that nobody sees. */
static int open_null(void)
{
	auto_close int fd = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0 && is_null(fd))
		return fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
	return is_null(0) ? fcntl(0, F_DUPFD_CLOEXEC, HIGH_FD) : memfd_create("null", MFD_CLOEXEC);
}

static int stdio_prepare(struct stdio *io)
{
	for (int i = 0; i < 3; i++) {
		if (io->fd[i] < 0) {
			io->fd[i] = io->high[i] = open_null();
			if (io->fd[i] < 0)
				return -errno;
		}
		if (io->fd[i] < 0 || io->fd[i] > 2 || io->fd[i] == i)
			continue;
		io->high[i] = fcntl(io->fd[i], F_DUPFD_CLOEXEC, HIGH_FD);
		if (io->high[i] < 0)
			return -errno;
		io->fd[i] = io->high[i];
	}
	return 0;
}

static int add_stdio(posix_spawn_file_actions_t *fa, const struct stdio *io)
{
	int r = 0;

	for (int i = 0; i < 3 && r == 0; i++)
		r = posix_spawn_file_actions_adddup2(fa, io->fd[i], i);
	return r;
}

/* All others go, also those that a host program has opened without close-on-exec. */
static int add_keeps(posix_spawn_file_actions_t *fa, const struct spawn *s)
{
	int last = 2, r = 0;

	for (size_t i = 0; i < s->n_keep; i++)
		last = MAX(last, s->keep[i]);
	for (int fd = 3; fd <= last && r == 0; fd++) {
		bool kept = false;

		for (size_t i = 0; i < s->n_keep; i++)
			kept |= s->keep[i] == fd;
		/* A dup2 onto itself takes close-on-exec away; closing a closed one is no error. */
		r = kept ? posix_spawn_file_actions_adddup2(fa, fd, fd) : posix_spawn_file_actions_addclose(fa, fd);
	}
	return r ? r : posix_spawn_file_actions_addclosefrom_np(fa, last + 1);
}

static int set_attributes(posix_spawnattr_t *at, bool new_session)
{
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigset_t none, all;
	int r;

	(void)sigemptyset(&none);
	/* Not sigfillset: it leaves out two signals of glibc's own, which then arrive ignored. */
	memset(&all, 0xff, sizeof(all));
	if (new_session)
		flags |= POSIX_SPAWN_SETSID;
	r = posix_spawnattr_setsigmask(at, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(at, &all);
	return r ? r : posix_spawnattr_setflags(at, flags);
}

/* posix_spawn where the kernel would forget how the program ends: one more process waits for it. System calls only: the
 * caller may have threads. */
static int spawn_seen(pid_t *ret_pid, const char *path, const posix_spawn_file_actions_t *fa, const posix_spawnattr_t *at,
		      char *const *argv, char *const *envp, bool new_session)
{
	int pipefd[2], r = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return errno;
	pid = proc_clone_seen(0, NULL);
	if (pid == 0) {
		if (new_session)
			(void)setsid();
		r = posix_spawn(&pid, path, fa, at, argv, envp);
		(void)!write(pipefd[1], &r, sizeof(r));
		if (r)
			_exit(127);
		proc_end_as(pid);
	}
	(void)close(pipefd[1]);
	if (pid > 0) {
		do {
			n = read(pipefd[0], &r, sizeof(r));
		} while (n < 0 && errno == EINTR);
		r = n == (ssize_t)sizeof(r) ? r : EIO;
	}
	(void)close(pipefd[0]);
	if (pid < 0)
		return (int)-pid;
	if (r)
		(void)proc_wait(pid, NULL);
	*ret_pid = pid;
	return r;
}

/* 0 or a positive errno, as posix_spawn. */
static int spawn_with(const struct spawn *s, const char *path, const struct stdio *io, pid_t *ret_pid)
{
	static char standard_path[] = "PATH=" STANDARD_PATH;
	static char *const standard_env[] = { standard_path, NULL };
	char *const *envp = s->envp ? s->envp : standard_env;
	bool forgets = proc_forgets_children();
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	int r = posix_spawn_file_actions_init(&fa);

	if (r)
		return r;
	r = posix_spawnattr_init(&at);
	if (r == 0) {
		r = set_attributes(&at, s->new_session && !forgets);
		if (r == 0)
			r = add_stdio(&fa, io);
		if (r == 0)
			r = add_keeps(&fa, s);
		if (r == 0)
			r = forgets ? spawn_seen(ret_pid, path, &fa, &at, s->argv, envp, s->new_session) :
				      posix_spawn(ret_pid, path, &fa, &at, s->argv, envp);
		(void)posix_spawnattr_destroy(&at);
	}
	(void)posix_spawn_file_actions_destroy(&fa);
	return r;
}

/* out_fd, err_fd: where output goes that has no descriptor of its own; -1: /dev/null. */
static int start(const struct spawn *s, int out_fd, int err_fd, pid_t *ret_pid, int *ret_pidfd, struct err **e)
{
	auto_stdio struct stdio io = {
		.fd = { s->stdin_fd, s->stdout_fd >= 0 ? s->stdout_fd : out_fd,
			s->stderr_fd >= 0 ? s->stderr_fd : err_fd },
		.high = { -EBADF, -EBADF, -EBADF },
	};
	auto_free char *path = find_program(s, e);
	pid_t pid;
	int r;

	if (!path)
		return -ENOENT;
	r = stdio_prepare(&io);
	if (r < 0)
		return err_set(e, -r, NULL, "cannot make the input and output of %s", path);
	r = spawn_with(s, path, &io, &pid);
	if (r)
		return exec_error(e, r, path);
	if (ret_pidfd) {
		int fd = proc_pidfd_open(pid);

		if (fd < 0) {
			(void)proc_wait(pid, NULL);
			return err_set(e, -fd, NULL, "cannot watch program %s", path);
		}
		*ret_pidfd = fd;
	}
	*ret_pid = pid;
	return 0;
}

int spawn_start(const struct spawn *s, pid_t *ret_pid, int *ret_pidfd, struct err **e)
{
	return start(s, -1, -1, ret_pid, ret_pidfd, e);
}

/* What a program says: all of it up to the ceiling of out, and the end of it in any case. */
struct capture {
	int fd;			/* read side, non-blocking */
	struct buf *out;	/* may be NULL */
	struct buf tail;
};

static void capture_done(struct capture *c)
{
	fd_close(c->fd);
	buf_done(&c->tail);
}
#define auto_capture __attribute__((cleanup(capture_done)))

static void capture_add(struct capture *c, const char *p, size_t n)
{
	if (c->out && buf_ok(c->out))
		buf_add(c->out, p, MIN(n, c->out->max - c->out->len));
	if (n > TAIL_MAX) {
		p += n - TAIL_MAX;
		n = TAIL_MAX;
	}
	if (c->tail.len + n > TAIL_MAX)
		buf_consume(&c->tail, c->tail.len + n - TAIL_MAX);
	buf_add(&c->tail, p, n);
}

/* Reads what is there; false when nothing more will come. */
static bool capture_read(struct capture *c)
{
	char chunk[4096];

	for (;;) {
		ssize_t n = read(c->fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		capture_add(c, chunk, (size_t)n);
	}
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until the process has ended. Not until its output has: a daemon it left may hold that for ever.
 * 0, -ETIMEDOUT or -errno. */
static int watch(struct capture *c, int pidfd, unsigned timeout_ms)
{
	int64_t deadline = now_ms() + timeout_ms;
	struct pollfd p[2] = {
		{ .fd = pidfd, .events = POLLIN },
		{ .fd = c->fd, .events = POLLIN },
	};

	for (;;) {
		int left = timeout_ms ? (int)MAX(MIN(deadline - now_ms(), INT32_MAX), 0) : -1;
		int r = poll(p, 2, left);

		if (r < 0 && errno != EINTR)
			return -errno;
		if (r < 0)
			continue;
		if (r == 0)
			return -ETIMEDOUT;
		if (p[1].revents && !capture_read(c))
			p[1].fd = -1;
		if (p[0].revents) {
			if (p[1].fd >= 0)
				(void)capture_read(c);
			return 0;
		}
	}
}

static int capture_open(struct capture *c, int *ret_write, struct err **e)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, errno, NULL, "cannot create a pipe");
	c->fd = p[0];
	*ret_write = p[1];
	if (fcntl(p[0], F_SETFL, O_NONBLOCK) < 0)
		return err_set(e, errno, NULL, "cannot make a pipe non-blocking");
	return 0;
}

/* stderr of a program that has no place to go is caught for its last line when tail is wanted. */
static int run(const struct spawn *s, struct capture *c, bool want_tail, int *ret_status, struct err **e)
{
	bool catch_out = s->output && s->stdout_fd < 0;
	bool catch_err = (s->output || want_tail) && s->stderr_fd < 0;
	auto_close int end = -EBADF, pidfd = -EBADF;
	int r = 0, wait_r;
	pid_t pid;

	if (catch_out || catch_err)
		r = capture_open(c, &end, e);
	if (r == 0)
		r = start(s, catch_out ? end : -1, catch_err ? end : -1, &pid, &pidfd, e);
	if (r < 0)
		return r;
	fd_replace(&end, -EBADF);
	r = watch(c, pidfd, s->timeout_ms);
	if (r < 0) {
		(void)proc_pidfd_send(pidfd, SIGKILL);
		if (s->new_session)
			(void)kill(-pid, SIGKILL);
	}
	wait_r = proc_wait(pid, ret_status);
	if (r == -ETIMEDOUT)
		return err_program_timeout(e, path_base(s->path), s->timeout_ms);
	if (r == 0)
		r = wait_r;
	return r < 0 ? err_set(e, -r, NULL, "cannot wait for program %s", s->path) : 0;
}

int spawn_run(const struct spawn *s, int *ret_status, struct err **e)
{
	auto_capture struct capture c = { .fd = -EBADF, .out = s->output, .tail = BUF_INIT(TAIL_MAX) };
	int status = 0, r = run(s, &c, false, &status, e);

	if (r == 0 && ret_status)
		*ret_status = status;
	return r;
}

int spawn_check(const struct spawn *s, struct err **e)
{
	auto_capture struct capture c = { .fd = -EBADF, .out = s->output, .tail = BUF_INIT(TAIL_MAX) };
	auto_free char *last = NULL;
	char how[80];
	int status = 0, r = run(s, &c, true, &status, e);

	if (r < 0)
		return r;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status))
		(void)snprintf(how, sizeof(how), "failed with exit status %d", WEXITSTATUS(status));
	else
		(void)snprintf(how, sizeof(how), "was killed by signal %d (%s)", WTERMSIG(status),
			       sigdescr_np(WTERMSIG(status)) ? sigdescr_np(WTERMSIG(status)) : "unknown");
	last = spawn_last_line(&c.tail);
	return err_program_failed(e, path_base(s->path), how, last ? last : "");
}

char *spawn_last_line(const struct buf *output)
{
	const char *text = buf_str(output), *end = text + output->len, *start_of;
	char *line, *o;

	while (end > text && strchr(" \t\r\n", end[-1]))
		end--;
	start_of = end;
	/* A progress bar draws over itself: what is seen is what follows its last return. */
	while (start_of > text && start_of[-1] != '\n' && start_of[-1] != '\r')
		start_of--;
	line = malloc((size_t)(end - start_of) + 1);
	if (!line)
		return NULL;
	o = line;
	for (const char *p = start_of; p < end; p++)
		if ((unsigned char)*p >= 0x20 && *p != 0x7f)
			*o++ = *p;
	*o = '\0';
	return line;
}

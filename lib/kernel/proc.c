/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/compiler.h"
#include "base/io.h"
#include "base/num.h"
#include "base/str.h"
#include "base/strv.h"
#include "kernel/signal.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U	/* Linux 6.3 */
#endif
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif

/* Linux 6.13; the exit information is of 6.15. The layout is the kernel's first version. */
struct pidfd_info_v0 {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};
_Static_assert(sizeof(struct pidfd_info_v0) == 64, "layout of PIDFD_GET_INFO");
#define PIDFD_INFO_EXIT_BIT (UINT64_C(1) << 3)
#define PIDFD_GET_INFO_V0 _IOWR(0xFF, 11, struct pidfd_info_v0)

#define PF_EXITING UINT64_C(4)	/* in field 9 of stat; the kernel's include/linux/sched.h */

int proc_pidfd_open(pid_t pid)
{
	int fd = pidfd_open(pid, 0);

	return fd < 0 ? -errno : fd;
}

int proc_pidfd_send(int pidfd, int sig)
{
	return pidfd_send_signal(pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int proc_pidfd_wait(int pidfd, int timeout_ms)
{
	int64_t deadline = timeout_ms < 0 ? 0 : now_ms() + timeout_ms;
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	for (;;) {
		int64_t left = timeout_ms < 0 ? -1 : MAX(deadline - now_ms(), 0);
		int r = poll(&p, 1, (int)left);

		if (r > 0)
			return p.revents & POLLNVAL ? -EBADF : 1;
		if (r == 0)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}

int proc_wait(pid_t pid, int *ret_status)
{
	int status;

	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	if (ret_status)
		*ret_status = status;
	return 0;
}

int proc_pidfd_status(int pidfd, int *ret_status)
{
	struct pidfd_info_v0 info = { .mask = PIDFD_INFO_EXIT_BIT };

	if (ioctl(pidfd, PIDFD_GET_INFO_V0, &info) < 0)
		return errno == ENOTTY || errno == EINVAL ? -EOPNOTSUPP : -errno;
	if (!(info.mask & PIDFD_INFO_EXIT_BIT))
		return -EBUSY;
	*ret_status = info.exit_code;
	return 0;
}

/* Field n (counted from 1 as in proc(5), at least 3) of a stat line; the name in field 2 may hold
 * anything, blanks and parentheses included. */
static int stat_field(const char *line, unsigned n, uint64_t *ret)
{
	const char *p = strrchr(line, ')');
	char word[24];
	size_t len;

	if (!p)
		return -EPROTO;
	p++;
	for (unsigned i = 3; i < n && *p; i++) {
		p += strspn(p, " ");
		p += strcspn(p, " ");
	}
	p += strspn(p, " ");
	len = strcspn(p, " \n");
	if (len == 0 || len >= sizeof(word))
		return -EPROTO;
	memcpy(word, p, len);
	word[len] = '\0';
	return num_u64(word, 10, UINT64_MAX, ret);
}

/* The letter behind the name; '\0': there is none. */
static char state_of(const char *line)
{
	const char *p = strrchr(line, ')');

	return p && p[1] == ' ' ? p[2] : '\0';
}

/* Nobody may ever reap it, where process 1 does not care. */
static bool has_ended(char state)
{
	return state == 'Z' || state == 'X';
}

int proc_start_time(pid_t pid, uint64_t *ret)
{
	char path[64], line[1024];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	n = io_read_line(AT_FDCWD, path, line, sizeof(line));
	if (n < 0)
		return n == -ENOENT ? -ESRCH : (int)n;
	if (has_ended(state_of(line)))
		return -ESRCH;
	return stat_field(line, 22, ret);
}

bool proc_is_at_work(pid_t pid, uint64_t start, bool *ret_stopped)
{
	char path[64], line[1024];
	uint64_t flags, now;
	char state;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (pid <= 0 || io_read_line(AT_FDCWD, path, line, sizeof(line)) < 0)
		return false;
	state = state_of(line);
	*ret_stopped = state == 'T' || state == 't';
	return !has_ended(state) && stat_field(line, 9, &flags) == 0 && !(flags & PF_EXITING) &&
	       stat_field(line, 22, &now) == 0 && now == start;
}

ssize_t proc_status_field(pid_t pid, const char *field, char *buf, size_t size)
{
	auto_free char *text = NULL;
	size_t n = strlen(field);
	auto_close int fd = -EBADF;
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	/* 65536 supplementary groups of ten digits fit. */
	r = io_read_fd(fd, (size_t)1 << 20, &text, NULL);
	if (r < 0)
		return r;
	for (char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		char *value = p + n + 1;
		size_t len;

		if (strncmp(p, field, n) != 0 || p[n] != ':')
			continue;
		value += strspn(value, " \t");
		len = strcspn(value, "\n");
		if (len >= size)
			return -ENOBUFS;
		memcpy(buf, value, len);
		buf[len] = '\0';
		return (ssize_t)len;
	}
	return -ENOENT;
}

/* The effective one of "real effective saved fs". */
static int effective_id(pid_t pid, const char *field, uint32_t *ret)
{
	auto_strv struct strv words = { 0 };
	char value[64];
	uint64_t v;
	ssize_t n = proc_status_field(pid, field, value, sizeof(value));
	int r;

	if (n < 0)
		return (int)n;
	r = strv_split(&words, value, "\t ");
	if (r == 0 && words.n < 2)
		r = -EPROTO;
	if (r == 0)
		r = num_u64(words.v[1], 10, UINT32_MAX, &v);
	if (r == 0)
		*ret = (uint32_t)v;
	return r;
}

int proc_owner(pid_t pid, uid_t *uid, gid_t *gid)
{
	uint32_t u, g;
	int r = effective_id(pid, "Uid", &u);

	if (r == 0)
		r = effective_id(pid, "Gid", &g);
	if (r < 0)
		return r;
	*uid = u;
	*gid = g;
	return 0;
}

static bool is_kept(int fd, const int *keep, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (keep[i] == fd)
			return true;
	return false;
}

/* Where close_range is refused (a policy around us; the kernel has it since 5.9). */
static int close_listed(int first, const int *keep, size_t n)
{
	auto_closedir DIR *d = opendir("/proc/self/fd");
	const struct dirent *entry;

	if (!d)
		return -errno;
	while ((entry = readdir(d))) {
		int fd;

		if (num_int(entry->d_name, 10, &fd) == 0 && fd >= first && fd != dirfd(d) &&
		    !is_kept(fd, keep, n))
			(void)close(fd);
	}
	return 0;
}

/* The lowest kept one from this up; -1: none. */
static int next_kept(unsigned from, const int *keep, size_t n)
{
	int next = -1;

	for (size_t i = 0; i < n; i++)
		if (keep[i] >= 0 && (unsigned)keep[i] >= from && (next < 0 || keep[i] < next))
			next = keep[i];
	return next;
}

int proc_close_fds(int first, const int *keep, size_t n)
{
	unsigned from = (unsigned)MAX(first, 0);
	int kept;

	do {
		kept = next_kept(from, keep, n);
		/* An empty gap is not a range. */
		if ((unsigned)kept != from && close_range(from, kept < 0 ? ~0U : (unsigned)kept - 1, 0) < 0)
			return close_listed((int)from, keep, n);
		from = (unsigned)kept + 1;
	} while (kept >= 0);
	return 0;
}

/* The file on a mount of its own that nobody can make writable; needs CAP_SYS_ADMIN. */
static int exe_on_mount(int exe)
{
	struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };
	auto_close int fd = open_tree(exe, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &ro, sizeof(ro)) < 0)
		return -errno;
	return take_fd(&fd);
}

static int exe_in_memory(int exe)
{
	auto_close int from = -EBADF, fd = -EBADF;
	char path[64];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", exe);
	from = open(path, O_RDONLY | O_CLOEXEC);
	if (from < 0 || fstat(from, &st) < 0)
		return -errno;
	fd = memfd_create("exe", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("exe", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(fd, from, NULL, (size_t)left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		left -= n;
	}
	if (fchmod(fd, 0555) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	return take_fd(&fd);
}

int proc_safe_exe(const char *path, struct err **e)
{
	auto_close int exe = open(path, O_PATH | O_CLOEXEC);
	struct stat st;
	int fd;

	if (exe < 0 || fstat(exe, &st) < 0)
		return err_set(e, errno, NULL, "cannot open %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EACCES, NULL, "%s is not a regular file", path);
	fd = exe_on_mount(exe);
	if (fd < 0)
		fd = exe_in_memory(exe);
	return fd < 0 ? err_set(e, -fd, NULL, "cannot make a protected copy of %s", path) : fd;
}

bool proc_has_one_thread(void)
{
	struct stat st;

	/* A directory per thread, beside "." and "..". */
	return stat("/proc/self/task", &st) == 0 && st.st_nlink == 3;
}

/* Where the kernel left the arguments and, behind them, the environment. */
static struct {
	char *begin, *args_end, *end;
} title_room;

size_t proc_note_title_room(void)
{
	char *begin = program_invocation_name, *end = environ ? environ[0] : NULL;

	/* Not where somebody has moved them. */
	if (!end || end <= begin || end[-1] != '\0')
		return 0;
	for (char **p = environ; *p == end; p++)
		end += strlen(end) + 1;
	title_room.begin = begin;
	title_room.args_end = environ[0];
	title_room.end = end;
	return (size_t)(end - begin);
}

void proc_set_title(const char *title)
{
	size_t room = (size_t)(title_room.end - title_room.begin);

	/* The kernel shows all of the arguments, but where their last byte is no NUL any more it shows what is before the first. */
	memset(title_room.begin, 0, room);
	title_room.args_end[-1] = '.';
	(void)snprintf(title_room.begin, room, "%s", title);
}

void proc_fill_stdio(void)
{
	int fd;

	/* The lowest free number is taken each time. */
	do {
		fd = open("/dev/null", O_RDWR | O_NOCTTY);
	} while (fd >= 0 && fd <= 2);
	if (fd > 2)
		(void)close(fd);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
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
#include "kernel/ns.h"
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

#define NEW_NAMESPACES                                                                            \
	(CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
	 CLONE_NEWCGROUP | CLONE_NEWTIME)

static int clone_error(struct err **e, int num, uint64_t flags, int cgroup_fd)
{
	if (num == EAGAIN)
		return err_process_limit(e);
	if ((flags & CLONE_NEWUSER) && (num == EPERM || num == EACCES || num == ENOSPC))
		return ns_userns_refused(num, e);
	if ((num == ENOSPC || num == EUSERS) && (flags & NEW_NAMESPACES))
		return err_namespace_limit(e);
	if (num == EPERM && (flags & NEW_NAMESPACES))
		return err_namespace_forbidden(e);
	return err_set(e, num, NULL, "cannot create a process%s", cgroup_fd >= 0 ? " in its cgroup" : "");
}

/* ThreadSanitizer has locks of its own, and knows of the C library's forks only: in a child of any other kind they would
 * be held for ever. */
#ifdef __SANITIZE_THREAD__
void __sanitizer_syscall_pre_impl_fork(void);
void __sanitizer_syscall_post_impl_fork(long pid);
#define fork_begins() __sanitizer_syscall_pre_impl_fork()
#define fork_ended(pid) __sanitizer_syscall_post_impl_fork(pid)
#else
#define fork_begins() ((void)0)
#define fork_ended(pid) ((void)0)
#endif

static pid_t clone_with(uint64_t flags, uint64_t exit_signal, int cgroup_fd, int *ret_pidfd, struct err **e)
{
	int pidfd = -EBADF;
	struct clone_args args = {
		.flags = flags,
		.exit_signal = exit_signal,
	};
	size_t size = CLONE_ARGS_SIZE_VER1;
	long pid;
	int num;

	if (ret_pidfd) {
		args.flags |= CLONE_PIDFD;
		args.pidfd = (uint64_t)(uintptr_t)&pidfd;
	}
	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
		size = CLONE_ARGS_SIZE_VER2;
	}
	fork_begins();
	pid = syscall(SYS_clone3, &args, size);
	num = errno;
	fork_ended(pid);
	if (pid < 0)
		return clone_error(e, num, flags, cgroup_fd);
	if (pid > 0 && ret_pidfd)
		*ret_pidfd = pidfd;
	return (pid_t)pid;
}

pid_t proc_clone(uint64_t flags, int cgroup_fd, int *ret_pidfd, struct err **e)
{
	return clone_with(flags, flags & CLONE_PARENT ? 0 : SIGCHLD, cgroup_fd, ret_pidfd, e);
}

bool proc_forgets_children(void)
{
	struct sigaction a;

	return sigaction(SIGCHLD, NULL, &a) == 0 && (a.sa_handler == SIG_IGN || (a.sa_flags & SA_NOCLDWAIT));
}

pid_t proc_clone_seen(uint64_t flags, struct err **e)
{
	bool forgets = proc_forgets_children();
	pid_t pid = clone_with(flags, forgets ? 0 : SIGCHLD, -1, NULL, e);

	if (pid == 0 && forgets)
		signal_reset(SIGCHLD);
	return pid;
}

static _Noreturn void end_with(int status)
{
	if (WIFSIGNALED(status)) {
		sigset_t none;

		(void)prctl(PR_SET_DUMPABLE, 0);
		signal_reset(WTERMSIG(status));
		(void)sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		(void)kill(getpid(), WTERMSIG(status));
	}
	_exit(WEXITSTATUS(status));
}

_Noreturn void proc_end_as(pid_t pid)
{
	int status;

	/* Whoever waits for the end of a pipe waits for the program alone. */
	(void)close_range(0, ~0U, 0);
	if (proc_wait(pid, &status) < 0)
		_exit(127);
	end_with(status);
}

pid_t proc_clone_exec(uint64_t flags, struct err **e)
{
	bool forgets = proc_forgets_children();
	pid_t pid = proc_clone_seen(flags, e);

	if (pid != 0 || !forgets)
		return pid;
	pid = proc_clone(0, -1, NULL, NULL);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		return 0;
	}
	proc_end_as(pid);
}

#define SAME_STACK (1U << 20)

#if defined(__SANITIZE_THREAD__)
/* Two processes would be one thread there. */
#elif defined(__x86_64__)
static long clone_call(struct clone_args *args, size_t size, void (*fn)(void *), void *arg)
{
	register void (*f)(void *) __asm__("r12") = fn;
	register void *a __asm__("r13") = arg;
	long r = SYS_clone3;

	__asm__ volatile("syscall\n\t"
			 "testq %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xorl %%ebp, %%ebp\n\t"
			 "movq %%r13, %%rdi\n\t"
			 "call *%%r12\n\t"
			 "ud2\n"
			 "1:"
			 : "+a"(r)
			 : "D"(args), "S"(size), "r"(f), "r"(a)
			 : "rcx", "r11", "memory", "cc");
	return r;
}

long proc_raw(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long r = nr;

	__asm__ volatile("syscall" : "+a"(r) : "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
	return r;
}
#define HAVE_CLONE_CALL 1
#elif defined(__aarch64__)
static long clone_call(struct clone_args *args, size_t size, void (*fn)(void *), void *arg)
{
	register long x0 __asm__("x0") = (long)args;
	register size_t x1 __asm__("x1") = size;
	register long x8 __asm__("x8") = SYS_clone3;
	register void (*f)(void *) __asm__("x19") = fn;
	register void *a __asm__("x20") = arg;

	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, #0\n\t"
			 "mov x0, x20\n\t"
			 "blr x19\n\t"
			 "brk #1\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(x1), "r"(x8), "r"(f), "r"(a)
			 : "x30", "memory", "cc");
	return x0;
}

long proc_raw(long nr, long a, long b, long c, long d)
{
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x8 __asm__("x8") = nr;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3), "r"(x8) : "memory");
	return x0;
}
#define HAVE_CLONE_CALL 1
#endif

#ifdef HAVE_CLONE_CALL
#ifdef __SANITIZE_ADDRESS__
#include <dlfcn.h>

static _Atomic uintptr_t noted_stacks[64];

static void note_stack(const char *p)
{
	static _Atomic unsigned next;

	noted_stacks[next++ % ARRAY_SIZE(noted_stacks)] = (uintptr_t)p;
}

/* These stacks are none in ASan's books: before each call that does not return it would say so, on whatever is the
 * container's stderr. On all others it is right to clean up. */
void __asan_handle_no_return(void);
void __asan_handle_no_return(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	void (*real)(void);

	for (size_t i = 0; i < ARRAY_SIZE(noted_stacks); i++)
		if (here - noted_stacks[i] < SAME_STACK)
			return;
	real = (void (*)(void))dlsym(RTLD_NEXT, "__asan_handle_no_return");
	if (real)
		real();
}
#else
static void note_stack(const char *p)
{
}
#endif

/* Not the stack's lowest page: who runs over the end is stopped there. */
static char *make_stack(void)
{
	char *p = mmap(NULL, SAME_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (mprotect(p, (size_t)sysconf(_SC_PAGESIZE), PROT_NONE) < 0) {
		(void)munmap(p, SAME_STACK);
		return NULL;
	}
	note_stack(p);
	return p;
}

pid_t proc_clone_same(uint64_t flags, int cgroup_fd, void (*fn)(void *arg), void *arg, struct err **e)
{
	char *stack = make_stack();
	struct clone_args args = {
		.flags = CLONE_VM | flags,
		.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
		.stack = (uint64_t)(uintptr_t)stack,
		.stack_size = SAME_STACK,
	};
	size_t size = CLONE_ARGS_SIZE_VER1;
	long pid;

	if (!stack)
		return err_no_memory(e);
	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
		size = CLONE_ARGS_SIZE_VER2;
	}
	/* At the end of the caller the kernel would clear the child's note of its own thread. */
	(void)syscall(SYS_set_tid_address, NULL);
	pid = clone_call(&args, size, fn, arg);
	if (pid >= 0)
		return (pid_t)pid;
	(void)munmap(stack, SAME_STACK);
	return clone_error(e, (int)-pid, flags, cgroup_fd);
}

pid_t proc_clone_beside(void (*fn)(void *arg), void *arg, char *stack, size_t size)
{
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_FILES,
		.exit_signal = SIGCHLD,
		.stack = (uint64_t)(uintptr_t)stack,
		.stack_size = size,
	};

	return (pid_t)clone_call(&args, CLONE_ARGS_SIZE_VER1, fn, arg);
}
#else
long proc_raw(long nr, long a, long b, long c, long d)
{
	long r = syscall(nr, a, b, c, d);

	return r < 0 ? -errno : r;
}

pid_t proc_clone_beside(void (*fn)(void *arg), void *arg, char *stack, size_t size)
{
	return -ENOSYS;
}

pid_t proc_clone_same(uint64_t flags, int cgroup_fd, void (*fn)(void *arg), void *arg, struct err **e)
{
	pid_t pid = proc_clone(flags, cgroup_fd, NULL, e);

	if (pid == 0) {
		fn(arg);
		_exit(1);
	}
	return pid;
}
#endif

_Noreturn void proc_stand_for(pid_t pid, const sigset_t *mask)
{
	const long set = (long)(uintptr_t)mask, pidfd = proc_raw(SYS_pidfd_open, pid, 0, 0, 0);
	sigset_t early;
	siginfo_t si;
	int status = 0;

	(void)sigemptyset(&early);
	(void)proc_raw(SYS_rt_sigpending, (long)(uintptr_t)&early, _NSIG / 8, 0, 0);
	if (pidfd > 0)
		(void)proc_raw(SYS_close_range, 0, pidfd - 1, 0, 0);
	if (pidfd >= 0)
		(void)proc_raw(SYS_close_range, pidfd + 1, UINT_MAX, 0, 0);
	for (;;) {
		if (proc_raw(SYS_rt_sigtimedwait, set, (long)(uintptr_t)&si, 0, _NSIG / 8) < 0)
			continue;
		if (si.si_signo == SIGCHLD) {
			if (proc_raw(SYS_wait4, pid, (long)(uintptr_t)&status, WNOHANG, 0) == pid)
				end_with(status);
			continue;
		}
		/* What the terminal sends, both get, but for what it sent before there were two. */
		if (si.si_code > 0 && sigismember(&early, si.si_signo) != 1)
			continue;
		(void)sigdelset(&early, si.si_signo);
		si.si_code = SI_QUEUE;
		(void)proc_raw(SYS_pidfd_send_signal, pidfd, si.si_signo, (long)(uintptr_t)&si, 0);
	}
}

pid_t proc_fork(struct err **e)
{
	pid_t pid = fork();

	return pid < 0 ? clone_error(e, errno, 0, -1) : pid;
}

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

/* Nobody may ever reap it, where process 1 does not care. */
/* The letter behind the name; '\0': there is none. */
static char state_of(const char *line)
{
	const char *p = strrchr(line, ')');

	return p && p[1] == ' ' ? p[2] : '\0';
}

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

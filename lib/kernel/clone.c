/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* clone - the ways in which this project makes processes; see proc.h. */
#include <errno.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"
#include "kernel/ns.h"
#include "kernel/proc.h"
#include "kernel/signal.h"

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

/* To the other processors that the caller may use: a new process is often left on its maker's, where it waits for the
 * time slice to end although others are idle. Where it cannot be moved it stays. */
static void put_elsewhere(pid_t pid)
{
	int here = sched_getcpu();
	cpu_set_t others;

	if (here < 0 || here >= CPU_SETSIZE || sched_getaffinity(0, sizeof(others), &others) < 0)
		return;
	CPU_CLR(here, &others);
	if (CPU_COUNT(&others) > 0)
		(void)sched_setaffinity(pid, sizeof(others), &others);
}

pid_t proc_clone_beside(void (*fn)(void *arg), void *arg, char *stack, size_t size)
{
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_FILES,
		.exit_signal = SIGCHLD,
		.stack = (uint64_t)(uintptr_t)stack,
		.stack_size = size,
	};
	pid_t pid = (pid_t)clone_call(&args, CLONE_ARGS_SIZE_VER1, fn, arg);

	if (pid > 0)
		put_elsewhere(pid);
	return pid;
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

/* Of the memory that both have; the wait status, -1: not yet. */
static volatile int answer = -1;

void proc_answer(pid_t maker, int status)
{
	answer = status;
	/* Nobody else's: a parent that has gone has left us to another one. */
	if (getppid() == maker)
		(void)kill(maker, SIGCHLD);
}

_Noreturn void proc_stand_for(pid_t pid, const sigset_t *mask)
{
	const long set = (long)(uintptr_t)mask;
	sigset_t early;
	siginfo_t si;
	int status = 0;

	(void)sigemptyset(&early);
	(void)proc_raw(SYS_rt_sigpending, (long)(uintptr_t)&early, _NSIG / 8, 0, 0);
	/* The other gives the caller's up before it answers: who reads from them finds their end with ours. */
	(void)proc_raw(SYS_close_range, STDERR_FILENO + 1, UINT_MAX, 0, 0);
	for (;;) {
		if (proc_raw(SYS_rt_sigtimedwait, set, (long)(uintptr_t)&si, 0, _NSIG / 8) < 0)
			continue;
		if (si.si_signo == SIGCHLD) {
			if (proc_raw(SYS_wait4, pid, (long)(uintptr_t)&status, WNOHANG, 0) == pid)
				end_with(status);
			if (answer >= 0)
				end_with(answer);
			continue;
		}
		/* What the terminal sends, both get, but for what it sent before there were two. */
		if (si.si_code > 0 && sigismember(&early, si.si_signo) != 1)
			continue;
		(void)sigdelset(&early, si.si_signo);
		si.si_code = SI_QUEUE;
		/* Nobody else has this number before it has been waited for. */
		(void)proc_raw(SYS_rt_sigqueueinfo, pid, si.si_signo, (long)(uintptr_t)&si, 0);
	}
}

bool proc_stand_until(pid_t pid, const sigset_t *mask, int limit_s, int *ret_status)
{
	const struct timespec tick = { .tv_sec = 1 };
	sigset_t child, blocked = *mask;
	bool stopped = false;
	int waited = 0;

	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	(void)sigaddset(&blocked, SIGCHLD);
	(void)proc_raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)(uintptr_t)&blocked, 0, _NSIG / 8);
	for (;;) {
		long r = proc_raw(SYS_rt_sigtimedwait, (long)(uintptr_t)&child, 0, (long)(uintptr_t)&tick, _NSIG / 8);

		if (answer >= 0)
			end_with(answer);
		waited = stopped && r == -EAGAIN ? waited + 1 : 0;
		while (proc_raw(SYS_wait4, pid, (long)(uintptr_t)ret_status, WNOHANG | WUNTRACED | WCONTINUED, 0) == pid) {
			stopped = WIFSTOPPED(*ret_status);
			if (!stopped && !WIFCONTINUED(*ret_status))
				return true;
		}
		if (waited >= limit_s)
			return false;
	}
}

pid_t proc_fork(struct err **e)
{
	pid_t pid = fork();

	return pid < 0 ? clone_error(e, errno, 0, -1) : pid;
}

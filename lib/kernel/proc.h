/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* proc - processes: clone3, pidfds, /proc facts of a pid. The only caller of clone3. */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/wait.h>

#include "base/err.h"

/* fork with namespaces. Returns 0 in the child, the pid in the parent, -errno with *e set.
 * ret_pidfd (may be NULL) gets a pidfd. cgroup_fd >= 0: the child is born in that cgroup v2
 * directory (CLONE_INTO_CGROUP); where the kernel refuses that, -errno of clone3 is returned and
 * the caller falls back. exit_signal is SIGCHLD unless flags has CLONE_PARENT. */
pid_t proc_clone(uint64_t flags, int cgroup_fd, int *ret_pidfd, struct err **e);
/* The birth of a successor: a child that is the same program in the same memory, in which fn(arg) runs on a stack of its own and
 * does not return. For a caller with one thread, one of whose two sides makes system calls only, and ends by _exit(), while
 * the other goes on: no page table is copied and no page faulted in again, which is most of what a fork costs. flags (CLONE_PARENT),
 * cgroup_fd and result as above, but that there is no return in the child. On machines where we do not know how it is a fork. */
pid_t proc_clone_same(uint64_t flags, int cgroup_fd, void (*fn)(void *arg), void *arg, struct err **e);
/* A child that works beside the caller, in the same memory and with the same table of descriptors. fn(arg) runs on the stack
 * of that size, whose end is aligned to 16 bytes; both last until the child has been waited for. It does not return, and has
 * proc_raw alone: errno is the caller's. -errno; -ENOSYS on machines where we do not know how. */
pid_t proc_clone_beside(void (*fn)(void *arg), void *arg, char *stack, size_t size);
/* A system call: its result or -errno. */
long proc_raw(long nr, long a, long b, long c, long d);
/* For who has made pid by proc_clone_same, to do what he is there for: passes on to it the signals of mask (all are blocked,
 * SIGCHLD is among them) that a process sends him, with the sender's ids, and ends as it does. Closes all but 0, 1 and 2. */
_Noreturn void proc_stand_for(pid_t pid, const sigset_t *mask);
/* The same for who goes on when it has ended without an answer: then *ret_status is how, and this returns true. Signals have their
 * default meaning here, or are blocked as in mask; what is open stays so. limit_s: a child that has been stopped by a signal
 * for so long is not waited for; false. */
bool proc_stand_until(pid_t pid, const sigset_t *mask, int limit_s, int *ret_status);
/* In that child: maker need not wait for its end, but ends now, with that wait status. Where the memory is not the same he does wait. */
void proc_answer(pid_t maker, int status);
/* As proc_clone, for a child whose end the caller must know although it may ignore SIGCHLD: then the kernel forgets
 * children when they end, unless they end with another signal, which these do. It is the default in the child. */
pid_t proc_clone_seen(uint64_t flags, struct err **e);
/* The same for a child that executes another program: exec brings SIGCHLD back. Where it is ignored there is one more
 * process, whose end is the child's. */
pid_t proc_clone_exec(uint64_t flags, struct err **e);
/* True where the kernel forgets children when they end. */
bool proc_forgets_children(void);
/* In a child of proc_clone_seen: ends as pid, a child of its own, does. */
_Noreturn void proc_end_as(pid_t pid);
/* The C library's fork, for a child that goes on to do more than system calls although the caller may
 * have threads: there its locks are in order. Slower by the size of the caller. */
pid_t proc_fork(struct err **e);
int proc_pidfd_open(pid_t pid);			/* fd or -errno */
int proc_pidfd_send(int pidfd, int sig);	/* 0 or -errno */
/* Waits until the process behind pidfd is gone, at most timeout_ms (-1: no limit).
 * 1 gone, 0 timed out, -errno. Works for any process, not only children. */
int proc_pidfd_wait(int pidfd, int timeout_ms);
/* waitpid without EINTR. 0 or -errno; -ECHILD where the end is known, but not how (proc_forgets_children). */
int proc_wait(pid_t pid, int *ret_status);
/* Exit status of a process that is no child of ours, after its end, from its pidfd (kernel 6.15's
 * PIDFD_GET_INFO with exit information). 0, or -errno where the kernel cannot tell. */
int proc_pidfd_status(int pidfd, int *ret_status);
/* Start time in clock ticks since boot (field 22 of stat): with the pid it names one process for
 * all time of one boot. 0 or -errno; -ESRCH also for one that has ended and is not reaped. */
int proc_start_time(pid_t pid, uint64_t *ret);
/* True if it is that process, and it has not begun to end: once it has, its sockets close one after the other. *ret_stopped: a
 * signal keeps it stopped. */
bool proc_is_at_work(pid_t pid, uint64_t start, bool *ret_stopped);
/* A line of /proc/PID/status, e.g. "SigBlk", as text. Length or -errno. */
ssize_t proc_status_field(pid_t pid, const char *field, char *buf, size_t size);
/* The effective uid and gid a pid runs under. 0 or -errno. */
int proc_owner(pid_t pid, uid_t *uid, gid_t *gid);
/* Closes every fd from first up, except those in keep (in any order; negative ones are skipped), with
 * close_range, or one by one where that is refused. 0 or -errno. */
int proc_close_fds(int first, const int *keep, size_t n);
/* Opens /dev/null on those of 0, 1 and 2 that are closed, so that nothing else lands there. */
void proc_fill_stdio(void);
/* Of this process. */
bool proc_has_one_thread(void);
/* What ps shows as the command line, and no environment, of all that share this memory: written over what the kernel left there,
 * which nobody may need any more. Its room is looked for first, with the program's own environ: the most bytes, NUL included. */
size_t proc_note_title_room(void);
void proc_set_title(const char *title);
/* An fd that executes like path but is safe to expose to a guest: the file on a detached read-only
 * mount (root), else a sealed memfd copy. Exec with fexecve/"/proc/self/fd/N". */
int proc_safe_exe(const char *path, struct err **e);

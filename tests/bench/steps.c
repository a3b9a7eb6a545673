/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* steps - how many instructions a program and all that it makes execute outside the kernel: one step after the other, by
 * ptrace. It hardly varies from run to run, where a time does, also on machines that count no instructions for a guest.
 *
 *	steps OUT PROGRAM ARGUMENT...	what a process executes in another pid namespace is not ours, and is let go. When
 *					PROGRAM has ended the number is written to OUT, and what is left goes on. Ends as
 *					PROGRAM does. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRACED_MAX 64
#define EVENT_OF(status) ((unsigned)(status) >> 16)

static pid_t traced[TRACED_MAX];
static unsigned n_traced;
static unsigned long long steps;

static void fail(const char *what)
{
	(void)fprintf(stderr, "steps: %s: %s\n", what, strerror(errno));
	exit(125);
}

static void note(pid_t pid)
{
	for (unsigned i = 0; i < n_traced; i++)
		if (traced[i] == pid)
			return;
	if (n_traced == TRACED_MAX) {
		errno = E2BIG;
		fail("processes");
	}
	traced[n_traced++] = pid;
}

static void forget(pid_t pid)
{
	for (unsigned i = 0; i < n_traced; i++)
		if (traced[i] == pid)
			traced[i--] = traced[--n_traced];
}

/* The guest's, by its namespace: init, and what is attached. */
static bool is_guest(pid_t pid)
{
	struct stat own, its;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
	return stat("/proc/self/ns/pid", &own) == 0 && stat(path, &its) == 0 && own.st_ino != its.st_ino;
}

static void let_go(pid_t pid, int sig)
{
	(void)ptrace(PTRACE_DETACH, pid, NULL, (void *)(long)sig);
	forget(pid);
}

/* One that waits in the kernel has to be stopped before it can be let go. */
static void let_all_go(void)
{
	for (unsigned i = 0; i < n_traced; i++)
		(void)ptrace(PTRACE_INTERRUPT, traced[i], NULL, NULL);
	while (n_traced) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0)
			return;
		if (!WIFSTOPPED(status))
			forget(pid);
		else
			let_go(pid, EVENT_OF(status) || WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status));
	}
}

/* A stop of pid: a step, an event, or a signal that it is to get. */
static void go_on(pid_t pid, int status)
{
	unsigned event = EVENT_OF(status);
	int sig = event ? 0 : WSTOPSIG(status);

	note(pid);
	if (event == PTRACE_EVENT_EXEC && is_guest(pid)) {
		let_go(pid, 0);
		return;
	}
	if (sig == SIGTRAP) {
		steps++;
		sig = 0;
	}
	if (ptrace(PTRACE_SINGLESTEP, pid, NULL, (void *)(long)sig) < 0 && errno != ESRCH)
		fail("a step");
}

static pid_t begin(char **argv)
{
	const long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
	int go[2];
	pid_t pid;
	char byte;

	if (pipe(go) < 0)
		fail("a pipe");
	pid = fork();
	if (pid < 0)
		fail("a process");
	if (pid == 0) {
		(void)close(go[1]);
		if (read(go[0], &byte, 1) != 1)
			_exit(125);
		(void)close(go[0]);
		(void)execvp(argv[0], argv);
		fail(argv[0]);
	}
	(void)close(go[0]);
	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)options) < 0)
		fail("PTRACE_SEIZE");
	note(pid);
	if (write(go[1], "", 1) != 1)
		fail("a word");
	(void)close(go[1]);
	return pid;
}

int main(int argc, char **argv)
{
	int status = 0;
	pid_t first, pid;
	FILE *out;

	if (argc < 3) {
		(void)fputs("usage: steps OUT PROGRAM ARGUMENT...\n", stderr);
		return 125;
	}
	out = fopen(argv[1], "we");
	if (!out)
		fail(argv[1]);
	first = begin(argv + 2);
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status)) {
			go_on(pid, status);
			continue;
		}
		forget(pid);
		if (pid == first)
			break;
	}
	let_all_go();
	(void)fprintf(out, "%llu\n", steps);
	if (fclose(out) != 0)
		fail(argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-init - process 1 of an application container (lxc-execute): runs one command, passes signals
 * on, collects the dead, and ends with the command's status when the last process is gone. It runs
 * in the container's root, so it is also built static, and uses nothing but libc: any libc. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_SECONDS 1		/* from SIGTERM to SIGKILL */

struct supervisor {
	pid_t command;
	int exit_code;		/* of the command, once it has ended */
	bool stopping;
};

static int usage(FILE *out, int code)
{
	fputs("Usage: init.lxc -n NAME [-P DIR] [-q] -- COMMAND [ARGUMENT]...\n"
	      "Runs COMMAND as the only service of the container NAME.\n",
	      out);
	return code;
}

/* In the child, which shares our memory. The command leads a session of its own; a terminal on stdin becomes its controlling
 * one. Never returns. */
static void run_command(char **argv, bool quiet)
{
	static const unsigned long default_action[32];
	sigset_t none;
	int saved;

	/* By the bare system call: libc keeps some signals to itself, musl more than glibc. All zeros is SIG_DFL. */
	for (int sig = 1; sig < NSIG; sig++)
		(void)syscall(SYS_rt_sigaction, sig, default_action, NULL, NSIG / 8);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setsid();
	if (isatty(STDIN_FILENO))
		(void)ioctl(STDIN_FILENO, TIOCSCTTY, 0);
	(void)execvp(argv[0], argv);
	saved = errno;
	if (!quiet)
		fprintf(stderr, "init.lxc: cannot execute %s: %s\n", argv[0], strerror(saved));
	_exit(saved == ENOENT ? 127 : 126);
}

/* It has our memory until it executes, and we wait: nothing is copied. */
static pid_t start_command(char **argv, bool quiet)
{
	pid_t pid = vfork();

	if (pid == 0)
		run_command(argv, quiet);
	return pid;
}

/* If the starter made stdin our controlling terminal, the command could not have it. Giving it up
 * sends SIGHUP and SIGCONT to the foreground group, which is us: they are dropped here (they are
 * blocked). */
static void give_up_terminal(void)
{
	static const struct timespec now = { 0 };
	sigset_t hup;

	if (!isatty(STDIN_FILENO) || ioctl(STDIN_FILENO, TIOCNOTTY) < 0)
		return;
	(void)sigemptyset(&hup);
	(void)sigaddset(&hup, SIGHUP);
	(void)sigaddset(&hup, SIGCONT);
	while (sigtimedwait(&hup, NULL, &now) > 0)
		;
}

static int exit_code_of(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return 128 + WTERMSIG(status);
}

/* Collects whoever has ended. False when no process is left. */
static bool reap(struct supervisor *s)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid == 0)
			return true;
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			return false;
		if (pid == s->command) {
			s->exit_code = exit_code_of(status);
			s->command = -1;
		}
	}
}

/* A signal that the container's own processes sent means nothing: only the host commands. si_pid is
 * 0 for a sender outside of this pid namespace. */
static bool is_from_inside(const siginfo_t *info)
{
	return (info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_TKILL) &&
	       info->si_pid != 0;
}

static void stop_all(struct supervisor *s)
{
	s->stopping = true;
	(void)kill(-1, SIGTERM);
	(void)alarm(GRACE_SECONDS);
}

static void take_signal(struct supervisor *s, const siginfo_t *info)
{
	switch (info->si_signo) {
	case SIGCHLD:
		break;
	case SIGALRM:
		if (s->stopping && !is_from_inside(info)) {
			(void)kill(-1, SIGKILL);
			(void)alarm(GRACE_SECONDS);	/* for those that were born meanwhile */
		}
		break;
	case SIGTERM:
	case SIGPWR:
		if (!is_from_inside(info) && !s->stopping)
			stop_all(s);
		break;
	default:
		if (!is_from_inside(info) && s->command > 0)
			(void)kill(s->command, info->si_signo);
	}
}

static int supervise(struct supervisor *s, const sigset_t *all)
{
	siginfo_t info;

	while (reap(s))
		if (sigwaitinfo(all, &info) > 0)
			take_signal(s, &info);
	return s->exit_code;
}

int main(int argc, char *argv[])
{
	static const struct option long_opts[] = {
		{ "name", required_argument, NULL, 'n' },    { "lxcpath", required_argument, NULL, 'P' },
		{ "logfile", required_argument, NULL, 'o' }, { "logpriority", required_argument, NULL, 'l' },
		{ "quiet", no_argument, NULL, 'q' },	     { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },	     { 0 },
	};
	struct supervisor s = { .exit_code = EXIT_FAILURE };
	bool named = false, quiet = false;
	sigset_t all;
	int c;

	while ((c = getopt_long(argc, argv, "+n:P:o:l:qh", long_opts, NULL)) != -1) {
		if (c == 'n')
			named = true;
		else if (c == 'q')
			quiet = true;
		else if (c == 'h')
			return usage(stdout, EXIT_SUCCESS);
		else if (c == 'V')
			return printf("%s\ntiffin %s\n", LXC_VERSION, PACKAGE_VERSION) > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
		else if (c == '?')
			return usage(stderr, EXIT_FAILURE);
	}
	if (!named || optind >= argc)
		return usage(stderr, EXIT_FAILURE);

	(void)prctl(PR_SET_NAME, "init", 0, 0, 0);
	/* Everything is taken by sigwaitinfo; faults of this program itself stay deadly. */
	memset(&all, 0xff, sizeof(all));
	(void)sigdelset(&all, SIGSEGV);
	(void)sigdelset(&all, SIGBUS);
	(void)sigdelset(&all, SIGILL);
	(void)sigdelset(&all, SIGFPE);
	if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
		return EXIT_FAILURE;
	give_up_terminal();
	s.command = start_command(argv + optind, quiet);
	if (s.command < 0) {
		if (!quiet)
			fprintf(stderr, "init.lxc: cannot fork: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	return supervise(&s, &all);
}

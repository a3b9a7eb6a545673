/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/signal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/num.h"
#include "base/table.h"

/* Main names first: table_by_value takes the first one. */
static const struct name_value signals[] = {
	{ "SIGHUP", SIGHUP },	    { "SIGINT", SIGINT },   { "SIGQUIT", SIGQUIT },
	{ "SIGILL", SIGILL },	    { "SIGABRT", SIGABRT }, { "SIGFPE", SIGFPE },
	{ "SIGKILL", SIGKILL },	    { "SIGSEGV", SIGSEGV }, { "SIGPIPE", SIGPIPE },
	{ "SIGALRM", SIGALRM },	    { "SIGTERM", SIGTERM }, { "SIGUSR1", SIGUSR1 },
	{ "SIGUSR2", SIGUSR2 },	    { "SIGCHLD", SIGCHLD }, { "SIGCONT", SIGCONT },
	{ "SIGSTOP", SIGSTOP },	    { "SIGTSTP", SIGTSTP }, { "SIGTTIN", SIGTTIN },
	{ "SIGTTOU", SIGTTOU },	    { "SIGTRAP", SIGTRAP }, { "SIGIOT", SIGIOT },
#ifdef SIGEMT
	{ "SIGEMT", SIGEMT },
#endif
	{ "SIGBUS", SIGBUS },
#ifdef SIGSTKFLT
	{ "SIGSTKFLT", SIGSTKFLT },
#endif
#ifdef SIGCLD
	{ "SIGCLD", SIGCLD },
#endif
	{ "SIGURG", SIGURG },	    { "SIGXCPU", SIGXCPU }, { "SIGXFSZ", SIGXFSZ },
	{ "SIGVTALRM", SIGVTALRM }, { "SIGPROF", SIGPROF }, { "SIGWINCH", SIGWINCH },
	{ "SIGIO", SIGIO },	    { "SIGPOLL", SIGPOLL },
#ifdef SIGINFO
	{ "SIGINFO", SIGINFO },
#endif
#ifdef SIGLOST
	{ "SIGLOST", SIGLOST },
#endif
	{ "SIGPWR", SIGPWR },
#ifdef SIGUNUSED
	{ "SIGUNUSED", SIGUNUSED },
#endif
	{ "SIGSYS", SIGSYS },
};

/* "SIGRTMIN+n" and "SIGRTMAX-n"; the offset is mandatory. */
static int parse_realtime(const char *s, int *ret)
{
	const int span = SIGRTMAX - SIGRTMIN;
	unsigned n;
	int r;

	r = num_uint(s + 9, 10, &n);
	if (r < 0)
		return r;
	if (n > (unsigned)span)
		return -ERANGE;
	*ret = s[8] == '+' ? SIGRTMIN + (int)n : SIGRTMAX - (int)n;
	return 0;
}

int signal_parse(const char *s, int *ret)
{
	const struct name_value *row;
	unsigned n;
	int r;

	if (*s >= '0' && *s <= '9') {
		r = num_uint(s, 0, &n);
		if (r < 0)
			return r;
		if (n > (unsigned)SIGRTMAX)
			return -ERANGE;
		*ret = (int)n;
		return 0;
	}
	if (strncasecmp(s, "SIGRTMIN+", 9) == 0 || strncasecmp(s, "SIGRTMAX-", 9) == 0)
		return parse_realtime(s, ret);
	row = table_by_nocase(signals, s);
	if (!row)
		return -EINVAL;
	*ret = (int)row->value;
	return 0;
}

const char *signal_name(int sig)
{
	if (sig == SIGSYS)
		return "SIGSYS";
	return table_by_value(signals, sig);
}

/* Not by sigaction(): libc keeps two signals for itself, and posix_spawn() leaves them ignored, which would be
 * seen in the container. SIGKILL and SIGSTOP are refused; there is nothing to reset in them. */
static void reset(int first, int last)
{
	/* The kernel's own structure: all zeros is the default with any layout. */
	static const unsigned long dfl[8];

	for (int sig = first; sig <= last; sig++)
		(void)syscall(SYS_rt_sigaction, sig, dfl, NULL, (size_t)(SIGRTMAX + 1) / 8);
}

void signal_reset(int sig)
{
	reset(sig, sig);
}

void signal_reset_internal(void)
{
	reset(32, SIGRTMIN - 1);
}

void signal_reset_all(void)
{
	sigset_t none;

	reset(1, SIGRTMAX);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/restore.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include "base/compiler.h"

/* What the handler needs. */
static struct termios saved;
static volatile sig_atomic_t is_saved, other;

static void on_signal(int sig)
{
	if (other > 0) {
		(void)kill((pid_t)other, sig);
		return;
	}
	if (is_saved)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}

void restore_terminal_when_killed(void)
{
	static const int caught[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE };
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, old;

	is_saved = tcgetattr(STDIN_FILENO, &saved) == 0;
	(void)sigemptyset(&act.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		if (sigaction(caught[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			(void)sigaction(caught[i], &act, NULL);
}

void restore_pass_signals_to(pid_t pid)
{
	other = (sig_atomic_t)pid;
}

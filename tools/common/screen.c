/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/screen.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"

/* The other screen of the terminal, without cursor and without wrapping; and back. */
#define ENTER "\033[?1049h\033[?25l\033[?7l\033[H\033[2J"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

static void say(const char *text, size_t n)
{
	while (n > 0) {
		ssize_t k = write(STDOUT_FILENO, text, n);

		if (k < 0 && errno != EINTR)
			return;
		if (k > 0) {
			text += k;
			n -= (size_t)k;
		}
	}
}

static void enter(struct screen *s)
{
	struct termios raw = s->saved;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	say(ENTER, strlen(ENTER));
}

static void leave(struct screen *s)
{
	say(LEAVE, strlen(LEAVE));
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &s->saved);
}

int screen_begin(struct screen *s, struct err **e)
{
	static const int caught[] = { SIGWINCH, SIGTSTP, SIGCONT, SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t mask;

	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &s->saved) < 0)
		return err_set(e, ENOTTY, "not_a_terminal", "standard input and output are not a terminal");
	(void)sigemptyset(&mask);
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		(void)sigaddset(&mask, caught[i]);
	(void)sigprocmask(SIG_BLOCK, &mask, &s->saved_mask);
	s->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals < 0) {
		(void)sigprocmask(SIG_SETMASK, &s->saved_mask, NULL);
		return err_set(e, errno, NULL, "cannot watch for signals");
	}
	enter(s);
	return 0;
}

void screen_end(struct screen *s)
{
	leave(s);
	fd_close(s->signals);
	(void)sigprocmask(SIG_SETMASK, &s->saved_mask, NULL);
}

void screen_size(struct winsize *ret)
{
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, ret) == 0 && ret->ws_row > 0 && ret->ws_col > 0)
		return;
	*ret = (struct winsize){ .ws_row = 24, .ws_col = 80 };
}

void screen_show(const struct buf *b)
{
	struct buf out = BUF_INIT(b->max + 65536);
	const char *p = buf_str(b);

	buf_adds(&out, "\033[H");
	while (*p) {
		size_t n = strcspn(p, "\n");

		buf_add(&out, p, n);
		p += n + (p[n] == '\n');
		buf_adds(&out, *p ? "\033[K\r\n" : "\033[K");
	}
	buf_adds(&out, "\033[J");
	if (buf_ok(&out))
		say(out.p, out.len);
	buf_done(&out);
}

/* Stopped as the shell expects it, with the terminal as the shell left it. */
static void stop_here(struct screen *s)
{
	leave(s);
	(void)raise(SIGSTOP);
	(void)tcgetattr(STDIN_FILENO, &s->saved);
	enter(s);
}

static ssize_t take_signal(struct screen *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGTSTP)
			stop_here(s);
		else if (info.ssi_signo != SIGWINCH && info.ssi_signo != SIGCONT)
			return -EPIPE;
	}
	return -EINTR;
}

ssize_t screen_wait(struct screen *s, int timeout_ms, char *keys, size_t size)
{
	struct pollfd p[] = { { .fd = s->signals, .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
	ssize_t n;

	if (poll(p, ARRAY_SIZE(p), timeout_ms) <= 0)
		return 0;
	if (p[0].revents)
		return take_signal(s);
	n = read(STDIN_FILENO, keys, size);
	if (n > 0)
		return n;
	return n < 0 && (errno == EINTR || errno == EAGAIN) ? -EINTR : -EPIPE;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* tty - pseudo terminals of a given devpts, raw mode, window sizes. */
#pragma once
#include <stdbool.h>
#include <termios.h>

#include "base/err.h"

struct pty {
	int ptx;	/* the master side; -EBADF: none */
	int pts;	/* the other side, opened with TIOCGPTPEER, never by name; -EBADF: none */
	int index;	/* N of /dev/pts/N in its own devpts instance */
};
#define PTY_INIT { -EBADF, -EBADF, -1 }

/* A pair from the devpts instance whose root directory is devpts_fd (its ptmx is opened below it). */
int pty_open(int devpts_fd, struct pty *ret, struct err **e);
/* A pair from this mount namespace's /dev/ptmx. */
int pty_open_host(struct pty *ret, struct err **e);
void pty_close(struct pty *p);
/* Puts a terminal into raw mode (8 bits, no echo, no signals); *saved restores it. 0 or -errno. */
int tty_raw(int fd, struct termios *saved);
int tty_restore(int fd, const struct termios *saved);
int tty_copy_winsize(int from, int to);
/* The same, if the size is another one: who holds the pty is told of changes only. */
void tty_follow_size(int from, int to);
/* Makes fd the controlling terminal of a new session of this process. 0 or -errno. */
int tty_login(int fd);
/* dup2s fd onto 0, 1, 2 without close-on-exec; does not close fd. */
int tty_stdio(int fd);

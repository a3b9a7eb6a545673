/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* screen - a whole terminal for a program that draws on it: keys come one by one, the size may change,
 * Ctrl-Z works, and whatever ends the program, the terminal is as before. */
#pragma once
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <termios.h>

#include "base/buf.h"
#include "base/err.h"

struct screen {
	struct termios saved;
	sigset_t saved_mask;
	int signals;
};

/* 0, or -ENOTTY with *e when stdin or stdout is no terminal. */
int screen_begin(struct screen *s, struct err **e);
void screen_end(struct screen *s);
/* 24 x 80 where the terminal does not tell. */
void screen_size(struct winsize *ret);
/* Shows the lines of b, which end in '\n', from the top; what was there before goes. */
void screen_show(const struct buf *b);
/* Waits for keys or a change of the size: the number of keys; -EINTR when only the screen has to be drawn
 * anew; 0 when the time is over; -EPIPE when there is no terminal any more, or the program is told to end. */
ssize_t screen_wait(struct screen *s, int timeout_ms, char *keys, size_t size);

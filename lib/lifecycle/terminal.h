/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* terminal - an interactive session between the caller's terminal and a pty: raw mode, window size,
 * an escape sequence. Blocks. The caller's terminal is restored whatever happens. */
#pragma once
#include <stdbool.h>

#include "base/err.h"

struct terminal_session {
	int in, out;		/* the caller's; in: -1 when nothing is typed, and may be no terminal */
	int tty;		/* the caller's terminal, whose size the pty gets; -1: none */
	int ptx;		/* the pty's master side; non-blocking if nobody else holds it */
	int end_fd;		/* the session ends when this becomes readable (a pidfd, a socket); -1 */
	int escape;		/* control character that 'q' follows to leave; <= 0: none */
	int log_fd;		/* what the pty says is copied here; -1 */
};

/* 0 at the end (escape, end_fd, hangup of either side), -errno when it could not begin. */
int terminal_run(const struct terminal_session *t, struct err **e);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* signal - names and numbers of signals, and a clean set of handlers for children. */
#pragma once

/* "SIGTERM" in any case, "SIGRTMIN+3", "SIGRTMAX-2", or a number from 0 to SIGRTMAX. The SIG prefix
 * is needed. 0, -EINVAL (not a signal) or -ERANGE (no such number). */
int signal_parse(const char *s, int *ret);
/* "SIGTERM"; NULL when the number has no fixed name (real-time signals). */
const char *signal_name(int sig);
/* Puts every signal back to its default action and unblocks all; for a child before exec. */
void signal_reset_all(void);
/* One, for a child of whatever kind. */
void signal_reset(int sig);
/* The same for those that the C library keeps for itself, and leaves ignored. */
void signal_reset_internal(void);

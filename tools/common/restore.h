/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* restore - a program that is killed while the library has its terminal in raw mode leaves it as it was. */
#pragma once
#include <sys/types.h>

/* Remembers how the terminal on stdin is; from now on a signal that ends the program restores it first. */
void restore_terminal_when_killed(void);
/* From now on such a signal goes to that process instead; 0: to us again. */
void restore_pass_signals_to(pid_t pid);

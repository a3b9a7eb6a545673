/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* ask_init - inits of Unix that no signal has shut down: sysvinit (and OpenRC's) reads requests from a pipe, runit
 * looks at files. */
#pragma once
#include <stdbool.h>

#include "handle.h"

/* Asks init in its own way. False: it has none that is known, or it could not be asked; a signal is what is left. */
bool ask_init(struct call *k, bool reboot);

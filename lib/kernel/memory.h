/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* memory - the pages of a process of ours. */
#pragma once
#include <stddef.h>

/* Gives back free heap, and the code and constants, which come from the file again where they are looked at: for a
 * process that has done most of what it is there for. */
void memory_release(void);
/* Gives back the pages of a stack, from below `top` for size bytes, whose user is gone. */
void memory_release_stack(char *top, size_t size);

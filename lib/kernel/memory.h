/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* memory - the pages of a process of ours. Where the kernel itself runs in a virtual machine a page fault costs as much
 * as ten system calls, and a short program makes sixty of them; one madvise takes hundreds of pages at once. */
#pragma once
#include <stddef.h>

/* Has the pages of the program's code, of its data, heap and stack in place, and the latter as its own: for both sides
 * of a fork, which leaves the code unmapped in the child and the rest to be copied at the first write, page by page.
 * Changes nothing but time; where the kernel does not know how (before 5.14), nothing at all. */
void memory_populate(void);
/* The same in a program that is not known to be ours: only where there is little of it. */
void memory_populate_small(void);
/* Gives back free heap, and the code and constants, which come from the file again where they are looked at: for a
 * process that has done most of what it is there for. */
void memory_release(void);
/* Gives back the pages of a stack, from below `top` for size bytes, whose user is gone. */
void memory_release_stack(char *top, size_t size);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/memory.h"

#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/single_threaded.h>
#include <unistd.h>

#include "base/compiler.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22	/* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif
#define STACK_BELOW 16384	/* what the functions to come are likely to need */
#define SMALL (4U << 20)	/* one of our static programs is 2 MiB */
#define LIVE_BELOW 8192		/* where the calls of another user of a stack may still be */

/* The loaded parts of what this program is made of. */
struct ranges {
	struct range {
		char *from;
		size_t len;
		bool writable;
	} v[32];
	size_t n;
};

static uintptr_t page_size(void)
{
	return (uintptr_t)sysconf(_SC_PAGESIZE);
}

static int add_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	const uintptr_t page = page_size();
	struct ranges *r = arg;

	for (int i = 0; i < info->dlpi_phnum && r->n < ARRAY_SIZE(r->v); i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t from = p->p_vaddr & ~(page - 1), to = (p->p_vaddr + p->p_memsz + page - 1) & ~(page - 1);

		if (p->p_type != PT_LOAD)
			continue;
		r->v[r->n++] = (struct range){ (char *)info->dlpi_addr + from, to - from, p->p_flags & PF_W };
	}
	return 0;
}

/* The part of the heap that is in use, and the page before it, where a static program has its thread's data. */
static void populate_heap(uintptr_t page)
{
#if __GLIBC_PREREQ(2, 33)
	const struct mallinfo2 info = mallinfo2();
	char *end = sbrk(0), *from = end - info.arena - page, *to = end - info.keepcost + page;

	if (info.arena && from < to)
		(void)madvise((void *)((uintptr_t)from & ~(page - 1)), (size_t)(MIN(to, end) - from), MADV_POPULATE_WRITE);
#endif
}

void memory_populate(void)
{
	const uintptr_t page = page_size(), here = (uintptr_t)__builtin_frame_address(0) & ~(page - 1);
	struct ranges r = { .n = 0 };

	(void)dl_iterate_phdr(add_object, &r);
	/* Those that were made read-only after the start refuse a write, which says that they need none. */
	for (size_t i = 0; i < r.n; i++)
		(void)madvise(r.v[i].from, r.v[i].len, r.v[i].writable ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
	(void)madvise((void *)(here - STACK_BELOW), STACK_BELOW + page, MADV_POPULATE_WRITE);
	populate_heap(page);
}

void memory_populate_small(void)
{
#if __GLIBC_PREREQ(2, 33)
	struct ranges r = { .n = 0 };
	size_t size;

	/* What follows takes locks of the C library. In a child of a process with threads, another one may have held them
	 * when it was made: then nobody gives them up. */
	if (!__libc_single_threaded)
		return;
	size = mallinfo2().arena;
	(void)dl_iterate_phdr(add_object, &r);
	for (size_t i = 0; i < r.n; i++)
		size += r.v[i].len;
	if (size <= SMALL)
		memory_populate();
#endif
}

/* Nothing else between the calls: it would bring back what they take away. */
void memory_release(void)
{
	struct ranges r = { .n = 0 };

	(void)malloc_trim(0);
	(void)dl_iterate_phdr(add_object, &r);
	for (size_t i = 0; i < r.n; i++)
		if (!r.v[i].writable)
			(void)madvise(r.v[i].from, r.v[i].len, MADV_DONTNEED);
}

void memory_release_stack(char *top, size_t size)
{
	const uintptr_t page = page_size(), to = ((uintptr_t)top - LIVE_BELOW) & ~(page - 1);

	(void)madvise((void *)((to - size) & ~(page - 1)), size, MADV_DONTNEED);
}

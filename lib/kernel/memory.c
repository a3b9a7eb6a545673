/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/memory.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/compiler.h"

#define LIVE_BELOW 8192		/* where the calls of another user of a stack may still be */

/* The loaded parts of what this program is made of that are never written to. */
struct ranges {
	struct range {
		char *from;
		size_t len;
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

		if (p->p_type == PT_LOAD && !(p->p_flags & PF_W))
			r->v[r->n++] = (struct range){ (char *)info->dlpi_addr + from, to - from };
	}
	return 0;
}

/* Nothing else between the calls: it would bring back what they take away. */
void memory_release(void)
{
	struct ranges r = { .n = 0 };

	(void)malloc_trim(0);
	(void)dl_iterate_phdr(add_object, &r);
	for (size_t i = 0; i < r.n; i++)
		(void)madvise(r.v[i].from, r.v[i].len, MADV_DONTNEED);
}

void memory_release_stack(char *top, size_t size)
{
	const uintptr_t page = page_size(), to = ((uintptr_t)top - LIVE_BELOW) & ~(page - 1);

	(void)madvise((void *)((to - size) & ~(page - 1)), size, MADV_DONTNEED);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* entry - where our static programs begin, before the C library.
 *
 * program_entry has the pages of the stack that every one of them uses in place at once. The same for their data was
 * measured to cost more than the faults, for text half as much again.
 *
 * program_entry_protected is for those that enter containers, which execute themselves once more from a read-only
 * mount (lxcext_protect_self): done here, the first of the two costs next to nothing. Where it cannot be done here,
 * the program tries on its own, and says why not.
 *
 * Nothing is relocated yet and there is no thread data: no calls to other files, no global variables, no stack
 * protector; hence what is called is inlined without optimisation, too. tests/house/entry.sh looks at the result. */
#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#define POPULATE_WRITE 23L	/* madvise of Linux 5.14; others answer EINVAL */
#define PAGE 4096UL
#define STACK 24576UL
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif

#define EARLY __attribute__((used, visibility("hidden"), no_stack_protector))
#define WITHIN static inline __attribute__((always_inline))

void entry_populate(const uintptr_t *sp);
void entry_protect(const uintptr_t *sp);
void program_entry(void);
void program_entry_protected(void);

#if defined(__x86_64__)
__asm__(".text\n"
	".globl program_entry_protected\n"
	".type program_entry_protected, @function\n"
	"program_entry_protected:\n"
	"	movq %rsp, %rdi\n"
	"	pushq %rdx\n"
	"	pushq %rdx\n"
	"	call entry_protect\n"
	"	popq %rdx\n"
	"	popq %rdx\n"
	".size program_entry_protected, .-program_entry_protected\n"
	".globl program_entry\n"
	".type program_entry, @function\n"
	"program_entry:\n"
	"	xorl %ebp, %ebp\n"
	"	movq %rsp, %rdi\n"
	"	pushq %rdx\n"
	"	pushq %rdx\n"
	"	call entry_populate\n"
	"	popq %rdx\n"
	"	popq %rdx\n"
	"	jmp _start\n"
	".size program_entry, .-program_entry\n");

WITHIN long call(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;

	__asm__ volatile("syscall" : "+a"(nr) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
	return nr;
}
#elif defined(__aarch64__)
__asm__(".text\n"
	".globl program_entry_protected\n"
	".type program_entry_protected, %function\n"
	"program_entry_protected:\n"
	"	mov x20, x0\n"
	"	mov x0, sp\n"
	"	bl entry_protect\n"
	"	mov x0, x20\n"
	".size program_entry_protected, .-program_entry_protected\n"
	".globl program_entry\n"
	".type program_entry, %function\n"
	"program_entry:\n"
	"	mov x29, #0\n"
	"	mov x20, x0\n"
	"	mov x0, sp\n"
	"	bl entry_populate\n"
	"	mov x0, x20\n"
	"	b _start\n"
	".size program_entry, .-program_entry\n");

WITHIN long call(long nr, long a, long b, long c, long d, long e)
{
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x8 __asm__("x8") = nr;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x8) : "memory");
	return x0;
}
#else
#error "no entry for this architecture: configure leaves this file out"
#endif

/* What the kernel leaves on the stack: argc, argv, NULL, envp, NULL, the auxiliary vector. */
struct beginning {
	const uintptr_t *argv, *envp, *aux;
};

WITHIN struct beginning read_stack(const uintptr_t *sp)
{
	struct beginning b = { .argv = sp + 1, .envp = sp + 1 + *sp + 1 };

	for (b.aux = b.envp; *b.aux; b.aux++)
		continue;
	b.aux++;
	return b;
}

WITHIN uintptr_t aux_value(const uintptr_t *aux, uintptr_t type)
{
	while (aux[0] != AT_NULL && aux[0] != type)
		aux += 2;
	return aux[0] == type ? aux[1] : 0;
}

EARLY void entry_populate(const uintptr_t *sp)
{
	(void)call(SYS_madvise, (long)(((uintptr_t)sp & ~(PAGE - 1)) - STACK), STACK, POPULATE_WRITE, 0, 0);
}

/* The name of a program that was executed by its descriptor, as here: then this is the second time. */
WITHIN int is_by_descriptor(const char *name)
{
	const char dev[] = { '/', 'd', 'e', 'v', '/', 'f', 'd', '/' };

	for (unsigned i = 0; name && i < sizeof(dev); i++)
		if (name[i] != dev[i])
			return 0;
	return 1;
}

EARLY void entry_protect(const uintptr_t *sp)
{
	const struct beginning b = read_stack(sp);
	const char self[] = { '/', 'p', 'r', 'o', 'c', '/', 's', 'e', 'l', 'f', '/', 'e', 'x', 'e', 0 };
	const char empty[] = { 0 };
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	long exe, tree = -1;

	/* Only root can make mounts, and is whom it is for. */
	if (aux_value(b.aux, AT_EUID) != 0 || is_by_descriptor((const char *)aux_value(b.aux, AT_EXECFN)))
		return;
	exe = call(SYS_openat, AT_FDCWD, (long)self, O_PATH | O_CLOEXEC, 0, 0);
	if (exe < 0)
		return;
	tree = call(SYS_open_tree, exe, (long)empty, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH, 0, 0);
	if (tree >= 0 && call(SYS_mount_setattr, tree, (long)empty, AT_EMPTY_PATH, (long)&attr, sizeof(attr)) == 0)
		(void)call(SYS_execveat, tree, (long)empty, (long)b.argv, (long)b.envp, AT_EMPTY_PATH);
	if (tree >= 0)
		(void)call(SYS_close, tree, 0, 0, 0, 0);
	(void)call(SYS_close, exe, 0, 0, 0, 0);
}

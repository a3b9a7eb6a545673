/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "security/seccomp_host.h"

#include <endian.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>

#include "base/table.h"

#ifndef SCMP_ARCH_LOONGARCH64
#define SCMP_ARCH_LOONGARCH64 0xc0000102U
#endif

#define X86 { SCMP_ARCH_X86, SECCOMP_X86, "x86" }
#define X32 { SCMP_ARCH_X32, SECCOMP_X32, "x32" }
#define X86_64 { SCMP_ARCH_X86_64, SECCOMP_X86_64, "x86_64" }
#define ARM { SCMP_ARCH_ARM, SECCOMP_ARM, "arm" }
#define ARM64 { SCMP_ARCH_AARCH64, SECCOMP_ARM64, "arm64" }
#define PPC { SCMP_ARCH_PPC, SECCOMP_PPC, "ppc" }
#define PPC64 { SCMP_ARCH_PPC64, SECCOMP_PPC64, "ppc64" }
#define PPC64LE { SCMP_ARCH_PPC64LE, SECCOMP_PPC64LE, "ppc64le" }
#define MIPS { SCMP_ARCH_MIPS, SECCOMP_MIPS, "mips" }
#define MIPS64 { SCMP_ARCH_MIPS64, SECCOMP_MIPS64, "mips64" }
#define MIPS64N32 { SCMP_ARCH_MIPS64N32, SECCOMP_MIPS64N32, "mips64n32" }
#define MIPSEL { SCMP_ARCH_MIPSEL, SECCOMP_MIPSEL, "mipsel" }
#define MIPSEL64 { SCMP_ARCH_MIPSEL64, SECCOMP_MIPSEL64, "mipsel64" }
#define MIPSEL64N32 { SCMP_ARCH_MIPSEL64N32, SECCOMP_MIPSEL64N32, "mipsel64n32" }
#define S390 { SCMP_ARCH_S390, SECCOMP_S390, "s390" }
#define S390X { SCMP_ARCH_S390X, SECCOMP_S390X, "s390x" }
#define LOONGARCH64 { SCMP_ARCH_LOONGARCH64, SECCOMP_LOONGARCH64, "loongarch64" }
#define RISCV64 { SCMP_ARCH_RISCV64, SECCOMP_RISCV64, "riscv64" }

static const struct seccomp_host hosts[] = {
	{ { X86_64, X86, X32 }, 3 },
	{ { X86 }, 1 },
	{ { ARM64, ARM }, 2 },
	{ { ARM }, 1 },
	{ { PPC64, PPC }, 2 },
	{ { PPC64LE }, 1 },
	{ { PPC }, 1 },
	{ { MIPS64, MIPS, MIPS64N32 }, 3 },
	{ { MIPS }, 1 },
	{ { MIPSEL64, MIPSEL, MIPSEL64N32 }, 3 },
	{ { MIPSEL }, 1 },
	{ { S390X }, 1 },
	{ { S390 }, 1 },
	{ { LOONGARCH64 }, 1 },
	{ { RISCV64 }, 1 },
};

struct seccomp_host seccomp_host(void)
{
	const uint32_t native = seccomp_arch_native();

	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		if (hosts[i].archs[0].token == native)
			return hosts[i];
	return (struct seccomp_host){ { { native, SECCOMP_ALL, "this architecture" } }, 1 };
}

bool seccomp_host_has(const struct seccomp_host *h, enum seccomp_section section)
{
	if (section == SECCOMP_NO_SECTION || section == SECCOMP_ALL)
		return true;
	for (unsigned i = 0; i < h->n; i++)
		if (h->archs[i].section == section)
			return true;
	return false;
}

/* Since Linux 4.3 (sockets) and 5.1 (System V ipc) i386 has these calls by themselves as well. For
 * libseccomp the two ways are one; a filter on arguments fits the direct call only, since the other
 * one's arguments are in memory. */
static const struct name_value i386_direct[] = {
	{ "socket", 359 },	{ "socketpair", 360 },	{ "bind", 361 },	{ "connect", 362 },
	{ "listen", 363 },	{ "accept4", 364 },	{ "getsockopt", 365 },	{ "setsockopt", 366 },
	{ "getsockname", 367 }, { "getpeername", 368 }, { "sendto", 369 },	{ "sendmsg", 370 },
	{ "recvfrom", 371 },	{ "recvmsg", 372 },	{ "shutdown", 373 },	{ "semget", 393 },
	{ "semctl", 394 },	{ "shmget", 395 },	{ "shmctl", 396 },	{ "shmat", 397 },
	{ "shmdt", 398 },	{ "msgget", 399 },	{ "msgsnd", 400 },	{ "msgrcv", 401 },
	{ "msgctl", 402 },
};

int seccomp_arch_number(const struct seccomp_arch *a, const char *name, bool direct)
{
	const struct name_value *known = NULL;

	if (direct && a->token == SCMP_ARCH_X86)
		known = table_by_name(i386_direct, name);
	return known ? (int)known->value : seccomp_syscall_resolve_name_arch(a->token, name);
}

uint32_t seccomp_verdict_code(struct seccomp_verdict v)
{
	static const uint32_t codes[] = {
		[SECCOMP_DO_KILL] = SCMP_ACT_KILL_THREAD, [SECCOMP_DO_KILL_PROCESS] = SCMP_ACT_KILL_PROCESS,
		[SECCOMP_DO_ERRNO] = SCMP_ACT_ERRNO(0),	  [SECCOMP_DO_ALLOW] = SCMP_ACT_ALLOW,
		[SECCOMP_DO_TRAP] = SCMP_ACT_TRAP,	  [SECCOMP_DO_LOG] = SCMP_ACT_LOG,
		[SECCOMP_DO_NOTIFY] = SCMP_ACT_NOTIFY,
	};

	return v.action == SECCOMP_DO_ERRNO ? SCMP_ACT_ERRNO(v.errnum) : codes[v.action];
}

/* A jump whose branches are NEXT (the instruction behind it), or one of the ends of a comparison,
 * which are known only later. */
enum { NEXT = 0, TO_MATCH = 254, TO_END = 255 };
#define WORDS_MAX 64

struct block {
	struct sock_filter v[WORDS_MAX];
	unsigned n;
};

static void put(struct block *b, uint16_t op, uint8_t jt, uint8_t jf, uint32_t k)
{
	b->v[b->n++] = (struct sock_filter){ op, jt, jf, k };
}

static void put_load(struct block *b, size_t offset)
{
	put(b, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static void put_jump(struct block *b, uint16_t test, uint32_t k, uint8_t jt, uint8_t jf)
{
	put(b, (uint16_t)(BPF_JMP | test | BPF_K), jt, jf, k);
}

static size_t word_offset(unsigned index, bool high)
{
	const bool second = high == (__BYTE_ORDER == __LITTLE_ENDIAN);

	return offsetof(struct seccomp_data, args) + 8 * index + (second ? 4 : 0);
}

/* Points the branches of b[from, end) that say label at the instruction behind b. */
static void resolve(struct block *b, unsigned from, uint8_t label)
{
	for (unsigned i = from; i < b->n; i++) {
		struct sock_filter *f = &b->v[i];

		if (BPF_CLASS(f->code) != BPF_JMP)
			continue;
		if (f->jt == label)
			f->jt = (uint8_t)(b->n - i - 1);
		if (f->jf == label)
			f->jf = (uint8_t)(b->n - i - 1);
	}
}

/* 64 bit comparison in 32 bit words: the high words decide unless they are equal. */
static void put_compare(struct block *b, const struct seccomp_arg *a)
{
	const uint32_t high = (uint32_t)(a->value >> 32), low = (uint32_t)a->value;
	const bool less = a->op == SECCOMP_OP_LT || a->op == SECCOMP_OP_LE;
	const bool greater = a->op == SECCOMP_OP_GT || a->op == SECCOMP_OP_GE;

	put_load(b, word_offset(a->index, true));
	if (less || greater) {
		put_jump(b, BPF_JGT, high, greater ? TO_MATCH : TO_END, NEXT);
		put_jump(b, BPF_JEQ, high, NEXT, less ? TO_MATCH : TO_END);
	} else {
		put_jump(b, BPF_JEQ, high, NEXT, a->op == SECCOMP_OP_NE ? TO_MATCH : TO_END);
	}
	put_load(b, word_offset(a->index, false));
	switch (a->op) {
	case SECCOMP_OP_LT:
		put_jump(b, BPF_JGE, low, TO_END, NEXT);
		break;
	case SECCOMP_OP_LE:
		put_jump(b, BPF_JGT, low, TO_END, NEXT);
		break;
	case SECCOMP_OP_GT:
		put_jump(b, BPF_JGT, low, NEXT, TO_END);
		break;
	case SECCOMP_OP_GE:
		put_jump(b, BPF_JGE, low, NEXT, TO_END);
		break;
	case SECCOMP_OP_NE:
		put_jump(b, BPF_JEQ, low, TO_END, NEXT);
		break;
	default:
		put_jump(b, BPF_JEQ, low, NEXT, TO_END);
	}
}

static void put_masked(struct block *b, const struct seccomp_arg *a)
{
	for (int high = 1; high >= 0; high--) {
		const unsigned shift = high ? 32 : 0;

		put_load(b, word_offset(a->index, high));
		put(b, BPF_ALU | BPF_AND | BPF_K, 0, 0, (uint32_t)(a->mask >> shift));
		put_jump(b, BPF_JEQ, (uint32_t)(a->value >> shift), NEXT, TO_END);
	}
}

int seccomp_exception(struct seccomp_code *code, const struct seccomp_arch *a, int number,
		      const struct seccomp_rule *rule)
{
	/* x32 calls come under the name of x86_64, with a bit in their number. */
	const uint32_t audit = a->token == SCMP_ARCH_X32 ? AUDIT_ARCH_X86_64 : a->token;
	struct block b = { .n = 0 };

	put_load(&b, offsetof(struct seccomp_data, arch));
	put_jump(&b, BPF_JEQ, audit, NEXT, TO_END);
	put_load(&b, offsetof(struct seccomp_data, nr));
	put_jump(&b, BPF_JEQ, (uint32_t)number, NEXT, TO_END);
	for (unsigned i = 0; i < rule->n_args; i++) {
		const unsigned from = b.n;

		if (rule->args[i].op == SECCOMP_OP_MASKED_EQ)
			put_masked(&b, &rule->args[i]);
		else
			put_compare(&b, &rule->args[i]);
		resolve(&b, from, TO_MATCH);
	}
	put(&b, BPF_RET | BPF_K, 0, 0, seccomp_verdict_code(rule->verdict));
	resolve(&b, 0, TO_END);
	for (unsigned i = 0; i < b.n; i++)
		if (VEC_PUSH(code, b.v[i]) < 0)
			return -ENOMEM;
	return 0;
}

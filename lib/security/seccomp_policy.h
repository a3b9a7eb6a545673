/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* seccomp_policy - the text of a system call policy, versions 1 and 2, as a list of rules. Pure: no
 * file, no libseccomp, no knowledge of this host. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/vec.h"

#define SECCOMP_POLICY_MAX (1024 * 1024)	/* bytes of a policy file */
#define SECCOMP_RULES_MAX 8192
#define SECCOMP_ARGS_MAX 6

enum seccomp_action {
	SECCOMP_DO_KILL,	/* the calling thread */
	SECCOMP_DO_KILL_PROCESS,
	SECCOMP_DO_ERRNO,
	SECCOMP_DO_ALLOW,
	SECCOMP_DO_TRAP,
	SECCOMP_DO_LOG,
	SECCOMP_DO_NOTIFY,
};

struct seccomp_verdict {
	enum seccomp_action action;
	unsigned errnum;	/* SECCOMP_DO_ERRNO only */
};

static inline bool seccomp_verdict_is_same(struct seccomp_verdict a, struct seccomp_verdict b)
{
	return a.action == b.action && a.errnum == b.errnum;
}

enum seccomp_op {
	SECCOMP_OP_NE,
	SECCOMP_OP_LT,
	SECCOMP_OP_LE,
	SECCOMP_OP_EQ,
	SECCOMP_OP_GE,
	SECCOMP_OP_GT,
	SECCOMP_OP_MASKED_EQ,	/* (argument & mask) == value */
};

struct seccomp_arg {
	unsigned index;		/* 0-5, each at most once in a rule */
	enum seccomp_op op;
	uint64_t value, mask;
};

/* The [section] that a rule stands in. */
enum seccomp_section {
	SECCOMP_NO_SECTION,	/* before the first one */
	SECCOMP_ALL,
	SECCOMP_X86,
	SECCOMP_X32,
	SECCOMP_X86_64,
	SECCOMP_ARM,
	SECCOMP_ARM64,
	SECCOMP_PPC,
	SECCOMP_PPC64,
	SECCOMP_PPC64LE,
	SECCOMP_MIPS,
	SECCOMP_MIPS64,
	SECCOMP_MIPS64N32,
	SECCOMP_MIPSEL,
	SECCOMP_MIPSEL64,
	SECCOMP_MIPSEL64N32,
	SECCOMP_S390,
	SECCOMP_S390X,
	SECCOMP_LOONGARCH64,
	SECCOMP_RISCV64,
	SECCOMP_SECTIONS
};

struct seccomp_rule {
	char *name;		/* owned; NULL in version 1 */
	int number;		/* version 1 */
	unsigned line;
	enum seccomp_section section;
	struct seccomp_verdict verdict;
	unsigned n_args;	/* all must match */
	struct seccomp_arg args[SECCOMP_ARGS_MAX];
};

/* Text that has no effect, which the user should know of. */
struct seccomp_note {
	unsigned line;
	char *text;		/* owned */
};

struct seccomp_policy {
	unsigned version;
	struct seccomp_verdict otherwise;	/* of calls without a rule */
	struct {
		VEC(struct seccomp_rule);
	} rules;
	struct {
		VEC(struct seccomp_note);
	} notes;
};

/* text need not end with a NUL. file: its name in messages. On failure *ret is empty. */
int seccomp_policy_parse(const char *text, size_t len, const char *file, struct seccomp_policy *ret,
			 struct err **e);
void seccomp_policy_done(struct seccomp_policy *p);
static inline void auto_seccomp_policy_fn(struct seccomp_policy *p)
{
	seccomp_policy_done(p);
}
#define auto_seccomp_policy __attribute__((cleanup(auto_seccomp_policy_fn)))

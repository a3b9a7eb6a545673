/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* seccomp_host - the system call interfaces of this host, and exceptions: short hand-made programs
 * that run before libseccomp's. */
#pragma once
#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "security/seccomp_policy.h"

#define SECCOMP_ARCHS_MAX 3

struct seccomp_arch {
	uint32_t token;		/* SCMP_ARCH_* */
	enum seccomp_section section;
	const char *name;
};

struct seccomp_host {
	struct seccomp_arch archs[SECCOMP_ARCHS_MAX];	/* the native one first, then its compatible ones */
	unsigned n;
};

/* Never fails: a machine that the table does not know has its native interface only. */
struct seccomp_host seccomp_host(void);
/* Do the rules of this section count here? */
bool seccomp_host_has(const struct seccomp_host *h, enum seccomp_section section);
/* The number of name on a; -1 when no architecture knows it, another negative number when only this
 * one does not. Calls that i386 also reaches through socketcall(2) and ipc(2) are given their own
 * number when direct is set. */
int seccomp_arch_number(const struct seccomp_arch *a, const char *name, bool direct);

struct seccomp_code {
	VEC(struct sock_filter);
};

uint32_t seccomp_verdict_code(struct seccomp_verdict v);
/* Appends: a call of that number whose arguments match the rule gets the rule's verdict; any other
 * goes on behind. 0 or -ENOMEM. */
int seccomp_exception(struct seccomp_code *code, const struct seccomp_arch *a, int number,
		      const struct seccomp_rule *rule);

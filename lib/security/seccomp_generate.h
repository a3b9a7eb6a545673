/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* seccomp_generate - the rules of a policy as a program for this kernel and all its system call
 * interfaces, through libseccomp. */
#pragma once
#include "base/log.h"
#include "security/seccomp.h"
#include "security/seccomp_policy.h"

#define SECCOMP_KEY_MAX 256

/* What the result depends on besides the policy: libseccomp's version, the kernel, on which libseccomp's API level
 * depends and which is not asked nine questions for it, the architecture, and the generation of this code. */
void seccomp_generate_key(char buf[static SECCOMP_KEY_MAX]);
/* One log_warn for every name that no architecture knows, with file:line. */
void seccomp_warn_unknown(const struct seccomp_policy *p, const char *file, struct log *l);
/* file: the policy's name in messages. */
int seccomp_generate(const struct seccomp_policy *p, const char *file, struct log *l,
		     struct seccomp_program *ret, struct err **e);

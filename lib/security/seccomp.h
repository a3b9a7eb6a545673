/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* seccomp - policy files to BPF programs. Parsing is pure; compiling uses libseccomp and a cache
 * under the run directory keyed by the content of the policy, libseccomp's version and the
 * architecture. */
#pragma once
#include <linux/filter.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/log.h"
#include "config/conf.h"

struct seccomp_program {
	struct sock_filter *filter;	/* owned */
	unsigned short len;		/* 0: nothing to load */
	bool notify;			/* wants a listener */
};

/* Reads and compiles lxc.seccomp.profile. cache_dir: a directory of ours (0700) or NULL. Unknown
 * system calls are one log_warn each, with file:line; a malformed line is an error with file:line.
 * Without a profile, or when this process is already confined and allow_nesting is 0: len 0. */
int seccomp_compile(const struct conf *c, const char *cache_dir, struct log *l, struct seccomp_program *ret,
		    struct err **e);
/* Loads into this process. ret_listener gets the notify fd (-EBADF without). No allocation. */
int seccomp_install(const struct seccomp_program *p, int *ret_listener, struct err **e);
void seccomp_done(struct seccomp_program *p);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* seccomp_cache - compiled programs in a directory of ours. A file holds the whole key and the whole
 * policy, so that neither a collision of names nor a truncated file can load a wrong program. What is
 * wrong with the cache is never an error: the policy is compiled again. */
#pragma once
#include <stddef.h>

#include "base/log.h"
#include "security/seccomp.h"

struct seccomp_cache_key {
	const char *host;	/* of seccomp_generate_key */
	const char *policy;
	size_t policy_len;
};

/* An fd of dir if it is a directory that only we can write (made 0700 if missing), else -errno. */
int seccomp_cache_open(const char *dir, struct log *l);
/* 0 and *ret, or -ENOENT. */
int seccomp_cache_get(int dirfd, const struct seccomp_cache_key *key, struct seccomp_program *ret);
void seccomp_cache_put(int dirfd, const struct seccomp_cache_key *key, const struct seccomp_program *p,
		       struct log *l);

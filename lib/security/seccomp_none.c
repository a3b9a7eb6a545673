/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* Builds without libseccomp: policies are taken, and said not to apply. */
#define LOG_CATEGORY "seccomp"
#include "security/seccomp.h"

int seccomp_compile(const struct conf *c, const char *cache_dir, struct log *l, struct seccomp_program *ret,
		    struct err **e)
{
	(void)cache_dir;
	(void)e;
	if (c->seccomp_profile.v)
		log_warn(l, "built without seccomp; policy %s is not applied", c->seccomp_profile.v);
	*ret = (struct seccomp_program){ 0 };
	return 0;
}

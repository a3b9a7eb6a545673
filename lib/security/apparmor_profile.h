/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* apparmor_profile - the text of a container's own profile. Pure. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "config/conf.h"

struct apparmor_profile {
	const char *name;		/* of the profile, quoted in the text */
	const char *ns;			/* policy namespace of the guest; NULL: none */
	bool mapped;			/* the guest is in a user namespace */
	bool nesting;			/* lxc.apparmor.allow_nesting */
	bool unix_rules;		/* the parser knows rules for ... */
	bool new_rules;			/* ... mqueue and nosymfollow (4.0) */
	bool userns_rules;		/* the parser and the kernel control user namespaces */
	bool io_uring_rules;
	const struct conf_list *raw;	/* further lines of the user; may be NULL */
};

/* Returns new, NULL when out of memory. */
char *apparmor_profile_text(const struct apparmor_profile *p);
/* Appends to b globs that together match every path below base (which ends with '/') except those
 * listed: "a/b" is that file, "a/" that directory with all below, "a*" all that begins so. Each glob is put between before
 * and after. */
void apparmor_all_except(struct buf *b, const char *base, const char *const *except, size_t n,
			 const char *before, const char *after);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* The way from lxc.seccomp.profile to a program: read, parse, look into the cache, compile. */
#define LOG_CATEGORY "seccomp"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "security/seccomp.h"
#include "security/seccomp_cache.h"
#include "security/seccomp_generate.h"
#include "security/seccomp_policy.h"

/* 0 and the text, or an error that names the file and the config line that asks for it. */
static int read_policy(const struct conf_str *key, char **ret, size_t *ret_len, struct err **e)
{
	auto_err struct err *why = NULL;
	auto_free char *kind = NULL;
	int r = io_read_file(AT_FDCWD, key->v, SECCOMP_POLICY_MAX, ret, ret_len, &why);

	if (r == -ENOENT)
		return err_at(e, err_seccomp_policy_missing(e, key->v), key->at);
	if (r < 0) {
		const char *text = r == -EFBIG ? "it is larger than 1 MiB" : strerror(-r);

		/* "PATH is a fifo, not a regular file": the path is named once only. */
		if (why && err_is(why, "not-a-regular-file") && strncmp(why->what, key->v, strlen(key->v)) == 0)
			text = asprintf(&kind, "it %s", why->what + strlen(key->v) + 1) < 0 ? text : kind;
		return err_at(e, err_seccomp_policy_unreadable(e, key->v, text), key->at);
	}
	return 0;
}

static bool is_wanted(const struct conf *c, struct log *l)
{
	if (!c->seccomp_profile.v || !*c->seccomp_profile.v)
		return false;

	/* 0: free; positive: under a filter, then a second one only costs: the outer one was made for
	 * containers, too. An outer filter that refuses the question is one. */
	const int mode = prctl(PR_GET_SECCOMP, 0, 0, 0, 0);

	if (mode < 0 && errno == EINVAL) {
		log_warn(l, "this kernel has no seccomp; policy %s is not applied", c->seccomp_profile.v);
		return false;
	}
	if (mode != 0 && !c->seccomp_allow_nesting.v) {
		log_info(l, "already confined by seccomp and lxc.seccomp.allow_nesting is 0: policy %s is not loaded",
			 c->seccomp_profile.v);
		return false;
	}
	return true;
}

static void warn_notes(const struct seccomp_policy *p, const char *file, struct log *l)
{
	for (size_t i = 0; i < p->notes.n; i++)
		log_warn(l, "%s:%u: %s", file, p->notes.v[i].line, p->notes.v[i].text);
}

int seccomp_compile(const struct conf *c, const char *cache_dir, struct log *l, struct seccomp_program *ret,
		    struct err **e)
{
	auto_seccomp_policy struct seccomp_policy policy = { 0 };
	const char *file = c->seccomp_profile.v;
	auto_free char *text = NULL;
	auto_close int cache = -EBADF;
	struct seccomp_program program;
	size_t len = 0;
	char host[SECCOMP_KEY_MAX];
	int r;

	if (!is_wanted(c, l)) {
		*ret = (struct seccomp_program){ 0 };
		return 0;
	}
	r = read_policy(&c->seccomp_profile, &text, &len, e);
	if (r < 0)
		return r;
	r = seccomp_policy_parse(text, len, file, &policy, e);
	if (r < 0)
		return err_wrap_at(e, r, c->seccomp_profile.at, "reading the policy of lxc.seccomp.profile");
	/* What a policy says in vain is said at each start, compiled or cached. */
	warn_notes(&policy, file, l);
	seccomp_warn_unknown(&policy, file, l);

	seccomp_generate_key(host);
	const struct seccomp_cache_key key = { host, text, len };

	cache = seccomp_cache_open(cache_dir, l);
	if (seccomp_cache_get(cache, &key, &program) < 0) {
		r = seccomp_generate(&policy, file, l, &program, e);
		if (r < 0)
			return err_wrap_at(e, r, c->seccomp_profile.at,
					   "compiling the policy of lxc.seccomp.profile");
		seccomp_cache_put(cache, &key, &program, l);
	}
	*ret = program;
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "cgroup/devices.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/str.h"

#define RULE_MAX 4352	/* PATH_MAX and some */

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

/* "MAJ", "*" up to stop. */
static bool parse_number(const char *s, size_t n, int64_t *ret)
{
	char text[16];
	uint64_t v;

	if (n == 1 && *s == '*') {
		*ret = DEVICE_ANY;
		return true;
	}
	if (n == 0 || n >= sizeof(text) || *s < '0' || *s > '9')
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	if (num_u64(text, 10, UINT32_MAX, &v) < 0)
		return false;
	*ret = (int64_t)v;
	return true;
}

/* The rest of the rule: up to three of r, w, m. NULL: fine. */
static const char *parse_access(const char *s, unsigned *ret)
{
	size_t n = strcspn(s, " \t");

	if (n == 0)
		return "the access is missing";
	if (*skip_blanks(s + n))
		return "there is text after the access";
	if (n > 3)
		return "the access has more than three letters";
	*ret = 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == 'r')
			*ret |= DEVICE_READ;
		else if (s[i] == 'w')
			*ret |= DEVICE_WRITE;
		else if (s[i] == 'm')
			*ret |= DEVICE_MKNOD;
		else
			return "the access has a letter other than r, w and m";
	}
	return NULL;
}

static int parse_path(const char *text, const char *s, struct device_rule *r, struct err **e)
{
	size_t n = strcspn(s, " \t");
	auto_free char *path = strndup(s, n);
	const char *why = parse_access(skip_blanks(s + n), &r->access);
	struct stat st;

	if (!path)
		return err_no_memory(e);
	if (why)
		return err_device_rule_malformed(e, text, why);
	if (stat(path, &st) < 0)
		return err_device_missing(e, path, strerrordesc_np(errno));
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_device_missing(e, path, "it is not a device");
	r->type = S_ISCHR(st.st_mode) ? 'c' : 'b';
	r->major = major(st.st_rdev);
	r->minor = minor(st.st_rdev);
	return 0;
}

/* "T MAJ:MIN ACCESS" from T on. NULL: fine, else what is wrong. */
static const char *parse_numbers(const char *s, struct device_rule *r)
{
	size_t n;

	r->type = *s;
	if (!strchr("abc", *s) || (s[1] && s[1] != ' ' && s[1] != '\t'))
		return "the type is not a, b or c";
	s = skip_blanks(s + 1);
	if (!*s)
		return "the device numbers are missing";
	n = strcspn(s, ": \t");
	if (s[n] != ':')
		return "the device numbers are not MAJOR:MINOR";
	if (!parse_number(s, n, &r->major))
		return "the major number is neither a number nor '*'";
	s += n + 1;
	n = strcspn(s, " \t");
	if (!parse_number(s, n, &r->minor))
		return "the minor number is neither a number nor '*'";
	return parse_access(skip_blanks(s + n), &r->access);
}

int device_rule_parse(const char *text, bool allow, bool paths, struct device_rule *ret, struct err **e)
{
	struct device_rule r = { .allow = allow, .major = DEVICE_ANY, .minor = DEVICE_ANY, .at = ret->at, .v1 = ret->v1 };
	const char *s = skip_blanks(text), *why;
	int rc = 0;

	if (strlen(text) > RULE_MAX || str_has_control(text, true))
		return err_device_rule_malformed(e, "...", "it is too long or holds control characters");
	if (!*s)
		return err_device_rule_malformed(e, text, "it is empty");
	if (*s == 'a' && !*skip_blanks(s + 1)) {
		r.all = true;
		r.type = 'a';
		r.access = DEVICE_MKNOD | DEVICE_READ | DEVICE_WRITE;
	} else if (*s == '/' && paths) {
		rc = parse_path(text, s, &r, e);
	} else {
		why = parse_numbers(s, &r);
		if (why)
			rc = err_device_rule_malformed(e, text, why);
	}
	if (rc == 0)
		*ret = r;
	return rc;
}

static void add_number(struct buf *b, int64_t v)
{
	if (v == DEVICE_ANY)
		buf_addc(b, '*');
	else
		buf_addf(b, "%lld", (long long)v);
}

void device_rule_text(const struct device_rule *r, struct buf *b)
{
	buf_addc(b, r->type);
	if (r->all)
		return;
	buf_addc(b, ' ');
	add_number(b, r->major);
	buf_addc(b, ':');
	add_number(b, r->minor);
	buf_addf(b, " %s%s%s", r->access & DEVICE_READ ? "r" : "", r->access & DEVICE_WRITE ? "w" : "",
		 r->access & DEVICE_MKNOD ? "m" : "");
}

static bool same_device(const struct device_rule *a, const struct device_rule *b)
{
	return a->type == b->type && a->major == b->major && a->minor == b->minor;
}

bool device_rule_same(const struct device_rule *a, const struct device_rule *b)
{
	return a->allow == b->allow && a->all == b->all && same_device(a, b) && a->access == b->access;
}

int device_policy_apply(struct device_policy *p, const struct device_rule *r)
{
	struct device_rules *x = &p->exceptions;
	size_t i = 0;

	p->set = true;
	if (r->all) {
		p->allow_default = r->allow;
		VEC_DONE(x);
		return 0;
	}
	while (i < x->n && !same_device(&x->v[i], r))
		i++;
	if (r->allow == p->allow_default) {
		/* Along the mode: takes an equal exception back, as far as the access goes. */
		if (i == x->n)
			return 0;
		x->v[i].access &= ~r->access;
		if (!x->v[i].access)
			VEC_REMOVE(x, i);
		return 0;
	}
	if (i < x->n) {
		x->v[i].access |= r->access;
		return 0;
	}
	if (x->n >= DEVICE_EXCEPTIONS_MAX)
		return -E2BIG;
	return VEC_PUSH(x, *r);
}

bool device_policy_allows(const struct device_policy *p, char type, uint32_t maj, uint32_t min, unsigned access)
{
	for (size_t i = 0; i < p->exceptions.n; i++) {
		const struct device_rule *x = &p->exceptions.v[i];

		if ((x->type != 'a' && x->type != type) || (x->major != DEVICE_ANY && x->major != maj) ||
		    (x->minor != DEVICE_ANY && x->minor != min))
			continue;
		/* To be allowed all of the access must be; to be denied a part is enough. */
		if (p->allow_default ? (access & x->access) != 0 : (access & ~x->access) == 0)
			return !p->allow_default;
	}
	return p->allow_default;
}

void device_policy_done(struct device_policy *p)
{
	VEC_DONE(&p->exceptions);
	p->set = false;
}

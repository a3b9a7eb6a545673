/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* devices - device rules: their text, and the policy that a sequence of them makes. The semantics
 * are those of the kernel's v1 controller, on v2 too: a lone "a" sets the mode and empties the
 * list; a rule against the mode adds an exception, one along it takes an equal exception back. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"

enum { DEVICE_MKNOD = 1, DEVICE_READ = 2, DEVICE_WRITE = 4, DEVICE_EVERY = 7 };	/* the kernel's BPF_DEVCG_ACC_* */
#define DEVICE_ANY (-1)

struct device_rule {
	bool allow;
	bool all;		/* the lone "a": everything else is unset */
	char type;		/* 'a', 'b', 'c' */
	int64_t major, minor;	/* DEVICE_ANY: "*" */
	unsigned access;
	bool v1;		/* came from a v1 key */
	struct origin at;
};
struct device_rules {
	VEC(struct device_rule);
};

struct device_policy {
	bool set;		/* some rule has been given: the policy is to be enforced */
	bool allow_default;
	struct device_rules exceptions;
};

/* Parses "a", "c 1:3 rwm", "b *:* m"; with paths also "/dev/null rw" (looked up on this host).
 * -EINVAL device_rule_malformed. Does not touch at. */
int device_rule_parse(const char *text, bool allow, bool paths, struct device_rule *ret, struct err **e);
/* Appends the rule as the kernel's v1 files take it. */
void device_rule_text(const struct device_rule *r, struct buf *b);
bool device_rule_same(const struct device_rule *a, const struct device_rule *b);
/* 0 or -ENOMEM, -E2BIG beyond DEVICE_EXCEPTIONS_MAX. */
#define DEVICE_EXCEPTIONS_MAX 1024
int device_policy_apply(struct device_policy *p, const struct device_rule *r);
/* What the policy answers: for tests, and the reference the BPF program is checked against. */
bool device_policy_allows(const struct device_policy *p, char type, uint32_t major, uint32_t minor,
			  unsigned access);
void device_policy_done(struct device_policy *p);

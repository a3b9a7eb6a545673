/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* Any bytes as a system call policy: parsing ends with rules within their limits or with an error
 * that has a place and a remedy, and short policies compile to a program that ends. The first byte
 * chooses whether to compile, which is slow. */
#include <linux/filter.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "security/seccomp_generate.h"
#include "security/seccomp_policy.h"

#define REQUIRE(cond)             \
	do {                      \
		if (!(cond))      \
			abort();  \
	} while (0)

static void check_rules(const struct seccomp_policy *p)
{
	REQUIRE(p->version == 1 || p->version == 2);
	REQUIRE(p->rules.n <= SECCOMP_RULES_MAX);
	for (size_t i = 0; i < p->rules.n; i++) {
		const struct seccomp_rule *r = &p->rules.v[i];
		unsigned seen = 0;

		REQUIRE(!r->name == (p->version == 1) && r->line > 2 - (p->version == 2));
		REQUIRE(r->section < SECCOMP_SECTIONS && r->n_args <= SECCOMP_ARGS_MAX);
		for (unsigned k = 0; k < r->n_args; k++) {
			REQUIRE(r->args[k].index < 6 && !(seen & 1U << r->args[k].index));
			seen |= 1U << r->args[k].index;
		}
	}
}

static void check_program(const struct seccomp_program *p)
{
	REQUIRE(p->len > 0 && p->filter[p->len - 1].code == (BPF_RET | BPF_K));
	for (unsigned i = 0; i < p->len; i++) {
		const struct sock_filter *f = &p->filter[i];

		if (BPF_CLASS(f->code) != BPF_JMP)
			continue;
		if (BPF_OP(f->code) == BPF_JA)
			REQUIRE(f->k < p->len - i - 1);
		else
			REQUIRE(i + 1 + f->jt < p->len && i + 1 + f->jf < p->len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_seccomp_policy struct seccomp_policy p = { 0 };
	auto_err struct err *e = NULL;
	struct seccomp_program program = { 0 };

	if (size == 0)
		return 0;
	if (seccomp_policy_parse((const char *)data + 1, size - 1, "policy", &p, &e) < 0) {
		REQUIRE(e && (err_is(e, "seccomp-malformed") || err_is(e, "seccomp-incomplete")));
		REQUIRE(*err_root(e)->where && *err_remedy(e));
		return 0;
	}
	check_rules(&p);
	if ((data[0] & 3) || p.rules.n > 12)
		return 0;
	if (seccomp_generate(&p, "policy", NULL, &program, &e) < 0)
		REQUIRE(e);
	else
		check_program(&program);
	free(program.filter);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#define LOG_CATEGORY "seccomp"
#include "security/seccomp_generate.h"

#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "security/seccomp_host.h"



/* Raised whenever the same policy would give another program. */
#define GENERATION 2
#define UNKNOWN __NR_SCMP_ERROR

DEFINE_AUTO(scmp_filter_ctx, seccomp_release)
#define auto_ctx auto_with(seccomp_release)

struct generator {
	const struct seccomp_policy *p;
	const char *file;
	struct log *l;
	struct seccomp_host host;
	struct seccomp_code exceptions;
	bool notify;
	struct err **e;
};

void seccomp_generate_key(char buf[static SECCOMP_KEY_MAX])
{
	const struct scmp_version *v = seccomp_version();
	struct utsname kernel = { .release = "" };

	(void)uname(&kernel);
	(void)snprintf(buf, SECCOMP_KEY_MAX, "g%d libseccomp %u.%u.%u arch %08x kernel %s %s", GENERATION, v->major, v->minor,
		       v->micro, seccomp_arch_native(), kernel.release, kernel.version);
}

void seccomp_warn_unknown(const struct seccomp_policy *p, const char *file, struct log *l)
{
	const struct seccomp_host host = seccomp_host();

	for (size_t i = 0; i < p->rules.n; i++) {
		const struct seccomp_rule *r = &p->rules.v[i];

		if (r->name && seccomp_arch_number(&host.archs[0], r->name, false) == UNKNOWN)
			log_warn(l, "%s:%u: unknown system call '%s' is ignored; the rest of the policy applies",
				 file, r->line, r->name);
	}
}

static int refused(const struct generator *g, const struct seccomp_rule *rule, const struct seccomp_arch *a,
		   int r)
{
	char number[16];

	(void)snprintf(number, sizeof(number), "%d", rule->number);
	return err_at(g->e,
		      err_seccomp_rule_refused(g->e, rule->name ? rule->name : number, a->name, strerror(-r)),
		      (struct origin){ g->file, rule->line });
}

static bool is_same_call(const struct seccomp_rule *a, const struct seccomp_rule *b)
{
	return a->name && b->name ? strcmp(a->name, b->name) == 0 : !a->name && !b->name && a->number == b->number;
}

/* What the part of the policy that counts here says of one call. */
struct peers {
	const struct seccomp_rule *general;	/* the first rule without filters; NULL: none */
	unsigned n;				/* rules for the call */
	bool mixed;				/* not all of them say the same */
};

static struct peers find_peers(const struct generator *g, const struct seccomp_rule *rule)
{
	struct peers p = { 0 };

	for (size_t i = 0; i < g->p->rules.n; i++) {
		const struct seccomp_rule *r = &g->p->rules.v[i];

		if (!is_same_call(r, rule) || !seccomp_host_has(&g->host, r->section))
			continue;
		if (r->n_args == 0 && !p.general)
			p.general = r;
		p.mixed |= !seccomp_verdict_is_same(r->verdict, rule->verdict);
		p.n++;
	}
	return p;
}

static struct scmp_arg_cmp comparison(const struct seccomp_arg *a)
{
	static const enum scmp_compare ops[] = {
		[SECCOMP_OP_NE] = SCMP_CMP_NE, [SECCOMP_OP_LT] = SCMP_CMP_LT,
		[SECCOMP_OP_LE] = SCMP_CMP_LE, [SECCOMP_OP_EQ] = SCMP_CMP_EQ,
		[SECCOMP_OP_GE] = SCMP_CMP_GE, [SECCOMP_OP_GT] = SCMP_CMP_GT,
		[SECCOMP_OP_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
	};

	/* libseccomp takes the mask first for a masked comparison. */
	if (a->op == SECCOMP_OP_MASKED_EQ)
		return (struct scmp_arg_cmp){ a->index, SCMP_CMP_MASKED_EQ, a->mask, a->value };
	return (struct scmp_arg_cmp){ a->index, ops[a->op], a->value, 0 };
}

/* Why a rule adds nothing, or NULL. */
static const char *is_without_effect(const struct generator *g, const struct seccomp_rule *rule,
				     const struct peers *p)
{
	const struct seccomp_verdict otherwise = p->general ? p->general->verdict : g->p->otherwise;

	if (rule->n_args == 0 && p->general != rule)
		return "an earlier line decides for the same system call";
	if (rule->n_args && !p->mixed && seccomp_verdict_is_same(rule->verdict, otherwise))
		return "other calls of it are treated the same";
	if (rule->n_args == 0 && seccomp_verdict_is_same(rule->verdict, g->p->otherwise))
		return "it says what holds for all other calls anyway";
	return NULL;
}

/* Adds a rule for one architecture. Filters on a call that has further rules are tried in the order
 * of the file before the rule without filters, by code of our own: libseccomp would drop all filters
 * next to such a rule, leaves open which of two matching filters decides, and does not come back
 * from some sets of filters with many arguments (2.5.4). */
static int add_rule(struct generator *g, scmp_filter_ctx ctx, const struct seccomp_arch *a,
		    const struct seccomp_rule *rule, bool own_code)
{
	struct scmp_arg_cmp cmp[SECCOMP_ARGS_MAX];
	int native = rule->number, number = rule->number, r;

	if (rule->name) {
		native = seccomp_arch_number(&g->host.archs[0], rule->name, false);
		number = seccomp_arch_number(a, rule->name, rule->n_args > 0);
		if (native == UNKNOWN)
			return 0;
	}
	if (own_code) {
		r = number < 0 ? 0 : seccomp_exception(&g->exceptions, a, number, rule);
		return r < 0 ? err_no_memory(g->e) : 0;
	}
	for (unsigned i = 0; i < rule->n_args; i++)
		cmp[i] = comparison(&rule->args[i]);
	/* libseccomp wants the native number, or the negative one that stands for a name, and finds the
	 * number for the filter's architecture itself. */
	r = seccomp_rule_add_exact_array(ctx, seccomp_verdict_code(rule->verdict), native, rule->n_args, cmp);
	if (r == -EDOM)
		return 0;	/* this architecture does not have the call */
	if (r == -EINVAL && rule->n_args && number >= 0)
		/* Reached through socketcall(2) or ipc(2) as well: only the direct call has filters. */
		r = seccomp_exception(&g->exceptions, a, number, rule);
	return r < 0 ? refused(g, rule, a, r) : 0;
}

static int add_rules(struct generator *g, scmp_filter_ctx ctx, const struct seccomp_arch *a)
{
	for (size_t i = 0; i < g->p->rules.n; i++) {
		const struct seccomp_rule *rule = &g->p->rules.v[i];
		struct peers p;
		const char *why;
		int r;

		/* A section says on which hosts the rules count, not for which interface: whoever denies
		 * a call on x86_64 wants it denied through int 0x80, too. LXC's policies rely on it. */
		if (!seccomp_host_has(&g->host, rule->section))
			continue;
		p = find_peers(g, rule);
		why = is_without_effect(g, rule, &p);
		if (why && a == &g->host.archs[0])
			log_info(g->l, "%s:%u: the rule adds nothing: %s", g->file, rule->line, why);
		if (why)
			continue;
		r = add_rule(g, ctx, a, rule, rule->n_args && p.n > 1);
		if (r < 0)
			return r;
		g->notify |= rule->verdict.action == SECCOMP_DO_NOTIFY;
	}
	return 0;
}

static int set_attributes(struct generator *g, scmp_filter_ctx ctx)
{
	/* no_new_privs is the container's own setting. -1 is the number that a tracer leaves to skip a
	 * call. A binary tree costs less per call than a list once there are more than a few rules. */
	if (seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0) < 0 ||
	    seccomp_attr_set(ctx, SCMP_FLTATR_API_TSKIP, 1) < 0 ||
	    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) < 0)
		return err_set(g->e, EIO, NULL, "libseccomp refuses the attributes of a filter");
	return 0;
}

/* A filter of one architecture. *ret is new. */
static int new_filter(struct generator *g, const struct seccomp_arch *a, scmp_filter_ctx *ret)
{
	auto_ctx scmp_filter_ctx ctx = seccomp_init(seccomp_verdict_code(g->p->otherwise));
	int r;

	if (!ctx)
		return err_set(g->e, ENOMEM, NULL, "libseccomp makes no filter with this policy's default action");
	if (a != &g->host.archs[0]) {
		r = seccomp_arch_add(ctx, a->token);
		if (r == 0)
			r = seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE);
		if (r < 0)
			return err_set(g->e, -r, NULL, "libseccomp does not know the architecture %s", a->name);
	}
	r = set_attributes(g, ctx);
	if (r == 0)
		r = add_rules(g, ctx, a);
	if (r == 0)
		*ret = take_ptr(ctx);
	return r;
}

/* The program as the kernel takes it: the exceptions, then libseccomp's. */
static int export(struct generator *g, scmp_filter_ctx ctx, struct seccomp_program *ret)
{
	auto_close int fd = memfd_create("seccomp", MFD_CLOEXEC);
	auto_free struct sock_filter *all = NULL;
	auto_free char *text = NULL;
	size_t len = 0, n;
	int r;

	if (fd < 0)
		return err_set(g->e, errno, NULL, "cannot create a memory file");
	r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return err_set(g->e, -r, NULL, "libseccomp makes no program of %s", g->file);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_set(g->e, errno, NULL, "cannot read a memory file");
	r = io_read_fd(fd, 16 * 1024 * 1024, &text, &len);
	if (r < 0 || len % sizeof(*all))
		return err_set(g->e, r < 0 ? -r : EIO, NULL, "cannot read the program of %s", g->file);
	n = g->exceptions.n + len / sizeof(*all);
	if (n > BPF_MAXINSNS)
		return err_seccomp_too_large(g->e, g->file, n);
	all = malloc(n * sizeof(*all));
	if (!all)
		return err_no_memory(g->e);
	if (g->exceptions.n)
		memcpy(all, g->exceptions.v, g->exceptions.n * sizeof(*all));
	memcpy(all + g->exceptions.n, text, len);
	*ret = (struct seccomp_program){ take_ptr(all), (unsigned short)n, g->notify };
	return 0;
}

static int generate(struct generator *g, struct seccomp_program *ret)
{
	/* Version 1 speaks in numbers, which mean the native interface and no other. */
	const unsigned n = g->p->version == 1 ? 1 : g->host.n;
	auto_ctx scmp_filter_ctx all = NULL;

	for (unsigned i = 0; i < n; i++) {
		auto_ctx scmp_filter_ctx one = NULL;
		int r = new_filter(g, &g->host.archs[i], &one);

		if (r < 0)
			return r;
		if (i == 0) {
			all = take_ptr(one);
			continue;
		}
		r = seccomp_merge(all, one);
		if (r < 0)
			return err_set(g->e, -r, NULL, "libseccomp cannot join the filters of %s and %s",
				       g->host.archs[0].name, g->host.archs[i].name);
		one = NULL;	/* belongs to all now */
	}
	return export(g, all, ret);
}

int seccomp_generate(const struct seccomp_policy *p, const char *file, struct log *l,
		     struct seccomp_program *ret, struct err **e)
{
	struct generator g = {
		.p = p,
		.file = file,
		.l = l,
		.host = seccomp_host(),
		.notify = p->otherwise.action == SECCOMP_DO_NOTIFY,
		.e = e,
	};
	int r = generate(&g, ret);

	VEC_DONE(&g.exceptions);
	return r;
}

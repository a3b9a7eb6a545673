/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "security/seccomp_policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "harness/unit.h"

static const char *verdict_text(struct seccomp_verdict v, char buf[static 24])
{
	static const char *const words[] = { "kill", "kill_process", "errno", "allow", "trap", "log", "notify" };

	if (v.action == SECCOMP_DO_ERRNO)
		(void)snprintf(buf, 24, "errno %u", v.errnum);
	else
		(void)snprintf(buf, 24, "%s", words[v.action]);
	return buf;
}

/* A policy in a form of one line: "v2 else allow; mkdir@3/1=errno 1[0 EQ 5 0]; note 4". */
static char *describe(const struct seccomp_policy *p)
{
	static const char *const ops[] = { "NE", "LT", "LE", "EQ", "GE", "GT", "ME" };
	struct buf b = BUF_INIT(65536);
	char v[24];

	buf_addf(&b, "v%u else %s", p->version, verdict_text(p->otherwise, v));
	for (size_t i = 0; i < p->rules.n; i++) {
		const struct seccomp_rule *r = &p->rules.v[i];

		if (r->name)
			buf_addf(&b, "; %s", r->name);
		else
			buf_addf(&b, "; #%d", r->number);
		buf_addf(&b, "@%u/%u=%s", r->line, r->section, verdict_text(r->verdict, v));
		for (unsigned k = 0; k < r->n_args; k++)
			buf_addf(&b, "[%u %s %llx %llx]", r->args[k].index, ops[r->args[k].op],
				 (unsigned long long)r->args[k].value, (unsigned long long)r->args[k].mask);
	}
	for (size_t i = 0; i < p->notes.n; i++)
		buf_addf(&b, "; note %u", p->notes.v[i].line);
	return buf_take(&b);
}

static void expect(const char *text, const char *want)
{
	auto_seccomp_policy struct seccomp_policy p = { 0 };
	auto_err struct err *e = NULL;
	auto_free char *got = NULL;

	if (seccomp_policy_parse(text, strlen(text), "f", &p, &e) < 0) {
		got = err_line(e);
		fail_msg("'%s' is refused: %s", text, got);
	}
	got = describe(&p);
	assert_string_equal(got, want);
}

static void accepts_what_the_format_says(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "1\nallowlist\n", "v1 else kill" },
		{ "1\nwhitelist\n0\n1\n231\n", "v1 else kill; #0@3/0=allow; #1@4/0=allow; #231@5/0=allow" },
		{ "1\nallowlist\n\n# text\n 5 # read\n", "v1 else kill; #5@5/0=allow" },
		{ "2\ndenylist\n", "v2 else allow" },
		{ "2\nblacklist", "v2 else allow" },
		{ "2\nallowlist\n", "v2 else kill" },
		{ "2 \n\nwhitelist  errno 5\n", "v2 else errno 5" },
		{ "2\r\ndenylist trap \r\nmkdir errno 1\r\n", "v2 else trap; mkdir@3/0=errno 1" },
		{ "2\nallowlist log\nread\n", "v2 else log; read@3/0=allow" },
		{ "2\ndenylist\nmkdir\n", "v2 else allow; mkdir@3/0=kill" },
		{ "2\ndenylist\nmkdir # why\n#x\n\n  # y\n", "v2 else allow; mkdir@3/0=kill" },
		{ "2\ndenylist\nmkdir errno 1 # why [0,1,==]\n", "v2 else allow; mkdir@3/0=errno 1" },
		{ "2\ndenylist\nmkdir errno 1 and more\n", "v2 else allow; mkdir@3/0=errno 1; note 3" },
		{ "2\ndenylist allow more\n", "v2 else allow; note 2" },
		{ "2\ndenylist\n a kill\nb errno 0\nc errno 4094\nd allow\ne trap\nf notify\ng log\nh kill_process\n",
		  "v2 else allow; a@3/0=kill; b@4/0=errno 0; c@5/0=errno 4094; d@6/0=allow; e@7/0=trap; "
		  "f@8/0=notify; g@9/0=log; h@10/0=kill_process" },
		{ "2\ndenylist\na\n[all]\nb\n[x86]\nc\n[X86_64]\nd\n[riscv64] # text\ne\n",
		  "v2 else allow; a@3/0=kill; b@5/1=kill; c@7/2=kill; d@9/4=kill; e@11/19=kill" },
		{ "2\ndenylist\ns errno 1 [0,0x26,==]\n", "v2 else allow; s@3/0=errno 1[0 EQ 26 0]" },
		{ "2\ndenylist\ns kill [0,1,!=] [1,2,<] [2,3,<=] [3,4,>=][4,5,>] [5,8,&=,15] # text\n",
		  "v2 else allow; s@3/0=kill[0 NE 1 0][1 LT 2 0][2 LE 3 0][3 GE 4 0][4 GT 5 0][5 ME 8 f]" },
		{ "2\ndenylist\ns kill [ 0 , 1 , SCMP_CMP_NE ] [1,2,SCMP_CMP_LT] [2,3,SCMP_CMP_LE] [3,4,SCMP_CMP_GE]"
		  " [4,5,SCMP_CMP_GT] [5,0x8,SCMP_CMP_MASKED_EQ,0xf]\n",
		  "v2 else allow; s@3/0=kill[0 NE 1 0][1 LT 2 0][2 LE 3 0][3 GE 4 0][4 GT 5 0][5 ME 8 f]" },
		{ "2\ndenylist\ns kill [0,1,SCMP_CMP_EQ]\n", "v2 else allow; s@3/0=kill[0 EQ 1 0]" },
		{ "2\ndenylist\ns kill [0,18446744073709551615,==]\n",
		  "v2 else allow; s@3/0=kill[0 EQ ffffffffffffffff 0]" },
		{ "2\ndenylist\ns kill [0,1,&=]\n", "v2 else allow; s@3/0=kill[0 ME 1 0]; note 3" },
		{ "2\ndenylist\nreject_force_umount\n", "v2 else allow; umount2@3/0=errno 13[1 ME 1 1]" },
		{ "2\ndenylist\nreject_force_umount  # text\nreject_force_umount errno 1\n",
		  "v2 else allow; umount2@3/0=errno 13[1 ME 1 1]; umount2@4/0=errno 13[1 ME 1 1]; note 4" },
	};

	assert_int_equal(MNT_FORCE, 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect(cases[i].text, cases[i].want);
}

static void refuses_malformed_lines_with_their_place(void **state)
{
	static const struct {
		const char *text, *place, *why;
	} cases[] = {
		{ "3\nallowlist\n", "f:1", "neither 1 nor 2" },
		{ "0\nallowlist\n", "f:1", "neither 1 nor 2" },
		{ "-2\nallowlist\n", "f:1", "neither 1 nor 2" },
		{ "4294967298\nallowlist\n", "f:1", "neither 1 nor 2" },
		{ "2x\nallowlist\n", "f:1", "neither 1 nor 2" },
		{ "# head\n2\nallowlist\n", "f:1", "neither 1 nor 2" },
		{ "1\ndenylist\n", "f:2", "only lists of allowed" },
		{ "1\nfoo\n", "f:2", "only lists of allowed" },
		{ "1\nallowlist\nread\n", "f:3", "one system call number" },
		{ "1\nallowlist\n1 2\n", "f:3", "one system call number" },
		{ "1\nallowlist\n-1\n", "f:3", "one system call number" },
		{ "1\nallowlist\n4294967296\n", "f:3", "one system call number" },
		{ "1\nallowlist\n0x10\n", "f:3", "one system call number" },
		{ "2\nlist\n", "f:2", "kind of list" },
		{ "2\ndenylistx\n", "f:2", "kind of list" },
		{ "2\n# text\ndenylist\n", "f:2", "kind of list" },
		{ "2\ndenylist debug\n", "f:2", "no debug mode" },
		{ "2\ndenylist foo\n", "f:2", "action is unknown" },
		{ "2\ndenylist errno\n", "f:2", "lacks its number" },
		{ "2\ndenylist\nmkdir foo\n", "f:3", "'mkdir foo' is not valid" },
		{ "2\ndenylist\nmkdir killed\n", "f:3", "action is unknown" },
		{ "2\ndenylist\nmkdir errno\n", "f:3", "lacks its number" },
		{ "2\ndenylist\nmkdir errno # 1\n", "f:3", "lacks its number" },
		{ "2\ndenylist\nmkdir errno x\n", "f:3", "error number is not one" },
		{ "2\ndenylist\nmkdir errno 1x\n", "f:3", "error number is not one" },
		{ "2\ndenylist\nmkdir errno -1\n", "f:3", "error number is not one" },
		{ "2\ndenylist\nmkdir errno 4095\n", "f:3", "error number is not one" },
		{ "2\ndenylist\nmkdir errno 65537\n", "f:3", "error number is not one" },
		{ "2\ndenylist\n\nmkdir [0,1,==]\n", "f:4", "need an action" },
		{ "2\ndenylist\nmkdir kill [0,1,==] x\n", "f:3", "text follows" },
		{ "2\ndenylist\nmkdir kill [0,1,==\n", "f:3", "not closed" },
		{ "2\ndenylist\nmkdir kill [6,1,==]\n", "f:3", "index" },
		{ "2\ndenylist\nmkdir kill [x,1,==]\n", "f:3", "index" },
		{ "2\ndenylist\nmkdir kill [0,1]\n", "f:3", "less than three" },
		{ "2\ndenylist\nmkdir kill []\n", "f:3", "less than three" },
		{ "2\ndenylist\nmkdir kill [0,1,==,1,1]\n", "f:3", "more than four" },
		{ "2\ndenylist\nmkdir kill [0,18446744073709551616,==]\n", "f:3", "value is not" },
		{ "2\ndenylist\nmkdir kill [0,-1,==]\n", "f:3", "value is not" },
		{ "2\ndenylist\nmkdir kill [0,,==]\n", "f:3", "value is not" },
		{ "2\ndenylist\nmkdir kill [0,1,=]\n", "f:3", "operator" },
		{ "2\ndenylist\nmkdir kill [0,1,&=,x]\n", "f:3", "mask" },
		{ "2\ndenylist\nmkdir kill [0,1,==] [0,2,!=]\n", "f:3", "tested twice" },
		{ "2\ndenylist\n[sparc]\n", "f:3", "section is unknown" },
		{ "2\ndenylist\n[]\n", "f:3", "section is unknown" },
		{ "2\ndenylist\n[all\n", "f:3", "not closed" },
		{ "2\ndenylist\n[all] x\n", "f:3", "text follows the section" },
		{ "2\ndenylist\n-mkdir\n", "f:3", "does not begin with the name" },
		{ "2\ndenylist\n1 kill\n", "f:3", "does not begin with the name" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_seccomp_policy struct seccomp_policy p = { 0 };
		auto_err struct err *e = NULL;
		const char *text = cases[i].text;

		if (seccomp_policy_parse(text, strlen(text), "f", &p, &e) == 0)
			fail_msg("'%s' is accepted", text);
		assert_err_id(e, "seccomp-malformed");
		assert_err_has(e, cases[i].place);
		assert_err_has(e, cases[i].why);
		assert_true(*err_remedy(e));
		assert_int_equal(p.rules.n, 0);
	}
}

static void refuses_policies_without_a_head(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "f:1: the seccomp policy has no rules: the file is empty" },
		{ "\n\n", "f:2: the seccomp policy has no rules: the file is empty" },
		{ "2\n", "f:1: the seccomp policy has no rules: its second line is missing" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct seccomp_policy p = { 0 };
		auto_err struct err *e = NULL;

		assert_true(seccomp_policy_parse(cases[i].text, strlen(cases[i].text), "f", &p, &e) < 0);
		assert_err_id(e, "seccomp-incomplete");
		assert_err_has(e, cases[i].why);
	}
}

static void refuses_zero_bytes(void **state)
{
	static const char text[] = "2\ndenylist\nmk\0dir\n";
	struct seccomp_policy p = { 0 };
	auto_err struct err *e = NULL;

	assert_true(seccomp_policy_parse(text, sizeof(text) - 1, "f", &p, &e) < 0);
	assert_err_has(e, "f:3");
	assert_err_has(e, "zero byte");
}

static void bounds_the_number_of_rules(void **state)
{
	for (int over = 0; over < 2; over++) {
		auto_buf struct buf b = BUF_INIT(SECCOMP_POLICY_MAX);
		auto_seccomp_policy struct seccomp_policy p = { 0 };
		auto_err struct err *e = NULL;

		buf_adds(&b, "2\ndenylist\n");
		for (int i = 0; i < SECCOMP_RULES_MAX + over; i++)
			buf_addf(&b, "s%d\n", i);
		assert_int_equal(seccomp_policy_parse(b.p, b.len, "f", &p, &e), over ? -EINVAL : 0);
		assert_int_equal(p.rules.n, over ? 0 : SECCOMP_RULES_MAX);
	}
}

static void cuts_long_lines_in_messages(void **state)
{
	auto_buf struct buf b = BUF_INIT(SECCOMP_POLICY_MAX);
	struct seccomp_policy p = { 0 };
	auto_err struct err *e = NULL;

	buf_adds(&b, "2\ndenylist\nmkdir ");
	for (int i = 0; i < 100000; i++)
		buf_addc(&b, 'x');
	assert_true(seccomp_policy_parse(b.p, b.len, "f", &p, &e) < 0);
	assert_true(strlen(err_root(e)->what) < 400);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(accepts_what_the_format_says),
	cmocka_unit_test(refuses_malformed_lines_with_their_place),
	cmocka_unit_test(refuses_policies_without_a_head),
	cmocka_unit_test(refuses_zero_bytes),
	cmocka_unit_test(bounds_the_number_of_rules),
	cmocka_unit_test(cuts_long_lines_in_messages),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "security/seccomp_policy.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mount.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/str.h"
#include "base/table.h"

#define ERRNO_MAX 4094		/* what libseccomp takes, which is less than the kernel does */
#define FORCE_UMOUNT "reject_force_umount"

static const char *const sections[SECCOMP_SECTIONS] = {
	[SECCOMP_ALL] = "all",
	[SECCOMP_X86] = "x86",
	[SECCOMP_X32] = "x32",
	[SECCOMP_X86_64] = "x86_64",
	[SECCOMP_ARM] = "arm",
	[SECCOMP_ARM64] = "arm64",
	[SECCOMP_PPC] = "ppc",
	[SECCOMP_PPC64] = "ppc64",
	[SECCOMP_PPC64LE] = "ppc64le",
	[SECCOMP_MIPS] = "mips",
	[SECCOMP_MIPS64] = "mips64",
	[SECCOMP_MIPS64N32] = "mips64n32",
	[SECCOMP_MIPSEL] = "mipsel",
	[SECCOMP_MIPSEL64] = "mipsel64",
	[SECCOMP_MIPSEL64N32] = "mipsel64n32",
	[SECCOMP_S390] = "s390",
	[SECCOMP_S390X] = "s390x",
	[SECCOMP_LOONGARCH64] = "loongarch64",
	[SECCOMP_RISCV64] = "riscv64",
};

static const struct name_value actions[] = {
	{ "kill", SECCOMP_DO_KILL },
	{ "kill_thread", SECCOMP_DO_KILL },
	{ "kill_process", SECCOMP_DO_KILL_PROCESS },
	{ "errno", SECCOMP_DO_ERRNO },
	{ "allow", SECCOMP_DO_ALLOW },
	{ "trap", SECCOMP_DO_TRAP },
	{ "log", SECCOMP_DO_LOG },
	{ "notify", SECCOMP_DO_NOTIFY },
};

static const struct name_value operators[] = {
	{ "!=", SECCOMP_OP_NE },
	{ "<", SECCOMP_OP_LT },
	{ "<=", SECCOMP_OP_LE },
	{ "==", SECCOMP_OP_EQ },
	{ ">=", SECCOMP_OP_GE },
	{ ">", SECCOMP_OP_GT },
	{ "&=", SECCOMP_OP_MASKED_EQ },
	{ "SCMP_CMP_NE", SECCOMP_OP_NE },
	{ "SCMP_CMP_LT", SECCOMP_OP_LT },
	{ "SCMP_CMP_LE", SECCOMP_OP_LE },
	{ "SCMP_CMP_EQ", SECCOMP_OP_EQ },
	{ "SCMP_CMP_GE", SECCOMP_OP_GE },
	{ "SCMP_CMP_GT", SECCOMP_OP_GT },
	{ "SCMP_CMP_MASKED_EQ", SECCOMP_OP_MASKED_EQ },
};

/* The words of the second line: is it a list of what is denied? */
static const struct name_value kinds[] = {
	{ "denylist", true },
	{ "blacklist", true },
	{ "allowlist", false },
	{ "whitelist", false },
};

/* One line at a time; text is a private copy that the parser cuts up. */
struct parser {
	const char *file;
	unsigned line;
	const char *whole;	/* the line as written, for messages */
	enum seccomp_section section;
	struct seccomp_verdict listed;	/* of a rule that names no action */
	struct seccomp_policy *p;
	struct err **e;
};

static int malformed(struct parser *s, const char *why, const char *expected)
{
	int r = err_seccomp_malformed(s->e, s->whole, why, expected);

	return err_at(s->e, r, (struct origin){ s->file, s->line });
}

/* "'WHAT' WHY", cut to a readable length. */
static int note(struct parser *s, const char *what, const char *why)
{
	struct seccomp_note n = { .line = s->line };

	if (asprintf(&n.text, "'%.160s' %s", what, why) < 0)
		return err_no_memory(s->e);
	if (VEC_PUSH(&s->p->notes, n) < 0) {
		free(n.text);
		return err_no_memory(s->e);
	}
	return 0;
}

static char *skip_blanks(char *p)
{
	return p + strspn(p, " \t\r");
}

/* Cuts the next blank-delimited word off *p; NULL at the end or at a comment. */
static char *next_word(char **p)
{
	char *w = skip_blanks(*p), *end = w + strcspn(w, " \t\r");

	if (!*w || *w == '#') {
		*p = w + strlen(w);
		return NULL;
	}
	*p = *end ? end + 1 : end;
	*end = '\0';
	return w;
}

/* Reads an action and its number from *p, of which word is the first word. */
static int parse_verdict(struct parser *s, const char *word, char **p, struct seccomp_verdict *ret)
{
	static const char expected[] = "kill, errno NUMBER, allow, trap, log or notify as the action";
	const struct name_value *known = table_by_name(actions, word);
	uint64_t n = 0;

	if (!known)
		return malformed(s, "the action is unknown", expected);
	if (known->value == SECCOMP_DO_ERRNO) {
		const char *num = next_word(p);

		if (!num || num_u64(num, 10, ERRNO_MAX, &n) < 0)
			return malformed(s, num ? "the error number is not one" : "errno lacks its number",
					 "errno and a decimal number from 0 to 4094");
	}
	*ret = (struct seccomp_verdict){ (enum seccomp_action)known->value, (unsigned)n };
	return 0;
}

/* Text left over behind an action has no effect, as ever, but is no longer passed over in silence. */
static int parse_rest(struct parser *s, char *p)
{
	p = str_trim(p);
	return *p && *p != '#' ? note(s, p, "behind the action has no effect") : 0;
}

/* text: what is between the brackets. */
static int parse_arg(struct parser *s, char *text, struct seccomp_rule *rule)
{
	static const char expected[] = "[INDEX,VALUE,OPERATOR] or [INDEX,VALUE,OPERATOR,MASK] with an index "
				       "from 0 to 5 and one of != < <= == >= > &=";
	char *field[4] = { 0 };
	const struct name_value *known;
	struct seccomp_arg a = { 0 };
	uint64_t index;
	size_t n = 0;

	for (char *f; (f = strsep(&text, ",")) != NULL; n++) {
		if (n == ARRAY_SIZE(field))
			return malformed(s, "the filter has more than four fields", expected);
		field[n] = str_trim(f);
	}
	if (n < 3)
		return malformed(s, "the filter has less than three fields", expected);
	if (num_u64(field[0], 0, SECCOMP_ARGS_MAX - 1, &index) < 0)
		return malformed(s, "the argument's index is not a number from 0 to 5", expected);
	if (num_u64(field[1], 0, UINT64_MAX, &a.value) < 0)
		return malformed(s, "the value is not a number of 64 bits", expected);
	known = table_by_name(operators, field[2]);
	if (!known)
		return malformed(s, "the operator is unknown", expected);
	if (field[3] && num_u64(field[3], 0, UINT64_MAX, &a.mask) < 0)
		return malformed(s, "the mask is not a number of 64 bits", expected);
	a.index = (unsigned)index;
	a.op = (enum seccomp_op)known->value;
	for (unsigned i = 0; i < rule->n_args; i++)
		if (rule->args[i].index == a.index)
			return malformed(s, "one argument is tested twice", "each index at most once in a line");
	rule->args[rule->n_args++] = a;
	if (a.op == SECCOMP_OP_MASKED_EQ && (a.value & ~a.mask))
		return note(s, field[1], "has bits outside of its mask: the filter never matches");
	return 0;
}

static int parse_args(struct parser *s, char *p, struct seccomp_rule *rule)
{
	while (*(p = skip_blanks(p)) == '[') {
		char *end = strchr(p, ']');

		if (!end)
			return malformed(s, "a filter is not closed", "']' at the end of each filter");
		*end = '\0';
		int r = parse_arg(s, p + 1, rule);

		if (r < 0)
			return r;
		p = end + 1;
	}
	if (*p && *p != '#')
		return malformed(s, "text follows the last filter", "nothing but a comment behind the last ']'");
	return 0;
}

static int add_rule(struct parser *s, struct seccomp_rule *rule, const char *name)
{
	int r;

	if (s->p->rules.n == SECCOMP_RULES_MAX)
		return malformed(s, "the policy has more than 8192 rules", "fewer rules");
	rule->line = s->line;
	rule->section = s->section;
	if (name) {
		rule->name = strdup(name);
		if (!rule->name)
			return err_no_memory(s->e);
	}
	r = VEC_PUSH(&s->p->rules, *rule);
	if (r < 0) {
		free(rule->name);
		return err_no_memory(s->e);
	}
	return 0;
}

static int add_force_umount(struct parser *s, char *rest)
{
	struct seccomp_rule rule = {
		.verdict = { SECCOMP_DO_ERRNO, EACCES },
		.n_args = 1,
		.args = { { 1, SECCOMP_OP_MASKED_EQ, MNT_FORCE, MNT_FORCE } },
	};
	int r = 0;

	rest = str_trim(rest);
	if (*rest && *rest != '#')
		r = note(s, rest, "has no effect: " FORCE_UMOUNT " takes no action");
	return r < 0 ? r : add_rule(s, &rule, "umount2");
}

static int parse_section(struct parser *s, char *p)
{
	static const char expected[] = "[all], or an architecture such as [x86_64], [x86], [arm64], [arm], "
				       "[ppc64le], [s390x] or [riscv64], alone on its line";
	char *end = strchr(p, ']'), *rest;
	int i = SECCOMP_ALL;

	if (!end)
		return malformed(s, "the section is not closed", expected);
	*end = '\0';
	rest = skip_blanks(end + 1);
	if (*rest && *rest != '#')
		return malformed(s, "text follows the section", expected);
	while (i < SECCOMP_SECTIONS && strcasecmp(sections[i], p + 1) != 0)
		i++;
	if (i == SECCOMP_SECTIONS)
		return malformed(s, "the section is unknown", expected);
	s->section = (enum seccomp_section)i;
	return 0;
}

/* SYSCALL [ACTION] [ARG]... */
static int parse_rule(struct parser *s, char *p)
{
	struct seccomp_rule rule = { .verdict = s->listed };
	char *name = next_word(&p), *word;
	int r;

	if (!name)
		return 0;
	if (strncmp(name, FORCE_UMOUNT, strlen(FORCE_UMOUNT)) == 0)
		return add_force_umount(s, p);
	if (!isalpha((unsigned char)*name) && *name != '_')
		return malformed(s, "it does not begin with the name of a system call",
				 "SYSCALL [ACTION] [FILTER]..., a [section] or a # comment");
	word = next_word(&p);
	if (!word)
		return add_rule(s, &rule, name);
	if (*word == '[')
		return malformed(s, "filters need an action before them", "SYSCALL ACTION [FILTER]...");
	r = parse_verdict(s, word, &p, &rule.verdict);
	if (r < 0)
		return r;
	p = skip_blanks(p);
	r = *p == '[' ? parse_args(s, p, &rule) : parse_rest(s, p);
	return r < 0 ? r : add_rule(s, &rule, name);
}

/* Version 1: one system call number of this architecture per line. */
static int parse_number(struct parser *s, char *p)
{
	struct seccomp_rule rule = { .verdict = { SECCOMP_DO_ALLOW, 0 } };
	const char *word = next_word(&p);
	uint64_t n;

	if (!word)
		return 0;
	if (num_u64(word, 10, INT_MAX, &n) < 0 || next_word(&p))
		return malformed(s, "version 1 takes one system call number per line",
				 "a decimal number, or a policy of version 2 for names");
	rule.number = (int)n;
	return add_rule(s, &rule, NULL);
}

static int parse_version(struct parser *s, char *p)
{
	const char *word = next_word(&p);
	uint64_t n;

	if (!word || num_u64(word, 10, 2, &n) < 0 || n == 0 || next_word(&p))
		return malformed(s, "the version is neither 1 nor 2", "1 or 2 alone on the first line");
	s->p->version = (unsigned)n;
	return 0;
}

/* The second line: the kind of list and, in version 2, what happens to calls that are not in it. */
static int parse_head(struct parser *s, char *p)
{
	static const char v2[] = "denylist or allowlist, and then perhaps the action for all other calls";
	const struct seccomp_verdict kill = { SECCOMP_DO_KILL, 0 }, allow = { SECCOMP_DO_ALLOW, 0 };
	const struct name_value *kind = NULL;
	const char *word;

	if (strstr(p, "debug"))
		return malformed(s, "there is no debug mode", s->p->version == 1 ? "allowlist" : v2);
	word = next_word(&p);
	if (s->p->version == 1) {
		for (; word && !(kind && !kind->value); word = next_word(&p))
			kind = table_by_name(kinds, word);
		if (!kind || kind->value)
			return malformed(s, "version 1 knows only lists of allowed calls", "allowlist");
		s->p->otherwise = kill;
		return 0;
	}
	kind = word ? table_by_name(kinds, word) : NULL;
	if (!kind)
		return malformed(s, "the kind of list is unknown", v2);
	s->listed = kind->value ? kill : allow;
	s->p->otherwise = kind->value ? allow : kill;
	word = next_word(&p);
	if (!word)
		return 0;
	int r = parse_verdict(s, word, &p, &s->p->otherwise);

	return r < 0 ? r : parse_rest(s, p);
}

static int parse_line(struct parser *s, char *line, unsigned *head)
{
	char *p = skip_blanks(line);

	if (*head < 2) {
		/* Blank lines may stand before the version and the kind of list, nothing else. */
		if (!*p)
			return 0;
		return (*head)++ == 0 ? parse_version(s, p) : parse_head(s, p);
	}
	if (!*p || *p == '#')
		return 0;
	if (s->p->version == 1)
		return parse_number(s, p);
	return *p == '[' ? parse_section(s, p) : parse_rule(s, p);
}

static int parse_text(struct parser *s, char *text, char *whole)
{
	unsigned head = 0;
	int r = 0;

	for (char *line; r == 0 && (line = strsep(&text, "\n")) != NULL;) {
		char *end = strchrnul(whole, '\n');
		char *next = *end ? end + 1 : end;

		*end = '\0';
		s->whole = str_trim(whole);
		/* A text that ends with a newline has no further, empty line. */
		if (!*line && !text)
			break;
		s->line++;
		r = parse_line(s, line, &head);
		whole = next;
	}
	if (r < 0 || head == 2)
		return r;
	r = err_seccomp_incomplete(s->e, head ? "its second line is missing" : "the file is empty",
				   head ? "denylist or allowlist on the second line" :
					  "the version, 1 or 2, on the first line");
	return err_at(s->e, r, (struct origin){ s->file, s->line ? s->line : 1 });
}

int seccomp_policy_parse(const char *text, size_t len, const char *file, struct seccomp_policy *ret,
			 struct err **e)
{
	struct seccomp_policy policy = { 0 };
	struct parser s = { .file = file, .line = 0, .whole = "", .p = &policy, .e = e };
	const char *nul = memchr(text, '\0', len);
	auto_free char *copy = NULL, *whole = NULL;
	int r;

	if (nul) {
		for (const char *p = text; p < nul; p++)
			s.line += *p == '\n';
		s.line++;
		return malformed(&s, "it contains a zero byte", "a text file");
	}
	copy = strndup(text, len);
	whole = strndup(text, len);
	if (!copy || !whole)
		return err_no_memory(e);
	r = parse_text(&s, copy, whole);
	if (r < 0)
		seccomp_policy_done(&policy);
	else
		*ret = policy;
	return r;
}

void seccomp_policy_done(struct seccomp_policy *p)
{
	for (size_t i = 0; i < p->rules.n; i++)
		free(p->rules.v[i].name);
	for (size_t i = 0; i < p->notes.n; i++)
		free(p->notes.v[i].text);
	VEC_DONE(&p->rules);
	VEC_DONE(&p->notes);
	*p = (struct seccomp_policy){ 0 };
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/opt.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define HELP_COLUMN 28
#define HELP_WIDTH 79

static const struct opt *own_named(const struct opt_set *set, const char *name)
{
	for (size_t i = 0; i < set->n_own; i++)
		if (set->own[i].name && STREQ(set->own[i].name, name))
			return &set->own[i];
	return NULL;
}

static const struct opt *by_letter(const struct opt_set *set, int letter)
{
	for (size_t i = 0; i < set->n_own; i++)
		if (set->own[i].letter == letter)
			return &set->own[i];
	for (size_t i = 0; i < set->n_common; i++)
		if (set->common[i].letter == letter)
			return &set->common[i];
	return NULL;
}

/* A common row that a row of the tool replaces: same letter or same name. */
static bool is_hidden(const struct opt_set *set, const struct opt *common)
{
	return set && ((common->name && own_named(set, common->name)) ||
		       (common->letter && by_letter(set, common->letter) != common));
}

static void add_row(struct opt_parser *p, struct buf *letters, const struct opt *o)
{
	static const int has_arg[] = {
		[OPT_FLAG] = no_argument,
		[OPT_ARG] = required_argument,
		[OPT_OPTIONAL] = optional_argument,
	};
	static const char *const colons[] = { [OPT_FLAG] = "", [OPT_ARG] = ":", [OPT_OPTIONAL] = "::" };
	struct option *l = p->long_opts;

	if (o->letter) {
		buf_addc(letters, o->letter);
		buf_adds(letters, colons[o->kind]);
	}
	if (o->name) {
		p->rows[p->n_long] = o;
		l[p->n_long++] = (struct option){ o->name, has_arg[o->kind], NULL, 0 };
	}
}

int opt_parser_init(struct opt_parser *p, const struct opt_set *set, struct err **e)
{
	size_t n = set->n_own + set->n_common + 1;
	struct buf letters = BUF_INIT(4096);

	p->set = set;
	p->long_opts = calloc(n, sizeof(struct option));
	p->rows = calloc(n, sizeof(*p->rows));
	if (!p->long_opts || !p->rows)
		return err_no_memory(e);
	buf_adds(&letters, ":");
	for (size_t i = 0; i < set->n_own; i++)
		add_row(p, &letters, &set->own[i]);
	for (size_t i = 0; i < set->n_common; i++)
		if (!is_hidden(set, &set->common[i]))
			add_row(p, &letters, &set->common[i]);
	p->short_opts = buf_take(&letters);
	if (!p->short_opts)
		return err_no_memory(e);
	opterr = 0;
	optind = 0;	/* makes getopt_long begin anew */
	return 0;
}

void opt_parser_done(struct opt_parser *p)
{
	free(p->long_opts);
	free(p->short_opts);
	free(p->rows);
	*p = (struct opt_parser){ 0 };
}

/* How many long options the abbreviation may mean; *ret_row is the only one of LXC's. */
static unsigned matches(const struct opt_parser *p, const char *word, size_t n, const struct opt **ret_row)
{
	unsigned count = 0, of_lxc = 0;

	*ret_row = NULL;
	for (size_t i = 0; i < p->n_long; i++) {
		if (strncmp(p->rows[i]->name, word, n) != 0)
			continue;
		count++;
		if (!p->rows[i]->ext && of_lxc++ == 0)
			*ret_row = p->rows[i];
	}
	if (of_lxc != 1)
		*ret_row = NULL;
	return count;
}

static int wants_value(const struct opt *o, struct err **e)
{
	if (!o->letter)
		return err_set(e, EINVAL, "usage", "option --%s needs an argument: %s", o->name, o->arg);
	if (!o->name)
		return err_set(e, EINVAL, "usage", "option -%c needs an argument: %s", o->letter, o->arg);
	return err_set(e, EINVAL, "usage", "option --%s (-%c) needs an argument: %s", o->name, o->letter,
		       o->arg);
}

/* getopt_long did not take argv[optind - 1], a long option: say why, or take it after all when
 * only options of ours made it ambiguous. */
static int odd_long(struct opt_parser *p, int argc, char **argv, const struct opt **ret_row,
		    const char **ret_value, struct err **e)
{
	const char *word = argv[optind - 1] + 2, *value = strchr(word, '=');
	size_t n = value ? (size_t)(value - word) : strlen(word);
	const struct opt *o;
	unsigned count = matches(p, word, n, &o);

	if (count == 0)
		return err_set(e, EINVAL, "usage", "there is no option --%.*s", (int)n, word);
	if (!o && count > 1)
		return err_set(e, EINVAL, "usage", "option --%.*s is ambiguous", (int)n, word);
	if (!o || (count == 1 && value))
		return err_set(e, EINVAL, "usage", "option --%.*s takes no argument", (int)n, word);
	if (value && o->kind == OPT_FLAG)
		return err_set(e, EINVAL, "usage", "option --%s takes no argument", o->name);
	*ret_value = value ? value + 1 : NULL;
	if (o->kind == OPT_ARG && !value) {
		if (optind >= argc)
			return wants_value(o, e);
		*ret_value = argv[optind++];
	}
	*ret_row = o;
	return 1;
}

int opt_next(struct opt_parser *p, int argc, char **argv, const struct opt **ret_row, const char **ret_value,
	     struct err **e)
{
	const struct opt *o;
	int at = -1, c;

	optopt = 0;
	c = getopt_long(argc, argv, p->short_opts, p->long_opts, &at);
	if (c == -1)
		return 0;
	*ret_value = optarg;
	if (c == 0) {
		*ret_row = p->rows[at];
		return 1;
	}
	if (c == ':') {
		o = optopt ? by_letter(p->set, optopt) : NULL;
		if (!o)
			(void)matches(p, argv[optind - 1] + 2, strlen(argv[optind - 1] + 2), &o);
		for (size_t i = 0; !o && i < p->n_long; i++)
			if (strncmp(p->rows[i]->name, argv[optind - 1] + 2, strlen(argv[optind - 1] + 2)) == 0)
				o = p->rows[i];
		return o ? wants_value(o, e)
			 : err_set(e, EINVAL, "usage", "option %s needs an argument", argv[optind - 1]);
	}
	if (c == '?') {
		if (optopt)
			return err_set(e, EINVAL, "usage", "there is no option -%c", optopt);
		return odd_long(p, argc, argv, ret_row, ret_value, e);
	}
	*ret_row = by_letter(p->set, c);
	return 1;
}

static void add_names(struct buf *b, const struct opt *o)
{
	if (o->letter)
		buf_addf(b, "  -%c", o->letter);
	else
		buf_adds(b, "    ");
	if (!o->name) {
		buf_adds(b, *o->arg ? " " : "");
		buf_adds(b, o->arg);
		return;
	}
	buf_adds(b, o->letter ? ", --" : "  --");
	buf_adds(b, o->name);
	if (o->kind == OPT_OPTIONAL)
		buf_addf(b, "[=%s]", o->arg);
	else if (o->kind == OPT_ARG)
		buf_addf(b, "=%s", o->arg);
}

static void add_wrapped(struct buf *b, const char *text)
{
	size_t column = HELP_COLUMN;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (column + n > HELP_WIDTH) {
			buf_addf(b, "\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
		} else if (column > HELP_COLUMN) {
			buf_addc(b, ' ');
		}
		buf_add(b, text, n);
		column += n + 1;
		text += n;
		text += strspn(text, " ");
	}
	buf_addc(b, '\n');
}

void opt_print_help(FILE *out, const struct opt *t, size_t n, const struct opt_set *hide)
{
	auto_buf struct buf b = BUF_INIT(65536);

	for (size_t i = 0; i < n; i++) {
		size_t start = b.len;

		if (is_hidden(hide, &t[i]))
			continue;
		add_names(&b, &t[i]);
		if (b.len - start > HELP_COLUMN - 2) {
			buf_addf(&b, "\n%*s", HELP_COLUMN, "");
		} else {
			buf_addf(&b, "%*s", (int)(HELP_COLUMN - (b.len - start)), "");
		}
		add_wrapped(&b, t[i].help);
	}
	fputs(buf_str(&b), out);
}

static void add_usage_word(struct buf *b, const struct opt *o, unsigned *count)
{
	buf_adds(b, *count && *count % 4 == 0 ? "\n\t[" : " [");
	if (o->letter)
		buf_addf(b, "-%c", o->letter);
	if (o->letter && o->name)
		buf_addc(b, '|');
	if (o->name)
		buf_addf(b, "--%s", o->name);
	if (o->kind == OPT_OPTIONAL)
		buf_addf(b, "[=%s]", o->arg);
	else if (o->kind == OPT_ARG)
		buf_addf(b, "%c%s", o->name ? '=' : ' ', o->arg);
	buf_addc(b, ']');
	++*count;
}

void opt_print_usage(FILE *out, const char *prog, const struct opt_set *set)
{
	auto_buf struct buf b = BUF_INIT(65536);
	unsigned count = 0;

	buf_addf(&b, "Usage: %s", prog);
	for (size_t i = 0; i < set->n_own; i++)
		add_usage_word(&b, &set->own[i], &count);
	for (size_t i = 0; i < set->n_common; i++)
		if (!is_hidden(set, &set->common[i]))
			add_usage_word(&b, &set->common[i], &count);
	buf_addc(&b, '\n');
	fputs(buf_str(&b), out);
}

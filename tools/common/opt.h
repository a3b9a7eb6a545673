/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* opt - a tool's options as one table (X.opt), from which parsing, --help, --usage, the manual
 * page's OPTIONS section and the completion are made. Parsing is getopt_long's: options may follow
 * arguments, unique abbreviations of long names are accepted, "--" ends the options. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

enum opt_kind {
	OPT_FLAG,
	OPT_ARG,
	OPT_OPTIONAL,	/* -xVALUE or --long=VALUE, or no value */
};

struct opt {
	int key;		/* the tool's enumerator, > 0; common keys are above OPT_COMMON */
	char letter;		/* 0: none */
	const char *name;	/* NULL: none */
	enum opt_kind kind;
	const char *arg;	/* "FILE", "" for a flag */
	const char *help;
	bool ext;		/* not an option of LXC: an ambiguous abbreviation never means it */
};

#define OPT_COMMON 1000

struct opt_set {
	const struct opt *own, *common;
	size_t n_own, n_common;
};

/* Where a parse stands. Zero-initialised. */
struct opt_parser {
	const struct opt_set *set;
	void *long_opts;	/* struct option[] */
	char *short_opts;
	const struct opt **rows;	/* row of each long option, by index */
	size_t n_long;
};

int opt_parser_init(struct opt_parser *p, const struct opt_set *set, struct err **e);
void opt_parser_done(struct opt_parser *p);
/* The next option: 1 with *ret_row and *ret_value (NULL: no value); 0 at the end (the arguments
 * begin at optind); -EINVAL with *e saying which option is wrong and how. */
int opt_next(struct opt_parser *p, int argc, char **argv, const struct opt **ret_row, const char **ret_value,
	     struct err **e);

/* "  -x, --long=ARG   help" lines, help wrapped at column 79. */
void opt_print_help(FILE *out, const struct opt *t, size_t n, const struct opt_set *hide);
/* "[-x|--long=ARG]" words, four to a line. */
void opt_print_usage(FILE *out, const char *prog, const struct opt_set *set);

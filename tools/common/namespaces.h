/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* namespaces - lists of words separated by '|', such as those of namespaces, as sets of flags. */
#pragma once
#include "base/table.h"
#include "common/tool.h"

/* ORs the values that find gives for the words of list. 0, or -1 after a sentence that names option
 * and word; what: "namespace". */
int words_parse(struct tool *t, const char *option, const char *what, const char *list,
		const struct name_value *(*find)(const char *), int *ret);
/* The CLONE_NEW* flags of --namespaces (-s). */
int namespaces_parse(struct tool *t, const char *list, int *ret);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* str - small questions about strings. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* The rest of s after prefix, or NULL. */
const char *str_after(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* Trims blanks and tabs (and CR, LF) at both ends in place; returns the new start. */
char *str_trim(char *s);
/* True if s holds a control character (below 0x20 or 0x7f; tab too unless allowed). */
bool str_has_control(const char *s, bool allow_tab);
/* Replaces *dst (owned) by a copy of src (NULL: unset). 0 or -ENOMEM. */
int str_set(char **dst, const char *src);
/* Edit distance, for "did you mean"; strings are cut at 63 bytes. */
unsigned str_distance(const char *a, const char *b);
/* Appends to an argv-like vector the words of a command line: blanks separate; a word that starts
 * with ' or " runs to the next same quote; an unclosed quote is -EINVAL. */
struct strv;
int str_words(struct strv *l, const char *line);

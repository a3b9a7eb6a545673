/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* reader - text to struct conf: lines, comments, quotes, lxc.include of files and directories with
 * a depth limit and loop detection. Regular files only, bounded size. All errors of a file are
 * found in one pass: the first is the root of the chain, every one is reported. */
#pragma once
#include "base/err.h"
#include "base/log.h"
#include "config/conf.h"

/* Loads path into c (merging into what is there). at_top: this is the container's own file, its
 * lines go into c->text. On failure *e's root names file:line, further faults of the same pass are
 * its "more" (err_more), and c must not be used. */
int conf_load(struct conf *c, const char *path, struct log *l, struct err **e);
/* Why path could not be opened or read; why: what io_read_file said, or NULL. */
int reader_unreadable(int num, const char *path, const struct err *why, struct err **e);
/* Parses text as if read from a file called name. */
int conf_parse(struct conf *c, const char *text, size_t len, const char *name, struct log *l, struct err **e);
/* One "KEY=VALUE" of a tool's -s option: split, trimmed, unquoted, applied like the API's set. */
int conf_define(struct conf *c, const char *definition, struct log *l, struct err **e);
/* Reads what conf_dump wrote, restoring name, lxcpath, origins and text. */
int conf_undump(struct conf **ret, const char *text, size_t len, struct log *l, struct err **e);

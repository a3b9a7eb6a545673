/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* writer - struct conf to text: the unexpanded text that save_config writes, and the canonical dump
 * that travels to the monitor. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "config/conf.h"

/* API set_config_item / clear_config_item: changes the value and edits the unexpanded text (a set
 * appends "KEY = VALUE", an empty value removes the key's lines). */
int conf_set_item(struct conf *c, const char *key, const char *value, struct log *l, struct err **e);
int conf_clear_item(struct conf *c, const char *key, struct log *l, struct err **e);
/* The text as save_config writes it. */
int conf_text(const struct conf *c, struct buf *b);
/* Canonical dump: every set value once, preceded where needed by a line "#@ N:LINE" that gives its
 * origin (N counts the "#@file" lines at the head); conf_undump(dump(c)) equals c. */
int conf_dump(const struct conf *c, struct buf *b);
/* The same without the text of its file, for who does not write that. */
int conf_dump_values(const struct conf *c, struct buf *b);
/* Where the value number nth of a key (without abbreviation) stands; file NULL: nowhere. */
struct origin conf_origin(const struct conf *c, const char *key, size_t nth);
/* Writes the text atomically (0640 & ~umask semantics of the caller are not used: mode is exact); as io_replace, or, not
 * durable, io_replace_volatile. */
int conf_save(const struct conf *c, int dirfd, const char *name, mode_t mode, bool durable, struct err **e);

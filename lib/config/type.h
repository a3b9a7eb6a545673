/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* type - what the kinds of configuration values have in common. A row of keys.def names a key, its
 * type and where in struct conf it lives; the type sets, clears, prints and dumps. Private to this
 * layer. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "config/conf.h"

enum {
	KEY_PREFIX = 1,	     /* takes a further part: lxc.sysctl.NAME */
	KEY_HIDDEN = 2,	     /* not in the list of all keys */
	KEY_NO_EMPTY = 4,    /* an empty value is an error; clearing works */
	KEY_EMPTY_ZERO = 8,  /* an empty value means 0, clearing means the default */
	KEY_EMPTY_TOLD = 16, /* cleared is not what it is by default: a saved text has to say so */
};

struct key_type;

struct key {
	const char *name;
	const struct key_type *type;
	size_t field; /* offset in struct conf, or in struct conf_net for sub-keys */
	int64_t arg;  /* meaning depends on the type */
	int64_t def;  /* default of a number */
	unsigned flags;
	const char *example; /* a good value, for the remedy of a bad one */
	const char *summary;
};

struct reader;

/* One operation on one key. base is the struct that field is an offset of. */
struct key_ctx {
	struct conf *c;
	void *base;
	const struct key *k;
	const char *key;   /* as the caller wrote it */
	const char *sub;   /* what follows a prefix; NULL if there is none */
	const char *value; /* not empty in set */
	struct origin at;
	struct log *l;
	struct reader *reader; /* the reader in progress, NULL outside of one */
};

/* Collects the canonical dump; or, with b NULL, finds out whether what a key covers came from a file
 * other than the first; or, with found, where the value number nth of the key stands. */
struct dump {
	struct buf *b;
	const struct conf *c;
	const char *key;
	bool foreign;
	size_t nth;
	struct origin *found;
};
void dump_line(struct dump *d, struct origin at, const char *key, const char *value);

struct key_type {
	/* The shape of the field, for defaults and for the generic dump. */
	enum { SHAPE_OTHER, SHAPE_NUM, SHAPE_STR } shape;
	/* The getter's text is a single string, which a too small buffer does not get at all. */
	bool text;
	/* All or nothing: a refused value leaves the old one. */
	int (*set)(const struct key_ctx *x, struct err **e);
	int (*clear)(const struct key_ctx *x, struct err **e);
	int (*get)(const struct key_ctx *x, struct buf *b, struct err **e);
	/* NULL: one line with the getter's text if the field is set. */
	void (*dump)(const struct key_ctx *x, struct dump *d);
};

#define TYPE(name, grammar) extern const struct key_type type_##name;
#include "config/types.def"
#undef TYPE

/* The registry; row NULL ends the list. */
extern const struct key key_table[];
extern const size_t key_table_n;

static inline void *key_field(const struct key_ctx *x)
{
	return (char *)x->base + x->k->field;
}

/* "'VALUE' is not a valid value of KEY: WHY", with the row's example as the remedy. Returns -num. */
int key_bad(const struct key_ctx *x, int num, const char *why, struct err **e);
/* The same with another remedy. */
int key_bad_hint(const struct key_ctx *x, int num, const char *why, const char *remedy, struct err **e);
/* The same for a number that did not parse: r is -EINVAL or -ERANGE. */
int key_bad_number(const struct key_ctx *x, int r, const char *kind, struct err **e);

/* key_set with the reader whose includes are being followed. */
int key_assign(struct reader *r, struct conf *c, const char *key, const char *value, struct origin at,
	       struct log *l, struct err **e);
/* Every row of the registry: defaults into a zeroed conf, everything released, everything dumped. */
void key_defaults(struct conf *c);
void key_clear_all(struct conf *c);
void key_dump_all(const struct conf *c, struct dump *d);
void key_dump_row(const struct key_ctx *x, struct dump *d);
/* The row that key belongs to, NULL if there is none; *ret_sub as in struct key_ctx. */
const struct key *key_find(const char *key, const char **ret_sub);

/* Plain lists, shared by the types. item_add takes nothing: it copies. */
int item_add(struct conf_list *l, const char *key, const char *value, struct origin at);
void items_clear(struct conf_list *l);
/* Removes the items of one key; true if there was one. */
bool items_remove(struct conf_list *l, const char *key);
void str_clear(struct conf_str *s);
int str_assign(struct conf_str *s, const char *v, struct origin at);

/* Interfaces (type_net.c). */
struct conf_net *net_find(const struct conf *c, unsigned index);
/* Replaces every x and X of a hardware address by a random digit, in place. */
void hwaddr_fill(char *value);
/* True if key is the hwaddr of an interface, in today's or the old spelling. */
bool hwaddr_is_key(const char *key);
/* The nearest sub-key and its index in words: "lxc.net.0.link"; false if none is near. */
bool net_nearest(const char *key, struct buf *b);
/* The sub-keys of interface N, one per line; -EINVAL if there is no such interface. */
int net_list_keys(const struct conf *c, const char *index, struct buf *b);

/* Storage type words that may stand before the colon of lxc.rootfs.path; length of the prefix with
 * the colon, 0 if there is none. */
size_t rootfs_type_prefix(const char *value);

/* lxc.include (reader.c). Faults inside the file are collected in r; its own is in *e. */
int reader_include(struct reader *r, struct conf *c, const char *path, struct origin at, struct log *l,
		   struct err **e);

/* Keys of releases before 3.0 (legacy.c). Today's name of one (new), NULL if it is none; for an
 * interface it depends on the interfaces that there are. */
char *legacy_name(const struct conf *c, const char *key);
bool legacy_is_key(const char *key);
/* What the value of an old key means for today's one: value itself, or a constant. */
const char *legacy_value(const char *key, const char *value);
int legacy_assign(struct reader *r, struct conf *c, const char *key, const char *value, struct origin at,
		  struct log *l, struct err **e);

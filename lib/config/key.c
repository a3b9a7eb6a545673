/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "config/key.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "config/type.h"

/* With dots in field names (arrays) offsetof still yields a constant. */
const struct key key_table[] = {
#define KEY(name, type, field, arg, def, flags, example, summary, ...)                                       \
	{ name, &type_##type, offsetof(struct conf, field), arg, def, flags, example, summary },
#include "config/keys.def"
#undef KEY
};
const size_t key_table_n = ARRAY_SIZE(key_table);

/* Of the names. */
static const unsigned char lengths[] = {
#define KEY(name, ...) sizeof(name) - 1,
#include "config/keys.def"
#undef KEY
};

/* Where the key, of n characters, begins with the row's name: what follows. Few names have their last character in common with
 * it at that place. */
static const char *behind_name(size_t row, const char *key, size_t n)
{
	const char *name = key_table[row].name;
	size_t m = lengths[row];

	return m <= n && key[m - 1] == name[m - 1] && memcmp(key, name, m) == 0 ? key + m : NULL;
}

/* A prefix row catches "NAME.SUB"; without SUB only the name itself. */
static bool row_matches(const struct key *k, const char *rest, const char **ret_sub)
{
	*ret_sub = NULL;
	if (!rest)
		return false;
	if (!(k->flags & KEY_PREFIX))
		return *rest == '\0';
	if (str_ends(k->name, ".")) {
		*ret_sub = rest;
		return *rest != '\0';
	}
	if (*rest == '.')
		*ret_sub = rest + 1;
	return *rest == '\0' || *rest == '.';
}

const struct key *key_find(const char *key, const char **ret_sub)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < key_table_n; i++)
		if (row_matches(&key_table[i], behind_name(i, key, n), ret_sub))
			return &key_table[i];
	return NULL;
}

const char *key_nearest(const char *key)
{
	const char *found = NULL;
	unsigned best;
	size_t n = strnlen(key, 256);
	char lower[64] = "";

	for (size_t i = 0; i < sizeof(lower) - 1 && key[i]; i++)
		lower[i] = (char)tolower((unsigned char)key[i]);
	best = (unsigned)MAX(2, (n > 4 ? n - 4 : 0) / 3 + 1);
	n = strlen(lower);
	for (size_t i = 0; i < key_table_n; i++) {
		size_t m = strlen(key_table[i].name);
		unsigned d;

		/* The distance is at least the difference of the lengths. */
		if ((m > n ? m - n : n - m) >= best)
			continue;
		d = str_distance(key_table[i].name, lower);
		if (d < best) {
			best = d;
			found = key_table[i].name;
		}
	}
	return found;
}

static int unknown_key(const char *key, struct err **e)
{
	auto_buf struct buf b = BUF_INIT(4096);
	const char *near;

	buf_adds(&b, "; did you mean ");
	if (net_nearest(key, &b)) {
		buf_addc(&b, '?');
		return err_unknown_key(e, key, buf_str(&b), "man lxc.container.conf lists the keys");
	}
	near = key_nearest(key);
	buf_addf(&b, "%s%s?", near ? near : "", near && str_ends(near, ".") ? "NAME" : "");
	return err_unknown_key(e, key, near ? buf_str(&b) : "", "man lxc.container.conf lists the keys");
}

int key_bad_hint(const struct key_ctx *x, int num, const char *why, const char *remedy, struct err **e)
{
	return err_bad_value(e, num, x->key, x->value ? x->value : "", why, remedy);
}

int key_bad(const struct key_ctx *x, int num, const char *why, struct err **e)
{
	auto_buf struct buf b = BUF_INIT(65536);

	buf_addf(&b, "write for example %s = %s", x->key, x->k->example);
	return key_bad_hint(x, num, why, buf_str(&b), e);
}

int key_bad_number(const struct key_ctx *x, int r, const char *kind, struct err **e)
{
	auto_buf struct buf b = BUF_INIT(256);

	buf_addf(&b, r == -ERANGE ? "it is out of the range of %s" : "it is not %s", kind);
	return key_bad(x, -r, buf_str(&b), e);
}

/* The part after a prefix becomes a file name and a line of a saved config. */
static int check_sub(const struct key_ctx *x, struct err **e)
{
	for (const char *p = x->sub; p && *p; p++)
		if (iscntrl((unsigned char)*p) || strchr(" =#", *p))
			return key_bad(x, EINVAL,
				       "its name contains a blank, '=', '#' or a control character", e);
	return 0;
}

static int check_value(const struct key_ctx *x, struct err **e)
{
	for (const char *p = x->value; *p; p++) {
		unsigned char ch = (unsigned char)*p;

		if ((ch < 0x20 && ch != '\t') || ch == 0x7f)
			return err_control_character(e, x->key, ch);
	}
	return check_sub(x, e);
}

static int set_empty(const struct key_ctx *x, struct err **e)
{
	if (x->k->flags & KEY_NO_EMPTY)
		return key_bad(x, EINVAL, "it is empty", e);
	if (x->k->flags & KEY_EMPTY_ZERO) {
		struct conf_num *f = key_field(x);

		*f = (struct conf_num){ .v = 0, .set = true, .at = x->at };
		return 0;
	}
	return x->k->type->clear(x, e);
}

int key_assign(struct reader *r, struct conf *c, const char *key, const char *value, struct origin at,
	       struct log *l, struct err **e)
{
	struct key_ctx x = {
		.c = c, .base = c, .key = key, .value = value ? value : "", .at = at, .l = l, .reader = r
	};
	int ret;

	x.k = key_find(key, &x.sub);
	if (!x.k && legacy_is_key(key))
		return legacy_assign(r, c, key, x.value, at, l, e);
	if (!x.k)
		return unknown_key(key, e);
	ret = check_value(&x, e);
	if (ret < 0)
		return ret;
	return *x.value ? x.k->type->set(&x, e) : set_empty(&x, e);
}

int key_set(struct conf *c, const char *key, const char *value, struct origin at, struct log *l,
	    struct err **e)
{
	return err_at(e, key_assign(NULL, c, key, value, at, l, e), at);
}

/* Finds the row of a key that is read or cleared; *ret_name (new) is today's spelling of an old one. */
static int context(struct key_ctx *x, const struct conf *c, const char *key, char **ret_name, struct err **e)
{
	*x = (struct key_ctx){ .c = (struct conf *)(uintptr_t)c, .key = key };
	x->base = x->c;
	x->k = key_find(key, &x->sub);
	if (!x->k) {
		*ret_name = legacy_name(c, key);
		if (*ret_name)
			x->k = key_find(*ret_name, &x->sub);
	}
	return x->k ? 0 : unknown_key(key, e);
}

int key_get(const struct conf *c, const char *key, struct buf *b, struct err **e)
{
	auto_free char *name = NULL;
	struct key_ctx x;
	int r = context(&x, c, key, &name, e);

	return r < 0 ? r : x.k->type->get(&x, b, e);
}

int key_clear(struct conf *c, const char *key, struct err **e)
{
	auto_free char *name = NULL;
	struct key_ctx x;
	int r = context(&x, c, key, &name, e);

	return r < 0 ? r : x.k->type->clear(&x, e);
}

void key_defaults(struct conf *c)
{
	for (size_t i = 0; i < key_table_n; i++)
		if (key_table[i].type->shape == SHAPE_NUM)
			((struct conf_num *)((char *)c + key_table[i].field))->v = key_table[i].def;
}

void key_clear_all(struct conf *c)
{
	for (size_t i = 0; i < key_table_n; i++) {
		struct key_ctx x = { .c = c, .base = c, .k = &key_table[i], .key = key_table[i].name };

		if (!str_ends(x.k->name, ".") || x.k->type == &type_ns_share)
			(void)x.k->type->clear(&x, NULL);
	}
}

static void dump_generic(const struct key_ctx *x, struct dump *d)
{
	auto_buf struct buf b = BUF_INIT((size_t)1 << 20);
	const struct conf_num *n = key_field(x);
	const struct conf_str *s = key_field(x);

	if (x->k->type->shape == SHAPE_NUM ? !n->set : !s->v)
		return;
	if (x->k->type->get(x, &b, NULL) < 0)
		return;
	dump_line(d, x->k->type->shape == SHAPE_NUM ? n->at : s->at, x->key, buf_str(&b));
}

void key_dump_row(const struct key_ctx *x, struct dump *d)
{
	if (x->k->type->dump)
		x->k->type->dump(x, d);
	else if (x->k->type->shape != SHAPE_OTHER)
		dump_generic(x, d);
}

void key_dump_all(const struct conf *c, struct dump *d)
{
	for (size_t i = 0; i < key_table_n; i++) {
		struct key_ctx x = { .c = (struct conf *)(uintptr_t)c,
				     .k = &key_table[i],
				     .key = key_table[i].name };

		x.base = x.c;
		key_dump_row(&x, d);
	}
}

bool key_is_supported(const char *key)
{
	for (size_t i = 0; i < key_table_n; i++)
		if (strcmp(key_table[i].name, key) == 0)
			return true;
	return false;
}

bool key_truncates(const char *key)
{
	const char *sub;
	const struct key *k = key_find(key, &sub);

	return k && !k->type->text;
}

/* What LXC's getters for a part of the tree answer; not every key below is in it. */
static const struct {
	const char *prefix, *names;
} subtrees[] = {
	{ "lxc.apparmor", "allow_incomplete\nallow_nesting\nprofile\nraw\n" },
	{ "lxc.cgroup", "dir\n" },
	{ "lxc.selinux", "context\ncontext.keyring\n" },
	{ "lxc.mount", "auto\nentry\nfstab\n" },
	{ "lxc.rootfs", "mount\noptions\npath\n" },
	{ "lxc.uts", "name\n" },
	{ "lxc.hook",
	  "autodev\nautodevtmpfssize\nclone\ndestroy\nmount\npost-stop\npre-mount\npre-start\nstart-host\nstart\nstop\n" },
	{ "lxc.cap", "drop\nkeep\n" },
	{ "lxc.console", "logfile\npath\n" },
	{ "lxc.environment", "runtime\nhooks\n" },
	{ "lxc.seccomp", "profile\n" },
	{ "lxc.signal", "halt\nreboot\nstop\n" },
	{ "lxc.start", "auto\ndelay\norder\nafter\nready\nrequires\n" },
	{ "lxc.monitor", "unshare\n" },
	{ "lxc.keyring", "session\n" },
};

int key_list(const struct conf *c, const char *prefix, struct buf *b, struct err **e)
{
	const char *index;

	if (!prefix) {
		for (size_t i = 0; i < key_table_n; i++)
			if (!(key_table[i].flags & KEY_HIDDEN))
				buf_addf(b, "%s\n", key_table[i].name);
		return buf_ok(b) ? 0 : err_no_memory(e);
	}
	for (size_t i = 0; i < ARRAY_SIZE(subtrees); i++)
		if (strcmp(subtrees[i].prefix, prefix) == 0) {
			buf_adds(b, subtrees[i].names);
			return buf_ok(b) ? 0 : err_no_memory(e);
		}
	index = str_after(prefix, "lxc.net.");
	if (index && net_list_keys(c, index, b) == 0)
		return buf_ok(b) ? 0 : err_no_memory(e);
	return err_set(e, EINVAL, "unknown_key", "no list of keys exists for '%s'", prefix);
}

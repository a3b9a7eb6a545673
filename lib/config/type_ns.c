/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* Namespaces: which are new, kept or shared, id ranges, clock offsets. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/str.h"
#include "base/strv.h"
#include "config/type.h"
#include "kernel/ns.h"

static int set_ns_mask(const struct key_ctx *x, struct err **e)
{
	struct conf_num *f = key_field(x);
	const struct conf_num *other = f == &x->c->ns_clone ? &x->c->ns_keep : &x->c->ns_clone;
	auto_strv struct strv words = { 0 };
	int64_t mask = f->v;

	if (other->v)
		return key_bad_hint(x, EINVAL,
				    "lxc.namespace.clone and lxc.namespace.keep exclude each other",
				    "use one of them; an empty value clears the other", e);
	if (strv_split(&words, x->value, " \t") < 0)
		return err_no_memory(e);
	for (size_t i = 0; i < words.n; i++) {
		enum ns_index ns = ns_by_name_nocase(words.v[i]);

		if (ns == NS_COUNT)
			return key_bad_hint(x, EINVAL, "there is no such namespace",
					    "use words of: user mnt pid uts ipc net cgroup time", e);
		mask |= ns_table[ns].flag;
	}
	*f = (struct conf_num){ .v = mask, .set = mask != 0, .at = x->at };
	return 0;
}

static int clear_ns_mask(const struct key_ctx *x, struct err **e)
{
	struct conf_num *f = key_field(x);

	*f = (struct conf_num){ 0 };
	return 0;
}

static void add_ns_words(const struct conf_num *f, struct buf *b, const char *end)
{
	for (int i = 0; i < NS_COUNT; i++)
		if (f->v & ns_table[i].flag)
			buf_addf(b, "%s%s", ns_table[i].name, end);
}

static int get_ns_mask(const struct key_ctx *x, struct buf *b, struct err **e)
{
	add_ns_words(key_field(x), b, "\n");
	return 0;
}

static void dump_ns_mask(const struct key_ctx *x, struct dump *d)
{
	auto_buf struct buf b = BUF_INIT(256);
	const struct conf_num *f = key_field(x);

	add_ns_words(f, &b, " ");
	if (b.len)
		dump_line(d, f->at, x->key, str_trim(b.p));
}

const struct key_type type_ns_mask = {
	.shape = SHAPE_NUM,
	.set = set_ns_mask,
	.clear = clear_ns_mask,
	.get = get_ns_mask,
	.dump = dump_ns_mask,
};

/* The row's sub-key names the namespace. */
static struct conf_str *share_field(const struct key_ctx *x, struct err **e)
{
	enum ns_index ns = ns_by_name(x->sub);

	if (ns < NS_COUNT)
		return &x->c->ns_share[ns];
	(void)err_unknown_key(e, x->key, "",
			      "use lxc.namespace.share. with user mnt pid uts ipc net cgroup or time");
	return NULL;
}

static int set_ns_share(const struct key_ctx *x, struct err **e)
{
	struct conf_str *f = share_field(x, e);

	if (!f)
		return -ENOENT;
	return str_assign(f, x->value, x->at) < 0 ? err_no_memory(e) : 0;
}

static int clear_ns_share(const struct key_ctx *x, struct err **e)
{
	struct conf_str *f;

	if (!x->sub) {
		for (int i = 0; i < NS_COUNT; i++)
			str_clear(&x->c->ns_share[i]);
		return 0;
	}
	f = share_field(x, e);
	if (!f)
		return -ENOENT;
	str_clear(f);
	return 0;
}

static int get_ns_share(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const struct conf_str *f = share_field(x, e);

	if (!f)
		return -ENOENT;
	if (f->v)
		buf_adds(b, f->v);
	return 0;
}

static void dump_ns_share(const struct key_ctx *x, struct dump *d)
{
	for (int i = 0; i < NS_COUNT; i++) {
		const struct conf_str *f = &x->c->ns_share[i];
		auto_buf struct buf b = BUF_INIT(256);

		buf_addf(&b, "lxc.namespace.share.%s", ns_table[i].name);
		if (f->v)
			dump_line(d, f->at, buf_str(&b), f->v);
	}
}

const struct key_type type_ns_share = {
	.text = true,
	.set = set_ns_share,
	.clear = clear_ns_share,
	.get = get_ns_share,
	.dump = dump_ns_share,
};

static int set_idmap(const struct key_ctx *x, struct err **e)
{
	auto_strv struct strv w = { 0 };
	struct conf_idmap m = { .at = x->at };
	unsigned v[3];
	int r;

	if (strv_split(&w, x->value, " \t\r") < 0)
		return err_no_memory(e);
	if (w.n != 4)
		return key_bad(x, EINVAL,
			       "it needs four words: u or g, first id inside, first id outside, count", e);
	if (strcmp(w.v[0], "u") != 0 && strcmp(w.v[0], "g") != 0)
		return key_bad(x, EINVAL, "its first word must be u or g", e);
	for (int i = 0; i < 3; i++) {
		r = num_uint(w.v[i + 1], 0, &v[i]);
		if (r < 0)
			return key_bad_number(x, r, "a range of ids (whole numbers from 0 to 4294967294)", e);
	}
	if (v[0] == UINT32_MAX || v[1] == UINT32_MAX)
		return key_bad_number(x, -ERANGE, "ids", e);
	m.gid = *w.v[0] == 'g';
	m.nsid = v[0];
	m.hostid = v[1];
	m.range = v[2];
	return VEC_PUSH(&x->c->idmap, m) < 0 ? err_no_memory(e) : 0;
}

static int clear_idmap(const struct key_ctx *x, struct err **e)
{
	VEC_DONE(&x->c->idmap);
	return 0;
}

static void add_idmap(const struct conf_idmap *m, struct buf *b)
{
	buf_addf(b, "%c %u %u %u", m->gid ? 'g' : 'u', m->nsid, m->hostid, m->range);
}

static int get_idmap(const struct key_ctx *x, struct buf *b, struct err **e)
{
	for (size_t i = 0; i < x->c->idmap.n; i++) {
		if (i)
			buf_addc(b, '\n');
		add_idmap(&x->c->idmap.v[i], b);
	}
	return 0;
}

static void dump_idmap(const struct key_ctx *x, struct dump *d)
{
	for (size_t i = 0; i < x->c->idmap.n; i++) {
		auto_buf struct buf b = BUF_INIT(256);

		add_idmap(&x->c->idmap.v[i], &b);
		dump_line(d, x->c->idmap.v[i].at, x->key, buf_str(&b));
	}
}

const struct key_type type_idmap = {
	.set = set_idmap,
	.clear = clear_idmap,
	.get = get_idmap,
	.dump = dump_idmap,
};

/* Clock offsets: seconds and nanoseconds are two fields, the unit says which one is set. */
static const struct {
	const char *unit;
	int64_t factor;
	bool ns;
} units[] = {
	{ "h", 3600, false },	 { "m", 60, false },   { "s", 1, false },
	{ "ms", 1000000, true }, { "us", 1000, true }, { "ns", 1, true },
};

static struct conf_num *time_field(const struct key_ctx *x, bool ns)
{
	return ns ? (struct conf_num *)((char *)x->c + x->k->arg) : key_field(x);
}

static int set_time(const struct key_ctx *x, struct err **e)
{
	auto_free char *copy = strdup(x->value);
	size_t n = strlen(x->value), u, digits;
	int64_t v;
	int r;

	if (!copy)
		return err_no_memory(e);
	digits = strspn(copy, "+-0123456789");
	for (u = 0; u < ARRAY_SIZE(units); u++)
		if (strcmp(copy + digits, units[u].unit) == 0 ||
		    (n == digits + 2 && copy[digits] == ' ' && !units[u].unit[1] &&
		     copy[digits + 1] == *units[u].unit))
			break;
	if (u == ARRAY_SIZE(units))
		return key_bad(x, EINVAL, "it needs a number and a unit: h, m, s, ms, us or ns", e);
	copy[digits] = '\0';
	r = num_i64(copy, 10, INT64_MIN, INT64_MAX, &v);
	if (r == 0 && __builtin_mul_overflow(v, units[u].factor, &v))
		r = -ERANGE;
	if (r < 0)
		return key_bad_number(x, r, "an offset", e);
	*time_field(x, units[u].ns) = (struct conf_num){ .v = v, .set = true, .at = x->at };
	return 0;
}

static int clear_time(const struct key_ctx *x, struct err **e)
{
	*time_field(x, false) = *time_field(x, true) = (struct conf_num){ 0 };
	return 0;
}

static int get_time(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const struct conf_num *s = time_field(x, false), *ns = time_field(x, true);

	buf_addf(b, "%lld%s", (long long)(s->v ? s->v : ns->v), s->v ? "s" : "ns");
	return 0;
}

static void dump_time(const struct key_ctx *x, struct dump *d)
{
	for (int i = 0; i < 2; i++) {
		const struct conf_num *f = time_field(x, i);
		auto_buf struct buf b = BUF_INIT(64);

		buf_addf(&b, "%lld%s", (long long)f->v, i ? "ns" : "s");
		if (f->set)
			dump_line(d, f->at, x->key, buf_str(&b));
	}
}

const struct key_type type_time = {
	.text = true,
	.set = set_time,
	.clear = clear_time,
	.get = get_time,
	.dump = dump_time,
};

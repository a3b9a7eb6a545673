/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* Strings, numbers and words: one value per key. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/path.h"
#include "base/paths.h"
#include "base/str.h"
#include "base/strv.h"
#include "config/type.h"
#include "kernel/arch.h"
#include "kernel/signal.h"

static int put_num(const struct key_ctx *x, int64_t v)
{
	struct conf_num *f = key_field(x);

	*f = (struct conf_num){ .v = v, .set = true, .at = x->at };
	return 0;
}

static int clear_num(const struct key_ctx *x, struct err **e)
{
	struct conf_num *f = key_field(x);

	*f = (struct conf_num){ .v = x->k->def };
	return 0;
}

static int get_num(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const struct conf_num *f = key_field(x);

	buf_addf(b, "%lld", (long long)f->v);
	return 0;
}

static int set_uint(const struct key_ctx *x, struct err **e)
{
	unsigned v;
	int r = num_uint(x->value, 0, &v);

	return r < 0 ? key_bad_number(x, r, "a whole number from 0 to 4294967295", e) : put_num(x, v);
}

const struct key_type type_uint = {
	.shape = SHAPE_NUM,
	.set = set_uint,
	.clear = clear_num,
	.get = get_num,
};

static int set_int(const struct key_ctx *x, struct err **e)
{
	int v, r = num_int(x->value, 0, &v);

	return r < 0 ? key_bad_number(x, r, "a whole number", e) : put_num(x, v);
}

const struct key_type type_int = {
	.shape = SHAPE_NUM,
	.set = set_int,
	.clear = clear_num,
	.get = get_num,
};

static int set_bool(const struct key_ctx *x, struct err **e)
{
	unsigned v;

	if (num_uint(x->value, 0, &v) < 0 || v > 1)
		return key_bad(x, EINVAL, "it must be 0 or 1", e);
	return put_num(x, v);
}

const struct key_type type_bool = {
	.shape = SHAPE_NUM,
	.set = set_bool,
	.clear = clear_num,
	.get = get_num,
};

static int set_id(const struct key_ctx *x, struct err **e)
{
	unsigned v;
	int r = num_uint(x->value, 0, &v);

	if (r == 0 && v == UINT_MAX)
		r = -ERANGE;
	return r < 0 ? key_bad_number(x, r, "a numeric id from 0 to 4294967294", e) : put_num(x, v);
}

const struct key_type type_id = {
	.shape = SHAPE_NUM,
	.set = set_id,
	.clear = clear_num,
	.get = get_num,
};

static int set_signal(const struct key_ctx *x, struct err **e)
{
	int v, r = signal_parse(x->value, &v);

	if (r == -ERANGE)
		return key_bad(x, ERANGE, "there is no signal of that number", e);
	if (r < 0)
		return key_bad(x, EINVAL, "it is no signal (a number, or a name with SIG)", e);
	return put_num(x, v);
}

const struct key_type type_signal = {
	.shape = SHAPE_NUM,
	.set = set_signal,
	.clear = clear_num,
	.get = get_num,
};

static int set_level(const struct key_ctx *x, struct err **e)
{
	int v;

	if (log_level_parse(x->value, &v) < 0)
		return key_bad(x, EINVAL, "it is no log level (TRACE to FATAL, or 0 to 8)", e);
	return put_num(x, v);
}

static int get_level(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const struct conf_num *f = key_field(x);

	buf_adds(b, log_level_name((int)f->v));
	return 0;
}

const struct key_type type_level = {
	.shape = SHAPE_NUM,
	.text = true,
	.set = set_level,
	.clear = clear_num,
	.get = get_level,
};

static int set_arch(const struct key_ctx *x, struct err **e)
{
	auto_buf struct buf b = BUF_INIT(256);
	unsigned long v;
	const char *near;

	if (arch_parse(x->value, &v) == 0)
		return put_num(x, (int64_t)v);
	near = arch_nearest(x->value);
	buf_adds(&b, "it is no known architecture");
	if (near)
		buf_addf(&b, "; did you mean %s?", near);
	return key_bad(x, EINVAL, buf_str(&b), e);
}

static int get_arch(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const struct conf_num *f = key_field(x);

	if (f->set)
		buf_adds(b, arch_word((unsigned long)f->v));
	return 0;
}

const struct key_type type_arch = {
	.shape = SHAPE_NUM,
	.text = true,
	.set = set_arch,
	.clear = clear_num,
	.get = get_arch,
};

/* Number and unit of a byte size: a single letter is no unit (LXC has always dropped it). */
static int parse_bytes(const char *s, uint64_t *ret)
{
	static const struct {
		const char *unit;
		unsigned shift;
	} units[] = { { "KB", 10 }, { "MB", 20 }, { "GB", 30 } };
	auto_free char *copy = NULL;
	size_t n = strlen(s), shift = 0, i;
	uint64_t v;
	int r;

	if (strcmp(s, "auto") == 0) {
		*ret = 131072;
		return 0;
	}
	if (n == 0 || n > 21)
		return -EINVAL;
	copy = strdup(s);
	if (!copy)
		return -ENOMEM;
	if (n >= 2 && isalpha((unsigned char)copy[n - 1]) && isalpha((unsigned char)copy[n - 2])) {
		for (i = 0; i < ARRAY_SIZE(units); i++)
			if (strcasecmp(copy + n - 2, units[i].unit) == 0)
				break;
		if (i == ARRAY_SIZE(units))
			return -EINVAL;
		shift = units[i].shift;
		copy[n - 2] = '\0';
	} else if (isalpha((unsigned char)copy[n - 1])) {
		copy[n - 1] = '\0';
	}
	r = num_u64(str_trim(copy), 10, INT64_MAX, &v);
	if (r < 0)
		return r;
	if (v > (uint64_t)INT64_MAX >> shift)
		return -ERANGE;
	*ret = v << shift;
	return 0;
}

static int set_bytes(const struct key_ctx *x, struct err **e)
{
	uint64_t v, page = (uint64_t)sysconf(_SC_PAGESIZE), size = page;
	int r = parse_bytes(x->value, &v);

	if (r < 0)
		return key_bad_number(x, r, "a size (a number, with KB, MB or GB, or auto)", e);
	/* The ring buffer is mapped: whole pages, a power of two. */
	while (size < v && size <= INT64_MAX / 2)
		size *= 2;
	if (size < v)
		return key_bad_number(x, -ERANGE, "a size", e);
	return put_num(x, (int64_t)size);
}

const struct key_type type_bytes = {
	.shape = SHAPE_NUM,
	.set = set_bytes,
	.clear = clear_num,
	.get = get_num,
};

static int set_autodev_size(const struct key_ctx *x, struct err **e)
{
	uint64_t v;
	int r = num_u64(x->value, 0, INT_MAX, &v);

	return r < 0 ? key_bad_number(x, r, "a number of bytes", e) : put_num(x, (int64_t)v);
}

/* Unset reads 0 and cleared reads the size that both mean. */
static int clear_autodev_size(const struct key_ctx *x, struct err **e)
{
	struct conf_num *f = key_field(x);

	*f = (struct conf_num){ .v = 500000 };
	return 0;
}

const struct key_type type_autodev_size = {
	.shape = SHAPE_NUM,
	.set = set_autodev_size,
	.clear = clear_autodev_size,
	.get = get_num,
};

/* arg: the greatest length, 0 for none. */
static int set_str(const struct key_ctx *x, struct err **e)
{
	auto_buf struct buf b = BUF_INIT(256);

	if (x->k->arg > 0 && strlen(x->value) > (size_t)x->k->arg) {
		buf_addf(&b, "it is longer than %lld bytes", (long long)x->k->arg);
		return key_bad(x, EINVAL, buf_str(&b), e);
	}
	return str_assign(key_field(x), x->value, x->at) < 0 ? err_no_memory(e) : 0;
}

static int clear_str(const struct key_ctx *x, struct err **e)
{
	str_clear(key_field(x));
	return 0;
}

static int get_str(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const struct conf_str *f = key_field(x);

	if (f->v)
		buf_adds(b, f->v);
	return 0;
}

const struct key_type type_str = {
	.shape = SHAPE_STR,
	.text = true,
	.set = set_str,
	.clear = clear_str,
	.get = get_str,
};

static int set_path(const struct key_ctx *x, struct err **e)
{
	auto_free char *p = path_simplify(x->value);

	if (!p)
		return err_no_memory(e);
	if (strlen(p) >= PATH_MAX)
		return key_bad(x, ENAMETOOLONG, "it is longer than a path can be", e);
	return str_assign(key_field(x), p, x->at) < 0 ? err_no_memory(e) : 0;
}

/* arg 1: there is a built-in default, so that being unset has to be told. */
static void dump_path(const struct key_ctx *x, struct dump *d)
{
	const struct conf_str *f = key_field(x);

	if (f->v && x->k->arg == 1 && !f->at.file && strcmp(f->v, PATH_ROOTFS_MOUNT) == 0)
		return;
	if (f->v || x->k->arg == 1)
		dump_line(d, f->at, x->key, f->v ? f->v : "");
}

const struct key_type type_path = {
	.shape = SHAPE_STR,
	.text = true,
	.set = set_path,
	.clear = clear_str,
	.get = get_str,
	.dump = dump_path,
};

static int set_facility(const struct key_ctx *x, struct err **e)
{
	static const char *const words[] = { "daemon", "local0", "local1", "local2", "local3",
					     "local4", "local5", "local6", "local7" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(words[i], x->value) == 0)
			return str_assign(key_field(x), x->value, x->at) < 0 ? err_no_memory(e) : 0;
	return key_bad(x, EINVAL, "it is no facility (daemon, local0 to local7)", e);
}

const struct key_type type_facility = {
	.shape = SHAPE_STR,
	.text = true,
	.set = set_facility,
	.clear = clear_str,
	.get = get_str,
};

static int set_cgroup_dir(const struct key_ctx *x, struct err **e)
{
	if (*x->value == '/')
		return key_bad(x, EINVAL, "it must be relative to the cgroup file system", e);
	if (strstr(x->value, ".."))
		return key_bad(x, EINVAL, "it contains '..'", e);
	return set_path(x, e);
}

const struct key_type type_cgroup_dir = {
	.shape = SHAPE_STR,
	.text = true,
	.set = set_cgroup_dir,
	.clear = clear_str,
	.get = get_str,
};

static int set_cgroup_inner(const struct key_ctx *x, struct err **e)
{
	auto_free char *p = path_simplify(x->value);

	if (!p)
		return err_no_memory(e);
	if (strchr(p, '/') || strcmp(p, ".") == 0 || strcmp(p, "..") == 0 || strlen(p) > NAME_MAX)
		return key_bad(x, EINVAL, "it must be the name of one directory", e);
	return str_assign(key_field(x), p, x->at) < 0 ? err_no_memory(e) : 0;
}

const struct key_type type_cgroup_inner = {
	.shape = SHAPE_STR,
	.text = true,
	.set = set_cgroup_inner,
	.clear = clear_str,
	.get = get_str,
};

static int set_proxy(const struct key_ctx *x, struct err **e)
{
	const char *rest = str_after(x->value, "unix:");

	if (!rest || (*rest != '/' && *rest != '@') || !rest[1])
		return key_bad(x, EINVAL, "it must be unix:/PATH or unix:@NAME", e);
	if (strlen(rest) > 107)
		return key_bad(x, EINVAL, "a socket address has at most 107 bytes", e);
	return str_assign(key_field(x), rest, x->at) < 0 ? err_no_memory(e) : 0;
}

static int get_proxy(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const struct conf_str *f = key_field(x);

	if (f->v)
		buf_adds(b, *f->v == '@' ? f->v + 1 : f->v);
	return 0;
}

static void dump_proxy(const struct key_ctx *x, struct dump *d)
{
	auto_buf struct buf b = BUF_INIT(256);
	const struct conf_str *f = key_field(x);

	if (!f->v)
		return;
	buf_addf(&b, "unix:%s", f->v);
	dump_line(d, f->at, x->key, buf_str(&b));
}

const struct key_type type_proxy = {
	.shape = SHAPE_STR,
	.text = true,
	.set = set_proxy,
	.clear = clear_str,
	.get = get_proxy,
	.dump = dump_proxy,
};

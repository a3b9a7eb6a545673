/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* The root file system and the standard mounts. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/table.h"
#include "config/type.h"
#include "kernel/mountopt.h"

size_t rootfs_type_prefix(const char *value)
{
	static const char *const types[] = { "dir",	"zfs",	     "lvm",  "rbd", "btrfs",
					     "overlay", "overlayfs", "loop", "nbd", "aufs" };
	size_t n = strcspn(value, ":");

	if (value[n] == ':')
		for (size_t i = 0; i < ARRAY_SIZE(types); i++)
			if (strlen(types[i]) == n && strncmp(types[i], value, n) == 0)
				return n + 1;
	return 0;
}

/* A path may contain colons, so only a known type word counts as a prefix. Without one an earlier
 * type stays, as clients that move a root rely on. */
static int set_rootfs_path(const struct key_ctx *x, struct err **e)
{
	size_t n = rootfs_type_prefix(x->value);
	auto_free char *type = n ? strndup(x->value, n - 1) : NULL, *path = path_simplify(x->value + n);

	if (!path || (n && !type))
		return err_no_memory(e);
	if (!*path)
		return key_bad(x, EINVAL, "there is nothing after the type", e);
	if (str_assign(&x->c->rootfs_path, path, x->at) < 0 ||
	    (type && str_assign(&x->c->rootfs_type, type, x->at) < 0))
		return err_no_memory(e);
	return 0;
}

static int clear_rootfs_path(const struct key_ctx *x, struct err **e)
{
	str_clear(&x->c->rootfs_path);
	str_clear(&x->c->rootfs_type);
	return 0;
}

static int get_rootfs_path(const struct key_ctx *x, struct buf *b, struct err **e)
{
	if (x->c->rootfs_path.v)
		buf_adds(b, x->c->rootfs_path.v);
	return 0;
}

static void dump_rootfs_path(const struct key_ctx *x, struct dump *d)
{
	const struct conf_str *type = &x->c->rootfs_type, *path = &x->c->rootfs_path;
	auto_buf struct buf b = BUF_INIT(65536);

	if (!path->v)
		return;
	if (type->v)
		buf_addf(&b, "%s:", type->v);
	buf_adds(&b, path->v);
	dump_line(d, path->at, x->key, buf_str(&b));
}

const struct key_type type_rootfs_path = {
	.text = true,
	.set = set_rootfs_path,
	.clear = clear_rootfs_path,
	.get = get_rootfs_path,
	.dump = dump_rootfs_path,
};

static int set_rootfs_options(const struct key_ctx *x, struct err **e)
{
	auto_mountopt struct mountopt m = MOUNTOPT_INIT;
	auto_err struct err *why = NULL;
	int r = mountopt_parse(x->value, &m, &why);

	if (r < 0)
		return key_bad(x, -r, err_root(why)->what, e);
	if (m.create_dir || m.create_file || m.optional || m.relative)
		return key_bad(x, EINVAL, "create=, optional and relative belong to mount entries", e);
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

const struct key_type type_rootfs_options = {
	.shape = SHAPE_STR,
	.text = true,
	.set = set_rootfs_options,
	.clear = clear_str,
	.get = get_str,
};

/* lxc.mount.auto: the canonical word of every value comes first. */
static const struct name_value proc_words[] = {
	{ "proc:mixed", AUTO_MIXED },
	{ "proc:rw", AUTO_RW },
	{ "proc", AUTO_MIXED },
};
static const struct name_value sys_words[] = {
	{ "sys:mixed", AUTO_MIXED },
	{ "sys:ro", AUTO_RO },
	{ "sys:rw", AUTO_RW },
	{ "sys", AUTO_MIXED },
};
static const struct name_value cgroup_words[] = {
	{ "cgroup", CGAUTO_DEFAULT },
	{ "cgroup:mixed", CGAUTO_MIXED },
	{ "cgroup:ro", CGAUTO_RO },
	{ "cgroup:rw", CGAUTO_RW },
	{ "cgroup-full", CGAUTO_FULL_DEFAULT },
	{ "cgroup-full:mixed", CGAUTO_FULL_MIXED },
	{ "cgroup-full:ro", CGAUTO_FULL_RO },
	{ "cgroup-full:rw", CGAUTO_FULL_RW },
	{ "cgroup2", CGAUTO_V2 },
	{ "cgroup2:ro", CGAUTO_V2_RO },
};

/* What one line says; merged into the conf when all of its words are good. */
struct auto_line {
	int proc, sys, cgroup;
	bool force;
	char *host, *container;
};

static int auto_word(struct auto_line *a, char *word)
{
	const struct name_value *row;
	char *colon;

	row = table_by_name(proc_words, word);
	if (row) {
		a->proc = (int)row->value;
		return 0;
	}
	row = table_by_name(sys_words, word);
	if (row) {
		a->sys = (int)row->value;
		return 0;
	}
	if (str_after(word, "shmounts:")) {
		a->host = word + strlen("shmounts:");
		colon = strchr(a->host, ':');
		a->container = NULL;
		if (colon) {
			*colon = '\0';
			a->container = colon + 1;
		}
		if (*a->host != '/' || (a->container && *a->container != '/'))
			return -EINVAL;
		return 0;
	}
	a->force = str_ends(word, ":force");
	if (a->force)
		word[strlen(word) - strlen(":force")] = '\0';
	row = table_by_name(cgroup_words, word);
	if (!row)
		return -EINVAL;
	a->cgroup = (int)row->value;
	return 0;
}

static int bad_auto_word(const struct key_ctx *x, const char *word, struct err **e)
{
	auto_buf struct buf b = BUF_INIT(65536);

	if (str_after(word, "shmounts:"))
		return key_bad_hint(x, EINVAL, "shmounts: needs absolute paths",
				    "write shmounts:/HOST/DIR or shmounts:/HOST/DIR:/CONTAINER/DIR", e);
	buf_addf(&b, "there is no automatic mount '%s'", word);
	return key_bad(x, EINVAL, buf_str(&b), e);
}

static int set_mount_auto(const struct key_ctx *x, struct err **e)
{
	auto_strv struct strv words = { 0 };
	struct auto_line a = { .proc = -1, .sys = -1, .cgroup = -1 };
	struct conf *c = x->c;

	if (strv_split(&words, x->value, " \t") < 0)
		return err_no_memory(e);
	for (size_t i = 0; i < words.n; i++) {
		auto_free char *before = strdup(words.v[i]);

		if (!before)
			return err_no_memory(e);
		if (auto_word(&a, words.v[i]) < 0)
			return bad_auto_word(x, before, e);
	}
	if (a.host &&
	    (str_assign(&c->shmounts_host, a.host, x->at) < 0 ||
	     str_assign(&c->shmounts_container, a.container ? a.container : "/dev/.lxc-mounts", x->at) < 0))
		return err_no_memory(e);
	if (a.proc >= 0)
		c->auto_proc = (enum conf_auto)a.proc;
	if (a.sys >= 0)
		c->auto_sys = (enum conf_auto)a.sys;
	if (a.cgroup >= 0) {
		c->auto_cgroup = (enum conf_auto_cgroup)a.cgroup;
		c->auto_cgroup_force = a.force || a.cgroup == CGAUTO_V2 || a.cgroup == CGAUTO_V2_RO;
	}
	c->auto_at = x->at;
	return 0;
}

static int clear_mount_auto(const struct key_ctx *x, struct err **e)
{
	struct conf *c = x->c;

	c->auto_proc = c->auto_sys = AUTO_NONE;
	c->auto_cgroup = CGAUTO_NONE;
	c->auto_cgroup_force = false;
	str_clear(&c->shmounts_host);
	str_clear(&c->shmounts_container);
	c->auto_at = (struct origin){ 0 };
	return 0;
}

static int get_mount_auto(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const struct conf *c = x->c;
	const char *words[4] = { table_by_value(proc_words, (long)c->auto_proc),
				 table_by_value(sys_words, (long)c->auto_sys),
				 table_by_value(cgroup_words, (long)c->auto_cgroup), NULL };
	bool implied = c->auto_cgroup == CGAUTO_V2 || c->auto_cgroup == CGAUTO_V2_RO;
	const char *sep = "";

	for (int i = 0; i < 3; i++)
		if (words[i]) {
			buf_addf(b, "%s%s%s", sep, words[i],
				 i == 2 && c->auto_cgroup_force && !implied ? ":force" : "");
			sep = " ";
		}
	if (c->shmounts_host.v)
		buf_addf(b, "%sshmounts:%s:%s", sep, c->shmounts_host.v, c->shmounts_container.v);
	return 0;
}

static void dump_mount_auto(const struct key_ctx *x, struct dump *d)
{
	auto_buf struct buf b = BUF_INIT(65536);

	(void)get_mount_auto(x, &b, NULL);
	if (b.len)
		dump_line(d, x->c->auto_at, x->key, buf_str(&b));
}

const struct key_type type_mount_auto = {
	.text = true,
	.set = set_mount_auto,
	.clear = clear_mount_auto,
	.get = get_mount_auto,
	.dump = dump_mount_auto,
};

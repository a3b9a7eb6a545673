/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* save - the directories and the device policy of a running container as one line of text, and back.
 * What comes back is believed only as far as the kernel confirms it: a directory is ours if it still
 * has the inode number (the kernel's cgroup id) that it had.
 *
 * Words, separated by blanks: ROLE:HIERARCHY:INODE:PATH with role m, l, i; p:HIERARCHY:PATH for
 * directories above them; a limit directory that is about to be made has inode number 0;
 * h:HIERARCHY:PATH for where the starter came from; d:allow or d:deny and
 * x:TYPE:MAJOR:MINOR:ACCESS for the device policy. Paths are percent-encoded. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "base/table.h"
#include "cgroup/internal.h"

#define SAVE_MAX ((size_t)1 << 20)

static const char roles[CG_ROLES] = { [CG_MONITOR] = 'm', [CG_LIMIT] = 'l', [CG_INNER] = 'i' };

static void add_encoded(struct buf *b, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c <= ' ' || c >= 0x7f || strchr("%:;\"'\\", c))
			buf_addf(b, "%%%02x", c);
		else
			buf_addc(b, *s);
	}
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; false when malformed or when a NUL would come out. */
static bool decode(char *s)
{
	char *to = s;

	for (; *s; s++, to++) {
		if (*s != '%') {
			*to = *s;
			continue;
		}
		int hi = hex(s[1]), lo = hi < 0 ? -1 : hex(s[2]);

		if (lo < 0 || hi + lo == 0)
			return false;
		*to = (char)(hi << 4 | lo);
		s += 2;
	}
	*to = '\0';
	return true;
}

static void save_hierarchy(const struct hierarchy *h, struct buf *b)
{
	for (int i = 0; i < CG_ROLES; i++) {
		if (!h->dir[i].path)
			continue;
		buf_addf(b, " %c:", roles[i]);
		buf_adds(b, h->label);
		buf_addf(b, ":%llu:", (unsigned long long)h->dir[i].ino);
		add_encoded(b, h->dir[i].path);
	}
	if (h->later) {
		buf_addf(b, " l:%s:0:", h->label);
		add_encoded(b, h->later);
	}
	for (size_t i = 0; i < h->parents.n; i++) {
		buf_addf(b, " p:%s:", h->label);
		add_encoded(b, h->parents.v[i]);
	}
	if (h->v2 && h->home) {
		buf_addf(b, " h:%s:/", h->label);
		add_encoded(b, h->home);
	}
}

int cgroup_save(const struct cgroups *g, struct buf *b)
{
	buf_adds(b, "1");
	for (size_t i = 0; i < g->h.n; i++)
		save_hierarchy(&g->h.v[i], b);
	if (g->policy.set)
		buf_addf(b, " d:%s", g->policy.allow_default ? "allow" : "deny");
	for (size_t i = 0; g->policy.set && i < g->policy.exceptions.n; i++) {
		const struct device_rule *x = &g->policy.exceptions.v[i];

		buf_addf(b, " x:%c:%lld:%lld:%u", x->type, (long long)x->major, (long long)x->minor, x->access);
	}
	return buf_ok(b) ? 0 : -ENOMEM;
}

static bool path_is_fine(const char *path)
{
	return *path && !path_has_dotdot(path) && !str_has_control(path, false) && !strstr(path, "//");
}

/* It was to be made when its monitor was killed: then nobody has come to hold it, or to be in it. */
static bool is_left(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB) == 0 && !procs_is_alive(fd);
}

/* The directory, if it is still the one. */
static int restore_dir(struct hierarchy *h, enum cg_role role, const char *path, uint64_t ino)
{
	auto_close int fd = -EBADF;
	struct stat st;

	if (*path != '/' || !path_is_fine(path) || !path[1])
		return -EINVAL;
	fd = dirs_open(h, path + 1, CG_LEAF_FLAGS);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (ino == 0 && is_left(fd))
		ino = st.st_ino;
	if (st.st_ino != ino || h->dir[role].path)
		return 0;
	/* Shared with whoever has it now; who removes leftovers wants it alone. */
	(void)flock(fd, LOCK_SH | LOCK_NB);
	h->dir[role].path = strdup(path);
	if (!h->dir[role].path)
		return -ENOMEM;
	h->dir[role].fd = take_fd(&fd);
	h->dir[role].ino = ino;
	return 0;
}

static struct hierarchy *by_label(struct cgroups *g, const char *label)
{
	for (size_t i = 0; i < g->h.n; i++)
		if (STREQ(g->h.v[i].label, label))
			return &g->h.v[i];
	return NULL;
}

static int restore_policy(struct cgroups *g, char **f, size_t n)
{
	struct device_rule x = { .allow = !g->policy.allow_default };
	unsigned access;

	if (*f[0] == 'd') {
		g->policy.set = true;
		g->policy.allow_default = n == 2 && STREQ(f[1], "allow");
		return n == 2 ? 0 : -EINVAL;
	}
	if (n != 5 || !g->policy.set || strlen(f[1]) != 1 || !strchr("abc", *f[1]) ||
	    num_i64(f[2], 10, DEVICE_ANY, UINT32_MAX, &x.major) < 0 ||
	    num_i64(f[3], 10, DEVICE_ANY, UINT32_MAX, &x.minor) < 0 || num_uint(f[4], 10, &access) < 0 ||
	    access == 0 || access > 7)
		return -EINVAL;
	x.type = *f[1];
	x.access = access;
	return device_policy_apply(&g->policy, &x);
}

static int restore_word(struct cgroups *g, char *word)
{
	char *f[6], *rest = word;
	size_t n = 0;
	struct hierarchy *h;
	uint64_t ino;

	while (n < ARRAY_SIZE(f) && (f[n] = strsep(&rest, ":")))
		n++;
	if (rest || n < 2 || strlen(f[0]) != 1 || !decode(f[n - 1]))
		return -EINVAL;
	if (*f[0] == 'd' || *f[0] == 'x')
		return restore_policy(g, f, n);
	/* A hierarchy that is no longer there has taken its directories along. */
	h = by_label(g, f[1]);
	if (!h)
		return 0;
	if (*f[0] == 'p' && n == 3)
		return path_is_fine(f[2]) && *f[2] != '/' ? strv_add(&h->parents, f[2]) : -EINVAL;
	if (*f[0] == 'h' && n == 3)
		return *f[2] == '/' && !path_has_dotdot(f[2]) ? str_set(&h->home, f[2] + 1) : -EINVAL;
	for (int i = 0; i < CG_ROLES && n == 4; i++)
		if (*f[0] == roles[i])
			return num_u64(f[2], 10, UINT64_MAX, &ino) < 0 ? -EINVAL : restore_dir(h, i, f[3], ino);
	return -EINVAL;
}

int cgroup_restore(const struct conf *c, const char *text, struct log *l, struct cgroups **ret, struct err **e)
{
	auto_cgroups struct cgroups *g = cgroups_new();
	auto_strv struct strv words = { 0 };
	struct hierarchy *h;
	int r;

	if (!g || strv_split(&words, strnlen(text, SAVE_MAX) < SAVE_MAX ? text : "", " \n") < 0)
		return err_no_memory(e);
	g->log = l;
	g->name = strdup(c && c->name ? c->name : "");
	if (!g->name)
		return err_no_memory(e);
	for (size_t i = 0; c && i < c->idmap.n; i++) {
		const struct conf_idmap *m = &c->idmap.v[i];
		struct idmap_range range = { .gid = m->gid, .nsid = m->nsid, .hostid = m->hostid, .range = m->range };

		if (VEC_PUSH(&g->map, range) < 0)
			return err_no_memory(e);
	}
	if (!words.n || !STREQ(words.v[0], "1"))
		return err_set(e, EINVAL, NULL, "the saved cgroups are not in a form that this version knows");
	r = layout_read(false, &g->h, e);
	if (r < 0)
		return r;
	for (size_t i = 1; i < words.n; i++) {
		r = restore_word(g, words.v[i]);
		if (r < 0)
			return err_set(e, -r, NULL, "the saved cgroups cannot be restored");
	}
	h = layout_find(&g->h, "devices");
	if (!h)
		h = layout_v2(&g->h);
	g->devices_h = h ? h - g->h.v : -1;
	*ret = take_ptr(g);
	return 0;
}

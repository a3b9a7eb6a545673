/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/compiler.h"
#include "base/io.h"
#include "base/num.h"
#include "base/str.h"

#define TEXT_MAX ((size_t)64 << 20)
#define ENTRIES_MAX 200000	/* twice the kernel's default fs.mount-max */
#define FIELDS_MAX 32

/* \040 and the like, in place: the kernel writes blank, tab, newline, backslash and '#' that way. */
static void unescape(char *s)
{
	char *o = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' &&
		    s[3] <= '7') {
			*o++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 4;
		} else {
			*o++ = *s++;
		}
	}
	*o = '\0';
}

static int parse_id(const char *s, int *ret)
{
	int64_t v;

	if (num_i64(s, 10, 0, INT_MAX, &v) < 0)
		return -EINVAL;
	*ret = (int)v;
	return 0;
}

static int parse_dev(char *s, dev_t *ret)
{
	char *colon = strchr(s, ':');
	unsigned major, minor;

	if (!colon)
		return -EINVAL;
	*colon = '\0';
	if (num_uint(s, 10, &major) < 0 || num_uint(colon + 1, 10, &minor) < 0)
		return -EINVAL;
	*ret = makedev(major, minor);
	return 0;
}

/* An optional field; the kernel may add kinds that we do not know. */
static int parse_tag(const char *s, struct mountinfo_entry *entry)
{
	const struct {
		const char *prefix;
		int *to;
	} tags[] = {
		{ "shared:", &entry->shared },
		{ "master:", &entry->master },
		{ "propagate_from:", &entry->propagate_from },
	};

	for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
		const char *value = str_after(s, tags[i].prefix);

		if (value)
			return parse_id(value, tags[i].to);
	}
	if (strcmp(s, "unbindable") == 0)
		entry->unbindable = true;
	return 0;
}

/* Splits at single blanks, so that an empty field stays one. Number of fields, or 0 when too many. */
static size_t split(char *line, char *fields[FIELDS_MAX])
{
	size_t n = 0;

	for (;;) {
		if (n == FIELDS_MAX)
			return 0;
		fields[n++] = line;
		line = strchr(line, ' ');
		if (!line)
			return n;
		*line++ = '\0';
	}
}

/* "36 35 98:0 /root /point rw,noatime master:1 shared:2 - ext4 /dev/sda1 rw,errors=continue" */
static int parse_line(char *line, struct mountinfo_entry *entry)
{
	char *f[FIELDS_MAX];
	size_t n = split(line, f), i = 6;

	if (n < 10)
		return -EINVAL;
	*entry = (struct mountinfo_entry){ .root = f[3], .point = f[4], .options = f[5] };
	if (parse_id(f[0], &entry->id) < 0 || parse_id(f[1], &entry->parent) < 0 ||
	    parse_dev(f[2], &entry->dev) < 0)
		return -EINVAL;
	for (; i < n && strcmp(f[i], "-") != 0; i++)
		if (parse_tag(f[i], entry) < 0)
			return -EINVAL;
	if (n - i != 4)
		return -EINVAL;
	entry->type = f[i + 1];
	entry->source = f[i + 2];
	entry->super = f[i + 3];
	unescape(f[3]);
	unescape(f[4]);
	for (i++; i < n; i++)
		unescape(f[i]);
	return 0;
}

int mountinfo_parse(char *text, struct mountinfo *ret, struct err **e)
{
	auto_mountinfo struct mountinfo m = { .text = text };
	unsigned number = 0;
	char *next;

	for (char *line = text; *line; line = next) {
		struct mountinfo_entry entry;
		size_t n = strcspn(line, "\n");

		next = line + n + (line[n] == '\n');
		line[n] = '\0';
		number++;
		if (m.n >= ENTRIES_MAX)
			return err_set(e, E2BIG, NULL, "more than %d mounts", ENTRIES_MAX);
		if (parse_line(line, &entry) < 0)
			return err_set(e, EINVAL, NULL, "line %u of the mount table is not understood", number);
		if (VEC_PUSH(&m, entry) < 0)
			return err_no_memory(e);
	}
	*ret = m;
	m = (struct mountinfo){ 0 };
	return 0;
}

int mountinfo_read(struct mountinfo *ret, struct err **e)
{
	auto_close int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	char *text;
	int r;

	if (fd < 0)
		return err_set(e, errno, NULL, "cannot open /proc/self/mountinfo");
	r = io_read_fd(fd, TEXT_MAX, &text, NULL);
	if (r < 0)
		return err_set(e, -r, NULL, "cannot read /proc/self/mountinfo");
	return mountinfo_parse(text, ret, e);
}

void mountinfo_done(struct mountinfo *m)
{
	VEC_DONE(m);
	free(m->text);
	m->text = NULL;
}

const struct mountinfo_entry *mountinfo_find(const struct mountinfo *m, const char *point)
{
	const struct mountinfo_entry *found = NULL;

	/* The latest, unless an earlier one has it as its parent: then it was put beneath. */
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->v[i].point, point) == 0 && (!found || found->parent != m->v[i].id))
			found = &m->v[i];
	return found;
}

const struct mountinfo_entry *mountinfo_by_id(const struct mountinfo *m, int id)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].id == id)
			return &m->v[i];
	return NULL;
}

bool mountinfo_is_below(const struct mountinfo_entry *entry, const char *dir)
{
	size_t n = strlen(dir);

	while (n && dir[n - 1] == '/')
		n--;
	return strncmp(entry->point, dir, n) == 0 && (entry->point[n] == '/' || entry->point[n] == '\0');
}

/* One row per entry while sorting. */
struct place {
	struct mountinfo_entry entry;
	size_t index;
	size_t depth;	/* 0: not known yet */
};

static int by_id(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->entry.id > y->entry.id) - (x->entry.id < y->entry.id);
}

static int by_depth(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->depth != y->depth)
		return x->depth < y->depth ? 1 : -1;
	return x->index < y->index ? 1 : -1;
}

static struct place *parent_of(struct place *v, size_t n, const struct place *p)
{
	struct place key = { .entry.id = p->entry.parent };
	struct place *up = p->entry.parent == p->entry.id ? NULL : bsearch(&key, v, n, sizeof(*v), by_id);

	return up == p ? NULL : up;
}

/* Number of mounts below this one, itself included. n bounds the climb: a table that was changed
 * while it was read may hold a loop. */
static void set_depth(struct place *v, size_t n, struct place *p)
{
	size_t depth = 1, steps = 0;

	for (struct place *up = parent_of(v, n, p); up && steps < n; up = parent_of(v, n, up), steps++) {
		if (up->depth) {
			depth += up->depth;
			break;
		}
		depth++;
	}
	p->depth = depth;
}

int mountinfo_deepest_first(struct mountinfo *m)
{
	auto_free struct place *v = m->n ? calloc(m->n, sizeof(*v)) : NULL;

	if (m->n == 0)
		return 0;
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < m->n; i++)
		v[i] = (struct place){ .entry = m->v[i], .index = i };
	qsort(v, m->n, sizeof(*v), by_id);
	for (size_t i = 0; i < m->n; i++)
		set_depth(v, m->n, &v[i]);
	qsort(v, m->n, sizeof(*v), by_depth);
	for (size_t i = 0; i < m->n; i++)
		m->v[i] = v[i].entry;
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/rlimit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/str.h"
#include "base/table.h"

#define FILES_WANTED 1024

static const struct name_value limits[] = {
	{ "as", RLIMIT_AS },	       { "core", RLIMIT_CORE },		{ "cpu", RLIMIT_CPU },
	{ "data", RLIMIT_DATA },       { "fsize", RLIMIT_FSIZE },	{ "locks", RLIMIT_LOCKS },
	{ "memlock", RLIMIT_MEMLOCK }, { "msgqueue", RLIMIT_MSGQUEUE }, { "nice", RLIMIT_NICE },
	{ "nofile", RLIMIT_NOFILE },   { "nproc", RLIMIT_NPROC },	{ "rss", RLIMIT_RSS },
	{ "rtprio", RLIMIT_RTPRIO },   { "rttime", RLIMIT_RTTIME },	{ "sigpending", RLIMIT_SIGPENDING },
	{ "stack", RLIMIT_STACK },
};

int rlimit_by_name(const char *name)
{
	const struct name_value *row = table_by_name(limits, name);
	unsigned n;

	if (row)
		return (int)row->value;
	if (num_uint(name, 10, &n) < 0 || n >= RLIM_NLIMITS)
		return -EINVAL;
	return (int)n;
}

const char *rlimit_nearest(const char *name)
{
	const char *found = NULL;
	unsigned best = 4;

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		unsigned d = str_distance(limits[i].name, name);

		if (d < best && d < strlen(name)) {
			best = d;
			found = limits[i].name;
		}
	}
	return found;
}

static int parse_one(const char *s, rlim_t *ret)
{
	uint64_t v;
	int r;

	if (strcmp(s, "unlimited") == 0 || strcmp(s, "-1") == 0) {
		*ret = RLIM_INFINITY;
		return 0;
	}
	r = num_u64(s, 10, RLIM_INFINITY, &v);
	if (r == 0)
		*ret = v;
	return r;
}

int rlimit_parse(const char *s, struct rlimit *ret)
{
	auto_free char *copy = strdup(s);
	struct rlimit l = { 0 };
	char *colon, *soft, *hard = NULL;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	colon = strchr(copy, ':');
	if (colon) {
		*colon = '\0';
		hard = str_trim(colon + 1);
	}
	soft = str_trim(copy);
	if (!*soft && (!hard || !*hard))
		return -EINVAL;
	if (*soft)
		r = parse_one(soft, &l.rlim_cur);
	if (r == 0 && hard && *hard)
		r = parse_one(hard, &l.rlim_max);
	else
		l.rlim_max = l.rlim_cur;
	if (r == 0)
		*ret = l;
	return r;
}

static void format_one(rlim_t v, char *buf, size_t size)
{
	if (v == RLIM_INFINITY)
		(void)snprintf(buf, size, "unlimited");
	else
		(void)snprintf(buf, size, "%llu", (unsigned long long)v);
}

void rlimit_format(const struct rlimit *l, char *buf, size_t size)
{
	char soft[24], hard[24];

	format_one(l->rlim_cur, soft, sizeof(soft));
	format_one(l->rlim_max, hard, sizeof(hard));
	if (l->rlim_cur == l->rlim_max)
		(void)snprintf(buf, size, "%s", soft);
	else
		(void)snprintf(buf, size, "%s:%s", soft, hard);
}

int rlimit_apply(pid_t pid, int resource, const char *name, const struct rlimit *l, struct err **e)
{
	char text[64];

	if (prlimit(pid, (__rlimit_resource_t)resource, l, NULL) == 0)
		return 0;
	rlimit_format(l, text, sizeof(text));
	return err_set(e, errno, NULL, "limit %s cannot be set to %s", name, text);
}

void rlimit_raise_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= FILES_WANTED)
		return;
	l.rlim_cur = FILES_WANTED;
	if (l.rlim_max >= FILES_WANTED) {
		(void)setrlimit(RLIMIT_NOFILE, &l);
		return;
	}
	if (prlimit(0, RLIMIT_NOFILE, &(struct rlimit){ FILES_WANTED, FILES_WANTED }, NULL) == 0)
		return;
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/doctor.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "base/str.h"

#define LINE_MAX_BYTES 4096

static const char *const level_names[] = { "ok", "note", "warning", "fault" };

const char *finding_level_name(enum finding_level level)
{
	return level_names[level];
}

void doctor_done(struct doctor *d)
{
	for (size_t i = 0; i < d->n; i++) {
		struct strv fix = { .v = d->v[i].fix };

		while (fix.v && fix.v[fix.n])
			fix.n++;
		strv_done(&fix);
		free(d->v[i].text);
		free(d->v[i].remedy);
	}
	free(d->v);
	d->v = NULL;
	d->n = 0;
}

struct finding *doctor_add(struct doctor *d, enum finding_level level, const char *id, const char *fmt, ...)
{
	struct finding *more = reallocarray(d->v, d->n + 1, sizeof(*d->v));
	struct finding f = { .level = level, .id = id };
	va_list ap;
	int r;

	if (more)
		d->v = more;
	va_start(ap, fmt);
	r = more ? vasprintf(&f.text, fmt, ap) : -1;
	va_end(ap);
	if (r < 0) {
		d->failed = true;
		return NULL;
	}
	d->v[d->n] = f;
	return &d->v[d->n++];
}

void doctor_remedy(struct finding *f, const char *fmt, ...)
{
	va_list ap;

	if (!f)
		return;
	free(f->remedy);
	va_start(ap, fmt);
	if (vasprintf(&f->remedy, fmt, ap) < 0)
		f->remedy = NULL;
	va_end(ap);
}

void doctor_fix(struct finding *f, const char *const argv[])
{
	struct strv words = { 0 };
	auto_free char *line = NULL;

	for (; f && *argv; argv++)
		if (strv_add(&words, *argv) < 0)
			break;
	line = strv_join(&words, " ");
	if (!f || *argv || !line) {
		strv_done(&words);
		return;
	}
	doctor_remedy(f, "%s", line);
	f->fix = strv_take(&words);
}

char *doctor_line(const char *path)
{
	char text[LINE_MAX_BYTES];

	return io_read_line(AT_FDCWD, path, text, sizeof(text)) >= 0 ? strdup(str_trim(text)) : NULL;
}

bool doctor_number(const char *path, unsigned long long *ret)
{
	auto_free char *text = doctor_line(path);
	uint64_t v;

	if (!text || num_u64(text, 10, UINT64_MAX, &v) < 0)
		return false;
	*ret = v;
	return true;
}

void doctor_check_path(struct doctor *d, const char *path, const char *why)
{
	auto_free char *part = strdup(path);
	struct stat st;
	bool fine = true;

	if (!part)
		return;
	for (size_t i = 1; i <= strlen(path); i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		part[i] = '\0';
		if (stat(part, &st) == 0 && S_ISDIR(st.st_mode) && !(st.st_mode & S_IXOTH)) {
			fine = false;
			doctor_remedy(doctor_add(d, FINDING_FAULT, "path-not-searchable",
						 "%s cannot be searched by other users, and so not by %s", part, why),
				      "chmod o+x %s", part);
		}
		part[i] = path[i];
	}
	if (fine)
		(void)doctor_add(d, FINDING_OK, "path-not-searchable", "%s can be reached by %s", path, why);
}

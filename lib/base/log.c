/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "base/num.h"
#include "base/table.h"

static const struct name_value levels[] = {
	{ "TRACE", LOG_TRACE },	     { "DEBUG", LOG_DBG },    { "INFO", LOG_INF },
	{ "NOTICE", LOG_NOTE },	     { "WARN", LOG_WARN },    { "ERROR", LOG_ERROR },
	{ "CRIT", LOG_CRITICAL },    { "ALERT", LOG_ALRT },   { "FATAL", LOG_FATAL },
};

int log_level_parse(const char *s, int *ret)
{
	const struct name_value *row = table_by_nocase(levels, s);
	unsigned n;

	if (row) {
		*ret = (int)row->value;
		return 0;
	}
	if (num_uint(s, 10, &n) < 0 || n > LOG_FATAL)
		return -EINVAL;
	*ret = (int)n;
	return 0;
}

const char *log_level_name(int level)
{
	const char *name = table_by_value(levels, level);

	return name ? name : "NOTSET";
}

/* Makes the parent directories of path, 0755. */
static int make_parents(const char *path)
{
	auto_free char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	if (!*copy)
		return -ENOENT;
	for (char *p = strchr(copy + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return 0;
}

int log_open(struct log *l, const char *path, struct err **e)
{
	auto_close int fd = -EBADF;
	struct stat st;
	int r = make_parents(path);

	if (r < 0)
		return err_set(e, -r, NULL, "cannot create the directory of log file %s", path);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0640);
	if (fd < 0)
		return err_set(e, errno, NULL, "cannot open log file %s", path);
	if (fstat(fd, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)))
		return err_set(e, EINVAL, "not-a-regular-file", "log file %s is not a regular file", path);
	fd_replace(&l->fd, take_fd(&fd));
	return 0;
}

void log_done(struct log *l)
{
	fd_close(l->fd);
	l->fd = -EBADF;
	free(l->prefix);
	free(l->name);
	l->prefix = l->name = NULL;
}

static void add_escaped(struct buf *b, const char *s)
{
	for (; *s; s++)
		if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
			buf_addf(b, "\\x%02x", (unsigned char)*s);
		else
			buf_addc(b, *s);
}

void log_write(struct log *l, int level, struct log_site at, const char *fmt, ...)
{
	auto_buf struct buf b = BUF_INIT(65536);
	auto_free char *text = NULL;
	struct timespec now;
	struct tm tm;
	va_list ap;
	int n;

	if (!l || (level < l->level && !(level == LOG_WARN && l->sink)))
		return;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if (level == LOG_WARN && l->sink)
		l->sink(l->sink_arg, text);
	if (level < l->level || (l->fd < 0 && !l->syslog))
		return;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	buf_addf(&b, "%s %s%s%04d%02d%02d%02d%02d%02d.%03ld %-8s %s - %s:%s:%d - ",
		 l->prefix ? l->prefix : "lxc", l->name ? l->name : "", l->name ? " " : "", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000,
		 log_level_name(level), at.category, at.file, at.func, at.line);
	add_escaped(&b, text);
	buf_addc(&b, '\n');
	if (b.p && l->fd >= 0)
		(void)!write(l->fd, b.p, b.len);
	if (l->syslog)
		syslog(level >= LOG_ERROR ? 3 : level == LOG_WARN ? 4 : 6, "%s: %s", l->name ? l->name : "lxc",
		       text);
}

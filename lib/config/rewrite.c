/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "config/rewrite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "config/type.h"

#define LINE_CEILING ((size_t)1 << 20)
#define MAC_LENGTH 17
/* Locally chosen vendor part of the addresses of copies: LXC's. */
#define MAC_TEMPLATE "10:66:6a:xx:xx:xx"

/* The line split as the reader splits it; false for comments and the like. Both are new. */
static bool split_line(const char *line, char **key, char **value)
{
	const char *eq;
	char *v;
	size_t n;

	line += strspn(line, " \t");
	eq = strchr(line, '=');
	if (!str_after(line, "lxc.") || !eq)
		return false;
	*key = strndup(line, strcspn(line, " \t="));
	*value = strdup(eq + 1);
	if (!*key || !*value)
		return true;
	v = str_trim(*value);
	n = strlen(v);
	if (n > 1 && (*v == '"' || *v == '\'') && v[n - 1] == *v) {
		v[n - 1] = '\0';
		v++;
	}
	memmove(*value, v, strlen(v) + 1);
	return true;
}

static int new_line(const char *key, const char *value, char **ret)
{
	auto_buf struct buf b = BUF_INIT(LINE_CEILING);
	size_t n = strlen(value);
	bool wrap = n && (strchr(" \t", *value) || strchr(" \t", value[n - 1]));

	buf_addf(&b, wrap ? "%s = \"%s\"" : "%s = %s", key, value);
	*ret = buf_take(&b);
	return *ret ? 0 : -ENOMEM;
}

int conf_rewrite(struct conf *c, conf_rewrite_fn fn, void *arg, struct err **e)
{
	for (size_t i = 0; i < c->text.n; i++) {
		auto_free char *key = NULL, *value = NULL, *changed = NULL;
		char *line = NULL;
		int r;

		if (!split_line(c->text.v[i], &key, &value))
			continue;
		if (!key || !value)
			return err_no_memory(e);
		r = fn(key, value, &changed, arg, e);
		if (r < 0)
			return r;
		if (!changed)
			continue;
		if (new_line(key, changed, &line) < 0)
			return err_no_memory(e);
		free(c->text.v[i]);
		c->text.v[i] = line;
	}
	return 0;
}

static int renew_mac(const char *key, const char *value, char **ret, void *arg, struct err **e)
{
	(void)arg;
	if (!hwaddr_is_key(key) || strlen(value) != MAC_LENGTH)
		return 0;
	*ret = strdup(MAC_TEMPLATE);
	if (!*ret)
		return err_no_memory(e);
	hwaddr_fill(*ret);
	return 0;
}

int conf_renew_macs(struct conf *c, struct err **e)
{
	return conf_rewrite(c, renew_mac, NULL, e);
}

/* A path begins where nothing of a path stands before it. */
static bool begins_here(const char *value, const char *p)
{
	return p == value || strchr(" \t,=:", p[-1]);
}

static bool ends_here(char c)
{
	return !c || strchr("/ \t,:", c);
}

int path_retarget(const char *value, const char *from, const char *to, char **ret, struct err **e)
{
	auto_buf struct buf b = BUF_INIT(LINE_CEILING);
	size_t n = strlen(from);
	bool any = false;

	for (const char *p = value; *p;) {
		if (strncmp(p, from, n) == 0 && begins_here(value, p) && ends_here(p[n])) {
			buf_adds(&b, to);
			p += n;
			any = true;
		} else {
			buf_addc(&b, *p++);
		}
	}
	if (!any)
		return 0;
	*ret = buf_take(&b);
	return *ret ? 0 : err_no_memory(e);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "base/path.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 200
#define IFNAME_MAX 15

char *path_join(const char *dir, const char *name)
{
	size_t n = strlen(dir);
	char *p = NULL;

	while (n > 1 && dir[n - 1] == '/')
		n--;
	while (*name == '/')
		name++;
	if (asprintf(&p, "%.*s%s%s", (int)n, dir, n && dir[n - 1] == '/' ? "" : "/", name) < 0)
		return NULL;
	return p;
}

char *path_simplify(const char *path)
{
	char *out = malloc(strlen(path) + 2), *o = out;
	const char *p = path;

	if (!out)
		return NULL;
	if (*p == '/')
		*o++ = '/';
	while (*(p += strspn(p, "/"))) {
		size_t n = strcspn(p, "/");

		if (!(n == 1 && *p == '.')) {
			if (o > out && o[-1] != '/')
				*o++ = '/';
			memcpy(o, p, n);
			o += n;
		}
		p += n;
	}
	if (o == out && *path)
		*o++ = '.';
	*o = '\0';
	return out;
}

bool path_has_dotdot(const char *path)
{
	while (*(path += strspn(path, "/"))) {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.')
			return true;
		path += n;
	}
	return false;
}

bool path_is_absolute(const char *path)
{
	return *path == '/';
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int name_check(const char *name, struct err **e)
{
	if (!name || !*name)
		return err_name_invalid(e, "", "it is empty");
	if (strlen(name) > NAME_MAX_LEN)
		return err_name_invalid(e, name, "it is longer than 200 bytes");
	if (*name == '.' || *name == '-')
		return err_name_invalid(e, name, *name == '.' ? "it begins with '.'" : "it begins with '-'");
	for (const char *p = name; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c == '/')
			return err_name_invalid(e, name, "it contains '/'");
		if (c < 0x20 || c == 0x7f)
			return err_name_invalid(e, name, "it contains a control character");
		if (strchr(" '\"\\`$&|;<>(){}*?[]!#~%", c))
			return err_name_invalid(e, name, "it contains a blank, a quote or a shell character");
	}
	return 0;
}

bool ifname_is_valid(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > IFNAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (; *name; name++)
		if (*name == '/' || *name == ':' || isspace((unsigned char)*name) ||
		    iscntrl((unsigned char)*name))
			return false;
	return true;
}

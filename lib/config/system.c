/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "config/system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/paths.h"
#include "base/str.h"
#include "config/reader.h"

#define SYSTEM_MAX ((size_t)1 << 20)

/* The listed items come first, in the order of lxc-config -l; the NULL ends the list. */
static const char *const listed[] = {
	"lxc.default_config", "lxc.lxcpath",	"lxc.bdev.lvm.vg",    "lxc.bdev.lvm.thin_pool",
	"lxc.bdev.zfs.root",  "lxc.cgroup.use", "lxc.cgroup.pattern", NULL,
};

/* home: default below $HOME for a caller who is not root; NULL: the same for all. */
static const struct item {
	const char *key, *root, *home;
} items[] = {
	{ "lxc.default_config", PATH_DEFAULT_CONFIG, ".config/lxc/default.conf" },
	{ "lxc.lxcpath", PATH_LXCPATH, ".local/share/lxc" },
	{ "lxc.bdev.lvm.vg", "lxc", NULL },
	{ "lxc.bdev.lvm.thin_pool", "lxc", NULL },
	{ "lxc.bdev.zfs.root", "lxc", NULL },
	{ "lxc.bdev.rbd.rbdpool", "lxc", NULL },
	{ "lxc.bdev.rbd.rbduser", NULL, NULL },
	{ "lxc.cgroup.use", NULL, NULL },
	{ "lxc.cgroup.pattern", NULL, NULL },
};

const char *const *system_items(void)
{
	return listed;
}

int system_item_index(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(items); i++)
		if (STREQ(items[i].key, key))
			return (int)i;
	return -ENOENT;
}

/* New; NULL when out of memory. */
static char *below_home(const char *rest)
{
	const char *home = getenv("HOME");

	return path_join(home && *home ? home : "/", rest);
}

/* The value of the first line "key = value" (new), NULL if there is none. The value is the rest of
 * the line as it stands; # begins a comment only in the first column. */
static char *find_value(char *text, const char *key)
{
	char *next;

	for (char *line = text; line; line = next) {
		const char *p;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		p = str_after(line + strspn(line, " \t"), key);
		if (*line == '#' || !p)
			continue;
		p += strspn(p, " \t");
		if (*p != '=')
			continue;
		p++;
		return strdup(p + strspn(p, " \t"));
	}
	return NULL;
}

/* 0 with *ret NULL when the file does not exist or does not have the key. */
static int from_file(const char *key, char **ret, struct err **e)
{
	auto_free char *path =
		geteuid() == 0 ? strdup(PATH_SYSTEM_CONFIG) : below_home(".config/lxc/lxc.conf");
	auto_err struct err *why = NULL;
	auto_free char *text = NULL;
	size_t n;
	int r;

	*ret = NULL;
	if (!path)
		return err_no_memory(e);
	r = io_read_file(AT_FDCWD, path, SYSTEM_MAX, &text, NULL, &why);
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r < 0)
		return reader_unreadable(-r, path, why, e);
	*ret = find_value(text, key);
	if (*ret && strcmp(key, "lxc.lxcpath") == 0)
		for (n = strlen(*ret); n > 1 && (*ret)[n - 1] == '/'; n--)
			(*ret)[n - 1] = '\0';
	return 0;
}

int system_item(const char *key, char **ret, struct err **e)
{
	const struct item *it = NULL;
	auto_free char *value = NULL;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(items) && !it; i++)
		if (strcmp(items[i].key, key) == 0)
			it = &items[i];
	if (!it)
		return err_system_item_unknown(e, key);
	r = from_file(key, &value, e);
	if (r < 0)
		return r;
	if (value && str_has_control(value, true))
		return err_control_character(e, key, 0x0d);
	if (!value && it->root) {
		value = it->home && geteuid() != 0 ? below_home(it->home) : strdup(it->root);
		if (!value)
			return err_no_memory(e);
	}
	*ret = take_ptr(value);
	return 0;
}

/* Where a login's XDG_RUNTIME_DIR is, which su, cron and the like leave unset. */
#define PATH_LOGINS "/run/user"

/* True if the directory is the caller's, or its group may write and is the caller's. */
static bool is_ours(const char *dir)
{
	struct stat st;

	if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
		return false;
	return st.st_uid == geteuid() || (st.st_gid == getegid() && (st.st_mode & S_IWGRP));
}

char *system_rundir(struct err **e)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR"), *home = getenv("HOME");
	char login[64];
	struct stat st;
	char *dir;

	(void)snprintf(login, sizeof(login), PATH_LOGINS "/%u", (unsigned)geteuid());
	if (is_ours(PATH_RUNTIME))
		dir = strdup(PATH_RUNTIME);
	else if (xdg && *xdg == '/')
		dir = strdup(xdg);
	else if (lstat(login, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022))
		dir = strdup(login);
	else if (home && *home == '/')
		dir = path_join(home, ".cache/lxc/run");
	else {
		(void)err_rundir_unknown(e, PATH_RUNTIME);
		return NULL;
	}
	if (!dir)
		(void)err_no_memory(e);
	return dir;
}

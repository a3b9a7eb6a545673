/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* list - which containers there are. A container that cannot be opened (a configuration that does not
 * load, say) is left out with a warning of this thread; LXC lets the whole list of all containers
 * fail then, and leaves it out silently in the list of the defined ones. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "globals.h"
#include "handle.h"
#include "lifecycle/client.h"
#include "lifecycle/partial.h"
#include "throwaway.h"

/* What a create left that was killed in its first milliseconds. */
static void warn_staged(const char *lxcpath, const char *entry)
{
	auto_free char *name = partial_staged(entry), *dir = name ? path_join(lxcpath, entry) : NULL;

	if (dir && partial_state(dir) != PARTIAL_BUSY)
		thread_warn("the creation of %s was interrupted; lxc-destroy -P %s -n %s removes %s", name, lxcpath,
			    name, dir);
}

static int add_defined(const char *lxcpath, struct strv *names, struct err **e)
{
	auto_closedir DIR *d = opendir(lxcpath);

	if (!d)
		return err_set(e, errno, NULL, "cannot read directory %s", lxcpath);
	errno = 0;
	for (const struct dirent *ent = readdir(d); ent; errno = 0, ent = readdir(d)) {
		char file[NAME_MAX + sizeof("/config")];
		struct stat st;

		if (ent->d_name[0] == '.') {
			warn_staged(lxcpath, ent->d_name);
			continue;
		}
		(void)snprintf(file, sizeof(file), "%s/config", ent->d_name);
		if (fstatat(dirfd(d), file, &st, 0) < 0)
			continue;
		if (name_check(ent->d_name, NULL) < 0) {
			thread_warn("%s holds a container directory whose name no container can have", lxcpath);
			continue;
		}
		if (throwaway_collect(lxcpath, ent->d_name))
			continue;
		if (strv_add(names, ent->d_name) < 0)
			return err_no_memory(e);
	}
	return errno ? err_set(e, errno, NULL, "cannot read directory %s", lxcpath) : 0;
}

static int add_active(const char *lxcpath, struct strv *names, struct err **e)
{
	auto_strv struct strv active = { 0 };
	int r = client_active(lxcpath, &active, e);

	for (size_t i = 0; i < active.n && r >= 0; i++)
		if (strv_add(names, active.v[i]) < 0)
			r = err_no_memory(e);
	return r < 0 ? r : 0;
}

/* Sorted, each once. */
static void put_in_order(struct strv *names)
{
	size_t n = 0;

	strv_sort(names);
	for (size_t i = 0; i < names->n; i++) {
		if (n && STREQ(names->v[n - 1], names->v[i]))
			free(names->v[i]);
		else
			names->v[n++] = names->v[i];
	}
	if (names->v)
		names->v[n] = NULL;
	names->n = n;
}

static void put_all(struct lxc_container **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)lxc_container_put(list[i]);
	free(list);
}

/* Handles of all names; names without one leave the list. */
static int open_all(const char *lxcpath, struct strv *names, bool defined_only, struct lxc_container ***ret,
		    struct err **e)
{
	struct lxc_container **list = NULL;
	size_t n = 0;

	if (names->n) {
		list = calloc(names->n, sizeof(struct lxc_container *));
		if (!list)
			return err_no_memory(e);
	}
	while (n < names->n) {
		struct lxc_container *c = lxc_container_new(names->v[n], lxcpath);

		if (!c) {
			auto_free char *why = err_line(thread_error());

			thread_warn("%s is left out: %s", names->v[n], why ? why : "out of memory");
		} else if (defined_only && !c->is_defined(c)) {
			/* Destroyed since the directory was read. */
			(void)lxc_container_put(c);
			c = NULL;
		}
		if (c)
			list[n++] = c;
		else
			strv_remove(names, n);
	}
	if (!n) {
		put_all(list, 0);
		list = NULL;
	}
	*ret = list;
	return 0;
}

static int list(const char *path, bool defined, bool active, char ***names, struct lxc_container ***cret)
{
	auto_strv struct strv found = { 0 };
	auto_free char *lxcpath = NULL;
	struct err *e = NULL;
	int r = lxcpath_resolve(path, &lxcpath, &e);

	if (names)
		*names = NULL;
	if (cret)
		*cret = NULL;
	if (r == 0 && defined)
		r = add_defined(lxcpath, &found, &e);
	if (r == 0 && active)
		r = add_active(lxcpath, &found, &e);
	if (r == 0 && found.n > INT_MAX)
		r = err_set(&e, E2BIG, NULL, "there are too many containers in %s", lxcpath);
	if (r < 0) {
		(void)err_wrap(&e, r, "cannot list the containers");
		thread_fail(e);
		return -1;
	}
	put_in_order(&found);
	if (cret && open_all(lxcpath, &found, !active, cret, &e) < 0) {
		thread_fail(e);
		return -1;
	}
	r = (int)found.n;
	if (names && found.n)
		*names = strv_take(&found);
	return r;
}

attr_public int list_defined_containers(const char *lxcpath, char ***names, struct lxc_container ***cret)
{
	return list(lxcpath, true, false, names, cret);
}

attr_public int list_active_containers(const char *lxcpath, char ***names, struct lxc_container ***cret)
{
	return list(lxcpath, false, true, names, cret);
}

attr_public int list_all_containers(const char *lxcpath, char ***names, struct lxc_container ***cret)
{
	return list(lxcpath, true, true, names, cret);
}

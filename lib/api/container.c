/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* container - the life of a handle: lxc_container_new, _get, _put. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"
#include "config/system.h"
#include "copy.h"
#include "globals.h"
#include "handle.h"
#include "lifecycle/partial.h"
#include "rename.h"
#include "throwaway.h"
#include "vtable.h"

static void handle_free(struct handle *h)
{
	if (!h)
		return;
	handle_set_conf(h, NULL);
	err_free(h->error);
	client_view_free(h->view);
	launch_ahead_done(&h->ahead);
	fd_close(h->hold.fd);
	strv_done(&h->warnings);
	free(h->pub.name);
	free(h->pub.configfile);
	free(h->pub.pidfile);
	free(h->pub.config_path);
	free(h->pub.error_string);
	(void)pthread_mutex_destroy(&h->lock.mutex);
	free(h);
}
DEFINE_AUTO(struct handle *, handle_free)

struct handle *handle_new(const char *name, const char *lxcpath)
{
	auto_with(handle_free) struct handle *h = calloc(1, sizeof(*h));
	auto_free char *dir = path_join(lxcpath, name);

	if (!h)
		return NULL;
	if (pthread_mutex_init(&h->lock.mutex, NULL) != 0) {
		free(take_ptr(h));
		return NULL;
	}
	h->hold = FREEZE_HOLD_INIT;
	h->pub.name = strdup(name);
	h->pub.config_path = strdup(lxcpath);
	h->pub.configfile = dir ? path_join(dir, "config") : NULL;
	if (!h->pub.name || !h->pub.config_path || !h->pub.configfile)
		return NULL;
	h->pub.slock = &h->lock;
	h->pub.privlock = &h->lock;
	h->pub.numthreads = 1;
	h->pub.daemonize = true;
	vtable_fill(&h->pub);
	return take_ptr(h);
}

int lxcpath_resolve(const char *path, char **ret, struct err **e)
{
	auto_free char *p = NULL;
	size_t n;

	if (path && !*path)
		return err_lxcpath_invalid(e, "", "it is empty");
	if (!path) {
		int r = system_item("lxc.lxcpath", &p, e);

		if (r < 0)
			return r;
	} else if (path_is_absolute(path)) {
		p = strdup(path);
	} else {
		/* The monitor lives in / and sockets are named by this path: it must be absolute. */
		char cwd[PATH_MAX];

		if (!getcwd(cwd, sizeof(cwd)))
			return err_set(e, errno, NULL, "cannot read the working directory");
		while (path[0] == '.' && path[1] == '/')
			path += 1 + strspn(path + 1, "/");
		p = STREQ(path, ".") ? strdup(cwd) : path_join(cwd, path);
	}
	if (!p)
		return err_no_memory(e);
	for (n = strlen(p); n > 1 && p[n - 1] == '/'; n--)
		p[n - 1] = '\0';
	if (str_has_control(p, false))
		return err_lxcpath_invalid(e, p, "it contains a control character");
	if (n >= PATH_MAX - NAME_MAX)
		return err_lxcpath_invalid(e, p, "it is too long");
	*ret = take_ptr(p);
	return 0;
}

/* A configuration that does not load must not keep anyone from looking at a container that runs,
 * or from stopping it: then the handle comes without configuration and the reason is a warning. */
static int keep_for_running(struct call *k)
{
	enum lxc_state state = STATE_STOPPED;
	auto_free char *why = NULL;

	if (client_state(&k->target, &state, NULL) < 0 || state == STATE_STOPPED)
		return -ENOENT;
	why = err_line(k->e);
	log_warn(&k->log, "%s runs, but its configuration does not load: %s", k->name, why ? why : "out of memory");
	return 0;
}

static void warn_partial(struct call *k)
{
	if (partial_state(k->dir) == PARTIAL_STALE)
		log_warn(&k->log, "the %s of %s was interrupted; lxc-destroy -n %s removes what there is of it",
			 partial_is_removal(k->dir) ? "removal" : "creation", k->name, k->name);
}

/* What a killed restore left is no reason not to look at the container. */
static void settle_copy(struct call *k)
{
	auto_free char *why = NULL;

	if (copy_settle(k) == 0)
		return;
	why = err_line(k->e);
	log_warn(&k->log, "what an interrupted restore of %s left could not be removed: %s", k->name,
		 why ? why : "out of memory");
	err_free(take_ptr(k->e));
}

static int load_own(struct handle *h, struct err **e)
{
	auto_conf struct conf *conf = NULL;
	struct call k;
	int r = 0;

	if (!call_begin(&k, &h->pub))
		return err_no_memory(e);
	rename_settle(&k);
	settle_copy(&k);
	if (call_is_defined(&k)) {
		r = call_read_conf(&k, k.configfile, &conf);
		if (r < 0 && keep_for_running(&k) == 0)
			(void)call_end(&k, r, "cannot load the configuration of %s", k.name);
		else if (r < 0)
			*e = take_ptr(k.e);
	}
	if (!k.h)
		return 0;
	warn_partial(&k);
	if (r == 0 && conf) {
		handle_lock(h);
		handle_set_conf(h, take_ptr(conf));
		handle_unlock(h);
	}
	return call_drop(&k, r);
}

attr_public struct lxc_container *lxc_container_new(const char *name, const char *configpath)
{
	auto_with(handle_free) struct handle *h = NULL;
	auto_free char *lxcpath = NULL;
	struct err *e = NULL;
	int r;

	if (!name)
		r = err_name_invalid(&e, "", "it is empty");
	else
		r = name_check(name, &e);
	if (r == 0)
		r = lxcpath_resolve(configpath, &lxcpath, &e);
	if (r == 0) {
		(void)throwaway_collect(lxcpath, name);
		h = handle_new(name, lxcpath);
		r = h ? load_own(h, &e) : err_no_memory(&e);
	}
	if (r < 0) {
		if (name)
			(void)err_wrap(&e, r, "cannot open container %s", name);
		thread_fail(e);
		return NULL;
	}
	return &take_ptr(h)->pub;
}

attr_public int lxc_container_get(struct lxc_container *c)
{
	int r = 0;

	if (!c)
		return 0;
	handle_lock(handle_of(c));
	if (c->numthreads >= 1) {
		c->numthreads++;
		r = 1;
	}
	handle_unlock(handle_of(c));
	return r;
}

attr_public int lxc_container_put(struct lxc_container *c)
{
	int left;

	if (!c)
		return -1;
	handle_lock(handle_of(c));
	left = --c->numthreads;
	handle_unlock(handle_of(c));
	if (left >= 1)
		return 0;
	handle_free(handle_of(c));
	return 1;
}

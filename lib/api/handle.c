/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "handle.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"
#include "config/reader.h"
#include "config/writer.h"
#include "globals.h"
#include "lifecycle/lock.h"

#define LOG_CATEGORY_API "lxccontainer"
#define WARNINGS_MAX 200
#define SILENT_MS 100		/* what a call waits for once the limit is used up */
#define LOCK_TIMEOUT_MS 30000

void handle_lock(struct handle *h)
{
	(void)pthread_mutex_lock(&h->lock.mutex);
}

void handle_unlock(struct handle *h)
{
	(void)pthread_mutex_unlock(&h->lock.mutex);
}

static void keep_warning(void *arg, const char *text)
{
	struct call *k = arg;

	if (k->warnings.n < WARNINGS_MAX && !strv_has(&k->warnings, text))
		(void)strv_add(&k->warnings, text);
}

static void call_done(struct call *k)
{
	handle_lock(k->h);
	for (size_t i = 0; i < k->warnings.n && k->h->warnings.n < WARNINGS_MAX; i++)
		if (!strv_has(&k->h->warnings, k->warnings.v[i]))
			(void)strv_add(&k->h->warnings, k->warnings.v[i]);
	handle_unlock(k->h);
	strv_done(&k->warnings);
	err_free(k->e);
	log_done(&k->log);
	free(k->name);
	free(k->lxcpath);
	free(k->dir);
	free(k->configfile);
	*k = (struct call){ 0 };
}

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000U + (uint64_t)t.tv_nsec / 1000000U;
}

/* A monitor that says nothing uses up one limit, not one for each call that is made about it. */
static int remaining_ms(const struct handle *h, uint64_t now)
{
	uint64_t limit = (uint64_t)(h->timeout_ms ? h->timeout_ms : CLIENT_TIMEOUT_MS), gone;

	if (!h->silent_ms || h->timeout_ms < 0)
		return h->timeout_ms;
	gone = now - h->silent_ms;
	return gone + SILENT_MS < limit ? (int)(limit - gone) : (int)MIN(limit, (uint64_t)SILENT_MS);
}

static void note_silence(struct call *k, bool silent)
{
	handle_lock(k->h);
	if (!silent)
		k->h->silent_ms = 0;
	else if (!k->h->silent_ms)
		k->h->silent_ms = k->begun_ms;
	handle_unlock(k->h);
}

bool call_begin(struct call *k, struct lxc_container *c)
{
	if (!c)
		return false;
	*k = (struct call){ .h = handle_of(c), .c = c, .log = LOG_INIT };
	handle_lock(k->h);
	k->name = strdup(c->name);
	k->lxcpath = c->config_path ? strdup(c->config_path) : NULL;
	k->configfile = c->configfile ? strdup(c->configfile) : NULL;
	k->begun_ms = now_ms();
	k->target.timeout_ms = remaining_ms(k->h, k->begun_ms);
	k->target.view = k->h->view;
	handle_unlock(k->h);
	if (k->lxcpath && k->name)
		k->dir = path_join(k->lxcpath, k->name);
	if (!k->dir || !k->configfile) {
		call_done(k);
		return false;
	}
	k->target.lxcpath = k->lxcpath;
	k->target.name = k->name;
	globals_log(&k->log, k->name);
	k->log.sink = keep_warning;
	k->log.sink_arg = k;
	return true;
}

int call_end(struct call *k, int r, const char *fmt, ...)
{
	auto_free char *text = NULL, *line = NULL;
	va_list ap;

	if (r >= 0) {
		call_done(k);
		return r;
	}
	if (!k->e)
		(void)err_set(&k->e, -r, NULL, "container %s", k->name);
	if (err_is(k->e, "monitor-silent"))
		note_silence(k, true);
	va_start(ap, fmt);
	if (fmt && vasprintf(&text, fmt, ap) >= 0)
		(void)err_wrap(&k->e, r, "%s", text);
	va_end(ap);
	line = err_line(k->e);
	if (line)
		log_error(&k->log, "%s", line);
	handle_lock(k->h);
	err_free(k->h->error);
	k->h->error = take_ptr(k->e);
	free(k->h->pub.error_string);
	k->h->pub.error_string = take_ptr(line);
	handle_unlock(k->h);
	call_done(k);
	return r;
}

int call_drop(struct call *k, int r)
{
	call_done(k);
	return r;
}

void handle_set_conf(struct handle *h, struct conf *conf)
{
	conf_free(handle_conf(h));
	h->pub.lxc_conf = (struct lxc_conf *)(void *)conf;
}

static int conf_identify(struct conf *conf, const char *name, const char *lxcpath, struct err **e)
{
	if (str_set(&conf->name, name) < 0 || str_set(&conf->lxcpath, lxcpath) < 0)
		return err_no_memory(e);
	return 0;
}

struct conf *handle_need_conf(struct handle *h, struct err **e)
{
	auto_conf struct conf *conf = NULL;

	if (handle_conf(h))
		return handle_conf(h);
	conf = conf_new();
	if (!conf) {
		(void)err_no_memory(e);
		return NULL;
	}
	if (conf_identify(conf, h->pub.name, h->pub.config_path, e) < 0)
		return NULL;
	handle_set_conf(h, take_ptr(conf));
	return handle_conf(h);
}

/* Nothing is added where there is no configuration. */
static int dump_conf(struct call *k, int (*dump)(const struct conf *c, struct buf *b), struct buf *b)
{
	int r = 0;

	handle_lock(k->h);
	if (handle_conf(k->h))
		r = dump(handle_conf(k->h), b);
	handle_unlock(k->h);
	return r < 0 || !buf_ok(b) ? err_no_memory(&k->e) : 0;
}

int call_copy_conf(struct call *k, struct conf **ret)
{
	auto_buf struct buf b = BUF_INIT(CALL_DUMP_MAX);
	auto_conf struct conf *copy = NULL;
	int r = dump_conf(k, conf_dump, &b);

	if (r < 0)
		return r;
	if (b.p) {
		/* The dump was warned about when it was first read: no second time. */
		r = conf_undump(&copy, b.p, b.len, NULL, &k->e);
		if (r < 0)
			return r;
		r = conf_identify(copy, k->name, k->lxcpath, &k->e);
		if (r < 0)
			return r;
	}
	*ret = take_ptr(copy);
	return 0;
}

/* What the handle has none of. */
static int read_missing(struct call *k, struct conf **ret)
{
	struct stat st;

	/* It appeared after the handle was made, or it did not load then: the reason. */
	if (stat(k->configfile, &st) == 0)
		return MIN(call_read_conf(k, k->configfile, ret), 0);
	if (errno == EACCES)
		return err_set(&k->e, EACCES, NULL, "cannot read %s", k->configfile);
	return err_container_unknown(&k->e, k->name, k->lxcpath);
}

int call_need_conf(struct call *k, struct conf **ret)
{
	int r = call_copy_conf(k, ret);

	return r < 0 || *ret ? r : read_missing(k, ret);
}

int call_need_dump(struct call *k, struct buf *ret)
{
	auto_conf struct conf *conf = NULL;
	int r;

	*ret = (struct buf)BUF_INIT(CALL_DUMP_MAX);
	r = dump_conf(k, conf_dump_values, ret);
	if (r < 0 || ret->p)
		return r;
	r = read_missing(k, &conf);
	return r == 0 && conf_dump_values(conf, ret) < 0 ? err_no_memory(&k->e) : r;
}

/* Hooks and mounts of a configuration are the caller's own acts: a container's file must be one that he, or root, has
 * written. Root may look at everybody's; to act by it, see call_trust_config. */
static int check_owner(struct call *k, uint32_t uid, bool open)
{
	if (uid != 0 && uid != geteuid())
		return err_config_foreign(&k->e, k->configfile, uid, geteuid());
	return open ? err_config_open(&k->e, k->configfile) : 0;
}

int call_trust_config(struct call *k)
{
	struct stat st;

	if (stat(k->configfile, &st) < 0)
		return 0;
	return check_owner(k, st.st_uid, st.st_mode & S_IWOTH);
}

int call_read_conf(struct call *k, const char *path, struct conf **ret)
{
	auto_conf struct conf *conf = conf_new();
	int r;

	if (!conf)
		return err_no_memory(&k->e);
	r = conf_identify(conf, k->name, k->lxcpath, &k->e);
	if (r == 0)
		r = conf_load(conf, path, &k->log, &k->e);
	if (r == 0 && geteuid() != 0 && STREQ(path, k->configfile))
		r = check_owner(k, conf->file_uid, conf->file_open);
	if (r < 0)
		return r;
	*ret = take_ptr(conf);
	return 0;
}

bool call_is_defined(const struct call *k)
{
	struct stat st;

	return stat(k->configfile, &st) == 0;
}

int call_disk_lock(struct call *k)
{
	auto_close int fd = lock_open(k->lxcpath, k->name, &k->e);
	int r;

	if (fd < 0)
		return fd;
	r = lock_take(fd, LOCK_TIMEOUT_MS, &k->e);
	return r < 0 ? r : take_fd(&fd);
}

int call_state(struct call *k, enum lxc_state *ret)
{
	int r = client_state(&k->target, ret, &k->e);

	note_silence(k, r == -ETIMEDOUT);
	return r;
}

/* error retention for clients */

const struct err *last_error(struct lxc_container *c)
{
	return c ? handle_of(c)->error : thread_error();
}

attr_public int lxcext_last_error(struct lxc_container *c, size_t index, struct lxcext_error_link *ret)
{
	const struct err *e;

	if (c)
		handle_lock(handle_of(c));
	e = last_error(c);
	for (; e && index; index--)
		e = e->cause;
	if (e && ret)
		*ret = (struct lxcext_error_link){ e->what, e->where, e->hint, e->id, e->who, e->num };
	if (c)
		handle_unlock(handle_of(c));
	return e ? 0 : -ENOENT;
}

attr_public const char *lxcext_error_id(struct lxc_container *c)
{
	const char *id;

	if (c)
		handle_lock(handle_of(c));
	id = err_id(last_error(c));
	if (c)
		handle_unlock(handle_of(c));
	return id;
}

attr_public void lxcext_print_error(struct lxc_container *c, FILE *out, const char *prog, bool verbose)
{
	if (c)
		handle_lock(handle_of(c));
	if (last_error(c))
		err_print(out, prog, last_error(c), verbose);
	if (c)
		handle_unlock(handle_of(c));
}

attr_public int lxcext_warning(struct lxc_container *c, size_t index, const char **ret)
{
	const struct strv *w;
	int r = -ENOENT;

	if (c)
		handle_lock(handle_of(c));
	w = c ? &handle_of(c)->warnings : thread_warnings();
	if (w && index < w->n) {
		*ret = w->v[index];
		r = 0;
	}
	if (c)
		handle_unlock(handle_of(c));
	return r;
}

attr_public void lxcext_clear_warnings(struct lxc_container *c)
{
	struct strv *w;

	if (c)
		handle_lock(handle_of(c));
	w = c ? &handle_of(c)->warnings : thread_warnings();
	if (w)
		strv_done(w);
	if (c)
		handle_unlock(handle_of(c));
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_config - the configuration of a handle: load, save, items, keys, and the handle's settings. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "config/key.h"
#include "config/reader.h"
#include "config/system.h"
#include "config/writer.h"
#include "dir.h"
#include "handle.h"
#include "kernel/openat.h"
#include "lxc/lxcext.h"
#include "vtable.h"

#define VALUE_MAX (16U << 20)

bool api_is_defined(struct lxc_container *c)
{
	struct call k;
	bool r;

	if (!call_begin(&k, c))
		return false;
	r = call_is_defined(&k);
	return call_drop(&k, 0) == 0 && r;
}

/* Loads path on top of what the handle has. The handle changes only when all of it is good. */
static int load(struct call *k, const char *path)
{
	auto_conf struct conf *conf = NULL;
	int r = call_copy_conf(k, &conf);

	if (r < 0)
		return r;
	if (conf)
		r = conf_load(conf, path, &k->log, &k->e);
	else
		r = call_read_conf(k, path, &conf);
	if (r < 0)
		return r;
	handle_lock(k->h);
	handle_set_conf(k->h, take_ptr(conf));
	handle_unlock(k->h);
	return 0;
}

bool api_load_config(struct lxc_container *c, const char *alt_file)
{
	auto_lock int lock = -EBADF;
	struct call k;
	int r = 0;

	if (!call_begin(&k, c))
		return false;
	if (!alt_file || STREQ(alt_file, k.configfile)) {
		/* Readers need no lock against our own writers, which replace the file in one step, but
		 * others may write it in place. Where no lock file can be had (someone else's
		 * container), reading goes on without. */
		lock = call_disk_lock(&k);
		if (lock == -ETIMEDOUT || lock == -EAGAIN)
			r = lock;
		else if (lock < 0)
			err_free(take_ptr(k.e));
	}
	if (r == 0)
		r = load(&k, alt_file ? alt_file : k.configfile);
	return call_end(&k, r, "cannot load the configuration of %s", k.name) == 0;
}

/* A target that is not a regular file, such as /dev/stdout, is written in place. */
static int write_in_place(struct call *k, const struct conf *conf, const char *path)
{
	auto_close int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	auto_buf struct buf b = BUF_INIT(VALUE_MAX);
	int r;

	if (fd < 0)
		return err_set(&k->e, errno, NULL, "cannot open %s", path);
	r = conf_text(conf, &b);
	if (r < 0 || !buf_ok(&b))
		return err_no_memory(&k->e);
	r = io_write_all(fd, buf_str(&b), b.len);
	return r < 0 ? err_set(&k->e, -r, NULL, "cannot write %s", path) : 0;
}

static int save_elsewhere(struct call *k, const struct conf *conf, const char *path)
{
	auto_close int dir = -EBADF;
	auto_free char *parent = NULL;
	const char *base = path_base(path);
	struct stat st;

	if (!*base)
		return err_set(&k->e, EISDIR, NULL, "cannot write %s", path);
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return write_in_place(k, conf, path);
	parent = base == path ? strdup(".") : strndup(path, (size_t)(base - path));
	if (!parent)
		return err_no_memory(&k->e);
	dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(&k->e, errno, NULL, "cannot open directory %s", parent);
	return dir_save_config(k, conf, dir, base, true);
}

static int save(struct call *k, const char *alt_file)
{
	auto_conf struct conf *conf = NULL;
	auto_close int dir = -EBADF;
	auto_lock int lock = -EBADF;
	auto_free char *def = NULL;
	int r = call_copy_conf(k, &conf);

	if (r == 0 && !conf) {
		r = system_item("lxc.default_config", &def, &k->e);
		if (r == 0)
			r = load(k, def ? def : "/dev/null");
		if (r == 0)
			r = call_copy_conf(k, &conf);
	}
	if (r < 0)
		return r;
	if (alt_file && !STREQ(alt_file, k->configfile))
		return save_elsewhere(k, conf, alt_file);
	lock = call_disk_lock(k);
	if (lock < 0)
		return lock;
	dir = dir_open(k, conf, true, NULL);
	if (dir < 0)
		return dir;
	return dir_save_config(k, conf, dir, "config", true);
}

bool api_save_config(struct lxc_container *c, const char *alt_file)
{
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return false;
	r = save(&k, alt_file);
	return call_end(&k, r, "cannot save the configuration of %s", k.name) == 0;
}

void api_clear_config(struct lxc_container *c)
{
	if (!c)
		return;
	handle_lock(handle_of(c));
	handle_set_conf(handle_of(c), NULL);
	handle_unlock(handle_of(c));
}

bool api_set_config_item(struct lxc_container *c, const char *key, const char *value)
{
	struct conf *conf;
	struct call k;
	int r;

	if (!key || !call_begin(&k, c))
		return false;
	handle_lock(k.h);
	conf = handle_need_conf(k.h, &k.e);
	r = conf ? conf_set_item(conf, key, value, &k.log, &k.e) : -ENOMEM;
	handle_unlock(k.h);
	return call_end(&k, r, "cannot set %s of %s", key, k.name) == 0;
}

bool api_clear_config_item(struct lxc_container *c, const char *key)
{
	struct call k;
	int r;

	if (!key || !call_begin(&k, c))
		return false;
	handle_lock(k.h);
	if (handle_conf(k.h))
		r = conf_clear_item(handle_conf(k.h), key, &k.log, &k.e);
	else
		r = err_no_configuration(&k.e, k.name);
	handle_unlock(k.h);
	return call_end(&k, r, "cannot clear %s of %s", key, k.name) == 0;
}

/* The two rules of the ABI for values in a caller's buffer: lists and numbers are cut to fit, a
 * string that does not fit is not stored at all. */
static int give_value(const struct buf *b, bool truncates, char *retv, int inlen)
{
	if (b->len > INT_MAX)
		return -EFBIG;
	if (retv && inlen > 0 && (truncates || b->len < (size_t)inlen)) {
		size_t n = MIN(b->len, (size_t)inlen - 1);

		if (truncates)
			memset(retv, 0, (size_t)inlen);
		memcpy(retv, buf_str(b), n);
		retv[n] = '\0';
	}
	return (int)b->len;
}

int api_get_config_item(struct lxc_container *c, const char *key, char *retv, int inlen)
{
	auto_buf struct buf b = BUF_INIT(VALUE_MAX);
	struct call k;
	int r;

	if (!key || !call_begin(&k, c))
		return -1;
	handle_lock(k.h);
	if (handle_conf(k.h))
		r = key_get(handle_conf(k.h), key, &b, &k.e);
	else
		r = err_no_configuration(&k.e, k.name);
	handle_unlock(k.h);
	if (r >= 0 && !buf_ok(&b))
		r = err_no_memory(&k.e);
	if (r < 0) {
		bool no_conf = err_is(k.e, "no-configuration"), unknown = err_is(k.e, "unknown-key");

		r = call_end(&k, r, "cannot read %s of %s", key, k.name);
		return no_conf ? -1 : unknown ? -EINVAL : r;
	}
	(void)call_end(&k, 0, NULL);
	return give_value(&b, key_truncates(key), retv, inlen);
}

char *api_get_running_config_item(struct lxc_container *c, const char *key)
{
	auto_free char *value = NULL;
	struct call k;
	bool has;
	int r;

	if (!key || !call_begin(&k, c))
		return NULL;
	handle_lock(k.h);
	has = handle_conf(k.h);
	handle_unlock(k.h);
	r = has ? client_config_item(&k.target, key, &value, &k.e) : err_no_configuration(&k.e, k.name);
	if (r == -ENOENT || (r == 0 && value && !*value))
		return call_drop(&k, 0), NULL;
	if (call_end(&k, r, "cannot read the running value of %s of %s", key, k.name) < 0)
		return NULL;
	return take_ptr(value);
}

int api_get_keys(struct lxc_container *c, const char *key, char *retv, int inlen)
{
	auto_buf struct buf b = BUF_INIT(VALUE_MAX);
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return -1;
	handle_lock(k.h);
	if (!key || handle_conf(k.h))
		r = key_list(handle_conf(k.h), key, &b, &k.e);
	else
		r = err_no_configuration(&k.e, k.name);
	handle_unlock(k.h);
	if (r >= 0 && !buf_ok(&b))
		r = err_no_memory(&k.e);
	if (r < 0) {
		bool no_conf = err_is(k.e, "no-configuration");

		(void)call_end(&k, r, "cannot list the keys of %s", key ? key : k.name);
		return no_conf ? -1 : r;
	}
	(void)call_end(&k, 0, NULL);
	return give_value(&b, true, retv, inlen);
}

char *api_config_file_name(struct lxc_container *c)
{
	char *r;

	if (!c)
		return NULL;
	handle_lock(handle_of(c));
	r = c->configfile ? strdup(c->configfile) : NULL;
	handle_unlock(handle_of(c));
	return r;
}

const char *api_get_config_path(struct lxc_container *c)
{
	return c ? c->config_path : NULL;
}

bool api_set_config_path(struct lxc_container *c, const char *path)
{
	auto_free char *lxcpath = NULL, *dir = NULL, *file = NULL, *owned = NULL;
	struct call k;
	int r;

	if (!path || !call_begin(&k, c))
		return false;
	r = lxcpath_resolve(path, &lxcpath, &k.e);
	if (r == 0) {
		dir = path_join(lxcpath, k.name);
		file = dir ? path_join(dir, "config") : NULL;
		owned = strdup(lxcpath);
		if (!file || !owned)
			r = err_no_memory(&k.e);
	}
	if (r == 0) {
		char *old[2];

		handle_lock(k.h);
		old[0] = c->config_path;
		old[1] = c->configfile;
		c->config_path = take_ptr(lxcpath);
		c->configfile = take_ptr(file);
		if (handle_conf(k.h)) {
			free(handle_conf(k.h)->lxcpath);
			handle_conf(k.h)->lxcpath = take_ptr(owned);
		}
		handle_unlock(k.h);
		free(old[0]);
		free(old[1]);
	}
	return call_end(&k, r, "cannot move %s to another path", k.name) == 0;
}

static bool want(struct lxc_container *c, bool *in_pub, bool *in_handle, bool state)
{
	struct call k;
	int r = 0;

	if (!call_begin(&k, c))
		return false;
	handle_lock(k.h);
	if (!handle_conf(k.h))
		r = err_no_configuration(&k.e, k.name);
	else if (in_pub)
		*in_pub = state;
	else
		*in_handle = state;
	handle_unlock(k.h);
	return call_end(&k, r, "cannot change how %s starts", k.name) == 0;
}

bool api_want_daemonize(struct lxc_container *c, bool state)
{
	return c && want(c, &c->daemonize, NULL, state);
}

bool api_want_close_all_fds(struct lxc_container *c, bool state)
{
	return c && want(c, NULL, &handle_of(c)->close_all_fds, state);
}

bool api_set_timeout(struct lxc_container *c, int timeout)
{
	struct call k;
	int r = 0;

	if (!call_begin(&k, c))
		return false;
	if (timeout == 0 || timeout < -1) {
		r = err_timeout_bad(&k.e, timeout);
	} else {
		handle_lock(k.h);
		c->rcv_timeout = timeout < 0 ? 0 : timeout;
		k.h->timeout_ms = timeout < 0 ? -1 : timeout > INT_MAX / 1000 ? INT_MAX : timeout * 1000;
		handle_unlock(k.h);
	}
	return call_end(&k, r, "cannot set the time limit of %s", k.name) == 0;
}

attr_public char *lxcext_config_where(struct lxc_container *c, const char *key, size_t index)
{
	struct origin at = { 0 };
	char *r = NULL;
	struct call k;

	if (!key || !call_begin(&k, c))
		return NULL;
	handle_lock(k.h);
	if (handle_conf(k.h))
		at = conf_origin(handle_conf(k.h), key, index);
	if (at.file && asprintf(&r, "%s:%u", at.file, at.line) < 0)
		r = NULL;
	handle_unlock(k.h);
	(void)call_drop(&k, 0);
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "globals.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lxc/lxccontainer.h>
#include <lxc/lxcext.h>
#include <lxc/version.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/paths.h"
#include "base/str.h"
#include "config/key.h"
#include "config/system.h"
#include "lifecycle/states.h"

#define ITEMS_MAX 32
#define THREAD_WARNINGS_MAX 200

/* The ABI hands out global items as pointers that stay valid, and reports the failures of calls
 * without a handle; both per thread, so that no lock is needed to read what another thread frees. */
struct thread_state {
	struct err *error;
	struct strv warnings;
	struct {
		bool read;
		char *value;
	} items[ITEMS_MAX];
};

static pthread_key_t thread_key;
static pthread_once_t thread_once = PTHREAD_ONCE_INIT;
static int thread_key_error;

/* lxc_log_init's settings, for the whole process. */
static struct {
	pthread_mutex_t mutex;
	bool initialised;
	struct log log;
} process_log = { PTHREAD_MUTEX_INITIALIZER, false, LOG_INIT };

static void thread_state_free(void *p)
{
	struct thread_state *t = p;

	err_free(t->error);
	strv_done(&t->warnings);
	for (size_t i = 0; i < ITEMS_MAX; i++)
		free(t->items[i].value);
	free(t);
}

static void thread_key_make(void)
{
	thread_key_error = pthread_key_create(&thread_key, thread_state_free);
}

static struct thread_state *thread_state(void)
{
	struct thread_state *t;

	if (pthread_once(&thread_once, thread_key_make) != 0 || thread_key_error)
		return NULL;
	t = pthread_getspecific(thread_key);
	if (t)
		return t;
	t = calloc(1, sizeof(*t));
	if (t && pthread_setspecific(thread_key, t) != 0) {
		free(t);
		return NULL;
	}
	return t;
}

void thread_fail(struct err *e)
{
	struct thread_state *t = thread_state();

	if (!t) {
		err_free(e);
		return;
	}
	err_free(t->error);
	t->error = e;
}

const struct err *thread_error(void)
{
	struct thread_state *t = thread_state();

	return t ? t->error : NULL;
}

struct strv *thread_warnings(void)
{
	struct thread_state *t = thread_state();

	return t ? &t->warnings : NULL;
}

void thread_warn(const char *fmt, ...)
{
	struct strv *w = thread_warnings();
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (!w || !text || w->n >= THREAD_WARNINGS_MAX || strv_has(w, text))
		free(text);
	else
		(void)strv_push(w, text);
}

void globals_log(struct log *l, const char *name)
{
	(void)pthread_mutex_lock(&process_log.mutex);
	if (process_log.initialised) {
		l->level = process_log.log.level;
		/* A descriptor of its own: lxc_log_close may come from another thread at any time. */
		if (process_log.log.fd >= 0)
			l->fd = fcntl(process_log.log.fd, F_DUPFD_CLOEXEC, 3);
		if (process_log.log.prefix)
			(void)str_set(&l->prefix, process_log.log.prefix);
	}
	(void)pthread_mutex_unlock(&process_log.mutex);
	(void)str_set(&l->name, name);
}

/* The usual log file of a container; failures are not the caller's business. */
static void open_default_log(struct log *l, const struct lxc_log *from)
{
	auto_free char *lxcpath = NULL, *dir = NULL, *file = NULL, *base = NULL;
	bool central = geteuid() == 0 &&
		       (!from->lxcpath || STREQ(from->lxcpath, PATH_LXCPATH));

	if (name_check(from->name, NULL) < 0 || asprintf(&base, "%s.log", from->name) < 0)
		return;
	if (!central) {
		if (from->lxcpath)
			lxcpath = strdup(from->lxcpath);
		else if (system_item("lxc.lxcpath", &lxcpath, NULL) < 0)
			return;
		dir = lxcpath ? path_join(lxcpath, from->name) : NULL;
		/* Only below a container that exists: a log must not make one appear. */
		if (!dir || access(dir, W_OK) < 0)
			return;
	}
	file = path_join(central ? PATH_LOG : dir, base);
	if (file)
		(void)log_open(l, file, NULL);
}

static int log_settings(struct log *l, const struct lxc_log *from, struct err **e)
{
	if (log_level_parse(from->level ? from->level : "ERROR", &l->level) < 0)
		return err_log_level_bad(e, from->level);
	if (str_set(&l->prefix, from->prefix ? from->prefix : "lxc") < 0)
		return err_no_memory(e);
	if (from->file && STREQ(from->file, "none"))
		return 0;
	if (from->file)
		return log_open(l, from->file, e);
	if (from->name)
		open_default_log(l, from);
	return 0;
}

attr_public int lxc_log_init(struct lxc_log *log)
{
	struct err *e = NULL;
	int r = 0;

	if (!log)
		return -EINVAL;
	(void)pthread_mutex_lock(&process_log.mutex);
	if (!process_log.initialised) {
		r = log_settings(&process_log.log, log, &e);
		if (r < 0)
			log_done(&process_log.log);
		else
			process_log.initialised = true;
	}
	(void)pthread_mutex_unlock(&process_log.mutex);
	if (r < 0)
		thread_fail(e);
	return r < 0 ? -1 : 0;
}

attr_public void lxc_log_close(void)
{
	(void)pthread_mutex_lock(&process_log.mutex);
	log_done(&process_log.log);
	process_log.log = (struct log)LOG_INIT;
	process_log.initialised = false;
	(void)pthread_mutex_unlock(&process_log.mutex);
}

attr_public const char *lxc_get_version(void)
{
	return LXC_VERSION;
}

attr_public const char *lxcext_version(void)
{
	return PACKAGE_VERSION;
}

attr_public int lxc_get_wait_states(const char **states)
{
	for (int i = 0; states && i < STATE_MAX; i++)
		states[i] = state_name(i);
	return STATE_MAX;
}

attr_public const char *lxc_get_global_config_item(const char *key)
{
	struct thread_state *t = thread_state();
	int i = key ? system_item_index(key) : -ENOENT;
	struct err *e = NULL;

	if (!t || i < 0 || i >= ITEMS_MAX) {
		if (t && key)
			(void)err_system_item_unknown(&e, key);
		thread_fail(e);
		errno = t ? EINVAL : ENOMEM;
		return NULL;
	}
	if (!t->items[i].read) {
		int r = system_item(key, &t->items[i].value, &e);

		if (r < 0) {
			thread_fail(e);
			errno = -r;
			return NULL;
		}
		t->items[i].read = true;
	}
	errno = 0;
	return t->items[i].value;
}

attr_public bool lxc_config_item_is_supported(const char *key)
{
	return key && key_is_supported(key);
}

/* The names by which clients ask for features of LXC's interface, in LXC's order. One that is not
 * implemented does not belong here. */
static const char *const extensions[] = {
	"lxc_log",
	"lxc_config_item_is_supported",
	"console_log",
	"reboot2",
	"mount_injection",
	"cgroup_relative",
	"mount_injection_file",
	"seccomp_allow_nesting",
	"seccomp_notify",
	"network_veth_routes",
	"network_ipvlan",
	"network_l2proxy",
	"network_gateway_device_route",
	"network_phys_macvlan_mtu",
	"network_veth_router",
	"cgroup2_devices",
	"cgroup2",
	"pidfd",
	"cgroup_advanced_isolation",
	"network_bridge_vlan",
	"time_namespace",
	"seccomp_allow_deny_syntax",
	"devpts_fd",
	"seccomp_notify_fd_active",
	"seccomp_proxy_send_notify_fd",
	"idmapped_mounts",
	"idmapped_mounts_v2",
	"core_scheduling",
	"cgroup2_auto_mounting",
	"environment_runtime_hooks",
};

attr_public bool lxc_has_api_extension(const char *extension)
{
	if (!extension)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++)
		if (STREQ(extensions[i], extension))
			return true;
	return false;
}

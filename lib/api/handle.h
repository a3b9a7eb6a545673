/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* handle - the container handle behind struct lxc_container, and the frame of a public call: every
 * operation on a handle is call_begin, work, call_end. The mutex of a handle is held only while its
 * fields are read or changed, never while something is waited for: a thread may ask for the state
 * while another one waits, attaches or runs the container in the foreground. */
#pragma once
#include <pthread.h>
#include <stdbool.h>

#include <lxc/lxccontainer.h>
#include <lxc/lxcext.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/log.h"
#include "base/strv.h"
#include "config/conf.h"
#include "lifecycle/client.h"
#include "lifecycle/launch.h"
#include "lifecycle/lock.h"

/* The ABI shows two locks as opaque pointers. */
struct lxc_lock {
	pthread_mutex_t mutex;
};

struct handle {
	struct lxc_container pub;	/* first: the public pointer is the handle */
	struct lxc_lock lock;		/* guards everything here and in pub but the constant name */
	struct err *error;		/* of the last failing call */
	struct strv warnings;
	int timeout_ms;			/* per exchange with the monitor: as struct target */
	uint64_t silent_ms;		/* since when the monitor does not answer; 0: it does */
	struct client_view *view;	/* what the calls that only ask answer from; NULL: each looks itself */
	struct launch_ahead ahead;	/* lxcext_start_ahead's, for the next start */
	bool close_all_fds;
	struct freeze_hold hold;	/* lxcext_hold's */
};

static inline struct handle *handle_of(struct lxc_container *c)
{
	return (struct handle *)(void *)c;
}

/* One public call. name, lxcpath and dir ("LXCPATH/NAME") are copies that stay as they are while
 * another thread moves the handle. */
struct call {
	struct handle *h;
	struct lxc_container *c;
	char *name, *lxcpath, *dir, *configfile;
	struct target target;
	uint64_t begun_ms;
	struct log log;			/* borrows the process's log; its warnings go to the handle */
	struct strv warnings;
	struct err *e;
};

/* False for NULL and when memory is out. */
bool call_begin(struct call *k, struct lxc_container *c);
/* Ends the call and returns r. A negative r keeps the chain in the handle, under one more link with
 * this text (NULL: none). */
int call_end(struct call *k, int r, const char *fmt, ...) attr_printf(3, 4);
/* For calls whose failure is an answer, not an error: nothing is kept. */
int call_drop(struct call *k, int r);

void handle_lock(struct handle *h);
void handle_unlock(struct handle *h);

/* With the lock held: the configuration, NULL if there is none; replacing it (takes conf). */
static inline struct conf *handle_conf(const struct handle *h)
{
	return (struct conf *)(void *)h->pub.lxc_conf;
}
void handle_set_conf(struct handle *h, struct conf *conf);
/* With the lock held: an existing configuration, or a new one with name and lxcpath. */
struct conf *handle_need_conf(struct handle *h, struct err **e);
#define CALL_DUMP_MAX (64U << 20)	/* of conf_dump */
/* A copy of the handle's configuration (NULL in *ret if it has none). */
int call_copy_conf(struct call *k, struct conf **ret);
/* The same, but without one the call fails: the container does not exist, or why its configuration
 * could not be read. */
int call_need_conf(struct call *k, struct conf **ret);
/* The same as the text of conf_dump_values: ret is initialised, and the caller's to end in any case. */
int call_need_dump(struct call *k, struct buf *ret);

/* Reads the configuration file at path into a new conf with the call's name and lxcpath. */
int call_read_conf(struct call *k, const char *path, struct conf **ret);
/* Before anything is run or mounted because the container's configuration says so: it is the caller's, or root's. */
int call_trust_config(struct call *k);
/* True if the container's configuration file exists. */
bool call_is_defined(const struct call *k);

/* The lock file, for lock_end. -ETIMEDOUT with err_lock_busy. */
int call_disk_lock(struct call *k);

/* The last error of a handle (with its lock held), or of this thread (NULL). */
const struct err *last_error(struct lxc_container *c);

/* state() as a number; a stranger at the command socket or silence is a failure. */
int call_state(struct call *k, enum lxc_state *ret);

/* The directory of all containers that a caller named: NULL is the configured one, a relative path
 * starts at the working directory; absolute and without trailing slashes (new). */
int lxcpath_resolve(const char *path, char **ret, struct err **e);
/* A handle without loading anything; NULL when memory is out. */
struct handle *handle_new(const char *name, const char *lxcpath);

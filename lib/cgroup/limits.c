/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* limits - writes limits, and reads and writes single files for lxc-cgroup. Runs in the monitor. */
#define LOG_CATEGORY "cgroup"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/table.h"
#include "cgroup/internal.h"

#define FILE_NAME_MAX 128

static const char *file_fault(const char *file)
{
	if (!*file)
		return "it is empty";
	if (strlen(file) > FILE_NAME_MAX)
		return "it is too long";
	if (strstr(file, ".."))
		return "it contains '..'";
	if (*file == '.')
		return "it begins with '.'";
	if (strchr(file, '/'))
		return "it contains '/'";
	for (const char *p = file; *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *p))
			return "it contains a character that no cgroup file has";
	return NULL;
}

int limits_check_file(const char *key, const char *file, struct origin at, struct err **e)
{
	const char *why = file_fault(file);

	return why ? err_at(e, err_cgroup_file_invalid(e, key, why), at) : 0;
}

int limits_not_writable(const struct hierarchy *h, const char *key, struct origin at, struct err **e)
{
	auto_free char *full = layout_path(h, h->base);

	return err_at(e, err_cgroup_not_writable(e, key, full ? full : h->mount, strerrordesc_np(h->why)), at);
}

/* What the user can do about a refusal. */
static const char *remedy(int num)
{
	switch (num) {
	case EBUSY:
		return "give a limit that does not take away what is already used or granted below";
	case EPERM:
	case EACCES:
		return "run as root, or in a cgroup that is delegated to this user";
	case ENODEV:
		return "name a device that exists on this host";
	case ERANGE:
		return "give a value within the range that the file documents";
	default:
		return "give a value in the form and range that the kernel documents for this file";
	}
}

static int refused(const struct limit *l, const char *full, int r, struct err **e)
{
	auto_free char *given = NULL;

	if (r == -ENOENT)
		return err_at(e, err_cgroup_file_unknown(e, l->key, full), l->at);
	if (asprintf(&given, "%s%s%s", l->given, STREQ(l->given, l->value) ? "" : ", written as ",
		     STREQ(l->given, l->value) ? "" : l->value) < 0) {
		given = NULL;
		return err_no_memory(e);
	}
	return err_at(e, err_limit_refused(e, -r, l->key, given, full, strerrordesc_np(-r), remedy(-r)), l->at);
}

static int write_limit(struct cgroups *g, const struct limit *l, struct err **e)
{
	struct hierarchy *h = &g->h.v[l->h];
	auto_free char *dir = h->dir[CG_LIMIT].path ? layout_path(h, dir_at(&h->dir[CG_LIMIT])) : NULL;
	auto_free char *full = dir ? path_join(dir, l->file) : NULL;
	int r = 0;

	if (!full)
		return err_no_memory(e);
	/* A v1 cpuset cannot become smaller than one below it. */
	if (!h->v2 && h->dir[CG_INNER].fd >= 0 && strncmp(l->file, "cpuset.", 7) == 0)
		r = io_write_value(h->dir[CG_INNER].fd, l->file, l->value);
	if (r == 0)
		r = io_write_value(h->dir[CG_LIMIT].fd, l->file, l->value);
	if (r == -ENOENT && l->translated) {
		log_warn(g->log, "%s:%u: %s has no effect: this kernel has no %s", l->at.file ? l->at.file : "-",
			 l->at.line, l->key, l->file);
		return 0;
	}
	return r < 0 ? refused(l, full, r, e) : 0;
}

int cgroup_limits(struct cgroups *g, struct err **e)
{
	int r = 0;

	for (size_t i = 0; i < g->limits.n && r == 0; i++)
		r = write_limit(g, &g->limits.v[i], e);
	return r;
}

/* The hierarchy whose limit cgroup has that file: v2 if it does, else the controller's. */
static struct hierarchy *file_hierarchy(struct cgroups *g, const char *file)
{
	auto_free char *controller = strndup(file, strcspn(file, "."));
	struct hierarchy *h = layout_v2(&g->h);

	if (h && h->dir[CG_LIMIT].fd >= 0 && faccessat(h->dir[CG_LIMIT].fd, file, F_OK, 0) == 0)
		return h;
	h = controller ? layout_find(&g->h, controller) : NULL;
	if (!h && (STREQ(file, "tasks") || (controller && STREQ(controller, "cgroup"))))
		h = dirs_primary(g, NULL);
	return h && h->dir[CG_LIMIT].fd >= 0 ? h : NULL;
}

static int unknown_file(struct cgroups *g, const char *file, struct err **e)
{
	const struct hierarchy *h = dirs_primary(g, NULL);
	auto_free char *full = h ? layout_path(h, dir_at(&h->dir[CG_LIMIT])) : NULL;

	return err_cgroup_file_unknown(e, file, full ? full : "the container's cgroup");
}

int cgroup_get(struct cgroups *g, const char *file, struct buf *b, struct err **e)
{
	auto_close int fd = -EBADF;
	auto_free char *text = NULL;
	struct hierarchy *h;
	size_t len = 0;
	int r = limits_check_file(file, file, (struct origin){ 0 }, e);

	if (r < 0)
		return r;
	h = file_hierarchy(g, file);
	if (!h && strncmp(file, "devices.", 8) == 0)
		return err_set(e, EOPNOTSUPP, NULL, "%s cannot be read: device rules of cgroup v2 are a program",
			       file);
	if (!h)
		return unknown_file(g, file, e);
	fd = openat(h->dir[CG_LIMIT].fd, file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return unknown_file(g, file, e);
	r = fd < 0 ? -errno : io_read_fd(fd, CG_FILE_MAX, &text, &len);
	if (r < 0)
		return err_set(e, -r, NULL, "cannot read cgroup file %s", file);
	buf_add(b, text, len);
	return buf_ok(b) ? 0 : err_no_memory(e);
}

int cgroup_set(struct cgroups *g, const char *file, const char *value, struct err **e)
{
	struct limit l = { .key = (char *)file, .given = (char *)value, .file = (char *)file, .value = (char *)value };
	auto_free char *dir = NULL, *full = NULL;
	struct hierarchy *h;
	int r = limits_check_file(file, file, (struct origin){ 0 }, e);

	if (r < 0)
		return r;
	if (STREQ(file, "devices.allow") || STREQ(file, "devices.deny"))
		return cgroup_device_change(g, STREQ(file, "devices.allow"), value, e);
	h = file_hierarchy(g, file);
	if (!h)
		return unknown_file(g, file, e);
	dir = layout_path(h, dir_at(&h->dir[CG_LIMIT]));
	full = dir ? path_join(dir, file) : NULL;
	if (!full)
		return err_no_memory(e);
	r = io_write_value(h->dir[CG_LIMIT].fd, file, value);
	return r < 0 ? refused(&l, full, r, e) : 0;
}

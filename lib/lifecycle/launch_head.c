/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/launch_head.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"

#define MAGIC "tiffin-launch=1"

static void add(struct buf *b, const char *key, const char *value)
{
	buf_addf(b, "%s=%s", key, value);
	buf_addc(b, '\0');
}

int launch_head_write(const struct launch_head *h, struct buf *b)
{
	static const char *const modes[] = { "start", "explain", "adopt", "restore" };

	buf_add(b, MAGIC, sizeof(MAGIC));
	add(b, "mode", modes[h->mode]);
	add(b, "name", h->name);
	add(b, "lxcpath", h->lxcpath);
	if (h->prog)
		add(b, "prog", h->prog);
	if (h->pidfile)
		add(b, "pidfile", h->pidfile);
	if (h->foreground)
		add(b, "foreground", "1");
	if (h->application)
		add(b, "application", "1");
	if (h->close_fds)
		add(b, "close_fds", "1");
	if (h->quiet)
		add(b, "quiet", "1");
	if (h->timed)
		add(b, "timed", "1");
	if (h->json)
		add(b, "json", "1");
	if (h->status)
		add(b, "status", "1");
	if (h->log_level != LOG_NOTSET)
		add(b, "log", log_level_name(h->log_level));
	for (size_t i = 0; i < h->argv.n; i++)
		add(b, "arg", h->argv.v[i]);
	for (size_t i = 0; i < h->restore.n; i++)
		add(b, "restore", h->restore.v[i]);
	buf_addc(b, '\0');
	return buf_ok(b) ? 0 : -ENOMEM;
}

static int take(struct launch_head *h, const char *key, const char *value)
{
	if (strcmp(key, "mode") == 0)
		h->mode = strcmp(value, "adopt") == 0 ? LAUNCH_ADOPT :
			  strcmp(value, "explain") == 0 ? LAUNCH_EXPLAIN :
			  strcmp(value, "restore") == 0 ? LAUNCH_RESTORE : LAUNCH_START;
	else if (strcmp(key, "name") == 0)
		return str_set(&h->name, value);
	else if (strcmp(key, "lxcpath") == 0)
		return str_set(&h->lxcpath, value);
	else if (strcmp(key, "prog") == 0)
		return str_set(&h->prog, value);
	else if (strcmp(key, "pidfile") == 0)
		return str_set(&h->pidfile, value);
	else if (strcmp(key, "foreground") == 0)
		h->foreground = true;
	else if (strcmp(key, "application") == 0)
		h->application = true;
	else if (strcmp(key, "close_fds") == 0)
		h->close_fds = true;
	else if (strcmp(key, "quiet") == 0)
		h->quiet = true;
	else if (strcmp(key, "timed") == 0)
		h->timed = true;
	else if (strcmp(key, "json") == 0)
		h->json = true;
	else if (strcmp(key, "status") == 0)
		h->status = true;
	else if (strcmp(key, "log") == 0)
		return log_level_parse(value, &h->log_level);
	else if (strcmp(key, "arg") == 0)
		return strv_add(&h->argv, value);
	else if (strcmp(key, "restore") == 0)
		return strv_add(&h->restore, value);
	return 0;
}

int launch_head_read(const char *text, size_t len, struct launch_head *ret, const char **ret_body,
		     struct err **e)
{
	const char *p = text, *end = text + len;
	struct launch_head h = { .log_level = LOG_NOTSET };

	if (len < sizeof(MAGIC) || memcmp(p, MAGIC, sizeof(MAGIC)) != 0)
		return err_set(e, EINVAL, NULL, "the launch data is not from this version of the library");
	for (p += sizeof(MAGIC); p < end && *p;) {
		const char *nul = memchr(p, '\0', (size_t)(end - p)), *eq = nul ? strchr(p, '=') : NULL;
		char key[16];

		if (!eq || (size_t)(eq - p) >= sizeof(key)) {
			launch_head_done(&h);
			return err_set(e, EINVAL, NULL, "the launch data is damaged");
		}
		memcpy(key, p, (size_t)(eq - p));
		key[eq - p] = '\0';
		if (take(&h, key, eq + 1) < 0) {
			launch_head_done(&h);
			return err_no_memory(e);
		}
		p = nul + 1;
	}
	if (p >= end || !h.name || !h.lxcpath) {
		launch_head_done(&h);
		return err_set(e, EINVAL, NULL, "the launch data is damaged");
	}
	*ret = h;
	*ret_body = p + 1;
	return 0;
}

void launch_head_done(struct launch_head *h)
{
	free(h->prog);
	free(h->pidfile);
	free(h->name);
	free(h->lxcpath);
	strv_done(&h->argv);
	strv_done(&h->restore);
	*h = (struct launch_head){ 0 };
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_report - what is told beyond LXC's interface: errors as text and JSON, how the last run ended, state changes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "globals.h"
#include "handle.h"
#include "lxc/lxcext.h"

#define JSON_MAX (1U << 20)

/* With the handle's lock held around it. */
static char *with_error(struct lxc_container *c, char *(*fn)(const struct err *, bool), bool verbose)
{
	char *r;

	if (c)
		handle_lock(handle_of(c));
	r = last_error(c) ? fn(last_error(c), verbose) : NULL;
	if (c)
		handle_unlock(handle_of(c));
	return r;
}

static char *as_text(const struct err *e, bool verbose)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	err_print(f, NULL, e, verbose);
	return fclose(f) == 0 ? text : NULL;
}

static char *as_json(const struct err *e, bool verbose)
{
	auto_buf struct buf b = BUF_INIT(JSON_MAX);
	auto_free char *line = err_line(e);
	struct json j = JSON_INIT(&b);

	json_object(&j, NULL);
	json_u64(&j, "version", 1);
	json_string(&j, "message", line);
	json_string(&j, "id", err_id(e));
	json_string(&j, "remedy", err_remedy(e));
	json_array(&j, "chain");
	for (; e; e = e->cause) {
		json_object(&j, NULL);
		json_string(&j, "what", e->what);
		json_string(&j, "where", *e->where ? e->where : NULL);
		json_string(&j, "hint", *e->hint ? e->hint : NULL);
		json_string(&j, "id", *e->id ? e->id : NULL);
		json_string(&j, "who", *e->who ? e->who : NULL);
		json_i64(&j, "errno", e->num);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	return buf_ok(&b) ? buf_take(&b) : NULL;
}

attr_public char *lxcext_error_text(struct lxc_container *c, bool verbose)
{
	return with_error(c, as_text, verbose);
}

attr_public char *lxcext_error_json(struct lxc_container *c)
{
	return with_error(c, as_json, false);
}

/* "request UID PID COMMAND" of the state file. */
static void take_stopper(const char *text, struct lxcext_end *ret)
{
	const char *uid_at = strchr(text, ' '), *pid_at, *rest;
	uint64_t uid, pid;

	if (!uid_at || num_prefix(uid_at + 1, 10, UINT32_MAX, &uid, &pid_at) < 0 || *pid_at != ' ' ||
	    num_prefix(pid_at + 1, 10, INT32_MAX, &pid, &rest) < 0)
		return;
	ret->by = str_after(text, "signal ") ? LXCEXT_END_SIGNAL : LXCEXT_END_REQUEST;
	ret->uid = (uid_t)uid;
	ret->pid = (pid_t)pid;
	if (*rest == ' ')
		(void)snprintf(ret->command, sizeof(ret->command), "%.*s", (int)strcspn(rest + 1, "\n"), rest + 1);
}

attr_public int lxcext_last_end(struct lxc_container *c, struct lxcext_end *ret, size_t size)
{
	struct lxcext_end end = { .status = -1, .by = LXCEXT_END_UNKNOWN, .pid = -1 };
	struct instance i = { .exit_status = -1 };
	struct call k;
	int r;

	if (!ret || !call_begin(&k, c))
		return -EINVAL;
	r = client_instance(&k.target, &i, &k.e);
	if (r == 0) {
		end.status = i.exit_status;
		end.oom_kills = i.oom_kills;
		if (i.stopper)
			take_stopper(i.stopper, &end);
		else if (i.exit_status >= 0)
			end.by = LXCEXT_END_ITSELF;
		memcpy(ret, &end, MIN(size, sizeof(end)));
	}
	instance_done(&i);
	return call_drop(&k, r);
}

attr_public int lxcext_state_fd(struct lxc_container *c)
{
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return -EBADF;
	r = client_watch(&k.target, &k.e);
	return call_end(&k, r, "cannot watch %s", k.name);
}

attr_public const char *lxcext_state_read(struct lxc_container *c, int fd)
{
	if (!c)
		return NULL;
	/* Emptied first: a change from here on makes it readable again. */
	client_watch_drain(fd);
	return c->state(c);
}

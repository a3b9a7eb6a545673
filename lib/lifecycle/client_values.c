/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* client_values - cgroup files and configuration keys of a running container, where LXC's own monitors run it, too. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "kernel/socket.h"
#include "lifecycle/client_call.h"
#include "lifecycle/foreign.h"

#define HOLD_AGAIN_MS 20

static int ask_many(const struct target *t, const char *const *names, size_t n, char **values, struct err **e)
{
	auto_buf struct buf data = BUF_INIT(CMD_DATA_MAX);
	const char *p, *end;
	struct call_reply r;
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		buf_add(&data, names[i], strlen(names[i]) + 1);
	if (!buf_ok(&data) || n > CMD_MANY_MAX)
		return err_set(e, E2BIG, NULL, "too much is asked of the monitor at once");
	rc = client_call(t, CMD_GET_MANY, 0, data.p, data.len, &r, e);
	if (rc < 0)
		return rc;
	p = r.data;
	end = p + r.head.len;
	for (size_t i = 0; i < n; i++)
		values[i] = NULL;
	for (size_t i = 0; i < n && rc == 0; i++) {
		int32_t len = -1;

		if ((size_t)(end - p) < sizeof(len))
			break;
		memcpy(&len, p, sizeof(len));
		p += sizeof(len);
		if (len < 0)
			continue;
		if (len > end - p)
			break;
		values[i] = strndup(p, (size_t)len);
		if (!values[i])
			rc = err_no_memory(e);
		p += len;
	}
	call_reply_done(&r);
	for (size_t i = 0; i < n && rc < 0; i++)
		free(take_ptr(values[i]));
	return rc;
}

/* True: the monitor has no such command, and is LXC's own. Then what it said is forgotten. */
static bool is_foreign(const struct target *t, int r, struct err **mine)
{
	if ((r != -ENOSYS && r != -ENOENT) || client_is_recorded(t))
		return false;
	err_free(take_ptr(*mine));
	return true;
}

/* What is left to tell of a failed call. */
static int tell_failure(int r, struct err **e, struct err *mine)
{
	if (r < 0)
		err_move(e, mine);
	return r;
}

int client_get_many(const struct target *t, const char *const *names, size_t n, char **values, struct err **e)
{
	struct err *mine = NULL;
	int r = ask_many(t, names, n, values, &mine);

	return is_foreign(t, r, &mine) ? foreign_get_many(t, names, n, values, e) : tell_failure(r, e, mine);
}

int client_cgroup_path(const struct target *t, const char *controller, bool limit, char **ret, struct err **e)
{
	struct call_reply r;
	int rc = client_call(t, limit ? CMD_GET_LIMIT_CGROUP : CMD_GET_CGROUP, 0, controller,
		      controller ? strlen(controller) + 1 : 0, &r, e);

	if (rc < 0)
		return rc;
	*ret = take_ptr(r.data);
	call_reply_done(&r);
	return 0;
}

int client_config_item(const struct target *t, const char *key, char **ret, struct err **e)
{
	struct call_reply r;
	int rc = client_call(t, CMD_GET_CONFIG_ITEM, 0, key, strlen(key) + 1, &r, e);

	if (rc < 0)
		return rc;
	if (!r.head.len) {
		call_reply_done(&r);
		return err_set(e, ENOENT, NULL, "%s is not set in the running configuration of %s", key, t->name);
	}
	*ret = take_ptr(r.data);
	call_reply_done(&r);
	return 0;
}

/* The chain of a call that took too long, or mine. */
static int tell_freeze(const struct target *t, int rc, bool frozen, struct err **e, struct err *mine)
{
	if (rc == -EOPNOTSUPP && !*err_id(mine)) {
		err_free(mine);
		return err_freeze_impossible(e, t->name, t->lxcpath);
	}
	if (rc == -ETIMEDOUT && !err_is(mine, "monitor-silent")) {
		err_free(mine);
		return err_freeze_timeout(e, frozen ? "frozen" : "thawed");
	}
	err_move(e, mine);
	return rc;
}

int client_freeze(const struct target *t, bool frozen, struct err **e)
{
	struct target longer = *t;
	struct err *mine = NULL;
	struct call_reply r;
	int rc;

	if (!longer.timeout_ms)
		longer.timeout_ms = 3 * CLIENT_TIMEOUT_MS;
	rc = client_call(&longer, frozen ? CMD_FREEZE : CMD_UNFREEZE, 0, NULL, 0, &r, &mine);
	if (is_foreign(t, rc, &mine))
		return foreign_freeze(t, frozen, e);
	if (rc < 0)
		return tell_freeze(t, rc, frozen, e, mine);
	call_reply_done(&r);
	return 0;
}

/* 0: asked, and *ret is the connection, or -EBADF where it was frozen already. */
static int try_hold(const struct target *t, int *ret, struct err **e)
{
	struct call_reply r;
	auto_close int fd = client_exchange(t, CMD_HOLD, 0, NULL, 0, &r, e);

	if (fd < 0)
		return fd;
	if (r.head.ret < 0)
		return client_refused(t, &r, e);
	*ret = r.head.value ? take_fd(&fd) : -EBADF;
	call_reply_done(&r);
	return 0;
}

/* The container is not at its begin or end: another freeze or thaw keeps its monitor busy. */
static bool is_under_way(const struct err *mine)
{
	return !err_is(mine, "container-starting") && !err_is(mine, "container-ending");
}

int client_hold_frozen(const struct target *t, struct freeze_hold *ret, struct err **e)
{
	struct target longer = *t;
	struct err *mine = NULL;
	int rc;

	*ret = FREEZE_HOLD_INIT;
	if (!longer.timeout_ms)
		longer.timeout_ms = 3 * CLIENT_TIMEOUT_MS;
	rc = try_hold(&longer, &ret->fd, &mine);
	for (int left = longer.timeout_ms; rc == -EBUSY && is_under_way(mine) && left > 0; left -= HOLD_AGAIN_MS) {
		err_free(take_ptr(mine));
		(void)poll(NULL, 0, HOLD_AGAIN_MS);
		rc = try_hold(&longer, &ret->fd, &mine);
	}
	if (rc == 0)
		return 0;
	if (rc != -ENOSYS)
		return tell_freeze(t, rc, true, e, mine);
	/* A monitor that has no such thing: of LXC, or one that was started before. */
	err_free(mine);
	rc = client_freeze(t, true, e);
	ret->by_hand = rc == 0;
	return rc;
}

int client_let_go(const struct target *t, struct freeze_hold *h, struct err **e)
{
	auto_close int fd = h->fd;
	bool by_hand = h->by_hand;
	char byte;

	*h = FREEZE_HOLD_INIT;
	if (fd >= 0 && recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) == 0)
		by_hand = true; /* that monitor has died: the next one knows of nobody who held it */
	if (by_hand)
		return client_freeze(t, false, e);
	if (fd < 0)
		return 0;
	/* It hangs up once it has thawed the container. */
	(void)shutdown(fd, SHUT_WR);
	(void)socket_recv(fd, &byte, sizeof(byte), NULL, 0, NULL, client_timeout(t));
	return 0;
}

int client_cgroup_get(const struct target *t, const char *file, struct buf *b, struct err **e)
{
	struct err *mine = NULL;
	struct call_reply r;
	int rc = client_call(t, CMD_CGROUP_GET, 0, file, strlen(file) + 1, &r, &mine);

	if (is_foreign(t, rc, &mine))
		return foreign_cgroup_get(t, file, b, e);
	if (rc < 0)
		return tell_failure(rc, e, mine);
	buf_add(b, r.data, (size_t)r.head.len);
	call_reply_done(&r);
	return buf_ok(b) ? 0 : err_no_memory(e);
}

int client_cgroup_set(const struct target *t, const char *file, const char *value, struct err **e)
{
	auto_buf struct buf data = BUF_INIT(CMD_DATA_MAX);
	struct err *mine = NULL;
	struct call_reply r;
	int rc;

	buf_add(&data, file, strlen(file) + 1);
	buf_add(&data, value, strlen(value) + 1);
	if (!buf_ok(&data))
		return err_set(e, E2BIG, NULL, "the value for %s is too long", file);
	rc = client_call(t, CMD_CGROUP_SET, 0, data.p, data.len, &r, &mine);
	if (is_foreign(t, rc, &mine))
		return foreign_cgroup_set(t, file, value, e);
	if (rc == 0)
		call_reply_done(&r);
	return tell_failure(rc, e, mine);
}

int client_cgroup_attach(const struct target *t, pid_t pid, struct err **e)
{
	struct call_reply r;
	int rc = client_call(t, CMD_CGROUP_ATTACH, PTR_FROM_INT(pid), NULL, 0, &r, e);

	if (rc == 0)
		call_reply_done(&r);
	return rc;
}

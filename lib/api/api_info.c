/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_info - what a container is doing: state, init, interfaces, addresses, cgroup files. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "handle.h"
#include "inside.h"
#include "lxc/lxcext.h"
#include "network/network.h"
#include "vtable.h"

#define CGROUP_FILE_MAX (4U << 20)

/* What LXC's state() says when the monitor cannot be understood. */
#define STATE_INVALID "INVALID STATE"
#define STATE_STUCK "STUCK"

const char *api_state(struct lxc_container *c)
{
	enum lxc_state state = STATE_STOPPED;
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return NULL;
	r = call_state(&k, &state);
	if (call_end(&k, r, "cannot find out the state of %s", k.name) < 0)
		return STATE_INVALID;
	return state_name((int)state) ? state_name((int)state) : STATE_INVALID;
}

/* Ends the call of one container of many. Its name as a word. */
static const char *end_look(struct call *k, struct client_look *look)
{
	const char *word = look->r == 0 ? state_name((int)look->state) : look->r == -ETIMEDOUT ? STATE_STUCK : STATE_INVALID;

	k->e = take_ptr(look->e);
	(void)call_end(k, look->r, "cannot find out the state of %s", k->name);
	return word;
}

attr_public int lxcext_states(struct lxc_container *const *c, size_t n, int timeout_ms, const char **ret)
{
	auto_free struct client_look *looks = calloc(n ? n : 1, sizeof(*looks));
	auto_free struct call *calls = calloc(n ? n : 1, sizeof(*calls));
	size_t begun = 0;

	if (!looks || !calls)
		return -ENOMEM;
	if (!c || !ret || timeout_ms <= 0)
		return -EINVAL;
	while (begun < n && call_begin(&calls[begun], c[begun])) {
		looks[begun].target = calls[begun].target;
		begun++;
	}
	if (begun < n) {
		while (begun)
			(void)call_drop(&calls[--begun], 0);
		return -ENOMEM;
	}
	client_states(looks, n, timeout_ms);
	for (size_t i = 0; i < n; i++)
		ret[i] = end_look(&calls[i], &looks[i]);
	return 0;
}

bool api_is_running(struct lxc_container *c)
{
	const char *state = api_state(c);

	return state && !STREQ(state, "STOPPED");
}

pid_t api_init_pid(struct lxc_container *c)
{
	pid_t pid = -1;
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return -1;
	r = client_init_pid(&k.target, &pid, &k.e);
	return call_end(&k, r, "cannot find the init of %s", k.name) < 0 ? -1 : pid;
}

static int get_fd(struct lxc_container *c, int (*fn)(const struct target *, struct err **), const char *what)
{
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return -EBADF;
	r = fn(&k.target, &k.e);
	return call_end(&k, r, "cannot get %s of %s", what, k.name);
}

int api_init_pidfd(struct lxc_container *c)
{
	return get_fd(c, client_init_pidfd, "a pidfd of the init");
}

int api_devpts_fd(struct lxc_container *c)
{
	return get_fd(c, client_devpts_fd, "the devpts");
}

int api_seccomp_notify_fd_active(struct lxc_container *c)
{
	return get_fd(c, client_seccomp_fd, "the seccomp descriptor");
}

/* The monitor is a process of its own and keeps the descriptor: a handle never has one. */
int api_seccomp_notify_fd(struct lxc_container *c)
{
	bool has;

	if (!c)
		return -EBADF;
	handle_lock(handle_of(c));
	has = handle_conf(handle_of(c));
	handle_unlock(handle_of(c));
	return has ? -EBADF : -1;
}

bool api_may_control(struct lxc_container *c)
{
	enum lxc_state state;
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return false;
	r = call_state(&k, &state);
	/* Silence is kept as a failure, so that the reason can be told. */
	if (r != -EPERM && r != -EACCES && r != -ETIMEDOUT)
		return call_drop(&k, 0) == 0;
	return call_end(&k, r, "cannot control %s", k.name) == 0;
}

static int open_netns(struct call *k)
{
	auto_inside struct inside in = INSIDE_INIT;
	int r = inside_open(k, &in);

	return r < 0 ? r : inside_ns(k, &in, NS_NET);
}

char **api_get_interfaces(struct lxc_container *c)
{
	auto_strv struct strv names = { 0 };
	auto_close int ns = -EBADF;
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return NULL;
	ns = open_netns(&k);
	r = ns < 0 ? ns : net_list_interfaces(ns, &names, &k.e);
	if (call_end(&k, r, "cannot list the interfaces of %s", k.name) < 0 || !names.n)
		return NULL;
	strv_sort(&names);
	return strv_take(&names);
}

char **api_get_ips(struct lxc_container *c, const char *interface, const char *family, int scope)
{
	int af = AF_UNSPEC;
	auto_strv struct strv addrs = { 0 };
	auto_close int ns = -EBADF;
	struct call k;
	int r = 0;

	if (!call_begin(&k, c))
		return NULL;
	if (family && STREQ(family, "inet"))
		af = AF_INET;
	else if (family && STREQ(family, "inet6"))
		af = AF_INET6;
	else if (family)
		r = err_set(&k.e, EINVAL, "family-unknown", "address family '%s' is neither inet nor inet6",
			    family);
	if (r == 0) {
		ns = open_netns(&k);
		r = ns < 0 ? ns : net_list_addresses(ns, interface, af, scope, &addrs, &k.e);
	}
	if (call_end(&k, r, "cannot list the addresses of %s", k.name) < 0 || !addrs.n)
		return NULL;
	strv_sort(&addrs);
	return strv_take(&addrs);
}

int api_get_cgroup_item(struct lxc_container *c, const char *subsys, char *retv, int inlen)
{
	auto_buf struct buf b = BUF_INIT(CGROUP_FILE_MAX);
	struct call k;
	size_t n;
	int r;

	if (!subsys || !call_begin(&k, c))
		return -1;
	r = client_cgroup_get(&k.target, subsys, &b, &k.e);
	/* After the question whether it runs at all, as in LXC. */
	if (r >= 0 && !retv != (inlen <= 0))
		r = err_set(&k.e, EINVAL, NULL, "a buffer and its size go together");
	if (r >= 0 && !buf_ok(&b))
		r = err_no_memory(&k.e);
	if (r < 0) {
		bool stopped = r == -ECONNREFUSED;

		r = call_end(&k, r, "cannot read %s of %s", subsys, k.name);
		return stopped ? -1 : r;
	}
	(void)call_end(&k, 0, NULL);
	if (!retv)
		return (int)b.len;
	n = MIN(b.len, (size_t)inlen);
	memcpy(retv, buf_str(&b), n);
	if (n < (size_t)inlen)
		retv[n] = '\0';
	return (int)n;
}

attr_public int lxcext_facts(struct lxc_container *c, const char *const *names, size_t n, char **values)
{
	struct call k;
	int r;

	if (!names || !values || !call_begin(&k, c))
		return -EINVAL;
	r = client_get_many(&k.target, names, n, values, &k.e);
	return call_end(&k, r, "cannot read what %s uses", k.name);
}

static void put_view(struct call *k, struct client_view *view)
{
	struct client_view *old;

	handle_lock(k->h);
	old = k->h->view;
	k->h->view = view;
	handle_unlock(k->h);
	client_view_free(old);
}

attr_public int lxcext_keep_state(struct lxc_container *c, bool keep)
{
	struct client_view *view;
	struct call k;

	if (!call_begin(&k, c))
		return -EINVAL;
	view = keep ? client_view_new(&k.target) : NULL;
	put_view(&k, view);
	if (keep && !view)
		return call_end(&k, err_no_memory(&k.e), "cannot look at the state of %s", k.name);
	return call_end(&k, 0, NULL);
}

attr_public int lxcext_keep_states(struct lxc_container *const *c, size_t n)
{
	auto_free const struct target **targets = calloc(n + 1, sizeof(*targets));
	auto_free struct client_view **views = calloc(n + 1, sizeof(*views));
	auto_free struct call *calls = calloc(n + 1, sizeof(*calls));
	size_t begun = 0;
	int r = 0;

	if (!c || !targets || !views || !calls)
		return c ? -ENOMEM : -EINVAL;
	for (; begun < n && call_begin(&calls[begun], c[begun]); begun++)
		targets[begun] = &calls[begun].target;
	if (begun == n)
		client_views_new(targets, n, views);
	for (size_t i = 0; i < begun; i++) {
		if (begun == n)
			put_view(&calls[i], views[i]);
		r = views[i] ? r : -ENOMEM;
		(void)call_drop(&calls[i], 0);
	}
	return begun < n ? -ENOMEM : r;
}

bool api_set_cgroup_item(struct lxc_container *c, const char *subsys, const char *value)
{
	struct call k;
	int r;

	if (!subsys || !value || !call_begin(&k, c))
		return false;
	if (!*subsys || !*value)
		r = err_set(&k.e, EINVAL, NULL, "a file and a value are needed");
	else
		r = client_cgroup_set(&k.target, subsys, value, &k.e);
	return call_end(&k, r, "cannot set %s of %s", subsys, k.name) == 0;
}

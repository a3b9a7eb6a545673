/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_ready - waiting until a running container can do what it is there for. The library has no thread and no handler
 * in its caller's process: it looks, and looks again. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/str.h"
#include "handle.h"
#include "inside.h"
#include "kernel/proc.h"
#include "lxc/lxcext.h"
#include "network/network.h"

#define LOOK_MS 100
#define LISTENING 0x0a		/* state column of /proc/net/tcp */

/* 1: ready; 0: not yet; -errno with the reason: never. */
typedef int (*ready_fn)(struct call *k, const char *argument);

/* An address that reaches beyond the link, on anything but lo. */
static int network_ready(struct call *k, const char *argument)
{
	auto_inside struct inside in = INSIDE_INIT;
	auto_strv struct strv addresses = { 0 };
	auto_close int ns = -EBADF;
	int r = inside_open(k, &in);

	if (r == 0)
		r = ns = inside_ns(k, &in, NS_NET);
	if (r >= 0)
		r = net_list_addresses(ns, NULL, AF_UNSPEC, 0, &addresses, &k->e);
	return r < 0 ? r : addresses.n > 0;
}

static int is_listening(pid_t pid, const char *table, unsigned port)
{
	char path[64];
	auto_fclose FILE *f = NULL;
	auto_free char *line = NULL;
	size_t size = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/net/%s", pid, table);
	f = fopen(path, "re");
	while (f && getline(&line, &size, f) > 0) {
		/* "  0: ADDRESS:PORT ADDRESS:PORT STATE ..." */
		char *word, *save = line, *at;
		uint64_t local = 0, state = 0;
		const char *rest;

		for (unsigned i = 0; i < 4 && (word = strsep(&save, " "));) {
			if (!*word)
				continue;
			at = i == 1 ? strrchr(word, ':') : NULL;
			if (at)
				(void)num_prefix(at + 1, 16, UINT16_MAX, &local, &rest);
			if (i == 3)
				(void)num_prefix(word, 16, UINT8_MAX, &state, &rest);
			i++;
		}
		if (local == port && state == LISTENING)
			return 1;
	}
	return 0;
}

static int port_ready(struct call *k, const char *argument)
{
	auto_inside struct inside in = INSIDE_INIT;
	uint64_t port;
	int r;

	if (num_u64(argument, 10, 65535, &port) < 0 || port == 0)
		return err_set(&k->e, EINVAL, "ready-condition-bad", "'%s' is no port", argument);
	r = inside_open(k, &in);
	return r < 0 ? r : is_listening(in.pid, "tcp", (unsigned)port) || is_listening(in.pid, "tcp6", (unsigned)port);
}

static int run_quietly(struct call *k, const char *const argv[], int *ret_code)
{
	auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	lxc_attach_options_t o = LXC_ATTACH_OPTIONS_DEFAULT;
	int status;

	if (null < 0)
		return err_set(&k->e, errno, NULL, "cannot open /dev/null");
	o.stdin_fd = o.stdout_fd = o.stderr_fd = null;
	o.env_policy = LXC_ATTACH_CLEAR_ENV;
	status = k->c->attach_run_wait(k->c, &o, argv[0], argv);
	if (status < 0)
		return err_not_running(&k->e, k->name, k->lxcpath);
	*ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 0;
}

static int command_ready(struct call *k, const char *argument)
{
	const char *const argv[] = { "/bin/sh", "-c", argument, NULL };
	int code, r = run_quietly(k, argv, &code);

	return r < 0 ? r : code == 0;
}

/* By its program, or by the name that it gives itself: before it has one it has that of /sbin/init, and whose program it is an
 * ordinary user may not be told. */
static bool is_systemd(pid_t pid, char name[static 64])
{
	char path[64], exe[PATH_MAX];
	ssize_t n;

	if (proc_status_field(pid, "Name", name, 64) < 0)
		*name = '\0';
	if (STREQ(str_trim(name), "systemd"))
		return true;
	(void)snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	exe[MAX(n, 0)] = '\0';
	return str_ends(exe, "/systemd");
}

/* What the container's init says of itself. systemd knows when it has started what it should; others do not say. */
static int init_ready(struct call *k, const char *argument)
{
	static const char *const argv[] = { "systemctl", "is-system-running", "--quiet", NULL };
	char name[64] = "";
	pid_t pid;
	int code, r = client_init_pid(&k->target, &pid, &k->e);

	if (r < 0)
		return r;
	if (!is_systemd(pid, name))
		return err_set(&k->e, ENOTSUP, "init-not-telling", "the init of %s (%s) does not tell when it is ready",
			       k->name, name);
	r = run_quietly(k, argv, &code);
	if (r < 0 || code == 0)
		return r < 0 ? r : 1;
	/* A unit that failed does not make the system less started. */
	const char *const degraded[] = { "/bin/sh", "-c", "test \"$(systemctl is-system-running)\" = degraded", NULL };

	r = run_quietly(k, degraded, &code);
	return r < 0 ? r : code == 0;
}

static const struct {
	const char *prefix;
	ready_fn fn;
} conditions[] = {
	{ "network", network_ready },
	{ "init", init_ready },
	{ "port:", port_ready },
	{ "command:", command_ready },
};

static ready_fn find_condition(const char *what, const char **ret_argument)
{
	for (size_t i = 0; i < ARRAY_SIZE(conditions); i++) {
		const char *rest = str_after(what, conditions[i].prefix);

		if (!rest || (!str_ends(conditions[i].prefix, ":") && *rest) || (str_ends(conditions[i].prefix, ":") && !*rest))
			continue;
		*ret_argument = rest;
		return conditions[i].fn;
	}
	return NULL;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000U + (uint64_t)t.tv_nsec / 1000000U;
}

static int wait_until(struct call *k, ready_fn fn, const char *what, const char *argument, int timeout)
{
	const struct timespec pause = { 0, LOOK_MS * 1000000L };
	uint64_t begun = now_ms();
	int r;

	while ((r = fn(k, argument)) == 0) {
		if (timeout >= 0 && now_ms() - begun >= (uint64_t)timeout * 1000U)
			return err_set(&k->e, ETIMEDOUT, "ready-timeout", "%s: %s was not ready within %d seconds", k->name, what,
				       timeout);
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
	return r < 0 ? r : 0;
}

attr_public int lxcext_wait_ready(struct lxc_container *c, const char *what, int timeout)
{
	const char *argument = NULL;
	ready_fn fn = what ? find_condition(what, &argument) : NULL;
	struct call k;
	int r;

	if (!what || !call_begin(&k, c))
		return -EINVAL;
	if (fn)
		r = wait_until(&k, fn, what, argument, timeout);
	else
		r = err_set(&k.e, EINVAL, "ready-condition-bad",
			    "'%s' is none of network, init, port:NUMBER and command:COMMAND", what);
	return call_end(&k, r, "cannot wait for %s", k.name);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_run - the life of a container that runs, as a client sees it: stop, shutdown, reboot, freeze, wait. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ask_init.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/num.h"
#include "base/str.h"
#include "handle.h"
#include "kernel/proc.h"
#include "kernel/signal.h"
#include "vtable.h"

/* A container that does not run has no monitor that could tell when it does: it is asked for this often. */
#define NOT_RUNNING_POLL_MS 100
/* How long a shutdown that nobody waits for is still what is wanted. */
#define SHUTDOWN_UNWAITED_MS 60000
#define INIT_NAME_SYSTEMD "systemd"

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000U + (uint64_t)t.tv_nsec / 1000000U;
}

static int seconds_to_ms(int s)
{
	return s < 0 ? -1 : s > INT_MAX / 1000 ? INT_MAX : s * 1000;
}

attr_public int lxcext_last_exit(struct lxc_container *c, int *ret_status, char **ret_error)
{
	struct instance i = { .exit_status = -1 };
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return -EINVAL;
	r = client_instance(&k.target, &i, &k.e);
	if (r == 0 && ret_status)
		*ret_status = i.exit_status;
	if (r == 0 && ret_error)
		*ret_error = take_ptr(i.last_error);
	instance_done(&i);
	return call_drop(&k, r);
}

bool api_stop(struct lxc_container *c)
{
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return false;
	r = client_stop(&k.target, &k.e);
	return call_end(&k, r, "cannot stop %s", k.name) == 0;
}

/* A signal of the configuration: the handle's, else the running one's (the file may not load any
 * more, or the handle may be empty). 0: not configured. */
static int configured_signal(struct call *k, const char *key, size_t field)
{
	auto_free char *text = NULL;
	int64_t sig = 0;
	int n;

	handle_lock(k->h);
	if (handle_conf(k->h))
		sig = ((const struct conf_num *)(const void *)((const char *)handle_conf(k->h) + field))->v;
	handle_unlock(k->h);
	if (sig > 0)
		return (int)sig;
	if (client_config_item(&k->target, key, &text, NULL) < 0 || !text || !*text)
		return 0;
	return signal_parse(text, &n) == 0 ? n : 0;
}

/* True if bit sig of a mask in /proc/PID/status is set. */
static bool status_mask_has(pid_t pid, const char *field, int sig)
{
	uint64_t mask;
	char text[64];

	if (proc_status_field(pid, field, text, sizeof(text)) < 0)
		return false;
	return num_u64(str_trim(text), 16, UINT64_MAX, &mask) == 0 && mask >> (sig - 1) & 1;
}

/* systemd halts on SIGRTMIN+3, which it keeps blocked for its signalfd; whoever catches that signal
 * knows what it means, too. The mask shows nothing while an init sits in sigtimedwait(), so the
 * name counts as well. */
static int default_halt_signal(struct call *k, int *ret)
{
	int halt = SIGRTMIN + 3, r;
	char name[64] = "";
	pid_t pid;

	r = client_init_pid(&k->target, &pid, &k->e);
	if (r < 0)
		return r;
	if (proc_status_field(pid, "Name", name, sizeof(name)) < 0)
		name[0] = '\0';
	if (status_mask_has(pid, "SigBlk", halt) || status_mask_has(pid, "SigCgt", halt) ||
	    STREQ(str_trim(name), INIT_NAME_SYSTEMD))
		*ret = halt;
	else
		*ret = SIGPWR;
	return 0;
}

/* Asks init to halt: as the configuration says, else as it is known to want it. */
static int ask_to_halt(struct call *k)
{
	int sig = configured_signal(k, "lxc.signal.halt", offsetof(struct conf, signal_halt)), r;

	if (sig == 0) {
		r = default_halt_signal(k, &sig);
		if (r < 0 || (sig == SIGPWR && ask_init(k, false)))
			return r;
	}
	return client_signal(&k->target, sig, &k->e);
}

static int ask_to_reboot(struct call *k)
{
	int sig = configured_signal(k, "lxc.signal.reboot", offsetof(struct conf, signal_reboot));

	client_note_shutdown(&k->target, 0);
	if (sig == 0 && ask_init(k, true))
		return 0;
	return client_signal(&k->target, sig > 0 ? sig : SIGINT, &k->e);
}

/* Failed because init has ended, or the start is being called off: the hooks of the end may take their time. */
static bool is_between(const struct call *k, int r)
{
	return r == -ESRCH || err_is(k->e, "container-ending") || err_is(k->e, "container-starting");
}

/* A frozen init cannot do what it is asked. */
static void thaw(struct call *k, enum lxc_state before)
{
	auto_err struct err *e = NULL;

	if (before == STATE_FROZEN || before == STATE_FREEZING)
		(void)client_freeze(&k->target, false, &e);
}

static int shutdown_and_wait(struct call *k, int timeout)
{
	enum lxc_state state, before;
	auto_close int fd = -EBADF;
	int r;

	r = call_state(k, &before);
	if (r < 0 || before == STATE_STOPPED)
		return r;
	/* Registered first: the end must not fall between the signal and the wait. */
	if (timeout != 0)
		r = client_subscribe(&k->target, 1U << STATE_STOPPED, false, &state, &fd, &k->e);
	if (r == 0 && timeout != 0 && fd < 0)
		return 0;
	if (r == 0) {
		client_note_shutdown(&k->target, timeout > 0 ? (unsigned)seconds_to_ms(timeout) :
								timeout < 0 ? UINT_MAX : SHUTDOWN_UNWAITED_MS);
		r = ask_to_halt(k);
	}
	if (r == 0)
		thaw(k, before);
	/* Its monitor tells when it has ended. */
	if (r == -ECONNREFUSED && fd >= 0) {
		err_free(take_ptr(k->e));
		r = 0;
	}
	if (r == -ECONNREFUSED) {
		/* It stopped meanwhile, which is what was wanted. */
		err_free(take_ptr(k->e));
		return 0;
	}
	if (r < 0 && is_between(k, r)) {
		err_free(take_ptr(k->e));
		r = 0;
	}
	if (r < 0 || timeout == 0)
		return r;
	r = client_wait_fd(fd, seconds_to_ms(timeout), &state);
	if (r == -ETIMEDOUT)
		return err_shutdown_timeout(&k->e, k->name, k->lxcpath, timeout);
	return r < 0 ? err_set(&k->e, -r, NULL, "cannot wait for the end of %s", k->name) : 0;
}

bool api_shutdown(struct lxc_container *c, int timeout)
{
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return false;
	r = shutdown_and_wait(&k, timeout);
	return call_end(&k, r, "cannot shut down %s", k.name) == 0;
}

bool api_reboot(struct lxc_container *c)
{
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return false;
	r = ask_to_reboot(&k);
	return call_end(&k, r, "cannot reboot %s", k.name) == 0;
}

static int reboot_and_wait(struct call *k, int timeout)
{
	auto_close int fd = -EBADF;
	enum lxc_state state, before;
	int r = call_state(k, &before);

	if (r < 0 || before == STATE_STOPPED)
		return r;
	/* To be back is to run again, and not to be thawed. */
	thaw(k, before);
	if (timeout != 0)
		r = client_subscribe(&k->target, 1U << STATE_RUNNING, true, &state, &fd, &k->e);
	if (r == 0)
		r = ask_to_reboot(k);
	/* It may be rebooting already. */
	if (timeout != 0 && r < 0 && (r == -ESRCH || err_is(k->e, "container-ending"))) {
		err_free(take_ptr(k->e));
		r = 0;
	}
	if (r < 0 || timeout == 0)
		return r;
	r = client_wait_fd(fd, seconds_to_ms(timeout), &state);
	if (r == -ETIMEDOUT)
		return err_reboot_timeout(&k->e, k->name, k->lxcpath, timeout);
	if (r < 0)
		return err_set(&k->e, -r, NULL, "cannot wait for %s", k->name);
	return state == STATE_RUNNING ? 0 : err_not_running(&k->e, k->name, k->lxcpath);
}

bool api_reboot2(struct lxc_container *c, int timeout)
{
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return false;
	r = reboot_and_wait(&k, timeout);
	return call_end(&k, r, "cannot reboot %s", k.name) == 0;
}

static int change_freeze(struct call *k, bool freeze)
{
	enum lxc_state state;
	bool has_conf;
	int r;

	handle_lock(k->h);
	has_conf = handle_conf(k->h);
	handle_unlock(k->h);
	r = call_state(k, &state);
	if (r < 0)
		return r;
	if (!has_conf && state == STATE_STOPPED)
		return call_is_defined(k) ? err_not_running(&k->e, k->name, k->lxcpath) :
					    err_container_unknown(&k->e, k->name, k->lxcpath);
	if (freeze && state == STATE_STOPPED)
		return err_not_running(&k->e, k->name, k->lxcpath);
	/* Who only holds it frozen is told that it is to stay so. */
	if (freeze ? state == STATE_FROZEN && !client_is_recorded(&k->target) : state != STATE_FROZEN && state != STATE_FREEZING)
		return 0;
	return client_freeze(&k->target, freeze, &k->e);
}

bool api_freeze(struct lxc_container *c)
{
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return false;
	r = change_freeze(&k, true);
	return call_end(&k, r, "cannot freeze %s", k.name) == 0;
}

bool api_unfreeze(struct lxc_container *c)
{
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return false;
	r = change_freeze(&k, false);
	return call_end(&k, r, "cannot thaw %s", k.name) == 0;
}

static int hold_frozen(struct call *k)
{
	struct freeze_hold hold = FREEZE_HOLD_INIT;
	enum lxc_state state;
	bool again;
	int r = call_state(k, &state);

	if (r < 0 || (state != STATE_RUNNING && state != STATE_FREEZING && state != STATE_FROZEN))
		return r;
	r = client_hold_frozen(&k->target, &hold, &k->e);
	if (r < 0)
		return r;
	handle_lock(k->h);
	again = k->h->hold.fd >= 0 || k->h->hold.by_hand;
	if (!again)
		k->h->hold = hold;
	handle_unlock(k->h);
	return again ? client_let_go(&k->target, &hold, &k->e) : 0;
}

attr_public int lxcext_hold(struct lxc_container *c)
{
	struct call k;

	if (!call_begin(&k, c))
		return -EINVAL;
	return call_end(&k, hold_frozen(&k), "cannot freeze %s", k.name);
}

attr_public int lxcext_let_go(struct lxc_container *c)
{
	struct freeze_hold hold;
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return -EINVAL;
	handle_lock(k.h);
	hold = k.h->hold;
	k.h->hold = FREEZE_HOLD_INIT;
	handle_unlock(k.h);
	r = client_let_go(&k.target, &hold, &k.e);
	return call_end(&k, r, "cannot thaw %s", k.name);
}

static int left_ms(uint64_t start, int timeout_ms)
{
	uint64_t gone = now_ms() - start;

	if (timeout_ms < 0)
		return -1;
	return gone >= (uint64_t)timeout_ms ? 0 : timeout_ms - (int)gone;
}

static int pause_ms(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
	return 0;
}

static int wait_for(struct call *k, unsigned mask, int timeout_ms)
{
	uint64_t start = now_ms();

	for (;;) {
		auto_close int fd = -EBADF;
		enum lxc_state state = STATE_STOPPED;
		int left, r = call_state(k, &state);

		if (r < 0 || mask & 1U << state)
			return r;
		left = left_ms(start, timeout_ms);
		if (left == 0)
			return -ETIMEDOUT;
		if (state == STATE_STOPPED) {
			pause_ms(left < 0 ? NOT_RUNNING_POLL_MS : MIN(left, NOT_RUNNING_POLL_MS));
			continue;
		}
		r = client_subscribe(&k->target, mask, false, &state, &fd, &k->e);
		if (r == -ECONNREFUSED) {
			err_free(take_ptr(k->e));
			continue;
		}
		if (r < 0 || fd < 0)
			return r;
		r = client_wait_fd(fd, left, &state);
		if (r < 0)
			return r;
		if (mask & 1U << state)
			return 0;
	}
}

bool api_wait(struct lxc_container *c, const char *state, int timeout)
{
	unsigned mask;
	struct call k;
	int r;

	if (!state || !call_begin(&k, c))
		return false;
	r = state_mask(state, &mask);
	if (r < 0)
		r = err_state_unknown(&k.e, state);
	else
		r = wait_for(&k, mask, seconds_to_ms(timeout));
	if (r == -ETIMEDOUT && !k.e)
		r = err_wait_timeout(&k.e, k.name, k.lxcpath, state, timeout);
	return call_end(&k, r, "cannot wait for %s", k.name) == 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* seccomp_proxy - asks the program behind lxc.seccomp.notify.proxy what becomes of system calls that
 * a policy answers with notify. Everything happens in the handlers of an event loop; nothing waits:
 * a slow proxy delays the calls it is asked about, and nobody else.
 *
 * One packet per call with three fds (/proc/PID, /proc/PID/mem, the listener) and this content in
 * native byte order: struct seccomp_proxy_head, the kernel's struct seccomp_notif, its struct
 * seccomp_notif_resp with the id filled in, the cookie. The answer is the same without the cookie.
 * Without an answer the call fails with ENOSYS. */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/log.h"
#include "config/conf.h"
#include "kernel/event.h"

#define SECCOMP_PROXY_TIMEOUT_MS 30000

struct seccomp_proxy_head {
	uint64_t reserved;
	int32_t monitor_pid;
	int32_t init_pid;
	uint16_t notif_size, resp_size, data_size;
	uint16_t padding;
	uint64_t cookie_len;
};

struct seccomp_proxy;

/* Connects to the proxy (a failure is an error: the start is to be given up). *ret is NULL without
 * lxc.seccomp.notify.proxy. log is borrowed until seccomp_proxy_free. */
int seccomp_proxy_new(const struct conf *c, struct log *l, struct seccomp_proxy **ret, struct err **e);
/* Watches listener (borrowed: it stays open until seccomp_proxy_free) in loop from now on. timeout_ms:
 * how long a call waits for an answer, normally SECCOMP_PROXY_TIMEOUT_MS. */
int seccomp_proxy_start(struct seccomp_proxy *p, struct loop *loop, int listener, pid_t init_pid,
			unsigned timeout_ms, struct err **e);
/* Watches also the listener of a process that has come into the container later, and takes it unless that fails.
 * *proxy NULL: one is made; without lxc.seccomp.notify.proxy it gives every call the default answer. */
int seccomp_proxy_add(struct seccomp_proxy **proxy, const struct conf *c, struct log *l, struct loop *loop, int listener,
		      pid_t init_pid, unsigned timeout_ms, struct err **e);
/* Leaves the loop; NULL is allowed. A call that waits for an answer gets the default one. */
void seccomp_proxy_free(struct seccomp_proxy *p);

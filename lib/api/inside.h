/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* inside - reaching into a running container from the client: its init, namespaces and root. */
#pragma once
#include <sys/types.h>

#include "handle.h"
#include "kernel/ns.h"

struct inside {
	int pidfd;
	pid_t pid;
};
#define INSIDE_INIT { .pidfd = -EBADF }

int inside_open(struct call *k, struct inside *ret);
void inside_done(struct inside *i);
#define auto_inside __attribute__((cleanup(inside_done)))
/* fds that are certain to be init's: its process was there before and after. */
int inside_ns(struct call *k, const struct inside *i, enum ns_index ns);
int inside_root(struct call *k, const struct inside *i);
/* Fails unless the caller is root of the host, which action needs. */
int inside_need_root(struct call *k, const char *action);

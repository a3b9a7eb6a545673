/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* use - who works with the whole of a container: copies share it, what takes it away or puts something
 * else in its place has it alone. A lock of the container's directory, which ends with its holder. */
#pragma once
#include "handle.h"

/* Both: an fd of k's directory that holds the lock, for use_end. -EBUSY with
 * err_container_in_use at once when that cannot be had; -ENOENT with err_container_unknown. */
int use_shared(struct call *k);
int use_alone(struct call *k);
/* use_shared where there is a container whose directory can be read; else 0 with *ret < 0. -EBUSY as above. */
int use_if_there(struct call *k, int *ret);
/* The same for a directory that is open already; the lock is dirfd's. */
int use_alone_fd(struct call *k, int dirfd);
/* Gives it up and closes fd (negative: nothing). Closing alone would not do: a child that another thread forked
 * meanwhile has the descriptor until it executes something, and with it the lock. */
void use_end(int fd);
static inline void auto_use_fn(int *fd)
{
	use_end(*fd);
}
#define auto_use __attribute__((cleanup(auto_use_fn)))

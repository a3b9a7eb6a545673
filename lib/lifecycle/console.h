/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* console - the monitor's end of /dev/console: copies between the pty and whoever looks at it (the
 * terminal of a foreground start, lxc.console.path, one lxc-console client), into the log file with
 * its size limit, and into the ring buffer. Nobody who is slow can hold it up: what does not fit a
 * sink's buffer is dropped for that sink. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "config/conf.h"
#include "kernel/event.h"

struct console;

/* ptx: borrowed for the console's life. */
int console_new(struct loop *l, int ptx, const struct conf *c, struct log *log, struct console **ret,
		struct err **e);
void console_free(struct console *c);
/* A peer: in and out (either may be -1) are borrowed. name: for errors. */
int console_add_peer(struct console *c, int in, int out, struct err **e);
/* One lxc-console client: a fresh pty whose master side is *ret_fd (the caller sends and closes it).
 * -EBUSY when there is one already. */
int console_client(struct console *c, int *ret_fd, struct err **e);
void console_client_gone(struct console *c);
/* The ring: as lxc_console_log. *ret is new. -ENODATA empty, -EFAULT no buffer. */
int console_ring_read(struct console *c, bool read, bool clear, uint64_t max, char **ret, uint64_t *ret_len);

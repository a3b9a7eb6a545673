/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* usage - what a running container has used up to now, from version 1 or 2 cgroups and its network
 * devices. What the host does not tell is 0. */
#pragma once
#include <stdint.h>
#include <lxc/lxccontainer.h>

struct usage {
	uint64_t cpu_ns, cpu_user_ns, cpu_system_ns;
	uint64_t io_read, io_write, io_total;	/* bytes; the total may hold what is neither */
	uint64_t io_ops;
	uint64_t memory, memory_swap, kernel_memory;	/* bytes; memory_swap: both together */
	uint64_t pids;
	uint64_t rx, tx;			/* bytes of all devices, as the container sees them */
};

void usage_read(struct lxc_container *c, struct usage *ret);

/* Adds what a line of version 1's blkio files, "MAJOR:MINOR Read N", or of version 2's io.stat,
 * "MAJOR:MINOR rbytes=N wbytes=N rios=N wios=N ...", tells. */
struct usage_io {
	uint64_t read, write, total;
};
void usage_parse_blkio(const char *text, struct usage_io *ret);
void usage_parse_io_stat(const char *text, struct usage_io *ret_bytes, struct usage_io *ret_ops);

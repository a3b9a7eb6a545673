/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* show - the plain output layouts of LXC, and the numbers about a running container that they show. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <lxc/lxccontainer.h>

#include "base/compiler.h"

/* "LABEL          VALUE": the label padded to 15 columns and one blank. */
void show_line(const char *label, const char *value);
void show_linef(const char *label, const char *fmt, ...) attr_printf(2, 3);

#define SHOW_SIZE_MAX 32
/* "3.25 MiB", or "N bytes" up to and including 1024. Returns text. */
const char *show_size(uint64_t bytes, char text[SHOW_SIZE_MAX]);

/* What the functions below may look at, asked for at once instead of bit by bit. One container at a time; NULL: none any more.
 * False: its monitor cannot be reached from here. */
bool stat_prefetch(struct lxc_container *c);
/* A file of the container's cgroup, whole; NULL if there is none. The caller frees it. */
char *stat_cgroup_file(struct lxc_container *c, const char *file);
/* The number behind "KEY " at the beginning of a line of text. */
bool stat_field(const char *text, const char *key, uint64_t *ret);
/* True and *ret if the host's cgroups tell: version 1 files first, then version 2 ones. */
bool stat_cpu_ns(struct lxc_container *c, uint64_t *ret);
bool stat_cpu_times_ns(struct lxc_container *c, uint64_t *ret_user, uint64_t *ret_system);
bool stat_memory_bytes(struct lxc_container *c, uint64_t *ret);
bool stat_swap_bytes(struct lxc_container *c, uint64_t *ret);
bool stat_kmem_bytes(struct lxc_container *c, uint64_t *ret);
bool stat_blkio_bytes(struct lxc_container *c, uint64_t *ret);
/* The host's name of the n-th network device of a running container; NULL beyond the last. New. */
char *stat_link_name(struct lxc_container *c, unsigned n);
/* A counter of /sys/class/net/LINK/statistics. */
bool stat_link_bytes(const char *link, const char *counter, uint64_t *ret);

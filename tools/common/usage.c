/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/usage.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/str.h"
#include "base/strv.h"
#include "common/show.h"

static bool number(const char *text, uint64_t *ret)
{
	return text && num_u64(text, 10, UINT64_MAX, ret) == 0;
}

void usage_parse_blkio(const char *text, struct usage_io *ret)
{
	auto_strv struct strv lines = { 0 };

	*ret = (struct usage_io){ 0 };
	if (!text || strv_split(&lines, text, "\n") < 0)
		return;
	for (size_t i = 0; i < lines.n; i++) {
		auto_strv struct strv words = { 0 };
		uint64_t v;

		/* The last line, "Total N", is the sum of the others' totals. */
		if (strv_split(&words, lines.v[i], " ") < 0 || words.n != 3 || !number(words.v[2], &v))
			continue;
		if (strcmp(words.v[1], "Read") == 0)
			ret->read += v;
		else if (strcmp(words.v[1], "Write") == 0)
			ret->write += v;
		else if (strcmp(words.v[1], "Total") == 0)
			ret->total += v;
	}
}

static void add_field(const char *word, const char *key, uint64_t *sum)
{
	uint64_t v;

	if (number(str_after(word, key), &v))
		*sum += v;
}

void usage_parse_io_stat(const char *text, struct usage_io *ret_bytes, struct usage_io *ret_ops)
{
	auto_strv struct strv words = { 0 };

	*ret_bytes = *ret_ops = (struct usage_io){ 0 };
	if (!text || strv_split(&words, text, " \n") < 0)
		return;
	for (size_t i = 0; i < words.n; i++) {
		add_field(words.v[i], "rbytes=", &ret_bytes->read);
		add_field(words.v[i], "wbytes=", &ret_bytes->write);
		add_field(words.v[i], "rios=", &ret_ops->read);
		add_field(words.v[i], "wios=", &ret_ops->write);
	}
	ret_bytes->total = ret_bytes->read + ret_bytes->write;
	ret_ops->total = ret_ops->read + ret_ops->write;
}

static bool read_number(struct lxc_container *c, const char *file, uint64_t *ret)
{
	auto_free char *text = stat_cgroup_file(c, file);

	return text && number(str_trim(text), ret);
}

static void read_io(struct lxc_container *c, struct usage *u)
{
	auto_free char *bytes = stat_cgroup_file(c, "blkio.throttle.io_service_bytes"), *ops = NULL;
	struct usage_io b, o;

	if (bytes) {
		ops = stat_cgroup_file(c, "blkio.throttle.io_serviced");
		usage_parse_blkio(bytes, &b);
		usage_parse_blkio(ops, &o);
	} else {
		ops = stat_cgroup_file(c, "io.stat");
		usage_parse_io_stat(ops, &b, &o);
	}
	u->io_read = b.read;
	u->io_write = b.write;
	u->io_total = b.total;
	u->io_ops = o.total;
}

static void read_memory(struct lxc_container *c, struct usage *u)
{
	uint64_t swap;

	if (read_number(c, "memory.usage_in_bytes", &u->memory)) {
		(void)read_number(c, "memory.memsw.usage_in_bytes", &u->memory_swap);
		(void)read_number(c, "memory.kmem.usage_in_bytes", &u->kernel_memory);
		return;
	}
	if (!read_number(c, "memory.current", &u->memory))
		return;
	if (read_number(c, "memory.swap.current", &swap))
		u->memory_swap = u->memory + swap;
	(void)stat_kmem_bytes(c, &u->kernel_memory);
}

/* The host's end sees the traffic from the other side. */
static void read_network(struct lxc_container *c, struct usage *u)
{
	for (unsigned n = 0;; n++) {
		auto_free char *link = stat_link_name(c, n);
		uint64_t v;

		if (!link)
			return;
		if (stat_link_bytes(link, "rx_bytes", &v))
			u->tx += v;
		if (stat_link_bytes(link, "tx_bytes", &v))
			u->rx += v;
	}
}

static uint64_t ticks_to_ns(uint64_t ticks)
{
	return ticks * (1000000000U / (unsigned long)sysconf(_SC_CLK_TCK));
}

void usage_read(struct lxc_container *c, struct usage *ret)
{
	auto_free char *stat = stat_cgroup_file(c, "cpuacct.stat");
	uint64_t user, system;

	*ret = (struct usage){ 0 };
	(void)stat_cpu_ns(c, &ret->cpu_ns);
	if (stat && stat_field(stat, "user", &user) && stat_field(stat, "system", &system)) {
		ret->cpu_user_ns = ticks_to_ns(user);
		ret->cpu_system_ns = ticks_to_ns(system);
	} else {
		(void)stat_cpu_times_ns(c, &ret->cpu_user_ns, &ret->cpu_system_ns);
	}
	read_io(c, ret);
	read_memory(c, ret);
	(void)read_number(c, "pids.current", &ret->pids);
	read_network(c, ret);
}

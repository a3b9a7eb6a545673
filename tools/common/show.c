/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/show.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lxc/lxcext.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"

#define GIB (1ULL << 30)
#define MIB (1ULL << 20)
#define KIB (1ULL << 10)

void show_line(const char *label, const char *value)
{
	printf("%-15s %s\n", label, value);
}

void show_linef(const char *label, const char *fmt, ...)
{
	va_list ap;

	printf("%-15s ", label);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

const char *show_size(uint64_t bytes, char text[SHOW_SIZE_MAX])
{
	if (bytes > GIB)
		(void)snprintf(text, SHOW_SIZE_MAX, "%.2f GiB", (double)bytes / (double)GIB);
	else if (bytes > MIB)
		(void)snprintf(text, SHOW_SIZE_MAX, "%.2f MiB", (double)bytes / (double)MIB);
	else if (bytes > KIB)
		(void)snprintf(text, SHOW_SIZE_MAX, "%.2f KiB", (double)bytes / (double)KIB);
	else
		(void)snprintf(text, SHOW_SIZE_MAX, "%" PRIu64 " bytes", bytes);
	return text;
}

/* As lxcext_facts takes them: of two files that say the same, the second where there is no first. */
static const char *const prefetched_names[] = {
	"fcpuacct.usage", "?fcpu.stat", "fmemory.usage_in_bytes", "fmemory.kmem.usage_in_bytes", "?fmemory.stat",
	"fblkio.throttle.io_service_bytes", "klxc.net.0.type", "klxc.net.0.veth.pair", "klxc.net.0.link",
	"klxc.net.1.type", "klxc.net.1.veth.pair", "klxc.net.1.link", "klxc.net.2.type", "klxc.net.2.veth.pair",
	"klxc.net.2.link",
};
static struct {
	const struct lxc_container *c;
	char *values[ARRAY_SIZE(prefetched_names)];
} prefetched;

bool stat_prefetch(struct lxc_container *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefetched.values); i++)
		free(prefetched.values[i]);
	memset(&prefetched, 0, sizeof(prefetched));
	/* A monitor that cannot answer so is asked bit by bit. */
	if (c && lxcext_facts(c, prefetched_names, ARRAY_SIZE(prefetched_names), prefetched.values) == 0)
		prefetched.c = c;
	return !c || prefetched.c || strcmp(lxcext_error_id(c), "monitor-elsewhere") != 0;
}

/* True if this was asked for; then *ret is its value, new, or NULL. */
static bool find_prefetched(const struct lxc_container *c, char kind, const char *name, char **ret)
{
	for (size_t i = 0; c == prefetched.c && i < ARRAY_SIZE(prefetched_names); i++) {
		const char *known = prefetched_names[i];

		known += *known == '?';
		if (*known == kind && STREQ(known + 1, name)) {
			*ret = prefetched.values[i] ? strdup(prefetched.values[i]) : NULL;
			return true;
		}
	}
	return false;
}

static char *running_item(struct lxc_container *c, const char *key)
{
	char *value;

	return find_prefetched(c, 'k', key, &value) ? value : c->get_running_config_item(c, key);
}

char *stat_cgroup_file(struct lxc_container *c, const char *file)
{
	char *value;

	if (find_prefetched(c, 'f', file, &value))
		return value;
	/* The kernel makes these files up at each read: their length is not known before. Most are
	 * small; memory.stat is the largest. */
	for (size_t size = 4096; size <= 262144; size *= 4) {
		char *text = malloc(size);
		int n = text ? c->get_cgroup_item(c, file, text, (int)size) : -1;

		if (n >= 0 && (size_t)n < size) {
			text[n] = '\0';
			return text;
		}
		free(text);
		if (n < 0)
			return NULL;
	}
	return NULL;
}

bool stat_field(const char *text, const char *key, uint64_t *ret)
{
	size_t n = strlen(key);
	char number[24];

	for (const char *p = text; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		size_t len;

		if (strncmp(p, key, n) != 0 || p[n] != ' ')
			continue;
		p += n + 1;
		len = strspn(p, "0123456789");
		if (len == 0 || len >= sizeof(number))
			return false;
		memcpy(number, p, len);
		number[len] = '\0';
		return num_u64(number, 10, UINT64_MAX, ret) == 0;
	}
	return false;
}

static bool single(struct lxc_container *c, const char *file, uint64_t *ret)
{
	auto_free char *text = stat_cgroup_file(c, file);

	return text && num_u64(str_trim(text), 10, UINT64_MAX, ret) == 0;
}

/* The sum of those fields of a cgroup file that are there; false if none is. */
static bool sum_fields(struct lxc_container *c, const char *file, const char *const *keys, uint64_t *ret)
{
	auto_free char *text = stat_cgroup_file(c, file);
	uint64_t sum = 0, v;
	bool any = false;

	for (; text && *keys; keys++)
		if (stat_field(text, *keys, &v)) {
			sum += v;
			any = true;
		}
	if (any)
		*ret = sum;
	return any;
}

bool stat_cpu_ns(struct lxc_container *c, uint64_t *ret)
{
	static const char *const usage[] = { "usage_usec", NULL };
	uint64_t us;

	if (single(c, "cpuacct.usage", ret))
		return true;
	if (!sum_fields(c, "cpu.stat", usage, &us))
		return false;
	*ret = us * 1000;
	return true;
}

bool stat_cpu_times_ns(struct lxc_container *c, uint64_t *ret_user, uint64_t *ret_system)
{
	auto_free char *text = stat_cgroup_file(c, "cpu.stat");

	if (single(c, "cpuacct.usage_user", ret_user) && single(c, "cpuacct.usage_sys", ret_system))
		return true;
	if (!text || !stat_field(text, "user_usec", ret_user) || !stat_field(text, "system_usec", ret_system))
		return false;
	*ret_user *= 1000;
	*ret_system *= 1000;
	return true;
}

bool stat_memory_bytes(struct lxc_container *c, uint64_t *ret)
{
	static const char *const keys[] = { "anon", "file", NULL };

	return single(c, "memory.usage_in_bytes", ret) || sum_fields(c, "memory.stat", keys, ret);
}

bool stat_swap_bytes(struct lxc_container *c, uint64_t *ret)
{
	static const char *const keys[] = { "swap", NULL };

	return sum_fields(c, "memory.stat", keys, ret) || single(c, "memory.swap.current", ret);
}

bool stat_kmem_bytes(struct lxc_container *c, uint64_t *ret)
{
	static const char *const keys[] = { "kernel_stack", "pagetables", "sock", "slab", NULL };

	return single(c, "memory.kmem.usage_in_bytes", ret) || sum_fields(c, "memory.stat", keys, ret);
}

/* Version 1 only: the line "Total N" of the service bytes. */
bool stat_blkio_bytes(struct lxc_container *c, uint64_t *ret)
{
	static const char *const total[] = { "Total", NULL };

	return sum_fields(c, "blkio.throttle.io_service_bytes", total, ret);
}

char *stat_link_name(struct lxc_container *c, unsigned n)
{
	auto_free char *type = NULL;
	char key[64];

	(void)snprintf(key, sizeof(key), "lxc.net.%u.type", n);
	type = running_item(c, key);
	if (!type)
		return NULL;
	(void)snprintf(key, sizeof(key), STREQ(type, "veth") ? "lxc.net.%u.veth.pair" : "lxc.net.%u.link", n);
	return running_item(c, key);
}

bool stat_link_bytes(const char *link, const char *counter, uint64_t *ret)
{
	auto_free char *path = NULL;
	char line[32];

	/* The name comes from the container's monitor: it must not lead anywhere else. */
	if (!ifname_is_valid(link) ||
	    asprintf(&path, "/sys/class/net/%s/statistics/%s", link, counter) < 0) {
		path = NULL;
		return false;
	}
	return io_read_line(AT_FDCWD, path, line, sizeof(line)) > 0 && num_u64(line, 10, UINT64_MAX, ret) == 0;
}

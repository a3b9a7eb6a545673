/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc.net.N.publish: ports of the host that lead to the container. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/str.h"
#include "config/publish.h"
#include "config/type_net.h"

/* "PORT" or "FIRST-LAST". */
static int parse_ports(const char *text, unsigned *ret_first, unsigned *ret_count)
{
	auto_free char *copy = strdup(text);
	char *dash = copy ? strchr(copy, '-') : NULL;
	uint64_t first, last;

	if (!copy)
		return -ENOMEM;
	if (dash)
		*dash++ = '\0';
	if (num_u64(copy, 10, 65535, &first) < 0 || first == 0)
		return -EINVAL;
	last = first;
	if (dash && (num_u64(dash, 10, 65535, &last) < 0 || last < first))
		return -EINVAL;
	*ret_first = (unsigned)first;
	*ret_count = (unsigned)(last - first + 1);
	return 0;
}

/* Cuts "ADDRESS:" off the beginning: 127.0.0.1: or [::1]: . */
static int take_address(char **text, struct publish *p)
{
	char *s = *text, *end;
	struct in6_addr a;
	bool v6 = *s == '[';

	end = v6 ? strchr(s, ']') : strchr(s, ':');
	if (!end || (!v6 && !memchr(s, '.', (size_t)(end - s))))
		return v6 ? -EINVAL : 0;
	*end = '\0';
	if (inet_pton(v6 ? AF_INET6 : AF_INET, s + v6, &a) != 1 || (v6 && end[1] != ':'))
		return -EINVAL;
	(void)snprintf(p->address, sizeof(p->address), "%s", s + v6);
	*text = end + 1 + v6;
	return 0;
}

int publish_parse(const char *text, struct publish *ret, const char **ret_why)
{
	auto_free char *copy = strdup(text);
	struct publish p = { .address = "" };
	char *rest = copy, *slash, *colon;
	unsigned count = 0;

	*ret_why = "it must be PORT, PORT:PORT or ADDRESS:PORT:PORT, with /udp behind it for UDP";
	if (!copy)
		return -ENOMEM;
	slash = strrchr(copy, '/');
	if (slash) {
		*slash++ = '\0';
		if (!STREQ(slash, "tcp") && !STREQ(slash, "udp"))
			return -EINVAL;
		p.udp = STREQ(slash, "udp");
	}
	if (take_address(&rest, &p) < 0) {
		*ret_why = "its address is neither an IPv4 one nor an IPv6 one in brackets";
		return -EINVAL;
	}
	colon = strchr(rest, ':');
	if (colon)
		*colon++ = '\0';
	if (parse_ports(rest, &p.host, &p.count) < 0)
		return -EINVAL;
	p.container = p.host;
	count = p.count;
	if (colon && parse_ports(colon, &p.container, &count) < 0)
		return -EINVAL;
	if (colon && count != p.count && strchr(colon, '-')) {
		*ret_why = "the two ranges of ports differ in length";
		return -EINVAL;
	}
	if (p.container + p.count - 1 > 65535) {
		*ret_why = "the range of ports goes beyond 65535";
		return -EINVAL;
	}
	*ret = p;
	return 0;
}

static bool overlap(const struct publish *a, const struct publish *b)
{
	return a->udp == b->udp && (!*a->address || !*b->address || STREQ(a->address, b->address)) &&
	       a->host < b->host + b->count && b->host < a->host + a->count;
}

static int set_publish(const struct key_ctx *x, struct err **e)
{
	struct conf_list *l = key_field(x);
	struct publish p, other;
	const char *why;

	if (publish_parse(x->value, &p, &why) < 0)
		return key_bad(x, EINVAL, why, e);
	for (size_t i = 0; i < l->n; i++)
		if (publish_parse(l->v[i].value, &other, &why) == 0 && overlap(&p, &other))
			return key_bad(x, EINVAL, "another line publishes that port of the host already", e);
	return item_add(l, NULL, x->value, x->at) < 0 ? err_no_memory(e) : 0;
}

static int clear_publish(const struct key_ctx *x, struct err **e)
{
	items_clear(key_field(x));
	return 0;
}

static int get_publish(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const struct conf_list *l = key_field(x);

	for (size_t i = 0; i < l->n; i++)
		buf_addf(b, "%s%s", i ? "\n" : "", l->v[i].value);
	return 0;
}

static void dump_publish(const struct key_ctx *x, struct dump *d)
{
	const struct conf_list *l = key_field(x);

	for (size_t i = 0; i < l->n; i++)
		dump_line(d, l->v[i].at, x->key, l->v[i].value);
}

const struct key_type type_net_publish = {
	.set = set_publish,
	.clear = clear_publish,
	.get = get_publish,
	.dump = dump_publish,
};

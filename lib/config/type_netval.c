/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* Values of interface sub-keys: names, modes, addresses, routes, VLANs. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "base/table.h"
#include "config/type_net.h"

static int clear_str(const struct key_ctx *x, struct err **e)
{
	str_clear(key_field(x));
	return 0;
}

static int get_str(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const struct conf_str *f = key_field(x);

	if (f->v)
		buf_adds(b, f->v);
	return 0;
}

static int clear_num(const struct key_ctx *x, struct err **e)
{
	struct conf_num *f = key_field(x);

	*f = (struct conf_num){ .v = x->k->def };
	return 0;
}

static int put_num(const struct key_ctx *x, int64_t v)
{
	struct conf_num *f = key_field(x);

	*f = (struct conf_num){ .v = v, .set = true, .at = x->at };
	return 0;
}

static int get_num_if_set(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const struct conf_num *f = key_field(x);

	if (f->set)
		buf_addf(b, "%lld", (long long)f->v);
	return 0;
}

static int get_num(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const struct conf_num *f = key_field(x);

	buf_addf(b, "%lld", (long long)f->v);
	return 0;
}

static int set_flags(const struct key_ctx *x, struct err **e)
{
	return put_num(x, 1);
}

static int get_flags(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const struct conf_num *f = key_field(x);

	if (f->v)
		buf_adds(b, "up");
	return 0;
}

const struct key_type type_net_flags = {
	.shape = SHAPE_NUM,
	.text = true,
	.set = set_flags,
	.clear = clear_num,
	.get = get_flags,
};

static int set_name(const struct key_ctx *x, struct err **e)
{
	if (!ifname_is_valid(x->value))
		return key_bad(x, EINVAL,
			       "an interface name has 1 to 15 characters without '/', ':' and blanks", e);
	return str_assign(key_field(x), x->value, x->at) < 0 ? err_no_memory(e) : 0;
}

const struct key_type type_net_name = {
	.shape = SHAPE_STR,
	.text = true,
	.set = set_name,
	.clear = clear_str,
	.get = get_str,
};

/* A trailing '+' stands for any ending; which interface that is, is found at start. */
static int set_link(const struct key_ctx *x, struct err **e)
{
	size_t n = strlen(x->value);
	auto_free char *name = strndup(x->value, n && x->value[n - 1] == '+' ? n - 1 : n);

	if (!name)
		return err_no_memory(e);
	if (!ifname_is_valid(name))
		return key_bad(x, EINVAL,
			       "an interface name has 1 to 15 characters without '/', ':' and blanks", e);
	return str_assign(key_field(x), x->value, x->at) < 0 ? err_no_memory(e) : 0;
}

const struct key_type type_net_link = {
	.shape = SHAPE_STR,
	.text = true,
	.set = set_link,
	.clear = clear_str,
	.get = get_str,
};

static int set_hwaddr(const struct key_ctx *x, struct err **e)
{
	auto_free char *value = strdup(x->value);

	if (!value)
		return err_no_memory(e);
	hwaddr_fill(value);
	return str_assign(key_field(x), value, x->at) < 0 ? err_no_memory(e) : 0;
}

const struct key_type type_net_hwaddr = {
	.shape = SHAPE_STR,
	.text = true,
	.set = set_hwaddr,
	.clear = clear_str,
	.get = get_str,
};

/* Words of numbers; the row's argument says which table. */
static const struct name_value veth_modes[] = { { "bridge", 0 }, { "router", 1 } };
static const struct name_value macvlan_modes[] = {
	{ "private", MACVLAN_MODE_PRIVATE },
	{ "vepa", MACVLAN_MODE_VEPA },
	{ "bridge", MACVLAN_MODE_BRIDGE },
	{ "passthru", MACVLAN_MODE_PASSTHRU },
};
static const struct name_value ipvlan_modes[] = {
	{ "l3", IPVLAN_MODE_L3 },
	{ "l3s", IPVLAN_MODE_L3S },
	{ "l2", IPVLAN_MODE_L2 },
};
static const struct name_value isolations[] = { { "bridge", 0 }, { "private", 1 }, { "vepa", 2 } };
static const struct {
	const struct name_value *words;
	size_t n;
} modes[] = {
	{ veth_modes, ARRAY_SIZE(veth_modes) },
	{ macvlan_modes, ARRAY_SIZE(macvlan_modes) },
	{ ipvlan_modes, ARRAY_SIZE(ipvlan_modes) },
	{ isolations, ARRAY_SIZE(isolations) },
};

static int set_mode(const struct key_ctx *x, struct err **e)
{
	const struct name_value *row = table_by_name_n(modes[x->k->arg].words, modes[x->k->arg].n, x->value);
	auto_buf struct buf b = BUF_INIT(256);

	if (row)
		return put_num(x, row->value);
	buf_addf(&b, "it must be %s", x->k->summary);
	return key_bad(x, EINVAL, buf_str(&b), e);
}

static int get_mode(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const struct conf_num *f = key_field(x);
	const char *word = table_by_value_n(modes[x->k->arg].words, modes[x->k->arg].n, (long)f->v);

	buf_adds(b, word ? word : "(invalid)");
	return 0;
}

const struct key_type type_net_mode = {
	.shape = SHAPE_NUM,
	.text = true,
	.set = set_mode,
	.clear = clear_num,
	.get = get_mode,
};

static int set_queues(const struct key_ctx *x, struct err **e)
{
	int v, r = num_int(x->value, 0, &v);

	if (r == 0 && v <= 0)
		r = -ERANGE;
	return r < 0 ? key_bad_number(x, r, "a positive whole number", e) : put_num(x, v);
}

const struct key_type type_net_queues = {
	.shape = SHAPE_NUM,
	.set = set_queues,
	.clear = clear_num,
	.get = get_num_if_set,
};

/* arg 1: the VLAN of a bridge port, where "none" (-1) takes the port out of every untagged VLAN;
 * else the tag of a vlan interface. */
static int set_vlan(const struct key_ctx *x, struct err **e)
{
	unsigned v;
	int r;

	if (x->k->arg == 1 && strcmp(x->value, "none") == 0)
		return put_num(x, -1);
	r = num_uint(x->value, 0, &v);
	if (r == 0 && v > (x->k->arg == 1 ? 4094U : 65535U))
		r = -ERANGE;
	return r < 0 ? key_bad_number(x, r, "a VLAN id from 0 to 4094", e) : put_num(x, v);
}

static int get_vlan(const struct key_ctx *x, struct buf *b, struct err **e)
{
	return x->k->arg == 1 ? get_num_if_set(x, b, e) : get_num(x, b, e);
}

static void dump_vlan(const struct key_ctx *x, struct dump *d)
{
	auto_buf struct buf b = BUF_INIT(32);
	const struct conf_num *f = key_field(x);

	if (!f->set)
		return;
	if (f->v < 0)
		buf_adds(&b, "none");
	else
		buf_addf(&b, "%lld", (long long)f->v);
	dump_line(d, f->at, x->key, buf_str(&b));
}

const struct key_type type_net_vlan = {
	.shape = SHAPE_NUM,
	.set = set_vlan,
	.clear = clear_num,
	.get = get_vlan,
	.dump = dump_vlan,
};

static int set_vlan_tagged(const struct key_ctx *x, struct err **e)
{
	struct conf_vlan_ids *l = key_field(x);
	unsigned v;
	int r = num_uint(x->value, 0, &v);

	if (r == 0 && v > 4094)
		r = -ERANGE;
	if (r < 0)
		return key_bad_number(x, r, "a VLAN id from 0 to 4094", e);
	const struct conf_num one = { .v = v, .set = true, .at = x->at };

	return VEC_PUSH(l, one) < 0 ? err_no_memory(e) : 0;
}

static int clear_vlan_tagged(const struct key_ctx *x, struct err **e)
{
	struct conf_vlan_ids *l = key_field(x);

	VEC_DONE(l);
	return 0;
}

static int get_vlan_tagged(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const struct conf_vlan_ids *l = key_field(x);

	for (size_t i = 0; i < l->n; i++)
		buf_addf(b, "%s%lld", i ? "\n" : "", (long long)l->v[i].v);
	return 0;
}

static void dump_vlan_tagged(const struct key_ctx *x, struct dump *d)
{
	const struct conf_vlan_ids *l = key_field(x);

	for (size_t i = 0; i < l->n; i++) {
		auto_buf struct buf b = BUF_INIT(32);

		buf_addf(&b, "%lld", (long long)l->v[i].v);
		dump_line(d, l->v[i].at, x->key, buf_str(&b));
	}
}

const struct key_type type_net_vlan_tagged = {
	.set = set_vlan_tagged,
	.clear = clear_vlan_tagged,
	.get = get_vlan_tagged,
	.dump = dump_vlan_tagged,
};

/* Addresses. */

/* The prefix of an IPv4 address's class, for an address without one. */
static unsigned class_prefix(struct in_addr a)
{
	uint32_t h = ntohl(a.s_addr);

	return h < 0x80000000U ? 8 : h < 0xc0000000U ? 16 : h < 0xe0000000U ? 24 : 0;
}

static struct in_addr broadcast_of(struct in_addr a, unsigned prefix)
{
	uint32_t host = prefix >= 31 ? 0 : prefix == 0 ? UINT32_MAX : UINT32_MAX >> prefix;

	if (prefix >= 31)
		return (struct in_addr){ 0 };
	return (struct in_addr){ .s_addr = htonl(ntohl(a.s_addr) | host) };
}

/* "ADDR[/P][ BROADCAST]" into *ret; the reason of a failure in words, NULL if it is good. */
static const char *parse_addr(const char *text, int family, bool prefix_needed, struct conf_addr *ret)
{
	auto_free char *copy = strdup(text);
	struct conf_addr a = { .family = family };
	unsigned limit = family == AF_INET ? 32 : 128;
	char *slash, *blank;

	if (!copy)
		return "out of memory";
	blank = strpbrk(copy, " \t");
	if (blank)
		*blank++ = '\0';
	slash = strchr(copy, '/');
	if (slash)
		*slash++ = '\0';
	if (inet_pton(family, copy, family == AF_INET ? (void *)&a.v4 : (void *)&a.v6) != 1)
		return family == AF_INET ? "it is not an IPv4 address" : "it is not an IPv6 address";
	if (slash && (num_uint(slash, 10, &a.prefix) < 0 || a.prefix > limit))
		return family == AF_INET ? "its prefix length is not a number from 0 to 32"
					 : "its prefix length is not a number from 0 to 128";
	if (!slash && prefix_needed)
		return "it has no prefix length";
	if (!slash)
		a.prefix = family == AF_INET ? class_prefix(a.v4) : 64;
	if (family == AF_INET)
		a.broadcast = broadcast_of(a.v4, a.prefix);
	if (blank) {
		if (family != AF_INET || prefix_needed)
			return "something follows the address";
		blank = str_trim(blank);
		if (inet_pton(AF_INET, blank, &a.broadcast) != 1)
			return "its broadcast address is not an IPv4 address";
		a.broadcast_set = true;
	}
	*ret = a;
	return NULL;
}

static int add_addr(const struct key_ctx *x, int family, bool route, struct err **e)
{
	struct conf_addrs *l = key_field(x);
	struct conf_addr a;
	const char *why = parse_addr(x->value, family, route, &a);

	if (why)
		return key_bad(x, EINVAL, why, e);
	a.at = x->at;
	return VEC_PUSH(l, a) < 0 ? err_no_memory(e) : 0;
}

static int set_addr4(const struct key_ctx *x, struct err **e)
{
	return add_addr(x, AF_INET, false, e);
}

static int set_addr6(const struct key_ctx *x, struct err **e)
{
	return add_addr(x, AF_INET6, false, e);
}

static int set_route4(const struct key_ctx *x, struct err **e)
{
	return add_addr(x, AF_INET, true, e);
}

static int set_route6(const struct key_ctx *x, struct err **e)
{
	return add_addr(x, AF_INET6, true, e);
}

static int clear_addrs(const struct key_ctx *x, struct err **e)
{
	struct conf_addrs *l = key_field(x);

	VEC_DONE(l);
	return 0;
}

static void add_text(const struct conf_addr *a, bool prefix, struct buf *b)
{
	char text[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(a->family, a->family == AF_INET ? (const void *)&a->v4 : (const void *)&a->v6, text,
			sizeof(text));
	buf_adds(b, text);
	if (prefix)
		buf_addf(b, "/%u", a->prefix);
}

static int get_addrs(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const struct conf_addrs *l = key_field(x);

	for (size_t i = 0; i < l->n; i++) {
		if (i)
			buf_addc(b, '\n');
		add_text(&l->v[i], true, b);
	}
	return 0;
}

static void dump_addrs(const struct key_ctx *x, struct dump *d)
{
	const struct conf_addrs *l = key_field(x);

	for (size_t i = 0; i < l->n; i++) {
		auto_buf struct buf b = BUF_INIT(256);
		char text[INET_ADDRSTRLEN] = "";

		add_text(&l->v[i], true, &b);
		if (l->v[i].broadcast_set) {
			(void)inet_ntop(AF_INET, &l->v[i].broadcast, text, sizeof(text));
			buf_addf(&b, " %s", text);
		}
		dump_line(d, l->v[i].at, x->key, buf_str(&b));
	}
}

const struct key_type type_net_addr4 = {
	.set = set_addr4,
	.clear = clear_addrs,
	.get = get_addrs,
	.dump = dump_addrs,
};
const struct key_type type_net_addr6 = {
	.set = set_addr6,
	.clear = clear_addrs,
	.get = get_addrs,
	.dump = dump_addrs,
};
const struct key_type type_net_route4 = {
	.set = set_route4,
	.clear = clear_addrs,
	.get = get_addrs,
	.dump = dump_addrs,
};
const struct key_type type_net_route6 = {
	.set = set_route6,
	.clear = clear_addrs,
	.get = get_addrs,
	.dump = dump_addrs,
};

static int set_gateway(const struct key_ctx *x, int family, struct err **e)
{
	struct conf_gateway *g = key_field(x), new = { .at = x->at };

	if (strcmp(x->value, "auto") == 0) {
		new.kind = GW_AUTO;
	} else if (strcmp(x->value, "dev") == 0) {
		new.kind = GW_DEV;
	} else {
		new.kind = GW_ADDR;
		new.addr.family = family;
		new.addr.prefix = family == AF_INET ? 32 : 128;
		new.addr.at = x->at;
		if (inet_pton(family, x->value,
			      family == AF_INET ? (void *)&new.addr.v4 : (void *)&new.addr.v6) != 1)
			return key_bad(x, EINVAL,
				       family == AF_INET ? "it is no IPv4 address, auto or dev"
							 : "it is no IPv6 address, auto or dev",
				       e);
	}
	*g = new;
	return 0;
}

static int set_gateway4(const struct key_ctx *x, struct err **e)
{
	return set_gateway(x, AF_INET, e);
}

static int set_gateway6(const struct key_ctx *x, struct err **e)
{
	return set_gateway(x, AF_INET6, e);
}

static int clear_gateway(const struct key_ctx *x, struct err **e)
{
	struct conf_gateway *g = key_field(x);

	*g = (struct conf_gateway){ .kind = GW_NONE };
	return 0;
}

static int get_gateway(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const struct conf_gateway *g = key_field(x);

	if (g->kind == GW_AUTO)
		buf_adds(b, "auto");
	else if (g->kind == GW_DEV)
		buf_adds(b, "dev");
	else if (g->kind == GW_ADDR)
		add_text(&g->addr, false, b);
	return 0;
}

static void dump_gateway(const struct key_ctx *x, struct dump *d)
{
	auto_buf struct buf b = BUF_INIT(256);
	const struct conf_gateway *g = key_field(x);

	(void)get_gateway(x, &b, NULL);
	if (b.len)
		dump_line(d, g->at, x->key, buf_str(&b));
}

const struct key_type type_net_gateway4 = {
	.text = true,
	.set = set_gateway4,
	.clear = clear_gateway,
	.get = get_gateway,
	.dump = dump_gateway,
};
const struct key_type type_net_gateway6 = {
	.text = true,
	.set = set_gateway6,
	.clear = clear_gateway,
	.get = get_gateway,
	.dump = dump_gateway,
};

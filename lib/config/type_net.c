/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc.net.N: a list of interfaces by index, each with the sub-keys of netkeys.def. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "base/table.h"
#include "config/type.h"
#include "config/type_net.h"

struct net_key {
	struct key k;
	enum conf_net_type needs; /* NET_INVALID: any */
};

static const struct net_key net_keys[] = {
#define NETKEY(name, type, field, arg, def, needs, example, summary, ...)                                    \
	{ { name, &type_##type, offsetof(struct conf_net, field), arg, def, 0, example, summary }, needs },
#include "config/netkeys.def"
#undef NETKEY
};

static const struct name_value nic_types[] = {
	{ "empty", NET_EMPTY },	  { "none", NET_NONE }, { "veth", NET_VETH }, { "macvlan", NET_MACVLAN },
	{ "ipvlan", NET_IPVLAN }, { "vlan", NET_VLAN }, { "phys", NET_PHYS },
	{ "user", NET_USER },
};

struct conf_net *net_find(const struct conf *c, unsigned index)
{
	for (size_t i = 0; i < c->nets.n; i++)
		if (c->nets.v[i].index == index)
			return &c->nets.v[i];
	return NULL;
}

/* Every sub-key, or only those that belong to one type of interface, gets its default. */
static void reset(struct conf *c, struct conf_net *n, bool specific_only)
{
	for (size_t i = 0; i < ARRAY_SIZE(net_keys); i++) {
		const struct net_key *nk = &net_keys[i];
		struct key_ctx x = { .c = c, .base = n, .k = &nk->k, .key = nk->k.name };

		if (!specific_only || nk->needs != NET_INVALID)
			(void)nk->k.type->clear(&x, NULL);
	}
}

static struct conf_net *net_add(struct conf *c, unsigned index, struct origin at)
{
	struct conf_net n = { .index = index, .type = NET_EMPTY, .at = at };
	size_t i;

	if (VEC_PUSH(&c->nets, n) < 0)
		return NULL;
	for (i = c->nets.n - 1; i > 0 && c->nets.v[i - 1].index > index; i--)
		c->nets.v[i] = c->nets.v[i - 1];
	c->nets.v[i] = n;
	reset(c, &c->nets.v[i], false);
	c->nets.v[i].type = NET_EMPTY;
	return &c->nets.v[i];
}

static void net_remove(struct conf *c, struct conf_net *n)
{
	size_t i = (size_t)(n - c->nets.v);

	reset(c, n, false);
	VEC_REMOVE(&c->nets, i);
	if (c->nets.n == 0)
		VEC_DONE(&c->nets);
}

/* "N" or "N.SUB" after lxc.net. *ret_sub is NULL without one. -EINVAL: not a number in range. */
static int split(const char *s, unsigned *ret_index, const char **ret_sub)
{
	size_t n = strspn(s, "0123456789");
	char digits[16];

	/* One spelling per index: lines of text are compared by it. */
	if (n == 0 || n >= sizeof(digits) || (s[n] && s[n] != '.') || (*s == '0' && n > 1))
		return -EINVAL;
	memcpy(digits, s, n);
	digits[n] = '\0';
	*ret_sub = s[n] ? s + n + 1 : NULL;
	if (num_uint(digits, 10, ret_index) < 0 || *ret_index >= INT_MAX)
		return -EINVAL;
	return 0;
}

static const struct net_key *find_key(const char *sub)
{
	for (size_t i = 0; i < ARRAY_SIZE(net_keys); i++)
		if (strcmp(net_keys[i].k.name, sub) == 0)
			return &net_keys[i];
	return NULL;
}

bool net_nearest(const char *key, struct buf *b)
{
	const char *rest = str_after(key, "lxc.net."), *sub = NULL, *found = NULL;
	unsigned index, best = UINT_MAX;

	if (!rest || split(rest, &index, &sub) < 0 || !sub)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(net_keys); i++) {
		const char *name = net_keys[i].k.name, *last = strrchr(name, '.');
		unsigned d = str_distance(name, sub);

		/* "address" for "ipv4.address" is as near as a slip of the finger. */
		if (last && d > 1 && strcmp(last + 1, sub) == 0)
			d = 1;
		if (d < best) {
			best = d;
			found = name;
		}
	}
	if (best > strlen(sub) / 3 + 1)
		return false;
	buf_addf(b, "lxc.net.%u.%s", index, found);
	return true;
}

/* Resolves x (a row of the registry) into the sub-key's own context. *ret_index is set. */
static int resolve(const struct key_ctx *x, struct key_ctx *y, unsigned *ret_index,
		   const struct net_key **ret, struct err **e)
{
	auto_buf struct buf b = BUF_INIT(4096);
	const char *sub = NULL;

	*y = *x;
	*ret = NULL;
	if (split(x->sub, ret_index, &sub) < 0)
		return err_unknown_key(e, x->key, "",
				       "write lxc.net.N.KEY with a number N from 0 to 2147483646");
	if (!sub)
		return 0;
	*ret = find_key(sub);
	buf_adds(&b, "; did you mean ");
	if (!*ret && net_nearest(x->key, &b)) {
		buf_addc(&b, '?');
		return err_unknown_key(e, x->key, buf_str(&b), "man lxc.container.conf lists the keys");
	}
	if (!*ret)
		return err_unknown_key(e, x->key, "", "man lxc.container.conf lists the keys");
	y->k = &(*ret)->k;
	y->sub = NULL;
	return 0;
}

const char *net_type_word(const struct conf_net *n)
{
	return table_by_value(nic_types, (long)n->type);
}

static int mismatch(const struct key_ctx *x, const struct net_key *nk, const struct conf_net *n,
		    struct err **e)
{
	const char *has = net_type_word(n);

	return err_net_type_mismatch(e, x->key, table_by_value(nic_types, (long)nk->needs), n->index,
				     n->type_set && has ? has : "none yet");
}

static bool fits(const struct net_key *nk, const struct conf_net *n)
{
	return nk->needs == NET_INVALID || nk->needs == n->type;
}

static int set_net(const struct key_ctx *x, struct err **e)
{
	const struct net_key *nk;
	struct conf_net *n;
	struct key_ctx y;
	unsigned index;
	bool fresh;
	int r = resolve(x, &y, &index, &nk, e);

	if (r < 0)
		return r;
	if (!nk)
		return key_bad_hint(x, EINVAL, "only an empty value is allowed, which removes the interface",
				    "name the property, for example lxc.net.0.link", e);
	n = net_find(x->c, index);
	fresh = !n;
	if (fresh)
		n = net_add(x->c, index, x->at);
	if (!n)
		return err_no_memory(e);
	y.base = n;
	r = fits(nk, n) ? nk->k.type->set(&y, e) : mismatch(x, nk, n, e);
	if (r < 0 && fresh)
		net_remove(x->c, n);
	return r;
}

static int clear_net(const struct key_ctx *x, struct err **e)
{
	const struct net_key *nk;
	struct conf_net *n;
	struct key_ctx y;
	unsigned index;
	int r = resolve(x, &y, &index, &nk, e);

	if (r < 0)
		return r;
	n = net_find(x->c, index);
	if (!nk) {
		if (n)
			net_remove(x->c, n);
		return 0;
	}
	if (!n)
		return err_net_missing(e, x->key, index);
	y.base = n;
	return fits(nk, n) ? nk->k.type->clear(&y, e) : 0;
}

static int get_net(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const struct net_key *nk;
	struct conf_net *n;
	struct key_ctx y;
	unsigned index;
	int r = resolve(x, &y, &index, &nk, e);

	if (r < 0)
		return r;
	n = net_find(x->c, index);
	if (!nk)
		return err_set(e, ENOENT, "key_not_readable",
			       "%s is an interface; read its properties, such as lxc.net.0.type", x->key);
	if (!n)
		return err_set(e, EINVAL, "net_missing", "%s has no value: there is no such interface",
			       x->key);
	y.base = n;
	return fits(nk, n) ? nk->k.type->get(&y, b, e) : mismatch(x, nk, n, e);
}

static void dump_net(const struct key_ctx *x, struct dump *d)
{
	for (size_t i = 0; i < x->c->nets.n; i++) {
		struct conf_net *n = &x->c->nets.v[i];

		for (size_t j = 0; j < ARRAY_SIZE(net_keys); j++) {
			auto_buf struct buf b = BUF_INIT(256);
			struct key_ctx y = *x;

			if (!fits(&net_keys[j], n))
				continue;
			buf_addf(&b, "lxc.net.%u.%s", n->index, net_keys[j].k.name);
			y.base = n;
			y.k = &net_keys[j].k;
			y.key = buf_str(&b);
			key_dump_row(&y, d);
		}
	}
}

const struct key_type type_net = {
	.text = true,
	.set = set_net,
	.clear = clear_net,
	.get = get_net,
	.dump = dump_net,
};

/* lxc.net: all interfaces. */
static int set_net_all(const struct key_ctx *x, struct err **e)
{
	return key_bad_hint(x, EINVAL, "only an empty value is allowed, which removes all interfaces",
			    "name the interface and the property, for example lxc.net.0.link", e);
}

static int clear_net_all(const struct key_ctx *x, struct err **e)
{
	while (x->c->nets.n)
		net_remove(x->c, &x->c->nets.v[x->c->nets.n - 1]);
	VEC_DONE(&x->c->legacy_nets);
	return 0;
}

static int get_net_all(const struct key_ctx *x, struct buf *b, struct err **e)
{
	for (size_t i = 0; i < x->c->nets.n; i++) {
		const char *word = net_type_word(&x->c->nets.v[i]);

		buf_addf(b, "%s\n", word ? word : "(invalid)");
	}
	return 0;
}

const struct key_type type_net_all = {
	.set = set_net_all,
	.clear = clear_net_all,
	.get = get_net_all,
};

static int set_net_type(const struct key_ctx *x, struct err **e)
{
	const struct name_value *row = table_by_name(nic_types, x->value);
	struct conf_net *n = x->base;

	if (!row)
		return key_bad_hint(x, EINVAL, "there is no such type of interface",
				    "use one of: empty none veth macvlan ipvlan vlan phys user", e);
	/* What belongs to the old type goes; link, name and addresses stay whatever the order. */
	if (!n->type_set || n->type != (enum conf_net_type)row->value)
		reset(x->c, n, true);
	n->type = (enum conf_net_type)row->value;
	n->type_set = true;
	return 0;
}

static int clear_net_type(const struct key_ctx *x, struct err **e)
{
	struct conf_net *n = x->base;

	n->type = NET_INVALID;
	n->type_set = false;
	return 0;
}

static int get_net_type(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const char *word = net_type_word(x->base);

	if (word)
		buf_adds(b, word);
	return 0;
}

/* One that lost its type again is made first; one that never had a type is made by its other keys. */
static void dump_net_type(const struct key_ctx *x, struct dump *d)
{
	const struct conf_net *n = x->base;

	if (n->type_set)
		dump_line(d, n->at, x->key, net_type_word(n));
	else if (n->type == NET_INVALID) {
		dump_line(d, n->at, x->key, "empty");
		dump_line(d, n->at, x->key, "");
	}
}

const struct key_type type_net_type = {
	.text = true,
	.set = set_net_type,
	.clear = clear_net_type,
	.get = get_net_type,
	.dump = dump_net_type,
};

bool hwaddr_is_key(const char *key)
{
	const char *rest = str_after(key, "lxc.net."), *sub;
	unsigned index;

	if (!rest)
		rest = str_after(key, "lxc.network.");
	if (!rest)
		return false;
	if (strcmp(rest, "hwaddr") == 0)
		return str_after(key, "lxc.network.") != NULL;
	return split(rest, &index, &sub) == 0 && sub && strcmp(sub, "hwaddr") == 0;
}

void hwaddr_fill(char *value)
{
	static const char hex[] = "0123456789abcdef", unicast[] = "26ae";
	uint8_t random[32];
	size_t i = 0;

	for (char *p = value; *p; p++) {
		if (*p != 'x' && *p != 'X')
			continue;
		if (i % sizeof(random) == 0 && getrandom(random, sizeof(random), 0) < 0)
			return;
		/* The second digit holds the multicast and the local bit. */
		*p = p == value + 1 ? unicast[random[i % sizeof(random)] & 3]
				    : hex[random[i % sizeof(random)] & 15];
		i++;
	}
}

int net_list_keys(const struct conf *c, const char *index, struct buf *b)
{
	static const char *const specific[] = {
		[NET_VETH] = "veth.pair\nveth.ipv4.route\nveth.ipv6.route\nveth.vlan.id\n",
		[NET_MACVLAN] = "macvlan.mode\n",
		[NET_IPVLAN] = "ipvlan.mode\nipvlan.isolation\n",
		[NET_VLAN] = "vlan.id\n",
		[NET_PHYS] = "",
		[NET_USER] = "publish\n",
	};
	const struct conf_net *n;
	const char *sub;
	unsigned i;

	if (split(index, &i, &sub) < 0 || sub)
		return -EINVAL;
	n = net_find(c, i);
	if (!n)
		return -EINVAL;
	buf_adds(b, "type\nscript.up\nscript.down\n");
	if (n->type != NET_EMPTY)
		buf_adds(b, "flags\nlink\nname\nhwaddr\nmtu\nipv6.address\nipv6.gateway\nipv4.address\n"
			    "ipv4.gateway\n");
	if (n->type >= NET_VETH)
		buf_adds(b, specific[n->type]);
	return 0;
}

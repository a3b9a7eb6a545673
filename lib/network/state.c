/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* What must outlive a monitor: one line of words per nic, "N TYPE KEY=VALUE ...", in which blanks,
 * control characters and '%' of a value are written %XX. */
#define LOG_CATEGORY "network"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/str.h"
#include "network/nic.h"

static void add_word(struct buf *b, const char *key, const char *value)
{
	buf_addf(b, " %s=", key);
	for (const unsigned char *p = (const unsigned char *)value; *p; p++) {
		if (*p <= ' ' || *p >= 0x7f || *p == '%')
			buf_addf(b, "%%%02x", *p);
		else
			buf_addc(b, (char)*p);
	}
}

static void add_number(struct buf *b, const char *key, unsigned value)
{
	if (value)
		buf_addf(b, " %s=%u", key, value);
}

static void add_mac(struct buf *b, const char *key, const unsigned char mac[LINK_MAC_LEN])
{
	static const unsigned char zero[LINK_MAC_LEN];

	if (memcmp(mac, zero, LINK_MAC_LEN) != 0)
		buf_addf(b, " %s=%02x:%02x:%02x:%02x:%02x:%02x", key, mac[0], mac[1], mac[2], mac[3], mac[4],
			 mac[5]);
}

int net_save(const struct net_run *n, struct buf *b)
{
	for (size_t k = 0; k < n->n; k++) {
		const struct nic *i = &n->v[k];

		buf_addf(b, "%u %s", i->conf->index, i->type->word);
		if (*i->name)
			add_word(b, "name", i->name);
		if (*i->host)
			add_word(b, "host", i->host);
		add_number(b, "index", (unsigned)i->host_index);
		add_number(b, "inside", (unsigned)i->inside_index);
		add_number(b, "link", (unsigned)i->link.index);
		add_number(b, "mtu", i->link.mtu);
		add_mac(b, "mac", i->link.mac);
		add_mac(b, "burnt", i->link.burnt_in);
		if (i->helper) {
			buf_addf(b, " start=%llu", (unsigned long long)i->helper_start);
			add_number(b, "helper", (unsigned)i->helper);
			add_number(b, "slirp", i->program == USER_SLIRP);
		}
		add_number(b, "ovs", i->ovs);
		add_number(b, "made", i->made);
		add_number(b, "proxied", i->proxied);
		add_number(b, "script", i->script_ran);
		for (size_t a = 0; a < i->altnames.n; a++)
			add_word(b, "alt", i->altnames.v[a]);
		buf_addc(b, '\n');
	}
	return buf_ok(b) ? 0 : -ENOMEM;
}

/* In place. */
static int decode(char *s)
{
	char *to = s;

	for (; *s; s++) {
		uint64_t byte;
		char digits[3];

		if (*s != '%') {
			*to++ = *s;
			continue;
		}
		(void)snprintf(digits, sizeof(digits), "%.2s", s + 1);
		if (strlen(digits) != 2 || num_u64(digits, 16, 255, &byte) < 0 || byte == 0)
			return -EINVAL;
		*to++ = (char)byte;
		s += 2;
	}
	*to = '\0';
	return 0;
}

static int take_ifname(char to[IFNAMSIZ], const char *value)
{
	if (ifname_fault(value))
		return -EINVAL;
	(void)snprintf(to, IFNAMSIZ, "%s", value);
	return 0;
}

static int take_number(struct nic *i, const char *key, const char *value)
{
	unsigned v;
	int r = num_uint(value, 10, &v);

	if (r < 0 || v > INT32_MAX)
		return -EINVAL;
	if (STREQ(key, "helper"))
		i->helper = (pid_t)v;
	else if (STREQ(key, "slirp"))
		i->program = v ? USER_SLIRP : USER_PASTA;
	else if (STREQ(key, "index"))
		i->host_index = (int)v;
	else if (STREQ(key, "inside"))
		i->inside_index = (int)v;
	else if (STREQ(key, "link"))
		i->link.index = (int)v;
	else if (STREQ(key, "mtu"))
		i->link.mtu = v;
	else if (STREQ(key, "ovs"))
		i->ovs = v != 0;
	else if (STREQ(key, "made"))
		i->made = v != 0;
	else if (STREQ(key, "proxied"))
		i->proxied = v != 0;
	else if (STREQ(key, "script"))
		i->script_ran = v != 0;
	return 0;
}

static int take_word(struct nic *i, char *word)
{
	char *value = strchr(word, '=');

	if (!value)
		return -EINVAL;
	*value++ = '\0';
	if (decode(value) < 0)
		return -EINVAL;
	if (STREQ(word, "name"))
		return take_ifname(i->name, value);
	if (STREQ(word, "start"))
		return num_u64(value, 10, UINT64_MAX, &i->helper_start);
	if (STREQ(word, "host"))
		return take_ifname(i->host, value);
	if (STREQ(word, "mac"))
		return mac_read(value, i->link.mac);
	if (STREQ(word, "burnt"))
		return mac_read(value, i->link.burnt_in);
	if (STREQ(word, "alt"))
		return strv_add(&i->altnames, value);
	return take_number(i, word, value);
}

static int take_line(struct net_run *n, const char *line)
{
	auto_strv struct strv words = { 0 };
	struct nic *i = NULL;
	unsigned index;

	if (strv_split(&words, line, " ") < 0)
		return -ENOMEM;
	if (words.n < 2 || num_uint(words.v[0], 10, &index) < 0)
		return -EINVAL;
	for (size_t k = 0; k < n->n; k++)
		if (n->v[k].conf->index == index)
			i = &n->v[k];
	if (!i || !STREQ(i->type->word, words.v[1]))
		return -EINVAL;
	for (size_t w = 2; w < words.n; w++) {
		int r = take_word(i, words.v[w]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int collect(struct net_run *n)
{
	for (size_t k = 0; k < n->conf->nets.n; k++) {
		const struct conf_net *c = &n->conf->nets.v[k];
		struct nic i = { .conf = c, .helper_fd = -EBADF, .helper_log = -EBADF };

		if (!c->type_set || c->type == NET_INVALID)
			continue;
		i.type = &nic_types[c->type];
		i.has_mac = c->hwaddr.v && mac_read(c->hwaddr.v, i.mac) == 0;
		if (VEC_PUSH(n, i) < 0)
			return -ENOMEM;
		n->any_up = n->any_up || c->up.v;
	}
	return 0;
}

DEFINE_AUTO(struct net_run *, net_free)

int net_restore(const struct conf *c, const char *text, struct log *l, struct net_run **ret, struct err **e)
{
	auto_with(net_free) struct net_run *n = calloc(1, sizeof(*n));
	auto_strv struct strv lines = { 0 };

	if (!n)
		return err_no_memory(e);
	n->conf = c;
	n->log = l;
	n->birth_fd = -EBADF;
	n->restored = true;
	if (collect(n) < 0 || strv_split(&lines, text, "\n") < 0)
		return err_no_memory(e);
	for (size_t k = 0; k < lines.n; k++) {
		int r = take_line(n, lines.v[k]);

		if (r < 0)
			return err_set(e, -r, NULL, "the saved network state has a line \"%s\" that does not fit the configuration",
				       lines.v[k]);
	}
	for (size_t k = 0; k < n->n; k++)
		if (n->v[k].conf->type == NET_USER)
			user_adopt(&n->v[k]);
	*ret = take_ptr(n);
	return 0;
}

int net_publish(const struct net_run *n, struct conf *c)
{
	for (size_t k = 0; k < n->n; k++) {
		const struct nic *i = &n->v[k];
		struct conf_net *to = NULL;
		int r = 0;

		for (size_t j = 0; j < c->nets.n; j++)
			if (c->nets.v[j].index == i->conf->index)
				to = &c->nets.v[j];
		if (!to)
			continue;
		if (*i->name)
			r = str_set(&to->name.v, i->name);
		if (r == 0 && i->conf->type == NET_VETH && *i->host)
			r = str_set(&to->veth_pair.v, i->host);
		/* What there is of a link. */
		if (r == 0 && i->conf->type == NET_USER)
			r = str_set(&to->link.v, user_program_name(i));
		if (r < 0)
			return r;
	}
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "network/nic.h"

/* The kernel's rule, and no control characters, which it allows. */
static const char *chars_fault(const char *name)
{
	if (!*name)
		return "it is empty";
	if (strlen(name) >= IFNAMSIZ)
		return "it has more than 15 characters";
	if (STREQ(name, ".") || STREQ(name, ".."))
		return "it is a directory name";
	for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
		if (*p == '/' || *p == ':')
			return "it has a '/' or ':' in it";
		if (isspace(*p) || *p < 0x20 || *p == 0x7f)
			return "it has a blank or control character in it";
	}
	if (*name == '-')
		return "it begins with '-'";
	return NULL;
}

const char *ifname_fault(const char *name)
{
	const char *why = chars_fault(name);

	if (!why && strchr(name, '%'))
		return "it has a '%' in it";
	return why;
}

const char *ifname_template_fault(const char *name)
{
	const char *why = chars_fault(name);
	const char *percent = strchr(name, '%');

	if (why || !percent)
		return why;
	if (percent[1] != 'd' || strchr(percent + 1, '%'))
		return "only one %d can stand for a number";
	return NULL;
}

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return p ? (int)(p - digits) : -1;
}

int mac_read(const char *s, unsigned char ret[LINK_MAC_LEN])
{
	for (int i = 0; i < LINK_MAC_LEN; i++) {
		int high = hex(s[0]), low = high < 0 ? -1 : hex(s[1]);

		if (low < 0 || s[2] != (i < LINK_MAC_LEN - 1 ? ':' : '\0'))
			return -EINVAL;
		ret[i] = (unsigned char)(high << 4 | low);
		s += 3;
	}
	return 0;
}

int mac_parse(const char *s, unsigned char ret[LINK_MAC_LEN], const char **ret_why)
{
	static const unsigned char zero[LINK_MAC_LEN];
	unsigned char mac[LINK_MAC_LEN];

	*ret_why = "it is not of the form 10:66:6a:01:02:03";
	if (mac_read(s, mac) < 0)
		return -EINVAL;
	*ret_why = "it is a multicast address (the second digit is odd)";
	if (mac[0] & 1)
		return -EINVAL;
	*ret_why = "it is all zeros";
	if (memcmp(mac, zero, sizeof(mac)) == 0)
		return -EINVAL;
	memcpy(ret, mac, sizeof(mac));
	return 0;
}

void mac_random(unsigned char ret[LINK_MAC_LEN], bool host)
{
	/* Before the pool is ready at early boot this waits; it cannot be interrupted for so few bytes. */
	(void)!getrandom(ret, LINK_MAC_LEN, 0);
	ret[0] = host ? 0xfe : (unsigned char)((ret[0] & 0xfc) | 2);
}

void ifname_random(char ret[IFNAMSIZ], const char *prefix, size_t n)
{
	static const char set[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	unsigned char random[IFNAMSIZ];
	size_t at = strlen(prefix);

	(void)!getrandom(random, sizeof(random), 0);
	memcpy(ret, prefix, at);
	for (size_t i = 0; i < n && at < IFNAMSIZ - 1; i++)
		ret[at++] = set[random[i] % (sizeof(set) - 1)];
	ret[at] = '\0';
}

static bool is_taken(const struct net_run *n, const struct nic *but, const char *name)
{
	if (STREQ(name, "lo"))
		return true;
	for (size_t k = 0; k < n->n; k++)
		if (&n->v[k] != but && STREQ(n->v[k].name, name))
			return true;
	return false;
}

/* What stands in the config, or what the type implies. */
static const char *wanted_name(const struct nic *i)
{
	if (i->conf->name.v)
		return i->conf->name.v;
	return i->conf->type == NET_PHYS ? i->link.name : "eth%d";
}

static int resolve_template(struct net_run *n, struct nic *i, const char *wanted, struct err **e)
{
	const char *percent = strchr(wanted, '%');

	for (unsigned number = 0; number < 32768; number++) {
		char name[IFNAMSIZ + 8];

		(void)snprintf(name, sizeof(name), "%.*s%u%s", (int)(percent - wanted), wanted, number,
			       percent + 2);
		if (ifname_fault(name))
			break;
		if (is_taken(n, i, name))
			continue;
		(void)snprintf(i->name, sizeof(i->name), "%.*s", IFNAMSIZ - 1, name);
		return 0;
	}
	return nic_fault(e, err_ifname_invalid(e, wanted, "no number makes it a free name"), i, "name",
			 i->conf->name.at);
}

static int resolve_fixed(struct net_run *n, struct nic *i, const char *wanted, struct err **e)
{
	const char *why = ifname_template_fault(wanted);

	if (why)
		return nic_fault(e, err_ifname_invalid(e, wanted, why), i, "name", i->conf->name.at);
	if (strchr(wanted, '%'))
		return 0;
	if (is_taken(n, i, wanted))
		return nic_fault(e, err_ifname_twice(e, wanted), i, "name", i->conf->name.at);
	(void)snprintf(i->name, sizeof(i->name), "%.*s", IFNAMSIZ - 1, wanted);
	return 0;
}

static bool has_name(const struct nic *i)
{
	return i->type->has_device || i->conf->type == NET_USER;
}

int names_resolve(struct net_run *n, struct err **e)
{
	for (size_t k = 0; k < n->n; k++) {
		int r = has_name(&n->v[k]) ? resolve_fixed(n, &n->v[k], wanted_name(&n->v[k]), e) : 0;

		if (r < 0)
			return r;
	}
	for (size_t k = 0; k < n->n; k++) {
		struct nic *i = &n->v[k];
		int r = 0;

		if (has_name(i) && !*i->name)
			r = resolve_template(n, i, wanted_name(i), e);
		if (r < 0)
			return r;
	}
	return 0;
}

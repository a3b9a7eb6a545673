/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* nlattr - building and reading the attributes of netlink messages. Reading never leaves the message: a length
 * that does not fit ends the walk. Building is for messages whose room is known to do (netlink.h). */
#pragma once
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline size_t nl_align(size_t n)
{
	return (n + NLMSG_ALIGNTO - 1) & ~(size_t)(NLMSG_ALIGNTO - 1);
}

/* messages */

static inline void *nl_payload(const struct nlmsghdr *h)
{
	return (char *)(uintptr_t)h + NLMSG_HDRLEN;
}

static inline size_t nl_payload_len(const struct nlmsghdr *h)
{
	return h->nlmsg_len - NLMSG_HDRLEN;
}

/* Room for n more bytes at the end of the message, zeroed. */
static inline void *nl_extend(struct nlmsghdr *h, size_t n)
{
	char *p = (char *)h + nl_align(h->nlmsg_len);

	memset(p, 0, nl_align(n));
	h->nlmsg_len = (uint32_t)(nl_align(h->nlmsg_len) + nl_align(n));
	return p;
}

/* True if a whole message stands at h, of which left bytes are there. */
static inline bool nl_message_ok(const struct nlmsghdr *h, size_t left)
{
	return left >= sizeof(*h) && h->nlmsg_len >= sizeof(*h) && h->nlmsg_len <= left;
}

static inline const struct nlmsghdr *nl_message_next(const struct nlmsghdr *h, size_t *left)
{
	size_t n = nl_align(h->nlmsg_len);

	*left = n < *left ? *left - n : 0;
	return (const void *)((const char *)h + n);
}

/* attributes: reading */

static inline uint16_t nla_type(const struct nlattr *a)
{
	return a->nla_type & NLA_TYPE_MASK;
}

static inline const void *nla_data(const struct nlattr *a)
{
	return (const char *)a + NLA_HDRLEN;
}

static inline size_t nla_len(const struct nlattr *a)
{
	return a->nla_len - (size_t)NLA_HDRLEN;
}

static inline bool nla_ok(const struct nlattr *a, const void *end)
{
	const char *p = (const char *)a, *last = end;

	return p <= last && (size_t)(last - p) >= sizeof(*a) && a->nla_len >= sizeof(*a) &&
	       a->nla_len <= (size_t)(last - p);
}

static inline const struct nlattr *nla_next(const struct nlattr *a)
{
	return (const void *)((const char *)a + nl_align(a->nla_len));
}

/* Those behind the family header of skip bytes, and those within an attribute. */
#define nla_for_each(a, h, skip)                                                             \
	for ((a) = (const void *)((const char *)nl_payload(h) + nl_align(skip));                \
	     nla_ok((a), (const char *)(h) + (h)->nlmsg_len); (a) = nla_next(a))
#define nla_for_each_nested(a, nest)                                                        \
	for ((a) = nla_data(nest); nla_ok((a), (const char *)(nest) + (nest)->nla_len); (a) = nla_next(a))

/* Values of another length, or a text without its NUL, are none. */
static inline bool nla_is_u8(const struct nlattr *a)
{
	return nla_len(a) == sizeof(uint8_t);
}

static inline bool nla_is_u32(const struct nlattr *a)
{
	return nla_len(a) == sizeof(uint32_t);
}

static inline bool nla_is_text(const struct nlattr *a)
{
	return nla_len(a) > 0 && ((const char *)nla_data(a))[nla_len(a) - 1] == '\0';
}

static inline uint8_t nla_u8(const struct nlattr *a)
{
	return *(const uint8_t *)nla_data(a);
}

static inline uint32_t nla_u32(const struct nlattr *a)
{
	uint32_t v;

	memcpy(&v, nla_data(a), sizeof(v));
	return v;
}

static inline const char *nla_text(const struct nlattr *a)
{
	return nla_data(a);
}

/* attributes: building */

static inline void nla_put(struct nlmsghdr *h, uint16_t type, size_t n, const void *p)
{
	struct nlattr *a = nl_extend(h, NLA_HDRLEN + n);

	a->nla_type = type;
	a->nla_len = (uint16_t)(NLA_HDRLEN + n);
	if (n)
		memcpy((char *)a + NLA_HDRLEN, p, n);
}

static inline void nla_put_u8(struct nlmsghdr *h, uint16_t type, uint8_t v)
{
	nla_put(h, type, sizeof(v), &v);
}

static inline void nla_put_u16(struct nlmsghdr *h, uint16_t type, uint16_t v)
{
	nla_put(h, type, sizeof(v), &v);
}

static inline void nla_put_u32(struct nlmsghdr *h, uint16_t type, uint32_t v)
{
	nla_put(h, type, sizeof(v), &v);
}

static inline void nla_put_text(struct nlmsghdr *h, uint16_t type, const char *s)
{
	nla_put(h, type, strlen(s) + 1, s);
}

static inline struct nlattr *nla_nest_start(struct nlmsghdr *h, uint16_t type)
{
	struct nlattr *a = nl_extend(h, NLA_HDRLEN);

	a->nla_type = NLA_F_NESTED | type;
	a->nla_len = NLA_HDRLEN;
	return a;
}

static inline void nla_nest_end(struct nlmsghdr *h, struct nlattr *nest)
{
	nest->nla_len = (uint16_t)((char *)h + nl_align(h->nlmsg_len) - (char *)nest);
}

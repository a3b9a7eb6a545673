/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/paths.h"

#define N_STR 6

/* Used when even the allocation of a link fails. Never freed, never changed. */
static const struct err oom_link = {
	.num = ENOMEM,
	.id = "no-memory",
	.what = "out of memory",
	.where = "",
	.hint = "free memory and try again",
	.who = "",
	.more = "",
};

static bool is_static(const struct err *e)
{
	return e == &oom_link;
}

/* One allocation: the link and its strings. */
static struct err *link_new(int num, const char *const s[N_STR])
{
	size_t len[N_STR], total = 0;
	struct err *l;
	char *p;

	for (int i = 0; i < N_STR; i++)
		total += len[i] = strlen(s[i]) + 1;
	l = malloc(sizeof(*l) + total);
	if (!l)
		return (struct err *)&oom_link;
	l->cause = NULL;
	l->num = num;
	p = l->text;
	const char **to[N_STR] = { &l->id, &l->what, &l->where, &l->hint, &l->who, &l->more };

	for (int i = 0; i < N_STR; i++) {
		memcpy(p, s[i], len[i]);
		*to[i] = p;
		p += len[i];
	}
	return l;
}

/* Rebuilds the top link of *e with one string replaced. */
static void link_replace(struct err **e, int which, const char *text)
{
	struct err *old = *e, *l;

	if (is_static(old))
		return;
	const char *s[N_STR] = { old->id, old->what, old->where, old->hint, old->who, old->more };

	s[which] = text;
	l = link_new(old->num, s);
	if (is_static(l))
		return;
	l->cause = old->cause;
	free(old);
	*e = l;
}

static int result(int num)
{
	return num > 0 ? -num : -EIO;
}

static attr_printf(1, 0) char *format(const char *fmt, va_list ap)
{
	char *s = NULL;

	return vasprintf(&s, fmt, ap) < 0 ? NULL : s;
}

/* What helps whatever it was that the kernel refused. */
static const char *remedy_of(int num)
{
	switch (num) {
	case EMFILE:
		return "raise the limit of open files: ulimit -n 1024";
	case ENFILE:
		return "raise the number of files that the system opens: sysctl -w fs.file-max=1000000";
	case ENOSPC:
		return "free some room: df -h and df -i show which file system is full";
	case EDQUOT:
		return "free some room, or have the quota raised";
	case EROFS:
		return "the file system can only be read: mount -o remount,rw changes that, dmesg may say why it is so";
	case EIO:
		return "see what the kernel says of it: dmesg | tail";
	default:
		return "";
	}
}

int err_set(struct err **e, int num, const char *id, const char *fmt, ...)
{
	auto_free char *what = NULL;
	char kebab[64] = "";
	va_list ap;

	if (num < 0)
		num = -num;
	if (!e)
		return result(num);
	va_start(ap, fmt);
	what = format(fmt, ap);
	va_end(ap);
	for (size_t i = 0; id && id[i] && i < sizeof(kebab) - 1; i++)
		kebab[i] = id[i] == '_' ? '-' : id[i];
	err_free(*e);
	const char *s[N_STR] = { kebab, what ? what : "", "", !id || num == EMFILE ? remedy_of(num) : "", "", "" };

	*e = what ? link_new(num, s) : (struct err *)&oom_link;
	return result(num);
}

static attr_printf(4, 0) int wrap(struct err **e, int r, struct origin at, const char *fmt, va_list ap)
{
	auto_free char *what = format(fmt, ap), *where = NULL;
	struct err *l;

	if (!what || (at.file && asprintf(&where, "%s:%u", at.file, at.line) < 0))
		return r;
	const char *s[N_STR] = { "", what, where ? where : "", "", "", "" };

	l = link_new(r < 0 ? -r : 0, s);
	if (is_static(l))
		return r;
	l->cause = *e;
	*e = l;
	return r;
}

int err_wrap(struct err **e, int r, const char *fmt, ...)
{
	va_list ap;

	if (!e || !*e)
		return r;
	va_start(ap, fmt);
	r = wrap(e, r, (struct origin){ 0 }, fmt, ap);
	va_end(ap);
	return r;
}

int err_wrap_at(struct err **e, int r, struct origin at, const char *fmt, ...)
{
	va_list ap;

	if (!e || !*e)
		return r;
	va_start(ap, fmt);
	r = wrap(e, r, at, fmt, ap);
	va_end(ap);
	return r;
}

int err_at(struct err **e, int r, struct origin at)
{
	auto_free char *where = NULL;

	if (!e || !*e || !at.file || *(*e)->where)
		return r;
	if (asprintf(&where, "%s:%u", at.file, at.line) >= 0)
		link_replace(e, 2, where);
	return r;
}

int err_hint(struct err **e, int r, const char *fmt, ...)
{
	auto_free char *hint = NULL;
	va_list ap;

	/* Whatever could not be opened, something else is the remedy. */
	if (!e || !*e || ((*e)->num == EMFILE && *(*e)->hint))
		return r;
	va_start(ap, fmt);
	hint = format(fmt, ap);
	va_end(ap);
	if (hint)
		link_replace(e, 3, hint);
	return r;
}

int err_more(struct err **e, int r, const char *fmt, ...)
{
	auto_free char *line = NULL, *all = NULL;
	struct err **root = e;
	va_list ap;

	if (!e || !*e)
		return r;
	while ((*root)->cause)
		root = &(*root)->cause;
	va_start(ap, fmt);
	line = format(fmt, ap);
	va_end(ap);
	/* A newline inside would be taken for the end of the fault. */
	for (char *p = line; p && *p; p++)
		if (*p == '\n')
			*p = ' ';
	if (line && asprintf(&all, "%s%s\n", (*root)->more, line) >= 0)
		link_replace(root, 5, all);
	return r;
}

void err_role(struct err *e, const char *who)
{
	for (; e; e = e->cause)
		if (!is_static(e) && !*e->who)
			e->who = who;
}

void err_move(struct err **e, struct err *from)
{
	if (!e) {
		err_free(from);
		return;
	}
	err_free(*e);
	*e = from;
}

void err_free(struct err *e)
{
	while (e) {
		struct err *next = e->cause;

		if (!is_static(e))
			free(e);
		e = next;
	}
}

const struct err *err_root(const struct err *e)
{
	while (e && e->cause)
		e = e->cause;
	return e;
}

const char *err_id(const struct err *e)
{
	const char *id = "";

	for (; e; e = e->cause)
		if (*e->id)
			id = e->id;
	return id;
}

const char *err_remedy(const struct err *e)
{
	const char *hint = "";

	for (; e; e = e->cause)
		if (*e->hint)
			hint = e->hint;
	return hint;
}

bool err_is(const struct err *e, const char *id)
{
	return strcmp(err_id(e), id) == 0;
}

/* Appends text with control characters escaped, so that no error can steer a terminal. */
static void add_safe(struct buf *b, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '\t')
			buf_addc(b, ' ');
		else if (c < 0x20 || c == 0x7f)
			buf_addf(b, "\\x%02x", c);
		else
			buf_addc(b, *s);
	}
}

/* "what: strerror" where errno adds something to an unclassified fact. */
static void add_root(struct buf *b, const struct err *root)
{
	if (*root->where) {
		add_safe(b, root->where);
		buf_adds(b, ": ");
	}
	add_safe(b, root->what);
	if (root->num && !*root->id) {
		buf_adds(b, ": ");
		buf_adds(b, strerrordesc_np(root->num) ? strerrordesc_np(root->num) : "unknown error");
	}
}

/* Every further fault, between before and after. */
static void add_more(struct buf *b, const struct err *root, const char *before, const char *after)
{
	for (const char *p = root->more; *p;) {
		size_t n = strcspn(p, "\n");
		auto_free char *one = strndup(p, n);

		buf_adds(b, before);
		add_safe(b, one ? one : "");
		buf_adds(b, after);
		p += n + (p[n] == '\n');
	}
}

char *err_line(const struct err *e)
{
	struct buf b = BUF_INIT(16384);
	const struct err *root = err_root(e);

	if (!e)
		return NULL;
	if (e != root) {
		add_safe(&b, e->what);
		buf_adds(&b, ": ");
	}
	add_root(&b, root);
	for (const struct err *l = e; l != root; l = l->cause)
		if (*l->where) {
			buf_adds(&b, " (");
			add_safe(&b, l->where);
			buf_addc(&b, ')');
			break;
		}
	add_more(&b, root, "; also ", "");
	if (*err_remedy(e)) {
		buf_adds(&b, "; try: ");
		add_safe(&b, err_remedy(e));
	}
	return buf_take(&b);
}

static void add_context(struct buf *b, const struct err *e, const struct err *root)
{
	const char *sep = "  while ";

	for (const struct err *l = e->cause; l && l != root; l = l->cause) {
		buf_adds(b, sep);
		add_safe(b, l->what);
		if (*l->where) {
			buf_adds(b, " (");
			add_safe(b, l->where);
			buf_addc(b, ')');
		}
		sep = ", ";
	}
	if (*sep == ',')
		buf_addc(b, '\n');
}

static void add_details(struct buf *b, const struct err *e)
{
	for (; e; e = e->cause) {
		buf_adds(b, "    ");
		if (*e->who)
			buf_addf(b, "[%s] ", e->who);
		add_safe(b, e->what);
		if (*e->id)
			buf_addf(b, " (%s)", e->id);
		if (e->num)
			buf_addf(b, " %s", strerrorname_np(e->num) ? strerrorname_np(e->num) : "?");
		buf_addc(b, '\n');
	}
}

void err_print(FILE *out, const char *prog, const struct err *e, bool verbose)
{
	struct buf b = BUF_INIT(65536);
	const struct err *root = err_root(e);

	if (!e)
		return;
	buf_addf(&b, "%s: ", prog);
	if (e != root) {
		add_safe(&b, e->what);
		if (*e->where) {
			buf_adds(&b, " (");
			add_safe(&b, e->where);
			buf_addc(&b, ')');
		}
		buf_adds(&b, ": ");
	}
	add_root(&b, root);
	buf_addc(&b, '\n');
	add_more(&b, root, "  also ", "\n");
	if (e != root)
		add_context(&b, e, root);
	if (*err_remedy(e)) {
		buf_adds(&b, "  try: ");
		add_safe(&b, err_remedy(e));
		buf_addc(&b, '\n');
	}
	if (verbose)
		add_details(&b, e);
	if (b.p)
		(void)fwrite(b.p, 1, b.len, out);
	buf_done(&b);
}

/* Frame: per link, outermost first: int32 errno, then six NUL-terminated strings. */
static size_t link_size(const struct err *l)
{
	return sizeof(int32_t) + strlen(l->id) + strlen(l->what) + strlen(l->where) + strlen(l->hint) +
	       strlen(l->who) + strlen(l->more) + N_STR;
}

static char *pack_link(char *p, const struct err *l)
{
	const char *s[N_STR] = { l->id, l->what, l->where, l->hint, l->who, l->more };
	int32_t num = l->num;

	memcpy(p, &num, sizeof(num));
	p += sizeof(num);
	for (int i = 0; i < N_STR; i++)
		p = stpcpy(p, s[i]) + 1;
	return p;
}

/* A root that alone exceeds a frame is cut in its text, never in its structure. */
static size_t pack_cut(const struct err *root, char buf[ERR_FRAME_MAX])
{
	int32_t num = root->num;
	size_t room = ERR_FRAME_MAX - sizeof(num) - N_STR - 64, len = strnlen(root->what, room);
	char *p = buf;

	memcpy(p, &num, sizeof(num));
	p += sizeof(num);
	len = MIN(len, room);
	p = stpncpy(p, root->id, 60);
	*p++ = '\0';
	memcpy(p, root->what, len);
	p += len;
	memset(p, 0, N_STR - 1);
	return (size_t)(p + N_STR - 1 - buf);
}

/* A root whose further faults exceed the frame loses the last of them, whole lines at a time. */
static size_t pack_fewer(const struct err *root, char buf[ERR_FRAME_MAX])
{
	size_t more = strlen(root->more), room = ERR_FRAME_MAX - (link_size(root) - more);
	char *end = pack_link(buf, &(struct err){ .num = root->num, .id = root->id, .what = root->what,
						  .where = root->where, .hint = root->hint,
						  .who = root->who, .more = "" });

	more = MIN(more, room);
	while (more && root->more[more - 1] != '\n')
		more--;
	memcpy(end - 1, root->more, more);
	end[-1 + (ptrdiff_t)more] = '\0';
	return (size_t)(end - buf) + more;
}

size_t err_pack(const struct err *e, char buf[ERR_FRAME_MAX])
{
	const struct err *root = err_root(e);
	size_t left = ERR_FRAME_MAX, need;
	char *p = buf;

	if (!e)
		return 0;
	need = link_size(root);
	if (need > left)
		return need - strlen(root->more) > left ? pack_cut(root, buf) : pack_fewer(root, buf);
	left -= need;
	for (; e != root; e = e->cause) {
		need = link_size(e);
		if (need > left)
			continue;
		left -= need;
		p = pack_link(p, e);
	}
	p = pack_link(p, root);
	return (size_t)(p - buf);
}

struct err *err_unpack(const char *buf, size_t len)
{
	struct err *first = NULL, **tail = &first;
	const char *p = buf, *end = buf + len;

	if (len > ERR_FRAME_MAX)
		return NULL;
	while (p < end) {
		const char *s[N_STR];
		int32_t num;

		if ((size_t)(end - p) < sizeof(num))
			break;
		memcpy(&num, p, sizeof(num));
		p += sizeof(num);
		int i = 0;

		for (; i < N_STR && p < end; i++) {
			const char *nul = memchr(p, '\0', (size_t)(end - p));

			if (!nul)
				break;
			s[i] = p;
			p = nul + 1;
		}
		if (i < N_STR || num < 0 || num > 4095)
			break;
		*tail = link_new(num, s);
		if (is_static(*tail))
			return first;
		tail = &(*tail)->cause;
		if (p == end)
			return first;
	}
	err_free(first);
	return NULL;
}

static bool is_default_path(const char *lxcpath)
{
	return !lxcpath || STREQ(lxcpath, PATH_LXCPATH);
}

const char *err_path_option(const char *lxcpath)
{
	return is_default_path(lxcpath) ? "" : " -P ";
}

const char *err_path_value(const char *lxcpath)
{
	return is_default_path(lxcpath) ? "" : lxcpath;
}

static const struct err_doc docs[] = {
#define ERR_FIRST(f, ...) f
#define ERROR(name, errnum, params, what, hint, doc) { #name, ERR_FIRST what, ERR_FIRST hint, doc },
#include "base/errors.def"
#undef ERROR
};

const struct err_doc *err_docs(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(docs);
	return docs;
}

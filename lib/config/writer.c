/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "config/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "base/str.h"
#include "config/key.h"
#include "config/reader.h"
#include "config/type.h"

#define DUMP_MAX ((size_t)16 << 20)

/* What the reader would trim or unquote is wrapped in one pair of quotes, which it removes again. */
static void add_value(struct buf *b, const char *value)
{
	size_t n = strlen(value);
	bool wrap = n && (strchr(" \t", *value) || strchr(" \t", value[n - 1]) ||
			  (n > 1 && (*value == '"' || *value == '\'') && value[n - 1] == *value));

	if (wrap)
		buf_addc(b, '"');
	buf_add(b, value, n);
	if (wrap)
		buf_addc(b, '"');
}

static int append_line(struct conf *c, const char *key, const char *value)
{
	auto_buf struct buf b = BUF_INIT((size_t)1 << 20);

	buf_addf(&b, "%s = ", key);
	add_value(&b, value);
	return strv_push(&c->text, buf_take(&b));
}

/* The key of a line of text (new), NULL if it is a comment or something else. */
static char *line_key(const char *line)
{
	line += strspn(line, " \t");
	if (!str_after(line, "lxc.") || !strchr(line, '='))
		return NULL;
	return strndup(line, strcspn(line, " \t="));
}

/* While the text is walked, old interface lines are numbered as the reader numbered them. */
struct walk {
	struct conf *nics; /* only nets and legacy_nets are used */
};

/* Today's spelling of the line's key (new); follows lxc.network.type lines. */
static char *modern_key(struct walk *w, const char *line, const char *key)
{
	const char *value = line + strcspn(line, "=") + 1;
	char *name;

	if (str_after(key, "lxc.net.")) {
		auto_free char *up = NULL;

		if (asprintf(&up, "lxc.net.%.*s.flags", (int)strspn(key + 8, "0123456789"), key + 8) >= 0)
			(void)key_assign(NULL, w->nics, up, "up", (struct origin){ 0 }, NULL, NULL);
	}
	if (!legacy_is_key(key))
		return strdup(key);
	if (strcmp(key, "lxc.network.type") == 0 && value[strspn(value, " \t\"'")])
		(void)key_assign(NULL, w->nics, key, "empty", (struct origin){ 0 }, NULL, NULL);
	name = legacy_name(w->nics, key);
	return name ? name : strdup(key);
}

/* True if a line of key goes when cleared is cleared. */
static bool covers(const char *cleared, const char *key)
{
	const char *sub, *key_sub, *rest = str_after(key, cleared);
	const struct key *k = key_find(cleared, &sub), *row = key_find(key, &key_sub);

	if (strcmp(key, cleared) == 0)
		return true;
	if (!rest || *rest != '.' || !k || !row || strcmp(cleared, "lxc.include") == 0)
		return false;
	if (k->type == &type_hook_all)
		return row->type == &type_list;
	if (k->type == &type_net || k->type == &type_net_all)
		return true;
	return k == row && (k->flags & KEY_PREFIX) && !sub;
}

/* What goes together: clearing either capability list clears both, and the old way to name the type of
 * a root goes with the root. */
static bool covers_too(const char *cleared, const char *key)
{
	return (strcmp(cleared, "lxc.cap.drop") == 0 && strcmp(key, "lxc.cap.keep") == 0) ||
	       (strcmp(cleared, "lxc.cap.keep") == 0 && strcmp(key, "lxc.cap.drop") == 0) ||
	       (strcmp(cleared, "lxc.rootfs.path") == 0 && strcmp(key, "lxc.rootfs.backend") == 0);
}

/* The line as it is kept (new). Old interfaces are known by their position: when one of them may be
 * going, the lines of the others get their index written out. */
static char *kept_line(const char *line, const char *key, const char *modern, const char *cleared)
{
	auto_buf struct buf b = BUF_INIT((size_t)1 << 20);

	if (!modern || strcmp(key, modern) == 0 || !str_after(cleared, "lxc.net") ||
	    !str_after(modern, "lxc.net."))
		return strdup(line);
	buf_adds(&b, modern);
	buf_adds(&b, line + strspn(line, " \t") + strlen(key));
	return buf_take(&b);
}

static int remove_lines(struct conf *c, const char *cleared)
{
	auto_conf struct conf *nics = conf_new();
	struct walk w = { nics };
	auto_strv struct strv kept = { 0 };

	if (!nics)
		return -ENOMEM;
	for (size_t i = 0; i < c->text.n; i++) {
		auto_free char *key = line_key(c->text.v[i]);
		auto_free char *modern = key ? modern_key(&w, c->text.v[i], key) : NULL;

		if (modern && (covers(cleared, modern) || covers_too(cleared, modern)))
			continue;
		if (strv_push(&kept, kept_line(c->text.v[i], key, modern, cleared)) < 0)
			return -ENOMEM;
	}
	strv_done(&c->text);
	c->text = kept;
	kept = (struct strv){ 0 };
	return 0;
}

/* True if the value that key is going to lose came from an included file. */
static bool is_foreign(const struct conf *c, const char *key)
{
	struct dump d = { .c = c, .key = key };

	key_dump_all(c, &d);
	return d.foreign;
}

struct origin conf_origin(const struct conf *c, const char *key, size_t nth)
{
	struct origin found = { 0 };
	struct dump d = { .c = c, .key = key, .nth = nth, .found = &found };

	key_dump_all(c, &d);
	return found;
}

/* Takes the key's lines out of the text. An included file would set it again when the text is read:
 * then, and where unset is not the default, a line that clears it stays. */
static int forget(struct conf *c, const char *key, bool tell)
{
	const char *sub;
	const struct key *k = key_find(key, &sub);

	if (remove_lines(c, key) < 0)
		return -ENOMEM;
	if (tell && k && !(k->flags & KEY_NO_EMPTY))
		return strv_addf(&c->text, "%s =", key);
	return 0;
}

/* Today's spelling, which text lines are compared with (new). */
static char *current_key(const struct conf *c, const char *key)
{
	char *name = legacy_is_key(key) ? legacy_name(c, key) : NULL;

	return name ? name : strdup(key);
}

int conf_set_item(struct conf *c, const char *key, const char *value, struct log *l, struct err **e)
{
	auto_free char *copy = strdup(value ? value : ""), *name = current_key(c, key);
	const struct key *k;
	const char *sub;
	bool tell;
	int r;

	if (!copy || !name)
		return err_no_memory(e);
	k = key_find(name, &sub);
	tell = !*copy && ((k && k->flags & (KEY_EMPTY_TOLD | KEY_EMPTY_ZERO)) || is_foreign(c, name));
	if (hwaddr_is_key(key))
		hwaddr_fill(copy);
	r = key_set(c, key, copy, (struct origin){ 0 }, l, e);
	if (r < 0)
		return r;
	if (*copy) {
		/* An old name is saved as today's; only now is it known which interface was meant. */
		auto_free char *modern = current_key(c, key);

		r = modern ? append_line(c, modern, legacy_value(key, copy)) : -ENOMEM;
	} else {
		r = forget(c, name, tell);
	}
	return r < 0 ? err_no_memory(e) : 0;
}

int conf_clear_item(struct conf *c, const char *key, struct log *l, struct err **e)
{
	auto_free char *name = current_key(c, key);
	const struct key *k;
	const char *sub;
	bool tell;
	int r;

	if (!name)
		return err_no_memory(e);
	k = key_find(name, &sub);
	/* An empty lxc.autodev means 0, which is not what clearing it means. */
	tell = k && !(k->flags & KEY_EMPTY_ZERO) && ((k->flags & KEY_EMPTY_TOLD) || is_foreign(c, name));
	r = key_clear(c, key, e);
	if (r < 0)
		return r;
	return forget(c, name, tell) < 0 ? err_no_memory(e) : 0;
}

int conf_text(const struct conf *c, struct buf *b)
{
	for (size_t i = 0; i < c->text.n; i++) {
		buf_adds(b, c->text.v[i]);
		buf_addc(b, '\n');
	}
	return buf_ok(b) ? 0 : -ENOMEM;
}

int conf_save(const struct conf *c, int dirfd, const char *name, mode_t mode, bool durable, struct err **e)
{
	auto_buf struct buf b = BUF_INIT(DUMP_MAX);

	/* The last line of defence against a value that would become another line. */
	for (size_t i = 0; i < c->text.n; i++)
		if (strpbrk(c->text.v[i], "\r\n"))
			return err_control_character(e, "a line of the configuration", '\n');
	if (conf_text(c, &b) < 0)
		return err_no_memory(e);
	return (durable ? io_replace : io_replace_volatile)(dirfd, name, buf_str(&b), b.len, mode, e);
}

/* The dump. Header lines begin with "#@"; an origin stands before the line that it belongs to.
 *   #@name NAME   #@lxcpath PATH   #@file NAME (numbered from 0)   #@text LINE
 *   #@ N:LINE
 *   KEY = VALUE
 * In header lines a backslash, a CR and a LF are written \\, \r and \n. */
static void add_header(struct buf *b, const char *word, const char *text)
{
	buf_addf(b, "#@%s ", word);
	for (size_t n; *text; text += n) {
		n = strcspn(text, "\\\n\r");
		buf_add(b, text, n);
		if (!text[n])
			break;
		buf_addc(b, '\\');
		buf_addc(b, text[n] == '\n' ? 'n' : text[n] == '\r' ? 'r' : '\\');
		n++;
	}
	buf_addc(b, '\n');
}

void dump_line(struct dump *d, struct origin at, const char *key, const char *value)
{
	if (d->found) {
		if (strcmp(d->key, key) == 0 && d->nth-- == 0)
			*d->found = at;
		return;
	}
	if (!d->b) {
		d->foreign |= at.file && d->c->files.n && strcmp(at.file, d->c->files.v[0]) != 0 &&
			      (covers(d->key, key) || covers_too(d->key, key));
		return;
	}
	for (size_t i = 0; at.file && i < d->c->files.n; i++)
		if (strcmp(d->c->files.v[i], at.file) == 0) {
			buf_addf(d->b, "#@ %zu:%u\n", i, at.line);
			break;
		}
	buf_adds(d->b, key);
	buf_adds(d->b, " = ");
	add_value(d->b, value);
	buf_addc(d->b, '\n');
}

static int dump(const struct conf *c, bool with_text, struct buf *b)
{
	struct dump d = { .b = b, .c = c };

	if (c->name)
		add_header(b, "name", c->name);
	if (c->lxcpath)
		add_header(b, "lxcpath", c->lxcpath);
	for (size_t i = 0; i < c->files.n; i++)
		add_header(b, "file", c->files.v[i]);
	for (size_t i = 0; with_text && i < c->text.n; i++)
		add_header(b, "text", c->text.v[i]);
	key_dump_all(c, &d);
	return buf_ok(b) ? 0 : -ENOMEM;
}

int conf_dump(const struct conf *c, struct buf *b)
{
	return dump(c, true, b);
}

int conf_dump_values(const struct conf *c, struct buf *b)
{
	return dump(c, false, b);
}

static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s == '\\' && s[1]) {
			s++;
			*to++ = *s == 'n' ? '\n' : *s == 'r' ? '\r' : *s;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* "N:LINE" of a "#@ " line. */
static int read_origin(const struct conf *c, char *s, struct origin *ret)
{
	char *colon = strchr(s, ':');
	unsigned file, line;

	if (!colon)
		return -EINVAL;
	*colon = '\0';
	if (num_uint(s, 10, &file) < 0 || num_uint(colon + 1, 10, &line) < 0 || file >= c->files.n)
		return -EINVAL;
	*ret = (struct origin){ .file = c->files.v[file], .line = line };
	return 0;
}

static int undump_header(struct conf *c, char *line, struct origin *at)
{
	char *text = strchr(line, ' ');

	if (!text)
		return -EINVAL;
	*text++ = '\0';
	if (!*line)
		return read_origin(c, text, at);
	unescape(text);
	if (strcmp(line, "name") == 0)
		return str_set(&c->name, text);
	if (strcmp(line, "lxcpath") == 0)
		return str_set(&c->lxcpath, text);
	if (strcmp(line, "file") == 0)
		return strv_add(&c->files, text);
	if (strcmp(line, "text") == 0)
		return strv_add(&c->text, text);
	return -EINVAL;
}

static int undump_line(struct conf *c, char *line, struct origin *at, struct log *l, struct err **e)
{
	char *eq = strstr(line, " = ");
	char *value = eq ? eq + 3 : NULL;
	size_t n;
	int r;

	if (str_after(line, "#@")) {
		r = undump_header(c, line + 2, at);
		return r < 0 ? err_set(e, -r, NULL, "the container's configuration arrived damaged") : 0;
	}
	if (!eq)
		return err_config_syntax(e, line);
	*eq = '\0';
	n = strlen(value);
	if (n > 1 && (*value == '"' || *value == '\'') && value[n - 1] == *value) {
		value[n - 1] = '\0';
		value++;
	}
	/* An include would read files again: a dump never has one. */
	if (strcmp(line, "lxc.include") == 0)
		return err_unknown_key(e, line, "", "");
	r = key_set(c, line, value, *at, l, e);
	*at = (struct origin){ 0 };
	return r;
}

int conf_undump(struct conf **ret, const char *text, size_t len, struct log *l, struct err **e)
{
	auto_conf struct conf *c = conf_new();
	struct origin at = { 0 };
	const char *p = text, *end = text + len;

	if (!c || len > DUMP_MAX)
		return err_no_memory(e);
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = nl ? (size_t)(nl - p) : (size_t)(end - p);
		auto_free char *line = strndup(p, n);
		int r = line ? undump_line(c, line, &at, l, e) : err_no_memory(e);

		if (r < 0)
			return r;
		p += n + (nl ? 1 : 0);
	}
	*ret = take_ptr(c);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/jsonout.h"

#include <stdlib.h>
#include <string.h>

#include <lxc/lxcext.h>

#include "base/cleanup.h"

#define OUT_MAX (64U << 20)
#define LINKS_MAX 64

struct json *jsonout_begin(struct jsonout *o, const char *schema)
{
	o->buf = (struct buf)BUF_INIT(OUT_MAX);
	o->json = (struct json)JSON_INIT(&o->buf);
	json_object(&o->json, NULL);
	json_string(&o->json, "schema", schema);
	json_u64(&o->json, "version", JSONOUT_VERSION);
	return &o->json;
}

static bool print(FILE *out, struct jsonout *o)
{
	bool ok;

	json_object_end(&o->json);
	buf_addc(&o->buf, '\n');
	ok = buf_ok(&o->buf);
	if (ok)
		(void)fwrite(o->buf.p, 1, o->buf.len, out);
	buf_done(&o->buf);
	return ok;
}

int jsonout_end(struct tool *t, struct jsonout *o)
{
	return print(stdout, o) ? tool_flush(t) : tool_error(t, "out of memory");
}

void jsonout_lines(struct json *j, const char *key, const char *value)
{
	auto_strv struct strv lines = { 0 };

	json_array(j, key);
	if (value && strv_split(&lines, value, "\n") == 0)
		for (size_t i = 0; i < lines.n; i++)
			json_string(j, NULL, lines.v[i]);
	json_array_end(j);
}

static void add_message(struct json *j, const struct lxcext_error_link *v, size_t n)
{
	const struct lxcext_error_link *root = &v[n - 1];
	auto_buf struct buf b = BUF_INIT(65536);

	if (n > 1)
		buf_addf(&b, "%s: ", v[0].what);
	buf_adds(&b, root->what);
	if (root->num > 0 && !*root->id)
		buf_addf(&b, ": %s", strerrordesc_np(root->num) ? strerrordesc_np(root->num) : "unknown error");
	json_string(j, "message", buf_str(&b));
}

/* The innermost link that has one: NULL if none. */
static const char *innermost(const struct lxcext_error_link *v, size_t n, size_t offset)
{
	while (n-- > 0) {
		const char *text;

		memcpy(&text, (const char *)&v[n] + offset, sizeof(text));
		if (*text)
			return text;
	}
	return NULL;
}

static const char *or_null(const char *text)
{
	return *text ? text : NULL;
}

static void add_chain(struct json *j, const struct lxcext_error_link *v, size_t n)
{
	json_array(j, "chain");
	for (size_t i = 0; i < n; i++) {
		json_object(j, NULL);
		json_string(j, "what", v[i].what);
		json_string(j, "where", or_null(v[i].where));
		json_string(j, "remedy", or_null(v[i].hint));
		json_string(j, "id", or_null(v[i].id));
		json_string(j, "process", or_null(v[i].who));
		json_i64(j, "errno", v[i].num);
		json_object_end(j);
	}
	json_array_end(j);
}

static void emit(FILE *out, const char *prog, const struct lxcext_error_link *v, size_t n)
{
	struct jsonout o;
	struct json *j = jsonout_begin(&o, "message");

	json_string(j, "kind", "error");
	json_string(j, "program", prog);
	add_message(j, v, n);
	json_string(j, "id", innermost(v, n, offsetof(struct lxcext_error_link, id)));
	json_string(j, "where", innermost(v, n, offsetof(struct lxcext_error_link, where)));
	json_string(j, "remedy", innermost(v, n, offsetof(struct lxcext_error_link, hint)));
	json_i64(j, "errno", v[n - 1].num);
	add_chain(j, v, n);
	(void)print(out, &o);
}

bool jsonout_failed(FILE *out, const char *prog, struct lxc_container *c)
{
	struct lxcext_error_link v[LINKS_MAX];
	size_t n = 0;

	while (n < LINKS_MAX && lxcext_last_error(c, n, &v[n]) == 0)
		n++;
	if (n > 0)
		emit(out, prog, v, n);
	return n > 0;
}

void jsonout_error(FILE *out, const char *prog, const struct err *e)
{
	struct lxcext_error_link v[LINKS_MAX];
	size_t n = 0;

	for (; e && n < LINKS_MAX; e = e->cause)
		v[n++] = (struct lxcext_error_link){ e->what, e->where, e->hint, e->id, e->who, e->num };
	if (n > 0)
		emit(out, prog, v, n);
}

void jsonout_warning(FILE *out, const char *prog, const char *text)
{
	struct jsonout o;
	struct json *j = jsonout_begin(&o, "message");

	json_string(j, "kind", "warning");
	json_string(j, "program", prog);
	json_string(j, "message", text);
	(void)print(out, &o);
}

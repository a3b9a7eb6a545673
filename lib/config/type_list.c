/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* Lists: plain lines, words, variables, groups, capabilities, and maps with a name per entry. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "config/type.h"
#include "kernel/caps.h"
#include "kernel/rlimit.h"

static int append(const struct key_ctx *x, const char *value, struct err **e)
{
	return item_add(key_field(x), NULL, value, x->at) < 0 ? err_no_memory(e) : 0;
}

static int set_list(const struct key_ctx *x, struct err **e)
{
	return append(x, x->value, e);
}

static int clear_list(const struct key_ctx *x, struct err **e)
{
	items_clear(key_field(x));
	return 0;
}

static int get_list(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const struct conf_list *l = key_field(x);

	for (size_t i = 0; i < l->n; i++)
		buf_addf(b, "%s\n", l->v[i].value);
	return 0;
}

static void dump_list(const struct key_ctx *x, struct dump *d)
{
	const struct conf_list *l = key_field(x);

	for (size_t i = 0; i < l->n; i++)
		dump_line(d, l->v[i].at, x->key, l->v[i].value);
}

const struct key_type type_list = {
	.set = set_list,
	.clear = clear_list,
	.get = get_list,
	.dump = dump_list,
};

static int set_words(const struct key_ctx *x, struct err **e)
{
	auto_strv struct strv words = { 0 };
	int r = strv_split(&words, x->value, " \t");

	for (size_t i = 0; i < words.n && r == 0; i++)
		r = append(x, words.v[i], NULL);
	return r < 0 ? err_no_memory(e) : 0;
}

const struct key_type type_words = {
	.set = set_words,
	.clear = clear_list,
	.get = get_list,
	.dump = dump_list,
};

static int set_names(const struct key_ctx *x, struct err **e)
{
	auto_strv struct strv names = { 0 };
	int r = strv_split(&names, x->value, " \t");

	for (size_t i = 0; i < names.n && r == 0; i++) {
		auto_err struct err *why = NULL;

		if (name_check(names.v[i], &why) < 0)
			return key_bad(x, EINVAL, err_root(why)->what, e);
	}
	for (size_t i = 0; i < names.n && r == 0; i++)
		r = append(x, names.v[i], NULL);
	return r < 0 ? err_no_memory(e) : 0;
}

const struct key_type type_names = {
	.set = set_names,
	.clear = clear_list,
	.get = get_list,
	.dump = dump_list,
};

/* lxcext_wait_ready looks for the same. */
static int set_ready(const struct key_ctx *x, struct err **e)
{
	const char *port = str_after(x->value, "port:"), *command = str_after(x->value, "command:");
	unsigned n;

	if (port && (num_uint(port, 10, &n) < 0 || n == 0 || n > 65535))
		return key_bad(x, EINVAL, "there is no such port", e);
	if (command && !command[strspn(command, " \t")])
		return key_bad(x, EINVAL, "the command is missing", e);
	if (!port && !command && !STREQ(x->value, "network") && !STREQ(x->value, "init"))
		return key_bad(x, EINVAL, "it is none of network, init, port:NUMBER and command:COMMAND", e);
	return append(x, x->value, e);
}

const struct key_type type_ready = {
	.set = set_ready,
	.clear = clear_list,
	.get = get_list,
	.dump = dump_list,
};

static int set_env(const struct key_ctx *x, struct err **e)
{
	auto_free char *whole = NULL;
	const char *value;

	if (*x->value == '=')
		return key_bad(x, EINVAL, "the variable has no name", e);
	if (strchr(x->value, '='))
		return append(x, x->value, e);
	value = getenv(x->value);
	if (!value)
		return err_environment_unset(e, x->key, x->value);
	if (str_has_control(value, true))
		return key_bad(x, EINVAL, "the variable's value contains a control character", e);
	if (asprintf(&whole, "%s=%s", x->value, value) < 0)
		return err_no_memory(e);
	return append(x, whole, e);
}

const struct key_type type_env = {
	.set = set_env,
	.clear = clear_list,
	.get = get_list,
	.dump = dump_list,
};

static int set_groups(const struct key_ctx *x, struct err **e)
{
	auto_strv struct strv words = { 0 };
	char text[16];
	unsigned id;
	int r = strv_split(&words, x->value, ",");

	for (size_t i = 0; i < words.n && r == 0; i++)
		if (num_uint(words.v[i], 0, &id) < 0 || id == UINT32_MAX)
			return key_bad(x, EINVAL, "it is no comma list of numeric group ids", e);
	if (r == 0 && words.n == 0)
		return key_bad(x, EINVAL, "it is no comma list of numeric group ids", e);
	for (size_t i = 0; i < words.n && r == 0; i++) {
		(void)num_uint(words.v[i], 0, &id);
		(void)snprintf(text, sizeof(text), "%u", id);
		r = append(x, text, NULL);
	}
	return r < 0 ? err_no_memory(e) : 0;
}

static int get_groups(const struct key_ctx *x, struct buf *b, struct err **e)
{
	const struct conf_list *l = key_field(x);

	for (size_t i = 0; i < l->n; i++)
		buf_addf(b, "%s%s", i ? "," : "", l->v[i].value);
	return 0;
}

const struct key_type type_groups = {
	.set = set_groups,
	.clear = clear_list,
	.get = get_groups,
	.dump = dump_list,
};

/* lxc.hook: all of them at once. */
static int set_hook_all(const struct key_ctx *x, struct err **e)
{
	return key_bad_hint(x, EINVAL, "only an empty value is allowed, which removes all hooks",
			    "name the hook, for example lxc.hook.start", e);
}

static int clear_hook_all(const struct key_ctx *x, struct err **e)
{
	for (int i = 0; i < HOOK_COUNT; i++)
		items_clear(&x->c->hooks[i]);
	return 0;
}

static int get_hook_all(const struct key_ctx *x, struct buf *b, struct err **e)
{
	return err_set(e, EINVAL, "key_not_readable", "%s is not one value; read lxc.hook.start and so on",
		       x->key);
}

const struct key_type type_hook_all = {
	.set = set_hook_all,
	.clear = clear_hook_all,
	.get = get_hook_all,
};

static int check_cap(const struct key_ctx *x, const char *word, struct err **e)
{
	auto_buf struct buf why = BUF_INIT(65536);
	int cap, r = caps_parse(word, &cap);
	const char *near;

	if (r == 0)
		return 0;
	near = caps_nearest(word);
	buf_addf(&why, r == -ERANGE ? "this kernel has no capability %s" : "there is no capability '%s'",
		 word);
	if (near)
		buf_addf(&why, "; did you mean %s?", near);
	return key_bad(x, -r, buf_str(&why), e);
}

static int set_cap_drop(const struct key_ctx *x, struct err **e)
{
	auto_strv struct strv words = { 0 };
	int r;

	if (x->c->cap_keep_mode)
		return key_bad_hint(x, EINVAL, "lxc.cap.keep is set already",
				    "use one of lxc.cap.drop and lxc.cap.keep; an empty value clears both",
				    e);
	if (strv_split(&words, x->value, " \t") < 0)
		return err_no_memory(e);
	for (size_t i = 0; i < words.n; i++) {
		r = check_cap(x, words.v[i], e);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < words.n; i++)
		if (append(x, words.v[i], e) < 0)
			return -ENOMEM;
	return 0;
}

static int set_cap_keep(const struct key_ctx *x, struct err **e)
{
	auto_strv struct strv words = { 0 };
	int r;

	if (x->c->cap_drop.n)
		return key_bad_hint(x, EINVAL, "lxc.cap.drop is set already",
				    "use one of lxc.cap.drop and lxc.cap.keep; an empty value clears both",
				    e);
	if (strv_split(&words, x->value, " \t") < 0)
		return err_no_memory(e);
	for (size_t i = 0; i < words.n; i++) {
		r = strcmp(words.v[i], "none") == 0 ? 0 : check_cap(x, words.v[i], e);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < words.n; i++)
		if (strcmp(words.v[i], "none") == 0)
			items_clear(&x->c->cap_keep);
		else if (append(x, words.v[i], e) < 0)
			return -ENOMEM;
	if (words.n)
		x->c->cap_keep_mode = true;
	return 0;
}

static int clear_caps(const struct key_ctx *x, struct err **e)
{
	items_clear(&x->c->cap_drop);
	items_clear(&x->c->cap_keep);
	x->c->cap_keep_mode = false;
	return 0;
}

static void dump_cap_keep(const struct key_ctx *x, struct dump *d)
{
	if (x->c->cap_keep_mode && x->c->cap_keep.n == 0)
		dump_line(d, (struct origin){ 0 }, x->key, "none");
	dump_list(x, d);
}

const struct key_type type_cap_drop = {
	.set = set_cap_drop,
	.clear = clear_caps,
	.get = get_list,
	.dump = dump_list,
};
const struct key_type type_cap_keep = {
	.set = set_cap_keep,
	.clear = clear_caps,
	.get = get_list,
	.dump = dump_cap_keep,
};

/* Maps. A value needs a name after the prefix; without one the key stands for all of them. */
static int need_sub(const struct key_ctx *x, struct err **e)
{
	auto_buf struct buf b = BUF_INIT(256);

	if (x->sub && *x->sub)
		return 0;
	buf_addf(&b, "write %s.NAME = VALUE", x->k->name);
	return key_bad_hint(x, EINVAL, "the key has no name after the prefix", buf_str(&b), e);
}

static int map_add(const struct key_ctx *x, const char *value, bool replace, struct err **e)
{
	struct conf_list *l = key_field(x);

	if (replace)
		(void)items_remove(l, x->sub);
	return item_add(l, x->sub, value, x->at) < 0 ? err_no_memory(e) : 0;
}

static int clear_map(const struct key_ctx *x, struct err **e)
{
	if (x->sub)
		(void)items_remove(key_field(x), x->sub);
	else
		items_clear(key_field(x));
	return 0;
}

static int get_map(const struct key_ctx *x, struct buf *b, const char *end)
{
	const struct conf_list *l = key_field(x);

	for (size_t i = 0; i < l->n; i++)
		if (!x->sub)
			buf_addf(b, "%s.%s = %s\n", x->k->name, l->v[i].key, l->v[i].value);
		else if (strcmp(l->v[i].key, x->sub) == 0)
			buf_addf(b, "%s%s", l->v[i].value, end);
	return 0;
}

static void dump_map(const struct key_ctx *x, struct dump *d)
{
	const struct conf_list *l = key_field(x);

	for (size_t i = 0; i < l->n; i++) {
		auto_buf struct buf b = BUF_INIT(65536);

		buf_addf(&b, "%s.%s", x->k->name, l->v[i].key);
		dump_line(d, l->v[i].at, buf_str(&b), l->v[i].value);
	}
}

static int get_map_plain(const struct key_ctx *x, struct buf *b, struct err **e)
{
	return get_map(x, b, "");
}

static int get_cgroup(const struct key_ctx *x, struct buf *b, struct err **e)
{
	return get_map(x, b, "\n");
}

/* In file order, repeats kept: device rules and the like depend on it. */
static int set_cgroup(const struct key_ctx *x, struct err **e)
{
	int r = need_sub(x, e);

	return r < 0 ? r : map_add(x, x->value, false, e);
}

const struct key_type type_cgroup = {
	.set = set_cgroup,
	.clear = clear_map,
	.get = get_cgroup,
	.dump = dump_map,
};

static int set_map(const struct key_ctx *x, struct err **e)
{
	int r = need_sub(x, e);

	return r < 0 ? r : map_add(x, x->value, true, e);
}

const struct key_type type_map = {
	.set = set_map,
	.clear = clear_map,
	.get = get_map_plain,
	.dump = dump_map,
};
const struct key_type type_proc = {
	.set = set_cgroup,
	.clear = clear_map,
	.get = get_map_plain,
	.dump = dump_map,
};

static int set_prlimit(const struct key_ctx *x, struct err **e)
{
	struct rlimit limit;
	char text[64];
	int r = need_sub(x, e);

	if (r < 0)
		return r;
	r = rlimit_parse(x->value, &limit);
	if (r < 0)
		return key_bad_number(x, r, "a limit (SOFT or SOFT:HARD, numbers or unlimited)", e);
	rlimit_format(&limit, text, sizeof(text));
	return map_add(x, text, true, e);
}

const struct key_type type_prlimit = {
	.set = set_prlimit,
	.clear = clear_map,
	.get = get_map_plain,
	.dump = dump_map,
};

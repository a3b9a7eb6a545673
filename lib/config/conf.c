/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "config/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/paths.h"
#include "base/str.h"
#include "config/type.h"
#include "kernel/caps.h"

struct conf *conf_new(void)
{
	struct conf *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	key_defaults(c);
	if (str_set(&c->rootfs_mount.v, PATH_ROOTFS_MOUNT) < 0) {
		conf_free(c);
		return NULL;
	}
	return c;
}

void conf_free(struct conf *c)
{
	if (!c)
		return;
	key_clear_all(c);
	VEC_DONE(&c->legacy_nets);
	strv_done(&c->legacy_said);
	strv_done(&c->files);
	strv_done(&c->text);
	free(c->name);
	free(c->lxcpath);
	free(c);
}

const char *conf_intern(struct conf *c, const char *file)
{
	for (size_t i = 0; i < c->files.n; i++)
		if (strcmp(c->files.v[i], file) == 0)
			return c->files.v[i];
	return strv_add(&c->files, file) < 0 ? NULL : c->files.v[c->files.n - 1];
}

int item_add(struct conf_list *l, const char *key, const char *value, struct origin at)
{
	struct conf_item it = { .at = at };

	if (str_set(&it.key, key) < 0 || str_set(&it.value, value) < 0 || VEC_PUSH(l, it) < 0) {
		free(it.key);
		free(it.value);
		return -ENOMEM;
	}
	return 0;
}

void items_clear(struct conf_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].key);
		free(l->v[i].value);
	}
	VEC_DONE(l);
}

bool items_remove(struct conf_list *l, const char *key)
{
	bool found = false;

	for (size_t i = l->n; i-- > 0;) {
		if (strcmp(l->v[i].key, key) != 0)
			continue;
		free(l->v[i].key);
		free(l->v[i].value);
		VEC_REMOVE(l, i);
		found = true;
	}
	return found;
}

void str_clear(struct conf_str *s)
{
	free(s->v);
	*s = (struct conf_str){ 0 };
}

int str_assign(struct conf_str *s, const char *v, struct origin at)
{
	if (str_set(&s->v, v) < 0)
		return -ENOMEM;
	s->at = at;
	return 0;
}

bool conf_keeps_cap(const struct conf *c, int cap)
{
	const struct conf_list *l = c->cap_keep_mode ? &c->cap_keep : &c->cap_drop;
	bool named = false;
	int n;

	for (size_t i = 0; i < l->n && !named; i++)
		named = caps_parse(l->v[i].value, &n) == 0 && n == cap;
	return named == c->cap_keep_mode;
}

int conf_idmap(const struct conf *c, struct idmap *ret)
{
	*ret = (struct idmap){ 0 };
	for (size_t i = 0; i < c->idmap.n; i++) {
		const struct conf_idmap *from = &c->idmap.v[i];
		struct idmap_range range = { from->gid, from->nsid, from->hostid, from->range, from->at };

		if (VEC_PUSH(ret, range) < 0) {
			idmap_done(ret);
			return -ENOMEM;
		}
	}
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_remap - a container, and its snapshots, under another id map: from privileged to unprivileged, back, or
 * from one range of ids to another. No file gets another owner: a copy with the new owners is made beside, and
 * takes the place of what there was in one step. So nothing outside can be reached through a link, whoever
 * changes the tree meanwhile, and what is cut off leaves the old container or the new one. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "config/writer.h"
#include "copy.h"
#include "first_use.h"
#include "handle.h"
#include "kernel/idmap.h"
#include "lifecycle/depend.h"
#include "lifecycle/partial.h"
#include "snapshots.h"
#include "storage/storage.h"
#include "use.h"
#include "watch.h"

#define IDMAP "lxc.idmap"
#define INCLUDE "lxc.include"
#define OPTIONS "lxc.rootfs.options"
#define COMMON "common.conf"
#define USERNS "userns.conf"
#define FACT_MAX ((size_t)16 << 20)

struct remap {
	const char *const *lines;	/* borrowed: values of lxc.idmap */
	struct conf *want;		/* owned: a configuration of nothing but these */
	const struct storage_progress *progress;
};

static int read_lines(struct call *k, struct remap *m)
{
	struct idmap map = { 0 };
	int r = 0;

	m->want = conf_new();
	if (!m->want)
		return err_no_memory(&k->e);
	for (const char *const *line = m->lines; *line && r == 0; line++)
		r = conf_set_item(m->want, IDMAP, *line, &k->log, &k->e);
	if (r == 0 && conf_idmap(m->want, &map) < 0)
		r = err_no_memory(&k->e);
	if (r == 0 && map.n)
		r = idmap_check(&map, &k->e);
	if (r == 0 && !map.n && geteuid() != 0)
		r = err_create_unprivileged(&k->e);
	idmap_done(&map);
	return r;
}

/* The file that a line of the text includes (new); NULL: it includes none. */
static char *included(const char *line)
{
	const char *value = str_after(line + strspn(line, " \t"), INCLUDE);
	size_t n;

	if (value)
		value = str_after(value + strspn(value, " \t"), "=");
	if (!value)
		return NULL;
	value += strspn(value, " \t");
	n = strlen(value);
	while (n && strchr(" \t\r", value[n - 1]))
		n--;
	return strndup(value, n);
}

/* For ".../debian.common.conf" the ".../debian.userns.conf" beside it (new), if there is one. */
static char *userns_beside(const char *file)
{
	size_t n = strlen(file);
	char *s = NULL;

	if (!str_ends(file, COMMON) || asprintf(&s, "%.*s" USERNS, (int)(n - strlen(COMMON)), file) < 0)
		return NULL;
	if (access(s, R_OK) == 0)
		return s;
	free(s);
	return NULL;
}

/* What containers with an id map include besides comes and goes with the map. */
static int change_includes(struct conf *conf, bool mapped)
{
	auto_strv struct strv lines = { 0 };
	bool has = false;

	for (size_t i = 0; i < conf->text.n; i++) {
		auto_free char *file = included(conf->text.v[i]);

		has |= file && str_ends(file, USERNS);
	}
	for (size_t i = 0; i < conf->text.n; i++) {
		auto_free char *file = included(conf->text.v[i]), *beside = NULL;

		if (file && !mapped && str_ends(file, USERNS))
			continue;
		if (strv_add(&lines, conf->text.v[i]) < 0)
			return -ENOMEM;
		beside = file && mapped && !has ? userns_beside(file) : NULL;
		if (beside && strv_addf(&lines, INCLUDE " = %s", beside) < 0)
			return -ENOMEM;
	}
	strv_done(&conf->text);
	conf->text = lines;
	lines = (struct strv){ 0 };
	return 0;
}

/* Files that are shown with other ids than they have: not without a map. */
static int drop_idmap_option(struct call *to, struct conf *conf)
{
	auto_strv struct strv all = { 0 };
	auto_free char *text = NULL;
	size_t n;
	int r;

	if (!conf->rootfs_options.v)
		return 0;
	if (strv_split(&all, conf->rootfs_options.v, ",") < 0)
		return err_no_memory(&to->e);
	n = all.n;
	for (size_t i = all.n; i-- > 0;)
		if (str_after(all.v[i], "idmap="))
			strv_remove(&all, i);
	if (all.n == n)
		return 0;
	text = all.n ? strv_join(&all, ",") : strdup("");
	r = text ? conf_clear_item(conf, OPTIONS, &to->log, &to->e) : err_no_memory(&to->e);
	return r == 0 && *text ? conf_set_item(conf, OPTIONS, text, &to->log, &to->e) : r;
}

static int edit(struct call *to, struct conf *conf, void *arg)
{
	const struct remap *m = arg;
	bool mapped = conf_is_mapped(m->want);
	int r = 0;

	if (conf_is_mapped(conf) != mapped && change_includes(conf, mapped) < 0)
		return err_no_memory(&to->e);
	if (!mapped)
		r = drop_idmap_option(to, conf);
	if (r == 0)
		r = conf_clear_item(conf, IDMAP, &to->log, &to->e);
	for (const char *const *line = m->lines; *line && r == 0; line++)
		r = conf_set_item(conf, IDMAP, *line, &to->log, &to->e);
	return r;
}

/* When a snapshot was taken, and what was said of it: not of the copy. */
static int keep_facts(struct call *to, int dirfd, void *arg)
{
	static const char *const facts[] = { "ts", "comment" };
	auto_close int old = open(to->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = old < 0 ? err_set(&to->e, errno, NULL, "cannot open %s", to->dir) : 0;

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(facts) && r == 0; i++) {
		auto_free char *text = NULL;
		size_t n;

		if (faccessat(old, facts[i], F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		r = io_read_file(old, facts[i], FACT_MAX, &text, &n, &to->e);
		if (r == 0)
			r = io_replace(dirfd, facts[i], text, n, 0644, &to->e);
	}
	return r;
}

/* Nothing where the map is right already: so the next one completes what was cut off. */
static int remap_one(struct call *k, void *arg)
{
	struct remap *m = arg;
	auto_conf struct conf *conf = NULL;
	struct copy how = {
		.flags = LXC_CLONE_KEEPNAME | LXC_CLONE_KEEPMACADDR | LXC_CLONE_KEEPBDEVTYPE,
		.keep_identity = true,
		.itself = true,
		.edit = edit,
		.finish = keep_facts,
		.arg = m,
		.progress = m->progress,
	};
	int r = copy_settle(k);

	if (r == 0)
		r = call_need_conf(k, &conf);
	/* The map is right already, but for a root whose owners nobody has shifted. */
	if (r < 0 || (storage_same_maps(conf, m->want) && (!storage_is_neutral(conf) || storage_has_idmap(conf))))
		return r;
	return copy_replace(k, k, &how);
}

static int check(struct call *k)
{
	auto_strv struct strv users = { 0 };
	auto_free char *list = NULL;
	enum lxc_state state;
	int r;

	if (!call_is_defined(k))
		return err_container_unknown(&k->e, k->name, k->lxcpath);
	r = partial_check(k->dir, k->name, k->lxcpath, &k->e);
	if (r == 0)
		r = call_state(k, &state);
	if (r == 0 && state != STATE_STOPPED)
		r = err_rename_running(&k->e, k->name);
	if (r == 0)
		r = depend_users(k->dir, &users, &k->e);
	if (r < 0 || !users.n)
		return r;
	list = strv_join(&users, ", ");
	return list ? err_clones_exist(&k->e, k->name, list) : err_no_memory(&k->e);
}

/* Nobody puts another container in the place of theirs meanwhile: they would have no path for a moment. */
static int remap_snapshots(struct call *k, struct remap *m)
{
	auto_use int use = use_shared(k);

	return use < 0 ? use : snapshots_each(k, remap_one, m);
}

static int remap(struct call *k, struct remap *m)
{
	int r = read_lines(k, m);

	if (r == 0)
		r = check(k);
	/* First those that may stand on the container's own root. */
	if (r == 0)
		r = remap_snapshots(k, m);
	return r == 0 ? remap_one(k, m) : r;
}

attr_public int lxcext_remap(struct lxc_container *c, const char *const *idmap, const struct lxcext_copy *how)
{
	static const char *const none[] = { NULL };
	struct remap m = { .lines = idmap ? idmap : none };
	struct lxcext_copy own;
	struct watch w;
	struct call k;
	int r;

	if ((how && !watch_take(&own, how)) || !call_begin(&k, c))
		return -EINVAL;
	m.progress = how ? watch_init(&w, &own) : NULL;
	r = remap(&k, &m);
	conf_free(m.want);
	return call_end(&k, r, "cannot give %s other ids", k.name);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* doctor_container - one container: its configuration, why it did not start, whether it would now. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lxc/lxcext.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"
#include "common/doctor.h"

#define ASK_LIMIT_S 5
#define LINKS_MAX 64

/* The last error of a handle as a finding: what it says, where, and its remedy. */
static void add_error(struct doctor *d, struct lxc_container *c, enum finding_level level, const char *id,
		      const char *prefix)
{
	struct lxcext_error_link root = { 0 }, link;
	const char *where = "", *hint = "";
	struct finding *f;

	for (size_t i = 0; i < LINKS_MAX && lxcext_last_error(c, i, &link) == 0; i++) {
		root = link;
		where = *link.where ? link.where : where;
		hint = *link.hint ? link.hint : hint;
	}
	if (!root.what)
		return;
	f = doctor_add(d, level, id, "%s%s%s%s", prefix, root.what, root.num > 0 && !*root.id ? ": " : "",
		       root.num > 0 && !*root.id ? strerrordesc_np(root.num) : "");
	if (f && *where) {
		char *with = NULL;

		if (asprintf(&with, "%s (%s)", f->text, where) >= 0) {
			free(f->text);
			f->text = with;
		}
	}
	if (*hint)
		doctor_remedy(f, "%s", hint);
}

static void check_warnings(struct doctor *d, struct lxc_container *c)
{
	const char *text;

	for (size_t i = 0; lxcext_warning(c, i, &text) == 0; i++)
		doctor_remedy(doctor_add(d, FINDING_NOTE, "config-warning", "%s", text), "lxc-update-config -c %s rewrites old keys",
			      c->config_file_name(c) ? c->config_file_name(c) : "FILE");
	lxcext_clear_warnings(c);
}

static char *item(struct lxc_container *c, const char *key)
{
	int n = c->get_config_item(c, key, NULL, 0);
	char *value = n > 0 ? calloc(1, (size_t)n + 1) : NULL;

	if (value && c->get_config_item(c, key, value, n + 1) == n)
		return value;
	free(value);
	return NULL;
}

static bool is_own(struct lxc_container *c, const char *path)
{
	const char *lxcpath = c->get_config_path(c), *rest = lxcpath ? str_after(path, lxcpath) : NULL;

	rest = rest && *rest == '/' ? str_after(rest + 1, c->name) : NULL;
	return rest && *rest == '/';
}

/* The root of a mapped container, and its way there, must be open to ids that are nobody's on the host. */
static void check_root(struct doctor *d, struct lxc_container *c)
{
	auto_free char *root = item(c, "lxc.rootfs.path"), *map = item(c, "lxc.idmap"), *options = item(c, "lxc.rootfs.options");
	const char *path = root ? strstr(root, "dir:") == root ? root + strlen("dir:") : root : NULL;
	struct stat st;

	if (!path || *path != '/')
		return;
	if (stat(path, &st) < 0) {
		doctor_remedy(doctor_add(d, FINDING_FAULT, "rootfs", "the root file system %s does not exist", path),
			      "set lxc.rootfs.path in %s to where it is", c->config_file_name(c));
		return;
	}
	(void)doctor_add(d, FINDING_OK, "rootfs", "the root file system %s is there", path);
	if (!map || !S_ISDIR(st.st_mode))
		return;
	doctor_check_path(d, path, "root of the container");
	/* In the container's own directory a start shows it shifted by itself. */
	if (st.st_uid == 0 && !(options && strstr(options, "idmap=")) && !is_own(c, path))
		doctor_remedy(doctor_add(d, FINDING_WARNING, "rootfs-owner", "%s belongs to root of the host, although ids are "
					 "mapped: root of the container cannot write there", path),
			      "set lxc.rootfs.options = idmap=container in %s, or shift the owners", c->config_file_name(c));
}

static void check_running(struct doctor *d, struct lxc_container *c)
{
	const char *state = c->state(c);

	if (STREQ(state, "FROZEN")) {
		const char *const fix[] = { "lxc-unfreeze", "-P", c->get_config_path(c), "-n", c->name, NULL };

		doctor_fix(doctor_add(d, FINDING_WARNING, "frozen", "the container is frozen: nothing in it runs"), fix);
	} else {
		(void)doctor_add(d, FINDING_OK, "state", "the container is %s", state);
	}
}

/* What a start would stumble over, found without starting; and what the last one stumbled over. */
static void check_stopped(struct doctor *d, struct lxc_container *c)
{
	auto_free char *plan = NULL, *last = NULL;
	int status;

	(void)doctor_add(d, FINDING_OK, "state", "the container is stopped");
	if (lxcext_last_exit(c, &status, &last) == 0 && last)
		(void)doctor_add(d, FINDING_NOTE, "last-failure", "the last start failed: %s", last);
	plan = lxcext_explain(c, 0, NULL);
	if (plan)
		(void)doctor_add(d, FINDING_OK, "start", "nothing is known that would keep the container from starting");
	else
		add_error(d, c, FINDING_FAULT, "start", "it would not start: ");
}

bool doctor_check_container(struct doctor *d, const char *lxcpath)
{
	struct lxc_container *c = lxc_container_new(d->tool->name, lxcpath);

	if (!c) {
		add_error(d, NULL, FINDING_FAULT, "config", "the configuration cannot be read: ");
		return true;
	}
	(void)c->set_timeout(c, ASK_LIMIT_S);
	if (!c->is_defined(c) && !c->is_running(c)) {
		(void)lxc_container_put(c);
		(void)tool_unknown(d->tool);
		return false;
	}
	check_warnings(d, c);
	if (!c->load_config(c, NULL)) {
		add_error(d, c, FINDING_FAULT, "config", "the configuration cannot be read: ");
	} else if (!c->may_control(c)) {
		add_error(d, c, FINDING_FAULT, "monitor", "");
	} else {
		(void)doctor_add(d, FINDING_OK, "config", "the configuration can be read");
		check_root(d, c);
		if (c->is_running(c))
			check_running(d, c);
		else
			check_stopped(d, c);
	}
	(void)lxc_container_put(c);
	return true;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-create - makes a container from a template. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/paths.h"
#include "base/path.h"
#include "common/tool.h"

#define OPT_TABLE "lxc-create.opt"
#include "common/opt_table.h"

struct create {
	const char *template, *config, *bdev;
	const char *lvm_option, *rbd_option, *fs_option, *zfs_option;	/* the first one given of each family */
	struct bdev_specs specs;
	char *none[1];
};

static int option(struct tool *t, int key, const char *value)
{
	struct create *s = t->data;
	char *v = (char *)value;

	switch ((enum key)key) {
	case KEY_TEMPLATE:
		s->template = value;
		return 0;
	case KEY_CONFIG:
		s->config = value;
		return 0;
	case KEY_BDEV:
		s->bdev = value;
		return 0;
	case KEY_LVNAME:
		s->specs.lvm.lv = v;
		s->lvm_option = "--lvname";
		return 0;
	case KEY_VGNAME:
		s->specs.lvm.vg = v;
		s->lvm_option = "--vgname";
		return 0;
	case KEY_THINPOOL:
		s->specs.lvm.thinpool = v;
		s->lvm_option = "--thinpool";
		return 0;
	case KEY_RBDNAME:
		s->specs.rbd.rbdname = v;
		s->rbd_option = "--rbdname";
		return 0;
	case KEY_RBDPOOL:
		s->specs.rbd.rbdpool = v;
		s->rbd_option = "--rbdpool";
		return 0;
	case KEY_RBDUSER:
		s->specs.rbd.rbduser = v;
		return 0;
	case KEY_FSTYPE:
		s->specs.fstype = v;
		s->fs_option = "--fstype";
		return 0;
	case KEY_FSSIZE:
		s->fs_option = "--fssize";
		return tool_size(t, "--fssize", value, &s->specs.fssize);
	case KEY_ZFSROOT:
		s->specs.zfs.zfsroot = v;
		s->zfs_option = "--zfsroot";
		return 0;
	case KEY_DIR:
		s->specs.dir = v;
		return path_is_absolute(value) ? 0
					       : tool_usage(t, "option --dir: '%s' is not an absolute path", value);
	case KEY_NONE:
		break;
	}
	return 0;
}

/* True if bdev (one type) is among the words of allowed. */
static bool bdev_is(const char *bdev, const char *allowed)
{
	size_t n = bdev ? strlen(bdev) : 0;

	while (n && allowed) {
		if (strncmp(allowed, bdev, n) == 0 && (allowed[n] == ' ' || !allowed[n]))
			return true;
		allowed = strchr(allowed, ' ');
		allowed += allowed ? 1 : 0;
	}
	return false;
}

static int check_bdev(struct tool *t, struct create *s)
{
	static const char types[] = "dir lvm loop btrfs zfs rbd overlay overlayfs nbd best none";
	auto_strv struct strv words = { 0 };

	if (s->bdev && (strv_split(&words, s->bdev, ",") < 0 || words.n == 0))
		return tool_usage(t, "option --bdev (-B): '%s' is not a type of storage", s->bdev);
	for (size_t i = 0; i < words.n; i++)
		if (!bdev_is(words.v[i], types))
			return tool_usage(t, "option --bdev (-B): '%s' is not a type of storage; they are dir, lvm, "
					     "loop, btrfs, zfs, rbd, overlay, nbd and best", words.v[i]);
	if (s->bdev && STREQ(s->bdev, "none"))
		s->bdev = "dir";
	if (words.n > 1)
		return 0;
	if (s->fs_option && !bdev_is(s->bdev, "lvm loop rbd best"))
		return tool_usage(t, "option %s is only for the storage types lvm, loop and rbd (-B)", s->fs_option);
	if (s->lvm_option && !bdev_is(s->bdev, "lvm best"))
		return tool_usage(t, "option %s is only for the storage type lvm (-B lvm)", s->lvm_option);
	if (s->rbd_option && !bdev_is(s->bdev, "rbd best"))
		return tool_usage(t, "option %s is only for the storage type rbd (-B rbd)", s->rbd_option);
	if (s->zfs_option && !bdev_is(s->bdev, "zfs best"))
		return tool_usage(t, "option %s is only for the storage type zfs (-B zfs)", s->zfs_option);
	return 0;
}

/* --help together with -t: the template's own help follows. */
static void template_help(struct tool *t)
{
	const struct create *s = t->data;
	auto_free char *path = NULL;

	if (!s->template || STREQ(s->template, "none"))
		return;
	if (path_is_absolute(s->template))
		path = strdup(s->template);
	else if (strchr(s->template, '/') || asprintf(&path, "%s/lxc-%s", PATH_TEMPLATES, s->template) < 0)
		path = NULL;
	if (!path)
		return;
	fprintf(stderr, "\nThe template %s:\n\n", s->template);
	(void)fflush(stderr);
	(void)execl(path, path, "-h", (char *)NULL);
	(void)tool_error(t, "cannot run the template %s", path);
}

/* Each missing directory of the lxcpath. */
static int make_lxcpath(struct tool *t, const char *lxcpath)
{
	auto_free char *path = strdup(lxcpath);
	auto_err struct err *e = NULL;

	if (!path)
		return tool_usage(t, "out of memory");
	for (char *p = path + 1;; p++) {
		char kept = *p;

		if (kept && kept != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST && !(errno == EROFS && access(path, F_OK) == 0)) {
			(void)err_set(&e, errno, NULL, "cannot create the directory %s", path);
			(void)tool_error_chain(t, e);
			return -1;
		}
		if (!kept)
			return 0;
		*p = kept;
	}
}

static int load_config(struct tool *t, struct create *s, struct lxc_container *c)
{
	const char *file = s->config;

	if (file) {
		c->clear_config(c);
		return c->load_config(c, file) ? 0 : (tool_failed(t, c, "cannot load %s", file), -1);
	}
	if (c->is_defined(c))
		return 0;
	file = lxc_get_global_config_item("lxc.default_config");
	/* A default configuration that is not there is none; one that is wrong is worth a word. */
	if (file && access(file, F_OK) == 0 && !c->load_config(c, file))
		return tool_failed(t, c, "cannot load %s", file), -1;
	return 0;
}

static int run(struct tool *t, struct create *s, struct lxc_container *c)
{
	bool with_template = !STREQ(s->template, "none");
	auto_err struct err *e = NULL;

	if (c->is_defined(c)) {
		(void)err_container_exists(&e, t->name, c->get_config_path(c));
		return tool_error_chain(t, e);
	}
	if (load_config(t, s, c) < 0)
		return EXIT_FAILURE;
	tool_show_warnings(t, c);
	if (!c->create(c, with_template ? s->template : NULL, s->bdev, &s->specs, t->quiet ? LXC_CREATE_QUIET : 0,
		       with_template && t->n_args ? t->args : s->none))
		return tool_failed(t, c, "cannot create %s", t->name);
	return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-create",
		.synopsis = "[OPTION]... -n NAME -t TEMPLATE [-- TEMPLATE-OPTION...]",
		.summary = "Makes a container and has TEMPLATE fill its root file system.",
		.flags = TOOL_READS_PATH | TOOL_TAKES_ARGS,
		.option = option,
		.more_help = template_help);
	struct create s = { .none = { NULL } };
	auto_tool struct tool t = { 0 };
	struct lxc_container *c;
	const char *lxcpath;
	int r;

	if (!tool_begin(&t, &def, &s, argc, argv, &r))
		return r;
	if (!s.template) {
		(void)tool_usage(&t, "no template given (option --template); -t none makes a container without a root");
		return EXIT_FAILURE;
	}
	if (check_bdev(&t, &s) < 0)
		return EXIT_FAILURE;
	lxcpath = tool_lxcpath(&t);
	if (!lxcpath || make_lxcpath(&t, lxcpath) < 0)
		return EXIT_FAILURE;
	c = tool_open(&t);
	if (!c)
		return EXIT_FAILURE;
	r = run(&t, &s, c);
	tool_close(&t, c);
	return r;
}

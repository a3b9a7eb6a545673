/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_checkpoint - saving a running container's processes and bringing them back, with the program criu. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "config/writer.h"
#include "handle.h"
#include "inside.h"
#include "lifecycle/criu.h"
#include "lifecycle/launch.h"
#include "lifecycle/partial.h"
#include "vtable.h"

#define FAILED 1		/* what migrate() gives for most failures */
#define WRONG_STATE (-1)

static struct criu_options options_of(const struct migrate_opts *o)
{
	return (struct criu_options){
		.directory = o->directory,
		.verbose = o->verbose,
		.stop = o->stop,
		.predump_dir = o->predump_dir,
		.pageserver_address = o->pageserver_address,
		.pageserver_port = o->pageserver_port,
		.preserves_inodes = o->preserves_inodes,
		.action_script = o->action_script,
		.disable_skip_in_flight = o->disable_skip_in_flight,
		.ghost_limit = o->ghost_limit,
	};
}

static char *absolute(const char *path)
{
	char cwd[PATH_MAX];

	if (path_is_absolute(path))
		return strdup(path);
	return getcwd(cwd, sizeof(cwd)) ? path_join(cwd, path) : NULL;
}

static int dump(struct call *k, const struct criu_options *o, bool pre)
{
	auto_conf struct conf *conf = NULL;
	int r = call_copy_conf(k, &conf);

	if (r == 0)
		r = inside_need_root(k, "a checkpoint");
	return r < 0 ? r : criu_dump(&k->target, conf, o, pre, &k->e);
}

static int restore(struct call *k, const struct criu_options *o)
{
	auto_strv struct strv command = { 0 };
	auto_buf struct buf text = BUF_INIT(CALL_DUMP_MAX);
	auto_conf struct conf *conf = NULL;
	int r = call_need_conf(k, &conf), status;

	if (r == 0)
		r = inside_need_root(k, "restoring a checkpoint");
	if (r == 0)
		r = partial_check(k->dir, k->name, k->lxcpath, &k->e);
	if (r == 0)
		r = criu_restore_command(conf, o, &command, &k->e);
	if (r == 0 && conf_dump_values(conf, &text) < 0)
		r = err_no_memory(&k->e);
	if (r < 0)
		return r;
	const struct launch l = {
		.name = k->name,
		.lxcpath = k->lxcpath,
		.dump = &text,
		.foreground = !k->c->daemonize,
		.log = &k->log,
		.warnings = &k->warnings,
		.restore = &command,
	};

	return launch_start(&l, &status, &k->e);
}

/* 0, or what migrate() returns where the container is not in the state that cmd needs. */
static int check_state(struct call *k, unsigned cmd, int *ret)
{
	enum lxc_state state;
	int r = call_state(k, &state);

	*ret = WRONG_STATE;
	if (r < 0)
		return r;
	if (cmd == MIGRATE_RESTORE && state != STATE_STOPPED)
		return err_restore_running(&k->e, k->name);
	if (cmd != MIGRATE_RESTORE && state == STATE_STOPPED)
		return err_not_running(&k->e, k->name, k->lxcpath);
	*ret = FAILED;
	return 0;
}

static int carry_out(struct call *k, unsigned cmd, struct migrate_opts *o, int *ret)
{
	struct criu_options options = options_of(o);
	auto_free char *directory = NULL;
	int r;

	*ret = FAILED;
	if (cmd == MIGRATE_FEATURE_CHECK)
		return criu_check_features(o->features_to_check, &o->features_to_check, &k->e);
	r = check_state(k, cmd, ret);
	if (r < 0)
		return r;
	if (!o->directory || !*o->directory)
		return err_set(&k->e, EINVAL, NULL, "no directory for the checkpoint is given");
	/* The supervisor works in /. */
	directory = absolute(o->directory);
	if (!directory)
		return err_no_memory(&k->e);
	options.directory = directory;
	return cmd == MIGRATE_RESTORE ? restore(k, &options) : dump(k, &options, cmd == MIGRATE_PRE_DUMP);
}

/* Callers of other versions have a smaller or a larger structure: what is missing is zero, and what we do not know
 * must be. */
static int take_options(struct call *k, const struct migrate_opts *from, unsigned size, struct migrate_opts *to)
{
	const char *bytes = (const char *)from;

	for (size_t i = sizeof(*to); i < size; i++)
		if (bytes[i])
			return err_set(&k->e, E2BIG, NULL, "the options have values that this version does not know");
	*to = (struct migrate_opts){ 0 };
	memcpy(to, from, MIN((size_t)size, sizeof(*to)));
	return 0;
}

int api_migrate(struct lxc_container *c, unsigned int cmd, struct migrate_opts *opts, unsigned int size)
{
	static const char *const what[] = { "make a pre-dump of", "make a checkpoint of", "restore", "ask criu for" };
	struct migrate_opts known;
	struct call k;
	int r, ret;

	if (!opts || !call_begin(&k, c))
		return -1;
	if (cmd > MIGRATE_FEATURE_CHECK) {
		r = err_set(&k.e, EINVAL, NULL, "there is no step %u of a migration", cmd);
		return call_end(&k, r, NULL);
	}
	r = take_options(&k, opts, size, &known);
	if (r < 0)
		return call_end(&k, r, NULL);
	r = carry_out(&k, cmd, &known, &ret);
	if (cmd == MIGRATE_FEATURE_CHECK && size >= sizeof(known))
		opts->features_to_check = known.features_to_check;
	return call_end(&k, r, "cannot %s %s", what[cmd], k.name) < 0 ? ret : 0;
}

bool api_checkpoint(struct lxc_container *c, char *directory, bool stop, bool verbose)
{
	struct migrate_opts o = { .directory = directory, .stop = stop, .verbose = verbose };

	return api_migrate(c, MIGRATE_DUMP, &o, sizeof(o)) == 0;
}

bool api_restore(struct lxc_container *c, char *directory, bool verbose)
{
	struct migrate_opts o = { .directory = directory, .verbose = verbose };

	return api_migrate(c, MIGRATE_RESTORE, &o, sizeof(o)) == 0;
}

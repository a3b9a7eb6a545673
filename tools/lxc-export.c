/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-export - a container with its configuration and snapshots as one stream. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lxc/lxcext.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/paths.h"
#include "common/copy_progress.h"

#define OPT_TABLE "lxc-export.opt"
#include "common/opt_table.h"

#define LOOK_AGAIN_MS 250
#define NAME_TRIES 1000

struct export {
	bool running, no_snapshots;
	int level;
	const char *file;	/* NULL: stdout */
	char *temporary;	/* owned: where it is written until it is complete */
	int out;
};

static int option(struct tool *t, int key, const char *value)
{
	struct export *x = t->data;

	switch ((enum key)key) {
	case KEY_ALLOWRUNNING:
		x->running = true;
		break;
	case KEY_NO_SNAPSHOTS:
		x->no_snapshots = true;
		break;
	case KEY_LEVEL:
		if (tool_number(t, "--level", value, 1, &x->level) < 0)
			return -1;
		return x->level > 19 ? tool_usage(t, "option --level takes a number from 1 to 19, not '%s'", value) : 0;
	case KEY_NONE:
		break;
	}
	return 0;
}

static void thaw(struct tool *t, struct lxc_container *c)
{
	if (lxcext_let_go(c) < 0)
		tool_warn(t, "%s is still frozen; lxc-unfreeze -n %s lets it go on", t->name, t->name);
}

/* What runs is held still; one that is frozen already stays so. */
static int hold_still(struct tool *t, struct export *x, struct lxc_container *c)
{
	const char *state = c->state(c);
	auto_err struct err *e = NULL;

	if (!state)
		return tool_failed(t, c, "the state of %s cannot be told", t->name);
	if (strcmp(state, "STOPPED") == 0)
		return EXIT_SUCCESS;
	if (!x->running) {
		(void)err_export_running(&e, t->name);
		return tool_error_chain(t, e);
	}
	return lxcext_hold(c) < 0 ? tool_failed(t, c, "cannot freeze %s while it is read", t->name) : EXIT_SUCCESS;
}

/* In the directory of path. */
static int open_nameless(const char *path)
{
	const char *slash = strrchr(path, '/');
	auto_free char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");

	return dir ? open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600) : -1;
}

/* Beside the file: what is there stays until the new one is complete. */
static int open_beside(struct tool *t, struct export *x)
{
	if (asprintf(&x->temporary, "%s.XXXXXX", x->file) < 0) {
		x->temporary = NULL;
		return tool_error(t, "out of memory");
	}
	x->out = mkostemp(x->temporary, O_CLOEXEC);
	if (x->out >= 0)
		return EXIT_SUCCESS;
	free(take_ptr(x->temporary));
	return tool_error(t, "cannot make a file beside %s: %s", x->file, strerror(errno));
}

/* A nameless file gets its name: the one that is wanted, or one beside the file that it replaces. */
static int give_name(struct export *x)
{
	char from[32];
	int r;

	(void)snprintf(from, sizeof(from), "/proc/self/fd/%d", x->out);
	r = linkat(AT_FDCWD, from, AT_FDCWD, x->file, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
	for (unsigned tries = 0; tries < NAME_TRIES && r == -EEXIST; tries++) {
		free(take_ptr(x->temporary));
		if (asprintf(&x->temporary, "%s.%d-%u", x->file, (int)getpid(), tries) < 0) {
			x->temporary = NULL;
			return -ENOMEM;
		}
		r = linkat(AT_FDCWD, from, AT_FDCWD, x->temporary, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
	}
	if (r < 0)
		free(take_ptr(x->temporary));
	return r;
}

static int open_output(struct tool *t, struct export *x)
{
	if (!x->file) {
		if (isatty(STDOUT_FILENO))
			return tool_error(t, "the archive is not written to a terminal; name a file, or use a pipe");
		x->out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		return x->out < 0 ? tool_error(t, "cannot use standard output: %s", strerror(errno)) : EXIT_SUCCESS;
	}
	/* Where that can be it has no name until it is complete: whatever happens to us, nothing is left. */
	x->out = open_nameless(x->file);
	return x->out >= 0 ? EXIT_SUCCESS : open_beside(t, x);
}

static int close_output(struct tool *t, struct export *x)
{
	int r = 0;

	if (!x->file)
		return EXIT_SUCCESS;
	if (fsync(x->out) < 0 && errno != EINVAL)
		r = -errno;
	if (r == 0 && !x->temporary)
		r = give_name(x);
	if (r == 0 && x->temporary && rename(x->temporary, x->file) < 0)
		r = -errno;
	if (r < 0)
		return tool_error(t, "cannot write %s: %s", x->file, strerror(-r));
	free(take_ptr(x->temporary));
	return EXIT_SUCCESS;
}

static pid_t start(struct tool *t, struct export *x, struct lxc_container *c, int partner)
{
	char level[12], snapshots[2] = { x->no_snapshots ? 'n' : 'y', '\0' };
	char *argv[] = { (char[]){ "lxc-archive" }, (char[]){ "pack" }, strdup(c->get_config_path(c)), strdup(t->name),
			 level, snapshots, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t set;
	pid_t pid;
	int r;

	(void)snprintf(level, sizeof(level), "%d", x->level);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, partner, STDIN_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, x->out, STDOUT_FILENO);
	(void)posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	/* A group of its own: we are told to stop, and tell it and its children. */
	(void)posix_spawnattr_init(&attr);
	(void)sigemptyset(&set);
	(void)posix_spawnattr_setsigmask(&attr, &set);
	(void)posix_spawnattr_setpgroup(&attr, 0);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	r = argv[2] && argv[3] ? posix_spawn(&pid, PATH_LIBEXEC "/lxc-archive", &actions, &attr, argv, environ) : ENOMEM;
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&actions);
	free(argv[2]);
	free(argv[3]);
	if (r != 0)
		(void)tool_error(t, "cannot run %s/lxc-archive: %s", PATH_LIBEXEC, strerror(r));
	return r == 0 ? pid : -1;
}

/* The content has been read: it counts only if the container held still. */
static bool still_held(struct tool *t, struct export *x, struct lxc_container *c)
{
	const char *state = c->state(c);
	auto_err struct err *e = NULL;

	if (x->running || (state && strcmp(state, "STOPPED") == 0))
		return true;
	(void)err_export_running(&e, t->name);
	(void)tool_error_chain(t, e);
	return false;
}

static int follow(struct tool *t, struct export *x, struct lxc_container *c, pid_t pid, int partner)
{
	struct pollfd p = { .fd = partner, .events = POLLIN };
	bool called_off = false;
	int status = 0;
	char done;

	/* A signal may come just before we wait. */
	while (poll(&p, 1, LOOK_AGAIN_MS) <= 0)
		if (copy_progress_cancelled(NULL) && !called_off) {
			called_off = true;
			(void)kill(-pid, SIGTERM);
		}
	if (read(partner, &done, 1) == 1) {
		bool held = still_held(t, x, c) && !copy_progress_cancelled(NULL);

		thaw(t, c);
		if (held)
			(void)!write(partner, "y", 1);
		(void)shutdown(partner, SHUT_RDWR);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_FAILURE;
	if (WIFSIGNALED(status) && !copy_progress_cancelled(NULL))
		return tool_error(t, "the export of %s was ended by signal %d", t->name, WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int write_archive(struct tool *t, struct export *x, struct lxc_container *c)
{
	auto_close int ours = -EBADF, theirs = -EBADF;
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return tool_error(t, "cannot make a socket: %s", strerror(errno));
	ours = ends[0];
	theirs = ends[1];
	pid = start(t, x, c, theirs);
	fd_replace(&theirs, -EBADF);
	return pid < 0 ? EXIT_FAILURE : follow(t, x, c, pid, ours);
}

static int run(struct tool *t, struct export *x, struct lxc_container *c)
{
	struct copy_progress progress;
	int r;

	if (!c->is_defined(c))
		return tool_unknown(t);
	(void)signal(SIGPIPE, SIG_IGN);
	copy_progress_begin(&progress, t, NULL);
	r = open_output(t, x);
	if (r == EXIT_SUCCESS)
		r = hold_still(t, x, c);
	if (r == EXIT_SUCCESS)
		r = write_archive(t, x, c);
	thaw(t, c);
	if (r == EXIT_SUCCESS)
		r = close_output(t, x);
	if (x->temporary)
		(void)unlink(x->temporary);
	free(take_ptr(x->temporary));
	fd_close(x->out);
	copy_progress_end(&progress);
	if (r != EXIT_SUCCESS && copy_progress_cancelled(&progress))
		copy_progress_reraise(&progress);
	return r;
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-export",
		.synopsis = "[OPTION]... -n NAME [FILE]",
		.summary = "Writes a container with its configuration and snapshots as one archive.",
		.flags = TOOL_READS_PATH | TOOL_TAKES_ARGS,
		.option = option);
	struct export x = { .level = 3, .out = -EBADF };
	auto_tool struct tool t = { 0 };
	struct lxc_container *c;
	int r;

	if (!tool_begin(&t, &def, &x, argc, argv, &r))
		return r;
	if (t.n_args > 1) {
		(void)tool_usage(&t, "more than one file is given");
		return EXIT_FAILURE;
	}
	if (t.n_args && strcmp(t.args[0], "-") != 0)
		x.file = t.args[0];
	c = tool_open(&t);
	if (!c)
		return EXIT_FAILURE;
	r = run(&t, &x, c);
	tool_close(&t, c);
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/program.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/strv.h"

#define SEARCH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

char *program_find(const char *name)
{
	auto_strv struct strv dirs = { 0 };
	struct stat st;

	if (strv_split(&dirs, SEARCH, ":") < 0)
		return NULL;
	for (size_t i = 0; i < dirs.n; i++) {
		auto_free char *path = path_join(dirs.v[i], name);

		if (path && stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0)
			return take_ptr(path);
	}
	return NULL;
}

static void collect(int fd, struct buf *out)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0 && out->len + (size_t)n <= out->max)
			buf_add(out, chunk, (size_t)n);
}

int program_run(char *const argv[], struct buf *out)
{
	auto_free char *path = program_find(argv[0]);
	auto_close int mine = -EBADF, theirs = -EBADF;
	posix_spawn_file_actions_t actions;
	int ends[2], status, r;
	pid_t pid;

	if (!path || (out && pipe2(ends, O_CLOEXEC) < 0))
		return -1;
	(void)posix_spawn_file_actions_init(&actions);
	if (out) {
		mine = ends[0];
		theirs = ends[1];
		(void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
		(void)posix_spawn_file_actions_adddup2(&actions, theirs, STDOUT_FILENO);
		(void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	}
	(void)posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	r = posix_spawn(&pid, path, &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		return -1;
	fd_replace(&theirs, -EBADF);
	if (out)
		collect(mine, out);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

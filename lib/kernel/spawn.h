/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* spawn - running other programs: posix_spawn with an explicit environment, explicit fds, all
 * signals at default and unblocked, nothing else inherited. The last line of what a helper says on
 * stderr becomes the cause of its failure. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct spawn {
	const char *path;		/* absolute, or a name looked up in search */
	const char *search;		/* PATH for a bare name; NULL: the standard system path */
	char *const *argv;		/* argv[0] included */
	char *const *envp;		/* NULL: empty environment plus the standard PATH */
	int stdin_fd;			/* -1: /dev/null */
	int stdout_fd, stderr_fd;	/* -1: into output if there is one, else /dev/null */
	struct buf *output;		/* collects up to its ceiling; what goes beyond is dropped */
	const int *keep;		/* further fds that the program gets under the same number */
	size_t n_keep;
	unsigned timeout_ms;		/* 0: none; at the limit the process is killed */
	bool new_session;
};
#define SPAWN_INIT { .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1 }

/* Starts; ret_pidfd may be NULL. The caller waits with proc_wait. 0 or -errno with *e set (the
 * program missing: err_program_missing). */
int spawn_start(const struct spawn *s, pid_t *ret_pid, int *ret_pidfd, struct err **e);
/* Starts and waits. 0 when it ran (ret_status: wait status), -errno otherwise, -ETIMEDOUT at the limit. */
int spawn_run(const struct spawn *s, int *ret_status, struct err **e);
/* Runs and insists on exit status 0: else an error "NAME failed with exit status N: LAST LINE". */
int spawn_check(const struct spawn *s, struct err **e);
/* The last non-empty line in output, without control characters (new, "" if none). */
char *spawn_last_line(const struct buf *output);

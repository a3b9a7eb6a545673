/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* criu - checkpoints with the program criu: what it is asked to do, and what it says when it cannot. A dump runs in
 * the client; a restore in a supervisor (restore.c), whose child the restored init becomes. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strv.h"
#include "config/conf.h"
#include "lifecycle/client.h"

#define CRIU_FEATURE_MEM_TRACK (UINT64_C(1) << 0)
#define CRIU_FEATURE_LAZY_PAGES (UINT64_C(1) << 1)

/* All borrowed. */
struct criu_options {
	const char *directory;
	bool verbose;
	bool stop;			/* end the container after the dump */
	const char *predump_dir;	/* relative to directory */
	const char *pageserver_address, *pageserver_port;
	bool preserves_inodes;
	const char *action_script;
	bool disable_skip_in_flight;
	uint64_t ghost_limit;
};

/* What of wanted criu and the kernel can do. */
int criu_check_features(uint64_t wanted, uint64_t *ret, struct err **e);
/* Dumps the running container's processes (pre: their memory only). */
int criu_dump(const struct target *t, const struct conf *c, const struct criu_options *o, bool pre, struct err **e);
/* The beginning of the command that restores, the program's path first; the supervisor adds what only it knows. */
int criu_restore_command(const struct conf *c, const struct criu_options *o, struct strv *ret, struct err **e);

/* --external for every nic, from the container's name for it to the host's (restoring); else only checks types. */
int criu_add_nics(struct strv *argv, const struct conf *c, struct err **e);
/* Runs a command that was put together here; argv[2..] has -o LOG. The error is what the log ends with. */
int criu_run(const struct strv *argv, int inherit_fd, const char *action, const char *directory, struct err **e);
/* The same failure for a command that ran elsewhere. */
int criu_failed(const char *action, const char *directory, const char *said, struct err **e);
/* "tty[RDEV:DEV]" of the console in a checkpoint (new); NULL: it had none. */
char *criu_read_tty(const char *directory);

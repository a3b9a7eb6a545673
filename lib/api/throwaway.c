/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "throwaway.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "base/path.h"
#include "base/strv.h"
#include "handle.h"
#include "kernel/host.h"
#include "kernel/proc.h"
#include "lifecycle/depend.h"
#include "lifecycle/partial.h"
#include "vtable.h"

#define MARK "ephemeral"
#define MARK_MAX 256

/* "BOOT-ID PID START-TIME": one process for all time. */
int throwaway_mark(int dirfd, struct err **e)
{
	auto_close int fd = -EBADF;
	char boot[HOST_BOOT_ID_SIZE], text[MARK_MAX];
	uint64_t start;
	int r = host_boot_id(boot), n;

	if (r == 0)
		r = proc_start_time(getpid(), &start);
	if (r < 0)
		return err_set(e, -r, NULL, "cannot tell this process from others");
	n = snprintf(text, sizeof(text), "%s %d %" PRIu64 "\n", boot, (int)getpid(), start);
	fd = openat(dirfd, MARK, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(e, errno, NULL, "cannot mark the container as ephemeral");
	r = io_write_all(fd, text, (size_t)n);
	return r < 0 ? err_set(e, -r, NULL, "cannot mark the container as ephemeral") : 0;
}

/* True if the process that was going to start it may still do so. */
static bool maker_lives(const char *text)
{
	auto_strv struct strv words = { 0 };
	char boot[HOST_BOOT_ID_SIZE];
	uint64_t start, now;
	pid_t pid;

	if (host_boot_id(boot) < 0 || strv_split(&words, text, " \n") < 0)
		return true;
	if (words.n != 3 || !STREQ(words.v[0], boot) || num_pid(words.v[1], &pid) < 0 ||
	    num_u64(words.v[2], 10, UINT64_MAX, &start) < 0)
		return false;
	return proc_start_time(pid, &now) == 0 && now == start;
}

static bool is_leftover(const char *dir)
{
	auto_free char *path = path_join(dir, MARK), *text = NULL;
	struct stat st;

	if (!path || lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (io_read_file(AT_FDCWD, path, MARK_MAX, &text, NULL, NULL) < 0)
		return false;
	return !maker_lives(text) && partial_state(dir) != PARTIAL_BUSY;
}

bool throwaway_collect(const char *lxcpath, const char *name)
{
	auto_free char *dir = path_join(lxcpath, name);
	enum lxc_state state = STATE_STOPPED;
	struct handle *h;
	bool gone = false;
	struct call k;

	if (!dir || !is_leftover(dir))
		return false;
	h = handle_new(name, lxcpath);
	if (!h)
		return false;
	if (call_begin(&k, &h->pub)) {
		/* Whose monitor died is taken over by this question; it is not ours as long as it runs. */
		if (call_drop(&k, call_state(&k, &state)) == 0 && state == STATE_STOPPED)
			gone = api_destroy(&h->pub) || access(dir, F_OK) < 0;
	}
	(void)lxc_container_put(&h->pub);
	return gone;
}

void throwaway_collect_users(const char *lxcpath, const char *dir)
{
	auto_strv struct strv users = { 0 };

	if (depend_users(dir, &users, NULL) < 0)
		return;
	/* One in another place is "NAME in PATH", which is no name. */
	for (size_t i = 0; i < users.n; i++)
		if (name_check(users.v[i], NULL) == 0)
			(void)throwaway_collect(lxcpath, users.v[i]);
}

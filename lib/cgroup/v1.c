/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* v1 - what a new directory of a v1 hierarchy needs before a process may enter it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cgroup/internal.h"

/* A new cpuset is empty, and nothing can enter an empty one: it starts as its parent's. */
static int copy_down(int fd, const char *file, const char *above, struct err **e)
{
	auto_close int from = -EBADF;
	auto_free char *text = NULL;
	char now[64];
	int r;

	if (io_read_line(fd, file, now, sizeof(now)) > 0)
		return 0;
	from = openat(fd, above, O_RDONLY | O_CLOEXEC);
	r = from < 0 ? -errno : io_read_fd(from, CG_FILE_MAX, &text, NULL);
	if (r == 0)
		r = io_write_value(fd, file, text);
	return r < 0 ? err_set(e, -r, NULL, "cannot initialise %s of a new cgroup", file) : 0;
}

int v1_prepare(const struct hierarchy *h, int fd, struct err **e)
{
	int r;

	if (!strv_has(&h->controllers, "cpuset"))
		return 0;
	r = copy_down(fd, "cpuset.cpus", "../cpuset.cpus", e);
	if (r == 0)
		r = copy_down(fd, "cpuset.mems", "../cpuset.mems", e);
	/* Cgroups that the guest makes below start filled as well. Older kernels lack the file. */
	if (r == 0)
		(void)io_write_value(fd, "cgroup.clone_children", "1");
	return r;
}

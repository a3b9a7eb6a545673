/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* A state file, and what a monitor that adopts makes of it: nothing in it can make it fail otherwise than
 * with an error, and what is accepted gives cgroups that every question can be asked about. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cgroup/cgroup.h"
#include "config/conf.h"
#include "lifecycle/instance.h"
#include "network/network.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A fresh directory with the file in it; removed again by done. */
static int make_dir(char path[], const uint8_t *data, size_t size)
{
	auto_close int fd = -EBADF;
	int dir;

	if (!mkdtemp(path))
		abort();
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(dir, "state", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (dir < 0 || fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	return dir;
}

static void ask(struct cgroups *g)
{
	int fds[32], layout;
	bool v2;
	auto_buf struct buf b = BUF_INIT(1U << 16);

	(void)cgroup_path(g, NULL, false);
	(void)cgroup_path(g, "memory", true);
	(void)cgroup_payload_fd(g);
	(void)cgroup_limit_fd(g);
	(void)cgroup_fds(g, false, fds, 32, &layout);
	(void)cgroup_controller_fd(g, "freezer", true, &v2);
	(void)cgroup_is_frozen(g);
	(void)cgroup_get(g, "memory.max", &b, NULL);
	if (cgroup_save(g, &b) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[] = "/tmp/fuzz-state.XXXXXX";
	int dir = make_dir(path, data, size);
	struct instance_state s = { 0 };
	struct conf *conf = conf_new();
	struct err *e = NULL;
	int r = instance_read(dir, false, &s, &e);

	if (!conf)
		abort();
	if (r < 0 && r != -ESTALE && r != -ENOENT && !e)
		abort();
	if (r == 0) {
		struct cgroups *g = NULL;
		struct net_run *net = NULL;

		if (e)
			abort();
		if (cgroup_restore(conf, s.cgroups && *s.cgroups ? s.cgroups : "1", NULL, &g, NULL) == 0)
			ask(g);
		cgroup_free(g);
		if (s.net && net_restore(conf, s.net, NULL, &net, NULL) == 0)
			net_free(net);
		instance_state_done(&s);
	}
	err_free(e);
	conf_free(conf);
	(void)unlinkat(dir, "state", 0);
	(void)close(dir);
	(void)rmdir(path);
	return 0;
}

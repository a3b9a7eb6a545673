/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* A client that stays: it starts and stops a container, attaches to it and asks about it many times, and must not
 * grow. long LXCPATH NAME CYCLES ATTACHES */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lxc/attach_options.h>
#include <lxc/lxccontainer.h>
#include <lxc/lxcext.h>

static int n_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = -3; /* ".", ".." and its own */

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

/* What only this process has, in KiB. */
static long private_kib(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	char line[128];
	long kib, sum = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Anonymous: %ld", &kib) == 1)
			sum += kib;
	if (f)
		fclose(f);
	return sum;
}

static int fail(struct lxc_container *c, const char *what, int i)
{
	fprintf(stderr, "%s failed, at %d\n", what, i);
	lxcext_print_error(c, stderr, "long", true);
	return 1;
}

static int cycle(const char *lxcpath, const char *name, int i)
{
	struct lxc_container *c = lxc_container_new(name, lxcpath);

	if (!c)
		return fail(c, "lxc_container_new", i);
	if (!c->start(c, 0, NULL))
		return fail(c, "start", i);
	if (!c->is_running(c) || c->init_pid(c) <= 0)
		return fail(c, "is_running", i);
	if (!c->stop(c))
		return fail(c, "stop", i);
	lxc_container_put(c);
	return 0;
}

static int attach(struct lxc_container *c, int i)
{
	lxc_attach_options_t o = LXC_ATTACH_OPTIONS_DEFAULT;
	int r = c->attach_run_waitl(c, &o, "true", "true", NULL);

	return r == 0 ? 0 : fail(c, "attach", i);
}

/* Says how it has grown since the first tenth of the rounds. */
static void grown(const char *what, int fds, long kib)
{
	printf("%s fds %d\n", what, n_fds() - fds);
	printf("%s kib %ld\n", what, private_kib() - kib);
}

int main(int argc, char **argv)
{
	int cycles = argc == 5 ? atoi(argv[3]) : 0, attaches = argc == 5 ? atoi(argv[4]) : 0, fds = 0;
	struct lxc_container *c;
	long kib = 0;

	if (!cycles || !attaches)
		return 2;
	for (int i = 0; i < cycles; i++) {
		if (i == cycles / 10) {
			fds = n_fds();
			kib = private_kib();
		}
		if (cycle(argv[1], argv[2], i) != 0)
			return 1;
	}
	grown("cycles", fds, kib);
	c = lxc_container_new(argv[2], argv[1]);
	if (!c || !c->start(c, 0, NULL))
		return fail(c, "start", 0);
	for (int i = 0; i < attaches; i++) {
		if (i == attaches / 10) {
			fds = n_fds();
			kib = private_kib();
		}
		if (attach(c, i) != 0)
			return 1;
	}
	grown("attaches", fds, kib);
	if (!c->stop(c))
		return fail(c, "stop", 0);
	lxc_container_put(c);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-archive - what lxc-export and lxc-import run: a program of its own, since nothing else of ours loads
 * the libraries that archives need. One word says what is done:
 *   pack LXCPATH NAME LEVEL SNAPSHOTS	the archive goes to stdout; stdin is a socket to the caller
 *   head NAME MAPS FLAGS LXCPATH	the vetted configuration goes to stdout
 * As the template of a container that is being created it unpacks stdin:
 *   --path=DIR --name=NAME --rootfs=DIR FLAGS LIMIT [--mapped-uid N --mapped-gid N]
 * FLAGS are letters: t(rust), i(dentity is new), or - for none. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "base/cleanup.h"
#include "base/num.h"
#include "base/str.h"
#include "base/strv.h"

static void warn(void *arg, const char *text)
{
	fprintf(stderr, "%s: %s\n", (const char *)arg, text);
}

static bool is_flagged(const char *flags, char c)
{
	return strchr(flags, c);
}

static int usage(void)
{
	fputs("lxc-archive is started by lxc-export and lxc-import\n", stderr);
	return EXIT_FAILURE;
}

static int do_pack(char *argv[], struct log *l, struct err **e)
{
	struct packing p = { .lxcpath = argv[0], .name = argv[1], .fd = STDOUT_FILENO, .partner = STDIN_FILENO };

	if (num_int(argv[2], 10, &p.level) < 0)
		return err_set(e, EINVAL, NULL, "%s is no level of compression", argv[2]);
	p.snapshots = STREQ(argv[3], "y");
	return pack(&p, l, e);
}

static int do_head(char *argv[], struct err **e)
{
	struct policy p = {
		.name = *argv[0] ? argv[0] : NULL,
		.maps = STREQ(argv[1], "keep") ? NULL : argv[1],
		.trust = is_flagged(argv[2], 't'),
		.new_macs = is_flagged(argv[2], 'i'),
		.dir = argv[3],
	};

	return head(&p, e);
}

static int do_unpack(int argc, char *argv[], struct log *l, struct err **e)
{
	struct unpacking u = { .caller_uid = -1, .caller_gid = -1 };
	uint64_t id;

	u.dir = str_after(argv[1], "--path=");
	u.name = str_after(argv[2], "--name=");
	u.rootfs = str_after(argv[3], "--rootfs=");
	u.trust = is_flagged(argv[4], 't');
	u.new_identity = is_flagged(argv[4], 'i');
	if (!u.name || !u.rootfs || num_u64(argv[5], 10, UINT64_MAX, &u.limit) < 0)
		return err_set(e, EINVAL, NULL, "the arguments of a template are not as they should be");
	for (int i = 6; i + 1 < argc; i += 2) {
		if (num_u64(argv[i + 1], 10, UINT32_MAX, &id) < 0)
			return err_set(e, EINVAL, NULL, "%s is no id", argv[i + 1]);
		if (STREQ(argv[i], "--mapped-uid"))
			u.caller_uid = (int64_t)id;
		else if (STREQ(argv[i], "--mapped-gid"))
			u.caller_gid = (int64_t)id;
	}
	return unpack(&u, l, e);
}

int main(int argc, char *argv[])
{
	bool packs = argc == 6 && STREQ(argv[1], "pack"), heads = argc == 6 && STREQ(argv[1], "head");
	const char *prog = packs ? "lxc-export" : "lxc-import";
	struct log l = LOG_INIT;
	auto_err struct err *e = NULL;
	int r;

	l.sink = warn;
	l.sink_arg = (void *)(uintptr_t)prog;
	(void)signal(SIGPIPE, SIG_IGN);
	if (packs)
		r = do_pack(argv + 2, &l, &e);
	else if (heads)
		r = do_head(argv + 2, &e);
	else if (argc >= 6 && str_after(argv[1], "--path="))
		r = do_unpack(argc, argv, &l, &e);
	else
		return usage();
	if (r < 0)
		err_print(stderr, prog, e, false);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-usernsexec - runs a command as root of a new user namespace. */
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lxc/version.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/num.h"
#include "base/strv.h"
#include "kernel/idmap.h"
#include "kernel/ns.h"
#include "kernel/proc.h"
#include "kernel/subid.h"

#define PROG "lxc-usernsexec"

struct settings {
	struct idmap map;
	bool map_self;
	uint32_t uid, gid;
	char **command;
};

static int fail(struct err *e)
{
	err_print(stderr, PROG, e, false);
	err_free(e);
	return EXIT_FAILURE;
}

static int usage(FILE *out, int code)
{
	fputs("Usage: " PROG " [-m MAP]... [-s] [-u UID] [-g GID] [--] [COMMAND [ARGUMENT]...]\n"
	      "Runs COMMAND, or /bin/sh, in a new user namespace.\n\n"
	      "Options:\n"
	      "  -m u|g|b:INSIDE:OUTSIDE:COUNT  map ids of users, groups or both; may be repeated;\n"
	      "                                 without it, all ranges that /etc/subuid and /etc/subgid grant\n"
	      "  -s                             map the caller's own ids as well, behind the others\n"
	      "  -u UID, -g GID                 ids inside; 0 if not given\n"
	      "  -h                             show this help and exit\n",
	      out);
	(void)fflush(out);
	return code;
}

/* "b:0:100000:65536" */
static int parse_map(struct idmap *m, const char *text, struct err **e)
{
	auto_strv struct strv words = { 0 };
	struct idmap_range r = { .gid = false };

	if (strv_split(&words, text, ":") < 0)
		return err_no_memory(e);
	if (words.n != 4 || strlen(words.v[0]) != 1 || !strchr("ugb", *words.v[0]) ||
	    num_id(words.v[1], &r.nsid) < 0 || num_id(words.v[2], &r.hostid) < 0 ||
	    num_uint(words.v[3], 10, &r.range) < 0 || r.range == 0 || UINT32_MAX - r.nsid < r.range ||
	    UINT32_MAX - r.hostid < r.range)
		return err_set(e, EINVAL, "usage", "option -m: '%s' is not u|g|b:INSIDE:OUTSIDE:COUNT", text);
	if (*words.v[0] != 'g' && VEC_PUSH(m, r) < 0)
		return err_no_memory(e);
	r.gid = true;
	if (*words.v[0] != 'u' && VEC_PUSH(m, r) < 0)
		return err_no_memory(e);
	return 0;
}

static bool has_kind(const struct idmap *m, bool gid)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].gid == gid)
			return true;
	return false;
}

/* All ranges that the caller was granted, one behind the other. */
static int default_map(struct idmap *m, struct err **e)
{
	int r = idmap_of_caller(m, UINT32_MAX - 1, e);

	for (int gid = 0; gid < 2 && r == 0; gid++) {
		uint32_t first = subid_free(gid);
		char user[SUBID_USER_MAX];

		if (has_kind(m, gid))
			continue;
		subid_user(user);
		r = err_subids_missing(e, user, subid_file(gid), subid_option(gid), first, first + 65535);
	}
	return r;
}

/* The first id inside behind the ranges that follow each other from 0 on. */
static uint32_t first_free(const struct idmap *m, bool gid)
{
	uint32_t next = 0;

	for (size_t i = 0; i < m->n; i++)
		for (size_t k = 0; k < m->n; k++)
			if (m->v[k].gid == gid && m->v[k].nsid == next)
				next += m->v[k].range;
	return next;
}

static int add_self(struct idmap *m, struct err **e)
{
	struct idmap_range u = { .nsid = first_free(m, false), .hostid = getuid(), .range = 1 };
	struct idmap_range g = { .gid = true, .nsid = first_free(m, true), .hostid = getgid(), .range = 1 };

	if (VEC_PUSH(m, u) < 0 || VEC_PUSH(m, g) < 0)
		return err_no_memory(e);
	return 0;
}

/* Inside, once the maps are there. Never returns. */
static void run_command(const struct settings *s)
{
	struct err *e = NULL;
	char *shell[] = { (char *)"/bin/sh", NULL };
	char **argv = *s->command ? s->command : shell;

	if (setgroups(0, NULL) < 0 && errno != EPERM)
		err_set(&e, errno, NULL, "cannot drop the supplementary groups");
	else if (setresgid(s->gid, s->gid, s->gid) < 0)
		err_set(&e, errno, NULL, "the group id %u is not mapped", s->gid);
	else if (setresuid(s->uid, s->uid, s->uid) < 0)
		err_set(&e, errno, NULL, "the user id %u is not mapped", s->uid);
	else if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		err_set(&e, errno, NULL, "cannot make a mount namespace");
	if (!e) {
		(void)execvp(argv[0], argv);
		err_set(&e, errno, NULL, "cannot execute %s", argv[0]);
	}
	_exit(fail(e));
}

static int child(const struct settings *s, int sock)
{
	struct err *e = NULL;
	char byte = 0;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		(void)ns_userns_refused(errno, &e);
	if (e)
		return fail(e);
	if (write(sock, &byte, 1) != 1 || read(sock, &byte, 1) != 1)
		return EXIT_FAILURE;	/* the parent has said why */
	(void)close(sock);
	run_command(s);
	return EXIT_FAILURE;
}

static int run(const struct settings *s)
{
	struct err *e = NULL;
	int sock[2], status, r = 0;
	char byte = 0;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock) < 0)
		return fail((err_set(&e, errno, NULL, "cannot make a socket pair"), e));
	pid = proc_fork(&e);
	if (pid < 0)
		return fail(e);
	if (pid == 0) {
		(void)close(sock[0]);
		_exit(child(s, sock[1]));
	}
	(void)close(sock[1]);
	if (read(sock[0], &byte, 1) == 1) {
		r = idmap_write(&s->map, pid, &e);
		if (r == 0 && write(sock[0], &byte, 1) != 1)
			r = err_set(&e, errno, NULL, "cannot reach the child");
	}
	(void)close(sock[0]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_FAILURE;
	if (r < 0)
		return fail(e);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

static int parse_id(char letter, const char *value, uint32_t *ret, struct err **e)
{
	if (num_id(value, ret) < 0)
		return err_set(e, EINVAL, "usage", "option -%c: '%s' is not a numeric id", letter, value);
	return 0;
}

/* -1: go on, else the exit status. */
static int parse(struct settings *s, int argc, char **argv)
{
	struct err *e = NULL;
	int c, r = 0;

	if (argc == 2 && STREQ(argv[1], "--version")) {
		printf("%s\ntiffin %s\n", LXC_VERSION, PACKAGE_VERSION);
		return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	while (r == 0 && (c = getopt(argc, argv, "+m:u:g:sh")) != -1) {
		if (c == 'm')
			r = parse_map(&s->map, optarg, &e);
		else if (c == 'u')
			r = parse_id('u', optarg, &s->uid, &e);
		else if (c == 'g')
			r = parse_id('g', optarg, &s->gid, &e);
		else if (c == 's')
			s->map_self = true;
		else
			return usage(c == 'h' ? stdout : stderr, c == 'h' ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	if (r == 0 && s->map.n == 0)
		r = default_map(&s->map, &e);
	if (r == 0 && s->map_self)
		r = add_self(&s->map, &e);
	s->command = argv + optind;
	return r < 0 ? fail(e) : -1;
}

int main(int argc, char *argv[])
{
	struct settings s = { .uid = 0 };
	int r;

	proc_fill_stdio();
	r = parse(&s, argc, argv);
	if (r < 0)
		r = run(&s);
	idmap_done(&s.map);
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-usernsexec - runs a command as root of a new user namespace. */
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
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

#include <lxc/lxcext.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "base/num.h"
#include "base/strv.h"
#include "base/vec.h"
#include "common/tool.h"

#define PROG "lxc-usernsexec"
#define SUBID_MAX (4U << 20)

struct range {
	uint32_t inside, outside, count;
};

struct map {
	VEC(struct range) uid, gid;
};

struct settings {
	struct map map;
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
	      "                                 without it, the caller's ranges of /etc/subuid and /etc/subgid\n"
	      "  -s                             map the caller's own ids as well, behind the others\n"
	      "  -u UID, -g GID                 ids inside; 0 if not given\n"
	      "  -h                             show this help and exit\n",
	      out);
	(void)fflush(out);
	return code;
}

/* "b:0:100000:65536" */
static int parse_map(struct map *m, const char *text, struct err **e)
{
	auto_strv struct strv words = { 0 };
	struct range r;

	if (strv_split(&words, text, ":") < 0)
		return err_no_memory(e);
	if (words.n != 4 || strlen(words.v[0]) != 1 || !strchr("ugb", *words.v[0]) ||
	    num_id(words.v[1], &r.inside) < 0 || num_id(words.v[2], &r.outside) < 0 ||
	    num_id(words.v[3], &r.count) < 0 || r.count == 0 || UINT32_MAX - r.inside < r.count ||
	    UINT32_MAX - r.outside < r.count)
		return err_set(e, EINVAL, "usage", "option -m: '%s' is not u|g|b:INSIDE:OUTSIDE:COUNT", text);
	if (*words.v[0] != 'g' && VEC_PUSH(&m->uid, r) < 0)
		return err_no_memory(e);
	if (*words.v[0] != 'u' && VEC_PUSH(&m->gid, r) < 0)
		return err_no_memory(e);
	return 0;
}

/* The first range that path grants to the user, at 0 inside. 1 found, 0 not. */
static int granted_range(const char *path, const char *user, struct range *ret, struct err **e)
{
	auto_free char *text = NULL;
	auto_strv struct strv lines = { 0 };
	int r = io_read_file(AT_FDCWD, path, SUBID_MAX, &text, NULL, e);

	if (r < 0)
		return r;
	if (strv_split(&lines, text, "\n") < 0)
		return err_no_memory(e);
	for (size_t i = 0; i < lines.n; i++) {
		auto_strv struct strv words = { 0 };

		if (strv_split(&words, lines.v[i], ":") < 0)
			return err_no_memory(e);
		if (words.n == 3 && strcmp(words.v[0], user) == 0 && num_id(words.v[1], &ret->outside) == 0 &&
		    num_id(words.v[2], &ret->count) == 0 && ret->count > 0) {
			ret->inside = 0;
			return 1;
		}
	}
	return 0;
}

static int default_map(struct map *m, struct err **e)
{
	const struct passwd *pw = getpwuid(getuid());
	struct range u, g;
	int r;

	if (!pw)
		return err_set(e, 0, NULL, "the user id %u has no name", (unsigned)getuid());
	r = granted_range("/etc/subuid", pw->pw_name, &u, e);
	if (r > 0)
		r = granted_range("/etc/subgid", pw->pw_name, &g, e);
	if (r < 0)
		return r;
	if (r == 0)
		return err_subids_missing(e, pw->pw_name);
	if (VEC_PUSH(&m->uid, u) < 0 || VEC_PUSH(&m->gid, g) < 0)
		return err_no_memory(e);
	return 0;
}

/* The first id inside behind the ranges that follow each other from 0 on. */
static uint32_t first_free(const struct range *v, size_t n)
{
	uint32_t next = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++)
			if (v[k].inside == next)
				next += v[k].count;
	return next;
}

static int add_self(struct map *m, struct err **e)
{
	struct range u = { first_free(m->uid.v, m->uid.n), getuid(), 1 };
	struct range g = { first_free(m->gid.v, m->gid.n), getgid(), 1 };

	if (VEC_PUSH(&m->uid, u) < 0 || VEC_PUSH(&m->gid, g) < 0)
		return err_no_memory(e);
	return 0;
}

/* newuidmap or newgidmap, which may write what the caller may not. */
static int run_helper(const char *helper, pid_t pid, const struct range *v, size_t n, struct err **e)
{
	auto_strv struct strv argv = { 0 };
	int status;
	pid_t child;

	if (strv_add(&argv, helper) < 0 || strv_addf(&argv, "%d", (int)pid) < 0)
		return err_no_memory(e);
	for (size_t i = 0; i < n; i++)
		if (strv_addf(&argv, "%u", v[i].inside) < 0 || strv_addf(&argv, "%u", v[i].outside) < 0 ||
		    strv_addf(&argv, "%u", v[i].count) < 0)
			return err_no_memory(e);
	child = fork();
	if (child < 0)
		return err_set(e, errno, NULL, "cannot fork");
	if (child == 0) {
		(void)execvp(helper, argv.v);
		_exit(127);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(e, errno, NULL, "cannot wait for %s", helper);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_set(e, EPERM, "idmap_refused", "%s did not accept the map (exit status %d)", helper,
		       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static int write_map(const char *what, pid_t pid, const struct range *v, size_t n, struct err **e)
{
	auto_buf struct buf text = BUF_INIT(65536);
	char path[64], helper[16];

	if (n == 0)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/%s_map", (int)pid, what);
	(void)snprintf(helper, sizeof(helper), "new%smap", what);
	for (size_t i = 0; i < n; i++)
		buf_addf(&text, "%u %u %u\n", v[i].inside, v[i].outside, v[i].count);
	if (!buf_ok(&text))
		return err_no_memory(e);
	if (geteuid() == 0 && io_write_value(AT_FDCWD, path, buf_str(&text)) == 0)
		return 0;
	return run_helper(helper, pid, v, n, e);
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
		err_set(&e, errno, NULL, "cannot make a user namespace");
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
	pid = fork();
	if (pid < 0)
		return fail((err_set(&e, errno, NULL, "cannot fork"), e));
	if (pid == 0) {
		(void)close(sock[0]);
		_exit(child(s, sock[1]));
	}
	(void)close(sock[1]);
	if (read(sock[0], &byte, 1) == 1) {
		r = write_map("uid", pid, s->map.uid.v, s->map.uid.n, &e);
		if (r == 0)
			r = write_map("gid", pid, s->map.gid.v, s->map.gid.n, &e);
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
		printf("%s\ntiffin %s\n", lxc_get_version(), PACKAGE_VERSION);
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
	if (r == 0 && s->map.uid.n + s->map.gid.n == 0)
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

	tool_fill_stdio();
	r = parse(&s, argc, argv);
	if (r < 0)
		r = run(&s);
	VEC_DONE(&s.map.uid);
	VEC_DONE(&s.map.gid);
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "cgroup/scope.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/paths.h"
#include "base/str.h"
#include "cgroup/internal.h"
#include "kernel/spawn.h"

#define HELPER PATH_LIBEXEC "/lxc-scope"
#define BOOTED "/run/systemd/system"	/* there while systemd is process 1 */
#define LIMIT_MS 60000
#define WAIT_MS 30000
#define STEP_MS 5
#define UNIT_MAX 240
#define NO_MANAGER 2			/* exit status of the helper */

/* "lxc-NAME-0123abcd.scope": what the name of a unit may not hold becomes \xNN. */
static void unit_name(const char *name, char ret[static UNIT_MAX])
{
	uint32_t random = 0;
	size_t n = (size_t)snprintf(ret, UNIT_MAX, "lxc-");

	(void)!getrandom(&random, sizeof(random), 0);
	for (; *name && n < UNIT_MAX - 32; name++) {
		if (isalnum((unsigned char)*name) || strchr(":_.", *name))
			ret[n++] = *name;
		else
			n += (size_t)snprintf(ret + n, 5, "\\x%02x", (unsigned char)*name);
	}
	(void)snprintf(ret + n, 32, "-%08x.scope", random);
}

/* The first component of a path that is a scope of ours: where it begins and, returned, where it ends. NULL: none. */
static const char *scope_in(const char *path, const char **ret_begin)
{
	for (const char *p = path; (p = strstr(p, "/lxc-")); p++) {
		size_t n = strcspn(p + 1, "/");

		if (n < strlen("lxc-.scope") || strncmp(p + 1 + n - strlen(".scope"), ".scope", strlen(".scope")) != 0)
			continue;
		*ret_begin = p + 1;
		return p + 1 + n;
	}
	return NULL;
}

/* Runs the helper: 1, 0 when there is no manager, -errno with what it said. */
static int ask(const char *verb, const char *unit, const char *detail, pid_t pid, struct err **e)
{
	auto_buf struct buf output = BUF_INIT(4096);
	auto_strv struct strv argv = { 0 }, env = { 0 };
	auto_free char *line = NULL;
	const char *rundir = getenv("XDG_RUNTIME_DIR");
	struct spawn s = SPAWN_INIT;
	int r, status = 0;

	if (strv_add(&argv, "lxc-scope") < 0 || strv_add(&argv, verb) < 0 || strv_add(&argv, unit) < 0 ||
	    strv_add(&argv, detail) < 0 || strv_addf(&argv, "%d", pid) < 0 ||
	    (rundir && strv_addf(&env, "XDG_RUNTIME_DIR=%s", rundir) < 0) || strv_add(&env, "LC_ALL=C") < 0)
		return err_no_memory(e);
	s.path = HELPER;
	s.argv = argv.v;
	s.envp = env.v;
	s.output = &output;
	s.timeout_ms = LIMIT_MS;
	r = spawn_run(&s, &status, e);
	if (r < 0)
		return r;
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == NO_MANAGER))
		return WEXITSTATUS(status) == 0;
	line = spawn_last_line(&output);
	return err_cgroup_scope(e, unit, line && *line ? line : "lxc-scope ended without a word");
}

/* The path of our own cgroup in the v2 hierarchy below its mount (new), and that hierarchy's root. NULL: there is none,
 * or it is of no use to ask. */
static char *own_cgroup(struct hierarchies *h, struct hierarchy **ret)
{
	*ret = layout_read(true, h, NULL) == 0 ? layout_v2(h) : NULL;
	return *ret && (*ret)->home ? strdup((*ret)->home) : NULL;
}

/* Out of the scope itself into a directory below it: a cgroup with processes has no controllers to give. */
static int step_down(const struct hierarchy *h, const char *home, const char *unit, struct err **e)
{
	auto_free char *place = NULL;
	auto_close int fd = -EBADF;
	int r;

	if (asprintf(&place, "%s/" SCOPE_PLACE, home) < 0) {
		place = NULL;
		return err_no_memory(e);
	}
	r = mkdirat(h->root_fd, place, 0755) < 0 && errno != EEXIST ? -errno : 0;
	if (r == 0) {
		fd = dirs_open(h, place, CG_LEAF_FLAGS);
		r = fd < 0 ? fd : enter_self(h, fd);
	}
	return r < 0 ? err_cgroup_scope(e, unit, "its cgroup is not ours to use") : 1;
}

/* Systemd does it after it has answered. */
static int wait_inside(const char *unit, struct err **e)
{
	for (int waited = 0; waited < WAIT_MS; waited += STEP_MS) {
		struct hierarchies h = { 0 };
		struct hierarchy *v2;
		auto_free char *home = own_cgroup(&h, &v2);
		const char *end = home ? strstr(home, unit) : NULL;
		int r = end && end[strlen(unit)] == '\0' ? step_down(v2, home, unit, e) : 0;

		layout_done(&h);
		if (r)
			return r;
		(void)poll(NULL, 0, STEP_MS);
	}
	return err_cgroup_scope(e, unit, "it was not made within 30 s");
}

int scope_enter(const char *name, struct err **e)
{
	struct hierarchies h = { 0 };
	struct hierarchy *v2 = NULL;
	auto_free char *home = NULL, *slashed = NULL, *text = NULL;
	char unit[UNIT_MAX];
	const char *begin;
	bool needed;
	int r;

	if (access(BOOTED, F_OK) < 0)
		return 0;
	home = own_cgroup(&h, &v2);
	needed = v2 && (geteuid() != 0 || !v2->usable);
	layout_done(&h);
	if (asprintf(&slashed, "/%s", home ? home : "") < 0 || asprintf(&text, "Container %s", name) < 0)
		return err_no_memory(e);
	if (!needed || scope_in(slashed, &begin))
		return 0;
	unit_name(name, unit);
	r = ask("start", unit, text, getpid(), e);
	return r > 0 ? wait_inside(unit, e) : r;
}

/* The cgroup of a process in the v2 hierarchy (new, "/user.slice/..."); NULL: it has none. */
static char *cgroup_of(pid_t pid)
{
	auto_free char *text = NULL;
	auto_close int fd = -EBADF;
	char path[32], *line;

	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || io_read_fd(fd, CG_FILE_MAX, &text, NULL) < 0)
		return NULL;
	line = strstr(text, "0::/");
	return line && (line == text || line[-1] == '\n') ? strndup(line + 3, strcspn(line + 3, "\n")) : NULL;
}

/* Below the scope, whose path has this length: the leaf for processes that attach where there is one above init's own
 * directory, else that. In place, with room for the leaf. */
static void choose_leaf(char *path, size_t scope)
{
	struct hierarchies h = { 0 };
	struct hierarchy *v2 = layout_read(true, &h, NULL) == 0 ? layout_v2(&h) : NULL;
	auto_free char *try = strdup(path);

	while (v2 && try && strlen(try) > scope) {
		auto_free char *leaf = NULL;

		if (asprintf(&leaf, "%s/" ATTACH_DIR, try) < 0) {
			leaf = NULL;
			break;
		}
		if (faccessat(v2->root_fd, leaf + 1, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
			(void)stpcpy(path, leaf);
			break;
		}
		*strrchr(try, '/') = '\0';
	}
	layout_done(&h);
}

int scope_join(pid_t init, pid_t pid, struct err **e)
{
	auto_free char *path = access(BOOTED, F_OK) == 0 ? cgroup_of(init) : NULL, *roomy = NULL, *unit = NULL;
	const char *begin = NULL, *end;

	if (!path)
		return 0;
	roomy = malloc(strlen(path) + sizeof("/" ATTACH_DIR));
	if (!roomy)
		return err_no_memory(e);
	(void)stpcpy(roomy, path);
	end = scope_in(roomy, &begin);
	if (!end || !*end)
		return 0;
	unit = strndup(begin, (size_t)(end - begin));
	choose_leaf(roomy, (size_t)(end - roomy));
	return unit ? ask("attach", unit, end, pid, e) : err_no_memory(e);
}

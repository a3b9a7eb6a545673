/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-scope - asks the caller's systemd manager (root's is the system's)
 *
 *	lxc-scope start UNIT DESCRIPTION PID	for a delegated scope with the process in it
 *	lxc-scope attach UNIT CGROUP PID	to move the process into a cgroup below the scope
 *
 * and says on its last line why not. Exit status: 0 done, 1 refused, 2 there is no manager to ask. libsystemd is
 * loaded here and nowhere else. */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "base/table.h"

#define LIBRARY "libsystemd.so.0"
#define REFUSED 1
#define NO_MANAGER 2
#define LIMIT_US ((uint64_t)25 * 1000 * 1000)

/* What is used of sd-bus, by its own types. */
typedef struct sd_bus sd_bus;
typedef struct sd_bus_message sd_bus_message;
struct bus_error {
	const char *name, *message;
	int need_free;
};

struct library {
	int (*new_bus)(sd_bus **);
	int (*set_address)(sd_bus *, const char *);
	int (*start)(sd_bus *);
	int (*open_user)(sd_bus **);
	int (*open_system)(sd_bus **);
	int (*new_call)(sd_bus *, sd_bus_message **, const char *, const char *, const char *, const char *);
	int (*append)(sd_bus_message *, const char *, ...);
	int (*call)(sd_bus *, sd_bus_message *, uint64_t, struct bus_error *, sd_bus_message **);
};

static int fail(int status, const char *what, const char *why)
{
	printf("%s%s%s\n", what, why ? ": " : "", why ? why : "");
	return status;
}

static bool load(struct library *l)
{
	void *lib = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	const struct {
		void *fn;
		const char *name;
	} symbols[] = {
		{ &l->new_bus, "sd_bus_new" },
		{ &l->set_address, "sd_bus_set_address" },
		{ &l->start, "sd_bus_start" },
		{ &l->open_user, "sd_bus_open_user" },
		{ &l->open_system, "sd_bus_open_system" },
		{ &l->new_call, "sd_bus_message_new_method_call" },
		{ &l->append, "sd_bus_message_append" },
		{ &l->call, "sd_bus_call" },
	};

	for (size_t i = 0; lib && i < ARRAY_SIZE(symbols); i++) {
		void *address = dlsym(lib, symbols[i].name);

		if (!address)
			return false;
		memcpy(symbols[i].fn, &address, sizeof(address));
	}
	return lib;
}

/* The caller's run directory, if it is his. */
static const char *run_directory(char *room, size_t n)
{
	const char *given = getenv("XDG_RUNTIME_DIR");
	struct stat st;

	if (geteuid() == 0)
		return "/run";
	if (given && *given == '/')
		(void)snprintf(room, n, "%s", given);
	else
		(void)snprintf(room, n, "/run/user/%u", geteuid());
	return lstat(room, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022) ? room : NULL;
}

/* The manager's own socket, which is there without a message bus; else through the bus. */
static int connect_manager(const struct library *l, sd_bus **ret)
{
	char room[4000], address[4096];
	const char *dir = run_directory(room, sizeof(room));
	int r;

	if (!dir || strpbrk(dir, ",;=%"))
		return -1;
	(void)snprintf(address, sizeof(address), "unix:path=%s/systemd/private", dir);
	r = l->new_bus(ret);
	if (r >= 0)
		r = l->set_address(*ret, address);
	if (r >= 0)
		r = l->start(*ret);
	if (r >= 0)
		return 0;
	(void)setenv("XDG_RUNTIME_DIR", dir, 1);
	return geteuid() == 0 ? l->open_system(ret) : l->open_user(ret);
}

static int ask_start(const struct library *l, sd_bus_message *m, char *const argv[], uint32_t pid)
{
	/* Its processes are the monitor's to end; how many there may be is the container's business and the user's slice's. */
	return l->append(m, "ssa(sv)a(sa(sv))", argv[2], "fail", 5, "Description", "s", argv[3], "Delegate", "b", 1, "PIDs", "au",
			 1, pid, "CollectMode", "s", "inactive-or-failed", "TasksMax", "t", UINT64_MAX, 0);
}

static int ask_attach(const struct library *l, sd_bus_message *m, char *const argv[], uint32_t pid)
{
	return l->append(m, "ssau", argv[2], argv[3], 1, pid);
}

int main(int argc, char *argv[])
{
	static const struct {
		const char *verb, *method;
		int (*fill)(const struct library *, sd_bus_message *, char *const[], uint32_t);
	} verbs[] = {
		{ "start", "StartTransientUnit", ask_start },
		{ "attach", "AttachProcessesToUnit", ask_attach },
	};
	struct bus_error error = { NULL, NULL, 0 };
	sd_bus_message *m = NULL, *answer = NULL;
	struct library l = { 0 };
	sd_bus *bus = NULL;
	size_t v = 0;
	unsigned pid;
	int r;

	while (argc == 5 && v < ARRAY_SIZE(verbs) && strcmp(argv[1], verbs[v].verb) != 0)
		v++;
	if (argc != 5 || v == ARRAY_SIZE(verbs) || num_uint(argv[4], 10, &pid) < 0 || pid == 0)
		return fail(REFUSED, "Usage: lxc-scope start|attach UNIT DESCRIPTION|CGROUP PID", NULL);
	if (!load(&l))
		return fail(NO_MANAGER, "there is no " LIBRARY, NULL);
	if (connect_manager(&l, &bus) < 0)
		return fail(NO_MANAGER, "there is no manager of this user", NULL);
	r = l.new_call(bus, &m, "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
		       verbs[v].method);
	if (r >= 0)
		r = verbs[v].fill(&l, m, argv, pid);
	if (r >= 0)
		r = l.call(bus, m, LIMIT_US, &error, &answer);
	return r < 0 ? fail(REFUSED, error.message ? error.message : strerrordesc_np(-r), NULL) : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/compiler.h"
#include "base/io.h"
#include "base/num.h"
#include "base/str.h"
#include "kernel/openat.h"

#define BEFORE_LIBRARY 230
#define FIRST_WITH_V2 232
#define OS_RELEASE_MAX 65536

static DIR *open_dir(int root_fd, const char *path)
{
	int fd = open_in_root(root_fd, path, O_RDONLY | O_DIRECTORY, 0);

	return fd < 0 ? NULL : io_fdopendir(fd);
}

/* "libsystemd-shared-252.22-1.so" is 252. */
static unsigned version_in(int root_fd, const char *path)
{
	auto_closedir DIR *d = open_dir(root_fd, path);
	unsigned found = 0;

	for (struct dirent *x; d && (x = readdir(d));) {
		const char *rest = str_after(x->d_name, "libsystemd-shared-");
		uint64_t v = 0;

		if (rest && num_prefix(rest, 10, 9999, &v, &rest) == 0 && v > found)
			found = (unsigned)v;
	}
	return found;
}

/* usr/lib/x86_64-linux-gnu/systemd and the like. */
static unsigned version_below_triplets(int root_fd)
{
	auto_closedir DIR *d = open_dir(root_fd, "usr/lib");
	unsigned found = 0;

	for (struct dirent *x; d && !found && (x = readdir(d));) {
		char path[NAME_MAX + 32];

		if (!strstr(x->d_name, "-linux-"))
			continue;
		(void)snprintf(path, sizeof(path), "usr/lib/%s/systemd", x->d_name);
		found = version_in(root_fd, path);
	}
	return found;
}

unsigned guest_systemd(int root_fd, const char *init)
{
	static const char *const dirs[] = { "usr/lib/systemd", "lib/systemd", "usr/lib64/systemd", "lib64/systemd" };
	auto_close int fd = *init == '/' ? open_in_root(root_fd, init, O_PATH, 0) : -EBADF;
	auto_free char *path = fd < 0 ? NULL : fd_path(fd);
	unsigned found = 0;

	if (!path || !str_ends(path, "/systemd"))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(dirs) && !found; i++)
		found = version_in(root_fd, dirs[i]);
	if (!found)
		found = version_below_triplets(root_fd);
	return found ? found : BEFORE_LIBRARY;
}

/* KEY=value or KEY="value" of os-release. New; NULL: it is not there. */
static char *os_release(const char *text, const char *key)
{
	for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		const char *v = str_after(p, key);
		size_t n;

		if (!v || *v != '=')
			continue;
		v++;
		v += *v == '"' || *v == '\'';
		n = strcspn(v, "\"'\n");
		return strndup(v, n);
	}
	return NULL;
}

/* From when on a distribution has a systemd that knows cgroup v2. */
static const char *release_with_v2(const char *id)
{
	static const char *const known[][2] = {
		{ "debian", "Debian 10" },	   { "ubuntu", "Ubuntu 18.04" }, { "centos", "CentOS Stream 8" },
		{ "rhel", "RHEL 8" },		   { "fedora", "Fedora 26" },	 { "opensuse", "openSUSE Leap 15" },
		{ "sles", "SLES 15" },		   { "ol", "Oracle Linux 8" },	 { "scientific", "RHEL 8 or a rebuild of it" },
		{ "opensuse-leap", "openSUSE Leap 15" },
	};

	for (size_t i = 0; id && i < ARRAY_SIZE(known); i++)
		if (STREQ(known[i][0], id))
			return known[i][1];
	return "a release with systemd 232";
}

int guest_check_cgroups(int root_fd, const char *root, unsigned systemd, bool unified, struct err **e)
{
	auto_close int fd = -EBADF;
	auto_free char *text = NULL, *id = NULL, *name = NULL;
	char version[32];

	if (!unified || !systemd || systemd >= FIRST_WITH_V2)
		return 0;
	fd = open_in_root(root_fd, "etc/os-release", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd >= 0 && io_read_fd(fd, OS_RELEASE_MAX, &text, NULL) == 0) {
		id = os_release(text, "ID");
		name = os_release(text, "PRETTY_NAME");
	}
	(void)snprintf(version, sizeof(version), systemd == BEFORE_LIBRARY ? "before 231" : "%u", systemd);
	return err_guest_needs_v1(e, version, name && *name && !str_has_control(name, true) ? name : root,
				  release_with_v2(id));
}

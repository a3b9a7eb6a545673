/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/subid.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "base/str.h"
#include "base/strv.h"

#define FILE_MAX ((size_t)16 << 20)
#define NSSWITCH "/etc/nsswitch.conf"
#define LIBRARY "libsubid.so.4"
#define BLOCK 65536u
#define FIRST_BLOCK 100000u
/* Behind it systemd, containers of other managers and network accounts have their ranges. */
#define LAST_BLOCK 0x1f000000u

const char *subid_file(bool gid)
{
	return gid ? "/etc/subgid" : "/etc/subuid";
}

const char *subid_option(bool gid)
{
	return gid ? "--add-subgids" : "--add-subuids";
}

void subid_user(char name[SUBID_USER_MAX])
{
	char room[4096];
	struct passwd pw, *found = NULL;

	if (getpwuid_r(getuid(), &pw, room, sizeof(room), &found) == 0 && found &&
	    strlen(found->pw_name) < SUBID_USER_MAX)
		(void)stpcpy(name, found->pw_name);
	else
		(void)snprintf(name, SUBID_USER_MAX, "%u", getuid());
}

/* "NAME:FIRST:COUNT". */
static int parse_line(const char *line, struct strv *f, struct subid_range *ret)
{
	uint64_t first, count;
	int r = strv_split(f, line, ":");

	if (r < 0)
		return r;
	if (f->n != 3 || num_u64(f->v[1], 10, UINT32_MAX - 1, &first) < 0 ||
	    num_u64(f->v[2], 10, UINT32_MAX, &count) < 0 || count == 0 || first + count > UINT32_MAX)
		return -EINVAL;
	*ret = (struct subid_range){ (uint32_t)first, (uint32_t)count };
	return 0;
}

/* Calls for every line of the file that is understood; user NULL: whoever it is granted to. */
static int read_file(bool gid, const char *user, struct subids *ret, struct err **e)
{
	auto_strv struct strv lines = { 0 };
	auto_err struct err *why = NULL;
	auto_free char *text = NULL;
	char number[16];
	int r = io_read_file(AT_FDCWD, subid_file(gid), FILE_MAX, &text, NULL, &why);

	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		err_move(e, take_ptr(why));
		return r;
	}
	(void)snprintf(number, sizeof(number), "%u", getuid());
	if (strv_split(&lines, text, "\n") < 0)
		return err_no_memory(e);
	for (size_t i = 0; i < lines.n; i++) {
		auto_strv struct strv f = { 0 };
		struct subid_range range;

		r = parse_line(lines.v[i], &f, &range);
		if (r == -EINVAL || (r == 0 && user && !STREQ(f.v[0], user) && !STREQ(f.v[0], number)))
			continue;
		if (r < 0 || VEC_PUSH(ret, range) < 0)
			return err_no_memory(e);
	}
	return 0;
}

/* True if nsswitch.conf gives subordinate ids another source than the files. */
static bool has_other_source(void)
{
	auto_strv struct strv lines = { 0 };
	auto_free char *text = NULL;

	if (io_read_file(AT_FDCWD, NSSWITCH, FILE_MAX, &text, NULL, NULL) < 0 || strv_split(&lines, text, "\n") < 0)
		return false;
	for (size_t i = 0; i < lines.n; i++) {
		const char *rest = str_after(str_trim(lines.v[i]), "subid:");

		if (rest)
			return !STREQ(rest + strspn(rest, " \t"), "files");
	}
	return false;
}

/* The library's own structure. */
struct lib_range {
	unsigned long start, count;
};

static int read_library(bool gid, const char *user, struct subids *ret, struct err **e)
{
	void *lib = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	int (*ranges)(const char *, struct lib_range **);
	struct lib_range *found = NULL;
	int n, r = 0;

	if (!lib)
		return err_program_missing(e, LIBRARY, "the library path, and nsswitch.conf has a subid line that "
							"needs it", "libsubid4");
	*(void **)&ranges = dlsym(lib, gid ? "subid_get_gid_ranges" : "subid_get_uid_ranges");
	n = ranges ? ranges(user, &found) : 0;
	for (int i = 0; i < n && r == 0; i++) {
		struct subid_range range = { (uint32_t)found[i].start, (uint32_t)found[i].count };

		if (found[i].count == 0 || found[i].start >= UINT32_MAX || found[i].count > UINT32_MAX - found[i].start)
			continue;
		r = VEC_PUSH(ret, range);
	}
	free(found);
	(void)dlclose(lib);
	return r < 0 ? err_no_memory(e) : 0;
}

int subid_read(bool gid, struct subids *ret, struct err **e)
{
	char user[SUBID_USER_MAX];

	subid_user(user);
	return has_other_source() ? read_library(gid, user, ret, e) : read_file(gid, user, ret, e);
}

uint32_t subid_free(bool gid)
{
	struct subids all = { 0 };
	uint32_t at = FIRST_BLOCK;
	bool moved = true;

	if (read_file(gid, NULL, &all, NULL) < 0)
		moved = false;
	while (moved && at < LAST_BLOCK) {
		moved = false;
		for (size_t i = 0; i < all.n; i++) {
			const struct subid_range *s = &all.v[i];

			if (at < (uint64_t)s->first + s->count && s->first < at + BLOCK) {
				at = s->first + s->count;
				moved = true;
			}
		}
	}
	VEC_DONE(&all);
	return at < LAST_BLOCK ? at : FIRST_BLOCK;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "network/usernet.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "base/path.h"

#define FILE_MAX ((size_t)1 << 20)
#define WORD_MAX 99	/* of LXC's format */
#define GROUPS_MAX 65536

static int add_group(struct strv *ret, gid_t gid)
{
	char room[16384];
	struct group gr, *found = NULL;

	/* A group without a name cannot be meant by one. */
	if (getgrgid_r(gid, &gr, room, sizeof(room), &found) != 0 || !found)
		return 0;
	return strv_addf(ret, "@%s", found->gr_name);
}

int usernet_names(struct strv *ret)
{
	char room[4096];
	struct passwd pw, *found = NULL;
	auto_free gid_t *groups = NULL;
	int n = getgroups(0, NULL), r = 0;

	if (getpwuid_r(getuid(), &pw, room, sizeof(room), &found) == 0 && found)
		r = strv_add(ret, found->pw_name);
	if (r == 0)
		r = add_group(ret, getgid());
	groups = n > 0 && n <= GROUPS_MAX ? calloc((size_t)n, sizeof(*groups)) : NULL;
	n = groups ? getgroups(n, groups) : 0;
	for (int i = 0; i < n && r == 0; i++)
		if (groups[i] != getgid())
			r = add_group(ret, groups[i]);
	return r;
}

static int add_grant(struct usernet_grants *ret, const char *owner, const char *link, unsigned count)
{
	struct usernet_grant g = { .owner = strdup(owner), .link = strdup(link), .count = count };

	if (g.owner && g.link && VEC_PUSH(ret, g) == 0)
		return 0;
	free(g.owner);
	free(g.link);
	return -ENOMEM;
}

int usernet_parse(const char *text, const struct strv *names, const char *type, const char *link,
		  struct usernet_grants *ret)
{
	auto_strv struct strv lines = { 0 };
	int r = strv_split(&lines, text, "\n");

	for (size_t i = 0; i < lines.n && r == 0; i++) {
		auto_strv struct strv w = { 0 };
		unsigned count;
		bool fits;

		r = strv_split(&w, lines.v[i], " \t\r");
		if (r < 0)
			return r;
		/* The name begins the line. */
		fits = w.n == 4 && *lines.v[i] == *w.v[0] && num_uint(w.v[3], 10, &count) == 0;
		for (size_t k = 0; k < w.n && fits; k++)
			fits = strlen(w.v[k]) <= WORD_MAX;
		if (fits && strv_has(names, w.v[0]) && STREQ(w.v[1], type) && (!link || STREQ(w.v[2], link)))
			r = add_grant(ret, w.v[0], w.v[2], count);
	}
	return r;
}

int usernet_read(const char *path, const struct strv *names, const char *type, const char *link,
		 struct usernet_grants *ret, struct err **e)
{
	auto_close int fd = io_open_regular(AT_FDCWD, path, 0, e);
	auto_free char *text = NULL;
	struct stat st;
	size_t len;
	int r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return err_set(e, errno, NULL, "cannot stat %s", path);
	if (st.st_uid != 0 || (st.st_mode & 022))
		return err_set(e, EPERM, "usernet-untrusted", "%s is not root's alone to write", path);
	r = io_read_fd(fd, FILE_MAX, &text, &len);
	if (r < 0)
		return err_set(e, -r, NULL, "cannot read %s", path);
	return usernet_parse(text, names, type, link, ret) < 0 ? err_no_memory(e) : 0;
}

void usernet_done(struct usernet_grants *g)
{
	for (size_t i = 0; i < g->n; i++) {
		free(g->v[i].owner);
		free(g->v[i].link);
	}
	VEC_DONE(g);
}

/* The four words of a line of the database. */
static bool read_line(const char *line, struct strv *w)
{
	return *line != '#' && strv_split(w, line, " ") == 0 && w->n == 4;
}

int usernet_cull(const char *text, bool (*exists)(const char *device, void *arg), void *arg, struct buf *out)
{
	auto_strv struct strv lines = { 0 };

	if (strv_split(&lines, text, "\n") < 0)
		return -ENOMEM;
	for (size_t i = 0; i < lines.n; i++) {
		auto_strv struct strv w = { 0 };

		if (read_line(lines.v[i], &w) && exists(w.v[3], arg))
			buf_addf(out, "%s\n", lines.v[i]);
	}
	return buf_ok(out) ? 0 : -ENOMEM;
}

unsigned usernet_count(const char *text, const char *owner, const char *type, const char *link)
{
	auto_strv struct strv lines = { 0 };
	unsigned n = 0;

	/* In doubt there is no room. */
	if (strv_split(&lines, text, "\n") < 0)
		return UINT32_MAX;
	for (size_t i = 0; i < lines.n; i++) {
		auto_strv struct strv w = { 0 };

		n += read_line(lines.v[i], &w) && STREQ(w.v[0], owner) && STREQ(w.v[1], type) && STREQ(w.v[2], link);
	}
	return n;
}

const struct usernet_grant *usernet_room(const struct usernet_grants *g, const char *text, const char *type,
					 const char *link)
{
	for (size_t i = 0; i < g->n; i++) {
		unsigned allowed = 0;

		/* Lines of one owner add up. */
		for (size_t k = 0; k < g->n; k++)
			if (STREQ(g->v[k].owner, g->v[i].owner) && STREQ(g->v[k].link, link))
				allowed += g->v[k].count > UINT16_MAX ? UINT16_MAX : g->v[k].count;
		if (STREQ(g->v[i].link, link) && usernet_count(text, g->v[i].owner, type, link) < allowed)
			return &g->v[i];
	}
	return NULL;
}

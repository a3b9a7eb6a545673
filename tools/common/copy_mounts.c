/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/copy_mounts.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"

#define VALUE_MAX 16384
#define NAME_LENGTH 6

struct one {
	bool overlay, readonly;
	char *source, *target;	/* owned */
};

static void one_done(struct one *m)
{
	free(m->source);
	free(m->target);
}
#define auto_one __attribute__((cleanup(one_done)))

static int bad(struct tool *t, const char *text, const char *why)
{
	return tool_usage(t, "option --mount (-m): '%s' %s", text, why);
}

static int parse(struct tool *t, const char *text, struct one *ret)
{
	auto_one struct one m = { 0 };
	auto_strv struct strv words = { 0 };
	const char *rest = str_after(text, "bind=");
	size_t n;

	if (!rest) {
		rest = str_after(text, "overlay=");
		m.overlay = rest;
	}
	if (!rest)
		return bad(t, text, "is neither bind=SRC[:DST][:ro|rw] nor overlay=SRC[:DST]");
	if (strv_split(&words, rest, ":") < 0)
		return tool_usage(t, "out of memory");
	n = words.n;
	if (n > 1 && !m.overlay && (STREQ(words.v[n - 1], "ro") || STREQ(words.v[n - 1], "rw")))
		m.readonly = STREQ(words.v[--n], "ro");
	if (n == 0 || n > 2)
		return bad(t, text, n ? "has a word too many" : "names no directory");
	/* The monitor works elsewhere: a relative path means what it means here. */
	m.source = realpath(words.v[0], NULL);
	if (!m.source)
		return bad(t, text, errno == ENOENT ? "names something that does not exist" :
						      "names something that cannot be reached");
	m.target = strdup(n == 2 ? words.v[1] : m.source);
	if (!m.target)
		return tool_usage(t, "out of memory");
	if (!path_is_absolute(m.target) || path_has_dotdot(m.target) || STREQ(m.target, "/"))
		return bad(t, text, "needs an absolute path for the place inside, other than /");
	*ret = m;
	m = (struct one){ 0 };
	return 0;
}

int copy_mounts_add(struct tool *t, struct strv *mounts, const char *text)
{
	auto_strv struct strv words = { 0 };

	if (strv_split(&words, text, ",") < 0)
		return tool_usage(t, "out of memory");
	if (!words.n)
		return bad(t, text, "is empty");
	for (size_t i = 0; i < words.n; i++) {
		auto_one struct one m = { 0 };

		if (parse(t, words.v[i], &m) < 0)
			return -1;
		if (strv_add(mounts, words.v[i]) < 0)
			return tool_usage(t, "out of memory");
	}
	return 0;
}

/* Blanks as fstab has them; what separates layers and options of an overlay is quoted for it. */
static void add_path(struct buf *b, const char *path, bool layer)
{
	for (; *path; path++) {
		if (strchr(" \t\\#", *path))
			buf_addf(b, "\\%03o", (unsigned)(unsigned char)*path);
		else if (layer && strchr(",:", *path))
			buf_addf(b, "\\134%c", *path);
		else
			buf_addc(b, *path);
	}
}

static void add_target(struct buf *b, const char *target)
{
	buf_addc(b, ' ');
	add_path(b, target + strspn(target, "/"), false);
	buf_addc(b, ' ');
}

/* Directories "delta#X" and "work#X" in the copy's own, whose paths are new. */
static int make_layers(struct tool *t, const char *dir, char **upper, char **work)
{
	auto_free char *delta = NULL, *other = NULL;
	struct stat st;

	if (asprintf(&delta, "%s/delta#XXXXXX", dir) < 0 || !mkdtemp(delta) ||
	    asprintf(&other, "%s/work#%s", dir, delta + strlen(delta) - NAME_LENGTH) < 0 || mkdir(other, 0755) < 0)
		return (void)tool_error(t, "cannot make the layers of an overlay in %s: %s", dir, strerror(errno)), -1;
	/* Of the copy's root, as its directory is. */
	if (chmod(delta, 0755) < 0 || (stat(dir, &st) == 0 && geteuid() == 0 &&
	     (chown(delta, st.st_uid, st.st_uid) < 0 || chown(other, st.st_uid, st.st_uid) < 0)))
		return (void)tool_error(t, "cannot set the owner of %s: %s", delta, strerror(errno)), -1;
	*upper = take_ptr(delta);
	*work = take_ptr(other);
	return 0;
}

static char *container_dir(struct lxc_container *c)
{
	return path_join(c->get_config_path(c), c->name);
}

static int apply_one(struct tool *t, const struct one *m, struct lxc_container *c)
{
	auto_free char *dir = container_dir(c), *upper = NULL, *work = NULL;
	auto_buf struct buf b = BUF_INIT(VALUE_MAX);
	struct stat st;

	if (!dir)
		return tool_usage(t, "out of memory");
	if (stat(m->source, &st) < 0)
		return (void)tool_error(t, "cannot stat %s: %s", m->source, strerror(errno)), -1;
	if (m->overlay && !S_ISDIR(st.st_mode))
		return (void)tool_error(t, "%s is not a directory", m->source), -1;
	add_path(&b, m->source, false);
	add_target(&b, m->target);
	if (m->overlay) {
		if (make_layers(t, dir, &upper, &work) < 0)
			return -1;
		buf_adds(&b, "overlay lowerdir=");
		add_path(&b, m->source, true);
		buf_adds(&b, ",upperdir=");
		add_path(&b, upper, true);
		buf_adds(&b, ",workdir=");
		add_path(&b, work, true);
		buf_adds(&b, ",optional,create=dir 0 0");
	} else {
		buf_addf(&b, "none bind,optional,%s,create=%s 0 0", m->readonly ? "ro" : "rw",
			 S_ISDIR(st.st_mode) ? "dir" : "file");
	}
	if (!buf_ok(&b))
		return (void)tool_error(t, "the path %s is too long", m->source), -1;
	if (!c->set_config_item(c, "lxc.mount.entry", b.p))
		return (void)tool_failed(t, c, "cannot add a mount of %s", m->source), -1;
	return 0;
}

int copy_mounts_apply(struct tool *t, const struct strv *mounts, struct lxc_container *c)
{
	for (size_t i = 0; i < mounts->n; i++) {
		auto_one struct one m = { 0 };

		if (parse(t, mounts->v[i], &m) < 0 || apply_one(t, &m, c) < 0)
			return -1;
	}
	return 0;
}

/* Shell quotes around a path. */
static void add_quoted(struct buf *b, const char *s)
{
	buf_addc(b, '\'');
	for (; *s; s++)
		if (*s == '\'')
			buf_adds(b, "'\\''");
		else
			buf_addc(b, *s);
	buf_addc(b, '\'');
}

/* Runs in the mount namespace of the container, before the overlay is mounted: nobody else sees it. */
static int write_hook(struct tool *t, const char *dir, const char *path)
{
	auto_buf struct buf b = BUF_INIT(VALUE_MAX);
	auto_close int fd = -EBADF;

	buf_adds(&b, "#!/bin/sh\nset -e\nd=");
	add_quoted(&b, dir);
	buf_adds(&b, "\nmount -n -t tmpfs -o mode=0755 tmpfs \"$d/memory\"\n"
		     "cp -a \"$d/overlay/delta\" \"$d/memory/delta\" 2>/dev/null || [ -d \"$d/memory/delta\" ]\n"
		     "mkdir \"$d/memory/work\"\n"
		     "mount -n --bind \"$d/memory\" \"$d/overlay\"\n");
	if (!buf_ok(&b))
		return tool_usage(t, "out of memory");
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0755);
	if (fd < 0 || io_write_all(fd, b.p, b.len) < 0 || fchmod(fd, 0755) < 0)
		return (void)tool_error(t, "cannot write %s: %s", path, strerror(errno)), -1;
	return 0;
}

int copy_mounts_tmpfs(struct tool *t, struct lxc_container *c)
{
	auto_free char *dir = container_dir(c), *hook = NULL, *memory = NULL, *delta = NULL;

	if (!dir || asprintf(&hook, "%s/pre-mount-tmpfs", dir) < 0 || asprintf(&memory, "%s/memory", dir) < 0 ||
	    asprintf(&delta, "%s/overlay/delta", dir) < 0)
		return tool_usage(t, "out of memory");
	/* The host's root mounts the layers of a mapped container before any hook of it runs. */
	if (geteuid() == 0 && c->get_config_item(c, "lxc.idmap", NULL, 0) > 0)
		return (void)tool_error(t, "the changes of a container with an id map (lxc.idmap) that root starts cannot be kept "
					   "in memory (-t)"), -1;
	if (access(delta, F_OK) < 0)
		return (void)tool_error(t, "the copy is no overlay, whose changes alone can be kept in memory (-t)"), -1;
	if (mkdir(memory, 0755) < 0)
		return (void)tool_error(t, "cannot make %s: %s", memory, strerror(errno)), -1;
	if (write_hook(t, dir, hook) < 0)
		return -1;
	if (!c->set_config_item(c, "lxc.hook.pre-mount", hook))
		return (void)tool_failed(t, c, "cannot add the hook %s", hook), -1;
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "retarget.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "config/reader.h"
#include "config/rewrite.h"
#include "config/writer.h"
#include "kernel/openat.h"
#include "storage/storage.h"

#define TEXT_MAX ((size_t)16 << 20)
#define FILE_SIZE_MAX ((off_t)64 << 20)

/* What is done with a value that names something in the original's directory. */
enum treatment {
	TREAT_FILE,	/* the first word is a file, which comes along */
	TREAT_NAME,	/* it is made when it is needed */
	TREAT_OVERLAY,	/* an fstab line: the layers that overlay writes to */
};

static const struct {
	const char *key;
	enum treatment treatment;
} treated[] = {
	{ "lxc.hook.pre-start", TREAT_FILE },	{ "lxc.hook.pre-mount", TREAT_FILE },
	{ "lxc.hook.mount", TREAT_FILE },	{ "lxc.hook.autodev", TREAT_FILE },
	{ "lxc.hook.start-host", TREAT_FILE },	{ "lxc.hook.start", TREAT_FILE },
	{ "lxc.hook.stop", TREAT_FILE },	{ "lxc.hook.post-stop", TREAT_FILE },
	{ "lxc.hook.clone", TREAT_FILE },	{ "lxc.hook.destroy", TREAT_FILE },
	{ "lxc.mount.fstab", TREAT_FILE },	{ "lxc.mount", TREAT_FILE },
	{ "lxc.seccomp.profile", TREAT_FILE },	{ "lxc.seccomp", TREAT_FILE },
	{ "lxc.mount.entry", TREAT_OVERLAY },	{ "lxc.console.logfile", TREAT_NAME },
	{ "lxc.log.file", TREAT_NAME },		{ "lxc.logfile", TREAT_NAME },
};

static int copy_data(int from, int to, off_t size)
{
	for (off_t done = 0; done < size;) {
		ssize_t n = sendfile(to, from, NULL, (size_t)(size - done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		done += n;
	}
	return 0;
}

static int make_parents(int dirfd, const char *rel, int *ret, struct err **e)
{
	auto_free char *up = strndup(rel, (size_t)(path_base(rel) - rel));
	int fd;

	if (!up)
		return err_no_memory(e);
	fd = *up ? mkdir_in_root(dirfd, up, 0755) : openat(dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, *up ? -fd : errno, NULL, "cannot make the directory of %s", rel);
	*ret = fd;
	return 0;
}

/* A regular file rel of the one directory, to the same place in the other. One that is there already, as
 * part of the root say, is right as it is. */
static int copy_file(const struct retarget *t, const char *rel, struct err **e)
{
	auto_close int from = open_no_symlinks(t->from, rel, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	auto_close int dir = -EBADF, to = -EBADF;
	struct stat st;
	int r;

	/* A hook that is missing fails when it is needed, as it did in the original. */
	if (from < 0 || fstat(from, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	if (st.st_size > FILE_SIZE_MAX)
		return err_set(e, EFBIG, NULL, "%s/%s is too large to belong to a configuration", t->from_dir, rel);
	r = make_parents(t->to, rel, &dir, e);
	if (r < 0)
		return r;
	to = openat(dir, path_base(rel), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return errno == EEXIST ? 0 : err_set(e, errno, NULL, "cannot make %s/%s", t->to_dir, rel);
	r = copy_data(from, to, st.st_size);
	if (r == 0 && (st.st_uid != geteuid() || st.st_gid != getegid()) && fchown(to, st.st_uid, st.st_gid) < 0)
		r = -errno;
	if (r == 0 && fchmod(to, st.st_mode & 07777) < 0)
		r = -errno;
	return r < 0 ? err_set(e, -r, NULL, "cannot copy %s/%s", t->from_dir, rel) : 0;
}

/* What follows the original's directory in a path that begins with it; NULL if it does not. */
static const char *below(const struct retarget *t, const char *path)
{
	const char *rest = str_after(path, t->from_dir);

	if (!rest || *rest != '/')
		return NULL;
	while (*rest == '/')
		rest++;
	return *rest ? rest : NULL;
}

static int treat_file(const struct retarget *t, const char *value, char **ret, struct err **e)
{
	const char *rest = below(t, value);
	auto_free char *rel = rest ? strndup(rest, strcspn(rest, " \t")) : NULL;
	int r;

	if (!rest)
		return 0;
	if (!rel)
		return err_no_memory(e);
	r = path_has_dotdot(rel) ? 0 : copy_file(t, rel, e);
	if (r < 0)
		return r;
	return asprintf(ret, "%s/%s", t->to_dir, rest) < 0 ? err_no_memory(e) : 0;
}

static int treat_name(const struct retarget *t, const char *value, char **ret, struct err **e)
{
	const char *rest = below(t, value);

	if (!rest)
		return 0;
	return asprintf(ret, "%s/%s", t->to_dir, rest) < 0 ? err_no_memory(e) : 0;
}

static int copy_layer(const struct retarget *t, const char *rel, bool with_content, struct err **e)
{
	auto_close int from = open_no_symlinks(t->from, rel, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	auto_close int path = -EBADF, to = -EBADF;

	if (from < 0)
		return 0;
	path = mkdir_in_root(t->to, rel, 0755);
	to = path < 0 ? path : openat(path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to < 0)
		return err_set(e, path < 0 ? -path : errno, NULL, "cannot make %s/%s", t->to_dir, rel);
	return with_content ? storage_copytree(from, to, NULL, e) : 0;
}

/* The options upperdir= and workdir= of an overlay; everything else of the line may as well be shared. */
static int treat_overlay(const struct retarget *t, const char *value, char **ret, struct err **e)
{
	static const char *const options[] = { "upperdir=", "workdir=" };
	auto_buf struct buf b = BUF_INIT(TEXT_MAX);
	bool any = false;

	for (const char *p = value; *p;) {
		const char *rest = NULL;
		size_t i;

		for (i = 0; i < ARRAY_SIZE(options); i++)
			if ((p == value || strchr(", \t", p[-1])) && (rest = str_after(p, options[i])) != NULL)
				break;
		rest = rest ? below(t, rest) : NULL;
		if (rest) {
			auto_free char *rel = strndup(rest, strcspn(rest, ", \t"));
			int r = !rel ? err_no_memory(e) : path_has_dotdot(rel) ? 0 : copy_layer(t, rel, i == 0, e);

			if (r < 0)
				return r;
			buf_addf(&b, "%s%s/%s", options[i], t->to_dir, rel);
			p = rest + strlen(rel);
			any = true;
		} else {
			buf_addc(&b, *p++);
		}
	}
	if (!any)
		return 0;
	*ret = buf_take(&b);
	return *ret ? 0 : err_no_memory(e);
}

static int treat(const char *key, const char *value, char **ret, void *arg, struct err **e)
{
	const struct retarget *t = arg;

	for (size_t i = 0; i < ARRAY_SIZE(treated); i++) {
		if (!STREQ(key, treated[i].key))
			continue;
		switch (treated[i].treatment) {
		case TREAT_FILE:
			return treat_file(t, value, ret, e);
		case TREAT_NAME:
			return treat_name(t, value, ret, e);
		case TREAT_OVERLAY:
			return treat_overlay(t, value, ret, e);
		}
	}
	return 0;
}

int retarget_copy(struct conf *conf, const struct retarget *t, struct err **e)
{
	struct retarget copy = *t;
	int r = conf_rewrite(conf, treat, &copy, e);

	return r < 0 ? err_wrap(e, r, "copying what the configuration names in %s", t->from_dir) : 0;
}

struct move {
	const char *from, *to;
};

static int move_value(const char *key, const char *value, char **ret, void *arg, struct err **e)
{
	const struct move *m = arg;

	(void)key;
	return path_retarget(value, m->from, m->to, ret, e);
}

int retarget_move(struct conf *conf, const char *from_dir, const char *to_dir, struct err **e)
{
	struct move m = { from_dir, to_dir };

	return conf_rewrite(conf, move_value, &m, e);
}

int retarget_reread(struct call *k, const struct conf *conf, struct conf **ret)
{
	auto_buf struct buf b = BUF_INIT(TEXT_MAX);
	auto_conf struct conf *fresh = conf_new();
	int r;

	if (!fresh || conf_text(conf, &b) < 0 || str_set(&fresh->name, k->name) < 0 ||
	    str_set(&fresh->lxcpath, k->lxcpath) < 0)
		return err_no_memory(&k->e);
	r = conf_parse(fresh, buf_str(&b), b.len, k->configfile, NULL, &k->e);
	if (r < 0)
		return r;
	*ret = take_ptr(fresh);
	return 0;
}

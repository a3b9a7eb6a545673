/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "config/reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "config/key.h"
#include "config/type.h"
#include "config/writer.h"

#undef LOG_CATEGORY
#define LOG_CATEGORY "conf"

#define FILE_MAX   ((size_t)1 << 20)
#define DEPTH_MAX  16U
#define FILES_MAX  256U
#define FAULTS_MAX 20U

/* A file that is being read, for loops: the stack of includes. */
struct frame {
	const char *file; /* interned */
	dev_t dev;
	ino_t ino;
};

struct reader {
	struct frame stack[DEPTH_MAX + 1];
	unsigned depth, files;
	struct err *first; /* the first fault, with the others in its "more" */
	unsigned faults;
};

/* Files a fault; takes fault. Every one is counted, FAULTS_MAX are shown. */
static void collect(struct reader *r, struct err *fault)
{
	const struct err *root = err_root(fault);
	const char *hint = root && strcmp(root->hint, err_remedy(r->first)) != 0 ? root->hint : "";

	r->faults++;
	if (!r->first) {
		r->first = fault;
		return;
	}
	if (root && r->faults <= FAULTS_MAX)
		(void)err_more(&r->first, 0, "%s%s%s%s%s", root->where, *root->where ? ": " : "", root->what,
			       *hint ? "; " : "", hint);
	err_free(fault);
}

/* Turns what was collected into the caller's error. */
static int finish(struct reader *r, struct err **e)
{
	int ret;

	if (!r->first)
		return 0;
	if (r->faults > FAULTS_MAX)
		(void)err_more(&r->first, 0, "%u more faults", r->faults - FAULTS_MAX);
	ret = err_root(r->first)->num ? -err_root(r->first)->num : -EIO;
	if (e) {
		err_free(*e);
		*e = r->first;
	} else {
		err_free(r->first);
	}
	r->first = NULL;
	return ret;
}

/* One pair of equal quotes around the whole value. */
static char *unquote(char *v)
{
	size_t n = strlen(v);

	if (n > 1 && (*v == '\'' || *v == '"') && v[n - 1] == *v) {
		v[n - 1] = '\0';
		v++;
	}
	return v;
}

/* Splits at the first '='; both parts trimmed, the value unquoted. NULL without '='. */
static char *split_line(char *line, char **ret_value)
{
	char *eq = strchr(line, '=');

	if (!eq)
		return NULL;
	*eq = '\0';
	*ret_value = unquote(str_trim(eq + 1));
	return str_trim(line);
}

/* A line that is no comment and no key, but looks as if somebody thought it was. */
static void warn_ignored(struct log *l, struct origin at, const char *line)
{
	size_t n = strcspn(line, " \t=");

	if (strchr(line, '=') || strncasecmp(line, "lxc.", 4) == 0 || strncmp(line, "lcx.", 4) == 0)
		log_warn(l, "%s:%u: '%.*s' does not begin with lxc. and is ignored", at.file, at.line,
			 (int)(n < 100 ? n : 100), line);
}

/* One line without its end. A hardware address template is filled in the line itself, so that the
 * text that will be saved has the address too. */
static void read_line(struct reader *r, struct conf *c, char *line, struct origin at, bool top, struct log *l)
{
	auto_free char *copy = strdup(line);
	struct err *fault = NULL;
	char *key, *value;
	int ret = 0;

	if (!copy) {
		(void)err_no_memory(&fault);
		return collect(r, fault);
	}
	key = str_trim(copy);
	if (!*key || *key == '#' || !str_after(key, "lxc.")) {
		if (*key && *key != '#')
			warn_ignored(l, at, key);
	} else {
		char *whole = key;

		key = split_line(whole, &value);
		if (!key) {
			ret = err_config_syntax(&fault, whole);
		} else {
			if (top && hwaddr_is_key(key)) {
				hwaddr_fill(value);
				memcpy(line + (value - copy), value, strlen(value));
			}
			ret = key_assign(r, c, key, value, at, l, &fault);
		}
	}
	if (ret < 0) {
		(void)err_at(&fault, ret, at);
		collect(r, fault);
	}
}

/* Lines end at LF, CR or CRLF. Empty lines are dropped from the text, blank ones are kept empty. */
static int read_text(struct reader *r, struct conf *c, const char *text, size_t len, const char *file,
		     bool top, struct log *l, struct err **e)
{
	struct origin at = { .file = file, .line = 0 };
	size_t pos = 0;

	while (pos < len) {
		size_t n = 0;
		auto_free char *line = NULL;

		while (pos + n < len && text[pos + n] != '\n' && text[pos + n] != '\r')
			n++;
		at.line++;
		line = strndup(text + pos, n);
		if (!line)
			return err_no_memory(e);
		if (strlen(line) < n) {
			struct err *fault = NULL;

			(void)err_config_binary(&fault);
			(void)err_at(&fault, 0, at);
			collect(r, fault);
		} else {
			read_line(r, c, line, at, top, l);
		}
		if (top && n && strv_add(&c->text, line[strspn(line, " \t")] ? line : "") < 0)
			return err_no_memory(e);
		pos += n;
		if (pos < len)
			pos += text[pos] == '\r' && pos + 1 < len && text[pos + 1] == '\n' ? 2 : 1;
	}
	return 0;
}

/* "A -> B -> A" for the error. */
static int loop_found(struct reader *r, unsigned from, const char *path, struct err **e)
{
	auto_buf struct buf chain = BUF_INIT(65536);

	for (unsigned i = from; i < r->depth; i++)
		buf_addf(&chain, "%s -> ", r->stack[i].file);
	buf_adds(&chain, path);
	return err_include_loop(e, path, buf_str(&chain));
}

int reader_unreadable(int num, const char *path, const struct err *why, struct err **e)
{
	auto_free char *dir = strndup(path, (size_t)(path_base(path) - path)), *closed = NULL;
	const char *text = strerrordesc_np(num);
	struct stat st;

	if (dir && num == EACCES)
		closed = io_obstacle(dir);
	if (closed && stat(closed, &st) == 0)
		return err_config_unreachable(e, path, closed, st.st_uid == geteuid() ? "chmod u+x" : "as its owner: chmod o+x");
	if (why && *err_root(why)->id)
		text = err_root(why)->what;
	return err_config_unreadable(e, num, path, text ? text : "unknown error");
}

/* Opens, checks and reads one file; faults inside are collected, its own are in *e. */
static int read_file(struct reader *r, struct conf *c, const char *path, bool top, struct log *l,
		     struct err **e)
{
	auto_err struct err *why = NULL;
	auto_close int fd = -EBADF;
	auto_free char *text = NULL;
	struct frame *f = &r->stack[r->depth];
	struct stat st;
	size_t len = 0;
	int ret;

	if (r->depth > DEPTH_MAX - 1)
		return err_include_depth(e, path, DEPTH_MAX);
	if (++r->files > FILES_MAX)
		return err_include_count(e, path, r->files);
	fd = io_open_regular(AT_FDCWD, path, 0, &why);
	if (fd < 0)
		return reader_unreadable(-fd, path, why, e);
	if (fstat(fd, &st) < 0)
		return reader_unreadable(errno, path, NULL, e);
	for (unsigned i = 0; i < r->depth; i++)
		if (r->stack[i].dev == st.st_dev && r->stack[i].ino == st.st_ino)
			return loop_found(r, i, path, e);
	if (top) {
		c->file_uid = st.st_uid;
		c->file_open = st.st_mode & S_IWOTH;
	}
	ret = io_read_fd(fd, FILE_MAX, &text, &len);
	if (ret == -EFBIG)
		return err_config_too_large(e, path, (unsigned)(FILE_MAX >> 10));
	if (ret < 0)
		return reader_unreadable(-ret, path, NULL, e);
	*f = (struct frame){ .file = conf_intern(c, path), .dev = st.st_dev, .ino = st.st_ino };
	if (!f->file)
		return err_no_memory(e);
	r->depth++;
	ret = read_text(r, c, text, len, f->file, top, l, e);
	r->depth--;
	return ret;
}

/* Every NAME.conf of a directory, sorted. */
static int read_dir(struct reader *r, struct conf *c, const char *path, struct log *l, struct err **e)
{
	auto_closedir DIR *d = opendir(path);
	auto_strv struct strv names = { 0 };
	int ret = 0;

	if (!d)
		return errno == ENOENT ? 0 : reader_unreadable(errno, path, NULL, e);
	for (const struct dirent *de = readdir(d); de; de = readdir(d))
		if (strlen(de->d_name) > strlen(".conf") && str_ends(de->d_name, ".conf") &&
		    strv_add(&names, de->d_name) < 0)
			return err_no_memory(e);
	strv_sort(&names);
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *file = path_join(path, names.v[i]);
		struct err *fault = NULL;
		struct stat st;

		if (!file)
			return err_no_memory(e);
		if (stat(file, &st) == 0 && S_ISDIR(st.st_mode))
			continue;
		ret = read_file(r, c, file, false, l, &fault);
		if (ret < 0)
			collect(r, fault);
	}
	return 0;
}

/* A relative path is looked for beside the file that includes it, then in the working directory. */
static char *include_path(const char *path, struct origin at)
{
	const char *slash = at.file ? strrchr(at.file, '/') : NULL;
	auto_free char *dir = NULL, *beside = NULL;

	if (*path == '/' || !slash)
		return strdup(path);
	dir = strndup(at.file, (size_t)(slash - at.file));
	beside = dir ? path_join(*dir ? dir : "/", path) : NULL;
	if (beside && access(beside, F_OK) == 0)
		return take_ptr(beside);
	return strdup(path);
}

static int include(struct reader *r, struct conf *c, const char *path, struct log *l, struct err **e)
{
	struct stat st;

	if (str_ends(path, "/") || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
		return read_dir(r, c, path, l, e);
	if (stat(path, &st) < 0 && errno == ENOENT)
		return err_include_missing(e, path);
	return read_file(r, c, path, false, l, e);
}

int reader_include(struct reader *r, struct conf *c, const char *path, struct origin at, struct log *l,
		   struct err **e)
{
	struct reader own = { 0 };
	auto_free char *found = include_path(path, at);
	bool clean;
	int ret;

	if (!found)
		return err_no_memory(e);
	if (!r) {
		ret = include(&own, c, found, l, e);
		return own.first ? finish(&own, e) : ret;
	}
	clean = !r->first;
	ret = include(r, c, found, l, e);
	if (clean && r->first)
		(void)err_wrap_at(&r->first, 0, at, "including %s", found);
	return ret;
}

int conf_load(struct conf *c, const char *path, struct log *l, struct err **e)
{
	struct reader r = { 0 };
	struct err *fault = NULL;

	if (read_file(&r, c, path, true, l, &fault) < 0)
		collect(&r, fault);
	return finish(&r, e);
}

int conf_parse(struct conf *c, const char *text, size_t len, const char *name, struct log *l, struct err **e)
{
	struct reader r = { .depth = 1 };
	struct err *fault = NULL;

	r.stack[0].file = conf_intern(c, name);
	if (!r.stack[0].file)
		return err_no_memory(e);
	if (len > FILE_MAX)
		return err_config_too_large(e, name, (unsigned)(FILE_MAX >> 10));
	if (read_text(&r, c, text, len, r.stack[0].file, true, l, &fault) < 0)
		collect(&r, fault);
	return finish(&r, e);
}

int conf_define(struct conf *c, const char *definition, struct log *l, struct err **e)
{
	auto_free char *copy = strdup(definition);
	char *key, *value;

	if (!copy)
		return err_no_memory(e);
	key = split_line(copy, &value);
	if (!key)
		return err_config_syntax(e, definition);
	if (!str_after(key, "lxc."))
		return err_unknown_key(e, key, "", "write a key that begins with lxc.");
	return conf_set_item(c, key, value, l, e);
}

/* lxc.include as a value type: it acts, nothing is stored. */
static int set_include(const struct key_ctx *x, struct err **e)
{
	return reader_include(x->reader, x->c, x->value, x->at, x->l, e);
}

static int clear_include(const struct key_ctx *x, struct err **e)
{
	return 0;
}

static int get_include(const struct key_ctx *x, struct buf *b, struct err **e)
{
	return err_key_not_readable(e, x->key);
}

const struct key_type type_include = {
	.set = set_include,
	.clear = clear_include,
	.get = get_include,
};

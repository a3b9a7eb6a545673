/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#define LOG_CATEGORY "apparmor"
#include "security/apparmor_own.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/num.h"
#include "base/path.h"
#include "base/paths.h"
#include "base/str.h"
#include "kernel/spawn.h"
#include "security/apparmor_profile.h"

#define PARSER "apparmor_parser"
#define PARSER_CACHE PATH_CACHE "/apparmor"
#define PARSER_TIMEOUT_MS 60000
#define REMOVE "/sys/kernel/security/apparmor/.remove"
#define NAMESPACES "/sys/kernel/security/apparmor/policy/namespaces/"
#define PROFILE_TIME 946684800	/* long before any cache */
#define NAME_MAX_LEN 246	/* what leaves room for the parts of a stacked label */

struct apparmor_own {
	char *name, *ns, *label, *text;
	char *container;	/* LXCPATH/NAME; where there is none, a directory in our cache while it is loaded */
	bool is_cache;
	char *file;		/* name of the file in its apparmor/: one for each text */
	const char *search;	/* borrowed; of struct apparmor_host */
};

/* Version of the parser as MAJOR * 1000000 + MINOR * 1000 + MICRO; 0 unknown. */
static unsigned parser_version(const char *search)
{
	static const char mark[] = "version ";
	auto_buf struct buf out = BUF_INIT(4096);
	char *argv[] = { (char *)PARSER, (char *)"--version", NULL };
	struct spawn s = SPAWN_INIT;
	const char *p;
	unsigned v = 0;

	s.path = PARSER;
	s.search = search;
	s.argv = argv;
	s.output = &out;
	s.timeout_ms = PARSER_TIMEOUT_MS;
	if (spawn_check(&s, NULL) < 0)
		return 0;
	p = strstr(buf_str(&out), mark);
	p = p ? p + strlen(mark) : "";
	for (unsigned part = 0; part < 3; part++) {
		unsigned n = 0;

		for (; isdigit((unsigned char)*p) && n < 100; p++)
			n = n * 10 + (unsigned)(*p - '0');
		v = v * 1000 + n;
		p += *p == '.';
	}
	return v;
}

/* Profile names are quoted in the text; what means something there, or is a glob, is not taken. */
static bool is_plain(const char *s)
{
	return strlen(s) <= NAME_MAX_LEN && !strpbrk(s, "\"\\*?[]{}^@$,") && !str_has_control(s, false);
}

char *apparmor_own_name(const char *name, const char *lxcpath)
{
	auto_free char *full = NULL;
	char *hashed = NULL;

	if (asprintf(&full, "lxc-%s_<%s>", name, lxcpath) < 0)
		return NULL;
	if (is_plain(full))
		return take_ptr(full);
	return asprintf(&hashed, "lxc-%016" PRIx64, hash_fnv1a(full, strlen(full), HASH_FNV1A_INIT)) < 0 ? NULL :
													   hashed;
}

/* A copy that is one path component. */
static char *without_slashes(const char *s)
{
	char *copy = strdup(s);

	for (char *p = copy; p && *p; p++)
		if (*p == '/')
			*p = '-';
	return copy;
}

static int plan_names(const struct conf *c, const struct apparmor_host *h, struct apparmor_own *o)
{
	o->name = apparmor_own_name(c->name, c->lxcpath);
	if (!o->name)
		return -ENOMEM;
	o->container = path_join(c->lxcpath, c->name);
	/* One that is only a configuration, of lxc-execute -f. */
	if (o->container && access(o->container, F_OK) < 0) {
		auto_free char *base = without_slashes(o->name);

		free(o->container);
		o->container = base ? path_join(PATH_CACHE, base) : NULL;
		o->is_cache = true;
	}
	/* The guest gets a policy of its own where the kernel can stack it below ours. */
	if (h->stacking && !h->stacked)
		o->ns = without_slashes(o->name);
	if (asprintf(&o->label, o->ns ? "%s//&:%s:" : "%s", o->name, o->ns) < 0)
		o->label = NULL;
	return o->container && o->label && (o->ns || !h->stacking || h->stacked) ? 0 : -ENOMEM;
}

static int name_file(struct apparmor_own *o)
{
	auto_free char *base = without_slashes(o->name);

	if (!base || asprintf(&o->file, "%s-%016" PRIx64, base, hash_fnv1a(o->text, strlen(o->text), HASH_FNV1A_INIT)) < 0)
		o->file = NULL;
	return o->file ? 0 : -ENOMEM;
}

int apparmor_own_plan(const struct conf *c, int root, const struct apparmor_host *h, struct log *l,
		      struct apparmor_own **ret, struct err **e)
{
	unsigned version = parser_version(h->search);
	struct apparmor_own *o = calloc(1, sizeof(*o));

	if (!o || plan_names(c, h, o) < 0) {
		apparmor_own_free(o);
		return err_no_memory(e);
	}
	const struct apparmor_profile p = {
		.name = o->name,
		.ns = o->ns,
		.mapped = conf_is_mapped(c) || h->in_userns,
		.nesting = c->apparmor_allow_nesting.v,
		.unix_rules = version >= 2010095,
		.new_rules = version >= 4000000,
		.userns_rules = version >= 4000000 && h->userns_mediation,
		.io_uring_rules = version >= 4000000 && h->io_uring_mediation,
		.raw = &c->apparmor_raw,
	};

	o->text = apparmor_profile_text(&p);
	if (!o->text || name_file(o) < 0) {
		apparmor_own_free(o);
		return err_no_memory(e);
	}
	log_debug(l, "the generated AppArmor profile is %s (parser %u)", o->label, version);
	o->search = h->search;
	*ret = o;
	return 0;
}

const char *apparmor_own_label(const struct apparmor_own *o)
{
	return o->label;
}

void apparmor_own_free(struct apparmor_own *o)
{
	if (!o)
		return;
	free(o->name);
	free(o->ns);
	free(o->label);
	free(o->text);
	free(o->container);
	free(o->file);
	free(o);
}

/* An fd of its apparmor/, made if missing. */
static int open_dir(const struct apparmor_own *o, struct err **e)
{
	auto_close int container = -EBADF;
	int fd;

	(void)mkdir(PATH_CACHE, 0755);
	if (o->is_cache)
		(void)mkdir(o->container, 0700);
	container = open(o->container, O_PATH | O_DIRECTORY | O_CLOEXEC | (o->is_cache ? O_NOFOLLOW : 0));
	if (container < 0)
		return err_set(e, errno, NULL, "cannot open %s", o->container);
	if (mkdirat(container, "apparmor", 0755) < 0 && errno != EEXIST)
		return err_set(e, errno, NULL, "cannot create %s/apparmor", o->container);
	fd = openat(container, "apparmor", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_set(e, errno, NULL, "cannot open %s/apparmor", o->container) : fd;
}

/* The parser's cache goes by the names and times of files: the same text is always as old. Compiling one
 * takes longer than all the rest of a start. */
static int write_profile(const struct apparmor_own *o, int dir, struct err **e)
{
	const struct timespec times[2] = { { .tv_sec = PROFILE_TIME }, { .tv_sec = PROFILE_TIME } };
	int r = io_replace(dir, o->file, o->text, strlen(o->text), 0600, e);

	if (r == 0)
		(void)utimensat(dir, o->file, times, AT_SYMLINK_NOFOLLOW);
	return r;
}

static int run_parser(const struct apparmor_own *o, const char *flags, struct err **e)
{
	auto_buf struct buf out = BUF_INIT(65536);
	auto_free char *file = NULL;
	struct spawn s = SPAWN_INIT;

	if (asprintf(&file, "%s/apparmor/%s", o->container, o->file) < 0)
		return err_no_memory(e);
	char *argv[] = { (char *)PARSER, (char *)flags, (char *)PARSER_CACHE, file, NULL };

	s.path = PARSER;
	s.search = o->search;
	s.argv = argv;
	s.output = &out;
	s.timeout_ms = PARSER_TIMEOUT_MS;
	return spawn_check(&s, e);
}

int apparmor_own_load(struct apparmor_own *o, struct err **e)
{
	auto_free char *ns = NULL;
	auto_close int dir = open_dir(o, e);
	int r;

	if (dir < 0)
		return dir;
	r = write_profile(o, dir, e);
	if (r < 0)
		return err_wrap(e, r, "writing AppArmor profile %s", o->name);
	(void)mkdir(PARSER_CACHE, 0755);
	r = run_parser(o, "-rWL", e);
	if (r < 0)
		return err_wrap(e, r, "loading AppArmor profile %s", o->name);
	if (!o->ns)
		return 0;
	if (asprintf(&ns, NAMESPACES "%s", o->ns) < 0)
		return err_no_memory(e);
	if (mkdir(ns, 0755) < 0 && errno != EEXIST)
		return err_set(e, errno, NULL, "cannot create AppArmor namespace %s", o->ns);
	return 0;
}

/* All of them: the configuration may be another by now. */
static void remove_files(const char *path)
{
	auto_closedir DIR *d = io_opendir(AT_FDCWD, path);
	struct dirent *at;

	if (!d)
		return;
	while ((at = readdir(d)) != NULL)
		if (strncmp(at->d_name, "lxc-", 4) == 0)
			(void)unlinkat(dirfd(d), at->d_name, 0);
}

void apparmor_own_unload(struct apparmor_own *o)
{
	auto_free char *ns = NULL, *dir = NULL;

	if (o->ns && asprintf(&ns, NAMESPACES "%s", o->ns) >= 0)
		(void)rmdir(ns);
	(void)io_write_value(AT_FDCWD, REMOVE, o->name);
	if (asprintf(&dir, "%s/apparmor", o->container) < 0)
		return;
	remove_files(dir);
	(void)rmdir(dir);
	if (o->is_cache)
		(void)rmdir(o->container);
}

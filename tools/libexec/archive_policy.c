/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* archive_policy - the configuration in an archive may have been written by anybody. What is listed here
 * stays inside the container; every other line is shown and refused, unless its author is trusted. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "base/cleanup.h"
#include "base/num.h"
#include "base/path.h"
#include "base/paths.h"
#include "base/str.h"
#include "base/strv.h"

#define SHOWN_MAX 120
#define COMMON "common.conf"
#define USERNS "userns.conf"
#define HOST_IDS_MAX 65535	/* below that are the host's own users */
#define KEY_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static const struct {
	const char *key;	/* fnmatch(3) */
	const char *words;	/* each word of the value is one of these patterns; NULL: any value */
} allowed[] = {
	{ "lxc.arch", NULL },
	{ "lxc.uts.name", NULL },
	/* Shipped with us; that for nesting takes confinement away, and is not among them. */
	{ "lxc.include", PATH_TEMPLATE_CONFIG "/*.conf" },
	{ "lxc.net.[0-9]*.type", "veth empty user" },
	{ "lxc.net.[0-9]*.link", "[a-zA-Z0-9]*" },
	{ "lxc.net.[0-9]*.flags", "up" },
	{ "lxc.net.[0-9]*.hwaddr", NULL },
	{ "lxc.net.[0-9]*.name", NULL },
	{ "lxc.net.[0-9]*.mtu", NULL },
	{ "lxc.net.[0-9]*.ipv4.address", NULL },
	{ "lxc.net.[0-9]*.ipv4.gateway", NULL },
	{ "lxc.net.[0-9]*.ipv6.address", NULL },
	{ "lxc.net.[0-9]*.ipv6.gateway", NULL },
	{ "lxc.cap.drop", "[a-z]*" },
	{ "lxc.apparmor.profile", "generated lxc-container-default lxc-container-default-cgns" },
	{ "lxc.apparmor.allow_incomplete", "0" },
	{ "lxc.apparmor.allow_nesting", "0" },
	{ "lxc.seccomp.profile", PATH_TEMPLATE_CONFIG "/*.seccomp" },
	{ "lxc.no_new_privs", NULL },
	{ "lxc.cgroup2.memory.*", NULL },
	{ "lxc.cgroup2.cpu.*", NULL },
	{ "lxc.cgroup2.cpuset.*", NULL },
	{ "lxc.cgroup2.io.*", NULL },
	{ "lxc.cgroup2.pids.*", NULL },
	{ "lxc.cgroup.memory.*", NULL },
	{ "lxc.cgroup.cpu.*", NULL },
	{ "lxc.cgroup.cpuset.*", NULL },
	{ "lxc.cgroup.blkio.*", NULL },
	{ "lxc.cgroup.pids.*", NULL },
	{ "lxc.mount.auto", "proc proc:mixed sys sys:ro sys:mixed cgroup cgroup:ro cgroup:mixed" },
	{ "lxc.sysctl.net.*", NULL },
	{ "lxc.environment", NULL },
	{ "lxc.autodev", "1" },
	{ "lxc.tty.max", NULL },
	{ "lxc.pty.max", NULL },
	{ "lxc.tty.dir", NULL },
	{ "lxc.console.buffer.size", NULL },
	{ "lxc.init.cmd", NULL },
	{ "lxc.init.cwd", NULL },
	{ "lxc.init.uid", NULL },
	{ "lxc.init.gid", NULL },
	{ "lxc.execute.cmd", NULL },
	{ "lxc.signal.*", NULL },
	{ "lxc.start.*", NULL },
	{ "lxc.group", NULL },
	{ "lxc.ephemeral", NULL },
	{ "lxc.log.level", NULL },
};

/* Those of our own that are no part of the confinement of an ordinary container. */
static const char *const loosening[] = { "nesting.conf" };
/* What drops the rights that a container shall not have; one of these has to be included. */
static const char *const confining[] = { "common.conf", "debian.common.conf", "ubuntu.common.conf" };

static bool is_among(const char *base, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (STREQ(base, list[i]))
			return true;
	return false;
}

static bool word_fits(const char *word, const char *patterns)
{
	auto_strv struct strv list = { 0 };

	if (strv_split(&list, patterns, " ") < 0)
		return false;
	for (size_t i = 0; i < list.n; i++)
		if (fnmatch(list.v[i], word, FNM_PATHNAME) == 0)
			return true;
	return false;
}

static bool value_fits(const char *value, const char *patterns)
{
	auto_strv struct strv words = { 0 };

	if (!patterns)
		return true;
	if (strchr(value, '/'))
		return !path_has_dotdot(value) && word_fits(value, patterns) &&
		       !is_among(path_base(value), loosening, ARRAY_SIZE(loosening));
	if (strv_split(&words, value, " ") < 0 || !words.n)
		return false;
	for (size_t i = 0; i < words.n; i++)
		if (!word_fits(words.v[i], patterns))
			return false;
	return true;
}

/* What our templates write: parts of the host that anybody on it reads, and that are only read. */
static const char *const usual_mounts[] = {
	"/sys/kernel/security sys/kernel/security none ro,bind,optional 0 0",
	"/lib lib none ro,bind 0 0",
	"/lib64 lib64 none ro,bind 0 0",
	"/usr/lib usr/lib none ro,bind 0 0",
	"/usr/lib64 usr/lib64 none ro,bind 0 0",
};

/* "SOURCE TARGET TYPE OPTIONS 0 0": a file system that is the container's own, with nothing of the host's in it. */
static bool mount_fits(const char *value)
{
	auto_strv struct strv fields = { 0 }, options = { 0 };

	if (is_among(value, usual_mounts, ARRAY_SIZE(usual_mounts)))
		return true;
	if (strv_split(&fields, value, " ") < 0 || fields.n < 3 || strchr(value, '\t'))
		return false;
	if (!word_fits(fields.v[2], "tmpfs mqueue devpts") || path_has_dotdot(fields.v[1]))
		return false;
	if (fields.n > 3 && strv_split(&options, fields.v[3], ",") < 0)
		return false;
	for (size_t i = 0; i < options.n; i++)
		if (!word_fits(options.v[i], "defaults nosuid nodev noexec ro rw relatime noatime mode=* size=* nr_inodes=* "
					     "gid=* uid=* ptmxmode=* newinstance optional create=dir create=file"))
			return false;
	return true;
}

/* "u 0 100000 65536": none of the host's own users and programs is somebody in the container. */
static bool map_fits(const char *value)
{
	auto_strv struct strv words = { 0 };
	uint64_t first;

	return strv_split(&words, value, " \t") == 0 && words.n == 4 &&
	       num_u64(words.v[2], 10, UINT32_MAX, &first) == 0 && first > HOST_IDS_MAX;
}

bool policy_allows(const char *key, const char *value)
{
	/* Parts of some keys are names of files. */
	if (key[strspn(key, KEY_CHARACTERS)])
		return false;
	/* An empty value takes away what stands before it, in an included file too. */
	if (!*value)
		return false;
	if (STREQ(key, "lxc.mount.entry"))
		return mount_fits(value);
	if (STREQ(key, "lxc.idmap"))
		return map_fits(value);
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		if (fnmatch(allowed[i].key, key, 0) == 0)
			return value_fits(value, allowed[i].words);
	return false;
}

/* "here/x" for "@CONTAINER@/x", and the like. */
static int fill_in(const char *value, const char *mark, const char *with, char **ret)
{
	auto_buf struct buf b = BUF_INIT(ARCHIVE_SMALL_MAX);
	const char *at = value;

	for (const char *hit = strstr(at, mark); hit; hit = strstr(at, mark)) {
		buf_add(&b, at, (size_t)(hit - at));
		buf_adds(&b, with);
		at = hit + strlen(mark);
	}
	buf_adds(&b, at);
	if (!buf_ok(&b))
		return -ENOMEM;
	*ret = buf_take(&b);
	return *ret ? 0 : -ENOMEM;
}

static int complain(const char *what, unsigned number, const char *line, struct err **e)
{
	char shown[SHOWN_MAX + 1];

	(void)snprintf(shown, sizeof(shown), "%s", line);
	return err_archive_untrusted(e, what, number, shown);
}

/* A value as the reader takes it. */
static char *unquoted(const char *value)
{
	size_t n = strlen(value);

	if (n >= 2 && (*value == '"' || *value == '\'') && value[n - 1] == *value)
		return strndup(value + 1, n - 2);
	return strdup(value);
}

/* What a text says before it is taken apart. */
struct outline {
	bool mapped;		/* the container is going to have an id map */
	bool userns;		/* it includes what goes with one */
	bool confined;		/* it includes what drops the usual rights */
};

/* Key and value of a line, cut apart in place; false for one without. */
static bool take_apart(char *line, char **ret_key, char **ret_value)
{
	char *text = str_trim(line), *equals = strchr(text, '=');

	if (!*text || *text == '#' || !equals)
		return false;
	*equals = '\0';
	*ret_key = str_trim(text);
	*ret_value = str_trim(equals + 1);
	return true;
}

static int look(const struct policy *p, const char *text, struct outline *o)
{
	for (const char *at = text; *at;) {
		size_t n = strcspn(at, "\n");
		auto_free char *line = strndup(at, n);
		char *key, *value;

		if (!line)
			return -ENOMEM;
		at += n + (at[n] == '\n');
		if (!take_apart(line, &key, &value))
			continue;
		o->mapped |= STREQ(key, "lxc.idmap") || STREQ(key, "lxc.id_map");
		o->userns |= STREQ(key, "lxc.include") && str_ends(value, USERNS);
	}
	if (p->maps)
		o->mapped = *p->maps;
	return 0;
}

/* For ".../debian.common.conf" the ".../debian.userns.conf" beside it, if there is one: for who gets a map only here. */
static int add_userns(const char *file, struct buf *out)
{
	auto_free char *beside = NULL;
	size_t n = strlen(file);

	if (!str_ends(file, COMMON))
		return 0;
	if (asprintf(&beside, "%.*s" USERNS, (int)(n - strlen(COMMON)), file) < 0) {
		beside = NULL;
		return -ENOMEM;
	}
	if (access(beside, R_OK) == 0)
		buf_addf(out, "lxc.include = %s\n", beside);
	return 0;
}

/* Lines whose place the importing host fills. False: the line is as any other. */
static bool own_line(const struct policy *p, const char *key, struct buf *out)
{
	if (STREQ(key, "lxc.rootfs.path") || STREQ(key, "lxc.rootfs"))
		return true;
	if (STREQ(key, "lxc.uts.name") && p->name) {
		buf_addf(out, "lxc.uts.name = %s\n", p->name);
		return true;
	}
	if ((STREQ(key, "lxc.idmap") || STREQ(key, "lxc.id_map")) && p->maps)
		return true;
	if (p->new_macs && str_after(key, "lxc.net.") && str_ends(key, ".hwaddr")) {
		buf_addf(out, "%s = 10:66:6a:xx:xx:xx\n", key);
		return true;
	}
	return false;
}

static int apply_include(const struct policy *p, const char *file, const char *value, struct buf *out, struct outline *o)
{
	/* It gives back rights that only count for nothing where ids are mapped. */
	if (!o->mapped && str_ends(file, USERNS) && (!p->trust || p->maps))
		return 0;
	o->confined |= is_among(path_base(file), confining, ARRAY_SIZE(confining));
	buf_addf(out, "lxc.include = %s\n", value);
	return o->mapped && p->maps && !o->userns ? add_userns(file, out) : 0;
}

static int apply_line(const struct policy *p, char *line, const char *what, unsigned number, struct buf *out,
		      struct outline *o, struct err **e)
{
	auto_free char *shared = NULL, *value = NULL, *bare = NULL;
	char *equals, *key, *text = str_trim(line);

	if (!*text || *text == '#') {
		buf_addf(out, "%s\n", text);
		return 0;
	}
	equals = strchr(text, '=');
	if (!equals || str_has_control(text, true))
		return complain(what, number, text, e);
	key = strndup(text, (size_t)(equals - text));
	if (!key)
		return err_no_memory(e);
	auto_free char *own = key;

	key = str_trim(key);
	if (own_line(p, key, out))
		return 0;
	if (fill_in(str_trim(equals + 1), ARCHIVE_SHARED, PATH_TEMPLATE_CONFIG, &shared) < 0 ||
	    fill_in(shared, ARCHIVE_HERE, p->dir, &value) < 0)
		return err_no_memory(e);
	bare = unquoted(value);
	if (!bare)
		return err_no_memory(e);
	if (!p->trust && !policy_allows(key, bare))
		return complain(what, number, text, e);
	if (STREQ(key, "lxc.include"))
		return apply_include(p, bare, value, out, o) < 0 ? err_no_memory(e) : 0;
	buf_addf(out, "%s = %s\n", key, value);
	return 0;
}

int policy_apply(const struct policy *p, const char *text, const char *what, struct buf *out, struct err **e)
{
	struct outline o = { .confined = p->trust };
	unsigned number = 0;

	if (look(p, text, &o) < 0)
		return err_no_memory(e);

	for (const char *at = text; *at;) {
		size_t n = strcspn(at, "\n");
		auto_free char *line = strndup(at, n);
		int r = line ? apply_line(p, line, what, ++number, out, &o, e) : err_no_memory(e);

		if (r < 0)
			return r;
		at += n + (at[n] == '\n');
	}
	/* What is not said holds as well: that no right is dropped. */
	if (!o.confined)
		buf_adds(out, "lxc.include = " PATH_TEMPLATE_CONFIG "/common.conf\n");
	if (p->maps)
		buf_adds(out, p->maps);
	return buf_ok(out) ? 0 : err_no_memory(e);
}

/* ---- the beginning of an archive, for whoever makes the container */

static int print(const struct policy *p, const char *name, const char *config, struct err **e)
{
	auto_buf struct buf out = BUF_INIT(2 * ARCHIVE_SMALL_MAX);
	auto_free char *dir = path_join(p->dir, p->name ? p->name : name);
	struct policy own = *p;
	int r;

	if (!dir)
		return err_no_memory(e);
	own.dir = dir;
	r = policy_apply(&own, config, ARCHIVE_CONFIG, &out, e);
	if (r < 0)
		return r;
	printf("%s\n%s", name, buf_str(&out));
	return fflush(stdout) == 0 ? 0 : err_set(e, errno, NULL, "cannot hand on the configuration");
}

int head(const struct policy *p, struct err **e)
{
	auto_free char *name = NULL, *config = NULL;
	struct source *s = NULL;
	int r = source_open(STDIN_FILENO, &s, e);

	if (r == 0)
		r = source_begin(s, &name, &config, e);
	if (r == 0)
		r = print(p, name, config, e);
	source_free(s);
	return r;
}

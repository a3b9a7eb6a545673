/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/criu.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/num.h"
#include "base/str.h"
#include "kernel/spawn.h"

#define OUTPUT_MAX 65536
#define LOG_MAX (64U << 20)
#define TTY_INFO "tty.info"
#define INVENTORY "inventory.img"
#define CRIU_VERSION(major, minor) ((major) * 1000U + (minor))

/* A command "criu ...": its program is looked up once, in the caller's path. */
static int find_program(char **ret, struct err **e)
{
	const char *path = getenv("PATH");
	auto_strv struct strv dirs = { 0 };

	if (strv_split(&dirs, path && *path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ":") < 0)
		return err_no_memory(e);
	for (size_t i = 0; i < dirs.n; i++) {
		auto_free char *file = path_join(dirs.v[i], "criu");

		if (!file)
			return err_no_memory(e);
		if (path_is_absolute(file) && access(file, X_OK) == 0) {
			*ret = take_ptr(file);
			return 0;
		}
	}
	return err_criu_missing(e);
}

static int ask_version(const char *program, unsigned *ret, struct err **e)
{
	auto_buf struct buf out = BUF_INIT(OUTPUT_MAX);
	char *const argv[] = { (char *)(uintptr_t)program, (char *)(uintptr_t)"--version", NULL };
	struct spawn s = SPAWN_INIT;
	uint64_t first, second = 0;
	unsigned major, minor;
	const char *rest;
	const char *at;
	int status, r;

	s.path = program;
	s.argv = argv;
	s.output = &out;
	r = spawn_run(&s, &status, e);
	if (r < 0)
		return r;
	at = strstr(buf_str(&out), "Version: ");
	if (!at || num_prefix(at + strlen("Version: "), 10, 9999, &first, &rest) < 0)
		return err_set(e, EPROTO, NULL, "%s does not say which version it is", program);
	if (*rest == '.')
		(void)num_prefix(rest + 1, 10, 9999, &second, &rest);
	major = (unsigned)first;
	minor = (unsigned)second;
	*ret = CRIU_VERSION(major, minor);
	return *ret < CRIU_VERSION(2U, 0U) ? err_criu_too_old(e, major, minor) : 0;
}

/* The last line of text that has word in it (new); NULL if there is none. */
static char *last_line_with(const char *text, const char *word)
{
	const char *found = NULL;

	for (const char *p = text; (p = strstr(p, word)); p++)
		found = p;
	while (found && found > text && found[-1] != '\n')
		found--;
	return found ? strndup(found, strcspn(found, "\n")) : NULL;
}

int criu_failed(const char *action, const char *directory, const char *said, struct err **e)
{
	auto_free char *name = NULL, *log = NULL, *text = NULL, *line = NULL;
	auto_buf struct buf b = BUF_INIT(OUTPUT_MAX);

	if (asprintf(&name, "%s.log", action) < 0 || !(log = path_join(directory, name)))
		return err_no_memory(e);
	if (io_read_file(AT_FDCWD, log, LOG_MAX, &text, NULL, NULL) == 0)
		line = last_line_with(text, "Error");
	if (!line && said)
		line = last_line_with(said, "Error");
	if (!line) {
		buf_adds(&b, text && *text ? text : said ? said : "");
		line = spawn_last_line(&b);
	}
	return err_criu_failed(e, action, line && *line ? line : "it gave no reason", log);
}

int criu_run(const struct strv *argv, int inherit_fd, const char *action, const char *directory, struct err **e)
{
	auto_buf struct buf out = BUF_INIT(OUTPUT_MAX);
	struct spawn s = SPAWN_INIT;
	int status, r;

	s.path = argv->v[0];
	s.argv = argv->v;
	s.output = &out;
	s.keep = &inherit_fd;
	s.n_keep = inherit_fd >= 0;
	r = spawn_run(&s, &status, e);
	if (r < 0)
		return r;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : criu_failed(action, directory, buf_str(&out), e);
}

static int add(struct strv *v, const char *a, const char *b)
{
	int r = strv_add(v, a);

	return r == 0 && b ? strv_add(v, b) : r;
}

/* What every action is given. */
static int common(struct strv *v, const char *program, const char *action, const struct criu_options *o)
{
	static const char *const fixed[] = {
		"--tcp-established", "--file-locks", "--link-remap", "--manage-cgroups=full", "--ext-mount-map", "auto",
		"--enable-external-sharing", "--enable-external-masters", "--enable-fs", "hugetlbfs", "--enable-fs", "tracefs",
	};
	int r = add(v, program, action);

	for (size_t i = 0; i < ARRAY_SIZE(fixed) && r == 0; i++)
		r = strv_add(v, fixed[i]);
	if (r == 0)
		r = add(v, "-D", o->directory);
	if (r == 0)
		r = strv_add(v, "-o");
	if (r == 0)
		r = strv_addf(v, "%s/%s.log", o->directory, action);
	if (r == 0 && o->verbose)
		r = strv_add(v, "-v4");
	if (r == 0 && o->action_script)
		r = add(v, "--action-script", o->action_script);
	return r;
}

int criu_add_nics(struct strv *argv, const struct conf *c, struct err **e)
{
	for (size_t i = 0; i < c->nets.n; i++) {
		const struct conf_net *n = &c->nets.v[i];
		const char *inside = n->name.v ? n->name.v : "eth0";
		int r = 0;

		switch (n->type) {
		case NET_EMPTY:
		case NET_NONE:
			break;
		case NET_VETH:
			if (argv && n->veth_pair.v && n->link.v)
				r = add(argv, "--external", NULL) < 0 ? -ENOMEM :
				    strv_addf(argv, "veth[%s]:%s@%s", inside, n->veth_pair.v, n->link.v);
			else if (argv && n->veth_pair.v)
				r = add(argv, "--external", NULL) < 0 ? -ENOMEM :
				    strv_addf(argv, "veth[%s]:%s", inside, n->veth_pair.v);
			break;
		case NET_MACVLAN:
			if (argv && n->link.v)
				r = add(argv, "--external", NULL) < 0 ? -ENOMEM :
				    strv_addf(argv, "macvlan[%s]:%s", inside, n->link.v);
			break;
		case NET_PHYS:
			if (argv && n->link.v)
				r = add(argv, "--external", NULL) < 0 ? -ENOMEM :
				    strv_addf(argv, "netdev[%s]:%s", inside, n->link.v);
			break;
		default:
			return err_at(e, err_criu_network(e, n->index), n->at);
		}
		if (r < 0)
			return err_no_memory(e);
	}
	return 0;
}

/* --cgroup-root for every hierarchy that init is in, and the cgroup whose freezer criu uses. */
static int add_cgroups(struct strv *v, const struct target *t, pid_t init, unsigned version, struct err **e)
{
	auto_fclose FILE *f = NULL;
	auto_free char *line = NULL, *freezer = NULL;
	char file[64];
	size_t size = 0;
	int r = 0;

	(void)snprintf(file, sizeof(file), "/proc/%d/cgroup", init);
	f = fopen(file, "re");
	if (!f)
		return err_set(e, errno, NULL, "cannot read %s", file);
	while (r == 0 && getline(&line, &size, f) > 0) {
		auto_free char *path = NULL, *first = NULL;
		char *names = strchr(line, ':'), *end = names ? strchr(names + 1, ':') : NULL;

		if (!end)
			continue;
		*end = '\0';
		first = strndup(names + 1, strcspn(names + 1, ","));
		if (!first)
			return err_no_memory(e);
		if (client_cgroup_path(t, *first ? first : NULL, false, &path, NULL) < 0)
			continue;
		r = strv_add(v, "--cgroup-root");
		if (r == 0)
			r = *first ? strv_addf(v, "%s:%s%s", names + 1, path[0] == '/' ? "" : "/", path) :
				     strv_addf(v, "%s%s", path[0] == '/' ? "" : "/", path);
		if (STREQ(first, "freezer"))
			r = r < 0 || asprintf(&freezer, "/sys/fs/cgroup/freezer%s%s", path[0] == '/' ? "" : "/", path) < 0 ? -ENOMEM : 0;
		else if (!*first && !freezer && version >= CRIU_VERSION(3U, 15U) && access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0)
			r = r < 0 || asprintf(&freezer, "/sys/fs/cgroup%s%s", path[0] == '/' ? "" : "/", path) < 0 ? -ENOMEM : 0;
	}
	if (r == 0 && freezer)
		r = add(v, "--freeze-cgroup", freezer);
	return r < 0 ? err_no_memory(e) : 0;
}

/* The console's terminal is the host's: criu is told its name, and the checkpoint keeps it. */
static int add_tty(struct strv *v, pid_t init, const char *directory, struct err **e)
{
	auto_free char *text = NULL, *file = path_join(directory, TTY_INFO);
	auto_close int dir = -EBADF;
	char path[64];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d/root/dev/console", init);
	if (!file)
		return err_no_memory(e);
	if (stat(path, &st) < 0 || !S_ISCHR(st.st_mode))
		return 0;
	if (asprintf(&text, "tty[%" PRIx64 ":%" PRIx64 "]", (uint64_t)st.st_rdev, (uint64_t)st.st_dev) < 0)
		return err_no_memory(e);
	dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(e, errno, NULL, "cannot open directory %s", directory);
	if (add(v, "--external", text) < 0)
		return err_no_memory(e);
	return io_replace(dir, TTY_INFO, text, strlen(text), 0600, e);
}

char *criu_read_tty(const char *directory)
{
	auto_free char *file = path_join(directory, TTY_INFO), *text = NULL;

	if (!file || io_read_file(AT_FDCWD, file, 256, &text, NULL, NULL) < 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return take_ptr(text);
}

static int make_directory(const char *directory, struct err **e)
{
	auto_free char *inventory = path_join(directory, INVENTORY);
	struct stat st;

	if (!inventory)
		return err_no_memory(e);
	if (mkdir(directory, 0700) < 0 && errno != EEXIST)
		return err_set(e, errno, NULL, "cannot make directory %s", directory);
	if (stat(directory, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, NULL, "%s is no directory", directory);
	return access(inventory, F_OK) == 0 ? err_checkpoint_exists(e, directory) : 0;
}

static int dump_options(struct strv *v, const struct criu_options *o, pid_t init, bool pre, unsigned version)
{
	int r = strv_add(v, "-t");

	if (r == 0)
		r = strv_addf(v, "%d", init);
	if (r == 0 && !o->disable_skip_in_flight && version >= CRIU_VERSION(2U, 4U))
		r = strv_add(v, "--skip-in-flight");
	if (r == 0 && (pre || o->predump_dir))
		r = strv_add(v, "--track-mem");
	if (r == 0 && o->predump_dir)
		r = add(v, "--prev-images-dir", o->predump_dir);
	if (r == 0 && o->pageserver_address && o->pageserver_port) {
		r = add(v, "--page-server", "--address");
		if (r == 0)
			r = add(v, o->pageserver_address, "--port");
		if (r == 0)
			r = strv_add(v, o->pageserver_port);
	}
	if (r == 0 && !o->preserves_inodes)
		r = strv_add(v, "--force-irmap");
	if (r == 0 && o->ghost_limit) {
		r = strv_add(v, "--ghost-limit");
		if (r == 0)
			r = strv_addf(v, "%" PRIu64, o->ghost_limit);
	}
	if (r == 0 && !pre && !o->stop)
		r = strv_add(v, "--leave-running");
	return r;
}

int criu_dump(const struct target *t, const struct conf *c, const struct criu_options *o, bool pre, struct err **e)
{
	const char *action = pre ? "pre-dump" : "dump";
	auto_strv struct strv argv = { 0 };
	auto_free char *program = NULL;
	unsigned version;
	pid_t init;
	int r = find_program(&program, e);

	if (r == 0)
		r = ask_version(program, &version, e);
	if (r == 0 && c)
		r = criu_add_nics(NULL, c, e);
	if (r == 0)
		r = client_init_pid(t, &init, e);
	if (r == 0)
		r = make_directory(o->directory, e);
	if (r < 0)
		return r;
	if (common(&argv, program, action, o) < 0 || dump_options(&argv, o, init, pre, version) < 0)
		return err_no_memory(e);
	r = add_cgroups(&argv, t, init, version, e);
	if (r == 0)
		r = add_tty(&argv, init, o->directory, e);
	return r < 0 ? r : criu_run(&argv, -1, action, o->directory, e);
}

int criu_restore_command(const struct conf *c, const struct criu_options *o, struct strv *ret, struct err **e)
{
	auto_free char *program = NULL, *inventory = path_join(o->directory, INVENTORY);
	unsigned version;
	int r = find_program(&program, e);

	if (r == 0)
		r = ask_version(program, &version, e);
	if (r == 0)
		r = criu_add_nics(NULL, c, e);
	if (r < 0)
		return r;
	if (!inventory)
		return err_no_memory(e);
	if (access(inventory, F_OK) < 0)
		return err_checkpoint_missing(e, o->directory);
	if (common(ret, program, "restore", o) < 0 || add(ret, "--restore-detached", "--restore-sibling") < 0)
		return err_no_memory(e);
	return 0;
}

int criu_check_features(uint64_t wanted, uint64_t *ret, struct err **e)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} rows[] = { { CRIU_FEATURE_MEM_TRACK, "mem_dirty_track" }, { CRIU_FEATURE_LAZY_PAGES, "uffd-noncoop" } };
	auto_free char *program = NULL;
	uint64_t known = 0, found = 0;
	unsigned version;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		known |= rows[i].bit;
	*ret = 0;
	if (wanted & ~known)
		return err_set(e, EINVAL, "checkpoint-feature-unknown", "feature bits 0x%" PRIx64 " are not known",
			       wanted & ~known);
	r = find_program(&program, e);
	if (r == 0)
		r = ask_version(program, &version, e);
	for (size_t i = 0; i < ARRAY_SIZE(rows) && r == 0; i++) {
		auto_buf struct buf out = BUF_INIT(OUTPUT_MAX);
		char *const argv[] = { program, (char *)(uintptr_t)"check", (char *)(uintptr_t)"--feature",
				       (char *)(uintptr_t)rows[i].name, NULL };
		struct spawn s = SPAWN_INIT;
		int status;

		if (!(wanted & rows[i].bit))
			continue;
		s.path = program;
		s.argv = argv;
		s.output = &out;
		r = spawn_run(&s, &status, e);
		if (r == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
			found |= rows[i].bit;
	}
	if (r == 0)
		*ret = found;
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-import - makes a container out of an archive of lxc-export. The beginning of the stream says what is
 * to be made; then the container is created as any other, with the program that unpacks as its template,
 * which gets the same stream from its first byte. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lxc/lxcext.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/paths.h"
#include "base/strv.h"
#include "common/copy_progress.h"
#include "common/idmap_of.h"

#define OPT_TABLE "lxc-import.opt"
#include "common/opt_table.h"

#define PROGRAM PATH_LIBEXEC "/lxc-archive"
#define CHUNK ((size_t)256 << 10)
#define LOOK_AGAIN_MS 250
#define HEAD_MAX ((size_t)64 << 20)

struct import {
	const char *config, *bdev;
	uint64_t fssize, limit;
	bool new_identity, trust, show;
	int in;
	struct buf head;	/* what has been read of the stream to find out what it is */
	bool eof;
	int feed;		/* where the stream goes to the second time */
	atomic_bool unwanted;	/* nobody wants the rest of it */
};

static int option(struct tool *t, int key, const char *value)
{
	struct import *m = t->data;

	switch ((enum key)key) {
	case KEY_CONFIG:
		m->config = value;
		break;
	case KEY_BDEV:
		m->bdev = value;
		break;
	case KEY_FSSIZE:
		return tool_size(t, "--fssize (-L)", value, &m->fssize);
	case KEY_NEW_IDENTITY:
		m->new_identity = true;
		break;
	case KEY_LIMIT:
		return tool_size(t, "--limit", value, &m->limit);
	case KEY_TRUST:
		m->trust = true;
		break;
	case KEY_SHOW:
		m->show = true;
		break;
	case KEY_NONE:
		break;
	}
	return 0;
}

static const char *flags_of(const struct import *m)
{
	static const char *const flags[] = { "-", "t", "i", "ti" };

	return flags[(m->trust || m->show) + 2 * m->new_identity];
}

/* Who is told to stop while he waits for a stream that does not go on notices it. */
static ssize_t read_some(const struct import *m, char *p, size_t n)
{
	struct pollfd ready = { .fd = m->in, .events = POLLIN };
	ssize_t got;

	while (!copy_progress_cancelled(NULL) && !m->unwanted) {
		if (poll(&ready, 1, LOOK_AGAIN_MS) <= 0)
			continue;
		got = read(m->in, p, n);
		if (got >= 0 || errno != EINTR)
			return got;
	}
	errno = ECANCELED;
	return -1;
}

/* The id map that the container gets, as lines; NULL: that in the archive. */
static int find_maps(struct tool *t, const struct import *m, const char *lxcpath, char **ret)
{
	auto_buf struct buf b = BUF_INIT(1U << 20);
	auto_strv struct strv maps = { 0 };

	if (!m->config && geteuid() == 0)
		return EXIT_SUCCESS;
	if (idmap_of_config(t, lxcpath, m->config, &maps) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	for (size_t i = 0; i < maps.n; i++)
		buf_addf(&b, "lxc.idmap = %s\n", maps.v[i]);
	*ret = strdup(buf_str(&b));
	return buf_ok(&b) && *ret ? EXIT_SUCCESS : tool_error(t, "out of memory");
}

static pid_t start_head(struct tool *t, const struct import *m, const char *lxcpath, const char *maps, int in, int out)
{
	auto_strv struct strv argv = { 0 };
	const char *words[] = { "lxc-archive", "head", t->name ? t->name : "", maps ? maps : "keep", flags_of(m), lxcpath };
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(words) && r == 0; i++)
		r = strv_add(&argv, words[i]);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	(void)posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	r = r < 0 ? ENOMEM : posix_spawn(&pid, PROGRAM, &actions, NULL, argv.v, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		(void)tool_error(t, "cannot run " PROGRAM ": %s", strerror(r));
	return r == 0 ? pid : -1;
}

/* Gives it the stream until it has seen enough; what it got is kept. */
static int feed_head(struct tool *t, struct import *m, int to)
{
	auto_free char *chunk = malloc(CHUNK);

	if (!chunk)
		return tool_error(t, "out of memory");
	while (m->head.len < HEAD_MAX) {
		ssize_t n = read_some(m, chunk, CHUNK);

		if (n < 0)
			return tool_error(t, "cannot read the archive: %s", strerror(errno));
		m->eof = n == 0;
		buf_add(&m->head, chunk, (size_t)n);
		if (!buf_ok(&m->head))
			return tool_error(t, "out of memory");
		if (n == 0 || io_write_all(to, chunk, (size_t)n) < 0)
			return EXIT_SUCCESS;
	}
	return EXIT_SUCCESS;
}

static int read_head(struct tool *t, struct import *m, const char *lxcpath, const char *maps, char **ret)
{
	auto_close int out = memfd_create("head", MFD_CLOEXEC), from = -EBADF, to = -EBADF;
	int ends[2], status = -1, r;
	pid_t pid;

	if (out < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return tool_error(t, "cannot make a pipe: %s", strerror(errno));
	from = ends[0];
	to = ends[1];
	pid = start_head(t, m, lxcpath, maps, from, out);
	if (pid < 0)
		return EXIT_FAILURE;
	fd_replace(&from, -EBADF);
	r = feed_head(t, m, to);
	fd_replace(&to, -EBADF);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r != EXIT_SUCCESS || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return EXIT_FAILURE;
	if (lseek(out, 0, SEEK_SET) < 0 || io_read_fd(out, HEAD_MAX, ret, NULL) < 0)
		return tool_error(t, "cannot read the configuration in the archive");
	return EXIT_SUCCESS;
}

/* The whole stream, from its beginning; a thread of its own, since create waits for its template. */
static void *feed(void *arg)
{
	struct import *m = arg;
	auto_free char *chunk = malloc(CHUNK);
	int r = chunk ? io_write_all(m->feed, buf_str(&m->head), m->head.len) : -ENOMEM;

	while (r == 0 && !m->eof && !copy_progress_cancelled(NULL)) {
		ssize_t n = read_some(m, chunk, CHUNK);

		if (n <= 0)
			break;
		r = io_write_all(m->feed, chunk, (size_t)n);
	}
	fd_close(take_fd(&m->feed));
	return NULL;
}

static int load(struct tool *t, struct lxc_container *c, const char *text)
{
	auto_close int fd = memfd_create("config", MFD_CLOEXEC);
	char path[64];

	if (fd < 0 || io_write_all(fd, text, strlen(text)) < 0)
		return tool_error(t, "cannot hold the configuration in memory: %s", strerror(errno));
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	c->clear_config(c);
	return c->load_config(c, path) ? EXIT_SUCCESS : tool_failed(t, c, "cannot use the configuration in the archive");
}

static int create(struct tool *t, struct import *m, struct lxc_container *c)
{
	struct bdev_specs specs = { .fssize = m->fssize };
	char flags[4], limit[24];
	char *argv[] = { flags, limit, NULL };
	pthread_t thread;
	int ends[2];
	bool made;

	(void)snprintf(flags, sizeof(flags), "%s", flags_of(m));
	(void)snprintf(limit, sizeof(limit), "%llu", (unsigned long long)m->limit);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return tool_error(t, "cannot make a pipe: %s", strerror(errno));
	m->feed = ends[1];
	/* The template has our standard input. */
	if (dup2(ends[0], STDIN_FILENO) < 0 || pthread_create(&thread, NULL, feed, m) != 0) {
		fd_close(ends[0]);
		fd_close(ends[1]);
		return tool_error(t, "cannot start a thread");
	}
	fd_close(ends[0]);
	made = c->create(c, PROGRAM, m->bdev, &specs, 0, argv);
	/* Whoever still writes is told that nobody reads. */
	(void)close(STDIN_FILENO);
	(void)open("/dev/null", O_RDONLY);
	/* It may be waiting for more of a stream that nobody wants any longer. */
	m->unwanted = !made;
	(void)pthread_join(thread, NULL);
	if (made)
		return EXIT_SUCCESS;
	/* The program that unpacks has said what it was. */
	if (strcmp(lxcext_error_id(c), "template-failed") == 0)
		return EXIT_FAILURE;
	return tool_failed(t, c, "cannot import %s", t->name);
}

static int import(struct tool *t, struct import *m, const char *lxcpath, const char *config)
{
	auto_free char *dir = path_join(lxcpath, t->name);
	auto_err struct err *e = NULL;
	struct lxc_container *c;
	struct stat st;
	int r;

	if (!dir)
		return tool_error(t, "out of memory");
	c = tool_open(t);
	if (!c)
		return EXIT_FAILURE;
	/* What was left of one that is thrown away has gone by now. */
	if (lstat(dir, &st) == 0) {
		(void)err_container_exists(&e, t->name, lxcpath);
		r = tool_error_chain(t, e);
		tool_close(t, c);
		return r;
	}
	r = load(t, c, config);
	if (r == EXIT_SUCCESS)
		r = create(t, m, c);
	tool_close(t, c);
	return r;
}

static int run(struct tool *t, struct import *m)
{
	const char *lxcpath = tool_lxcpath(t);
	auto_free char *maps = NULL, *text = NULL;
	char *config;
	int r = lxcpath ? find_maps(t, m, lxcpath, &maps) : EXIT_FAILURE;

	if (r == EXIT_SUCCESS)
		r = read_head(t, m, lxcpath, maps, &text);
	if (r != EXIT_SUCCESS)
		return r;
	config = strchr(text, '\n');
	if (!config)
		return tool_error(t, "the archive has no name in it");
	*config++ = '\0';
	if (m->show) {
		printf("# %s\n%s", text, config);
		return tool_flush(t);
	}
	if (!t->name)
		t->name = text;
	return import(t, m, lxcpath, config);
}

static int open_input(struct tool *t, struct import *m)
{
	const char *file = t->n_args && strcmp(t->args[0], "-") != 0 ? t->args[0] : NULL;

	if (!file && isatty(STDIN_FILENO))
		return tool_error(t, "the archive is not read from a terminal; name a file, or use a pipe");
	m->in = file ? open(file, O_RDONLY | O_CLOEXEC) : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	return m->in < 0 ? tool_error(t, "cannot open %s: %s", file ? file : "standard input", strerror(errno)) : EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-import",
		.synopsis = "[OPTION]... [-n NAME] [FILE]",
		.summary = "Makes a container out of an archive of lxc-export.",
		.flags = TOOL_NO_NAME | TOOL_TAKES_ARGS,
		.option = option);
	struct import m = { .in = -EBADF, .feed = -EBADF, .head = BUF_INIT(HEAD_MAX + CHUNK) };
	struct copy_progress progress;
	auto_err struct err *e = NULL;
	auto_tool struct tool t = { 0 };
	int r;

	if (!tool_begin(&t, &def, &m, argc, argv, &r))
		return r;
	if (t.name && name_check(t.name, &e) < 0)
		return tool_error_chain(&t, e);
	if (t.n_args > 1) {
		(void)tool_usage(&t, "more than one archive is given");
		return EXIT_FAILURE;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	copy_progress_begin(&progress, &t, NULL);
	r = open_input(&t, &m);
	if (r == EXIT_SUCCESS)
		r = run(&t, &m);
	copy_progress_end(&progress);
	fd_close(m.in);
	buf_done(&m.head);
	if (r != EXIT_SUCCESS && copy_progress_cancelled(&progress))
		copy_progress_reraise(&progress);
	return r;
}

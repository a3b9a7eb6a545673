/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/nested.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <lxc/lxcext.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/num.h"
#include "base/path.h"

#define OWN_EXE "/proc/self/exe"
#define OUTPUT_MAX (1U << 20)	/* of one container */
#define CELL_MAX 1024
#define AT_ONCE 16
#define EXIT_CANNOT_ENTER 125

/* Each level waits longer than the one inside it, so that the innermost that hangs is the one that is told. */
static unsigned limit_s(unsigned depth)
{
	return 2 + 2 * depth;
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* inside: a line per container, its fields separated by tabs: depth, name, and a cell for each column. */

static void print_field(const char *text)
{
	putchar('\t');
	for (; text && *text; text++)
		putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

void nested_print(const struct listing *l, const struct listing_columns *columns)
{
	for (size_t i = 0; i < l->n; i++) {
		printf("%u", l->v[i].depth);
		print_field(l->v[i].shown);
		for (size_t k = 0; columns && k < columns->n; k++)
			print_field(l->v[i].cells[columns->v[k]]);
		putchar('\n');
	}
}

/* outside again */

/* The length of the character at p if it may be shown; 0 if it is none, controls a terminal, or turns text around. */
static size_t shown_length(const unsigned char *p)
{
	unsigned code;
	size_t n = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 : (*p & 0xf0) == 0xe0 ? 3 : *p >= 0xf0 && *p < 0xf5 ? 4 : 0;

	if (n <= 1)
		return n && *p >= 0x20 && *p != 0x7f;
	code = *p & (0xffU >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3fU);
	}
	if ((n == 3 && code < 0x800) || (n == 4 && (code < 0x10000 || code > 0x10ffff)) || (code >= 0xd800 && code < 0xe000))
		return 0;
	return code < 0xa0 || (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
			       (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ?
		       0 :
		       n;
}

/* What the guest says, as one may show it. NULL for nothing (and when memory is out: shown as nothing, too). */
static char *clean(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	char *copy = *text ? malloc(strlen(text) + 1) : NULL, *to = copy;

	while (copy && *p && to - copy < CELL_MAX) {
		size_t n = shown_length(p);

		if (n == 0)
			*to++ = '?';
		for (size_t i = 0; i < n; i++)
			*to++ = (char)p[i];
		p += n ? n : 1;
	}
	if (copy)
		*to = '\0';
	return copy;
}

/* "a/b" is the name of something two levels down. */
static bool is_name(const char *text, unsigned depth)
{
	auto_strv struct strv parts = { 0 };

	if (strv_split(&parts, text, "/") < 0 || parts.n != depth)
		return false;
	for (size_t i = 0; i < parts.n; i++) {
		auto_free char *shown = clean(parts.v[i]);

		if (name_check(parts.v[i], NULL) < 0 || !shown || strcmp(shown, parts.v[i]) != 0)
			return false;
	}
	return true;
}

/* Takes the row, also on failure. */
static bool add_row(struct listing *l, struct listing_row *row)
{
	struct listing_row *v = row->shown ? reallocarray(l->v, l->n + 1, sizeof(*v)) : NULL;

	if (!v) {
		listing_row_done(row);
		return false;
	}
	v[l->n++] = *row;
	l->v = v;
	return true;
}

static bool parse_row(char *line, const char *parent, unsigned depth, const struct listing_columns *columns,
		      struct listing_row *row)
{
	char *word = strsep(&line, "\t"), *name = line ? strsep(&line, "\t") : NULL;
	uint64_t at;

	/* The container inside counts from itself. */
	if (!name || num_u64(word, 10, depth - 1, &at) < 0 || !is_name(name, (unsigned)at + 1))
		return false;
	if (asprintf(&row->shown, "%s/%s", parent, name) < 0) {
		row->shown = NULL;
		return false;
	}
	row->depth = (unsigned)at + 1;
	for (size_t i = 0; columns && i < columns->n; i++) {
		char **cell = &row->cells[columns->v[i]], *text = line ? strsep(&line, "\t") : NULL;

		if (!text)
			return false;
		if (!*cell)
			*cell = clean(text);
	}
	free(row->cells[COLUMN_NAME]);
	if (asprintf(&row->cells[COLUMN_NAME], "%*s%s", (int)row->depth, "\\", path_base(name)) < 0)
		row->cells[COLUMN_NAME] = NULL;
	return !line;
}

bool nested_parse(char *text, const char *parent, unsigned depth, const struct listing_columns *columns,
		  struct listing *l)
{
	while (*text) {
		char *line = strsep(&text, "\n");
		struct listing_row row = { 0 };

		/* Half a row is none. */
		if (!text || !parse_row(line, parent, depth, columns, &row)) {
			listing_row_done(&row);
			return false;
		}
		if (!add_row(l, &row))
			return false;
	}
	return true;
}

/* One container that is being looked into. */
struct job {
	size_t row;
	pid_t pid;
	int fd;
	int64_t deadline;
	struct buf out;
};

static int spawn_enter(const struct tool *t, const struct nested *how, const char *name, int out, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	auto_strv struct strv argv = { 0 };
	int r = strv_add(&argv, NESTED_ENTER);

	if (r == 0)
		r = strv_addf(&argv, "%u", how->depth);
	if (r == 0)
		r = strv_add(&argv, how->lxcpath);
	if (r == 0)
		r = strv_add(&argv, name);
	for (size_t i = 0; i < how->options->n && r == 0; i++)
		r = strv_add(&argv, how->options->v[i]);
	if (r < 0)
		return r;
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (t->quiet)
		(void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	(void)posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	r = posix_spawn(ret, OWN_EXE, &actions, NULL, argv.v, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static int begin(struct tool *t, const struct nested *how, const struct listing *l, size_t row, struct job *ret)
{
	const char *name = l->v[row].shown;
	auto_close int mine = -EBADF, theirs = -EBADF;
	int ends[2], r;

	*ret = (struct job){ .row = row, .fd = -EBADF, .out = BUF_INIT(OUTPUT_MAX) };
	if (pipe2(ends, O_CLOEXEC) < 0)
		return tool_error(t, "cannot look into %s: %s", name, strerror(errno)), -1;
	mine = ends[0];
	theirs = ends[1];
	r = spawn_enter(t, how, name, theirs, &ret->pid);
	if (r < 0)
		return tool_error(t, "cannot look into %s: %s", name, strerror(-r)), -1;
	ret->fd = take_fd(&mine);
	ret->deadline = now_ms() + limit_s(how->depth) * 1000;
	return 0;
}

/* The process that enters ends by itself in time, or is killed; it is none of the guest's. */
static int reap(const struct job *j)
{
	int status = 0;

	while (waitpid(j->pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Ends a job; its rows go to inside. */
static void end(struct tool *t, const struct nested *how, const struct listing *l, struct job *j, bool late,
		struct listing *inside)
{
	const char *name = l->v[j->row].shown;
	bool too_much = !buf_ok(&j->out);
	auto_free char *text = NULL;
	int status;

	if (late || too_much)
		(void)kill(j->pid, SIGKILL);
	fd_replace(&j->fd, -EBADF);
	status = reap(j);
	if (late)
		tool_warn(t, "the containers inside %s are not known: it has not answered within %u s", name,
			  limit_s(how->depth));
	else if (too_much)
		tool_warn(t, "the containers inside %s are left out: it says more than %u KiB about them", name,
			  OUTPUT_MAX >> 10);
	else if (status != EXIT_CANNOT_ENTER && status != 0)
		tool_warn(t, "the containers inside %s are not known: the lxc-ls in it ended with status %d", name, status);
	text = status == 0 && !late ? buf_take(&j->out) : NULL;
	if (text && !nested_parse(text, name, how->depth, how->columns, inside))
		tool_warn(t, "what %s says about the containers inside it cannot be understood", name);
	buf_done(&j->out);
}

/* True: nothing more comes. */
static bool hear(struct job *j)
{
	char chunk[4096];
	ssize_t n = read(j->fd, chunk, sizeof(chunk));

	if (n < 0)
		return errno != EINTR && errno != EAGAIN;
	buf_add(&j->out, chunk, (size_t)n);
	return n == 0 || !buf_ok(&j->out);
}

static void wait_for_some(struct job *jobs, size_t n, struct pollfd *polls)
{
	int64_t until = jobs[0].deadline, left;

	for (size_t i = 0; i < n; i++) {
		polls[i] = (struct pollfd){ .fd = jobs[i].fd, .events = POLLIN };
		until = MIN(until, jobs[i].deadline);
	}
	left = until - now_ms();
	if (poll(polls, n, left > 0 ? (int)left : 0) < 0)
		for (size_t i = 0; i < n; i++)
			polls[i].revents = 0;
}

/* Looks into all running ones, some at a time; inside has a list for each row of l. */
static void look_into(struct tool *t, const struct nested *how, const struct listing *l, struct listing *inside)
{
	struct job jobs[AT_ONCE];
	struct pollfd polls[AT_ONCE];
	size_t n = 0, next = 0;

	while (next < l->n || n) {
		while (next < l->n && n < AT_ONCE) {
			if (l->v[next].is_running && begin(t, how, l, next, &jobs[n]) == 0)
				n++;
			next++;
		}
		if (!n)
			break;
		wait_for_some(jobs, n, polls);
		for (size_t i = n; i-- > 0;) {
			bool done = polls[i].revents && hear(&jobs[i]), late = !done && now_ms() >= jobs[i].deadline;

			if (!done && !late)
				continue;
			end(t, how, l, &jobs[i], late, &inside[jobs[i].row]);
			jobs[i] = jobs[--n];
		}
	}
}

/* The rows of each list follow their container; they change owners. */
static int merge(struct listing *l, struct listing *inside)
{
	size_t n = l->n;
	struct listing all = { 0 };

	for (size_t i = 0; i < l->n; i++)
		n += inside[i].n;
	all.v = calloc(n + 1, sizeof(*all.v));
	if (!all.v)
		return -ENOMEM;
	for (size_t i = 0; i < l->n; i++) {
		all.v[all.n++] = l->v[i];
		for (size_t k = 0; k < inside[i].n; k++)
			all.v[all.n++] = inside[i].v[k];
		inside[i].n = 0;
	}
	free(l->v);
	*l = all;
	return 0;
}

int nested_read(struct tool *t, const struct nested *how, struct listing *l)
{
	auto_free struct listing *inside = calloc(l->n + 1, sizeof(*inside));
	size_t n = l->n;
	int r = inside ? 0 : -ENOMEM;

	if (r == 0) {
		look_into(t, how, l, inside);
		r = merge(l, inside);
		for (size_t i = 0; i < n; i++)
			listing_done(&inside[i]);
	}
	return r < 0 ? tool_usage(t, "out of memory") : 0;
}

/* the process that enters */

struct entry {
	int exe;
	int (*rows)(int argc, char **argv);
	int argc;
	char **argv;
};

/* A program that needs the loader would get that of the guest. */
static bool is_static(void)
{
	return getauxval(AT_BASE) == 0;
}

/* In the container. */
static int run_inside(void *arg)
{
	const struct entry *e = arg;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!is_static())
		return e->rows(e->argc, e->argv);
	(void)fexecve(e->exe, e->argv, environ);
	return EXIT_CANNOT_ENTER;
}

static int enter(const char *lxcpath, const char *name, struct entry *entry)
{
	lxc_attach_options_t options = LXC_ATTACH_OPTIONS_DEFAULT;
	auto_close int exe = open(OWN_EXE, O_RDONLY | O_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct lxc_container *c = lxc_container_new(name, lxcpath);
	int status = 0, r = -1;
	pid_t pid = -1;

	entry->exe = exe;
	/* Whatever is not executed anew is confined at once. */
	options.attach_flags |= is_static() ? 0 : LXC_ATTACH_LSM_NOW;
	options.env_policy = LXC_ATTACH_CLEAR_ENV;
	options.initial_cwd = (char *)"/";
	options.stdin_fd = options.stderr_fd = null;
	if (exe >= 0 && null >= 0 && c)
		r = c->attach(c, run_inside, entry, &options, &pid);
	if (r < 0)
		lxcext_print_error(c, stderr, "lxc-ls", false);
	while (r == 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (c)
		(void)lxc_container_put(c);
	return r == 0 && WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_CANNOT_ENTER;
}

int nested_enter(int argc, char **argv, int (*rows)(int argc, char **argv))
{
	struct entry entry = { .rows = rows, .argc = argc - 3, .argv = argv + 3 };
	const char *name;
	unsigned depth;

	if (argc < 4 || num_uint(argv[1], 10, &depth) < 0)
		return EXIT_CANNOT_ENTER;
	/* Whatever the guest does, this process ends. */
	(void)alarm(limit_s(depth) + 1);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	name = argv[3];
	argv[3] = (char *)NESTED_ROWS;
	return enter(argv[2], name, &entry);
}

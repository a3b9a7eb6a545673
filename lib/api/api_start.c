/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_start - the ways in which a client can start a container, or ask what a start would do. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/num.h"
#include "base/path.h"
#include "handle.h"
#include "lifecycle/launch.h"
#include "lifecycle/partial.h"
#include "use.h"
#include "vtable.h"

#define EXPLAIN_MAX (4U << 20)
/* What a monitor has open on a hybrid hierarchy is some 50; some clients come on top. */
#define FILES_MIN 64UL

/* A launch and what it borrows. */
struct start {
	struct launch l;
	struct buf dump;
	struct launch_ahead ahead;
	char *pidfile;
	int use;		/* the directory, held as in use */
};

static void start_done(struct start *s)
{
	use_end(s->use);
	buf_done(&s->dump);
	launch_ahead_done(&s->ahead);
	free(s->pidfile);
}
#define auto_start __attribute__((cleanup(start_done)))

/* The monitor works in /: a pid file is named relative to where the caller is. */
static char *absolute(const char *path)
{
	char cwd[PATH_MAX];

	if (path_is_absolute(path))
		return strdup(path);
	return getcwd(cwd, sizeof(cwd)) ? path_join(cwd, path) : NULL;
}

/* A monitor that has no descriptor left for a client could not be told to stop. */
static int check_limits(struct call *k)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FILES_MIN)
		return 0;
	return err_files_limit(&k->e, (unsigned long)limit.rlim_cur, FILES_MIN);
}

static int start_prepare(struct call *k, int useinit, char *const argv[], struct start *s)
{
	int r = call_need_dump(k, &s->dump);
	bool has_pidfile;

	if (r == 0)
		r = call_trust_config(k);
	/* What is being destroyed, renamed or replaced is not started; and none of this begins while it starts. */
	if (r == 0)
		r = use_if_there(k, &s->use);
	if (r == 0)
		r = partial_check(k->dir, k->name, k->lxcpath, &k->e);
	if (r == 0)
		r = check_limits(k);
	if (r < 0)
		return r;
	if (argv && !argv[0])
		argv = NULL;
	handle_lock(k->h);
	has_pidfile = k->c->pidfile;
	if (has_pidfile)
		s->pidfile = absolute(k->c->pidfile);
	s->l = (struct launch){
		.name = k->name,
		.lxcpath = k->lxcpath,
		.dump = &s->dump,
		.foreground = !k->c->daemonize,
		.application = useinit,
		.argv = argv,
		.pidfile = s->pidfile,
		.close_fds = k->h->close_all_fds,
		.log = &k->log,
		.warnings = &k->warnings,
		.ahead = &s->ahead,
	};
	s->ahead = k->h->ahead;
	k->h->ahead = (struct launch_ahead){ 0 };
	handle_unlock(k->h);
	if (has_pidfile && !s->pidfile)
		return err_no_memory(&k->e);
	return 0;
}

/* The ABI's form of a wait status. */
static int error_num_of(int status)
{
	if (WIFSIGNALED(status))
		return WTERMSIG(status) << 8 | 0x7f;
	return WEXITSTATUS(status) << 8;
}

static void set_error_num(struct call *k, int num)
{
	handle_lock(k->h);
	k->c->error_num = num;
	handle_unlock(k->h);
}

static bool start(struct lxc_container *c, int useinit, char *const argv[], struct buf *timing)
{
	auto_start struct start s = { .use = -EBADF };
	int status = 0, r;
	struct call k;

	if (!call_begin(&k, c))
		return false;
	set_error_num(&k, 1);
	r = start_prepare(&k, useinit, argv, &s);
	s.l.timing = s.l.foreground ? NULL : timing;
	if (r == 0)
		r = launch_start(&s.l, &status, &k.e);
	if (r >= 0) {
		r = 0;
		set_error_num(&k, s.l.foreground ? error_num_of(status) : 0);
	}
	if (s.pidfile && !s.l.foreground) {
		/* The monitor owns the file from here on. */
		handle_lock(k.h);
		free(c->pidfile);
		c->pidfile = NULL;
		handle_unlock(k.h);
	}
	return call_end(&k, r, "cannot start %s", k.name) == 0;
}

attr_public int lxcext_start_ahead(struct lxc_container *c)
{
	struct launch_ahead ahead, old;
	struct call k;

	if (!call_begin(&k, c))
		return -EINVAL;
	launch_ahead(k.name, k.lxcpath, &ahead);
	handle_lock(k.h);
	old = k.h->ahead;
	k.h->ahead = ahead;
	handle_unlock(k.h);
	launch_ahead_done(&old);
	return call_end(&k, 0, NULL);
}

bool api_start(struct lxc_container *c, int useinit, char *const argv[])
{
	return start(c, useinit, argv, NULL);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* The monitor's lines with times since the call, and what the caller itself took before and after them. */
static char *relative_times(char *text, uint64_t from, uint64_t until)
{
	auto_buf struct buf b = BUF_INIT(1U << 20);
	uint64_t first = until, last = from;

	for (char *line = text, *next; line && *line; line = next) {
		char *rest = line, *begin_text = strsep(&rest, " "), *end_text = strsep(&rest, " ");
		uint64_t begin, end;

		next = rest ? strchr(rest, '\n') : NULL;
		if (!next || num_u64(begin_text, 10, UINT64_MAX, &begin) < 0 || num_u64(end_text, 10, UINT64_MAX, &end) < 0 ||
		    begin < from)
			return NULL;
		*next++ = '\0';
		if (begin < first) {
			first = begin;
			buf_addf(&b, "0 %" PRIu64 " client executing the monitor, which plans the start\n", first - from);
		}
		last = MAX(last, end);
		buf_addf(&b, "%" PRIu64 " %" PRIu64 " %s\n", begin - from, end - from, rest);
	}
	buf_addf(&b, "%" PRIu64 " %" PRIu64 " client hearing that it runs\n", last - from, until - from);
	return buf_take(&b);
}

attr_public bool lxcext_start_timed(struct lxc_container *c, int useinit, char *const argv[], char **ret)
{
	auto_buf struct buf b = BUF_INIT(EXPLAIN_MAX);
	uint64_t from = now_ns();
	bool ok = start(c, useinit, argv, &b);

	if (ret)
		*ret = ok && buf_ok(&b) && b.len ? relative_times(b.p, from, now_ns()) : NULL;
	return ok;
}

bool api_startl(struct lxc_container *c, int useinit, ...)
{
	auto_strv struct strv argv = { 0 };
	va_list ap;
	int r = 0;

	va_start(ap, useinit);
	for (const char *a = va_arg(ap, const char *); a && r == 0; a = va_arg(ap, const char *))
		r = strv_add(&argv, a);
	va_end(ap);
	return r == 0 && api_start(c, useinit, argv.v);
}

/* Whether nothing of the guest's can run, or look at init, before our own init is what it executes. */
static bool is_init_first(struct call *k)
{
	const struct conf *conf;
	bool first;

	handle_lock(k->h);
	conf = handle_conf(k->h);
	first = conf && !conf_has_setup_hooks(conf) && !conf->hooks[HOOK_START].n && !conf_shares_namespaces(conf);
	handle_unlock(k->h);
	return first;
}

/* A start after which the process has nothing else to do. */
struct last {
	struct call *k;
	struct start *s;
};

static void forget(void *arg)
{
	struct last *l = arg;

	handle_set_conf(l->k->h, NULL);
	buf_done(&l->s->dump);
}

bool api_start_last(struct lxc_container *c, int useinit, char *const argv[], bool foreground, supervise_fn *monitor)
{
	auto_start struct start s = { .use = -EBADF };
	struct call k;
	struct last last = { &k, &s };
	int r;

	if (!call_begin(&k, c))
		return false;
	set_error_num(&k, 1);
	r = start_prepare(&k, useinit, argv, &s);
	/* In the foreground the monitor's file is the caller's own; in the background who does not come back does not say what
	 * is to be said. */
	if (foreground ? !useinit || !is_init_first(&k) : k.warnings.n > 0)
		monitor = NULL;
	s.l.foreground = foreground;
	s.l.monitor = monitor;
	s.l.held = &s.use;
	s.l.forget = forget;
	s.l.forget_arg = &last;
	if (r == 0)
		r = foreground ? launch_exec(&s.l, &k.e) : launch_start(&s.l, NULL, &k.e);
	if (r == 0)
		set_error_num(&k, 0);
	return call_end(&k, r, "cannot start %s", k.name) == 0;
}

attr_public bool lxcext_start_exec(struct lxc_container *c, int useinit, char *const argv[])
{
	return api_start_last(c, useinit, argv, true, NULL);
}

static char *explain(struct lxc_container *c, int useinit, char *const argv[], bool json)
{
	auto_buf struct buf b = BUF_INIT(EXPLAIN_MAX);
	auto_start struct start s = { .use = -EBADF };
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return NULL;
	r = start_prepare(&k, useinit, argv, &s);
	s.l.json = json;
	if (r == 0)
		r = launch_explain(&s.l, &b, &k.e);
	if (r == 0 && !buf_ok(&b))
		r = err_no_memory(&k.e);
	if (call_end(&k, r, "%s would not start", k.name) < 0)
		return NULL;
	return buf_take(&b);
}

attr_public char *lxcext_explain(struct lxc_container *c, int useinit, char *const argv[])
{
	return explain(c, useinit, argv, false);
}

attr_public char *lxcext_explain_json(struct lxc_container *c, int useinit, char *const argv[])
{
	return explain(c, useinit, argv, true);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/tool.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lxc/lxcext.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/num.h"
#include "base/path.h"
#include "common/jsonout.h"

enum {
	KEY_BASE = OPT_COMMON,
#define OPT(key, letter, name, kind, arg, help) COMMON_##key,
#define EXT OPT
#include "common/common.opt"
#undef OPT
#undef EXT
};

static const struct opt common_opts[] = {
#define OPT(key, letter, name, kind, arg, help) { COMMON_##key, letter, name, OPT_##kind, arg, help, false },
#define EXT(key, letter, name, kind, arg, help) { COMMON_##key, letter, name, OPT_##kind, arg, help, true },
#include "common/common.opt"
#undef OPT
#undef EXT
};

static struct opt_set tool_options(const struct tool *t)
{
	return (struct opt_set){
		.own = t->def->opts,
		.n_own = t->def->n_opts,
		.common = common_opts,
		.n_common = ARRAY_SIZE(common_opts),
	};
}

static void print_help(struct tool *t)
{
	struct opt_set set = tool_options(t);

	fprintf(stderr, "Usage: %s %s\n%s\n\n", t->def->prog, t->def->synopsis, t->def->summary);
	if (set.n_own) {
		fputs("Options:\n", stderr);
		opt_print_help(stderr, set.own, set.n_own, NULL);
		fputc('\n', stderr);
	}
	fputs("Common options:\n", stderr);
	opt_print_help(stderr, set.common, set.n_common, &set);
	fprintf(stderr, "\nMore in the manual: man %s\n", t->def->prog);
	if (t->def->more_help)
		t->def->more_help(t);
}

int tool_error_chain(struct tool *t, const struct err *e)
{
	if (!t->quiet && t->json_errors)
		jsonout_error(stderr, t->def->prog, e);
	else if (!t->quiet)
		err_print(stderr, t->def->prog, e, t->verbose);
	return EXIT_FAILURE;
}

static int usage_chain(struct tool *t, struct err **e)
{
	(void)err_hint(e, 0, "%s --help", t->def->prog);
	(void)tool_error_chain(t, *e);
	return -1;
}

static attr_printf(2, 0) void set_formatted(struct err **e, const char *fmt, va_list ap)
{
	auto_free char *text = NULL;

	if (vasprintf(&text, fmt, ap) < 0) {
		text = NULL;
		(void)err_no_memory(e);
		return;
	}
	(void)err_set(e, 0, NULL, "%s", text);
}

int tool_usage(struct tool *t, const char *fmt, ...)
{
	auto_err struct err *e = NULL;
	va_list ap;

	va_start(ap, fmt);
	set_formatted(&e, fmt, ap);
	va_end(ap);
	return usage_chain(t, &e);
}

int tool_error(struct tool *t, const char *fmt, ...)
{
	auto_err struct err *e = NULL;
	va_list ap;

	va_start(ap, fmt);
	set_formatted(&e, fmt, ap);
	va_end(ap);
	return tool_error_chain(t, e);
}

int tool_failed(struct tool *t, struct lxc_container *c, const char *fmt, ...)
{
	struct lxcext_error_link link;
	auto_err struct err *e = NULL;
	va_list ap;

	if (lxcext_last_error(c, 0, &link) == 0) {
		if (!t->quiet && t->json_errors)
			(void)jsonout_failed(stderr, t->def->prog, c);
		else if (!t->quiet)
			lxcext_print_error(c, stderr, t->def->prog, t->verbose);
		return EXIT_FAILURE;
	}
	va_start(ap, fmt);
	set_formatted(&e, fmt, ap);
	va_end(ap);
	return tool_error_chain(t, e);
}

void tool_warn(struct tool *t, const char *fmt, ...)
{
	auto_err struct err *e = NULL;
	auto_free char *prefix = NULL;
	va_list ap;

	if (t->quiet || asprintf(&prefix, "%s: warning", t->def->prog) < 0)
		return;
	va_start(ap, fmt);
	set_formatted(&e, fmt, ap);
	va_end(ap);
	if (t->json_errors)
		jsonout_warning(stderr, t->def->prog, e->what);
	else
		err_print(stderr, prefix, e, false);
}

void tool_show_warnings(struct tool *t, struct lxc_container *c)
{
	const char *text;

	for (size_t i = 0; lxcext_warning(c, i, &text) == 0; i++)
		tool_warn(t, "%s", text);
	lxcext_clear_warnings(c);
}

/* True after a message: the output could not be written, and that is said once. */
static bool output_failed;

static int output_error(const struct tool_def *def, bool quiet, bool json_errors)
{
	struct tool t = { .def = def, .quiet = quiet, .json_errors = json_errors };
	auto_err struct err *e = NULL;

	output_failed = true;
	(void)err_set(&e, errno, NULL, "cannot write the output");
	return tool_error_chain(&t, e);
}

int tool_flush(struct tool *t)
{
	if (output_failed)
		return EXIT_FAILURE;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_SUCCESS;
	return output_error(t->def, t->quiet, t->json_errors);
}

/* What close_output says a failure with: the tool is gone by then. */
static struct {
	const struct tool_def *def;
	bool quiet, json_errors;
} closing;

/* The last thing of every tool. The output is closed here, since some file systems say only then that
 * it was not kept, and since a reader of both pipes then has their ends while our memory is still to
 * be taken down. Left to the end of the process they come one after the other in its last
 * microseconds, and a reader on the same processor is put before us each time: it finds us not ended
 * yet, and a wait with a time limit (Python's) then sleeps for a millisecond. */
static void close_output(void)
{
	bool had_failed = ferror(stdout);

	errno = 0;
	if ((fclose(stdout) != 0 || had_failed) && !output_failed) {
		errno = errno ? errno : EIO;
		(void)output_error(closing.def, closing.quiet, closing.json_errors);
		_exit(EXIT_FAILURE);
	}
#ifndef __SANITIZE_ADDRESS__ /* what has leaked is told after this */
	(void)close(STDERR_FILENO);
#endif
}

/* 0: taken; 1: help or version was shown, leave with success; -1: leave with failure. */
static int common_option(struct tool *t, int key, const char *value)
{
	struct opt_set set = tool_options(t);
	auto_free char *path = NULL;
	int level;

	switch (key) {
	case COMMON_NAME:
		t->name = value;
		return 0;
	case COMMON_LXCPATH:
		if (t->paths.n && !(t->def->flags & TOOL_MANY_PATHS))
			return tool_usage(t, "option --lxcpath (-P) can be given only once");
		if (!*value)
			return tool_usage(t, "option --lxcpath (-P) needs a directory, not ''");
		path = strdup(value);
		for (size_t n = path ? strlen(path) : 0; n > 1 && path[n - 1] == '/'; n--)
			path[n - 1] = '\0';
		return strv_push(&t->paths, take_ptr(path)) < 0 ? tool_usage(t, "out of memory") : 0;
	case COMMON_LOGFILE:
		t->logfile = value;
		return 0;
	case COMMON_LOGPRIORITY:
		if (log_level_parse(value, &level) < 0)
			return tool_usage(t, "option --logpriority (-l): '%s' is not a log level; they are TRACE, "
					     "DEBUG, INFO, NOTICE, WARN, ERROR, CRIT, ALERT and FATAL", value);
		t->loglevel = value;
		return 0;
	case COMMON_QUIET:
		t->quiet = true;
		return 0;
	case COMMON_RCFILE:
		t->rcfile = value;
		return 0;
	case COMMON_VERBOSE:
		t->verbose = true;
		return 0;
	case COMMON_JSON_ERRORS:
		t->json_errors = true;
		return 0;
	case COMMON_USAGE:
		opt_print_usage(stderr, t->def->prog, &set);
		return 1;
	case COMMON_VERSION:
		printf("%s\ntiffin %s\n", lxc_get_version(), PACKAGE_VERSION);
		return 1;
	default:
		return 0;
	}
}

static int parse(struct tool *t, int argc, char **argv)
{
	struct opt_set set = tool_options(t);
	struct opt_parser p = { 0 };
	auto_err struct err *e = NULL;
	const struct opt *o;
	const char *value;
	bool help = false;
	int r = opt_parser_init(&p, &set, &e);

	while (r == 0 && (r = opt_next(&p, argc, argv, &o, &value, &e)) > 0) {
		if (o->key == COMMON_HELP) {
			help = true;
			r = 0;
		} else {
			r = o->key > OPT_COMMON ? common_option(t, o->key, value)
						: t->def->option(t, o->key, value);
		}
		/* --help wins over what follows, but an option after it may say more (-t of lxc-create). */
		if (help && !t->def->more_help)
			break;
	}
	opt_parser_done(&p);
	if (help) {
		print_help(t);
		return 1;
	}
	return e ? usage_chain(t, &e) : r;
}

void tool_fill_stdio(void)
{
	int fd;

	/* Opened the wrong way round, so that reading and writing fail as they would on nothing. */
	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO) {
		(void)close(fd);
		if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return;
	}
	fd_close(fd);
}

static bool start_log(struct tool *t)
{
	struct lxc_log log = {
		.name = t->name,
		.lxcpath = t->paths.n ? t->paths.v[0] : NULL,
		.file = t->logfile ? t->logfile : t->loglevel ? NULL : "none",
		.level = t->loglevel ? t->loglevel : "ERROR",
		.prefix = t->def->prog,
		.quiet = t->quiet,
	};

	if (!t->logfile && !t->loglevel)
		return true;
	if (lxc_log_init(&log) == 0)
		return true;
	(void)tool_failed(t, NULL, "cannot write the log to %s", t->logfile ? t->logfile : "the default file");
	return false;
}

bool tool_begin(struct tool *t, const struct tool_def *def, void *data, int argc, char **argv, int *ret_exit)
{
	auto_err struct err *e = NULL;
	int r;

	tool_fill_stdio();
	t->def = def;
	t->data = data;
	*ret_exit = EXIT_FAILURE;
	/* Known before the first option that may be wrong. */
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (STREQ(argv[i], "--json-errors"))
			t->json_errors = true;
	/* Without memory the C library writes what is left, and says nothing. */
	if (!closing.def)
		(void)atexit(close_output);
	closing = (typeof(closing)){ .def = def, .json_errors = t->json_errors };
	r = parse(t, argc, argv);
	closing.quiet = t->quiet;
	if (r != 0) {
		*ret_exit = r > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
		return false;
	}
	t->args = argv + optind;
	t->n_args = argc - optind;
	if (!(def->flags & TOOL_NO_NAME)) {
		if (!t->name && t->n_args > 0) {
			t->name = *t->args++;
			t->n_args--;
		}
		if (!t->name) {
			(void)tool_usage(t, "no container name given");
			return false;
		}
		if (name_check(t->name, &e) < 0) {
			(void)tool_error_chain(t, e);
			return false;
		}
		if (t->n_args && !(def->flags & TOOL_TAKES_ARGS))
			tool_warn(t, "the argument '%s' is not used", t->args[0]);
	}
	return start_log(t);
}

void tool_done(struct tool *t)
{
	strv_done(&t->paths);
}

const char *tool_lxcpath(struct tool *t)
{
	const char *path = t->paths.n ? t->paths.v[0] : lxc_get_global_config_item("lxc.lxcpath");

	if (!path)
		(void)tool_failed(t, NULL, "the system configuration gives no lxc.lxcpath");
	return path;
}

static bool may_read(struct tool *t, const char *lxcpath)
{
	auto_err struct err *e = NULL;

	if (!(t->def->flags & TOOL_READS_PATH) || geteuid() == 0 || access(lxcpath, R_OK) == 0 ||
	    errno == ENOENT)
		return true;
	(void)err_lxcpath_unreadable(&e, lxcpath, t->name);
	(void)tool_error_chain(t, e);
	return false;
}

/* Puts FILE in the place of what was loaded. */
static bool use_rcfile(struct tool *t, struct lxc_container *c)
{
	c->clear_config(c);
	if (c->load_config(c, t->rcfile))
		return true;
	(void)tool_failed(t, c, "cannot load %s", t->rcfile);
	return false;
}

struct lxc_container *tool_open(struct tool *t)
{
	const char *lxcpath = tool_lxcpath(t);
	auto_err struct err *e = NULL;
	struct lxc_container *c;

	if (!lxcpath || !may_read(t, lxcpath))
		return NULL;
	c = lxc_container_new(t->name, lxcpath);
	if (!c) {
		(void)tool_failed(t, NULL, "cannot open container %s in %s", t->name, lxcpath);
		return NULL;
	}
	if (t->rcfile && !use_rcfile(t, c)) {
		tool_close(t, c);
		return NULL;
	}
	if (t->starts && c->is_defined(c))
		(void)lxcext_start_ahead(c);
	/* Without memory each call looks itself. */
	if (t->def->flags & TOOL_ONE_LOOK)
		(void)lxcext_keep_state(c, true);
	if (!c->may_control(c)) {
		/* A stranger or silence at the socket is told in full. */
		if (strcmp(lxcext_error_id(c), "monitor-refused") != 0) {
			(void)tool_failed(t, c, "cannot control %s", t->name);
			tool_close(t, c);
			return NULL;
		}
		(void)err_control_denied(&e, t->name);
		(void)tool_error_chain(t, e);
		tool_close(t, c);
		return NULL;
	}
	tool_show_warnings(t, c);
	return c;
}

void tool_close(struct tool *t, struct lxc_container *c)
{
	if (!c)
		return;
	tool_show_warnings(t, c);
	(void)lxc_container_put(c);
}

void tool_end(struct tool *t, struct lxc_container *c, int r)
{
	if (c)
		tool_show_warnings(t, c);
	exit(r);
}

bool tool_is_configured(struct tool *t, struct lxc_container *c)
{
	return t->rcfile || c->is_defined(c);
}

int tool_unknown(struct tool *t)
{
	auto_err struct err *e = NULL;
	const char *lxcpath = tool_lxcpath(t);

	if (!lxcpath)
		return EXIT_FAILURE;
	(void)err_container_unknown(&e, t->name, lxcpath);
	return tool_error_chain(t, e);
}

int tool_not_running(struct tool *t)
{
	auto_err struct err *e = NULL;

	(void)err_not_running(&e, t->name, tool_given_path(t));
	return tool_error_chain(t, e);
}

int tool_number(struct tool *t, const char *option, const char *value, int min, int *ret)
{
	int v, r = num_int(value, 10, &v);

	if (r == -EINVAL)
		return tool_usage(t, "option %s: '%s' is not a number", option, value);
	if (r == -ERANGE)
		return tool_usage(t, "option %s: %s is out of range", option, value);
	if (v < min)
		return tool_usage(t, "option %s: %s is less than %d", option, value, min);
	*ret = v;
	return 0;
}

int tool_id(struct tool *t, const char *option, const char *value, unsigned *ret)
{
	uint32_t v;
	int r = num_id(value, &v);

	if (r == -EINVAL)
		return tool_usage(t, "option %s: '%s' is not a numeric id", option, value);
	if (r < 0)
		return tool_usage(t, "option %s: %s is out of range; ids go from 0 to 4294967294", option, value);
	*ret = v;
	return 0;
}

int tool_size(struct tool *t, const char *option, const char *value, uint64_t *ret)
{
	static const char units[] = "bkmgt", rule[] = "write a number and B, K, M, G or T";
	size_t n = strspn(value, "0123456789");
	auto_free char *digits = strndup(value, n);
	unsigned shift = 20;
	uint64_t v;

	if (!digits)
		return tool_usage(t, "out of memory");
	if (value[n]) {
		const char *unit = strchr(units, value[n] | 0x20);

		if (!unit || value[n + 1])
			return tool_usage(t, "option %s: '%s' is not a size; %s", option, value, rule);
		shift = (unsigned)(unit - units) * 10;
	}
	if (n == 0 || num_u64(digits, 10, UINT64_MAX >> shift, &v) < 0 || v == 0)
		return tool_usage(t, "option %s: '%s' is not a size; %s", option, value, rule);
	*ret = v << shift;
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-attach - runs a program, or a shell, inside a running container. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lxc/lxcext.h>

#include "base/err.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/table.h"
#include "common/namespaces.h"
#include "common/restore.h"

#define OPT_TABLE "lxc-attach.opt"
#include "common/opt_table.h"

static const struct name_value privileges[] = {
	{ "CGROUP", LXC_ATTACH_MOVE_TO_CGROUP },
	{ "CAP", LXC_ATTACH_DROP_CAPABILITIES },
	{ "LSM", LXC_ATTACH_LSM },
};
#define ALL_PRIVILEGES (LXC_ATTACH_MOVE_TO_CGROUP | LXC_ATTACH_DROP_CAPABILITIES | LXC_ATTACH_LSM)

/* The words of lxc.arch. */
static const char *const arch32[] = { "arm",  "armel", "armhf",	  "armv7l", "athlon", "i386", "i486",	 "i586",
				      "i686", "linux32", "mips", "mipsel", "ppc",    "powerpc", "x32", "x86" };
static const char *const arch64[] = { "aarch64", "amd64",   "arm64",   "linux64", "loongarch64",
				      "loong64", "mips64",  "mips64el", "ppc64",   "ppc64el",
				      "ppc64le", "powerpc64", "riscv64", "s390x",   "x86_64" };

struct attach {
	lxc_attach_options_t options;
	struct strv set_vars, keep_vars;
	int elevated;		/* attach flags to turn off */
	bool namespaces_given, remount, env_given;
	const char *pty_log;
};

static const struct name_value *find_privilege(const char *word)
{
	return table_by_name_n(privileges, ARRAY_SIZE(privileges), word);
}

static int parse_arch(struct tool *t, const char *word, long *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(arch32); i++)
		if (strcmp(arch32[i], word) == 0)
			return *ret = PER_LINUX32, 0;
	for (size_t i = 0; i < ARRAY_SIZE(arch64); i++)
		if (strcmp(arch64[i], word) == 0)
			return *ret = PER_LINUX, 0;
	return tool_usage(t, "option --arch (-a): '%s' is not an architecture that lxc.arch knows", word);
}

static int set_var(struct tool *t, struct attach *a, const char *value)
{
	const char *eq = strchr(value, '=');

	if (!eq || eq == value)
		return tool_usage(t, "option --set-var (-v): '%s' is not VARIABLE=VALUE", value);
	return strv_add(&a->set_vars, value) < 0 ? tool_usage(t, "out of memory") : 0;
}

static int option(struct tool *t, int key, const char *value)
{
	struct attach *a = t->data;

	switch ((enum key)key) {
	case KEY_ELEVATED:
		a->elevated = ALL_PRIVILEGES;
		return value ? words_parse(t, "--elevated-privileges (-e)", "privilege (CGROUP, CAP, LSM)", value,
					   find_privilege, &a->elevated)
			     : 0;
	case KEY_ARCH:
		return parse_arch(t, value, &a->options.personality);
	case KEY_NAMESPACES:
		a->namespaces_given = true;
		return namespaces_parse(t, value, &a->options.namespaces);
	case KEY_REMOUNT:
		a->remount = true;
		return 0;
	case KEY_CLEAR_ENV:
		a->options.env_policy = LXC_ATTACH_CLEAR_ENV;
		a->env_given = true;
		return 0;
	case KEY_KEEP_ENV:
		a->options.env_policy = LXC_ATTACH_KEEP_ENV;
		a->env_given = true;
		return 0;
	case KEY_PTY_LOG:
		a->pty_log = value;
		return 0;
	case KEY_KEEP_VAR:
		return strv_add(&a->keep_vars, value) < 0 ? tool_usage(t, "out of memory") : 0;
	case KEY_SET_VAR:
		return set_var(t, a, value);
	case KEY_RCFILE:
		t->rcfile = value;
		return 0;
	case KEY_UID:
		return tool_id(t, "--uid (-u)", value, &a->options.uid);
	case KEY_GID:
		return tool_id(t, "--gid (-g)", value, &a->options.gid);
	case KEY_CONTEXT:
		a->options.lsm_label = (char *)value;
		return 0;
	case KEY_NONE:
		break;
	}
	return 0;
}

/* What means something else in a container: paths, identity, sockets and libraries of the host. */
static bool is_of_host(const char *pair)
{
	static const char *const names[] = { "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "HISTFILE" };
	static const char *const prefixes[] = { "XDG_", "DBUS_", "SSH_", "LD_" };
	size_t n = strcspn(pair, "=");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == n && strncmp(pair, names[i], n) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (str_after(pair, prefixes[i]))
			return true;
	return false;
}

/* Without --clear-env and --keep-env: the caller's variables as LXC gives them, but for the host's. The
 * library wants the names of those that stay. */
static int choose_environment(struct tool *t, struct attach *a)
{
	if (a->env_given)
		return 0;
	a->options.env_policy = LXC_ATTACH_CLEAR_ENV;
	for (char **v = environ; *v; v++)
		if (!is_of_host(*v) && strv_addf(&a->keep_vars, "%.*s", (int)strcspn(*v, "="), *v) < 0)
			return tool_usage(t, "out of memory");
	return 0;
}

static int finish_options(struct tool *t, struct attach *a)
{
	lxc_attach_options_t *o = &a->options;

	if (choose_environment(t, a) < 0)
		return -1;

	if (a->namespaces_given)
		a->elevated = ALL_PRIVILEGES;
	if (o->lsm_label && (a->elevated & LXC_ATTACH_LSM))
		return tool_usage(t, "option --context (-c) contradicts --elevated-privileges with LSM, which "
				     "--namespaces implies");
	if (a->remount)
		o->attach_flags |= LXC_ATTACH_REMOUNT_PROC_SYS;
	o->attach_flags &= ~a->elevated;
	if (o->lsm_label)
		o->attach_flags |= LXC_ATTACH_LSM_EXEC | LXC_ATTACH_LSM_LABEL;
	if (isatty(STDIN_FILENO) || isatty(STDOUT_FILENO) || isatty(STDERR_FILENO))
		o->attach_flags |= LXC_ATTACH_TERMINAL;
	o->extra_env_vars = a->set_vars.v;
	o->extra_keep_env = a->keep_vars.v;
	return 0;
}

/* The exit status that a shell would show. */
static int wait_for(struct tool *t, pid_t pid, bool pass_signals)
{
	int status;

	/* A program without a terminal of its own does not notice our end: it gets the signal itself, and its
	 * end is then ours. */
	if (pass_signals)
		restore_pass_signals_to(pid);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return tool_error(t, "cannot learn how the program ended");
	restore_pass_signals_to(0);
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : EXIT_FAILURE;
}

/* Never through a link, and never a fifo or device that would block. An fd, or -1 after a message. */
static int open_log(struct tool *t, const char *path)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_SYNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
				 0640);
	auto_err struct err *e = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		(void)err_set(&e, errno, NULL, "cannot open the log %s", path);
	else if (!S_ISREG(st.st_mode))
		(void)err_set(&e, 0, NULL, "the log %s is not a regular file", path);
	if (!e)
		return take_fd(&fd);
	(void)tool_error_chain(t, e);
	return -1;
}

static int run(struct tool *t, struct attach *a, struct lxc_container *c)
{
	lxc_attach_command_t command = { .program = t->args[0], .argv = t->args };
	auto_close int log = -EBADF;
	pid_t pid = -1;
	int r;

	if (!c->is_running(c))
		return tool_is_configured(t, c) ? tool_not_running(t) : tool_unknown(t);
	if (a->pty_log) {
		log = open_log(t, a->pty_log);
		if (log < 0)
			return EXIT_FAILURE;
		a->options.log_fd = log;
	}
	restore_terminal_when_killed();
	r = c->attach(c, a->env_given ? lxcext_attach_exec : lxcext_attach_login, t->n_args ? &command : NULL, &a->options,
		      &pid);
	if (r < 0)
		return tool_failed(t, c, "cannot attach to %s", t->name);
	return wait_for(t, pid, !(a->options.attach_flags & LXC_ATTACH_TERMINAL));
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-attach",
		.synopsis = "[OPTION]... -n NAME [-- COMMAND [ARGUMENT]...]",
		.summary = "Runs COMMAND, or the user's shell, inside a running container.",
		.flags = TOOL_READS_PATH | TOOL_TAKES_ARGS | TOOL_ONE_LOOK,
		.option = option);
	struct attach a = { .options = LXC_ATTACH_OPTIONS_DEFAULT };
	auto_tool struct tool t = { 0 };
	struct lxc_container *c;
	int r;

	tool_fill_stdio();
	if (lxcext_protect_self(argv) < 0)
		return tool_failed(&(struct tool){ .def = &def }, NULL, "cannot protect the program's file");
	if (tool_begin(&t, &def, &a, argc, argv, &r)) {
		r = EXIT_FAILURE;
		c = finish_options(&t, &a) < 0 ? NULL : tool_open(&t);
		if (c && strcmp(c->state(c), "FROZEN") == 0)
			tool_warn(&t, "%s is frozen: nothing runs in it until lxc-unfreeze -n %s%s%s", t.name, t.name,
			  PATH_OPTION(c->get_config_path(c)));
		if (c)
			r = run(&t, &a, c);
		tool_end(&t, c, r);
	}
	strv_done(&a.set_vars);
	strv_done(&a.keep_vars);
	return r;
}

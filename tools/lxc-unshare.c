/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-unshare - runs a command in namespaces of its own, without a container. */
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "base/path.h"
#include "common/namespaces.h"
#include "common/tool.h"

#define OPT_TABLE "lxc-unshare.opt"
#include "common/opt_table.h"

struct unshare {
	int flags;
	uint32_t uid;
	const char *hostname;
	struct strv interfaces;
	bool daemon, remount;
};

static int parse_user(struct tool *t, const char *value, uint32_t *ret)
{
	const struct passwd *pw;

	if (num_id(value, ret) == 0)
		return 0;
	pw = getpwnam(value);
	if (!pw)
		return tool_usage(t, "option --user (-u): there is no user %s", value);
	*ret = pw->pw_uid;
	return 0;
}

static int option(struct tool *t, int key, const char *value)
{
	struct unshare *u = t->data;

	switch ((enum key)key) {
	case KEY_NAMESPACES:
		return namespaces_parse(t, value, &u->flags);
	case KEY_USER:
		return parse_user(t, value, &u->uid);
	case KEY_HOSTNAME:
		u->hostname = value;
		return 0;
	case KEY_IFNAME:
		if (!ifname_is_valid(value))
			return tool_usage(t, "option --ifname (-i): '%s' is not the name of an interface", value);
		return strv_add(&u->interfaces, value) < 0 ? tool_usage(t, "out of memory") : 0;
	case KEY_DAEMON:
		u->daemon = true;
		return 0;
	case KEY_REMOUNT:
		u->remount = true;
		return 0;
	case KEY_NONE:
		break;
	}
	return 0;
}

static int check_options(struct tool *t, const struct unshare *u)
{
	if (t->n_args == 0)
		return tool_usage(t, "no command given");
	if (!u->flags)
		return tool_usage(t, "no namespaces given (option --namespaces)");
	if (u->interfaces.n && !(u->flags & CLONE_NEWNET))
		return tool_usage(t, "option --ifname (-i) needs a NETWORK namespace (-s NETWORK)");
	if (u->hostname && !(u->flags & CLONE_NEWUTS))
		return tool_usage(t, "option --hostname (-H) needs a UTSNAME namespace (-s UTSNAME)");
	if (u->remount && !(u->flags & CLONE_NEWNS))
		return tool_usage(t, "option --remount (-M) needs a MOUNT namespace (-s MOUNT)");
	return 0;
}

static int mount_fresh(const char *type, const char *target, unsigned long flags, struct err **e)
{
	if (mkdir(target, 0755) < 0 && errno != EEXIST)
		return err_set(e, errno, NULL, "cannot create the directory %s", target);
	if (mount(type, target, type, flags, NULL) < 0)
		return err_set(e, errno, NULL, "cannot mount %s on %s", type, target);
	return 0;
}

static int remount(struct err **e)
{
	int r;

	if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return err_set(e, errno, NULL, "cannot keep mounts from spreading to the host");
	r = mount_fresh("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, e);
	if (r == 0)
		r = mount_fresh("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, e);
	return r == 0 ? mount_fresh("mqueue", "/dev/mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, e) : r;
}

static int settle(const struct unshare *u, struct err **e)
{
	int r;

	if (u->flags & CLONE_NEWUSER) {
		if (setgroups(0, NULL) < 0 && errno != EPERM)
			return err_set(e, errno, NULL, "cannot drop the supplementary groups");
		if (setresuid(u->uid, u->uid, u->uid) < 0)
			return err_set(e, errno, NULL, "cannot become user %u", u->uid);
	}
	if ((u->flags & CLONE_NEWNS) && u->remount) {
		r = remount(e);
		if (r < 0)
			return r;
	}
	if (u->hostname && sethostname(u->hostname, strlen(u->hostname)) < 0)
		return err_set(e, errno, NULL, "cannot set the host name to %s", u->hostname);
	return 0;
}

/* Waits for the parent's word, then runs the command. Returns only on failure. */
static int child(struct tool *t, const struct unshare *u, int sock)
{
	auto_err struct err *e = NULL;
	char byte;

	if (read(sock, &byte, 1) != 1)
		return EXIT_FAILURE;	/* the parent has said why */
	if (settle(u, &e) == 0) {
		(void)execvp(t->args[0], t->args);
		(void)err_set(&e, errno, NULL, "cannot execute %s", t->args[0]);
	}
	return tool_error_chain(t, e);
}

/* One id inside, the caller's. */
static int map_user(const struct unshare *u, pid_t pid, struct err **e)
{
	char path[64], text[64];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
	(void)snprintf(text, sizeof(text), "%u %u 1\n", u->uid, (unsigned)getuid());
	r = io_write_value(AT_FDCWD, path, text);
	return r < 0 ? err_set(e, -r, NULL, "cannot map the user id %u", u->uid) : 0;
}

static int move_interface(const char *name, pid_t pid, struct err **e)
{
	char number[16];
	int status = 0;
	pid_t ip = fork();

	if (ip == 0) {
		(void)snprintf(number, sizeof(number), "%d", (int)pid);
		(void)execlp("ip", "ip", "link", "set", "dev", name, "netns", number, (char *)NULL);
		_exit(127);
	}
	while (ip > 0 && waitpid(ip, &status, 0) < 0 && errno == EINTR)
		;
	if (ip > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_set(e, 0, NULL, "interface %s cannot be moved to the new namespace", name);
}

static int prepare(const struct unshare *u, pid_t pid, struct err **e)
{
	int r = u->flags & CLONE_NEWUSER ? map_user(u, pid, e) : 0;

	for (size_t i = 0; r == 0 && i < u->interfaces.n; i++)
		r = move_interface(u->interfaces.v[i], pid, e);
	return r;
}

/* A PID namespace begins with the next child: the namespaces are made in a process in between. */
static int between(struct tool *t, const struct unshare *u, int sock)
{
	auto_err struct err *e = NULL;
	pid_t pid;

	if (unshare(u->flags) < 0) {
		(void)err_set(&e, errno, NULL, "cannot make the namespaces");
		return tool_error_chain(t, e);
	}
	pid = fork();
	if (pid == 0)
		_exit(child(t, u, sock));
	if (pid < 0 || write(sock, &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

static int run(struct tool *t, const struct unshare *u)
{
	auto_err struct err *e = NULL;
	int sock[2], status, r;
	pid_t middle, pid;
	char byte = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return tool_error(t, "cannot make a socket pair");
	/* The command is the middle process's child; it becomes ours when that one ends. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	middle = fork();
	if (middle == 0) {
		(void)close(sock[0]);
		_exit(between(t, u, sock[1]));
	}
	(void)close(sock[1]);
	r = middle > 0 && read(sock[0], &pid, sizeof(pid)) == (ssize_t)sizeof(pid) ? prepare(u, pid, &e) : -1;
	if (r == 0 && write(sock[0], &byte, 1) != 1)
		r = -1;
	(void)close(sock[0]);
	if (middle > 0)
		(void)waitpid(middle, &status, 0);
	if (r < 0)
		return e ? tool_error_chain(t, e) : EXIT_FAILURE;
	if (u->daemon)
		return EXIT_SUCCESS;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_FAILURE;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char *argv[])
{
	static const struct tool_def def = TOOL_DEF(
		.prog = "lxc-unshare",
		.synopsis = "[OPTION]... -s NAMESPACES [--] COMMAND [ARGUMENT]...",
		.summary = "Runs COMMAND in new namespaces, without a container.",
		.flags = TOOL_NO_NAME | TOOL_TAKES_ARGS,
		.option = option);
	struct unshare u = { .uid = getuid() };
	auto_tool struct tool t = { 0 };
	int r;

	if (tool_begin(&t, &def, &u, argc, argv, &r))
		r = check_options(&t, &u) < 0 ? EXIT_FAILURE : run(&t, &u);
	strv_done(&u.interfaces);
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "autostart-user.h"

#include <fcntl.h>
#include <pwd.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/paths.h"

#define UNIT "lxc-user.service"
#define WANTS "default.target.wants"

static const char unit_text[] =
	"# Made by lxc-autostart --enable.\n"
	"[Unit]\n"
	"Description=The LXC containers of this user that are marked for it\n"
	"Documentation=man:lxc-autostart(1)\n"
	"\n"
	"[Service]\n"
	"Type=oneshot\n"
	"RemainAfterExit=yes\n"
	"ExecStart=" PATH_BIN "/lxc-autostart -a\n"
	"ExecStop=" PATH_BIN "/lxc-autostart -s -a -A\n"
	"# The cgroups below this unit's are the containers', and stopping them is up to the line above.\n"
	"Delegate=yes\n"
	"KillMode=process\n"
	"TimeoutStartSec=0\n"
	"TimeoutStopSec=0\n"
	"\n"
	"[Install]\n"
	"WantedBy=default.target\n";

/* Every directory of path; an fd of the last. -errno. */
static int make_dirs(const char *path)
{
	auto_free char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *p = strchr(copy + 1, '/');; p = strchr(p + 1, '/')) {
		if (p)
			*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -errno;
		if (!p)
			break;
		*p = '/';
	}

	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The directory of the user's units (new). */
static char *unit_dir(void)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (config && *config == '/')
		return path_join(config, "systemd/user");
	return home && *home == '/' ? path_join(home, ".config/systemd/user") : NULL;
}

/* True if the program ran and said yes. Its words are not ours. */
static bool ask(const char *const *argv)
{
	posix_spawn_file_actions_t quiet;
	int status = -1;
	pid_t pid;

	(void)posix_spawn_file_actions_init(&quiet);
	for (int fd = 0; fd < 3; fd++)
		(void)posix_spawn_file_actions_addopen(&quiet, fd, "/dev/null", O_RDWR, 0);
	if (posix_spawnp(&pid, argv[0], &quiet, NULL, (char *const *)argv, environ) != 0)
		pid = -1;
	(void)posix_spawn_file_actions_destroy(&quiet);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool reload(void)
{
	return ask((const char *const[]){ "systemctl", "--user", "daemon-reload", NULL });
}

static void say_lingering(const char *user)
{
	bool on = ask((const char *const[]){ "loginctl", "enable-linger", user, NULL });

	if (on)
		printf("enabled lingering of %s: the containers start at boot, without a login, and go on after a logout\n",
		       user);
	else
		printf("lingering of %s could not be enabled: the containers start at the first login only\n"
		       "  try: as root: loginctl enable-linger %s\n", user, user);
}

static int enable(struct tool *t, const char *dir, const char *user)
{
	auto_close int fd = make_dirs(dir), wants = -EBADF;
	auto_err struct err *e = NULL;
	int r = fd < 0 ? err_set(&e, -fd, NULL, "cannot make %s", dir) : 0;

	if (r == 0)
		r = io_replace(fd, UNIT, unit_text, sizeof(unit_text) - 1, 0644, &e);
	if (r == 0 && mkdirat(fd, WANTS, 0755) < 0 && errno != EEXIST)
		r = err_set(&e, errno, NULL, "cannot make %s/" WANTS, dir);
	if (r == 0) {
		wants = openat(fd, WANTS, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (wants < 0 || (symlinkat("../" UNIT, wants, UNIT) < 0 && errno != EEXIST))
			r = err_set(&e, errno, NULL, "cannot make %s/" WANTS "/" UNIT, dir);
	}
	if (r < 0)
		return tool_error_chain(t, e);
	printf("made %s/" UNIT ", which starts the containers that have lxc.start.auto = 1\n", dir);
	if (!reload())
		printf("your systemd manager does not run here: it takes the unit when it starts\n");
	say_lingering(user);
	return EXIT_SUCCESS;
}

static int disable(struct tool *t, const char *dir)
{
	auto_close int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_err struct err *e = NULL;

	if ((fd < 0 && errno != ENOENT) || (fd >= 0 && unlinkat(fd, WANTS "/" UNIT, 0) < 0 && errno != ENOENT) ||
	    (fd >= 0 && unlinkat(fd, UNIT, 0) < 0 && errno != ENOENT)) {
		(void)err_set(&e, errno, NULL, "cannot remove %s/" UNIT, dir);
		return tool_error_chain(t, e);
	}
	(void)reload();
	printf("removed %s/" UNIT ": no container starts at boot; lingering stays as it is (loginctl disable-linger)\n", dir);
	return EXIT_SUCCESS;
}

int autostart_user(struct tool *t, bool on)
{
	auto_free char *dir = unit_dir();
	const struct passwd *pw = getpwuid(getuid());
	int r;

	if (geteuid() == 0) {
		(void)tool_usage(t, "root's containers are started by lxc.service: systemctl %s lxc", on ? "enable" : "disable");
		return EXIT_FAILURE;
	}
	if (!dir || !pw) {
		(void)tool_usage(t, "%s", dir ? "your user id has no name" : "HOME is not set");
		return EXIT_FAILURE;
	}
	r = on ? enable(t, dir, pw->pw_name) : disable(t, dir);
	return r == EXIT_SUCCESS ? tool_flush(t) : r;
}

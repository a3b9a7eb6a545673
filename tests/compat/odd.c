/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* odd - a client in an unusual state takes a container through its life: created, started, entered, copied, saved,
 * stopped and destroyed. One line "ok TEXT", "bad TEXT" or "skip TEXT" per fact, in the file that is named.
 *
 *	odd FACTS LXCPATH NAME STATE [NUMBER]
 *
 * STATE is one of those of the table at the end. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <lxc/attach_options.h>
#include <lxc/lxccontainer.h>
#include <lxc/lxcext.h>

#define MARK "/run/odd.mark"

static const char *lxcpath, *name, *state;
static long number;
static int facts = -1;

static void verdict(const char *word, const char *text)
{
	char line[640];
	int n = snprintf(line, sizeof(line), "%s\t%s: %s\n", word, state, text);

	if (write(facts, line, (size_t)n) != n)
		abort();
}

static void fact(int good, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	verdict(good ? "ok" : "bad", text);
}

/* As fact; what failed is told, too. */
static int did(struct lxc_container *c, int good, const char *what)
{
	char *text = good ? NULL : lxcext_error_text(c, true);

	for (char *p = text; p && (p = strchr(p, '\n')) != NULL;)
		*p = ';';
	fact(good, "%s%s%s", what, text ? " - " : "", text ? text : "");
	free(text);
	return good;
}

/* ---- the states */

static void nothing(void)
{
}

static void big(void)
{
	size_t size = (size_t)number << 20;
	volatile char *p = malloc(size);

	for (size_t i = 0; p && i < size; i += 4096)
		p[i] = 1;
	fact(p != NULL, "has %ld MiB", number);
}

static void open_files(void)
{
	struct rlimit l = { (rlim_t)number + 200, (rlim_t)number + 200 };

	(void)setrlimit(RLIMIT_NOFILE, &l);
	for (long i = 0; i < number; i++)
		if (open(MARK, O_RDWR) < 0)
			fact(0, "has %ld descriptors: %s", i, strerror(errno));
}

static void few_files(void)
{
	struct rlimit l;

	(void)getrlimit(RLIMIT_NOFILE, &l);
	l.rlim_cur = (rlim_t)number;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

static void no_sigchld(void)
{
	(void)signal(SIGCHLD, SIG_IGN);
}

static void no_sigpipe(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
}

static void all_blocked(void)
{
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
}

static void no_stdio(void)
{
	for (int fd = 0; fd < 3; fd++)
		(void)close(fd);
}

static void no_cwd(void)
{
	(void)mkdir("/run/odd.cwd", 0700);
	if (chdir("/run/odd.cwd") < 0 || rmdir("/run/odd.cwd") < 0)
		fact(0, "is nowhere");
}

static void masked(void)
{
	(void)umask((mode_t)number);
}

static atomic_bool over;

static void *busy(void *arg)
{
	while (!over) {
		char *p = malloc(100000), *q = strdup("here");
		struct tm tm;
		time_t now = time(NULL);

		(void)localtime_r(&now, &tm);
		free(q);
		free(p);
	}
	return arg;
}

static void threads(void)
{
	pthread_t t;

	for (long i = 0; i < number; i++)
		if (pthread_create(&t, NULL, busy, NULL) != 0)
			fact(0, "has %ld threads", i);
}

/* ---- what is looked at */

static char *line_of(pid_t pid, const char *file, const char *key, char *buf, int size)
{
	FILE *f;

	(void)snprintf(buf, (size_t)size, "/proc/%d/%s", (int)pid, file);
	f = fopen(buf, "re");
	buf[0] = '\0';
	while (f && fgets(buf, size, f) && strncmp(buf, key, strlen(key)) != 0)
		buf[0] = '\0';
	if (f)
		(void)fclose(f);
	buf[strcspn(buf, "\n")] = '\0';
	return buf;
}

static pid_t parent_of(pid_t pid)
{
	char buf[256];
	int ppid = -1;

	(void)sscanf(line_of(pid, "status", "PPid:", buf, sizeof(buf)), "PPid: %d", &ppid);
	return ppid;
}

/* How many descriptors of a process are of the file that only the client has opened. */
static int marks(pid_t pid)
{
	char path[64], target[256];
	int n = 0;

	for (int fd = 0; fd < 3000; fd++) {
		ssize_t len;

		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
		len = readlink(path, target, sizeof(target) - 1);
		if (len > 0) {
			target[len] = '\0';
			n += strcmp(target, MARK) == 0;
		}
	}
	return n;
}

static int n_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 3000; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static long kib_of(pid_t pid)
{
	char buf[256];
	long kib = -1;

	(void)sscanf(line_of(pid, "smaps_rollup", "Anonymous:", buf, sizeof(buf)), "Anonymous: %ld", &kib);
	return kib;
}

/* What of this process nobody else may change. */
struct self {
	struct sigaction actions[65];
	sigset_t blocked;
	struct rlimit limit;
	struct stat cwd;
	mode_t mask;
	int n_fds;
};

static void look_at_self(struct self *s)
{
	memset(s, 0, sizeof(*s));
	for (int i = 1; i < 65; i++)
		(void)sigaction(i, NULL, &s->actions[i]);
	(void)sigprocmask(SIG_SETMASK, NULL, &s->blocked);
	(void)getrlimit(RLIMIT_NOFILE, &s->limit);
	(void)stat(".", &s->cwd);
	s->mask = umask(0);
	(void)umask(s->mask);
	s->n_fds = n_fds();
}

static void compare_self(const struct self *a)
{
	struct self b;
	int changed = 0;

	look_at_self(&b);
	for (int i = 1; i < 65; i++)
		changed += a->actions[i].sa_handler != b.actions[i].sa_handler;
	fact(changed == 0, "its signals are handled as before");
	fact(memcmp(&a->blocked, &b.blocked, sizeof(b.blocked)) == 0, "and blocked as before");
	fact(a->limit.rlim_cur == b.limit.rlim_cur, "its limit is as before");
	fact(a->cwd.st_ino == b.cwd.st_ino && a->cwd.st_dev == b.cwd.st_dev, "it is where it was");
	fact(a->mask == b.mask, "its umask is as before");
	fact(a->n_fds == b.n_fds, "it has as many descriptors as before");
	fact(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "it has no child");
}

/* The same as with the client in the state "plain", which is the first. */
static void as_plain(const char *what, const char *text)
{
	char path[128], there[4096];
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof(path), "/run/odd.plain.%s", what);
	f = fopen(path, strcmp(state, "plain") == 0 ? "we+" : "re");
	if (f && strcmp(state, "plain") == 0) {
		(void)fputs(text, f);
		rewind(f);
	}
	n = f ? fread(there, 1, sizeof(there) - 1, f) : 0;
	there[n] = '\0';
	if (f)
		(void)fclose(f);
	fact(n > 0 && strcmp(there, text) == 0, "%s is as always", what);
	if (n == 0 || strcmp(there, text) != 0)
		fact(0, "%s is: %s", what, text);
}

static char *file_inside(const char *file, char *buf, size_t size)
{
	char path[512];
	size_t n;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s/rootfs/root/%s", lxcpath, name, file);
	f = fopen(path, "re");
	n = f ? fread(buf, 1, size - 1, f) : 0;
	buf[n] = '\0';
	if (f)
		(void)fclose(f);
	for (char *p = buf; (p = strchr(p, '\n')) != NULL;)
		*p = ' ';
	return buf;
}

/* ---- the life */

static void look_at_running(struct lxc_container *c)
{
	pid_t init = c->init_pid(c), monitor = parent_of(init);
	struct rlimit mine, its;
	char buf[256];
	long kib = kib_of(monitor);

	fact(init > 0 && monitor > 1 && monitor != getpid(), "the monitor is another process");
	if (getenv("TIFFIN_SANITIZED")) {
		verdict("skip", "the monitor is small\tASan: what it knows of memory is the monitor's as well");
	} else {
		fact(kib >= 0 && kib < 8192, "the monitor is small");
		if (kib >= 8192)
			fact(0, "it has %ld KiB", kib);
	}
	fact(marks(monitor) == 0 && marks(init) == 0, "neither monitor nor init have a descriptor of the client");
	/* busybox's init blocks some now and then. */
	for (int i = 0; i < 50; i++) {
		line_of(init, "status", "SigBlk:", buf, sizeof(buf));
		if (strcmp(buf, "SigBlk:\t0000000000000000") == 0)
			break;
		(void)usleep(100000);
	}
	fact(strcmp(buf, "SigBlk:\t0000000000000000") == 0, "init has no signal blocked");
	(void)getrlimit(RLIMIT_NOFILE, &mine);
	fact(prlimit(init, RLIMIT_NOFILE, NULL, &its) == 0 && its.rlim_cur == mine.rlim_cur && its.rlim_max == mine.rlim_max,
	     "init's limit of open files is the client's");
	as_plain("init.signals", line_of(init, "status", "SigIgn:", buf, sizeof(buf)));
}

/* What a program in the container says of itself goes to a file there. */
static void look_from_inside(struct lxc_container *c)
{
	lxc_attach_options_t o = LXC_ATTACH_OPTIONS_DEFAULT;
	char buf[4096];
	const char *const argv[] = { "sh", "-c",
				     "for f in /dev/null /dev/zero /dev/tty /dev/pts /dev/shm /dev /proc /dev/pts/ptmx /root; do "
				     "stat -c '%n %a' $f; done >/root/modes; grep -E '^Sig(Ign|Blk)' /proc/self/status "
				     ">/root/signals; ls /proc/self/fd | wc -l >/root/fds; exit 7",
				     NULL };
	int status = c->attach_run_wait(c, &o, "sh", argv);
	pid_t pid = -1;
	lxc_attach_command_t command = { (char *)(uintptr_t)"true", (char *[]){ (char *)(uintptr_t)"true", NULL } };

	did(c, WIFEXITED(status) && WEXITSTATUS(status) == 7, "a program is run, and its status is known");
	did(c, c->attach(c, lxc_attach_run_command, &command, &o, &pid) == 0, "a function is run");
	status = -1;
	fact(pid > 0 && (waitpid(pid, &status, 0) == pid ? WIFEXITED(status) && WEXITSTATUS(status) == 0 : errno == ECHILD),
	     "it is the client's to wait for");
	as_plain("fds", file_inside("fds", buf, sizeof(buf)));
	as_plain("modes", file_inside("modes", buf, sizeof(buf)));
	if (strcmp(state, "no-sigchld") != 0 && strcmp(state, "no-sigpipe") != 0)
		as_plain("signals", file_inside("signals", buf, sizeof(buf)));
}

static void live(void)
{
	struct lxc_container *c = lxc_container_new(name, lxcpath), *copy;
	char other[128];
	struct lxc_snapshot *s;
	int n;

	if (!c) {
		fact(0, "a handle");
		return;
	}
	if (!did(c, c->createl(c, "busybox", NULL, NULL, LXC_CREATE_QUIET, NULL), "it is created")) {
		lxc_container_put(c);
		return;
	}
	did(c, c->set_config_item(c, "lxc.net.0.type", "empty") && c->save_config(c, NULL), "its configuration is saved");
	if (did(c, c->start(c, 0, NULL), "it is started")) {
		look_at_running(c);
		look_from_inside(c);
		did(c, c->freeze(c) && c->unfreeze(c), "it is frozen and goes on");
		did(c, c->reboot2(c, 30), "it is started again");
		did(c, c->shutdown(c, 30) || c->stop(c), "it is stopped");
		did(c, c->wait(c, "STOPPED", 30), "its end is seen");
	}
	(void)snprintf(other, sizeof(other), "%s-copy", name);
	copy = c->clone(c, other, NULL, LXC_CLONE_SNAPSHOT | LXC_CLONE_MAYBE_SNAPSHOT, NULL, NULL, 0, NULL);
	if (did(c, copy != NULL, "it is copied")) {
		did(copy, copy->start(copy, 0, NULL) && copy->stop(copy), "the copy runs");
		did(copy, copy->destroy(copy), "the copy is destroyed");
		lxc_container_put(copy);
	}
	did(c, c->snapshot(c, NULL) == 0, "a snapshot");
	n = c->snapshot_list(c, &s);
	did(c, n == 1, "it is listed");
	for (int i = 0; i < n; i++)
		s[i].free(&s[i]);
	if (n > 0)
		free(s);
	did(c, c->snapshot_restore(c, "snap0", NULL), "it is restored");
	did(c, c->destroy_with_snapshots(c), "all is destroyed");
	lxc_container_put(c);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*enter)(void);
	} states[] = {
		{ "plain", nothing },	       { "big", big },		     { "open-files", open_files },
		{ "few-files", few_files },    { "no-sigchld", no_sigchld }, { "no-sigpipe", no_sigpipe },
		{ "all-blocked", all_blocked }, { "no-stdio", no_stdio },    { "no-cwd", no_cwd },
		{ "umask", masked },	       { "threads", threads },
	};
	struct self self;

	if (argc < 5 || (facts = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
		return 2;
	lxcpath = argv[2];
	name = argv[3];
	state = argv[4];
	number = argc > 5 ? strtol(argv[5], NULL, 0) : 0;
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		if (strcmp(states[i].name, state) != 0)
			continue;
		states[i].enter();
		look_at_self(&self);
		live();
		over = true;
		compare_self(&self);
		return 0;
	}
	return 2;
}

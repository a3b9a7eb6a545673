/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* extra - what <lxc/lxcext.h> adds, on a real container: one line "ok TEXT" or "bad TEXT" per fact.
 *
 *	extra LXCPATH NAME
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lxc/lxccontainer.h>
#include <lxc/lxcext.h>

static void fact(int good, const char *text)
{
	printf("%s\t%s\n", good ? "ok" : "bad", text);
	fflush(stdout);
}

/* True when fd is readable within two seconds, again and again until the state is the one. */
static int sees(struct lxc_container *c, int fd, const char *state)
{
	for (int i = 0; i < 50; i++) {
		struct pollfd p = { fd, POLLIN, 0 };

		if (poll(&p, 1, 10000) != 1)
			return 0;
		if (strcmp(lxcext_state_read(c, fd), state) == 0)
			return 1;
	}
	return 0;
}

/* A child of this process, 0 without one. */
static pid_t child(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;
	pid_t found = 0;

	while (proc && !found && (d = readdir(proc))) {
		char path[300], line[512];
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/stat", d->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (fgets(line, sizeof(line), f) && strrchr(line, ')') && atoi(strrchr(line, ')') + 4) == (int)getpid())
			found = atoi(d->d_name);
		fclose(f);
	}
	if (proc)
		closedir(proc);
	return found;
}

static void *sleeps(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

/* How a process ends that executes a command in the place of itself; 99: it came back. 1: it has said why it cannot. */
static int executed(struct lxc_container *c, const char *command, int with_thread)
{
	char *const argv[] = { "/bin/sh", "-c", (char *)command, NULL };
	struct lxc_container *mine;
	pthread_t thread;
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (with_thread && pthread_create(&thread, NULL, sleeps, NULL) != 0)
			_exit(98);
		mine = lxc_container_new(c->name, c->config_path);
		if (mine)
			(void)lxcext_execute(mine, argv);
		_exit(99);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static void executes(struct lxc_container *c)
{
	fact(!lxcext_execute(NULL, NULL), "no handle executes nothing");
	fact(executed(c, "exit 6", 0) == 6, "a command in the place of the process ends it");
	fact(executed(c, "exit 7", 1) == 7, "of one with a second thread too");
	fact(c->wait(c, "STOPPED", 20) && executed(c, "kill -9 $$", 0) == 137, "or its signal does");
	fact(c->wait(c, "STOPPED", 20) && c->start(c, 0, NULL) && executed(c, "exit 6", 0) == 1 && c->is_running(c),
	     "what runs is left alone");
	fact(c->stop(c) && c->wait(c, "STOPPED", 20), "and stopped");
}

/* A start that is said to follow: with what was begun for it, and without. Leaves the container stopped. */
static void starts_ahead(struct lxc_container *c)
{
	struct lxc_container *other = lxc_container_new(c->name, c->config_path);
	siginfo_t si;
	pid_t ahead;

	fact(lxcext_start_ahead(NULL) == -EINVAL, "no handle is refused");
	fact(!child() && lxcext_start_ahead(c) == 0 && (ahead = child()) > 0, "a start is begun");
	fact(strcmp(c->state(c), "STOPPED") == 0, "which does not start");
	fact(c->start(c, 0, NULL) && c->is_running(c) && !child(), "the start that follows uses it up");
	fact(c->stop(c) && c->wait(c, "STOPPED", 20), "it stops");
	fact(lxcext_start_ahead(c) == 0 && lxcext_start_ahead(c) == 0 && (ahead = child()) > 0 && kill(ahead, SIGKILL) == 0 &&
		     waitid(P_PID, (id_t)ahead, &si, WEXITED | WNOWAIT) == 0,
	     "one that was begun is killed");
	fact(c->start(c, 0, NULL) && c->is_running(c) && !child(), "the start comes without it");
	fact(c->stop(c) && c->wait(c, "STOPPED", 20), "and it stops");
	fact(other && lxcext_start_ahead(other) == 0 && child() > 0 && lxc_container_put(other) == 1 && !child(),
	     "one that is not used ends with its handle");
}

static int has(const char *text, const char *part)
{
	if (text && strstr(text, part))
		return 1;
	fprintf(stderr, "no '%s' in: %s\n", part, text ? text : "(null)");
	return 0;
}

/* Facts of the running container, what is asked else, and one look for several questions. */
static void looks(struct lxc_container *c)
{
	static const char *const names[] = {
		"klxc.net.0.type", "?klxc.net.0.link", "klxc.net.7.type", "?klxc.net.0.link", "fno.such.file", "?kno.such.key",
		"fcgroup.procs",   "?klxc.net.0.link", "",		  "xlxc.net.0.type",
	};
	enum { N = sizeof(names) / sizeof(names[0]) };
	const char *many[65] = { NULL };
	char *v[N], *more[65];
	int good;

	good = lxcext_facts(c, names, N, v) == 0;
	fact(good && has(v[0], "veth") && !v[2], "facts of the running configuration");
	fact(good && !v[1] && has(v[3], "lxcbr0") && v[6] && !v[7], "what has an alternative is asked only without it");
	fact(good && !v[4] && !v[5] && !v[8] && !v[9], "what there is not has no value");
	for (int i = 0; good && i < N; i++)
		free(v[i]);
	for (int i = 0; i < 65; i++)
		many[i] = names[0];
	fact(lxcext_facts(c, many, 65, more) == -E2BIG, "too many facts are refused");

	fact(lxcext_keep_state(c, true) == 0 && c->is_running(c), "a look is kept");
	fact(c->init_pid(c) > 0 && lxcext_facts(c, names, 1, v) == 0, "what asks more still works");
	free(v[0]);
	fact(c->freeze(c) && strcmp(c->state(c), "RUNNING") == 0, "it is the look that answers");
	fact(lxcext_keep_state(c, true) == 0 && strcmp(c->state(c), "FROZEN") == 0, "until the next");
	fact(c->unfreeze(c) && lxcext_keep_state(c, false) == 0 && strcmp(c->state(c), "RUNNING") == 0,
	     "and without one each call looks itself");
	fact(lxcext_keep_states(&c, 1) == 0 && c->freeze(c) && strcmp(c->state(c), "RUNNING") == 0 &&
	     lxcext_keep_state(c, false) == 0 && c->unfreeze(c), "looks at several are kept as well");
	fact(lxcext_keep_states(NULL, 1) == -EINVAL && lxcext_keep_states(&c, 0) == 0 && c->freeze(c) &&
	     strcmp(c->state(c), "FROZEN") == 0 && c->unfreeze(c), "none where there is none to be kept");
	fact(lxcext_hold(c) == 0 && strcmp(c->state(c), "FROZEN") == 0, "it is held still");
	fact(lxcext_let_go(c) == 0 && strcmp(c->state(c), "RUNNING") == 0, "and goes on");
	fact(c->freeze(c) && lxcext_hold(c) == 0 && lxcext_let_go(c) == 0 && strcmp(c->state(c), "FROZEN") == 0 && c->unfreeze(c),
	     "who was frozen before stays so");
}

int main(int argc, char **argv)
{
	struct lxc_container *c;
	struct lxcext_end end;
	char *text, word[] = "bad\"key";
	int fd;

	if (argc != 3 || !(c = lxc_container_new(argv[2], argv[1])))
		return 2;
	fact(!lxcext_error_text(c, false) && !lxcext_error_json(c), "nothing has failed yet");
	c->set_config_item(c, word, "1");
	text = lxcext_error_json(c);
	fact(has(text, "\"version\":1") && has(text, "\"chain\":[{") && has(text, "bad\\\"key") && has(text, "\"id\":\"unknown-key\""),
	     "the error chain as JSON");
	free(text);
	text = lxcext_error_text(c, false);
	fact(has(text, "bad\"key"), "the error as text");
	free(text);

	text = lxcext_explain_json(c, 0, NULL);
	fact(has(text, "\"version\":1") && has(text, argv[2]) && has(text, "\"root\":{\"type\":\"dir\"") && has(text, "\"namespaces\":[") &&
		     has(text, "/config:") && strcmp(c->state(c), "STOPPED") == 0,
	     "the plan as JSON, without starting");
	free(text);

	fd = lxcext_state_fd(c);
	fact(fd >= 0, "a descriptor for the state of a container that never ran");
	fact(c->start(c, 0, NULL), "it starts");
	fact(sees(c, fd, "RUNNING"), "the descriptor tells that it runs");
	fact(c->freeze(c) && sees(c, fd, "FROZEN"), "and that it is frozen");
	fact(c->unfreeze(c) && sees(c, fd, "RUNNING"), "and that it is not any more");

	fact(lxcext_wait_ready(c, "nonsense", 0) == -EINVAL && strcmp(lxcext_error_id(c), "ready-condition-bad") == 0,
	     "a condition that is none is refused");
	fact(lxcext_wait_ready(c, "port:0", 0) == -EINVAL, "and a port that is none");
	fact(lxcext_wait_ready(c, "command:", 0) == -EINVAL, "and no command");
	fact(lxcext_wait_ready(c, "command:test -e /tmp/now", 0) == -ETIMEDOUT, "a command that fails is not ready");
	c->attach_run_waitl(c, NULL, "touch", "touch", "/tmp/now", NULL);
	fact(lxcext_wait_ready(c, "command:test -e /tmp/now", 20) == 0, "one that succeeds is");
	fact(lxcext_wait_ready(c, "port:7777", 0) == -ETIMEDOUT, "a port that nothing listens on is not ready");
	c->attach_run_waitl(c, NULL, "sh", "sh", "-c", "nc -l -p 7777 >/dev/null 2>&1 </dev/null & exit 0", NULL);
	fact(lxcext_wait_ready(c, "port:7777", 20) == 0, "one that something listens on is");
	fact(lxcext_wait_ready(c, "network", 20) == 0, "it has an address");
	fact(lxcext_wait_ready(c, "init", 20) == -ENOTSUP && strcmp(lxcext_error_id(c), "init-not-telling") == 0,
	     "busybox's init does not tell when it is ready");

	looks(c);
	fact(lxcext_keep_state(c, true) == 0 && c->is_running(c), "a look is kept again");
	fact(c->stop(c) && c->is_running(c) && c->init_pid(c) < 0, "a stopped container has no init in it");
	fact(lxcext_keep_state(c, false) == 0 && sees(c, fd, "STOPPED"), "the descriptor tells that it stopped");
	memset(&end, 0xff, sizeof(end));
	fact(lxcext_last_end(c, &end, sizeof(end)) == 0 && WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGKILL,
	     "how it ended is known");
	fact(end.by == LXCEXT_END_REQUEST && end.uid == geteuid() && end.pid == getpid() && strcmp(end.command, "extra") == 0,
	     "and who asked for it");
	fact(end.oom_kills == 0, "and that the kernel killed nothing for want of memory");
	fact(lxcext_wait_ready(c, "network", 20) == -ECONNREFUSED, "a stopped container does not become ready");

	fact(c->startl(c, 0, "/bin/sh", "-c", "exit 3", NULL) || 1, "a start whose init ends at once");
	c->wait(c, "STOPPED", 20);
	fact(lxcext_last_end(c, &end, sizeof(end)) == 0 && WIFEXITED(end.status) && WEXITSTATUS(end.status) == 3 &&
		     end.by == LXCEXT_END_ITSELF,
	     "it ended by itself, with its status");
	fact(c->start(c, 0, NULL) && sees(c, fd, "RUNNING"), "the descriptor is good for the next run");
	fact(lxcext_wait_ready(c, "command:test -e /dev/log", 30) == 0 && c->shutdown(c, 30), "it shuts down");
	fact(lxcext_last_end(c, &end, sizeof(end)) == 0 && end.by == LXCEXT_END_REQUEST && end.pid == getpid(),
	     "who asked for the shutdown is known");

	starts_ahead(c);
	executes(c);

	/* 16 MiB are enough for sh, and not for what it wants: the kernel kills it. */
	if (c->set_config_item(c, "lxc.cgroup2.memory.max", "16M") && c->set_config_item(c, "lxc.cgroup.memory.limit_in_bytes", "16M") &&
	    c->startl(c, 0, "/bin/sh", "-c", "head -c 100m /dev/zero | tail >/dev/null; exit 0", NULL)) {
		c->wait(c, "STOPPED", 60);
		fact(lxcext_last_end(c, &end, sizeof(end)) == 0 && end.oom_kills > 0, "what the kernel killed for want of memory is counted");
	} else {
		fact(0, "a container with little memory starts");
	}
	close(fd);
	lxc_container_put(c);
	return 0;
}

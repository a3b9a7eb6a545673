/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* threads - one handle used by many threads, and many handles at once: containers are created, started, entered,
 * listed, stopped and destroyed. Arguments: LXCPATH ROOT TAG ROUNDS. Says nothing when all went well. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <lxc/lxccontainer.h>
#include <lxc/lxcext.h>

#define OWNERS 3
#define SHARERS 3
#define LOOKERS 2

static const char *lxcpath, *root, *tag;
static int rounds;
static atomic_int failures;
static atomic_bool over;

static void check(int good, struct lxc_container *c, const char *what)
{
	if (good)
		return;
	atomic_fetch_add(&failures, 1);
	fprintf(stderr, "%s\n", what);
	if (c)
		lxcext_print_error(c, stderr, "threads", true);
}

static struct lxc_container *make(const char *kind, int n)
{
	const char *const items[][2] = {
		{ "lxc.net.0.type", "empty" }, { "lxc.tty.max", "2" }, { "lxc.pty.max", "16" },
		{ "lxc.init.cmd", "/bin/sleep 1000" }, { "lxc.mount.auto", "proc:mixed sys:ro" },
	};
	struct lxc_container *c;
	char name[64];

	(void)snprintf(name, sizeof(name), "%s%d-%s", kind, n, tag);
	c = lxc_container_new(name, lxcpath);
	if (!c)
		return NULL;
	for (size_t i = 0; i < sizeof(items) / sizeof(*items); i++)
		check(c->set_config_item(c, items[i][0], items[i][1]), c, items[i][0]);
	check(c->set_config_item(c, "lxc.rootfs.path", root), c, "the root");
	check(c->save_config(c, NULL), c, "save_config");
	return c;
}

static void end(struct lxc_container *c)
{
	check(c->stop(c), c, "stop");
	check(c->wait(c, "STOPPED", 30), c, "wait for the end");
	/* The root is everybody's. */
	check(c->clear_config_item(c, "lxc.rootfs.path") && c->save_config(c, NULL), c, "a configuration without a root");
	check(c->destroy(c), c, "destroy");
	check(lxc_container_put(c) == 1, NULL, "the last reference");
}

static void enter(struct lxc_container *c)
{
	lxc_attach_options_t options = LXC_ATTACH_OPTIONS_DEFAULT;
	int status = c->attach_run_waitl(c, &options, "true", "true", NULL);

	check(status == 0, c, "attach_run_wait");
}

/* Has containers of its own. */
static void *own(void *arg)
{
	int n = *(const int *)arg;

	for (int i = 0; i < rounds; i++) {
		struct lxc_container *c = make("own", n);
		char text[256];

		if (!c) {
			check(0, NULL, "lxc_container_new");
			continue;
		}
		check(c->start(c, 0, NULL), c, "start");
		check(c->wait(c, "RUNNING", 30), c, "wait for RUNNING");
		check(c->init_pid(c) > 1, c, "init_pid");
		enter(c);
		check(c->freeze(c) && c->unfreeze(c), c, "freeze and unfreeze");
		check(c->get_config_item(c, "lxc.init.cmd", text, sizeof(text)) > 0, c, "get_config_item");
		end(c);
	}
	return NULL;
}

/* Uses the one handle that the others use as well. */
static void *share(void *arg)
{
	struct lxc_container *c = arg;

	for (int i = 0; i < rounds * 4; i++) {
		char text[256], *running;

		check(lxc_container_get(c) == 1, c, "another reference");
		check(c->is_running(c), c, "is_running");
		check(strcmp(c->state(c), "RUNNING") == 0, c, "state");
		check(c->set_config_item(c, "lxc.uts.name", "shared"), c, "set_config_item");
		check(c->get_config_item(c, "lxc.uts.name", text, sizeof(text)) > 0, c, "get_config_item");
		check(c->get_keys(c, NULL, NULL, 0) > 0, c, "get_keys");
		running = c->get_running_config_item(c, "lxc.init.cmd");
		check(running != NULL, c, "get_running_config_item");
		free(running);
		/* An error on purpose: its chain is the handle's, and others make some as well. */
		check(!c->set_config_item(c, "lxc.nonsense", "1"), c, "an unknown key");
		enter(c);
		check(lxc_container_put(c) == 0, c, "the reference back");
	}
	return NULL;
}

/* Looks at everything that the others do. */
static void *look(void *arg)
{
	(void)arg;
	for (int i = 0; i < rounds * 10 && !atomic_load(&over); i++) {
		struct lxc_container **list = NULL;
		const char *states[64];
		char **names = NULL;
		int n = list_all_containers(lxcpath, &names, &list);

		check(n >= 0, NULL, "list_all_containers");
		if (n > 0 && n <= 64)
			check(lxcext_states(list, (size_t)n, 10000, states) == 0, NULL, "lxcext_states");
		for (int i = 0; i < n; i++) {
			(void)lxc_container_put(list[i]);
			free(names[i]);
		}
		free(list);
		free(names);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t owners[OWNERS], sharers[SHARERS], lookers[LOOKERS];
	struct lxc_container *shared;
	int numbers[OWNERS];

	if (argc != 5)
		return 2;
	lxcpath = argv[1];
	root = argv[2];
	tag = argv[3];
	rounds = atoi(argv[4]);
	shared = make("shared", 0);
	if (!shared)
		return 1;
	check(shared->start(shared, 0, NULL), shared, "start");
	for (int i = 0; i < LOOKERS; i++)
		(void)pthread_create(&lookers[i], NULL, look, NULL);
	for (int i = 0; i < SHARERS; i++)
		(void)pthread_create(&sharers[i], NULL, share, shared);
	for (int i = 0; i < OWNERS; i++) {
		numbers[i] = i;
		(void)pthread_create(&owners[i], NULL, own, &numbers[i]);
	}
	for (int i = 0; i < OWNERS; i++)
		(void)pthread_join(owners[i], NULL);
	for (int i = 0; i < SHARERS; i++)
		(void)pthread_join(sharers[i], NULL);
	atomic_store(&over, true);
	for (int i = 0; i < LOOKERS; i++)
		(void)pthread_join(lookers[i], NULL);
	end(shared);
	return atomic_load(&failures) != 0;
}

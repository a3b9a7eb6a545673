/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* The public interface as a client sees it, on containers that do not run. */
#include "harness/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lxc/lxccontainer.h>
#include <lxc/lxcext.h>

#include "base/cleanup.h"
#include "base/path.h"

static char *tmp;

static int setup(void **state)
{
	tmp = unit_tmpdir();
	return 0;
}

static int teardown(void **state)
{
	lxcext_clear_warnings(NULL);
	unit_tmpdir_free(tmp);
	return 0;
}

static bool is_there(const char *name)
{
	auto_free char *p = path_join(tmp, name);
	struct stat st;

	return lstat(p, &st) == 0;
}

static char *content(const char *name)
{
	auto_free char *p = path_join(tmp, name);
	static char text[65536];
	FILE *f = fopen(p, "re");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	(void)fclose(f);
	text[n] = '\0';
	return text;
}

static struct lxc_container *handle(const char *name)
{
	struct lxc_container *c = lxc_container_new(name, tmp);

	if (!c)
		lxcext_print_error(NULL, stderr, "handle", true);
	assert_non_null(c);
	return c;
}

/* A defined container with this configuration. */
static struct lxc_container *defined(const char *name, const char *config)
{
	auto_free char *dir = path_join(tmp, name);

	assert_int_equal(mkdir(dir, 0755), 0);
	unit_write(dir, "config", config);
	return handle(name);
}

static char *script(const char *name, const char *text)
{
	char *p = path_join(tmp, name);

	unit_write(tmp, name, text);
	assert_int_equal(chmod(p, 0755), 0);
	return p;
}

/* The root file systems of users need an id map, which is not what these tests are about. */
static void needs_root(void)
{
	if (geteuid() != 0)
		unit_skip("needs root");
}

#define assert_failed(c, id) assert_string_equal(lxcext_error_id(c), id)
#define assert_says(c, text)                                                                         \
	do {                                                                                         \
		if (!(c)->error_string || !strstr((c)->error_string, text))                          \
			print_error("error_string: %s\n", (c)->error_string ? (c)->error_string : "(null)"); \
		assert_non_null((c)->error_string);                                                  \
		assert_non_null(strstr((c)->error_string, text));                                    \
	} while (0)

static void new_refuses_what_is_no_name(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "-n", "a\nb", "a b", ".hidden", "a;b" };

	assert_null(lxc_container_new(NULL, tmp));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_null(lxc_container_new(bad[i], tmp));
		assert_failed(NULL, "name-invalid");
	}
	assert_null(lxc_container_new("c1", "/tmp/a\nb"));
	assert_failed(NULL, "lxcpath-invalid");
}

static void references_are_counted(void **state)
{
	struct lxc_container *c = handle("c1");

	assert_int_equal(lxc_container_get(NULL), 0);
	assert_int_equal(lxc_container_put(NULL), -1);
	assert_int_equal(lxc_container_get(c), 1);
	assert_int_equal(c->numthreads, 2);
	assert_int_equal(lxc_container_put(c), 0);
	assert_int_equal(lxc_container_put(c), 1);
}

static void null_handles_give_the_documented_values(void **state)
{
	struct lxc_container *c = handle("c1");

	assert_false(c->is_defined(NULL));
	assert_null(c->state(NULL));
	assert_false(c->is_running(NULL));
	assert_int_equal(c->init_pid(NULL), -1);
	assert_int_equal(c->init_pidfd(NULL), -EBADF);
	assert_int_equal(c->devpts_fd(NULL), -EBADF);
	assert_int_equal(c->console_log(NULL, NULL), -EINVAL);
	assert_int_equal(c->mount(NULL, "a", "b", "c", 0, NULL, NULL), -EINVAL);
	assert_int_equal(c->umount(NULL, "a", 0, NULL), -EINVAL);
	assert_int_equal(c->attach(NULL, NULL, NULL, NULL, NULL), -EINVAL);
	assert_int_equal(c->get_config_item(NULL, "lxc.uts.name", NULL, 0), -1);
	assert_int_equal(c->get_keys(NULL, NULL, NULL, 0), -1);
	assert_null(c->get_ips(NULL, NULL, NULL, 0));
	assert_null(c->get_config_path(NULL));
	assert_false(c->start(NULL, 0, NULL));
	assert_false(c->destroy(NULL));
	assert_false(c->save_config(NULL, NULL));
	c->clear_config(NULL);
	lxc_container_put(c);
}

static void configuration_is_loaded_with_the_handle(void **state)
{
	struct lxc_container *c = defined("c1", "# mine\nlxc.uts.name = host1\n");
	char value[64];

	assert_true(c->is_defined(c));
	assert_non_null(c->lxc_conf);
	assert_int_equal(c->get_config_item(c, "lxc.uts.name", value, sizeof(value)), 5);
	assert_string_equal(value, "host1");
	lxc_container_put(c);
	c = handle("c2");
	assert_false(c->is_defined(c));
	assert_null(c->lxc_conf);
	assert_int_equal(c->get_config_item(c, "lxc.uts.name", value, sizeof(value)), -1);
	lxc_container_put(c);
}

static void broken_configuration_is_named_with_its_line(void **state)
{
	auto_free char *dir = path_join(tmp, "c1");
	struct lxcext_error_link link;
	bool found = false;

	assert_int_equal(mkdir(dir, 0755), 0);
	unit_write(dir, "config", "lxc.uts.name = a\nlxc.utsnam = b\n");
	assert_null(lxc_container_new("c1", tmp));
	for (size_t i = 0; lxcext_last_error(NULL, i, &link) == 0; i++)
		found |= strstr(link.where, "c1/config:2") || strstr(link.what, "c1/config:2");
	assert_true(found);
}

static void values_follow_the_two_buffer_rules(void **state)
{
	struct lxc_container *c = handle("c1");
	char value[8] = "keep";

	assert_true(c->set_config_item(c, "lxc.uts.name", "abcdefghij"));
	assert_int_equal(c->get_config_item(c, "lxc.uts.name", NULL, 0), 10);
	assert_int_equal(c->get_config_item(c, "lxc.uts.name", value, sizeof(value)), 10);
	assert_string_equal(value, "keep");
	assert_true(c->set_config_item(c, "lxc.tty.max", "12"));
	assert_int_equal(c->get_config_item(c, "lxc.tty.max", value, 2), 2);
	assert_string_equal(value, "1");
	assert_int_equal(c->get_config_item(c, "lxc.nothing", value, sizeof(value)), -EINVAL);
	assert_int_equal(c->get_keys(c, "lxc.nothing", NULL, 0), -EINVAL);
	lxc_container_put(c);
}

static void control_characters_in_values_are_refused(void **state)
{
	struct lxc_container *c = handle("c1");

	assert_false(c->set_config_item(c, "lxc.uts.name", "a\nlxc.hook.pre-start = /bin/evil"));
	assert_failed(c, "control-character");
	lxc_container_put(c);
}

static void saved_text_keeps_lines_and_comments(void **state)
{
	struct lxc_container *c = defined("c1", "# first\nlxc.uts.name = a\n# last\n");
	struct stat st;

	assert_true(c->set_config_item(c, "lxc.tty.max", "3"));
	assert_true(c->save_config(c, NULL));
	assert_string_equal(content("c1/config"), "# first\nlxc.uts.name = a\n# last\nlxc.tty.max = 3\n");
	lxc_container_put(c);
	c = handle("new");
	assert_true(c->set_config_item(c, "lxc.uts.name", "b"));
	assert_true(c->save_config(c, NULL));
	assert_string_equal(content("new/config"), "lxc.uts.name = b\n");
	auto_free char *dir = path_join(tmp, "new");

	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0770);
	lxc_container_put(c);
}

static void saving_elsewhere_leaves_the_container_alone(void **state)
{
	struct lxc_container *c = handle("c1");
	auto_free char *other = path_join(tmp, "other.conf");

	assert_true(c->set_config_item(c, "lxc.uts.name", "b"));
	assert_true(c->save_config(c, other));
	assert_string_equal(content("other.conf"), "lxc.uts.name = b\n");
	assert_false(is_there("c1"));
	assert_false(c->save_config(c, "/nonexistent/dir/x"));
	lxc_container_put(c);
}

static void failed_load_keeps_what_was_there(void **state)
{
	struct lxc_container *c = handle("c1");
	auto_free char *bad = path_join(tmp, "bad.conf");
	char value[16];

	unit_write(tmp, "bad.conf", "lxc.tty.max = 4\nlxc.tty.max = many\n");
	assert_true(c->set_config_item(c, "lxc.uts.name", "b"));
	assert_false(c->load_config(c, bad));
	assert_says(c, "bad.conf:2");
	assert_int_equal(c->get_config_item(c, "lxc.uts.name", value, sizeof(value)), 1);
	assert_int_equal(c->get_config_item(c, "lxc.tty.max", value, sizeof(value)), 1);
	assert_string_equal(value, "0");
	assert_false(c->load_config(c, "/nonexistent"));
	lxc_container_put(c);
}

static void paths_can_be_changed_and_trailing_slashes_go(void **state)
{
	auto_free char *slashed = path_join(tmp, "x");
	struct lxc_container *c;
	char *file;

	strrchr(slashed, '/')[1] = '\0';
	c = lxc_container_new("c1", slashed);
	assert_string_equal(c->get_config_path(c), tmp);
	assert_true(c->set_config_path(c, "/srv/elsewhere//"));
	assert_string_equal(c->get_config_path(c), "/srv/elsewhere");
	file = c->config_file_name(c);
	assert_string_equal(file, "/srv/elsewhere/c1/config");
	free(file);
	assert_false(c->set_config_path(c, NULL));
	assert_false(c->set_config_path(c, "/a\nb"));
	lxc_container_put(c);
}

static void time_limits_are_checked(void **state)
{
	struct lxc_container *c = handle("c1");

	assert_false(c->set_timeout(c, 0));
	assert_false(c->set_timeout(c, -2));
	assert_true(c->set_timeout(c, 5));
	assert_int_equal(c->rcv_timeout, 5);
	assert_true(c->set_timeout(c, -1));
	assert_int_equal(c->rcv_timeout, 0);
	lxc_container_put(c);
}

static void stopped_containers_answer_as_documented(void **state)
{
	struct lxc_container *c = defined("c1", "lxc.uts.name = a\n"), *u = handle("undefined");
	int tty = -1, ptx = -1;

	assert_string_equal(c->state(c), "STOPPED");
	assert_false(c->is_running(c));
	assert_true(c->stop(c));
	assert_true(c->shutdown(c, 1));
	assert_false(c->reboot(c));
	assert_true(c->reboot2(c, 1));
	assert_false(c->freeze(c));
	assert_failed(c, "not-running");
	assert_true(c->unfreeze(c));
	assert_false(u->unfreeze(u));
	assert_failed(u, "container-unknown");
	assert_int_equal(c->init_pid(c), -1);
	assert_int_equal(c->init_pidfd(c), -ECONNREFUSED);
	assert_null(c->get_ips(c, NULL, NULL, 0));
	assert_null(c->get_interfaces(c));
	assert_null(c->get_running_config_item(c, "lxc.uts.name"));
	assert_int_equal(c->get_cgroup_item(c, "memory.max", NULL, 0), -1);
	assert_false(c->set_cgroup_item(c, "memory.max", "1"));
	assert_int_equal(c->console_getfd(c, &tty, &ptx), -ECONNREFUSED);
	assert_true(c->may_control(c));
	assert_false(u->start(u, 0, NULL));
	assert_failed(u, "container-unknown");
	assert_int_equal(u->error_num, 1);
	assert_false(u->destroy(u));
	assert_failed(u, "container-unknown");
	lxc_container_put(c);
	lxc_container_put(u);
}

static void wait_knows_states_and_limits(void **state)
{
	struct lxc_container *c = handle("c1");

	assert_true(c->wait(c, "STOPPED", 0));
	assert_true(c->wait(c, "RUNNING|STOPPED", -1));
	assert_false(c->wait(c, "RUNNING", 0));
	assert_failed(c, "wait-timeout");
	assert_false(c->wait(c, "RUNNING|NONSENSE", 0));
	assert_failed(c, "state-unknown");
	assert_false(c->wait(c, "running", 0));
	lxc_container_put(c);
}

static void lists_are_sorted_and_leave_out_what_does_not_load(void **state)
{
	struct lxc_container **cs = NULL;
	char **names = NULL;
	const char *w;
	int n;

	assert_int_equal(list_defined_containers("/nonexistent/path", NULL, NULL), -1);
	n = list_all_containers(tmp, &names, &cs);
	assert_int_equal(n, 0);
	assert_null(names);
	lxc_container_put(defined("web2", "lxc.uts.name = a\n"));
	lxc_container_put(defined("web1", "lxc.uts.name = a\n"));
	unit_write(tmp, "stray", "x");
	auto_free char *dir = path_join(tmp, "bad"), *hidden = path_join(tmp, ".hidden"),
		       *empty = path_join(tmp, "empty");

	assert_int_equal(mkdir(dir, 0755) | mkdir(hidden, 0755) | mkdir(empty, 0755), 0);
	unit_write(dir, "config", "lxc.nonsense = 1\n");
	unit_write(hidden, "config", "");
	n = list_defined_containers(tmp, &names, NULL);
	assert_int_equal(n, 3);
	assert_string_equal(names[0], "bad");
	assert_string_equal(names[1], "web1");
	assert_string_equal(names[2], "web2");
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	for (int all = 0; all < 2; all++) {
		lxcext_clear_warnings(NULL);
		n = all ? list_all_containers(tmp, &names, &cs) : list_defined_containers(tmp, &names, &cs);
		assert_int_equal(n, 2);
		assert_string_equal(names[0], "web1");
		assert_string_equal(cs[1]->name, "web2");
		assert_int_equal(lxcext_warning(NULL, 0, &w), 0);
		assert_non_null(strstr(w, "bad"));
		for (int i = 0; i < n; i++) {
			free(names[i]);
			lxc_container_put(cs[i]);
		}
		free(names);
		free(cs);
	}
	assert_int_equal(list_active_containers(tmp, &names, &cs), 0);
	assert_null(names);
}

static const char good_template[] =
	"#!/bin/sh\n"
	"for a; do case $a in --path=*) p=${a#*=};; --rootfs=*) r=${a#*=};; esac; done\n"
	"echo \"$0 $*\" > \"$r/args\"\n"
	"umask > \"$r/umask\"\n"
	"[ -e \"$p/partial\" ] && : > \"$r/was-partial\"\n"
	"echo 'lxc.tty.max = 7' >> \"$p/config\"\n";

static void create_fills_the_root_by_the_template(void **state)
{
	auto_free char *t = script("fill", good_template);
	char *argv[] = { (char *)(uintptr_t)"--x", (char *)(uintptr_t)"y z", NULL };
	struct lxc_container *c = handle("c1");
	auto_free char *root = path_join(tmp, "c1/rootfs"), *expected = NULL;
	char value[256];

	needs_root();
	assert_true(c->set_config_item(c, "lxc.uts.name", "c1"));
	if (!c->create(c, t, NULL, NULL, LXC_CREATE_QUIET, argv))
		lxcext_print_error(c, stderr, "create", true);
	assert_true(c->is_defined(c));
	assert_true(asprintf(&expected, "%s --path=%s/c1 --name=c1 --rootfs=%s --x y z\n", t, tmp, root) > 0);
	assert_string_equal(content("c1/rootfs/args"), expected);
	assert_string_equal(content("c1/rootfs/umask"), "0022\n");
	assert_true(is_there("c1/rootfs/was-partial"));
	assert_false(is_there("c1/partial"));
	assert_int_equal(c->get_config_item(c, "lxc.tty.max", value, sizeof(value)), 1);
	assert_string_equal(value, "7");
	assert_int_equal(c->get_config_item(c, "lxc.rootfs.path", value, sizeof(value)), (int)strlen(root));
	assert_string_equal(value, root);
	assert_true(strstr(content("c1/config"), t) == content("c1/config") + strlen("# Made by template "));
	assert_false(c->create(c, t, NULL, NULL, LXC_CREATE_QUIET, NULL));
	assert_failed(c, "container-exists");
	assert_true(is_there("c1/rootfs/args"));
	assert_true(c->destroy(c));
	assert_false(is_there("c1"));
	lxc_container_put(c);
}

static void failing_create_leaves_nothing(void **state)
{
	auto_free char *bad = script("bad", "#!/bin/sh\nexit 7\n"), *killed = script("killed", "#!/bin/sh\nkill -9 $$\n");
	auto_free char *noexec = path_join(tmp, "noexec");
	struct lxc_container *c = handle("c1");
	char *newline[] = { (char *)(uintptr_t)"a\nlxc.hook.destroy = x", NULL };

	needs_root();
	unit_write(tmp, "noexec", "#!/bin/sh\n");
	assert_true(c->set_config_item(c, "lxc.uts.name", "c1"));
	assert_false(c->create(c, bad, NULL, NULL, LXC_CREATE_QUIET, NULL));
	assert_failed(c, "template-failed");
	assert_says(c, "exit status 7");
	assert_false(is_there("c1"));
	assert_false(is_there(".c1.new"));
	assert_false(c->create(c, killed, NULL, NULL, LXC_CREATE_QUIET, NULL));
	assert_failed(c, "template-killed");
	assert_false(c->create(c, "no-such-template", NULL, NULL, 0, NULL));
	assert_failed(c, "template-missing");
	assert_false(c->create(c, "../bad", NULL, NULL, 0, NULL));
	assert_failed(c, "template-name-invalid");
	assert_false(c->create(c, noexec, NULL, NULL, 0, NULL));
	assert_failed(c, "template-not-executable");
	assert_false(c->create(c, bad, NULL, NULL, 0, newline));
	assert_failed(c, "template-argument-invalid");
	assert_false(c->create(c, bad, "nbd", NULL, LXC_CREATE_QUIET, NULL));
	assert_failed(c, "storage-create-none");
	assert_false(is_there("c1"));
	assert_false(c->is_defined(c));
	lxc_container_put(c);
}

static void failing_create_keeps_what_was_there(void **state)
{
	auto_free char *bad = script("bad", "#!/bin/sh\nfor a; do case $a in --path=*) p=${a#*=};; esac; done\n"
					    "echo junk >> $p/config\nexit 1\n");
	struct lxc_container *c = defined("c1", "# mine\nlxc.uts.name = a\n");
	auto_free char *dir = path_join(tmp, "c1");

	needs_root();
	unit_write(dir, "notes", "precious");
	assert_false(c->create(c, bad, NULL, NULL, LXC_CREATE_QUIET, NULL));
	assert_failed(c, "template-failed");
	assert_string_equal(content("c1/notes"), "precious");
	assert_string_equal(content("c1/config"), "# mine\nlxc.uts.name = a\n");
	assert_false(is_there("c1/partial"));
	assert_false(is_there("c1/rootfs"));
	lxc_container_put(c);
}

static void external_directory_survives_create_and_destroy(void **state)
{
	auto_free char *t = script("fill", good_template), *bad = script("bad", "#!/bin/sh\nexit 1\n");
	auto_free char *ext = path_join(tmp, "ext");
	struct bdev_specs specs = { .dir = ext };
	struct lxc_container *c = handle("c1");

	needs_root();
	assert_int_equal(mkdir(ext, 0755), 0);
	unit_write(ext, "precious", "x");
	assert_true(c->set_config_item(c, "lxc.uts.name", "c1"));
	assert_false(c->create(c, bad, "dir", &specs, LXC_CREATE_QUIET, NULL));
	assert_true(is_there("ext/precious"));
	assert_true(c->create(c, t, "dir", &specs, LXC_CREATE_QUIET, NULL));
	assert_true(is_there("ext/args"));
	assert_true(c->destroy(c));
	assert_false(is_there("c1"));
	assert_true(is_there("ext/precious"));
	lxc_container_put(c);
}

/* A create that is killed in the middle of its template. */
static void killed_create_can_be_named_and_destroyed(void **state)
{
	auto_free char *t = script("hang", "#!/bin/sh\nfor a; do case $a in --path=*) p=${a#*=};; esac; done\n"
					   "echo $$ > $p/pid.tmp; mv $p/pid.tmp $p/pid; exec sleep 1000\n");
	struct lxc_container *c;
	pid_t pid, sleeper;
	char **names;
	const char *w;

	needs_root();
	pid = fork();
	if (pid == 0) {
		c = lxc_container_new("c1", tmp);
		c->set_config_item(c, "lxc.uts.name", "c1");
		c->create(c, t, NULL, NULL, LXC_CREATE_QUIET, NULL);
		_exit(0);
	}
	while (!is_there("c1/pid"))
		usleep(10000);
	sleeper = (pid_t)strtoul(content("c1/pid"), NULL, 10);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	/* Its template goes on: still a creation under way. */
	c = handle("c1");
	assert_false(c->start(c, 0, NULL));
	assert_failed(c, "create-busy");
	assert_false(c->destroy(c));
	assert_failed(c, "create-busy");
	lxc_container_put(c);
	kill(sleeper, SIGKILL);
	while (kill(sleeper, 0) == 0)
		usleep(10000);
	assert_int_equal(list_defined_containers(tmp, &names, NULL), 1);
	assert_string_equal(names[0], "c1");
	free(names[0]);
	free(names);
	c = handle("c1");
	assert_int_equal(lxcext_warning(c, 0, &w), 0);
	assert_non_null(strstr(w, "interrupted"));
	assert_false(c->start(c, 0, NULL));
	assert_failed(c, "create-partial");
	assert_true(c->destroy(c));
	assert_false(is_there("c1"));
	lxc_container_put(c);
}

/* The first milliseconds of a create: nothing is in the container's place yet. */
static void earliest_remains_of_a_create_can_be_named_and_destroyed(void **state)
{
	struct lxc_container *c = handle("c1");
	auto_free char *dir = path_join(tmp, ".c1.new");
	const char *w;

	assert_int_equal(mkdir(dir, 0755), 0);
	unit_write(dir, "partial", "");
	assert_int_equal(list_defined_containers(tmp, NULL, NULL), 0);
	assert_int_equal(lxcext_warning(NULL, 0, &w), 0);
	assert_non_null(strstr(w, "lxc-destroy -P"));
	assert_true(c->destroy(c));
	assert_false(is_there(".c1.new"));
	assert_false(c->destroy(c));
	assert_failed(c, "container-unknown");
	lxc_container_put(c);
}

static void create_without_template_only_saves(void **state)
{
	struct lxc_container *c = handle("c1");

	assert_true(c->set_config_item(c, "lxc.uts.name", "x"));
	assert_true(c->create(c, NULL, NULL, NULL, 0, NULL));
	assert_string_equal(content("c1/config"), "lxc.uts.name = x\n");
	assert_false(is_there("c1/rootfs"));
	assert_true(c->destroy(c));
	lxc_container_put(c);
	c = handle("c2");
	assert_true(c->set_config_item(c, "lxc.rootfs.path", "dir:/nonexistent/root"));
	assert_false(c->create(c, NULL, NULL, NULL, 0, NULL));
	assert_failed(c, "rootfs-missing");
	assert_false(is_there("c2"));
	lxc_container_put(c);
}

static void destroy_hooks_can_refuse(void **state)
{
	auto_free char *no = script("no", "#!/bin/sh\necho still in use >&2\nexit 3\n"), *text = NULL;
	auto_free char *env = script("env", "#!/bin/sh\necho \"$LXC_NAME $*\" > \"${LXC_CONFIG_FILE%/c*/config}/seen\"\n");
	struct lxc_container *c;

	assert_true(asprintf(&text, "lxc.hook.destroy = %s\n", no) > 0);
	c = defined("c1", text);
	assert_false(c->destroy(c));
	assert_failed(c, "client-hook-failed");
	assert_says(c, "still in use");
	assert_says(c, "c1/config:1");
	assert_true(is_there("c1/config"));
	assert_true(c->clear_config_item(c, "lxc.hook.destroy"));
	assert_true(c->set_config_item(c, "lxc.hook.destroy", env));
	assert_true(c->destroy(c));
	assert_string_equal(content("seen"), "c1 c1 lxc destroy\n");
	lxc_container_put(c);
}

static void destroy_keeps_containers_with_snapshots(void **state)
{
	struct lxc_container *c = defined("c1", "lxc.uts.name = a\n");
	auto_free char *snaps = path_join(tmp, "c1/snaps"), *snap0 = path_join(tmp, "c1/snaps/snap0");

	assert_int_equal(mkdir(snaps, 0755) | mkdir(snap0, 0755), 0);
	assert_false(c->destroy(c));
	assert_failed(c, "snapshots-exist");
	assert_true(is_there("c1/config"));
	lxc_container_put(c);
}

static void unmanaged_containers_are_not_deleted(void **state)
{
	struct lxc_container *c = defined("c1", "lxc.rootfs.managed = 0\n");

	assert_true(c->destroy(c));
	assert_true(is_there("c1/config"));
	lxc_container_put(c);
}

static void symlinked_container_directory_is_not_deleted(void **state)
{
	auto_free char *real = path_join(tmp, "real"), *link = path_join(tmp, "c1");
	struct lxc_container *c;

	assert_int_equal(mkdir(real, 0755), 0);
	unit_write(real, "config", "lxc.uts.name = a\n");
	assert_int_equal(symlink("real", link), 0);
	c = handle("c1");
	assert_true(c->is_defined(c));
	assert_false(c->destroy(c));
	assert_failed(c, "container-dir-symlink");
	assert_true(is_there("real/config"));
	lxc_container_put(c);
}

static void errors_have_links_and_survive_until_the_next(void **state)
{
	struct lxc_container *c = handle("c1");
	struct lxcext_error_link link;

	assert_int_equal(lxcext_last_error(c, 0, &link), -ENOENT);
	assert_null(c->error_string);
	assert_false(c->start(c, 0, NULL));
	assert_int_equal(lxcext_last_error(c, 0, &link), 0);
	assert_string_equal(link.what, "cannot start c1");
	assert_int_equal(lxcext_last_error(c, 1, &link), 0);
	assert_string_equal(link.id, "container-unknown");
	assert_int_equal(link.num, ENOENT);
	assert_true(*link.hint);
	assert_int_equal(lxcext_last_error(c, 2, &link), -ENOENT);
	assert_string_equal(c->state(c), "STOPPED");
	assert_says(c, "cannot start c1: container c1 does not exist");
	lxc_container_put(c);
}

static void global_items_stay_where_they_are(void **state)
{
	const char *a = lxc_get_global_config_item("lxc.lxcpath");

	assert_non_null(a);
	assert_ptr_equal(lxc_get_global_config_item("lxc.lxcpath"), a);
	errno = 0;
	assert_null(lxc_get_global_config_item("lxc.nonsense"));
	assert_int_equal(errno, EINVAL);
	assert_null(lxc_get_global_config_item("lxc.cgroup.use"));
	assert_int_equal(errno, 0);
}

static void support_is_answered_by_exact_names(void **state)
{
	assert_true(lxc_config_item_is_supported("lxc.net."));
	assert_false(lxc_config_item_is_supported("lxc.net.0.type"));
	assert_true(lxc_config_item_is_supported("lxc.cgroup2"));
	assert_false(lxc_config_item_is_supported("lxc.nonsense"));
	assert_false(lxc_config_item_is_supported(NULL));
	assert_true(lxc_has_api_extension(NULL));
	assert_true(lxc_has_api_extension("cgroup2"));
	assert_false(lxc_has_api_extension("telepathy"));
}

static void log_settings_open_and_close(void **state)
{
	auto_free char *file = path_join(tmp, "log");
	struct lxc_log log = { .name = "c1", .file = file, .level = "ERROR", .prefix = "unit" };
	struct lxc_container *c;

	assert_int_equal(lxc_log_init(NULL), -EINVAL);
	log.level = "LOUD";
	assert_true(lxc_log_init(&log) < 0);
	assert_failed(NULL, "log-level-bad");
	log.level = "ERROR";
	assert_int_equal(lxc_log_init(&log), 0);
	assert_int_equal(lxc_log_init(&log), 0);
	c = handle("c1");
	assert_false(c->start(c, 0, NULL));
	lxc_container_put(c);
	lxc_log_close();
	assert_non_null(strstr(content("log"), "unit c1 "));
	assert_non_null(strstr(content("log"), "cannot start c1"));
}

static void *hammer(void *arg)
{
	struct lxc_container *c = arg;
	char value[64];

	for (int i = 0; i < 100; i++) {
		(void)lxc_container_get(c);
		(void)c->set_config_item(c, "lxc.uts.name", i & 1 ? "aaa" : "bbbb");
		(void)c->get_config_item(c, "lxc.uts.name", value, sizeof(value));
		(void)c->freeze(c);
		(void)lxcext_error_id(c);
		(void)c->set_config_path(c, tmp);
		(void)lxc_container_put(c);
	}
	return NULL;
}

static void handles_are_shared_by_threads(void **state)
{
	struct lxc_container *c = handle("c1");
	pthread_t t[4];

	c->clear_config(c);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, hammer, c), 0);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		pthread_join(t[i], NULL);
	assert_int_equal(c->numthreads, 1);
	lxc_container_put(c);
}

static void full_disk(void *arg)
{
	auto_free char *t = path_join(tmp, "big"), *small = path_join(tmp, "small");
	struct lxc_container *c;

	CHECK(mount("none", small, "tmpfs", 0, "size=2m") == 0);
	c = lxc_container_new("c1", small);
	CHECK(c && c->set_config_item(c, "lxc.uts.name", "c1"));
	CHECK(!c->create(c, t, NULL, NULL, LXC_CREATE_QUIET, NULL));
	CHECK(strcmp(lxcext_error_id(c), "disk-full") == 0);
	CHECK(!is_there("small/c1"));
	lxc_container_put(c);
}

static void full_disk_in_create_is_named(void **state)
{
	auto_free char *t = script("big", "#!/bin/sh\nfor a; do case $a in --rootfs=*) r=${a#*=};; esac; done\n"
					  "exec dd if=/dev/zero of=$r/big bs=64k 2>/dev/null\n");
	auto_free char *small = path_join(tmp, "small");

	needs_root();
	assert_non_null(t);
	assert_int_equal(mkdir(small, 0755), 0);
	unit_child_ns(0, full_disk, NULL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
static const struct CMUnitTest tests[] = {
	T(new_refuses_what_is_no_name),
	T(references_are_counted),
	T(null_handles_give_the_documented_values),
	T(configuration_is_loaded_with_the_handle),
	T(broken_configuration_is_named_with_its_line),
	T(values_follow_the_two_buffer_rules),
	T(control_characters_in_values_are_refused),
	T(saved_text_keeps_lines_and_comments),
	T(saving_elsewhere_leaves_the_container_alone),
	T(failed_load_keeps_what_was_there),
	T(paths_can_be_changed_and_trailing_slashes_go),
	T(time_limits_are_checked),
	T(stopped_containers_answer_as_documented),
	T(wait_knows_states_and_limits),
	T(lists_are_sorted_and_leave_out_what_does_not_load),
	T(create_fills_the_root_by_the_template),
	T(failing_create_leaves_nothing),
	T(failing_create_keeps_what_was_there),
	T(external_directory_survives_create_and_destroy),
	T(killed_create_can_be_named_and_destroyed),
	T(earliest_remains_of_a_create_can_be_named_and_destroyed),
	T(create_without_template_only_saves),
	T(destroy_hooks_can_refuse),
	T(destroy_keeps_containers_with_snapshots),
	T(unmanaged_containers_are_not_deleted),
	T(symlinked_container_directory_is_not_deleted),
	T(errors_have_links_and_survive_until_the_next),
	T(global_items_stay_where_they_are),
	T(support_is_answered_by_exact_names),
	T(log_settings_open_and_close),
	T(handles_are_shared_by_threads),
	T(full_disk_in_create_is_named),
};

/* Lock files go into the run directory: a private one. */
int main(int argc, char **argv)
{
	char *run = NULL;
	int r;

	if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) == 0) {
		(void)mount("none", "/run", "tmpfs", 0, "mode=755");
	} else {
		run = unit_tmpdir();
		(void)setenv("XDG_RUNTIME_DIR", run, 1);
	}
	r = unit_main(argc, argv, tests, ARRAY_SIZE(tests));
	if (run)
		unit_tmpdir_free(run);
	return r;
}

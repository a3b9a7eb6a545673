/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* The small parts of the life cycle that need no container: names, frames, files, targets. */
#include "harness/unit.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "config/conf.h"
#include "kernel/proc.h"
#include "lifecycle/command.h"
#include "lifecycle/early_net.h"
#include "lifecycle/guest.h"
#include "lifecycle/init_check.h"
#include "lifecycle/instance.h"
#include "lifecycle/launch_head.h"
#include "lifecycle/mount_entry.h"
#include "lifecycle/states.h"

static char *tmp;

static int setup(void **state)
{
	tmp = unit_tmpdir();
	return 0;
}

static int teardown(void **state)
{
	unit_tmpdir_free(tmp);
	return 0;
}

static void state_names_go_both_ways(void **state)
{
	for (int i = 0; i < STATE_MAX; i++)
		assert_int_equal(state_by_name(state_name(i)), i);
	assert_null(state_name(STATE_MAX));
	assert_null(state_name(-1));
	assert_int_equal(state_by_name("running"), STATE_MAX);
}

static void state_mask_takes_only_exact_names(void **state)
{
	unsigned mask = 0;

	assert_int_equal(state_mask("RUNNING|STOPPED", &mask), 0);
	assert_int_equal(mask, (1U << STATE_RUNNING) | (1U << STATE_STOPPED));
	assert_int_equal(state_mask("RUN", &mask), -EINVAL);
	assert_int_equal(state_mask("RUNNING|", &mask), -EINVAL);
	assert_int_equal(state_mask("", &mask), -EINVAL);
	assert_int_equal(state_mask("RUNNING, STOPPED", &mask), -EINVAL);
}

static void address_is_path_or_hash(void **state)
{
	char out[108], longpath[120];

	command_address("/var/lib/lxc", "web1", out);
	assert_string_equal(out, "/var/lib/lxc/web1/command");
	memset(longpath, 'x', sizeof(longpath));
	longpath[0] = '/';
	longpath[110] = '\0';
	command_address(longpath, "c", out);
	/* "lxc/", 16 digits, "/command" */
	assert_int_equal(strlen(out), 4 + 16 + 8);
	assert_memory_equal(out, "lxc/", 4);
}

static void launch_head_comes_back(void **state)
{
	struct launch_head h = { .mode = LAUNCH_EXPLAIN, .foreground = true, .application = true, .status = true,
				 .name = (char *)"c1", .lxcpath = (char *)"/p", .prog = (char *)"lxc-start" }, back;
	auto_buf struct buf b = BUF_INIT(4096);
	const char *body;

	assert_int_equal(strv_add(&h.argv, "/bin/sh"), 0);
	assert_int_equal(strv_add(&h.argv, "a b\nc=d"), 0);
	assert_int_equal(launch_head_write(&h, &b), 0);
	buf_adds(&b, "lxc.uts.name = x\n");
	assert_int_equal(launch_head_read(b.p, b.len, &back, &body, NULL), 0);
	assert_int_equal(back.mode, LAUNCH_EXPLAIN);
	assert_true(back.foreground && back.application && back.status && !back.quiet && !back.close_fds);
	assert_string_equal(back.name, "c1");
	assert_int_equal(back.argv.n, 2);
	assert_string_equal(back.argv.v[1], "a b\nc=d");
	assert_string_equal(body, "lxc.uts.name = x\n");
	/* Cut anywhere it is refused or complete, never read beyond. */
	for (size_t n = 0; n < b.len - strlen("lxc.uts.name = x\n"); n++) {
		auto_free char *cut = malloc(n ? n : 1);
		struct launch_head ignored;

		memcpy(cut, b.p, n);
		assert_true(launch_head_read(cut, n, &ignored, &body, NULL) < 0);
	}
	strv_done(&h.argv);
	launch_head_done(&back);
}

static int instance_in_tmp(struct err **e)
{
	return instance_dir(tmp, "/var/lib/lxc", "c1", true, e);
}

static void instance_comes_back_and_clears(void **state)
{
	struct instance_state s = { .state = STATE_RUNNING, .monitor_pid = getpid(), .init_pid = 7, .init_start = 9,
				    .all_flags = 0x7c020000, .exit_status = 256, .error = (char *)"it\nfailed 3\nboot 1",
				    .cgroups = (char *)"x 1\n", .net = (char *)"" }, back = { 0 };
	auto_close int dir = instance_in_tmp(NULL);

	assert_true(dir >= 0);
	assert_int_equal(instance_write(dir, &s, NULL, NULL), 0);
	assert_int_equal(instance_read(dir, false, &back, NULL), 0);
	assert_int_equal(back.state, STATE_RUNNING);
	assert_int_equal(back.init_pid, 7);
	assert_int_equal(back.init_start, 9);
	assert_int_equal(back.all_flags, 0x7c020000);
	assert_int_equal(back.exit_status, 256);
	assert_string_equal(back.error, "it\nfailed 3\nboot 1");
	assert_string_equal(back.cgroups, "x 1\n");
	instance_state_done(&back);
	instance_clear(dir);
	assert_int_equal(instance_read(dir, false, &back, NULL), -ENOENT);
}

static void instance_of_another_boot_is_stale(void **state)
{
	struct instance_state s = { .state = STATE_RUNNING, .boot_id = (char *)"another" }, back = { 0 };
	auto_close int dir = instance_in_tmp(NULL);

	assert_int_equal(instance_write(dir, &s, NULL, NULL), 0);
	assert_int_equal(instance_read(dir, false, &back, NULL), -ESTALE);
}

static void instance_without_news_is_not_written_again(void **state)
{
	struct instance_state s = { .state = STATE_STARTING, .monitor_pid = 1 };
	auto_close int dir = instance_in_tmp(NULL);
	auto_free char *last = NULL;
	struct instance_state back = { 0 };
	struct stat first, second;

	assert_int_equal(instance_write(dir, &s, &last, NULL), 0);
	assert_int_equal(fstatat(dir, "state", &first, 0), 0);
	assert_int_equal(instance_write(dir, &s, &last, NULL), 0);
	assert_int_equal(fstatat(dir, "state", &second, 0), 0);
	assert_int_equal(first.st_ino, second.st_ino);
	s.monitor_pid = 2;
	assert_int_equal(instance_write(dir, &s, &last, NULL), 0);
	assert_int_equal(instance_read(dir, false, &back, NULL), 0);
	assert_int_equal(back.monitor_pid, 2);
	instance_state_done(&back);
}

/* One process changes the state again and again, to texts of different lengths, and another reads: it never sees a part of
 * two, and never a failure. The file stays the same one. */
static void instance_is_read_whole_while_it_is_written(void **state)
{
	auto_close int dir = instance_in_tmp(NULL);
	char text[2][600];
	struct stat first, now;
	unsigned seen[2] = { 0 };
	pid_t writer;
	int status;

	memset(text[0], 'a', sizeof(text[0]) - 1);
	memset(text[1], 'b', sizeof(text[1]) - 1);
	text[0][99] = text[0][599] = text[1][599] = '\0';
	for (int i = 0; i < 2; i++) {
		struct instance_state s = { .state = STATE_RUNNING, .error = text[i] };

		assert_int_equal(instance_write(dir, &s, NULL, NULL), 0);
	}
	assert_int_equal(fstatat(dir, "state", &first, 0), 0);
	writer = fork();
	assert_true(writer >= 0);
	if (writer == 0) {
		for (unsigned i = 0;; i++) {
			struct instance_state s = { .state = STATE_RUNNING, .error = text[i % 2] };

			if (instance_write(dir, &s, NULL, NULL) < 0)
				_exit(1);
		}
	}
	for (int i = 0; i < 20000 || !seen[0] || !seen[1]; i++) {
		auto_err struct err *e = NULL;
		struct instance_state back = { 0 };
		bool second;

		assert_int_equal(instance_read(dir, false, &back, &e), 0);
		second = *back.error == 'b';
		assert_string_equal(back.error, text[second]);
		seen[second]++;
		instance_state_done(&back);
	}
	assert_int_equal(kill(writer, SIGKILL), 0);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_equal(fstatat(dir, "state", &now, 0), 0);
	assert_int_equal(now.st_ino, first.st_ino);
}

static void instance_of_an_earlier_version_is_read(void **state)
{
	static const char old[] = "tiffin-state 1\nstate RUNNING\nmonitor 3 4\nerror 3\na b\n";
	auto_close int dir = instance_in_tmp(NULL);
	struct instance_state back = { 0 };

	assert_int_equal(io_replace(dir, "state", old, strlen(old), 0600, NULL), 0);
	assert_int_equal(instance_read(dir, false, &back, NULL), 0);
	assert_int_equal(back.monitor_pid, 3);
	assert_string_equal(back.error, "a b");
	instance_state_done(&back);
}

/* After a crash of the system: what was not yet on the disk is gone. */
static void instance_without_content_is_stale(void **state)
{
	auto_close int dir = instance_in_tmp(NULL);
	struct instance_state back = { 0 };

	assert_int_equal(io_replace(dir, "state", "", 0, 0600, NULL), 0);
	assert_int_equal(instance_read(dir, false, &back, NULL), -ESTALE);
	assert_int_equal(io_replace(dir, "state", "\0\0\0", 3, 0600, NULL), 0);
	assert_int_equal(instance_read(dir, false, &back, NULL), -ESTALE);
}

static void damaged_instance_is_an_error(void **state)
{
	static const char *const bad[] = { "x", "tiffin-state 2\n", "tiffin-state 2 5 0\n", "tiffin-state 2 0 0\n",
					   "tiffin-state 3 0 cbf29ce484222325\n", "tiffin-state 1\nstate NOPE\n",
					   "tiffin-state 1\nerror 99999\nx\n", "tiffin-state 1\nmonitor 1\n",
					   "tiffin-state 1\nboot -1\n\n", "tiffin-state 1\nstate" };
	auto_close int dir = instance_in_tmp(NULL);
	struct instance_state back = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(io_replace(dir, "state", bad[i], strlen(bad[i]), 0600, NULL), 0);
		assert_true(instance_read(dir, false, &back, NULL) < 0);
	}
}

static void instance_directory_is_not_followed_through_a_symlink(void **state)
{
	auto_err struct err *e = NULL;
	auto_free char *lxc = path_join(tmp, "lxc"), *elsewhere = path_join(tmp, "elsewhere");

	assert_int_equal(mkdir(elsewhere, 0755), 0);
	assert_int_equal(symlink(elsewhere, lxc), 0);
	assert_true(instance_dir(tmp, "/p", "c1", true, &e) < 0);
	assert_non_null(e);
	assert_int_equal(rmdir(elsewhere), 0);
}

/* $HOME/.cache/lxc/run of a home that has no .cache yet. */
static void run_directory_is_made_with_what_is_above(void **state)
{
	auto_err struct err *e = NULL;
	auto_free char *rundir = path_join(tmp, ".cache/lxc/run"), *cache = path_join(tmp, ".cache");
	auto_close int dir = instance_dir(rundir, "/p", "c1", false, &e);
	struct stat st;

	assert_int_equal(dir, -ENOENT);
	assert_int_equal(access(cache, F_OK), -1);
	dir = instance_dir(rundir, "/p", "c1", true, &e);
	assert_true(dir >= 0);
	assert_int_equal(stat(cache, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void instance_directory_of_all_is_refused(void **state)
{
	auto_err struct err *e = NULL;
	auto_free char *lxc = path_join(tmp, "lxc");

	assert_int_equal(mkdir(lxc, 0777), 0);
	assert_int_equal(chmod(lxc, 0777), 0);
	assert_true(instance_dir(tmp, "/p", "c1", true, &e) < 0);
	assert_err_id(e, "untrusted-directory");
}

static void process_is_the_same_only_with_its_start(void **state)
{
	uint64_t start;

	assert_int_equal(proc_start_time(getpid(), &start), 0);
	assert_true(instance_alive(getpid(), start));
	assert_false(instance_alive(getpid(), start + 1));
	assert_false(instance_alive(0, 0));
}

/* --- init_check --- */

static void put(const char *name, const void *p, size_t n, mode_t mode)
{
	auto_free char *path = path_join(tmp, name);
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, p, n), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static int check(const char *argv0, struct err **e)
{
	auto_close int root = open(tmp, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return init_check(root, tmp, argv0, e);
}

static void init_must_exist_and_be_executable(void **state)
{
	auto_err struct err *missing = NULL, *plain = NULL, *dir = NULL;

	assert_int_equal(check("/sbin/init", &missing), -ENOENT);
	assert_err_id(missing, "init-missing");
	assert_err_has(missing, "/sbin/init");
	put("plain", "x", 1, 0644);
	assert_true(check("/plain", &plain) < 0);
	assert_err_id(plain, "init-not-executable");
	assert_true(check("/", &dir) < 0);
	assert_err_id(dir, "init-not-executable");
}

static void interpreter_of_a_script_must_exist_inside(void **state)
{
	static const char script[] = "#! /bin/nosuch -x\n";
	auto_err struct err *e = NULL;

	put("script", script, sizeof(script) - 1, 0755);
	assert_true(check("/script", &e) < 0);
	assert_err_id(e, "init-interpreter-missing");
	assert_err_has(e, "/bin/nosuch");
}

static void elf_of_another_machine_is_named(void **state)
{
	Elf64_Ehdr h = { .e_machine = EM_S390 };
	auto_err struct err *e = NULL;

	if (access("/proc/sys/fs/binfmt_misc/status", F_OK) == 0)
		unit_skip("binfmt_misc may run foreign programs here");
	memcpy(h.e_ident, ELFMAG, SELFMAG);
	h.e_ident[EI_CLASS] = ELFCLASS64;
	h.e_ident[EI_DATA] = ELFDATA2MSB;
	put("foreign", &h, sizeof(h), 0755);
	assert_true(check("/foreign", &e) < 0);
	assert_err_id(e, "init-wrong-arch");
	assert_err_has(e, "s390x");
}

static void loader_of_an_elf_must_exist_inside(void **state)
{
	auto_err struct err *e = NULL;
	auto_free char *self = NULL;
	size_t len;

	assert_int_equal(io_read_file(AT_FDCWD, "/usr/bin/env", 16U << 20, &self, &len, NULL), 0);
	put("prog", self, len, 0755);
	assert_true(check("/prog", &e) < 0);
	assert_err_id(e, "init-interpreter-missing");
}

static void damaged_elf_does_not_crash(void **state)
{
	auto_free char *self = NULL;
	size_t len;

	assert_int_equal(io_read_file(AT_FDCWD, "/usr/bin/env", 16U << 20, &self, &len, NULL), 0);
	for (size_t n = 4; n < 200; n += 3) {
		put("cut", self, n, 0755);
		(void)check("/cut", NULL);
	}
	memset(self + sizeof(Elf64_Ehdr), 0xff, 400);
	put("wild", self, len, 0755);
	(void)check("/wild", NULL);
}

/* --- mount targets --- */

static int target(const char *path, int create, struct err **e)
{
	auto_close int root = open(tmp, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return mount_target_open(root, path, create, e);
}

static void symlink_out_of_the_root_is_no_target(void **state)
{
	static const char *const out[] = { "..", "../..", "sub/../../x" };

	for (size_t i = 0; i < ARRAY_SIZE(out); i++) {
		auto_free char *link = path_join(tmp, "link");
		auto_err struct err *e = NULL;

		(void)unlink(link);
		assert_int_equal(symlink(out[i], link), 0);
		assert_true(target("link", 'd', &e) < 0);
		assert_err_id(e, "mount-target-escapes");
	}
}

static void absolute_symlink_inside_the_root_is_a_target(void **state)
{
	auto_free char *real = path_join(tmp, "real"), *link = path_join(tmp, "abs");
	auto_close int fd = -EBADF;

	assert_int_equal(mkdir(real, 0755), 0);
	assert_int_equal(symlink("/real", link), 0);
	fd = target("abs", 0, NULL);
	assert_true(fd >= 0);
}

static void root_itself_is_no_target(void **state)
{
	auto_free char *link = path_join(tmp, "slash");
	auto_err struct err *e = NULL, *missing = NULL;

	assert_int_equal(symlink("/", link), 0);
	assert_true(target("slash", 0, &e) < 0);
	assert_err_id(e, "mount-target-escapes");
	assert_true(target("nosuch", 0, &missing) < 0);
	assert_err_id(missing, "mount-target-missing");
}

static void put_file(const char *path, const char *text, mode_t mode)
{
	auto_free char *full = path_join(tmp, path);

	for (char *p = strchr(full + strlen(tmp) + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		(void)mkdir(full, 0755);
		*p = '/';
	}

	auto_close int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, text, strlen(text)), 0);
}

static unsigned version_of(const char *library)
{
	auto_close int root = open(tmp, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_free char *full = path_join(tmp, library);
	unsigned v;

	put_file(library, "", 0644);
	v = guest_systemd(root, "/sbin/init");
	assert_int_equal(unlink(full), 0);
	return v;
}

static void version_of_systemd_is_read_from_its_files(void **state)
{
	auto_close int root = open(tmp, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_free char *link = NULL;

	put_file("usr/lib/systemd/systemd", "x", 0755);
	put_file("sbin/x", "x", 0755);
	link = path_join(tmp, "sbin/init");
	assert_int_equal(symlink("/sbin/x", link), 0);
	assert_int_equal(guest_systemd(root, "/sbin/init"), 0);
	assert_int_equal(unlink(link), 0);
	/* An absolute link is the root's, not ours. */
	assert_int_equal(symlink("/usr/lib/systemd/systemd", link), 0);
	assert_int_equal(guest_systemd(root, "/sbin/init"), 230);
	assert_int_equal(version_of("usr/lib/systemd/libsystemd-shared-252.22-1.el9.so"), 252);
	assert_int_equal(version_of("usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-257.so"), 257);
	assert_int_equal(version_of("usr/lib/systemd/libsystemd-shared-x.so"), 230);
	assert_int_equal(version_of("usr/lib/systemd/libsystemd-core-257.so"), 230);
	assert_int_equal(guest_systemd(root, "/no/init"), 0);
	assert_int_equal(guest_systemd(root, "init"), 0);
}

static void systemd_without_v2_needs_a_host_with_v1(void **state)
{
	auto_close int root = open(tmp, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_err struct err *e = NULL;

	put_file("etc/os-release", "NAME=x\nID=\"centos\"\nPRETTY_NAME=\"CentOS Linux 7 (Core)\"\n", 0644);
	assert_int_equal(guest_check_cgroups(root, "/root", 232, true, &e), 0);
	assert_int_equal(guest_check_cgroups(root, "/root", 230, false, &e), 0);
	assert_int_equal(guest_check_cgroups(root, "/root", 0, true, &e), 0);
	assert_true(guest_check_cgroups(root, "/root", 231, true, &e) < 0);
	assert_err_id(e, "guest-needs-v1");
	assert_err_has(e, "CentOS Linux 7 (Core)");
	assert_err_has(e, "231");
	assert_err_has(e, "CentOS Stream 8");
}

#define IN_TMP(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

static ino_t own_network(void)
{
	struct stat st;

	CHECK(stat("/proc/self/ns/net", &st) == 0);
	return st.st_ino;
}

static void network_beside(void *arg)
{
	const ino_t before = own_network();
	struct run r = { .clone_flags = CLONE_NEWNET | CLONE_NEWUSER };

	early_net_begin(&r);
	CHECK(!r.early_net && !early_net_enter(&r));
	r.clone_flags = CLONE_NEWNET;
	early_net_begin(&r);
	if (!r.early_net)
		unit_skip("needs a machine on which we know how to clone into the same memory");
	early_net_end(&r);
	CHECK(own_network() == before);
	CHECK(early_net_enter(&r));
	CHECK(own_network() != before);
	CHECK_OK(early_net_leave(&r, NULL), NULL);
	CHECK(own_network() == before);
	early_net_free(r.early_net);
	/* One that nobody has waited for. */
	early_net_begin(&r);
	early_net_free(r.early_net);
	CHECK(own_network() == before);
}

/* Whose one processor does this has none to spare. Then it is known without a look. */
static void on_one_processor(void *arg)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	CHECK(!early_net_pays());
	early_net_off();
	CHECK(!early_net_pays());
}

static void nothing_is_made_beside_without_an_idle_processor(void **state)
{
	unit_child(on_one_processor, NULL);
}

static void the_network_is_made_beside(void **state)
{
	unit_child_ns(CLONE_NEWNET, network_beside, NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(state_names_go_both_ways),
	cmocka_unit_test(state_mask_takes_only_exact_names),
	cmocka_unit_test(address_is_path_or_hash),
	cmocka_unit_test(launch_head_comes_back),
	IN_TMP(instance_comes_back_and_clears),
	IN_TMP(instance_of_another_boot_is_stale),
	IN_TMP(instance_without_news_is_not_written_again),
	IN_TMP(instance_without_content_is_stale),
	IN_TMP(instance_is_read_whole_while_it_is_written),
	IN_TMP(instance_of_an_earlier_version_is_read),
	IN_TMP(damaged_instance_is_an_error),
	IN_TMP(instance_directory_is_not_followed_through_a_symlink),
	IN_TMP(run_directory_is_made_with_what_is_above),
	IN_TMP(instance_directory_of_all_is_refused),
	cmocka_unit_test(process_is_the_same_only_with_its_start),
	IN_TMP(init_must_exist_and_be_executable),
	IN_TMP(interpreter_of_a_script_must_exist_inside),
	IN_TMP(elf_of_another_machine_is_named),
	IN_TMP(loader_of_an_elf_must_exist_inside),
	IN_TMP(damaged_elf_does_not_crash),
	IN_TMP(symlink_out_of_the_root_is_no_target),
	IN_TMP(absolute_symlink_inside_the_root_is_a_target),
	IN_TMP(root_itself_is_no_target),
	IN_TMP(version_of_systemd_is_read_from_its_files),
	IN_TMP(systemd_without_v2_needs_a_host_with_v1),
	cmocka_unit_test(the_network_is_made_beside),
	cmocka_unit_test(nothing_is_made_beside_without_an_idle_processor),
};
UNIT_MAIN(tests)

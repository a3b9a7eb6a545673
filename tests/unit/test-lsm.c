/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* AppArmor's decisions, against the files of an imagined kernel below a temporary directory; and the
 * attribute files of a real procfs, also one that somebody has prepared. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "harness/unit.h"
#include "security/apparmor.h"
#include "security/apparmor_own.h"
#include "security/lsm.h"
#include "security/lsm_attr.h"

struct kernel {
	char *dir;
	int root;
	struct buf warnings;
	struct log log;
};

static void keep_warning(void *arg, const char *text)
{
	buf_addf(arg, "%s\n", text);
}

/* Makes DIR/PATH with its parents. */
static void put(struct kernel *k, const char *path, const char *text)
{
	auto_free char *copy = strdup(path);

	assert_non_null(copy);
	for (char *p = strchr(copy, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		(void)mkdirat(k->root, copy, 0755);
		*p = '/';
	}
	unit_write(k->dir, path, text);
}

static void kernel_make(struct kernel *k)
{
	*k = (struct kernel){ .warnings = BUF_INIT(65536), .log = LOG_INIT };
	k->log.sink = keep_warning;
	k->log.sink_arg = &k->warnings;
	k->dir = unit_tmpdir();
	k->root = open(k->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(k->root >= 0);
}

static void kernel_with_apparmor(struct kernel *k)
{
	kernel_make(k);
	put(k, "sys/module/apparmor/parameters/enabled", "Y\n");
	put(k, "sys/kernel/security/apparmor/profiles",
	    "lxc-container-default-cgns (enforce)\nlxc-container-default-with-nesting (enforce)\n"
	    "my profile (complain)\n/usr/bin/man (enforce)\n");
	put(k, "sys/kernel/security/apparmor/features/mount/mask", "mount umount pivot_root\n");
	put(k, "proc/thread-self/attr/apparmor/current", "unconfined\n");
}

static void kernel_done(struct kernel *k)
{
	fd_close(k->root);
	buf_done(&k->warnings);
	unit_tmpdir_free(k->dir);
}
#define auto_kernel __attribute__((cleanup(kernel_done)))

/* Plans for this value (NULL: unset); *ret_profile borrows from p. */
static int plan(struct kernel *k, const char *value, struct apparmor_plan *p, struct err **e)
{
	struct conf c = { .apparmor_profile = { (char *)value, { "/c/config", 5 } } };
	struct apparmor_host h;

	k->warnings.len = 0;
	apparmor_host(k->root, &h);
	return apparmor_plan(&c, k->root, &h, &k->log, p, e);
}

static void expect(struct kernel *k, const char *value, const char *profile)
{
	struct apparmor_plan p;
	auto_err struct err *e = NULL;

	if (plan(k, value, &p, &e) < 0) {
		auto_free char *line = err_line(e);

		fail_msg("%s: %s", value ? value : "(unset)", line);
	}
	if (profile)
		assert_string_equal(p.profile, profile);
	else
		assert_null(p.profile);
	apparmor_plan_done(&p);
}

static void expect_error(struct kernel *k, const char *value, const char *id, const char *text)
{
	struct apparmor_plan p;
	auto_err struct err *e = NULL;

	assert_true(plan(k, value, &p, &e) < 0);
	assert_err_id(e, id);
	assert_err_has(e, text);
	if (value)
		assert_err_has(e, "/c/config:5");
	assert_true(*err_remedy(e));
}

static void without_apparmor_words_ask_for_nothing(void **state)
{
	auto_kernel struct kernel k;

	kernel_make(&k);
	expect(&k, NULL, NULL);
	expect(&k, "unconfined", NULL);
	expect(&k, "unchanged", NULL);
	expect(&k, "generated", NULL);
	assert_int_equal(k.warnings.len, 0);
}

static void without_apparmor_a_named_profile_is_an_error(void **state)
{
	auto_kernel struct kernel k;

	kernel_make(&k);
	expect_error(&k, "web", "profile-not-loaded",
		     "AppArmor profile web is not loaded: this kernel has no AppArmor");
	put(&k, "sys/module/apparmor/parameters/enabled", "N\n");
	expect_error(&k, "web", "profile-not-loaded", "no AppArmor");
}

static void without_apparmor_names_of_shipped_configs_only_warn(void **state)
{
	static const char *const names[] = { "lxc-container-default", "lxc-container-default-cgns",
					     "lxc-container-default-with-nesting",
					     "lxc-container-default-with-mounting" };
	auto_kernel struct kernel k;

	kernel_make(&k);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		expect(&k, names[i], NULL);
		assert_non_null(strstr(buf_str(&k.warnings), names[i]));
	}
}

static void loaded_profiles_are_taken(void **state)
{
	auto_kernel struct kernel k;

	kernel_with_apparmor(&k);
	expect(&k, NULL, "lxc-container-default-cgns");
	expect(&k, "lxc-container-default-with-nesting", "lxc-container-default-with-nesting");
	expect(&k, "my profile", "my profile");
	expect(&k, "a//&:ns:b", "a//&:ns:b");
	expect(&k, "unchanged", NULL);
	expect(&k, "unconfined", NULL);
}

static void missing_profiles_are_named_with_a_remedy(void **state)
{
	auto_kernel struct kernel k;

	kernel_with_apparmor(&k);
	expect_error(&k, "my", "profile-not-loaded", "AppArmor profile my is not loaded");
	expect_error(&k, "my profile (complain)", "profile-not-loaded", "is not loaded");
	expect_error(&k, "lxc-container-default", "profile-not-loaded",
		     "apparmor_parser -r /etc/apparmor.d/lxc-containers");
	put(&k, "sys/kernel/security/apparmor/profiles", "");
	expect_error(&k, NULL, "profile-not-loaded", "lxc-container-default-cgns");
}

/* A host where nobody has loaded LXC's profiles still confines its containers. */
static void without_the_default_profile_one_is_generated(void **state)
{
	auto_kernel struct kernel k;
	struct apparmor_plan p;

	if (geteuid() != 0)
		unit_skip("needs root");
	kernel_with_apparmor(&k);
	put(&k, "sys/kernel/security/apparmor/profiles", "");
	put(&k, "usr/sbin/apparmor_parser", "");
	expect_error(&k, NULL, "profile-not-loaded", "lxc-container-default-cgns");
	assert_int_equal(fchmodat(k.root, "usr/sbin/apparmor_parser", 0755, 0), 0);
	assert_int_equal(plan(&k, NULL, &p, NULL), 0);
	assert_true(p.generated);
	assert_null(p.profile);
	expect_error(&k, "lxc-container-default-cgns", "profile-not-loaded", "lxc-container-default-cgns");
}

static void unlistable_profiles_are_left_to_the_kernel(void **state)
{
	auto_kernel struct kernel k;

	kernel_with_apparmor(&k);
	assert_int_equal(unlinkat(k.root, "sys/kernel/security/apparmor/profiles", 0), 0);
	expect(&k, "web", "web");
}

static void missing_mount_mediation_needs_consent(void **state)
{
	auto_kernel struct kernel k;
	struct conf c = { .apparmor_allow_incomplete = { .v = 1 } };
	struct apparmor_host h;
	struct apparmor_plan p;

	kernel_with_apparmor(&k);
	assert_int_equal(unlinkat(k.root, "sys/kernel/security/apparmor/features/mount/mask", 0), 0);
	expect_error(&k, NULL, "apparmor-incomplete", "does not control mounts");
	expect(&k, "unconfined", NULL);
	apparmor_host(k.root, &h);
	assert_int_equal(apparmor_plan(&c, k.root, &h, &k.log, &p, NULL), 0);
	assert_string_equal(p.profile, "lxc-container-default-cgns");
	apparmor_plan_done(&p);
}

static void confined_starter_hands_on_its_own_profile(void **state)
{
	auto_kernel struct kernel k;

	kernel_with_apparmor(&k);
	put(&k, "proc/thread-self/attr/apparmor/current", "my profile (enforce)\n");
	expect(&k, NULL, NULL);
	expect(&k, "my profile", NULL);
	expect(&k, "unconfined", "unconfined");
	expect_error(&k, "lxc-container-default-cgns", "apparmor-confined", "my profile");
	put(&k, "sys/kernel/security/apparmor/features/domain/stack", "yes\n");
	put(&k, "sys/kernel/security/apparmor/features/domain/version", "1.2\n");
	expect(&k, NULL, "lxc-container-default-cgns");
	put(&k, "proc/thread-self/attr/apparmor/current", "/usr/bin/lxc-start (enforce)\n");
	expect(&k, "my profile", "my profile");
}

static void names_are_plain_and_short(void **state)
{
	static const struct {
		const char *name, *lxcpath, *want;
	} cases[] = {
		{ "c1", "/var/lib/lxc", "lxc-c1_</var/lib/lxc>" },
		{ "c1", "/my path", "lxc-c1_</my path>" },
		{ "c1", "/a\"b", NULL },
		{ "c1", "/a*", NULL },
		{ "c1", "/a\nb", NULL },
	};
	char longpath[300] = "/";

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *got = apparmor_own_name(cases[i].name, cases[i].lxcpath);

		assert_non_null(got);
		if (cases[i].want)
			assert_string_equal(got, cases[i].want);
		else
			assert_int_equal(strspn(got, "lxc-0123456789abcdef"), 20);
	}
	memset(longpath + 1, 'x', sizeof(longpath) - 2);
	auto_free char *got = apparmor_own_name("c1", longpath);

	assert_int_equal(strlen(got), 20);
}

/* A parser that says it is 4.0 and writes down how it was called. */
static void put_parser(struct kernel *k)
{
	auto_free char *text = NULL, *path = NULL;

	assert_true(asprintf(&text,
			     "#!/bin/sh\n[ \"$1\" = --version ] && { echo 'AppArmor parser version 4.0.2'; exit; }\n"
			     "echo \"$1 $3\" >>'%s/calls'\n[ -e '%s/broken' ] && { echo 'syntax error in line 7' >&2; "
			     "exit 1; }\nexit 0\n", k->dir, k->dir) > 0);
	put(k, "bin/apparmor_parser", text);
	assert_true(asprintf(&path, "%s/bin/apparmor_parser", k->dir) > 0);
	assert_int_equal(chmod(path, 0755), 0);
}

/* "lxc/c1/apparmor/FILE" of the only file there. New. */
static char *profile_file(struct kernel *k)
{
	auto_close int fd = openat(k->root, "lxc/c1/apparmor", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fdopendir(fd);
	struct dirent *at;
	char *name = NULL;

	assert_non_null(d);
	fd = -EBADF;
	while ((at = readdir(d)) != NULL)
		if (at->d_name[0] != '.') {
			assert_null(name);
			assert_true(asprintf(&name, "lxc/c1/apparmor/%s", at->d_name) > 0);
		}
	closedir(d);
	return name;
}

static void generated_profile_is_written_loaded_and_removed(void **state)
{
	auto_kernel struct kernel k;
	auto_free char *search = NULL, *lxcpath = NULL, *name = NULL, *text = NULL, *calls = NULL, *want = NULL;
	auto_err struct err *e = NULL;
	struct apparmor_own *o = NULL;
	struct conf_idmap map = { false, 0, 100000, 65536, { 0 } };
	struct apparmor_host h;
	struct stat st;

	kernel_with_apparmor(&k);
	put_parser(&k);
	put(&k, "lxc/c1/config", "");
	assert_true(asprintf(&search, "%s/bin", k.dir) > 0);
	assert_true(asprintf(&lxcpath, "%s/lxc", k.dir) > 0);
	struct conf c = { .name = (char *)"c1", .lxcpath = lxcpath, .idmap = { { &map, 1 } } };

	apparmor_host(k.root, &h);
	h.search = search;
	assert_int_equal(apparmor_own_plan(&c, k.root, &h, NULL, &o, &e), 0);
	assert_int_equal(faccessat(k.root, "lxc/c1/apparmor", F_OK, 0), -1);

	assert_int_equal(apparmor_own_load(o, &e), 0);
	name = profile_file(&k);
	assert_int_equal(fstatat(k.root, name, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(io_read_file(k.root, name, 1 << 20, &text, NULL, NULL), 0);
	assert_non_null(strstr(text, apparmor_own_label(o)));
	assert_non_null(strstr(text, "\n  mqueue,\n"));
	/* The parser's cache goes by name and time: both are the same whenever the text is. */
	const time_t written = st.st_mtim.tv_sec;

	apparmor_own_unload(o);
	assert_int_equal(faccessat(k.root, "lxc/c1/apparmor", F_OK, 0), -1);
	assert_int_equal(apparmor_own_load(o, &e), 0);
	assert_int_equal(fstatat(k.root, name, &st, 0), 0);
	assert_int_equal(st.st_mtim.tv_sec, written);
	assert_true(written < time(NULL) - 86400);
	apparmor_own_unload(o);
	assert_int_equal(io_read_file(k.root, "calls", 1 << 20, &calls, NULL, NULL), 0);
	assert_true(asprintf(&want, "-rWL %s/%s\n-rWL %s/%s\n", k.dir, name, k.dir, name) > 0);
	assert_string_equal(calls, want);

	put(&k, "broken", "");
	assert_true(apparmor_own_load(o, &e) < 0);
	assert_err_has(e, "syntax error in line 7");
	apparmor_own_free(o);
}

static void a_profile_needs_no_container_directory(void **state)
{
	auto_kernel struct kernel k;
	auto_free char *search = NULL, *calls = NULL, *base = NULL, *dir = NULL;
	auto_err struct err *e = NULL;
	struct apparmor_own *o = NULL;
	struct conf c = { .name = (char *)"c2" };
	struct apparmor_host h;

	kernel_with_apparmor(&k);
	put_parser(&k);
	assert_true(asprintf(&search, "%s/bin", k.dir) > 0);
	c.lxcpath = k.dir;
	apparmor_host(k.root, &h);
	h.search = search;
	assert_int_equal(apparmor_own_plan(&c, k.root, &h, NULL, &o, &e), 0);
	assert_int_equal(apparmor_own_load(o, &e), 0);
	assert_int_equal(io_read_file(k.root, "calls", 1 << 20, &calls, NULL, NULL), 0);
	base = strndup(calls + strlen("-rWL "), strcspn(calls, "\n") - strlen("-rWL "));
	assert_non_null(base);
	assert_int_equal(access(base, R_OK), 0);
	dir = strdup(base);
	*strrchr(dir, '/') = '\0';
	*strrchr(dir, '/') = '\0';
	apparmor_own_unload(o);
	assert_int_equal(access(dir, F_OK), -1);
	/* Nor is one made. */
	assert_int_equal(faccessat(k.root, "c2", F_OK, 0), -1);
	apparmor_own_free(o);
}

static void generating_needs_a_parser(void **state)
{
	auto_kernel struct kernel k;
	auto_err struct err *e = NULL;
	struct apparmor_own *o = NULL;
	struct conf c = { .name = (char *)"c1" };
	struct apparmor_host h;

	kernel_with_apparmor(&k);
	put(&k, "c1/config", "");
	c.lxcpath = k.dir;
	apparmor_host(k.root, &h);
	h.search = k.dir;
	assert_int_equal(apparmor_own_plan(&c, k.root, &h, NULL, &o, &e), 0);
	assert_true(apparmor_own_load(o, &e) < 0);
	assert_err_has(e, "apparmor_parser");
	apparmor_own_free(o);
}

static void lsm_on_this_kernel(void **state)
{
	struct conf c = { .name = (char *)"c1", .lxcpath = (char *)"/nonexistent" };
	struct lsm *m = NULL;
	auto_err struct err *e = NULL;
	auto_close int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	c.apparmor_profile.v = (char *)"unchanged";
	assert_int_equal(lsm_plan(&c, NULL, &m, &e), 0);
	assert_string_equal(lsm_label(m), "");
	assert_int_equal(lsm_load(m, &e), 0);
	assert_int_equal(lsm_apply_keyring(m, proc, &e), 0);
	assert_int_equal(lsm_apply(m, proc, &e), 0);
	lsm_unload(m);
	lsm_free(m);
	auto_free char *label = lsm_label_of(getpid());

	assert_non_null(label);
}

static void contexts_without_selinux_warn(void **state)
{
	auto_kernel struct kernel k;
	struct conf c = { .selinux_context = { (char *)"a:b:c:s0", { 0 } },
			  .selinux_keyring = { (char *)"k:b:c:s0", { 0 } },
			  .apparmor_profile = { (char *)"unchanged", { 0 } } };
	struct lsm *m = NULL;

	if (access("/sys/fs/selinux/enforce", F_OK) == 0)
		unit_skip("needs a kernel without SELinux");
	kernel_make(&k);
	assert_int_equal(lsm_plan(&c, &k.log, &m, NULL), 0);
	assert_non_null(strstr(buf_str(&k.warnings), "a:b:c:s0"));
	assert_non_null(strstr(buf_str(&k.warnings), "k:b:c:s0"));
	assert_string_equal(lsm_label(m), "");
	lsm_free(m);
}

/* ---- attribute files ---- */

static void labels_go_to_procfs_only(void **state)
{
	auto_kernel struct kernel k;
	auto_free char *text = NULL;

	kernel_make(&k);
	put(&k, "self/attr/current", "before");
	put(&k, "1/task/1/attr/current", "before");
	assert_int_equal(symlinkat("1/task/1", k.root, "thread-self"), 0);
	assert_int_equal(lsm_attr_write(k.root, "current", "changeprofile x"), -ENOTSUP);
	assert_int_equal(io_read_file(k.root, "1/task/1/attr/current", 100, &text, NULL, NULL), 0);
	assert_string_equal(text, "before");
}

static void cover_attribute(void *arg)
{
	struct kernel *k = arg;
	auto_free char *target = NULL, *source = NULL, *text = NULL;
	auto_close int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	CHECK(asprintf(&target, "/proc/%d/task/%ld/attr/current", getpid(), syscall(SYS_gettid)) > 0);
	CHECK(asprintf(&source, "%s/bait", k->dir) > 0);
	r = lsm_attr_write(proc, "current", "changeprofile no-such-profile");
	CHECK(r < 0 && r != -EXDEV && r != -ENOTSUP);	/* it arrives, and the kernel has no use for it */
	CHECK(mount(source, target, NULL, MS_BIND, NULL) == 0);
	CHECK(lsm_attr_write(proc, "current", "changeprofile no-such-profile") == -EXDEV);
	CHECK(io_read_file(AT_FDCWD, source, 100, &text, NULL, NULL) == 0);
	CHECK(STREQ(text, "bait"));
	/* Another procfs on top of the task directory is not the one that was checked, either. */
	CHECK(umount2(target, 0) == 0);
	CHECK(mount("/proc", "/proc/self/task", NULL, MS_BIND, NULL) == 0);
	CHECK(lsm_attr_write(proc, "current", "changeprofile no-such-profile") < 0);
}

static void covered_attribute_is_not_written(void **state)
{
	auto_kernel struct kernel k;

	kernel_make(&k);
	put(&k, "bait", "bait");
	unit_child_ns(0, cover_attribute, &k);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(without_apparmor_words_ask_for_nothing),
	cmocka_unit_test(without_apparmor_a_named_profile_is_an_error),
	cmocka_unit_test(without_apparmor_names_of_shipped_configs_only_warn),
	cmocka_unit_test(loaded_profiles_are_taken),
	cmocka_unit_test(missing_profiles_are_named_with_a_remedy),
	cmocka_unit_test(without_the_default_profile_one_is_generated),
	cmocka_unit_test(unlistable_profiles_are_left_to_the_kernel),
	cmocka_unit_test(missing_mount_mediation_needs_consent),
	cmocka_unit_test(confined_starter_hands_on_its_own_profile),
	cmocka_unit_test(names_are_plain_and_short),
	cmocka_unit_test(generated_profile_is_written_loaded_and_removed),
	cmocka_unit_test(a_profile_needs_no_container_directory),
	cmocka_unit_test(generating_needs_a_parser),
	cmocka_unit_test(lsm_on_this_kernel),
	cmocka_unit_test(contexts_without_selinux_warn),
	cmocka_unit_test(labels_go_to_procfs_only),
	cmocka_unit_test(covered_attribute_is_not_written),
};
UNIT_MAIN(tests)

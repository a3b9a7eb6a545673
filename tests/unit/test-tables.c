/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* The small tables of the kernel layer: signals, capabilities, limits, architectures, mount options. */
#include "harness/unit.h"

#include <elf.h>
#include <linux/mount.h>
#include <signal.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/arch.h"
#include "kernel/caps.h"
#include "kernel/mountopt.h"
#include "kernel/rlimit.h"
#include "kernel/signal.h"

static void signals_parse_and_format(void **state)
{
	int sig = -1;

	assert_int_equal(signal_parse("SIGTERM", &sig), 0);
	assert_int_equal(sig, SIGTERM);
	assert_int_equal(signal_parse("sigpwr", &sig), 0);
	assert_int_equal(sig, SIGPWR);
	assert_int_equal(signal_parse("SIGRTMIN+0", &sig), 0);
	assert_int_equal(sig, SIGRTMIN);
	assert_int_equal(signal_parse("SIGRTMAX-0", &sig), 0);
	assert_int_equal(sig, SIGRTMAX);
	assert_int_equal(signal_parse("64", &sig), 0);
	assert_int_equal(signal_parse("65", &sig), -ERANGE);
	assert_int_equal(signal_parse("SIGRTMIN+31", &sig), -ERANGE);
	assert_int_equal(signal_parse("SIGRTMIN+-1", &sig), -EINVAL);
	assert_int_equal(signal_parse("SIGRTMIN+", &sig), -EINVAL);
	assert_int_equal(signal_parse("TERM", &sig), -EINVAL);
	assert_int_equal(signal_parse("", &sig), -EINVAL);
	assert_int_equal(signal_parse("9x", &sig), -EINVAL);
	assert_int_equal(sig, 64);
	assert_string_equal(signal_name(SIGABRT), "SIGABRT");
	assert_string_equal(signal_name(SIGSYS), "SIGSYS");
	assert_null(signal_name(SIGRTMIN + 3));
}

static void reset_child(void *arg)
{
	struct sigaction sa;
	sigset_t set;

	static const struct {
		void (*handler)(int);
		unsigned long rest[7];
	} ignored = { .handler = SIG_IGN };
	unsigned long now[8] = { 1 };

	(void)signal(SIGUSR1, SIG_IGN);
	/* One of libc's own, as posix_spawn() leaves it. */
	CHECK(syscall(SYS_rt_sigaction, SIGRTMIN - 1, &ignored, NULL, (size_t)(SIGRTMAX + 1) / 8) == 0);
	(void)sigfillset(&set);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	signal_reset_all();
	CHECK(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
	CHECK(sigaction(SIGUSR1, NULL, &sa) == 0);
	CHECK(sa.sa_handler == SIG_DFL);
	CHECK(syscall(SYS_rt_sigaction, SIGRTMIN - 1, NULL, now, (size_t)(SIGRTMAX + 1) / 8) == 0);
	CHECK(now[0] == 0);
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		CHECK(sigismember(&set, sig) != 1);
}

static void reset_unblocks_and_restores_defaults(void **state)
{
	unit_child(reset_child, NULL);
}

static void capabilities_parse(void **state)
{
	int cap = -1;

	assert_int_equal(caps_parse("chown", &cap), 0);
	assert_int_equal(cap, 0);
	assert_int_equal(caps_parse("checkpoint_restore", &cap), 0);
	assert_int_equal(cap, 40);
	assert_int_equal(caps_parse("21", &cap), 0);
	assert_string_equal(caps_name(cap), "sys_admin");
	assert_int_equal(caps_parse("63", &cap), -ERANGE);
	assert_int_equal(caps_parse("-1", &cap), -EINVAL);
	assert_int_equal(caps_parse("CHOWN", &cap), -EINVAL);
	assert_int_equal(caps_parse("cap_chown", &cap), -EINVAL);
	assert_string_equal(caps_nearest("CAP_SYS_ADMIN"), "sys_admin");
	assert_string_equal(caps_nearest("net_admn"), "net_admin");
	assert_null(caps_nearest("completely_else"));
	assert_null(caps_name(63));
	assert_true(caps_last() >= 37 && caps_last() < 64);
	assert_true(prctl(PR_CAPBSET_READ, caps_last(), 0, 0, 0) >= 0);
	assert_true(prctl(PR_CAPBSET_READ, caps_last() + 1, 0, 0, 0) < 0);
}

static void drop_child(void *arg)
{
	struct err *e = NULL;

	CHECK_OK(caps_drop_bounding(CAPS_BIT(21) | CAPS_BIT(0), &e), e);
	CHECK(prctl(PR_CAPBSET_READ, 21, 0, 0, 0) == 0);
	CHECK(prctl(PR_CAPBSET_READ, 0, 0, 0, 0) == 0);
	CHECK(prctl(PR_CAPBSET_READ, 1, 0, 0, 0) == 1);
	/* Again: what is gone already is no failure. */
	CHECK_OK(caps_drop_bounding(CAPS_BIT(21) | CAPS_BIT(63), &e), e);
	CHECK_OK(caps_clear_inherited(&e), e);
	CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 1, 0, 0) == 0);
}

static void dropped_capabilities_leave_the_bounding_set(void **state)
{
	unit_child_ns(0, drop_child, NULL);
}

static void limits_parse_and_format(void **state)
{
	struct rlimit l = { 0 };
	char text[64];

	assert_int_equal(rlimit_by_name("nofile"), RLIMIT_NOFILE);
	assert_int_equal(rlimit_by_name("7"), 7);
	assert_int_equal(rlimit_by_name("99"), -EINVAL);
	assert_int_equal(rlimit_by_name("nofiles"), -EINVAL);
	assert_string_equal(rlimit_nearest("nofiles"), "nofile");
	assert_int_equal(rlimit_parse(" 5 :unlimited", &l), 0);
	assert_int_equal(l.rlim_cur, 5);
	assert_true(l.rlim_max == RLIM_INFINITY);
	rlimit_format(&l, text, sizeof(text));
	assert_string_equal(text, "5:unlimited");
	assert_int_equal(rlimit_parse("7:", &l), 0);
	assert_int_equal(l.rlim_max, 7);
	assert_int_equal(rlimit_parse("5:6:7", &l), -EINVAL);
	assert_int_equal(rlimit_parse("", &l), -EINVAL);
	assert_int_equal(rlimit_parse("5 6", &l), -EINVAL);
}

static void limit_child(void *arg)
{
	struct rlimit l = { .rlim_cur = 100, .rlim_max = 200 }, now;
	struct err *e = NULL;

	CHECK_OK(rlimit_apply(getpid(), RLIMIT_NOFILE, "nofile", &l, &e), e);
	CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 100 && now.rlim_max == 200);
	l.rlim_cur = 300;
	CHECK(rlimit_apply(0, RLIMIT_NOFILE, "nofile", &l, &e) < 0);
	CHECK(strstr(err_root(e)->what, "300:200"));
	err_free(e);
}

static void limits_apply_to_a_process(void **state)
{
	unit_child(limit_child, NULL);
}

static void architectures_have_personalities(void **state)
{
	unsigned long p = 99;

	assert_int_equal(arch_parse("armhf", &p), 0);
	assert_int_equal(p, PER_LINUX32);
	assert_string_equal(arch_word(p), "i686");
	assert_int_equal(arch_parse("riscv64", &p), 0);
	assert_int_equal(p, PER_LINUX);
	assert_string_equal(arch_word(p), "x86_64");
	assert_int_equal(arch_parse("X86_64", &p), -EINVAL);
	assert_string_equal(arch_nearest("X86_64"), "x86_64");
	assert_null(arch_nearest("vax"));
	assert_string_equal(arch_elf_name(EM_AARCH64), "ARM 64-bit");
	assert_null(arch_elf_name(65000));
	assert_false(arch_elf_is_native(EM_68K));
#ifdef __x86_64__
	assert_true(arch_elf_is_native(EM_X86_64));
	assert_true(arch_elf_is_native(EM_386));
	assert_false(arch_elf_is_native(EM_AARCH64));
#endif
}

static void mount_words_match_whole(void **state)
{
	auto_mountopt struct mountopt m = MOUNTOPT_INIT, n = MOUNTOPT_INIT;
	auto_err struct err *e = NULL;

	assert_int_equal(mountopt_parse("rootcontext=x,devfoo,xoptional,ro,size=10k,nosuid", &m, &e), 0);
	assert_int_equal(m.attr_set, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
	assert_string_equal(m.data, "rootcontext=x,devfoo,xoptional,size=10k");
	assert_false(m.optional);
	assert_int_equal(mountopt_parse(NULL, &n, &e), 0);
	assert_null(n.data);
	assert_int_equal(n.attr_set | n.attr_clr, 0);
}

static void last_mount_word_wins(void **state)
{
	auto_mountopt struct mountopt m = MOUNTOPT_INIT, n = MOUNTOPT_INIT;

	assert_int_equal(mountopt_parse("ro,rw,suid,nosuid,rslave,private", &m, NULL), 0);
	assert_int_equal(m.attr_set, MOUNT_ATTR_NOSUID);
	assert_int_equal(m.attr_clr, MOUNT_ATTR_RDONLY);
	assert_int_equal(m.ms_flags, MS_NOSUID);
	assert_int_equal(m.propagation, MS_PRIVATE);
	assert_false(m.propagation_rec);
	assert_int_equal(mountopt_parse("noatime,strictatime,rbind,optional,create=dir", &n, NULL), 0);
	assert_int_equal(n.attr_set, MOUNT_ATTR_STRICTATIME);
	assert_int_equal(n.attr_clr, MOUNT_ATTR__ATIME);
	assert_true(n.bind && n.rbind && n.optional && n.create_dir && !n.create_file);
}

static void bad_mount_words_are_named(void **state)
{
	static const char *const bad[] = { "create=socket", "idmap=", "idmap=relative/path",
					   "create=dir,create=file", "bind,move" };
	auto_mountopt struct mountopt m = MOUNTOPT_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_err struct err *e = NULL;

		assert_int_equal(mountopt_parse(bad[i], &m, &e), -EINVAL);
		assert_err_id(e, "mount-option-bad");
	}
	assert_int_equal(mountopt_parse("idmap=container,bind", &m, NULL), 0);
	assert_string_equal(m.idmap, "container");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(signals_parse_and_format),
	cmocka_unit_test(reset_unblocks_and_restores_defaults),
	cmocka_unit_test(capabilities_parse),
	cmocka_unit_test(dropped_capabilities_leave_the_bounding_set),
	cmocka_unit_test(limits_parse_and_format),
	cmocka_unit_test(limits_apply_to_a_process),
	cmocka_unit_test(architectures_have_personalities),
	cmocka_unit_test(mount_words_match_whole),
	cmocka_unit_test(last_mount_word_wins),
	cmocka_unit_test(bad_mount_words_are_named),
};
UNIT_MAIN(tests)

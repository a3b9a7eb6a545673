/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* Programs made of policies, looked at in two ways: run by the kernel in a child, and by a small
 * interpreter that can ask about other system call interfaces and values. */
#include "security/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "harness/unit.h"

#define X32 0x40000000U

static char *dir;

static int make_dir(void **state)
{
	dir = unit_tmpdir();
	return dir ? 0 : -1;
}

static int remove_dir(void **state)
{
	unit_tmpdir_free(dir);
	return 0;
}

static void keep_warning(void *arg, const char *text)
{
	buf_addf(arg, "%s\n", text);
}

struct made {
	struct seccomp_program program;
	struct err *e;
	struct buf warnings;
	int r;
};

/* Compiles the file dir/p. */
static struct made compile_file(const char *cache)
{
	struct made m = { .warnings = BUF_INIT(65536) };
	auto_free char *path = NULL;
	struct log l = LOG_INIT;

	l.sink = keep_warning;
	l.sink_arg = &m.warnings;
	assert_true(asprintf(&path, "%s/p", dir) > 0);
	struct conf c = { .seccomp_profile = { path, { "/c/config", 7 } } };

	m.r = seccomp_compile(&c, cache, &l, &m.program, &m.e);
	return m;
}

static struct made compile(const char *text)
{
	unit_write(dir, "p", text);
	return compile_file(NULL);
}

/* The same for a text that must compile. */
static struct made compile_ok(const char *text)
{
	struct made m = compile(text);

	if (m.r < 0) {
		(void)fprintf(stderr, "# %s\n", err_line(m.e));
		fail();
	}
	return m;
}

static void made_done(struct made *m)
{
	seccomp_done(&m->program);
	err_free(m->e);
	buf_done(&m->warnings);
}
#define auto_made __attribute__((cleanup(made_done)))

/* ---- the interpreter ---- */

static uint32_t jump(const struct sock_filter *f, uint32_t a)
{
	switch (BPF_OP(f->code)) {
	case BPF_JEQ:
		return a == f->k ? f->jt : f->jf;
	case BPF_JGT:
		return a > f->k ? f->jt : f->jf;
	case BPF_JGE:
		return a >= f->k ? f->jt : f->jf;
	case BPF_JSET:
		return a & f->k ? f->jt : f->jf;
	default:
		assert_int_equal(BPF_OP(f->code), BPF_JA);
		return f->k;
	}
}

/* What the program says of a call. */
static uint32_t verdict(const struct made *m, uint32_t arch, int nr, const uint64_t *args)
{
	struct seccomp_data d = { .nr = nr, .arch = arch };
	uint32_t a = 0;

	if (args)
		memcpy(d.args, args, sizeof(d.args));
	for (size_t pc = 0; pc < m->program.len; pc++) {
		const struct sock_filter *f = &m->program.filter[pc];

		switch (BPF_CLASS(f->code)) {
		case BPF_LD:
			assert_int_equal(f->code, BPF_LD | BPF_W | BPF_ABS);
			assert_true(f->k <= sizeof(d) - 4);
			memcpy(&a, (const char *)&d + f->k, sizeof(a));
			break;
		case BPF_ALU:
			assert_int_equal(f->code, BPF_ALU | BPF_AND | BPF_K);
			a &= f->k;
			break;
		case BPF_JMP:
			pc += jump(f, a);
			break;
		default:
			assert_int_equal(BPF_CLASS(f->code), BPF_RET);
			return f->k;
		}
	}
	fail_msg("the program has no end");
	return 0;
}

#define ARGS(...) ((const uint64_t[6]){ __VA_ARGS__ })
#define ERRNO(n) (SECCOMP_RET_ERRNO | (n))
#define ALLOW SECCOMP_RET_ALLOW
#define KILL SECCOMP_RET_KILL_THREAD

/* ---- tests ---- */

static void no_profile_is_no_program(void **state)
{
	struct conf c = { 0 };
	struct seccomp_program p = { .len = 9 };
	int listener = 0;

	assert_int_equal(seccomp_compile(&c, NULL, NULL, &p, NULL), 0);
	assert_int_equal(p.len, 0);
	assert_int_equal(seccomp_install(&p, &listener, NULL), 0);
	assert_int_equal(listener, -EBADF);
}

static void missing_policy_names_file_and_config_line(void **state)
{
	struct conf c = { .seccomp_profile = { (char *)"/nonexistent/x.seccomp", { "/c/config", 7 } } };
	struct seccomp_program p;
	auto_err struct err *e = NULL;

	assert_int_equal(seccomp_compile(&c, NULL, NULL, &p, &e), -ENOENT);
	assert_err_id(e, "seccomp-policy-missing");
	assert_err_has(e, "/nonexistent/x.seccomp");
	assert_err_has(e, "/c/config:7");
}

static void only_regular_files_of_bounded_size_are_read(void **state)
{
	auto_free char *path = NULL;
	static char big[1024 * 1024 + 2];

	assert_true(asprintf(&path, "%s/p", dir) > 0);
	for (int kind = 0; kind < 4; kind++) {
		static const char *const why[] = { "it is a fifo", "it is a directory", "it is a device",
						   "it is larger than 1 MiB" };
		(void)unlink(path);
		(void)rmdir(path);
		if (kind == 0)
			assert_int_equal(mkfifo(path, 0600), 0);
		else if (kind == 1)
			assert_int_equal(mkdir(path, 0700), 0);
		else if (kind == 2)
			assert_int_equal(symlink("/dev/zero", path), 0);
		else {
			memset(big, '\n', sizeof(big) - 1);
			unit_write(dir, "p", big);
		}
		auto_made struct made m = compile_file(NULL);

		assert_true(m.r < 0);
		assert_err_id(m.e, "seccomp-policy-unreadable");
		assert_err_has(m.e, why[kind]);
		assert_err_has(m.e, "/c/config:7");
		(void)unlink(path);
		(void)rmdir(path);
	}
}

static void malformed_line_names_both_places(void **state)
{
	auto_made struct made m = compile("2\ndenylist\nmkdir errno zero\n");

	assert_true(m.r < 0);
	assert_err_id(m.e, "seccomp-malformed");
	assert_err_has(m.e, "/p:3");
	assert_err_has(m.e, "/c/config:7");
}

static void unknown_call_is_one_warning_and_the_rest_applies(void **state)
{
	auto_made struct made m = compile("2\ndenylist\nmkdir errno 1\nno_such_call errno 1\nmkdir errno 1\n");
	auto_free char *want = NULL;

	assert_int_equal(m.r, 0);
	assert_true(asprintf(&want, "%s/p:4: unknown system call 'no_such_call' is ignored; "
				    "the rest of the policy applies\n", dir) > 0);
	assert_string_equal(buf_str(&m.warnings), want);
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_mkdir, NULL), ERRNO(1));
}

static void call_of_another_architecture_is_no_warning(void **state)
{
	/* s390_pci_mmio_read is known to libseccomp, but not here; nor is waitpid on x86_64. */
	auto_made struct made m = compile("2\ndenylist\ns390_pci_mmio_read errno 1\nwaitpid errno 5\n");

	assert_int_equal(m.r, 0);
	assert_string_equal(buf_str(&m.warnings), "");
#ifdef __x86_64__
	assert_int_equal(verdict(&m, AUDIT_ARCH_I386, 7, NULL), ERRNO(5));
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, 7, NULL), ALLOW);
#endif
}

#ifdef __x86_64__
static void every_interface_of_the_host_is_covered(void **state)
{
	static const char *const heads[] = { "", "[all]\n", "[x86]\n", "[x32]\n", "[x86_64]\n", "[arm]\n[ALL]\n" };

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		auto_free char *text = NULL;

		assert_true(asprintf(&text, "2\ndenylist\n%smkdir errno 1\n", heads[i]) > 0);
		auto_made struct made m = compile_ok(text);

		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_mkdir, NULL), ERRNO(1));
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, (int)(X32 | SYS_mkdir), NULL), ERRNO(1));
		assert_int_equal(verdict(&m, AUDIT_ARCH_I386, 39, NULL), ERRNO(1));
		assert_int_equal(verdict(&m, AUDIT_ARCH_I386, SYS_mkdir, NULL), ALLOW);
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_rmdir, NULL), ALLOW);
		assert_int_equal(verdict(&m, AUDIT_ARCH_AARCH64, SYS_mkdir, NULL), KILL);
	}
}

static void sections_of_other_hosts_leave_the_default(void **state)
{
	auto_made struct made m = compile("2\ndenylist\n[arm]\nmkdir errno 1\n[s390x]\nrmdir\n");

	assert_int_equal(m.r, 0);
	assert_true(m.program.len > 0);
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_mkdir, NULL), ALLOW);
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_rmdir, NULL), ALLOW);
	assert_int_equal(verdict(&m, AUDIT_ARCH_I386, 39, NULL), ALLOW);
}

static void version_1_allows_native_numbers_only(void **state)
{
	auto_made struct made m = compile("1\nwhitelist\n0\n60\n9999\n");

	assert_int_equal(m.r, 0);
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, 0, NULL), ALLOW);
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, 60, NULL), ALLOW);
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, 9999, NULL), ALLOW);
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, 1, NULL), KILL);
	assert_int_equal(verdict(&m, AUDIT_ARCH_I386, 1, NULL), KILL);
	auto_made struct made empty = compile("1\nallowlist\n");

	assert_int_equal(empty.r, 0);
	assert_int_equal(verdict(&empty, AUDIT_ARCH_X86_64, 0, NULL), KILL);
}

static void actions_and_defaults_are_as_written(void **state)
{
	static const struct {
		const char *head;
		uint32_t otherwise, listed;
	} cases[] = {
		{ "denylist", ALLOW, KILL },	      { "blacklist", ALLOW, KILL },
		{ "allowlist", KILL, ALLOW },	      { "whitelist", KILL, ALLOW },
		{ "allowlist errno 1", ERRNO(1), ALLOW }, { "denylist trap", SECCOMP_RET_TRAP, KILL },
		{ "allowlist log", SECCOMP_RET_LOG, ALLOW },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *text = NULL;

		assert_true(asprintf(&text,
				     "2\n%s\nmkdir\nrmdir errno 4094\nlink trap\nunlink notify\nrename log\n"
				     "chmod kill_process\n", cases[i].head) > 0);
		auto_made struct made m = compile_ok(text);

		assert_true(m.program.notify);
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_mkdir, NULL), cases[i].listed);
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_chown, NULL), cases[i].otherwise);
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_rmdir, NULL), ERRNO(4094));
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_link, NULL), SECCOMP_RET_TRAP);
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_unlink, NULL), SECCOMP_RET_USER_NOTIF);
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_rename, NULL), SECCOMP_RET_LOG);
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_chmod, NULL), SECCOMP_RET_KILL_PROCESS);
	}
}

/* Every operator at the edges of the 32 bit words; alone (libseccomp's code) and as the exception to
 * a rule without filters (ours). */
static void filters_compare_64_bits(void **state)
{
	static const uint64_t points[] = { 0, 1, 0x7fffffff, 0xffffffff, 0x100000000, 0x100000001, 0x1ffffffff,
					   0x200000000, 0x200000001, 0xffffffff00000001, UINT64_MAX };
	static const char *const ops[] = { "!=", "<", "<=", "==", ">=", ">" };

	for (size_t o = 0; o < ARRAY_SIZE(ops); o++)
		for (size_t v = 0; v < ARRAY_SIZE(points); v++) {
			const uint64_t want = points[v];
			auto_free char *alone = NULL, *with = NULL;

			assert_true(asprintf(&alone, "2\ndenylist\nmkdir errno 2 [3,%#llx,%s]\n",
					     (unsigned long long)want, ops[o]) > 0);
			assert_true(asprintf(&with, "%smkdir errno 7\n", alone) > 0);
			auto_made struct made a = compile(alone);
			auto_made struct made b = compile(with);

			assert_int_equal(a.r, 0);
			assert_int_equal(b.r, 0);
			for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
				const uint64_t p = points[i];
				const bool match[] = { p != want, p < want, p <= want,
						       p == want, p >= want, p > want };

				assert_int_equal(verdict(&a, AUDIT_ARCH_X86_64, SYS_mkdir, ARGS(0, 0, 0, p)),
						 match[o] ? ERRNO(2) : ALLOW);
				assert_int_equal(verdict(&b, AUDIT_ARCH_X86_64, SYS_mkdir, ARGS(0, 0, 0, p)),
						 match[o] ? ERRNO(2) : ERRNO(7));
			}
		}
}

static void masked_filters_compare_what_the_mask_leaves(void **state)
{
	static const char *const texts[] = {
		"2\ndenylist\nmkdir errno 2 [1,0x500000004,&=,0xf0000000f]\n",
		"2\ndenylist\nmkdir errno 7\nmkdir errno 2 [1,0x500000004,&=,0xf0000000f]\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		auto_made struct made m = compile_ok(texts[i]);
		const uint32_t other = i ? ERRNO(7) : ALLOW;

		assert_int_equal(m.r, 0);
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_mkdir, ARGS(0, 0x500000004)), ERRNO(2));
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_mkdir, ARGS(0, 0xffffff05fffffff4)), ERRNO(2));
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_mkdir, ARGS(0, 0x500000005)), other);
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_mkdir, ARGS(0, 0x400000004)), other);
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_mkdir, ARGS(0, 4)), other);
	}
}

static void all_filters_of_a_line_must_match(void **state)
{
	auto_made struct made m = compile("2\ndenylist\nmkdir errno 2 [0,1,==] [1,2,>] [2,3,!=]\n"
					  "mkdir errno 3 [0,9,==]\n");

	assert_int_equal(m.r, 0);
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_mkdir, ARGS(1, 3, 0)), ERRNO(2));
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_mkdir, ARGS(1, 2, 0)), ALLOW);
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_mkdir, ARGS(1, 3, 3)), ALLOW);
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_mkdir, ARGS(9, 3, 3)), ERRNO(3));
}

static void forced_umount_stays_denied_where_umount2_is_allowed(void **state)
{
	static const char *const texts[] = {
		"2\nallowlist\numount2\nreject_force_umount\n",
		"2\nallowlist\nreject_force_umount\numount2\n",
		"2\ndenylist\nreject_force_umount\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		auto_made struct made m = compile_ok(texts[i]);

		assert_int_equal(m.r, 0);
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_umount2, ARGS(0, MNT_DETACH)), ALLOW);
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_umount2, ARGS(0, MNT_FORCE)), ERRNO(EACCES));
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_umount2, ARGS(0, MNT_FORCE | MNT_DETACH)),
				 ERRNO(EACCES));
		assert_int_equal(verdict(&m, AUDIT_ARCH_I386, 52, ARGS(0, MNT_FORCE)), ERRNO(EACCES));
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, (int)(X32 | SYS_umount2), ARGS(0, MNT_FORCE)),
				 ERRNO(EACCES));
	}
}

static void first_of_two_rules_for_a_call_decides(void **state)
{
	auto_made struct made m = compile("2\ndenylist\nmkdir errno 1\nmkdir errno 2\nrmdir allow\n");

	assert_int_equal(m.r, 0);
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_mkdir, NULL), ERRNO(1));
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_rmdir, NULL), ALLOW);
}

/* In the order of the file, and before what holds for the rest of the call. */
static void first_matching_filter_decides(void **state)
{
	auto_made struct made m = compile_ok("2\ndenylist\npersonality errno 5 [0,8,==]\npersonality allow [0,9,<=]\n"
					     "personality errno 6 [0,7,==]\npersonality errno 7 [0,20,>] [1,1,==]\n"
					     "personality kill\nread allow [0,1,==]\nread errno 1 [0,1,>=]\n");

	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_personality, ARGS(8)), ERRNO(5));
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_personality, ARGS(7)), ALLOW);
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_personality, ARGS(9)), ALLOW);
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_personality, ARGS(21, 1)), ERRNO(7));
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_personality, ARGS(21, 2)), KILL);
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_read, ARGS(1)), ALLOW);
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_read, ARGS(2)), ERRNO(1));
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_read, ARGS(0)), ALLOW);
	assert_int_equal(verdict(&m, AUDIT_ARCH_I386, 3, ARGS(2)), ERRNO(1));
}

/* libseccomp 2.5.4 does not come back from these. */
static void many_filters_on_one_call_compile_at_once(void **state)
{
	auto_buf struct buf b = BUF_INIT(65536);

	buf_adds(&b, "2\ndenylist\n");
	for (unsigned i = 0; i < 12; i++)
		buf_addf(&b, "mkdir errno %u [0,%u,!=] [1,%u,<] [2,3,<=] [3,4,>=] [4,%u,>] [5,8,&=,15]\n", i, 300 + i,
			 2 + i % 3, i);
	auto_made struct made m = compile_ok(b.p);

	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_mkdir, ARGS(300, 1, 3, 4, 2, 8)), ERRNO(1));
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_mkdir, ARGS(299, 1, 3, 4, 2, 8)), ERRNO(0));
}

static void shipped_policy_says_what_its_comments_say(void **state)
{
	static const int denied[] = { SYS_open_by_handle_at, SYS_kexec_load, SYS_kexec_file_load, SYS_init_module,
				      SYS_finit_module, SYS_delete_module, SYS_syslog, SYS_swapon, SYS_swapoff };
	static const int denied_i386[] = { 342, 283, 128, 350, 129, 103, 87, 115 };
	auto_free char *text = NULL, *path = NULL;
	const char *top = getenv("top_srcdir");

	assert_true(asprintf(&path, "%s/config/common.seccomp", top ? top : ".") > 0);
	assert_int_equal(io_read_file(AT_FDCWD, path, 65536, &text, NULL, NULL), 0);
	auto_made struct made m = compile(text);

	assert_int_equal(m.r, 0);
	assert_string_equal(buf_str(&m.warnings), "");
	for (size_t i = 0; i < ARRAY_SIZE(denied); i++)
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, denied[i], NULL), ERRNO(EPERM));
	for (size_t i = 0; i < ARRAY_SIZE(denied_i386); i++)
		assert_int_equal(verdict(&m, AUDIT_ARCH_I386, denied_i386[i], NULL), ERRNO(EPERM));
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_io_uring_setup, NULL), ERRNO(ENOSYS));
	assert_int_equal(verdict(&m, AUDIT_ARCH_I386, 425, NULL), ERRNO(ENOSYS));
	assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_umount2, ARGS(0, MNT_FORCE)), ERRNO(EACCES));
	for (uint64_t family = 0; family < 64; family++) {
		const uint32_t want = family == AF_ALG ? ERRNO(EAFNOSUPPORT) : ALLOW;
		const uint64_t wide = family | 0xdead00000000;	/* the kernel looks at an int */

		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_socket, ARGS(family, 5)), want);
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, SYS_socket, ARGS(wide, 5)), want);
		assert_int_equal(verdict(&m, AUDIT_ARCH_X86_64, (int)(X32 | SYS_socket), ARGS(family, 5)), want);
		assert_int_equal(verdict(&m, AUDIT_ARCH_I386, 359, ARGS(family, 5)), want);
	}
	/* i386 glibc's way to every socket stays open; the shipped text says how to close it. */
	assert_int_equal(verdict(&m, AUDIT_ARCH_I386, 102, ARGS(1, 0xffffd000)), ALLOW);
	auto_buf struct buf closed = BUF_INIT(65536);
	const char *line = strstr(text, "\n#socketcall");

	assert_non_null(line);
	buf_add(&closed, text, (size_t)(line + 1 - text));
	buf_adds(&closed, line + 2);
	auto_made struct made strict = compile(closed.p);

	assert_int_equal(strict.r, 0);
	assert_int_equal(verdict(&strict, AUDIT_ARCH_I386, 102, ARGS(1, 0xffffd000)), ERRNO(EAFNOSUPPORT));
	assert_int_equal(verdict(&strict, AUDIT_ARCH_I386, 102, ARGS(2, 0xffffd000)), ALLOW);
	assert_int_equal(verdict(&strict, AUDIT_ARCH_I386, 359, ARGS(AF_INET)), ALLOW);
}

static long int80(long nr, long a, long b)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a), "c"(b) : "memory", "r8", "r9", "r10", "r11");
	return r;
}

/* A kernel without 32-bit system calls answers the instruction with a signal. */
static bool has_int80(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)signal(SIGSEGV, SIG_DFL);
		_exit(int80(20, 0, 0) == getpid() ? 0 : 1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
#endif

/* ---- in the kernel ---- */

static void install(const struct made *m, int *listener)
{
	struct err *e = NULL;

	CHECK_OK(m->r, m->e);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK_OK(seccomp_install(&m->program, listener, &e), e);
}

static void deny_mkdir(void *arg)
{
	int listener;

	install(arg, &listener);
	CHECK(listener == -EBADF);
	CHECK(syscall(SYS_mkdirat, AT_FDCWD, "/nonexistent/a", 0700) < 0 && errno == ENOENT);
	CHECK(syscall(SYS_mkdir, "/nonexistent/a", 0700) < 0 && errno == EXDEV);
	CHECK(syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0) >= 0);
	CHECK(syscall(SYS_socket, AF_INET, SOCK_STREAM, 0) < 0 && errno == EXFULL);
	CHECK(syscall(SYS_umount2, "/nonexistent", MNT_FORCE) < 0 && errno == EACCES);
	CHECK(syscall(SYS_umount2, "/nonexistent", MNT_DETACH) < 0 && errno != EACCES);
#ifdef __x86_64__
	if (has_int80()) {
		CHECK(int80(20, 0, 0) == getpid());
		CHECK(int80(39, 0, 0) == -EXDEV);
	}
#endif
}

static void kernel_runs_the_program(void **state)
{
	auto_made struct made m = compile("2\ndenylist\nreject_force_umount\nmkdir errno 18\n"
					  "socket errno 54 [0,2,==]\n");

	unit_child(deny_mkdir, &m);
}

static void kill_action_kills(void **state)
{
	auto_made struct made m = compile("2\ndenylist\nmkdir kill\n");
	int status, listener;
	pid_t pid;

	assert_int_equal(m.r, 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_install(&m.program, &listener, NULL) < 0)
			_exit(9);
		(void)syscall(SYS_mkdir, "/nonexistent/a", 0700);
		_exit(8);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void notify_gives(void *arg)
{
	int listener;

	install(arg, &listener);
	CHECK(listener >= 0);
	CHECK(fcntl(listener, F_GETFD) & FD_CLOEXEC);
}

static void notify_gives_a_listener(void **state)
{
	auto_made struct made m = compile("2\ndenylist\nmkdir notify\n");

	assert_int_equal(m.r, 0);
	assert_true(m.program.notify);
	unit_child(notify_gives, &m);
}

static void confined(void *arg)
{
	int listener;
	struct conf *c = arg;
	struct seccomp_program p;
	struct made first;

	unit_write(dir, "p", "2\ndenylist\nmkdir errno 1\n");
	first = compile_file(NULL);
	install(&first, &listener);
	CHECK(seccomp_compile(c, NULL, NULL, &p, NULL) == 0);
	CHECK(p.len == 0);
	c->seccomp_allow_nesting.v = 1;
	CHECK(seccomp_compile(c, NULL, NULL, &p, NULL) == 0);
	CHECK(p.len > 0);
}

static void confined_process_loads_a_second_policy_only_on_request(void **state)
{
	auto_free char *path = NULL;

	assert_true(asprintf(&path, "%s/p", dir) > 0);
	struct conf c = { .seccomp_profile = { path, { NULL, 0 } } };

	unit_child(confined, &c);
}

static void refuse(void *arg)
{
	struct made *m = arg;
	int listener;
	struct err *e = NULL;

	CHECK(syscall(SYS_setresuid, 65534, 65534, 65534) == 0);
	CHECK(seccomp_install(&m->program, &listener, &e) == -EPERM);
	CHECK(err_is(e, "seccomp-install-refused"));
}

static void load_without_privilege_is_explained(void **state)
{
	auto_made struct made m = compile("2\ndenylist\nmkdir errno 1\n");

	if (!unit_is_root())
		unit_skip("needs root");
	assert_int_equal(m.r, 0);
	unit_child(refuse, &m);
}

/* ---- the cache ---- */

static unsigned count_programs(const char *path, char *name)
{
	auto_closedir DIR *d = opendir(path);
	unsigned n = 0;

	assert_non_null(d);
	for (struct dirent *de; (de = readdir(d)) != NULL;)
		if (strstr(de->d_name, ".bpf")) {
			(void)snprintf(name, 256, "%s", de->d_name);
			n++;
		}
	return n;
}

static void assert_same(const struct made *a, const struct made *b)
{
	assert_int_equal(a->r, 0);
	assert_int_equal(b->r, 0);
	assert_int_equal(a->program.len, b->program.len);
	assert_int_equal(a->program.notify, b->program.notify);
	assert_memory_equal(a->program.filter, b->program.filter, a->program.len * sizeof(*a->program.filter));
	assert_string_equal(buf_str(&a->warnings), buf_str(&b->warnings));
}

static void program_is_kept_and_found_again(void **state)
{
	auto_free char *cache = NULL, *file = NULL;
	char name[256];
	struct stat st;

	assert_true(asprintf(&cache, "%s/cache", dir) > 0);
	unit_write(dir, "p", "2\ndenylist\nmkdir notify\nbogus\n");
	auto_made struct made a = compile_file(cache);

	assert_int_equal(stat(cache, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(count_programs(cache, name), 1);
	assert_true(asprintf(&file, "%s/%s", cache, name) > 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	auto_made struct made b = compile_file(cache);

	assert_same(&a, &b);
	assert_true(b.warnings.len > 0);	/* warnings come again */
	/* It is really read: another program under its name, well formed, shows up. */
	unit_write(dir, "p", "2\ndenylist\nmkdir notify\nbogus\n# longer\n");
	auto_made struct made c = compile_file(cache);

	assert_int_equal(c.r, 0);
	assert_int_equal(count_programs(cache, name), 2);
}

/* Every byte of a kept program matters: changed, cut or lengthened it is not used. */
static void damaged_programs_are_compiled_again(void **state)
{
	auto_free char *cache = NULL, *text = NULL;
	auto_close int fd = -EBADF;
	char name[256];
	size_t len;

	assert_true(asprintf(&cache, "%s/cache2", dir) > 0);
	unit_write(dir, "p", "2\ndenylist\nmkdir errno 1\n");
	auto_made struct made a = compile_file(cache);

	assert_int_equal(count_programs(cache, name), 1);
	fd = open(cache, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(io_read_file(fd, name, 1 << 20, &text, &len, NULL), 0);
	for (size_t i = 0; i < len + 3; i += i < len ? 7 : 1) {
		const size_t n = i < len ? len : i == len ? len - 1 : i == len + 1 ? 0 : len + 1;
		auto_free char *bad = calloc(1, len + 1);

		assert_non_null(bad);
		memcpy(bad, text, len);
		if (i < len)
			bad[i] ^= 1;
		assert_int_equal(io_replace(fd, name, bad, n, 0600, NULL), 0);
		auto_made struct made b = compile_file(cache);

		assert_same(&a, &b);
	}
}

static void cache_that_others_can_write_is_not_used(void **state)
{
	auto_free char *cache = NULL;
	char name[256];

	assert_true(asprintf(&cache, "%s/cache3", dir) > 0);
	assert_int_equal(mkdir(cache, 0700), 0);
	assert_int_equal(chmod(cache, 0777), 0);
	unit_write(dir, "p", "2\ndenylist\nmkdir errno 1\n");
	auto_made struct made a = compile_file(cache);

	assert_int_equal(a.r, 0);
	assert_int_equal(count_programs(cache, name), 0);
	assert_int_equal(chmod(cache, 0700), 0);
	auto_made struct made b = compile_file(cache);

	assert_int_equal(count_programs(cache, name), 1);
	assert_same(&a, &b);
}

static void cache_does_not_grow_without_limit(void **state)
{
	auto_free char *cache = NULL;
	char name[256];

	assert_true(asprintf(&cache, "%s/cache4", dir) > 0);
	for (int i = 0; i < 80; i++) {
		auto_free char *text = NULL;

		assert_true(asprintf(&text, "2\ndenylist\nmkdir errno %d\n", i) > 0);
		unit_write(dir, "p", text);
		auto_made struct made m = compile_file(cache);

		assert_int_equal(m.r, 0);
	}
	assert_true(count_programs(cache, name) <= 64);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(no_profile_is_no_program),
	cmocka_unit_test(missing_policy_names_file_and_config_line),
	cmocka_unit_test(only_regular_files_of_bounded_size_are_read),
	cmocka_unit_test(malformed_line_names_both_places),
	cmocka_unit_test(unknown_call_is_one_warning_and_the_rest_applies),
	cmocka_unit_test(call_of_another_architecture_is_no_warning),
#ifdef __x86_64__
	cmocka_unit_test(every_interface_of_the_host_is_covered),
	cmocka_unit_test(sections_of_other_hosts_leave_the_default),
	cmocka_unit_test(version_1_allows_native_numbers_only),
	cmocka_unit_test(actions_and_defaults_are_as_written),
	cmocka_unit_test(filters_compare_64_bits),
	cmocka_unit_test(masked_filters_compare_what_the_mask_leaves),
	cmocka_unit_test(all_filters_of_a_line_must_match),
	cmocka_unit_test(forced_umount_stays_denied_where_umount2_is_allowed),
	cmocka_unit_test(first_of_two_rules_for_a_call_decides),
	cmocka_unit_test(first_matching_filter_decides),
	cmocka_unit_test(many_filters_on_one_call_compile_at_once),
	cmocka_unit_test(shipped_policy_says_what_its_comments_say),
#endif
	cmocka_unit_test(kernel_runs_the_program),
	cmocka_unit_test(kill_action_kills),
	cmocka_unit_test(notify_gives_a_listener),
	cmocka_unit_test(confined_process_loads_a_second_policy_only_on_request),
	cmocka_unit_test(load_without_privilege_is_explained),
	cmocka_unit_test(program_is_kept_and_found_again),
	cmocka_unit_test(damaged_programs_are_compiled_again),
	cmocka_unit_test(cache_that_others_can_write_is_not_used),
	cmocka_unit_test(cache_does_not_grow_without_limit),
};

int main(int argc, char **argv)
{
	void *state = NULL;
	int r;

	if (make_dir(&state) < 0)
		return 99;
	r = unit_main(argc, argv, tests, ARRAY_SIZE(tests));
	(void)remove_dir(&state);
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "harness/unit.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/personality.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/arch.h"

static void words_give_personalities(void **state)
{
	static const char *const narrow[] = { "i686", "x86", "linux32", "armhf", "mips" };
	static const char *const wide[] = { "x86_64", "amd64", "arm64", "aarch64", "linux64", "riscv64", "s390x" };
	unsigned long p = 4711;

	for (size_t i = 0; i < ARRAY_SIZE(narrow); i++) {
		assert_int_equal(arch_parse(narrow[i], &p), 0);
		assert_int_equal(p, PER_LINUX32);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wide); i++) {
		assert_int_equal(arch_parse(wide[i], &p), 0);
		assert_int_equal(p, PER_LINUX);
	}
	assert_string_equal(arch_word(PER_LINUX32), "i686");
	assert_string_equal(arch_word(PER_LINUX), "x86_64");
}

static void other_words_are_refused_with_the_nearest(void **state)
{
	static const char *const bad[] = { "", "X86_64", "x86-64", "vax", "i686 " };
	unsigned long p = 4711;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(arch_parse(bad[i], &p), -EINVAL);
	assert_int_equal(p, 4711);
	assert_string_equal(arch_nearest("x86-64"), "x86_64");
	assert_string_equal(arch_nearest("AMD64"), "amd64");
	assert_null(arch_nearest("something-else"));
}

/* Whatever machine this is, it runs the program that asks. */
static void our_own_program_is_native(void **state)
{
	auto_close int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	Elf32_Ehdr head;

	assert_int_equal(read(fd, &head, sizeof(head)), sizeof(head));
	assert_true(arch_elf_is_native(head.e_machine));
	assert_non_null(arch_elf_name(head.e_machine));
	assert_false(arch_elf_is_native(EM_68K));
	assert_false(arch_elf_is_native(0));
	assert_null(arch_elf_name(0xfffe));
	assert_string_equal(arch_elf_name(EM_AARCH64), "ARM 64-bit");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(words_give_personalities),
	cmocka_unit_test(other_words_are_refused_with_the_nearest),
	cmocka_unit_test(our_own_program_is_native),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/arch.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/personality.h>

#include "base/str.h"
#include "base/table.h"

static const struct name_value words[] = {
	{ "i686", PER_LINUX32 },      { "x86_64", PER_LINUX },	  { "arm", PER_LINUX32 },
	{ "armel", PER_LINUX32 },     { "armhf", PER_LINUX32 },	  { "armv7l", PER_LINUX32 },
	{ "athlon", PER_LINUX32 },    { "i386", PER_LINUX32 },	  { "i486", PER_LINUX32 },
	{ "i586", PER_LINUX32 },      { "linux32", PER_LINUX32 }, { "mips", PER_LINUX32 },
	{ "mipsel", PER_LINUX32 },    { "ppc", PER_LINUX32 },	  { "powerpc", PER_LINUX32 },
	{ "x32", PER_LINUX32 },	      { "x86", PER_LINUX32 },	  { "aarch64", PER_LINUX },
	{ "amd64", PER_LINUX },	      { "arm64", PER_LINUX },	  { "linux64", PER_LINUX },
	{ "loongarch64", PER_LINUX }, { "loong64", PER_LINUX },	  { "mips64", PER_LINUX },
	{ "mips64el", PER_LINUX },    { "ppc64", PER_LINUX },	  { "ppc64el", PER_LINUX },
	{ "ppc64le", PER_LINUX },     { "powerpc64", PER_LINUX }, { "riscv64", PER_LINUX },
	{ "s390x", PER_LINUX },
};

int arch_parse(const char *word, unsigned long *ret_personality)
{
	const struct name_value *row = table_by_name(words, word);

	if (!row)
		return -EINVAL;
	*ret_personality = (unsigned long)row->value;
	return 0;
}

const char *arch_word(unsigned long personality)
{
	return personality == PER_LINUX32 ? "i686" : "x86_64";
}

const char *arch_nearest(const char *word)
{
	const struct name_value *row = table_by_nocase(words, word);
	const char *found = row ? row->name : NULL;
	unsigned best = 3;

	for (size_t i = 0; !row && i < ARRAY_SIZE(words); i++) {
		unsigned d = str_distance(words[i].name, word);

		if (d < best && d < strlen(word)) {
			best = d;
			found = words[i].name;
		}
	}
	return found;
}

static const struct name_value machines[] = {
	{ "x86-64", EM_X86_64 },  { "x86 (32-bit)", EM_386 }, { "ARM 64-bit", EM_AARCH64 },
	{ "ARM 32-bit", EM_ARM }, { "RISC-V", EM_RISCV },     { "PowerPC 64-bit", EM_PPC64 },
	{ "PowerPC", EM_PPC },	  { "s390", EM_S390 },	      { "MIPS", EM_MIPS },
	{ "LoongArch", 258 },	  { "SPARC", EM_SPARC },      { "SPARC 64-bit", EM_SPARCV9 },
	{ "Alpha", EM_ALPHA },	  { "PA-RISC", EM_PARISC },   { "68000", EM_68K },
	{ "SuperH", EM_SH },	  { "Itanium", EM_IA_64 },
};

const char *arch_elf_name(uint16_t machine)
{
	return table_by_value(machines, machine);
}

static const uint16_t native[] = {
#if defined(__x86_64__)
	EM_X86_64,
	EM_386,
#elif defined(__i386__)
	EM_386,
#elif defined(__aarch64__)
	EM_AARCH64,
	EM_ARM,
#elif defined(__arm__)
	EM_ARM,
#elif defined(__riscv)
	EM_RISCV,
#elif defined(__powerpc64__)
	EM_PPC64,
	EM_PPC,
#elif defined(__s390__)
	EM_S390,
#elif defined(__mips__)
	EM_MIPS,
#elif defined(__loongarch__)
	258,
#endif
};

bool arch_elf_is_native(uint16_t machine)
{
	for (size_t i = 0; i < ARRAY_SIZE(native); i++)
		if (native[i] == machine)
			return true;
	return ARRAY_SIZE(native) == 0;
}

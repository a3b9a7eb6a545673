/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* arch - words for architectures: the personality they mean, and what this machine can execute. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* personality(2) value of a word such as "arm64" or "i686"; -EINVAL for an unknown one. */
int arch_parse(const char *word, unsigned long *ret_personality);
/* "i686" for the 32-bit personality, "x86_64" for the other: what clients of LXC expect to read. */
const char *arch_word(unsigned long personality);
/* The nearest known word (borrowed); NULL if none is near. */
const char *arch_nearest(const char *word);
/* Name of an ELF header's machine: "x86-64", "ARM", ...; "machine N" is not spelt out: NULL. */
const char *arch_elf_name(uint16_t machine);
/* True if the kernel of this machine can, without binfmt_misc, run programs for an ELF machine. */
bool arch_elf_is_native(uint16_t machine);

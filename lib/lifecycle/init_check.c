/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/init_check.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/compiler.h"
#include "kernel/openat.h"

#define HEADERS_MAX 64

static const struct machine {
	unsigned number;
	unsigned char class;
	const char *name;
} machines[] = {
	{ EM_X86_64, ELFCLASS64, "x86_64" },	  { EM_X86_64, ELFCLASS32, "x32" },
	{ EM_386, ELFCLASS32, "i386" },		  { EM_AARCH64, ELFCLASS64, "aarch64" },
	{ EM_ARM, ELFCLASS32, "arm" },		  { EM_RISCV, ELFCLASS64, "riscv64" },
	{ EM_PPC64, ELFCLASS64, "ppc64" },	  { EM_S390, ELFCLASS64, "s390x" },
	{ EM_MIPS, ELFCLASS32, "mips" },	  { EM_MIPS, ELFCLASS64, "mips64" },
	{ EM_PPC, ELFCLASS32, "ppc" },		  { 258 /* EM_LOONGARCH */, ELFCLASS64, "loongarch64" },
};

static const char *machine_name(const Elf64_Ehdr *h)
{
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		if (machines[i].number == h->e_machine && machines[i].class == h->e_ident[EI_CLASS])
			return machines[i].name;
	return "another machine";
}

/* What this kernel runs besides its own kind. */
static bool runs(const char *host, const char *program)
{
	static const char *const pairs[][2] = {
		{ "x86_64", "i386" },	 { "x86_64", "x32" },	  { "i686", "i386" },
		{ "aarch64", "arm" },	 { "armv7l", "arm" },	  { "armv6l", "arm" },
		{ "ppc64", "ppc" },	 { "ppc64le", "ppc64" },  { "mips64", "mips" },
	};

	if (strcmp(host, program) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (strcmp(pairs[i][0], host) == 0 && strcmp(pairs[i][1], program) == 0)
			return true;
	return false;
}

/* Any enabled binfmt_misc handler may run foreign programs: then exec decides. */
static bool has_binfmt(void)
{
	return access("/proc/sys/fs/binfmt_misc/status", F_OK) == 0;
}

static int check_interpreter(int root_fd, const char *init, const char *interpreter, struct err **e)
{
	int fd = open_in_root(root_fd, interpreter, O_PATH, 0);

	if (fd < 0)
		return err_init_interpreter_missing(e, init, interpreter);
	fd_close(fd);
	return 0;
}

/* The loader named in PT_INTERP. Offsets come from the guest's file: every read is bounded. */
static int check_loader(int root_fd, int fd, const char *init, const Elf64_Ehdr *h, struct err **e)
{
	bool wide = h->e_ident[EI_CLASS] == ELFCLASS64;
	const Elf32_Ehdr *h32 = (const void *)h;
	off_t at = (off_t)(wide ? h->e_phoff : h32->e_phoff);
	unsigned n = wide ? h->e_phnum : h32->e_phnum, size = wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	char path[256] = "";

	union {
		Elf64_Phdr p64[HEADERS_MAX];
		Elf32_Phdr p32[HEADERS_MAX];
	} p;
	ssize_t got = pread(fd, &p, MIN(n, HEADERS_MAX) * size, at);

	for (unsigned i = 0; got > 0 && i < (size_t)got / size; i++) {
		off_t where = (off_t)(wide ? p.p64[i].p_offset : p.p32[i].p_offset);

		if ((wide ? p.p64[i].p_type : p.p32[i].p_type) != PT_INTERP)
			continue;
		if (pread(fd, path, sizeof(path) - 1, where) <= 0 || path[0] != '/')
			return 0;
		return check_interpreter(root_fd, init, path, e);
	}
	return 0;
}

static int check_elf(int root_fd, int fd, const char *init, const Elf64_Ehdr *h, struct err **e)
{
	const unsigned short one = 1;
	bool little = *(const unsigned char *)&one == 1;
	struct utsname host;

	if (uname(&host) < 0)
		return 0;
	if ((h->e_ident[EI_DATA] == ELFDATA2LSB) != little || !runs(host.machine, machine_name(h)))
		return has_binfmt() ? 0 : err_init_wrong_arch(e, init, machine_name(h), host.machine);
	return check_loader(root_fd, fd, init, h, e);
}

static int check_script(int root_fd, const char *init, char *line, struct err **e)
{
	char *word = line + 2;

	word += strspn(word, " \t");
	word[strcspn(word, " \t\r\n")] = '\0';
	if (word[0] != '/')
		return 0;
	return check_interpreter(root_fd, init, word, e);
}

static int check_file(int root_fd, int path_fd, const char *init, struct err **e)
{
	auto_close int fd = -EBADF;
	struct stat st;
	union {
		Elf64_Ehdr elf;
		char text[256];
	} head = { .text = "" };
	ssize_t n;

	if (fstat(path_fd, &st) < 0)
		return err_set(e, errno, NULL, "cannot stat init program %s", init);
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return err_init_not_executable(e, init);
	fd = open_again(path_fd, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return 0; /* executable but not readable: exec decides */
	n = pread(fd, &head, sizeof(head) - 1, 0);
	if (n >= (ssize_t)sizeof(Elf32_Ehdr) && memcmp(head.elf.e_ident, ELFMAG, SELFMAG) == 0)
		return check_elf(root_fd, fd, init, &head.elf, e);
	if (n > 2 && head.text[0] == '#' && head.text[1] == '!')
		return check_script(root_fd, init, head.text, e);
	return 0;
}

int init_check(int root_fd, const char *root, const char *argv0, struct err **e)
{
	static const char *const dirs[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					    "/usr/bin",	       "/sbin",		 "/bin" };

	if (strchr(argv0, '/')) {
		auto_close int fd = open_in_root(root_fd, argv0, O_PATH, 0);

		if (fd < 0)
			return fd == -EACCES ? err_init_not_executable(e, argv0) :
					       err_init_missing(e, argv0, root);
		return check_file(root_fd, fd, argv0, e);
	}
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		auto_close int fd = -EBADF;
		char path[512];

		(void)snprintf(path, sizeof(path), "%s/%s", dirs[i], argv0);
		fd = open_in_root(root_fd, path, O_PATH, 0);
		if (fd >= 0)
			return check_file(root_fd, fd, path, e);
	}
	return err_init_missing(e, argv0, root);
}

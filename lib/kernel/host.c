/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/io.h"
#include "base/num.h"
#include "kernel/proc.h"

/* The kernel gives its first user namespace this inode number, for all time (PROC_USER_INIT_INO). */
#define INITIAL_USERNS_INODE 0xeffffffdU

bool host_in_initial_userns(void)
{
	struct stat st;

	return stat("/proc/self/ns/user", &st) == 0 && st.st_ino == INITIAL_USERNS_INODE;
}

bool host_is_root(void)
{
	return geteuid() == 0 && host_in_initial_userns();
}

bool host_has_cap(int cap)
{
	char text[32];
	uint64_t mask;

	return proc_status_field(getpid(), "CapEff", text, sizeof(text)) > 0 &&
	       num_u64(text, 16, UINT64_MAX, &mask) == 0 && cap >= 0 && cap < 64 && (mask >> cap & 1);
}

int host_boot_id(char ret[HOST_BOOT_ID_SIZE])
{
	char text[64];
	ssize_t n = io_read_line(AT_FDCWD, "/proc/sys/kernel/random/boot_id", text, sizeof(text));

	if (n < 0)
		return (int)n;
	if (n != HOST_BOOT_ID_SIZE - 1)
		return -EPROTO;
	memcpy(ret, text, HOST_BOOT_ID_SIZE);
	return 0;
}

bool host_has_systemd(void)
{
	struct stat st;

	return lstat("/run/systemd/system", &st) == 0 && S_ISDIR(st.st_mode);
}

void host_machine(char ret[HOST_MACHINE_SIZE])
{
	struct utsname u;

	ret[0] = '\0';
	if (uname(&u) == 0)
		(void)stpncpy(ret, u.machine, HOST_MACHINE_SIZE - 1);
	ret[HOST_MACHINE_SIZE - 1] = '\0';
}

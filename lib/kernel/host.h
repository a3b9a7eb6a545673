/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* host - facts about the machine and about who we are on it. Nothing is remembered between calls. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define HOST_BOOT_ID_SIZE 37
#define HOST_MACHINE_SIZE 65

/* True in the user namespace that the kernel booted with. */
bool host_in_initial_userns(void);
/* Effective uid 0 there: what "root" means wherever a privilege is decided. */
bool host_is_root(void);
/* Has this process the capability (CAP_SYS_ADMIN etc.) in its effective set? */
bool host_has_cap(int cap);
/* 36 characters that change with every boot. 0 or -errno. */
int host_boot_id(char ret[HOST_BOOT_ID_SIZE]);
/* systemd is the service manager of this host. */
bool host_has_systemd(void);
/* As uname -m says it, e.g. "x86_64" ("i686" under linux32). */
void host_machine(char ret[HOST_MACHINE_SIZE]);

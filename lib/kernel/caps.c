/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/num.h"
#include "base/str.h"

/* In the kernel's order: the index is the number. */
static const char *const names[] = {
	"chown",
	"dac_override",
	"dac_read_search",
	"fowner",
	"fsetid",
	"kill",
	"setgid",
	"setuid",
	"setpcap",
	"linux_immutable",
	"net_bind_service",
	"net_broadcast",
	"net_admin",
	"net_raw",
	"ipc_lock",
	"ipc_owner",
	"sys_module",
	"sys_rawio",
	"sys_chroot",
	"sys_ptrace",
	"sys_pacct",
	"sys_admin",
	"sys_boot",
	"sys_nice",
	"sys_resource",
	"sys_time",
	"sys_tty_config",
	"mknod",
	"lease",
	"audit_write",
	"audit_control",
	"setfcap",
	"mac_override",
	"mac_admin",
	"syslog",
	"wake_alarm",
	"block_suspend",
	"audit_read",
	"perfmon",
	"bpf",
	"checkpoint_restore",
};

int caps_parse(const char *word, int *ret)
{
	unsigned n;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], word) == 0) {
			*ret = (int)i;
			return 0;
		}
	r = num_uint(word, 10, &n);
	if (r < 0)
		return r;
	if (n > (unsigned)caps_last())
		return -ERANGE;
	*ret = (int)n;
	return 0;
}

const char *caps_name(int cap)
{
	return cap >= 0 && (size_t)cap < ARRAY_SIZE(names) ? names[cap] : NULL;
}

const char *caps_nearest(const char *word)
{
	unsigned best = 4, d;
	const char *found = NULL, *bare = word;

	if (strncasecmp(word, "cap_", 4) == 0)
		bare = word + 4;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcasecmp(names[i], bare) == 0)
			return names[i];
		d = str_distance(names[i], bare);
		if (d < best && d < strlen(bare)) {
			best = d;
			found = names[i];
		}
	}
	return found;
}

int caps_last(void)
{
	int cap = (int)ARRAY_SIZE(names) - 1;

	while (cap > 0 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) < 0)
		cap--;
	while (cap < 62 && prctl(PR_CAPBSET_READ, cap + 1, 0, 0, 0) >= 0)
		cap++;
	return cap;
}

int caps_drop_bounding(uint64_t mask, struct err **e)
{
	for (int cap = 0; cap < 64; cap++) {
		if (!(mask & CAPS_BIT(cap)) || prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
			const char *name = caps_name(cap);

			return err_set(e, errno, NULL, "cannot drop capability %s (%d)", name ? name : "?",
				       cap);
		}
	}
	return 0;
}

int caps_clear_inherited(struct err **e)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return err_set(e, errno, NULL, "cannot clear the ambient capabilities");
	if (syscall(SYS_capget, &head, data) < 0)
		return err_set(e, errno, NULL, "cannot read the capabilities");
	data[0].inheritable = data[1].inheritable = 0;
	if (syscall(SYS_capset, &head, data) < 0)
		return err_set(e, errno, NULL, "cannot clear the inheritable capabilities");
	return 0;
}

bool caps_has(int cap)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (cap < 0 || cap > 63 || syscall(SYS_capget, &header, data) < 0)
		return false;
	return data[cap / 32].effective & (1U << (cap % 32));
}

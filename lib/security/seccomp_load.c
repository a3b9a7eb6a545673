/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* Loading a program: runs in init and in attached processes, just before what they become. */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "security/seccomp.h"

#ifndef SECCOMP_FILTER_FLAG_NEW_LISTENER
#define SECCOMP_FILTER_FLAG_NEW_LISTENER (1UL << 3)
#endif

int seccomp_install(const struct seccomp_program *p, int *ret_listener, struct err **e)
{
	const struct sock_fprog program = { .len = p->len, .filter = p->filter };
	const unsigned flags = p->notify ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
	int r;

	if (p->len == 0) {
		*ret_listener = -EBADF;
		return 0;
	}
	r = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	if (r >= 0) {
		*ret_listener = p->notify ? r : -EBADF;
		return 0;
	}
	switch (errno) {
	case EACCES:
		return err_seccomp_install_refused(e, "this process has neither CAP_SYS_ADMIN nor no_new_privs");
	case EBUSY:
		return err_set(e, EBUSY, "seccomp-listener-busy",
			       "another seccomp filter of this process has a listener already");
	default:
		return err_set(e, errno, NULL, "the kernel does not load the seccomp program");
	}
}

void seccomp_done(struct seccomp_program *p)
{
	free(p->filter);
	*p = (struct seccomp_program){ 0 };
}

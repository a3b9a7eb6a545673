/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* protect - a program that enters containers must not run from a file that root in a container could
 * write to through /proc/self/exe: it executes itself once more from one that nobody can write to. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "globals.h"
#include "kernel/proc.h"
#include "lxc/lxcext.h"
#include "protect.h"

#define OWN_EXE "/proc/self/exe"

/* On a read-only mount, or a memory file that is sealed against writing. */
static bool is_protected(int exe)
{
	struct statvfs st;
	int seals = fcntl(exe, F_GET_SEALS);

	if (seals >= 0 && (seals & F_SEAL_WRITE))
		return true;
	return fstatvfs(exe, &st) == 0 && (st.f_flag & ST_RDONLY);
}

bool protect_is_done(void)
{
	auto_close int exe = open(OWN_EXE, O_RDONLY | O_CLOEXEC);

	if (exe < 0 || !is_protected(exe))
		return false;
	/* The name that ps shows would be that of a descriptor. */
	(void)prctl(PR_SET_NAME, program_invocation_short_name, 0, 0, 0);
	return true;
}

attr_public int lxcext_protect_self(char *const argv[])
{
	auto_close int exe = open(OWN_EXE, O_RDONLY | O_CLOEXEC), safe = -EBADF;
	struct err *e = NULL;
	int r;

	if (exe < 0) {
		r = err_set(&e, errno, NULL, "cannot open %s", OWN_EXE);
	} else if (is_protected(exe)) {
		/* The second time: the name that ps shows would be that of a descriptor. */
		(void)prctl(PR_SET_NAME, program_invocation_short_name, 0, 0, 0);
		return 0;
	} else if (getauxval(AT_EXECFN) && str_after((const char *)getauxval(AT_EXECFN), "/dev/fd/")) {
		/* Executed by descriptor, and yet not protected: once more would be once more for ever. */
		r = err_set(&e, EPERM, NULL, "the protected copy of this program can be written to");
	} else {
		safe = r = proc_safe_exe(OWN_EXE, &e);
	}
	if (r >= 0) {
		(void)fexecve(safe, argv, environ);
		r = err_set(&e, errno, NULL, "cannot execute the protected copy of this program");
	}
	thread_fail(e);
	return r;
}

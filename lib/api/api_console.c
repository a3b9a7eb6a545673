/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_console - terminals of a running container: taking one, a session on one, the console's log. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "handle.h"
#include "lifecycle/terminal.h"
#include "vtable.h"


int api_console_getfd(struct lxc_container *c, int *ttynum, int *ptxfd)
{
	struct call k;
	int num, r, ptx = -EBADF;

	if (!call_begin(&k, c))
		return -1;
	if (!ttynum || !ptxfd)
		return call_end(&k, err_set(&k.e, EINVAL, NULL, "no place for the result was given"), NULL);
	num = *ttynum;
	r = client_tty(&k.target, &num, &ptx, &k.e);
	if (call_end(&k, r, "cannot get a terminal of %s", k.name) < 0)
		return r;
	*ttynum = num;
	*ptxfd = ptx;
	return r;
}

int api_console(struct lxc_container *c, int ttynum, int stdinfd, int stdoutfd, int stderrfd, int escape)
{
	auto_close int holder = -EBADF, ptx = -EBADF;
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return -1;
	holder = client_tty(&k.target, &ttynum, &ptx, &k.e);
	if (holder < 0)
		return call_end(&k, holder, "cannot open a terminal of %s", k.name);
	if (escape >= 1)
		(void)dprintf(stderrfd,
			      "\r\nConnected to tty %d of %s. Ctrl-%c q leaves; Ctrl-%c twice sends Ctrl-%c.\r\n",
			      ttynum, k.name, 'a' + escape - 1, 'a' + escape - 1, 'a' + escape - 1);
	struct terminal_session s = {
		.in = stdinfd,
		.out = stdoutfd,
		.tty = isatty(stdinfd) ? stdinfd : isatty(stdoutfd) ? stdoutfd : -1,
		.ptx = ptx,
		/* The monitor lets go of the terminal when the container ends. */
		.end_fd = holder,
		.escape = escape,
		.log_fd = -1,
	};

	r = terminal_run(&s, &k.e);
	return call_end(&k, r, "the session on a terminal of %s broke", k.name);
}

int api_console_log(struct lxc_container *c, struct lxc_console_log *log)
{
	uint64_t len = 0, max;
	char *data = NULL;
	struct call k;
	int r;

	if (!c || !log || !log->read_max || !call_begin(&k, c))
		return -EINVAL;
	max = *log->read_max;
	*log->read_max = 0;
	log->data = NULL;
	r = client_console_log(&k.target, log->read, log->clear, max, &data, &len, &k.e);
	if (r == -EFAULT)
		r = err_console_unbuffered(&k.e, k.name);
	/* Nothing was wanted of an empty one. */
	if (r == -ENODATA && !log->read && !log->clear) {
		err_free(take_ptr(k.e));
		r = 0;
	}
	if (r == -ENODATA)
		r = err_set(&k.e, ENODATA, "console-empty", "the console of %s has said nothing since it was read",
			    k.name);
	if (r < 0)
		return call_end(&k, r, "cannot read the console log of %s", k.name);
	(void)call_end(&k, 0, NULL);
	if (log->read) {
		log->data = data;
		*log->read_max = len;
	} else {
		free(data);
	}
	return 0;
}

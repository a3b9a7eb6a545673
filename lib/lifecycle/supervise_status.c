/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* supervise_status - what the monitor tells whoever started it. */
#include "lifecycle/supervise_parts.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

/* One packet to the client: a tag, a number, a payload. */
void supervise_tell(struct supervisor *s, char tag, int number, const void *p, size_t n)
{
	char packet[1 + sizeof(int) + ERR_FRAME_MAX];

	if (s->status_fd < 0)
		return;
	n = MIN(n, (size_t)ERR_FRAME_MAX);
	packet[0] = tag;
	memcpy(packet + 1, &number, sizeof(number));
	if (n)
		memcpy(packet + 1 + sizeof(number), p, n);
	(void)!send(s->status_fd, packet, 1 + sizeof(number) + n, MSG_NOSIGNAL);
}

void supervise_tell_text(struct supervisor *s, const char *text, size_t n)
{
	for (size_t at = 0; at < n; at += ERR_FRAME_MAX)
		supervise_tell(s, STATUS_TEXT, 0, text + at, MIN(n - at, (size_t)ERR_FRAME_MAX));
}

void supervise_warn(void *arg, const char *text)
{
	struct supervisor *s = arg;

	if (s->status_fd >= 0)
		supervise_tell(s, STATUS_WARNING, 0, text, strlen(text));
	else if (!s->head.quiet)
		(void)dprintf(s->err_fd >= 0 ? s->err_fd : STDERR_FILENO, "%s: warning: %s\n",
			      s->head.prog ? s->head.prog : "lxc-start", text);
}

/* The end of a start that did not work: to the client, or to the terminal we are on. */
int supervise_report(struct supervisor *s, struct err *e, int error_num)
{
	char frame[ERR_FRAME_MAX];

	if (s->failure) {
		err_move(s->failure, e);
		return EXIT_INTERNAL;
	}
	err_wrap(&e, -1, "cannot start %s", s->head.name);
	if (s->status_fd >= 0)
		supervise_tell(s, STATUS_ERROR, error_num, frame, err_pack(e->cause ? e->cause : e, frame));
	else if (!s->head.quiet)
		err_print(stderr, s->head.prog ? s->head.prog : "lxc-start", e, false);
	err_free(e);
	loop_remove(s->m.client_source);
	s->m.client_source = NULL;
	fd_replace(&s->status_fd, -EBADF);
	return EXIT_INTERNAL;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* probe - what the tests of keys ask the kernel, inside a container and beside it. Linked statically, so that it runs
 * in any root.
 *
 *	probe call NR [ARG...]      a system call of this machine: "RETURN ERRNO", or "trapped NR" by a signal
 *	probe call32 NR [ARG...]    the same by the 32-bit entry of x86-64
 *	probe confine PROGRAM...    executes it under a system call policy that allows everything
 *	probe proxy PATH VALUE ERRNO  answers every notification at the socket (@NAME: abstract), one line for each
 *	probe datagram PATH         prints the first datagram that the socket gets
 *	probe corecookie            the core scheduling cookie, or "none" */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static void arguments(char **argv, long a[6])
{
	for (int i = 0; i < 6; i++)
		a[i] = 0;
	for (int i = 0; i < 6 && argv[i]; i++)
		a[i] = (long)strtoull(argv[i], NULL, 0);
}

/* Only of a trap: a kill asks no handler. */
static void trapped(int sig, siginfo_t *info, void *context)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "trapped %d\n", info->si_syscall);

	(void)!write(1, text, (size_t)n);
	_exit(0);
}

static void take_traps(void)
{
	struct sigaction act = { .sa_sigaction = trapped, .sa_flags = SA_SIGINFO };

	(void)sigaction(SIGSYS, &act, NULL);
}

static int call(char **argv)
{
	long a[6], r;

	arguments(argv + 1, a);
	take_traps();
	errno = 0;
	r = syscall(strtol(argv[0], NULL, 0), a[0], a[1], a[2], a[3], a[4], a[5]);
	printf("%ld %d\n", r, errno);
	return 0;
}

static int call32(char **argv)
{
#ifdef __x86_64__
	long a[6], r = strtol(argv[0], NULL, 0);

	arguments(argv + 1, a);
	take_traps();
	__asm__ volatile("int $0x80" : "+a"(r) : "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4])
			 : "memory", "r8", "r9", "r10", "r11");
	r = (int)r;
	printf("%ld %ld\n", r < 0 ? -1 : r, r < 0 ? -r : 0);
	return 0;
#else
	printf("no such entry\n");
	return 1;
#endif
}

static int confine(char **argv)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { .len = 1, .filter = &allow };

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return 1;
	execvp(argv[0], argv);
	return 1;
}

static int listen_at(const char *path, int type)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t n = strlen(path);
	int fd = socket(AF_UNIX, type, 0);

	if (fd < 0 || n >= sizeof(a.sun_path))
		return -1;
	memcpy(a.sun_path, path, n);
	if (path[0] == '@')
		a.sun_path[0] = '\0';
	n += offsetof(struct sockaddr_un, sun_path) + (path[0] != '@');
	if (bind(fd, (struct sockaddr *)&a, (socklen_t)n) < 0 || (type != SOCK_DGRAM && listen(fd, 8) < 0))
		return -1;
	if (path[0] != '@')
		(void)chmod(path, 0777);
	printf("ready\n");
	fflush(stdout);
	return fd;
}

/* The message as LXD's proxy reads it: a head with the sizes of what follows. */
struct head {
	uint64_t reserved;
	int32_t monitor, init;
	uint16_t notif, resp, data, pad;
	uint64_t cookie;
};

static int answer(int fd, long long value, int error)
{
	unsigned char in[8192], out[8192];
	char control[CMSG_SPACE(16 * sizeof(int))], link[256], path[64];
	struct iovec v = { in, sizeof(in) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct seccomp_notif_resp *resp;
	struct seccomp_notif *notif;
	int fds[16] = { -1 }, n = 0;
	struct head h;
	ssize_t got = recvmsg(fd, &m, 0);

	if (got <= 0)
		return -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_type == SCM_RIGHTS) {
			n = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(fds, CMSG_DATA(c), (size_t)n * sizeof(int));
		}
	memcpy(&h, in, sizeof(h));
	notif = (void *)(in + sizeof(h));
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	link[0] = '\0';
	ssize_t k = readlink(path, link, sizeof(link) - 1);
	link[k > 0 ? k : 0] = '\0';
	printf("size=%zd head=%zu notif=%d resp=%d data=%d cookie=%.*s fds=%d pid=%s nr=%d arg0=%llu monitor=%d init=%d\n", got,
	       sizeof(h), h.notif == sizeof(*notif), h.resp == sizeof(*resp), h.data == sizeof(struct seccomp_data),
	       (int)h.cookie, (char *)in + sizeof(h) + h.notif + h.resp, n,
	       strncmp(link, "/proc/", 6) == 0 && atoi(link + 6) == (int)notif->pid ? "same" : link, notif->data.nr,
	       (unsigned long long)notif->data.args[0], h.monitor > 1, h.init > 1);
	fflush(stdout);
	for (int i = 0; i < n; i++)
		close(fds[i]);
	memcpy(out, in, sizeof(h) + h.notif + h.resp);
	resp = (void *)(out + sizeof(h) + h.notif);
	resp->val = value;
	resp->error = -error;
	resp->flags = 0;
	return send(fd, out, sizeof(h) + h.notif + h.resp, 0) > 0 ? 0 : -1;
}

static int proxy(char **argv)
{
	int fd = listen_at(argv[0], SOCK_SEQPACKET);

	while (fd >= 0) {
		int peer = accept(fd, NULL, NULL);

		while (peer >= 0 && answer(peer, strtoll(argv[1], NULL, 0), atoi(argv[2])) == 0)
			;
		close(peer);
	}
	return 1;
}

static int datagram(char **argv)
{
	int fd = listen_at(argv[0], SOCK_DGRAM);
	char text[2048];
	ssize_t n = fd < 0 ? -1 : recv(fd, text, sizeof(text), 0);

	printf("%.*s\n", (int)(n > 0 ? n : 0), text);
	return n > 0 ? 0 : 1;
}

static int core_cookie(void)
{
	uint64_t cookie = 0;

	if (prctl(62 /* PR_SCHED_CORE */, 0 /* GET */, 0, 0 /* thread */, &cookie) < 0)
		printf("none: %s\n", strerror(errno));
	else
		printf("%s\n", cookie ? "cookie" : "0");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "call") == 0)
		return call(argv + 2);
	if (argc > 2 && strcmp(argv[1], "call32") == 0)
		return call32(argv + 2);
	if (argc > 2 && strcmp(argv[1], "confine") == 0)
		return confine(argv + 2);
	if (argc > 4 && strcmp(argv[1], "proxy") == 0)
		return proxy(argv + 2);
	if (argc > 2 && strcmp(argv[1], "datagram") == 0)
		return datagram(argv + 2);
	if (argc > 1 && strcmp(argv[1], "corecookie") == 0)
		return core_cookie();
	return 2;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* attacker - what the attack tests do to the tools, from outside (strangers on the command socket) and from
 * inside a container. Linked statically, so that it runs in any root. Prints one word or line per finding. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/if_alg.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif

struct request {
	int cmd, len;
	uintptr_t value;
};

static long number(const char *p)
{
	long n = 0;

	while (*p >= '0' && *p <= '9')
		n = n * 10 + (*p++ - '0');
	return n;
}

static socklen_t address(const char *name, struct sockaddr_un *a)
{
	size_t n = strlen(name);

	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	if (n > sizeof(a->sun_path) - 1)
		n = sizeof(a->sun_path) - 1;
	memcpy(a->sun_path + 1, name, n);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n);
}

static int dial(const char *name)
{
	struct sockaddr_un a;
	socklen_t len = address(name, &a);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = { .tv_sec = 5 };

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, len) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* listen NAME PID: binds the name and answers every request with PID (0: never answers). */
static int do_listen(const char *name, long pid)
{
	struct sockaddr_un a;
	socklen_t len = address(name, &a);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, 100) < 0) {
		printf("bind: %s\n", strerror(errno));
		return 1;
	}
	puts("bound");
	fflush(stdout);
	for (;;) {
		struct request req, reply = { .value = (uintptr_t)pid };
		int c = accept(fd, NULL, NULL);

		if (c < 0 || pid == 0)
			continue;
		if (read(c, &req, sizeof(req)) != (ssize_t)sizeof(req)) {
			close(c);
			continue;
		}
		printf("asked %d\n", req.cmd);
		fflush(stdout);
		if (req.cmd == 3)
			reply.value = 2; /* RUNNING */
		(void)!write(c, &reply, sizeof(reply));
		close(c);
	}
}

/* frames NAME: every kind of request that is none. */
static int do_frames(const char *name)
{
	static const int lengths[] = { -1, -2147483647 - 1, 2147483647, 8193, 8192, 65536, 1, 3 };
	static char junk[65536];
	int sent = 0;

	signal(SIGPIPE, SIG_IGN);
	memset(junk, 'A', sizeof(junk));
	for (int cmd = -2; cmd < 72; cmd++) {
		if (cmd == 2 || cmd == 15) /* stop and freeze are no attack but a request */
			continue;
		for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
			struct request req = { .cmd = cmd, .len = lengths[i], .value = (uintptr_t)-1 };
			size_t n = lengths[i] > 0 && lengths[i] <= (int)sizeof(junk) ? (size_t)lengths[i] : 64;
			int fd = dial(name);

			if (fd < 0)
				return 1;
			(void)!send(fd, &req, sizeof(req), MSG_NOSIGNAL);
			(void)!send(fd, junk, i % 2 ? n : n / 2, MSG_NOSIGNAL | MSG_DONTWAIT);
			sent++;
			close(fd);
		}
	}
	/* Short heads. */
	for (size_t n = 0; n < sizeof(struct request); n++) {
		int fd = dial(name);

		if (fd < 0)
			return 1;
		(void)!send(fd, junk, n, MSG_NOSIGNAL);
		close(fd);
	}
	printf("sent %d\n", sent);
	return 0;
}

/* ask NAME: every command there is, with and without data; to stop at last. Says which of them were not refused. */
static int do_ask(const char *name)
{
	int asked = 0;

	signal(SIGPIPE, SIG_IGN);
	for (int turn = 0; turn < 160; turn++) {
		char data[] = "lxc.rootfs.path", control[CMSG_SPACE(sizeof(int) * 16)];
		struct request req = { .cmd = (turn / 2 + 3) % 80, .len = turn % 2 ? (int)sizeof(data) : 0, .value = 1 };
		struct {
			int ret, len;
			uintptr_t value;
		} reply = { 0 };
		struct iovec iov = { &reply, sizeof(reply) };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
		int fd = dial(name);
		ssize_t n;

		if (fd < 0)
			return printf("nobody answers\n"), 1;
		(void)!send(fd, &req, sizeof(req), MSG_NOSIGNAL);
		(void)!send(fd, data, (size_t)req.len, MSG_NOSIGNAL);
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
		if (n > 0 && (reply.ret != -EPERM || reply.len || CMSG_FIRSTHDR(&msg)))
			printf("%d: %d\n", req.cmd, reply.ret);
		asked += n > 0;
		close(fd);
	}
	printf("asked %d\n", asked);
	return 0;
}

/* fds NAME: descriptors that nobody asked for. */
static int do_fds(const char *name)
{
	for (int round = 0; round < 100; round++) {
		union {
			struct cmsghdr align;
			char space[CMSG_SPACE(sizeof(int) * 200)];
		} control;
		struct request req = { .cmd = 3 };
		struct iovec iov = { &req, sizeof(req) };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space,
				      .msg_controllen = sizeof(control.space) };
		struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
		int fds[200], fd = dial(name);

		for (int i = 0; i < 200; i++)
			fds[i] = 0;
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(fds));
		memcpy(CMSG_DATA(h), fds, sizeof(fds));
		if (fd < 0)
			return 1;
		(void)!sendmsg(fd, &msg, MSG_NOSIGNAL);
		(void)!read(fd, &req, sizeof(req));
		close(fd);
	}
	puts("sent");
	return 0;
}

/* idle NAME N: N connections that say nothing, until killed. */
static int do_idle(const char *name, int n)
{
	int open = 0;

	for (int i = 0; i < n; i++)
		open += dial(name) >= 0;
	printf("open %d\n", open);
	fflush(stdout);
	pause();
	return 0;
}

/* flood NAME SECONDS: connects and leaves, as fast as it goes. */
_Noreturn static void do_flood(const char *name, int seconds)
{
	long n = 0;

	alarm((unsigned)seconds);
	for (;; n++) {
		int fd = dial(name);

		if (fd >= 0)
			close(fd);
	}
}

/* tiocsti: types into every terminal that can be reached. */
static int do_tiocsti(void)
{
	const char *names[] = { "/dev/tty", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2" };

	for (int i = 0; i < 8; i++) {
		const char paste = 3; /* TIOCL_PASTESEL */

		for (const char *p = "echo PWNED\n"; *p; p++)
			(void)ioctl(i, TIOCSTI, p);
		(void)ioctl(i, TIOCLINUX, &paste);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		int fd = open(names[i], O_RDWR | O_NONBLOCK);

		for (const char *p = "echo PWNED\n"; fd >= 0 && *p; p++)
			(void)ioctl(fd, TIOCSTI, p);
	}
	puts("tried");
	return 0;
}

/* later: the same, once who gave us the terminals is gone. */
static int do_later(void)
{
	signal(SIGHUP, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	if (fork() != 0)
		return 0;
	(void)poll(NULL, 0, 400);
	return do_tiocsti();
}

/* hear MS: what is typed into the terminal meanwhile. */
static int do_hear(int ms)
{
	struct pollfd p = { .fd = open("/dev/tty", O_RDONLY | O_NONBLOCK | O_CLOEXEC), .events = POLLIN };

	for (; p.fd >= 0 && ms > 0; ms -= 20) {
		char text[512];
		ssize_t n = poll(&p, 1, 20) > 0 ? read(p.fd, text, sizeof(text)) : 0;

		if (n > 0)
			(void)!write(1, text, (size_t)n);
	}
	return p.fd < 0;
}

/* exchange A B: swaps two names until killed. */
_Noreturn static void do_exchange(const char *a, const char *b)
{
	for (;;)
		(void)syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
}

/* alg: may this process use the kernel's crypto sockets? */
static int do_alg(void)
{
	int fd = socket(AF_ALG, SOCK_SEQPACKET, 0);

	puts(fd >= 0 ? "allowed" : strerror(errno));
	return 0;
}

/* hang DIR: mounts a file system there that never answers: who looks into it sleeps where no signal but
 * SIGKILL reaches him, and a freezer does not either. Until killed. */
static int do_hang(const char *dir)
{
	char options[128];
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return printf("no fuse: %s\n", strerror(errno)), 0;
	(void)snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd);
	if (mount("hang", dir, "fuse", MS_NOSUID | MS_NODEV, options) < 0)
		return printf("no mount: %s\n", strerror(errno)), 0;
	printf("mounted\n");
	fflush(stdout);
	for (;;)
		(void)pause();
}

/* exe PID: may the program file of PID be written, by its name in /proc or once it ends? Its mount tells: a
 * running program refuses writers anyway. */
static int do_exe(const char *pid)
{
	char path[64];
	struct statvfs fs;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstatvfs(fd, &fs) < 0) {
		printf("hidden\n");
		return 0;
	}
	puts(fs.f_flag & ST_RDONLY ? "readonly" : "writable");
	return 0;
}

/* Is fd, whose link reads target, the file that this guest itself has by that name? */
static int is_the_guests(int fd, const char *target)
{
	struct stat held, named;

	return target[0] == '/' && fstat(fd, &held) == 0 && stat(target, &named) == 0 && held.st_dev == named.st_dev &&
	       held.st_ino == named.st_ino;
}

/*
 * watch: tries, until killed, to look at whatever other process appears here. Says first who it is. Files of the guest's
 * own are not told: its own programs, a getty's login say, have them.
 */
_Noreturn static void do_watch(void)
{
	printf("watching %d\n", getpid());
	fflush(stdout);
	for (;;)
		for (int pid = 2; pid < 200; pid++) {
			char path[64], target[4096];
			ssize_t n;

			if (pid == getpid())
				continue;
			for (int fd = 3; fd < 24; fd++) {
				int held;

				(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
				held = open(path, O_PATH | O_CLOEXEC);
				if (held < 0)
					continue;
				(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", held);
				n = readlink(path, target, sizeof(target) - 1);
				if (n > 0) {
					target[n] = '\0';
					if (!is_the_guests(held, target)) {
						printf("%d %d %s\n", pid, fd, target);
						fflush(stdout);
					}
				}
				close(held);
			}
		}
}

/*
 * peek: tells, until killed, the program of whatever other process may be traced and executes none of the guest's own.
 */
_Noreturn static void do_peek(void)
{
	printf("watching %d\n", getpid());
	fflush(stdout);
	for (;;)
		for (int pid = 2; pid < 300; pid++) {
			char path[64], target[4096];
			struct stat st;
			ssize_t n;

			(void)snprintf(path, sizeof(path), "/proc/%d/exe", pid);
			n = readlink(path, target, sizeof(target) - 1);
			if (n <= 0)
				continue;
			target[n] = '\0';
			if (stat(target, &st) < 0) {
				printf("traced %s\n", target);
				fflush(stdout);
			}
		}
}

/* One more file that may turn out to be writable once nobody executes it any more. */
static int keep(int *kept, int n, int max, int fd)
{
	struct stat have, st;

	if (fstat(fd, &st) < 0)
		return close(fd), n;
	for (int i = 0; i < n; i++)
		if (fstat(kept[i], &have) == 0 && have.st_dev == st.st_dev && have.st_ino == st.st_ino)
			return close(fd), n;
	if (n == max)
		return close(fd), n;
	kept[n] = fd;
	return n + 1;
}

/*
 * overwrite: until killed, takes hold of the program file of whatever other process appears, and tells each that can
 * be opened for writing and is not the guest's own. Nothing is written.
 */
_Noreturn static void do_overwrite(void)
{
	int kept[64], n = 0;

	printf("watching %d\n", getpid());
	fflush(stdout);
	for (;;) {
		char path[64], target[4096];

		for (int pid = 1; pid < 300; pid++) {
			int fd;

			(void)snprintf(path, sizeof(path), "/proc/%d/exe", pid);
			fd = pid == getpid() ? -1 : open(path, O_PATH | O_CLOEXEC);
			if (fd >= 0)
				n = keep(kept, n, (int)(sizeof(kept) / sizeof(*kept)), fd);
		}
		for (int i = 0; i < n; i++) {
			ssize_t len;
			int fd;

			(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", kept[i]);
			len = readlink(path, target, sizeof(target) - 1);
			fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
			if (fd < 0 || len < 0)
				continue;
			target[len] = '\0';
			if (!is_the_guests(fd, target)) {
				printf("opened %s\n", target);
				fflush(stdout);
			}
			close(fd);
		}
	}
}

/* alg32: the same sockets by the 32-bit socketcall(2), which has its arguments in memory. */
static int do_alg32(void)
{
#ifdef __x86_64__
	unsigned *args = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long r;

	if (args == MAP_FAILED)
		return puts("no memory"), 0;
	args[0] = AF_ALG;
	args[1] = SOCK_SEQPACKET;
	args[2] = 0;
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(102L), "b"(1L), "c"(args) : "memory", "r8", "r9", "r10", "r11");
	r = (int)r;
	puts(r >= 0 ? "allowed" : strerror((int)-r));
#else
	puts("not this processor");
#endif
	return 0;
}

int main(int argc, char *argv[])
{
	const char *what = argc > 1 ? argv[1] : "", *a = argc > 2 ? argv[2] : "", *b = argc > 3 ? argv[3] : "0";

	if (!strcmp(what, "listen"))
		return do_listen(a, number(b));
	if (!strcmp(what, "frames"))
		return do_frames(a);
	if (!strcmp(what, "fds"))
		return do_fds(a);
	if (!strcmp(what, "idle"))
		return do_idle(a, (int)number(b));
	if (!strcmp(what, "flood"))
		do_flood(a, (int)number(b));
	if (!strcmp(what, "tiocsti"))
		return do_tiocsti();
	if (!strcmp(what, "later"))
		return do_later();
	if (!strcmp(what, "hear"))
		return do_hear((int)number(a));
	if (!strcmp(what, "peek"))
		do_peek();
	if (!strcmp(what, "ask"))
		return do_ask(a);
	if (!strcmp(what, "exchange"))
		do_exchange(a, b);
	if (!strcmp(what, "alg"))
		return do_alg();
	if (!strcmp(what, "alg32"))
		return do_alg32();
	if (!strcmp(what, "overwrite"))
		do_overwrite();
	if (!strcmp(what, "exe"))
		return do_exe(a);
	if (!strcmp(what, "hang"))
		return do_hang(a);
	if (!strcmp(what, "watch"))
		do_watch();
	(void)fprintf(stderr, "attacker: unknown: %s\n", what);
	return 2;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "security/lsm_attr.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"

static bool is_procfs(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* "PID/task/TID", as thread-self says it: the numbers are those of that procfs's pid namespace. */
static bool is_thread_path(const char *s)
{
	static const char task[] = "/task/";
	const char *mid = strstr(s, task);

	if (!mid || mid == s || !mid[strlen(task)])
		return false;
	for (const char *p = s; p < mid; p++)
		if (!isdigit((unsigned char)*p))
			return false;
	for (const char *p = mid + strlen(task); *p; p++)
		if (!isdigit((unsigned char)*p))
			return false;
	return true;
}

int lsm_attr_write(int proc_fd, const char *name, const char *value)
{
	const struct open_how how = {
		.flags = O_WRONLY | O_CLOEXEC | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	auto_close int fd = -EBADF;
	char self[64], path[160];
	ssize_t n;

	if (!is_procfs(proc_fd))
		return -ENOTSUP;
	n = readlinkat(proc_fd, "thread-self", self, sizeof(self) - 1);
	if (n < 0)
		return -errno;
	self[n] = '\0';
	if (!is_thread_path(self))
		return -ENOTSUP;
	if (snprintf(path, sizeof(path), "%s/attr/%s", self, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = (int)syscall(SYS_openat2, proc_fd, path, &how, sizeof(how));
	if (fd < 0)
		return -errno;
	if (!is_procfs(fd))
		return -ENOTSUP;
	do {
		n = write(fd, value, strlen(value));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

ssize_t lsm_attr_read(pid_t pid, const char *name, char *buf, size_t size)
{
	char path[160];

	if (pid > 0)
		(void)snprintf(path, sizeof(path), "/proc/%d/attr/%s", pid, name);
	else
		(void)snprintf(path, sizeof(path), "/proc/thread-self/attr/%s", name);
	return io_read_line(AT_FDCWD, path, buf, size);
}

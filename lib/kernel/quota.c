/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/quota.h"

#include <errno.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif
#ifndef PRJQUOTA
#define PRJQUOTA 2
#endif

int quota_project(int fd, uint32_t *ret)
{
	struct fsxattr x;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &x) < 0)
		return -errno;
	*ret = x.fsx_projid;
	return 0;
}

int quota_set_project(int fd, uint32_t project)
{
	struct fsxattr x;
	struct stat st;

	if (fstat(fd, &st) < 0 || ioctl(fd, FS_IOC_FSGETXATTR, &x) < 0)
		return -errno;
	x.fsx_projid = project;
	if (S_ISDIR(st.st_mode))
		x.fsx_xflags |= FS_XFLAG_PROJINHERIT;
	return ioctl(fd, FS_IOC_FSSETXATTR, &x) < 0 ? -errno : 0;
}

static int control(int fd, unsigned command, uint32_t project, struct if_dqblk *dq)
{
	return syscall(SYS_quotactl_fd, fd, QCMD(command, PRJQUOTA), project, dq) < 0 ? -errno : 0;
}

int quota_usage(int fd, uint32_t project, struct quota_usage *ret)
{
	struct if_dqblk dq = { 0 };
	int r = control(fd, Q_GETQUOTA, project, &dq);

	if (r < 0)
		return r;
	*ret = (struct quota_usage){ .used = dq.dqb_curspace, .limit = dq.dqb_bhardlimit * QIF_DQBLKSIZE };
	return 0;
}

int quota_limit(int fd, uint32_t project, uint64_t bytes)
{
	struct if_dqblk dq = { .dqb_valid = QIF_BLIMITS };

	dq.dqb_bhardlimit = (bytes + QIF_DQBLKSIZE - 1) / QIF_DQBLKSIZE;
	return control(fd, Q_SETQUOTA, project, &dq);
}

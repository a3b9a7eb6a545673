/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

/* Others may take the device between the question which one is free and the configuration. */
#define TRIES 64

static int open_device(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static bool is_device_of(int dev, const struct stat *st)
{
	struct loop_info64 info;

	return ioctl(dev, LOOP_GET_STATUS64, &info) == 0 && info.lo_device == (uint64_t)st->st_dev &&
	       info.lo_inode == (uint64_t)st->st_ino && info.lo_offset == 0;
}

/* An fd of the device that has the file; -ENOENT: none. */
static int find(const struct stat *st, char **ret_path)
{
	auto_closedir DIR *d = opendir("/sys/block");

	if (!d)
		return -ENOENT;
	for (const struct dirent *ent = readdir(d); ent; ent = readdir(d)) {
		auto_free char *path = NULL, *attached = NULL;
		auto_close int dev = -EBADF;

		if (!str_after(ent->d_name, "loop"))
			continue;
		if (asprintf(&attached, "/sys/block/%s/loop", ent->d_name) < 0 ||
		    asprintf(&path, "/dev/%s", ent->d_name) < 0)
			return -ENOMEM;
		if (access(attached, F_OK) < 0)
			continue;
		dev = open_device(path);
		if (dev < 0 || !is_device_of(dev, st))
			continue;
		*ret_path = take_ptr(path);
		return take_fd(&dev);
	}
	return -ENOENT;
}

static int configure(int dev, int fd)
{
	struct loop_config config = { .fd = (uint32_t)fd, .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	struct loop_info64 info = { .lo_flags = LO_FLAGS_AUTOCLEAR };

	if (ioctl(dev, LOOP_CONFIGURE, &config) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOTTY && errno != ENOSYS)
		return -errno;
	/* In two steps, before Linux 5.8 and in emulations of the call. */
	if (ioctl(dev, LOOP_SET_FD, fd) < 0)
		return -errno;
	if (ioctl(dev, LOOP_SET_STATUS64, &info) == 0)
		return 0;
	(void)ioctl(dev, LOOP_CLR_FD, 0);
	return -errno;
}

static int attach_new(int fd, char **ret_path, struct err **e)
{
	auto_close int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int r = 0;

	if (control < 0)
		return err_set(e, errno, NULL, "cannot open /dev/loop-control");
	for (int i = 0; i < TRIES; i++) {
		auto_free char *path = NULL;
		auto_close int dev = -EBADF;
		int n = ioctl(control, LOOP_CTL_GET_FREE);

		if (n < 0)
			return err_set(e, errno, NULL, "cannot get a free loop device");
		if (asprintf(&path, "/dev/loop%d", n) < 0)
			return err_no_memory(e);
		dev = open_device(path);
		r = dev < 0 ? dev : configure(dev, fd);
		if (r == 0) {
			*ret_path = take_ptr(path);
			return take_fd(&dev);
		}
		if (r != -EBUSY && r != -ENXIO && r != -ENOENT)
			return err_set(e, -r, NULL, "cannot attach %s", path);
	}
	return err_set(e, -r, NULL, "cannot attach a loop device");
}

int loop_attach(int fd, char **ret_path, struct err **e)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat st;
	int dev;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, NULL, "cannot stat the image");
	/* Held until this descriptor is closed; the device has one of its own. */
	while (fcntl(fd, F_OFD_SETLKW, &lock) < 0)
		if (errno != EINTR)
			return err_set(e, errno, NULL, "cannot lock the image");
	dev = find(&st, ret_path);
	if (dev == -ENOENT)
		dev = attach_new(fd, ret_path, e);
	else if (dev == -ENOMEM)
		dev = err_no_memory(e);
	lock.l_type = F_UNLCK;
	(void)fcntl(fd, F_OFD_SETLK, &lock);
	return dev;
}

int loop_update_size(int dev_fd)
{
	return ioctl(dev_fd, LOOP_SET_CAPACITY, 0) < 0 ? -errno : 0;
}

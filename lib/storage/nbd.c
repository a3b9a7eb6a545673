/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* nbd - the root is in an image of a virtual machine, "FILE" or "FILE:PARTITION", which qemu-nbd attaches
 * to a network block device while the container runs. Images are made and removed by other programs. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/block.h"

#define DEVICES_MAX 256
#define PARTITION_MAX 255
#define PARTITION_MS 5000

/* *ret_part: 0 for the whole image. */
static int split(const char *source, char **ret_file, unsigned *ret_part, struct err **e)
{
	const char *colon = strrchr(source, ':');
	unsigned part = 0;

	if (!colon || num_uint(colon + 1, 10, &part) < 0 || part == 0 || part > PARTITION_MAX)
		colon = NULL;
	*ret_part = colon ? part : 0;
	*ret_file = colon ? strndup(source, (size_t)(colon - source)) : strdup(source);
	return *ret_file ? 0 : err_no_memory(e);
}

static int resolve(struct storage *s, const struct conf *c, struct log *l, struct err **e)
{
	auto_free char *file = NULL;
	unsigned part;
	struct stat st;
	/* Written with the type twice it works in LXC, so somebody has it so. */
	const char *again = str_after(s->source, "nbd:");
	int r;

	if (again) {
		char *copy = strdup(again);

		if (!copy)
			return err_no_memory(e);
		free(s->source);
		s->source = copy;
	}
	if (!path_is_absolute(s->source))
		return err_rootfs_relative(e, s->source);
	r = split(s->source, &file, &part, e);
	if (r < 0)
		return r;
	if (stat(file, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? err_rootfs_missing(e, file) :
							      err_set(e, errno, NULL, "cannot stat %s", file);
	return S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) ? 0 : err_set(e, EINVAL, NULL, "%s is not an image", file);
}

/* Connected devices have a pid, and a size. */
static bool is_free(unsigned n)
{
	char path[64], size[32];

	(void)snprintf(path, sizeof(path), "/sys/block/nbd%u/pid", n);
	if (access(path, F_OK) == 0)
		return false;
	(void)snprintf(path, sizeof(path), "/sys/block/nbd%u/size", n);
	return io_read_line(AT_FDCWD, path, size, sizeof(size)) >= 0 && STREQ(size, "0");
}

static int connect_image(struct storage *s, const char *file, char **ret_dev, struct err **e)
{
	struct err *mine = NULL;
	int r = err_nbd_busy(&mine);

	for (unsigned n = 0; n < DEVICES_MAX; n++) {
		auto_free char *dev = NULL;

		if (!is_free(n))
			continue;
		if (asprintf(&dev, "/dev/nbd%u", n) < 0) {
			dev = NULL;
			err_free(mine);
			return err_no_memory(e);
		}
		err_free(take_ptr(mine));
		r = storage_run(&mine, "qemu-nbd", "-c", dev, file, NULL);
		if (r == 0) {
			*ret_dev = take_ptr(dev);
			return 0;
		}
		/* Somebody else may have been faster: then it is not free any more. */
		if (is_free(n))
			break;
	}
	err_move(e, mine);
	return r;
}

/* The kernel reads the partitions when the device is opened; their nodes come when it has. */
static int wait_for(const char *dev, struct err **e)
{
	auto_close int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), poke = -EBADF;
	struct timespec begin, now;
	long left = PARTITION_MS;
	struct stat st;

	if (watch < 0 || inotify_add_watch(watch, "/dev", IN_CREATE) < 0)
		return err_set(e, errno, NULL, "cannot watch /dev");
	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	while (stat(dev, &st) < 0 && left > 0) {
		struct pollfd p = { .fd = watch, .events = POLLIN };
		char drop[4096];

		(void)poll(&p, 1, (int)left);
		(void)!read(watch, drop, sizeof(drop));
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		left = PARTITION_MS - ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000);
	}
	return stat(dev, &st) == 0 ? 0 : -ENXIO;
}

static void disconnect(const char *dev)
{
	(void)storage_run(NULL, "qemu-nbd", "-d", dev, NULL);
}

static int attach(struct storage *s, struct err **e)
{
	auto_free char *file = NULL, *dev = NULL, *partition = NULL;
	unsigned part;
	int r = split(s->source, &file, &part, e);

	if (r == 0)
		r = connect_image(s, file, &dev, e);
	if (r < 0)
		return r;
	if (asprintf(&partition, part ? "%sp%u" : "%s", dev, part) < 0) {
		partition = NULL;
		r = err_no_memory(e);
	}
	if (r == 0 && part && wait_for(partition, e) < 0)
		r = err_nbd_partition_missing(e, dev, part, file);
	if (r < 0) {
		disconnect(dev);
		return r;
	}
	s->device = take_ptr(partition);
	s->work = take_ptr(dev);
	s->attached = true;
	return 0;
}

static void detach(struct storage *s)
{
	if (s->work)
		disconnect(s->work);
	free(take_ptr(s->work));
	free(take_ptr(s->device));
	free(take_ptr(s->fstype));
}

/* Nothing that is there was made here. */
static int destroy(const char *source, const char *dir, int dirfd, struct log *l, struct err **e)
{
	log_warn(l, "%s is kept: images of virtual machines are not made here, and not removed", source);
	return 0;
}

const struct storage_driver storage_nbd = {
	.name = "nbd",
	.on_host = true,
	.block = true,
	.resolve = resolve,
	.attach = attach,
	.detach = detach,
	.mount = block_mount,
	.destroy = destroy,
	.usage = block_usage,
};

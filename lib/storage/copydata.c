/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* copydata - the content of one file: shared with the source where the file system can (reflink), else
 * copied inside the kernel, else through a buffer. Only what is data is copied: holes stay holes. */
#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/io.h"
#include "storage/copytree.h"

#define CHUNK ((uint64_t)16 << 20)
#define TICK_NS UINT64_C(250000000)

int copy_tick(struct copy *c)
{
	const struct storage_progress *p = c->progress;
	struct timespec ts;
	uint64_t now;

	if (!p)
		return 0;
	if (p->cancelled && p->cancelled(p->arg))
		return -ECANCELED;
	if (!p->tick)
		return 0;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
	if (now - c->ticked_ns < TICK_NS)
		return 0;
	c->ticked_ns = now;
	p->tick(p->arg, c->bytes, c->files);
	return 0;
}

/* 0: done; 1: this file cannot share; -errno. */
static int reflink(struct copy *c, int from, int to)
{
	if (c->no_reflink)
		return 1;
	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	switch (errno) {
	case ENOTTY:
	case EOPNOTSUPP:
	case EXDEV:
	case ENOSYS:
		c->no_reflink = true;
		return 1;
	case EINVAL: /* one has checksums and the other none, or the like */
	case EPERM:
	case ETXTBSY:
		return 1;
	default:
		return -errno;
	}
}

/* Bytes copied, 0 at the end of the file. */
static ssize_t through_buffer(struct copy *c, int from, int to, uint64_t at, uint64_t n)
{
	ssize_t got, put = 0;

	if (!c->buffer) {
		c->buffer = malloc(COPY_BUFFER);
		if (!c->buffer)
			return -ENOMEM;
	}
	do {
		got = pread(from, c->buffer, MIN(n, COPY_BUFFER), (off_t)at);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	while (put < got) {
		ssize_t r = pwrite(to, c->buffer + put, (size_t)(got - put), (off_t)at + put);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		put += r;
	}
	return got;
}

static ssize_t some(struct copy *c, int from, int to, uint64_t at, uint64_t n)
{
	loff_t in = (loff_t)at, out = (loff_t)at;
	ssize_t r;

	if (c->no_range)
		return through_buffer(c, from, to, at, n);
	do {
		r = copy_file_range(from, &in, to, &out, n, 0);
	} while (r < 0 && errno == EINTR);
	if (r > 0)
		return r;
	/* 0 also comes from kernel files that have no size, and some file systems refuse single files. */
	if (r < 0 && (errno == EXDEV || errno == ENOSYS || errno == EOPNOTSUPP))
		c->no_range = true;
	if (r == 0 || c->no_range || errno == EINVAL || errno == EPERM)
		return through_buffer(c, from, to, at, n);
	return -errno;
}

static int copy_range(struct copy *c, int from, int to, uint64_t at, uint64_t end)
{
	while (at < end) {
		ssize_t n = some(c, from, to, at, MIN(CHUNK, end - at));
		int r;

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		at += (uint64_t)n;
		c->bytes += (uint64_t)n;
		r = at < end ? copy_tick(c) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int copy_sparse(struct copy *c, int from, int to, uint64_t size)
{
	uint64_t at = 0;

	while (at < size) {
		off_t data = lseek(from, (off_t)at, SEEK_DATA), hole;
		int r;

		if (data < 0 && errno == ENXIO)
			break;
		if (data < 0)
			return copy_range(c, from, to, at, size);
		hole = lseek(from, data, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		r = copy_range(c, from, to, (uint64_t)data, MIN((uint64_t)hole, size));
		if (r < 0)
			return r;
		at = (uint64_t)hole;
	}
	return ftruncate(to, (off_t)size) < 0 ? -errno : 0;
}

int copy_data(struct copy *c, int from, int to, const struct stat *st)
{
	uint64_t size = (uint64_t)st->st_size;
	int r;

	if (size == 0)
		return 0;
	r = reflink(c, from, to);
	if (r < 0)
		return r;
	if (r == 0) {
		c->bytes += size;
		return 0;
	}
	if ((uint64_t)st->st_blocks * 512 < size)
		return copy_sparse(c, from, to, size);
	return copy_range(c, from, to, 0, size);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* cleanup - resources that release themselves at the end of their scope, and the two ways to give
 * one away (take_ptr, take_fd). The only place where the cleanup attribute is written. */
#pragma once
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Defines the cleanup function for a type whose destructor is f(T *); NULL is never passed. */
#define DEFINE_AUTO(T, f)                          \
	static inline void auto_##f(T *p)          \
	{                                          \
		if (*p)                            \
			(f)(*p);                   \
	}
#define auto_with(f) __attribute__((cleanup(auto_##f)))

static inline void auto_free_fn(void *p)
{
	void *v;

	__builtin_memcpy(&v, p, sizeof(v));
	free(v);
}

/* Closes fd unless it is negative; keeps errno. */
static inline void fd_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		(void)close(fd);
	errno = saved;
}

static inline void auto_close_fn(int *fd)
{
	fd_close(*fd);
}

static inline void auto_dir_fn(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

static inline void auto_file_fn(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

#define auto_free __attribute__((cleanup(auto_free_fn)))
#define auto_close __attribute__((cleanup(auto_close_fn)))
#define auto_closedir __attribute__((cleanup(auto_dir_fn)))
#define auto_fclose __attribute__((cleanup(auto_file_fn)))

#define take_ptr(p)                                \
	__extension__({                            \
		__typeof__(p) taken_ = (p);        \
		(p) = NULL;                        \
		taken_;                            \
	})

static inline int take_fd(int *fd)
{
	int r = *fd;

	*fd = -EBADF;
	return r;
}

/* Replaces *fd with new_fd, closing the old one. */
static inline void fd_replace(int *fd, int new_fd)
{
	fd_close(*fd);
	*fd = new_fd;
}

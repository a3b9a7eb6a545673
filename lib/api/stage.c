/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dir.h"
#include "lifecycle/partial.h"
#include "storage/storage.h"

#define CONFIG "config"

void stage_done(struct stage *s)
{
	fd_close(take_fd(&s->parent));
	fd_close(take_fd(&s->dir));
	fd_close(take_fd(&s->marker));
}

/* Nobody else may exchange what is being made there. */
static int check_parent(struct call *k, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(&k->e, errno, NULL, "cannot stat %s", k->lxcpath);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX)))
		return err_path_foreign(&k->e, k->lxcpath, st.st_uid);
	return 0;
}

int stage_open_parent(struct call *k, struct stage *s)
{
	s->parent = open(k->lxcpath, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->parent < 0 && errno == ENOENT) {
		int r = dir_make_path(k->lxcpath, &k->e);

		if (r < 0)
			return r;
		s->parent = open(k->lxcpath, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return s->parent < 0 ? err_set(&k->e, errno, NULL, "cannot open %s", k->lxcpath) : check_parent(k, s->parent);
}

static int fill(struct call *k, const struct conf *conf, struct stage *s)
{
	int r = s->marker = partial_begin(s->dir, &k->e);

	if (r >= 0 && s->of_name) {
		r = partial_note_origin(s->marker, s->of_lxcpath, s->of_name, &k->e);
		if (r == -ENOSPC || r == -EDQUOT)
			r = err_no_room(&k->e, -r, k->dir);
	}
	if (r >= 0)
		r = dir_save_config(k, conf, s->dir, CONFIG, false);
	if (r == 0)
		r = dir_give(s->dir, conf, false, &k->e);
	if (r == 0 && fchmod(s->dir, dir_mode()) < 0)
		r = err_set(&k->e, errno, NULL, "cannot set the mode of %s", k->dir);
	return r;
}

/* Runs under the disk lock, so a directory of that other name is a dead one's. */
int stage_make_as(struct call *k, const struct conf *conf, const char *staging, struct stage *s)
{
	int r = storage_rmtree(s->parent, staging, &k->e);

	if (r < 0)
		return r;
	if (mkdirat(s->parent, staging, 0700) < 0)
		return err_set(&k->e, errno, NULL, "cannot make a directory in %s", k->lxcpath);
	s->dir = openat(s->parent, staging, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = s->dir < 0 ? err_set(&k->e, errno, NULL, "cannot open %s/%s", k->lxcpath, staging) : fill(k, conf, s);
	if (r < 0)
		(void)storage_rmtree(s->parent, staging, NULL);
	return r;
}

int stage_make(struct call *k, const struct conf *conf, struct stage *s)
{
	auto_free char *staging = partial_staging(k->name);
	int r;

	if (!staging)
		return err_no_memory(&k->e);
	r = stage_make_as(k, conf, staging, s);
	if (r < 0)
		return r;
	if (renameat2(s->parent, staging, s->parent, k->name, RENAME_NOREPLACE) < 0) {
		r = err_set(&k->e, errno, NULL, "cannot make %s", k->dir);
		(void)storage_rmtree(s->parent, staging, NULL);
		return r;
	}
	return 0;
}

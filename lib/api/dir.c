/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/str.h"
#include "config/writer.h"
#include "kernel/idmap.h"
#include "kernel/openat.h"
#include "kernel/proc.h"

#define DIR_FLAGS (O_DIRECTORY | O_CLOEXEC)

static int make_parents(const char *path)
{
	auto_free char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *p = strchr(copy + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return 0;
}

int dir_make_path(const char *path, struct err **e)
{
	int r = make_parents(path);

	if (r == 0 && mkdir(path, 0755) < 0 && errno != EEXIST)
		r = -errno;
	return r < 0 ? err_set(e, -r, NULL, "cannot make %s", path) : 0;
}

int dir_give(int fd, const struct conf *conf, bool group, struct err **e)
{
	struct idmap m;
	uint32_t uid, gid;

	/* An ordinary user's directory stays his: what is below it reaches the container by descriptors. */
	if (!conf || !conf_is_mapped(conf) || geteuid() != 0)
		return 0;
	if (conf_idmap(conf, &m) < 0)
		return err_no_memory(e);
	uid = idmap_to_host(&m, false, 0);
	gid = idmap_to_host(&m, true, 0);
	idmap_done(&m);
	if (uid == UINT32_MAX)
		return 0;
	if (fchownat(fd, "", uid, group && gid != UINT32_MAX ? gid : (gid_t)-1, AT_EMPTY_PATH) < 0)
		return err_wrap_at(e, err_set(e, errno, NULL, "cannot give the directory to uid %u", uid),
				   conf->idmap.v[0].at, "applying lxc.idmap");
	return 0;
}

int dir_open(struct call *k, const struct conf *conf, bool make, bool *ret_made)
{
	auto_close int fd = open(k->dir, O_RDONLY | DIR_FLAGS);
	int r;

	if (fd >= 0 || errno != ENOENT || !make)
		return fd >= 0 ? take_fd(&fd) : err_set(&k->e, errno, NULL, "cannot open %s", k->dir);
	r = make_parents(k->dir);
	if (r < 0)
		return err_set(&k->e, -r, NULL, "cannot make %s", k->lxcpath);
	if (mkdir(k->dir, 0700) < 0)
		return err_set(&k->e, errno, NULL, "cannot make %s", k->dir);
	fd = open(k->dir, O_RDONLY | O_NOFOLLOW | DIR_FLAGS);
	r = fd < 0 ? err_set(&k->e, errno, NULL, "cannot open %s", k->dir) : 0;
	if (r == 0)
		r = dir_give(fd, conf, false, &k->e);
	/* Last, so that nobody enters before it has its owner. */
	if (r == 0 && fchmod(fd, dir_mode()) < 0)
		r = err_set(&k->e, errno, NULL, "cannot set the mode of %s", k->dir);
	if (r < 0) {
		(void)rmdir(k->dir);
		return r;
	}
	if (ret_made)
		*ret_made = true;
	return take_fd(&fd);
}

mode_t dir_mode(void)
{
	return geteuid() == 0 ? 0770 : 0700;
}

mode_t dir_config_mode(void)
{
	char text[32];
	unsigned mask;

	if (proc_status_field(getpid(), "Umask", text, sizeof(text)) < 0 ||
	    num_uint(str_trim(text), 8, &mask) < 0)
		mask = 022;
	return 0660 & ~(mode_t)mask;
}

int dir_save_config(struct call *k, const struct conf *conf, int dirfd, const char *name, bool durable)
{
	struct stat old;
	bool had = fstatat(dirfd, name, &old, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(old.st_mode);
	int r = conf_save(conf, dirfd, name, had ? old.st_mode & 07777 : dir_config_mode(), durable, &k->e);

	if (r < 0) {
		auto_free char *at = fd_path(dirfd);

		return err_wrap(&k->e, r, "saving the configuration in %s", at ? at : k->dir);
	}
	if (had && (old.st_uid != geteuid() || old.st_gid != getegid()) &&
	    fchownat(dirfd, name, old.st_uid, old.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		log_warn(&k->log, "%s/%s changed its owner when it was saved", k->dir, name);
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* copytree - copying a tree whose content somebody else chose, and may be changing meanwhile. As in
 * rmtree everything is opened by name from the fd of its directory, never through a symlink and never
 * onto another mount. Depth is bounded by memory alone: of a deep path only the last directories are
 * kept open, the others are found again through "..", and recognised. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/num.h"
#include "kernel/host.h"
#include "kernel/openat.h"
#include "kernel/proc.h"
#include "storage/copytree.h"

#define OPEN_LEVELS 64
#define NAMES_MAX ((size_t)1 << 30)	/* of one directory */
#define PATH_PIECE 3072			/* of a path that may be longer than the kernel takes at once */

struct entry {
	uint64_t ino;
	size_t name;			/* offset in the names */
	unsigned char type;
};

struct level {
	int from, to;			/* closed again when deep below */
	struct stat st;			/* of the source */
	dev_t to_dev;
	ino_t to_ino;
	struct buf names;
	VEC(struct entry);
	size_t next;
	size_t path_len;		/* of the path of this directory */
	bool old;			/* `to` holds what an interrupted copy has left */
};

struct link {
	dev_t dev;
	ino_t ino;
	char *path;			/* of the first copy, from the top; NULL: a free place */
};

struct walk {
	struct copy c;
	int to_top;
	const char *from_name, *to_name;	/* NULL: as the kernel names them */
	bool no_devices;
	struct level *v;
	size_t n, room;
	struct buf path;		/* of the entry at hand, "a/b/c" */
	struct link *links;		/* open addressing; size is a power of two */
	size_t n_links, links_room;
	struct err **e;
};

static void level_done(struct level *l)
{
	fd_close(l->from);
	fd_close(l->to);
	buf_done(&l->names);
	VEC_DONE(l);
}

static void walk_done(struct walk *w)
{
	while (w->n)
		level_done(&w->v[--w->n]);
	free(w->v);
	for (size_t i = 0; i < w->links_room; i++)
		free(w->links[i].path);
	free(w->links);
	free(w->c.buffer);
	buf_done(&w->path);
}
#define auto_walk __attribute__((cleanup(walk_done)))

/* The directory at hand, for messages (new). */
static char *place(const struct walk *w)
{
	const struct level *l = &w->v[w->n - 1];
	char *s;

	if (!w->from_name)
		return fd_path(l->from);
	return asprintf(&s, "%s%s%.*s", w->from_name, l->path_len ? "/" : "", (int)l->path_len,
			l->path_len ? w->path.p : "") < 0 ? NULL : s;
}

static int fail(struct walk *w, int r, const char *name)
{
	auto_free char *dir = place(w), *to = w->to_name ? strdup(w->to_name) : fd_path(w->to_top);

	if (r == -ECANCELED)
		return err_copy_cancelled(w->e);
	if (r == -ENOMEM)
		return err_no_memory(w->e);
	if (r == -ENOSPC || r == -EDQUOT)
		return err_no_room(w->e, -r, to ? to : "the copy");
	if (r == -EOVERFLOW)
		return err_copy_id_unmapped(w->e, w->c.unmapped, dir ? dir : "", *name ? "/" : "", name);
	return err_set(w->e, -r, NULL, "cannot copy %s%s%s", dir ? dir : "", *name ? "/" : "", name);
}

/* ---- hard links: where the first copy of an inode is */

static size_t slot_of(const struct walk *w, dev_t dev, ino_t ino)
{
	size_t mask = w->links_room - 1;
	size_t i = (size_t)((ino ^ dev << 20) * UINT64_C(0x9e3779b97f4a7c15) >> 20) & mask;

	while (w->links[i].path && (w->links[i].dev != dev || w->links[i].ino != ino))
		i = (i + 1) & mask;
	return i;
}

static int more_links(struct walk *w)
{
	struct link *old = w->links;
	size_t n = w->links_room;

	if (w->n_links * 2 < n)
		return 0;
	w->links = calloc(n ? n * 2 : 1024, sizeof(*w->links));
	if (!w->links) {
		w->links = old;
		return -ENOMEM;
	}
	w->links_room = n ? n * 2 : 1024;
	for (size_t i = 0; i < n; i++)
		if (old[i].path)
			w->links[slot_of(w, old[i].dev, old[i].ino)] = old[i];
	free(old);
	return 0;
}

/* A directory of the copy, by a path of any length. */
static int open_in_copy(struct walk *w, const char *path, size_t len)
{
	auto_close int at = -EBADF;

	while (len) {
		size_t n = MIN(len, (size_t)PATH_PIECE);
		char piece[PATH_PIECE + 1];
		int fd;

		while (n < len && path[n] != '/')
			n--;
		memcpy(piece, path, n);
		piece[n] = '\0';
		fd = open_no_symlinks(at < 0 ? w->to_top : at, piece, O_PATH | O_DIRECTORY, 0);
		if (fd < 0)
			return fd;
		fd_replace(&at, fd);
		path += MIN(n + 1, len);
		len -= MIN(n + 1, len);
	}
	return take_fd(&at);
}

/* 1: linked to the copy that there is; 0: this is the first. */
static int copy_link(struct walk *w, const char *name, const struct stat *st)
{
	const struct level *l = &w->v[w->n - 1];
	const struct link *first;
	const char *base;
	auto_close int dir = -EBADF;
	int fd = w->to_top;

	if (!w->links_room)
		return 0;
	first = &w->links[slot_of(w, st->st_dev, st->st_ino)];
	if (!first->path)
		return 0;
	base = strrchr(first->path, '/');
	if (base) {
		dir = open_in_copy(w, first->path, (size_t)(base - first->path));
		if (dir < 0)
			return dir;
		fd = dir;
	}
	if (linkat(fd, base ? base + 1 : first->path, l->to, name, 0) == 0)
		return 1;
	/* As many links as the file system takes: this one is a file of its own. */
	return errno == EMLINK ? 0 : -errno;
}

static int remember_link(struct walk *w, const struct stat *st)
{
	int r = more_links(w);
	struct link *link;

	if (r < 0)
		return r;
	link = &w->links[slot_of(w, st->st_dev, st->st_ino)];
	if (link->path)
		return 0;
	link->path = strdup(buf_str(&w->path));
	if (!link->path)
		return -ENOMEM;
	link->dev = st->st_dev;
	link->ino = st->st_ino;
	w->n_links++;
	return 0;
}

/* ---- opening */

/* Access times of the source stay where that is allowed. -EXDEV: something is mounted there. */
static int open_source(int dir, const char *name, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOATIME,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
	};
	long fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
	struct statx a, b;

	if (fd < 0 && errno == EPERM) {
		how.flags &= ~(uint64_t)O_NOATIME;
		fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
	}
	if (fd >= 0 || errno != ENOSYS)
		return fd >= 0 ? (int)fd : -errno;
	/* Where openat2 is filtered away. */
	fd = openat(dir, name, (int)(how.flags & ~(uint64_t)O_NOATIME));
	if (fd < 0)
		return -errno;
	if (statx((int)fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &a) < 0 ||
	    statx(dir, "", AT_EMPTY_PATH, STATX_MNT_ID, &b) < 0 || a.stx_mnt_id != b.stx_mnt_id) {
		fd_close((int)fd);
		return -EXDEV;
	}
	return (int)fd;
}

/* ---- single entries */

static int copy_file(struct walk *w, const char *name, int from, const struct stat *st)
{
	const struct level *l = &w->v[w->n - 1];
	mode_t mode = st->st_mode & 0777;
	auto_close int to = -EBADF;
	int r;

	to = openat(l->to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (to < 0)
		return -errno;
	r = copy_data(&w->c, from, to, st);
	if (r == 0)
		r = copy_attributes(&w->c, from, to, st, mode & ~w->c.umask);
	return r;
}

static int copy_symlink(struct walk *w, const char *name, const struct stat *st)
{
	const struct level *l = &w->v[w->n - 1];
	char target[4097];
	ssize_t n = readlinkat(l->from, name, target, sizeof(target) - 1);

	if (n < 0)
		return errno == ENOENT || errno == EINVAL ? 0 : -errno;
	target[n] = '\0';
	if (symlinkat(target, l->to, name) < 0)
		return -errno;
	return copy_attributes_at(&w->c, l->from, l->to, name, st);
}

static int copy_special(struct walk *w, const char *name, const struct stat *st)
{
	const struct level *l = &w->v[w->n - 1];

	if (mknodat(l->to, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev) == 0)
		return copy_attributes_at(&w->c, l->from, l->to, name, st);
	if (errno == EPERM && (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) && !host_in_initial_userns()) {
		auto_free char *dir = place(w);

		return err_copy_device(w->e, dir ? dir : "", name);
	}
	return -errno;
}

/* What an interrupted copy has left under this name. */
static int clear_old(struct walk *w, const char *name)
{
	const struct level *l = &w->v[w->n - 1];

	return l->old ? copy_clear(l->to, name, w->e) : 0;
}

/* What is not opened to be copied, and what turned out to be something else than it was listed as. */
static int copy_by_name(struct walk *w, const char *name)
{
	const struct level *l = &w->v[w->n - 1];
	struct stat st;
	int r = 0;

	if (fstatat(l->from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return -EAGAIN;
	r = clear_old(w, name);
	if (r < 0)
		return r;
	if (w->no_devices && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
		return 0;
	if (st.st_nlink > 1)
		r = copy_link(w, name, &st);
	if (r != 0)
		return MIN(r, 0);
	r = S_ISLNK(st.st_mode) ? copy_symlink(w, name, &st) : copy_special(w, name, &st);
	if (r == 0 && st.st_nlink > 1)
		r = remember_link(w, &st);
	return r;
}

/* What is mounted on a place is not copied; the place is. */
static int copy_covered(struct walk *w, const char *name)
{
	const struct level *l = &w->v[w->n - 1];
	struct stat st;
	int r = clear_old(w, name);

	if (r < 0)
		return r;
	if (fstatat(l->from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISDIR(st.st_mode))
		return mkdirat(l->to, name, 0755) < 0 ? -errno : 0;
	return mknodat(l->to, name, S_IFREG | 0644, 0) < 0 ? -errno : 0;
}

/* ---- directories */

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->ino > y->ino) - (x->ino < y->ino);
}

/* All names at once, in the order of the inodes: on a disk that is the order of the data. */
static int read_names(struct level *l)
{
	_Alignas(struct dirent64) char block[32768];
	size_t room = 0;
	ssize_t n;

	while ((n = getdents64(l->from, block, sizeof(block))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *ent = (const struct dirent64 *)(const void *)(block + at);
			struct entry entry = { .ino = ent->d_ino, .name = l->names.len, .type = ent->d_type };

			at += ent->d_reclen;
			if (STREQ(ent->d_name, ".") || STREQ(ent->d_name, ".."))
				continue;
			buf_add(&l->names, ent->d_name, strlen(ent->d_name) + 1);
			if (l->n == room) {
				struct entry *v = reallocarray(l->v, room ? room * 2 : 32, sizeof(*v));

				if (!v)
					return -ENOMEM;
				l->v = v;
				room = room ? room * 2 : 32;
			}
			l->v[l->n++] = entry;
		}
	}
	if (n < 0)
		return -errno;
	if (!buf_ok(&l->names))
		return -ENOMEM;
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), compare_entries);
	return 0;
}

/* Takes both descriptors. */
static int push(struct walk *w, int from, int to, bool old)
{
	struct level l = { .from = from, .to = to, .names = BUF_INIT(NAMES_MAX), .path_len = w->path.len, .old = old };
	struct stat st;
	int r = 0;

	if (w->n == w->room) {
		struct level *v = reallocarray(w->v, w->room ? w->room * 2 : 16, sizeof(*v));

		if (!v)
			r = -ENOMEM;
		w->v = v ? v : w->v;
		w->room = v ? (w->room ? w->room * 2 : 16) : w->room;
	}
	if (r == 0 && (fstat(from, &l.st) < 0 || fstat(to, &st) < 0))
		r = -errno;
	if (r == 0)
		r = read_names(&l);
	if (r == 0 && old)
		r = copy_sweep(from, to, w->e);
	if (r < 0) {
		level_done(&l);
		return r;
	}
	l.to_dev = st.st_dev;
	l.to_ino = st.st_ino;
	if (w->n > OPEN_LEVELS) {
		struct level *far = &w->v[w->n - OPEN_LEVELS];

		fd_replace(&far->from, -EBADF);
		fd_replace(&far->to, -EBADF);
	}
	w->v[w->n++] = l;
	return 0;
}

static int open_parent(int fd, dev_t dev, ino_t ino)
{
	auto_close int up = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (up < 0)
		return -errno;
	if (fstat(up, &st) < 0)
		return -errno;
	/* It was moved while it was copied. */
	return st.st_dev == dev && st.st_ino == ino ? take_fd(&up) : -ESTALE;
}

/* The directory is complete: now it gets what writing into it would have changed. */
static int pop(struct walk *w)
{
	struct level *l = &w->v[w->n - 1], *up = w->n > 1 ? l - 1 : NULL;
	int r = 0;

	if (up && up->from < 0) {
		up->from = open_parent(l->from, up->st.st_dev, up->st.st_ino);
		up->to = open_parent(l->to, up->to_dev, up->to_ino);
		r = MIN(MIN(up->from, up->to), 0);
	}
	if (r == 0)
		r = copy_attributes(&w->c, l->from, l->to, &l->st, (mode_t)-1);
	if (r < 0)
		return r;
	w->n--;
	level_done(l);
	return 0;
}

/* Nobody looks in before it is complete, and nothing is inherited from where it was made. */
static int prepare_directory(int fd)
{
	if (fchmod(fd, 0700) < 0)
		return -errno;
	(void)fremovexattr(fd, "system.posix_acl_default");
	(void)fremovexattr(fd, "system.posix_acl_access");
	return 0;
}

/* A directory that is there already stays. */
static int open_old(struct walk *w, const char *name)
{
	const struct level *l = &w->v[w->n - 1];
	auto_close int fd = -EBADF;
	int r;

	if (!l->old)
		return -ENOENT;
	fd = openat(l->to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = fd < 0 ? -errno : prepare_directory(fd);
	if (fd >= 0 && r == 0)
		return take_fd(&fd);
	if (r == -ENOENT)
		return r;
	r = clear_old(w, name);
	return r < 0 ? r : -ENOENT;
}

static int copy_directory(struct walk *w, const char *name, int fd)
{
	const struct level *l = &w->v[w->n - 1];
	auto_close int from = fd, to = open_old(w, name);

	if (to >= 0)
		return push(w, take_fd(&from), take_fd(&to), true);
	if (to != -ENOENT)
		return to;
	if (mkdirat(l->to, name, 0700) < 0)
		return -errno;
	to = openat(l->to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return -errno;
	return push(w, take_fd(&from), take_fd(&to), false);
}

/* 1: it is whole already. */
static int keep_old(struct walk *w, const char *name, const struct stat *st)
{
	const struct level *l = &w->v[w->n - 1];

	if (!l->old)
		return 0;
	if (!copy_is_whole(&w->c, l->to, name, st))
		return clear_old(w, name);
	w->c.bytes += (uint64_t)st->st_size;
	return 1;
}

static bool has_copy(const struct walk *w, const struct stat *st)
{
	return w->links_room && w->links[slot_of(w, st->st_dev, st->st_ino)].path;
}

static int copy_opened(struct walk *w, const char *name, int fd, const struct stat *st)
{
	int r = 0;

	if (st->st_nlink > 1 && has_copy(w, st)) {
		r = clear_old(w, name);
		r = r < 0 ? r : copy_link(w, name, st);
	}
	if (r != 0)
		return MIN(r, 0);
	r = keep_old(w, name, st);
	if (r < 0)
		return r;
	r = r == 1 ? 0 : copy_file(w, name, fd, st);
	if (r == 0 && st->st_nlink > 1)
		r = remember_link(w, st);
	return r;
}

static int copy_entry(struct walk *w, const char *name, unsigned char type)
{
	const struct level *l = &w->v[w->n - 1];
	auto_close int fd = -EBADF;
	struct stat st;
	int r = -EAGAIN;

	if (type != DT_REG && type != DT_DIR)
		r = copy_by_name(w, name);
	if (r != -EAGAIN)
		return r;
	fd = open_source(l->from, name, 0);
	if (fd == -EXDEV)
		return copy_covered(w, name);
	if (fd == -ENOENT)
		return 0;
	if (fd == -ELOOP || fd == -ENXIO)
		return copy_by_name(w, name);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		return copy_opened(w, name, fd, &st);
	if (S_ISDIR(st.st_mode))
		return copy_directory(w, name, take_fd(&fd));
	return copy_by_name(w, name);
}

static int next_path(struct walk *w, size_t dir_len, const char *name)
{
	w->path.len = dir_len;
	if (dir_len)
		buf_addc(&w->path, '/');
	buf_adds(&w->path, name);
	return buf_ok(&w->path) ? 0 : -ENOMEM;
}

static int walk_tree(struct walk *w)
{
	while (w->n) {
		struct level *l = &w->v[w->n - 1];
		const struct entry *entry;
		const char *name;
		int r;

		if (l->next == l->n) {
			r = pop(w);
			if (r < 0)
				return fail(w, r, "");
			continue;
		}
		entry = &l->v[l->next++];
		name = l->names.p + entry->name;
		r = next_path(w, l->path_len, name);
		if (r == 0)
			r = copy_tick(&w->c);
		if (r == 0)
			r = copy_entry(w, name, entry->type);
		if (r < 0)
			/* A pushed directory has moved the levels: the names stay where they are. */
			return w->e && *w->e ? r : fail(w, r, name);
		w->c.files++;
	}
	return 0;
}

/* New files get the mode that is asked for but for these bits; all, where that cannot be told. */
static mode_t own_umask(void)
{
	char text[16];
	uint64_t v;

	if (proc_status_field(getpid(), "Umask", text, sizeof(text)) < 0 || num_u64(text, 8, 0777, &v) < 0)
		return 07777;
	return (mode_t)v;
}

int storage_copytree_mapped(int from_fd, int to_fd, const struct storage_mapping *how, const struct storage_progress *p,
			    struct err **e)
{
	struct err *mine = NULL;
	auto_walk struct walk w = {
		.c = { .from = how->from, .to = how->to, .progress = p, .uid = geteuid(), .gid = getegid(),
		       .umask = own_umask() },
		.to_top = to_fd,
		.no_devices = how->no_devices,
		.from_name = how->from_name,
		.to_name = how->to_name,
		.path = BUF_INIT(NAMES_MAX),
		.e = &mine,
	};
	int from = open_source(from_fd, ".", O_DIRECTORY), to = openat(to_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	r = from < 0 ? from : to < 0 ? -errno : prepare_directory(to);
	if (r < 0) {
		fd_close(from);
		fd_close(to);
		return err_set(e, -r, NULL, "cannot open the directories to copy");
	}
	r = push(&w, from, to, how->resume);
	if (r < 0 && !mine)
		r = err_set(&mine, -r, NULL, "cannot read the directory to copy");
	r = r < 0 ? r : walk_tree(&w);
	if (r == 0 && p && p->tick)
		p->tick(p->arg, w.c.bytes, w.c.files);
	if (r < 0)
		err_move(e, mine);
	return r;
}

int storage_copytree(int from_fd, int to_fd, const struct storage_progress *p, struct err **e)
{
	return storage_copytree_mapped(from_fd, to_fd, &(struct storage_mapping){ 0 }, p, e);
}

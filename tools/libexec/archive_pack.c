/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* archive_pack - a container into an archive. The roots are mounted out of sight; where the container has
 * an id map they are read by a process inside a user namespace of that map, which sees owners, access
 * control lists and capabilities as the container does. The guest may be changing what is read: names are
 * opened from the descriptor of their directory, never through a link, never onto another mount. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "archive_pack.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/paths.h"
#include "base/str.h"
#include "config/reader.h"
#include "config/rewrite.h"
#include "config/writer.h"
#include "kernel/openat.h"
#include "lifecycle/partial.h"

#define PATH_MAX_BYTES ((size_t)1 << 20)

static void pack_done(struct pack *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].prefix);
		fd_close(p->v[i].fd);
		fd_close(p->v[i].use);
		storage_free(p->v[i].storage);
		conf_free(p->v[i].conf);
	}
	VEC_DONE(p);
	for (size_t i = 0; i < p->n_pieces; i++) {
		free(p->pieces[i].name);
		free(p->pieces[i].text);
	}
	free(p->pieces);
	idmap_done(&p->map);
	tdestroy(p->links, pack_free_link);
	free(p->dir);
	fd_close(p->dirfd);
	strv_done(&p->files);
	buf_done(&p->path);
	free(p->buffer);
	free(p->names);
	free(p->value);
}
#define auto_pack __attribute__((cleanup(pack_done)))

/* ---- configurations */

static int collect(struct pack *p, const char *name, unsigned mode, const char *text, size_t n, struct err **e)
{
	struct piece *v = reallocarray(p->pieces, p->n_pieces + 1, sizeof(*v));

	if (!v)
		return err_no_memory(e);
	p->pieces = v;
	v[p->n_pieces] = (struct piece){ .name = strdup(name), .text = malloc(n + 1), .n = n, .mode = mode };
	if (!v[p->n_pieces].name || !v[p->n_pieces].text) {
		free(v[p->n_pieces].name);
		free(v[p->n_pieces].text);
		return err_no_memory(e);
	}
	memcpy(v[p->n_pieces++].text, text, n);
	return 0;
}

static int load(const char *name, const char *path, const char *file, struct log *l, struct conf **ret, struct err **e)
{
	auto_conf struct conf *conf = conf_new();
	int r = !conf || str_set(&conf->name, name) < 0 || str_set(&conf->lxcpath, path) < 0 ? err_no_memory(e) : 0;

	if (r == 0)
		r = conf_load(conf, file, l, e);
	if (r == 0)
		*ret = take_ptr(conf);
	return r;
}

/* Places of this host become marks; files that are named in the container's directory come along. */
static int neutral(const char *key, const char *value, char **ret, void *arg, struct err **e)
{
	struct pack *p = arg;
	const char *rest = str_after(value, p->dir);
	auto_free char *first = NULL, *name = NULL;
	int r;

	if (rest && *rest == '/') {
		name = strndup(rest + 1, strcspn(rest + 1, " \t"));
		if (!name)
			return err_no_memory(e);
		if (*name && !strchr(name, '/') && !strv_has(&p->files, name) && strv_add(&p->files, name) < 0)
			return err_no_memory(e);
	}
	r = path_retarget(value, p->dir, ARCHIVE_HERE, &first, e);
	if (r == 0)
		r = path_retarget(first ? first : value, PATH_TEMPLATE_CONFIG, ARCHIVE_SHARED, ret, e);
	if (r == 0 && !*ret)
		*ret = take_ptr(first);
	return r;
}

static int add_config(struct pack *p, const char *entry, const char *name, const char *path, const char *file,
		      struct err **e)
{
	auto_buf struct buf text = BUF_INIT(ARCHIVE_SMALL_MAX);
	auto_conf struct conf *conf = NULL;
	int r = load(name, path, file, p->l, &conf, e);

	if (r == 0)
		r = conf_clear_item(conf, "lxc.rootfs.path", p->l, e);
	if (r == 0)
		r = conf_rewrite(conf, neutral, p, e);
	if (r == 0)
		r = conf_text(conf, &text) < 0 || !buf_ok(&text) ? err_no_memory(e) : 0;
	return r < 0 ? r : collect(p, entry, 0644, buf_str(&text), text.len, e);
}

static int add_manifest(struct pack *p, struct err **e)
{
	auto_buf struct buf b = BUF_INIT(ARCHIVE_SMALL_MAX);

	buf_addf(&b, ARCHIVE_MAGIC "%d\nname = %s\n", ARCHIVE_FORMAT, p->how->name);
	if (!buf_ok(&b))
		return err_no_memory(e);
	return collect(p, ARCHIVE_MANIFEST, 0644, b.p, b.len, e);
}

/* A small file of the container's directory, if it is there. */
static int add_file(struct pack *p, const char *file, const char *entry, struct err **e)
{
	auto_close int fd = open_no_symlinks(p->dirfd, file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	auto_free char *text = NULL;
	struct stat st;
	size_t n;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	r = io_read_fd(fd, ARCHIVE_SMALL_MAX, &text, &n);
	if (r < 0)
		return err_set(e, -r, NULL, "cannot read %s/%s", p->dir, file);
	return collect(p, entry, st.st_mode & 0777, text, n, e);
}

static int add_files(struct pack *p, struct err **e)
{
	int r = 0;

	for (size_t i = 0; i < p->files.n && r == 0; i++) {
		auto_free char *entry = NULL;

		if (asprintf(&entry, ARCHIVE_FILES "%s", p->files.v[i]) < 0)
			return err_no_memory(e);
		r = name_check(p->files.v[i], NULL) < 0 ? 0 : add_file(p, p->files.v[i], entry, e);
	}
	return r;
}

static int add_snapshot_head(struct pack *p, const char *snap, struct err **e)
{
	static const char *const small[] = { "ts", "comment" };
	auto_free char *path = path_join(p->dir, "snaps"), *file = NULL, *entry = NULL;
	int r;

	if (!path || asprintf(&file, "%s/%s/config", path, snap) < 0 ||
	    asprintf(&entry, ARCHIVE_SNAPS "%s/" ARCHIVE_CONFIG, snap) < 0)
		return err_no_memory(e);
	r = add_config(p, entry, snap, path, file, e);
	for (size_t i = 0; i < ARRAY_SIZE(small) && r == 0; i++) {
		auto_free char *name = NULL;

		if (asprintf(&name, ARCHIVE_SNAPS "%s/%s", snap, small[i]) < 0)
			return err_no_memory(e);
		r = add_file(p, name, name, e);
	}
	return r;
}

/* ---- trees */

static int open_source(int dir, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOATIME,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
	};
	long fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));

	if (fd < 0 && errno == EPERM) {
		how.flags &= ~(uint64_t)O_NOATIME;
		fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
	}
	return fd < 0 ? -errno : (int)fd;
}

static int add_tree(struct pack *p, int fd, unsigned depth, struct err **e);

/* Something is mounted there: the place alone belongs to the container. */
static int add_covered(struct pack *p, int dir, const char *name, struct stat *st, struct err **e)
{
	st->st_size = 0;
	st->st_nlink = 1;
	return pack_inode(p, dir, name, -1, st, e);
}

static int add_name(struct pack *p, int dir, const char *name, unsigned depth, struct err **e)
{
	struct stat st;
	int fd;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : pack_fail(p, errno, e);
	/* A socket is nothing without its process. */
	if (S_ISSOCK(st.st_mode))
		return 0;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return pack_inode(p, dir, name, -1, &st, e);
	fd = open_source(dir, name);
	if (fd == -ENOENT)
		return 0;
	if (fd == -EXDEV)
		return add_covered(p, dir, name, &st, e);
	if (fd < 0)
		return pack_fail(p, -fd, e);
	auto_close int own = fd;

	if (fstat(fd, &st) < 0)
		return pack_fail(p, errno, e);
	if (S_ISDIR(st.st_mode))
		return add_tree(p, take_fd(&own), depth + 1, e);
	return S_ISREG(st.st_mode) ? pack_inode(p, dir, name, fd, &st, e) : pack_fail(p, ESTALE, e);
}

/* Takes fd. The directory itself comes last: then nothing that is unpacked into it changes it again. */
static int add_tree(struct pack *p, int fd, unsigned depth, struct err **e)
{
	auto_closedir DIR *d = io_fdopendir(fd);
	size_t len = p->path.len;
	struct stat st;
	int r = 0;

	if (!d)
		return pack_fail(p, errno, e);
	if (depth > ARCHIVE_DEPTH_MAX)
		return pack_fail(p, ENAMETOOLONG, e);
	if (fstat(fd, &st) < 0)
		return pack_fail(p, errno, e);
	for (;;) {
		const struct dirent *ent;

		errno = 0;
		ent = readdir(d);
		if (!ent)
			break;
		if (STREQ(ent->d_name, ".") || STREQ(ent->d_name, ".."))
			continue;
		buf_addc(&p->path, '/');
		buf_adds(&p->path, ent->d_name);
		if (!buf_ok(&p->path))
			return err_no_memory(e);
		r = add_name(p, fd, ent->d_name, depth, e);
		if (r < 0)
			return r;
		p->path.len = len;
		p->path.p[len] = '\0';
	}
	if (errno)
		return pack_fail(p, errno, e);
	return pack_inode(p, fd, ".", fd, &st, e);
}

static int add_root(struct pack *p, const struct root *root, struct err **e)
{
	int fd = open_source(root->fd, ".");

	if (fd < 0)
		return err_set(e, -fd, NULL, "cannot open the %s of %s", root->prefix, p->how->name);
	tdestroy(p->links, pack_free_link);
	p->links = NULL;
	p->path.len = 0;
	buf_adds(&p->path, root->prefix);
	if (!buf_ok(&p->path)) {
		fd_close(fd);
		return err_no_memory(e);
	}
	return add_tree(p, fd, 0, e);
}

/* ---- the whole */

/* The directory of a container or snapshot, shared with starts and copies; whoever takes it away, or puts another in its
 * place, has it alone. -ENOENT without an error when there is none. */
static int hold(const char *dir, const char *name, struct err **e)
{
	auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat a, b;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : err_set(e, errno, NULL, "cannot open %s", dir);
	if (flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return err_container_in_use(e, name);
	/* What the name means may have changed before it was held. */
	if (fstat(fd, &a) < 0 || stat(dir, &b) < 0 || a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return err_container_in_use(e, name);
	return take_fd(&fd);
}

/* Takes use, also on failure. */
static int new_root(struct pack *p, const char *prefix, const char *name, const char *path, const char *file, int use,
		    struct err **e)
{
	auto_close int held = use;
	struct root root = { .fd = -EBADF, .use = -EBADF };
	struct root *v;
	int r = load(name, path, file, p->l, &root.conf, e);

	if (r < 0)
		return r;
	root.prefix = strdup(prefix);
	v = reallocarray(p->v, p->n + 1, sizeof(*v));
	if (!root.prefix || !v) {
		free(root.prefix);
		conf_free(root.conf);
		return err_no_memory(e);
	}
	root.use = take_fd(&held);
	p->v = v;
	p->v[p->n++] = root;
	return 0;
}

static bool same_maps(const struct conf *a, const struct conf *b)
{
	bool same = a->idmap.n == b->idmap.n;

	for (size_t i = 0; i < a->idmap.n && same; i++) {
		const struct conf_idmap *x = &a->idmap.v[i], *y = &b->idmap.v[i];

		same = x->gid == y->gid && x->nsid == y->nsid && x->hostid == y->hostid && x->range == y->range;
	}
	return same;
}

static int new_snapshot(struct pack *p, const char *snap, struct err **e)
{
	auto_free char *path = path_join(p->dir, "snaps"), *dir = path ? path_join(path, snap) : NULL;
	auto_free char *file = dir ? path_join(dir, "config") : NULL, *prefix = NULL;
	auto_close int use = -EBADF;
	int r;

	if (!file || asprintf(&prefix, ARCHIVE_SNAPS "%s/" ARCHIVE_ROOT, snap) < 0)
		return err_no_memory(e);
	if (access(file, F_OK) < 0)
		return 0;
	use = hold(dir, snap, e);
	/* Destroyed meanwhile. */
	if (use == -ENOENT)
		return 0;
	r = use < 0 ? use : partial_check(dir, snap, path, e);
	if (r == 0)
		r = new_root(p, prefix, snap, path, file, take_fd(&use), e);
	if (r == 0 && !same_maps(p->v[0].conf, p->v[p->n - 1].conf))
		r = err_set(e, EINVAL, NULL, "snapshot %s of %s has another id map than the container", snap, p->how->name);
	return r;
}

static int by_version(const struct dirent **a, const struct dirent **b)
{
	return versionsort(a, b);
}

static int find_snapshots(struct pack *p, struct err **e)
{
	auto_free char *path = path_join(p->dir, "snaps");
	struct dirent **list = NULL;
	int n, r = 0;

	if (!path)
		return err_no_memory(e);
	if (!p->how->snapshots)
		return 0;
	n = scandir(path, &list, NULL, by_version);
	if (n < 0)
		return errno == ENOENT ? 0 : err_set(e, errno, NULL, "cannot read %s", path);
	for (int i = 0; i < n; i++) {
		if (r == 0 && name_check(list[i]->d_name, NULL) == 0)
			r = new_snapshot(p, list[i]->d_name, e);
		free(list[i]);
	}
	free(list);
	return r;
}

static int open_roots(struct pack *p, struct err **e)
{
	for (size_t i = 0; i < p->n; i++) {
		struct root *root = &p->v[i];

		if (!root->conf->rootfs_path.v)
			continue;
		root->fd = storage_view(root->conf, p->l, &root->storage, e);
		if (root->fd < 0)
			return err_wrap(e, root->fd, "opening the %s of %s", root->prefix, p->how->name);
	}
	return 0;
}

/* Whoever started us knows whether the container held still all the time. */
static int ask_partner(const struct packing *how, struct err **e)
{
	char c = 'd';

	if (how->partner < 0)
		return 0;
	if (write(how->partner, &c, 1) == 1 && read(how->partner, &c, 1) == 1 && c == 'y')
		return 0;
	return err_set(e, ECANCELED, NULL, "the export of %s was called off", how->name);
}

static int write_all(void *arg, struct err **e)
{
	struct pack *p = arg;
	int r = 0;

	/* Opened where the namespace of its owner is ours. */
	if (!p->v[0].storage && p->v[0].conf->rootfs_path.v)
		r = open_roots(p, e);
	if (r == 0)
		r = sink_open(p->how->fd, p->how->level, &p->sink, e);
	for (size_t i = 0; i < p->n_pieces && r == 0; i++)
		r = sink_add(p->sink, p->pieces[i].name, p->pieces[i].mode, p->pieces[i].text, p->pieces[i].n, e);
	for (size_t i = 0; i < p->n && r == 0; i++)
		if (p->v[i].fd >= 0)
			r = add_root(p, &p->v[i], e);
	if (r == 0)
		r = ask_partner(p->how, e);
	if (r == 0)
		r = sink_close(p->sink, e);
	sink_free(take_ptr(p->sink));
	ticker_end(&p->ticker);
	return r;
}

/* Everything that stands before the trees. */
static int collect_all(struct pack *p, const char *file, struct err **e)
{
	int r = add_manifest(p, e);

	if (r == 0)
		r = add_config(p, ARCHIVE_CONFIG, p->how->name, p->how->lxcpath, file, e);
	for (size_t i = 1; i < p->n && r == 0; i++)
		r = add_snapshot_head(p, p->v[i].conf->name, e);
	return r < 0 ? r : add_files(p, e);
}

static int run(struct pack *p, struct err **e)
{
	const struct conf *conf = p->v[0].conf;
	struct idmap m = { 0 };
	bool root = geteuid() == 0;
	uint32_t uid, gid;
	int r = root ? open_roots(p, e) : 0;

	if (r < 0 || !conf_is_mapped(conf))
		return r < 0 ? r : write_all(p, e);
	if (conf_idmap(conf, &p->map) < 0 || conf_idmap(conf, &m) < 0)
		return err_no_memory(e);
	/* The directories on the way to the root are an ordinary user's own. */
	r = root || idmap_add_self(&m, &uid, &gid) == 0 ? idmap_run(&m, write_all, p, e) : err_no_memory(e);
	idmap_done(&m);
	return r;
}

int pack(const struct packing *how, struct log *l, struct err **e)
{
	struct rlimit files;
	auto_pack struct pack p = { .how = how, .l = l, .dirfd = -EBADF, .path = BUF_INIT(PATH_MAX_BYTES) };
	auto_free char *file = NULL;
	int r;

	/* One for each directory on the way down. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	p.dir = path_join(how->lxcpath, how->name);
	p.buffer = malloc(PACK_BUFFER);
	p.names = malloc(PACK_XATTRS_MAX);
	p.value = malloc(PACK_XATTRS_MAX);
	file = p.dir ? path_join(p.dir, "config") : NULL;
	if (!file || !p.buffer || !p.names || !p.value)
		return err_no_memory(e);
	p.dirfd = hold(p.dir, how->name, e);
	if (p.dirfd < 0)
		return p.dirfd == -ENOENT ? err_container_unknown(e, how->name, how->lxcpath) : p.dirfd;
	r = partial_check(p.dir, how->name, how->lxcpath, e);
	if (r == 0)
		r = new_root(&p, ARCHIVE_ROOT, how->name, how->lxcpath, file, -EBADF, e);
	if (r == 0)
		r = find_snapshots(&p, e);
	if (r == 0)
		r = collect_all(&p, file, e);
	ticker_begin(&p.ticker, "lxc-export");
	return r < 0 ? r : run(&p, e);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* api_create - making a container. A new container directory appears in one step, marked as partial
 * and with its configuration inside, so that a create that is killed leaves something that lists show
 * and destroy removes. A create that fails removes what it made and nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/paths.h"
#include "base/str.h"
#include "config/key.h"
#include "config/reader.h"
#include "config/system.h"
#include "config/writer.h"
#include "dir.h"
#include "first_use.h"
#include "handle.h"
#include "hook.h"
#include "lifecycle/partial.h"
#include "stage.h"
#include "storage/storage.h"
#include "template.h"
#include "vtable.h"

#define CONFIG "config"
#define ROOTFS "rootfs"
#define CONFIG_MAX (16U << 20)

struct creation {
	struct call *k;
	struct conf *conf;	/* owned; what the container is going to have */
	char *template;		/* owned; NULL: none */
	char *const *argv;
	const char *type;
	struct storage_spec spec;
	bool quiet;

	bool preset;		/* lxc.rootfs.path was given: the storage is not ours */
	struct stage at;
	bool made_dir, made_marker, made_rootfs, made_config;
	char *old_config;	/* owned; what was there before, when it was */
	size_t old_len;
};

static void creation_done(struct creation *m)
{
	conf_free(m->conf);
	free(m->template);
	free(m->old_config);
	stage_done(&m->at);
}
#define auto_creation __attribute__((cleanup(creation_done)))

static bool exists(const struct conf *conf)
{
	auto_err struct err *e = NULL;
	struct storage *s = NULL;
	struct stat st;
	bool there;

	if (storage_is_directory(conf))
		return stat(conf->rootfs_path.v, &st) == 0;
	there = storage_resolve(conf, NULL, &s, &e) == 0;
	storage_free(s);
	return there;
}

static int default_conf(struct call *k, struct conf **ret)
{
	auto_free char *def = NULL;
	int r = system_item("lxc.default_config", &def, &k->e);

	if (r < 0)
		return r;
	if (!def)
		return err_set(&k->e, ENOENT, NULL, "lxc.default_config has no value");
	if (geteuid() != 0 && access(def, F_OK) < 0)
		return first_use_conf(k, ret);
	r = call_read_conf(k, def, ret);
	return err_wrap(&k->e, r, "reading the default configuration");
}

/* The configuration to begin with: the handle's, that of a container that is there already, or the
 * default one. */
static int start_conf(struct creation *m)
{
	struct call *k = m->k;
	int r = call_copy_conf(k, &m->conf);

	if (r < 0 || m->conf)
		return r;
	if (call_is_defined(k))
		return call_read_conf(k, k->configfile, &m->conf);
	return default_conf(k, &m->conf);
}

attr_public int lxcext_load_default(struct lxc_container *c)
{
	struct conf *conf = NULL;
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return -EINVAL;
	r = default_conf(&k, &conf);
	if (r == 0) {
		handle_lock(k.h);
		handle_set_conf(k.h, conf);
		handle_unlock(k.h);
	}
	return call_end(&k, r, "cannot load a default configuration for %s", k.name);
}

static int save_conf(struct creation *m)
{
	return dir_save_config(m->k, m->conf, m->at.dir, CONFIG, !m->made_dir);
}

/* Keeps what a failure has to put back. */
static int remember_config(struct creation *m)
{
	struct stat st;

	if (fstatat(m->at.dir, CONFIG, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return io_read_file(m->at.dir, CONFIG, CONFIG_MAX, &m->old_config, &m->old_len, &m->k->e);
}

/* A container directory that did not exist. */
static int make_dir(struct creation *m)
{
	int r = stage_make(m->k, m->conf, &m->at);

	if (r == 0)
		m->made_dir = m->made_marker = m->made_config = true;
	return r;
}

/* A directory that was there: only what is added to it is ours. */
static int use_dir(struct creation *m)
{
	struct call *k = m->k;
	int r = remember_config(m);

	if (r < 0)
		return r;
	m->at.marker = partial_begin(m->at.dir, &k->e);
	if (m->at.marker < 0)
		return m->at.marker;
	m->made_marker = true;
	m->made_config = !m->old_config;
	return save_conf(m);
}

static int take_place(struct creation *m)
{
	struct call *k = m->k;
	auto_lock int lock = call_disk_lock(k);
	int r;

	if (lock < 0)
		return lock;
	r = stage_open_parent(k, &m->at);
	if (r == 0)
		r = partial_check(k->dir, k->name, k->lxcpath, &k->e);
	if (r < 0)
		return r;
	/* Again, now that nobody else can: two creates of one name may have come this far. */
	if (call_is_defined(k) && m->conf->rootfs_path.v && m->template && exists(m->conf))
		return err_container_exists(&k->e, k->name, k->lxcpath);
	m->at.dir = openat(m->at.parent, k->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->at.dir >= 0)
		return use_dir(m);
	if (errno != ENOENT)
		return err_set(&k->e, errno, NULL, "cannot open %s", k->dir);
	return make_dir(m);
}

static int make_storage(struct creation *m)
{
	struct call *k = m->k;
	auto_free char *path = NULL;
	struct stat st;
	bool had;
	int before, r;

	if (m->preset)
		return 0;
	had = fstatat(m->at.dir, ROOTFS, &st, AT_SYMLINK_NOFOLLOW) == 0;
	before = storage_hold(m->at.marker);
	r = storage_create(m->type, &m->spec, k->dir, m->conf, &path, &k->e);
	(void)storage_hold(before);
	m->made_rootfs = !had;
	if (r < 0)
		return err_wrap(&k->e, r, "making the root file system");
	r = conf_set_item(m->conf, "lxc.rootfs.path", path, &k->log, &k->e);
	return r < 0 ? r : save_conf(m);
}

/* The file as the template left it. */
static int reload(struct creation *m)
{
	struct conf *conf = NULL;
	int r = call_read_conf(m->k, m->k->configfile, &conf);

	if (r < 0)
		return err_wrap(&m->k->e, r, "reading the configuration that the template wrote");
	conf_free(m->conf);
	m->conf = conf;
	return 0;
}

static void add_header(struct buf *b, const struct creation *m)
{
	buf_addf(b, "# Made by template %s\n", m->template);
	if (m->argv && m->argv[0]) {
		buf_adds(b, "# with the arguments:");
		for (size_t i = 0; m->argv[i]; i++)
			buf_addf(b, " %s", m->argv[i]);
		buf_addc(b, '\n');
	}
	buf_adds(b, "# lxc.container.conf(5) explains every key.\n\n");
	buf_adds(b, "# Containers inside this one need the next line. It also takes away some of the\n"
		    "# confinement between this container and the host.\n");
	buf_addf(b, "#lxc.include = %s/nesting.conf\n\n", PATH_TEMPLATE_CONFIG);
}

static int prepend_header(struct creation *m)
{
	auto_buf struct buf b = BUF_INIT(2 * CONFIG_MAX);
	auto_free char *text = NULL;
	struct call *k = m->k;
	struct stat st;
	size_t len = 0;
	int r;

	if (fstatat(m->at.dir, CONFIG, &st, 0) < 0)
		return err_set(&k->e, errno, NULL, "cannot stat %s", k->configfile);
	r = io_read_file(m->at.dir, CONFIG, CONFIG_MAX, &text, &len, &k->e);
	if (r < 0)
		return r;
	add_header(&b, m);
	buf_add(&b, text, len);
	if (!buf_ok(&b))
		return err_no_memory(&k->e);
	r = io_replace(m->at.dir, CONFIG, b.p, b.len, st.st_mode & 07777, &k->e);
	if (r == 0 && (st.st_uid != geteuid() || st.st_gid != getegid()) &&
	    fchownat(m->at.dir, CONFIG, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		r = err_set(&k->e, errno, NULL, "cannot set the owner of %s", k->configfile);
	return r;
}

/* A root that is no directory is mounted for the template alone, on the directory that it is given. */
static int mount_root(struct creation *m, struct storage **ret_storage, char **ret_place, int *ret_fd)
{
	struct call *k = m->k;
	int r;

	if (storage_is_directory(m->conf) || !m->conf->rootfs_path.v)
		return 0;
	*ret_place = path_join(k->dir, ROOTFS);
	if (!*ret_place)
		return err_no_memory(&k->e);
	if (mkdirat(m->at.dir, ROOTFS, 0755) < 0 && errno != EEXIST)
		return err_set(&k->e, errno, NULL, "cannot make %s", *ret_place);
	r = storage_resolve(m->conf, &k->log, ret_storage, &k->e);
	if (r == 0)
		r = *ret_fd = storage_mount(*ret_storage, m->conf, &k->e);
	return MIN(r, 0);
}

static int fill_root(struct creation *m, struct template_run *t)
{
	auto_close int fd = -EBADF;
	struct storage *s = NULL;
	auto_free char *place = NULL;
	int r = mount_root(m, &s, &place, &fd);

	t->root_fd = fd;
	t->rootfs = place ? place : m->conf->rootfs_path.v;
	if (r == 0)
		r = template_run(t, m->conf, &m->k->e);
	fd_replace(&fd, -EBADF);
	storage_free(s);
	return r;
}

static int fill(struct creation *m)
{
	struct call *k = m->k;
	struct template_run t = {
		.path = m->template,
		.dir = k->dir,
		.name = k->name,
		.argv = m->argv,
		.quiet = m->quiet,
		.keep_fd = m->at.marker,
	};
	int r;

	if (!m->template)
		return 0;
	r = fill_root(m, &t);
	if (r == 0)
		r = reload(m);
	if (r == 0)
		r = prepend_header(m);
	return r == 0 ? reload(m) : r;
}

/* What this create made, and nothing else. The error that led here stays the one that is reported. */
static void undo(struct creation *m)
{
	struct call *k = m->k;
	struct err *first = take_ptr(k->e);
	int r = 0;

	if (m->made_dir || m->made_rootfs) {
		if (hook_run_all(k, m->conf, &(struct hook_run){ .kind = HOOK_DESTROY, .root = -1 }, NULL) < 0)
			log_warn(&k->log, "a destroy hook of %s failed", k->name);
	}
	/* What is elsewhere first: the directory has the mark that names it. */
	err_free(take_ptr(k->e));
	if (m->made_dir || m->made_rootfs)
		r = storage_destroy(m->preset ? NULL : m->conf, k->dir, &k->log, &k->e);
	if (r == 0 && m->made_dir) {
		r = storage_rmtree(m->at.parent, k->name, &k->e);
	} else if (!m->made_dir) {
		if (r == 0 && m->made_rootfs)
			r = storage_rmtree(m->at.dir, ROOTFS, &k->e);
		if (m->made_config)
			(void)unlinkat(m->at.dir, CONFIG, 0);
		else if (m->old_config)
			(void)io_replace(m->at.dir, CONFIG, m->old_config, m->old_len, dir_config_mode(), NULL);
		if (m->made_marker)
			(void)partial_end(m->at.dir);
	}
	if (r < 0) {
		auto_free char *why = err_line(k->e);

		log_warn(&k->log, "not all of %s could be removed again: %s", k->dir, why ? why : "");
		err_free(take_ptr(k->e));
	}
	k->e = first;
}

static int make(struct creation *m)
{
	int r = take_place(m);

	if (r == 0)
		r = make_storage(m);
	/* The template finds a complete configuration, and what the file says counts from now on. */
	if (r == 0 && m->template)
		r = reload(m);
	if (r == 0)
		r = fill(m);
	if (r == 0)
		r = partial_complete(m->at.dir, &m->k->e);
	if (r < 0)
		undo(m);
	return r;
}

/* Only the configuration: there is nothing to fill. */
static int save_only(struct creation *m)
{
	struct call *k = m->k;
	auto_lock int lock = call_disk_lock(k);
	auto_close int dir = -EBADF;
	int r = lock < 0 ? lock : partial_check(k->dir, k->name, k->lxcpath, &k->e);

	if (r < 0)
		return r;
	dir = dir_open(k, m->conf, true, NULL);
	return dir < 0 ? dir : dir_save_config(k, m->conf, dir, CONFIG, true);
}

static int create(struct creation *m, const char *t)
{
	struct call *k = m->k;
	int r = 0;

	if (t)
		r = template_find(t, &m->template, &k->e);
	if (r == 0)
		r = template_check_args(m->argv, &k->e);
	if (r == 0)
		r = start_conf(m);
	if (r < 0)
		return r;
	m->preset = m->conf->rootfs_path.v;
	if (m->preset && call_is_defined(k) && t && exists(m->conf))
		return err_container_exists(&k->e, k->name, k->lxcpath);
	if (m->preset) {
		struct storage *s = NULL;

		/* For its own words. */
		r = storage_resolve(m->conf, &k->log, &s, &k->e);
		storage_free(s);
		if (r < 0)
			return r;
	}
	if (!t)
		return save_only(m);
	if (geteuid() != 0 && !conf_is_mapped(m->conf))
		return err_create_unprivileged(&k->e);
	return make(m);
}

static struct storage_spec spec_of(const struct bdev_specs *s, const char *type)
{
	struct storage_spec spec = { 0 };

	if (!s)
		return spec;
	spec = (struct storage_spec){
		.fstype = s->fstype,
		.fssize = s->fssize,
		.dir = s->dir,
		.zfsroot = s->zfs.zfsroot,
		.vg = s->lvm.vg,
		.lv = s->lvm.lv,
		.thinpool = s->lvm.thinpool,
		.rbdname = s->rbd.rbdname,
		.rbdpool = s->rbd.rbdpool,
	};
	/* A caller built against an older header has no such member. */
	if (type && STREQ(type, "rbd"))
		spec.rbduser = s->rbd.rbduser;
	return spec;
}

bool api_create(struct lxc_container *c, const char *t, const char *bdevtype, struct bdev_specs *specs,
		int flags, char *const argv[])
{
	struct call k;
	int r;

	if (!call_begin(&k, c))
		return false;
	/* Ends before the call does: it holds descriptors below the container. */
	{
		auto_creation struct creation m = {
			.k = &k,
			.argv = argv,
			.type = bdevtype,
			.spec = spec_of(specs, bdevtype),
			.quiet = flags & LXC_CREATE_QUIET,
			.at = STAGE_INIT,
		};

		r = create(&m, t);
		if (r == 0) {
			handle_lock(k.h);
			handle_set_conf(k.h, take_ptr(m.conf));
			handle_unlock(k.h);
		}
	}
	return call_end(&k, r, "cannot create %s", k.name) == 0;
}

bool api_createl(struct lxc_container *c, const char *t, const char *bdevtype, struct bdev_specs *specs,
		 int flags, ...)
{
	auto_strv struct strv argv = { 0 };
	va_list ap;
	int r = 0;

	va_start(ap, flags);
	for (const char *a = va_arg(ap, const char *); a && r == 0; a = va_arg(ap, const char *))
		r = strv_add(&argv, a);
	va_end(ap);
	return r == 0 && api_create(c, t, bdevtype, specs, flags, argv.v);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/mount_entry.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/mount.h"
#include "kernel/openat.h"

#undef LOG_CATEGORY
#define LOG_CATEGORY "mount_entry"
#define FSTAB_MAX (1U << 20)
#define LINKS_MAX 40

static void entry_done(struct mount_entry *m)
{
	free(m->source);
	free(m->target);
	free(m->type);
	mountopt_done(&m->opts);
	idmap_done(&m->share);
	fd_close(m->mount_fd);
}

void mount_entries_done(struct mount_entries *l)
{
	for (size_t i = 0; i < l->n; i++)
		entry_done(&l->v[i]);
	VEC_DONE(l);
}

/* fstab's octal escapes, in place: \040 and the like. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' &&
		    s[3] <= '7') {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
			continue;
		}
		*to++ = *s;
	}
	*to = '\0';
}

/* Where an absolute target lies below the root, or NULL: "/var/lib/lxc/c1/rootfs/mnt" is "mnt". */
static const char *below_root(const struct run *r, const char *target)
{
	auto_free char *own = NULL;
	const char *roots[2] = { NULL, NULL };

	if (asprintf(&own, "%s/rootfs", r->dir) < 0)
		return NULL;
	roots[0] = own;
	roots[1] = r->conf->rootfs_path.v;
	for (int i = 0; i < 2; i++) {
		const char *rest = roots[i] && *roots[i] ? str_after(target, roots[i]) : NULL;

		if (rest && (*rest == '/' || !*rest))
			return rest;
	}
	return NULL;
}

static int check_line(const struct mount_entry *m, const char *line, struct err **e)
{
	if (m->opts.idmap && !m->opts.bind)
		return err_mount_line_malformed(e, line, "idmap= needs bind or rbind");
	if (m->opts.idmap && m->opts.relative)
		return err_mount_line_malformed(e, line, "idmap= is for what lies outside the root, and relative for what lies in it");
	if (m->opts.move)
		return err_mount_line_malformed(e, line, "move would take the mount away from the host");
	if (path_has_dotdot(m->target))
		return err_mount_line_malformed(e, line, "the target contains '..'");
	if (!m->opts.bind && strcmp(m->type, "none") == 0)
		return err_mount_line_malformed(e, line, "type none needs the option bind or rbind");
	return 0;
}

/* idmap=caller:UID[:GID] and owner:UID[:GID]: the files of the caller, or of who owns the source, are UID's inside. Where
 * lxc.idmap says so already there is nothing to do, and else it takes an idmapped mount. */
static int plan_share(struct run *r, struct mount_entry *m, struct err **e)
{
	struct idmap_range uid = { .range = 1 }, gid = { .gid = true, .range = 1 };
	uint32_t uid_inside, gid_inside;
	struct stat st;
	bool owner;

	if (!m->opts.idmap || mountopt_share(m->opts.idmap, &owner, &uid_inside, &gid_inside) < 0)
		return 0;
	if (owner && stat(m->source, &st) < 0) {
		if (!m->opts.optional)
			return err_mount_source_missing(e, m->source);
		free(take_ptr(m->opts.idmap));
		return 0;
	}
	uid.nsid = owner ? st.st_uid : geteuid();
	gid.nsid = owner ? st.st_gid : getegid();
	m->share_owner = owner;
	uid.hostid = run_is_mapped(r) ? idmap_to_host(&r->idmap, false, uid_inside) : uid_inside;
	gid.hostid = run_is_mapped(r) ? idmap_to_host(&r->idmap, true, gid_inside) : gid_inside;
	if (uid.hostid == UINT32_MAX || gid.hostid == UINT32_MAX)
		return err_id_not_mapped(e, "idmap", uid.hostid == UINT32_MAX ? uid_inside : gid_inside);
	free(take_ptr(m->opts.idmap));
	if (uid.nsid == uid.hostid && gid.nsid == gid.hostid)
		return 0;
	if (r->caller_mounts)
		return err_mount_idmap_denied(e, m->source, uid_inside, uid.nsid);
	return VEC_PUSH(&m->share, uid) < 0 || VEC_PUSH(&m->share, gid) < 0 ? err_no_memory(e) : 0;
}

/* Splits one line; the trailing two numbers may be missing. */
static int parse_line(struct run *r, const char *line, struct origin at, struct err **e)
{
	auto_strv struct strv f = { 0 };
	struct mount_entry m = { .at = at, .mount_fd = -EBADF };
	const char *target, *below;
	int rc;

	if (strv_split(&f, line, " \t") < 0)
		return err_no_memory(e);
	if (f.n == 0 || f.v[0][0] == '#')
		return 0;
	if (f.n < 3)
		return err_at(e, err_mount_line_malformed(e, line, "it has fewer than three fields"), at);
	for (size_t i = 0; i < f.n; i++)
		unescape(f.v[i]);
	target = f.v[1];
	if (path_is_absolute(target) && r->conf->rootfs_path.v) {
		below = below_root(r, target);
		if (!below) {
			log_warn(&r->log, "%s:%u: mount target %s is not below the container's root and is ignored; write it without the leading slash",
				 at.file ? at.file : "config", at.line, target);
			return 0;
		}
		target = below;
	}
	if (r->conf->rootfs_path.v)
		target += strspn(target, "/");
	rc = mountopt_parse(f.n > 3 ? f.v[3] : "defaults", &m.opts, e);
	if (rc < 0)
		return err_at(e, err_wrap(e, rc, "reading mount entry \"%s\"", line), at);
	m.source = strdup(f.v[0]);
	m.target = path_simplify(*target ? target : ".");
	m.type = strdup(f.v[2]);
	rc = m.source && m.target && m.type ? check_line(&m, line, e) : err_no_memory(e);
	if (rc == 0)
		rc = plan_share(r, &m, e);
	if (rc == 0 && m.opts.bind && m.opts.data)
		log_warn(&r->log, "%s:%u: option %s has no effect on a bind mount", at.file ? at.file : "config", at.line,
			 m.opts.data);
	if (rc == 0 && VEC_PUSH(&r->mounts, m) < 0)
		rc = err_no_memory(e);
	if (rc < 0) {
		entry_done(&m);
		return err_at(e, rc, at);
	}
	return 0;
}

static int plan_fstab(struct run *r, struct err **e)
{
	const struct conf_str *path = &r->conf->mount_fstab;
	auto_free char *text = NULL;
	struct origin at = { path->v, 0 };
	int rc;

	if (!path->v)
		return 0;
	rc = io_read_file(AT_FDCWD, path->v, FSTAB_MAX, &text, NULL, e);
	if (rc < 0)
		return err_wrap_at(e, rc, path->at, "reading lxc.mount.fstab");
	for (char *line = text; line && *line;) {
		char *nl = strchr(line, '\n');

		if (nl)
			*nl = '\0';
		at.line++;
		rc = parse_line(r, str_trim(line), at, e);
		if (rc < 0)
			return rc;
		line = nl ? nl + 1 : NULL;
	}
	return 0;
}

/* lxc.mount.auto = shmounts:HOST[:CONTAINER]: a directory through which the host can mount into the
 * running container. */
static int plan_shmounts(struct run *r, struct err **e)
{
	const struct conf *c = r->conf;
	const char *inside = c->shmounts_container.v ? c->shmounts_container.v : "/dev/.lxc-mounts";
	struct mount_entry m = { .at = c->shmounts_host.at, .mount_fd = -EBADF };

	if (!c->shmounts_host.v)
		return 0;
	m.opts.bind = m.opts.rbind = m.opts.create_dir = true;
	m.opts.propagation = MS_SLAVE;
	m.opts.propagation_rec = true;
	m.source = strdup(c->shmounts_host.v);
	m.target = path_simplify(inside + strspn(inside, "/"));
	m.type = strdup("none");
	if (!m.source || !m.target || !m.type || VEC_PUSH(&r->mounts, m) < 0) {
		entry_done(&m);
		return err_no_memory(e);
	}
	return 0;
}

/* The kernel lets a user namespace mount a new proc or sysfs only where it sees one that nothing covers. */
static int plan_nesting(struct run *r, struct err **e)
{
	static const char *const lines[] = {
		"proc dev/.lxc/proc proc create=dir,optional 0 0",
		"sys dev/.lxc/sys sysfs create=dir,optional 0 0",
	};
	const struct conf_num *nesting = &r->conf->apparmor_allow_nesting;
	int rc = 0;

	for (size_t i = 0; nesting->v && r->storage && i < ARRAY_SIZE(lines) && rc == 0; i++)
		rc = parse_line(r, lines[i], nesting->at, e);
	return rc;
}

int mount_entries_plan(struct run *r, struct err **e)
{
	const struct conf_list *l = &r->conf->mount_entry;
	int rc = plan_fstab(r, e);

	for (size_t i = 0; i < l->n && rc == 0; i++)
		rc = parse_line(r, l->v[i].value, l->v[i].at, e);
	if (rc == 0)
		rc = plan_nesting(r, e);
	return rc < 0 ? rc : plan_shmounts(r, e);
}

/* Makes a directory of an overlay if it lies in the container's own directory and outside its root. */
static int make_overlay_dir(struct run *r, const char *path, struct err **e)
{
	const char *rest = str_after(path, r->dir), *in_root = rest ? str_after(rest, "/rootfs") : NULL;
	auto_close int base = -EBADF, fd = -EBADF;
	uint32_t uid, gid;

	if (!rest || *rest != '/' || (in_root && (!*in_root || *in_root == '/')) || path_has_dotdot(rest))
		return 0;
	base = open(r->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (base < 0)
		return err_set(e, errno, NULL, "cannot open %s", r->dir);
	rest += strspn(rest, "/");
	fd = open_in_root(base, rest, O_PATH | O_DIRECTORY, 0);
	if (fd != -ENOENT)
		return fd < 0 ? err_set(e, -fd, NULL, "overlay directory %s cannot be opened", path) : 0;
	fd = mkdir_in_root(base, rest, 0755);
	if (fd < 0)
		return err_set(e, -fd, NULL, "overlay directory %s cannot be made", path);
	uid = run_is_mapped(r) ? idmap_to_host(&r->idmap, false, 0) : 0;
	gid = run_is_mapped(r) ? idmap_to_host(&r->idmap, true, 0) : 0;
	if (uid == UINT32_MAX || gid == UINT32_MAX || geteuid() != 0)
		return 0;
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? err_set(e, errno, NULL, "overlay directory %s cannot be given away", path) :
							       0;
}

int mount_entries_make_dirs(struct run *r, struct err **e)
{
	for (size_t i = 0; i < r->mounts.n; i++) {
		const struct mount_entry *m = &r->mounts.v[i];
		auto_strv struct strv words = { 0 };

		if (!str_after(m->type, "overlay") || !m->opts.data)
			continue;
		if (strv_split(&words, m->opts.data, ",") < 0)
			return err_no_memory(e);
		for (size_t k = 0; k < words.n; k++) {
			const char *upper = str_after(words.v[k], "upperdir="), *work = str_after(words.v[k], "workdir=");
			int rc = upper || work ? make_overlay_dir(r, upper ? upper : work, e) : 0;

			if (rc < 0)
				return err_wrap_at(e, rc, m->at, "preparing mount entry %s", m->target);
		}
	}
	return 0;
}

bool mount_entries_cover(const struct run *r, const char *path)
{
	path += strspn(path, "/");
	for (size_t i = 0; i < r->mounts.n; i++) {
		const char *rest = str_after(path, r->mounts.v[i].target);

		if (rest && (*rest == '/' || !*rest))
			return true;
	}
	return false;
}

/* The owner that the map was made for is the owner of what is mounted. */
static int check_owner(const struct mount_entry *m, int source, struct err **e)
{
	struct stat st;

	if (!m->share_owner)
		return 0;
	if (fstat(source, &st) < 0)
		return err_set(e, errno, NULL, "mount source %s cannot be looked at", m->source);
	if (st.st_uid != m->share.v[0].nsid || st.st_gid != m->share.v[1].nsid)
		return err_set(e, ESTALE, NULL, "%s changed its owner while the container started", m->source);
	return 0;
}

static int prepare_bind(struct run *r, struct mount_entry *m, struct err **e)
{
	struct mount_attrs attrs = MOUNT_ATTRS_INIT;
	auto_close int source = open(m->source, O_PATH | O_CLOEXEC), userns = -EBADF;
	int rc = errno;

	if (source < 0 && m->opts.optional) {
		log_info(&r->log, "optional mount source %s: %s", m->source, strerrordesc_np(rc));
		m->skip = true;
		return 0;
	}
	if (source < 0)
		return rc == ENOENT ? err_mount_source_missing(e, m->source) :
				      err_set(e, rc, NULL, "mount source %s cannot be opened", m->source);
	m->mount_fd = mount_clone(source, m->opts.rbind, e);
	if (m->mount_fd < 0)
		return m->mount_fd;
	attrs.set = m->opts.attr_set;
	attrs.clear = m->opts.attr_clr;
	attrs.recursive = m->opts.rbind;
	attrs.name = m->source;
	/* A clone of a shared host mount would carry the container's submounts out to the host. */
	attrs.propagation = MS_SLAVE;
	attrs.propagation_rec = true;
	if (m->share.n) {
		rc = check_owner(m, source, e);
		if (rc < 0)
			return rc;
		userns = idmap_userns_fd(&m->share, e);
		if (userns < 0)
			return userns;
		attrs.userns_fd = userns;
	} else if (m->opts.idmap) {
		userns = strcmp(m->opts.idmap, "container") == 0 ? idmap_userns_fd(&r->idmap, e) :
								    open(m->opts.idmap, O_RDONLY | O_CLOEXEC);
		if (userns < 0 && strcmp(m->opts.idmap, "container") != 0)
			return err_set(e, errno, NULL, "idmap=%s cannot be opened", m->opts.idmap);
		if (userns < 0)
			return userns;
		attrs.userns_fd = userns;
	}
	return mount_set(m->mount_fd, &attrs, e);
}

int mount_entries_prepare(struct run *r, struct err **e)
{
	for (size_t i = 0; i < r->mounts.n; i++) {
		struct mount_entry *m = &r->mounts.v[i];
		int rc;

		if (!m->opts.bind || m->opts.relative || m->mount_fd >= 0 || m->skip)
			continue;
		rc = prepare_bind(r, m, e);
		if (rc < 0)
			return err_wrap_at(e, rc, m->at, "preparing mount entry %s", m->target);
	}
	return 0;
}

/* True when resolving path leaves the root: a ".." of a symlink above it. Advisory, for the message:
 * the real open is confined by the kernel. */
static bool escapes(int root_fd, const char *path, unsigned depth, unsigned links)
{
	auto_strv struct strv parts = { 0 }, stack = { 0 };

	if (links > LINKS_MAX || strv_split(&parts, path, "/") < 0)
		return false;
	(void)depth;
	for (size_t i = 0; i < parts.n; i++) {
		auto_free char *joined = NULL;
		auto_close int fd = -EBADF;
		char link[PATH_MAX];
		ssize_t n;

		if (STREQ(parts.v[i], "."))
			continue;
		if (STREQ(parts.v[i], "..")) {
			if (stack.n == 0)
				return true;
			strv_remove(&stack, stack.n - 1);
			continue;
		}
		if (strv_add(&stack, parts.v[i]) < 0)
			return false;
		joined = strv_join(&stack, "/");
		fd = joined ? open_in_root(root_fd, joined, O_PATH | O_NOFOLLOW, 0) : -EBADF;
		n = fd >= 0 ? readlinkat(fd, "", link, sizeof(link) - 1) : -1;
		if (n <= 0)
			continue;
		link[n] = '\0';
		strv_remove(&stack, stack.n - 1);

		auto_free char *base = strv_join(&stack, "/"), *next = NULL;

		if (!base || asprintf(&next, "%s%s%s", link[0] == '/' ? "" : base, link[0] == '/' ? "" : "/", link) < 0)
			return false;
		for (size_t j = i + 1; j < parts.n; j++) {
			char *longer = path_join(next, parts.v[j]);

			free(next);
			next = longer;
			if (!next)
				return false;
		}
		return escapes(root_fd, next, 0, links + 1);
	}
	return false;
}

static int target_error(const char *target, int create, int r, struct err **e)
{
	if (r == -ENOENT)
		return err_mount_target_missing(e, target, create == 'f' ? "file" : "dir");
	if (r == -ELOOP)
		return err_mount_target_escapes(e, target, "a symlink on the way does not end or is magic");
	if (r == -EXDEV)
		return err_mount_target_escapes(e, target, "a symlink on the way leads out of the root");
	if (r == -EROFS)
		return err_hint(e, err_set(e, EROFS, NULL, "mount target %s cannot be made", target),
				"make it in the root beforehand: the root is mounted read-only");
	return err_set(e, -r, NULL, "mount target %s cannot be used", target);
}

int mount_target_open(int root_fd, const char *target, int create, struct err **e)
{
	auto_close int fd = -EBADF;
	struct stat st, root;

	if (escapes(root_fd, target, 0, 0))
		return err_mount_target_escapes(e, target, "a symlink on the way leads out of the root");
	if (create == 'd')
		fd = mkdir_in_root(root_fd, target, 0755);
	else if (create == 'f')
		fd = mkfile_in_root(root_fd, target, 0);
	else
		fd = open_in_root(root_fd, target, O_PATH, 0);
	if (fd < 0)
		return target_error(target, create, fd, e);
	if (fstat(fd, &st) == 0 && fstat(root_fd, &root) == 0 && st.st_dev == root.st_dev &&
	    st.st_ino == root.st_ino)
		return err_mount_target_escapes(e, target, "it is the root itself");
	return take_fd(&fd);
}

static int make_relative(struct mount_entry *m, int root_fd, struct err **e)
{
	auto_close int source = open_in_root(root_fd, m->source, O_PATH, 0);
	struct mount_attrs attrs = MOUNT_ATTRS_INIT;

	if (source < 0)
		return source == -ENOENT ? err_mount_source_missing(e, m->source) :
					   err_set(e, -source, NULL, "mount source %s cannot be opened", m->source);
	m->mount_fd = mount_clone(source, m->opts.rbind, e);
	if (m->mount_fd < 0)
		return m->mount_fd;
	attrs.set = m->opts.attr_set;
	attrs.clear = m->opts.attr_clr;
	attrs.recursive = m->opts.rbind;
	attrs.name = m->source;
	return attrs.set || attrs.clear ? mount_set(m->mount_fd, &attrs, e) : 0;
}

static int attach_one(struct run *r, struct mount_entry *m, int root_fd, struct err **e)
{
	auto_close int target = -EBADF;
	int rc = 0;

	if (m->mount_fd < 0 && m->opts.bind)
		rc = m->opts.relative ? make_relative(m, root_fd, e) : prepare_bind(r, m, e);
	else if (m->mount_fd < 0)
		rc = m->mount_fd = mount_new(m->type, m->source, m->opts.data, m->opts.attr_set, e);
	if (rc < 0 || m->skip)
		return MIN(rc, 0);
	target = mount_target_open(root_fd, m->target, m->opts.create_dir ? 'd' : m->opts.create_file ? 'f' : 0, e);
	if (target < 0)
		return target;
	return mount_attach(m->mount_fd, target, e);
}

int mount_entries_attach(struct run *r, int root_fd, struct err **e)
{
	for (size_t i = 0; i < r->mounts.n; i++) {
		struct mount_entry *m = &r->mounts.v[i];
		struct err *mine = NULL;
		int rc;

		if (m->skip)
			continue;
		rc = attach_one(r, m, root_fd, &mine);
		if (rc < 0 && m->opts.optional) {
			err_free(mine);
			m->skip = true;
			fd_replace(&m->mount_fd, -EBADF);
			continue;
		}
		if (rc < 0) {
			err_wrap_at(&mine, rc, m->at, "mounting %s on %s", m->source, m->target);
			err_move(e, mine);
			return rc;
		}
	}
	return 0;
}

int mount_entries_propagate(struct run *r, struct err **e)
{
	for (size_t i = 0; i < r->mounts.n; i++) {
		struct mount_entry *m = &r->mounts.v[i];
		struct mount_attrs attrs = MOUNT_ATTRS_INIT;
		int rc;

		if (m->mount_fd < 0 || m->skip || !m->opts.propagation)
			continue;
		attrs.propagation = m->opts.propagation;
		attrs.propagation_rec = m->opts.propagation_rec;
		rc = mount_set(m->mount_fd, &attrs, e);
		if (rc < 0 && !m->opts.optional)
			return err_wrap_at(e, rc, m->at, "setting the propagation of %s", m->target);
	}
	return 0;
}

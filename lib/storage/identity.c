/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "storage/identity.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/compiler.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/openat.h"
#include "kernel/spawn.h"

#undef LOG_CATEGORY
#define LOG_CATEGORY "identity"
#define SSH_DIR "etc/ssh"
#define KEY_MAX ((size_t)64 << 10)
#define HOSTS_MAX ((size_t)1 << 20)
#define KEYGEN_LIMIT_MS 60000
#define TEMPORARY ".identity.tmp"

/* Files that are written when they are missing. */
static const struct {
	const char *dir, *pattern;
} disposable[] = {
	{ "var/lib/dbus", "machine-id" },	   { "var/lib/dhcp", "*.leases" },
	{ "var/lib/dhcp", "*.duid" },		   { "var/lib/dhclient", "*.lease*" },
	{ "var/lib/dhcpcd", "*" },		   { "var/lib/dhcpcd5", "*" },
	{ "etc", "dhcpcd.duid" },		   { "var/db", "dhcpcd*" },
	{ "var/lib/NetworkManager", "*.lease" },   { "var/lib/NetworkManager", "secret_key" },
	{ "var/lib/systemd", "random-seed" },	   { "var/lib/systemd/network", "*" },
	{ "var/lib/urandom", "random-seed" },	   { "var/lib", "random-seed" },
	{ "var/lib/misc", "random-seed" },	   { "var/lib/seedrng", "seed.*" },
	{ "var/lib/cloud/data", "instance-id" },
};

static int open_dir(int rootfd, const char *path)
{
	return open_in_root(rootfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

static bool is_file(int dirfd, const char *name, struct stat *st)
{
	return fstatat(dirfd, name, st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st->st_mode);
}

/* The file gets another content and keeps owner and mode. It is replaced, not written to: it may have
 * other names. */
static int put(int dirfd, const char *name, const struct stat *st, const char *text, size_t len, struct err **e)
{
	auto_close int fd = -EBADF;
	int r;

	if (unlinkat(dirfd, TEMPORARY, 0) < 0 && errno != ENOENT)
		return err_set(e, errno, NULL, "cannot remove %s", TEMPORARY);
	fd = openat(dirfd, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(e, errno, NULL, "cannot make %s", name);
	r = io_write_all(fd, text, len);
	if (r == 0 && (st->st_uid != geteuid() || st->st_gid != getegid()) && fchown(fd, st->st_uid, st->st_gid) < 0)
		r = -errno;
	if (r == 0 && fchmod(fd, st->st_mode & 07777) < 0)
		r = -errno;
	if (r == 0 && renameat(dirfd, TEMPORARY, dirfd, name) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	(void)unlinkat(dirfd, TEMPORARY, 0);
	return err_set(e, -r, NULL, "cannot write %s", name);
}

static int set_hostname(int etc, const char *hostname, struct err **e)
{
	struct stat st;

	/* Without a newline, as LXC writes it. */
	return is_file(etc, "hostname", &st) ? put(etc, "hostname", &st, hostname, strlen(hostname), e) : 0;
}

/* Copies the line, the word old become new. */
static bool rename_in_line(struct buf *b, const char *line, size_t n, const char *old, const char *new)
{
	static const char blank[] = " \t";
	size_t i = 0, old_len = strlen(old);
	bool any = false;

	while (i < n && line[i] != '#') {
		size_t word = 0;

		while (i < n && strchr(blank, line[i]))
			buf_addc(b, line[i++]);
		while (i + word < n && line[i + word] != '#' && !strchr(blank, line[i + word]))
			word++;
		if (word == old_len && strncmp(line + i, old, word) == 0) {
			buf_adds(b, new);
			any = true;
		} else {
			buf_add(b, line + i, word);
		}
		i += word;
	}
	buf_add(b, line + i, n - i);
	return any;
}

static int set_hosts(int etc, const char *old, const char *new, struct err **e)
{
	auto_buf struct buf b = BUF_INIT(2 * HOSTS_MAX);
	auto_free char *text = NULL;
	bool any = false;
	struct stat st;

	if (STREQ(old, new) || STREQ(old, "localhost") || !is_file(etc, "hosts", &st))
		return 0;
	/* A file that is no table of hosts is nothing to mend. */
	if (io_read_file(etc, "hosts", HOSTS_MAX, &text, NULL, NULL) < 0)
		return 0;
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, "\n");

		any |= rename_in_line(&b, p, n, old, new);
		p += n;
		if (*p)
			buf_addc(&b, *p++);
	}
	if (!buf_ok(&b))
		return err_no_memory(e);
	return any ? put(etc, "hosts", &st, b.p, b.len, e) : 0;
}

static int drop_files(int dirfd, const char *pattern, struct err **e)
{
	auto_closedir DIR *d = io_opendir(dirfd, ".");

	if (!d)
		return err_set(e, errno, NULL, "cannot read a directory of the root file system");
	for (const struct dirent *ent = readdir(d); ent; ent = readdir(d)) {
		struct stat st;

		if (fnmatch(pattern, ent->d_name, FNM_PERIOD) != 0 || !is_file(dirfd, ent->d_name, &st))
			continue;
		if (unlinkat(dirfd, ent->d_name, 0) < 0 && errno != ENOENT)
			return err_set(e, errno, NULL, "cannot remove %s", ent->d_name);
	}
	return 0;
}

static int reset_ids(int rootfd, struct err **e)
{
	auto_close int etc = open_dir(rootfd, "etc");
	struct stat st;
	int r = 0;

	/* Empty, it is made anew at the next boot; missing, systemd would take it for the very first. */
	if (etc >= 0 && is_file(etc, "machine-id", &st) && st.st_size > 0)
		r = put(etc, "machine-id", &st, "", 0, e);
	for (size_t i = 0; i < ARRAY_SIZE(disposable) && r == 0; i++) {
		auto_close int dir = open_dir(rootfd, disposable[i].dir);

		if (dir >= 0)
			r = drop_files(dir, disposable[i].pattern, e);
	}
	return r;
}

/* One pair of keys in the temporary directory dir, then in place of the old one. */
static int renew_key(int ssh, const char *name, const char *dir, const char *comment, struct err **e)
{
	auto_free char *type = strndup(name + strlen("ssh_host_"), strlen(name) - strlen("ssh_host__key")),
		       *path = path_join(dir, name), *public = NULL, *key = NULL, *pub = NULL, *pub_name = NULL;
	struct spawn s = SPAWN_INIT;
	size_t key_len, pub_len;
	struct stat st, pub_st;
	int r;

	if (!type || !path || asprintf(&public, "%s.pub", path) < 0 || asprintf(&pub_name, "%s.pub", name) < 0)
		return err_no_memory(e);
	s.path = "ssh-keygen";
	s.argv = (char *const[]){ (char *)"ssh-keygen", (char *)"-q", (char *)"-N", (char *)"", (char *)"-t", type,
				  (char *)"-C", (char *)comment, (char *)"-f", path, NULL };
	s.timeout_ms = KEYGEN_LIMIT_MS;
	r = spawn_check(&s, e);
	if (r == 0)
		r = io_read_file(AT_FDCWD, path, KEY_MAX, &key, &key_len, e);
	if (r == 0)
		r = io_read_file(AT_FDCWD, public, KEY_MAX, &pub, &pub_len, e);
	if (r == 0 && is_file(ssh, name, &st))
		r = put(ssh, name, &st, key, key_len, e);
	if (r == 0 && is_file(ssh, pub_name, &pub_st))
		r = put(ssh, pub_name, &pub_st, pub, pub_len, e);
	(void)unlink(path);
	(void)unlink(public);
	return r;
}

static bool is_host_key(const char *name)
{
	/* The types that ssh-keygen makes; anything else in this place is not handed to it. */
	static const char *const names[] = { "ssh_host_rsa_key", "ssh_host_ecdsa_key", "ssh_host_ed25519_key" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (STREQ(names[i], name))
			return true;
	return false;
}

static int renew_keys_in(int ssh, const char *dir, const char *comment, struct err **e)
{
	auto_closedir DIR *d = io_opendir(ssh, ".");
	int r = 0;

	if (!d)
		return err_set(e, errno, NULL, "cannot read /" SSH_DIR " of the root file system");
	for (const struct dirent *ent = readdir(d); ent && r == 0; ent = readdir(d)) {
		struct stat st;

		if (is_host_key(ent->d_name) && is_file(ssh, ent->d_name, &st))
			r = renew_key(ssh, ent->d_name, dir, comment, e);
	}
	return r;
}

static bool has_keys(int ssh)
{
	struct stat st;

	return is_file(ssh, "ssh_host_rsa_key", &st) || is_file(ssh, "ssh_host_ecdsa_key", &st) ||
	       is_file(ssh, "ssh_host_ed25519_key", &st);
}

/* Two machines with the same key are worse than one that makes its key late: where none can be made, the
 * old ones go, and that is told. */
static int renew_keys(int rootfd, const char *hostname, struct log *l, struct err **e)
{
	auto_close int ssh = open_dir(rootfd, SSH_DIR);
	auto_free char *comment = NULL, *why = NULL;
	char dir[] = "/tmp/lxc-keys-XXXXXX";
	auto_err struct err *own = NULL;
	int r;

	if (ssh < 0 || !has_keys(ssh))
		return 0;
	if (asprintf(&comment, "root@%s", hostname ? hostname : "localhost") < 0)
		return err_no_memory(e);
	r = mkdtemp(dir) ? renew_keys_in(ssh, dir, comment, &own) :
			   err_set(&own, errno, NULL, "cannot make a temporary directory in /tmp");
	(void)rmdir(dir);
	if (r == 0)
		return 0;
	why = err_line(own);
	log_warn(l, "the ssh host keys of the copy are removed; run ssh-keygen -A in it, since none could be made "
		    "here: %s", why ? why : "out of memory");
	return drop_files(ssh, "ssh_host_*_key*", e);
}

int identity_reset(int rootfd, const struct identity *how, struct log *l, struct err **e)
{
	auto_close int etc = open_dir(rootfd, "etc");
	int r = 0;

	if (etc >= 0 && how->hostname) {
		r = set_hostname(etc, how->hostname, e);
		if (r == 0 && how->old_hostname)
			r = set_hosts(etc, how->old_hostname, how->hostname, e);
	}
	if (r == 0 && how->ids)
		r = reset_ids(rootfd, e);
	if (r == 0 && how->ssh_keys)
		r = renew_keys(rootfd, how->hostname, l, e);
	return r < 0 ? err_wrap(e, r, "giving the copy an identity of its own") : 0;
}

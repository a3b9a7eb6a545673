/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* What lxc-import is given: whatever is in the archive, it ends with an error or with a container, and nothing beside
 * the container's directory is touched. An input is a text that a tar file is made of, so that mutations get past the
 * checksums of tar, of the compression and of the archive itself. Its first line has letters:
 *
 *	m	manifest and configuration stand before it
 *	d	the digest stands behind it
 *	T	the import trusts it
 *	i	with a new identity
 *	l	with a limit
 *	c	the compressed stream is cut off, in the middle
 *	t	what follows is a tar file, taken as it is
 *	z	what follows is a compressed stream, taken as it is
 *
 * Then each line is a member, its fields separated by tabs and put into the header as they are: type, name, target,
 * mode, uid, gid, size, mtime, major, minor, prefix, magic. A field that is empty or missing gets what belongs there.
 * Lines that begin with "=" are the content of the member before, with their ends. */
#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "../../tools/libexec/archive.h"
#include "base/cleanup.h"
#include "base/compiler.h"
#include "base/io.h"
#include "base/str.h"
#include "storage/storage.h"

#define BLOCK ((size_t)512)
#define TAR_MAX ((size_t)1 << 20)
#define CONTENT_MAX 65536
#define LIMIT 4096
#define PLACE "/mnt"		/* where the targets in the corpus say it is */
#define HOST_FILE PLACE "/host/file"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- a tar file out of lines */

static const struct {
	size_t at, n;
	const char *value;
} fields[] = {
	{ 156, 1, "0" }, { 0, 100, "rootfs/x" }, { 157, 100, "" }, { 100, 8, "0000755" }, { 108, 8, "0000000" },
	{ 116, 8, "0000000" }, { 124, 12, NULL }, { 136, 12, "07000000000" }, { 329, 8, "" }, { 337, 8, "" },
	{ 345, 155, "" }, { 257, 8, "ustar\00000" },
};

static void add_member(struct buf *tar, const char *line, size_t len, const char *content, size_t n)
{
	char head[BLOCK] = { 0 }, zeros[BLOCK] = { 0 }, size[32];
	unsigned sum = 0;

	(void)snprintf(size, sizeof(size), "%011zo", n);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const char *tab = memchr(line, '\t', len), *value = line;
		size_t have = tab ? (size_t)(tab - line) : len;

		line += MIN(have + 1, len);
		len -= MIN(have + 1, len);
		if (!have) {
			value = fields[i].value ? fields[i].value : size;
			/* The magic has a zero byte in it. */
			have = fields[i].at == 257 ? 8 : strlen(value);
		}
		memcpy(head + fields[i].at, value, MIN(have, fields[i].n));
	}
	memset(head + 148, ' ', 8);
	for (size_t i = 0; i < BLOCK; i++)
		sum += (unsigned char)head[i];
	(void)snprintf(head + 148, 8, "%06o", sum & 0777777);
	buf_add(tar, head, BLOCK);
	buf_add(tar, content, n);
	buf_add(tar, zeros, (BLOCK - n % BLOCK) % BLOCK);
}

/* All the content lines that begin here; *ret_n bytes of them in content. */
static const char *content_of(const char *p, const char *end, char *content, size_t *ret_n)
{
	size_t n = 0;

	while (p < end && *p == '=') {
		const char *newline = memchr(p, '\n', (size_t)(end - p)), *stop = newline ? newline + 1 : end;
		size_t have = MIN((size_t)(stop - p) - 1, CONTENT_MAX - n);

		memcpy(content + n, p + 1, have);
		n += have;
		p = stop;
	}
	*ret_n = n;
	return p;
}

static void add_members(struct buf *tar, const char *p, const char *end)
{
	static char content[CONTENT_MAX];

	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p)), *stop = newline ? newline : end;
		const char *line = p;
		size_t n;

		p = content_of(newline ? newline + 1 : end, end, content, &n);
		add_member(tar, line, (size_t)(stop - line), content, n);
	}
}

static void add_text(struct buf *tar, const char *name, const char *text)
{
	char line[64];

	(void)snprintf(line, sizeof(line), "0\t%s", name);
	add_member(tar, line, strlen(line), text, strlen(text));
}

static void add_digest(struct buf *tar)
{
	unsigned char value[EVP_MAX_MD_SIZE];
	char text[16 + 2 * DIGEST_BYTES] = "sha256 ";
	unsigned n;

	if (EVP_Digest(tar->p, tar->len, value, &n, EVP_sha256(), NULL) != 1)
		abort();
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		(void)snprintf(text + 7 + 2 * i, 3, "%02x", value[i]);
	text[7 + 2 * DIGEST_BYTES] = '\n';
	add_text(tar, ARCHIVE_DIGEST, text);
}

static bool has(const char *flags, size_t n, char c)
{
	return memchr(flags, c, n);
}

/* The stream, as the standard input. */
static void offer(const void *p, size_t n)
{
	auto_close int fd = memfd_create("archive", MFD_CLOEXEC);

	if (fd < 0 || io_write_all(fd, p, n) < 0 || lseek(fd, 0, SEEK_SET) < 0 || dup2(fd, STDIN_FILENO) < 0)
		abort();
}

static void make_stream(const char *flags, size_t n_flags, const char *rest, size_t n)
{
	auto_buf struct buf tar = BUF_INIT(TAR_MAX);
	static char zeros[2 * BLOCK];
	auto_free char *packed = NULL;
	size_t room, len;

	if (has(flags, n_flags, 'z')) {
		offer(rest, n);
		return;
	}
	if (has(flags, n_flags, 'm')) {
		add_text(&tar, ARCHIVE_MANIFEST, ARCHIVE_MAGIC "1\nname = c\n");
		add_text(&tar, ARCHIVE_CONFIG, "lxc.include = " ARCHIVE_SHARED "/common.conf\n");
	}
	if (has(flags, n_flags, 't'))
		buf_add(&tar, rest, n);
	else
		add_members(&tar, rest, rest + n);
	if (has(flags, n_flags, 'd'))
		add_digest(&tar);
	buf_add(&tar, zeros, sizeof(zeros));
	if (!buf_ok(&tar))
		return;
	room = ZSTD_compressBound(tar.len);
	packed = malloc(room);
	if (!packed)
		abort();
	len = ZSTD_compress(packed, room, tar.p, tar.len, 1);
	if (ZSTD_isError(len))
		abort();
	offer(packed, has(flags, n_flags, 'c') ? len / 2 : len);
}

/* ---- where it is unpacked */

static void write_text(const char *path, const char *text)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || io_write_all(fd, text, strlen(text)) < 0)
		abort();
}

/* A file system of our own, in a mount namespace of our own; and the "host" in it. */
static bool make_place(void)
{
	char map[64];

	if (geteuid() == 0) {
		if (unshare(CLONE_NEWNS) < 0)
			return false;
	} else {
		(void)snprintf(map, sizeof(map), "0 %u 1\n", (unsigned)geteuid());
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
			return false;
		write_text("/proc/self/setgroups", "deny");
		write_text("/proc/self/uid_map", map);
		(void)snprintf(map, sizeof(map), "0 %u 1\n", (unsigned)getegid());
		write_text("/proc/self/gid_map", map);
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("fuzz", PLACE, "tmpfs", 0, "mode=0755,size=8M") < 0)
		return false;
	if (mkdir(PLACE "/host", 0755) < 0 || mkdir(PLACE "/lxc", 0755) < 0)
		abort();
	write_text(HOST_FILE, "safe\n");
	return true;
}

static bool settle(void)
{
	static int settled = -1;

	if (settled < 0) {
		settled = make_place();
		if (!settled)
			printf("# nothing is unpacked: a mount namespace is not to be had here\n");
	}
	return settled;
}

static size_t names_in(const char *path)
{
	auto_closedir DIR *d = opendir(path);
	size_t n = 0;

	if (!d)
		abort();
	while (readdir(d))
		n++;
	return n - 2;
}

static void check_host(void)
{
	char text[16] = "";
	auto_close int fd = open(HOST_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) != 5 || !STREQ(text, "safe\n"))
		abort();
	if (fstat(fd, &st) < 0 || st.st_nlink != 1 || st.st_mode != (S_IFREG | 0644) || st.st_uid != geteuid())
		abort();
	if (names_in(PLACE) != 2 || names_in(PLACE "/host") != 1 || names_in(PLACE "/lxc") != 1)
		abort();
}

static void make_container(void)
{
	if (mkdir(PLACE "/lxc/c", 0755) < 0 || mkdir(PLACE "/lxc/c/rootfs", 0755) < 0)
		abort();
	write_text(PLACE "/lxc/c/config", "lxc.uts.name = c\n");
}

static void remove_container(void)
{
	struct err *e = NULL;
	auto_close int fd = open(PLACE "/lxc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || storage_rmtree(fd, "c", &e) < 0)
		abort();
}

/* The first look at it prints what it finds. */
static void look(bool trust)
{
	auto_close int saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	const struct policy p = { .dir = PLACE "/lxc", .maps = NULL, .trust = trust };
	struct err *e = NULL;

	(void)fflush(stdout);
	if (null < 0 || dup2(null, STDOUT_FILENO) < 0)
		abort();
	if (head(&p, &e) < 0 && !e)
		abort();
	if (saved < 0)
		(void)close(STDOUT_FILENO);
	else
		(void)dup2(saved, STDOUT_FILENO);
	err_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = size ? (const char *)data : "", *newline = memchr(text, '\n', size);
	size_t n = newline ? (size_t)(newline - text) : size;
	struct log l = LOG_INIT;
	struct unpacking u = {
		.dir = PLACE "/lxc/c",
		.name = "c",
		.rootfs = PLACE "/lxc/c/rootfs",
		.trust = has(text, n, 'T'),
		.new_identity = has(text, n, 'i'),
		.limit = has(text, n, 'l') ? LIMIT : 0,
		.caller_uid = 65536,
		.caller_gid = 65536,
	};
	struct err *e = NULL;
	int r;

	if (!size || !settle())
		return 0;
	make_stream(text, n, newline ? newline + 1 : text + size, newline ? size - n - 1 : 0);
	look(u.trust);
	if (lseek(STDIN_FILENO, 0, SEEK_SET) < 0)
		abort();
	make_container();
	r = unpack(&u, &l, &e);
	/* An error is told, and nothing else is. */
	if ((r < 0) != (e != NULL))
		abort();
	err_free(e);
	check_host();
	remove_container();
	return 0;
}

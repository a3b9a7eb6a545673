/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* archive_stream - the bytes of an archive: tar through libarchive, zstd around it, a digest between. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "archive.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/openat.h"

#define BLOCK ((size_t)128 << 10)
#define NS_PER_S UINT64_C(1000000000)
#define TICK_NS (NS_PER_S / 4)
#define THREADS_MAX 4
#define HEX_BYTES (2 * (size_t)DIGEST_BYTES)
#define MANIFEST_MAX 65536
#define REST_MAX ((size_t)1 << 20)
#define DIGEST_PREFIX "sha256 "

/* ---- on a terminal */

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void ticker_begin(struct ticker *t, const char *prog)
{
	*t = (struct ticker){ .prog = prog, .shown = isatty(STDERR_FILENO), .begun_ns = now_ns() };
}

void ticker_add(struct ticker *t, uint64_t bytes, uint64_t files)
{
	uint64_t now, passed;

	t->bytes += bytes;
	t->files += files;
	if (!t->shown)
		return;
	now = now_ns();
	passed = now - t->begun_ns;
	if (passed < NS_PER_S || now - t->told_ns < TICK_NS)
		return;
	t->told_ns = now;
	t->told = true;
	fprintf(stderr, "\r%s: %.1f MiB, %" PRIu64 " files, %.1f MiB/s\033[K", t->prog, (double)t->bytes / 1048576.0,
		t->files, (double)t->bytes / 1048576.0 / ((double)passed / (double)NS_PER_S));
	(void)fflush(stderr);
}

void ticker_end(struct ticker *t)
{
	if (t->told)
		fputs("\r\033[K", stderr);
	t->told = false;
}

static void hex(const unsigned char *p, char text[HEX_BYTES + 1])
{
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", p[i]);
}

/* ---- writing */

struct sink {
	int fd;
	struct archive *a;
	EVP_MD_CTX *digest;
	ZSTD_CCtx *z;
	void *block;
	size_t room;
	int failed;		/* errno of a write */
};

static int deflate_into(struct sink *s, const void *p, size_t n, ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = { .src = p, .size = n };
	size_t left;

	do {
		ZSTD_outBuffer out = { .dst = s->block, .size = s->room };
		int r;

		left = ZSTD_compressStream2(s->z, &out, &in, how);
		if (ZSTD_isError(left))
			return -EIO;
		r = out.pos ? io_write_all(s->fd, s->block, out.pos) : 0;
		if (r < 0)
			return r;
	} while (in.pos < in.size || (how == ZSTD_e_end && left));
	return 0;
}

static la_ssize_t on_write(struct archive *a, void *arg, const void *p, size_t n)
{
	struct sink *s = arg;
	int r;

	if (EVP_DigestUpdate(s->digest, p, n) != 1) {
		archive_set_error(a, EIO, "the digest failed");
		return -1;
	}
	r = deflate_into(s, p, n, ZSTD_e_continue);
	if (r < 0) {
		s->failed = -r;
		archive_set_error(a, -r, "writing failed");
		return -1;
	}
	return (la_ssize_t)n;
}

static int on_close(struct archive *a, void *arg)
{
	struct sink *s = arg;
	int r = s->failed ? 0 : deflate_into(s, NULL, 0, ZSTD_e_end);

	if (r < 0) {
		s->failed = -r;
		archive_set_error(a, -r, "writing failed");
		return ARCHIVE_FATAL;
	}
	return ARCHIVE_OK;
}

void sink_free(struct sink *s)
{
	if (!s)
		return;
	/* Not written to its end: what there is shall not look complete. */
	if (s->a) {
		s->failed = s->failed ? s->failed : ECANCELED;
		(void)archive_write_fail(s->a);
		(void)archive_write_free(s->a);
	}
	EVP_MD_CTX_free(s->digest);
	(void)ZSTD_freeCCtx(s->z);
	free(s->block);
	free(s);
}

int sink_open(int fd, int level, struct sink **ret, struct err **e)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct sink *s = calloc(1, sizeof(*s));

	if (!s)
		return err_no_memory(e);
	s->fd = fd;
	s->room = ZSTD_CStreamOutSize();
	s->block = malloc(s->room);
	s->digest = EVP_MD_CTX_new();
	s->z = ZSTD_createCCtx();
	s->a = archive_write_new();
	if (!s->block || !s->digest || !s->z || !s->a || EVP_DigestInit_ex(s->digest, EVP_sha256(), NULL) != 1) {
		sink_free(s);
		return err_no_memory(e);
	}
	(void)ZSTD_CCtx_setParameter(s->z, ZSTD_c_compressionLevel, level);
	(void)ZSTD_CCtx_setParameter(s->z, ZSTD_c_checksumFlag, 1);
	/* A library without threads refuses this, and does the same in one. */
	if (cpus > 1)
		(void)ZSTD_CCtx_setParameter(s->z, ZSTD_c_nbWorkers, (int)(cpus < THREADS_MAX ? cpus : THREADS_MAX));
	/* Names are bytes: without a locale those that are not ASCII are written and marked as such. */
	if (archive_write_set_format_pax(s->a) != ARCHIVE_OK ||
	    archive_write_set_format_option(s->a, "pax", "xattrheader", "SCHILY") != ARCHIVE_OK ||
	    /* The digest is taken when an entry has been written. */
	    archive_write_set_bytes_per_block(s->a, 0) != ARCHIVE_OK ||
	    archive_write_open(s->a, s, NULL, on_write, on_close) != ARCHIVE_OK) {
		int r = sink_fail(s, "beginning", e);

		sink_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

struct archive *sink_archive(struct sink *s)
{
	return s->a;
}

int sink_fail(struct sink *s, const char *doing, struct err **e)
{
	const char *why = archive_error_string(s->a);
	auto_free char *path = s->failed ? fd_path(s->fd) : NULL;
	char *slash = path && *path == '/' ? strrchr(path, '/') : NULL;

	/* The name is only for now, the directory is what is full. */
	if (slash && slash != path)
		*slash = '\0';
	if (slash && (s->failed == ENOSPC || s->failed == EDQUOT))
		return err_no_room(e, s->failed, path);
	if (s->failed)
		return err_set(e, s->failed, NULL, "cannot write the archive%s%s", slash ? " in " : "", slash ? path : "");
	return err_set(e, EIO, NULL, "%s the archive failed: %s", doing, why ? why : "out of memory");
}

static void auto_entry_fn(struct archive_entry **entry)
{
	archive_entry_free(*entry);
}
#define auto_entry __attribute__((cleanup(auto_entry_fn)))

int sink_add(struct sink *s, const char *name, unsigned mode, const void *p, size_t n, struct err **e)
{
	auto_entry struct archive_entry *entry = archive_entry_new();

	if (!entry)
		return err_no_memory(e);
	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, mode);
	archive_entry_set_size(entry, (la_int64_t)n);
	archive_entry_set_mtime(entry, time(NULL), 0);
	if (archive_write_header(s->a, entry) < ARCHIVE_WARN || (n && archive_write_data(s->a, p, n) != (la_ssize_t)n) ||
	    archive_write_finish_entry(s->a) != ARCHIVE_OK)
		return sink_fail(s, "writing", e);
	return 0;
}

int sink_close(struct sink *s, struct err **e)
{
	unsigned char value[EVP_MAX_MD_SIZE];
	char text[HEX_BYTES + 1], line[sizeof(DIGEST_PREFIX) + HEX_BYTES + 1];
	EVP_MD_CTX *copy = EVP_MD_CTX_new();
	bool ok;
	int r;

	ok = copy && EVP_MD_CTX_copy_ex(copy, s->digest) == 1 && EVP_DigestFinal_ex(copy, value, NULL) == 1;
	EVP_MD_CTX_free(copy);
	if (!ok)
		return err_no_memory(e);
	hex(value, text);
	(void)snprintf(line, sizeof(line), DIGEST_PREFIX "%s\n", text);
	r = sink_add(s, ARCHIVE_DIGEST, 0644, line, strlen(line), e);
	/* The library does not hand on what our own end of it says. */
	if (r == 0 && (archive_write_close(s->a) != ARCHIVE_OK || s->failed))
		r = sink_fail(s, "ending", e);
	if (r == 0) {
		(void)archive_write_free(s->a);
		s->a = NULL;
	}
	return r;
}

/* ---- reading */

/* The digest runs one block behind: where it ends is known only when the last entry has been seen. */
struct block {
	unsigned char *p;
	size_t n;
	uint64_t at;		/* in the tar */
};

struct source {
	int fd;
	struct archive *a;
	EVP_MD_CTX *digest;
	ZSTD_DCtx *z;
	void *in_block;
	ZSTD_inBuffer in;
	bool eof;
	bool frame_open;	/* a compressed frame has begun and not ended */
	struct block now, before;
	char why[128];		/* what is wrong with the stream, "" nothing */
};

/* Bytes of the tar, 0 at the end, -errno. */
static ssize_t inflate_some(struct source *s, void *p, size_t n)
{
	ZSTD_outBuffer out = { .dst = p, .size = n };

	while (out.pos < out.size) {
		size_t r;

		if (s->in.pos == s->in.size && !s->eof) {
			ssize_t got;

			do {
				got = read(s->fd, s->in_block, BLOCK);
			} while (got < 0 && errno == EINTR);
			if (got < 0)
				return -errno;
			s->in = (ZSTD_inBuffer){ .src = s->in_block, .size = (size_t)got };
			s->eof = got == 0;
		}
		if (s->eof && !s->frame_open)
			break;
		r = ZSTD_decompressStream(s->z, &out, &s->in);
		if (ZSTD_isError(r)) {
			(void)snprintf(s->why, sizeof(s->why), "its compressed data is damaged (%s)", ZSTD_getErrorName(r));
			return -EBADMSG;
		}
		if (s->eof && r != 0 && out.pos < out.size) {
			(void)snprintf(s->why, sizeof(s->why), "it is cut off");
			return -EBADMSG;
		}
		s->frame_open = r != 0;
	}
	return (ssize_t)out.pos;
}

static la_ssize_t on_read(struct archive *a, void *arg, const void **ret)
{
	struct source *s = arg;
	struct block old = s->before;
	ssize_t n;

	if (old.n && EVP_DigestUpdate(s->digest, old.p, old.n) != 1)
		return -1;
	s->before = s->now;
	s->now = (struct block){ .p = old.p, .at = s->before.at + s->before.n };
	n = inflate_some(s, s->now.p, BLOCK);
	if (n < 0) {
		archive_set_error(a, (int)-n, "%s", *s->why ? s->why : strerror((int)-n));
		return -1;
	}
	s->now.n = (size_t)n;
	*ret = s->now.p;
	return n;
}

void source_free(struct source *s)
{
	if (!s)
		return;
	(void)archive_read_free(s->a);
	EVP_MD_CTX_free(s->digest);
	(void)ZSTD_freeDCtx(s->z);
	free(s->in_block);
	free(s->now.p);
	free(s->before.p);
	free(s);
}

int source_open(int fd, struct source **ret, struct err **e)
{
	struct source *s = calloc(1, sizeof(*s));

	if (!s)
		return err_no_memory(e);
	s->fd = fd;
	s->in_block = malloc(BLOCK);
	s->now.p = malloc(BLOCK);
	s->before.p = malloc(BLOCK);
	s->digest = EVP_MD_CTX_new();
	s->z = ZSTD_createDCtx();
	s->a = archive_read_new();
	if (!s->in_block || !s->now.p || !s->before.p || !s->digest || !s->z || !s->a ||
	    EVP_DigestInit_ex(s->digest, EVP_sha256(), NULL) != 1) {
		source_free(s);
		return err_no_memory(e);
	}
	if (archive_read_support_format_tar(s->a) != ARCHIVE_OK ||
	    archive_read_open(s->a, s, NULL, on_read, NULL) != ARCHIVE_OK) {
		int r = err_archive_foreign(e, *s->why ? s->why : "it cannot be read");

		source_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

struct archive *source_archive(struct source *s)
{
	return s->a;
}

int source_fail(struct source *s, struct err **e)
{
	const char *why = archive_error_string(s->a);

	if (*s->why)
		return err_archive_damaged(e, s->why);
	return err_archive_damaged(e, why ? why : "it cannot be read");
}

int source_next(struct source *s, struct archive_entry **ret, struct err **e)
{
	int r = archive_read_next_header(s->a, ret);

	if (r == ARCHIVE_EOF)
		return 0;
	/* A warning is about a name in another character set: names are bytes here. */
	return r == ARCHIVE_OK || r == ARCHIVE_WARN ? 1 : source_fail(s, e);
}

int source_text(struct source *s, struct archive_entry *entry, char **ret, size_t *ret_len, struct err **e)
{
	la_int64_t size = archive_entry_size(entry);
	const char *name = archive_entry_pathname(entry);
	auto_free char *p = NULL;
	size_t got = 0;

	if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry))
		return err_archive_hostile(e, name, "is no regular file");
	if (size < 0 || (uint64_t)size > ARCHIVE_SMALL_MAX)
		return err_archive_hostile(e, name, "is larger than such a file may be");
	p = malloc((size_t)size + 1);
	if (!p)
		return err_no_memory(e);
	while (got < (size_t)size) {
		la_ssize_t n = archive_read_data(s->a, p + got, (size_t)size - got);

		if (n < 0)
			return source_fail(s, e);
		if (n == 0)
			return err_archive_damaged(e, "it is cut off");
		got += (size_t)n;
	}
	p[got] = '\0';
	*ret = take_ptr(p);
	if (ret_len)
		*ret_len = got;
	return 0;
}

/* "tiffin-container 1", then lines "KEY = VALUE". */
static int read_manifest(char *text, char **ret_name, struct err **e)
{
	const char *rest = str_after(text, ARCHIVE_MAGIC);
	auto_free char *name = NULL;
	char *line;
	int version;

	if (!rest || strlen(text) > MANIFEST_MAX)
		return err_archive_foreign(e, "its first entry is no manifest");
	line = strchr(text, '\n');
	if (!line)
		return err_archive_foreign(e, "its manifest has no lines");
	*line++ = '\0';
	if (num_int(rest, 10, &version) < 0 || version != ARCHIVE_FORMAT)
		return err_archive_foreign(e, "its manifest has a version that is not known here");
	line = (char *)(uintptr_t)str_after(line, "name = ");
	if (!line)
		return err_archive_foreign(e, "its manifest has no name");
	name = strndup(line, strcspn(line, "\n"));
	if (!name)
		return err_no_memory(e);
	if (name_check(name, e) < 0)
		return err_wrap(e, -EINVAL, "reading the manifest of the archive");
	*ret_name = take_ptr(name);
	return 0;
}

static int expect(struct source *s, const char *name, char **ret, struct err **e)
{
	struct archive_entry *entry;
	size_t n;
	struct err *mine = NULL;
	int r = source_next(s, &entry, &mine);

	/* Nothing could be made of it at all. */
	if (r < 0 && !s->now.n && !s->now.at) {
		err_free(mine);
		return err_archive_foreign(e, *s->why ? s->why : "it is empty");
	}
	if (r < 0)
		err_move(e, mine);
	if (r == 0 || (r > 0 && !STREQ(archive_entry_pathname(entry), name)))
		return err_archive_foreign(e, "it does not begin with manifest and configuration");
	if (r > 0)
		r = source_text(s, entry, ret, &n, e);
	if (r == 0 && strlen(*ret) != n)
		r = err_archive_hostile(e, name, "holds a zero byte");
	return r;
}

int source_begin(struct source *s, char **ret_name, char **ret_config, struct err **e)
{
	auto_free char *manifest = NULL, *config = NULL;
	int r = expect(s, ARCHIVE_MANIFEST, &manifest, e);

	if (r == 0)
		r = read_manifest(manifest, ret_name, e);
	if (r == 0)
		r = expect(s, ARCHIVE_CONFIG, &config, e);
	if (r == 0)
		*ret_config = take_ptr(config);
	return r;
}

static int add_up_to(struct source *s, const struct block *b, uint64_t end)
{
	if (!b->n || b->at >= end)
		return 1;
	return EVP_DigestUpdate(s->digest, b->p, MIN((uint64_t)b->n, end - b->at));
}

/* Behind the digest there is the end of the tar, which is zeros, and nothing else. */
static int check_rest(struct source *s, struct err **e)
{
	struct archive_entry *entry;
	unsigned char more[512];
	size_t rest = 0;
	ssize_t n;
	int r = source_next(s, &entry, e);

	if (r < 0)
		return r;
	if (r > 0)
		return err_archive_hostile(e, archive_entry_pathname(entry), "stands behind the digest");
	while ((n = inflate_some(s, more, sizeof(more))) > 0) {
		/* Zeros without an end would be read for ever. */
		rest += (size_t)n;
		if (rest > REST_MAX)
			return err_archive_damaged(e, "something follows its end");
		for (ssize_t i = 0; i < n; i++)
			if (more[i])
				return err_archive_damaged(e, "something follows its end");
	}
	return n < 0 ? source_fail(s, e) : 0;
}

int source_verify(struct source *s, struct archive_entry *entry, struct err **e)
{
	la_int64_t at = archive_read_header_position(s->a);
	unsigned char value[EVP_MAX_MD_SIZE];
	char text[HEX_BYTES + 1];
	auto_free char *given = NULL;
	int r;

	if (at < 0 || (s->before.n && (uint64_t)at < s->before.at))
		return err_archive_damaged(e, "its digest is not where it should be");
	if (add_up_to(s, &s->before, (uint64_t)at) != 1 || add_up_to(s, &s->now, (uint64_t)at) != 1 ||
	    EVP_DigestFinal_ex(s->digest, value, NULL) != 1)
		return err_no_memory(e);
	hex(value, text);
	/* What is read from here on is not counted any more. */
	(void)EVP_DigestInit_ex(s->digest, EVP_sha256(), NULL);
	r = source_text(s, entry, &given, NULL, e);
	if (r < 0)
		return r;
	if (!str_after(given, DIGEST_PREFIX) || strncmp(given + strlen(DIGEST_PREFIX), text, HEX_BYTES) != 0 ||
	    !STREQ(given + strlen(DIGEST_PREFIX) + HEX_BYTES, "\n"))
		return err_archive_damaged(e, "its digest does not fit its content");
	return check_rest(s, e);
}

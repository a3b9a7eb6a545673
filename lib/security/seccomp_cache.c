/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#define LOG_CATEGORY "seccomp"
#include "security/seccomp_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/str.h"
#include "security/seccomp_policy.h"

#define MAGIC UINT64_C(0x31706d6363657354)
#define SUFFIX ".bpf"
#define ENTRIES_MAX 64	/* a machine has a handful of policies; more means that somebody edits them */
#define KEY_MAX 128
#define FILE_MAX (SECCOMP_POLICY_MAX + KEY_MAX + 4096 * sizeof(struct sock_filter) + sizeof(struct head) + 8)

/* Then: key, policy, program, and the hash of all that stands before it. */
struct head {
	uint64_t magic;
	uint32_t key_len, policy_len;
	uint32_t program_len;	/* instructions */
	uint32_t notify;
};

int seccomp_cache_open(const char *dir, struct log *l)
{
	const char *slash = dir ? strrchr(dir, '/') : NULL;
	auto_free char *above = slash > dir ? strndup(dir, (size_t)(slash - dir)) : NULL;
	auto_close int fd = -EBADF, parent = -EBADF;
	struct stat st;

	if (!above)
		return -ENOENT;
	/* Neither the directory nor the one above it may be a link of somebody's. */
	parent = open(above, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (parent < 0 || fstat(parent, &st) < 0)
		return -errno;
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022)) {
		log_info(l, "%s is not ours alone and gets no cache of seccomp programs", above);
		return -EPERM;
	}
	if (mkdirat(parent, slash + 1, 0700) < 0 && errno != EEXIST)
		log_debug(l, "cannot create %s: %s", dir, strerror(errno));
	fd = openat(parent, slash + 1, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		log_debug(l, "no cache of seccomp programs in %s: %s", dir, strerror(errno));
		return -errno;
	}
	if (st.st_uid != geteuid() || (st.st_mode & 022)) {
		log_info(l, "%s is not ours alone and not used as a cache of seccomp programs", dir);
		return -EPERM;
	}
	return take_fd(&fd);
}

static void file_name(const struct seccomp_cache_key *key, char buf[static 32])
{
	uint64_t h = hash_fnv1a(key->host, strlen(key->host) + 1, HASH_FNV1A_INIT);

	h = hash_fnv1a(key->policy, key->policy_len, h);
	(void)snprintf(buf, 32, "%016" PRIx64 SUFFIX, h);
}

static bool take(const void **p, size_t *left, void *to, size_t n)
{
	if (n > *left)
		return false;
	memcpy(to, *p, n);
	*p = (const char *)*p + n;
	*left -= n;
	return true;
}

static bool skip_equal(const void **p, size_t *left, const void *want, size_t n)
{
	if (n > *left || memcmp(*p, want, n) != 0)
		return false;
	*p = (const char *)*p + n;
	*left -= n;
	return true;
}

static int unpack(const char *text, size_t len, const struct seccomp_cache_key *key,
		  struct seccomp_program *ret)
{
	auto_free struct sock_filter *filter = NULL;
	const void *p = text;
	struct head h;
	uint64_t sum;
	size_t left = len;

	if (!take(&p, &left, &h, sizeof(h)) || h.magic != MAGIC || h.notify > 1 || h.program_len == 0 ||
	    h.program_len > BPF_MAXINSNS || h.key_len != strlen(key->host) || h.policy_len != key->policy_len)
		return -EINVAL;
	if (!skip_equal(&p, &left, key->host, h.key_len) || !skip_equal(&p, &left, key->policy, h.policy_len))
		return -EINVAL;
	filter = calloc(h.program_len, sizeof(*filter));
	if (!filter)
		return -ENOMEM;
	if (!take(&p, &left, filter, h.program_len * sizeof(*filter)) || !take(&p, &left, &sum, sizeof(sum)) ||
	    left != 0 || sum != hash_fnv1a(text, len - sizeof(sum), HASH_FNV1A_INIT))
		return -EINVAL;
	*ret = (struct seccomp_program){ take_ptr(filter), (unsigned short)h.program_len, h.notify };
	return 0;
}

int seccomp_cache_get(int dirfd, const struct seccomp_cache_key *key, struct seccomp_program *ret)
{
	auto_free char *text = NULL;
	auto_close int fd = -EBADF;
	char name[32];
	struct stat st;
	size_t len = 0;

	if (dirfd < 0)
		return -ENOENT;
	file_name(key, name);
	fd = io_open_regular(dirfd, name, O_NOFOLLOW, NULL);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 07777) != 0600 ||
	    st.st_nlink != 1)
		return -ENOENT;
	if (io_read_fd(fd, FILE_MAX, &text, &len) < 0)
		return -ENOENT;
	return unpack(text, len, key, ret) < 0 ? -ENOENT : 0;
}

/* Programs of policies that were edited since are of no use: at the limit all go. */
static void sweep(int dirfd)
{
	auto_closedir DIR *d = io_opendir(dirfd, ".");
	unsigned n = 0;

	if (!d)
		return;
	for (int pass = 0; pass < 2; pass++) {
		rewinddir(d);
		for (struct dirent *de; (de = readdir(d)) != NULL;) {
			if (!strstr(de->d_name, SUFFIX))
				continue;
			if (pass)
				(void)unlinkat(dirfd, de->d_name, 0);
			else
				n++;
		}
		if (n < ENTRIES_MAX)
			return;
	}
}

void seccomp_cache_put(int dirfd, const struct seccomp_cache_key *key, const struct seccomp_program *p,
		       struct log *l)
{
	auto_buf struct buf b = BUF_INIT(FILE_MAX);
	auto_err struct err *e = NULL;
	char name[32];
	struct head h = { MAGIC, (uint32_t)strlen(key->host), (uint32_t)key->policy_len, p->len, p->notify };
	uint64_t sum;

	if (dirfd < 0)
		return;
	buf_add(&b, &h, sizeof(h));
	buf_adds(&b, key->host);
	buf_add(&b, key->policy, key->policy_len);
	buf_add(&b, p->filter, p->len * sizeof(*p->filter));
	if (!buf_ok(&b))
		return;
	sum = hash_fnv1a(b.p, b.len, HASH_FNV1A_INIT);
	buf_add(&b, &sum, sizeof(sum));
	file_name(key, name);
	sweep(dirfd);
	if (!buf_ok(&b) || io_replace_volatile(dirfd, name, b.p, b.len, 0600, &e) < 0)
		log_debug(l, "the seccomp program is not kept: %s", e ? e->what : "no memory");
}

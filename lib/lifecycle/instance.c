/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "lifecycle/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "kernel/openat.h"
#include "kernel/proc.h"
#include "lifecycle/lock.h"
#include "lifecycle/states.h"

/* The state file: "tiffin-state 2 LENGTH SUM", then so many bytes that have this FNV-1a sum. The file is written over where
 * it is: a reader that finds another sum looks again. "tiffin-state 1", with all that follows, is of an earlier version,
 * which made a new file at each change. */
#define STATE_VERSION_1 "tiffin-state 1\n"
#define STATE_HEAD "tiffin-state 2 "
#define TORN_LOOKS 50
#define TORN_WAIT_NS 2000000	/* enough for a writer that lost its processor in between */
#define STATE_SIZE_MAX (1U << 20)
#define CONFIG_SIZE_MAX (8U << 20)

/* One component: opened (made) without following symlinks, owned by us, not writable by others. */
static int open_component(int at, const char *name, bool create, mode_t mode, struct err **e)
{
	auto_close int fd = -EBADF;
	struct stat st;

	if (create && mkdirat(at, name, mode) < 0 && errno != EEXIST)
		return err_set(e, errno, NULL, "cannot create %s in the run directory", name);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0)
		return err_set(e, errno, NULL, "cannot open %s in the run directory", name);
	if (fstat(fd, &st) < 0)
		return err_set(e, errno, NULL, "cannot stat %s in the run directory", name);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return err_untrusted_directory(e, name, (unsigned)st.st_uid);
	return take_fd(&fd);
}

/* Where others may rename what is ours, "lxc" could become another one between two looks. */
static int check_rundir(int fd, const char *rundir, struct err **e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, NULL, "cannot stat run directory %s", rundir);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX)))
		return err_untrusted_rundir(e, rundir, (unsigned)st.st_uid);
	return 0;
}

int instance_rundir(const char *rundir, const char *below, mode_t mode, bool create, struct err **e)
{
	auto_close int fd = -EBADF;
	auto_strv struct strv parts = { 0 };
	int r;

	if (path_has_dotdot(below))
		return err_set(e, EINVAL, NULL, "%s in the run directory contains '..'", below);
	fd = create ? lock_rundir(rundir) : open(rundir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && !create)
		fd = -errno;
	if (fd == -ENOENT && !create)
		return -ENOENT;
	if (fd < 0)
		return err_set(e, -fd, NULL, "cannot open run directory %s", rundir);
	r = check_rundir(fd, rundir, e);
	if (r < 0)
		return r;
	if (strv_split(&parts, below, "/") < 0)
		return err_no_memory(e);
	for (size_t i = 0; i < parts.n; i++) {
		/* "lxc" is shared with lock files and lxc-net, hence readable. */
		int next = open_component(fd, parts.v[i], create, i == 0 ? 0755 : mode, e);

		if (next < 0)
			return next;
		fd_replace(&fd, next);
	}
	return take_fd(&fd);
}

#define TOP "lxc/instance"

int instance_top(const char *rundir, struct err **e)
{
	return instance_rundir(rundir, TOP, 0700, false, e);
}

int instance_dir_in(int top, const char *lxcpath, const char *name, struct err **e)
{
	auto_free char *inner = NULL;
	struct stat st = { 0 };
	int fd;

	if (asprintf(&inner, "%s/%s", lxcpath + strspn(lxcpath, "/"), name) < 0)
		return err_no_memory(e);
	if (path_has_dotdot(inner))
		return err_set(e, EINVAL, NULL, "lxcpath %s contains '..'", lxcpath);
	/* What is below a directory that is ours can only have been made by us: one look finds it. */
	fd = open_no_symlinks(top, inner, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -ENOENT)
		return -ENOENT;
	if (fd < 0)
		return err_set(e, -fd, NULL, "cannot open %s in the run directory", inner);
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & 022))
		return fd;
	fd_close(fd);
	return err_untrusted_directory(e, inner, (unsigned)st.st_uid);
}

int instance_dir(const char *rundir, const char *lxcpath, const char *name, bool create, struct err **e)
{
	auto_close int top = instance_top(rundir, e);
	auto_free char *below = NULL;
	int fd = top < 0 ? top : instance_dir_in(top, lxcpath, name, e);

	if (fd != -ENOENT || !create)
		return fd;
	if (asprintf(&below, TOP "/%s/%s", lxcpath + strspn(lxcpath, "/"), name) < 0)
		return err_no_memory(e);
	return instance_rundir(rundir, below, 0700, true, e);
}

static void add_block(struct buf *b, const char *key, const char *text)
{
	if (text)
		buf_addf(b, "%s %zu\n%s\n", key, strlen(text), text);
}

int instance_write(int dirfd, const struct instance_state *s, char **last, struct err **e)
{
	auto_buf struct buf b = BUF_INIT(STATE_SIZE_MAX), file = BUF_INIT(STATE_SIZE_MAX);
	int r;

	buf_addf(&b, "state %s\n", state_name(s->state));
	buf_addf(&b, "monitor %d %llu\n", s->monitor_pid, (unsigned long long)s->monitor_start);
	buf_addf(&b, "init %d %llu\n", s->init_pid, (unsigned long long)s->init_start);
	buf_addf(&b, "flags %llu\n", (unsigned long long)s->all_flags);
	buf_addf(&b, "exit %d\n", s->exit_status);
	buf_addf(&b, "application %d\n", s->application);
	buf_addf(&b, "oom %llu\n", (unsigned long long)s->oom_kills);
	add_block(&b, "stopper", s->stopper);
	add_block(&b, "boot", s->boot_id);
	add_block(&b, "error", s->error);
	add_block(&b, "cgroups", s->cgroups);
	add_block(&b, "net", s->net);
	if (!buf_ok(&b))
		return err_no_memory(e);
	if (last && *last && STREQ(*last, buf_str(&b)))
		return 0;
	buf_addf(&file, STATE_HEAD "%zu %016" PRIx64 "\n", b.len, hash_fnv1a(b.p, b.len, HASH_FNV1A_INIT));
	buf_add(&file, b.p, b.len);
	if (!buf_ok(&file))
		return err_no_memory(e);
	r = io_overwrite(dirfd, "state", file.p, file.len);
	if (r < 0)
		r = io_replace_volatile(dirfd, "state", file.p, file.len, 0600, e);
	if (r == 0 && last) {
		free(*last);
		*last = buf_take(&b);
	}
	return r;
}

int instance_write_config(int dirfd, const char *text, size_t len, struct err **e)
{
	auto_close int fd = openat(dirfd, "config", O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	struct stat st;
	int r;

	/* That of the run before is written over: nobody reads it while the state says that nothing runs. */
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1)
		return io_replace_volatile(dirfd, "config", text, len, 0600, e);
	r = io_write_all(fd, text, len);
	if (r == 0 && (size_t)st.st_size > len && ftruncate(fd, (off_t)len) < 0)
		r = -errno;
	return r < 0 ? err_set(e, -r, NULL, "cannot write the configuration of the container into the run directory") : 0;
}

/* Two numbers of a line "KEY A B". */
static int read_pair(const char *line, pid_t *pid, uint64_t *start)
{
	auto_free char *copy = strdup(line);
	char *space = copy ? strchr(copy, ' ') : NULL;
	int64_t v;

	if (!space)
		return -EINVAL;
	*space = '\0';
	if (num_i64(copy, 10, 0, INT32_MAX, &v) < 0 || num_u64(space + 1, 10, UINT64_MAX, start) < 0)
		return -EINVAL;
	*pid = (pid_t)v;
	return 0;
}

static int read_field(struct instance_state *s, const char *key, const char *value)
{
	uint64_t n;

	if (strcmp(key, "state") == 0) {
		s->state = (int)state_by_name(value);
		return s->state == STATE_MAX ? -EINVAL : 0;
	}
	if (strcmp(key, "monitor") == 0)
		return read_pair(value, &s->monitor_pid, &s->monitor_start);
	if (strcmp(key, "init") == 0)
		return read_pair(value, &s->init_pid, &s->init_start);
	if (strcmp(key, "flags") == 0)
		return num_u64(value, 10, UINT64_MAX, &s->all_flags);
	if (strcmp(key, "oom") == 0)
		return num_u64(value, 10, UINT64_MAX, &s->oom_kills);
	if (strcmp(key, "exit") == 0)
		return num_int(value, 10, &s->exit_status);
	if (strcmp(key, "application") == 0) {
		int r = num_u64(value, 10, 1, &n);

		s->application = r == 0 && n;
		return r;
	}
	return 0;
}

/* Blocks carry their length, so that their text may be anything. */
static char **block_of(struct instance_state *s, const char *key)
{
	if (strcmp(key, "boot") == 0)
		return &s->boot_id;
	if (strcmp(key, "error") == 0)
		return &s->error;
	if (strcmp(key, "stopper") == 0)
		return &s->stopper;
	if (strcmp(key, "cgroups") == 0)
		return &s->cgroups;
	return strcmp(key, "net") == 0 ? &s->net : NULL;
}

static int parse(struct instance_state *s, char *text, size_t len)
{
	char *p = text, *end = text + len;

	while (p < end) {
		char *nl = memchr(p, '\n', (size_t)(end - p)), *space, **block;
		uint64_t n;

		if (!nl)
			return -EINVAL;
		*nl = '\0';
		space = strchr(p, ' ');
		if (!space)
			return -EINVAL;
		*space++ = '\0';
		block = block_of(s, p);
		if (!block) {
			if (read_field(s, p, space) < 0)
				return -EINVAL;
			p = nl + 1;
			continue;
		}
		if (num_u64(space, 10, (uint64_t)(end - nl), &n) < 0 || nl + 1 + n >= end)
			return -EINVAL;
		free(*block);
		*block = strndup(nl + 1, n);
		if (!*block)
			return -ENOMEM;
		p = nl + 1 + n + 1;
	}
	return 0;
}

static int err_damaged(struct err **e)
{
	return err_set(e, EINVAL, NULL, "the state file of the container is damaged");
}

/* What follows the head of the file. -EINVAL: this is no state file; -EAGAIN: it seems to have been read while it was
 * written. */
static int find_body(char *text, size_t len, char **body, size_t *body_len)
{
	char *nl = memchr(text, '\n', len), *sum;
	uint64_t n, expected;

	if (!nl)
		return -EINVAL;
	*body = nl + 1;
	*body_len = len - (size_t)(*body - text);
	if (strncmp(text, STATE_VERSION_1, strlen(STATE_VERSION_1)) == 0)
		return 0;
	if (strncmp(text, STATE_HEAD, strlen(STATE_HEAD)) != 0)
		return -EINVAL;
	*nl = '\0';
	text += strlen(STATE_HEAD);
	sum = strchr(text, ' ');
	if (!sum)
		return -EAGAIN;
	*sum++ = '\0';
	if (num_u64(text, 10, *body_len, &n) < 0 || num_u64(sum, 16, UINT64_MAX, &expected) < 0 ||
	    hash_fnv1a(*body, n, HASH_FNV1A_INIT) != expected)
		return -EAGAIN;
	*body_len = n;
	(*body)[n] = '\0';
	return 0;
}

static int read_once(int dirfd, char **ret, size_t *ret_len, struct err **e)
{
	auto_err struct err *mine = NULL;
	auto_close int fd = io_open_regular(dirfd, "state", O_NOFOLLOW, &mine);
	int r;

	if (fd == -ENOENT)
		return -ENOENT;
	if (fd < 0) {
		r = fd;
		err_move(e, take_ptr(mine));
		return r;
	}
	r = io_read_fd(fd, STATE_SIZE_MAX, ret, ret_len);
	return r < 0 ? err_set(e, -r, NULL, "cannot read the state file of the container") : 0;
}

/* *ret is the whole text, to be freed, which has the body in it. */
static int read_state(int dirfd, char **ret, char **body, size_t *body_len, struct err **e)
{
	static const struct timespec wait = { .tv_nsec = TORN_WAIT_NS };
	size_t len;
	int r;

	for (unsigned looks = 0;; looks++) {
		r = read_once(dirfd, ret, &len, e);
		if (r < 0)
			return r;
		/* The system crashed before the disk had it. */
		if (len == 0 || **ret == '\0')
			return -ESTALE;
		r = find_body(*ret, len, body, body_len);
		if (r != -EAGAIN || looks == TORN_LOOKS)
			break;
		free(*ret);
		*ret = NULL;
		(void)nanosleep(&wait, NULL);
	}
	return r < 0 ? err_damaged(e) : 0;
}

/* The same for as long as a process lives. */
static char own_boot[64];

static void read_own_boot(void)
{
	if (io_read_line(AT_FDCWD, "/proc/sys/kernel/random/boot_id", own_boot, sizeof(own_boot)) <= 0)
		*own_boot = '\0';
}

static bool is_of_another_boot(const char *id)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, read_own_boot);
	return *own_boot && strcmp(own_boot, id) != 0;
}

int instance_read(int dirfd, bool with_config, struct instance_state *ret, struct err **e)
{
	struct instance_state s = { .exit_status = -1 };
	auto_free char *text = NULL;
	char *body = NULL;
	size_t len = 0;
	int r;

	r = read_state(dirfd, &text, &body, &len, e);
	if (r < 0)
		return r;
	r = parse(&s, body, len);
	if (r < 0) {
		instance_state_done(&s);
		return err_damaged(e);
	}
	/* That something has stopped, and did not fail, is as true after a boot. */
	if ((s.state != STATE_STOPPED || s.error) && s.boot_id && is_of_another_boot(s.boot_id)) {
		instance_state_done(&s);
		return -ESTALE;
	}
	if (with_config) {
		r = io_read_file(dirfd, "config", CONFIG_SIZE_MAX, &s.config, NULL, e);
		if (r < 0) {
			instance_state_done(&s);
			return r;
		}
	}
	*ret = s;
	return 0;
}

void instance_state_done(struct instance_state *s)
{
	free(s->boot_id);
	free(s->error);
	free(s->stopper);
	free(s->cgroups);
	free(s->net);
	free(s->config);
	*s = (struct instance_state){ 0 };
}

void instance_clear(int dirfd)
{
	(void)unlinkat(dirfd, "config", 0);
	(void)unlinkat(dirfd, "state", 0);
}

bool instance_alive(pid_t pid, uint64_t start)
{
	uint64_t now;

	return pid > 0 && proc_start_time(pid, &now) == 0 && now == start;
}

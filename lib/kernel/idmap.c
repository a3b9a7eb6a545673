/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "base/strv.h"
#include "kernel/ns.h"
#include "kernel/proc.h"
#include "kernel/socket.h"
#include "kernel/spawn.h"
#include "kernel/subid.h"

#define RANGES_MAX 340		/* of the kernel, for each kind */
#define IDS ((uint64_t)UINT32_MAX)	/* 0 to 4294967294; the last number means "no id" */

/* What differs between users and groups. */
struct kind {
	const char *name, *letter, *proc_file, *program;
};
static const struct kind kinds[2] = {
	{ "uid", "u", "uid_map", "newuidmap" },
	{ "gid", "g", "gid_map", "newgidmap" },
};

static void describe(const struct idmap_range *r, char text[64])
{
	(void)snprintf(text, 64, "%s %" PRIu32 " %" PRIu32 " %" PRIu32, kinds[r->gid].letter, r->nsid, r->hostid,
		       r->range);
}

static bool overlap(uint32_t a, uint32_t na, uint32_t b, uint32_t nb)
{
	return (uint64_t)a < (uint64_t)b + nb && (uint64_t)b < (uint64_t)a + na;
}

static int check_range(const struct idmap_range *r, struct err **e)
{
	char text[64];

	describe(r, text);
	if (r->range == 0)
		return err_at(e, err_idmap_range_bad(e, text, "it is empty"), r->at);
	if ((uint64_t)r->nsid + r->range > IDS || (uint64_t)r->hostid + r->range > IDS)
		return err_at(e, err_idmap_range_bad(e, text, "it goes beyond id 4294967294"), r->at);
	return 0;
}

static int overlap_error(const struct idmap_range *a, const struct idmap_range *b, const char *side, struct err **e)
{
	char first[64], second[64], where[300] = "";

	describe(a, first);
	describe(b, second);
	if (a->at.file)
		(void)snprintf(where, sizeof(where), " (%.200s:%u)", a->at.file, a->at.line);
	return err_at(e, err_idmap_overlap(e, second, first, where, side), b->at);
}

int idmap_check(const struct idmap *m, struct err **e)
{
	size_t count[2] = { 0, 0 };

	for (size_t i = 0; i < m->n; i++) {
		const struct idmap_range *b = &m->v[i];
		int r = check_range(b, e);

		if (r < 0)
			return r;
		if (++count[b->gid] > RANGES_MAX)
			return err_at(e, err_idmap_too_many(e, kinds[b->gid].name), b->at);
		for (size_t j = 0; j < i; j++) {
			const struct idmap_range *a = &m->v[j];

			if (a->gid != b->gid)
				continue;
			if (overlap(a->nsid, a->range, b->nsid, b->range))
				return overlap_error(a, b, "container", e);
			if (overlap(a->hostid, a->range, b->hostid, b->range))
				return overlap_error(a, b, "host", e);
		}
	}
	if (m->n && (!count[0] || !count[1]))
		return err_at(e, err_idmap_kind_missing(e, kinds[!count[1]].name, kinds[!count[1]].letter), m->v[0].at);
	return 0;
}

uint32_t idmap_to_host(const struct idmap *m, bool gid, uint32_t nsid)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct idmap_range *r = &m->v[i];

		if (r->gid == gid && nsid >= r->nsid && nsid - r->nsid < r->range)
			return r->hostid + (nsid - r->nsid);
	}
	return UINT32_MAX;
}

uint32_t idmap_to_ns(const struct idmap *m, bool gid, uint32_t hostid)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct idmap_range *r = &m->v[i];

		if (r->gid == gid && hostid >= r->hostid && hostid - r->hostid < r->range)
			return r->nsid + (hostid - r->hostid);
	}
	return UINT32_MAX;
}

/* The kernel takes a map in one write, shorter than a page. */
static int write_directly(const struct idmap *m, bool gid, pid_t pid)
{
	auto_buf struct buf text = BUF_INIT((size_t)sysconf(_SC_PAGESIZE) - 1);
	char path[64];

	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].gid == gid)
			buf_addf(&text, "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", m->v[i].nsid, m->v[i].hostid,
				 m->v[i].range);
	if (!buf_ok(&text))
		return -E2BIG;
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, kinds[gid].proc_file);
	return io_write_value(AT_FDCWD, path, buf_str(&text));
}

/* True if grants, together, cover the whole range; one id of the user's own needs none. */
static bool is_granted(const struct subids *grants, const struct idmap_range *r, uint64_t own)
{
	uint64_t at = r->hostid, end = at + r->range;
	bool moved = true;

	if (r->range == 1 && r->hostid == own)
		return true;
	while (at < end && moved) {
		moved = false;
		for (size_t i = 0; i < grants->n; i++) {
			const struct subid_range *s = &grants->v[i];

			if (at >= s->first && at < (uint64_t)s->first + s->count) {
				at = (uint64_t)s->first + s->count;
				moved = true;
			}
		}
	}
	return at >= end;
}

/* The helper that is found must have a right of its own. */
static int check_helper(const char *program, struct err **e)
{
	static const char *const dirs[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin" };
	char path[64];
	struct statvfs v;
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dirs[i], program);
		if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		if (((st.st_mode & S_ISUID) && st.st_uid == 0) ||
		    getxattr(path, "security.capability", NULL, 0) > 0) {
			if (statvfs(path, &v) < 0 || !(v.f_flag & ST_NOSUID))
				return 0;
		}
		return err_idmap_helper_powerless(e, path);
	}
	return 0;
}

/* Says which range the helper refused, if it can be told from the file; else leaves its own words. */
static int explain_refusal(const struct idmap *m, bool gid, int r, struct err **e)
{
	const struct kind *k = &kinds[gid];
	auto_err struct err *mine = NULL;
	struct subids grants = { 0 };
	char user[SUBID_USER_MAX];

	if (!e || !*e || err_is(*e, "program-missing"))
		return r;
	subid_user(user);
	if (subid_read(gid, &grants, NULL) == 0)
		for (size_t i = 0; i < m->n; i++) {
			const struct idmap_range *range = &m->v[i];

			if (range->gid != gid || is_granted(&grants, range, gid ? getgid() : getuid()))
				continue;
			r = err_idmap_not_granted(e, k->name, range->hostid, range->hostid + range->range - 1, user,
						  subid_file(gid), subid_option(gid));
			r = err_at(e, r, range->at);
			VEC_DONE(&grants);
			return r;
		}
	VEC_DONE(&grants);
	(void)check_helper(k->program, &mine);
	if (mine) {
		r = -EPERM;
		err_free(*e);
		*e = take_ptr(mine);
	}
	return r;
}

static int write_by_helper(const struct idmap *m, bool gid, pid_t pid, struct err **e)
{
	auto_strv struct strv argv = { 0 };
	struct spawn s = SPAWN_INIT;
	int r = strv_add(&argv, kinds[gid].program);

	if (r == 0)
		r = strv_addf(&argv, "%d", pid);
	for (size_t i = 0; i < m->n && r == 0; i++) {
		const uint32_t numbers[] = { m->v[i].nsid, m->v[i].hostid, m->v[i].range };

		for (size_t j = 0; j < 3 && r == 0 && m->v[i].gid == gid; j++)
			r = strv_addf(&argv, "%" PRIu32, numbers[j]);
	}
	if (r < 0)
		return err_no_memory(e);
	s.path = kinds[gid].program;
	s.argv = argv.v;
	s.timeout_ms = 30000;
	r = spawn_check(&s, e);
	return r < 0 ? explain_refusal(m, gid, r, e) : 0;
}

static int write_one(const struct idmap *m, bool gid, pid_t pid, struct err **e)
{
	int r = write_directly(m, gid, pid);

	/* An ordinary user may write his own id alone; for all else there is the helper. For root there
	 * is nothing but the direct way: /etc/subuid does not bind him. */
	if ((r == -EPERM || r == -EACCES) && geteuid() != 0)
		return write_by_helper(m, gid, pid, e);
	if (r == -EPERM || r == -EACCES)
		return err_idmap_not_mapped_here(e, kinds[gid].name, kinds[gid].proc_file);
	if (r == -E2BIG)
		return err_idmap_too_many(e, kinds[gid].name);
	return r < 0 ? err_set(e, -r, NULL, "cannot write /proc/%d/%s", pid, kinds[gid].proc_file) : 0;
}

static bool has_kind(const struct idmap *m, bool gid)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].gid == gid)
			return true;
	return false;
}

int idmap_write(const struct idmap *m, pid_t pid, struct err **e)
{
	int r = has_kind(m, true) ? write_one(m, true, pid, e) : 0;

	if (r == 0 && has_kind(m, false))
		r = write_one(m, false, pid, e);
	return err_wrap(e, r, "mapping ids");
}

/* The child's half of fork_mapped: makes the namespaces, waits for the map. */
static int enter_unmapped(uint64_t flags, int sock, struct err **e)
{
	char c = 0;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (unshare((int)flags) < 0)
		return ns_userns_refused(errno, e);
	if (socket_send(sock, &c, 1, NULL, 0, false) < 0 || socket_recv_packet(sock, &c, 1, NULL, 0, NULL, -1) != 1)
		_exit(EXIT_FAILURE);
	return 0;
}

/* The answer of the child: fn's value, then the chain of its error. */
struct answer {
	int32_t value;
	char frame[ERR_FRAME_MAX];
};

static int send_answer(int sock, int value, const struct err *e)
{
	struct answer a = { .value = value };
	size_t n = value < 0 && e ? err_pack(e, a.frame) : 0;

	return socket_send(sock, &a, offsetof(struct answer, frame) + n, NULL, 0, false);
}

/* What the child sent instead of what was expected. */
static int take_answer(const struct answer *a, size_t n, struct err **e)
{
	struct err *theirs = n > offsetof(struct answer, frame) ?
				     err_unpack(a->frame, n - offsetof(struct answer, frame)) : NULL;

	if (!theirs)
		return err_set(e, -a->value, NULL, "the process that ran as root of the user namespace failed");
	if (e)
		err_free(take_ptr(*e));
	err_move(e, theirs);
	return a->value;
}

/* A child in a new user namespace (and others of flags). The parent returns when the map is written,
 * the child (with 0) when the parent then sends something; it ends by itself when the parent is gone. */
static pid_t fork_mapped(const struct idmap *m, uint64_t flags, int sv[2], struct err **e)
{
	pid_t pid = proc_fork(e);
	struct err *mine = NULL;
	struct answer a;
	ssize_t n;
	int r;

	if (pid < 0)
		return pid;
	if (pid == 0) {
		fd_replace(&sv[0], -EBADF);
		r = enter_unmapped(flags, sv[1], &mine);
		if (r < 0)
			_exit(send_answer(sv[1], r, mine) < 0);
		return 0;
	}
	fd_replace(&sv[1], -EBADF);
	n = socket_recv_packet(sv[0], &a, sizeof(a), NULL, 0, NULL, -1);
	if (n == 1)
		r = idmap_write(m, pid, e);
	else if (n >= (ssize_t)offsetof(struct answer, frame))
		r = take_answer(&a, (size_t)n, e);
	else
		r = err_set(e, EIO, NULL, "the process that was to make a user namespace died");
	if (r == 0)
		return pid;
	(void)kill(pid, SIGKILL);
	(void)proc_wait(pid, NULL);
	return r;
}

static void close_pair(int (*sv)[2])
{
	fd_close((*sv)[0]);
	fd_close((*sv)[1]);
}
#define auto_pair __attribute__((cleanup(close_pair)))

int idmap_userns_fd(const struct idmap *m, struct err **e)
{
	auto_pair int sv[2] = { -EBADF, -EBADF };
	int r = socket_pair(SOCK_SEQPACKET, sv, e), fd;
	pid_t pid;

	if (r < 0)
		return r;
	pid = fork_mapped(m, CLONE_NEWUSER, sv, e);
	if (pid == 0)
		_exit(EXIT_SUCCESS);
	if (pid < 0)
		return pid;
	fd = ns_open(pid, NS_USER, e);
	(void)kill(pid, SIGKILL);
	(void)proc_wait(pid, NULL);
	return fd;
}

static int become_root(struct err **e)
{
	/* Refused where the map was written without setgroups: then there is none to drop. */
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return err_set(e, errno, NULL, "cannot drop supplementary groups");
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_set(e, errno, NULL, "cannot become root of the user namespace");
	/* The change of ids has disarmed it. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_set(e, errno, NULL, "cannot cut mount propagation");
	return 0;
}

static attr_noreturn void run_in_child(int (*fn)(void *arg, struct err **e), void *arg, int sock)
{
	struct err *e = NULL;
	int r = become_root(&e);

	if (r == 0)
		r = fn(arg, &e);
	_exit(send_answer(sock, r, e) < 0);
}

int idmap_run(const struct idmap *m, int (*fn)(void *arg, struct err **e), void *arg, struct err **e)
{
	auto_pair int sv[2] = { -EBADF, -EBADF };
	struct answer a;
	int status = 0, r = socket_pair(SOCK_SEQPACKET, sv, e);
	ssize_t n;
	pid_t pid;

	if (r < 0)
		return r;
	pid = fork_mapped(m, CLONE_NEWUSER | CLONE_NEWNS, sv, e);
	if (pid < 0)
		return pid;
	if (pid == 0)
		run_in_child(fn, arg, sv[1]);
	r = socket_send(sv[0], "", 1, NULL, 0, false);
	n = r < 0 ? r : socket_recv_packet(sv[0], &a, sizeof(a), NULL, 0, NULL, -1);
	(void)proc_wait(pid, &status);
	if (n < (ssize_t)offsetof(struct answer, frame))
		return err_set(e, 0, NULL, "the process that ran as root of the user namespace died (wait status %d)",
			       status);
	return a.value >= 0 ? a.value : take_answer(&a, (size_t)n, e);
}

/* The first id inside behind all ranges of the kind. */
static uint32_t next_free(const struct idmap *m, bool gid)
{
	uint64_t next = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].gid == gid)
			next = MAX(next, (uint64_t)m->v[i].nsid + m->v[i].range);
	return next < UINT32_MAX ? (uint32_t)next : UINT32_MAX;
}

int idmap_add_self(struct idmap *m, uint32_t *ret_uid, uint32_t *ret_gid)
{
	for (int gid = 0; gid < 2; gid++) {
		uint32_t own = gid ? getegid() : geteuid(), id = idmap_to_ns(m, gid, own);
		struct idmap_range range = { .gid = gid, .nsid = next_free(m, gid), .hostid = own, .range = 1 };

		if (id == UINT32_MAX && range.nsid != UINT32_MAX) {
			id = range.nsid;
			if (VEC_PUSH(m, range) < 0)
				return -ENOMEM;
		}
		*(gid ? ret_gid : ret_uid) = id;
	}
	return 0;
}

int idmap_of_caller(struct idmap *m, uint32_t max, struct err **e)
{
	for (int gid = 0; gid < 2; gid++) {
		struct subids all = { 0 };
		int r = subid_read(gid, &all, e);
		uint32_t at = 0;

		for (size_t i = 0; i < all.n && at < max && r == 0; i++) {
			struct idmap_range range = {
				.gid = gid, .nsid = at, .hostid = all.v[i].first, .range = MIN(all.v[i].count, max - at)
			};

			at += range.range;
			r = VEC_PUSH(m, range) < 0 ? err_no_memory(e) : 0;
		}
		VEC_DONE(&all);
		if (r < 0)
			return r;
	}
	return 0;
}

void idmap_done(struct idmap *m)
{
	VEC_DONE(m);
}

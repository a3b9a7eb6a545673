/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
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

#define RANGES_MAX 340		/* of the kernel, for each kind */
#define IDS ((uint64_t)UINT32_MAX)	/* 0 to 4294967294; the last number means "no id" */
#define SUBID_FILE_MAX ((size_t)16 << 20)

/* What differs between users and groups. */
struct kind {
	const char *name, *letter, *proc_file, *program, *grants, *usermod;
};
static const struct kind kinds[2] = {
	{ "uid", "u", "uid_map", "newuidmap", "/etc/subuid", "--add-subuids" },
	{ "gid", "g", "gid_map", "newgidmap", "/etc/subgid", "--add-subgids" },
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

/* Name of the calling user as it stands in /etc/subuid; the number where he has no name. */
static void user_name(char *name, size_t size)
{
	char room[4096];
	struct passwd pw, *found = NULL;

	if (getpwuid_r(getuid(), &pw, room, sizeof(room), &found) == 0 && found && strlen(found->pw_name) < size)
		(void)stpcpy(name, found->pw_name);
	else
		(void)snprintf(name, size, "%u", getuid());
}

struct span {
	uint64_t first, count;
};
struct spans {
	VEC(struct span);
};

/* "name:first:count" lines of this user; lines that are not understood grant nothing. */
static int read_grants(const struct kind *k, const char *user, struct spans *grants)
{
	auto_strv struct strv lines = { 0 };
	auto_free char *text = NULL;
	char number[16];
	int r = io_read_file(AT_FDCWD, k->grants, SUBID_FILE_MAX, &text, NULL, NULL);

	if (r < 0)
		return r;
	(void)snprintf(number, sizeof(number), "%u", getuid());
	r = strv_split(&lines, text, "\n");
	for (size_t i = 0; i < lines.n && r == 0; i++) {
		auto_strv struct strv f = { 0 };
		struct span s;

		r = strv_split(&f, lines.v[i], ":");
		if (r < 0 || f.n != 3 || (strcmp(f.v[0], user) != 0 && strcmp(f.v[0], number) != 0) ||
		    num_u64(f.v[1], 10, UINT32_MAX, &s.first) < 0 || num_u64(f.v[2], 10, UINT32_MAX, &s.count) < 0)
			continue;
		r = VEC_PUSH(grants, s);
	}
	return r;
}

/* True if grants, together, cover the whole range; one id of the user's own needs none. */
static bool is_granted(const struct spans *grants, const struct idmap_range *r, uint64_t own)
{
	uint64_t at = r->hostid, end = at + r->range;
	bool moved = true;

	if (r->range == 1 && r->hostid == own)
		return true;
	while (at < end && moved) {
		moved = false;
		for (size_t i = 0; i < grants->n; i++) {
			const struct span *s = &grants->v[i];

			if (at >= s->first && at < s->first + s->count) {
				at = s->first + s->count;
				moved = true;
			}
		}
	}
	return at >= end;
}

/* Says which range the helper refused, if it can be told from the file; else leaves its own words. */
static int explain_refusal(const struct idmap *m, bool gid, int r, struct err **e)
{
	const struct kind *k = &kinds[gid];
	struct spans grants = { 0 };
	char user[256];

	if (!e || !*e || err_is(*e, "program-missing"))
		return r;
	user_name(user, sizeof(user));
	if (read_grants(k, user, &grants) == 0)
		for (size_t i = 0; i < m->n; i++) {
			const struct idmap_range *range = &m->v[i];

			if (range->gid != gid || is_granted(&grants, range, gid ? getgid() : getuid()))
				continue;
			r = err_idmap_not_granted(e, k->name, range->hostid, range->hostid + range->range - 1, user,
						  k->grants, k->usermod);
			r = err_at(e, r, range->at);
			break;
		}
	VEC_DONE(&grants);
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

int idmap_write(const struct idmap *m, pid_t pid, struct err **e)
{
	int r = write_one(m, true, pid, e);

	if (r == 0)
		r = write_one(m, false, pid, e);
	return err_wrap(e, r, "mapping ids");
}

/* A child in a new user namespace (and others of flags). The parent returns when the map is written,
 * the child (with 0) when the parent then sends something; it ends by itself when the parent is gone. */
static pid_t clone_mapped(const struct idmap *m, uint64_t flags, int sv[2], struct err **e)
{
	pid_t pid = proc_clone(flags, -1, NULL, e);
	int r;
	char c;

	if (pid < 0)
		return pid;
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		fd_replace(&sv[0], -EBADF);
		if (socket_recv_packet(sv[1], &c, 1, NULL, 0, NULL, -1) != 1)
			_exit(EXIT_FAILURE);
		return 0;
	}
	fd_replace(&sv[1], -EBADF);
	r = idmap_write(m, pid, e);
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
	pid = clone_mapped(m, CLONE_NEWUSER, sv, e);
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

/* The answer of the child: fn's value, then the chain of its error. */
struct answer {
	int32_t value;
	char frame[ERR_FRAME_MAX];
};

static attr_noreturn void run_in_child(int (*fn)(void *arg, struct err **e), void *arg, int sock)
{
	struct err *e = NULL;
	struct answer a;
	size_t n = 0;
	int r = become_root(&e);

	if (r == 0)
		r = fn(arg, &e);
	a.value = r;
	if (r < 0 && e)
		n = err_pack(e, a.frame);
	_exit(socket_send(sock, &a, offsetof(struct answer, frame) + n, NULL, 0, false) < 0);
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
	pid = clone_mapped(m, CLONE_NEWUSER | CLONE_NEWNS, sv, e);
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
	if (a.value >= 0)
		return a.value;
	if (e) {
		err_free(*e);
		*e = err_unpack(a.frame, (size_t)n - offsetof(struct answer, frame));
		if (!*e)
			return err_set(e, -a.value, NULL, "the process that ran as root of the user namespace failed");
	}
	return a.value;
}

void idmap_done(struct idmap *m)
{
	VEC_DONE(m);
}

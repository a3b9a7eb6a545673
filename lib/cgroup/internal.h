/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* internal - what the modules of this layer share: struct cgroups and their functions. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/strv.h"
#include "base/vec.h"
#include "cgroup/cgroup.h"
#include "cgroup/devices.h"
#include "kernel/idmap.h"

#define CG_FILE_MAX ((size_t)1 << 20)	/* most bytes read from one kernel file */
#define CG_SUFFIX_MAX 999
#define ATTACH_DIR ".lxc"	/* where a payload that passes controllers on takes processes */
#define CG_ROOT_FLAGS (O_PATH | O_DIRECTORY | O_CLOEXEC)
/* A leaf is opened for reading, not O_PATH: it carries the lock that says "in use" (flock). */
#define CG_LEAF_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)

enum cg_role {
	CG_MONITOR,	/* where the monitor lives */
	CG_LIMIT,	/* where limits are set; init lives here too unless there is an inner one */
	CG_INNER,	/* below CG_LIMIT, only with lxc.cgroup.dir.container.inner */
	CG_ROLES
};

/* One directory of ours. */
struct cg_dir {
	char *path;	/* below the hierarchy's mount, "/lxc.payload.web1"; NULL: none */
	int fd;		/* -EBADF: not made */
	uint64_t ino;	/* unique in the hierarchy for one boot */
};

/* The path as the *at calls want it. */
static inline const char *dir_at(const struct cg_dir *d)
{
	return d->path + 1;
}

/* Below init's cgroup of v2: where attached processes are. */
#define CG_ATTACH_DIR ".lxc"

struct hierarchy {
	bool v2;
	char *label;		/* "unified", "cpu,cpuacct", "name=systemd" */
	struct strv controllers; /* v1: the words of label; v2: what can be enabled */
	char *mount;		/* mount point */
	char *root;		/* root of the mount within the hierarchy, "/" mostly */
	int root_fd;		/* O_PATH of the mount point */
	char *base;		/* below the mount, "" for its root: containers go below it */
	char *home;		/* the caller's own cgroup, below the mount; NULL when it is outside */
	bool usable;
	int why;		/* errno that says why it is not usable */
	struct cg_dir dir[CG_ROLES];
	char *later;		/* the payload's path where cgroup_create_rest is to make it; else NULL */
	int join_fd;		/* between cgroup_birth_begin and _end: by which init moves itself */
	bool joins;		/* it does */
	struct strv parents;	/* directories above the leaves that carry our mark, outermost first */
};

struct hierarchies {
	VEC(struct hierarchy);
};

/* A write to a file of the limit cgroup. */
struct limit {
	char *key;	/* as configured, for messages: "lxc.cgroup.memory.limit_in_bytes" */
	char *given;	/* the value as configured */
	char *file, *value;	/* what is written */
	size_t h;	/* index of the hierarchy */
	bool translated;
	struct origin at;
};
struct limits {
	VEC(struct limit);
};

struct cgroups {
	char *name;
	struct log *log;		/* borrowed */
	struct strv files;		/* copies of the file names that origins borrow */
	struct hierarchies h;
	char *leaf[CG_ROLES];		/* relative to the base, before a suffix */
	char *pivot;			/* lxc.cgroup.dir.monitor.pivot */
	bool fixed_names;		/* lxc.cgroup.dir.monitor/.container: no suffix */
	bool monitor_everywhere;	/* else only in v2 where there is v2 */
	struct limits limits;
	struct device_rules devices;	/* in order, as configured */
	struct device_policy policy;	/* what is in force */
	ssize_t devices_h;		/* v1 devices hierarchy, or the v2 one (BPF), or -1 */
	int prog_fd;			/* the attached BPF program */
	bool rest_later;		/* cgroup_create leaves v1 to cgroup_create_rest */
	int suffix;			/* that all names got */
	bool unified_only;		/* the guest is shown v2 alone */
	bool birth;			/* CLONE_INTO_CGROUP works from where the monitor started */
	bool birth_known;
	bool left;			/* to a process that has our memory: cgroup_retire */
	struct idmap map;
};

static inline void auto_cgroups_fn(struct cgroups **g)
{
	cgroup_free(*g);
}
#define auto_cgroups __attribute__((cleanup(auto_cgroups_fn)))

/* layout.c: the hierarchies of this host as the caller sees them. */
int layout_read(bool relative, struct hierarchies *h, struct err **e);
void layout_done(struct hierarchies *h);
/* The v2 hierarchy or the v1 one with that controller; NULL. */
struct hierarchy *layout_find(struct hierarchies *h, const char *controller);
struct hierarchy *layout_v2(struct hierarchies *h);
/* Another name of a controller in the other version ("io" and "blkio"). */
const char *layout_controller_v1(const char *controller);
const char *layout_controller_v2(const char *controller);
/* "/sys/fs/cgroup/memory/lxc.payload.x", for messages. New. */
char *layout_path(const struct hierarchy *h, const char *path);

/* plan.c */
struct cgroups *cgroups_new(void);
/* A copy of the file name that lives as long as g. */
struct origin cgroups_origin(struct cgroups *g, struct origin at);

/* translate.c: fills g->limits from the configuration. */
int translate_limits(struct cgroups *g, const struct conf *c, struct err **e);
/* limits.c: -EINVAL with an error unless file is one harmless path component. */
int limits_check_file(const char *key, const char *file, struct origin at, struct err **e);
/* The error for a key whose hierarchy this process may not use. */
int limits_not_writable(const struct hierarchy *h, const char *key, struct origin at, struct err **e);

/* enforce.c: parses the device rules and decides who enforces them. */
int devices_plan(struct cgroups *g, const struct conf *c, struct err **e);
/* The last moment to choose between "all but" and "nothing but" for a v1 limit cgroup that gets an inner one. */
int devices_before_inner(struct cgroups *g, const struct hierarchy *h, struct err **e);

/* v1.c: what a new directory needs before processes may enter. */
int v1_prepare(const struct hierarchy *h, int fd, struct err **e);
/* v2.c: enables controllers along the path of the limit cgroup: those that limits need, and as far
 * as the kernel allows all others. */
int v2_enable(const struct cgroups *g, const struct hierarchy *h, struct err **e);
/* Reads the words of a kernel file such as cgroup.controllers. */
int v2_read_words(int dirfd, const char *file, struct strv *ret);

/* dirs.c */
int dirs_open(const struct hierarchy *h, const char *path, int flags);
/* Where init lives: CG_INNER where it exists, else CG_LIMIT. */
static inline const struct cg_dir *dirs_payload(const struct hierarchy *h)
{
	return h->dir[CG_INNER].path ? &h->dir[CG_INNER] : &h->dir[CG_LIMIT];
}
/* The hierarchy through which the container is frozen, counted and killed: v2 if the payload is
 * there, else the v1 one with that controller (NULL: any). */
struct hierarchy *dirs_primary(struct cgroups *g, const char *v1_controller);

/* enter.c: moves the calling process into the directory. */
int enter_self(const struct hierarchy *h, int dir);

/* remove.c: removes path and all below it. -EBUSY when something alive is in it at the deadline. */
int remove_tree(const struct hierarchy *h, const char *path, const struct idmap *map, int timeout_ms);

/* procs.c: calls fn for every pid in the directory and below. Stops when fn returns non-zero, and
 * returns that; else 0 or -errno. */
int procs_each(int fd, int (*fn)(pid_t pid, void *arg), void *arg);
/* True if a process is in the directory or below it. */
bool procs_is_alive(int fd);
/* Waits for a change of the v2 directory's cgroup.events, or a moment; returns at the latest then. */
void procs_wait_change(int fd, int timeout_ms);
/* The value of KEY in cgroup.events, e.g. "populated"; -errno, -ENOENT on v1. */
int procs_event(int fd, const char *key);
/* Monotonic milliseconds, for deadlines. */
int64_t procs_now_ms(void);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* cgroup - the cgroups of one container on whatever the host has: v1, hybrid, v2. A struct cgroups
 * is planned (names, limits translated, device rules parsed, everything that can be refused is
 * refused), then created, entered, limited, and removed. The monitor runs all of it but
 * cgroup_mount, which runs in init. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "config/conf.h"

struct cgroups;

/* Reads the host's layout and resolves names, limits and device rules of c (c->name is set).
 * Warnings (a key that this layout ignores, a translation) go to log_warn. Nothing is changed. */
int cgroup_plan(const struct conf *c, struct log *l, struct cgroups **ret, struct err **e);
void cgroup_free(struct cgroups *g);
/* True where the host has cgroup v2 and nothing else. */
bool cgroup_is_unified(const struct cgroups *g);
/* False where the container runs without cgroups of its own. */
bool cgroup_is_usable(const struct cgroups *g);
/* The container does not know v1: cgroup_mount gives it v2 alone, where the host has that. */
void cgroup_unified_only(struct cgroups *g);
/* Makes the monitor's and the payload's directories in every usable hierarchy (suffix -1..-999
 * where a name is taken by something alive; a dead leftover of ours is removed and reused), enables
 * controllers. On failure nothing that it made is left. What is made already is kept: after
 * cgroup_remove_payload only the payload is made anew. */
int cgroup_create(struct cgroups *g, struct err **e);
/* A hybrid host's v1 hierarchies are for the payload alone, and init need not be in them from its birth on: cgroup_create leaves
 * them, where their names are free, to cgroup_create_rest, when the monitor has nothing else to do. */
bool cgroup_may_be_later(const struct cgroups *g);
void cgroup_leave_rest(struct cgroups *g, bool later);
/* Makes them. *ret (new) is for init, which moves itself into them by cgroup_join_rest, or empty. */
struct cgroup_entry;
int cgroup_create_rest(struct cgroups *g, struct cgroup_entry *ret, struct err **e);
/* In init, with that entry's v1, of which its g does not know more than that they were left. */
int cgroup_join_rest(struct cgroups *g, const int *fds, size_t n, struct err **e);
/* The v2 directory for CLONE_INTO_CGROUP of the monitor or of init (borrowed); -1 where there is none or
 * where this kernel would kill the child: then clone without, and enter afterwards. */
int cgroup_birth_fd(struct cgroups *g, bool monitor);
/* What cgroup_birth_fd finds out by risking a child, said by who has made one in cgroup_monitor_fd. */
void cgroup_birth_known(struct cgroups *g, bool works);
/* The v2 directories (borrowed), or -1 where there is no v2 hierarchy. */
int cgroup_monitor_fd(const struct cgroups *g);
int cgroup_payload_fd(const struct cgroups *g);	/* where init lives (the inner one) */
int cgroup_limit_fd(const struct cgroups *g);	/* where limits are set (the outer one) */
/* Around the clone of init, in the monitor; and in init, of one thread, before anything else: it moves itself into the
 * payload's v1 cgroups, which spares the kernel's wait (see enter.c). */
void cgroup_birth_begin(struct cgroups *g);
void cgroup_birth_end(struct cgroups *g);
int cgroup_birth_join(struct cgroups *g, struct err **e);
/* Moves pid into the monitor's / the payload's cgroups where it is not yet. born: it is already in the
 * v2 one. Those that init is to move itself into, for cgroup_birth_begin, are left to it. */
int cgroup_enter_monitor(struct cgroups *g, pid_t pid, bool born, struct err **e);
int cgroup_enter_payload(struct cgroups *g, pid_t pid, bool born, struct err **e);
/* Writes lxc.cgroup.* and lxc.cgroup2.* limits (devices excepted), each error with key and file:line. */
int cgroup_limits(struct cgroups *g, struct err **e);
/* Gives the payload cgroup to the mapped root (no-op without idmap). */
int cgroup_delegate(struct cgroups *g, const struct conf *c, struct err **e);
/* Whether there are any. */
bool cgroup_filters_devices(const struct cgroups *g);
/* Device rules: v1 devices.allow/deny, v2 BPF program. After init has made its nodes. */
int cgroup_devices(struct cgroups *g, struct err **e);
/* Changes the device rules of a running container: "c 1:3 rwm". */
int cgroup_device_change(struct cgroups *g, bool allow, const char *rule, struct err **e);
/* Freezes or thaws the limit cgroup and waits until it is so (timeout_ms -1: no limit). */
int cgroup_freeze(struct cgroups *g, bool frozen, int timeout_ms, struct err **e);
/* The same in parts, for who has other things to do meanwhile: the order, and whether it is so (1, 0, -errno). */
int cgroup_freeze_begin(struct cgroups *g, bool frozen, struct err **e);
int cgroup_freeze_done(struct cgroups *g, bool frozen);
/* True if it is frozen, or was told to be. g may be NULL. */
bool cgroup_is_frozen(struct cgroups *g);
/* Kills every process of the payload (cgroup.kill, or a loop over cgroup.procs on v1). */
int cgroup_kill(struct cgroups *g, struct err **e);
/* Removes all directories that cgroup_create made, bottom-up, with whatever the guest made below;
 * waits for dying processes. The calling monitor may still be inside its own cgroup: it is moved
 * out first where that is needed. Idempotent. Returns the first -errno. */
int cgroup_remove(struct cgroups *g, struct err **e);
/* Only what belongs to the payload: at reboot, before cgroup_create makes it anew, and before
 * cgroup_retire. */
int cgroup_remove_payload(struct cgroups *g, struct err **e);
/* The v2 cgroup in which a process is to be born that may outlive the caller's own one (new fd), where the caller is in
 * one that is to be removed, and can be left that way: -ENOENT else. */
int cgroup_outside(const struct cgroups *g);
/* Of the monitor's last acts: has its own directory removed without the wait that moving out of it
 * costs. A child that is born outside waits for the caller's end and removes it. It keeps all open
 * descriptors but unwanted_fd (-1: none), so that a client of the command socket sees the end of its
 * connection only when all is gone. The caller is to exit soon. Where that cannot be, it is done at
 * once as by cgroup_remove. */
int cgroup_retire(struct cgroups *g, int unwanted_fd, struct err **e);
/* A file of the limit cgroup ("memory.max", "devices.list", ...). cgroup_get appends to b.
 * The name is one path component of known shape; anything else is -EINVAL. */
int cgroup_get(struct cgroups *g, const char *file, struct buf *b, struct err **e);
int cgroup_set(struct cgroups *g, const char *file, const char *value, struct err **e);
/* Path of the payload (or limit) cgroup in the hierarchy of controller (NULL or "unified": v2; else
 * the v1 controller, "name=systemd" included), relative to that hierarchy's mount, e.g.
 * "/lxc.payload.web1". Borrowed; NULL if there is none. */
const char *cgroup_path(const struct cgroups *g, const char *controller, bool limit);
/* For LXC's own tools: the payload's (or limit) directories in all hierarchies (borrowed), at most
 * max; returns how many. *ret_layout: 0 v1 only, 1 hybrid, 2 v2 only. */
size_t cgroup_fds(const struct cgroups *g, bool limit, int *fds, size_t max, int *ret_layout);
/* The directory in the hierarchy of a controller (NULL, "" or "unified": v2), -EBADF if there is
 * none; *ret_v2 tells the kind. Borrowed. */
int cgroup_controller_fd(const struct cgroups *g, const char *controller, bool limit, bool *ret_v2);
/* Processes now in the payload (v2 or any v1 hierarchy): number or -errno. */
int cgroup_count(struct cgroups *g);
/* Moves a process that attaches into the payload (into a leaf that takes processes). Hierarchies
 * that it is in already, for having been born there, cost nothing. */
int cgroup_attach(struct cgroups *g, pid_t pid, struct err **e);
/* Moves pid to where another process is, in every hierarchy: for a container whose monitor cannot be
 * asked to. */
int cgroup_join(pid_t where, pid_t pid, struct err **e);
/* The cgroups of a container that another program started, for cgroup_get, _set and _freeze: path_of tells where its
 * limit cgroup is in the hierarchy of a controller (NULL: v2), new, NULL for nowhere. */
int cgroup_of_other(char *(*path_of)(void *arg, const char *controller), void *arg, struct cgroups **ret, struct err **e);
/* The same without the kernel's wait: the descriptors through which a process moves itself. They can
 * be passed to another process; whoever holds them may enter, so they go to nobody else. */
#define CGROUP_ENTRY_MAX 24
struct cgroup_entry {
	int v2;	/* a directory to be born in (CLONE_INTO_CGROUP), -EBADF: none */
	int v1[CGROUP_ENTRY_MAX];	/* open "tasks" files */
	size_t n;
};
int cgroup_attach_open(struct cgroups *g, struct cgroup_entry *ret, struct err **e);
void cgroup_entry_done(struct cgroup_entry *x);
/* In the process that attaches, while it has one thread. Only system calls. born: in x->v2. */
int cgroup_attach_self(const struct cgroup_entry *x, bool born);
/* Text for the state file, and back: an adopting monitor continues with the same directories. */
int cgroup_save(const struct cgroups *g, struct buf *b);
int cgroup_restore(const struct conf *c, const char *text, struct log *l, struct cgroups **ret, struct err **e);
/* lxc.mount.auto's cgroup class, in init, after its cgroup namespace: mounts below the directory
 * behind rootfd as "sys/fs/cgroup" (it may have to be made), where it wants that. cgroup_namespace: init has its own. */
bool cgroup_wants_mount(const struct cgroups *g, const struct conf *c, bool cgroup_namespace);
int cgroup_mount(struct cgroups *g, const struct conf *c, int rootfd, bool cgroup_namespace, struct err **e);

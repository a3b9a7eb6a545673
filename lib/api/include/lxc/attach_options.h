/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* How a process is attached to a running container: the parameters of lxc_container.attach(),
 * attach_run_wait() and attach_run_waitl(). Binary compatible with LXC 5 to 7. */
#ifndef __LXC_ATTACH_OPTIONS_H
#define __LXC_ATTACH_OPTIONS_H

#include <errno.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What happens to the caller's environment. The container's own variables (container=lxc,
 * lxc.environment, extra_env_vars) are set in both cases. */
typedef enum lxc_attach_env_policy_t {
	LXC_ATTACH_KEEP_ENV,	/* the attached process gets the caller's environment */
	LXC_ATTACH_CLEAR_ENV	/* only the variables named in extra_keep_env survive, and a default PATH */
#define LXC_ATTACH_KEEP_ENV LXC_ATTACH_KEEP_ENV
#define LXC_ATTACH_CLEAR_ENV LXC_ATTACH_CLEAR_ENV
} lxc_attach_env_policy_t;

/* Bits of attach_flags. The lower half is on by default. */
enum {
	LXC_ATTACH_MOVE_TO_CGROUP    = 0x00000001,	/* enter the container's cgroups */
	LXC_ATTACH_DROP_CAPABILITIES = 0x00000002,	/* give up what the container's init does not have */
	LXC_ATTACH_SET_PERSONALITY   = 0x00000004,	/* take the container's architecture */
	LXC_ATTACH_LSM_EXEC          = 0x00000008,	/* take the security label when the program starts */
	LXC_ATTACH_REMOUNT_PROC_SYS  = 0x00010000,	/* fresh /proc and /sys; for an attach without the mount namespace */
	LXC_ATTACH_LSM_NOW           = 0x00020000,	/* take the security label at once */
	LXC_ATTACH_NO_NEW_PRIVS      = 0x00040000,	/* no privileges through setuid programs or file capabilities */
	LXC_ATTACH_TERMINAL          = 0x00080000,	/* a new pty of the container; the call relays it and blocks */
	LXC_ATTACH_LSM_LABEL         = 0x00100000,	/* use lsm_label instead of the container's label */
	LXC_ATTACH_SETGROUPS         = 0x00200000,	/* use groups as the supplementary groups */
	LXC_ATTACH_DEFAULT           = 0x0000FFFF
#define LXC_ATTACH_MOVE_TO_CGROUP LXC_ATTACH_MOVE_TO_CGROUP
#define LXC_ATTACH_DROP_CAPABILITIES LXC_ATTACH_DROP_CAPABILITIES
#define LXC_ATTACH_SET_PERSONALITY LXC_ATTACH_SET_PERSONALITY
#define LXC_ATTACH_LSM_EXEC LXC_ATTACH_LSM_EXEC
#define LXC_ATTACH_REMOUNT_PROC_SYS LXC_ATTACH_REMOUNT_PROC_SYS
#define LXC_ATTACH_LSM_NOW LXC_ATTACH_LSM_NOW
#define LXC_ATTACH_NO_NEW_PRIVS LXC_ATTACH_NO_NEW_PRIVS
#define LXC_ATTACH_TERMINAL LXC_ATTACH_TERMINAL
#define LXC_ATTACH_LSM_LABEL LXC_ATTACH_LSM_LABEL
#define LXC_ATTACH_SETGROUPS LXC_ATTACH_SETGROUPS
#define LXC_ATTACH_DEFAULT LXC_ATTACH_DEFAULT
};

/* Every bit that has to do with the security label. */
#define LXC_ATTACH_LSM (LXC_ATTACH_LSM_EXEC | LXC_ATTACH_LSM_NOW | LXC_ATTACH_LSM_LABEL)

/* For lxc_attach_options_t.personality: whatever the container runs under. */
#define LXC_ATTACH_DETECT_PERSONALITY ~0L

/* What runs in the container. It gets payload and its return value is the exit status of the
 * attached process. */
typedef int (*lxc_attach_exec_t)(void *payload);

typedef struct lxc_groups_t {
	size_t size;
	gid_t *list;
} lxc_groups_t;

typedef struct lxc_attach_options_t {
	int attach_flags;	/* LXC_ATTACH_* */
	int namespaces;		/* CLONE_NEW* bits to enter; -1: all that the container has of its own,
				 * and the call stores here which ones these were */
	long personality;	/* LXC_ATTACH_DETECT_PERSONALITY or a personality(2) value */
	char *initial_cwd;	/* working directory inside; NULL: the caller's path, else / */
	uid_t uid;		/* (uid_t)-1: root of the container (or init's id where 0 is unmapped) */
	gid_t gid;		/* (gid_t)-1: the same for the group */
	lxc_attach_env_policy_t env_policy;
	char **extra_env_vars;	/* "NAME=value", ended by NULL; may be NULL */
	char **extra_keep_env;	/* names kept under LXC_ATTACH_CLEAR_ENV, ended by NULL; may be NULL */
	int stdin_fd;		/* become 0, 1 and 2 of the attached process */
	int stdout_fd;
	int stderr_fd;
	int log_fd;		/* kept open for log messages; -EBADF: none */
	char *lsm_label;	/* with LXC_ATTACH_LSM_LABEL */
	lxc_groups_t groups;	/* with LXC_ATTACH_SETGROUPS */
} lxc_attach_options_t;

/* Positional, so that C++ takes it too. */
#define LXC_ATTACH_OPTIONS_DEFAULT                    \
	{                                             \
		LXC_ATTACH_DEFAULT,             /* attach_flags */   \
		-1,                             /* namespaces */     \
		LXC_ATTACH_DETECT_PERSONALITY,  /* personality */    \
		0,                              /* initial_cwd */    \
		(uid_t)-1,                      /* uid */            \
		(gid_t)-1,                      /* gid */            \
		LXC_ATTACH_KEEP_ENV,            /* env_policy */     \
		0,                              /* extra_env_vars */ \
		0,                              /* extra_keep_env */ \
		0, 1, 2,                        /* stdin, stdout, stderr */ \
		-EBADF,                         /* log_fd */         \
		0,                              /* lsm_label */      \
		{ 0, 0 }                        /* groups */         \
	}

/* The payload of lxc_attach_run_command. */
typedef struct lxc_attach_command_t {
	char *program;	/* looked up in PATH inside the container unless it contains a slash */
	char **argv;	/* with argv[0], ended by NULL */
} lxc_attach_command_t;

/* For attach(): executes the lxc_attach_command_t behind payload. Comes back only when that fails:
 * 126 when the program cannot be executed, 127 when it does not exist, -1 otherwise. */
extern int lxc_attach_run_command(void *payload);

/* For attach(): executes the login shell of the attached user, or /bin/sh. payload is not used.
 * Comes back only when that fails, with -1. */
extern int lxc_attach_run_shell(void *payload);

#ifdef __cplusplus
}
#endif

#endif

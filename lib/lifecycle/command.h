/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* command - the wire format of the command socket: LXC's frames and numbers (0-25) so that its
 * tools and ours understand each other, and our own commands from 64 on. Host byte order; both ends
 * are on one machine. Pure: no I/O here. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum command {
	CMD_GET_TTY_FD = 0,
	CMD_TERMINAL_WINCH = 1,
	CMD_STOP = 2,
	CMD_GET_STATE = 3,
	CMD_GET_INIT_PID = 4,
	CMD_GET_CLONE_FLAGS = 5,
	CMD_GET_CGROUP = 6,
	CMD_GET_CONFIG_ITEM = 7,
	CMD_GET_NAME = 8,
	CMD_GET_LXCPATH = 9,
	CMD_ADD_STATE_CLIENT = 10,
	CMD_CONSOLE_LOG = 11,
	CMD_SERVE_STATE_CLIENTS = 12,
	CMD_SECCOMP_ADD_LISTENER = 13,
	CMD_ADD_BPF_DEVICE = 14,
	CMD_FREEZE = 15,
	CMD_UNFREEZE = 16,
	CMD_GET_CGROUP2_FD = 17,
	CMD_GET_INIT_PIDFD = 18,
	CMD_GET_LIMIT_CGROUP = 19,
	CMD_GET_LIMIT_CGROUP2_FD = 20,
	CMD_GET_DEVPTS_FD = 21,
	CMD_GET_SECCOMP_FD = 22,
	CMD_GET_CGROUP_CTX = 23,
	CMD_GET_CGROUP_FD = 24,
	CMD_GET_LIMIT_CGROUP_FD = 25,
	/* ours */
	CMD_HELLO = 64,			/* -> our version number in the pointer */
	CMD_CGROUP_GET = 65,		/* file name -> content */
	CMD_CGROUP_SET = 66,		/* "FILE\0VALUE\0" -> ret */
	CMD_CGROUP_ATTACH = 67,		/* pid in the pointer -> ret; the peer must own the process */
	CMD_LAST_ERROR = 68,		/* -> text of the last refusal on this monitor */
	CMD_ATTACH = 69,		/* 1 in the pointer: with descriptors of the cgroups -> struct attach_reply */
	CMD_GET_MANY = 70,		/* names (see MANY_FILE), each with a NUL -> per name an int32, -1 or the length, and
					 * the value */
	CMD_HOLD = 71,			/* freezes for as long as the connection lasts -> in the pointer 1, or 0: it was
					 * frozen already, and stays so. The pointer asks as for CMD_FREEZE */
	CMD_NOTE_SHUTDOWN = 72,		/* the peer signals init to shut down: recorded as who asked for the end. For so many
					 * milliseconds as the pointer says no reboot follows; 0: the peer wants a reboot */
};

/* A name of CMD_GET_MANY: one of these characters, then a file of the limit cgroup, or a key of the running
 * configuration. With MANY_ELSE in front there is no value where the name before it has one. */
#define MANY_FILE 'f'
#define MANY_KEY 'k'
#define MANY_ELSE '?'

#define CMD_DATA_MAX 8192
#define CMD_REPLY_MAX (16U << 20)

/* Both directions: 16 bytes on 64-bit, then len bytes. Small integers travel in the pointer. */
struct cmd_request {
	int cmd;
	int len;
	uintptr_t value;
};
struct cmd_reply {
	int ret;
	int len;
	uintptr_t value;
};

#define PTR_FROM_INT(i) ((uintptr_t)(intptr_t)(i))
#define INT_FROM_PTR(p) ((int)(intptr_t)(p))

/* What state clients and the monitor's event fifo get. */
enum state_message_type { MESSAGE_STATE, MESSAGE_PRIORITY, MESSAGE_EXIT };
struct state_message {
	int type;			/* enum state_message_type */
	char name[256];
	int value;
};

/* Payload and reply of CMD_GET_CGROUP_CTX; the fds travel beside it, in order. */
#define CGROUP_CTX_FDS 21
struct cgroup_ctx_reply {
	int layout;			/* 0 v1, 1 hybrid, 2 v2 */
	unsigned utilities;
	unsigned n;
	int fds[CGROUP_CTX_FDS];
};

/* Payload and reply of CMD_GET_CGROUP_FD and CMD_GET_LIMIT_CGROUP_FD. */
struct cgroup_fd_reply {
	int layout;
	unsigned utilities;
	int type;			/* superblock magic of cgroup or cgroup2 */
	int fd;
	char controller[64];
};

/* The two that ask for many take strings, one after another with their NULs. The reply has a block for each: its
 * length, -1 where there is none, and as many bytes. */
#define CMD_MANY_MAX 64

/* Reply of CMD_ATTACH; the values of ATTACH_KEYS follow as strings. Beside it travel a pidfd of init and the ways
 * into the payload's cgroups: a directory of v2 if has_v2, and open "tasks" files of v1. */
#define ATTACH_KEYS { "lxc.arch", "lxc.no_new_privs", "lxc.seccomp.profile", "lxc.seccomp.allow_nesting" }
#define ATTACH_KEYS_N 4
struct attach_reply {
	int init_pid;
	int has_v2;
	uint64_t clone_flags;
};

/* Payload of CMD_CONSOLE_LOG. */
struct console_log_request {
	_Bool clear, read;
	uint64_t read_max;
	_Bool write_logfile;
};

/* The abstract address of a container's command socket: "LXCPATH/NAME/command", or a hash when that
 * is too long. out has room for 108 bytes. */
void command_address(const char *lxcpath, const char *name, char out[108]);

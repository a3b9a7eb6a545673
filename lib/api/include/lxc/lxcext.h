/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* What Tiffin offers beyond LXC's interface. All symbols carry the version LXCEXT_1. A program that
 * also has to run with other implementations looks them up with dlsym.
 *
 * Errors. Every call on a handle that fails leaves behind a chain of links: the outermost says what
 * was attempted ("cannot start web1"), the innermost what went wrong ("bridge lxcbr0 does not
 * exist"), and any of them may say where (file:line) and what to do about it. The chain belongs to
 * the handle until the next failing call on it. lxc_container.error_string is its one-line form. */
#ifndef __LXC_LXCEXT_H
#define __LXC_LXCEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <lxc/lxccontainer.h>

#ifdef __cplusplus
extern "C" {
#endif

struct lxcext_error_link {
	const char *what;	/* the fact, or what was being done */
	const char *where;	/* "FILE:LINE", "" if none */
	const char *hint;	/* a command or a clause that mends it, "" if none */
	const char *id;		/* stable kebab-case name of the error, "" if unclassified */
	const char *who;	/* the process it happened in: "client", "monitor", "init", ...; "" if unknown */
	int num;		/* errno, 0 if none applies */
};

/* The index-th link of the last error, 0 being the outermost. 0, or -ENOENT beyond the end (and
 * when nothing has failed yet). c == NULL asks for the last error of this thread's calls that have
 * no handle: lxc_container_new, the list functions, the global items. The strings belong to the
 * library and live until the next failing call. */
extern int lxcext_last_error(struct lxc_container *c, size_t index, struct lxcext_error_link *ret);

/* The id of the last error, "" if it has none or nothing has failed. Same lifetime. */
extern const char *lxcext_error_id(struct lxc_container *c);

/* Prints the last error for a person: the sentence, its context, the remedy. prog goes in front.
 * verbose adds ids, errno names and processes of every link. Nothing when nothing has failed. */
extern void lxcext_print_error(struct lxc_container *c, FILE *out, const char *prog, bool verbose);

/* Warnings that calls on this handle gave since lxcext_clear_warnings: *ret is the index-th, or
 * -ENOENT. c == NULL as above. The string lives until the warnings are cleared or added to. */
extern int lxcext_warning(struct lxc_container *c, size_t index, const char **ret);
extern void lxcext_clear_warnings(struct lxc_container *c);

/* Starts the container in the foreground in place of the calling program: on success it does not
 * return, and the process is the container's monitor from then on. useinit and argv as in start(). */
extern bool lxcext_start_exec(struct lxc_container *c, int useinit, char *const argv[]);
/* The same for a command under the library's own init, useinit of start(). Where that is safe, which it is for root's
 * with one thread and without hooks inside, the process becomes the monitor without executing another program. */
extern bool lxcext_execute(struct lxc_container *c, char *const argv[]);
/* start() in the background as the last thing that a program does: on success it is ended with status 0 at once, which spares the
 * execution of another program, where that is safe: for root's with one thread that runs from a file that nobody can
 * write to (lxcext_protect_self). Elsewhere it returns true. Returns false on failure, with the last error; then the
 * process is to say so and end: its working directory and environment may be others, and its open files, but for the
 * first three, closed. */
extern bool lxcext_start_end(struct lxc_container *c, int useinit, char *const argv[]);

/* Says that start() in the background follows at once: the program that is to watch the container is loaded while the
 * caller goes on. It ends unused with the handle, or where the start turns out to be another one. Not needed, and
 * without an effect where it cannot be done. 0, or a negative errno for a bad handle. */
extern int lxcext_start_ahead(struct lxc_container *c);

/* Says, before there is a second thread, that this program starts many containers in the background: a process is made that
 * forks for each of them, so that no program is executed. Under the conditions of lxcext_start_end, elsewhere without an
 * effect; not needed. 0, or a negative errno if there cannot be such a process, which changes nothing. */
extern int lxcext_start_many(void);

/* start() of a container in the background, and how long it took: *ret gets a line "BEGIN END WHO STEP" for each step,
 * in nanoseconds since the call, WHO being client, monitor or init; free() it. NULL if the start failed. */
extern bool lxcext_start_timed(struct lxc_container *c, int useinit, char *const argv[], char **ret);

/* What start() would do, in words, without doing it. free() the result; NULL with the reason why
 * the container would not start. */
extern char *lxcext_explain(struct lxc_container *c, int useinit, char *const argv[]);

/* The same as a JSON object: name, lxcpath, init, root, namespaces, ids, mounts, networks, cgroup, profile, each with
 * the file and line that it comes from where there is one. "version" is 1. free() it. */
extern char *lxcext_explain_json(struct lxc_container *c, int useinit, char *const argv[]);

/* The last error as lxcext_print_error prints it, and as a JSON object with message, id, remedy and the chain. free()
 * it; NULL when nothing has failed. c == NULL as for lxcext_last_error. */
extern char *lxcext_error_text(struct lxc_container *c, bool verbose);
extern char *lxcext_error_json(struct lxc_container *c);

enum lxcext_end_by {
	LXCEXT_END_UNKNOWN,		/* it runs, or how it ended was not seen */
	LXCEXT_END_ITSELF,		/* its init ended without being asked to */
	LXCEXT_END_REQUEST,		/* somebody called stop() or shutdown() */
	LXCEXT_END_SIGNAL,		/* somebody sent its monitor a signal */
};
struct lxcext_end {
	int status;			/* wait status of init, -1 when unknown */
	int by;				/* enum lxcext_end_by: who asked for the end */
	unsigned uid;			/* of that process, for REQUEST and SIGNAL */
	int pid;
	char command[64];		/* its name, as ps shows it */
	unsigned long long oom_kills;	/* processes of the run that the kernel killed for want of memory */
};
/* How the last run ended, and who wanted it to. size is sizeof(*ret). 0, or a negative errno when nothing is recorded. */
extern int lxcext_last_end(struct lxc_container *c, struct lxcext_end *ret, size_t size);

/* A descriptor for poll that becomes readable whenever the container's state changes, from one run to the next;
 * close() it. lxcext_state_read empties it and returns the state that the container is in then, as state(). Not for
 * containers that LXC's own monitors run. A negative errno on failure. */
extern int lxcext_state_fd(struct lxc_container *c);
extern const char *lxcext_state_read(struct lxc_container *c, int fd);

/* The states of n containers: as state(), or "STUCK" where the container's monitor does not answer within timeout_ms. However
 * many do not, the call takes no longer than one. A monitor that has the state on record is asked only when a signal keeps it
 * stopped. 0, or a negative errno. */
extern int lxcext_states(struct lxc_container *const *c, size_t n, int timeout_ms, const char **ret);

/* Waits until the running container is ready: what is "network" (an address that reaches beyond the link), "port:N"
 * (something inside listens on TCP port N), "command:COMMAND" (sh -c COMMAND inside exits with 0) or "init" (its init
 * says that it has started everything; systemd does). timeout in seconds, -1: without limit. 0, -ETIMEDOUT, or another
 * negative errno when it cannot become ready (it stopped, say). */
extern int lxcext_wait_ready(struct lxc_container *c, const char *what, int timeout);

/* How the last run ended. *ret_status: wait status of init, -1 when unknown. *ret_error: the
 * one-line error of a failed start, NULL if it did not fail; free() it. Both may be NULL. 0, or a
 * negative errno when nothing is recorded. */
extern int lxcext_last_exit(struct lxc_container *c, int *ret_status, char **ret_error);

/* State changes of all containers of one lxcpath, through lxc-monitord. lxcext_events_open connects to the
 * daemon and starts it where there is none: a descriptor for poll (close it at the end), or a negative
 * errno with the thread's error. */
extern int lxcext_events_open(const char *lxcpath);

enum lxcext_event_type {
	LXCEXT_EVENT_STATE = 0,		/* value: see state */
	LXCEXT_EVENT_EXIT = 2,		/* value: the wait status of the container's init */
};
struct lxcext_event {
	int type;			/* enum lxcext_event_type; others may come */
	int value;
	const char *state;		/* "RUNNING"; NULL for other types */
	char name[256];			/* of the container */
};
/* Waits for the next event, at most timeout_ms (-1: without limit). 0, -ETIMEDOUT, -ECONNRESET when the
 * daemon has gone, or another negative errno. */
extern int lxcext_events_next(int fd, struct lxcext_event *ret, int timeout_ms);
/* Asks the daemon of lxcpath to end. 0, -ECONNREFUSED when there is none, or another negative errno. */
extern int lxcext_events_quit(const char *lxcpath);

/* Many facts about a running container (at most 64) in one exchange with its monitor. A name is "f" and a file of its
 * cgroups, "fmemory.stat" say, or "k" and a key of its running configuration; "?" in front of these asks only if the
 * name before it had no value. Each of values is then new (free() it), or NULL where there is none. 0, or a negative
 * errno. */
extern int lxcext_facts(struct lxc_container *c, const char *const *names, size_t n, char **values);

/* keep: until the same call with false, the calls on this handle that only ask (state, is_running, init_pid, get_ips,
 * ...) answer from one look at the container that is taken now, instead of one each: a report is then of one moment.
 * A call that changes the container takes it as it was seen, and is not seen itself. No other thread may use the handle
 * meanwhile. 0, or a negative errno. */
extern int lxcext_keep_state(struct lxc_container *c, bool keep);
/* The same as with true for n containers, at less cost. */
extern int lxcext_keep_states(struct lxc_container *const *c, size_t n);

/* Freezes a running container while its files are read: until lxcext_let_go, or until the process that asked has
 * ended, however that came. Several may hold one. A container that is stopped, or that freeze() has frozen, is left as
 * it is by both. 0, or a negative errno. */
extern int lxcext_hold(struct lxc_container *c);
extern int lxcext_let_go(struct lxc_container *c);

/* For attach(): as lxc_attach_run_command, or lxc_attach_run_shell with payload NULL, but says on stderr,
 * in the attached process, why nothing could be executed. */
extern int lxcext_attach_exec(void *payload);

/* The same; before it, HOME, USER, LOGNAME and SHELL that are not set become those of the container's user. */
extern int lxcext_attach_login(void *payload);

/* For a program that enters containers with attach(): first thing in main, executes the program once
 * more from a copy that root in a container cannot write to. Returns 0 in that second run (and where
 * the program's file is protected already), a negative errno with the thread's error on failure. */
extern int lxcext_protect_self(char *const argv[]);

/* A copy of a container with all that clone() has no argument for. */
enum {
	LXCEXT_COPY_KEEP_IDENTITY = 1 << 0,	/* machine-id, DHCP ids, ssh host keys, random seeds stay as they are */
	LXCEXT_COPY_EPHEMERAL = 1 << 1,		/* destroyed when it stops; made by who is about to start it */
	LXCEXT_COPY_QUICK = 1 << 2,		/* keeps the ssh host keys: making new ones takes its time */
	/* Where files are copied into a directory: goes on with what an interrupted copy of the same container has left
	 * under the new name, and leaves it for the next call when it fails or is called off. */
	LXCEXT_COPY_RESUME = 1 << 3,
};

struct lxcext_copy {
	size_t size;			/* sizeof(struct lxcext_copy) */
	const char *newname;		/* to hookargs: as in clone() */
	const char *lxcpath;
	int flags;
	const char *bdevtype;
	const char *bdevdata;
	uint64_t newsize;
	char **hookargs;
	unsigned extra;			/* LXCEXT_COPY_* */
	/* Called now and then from the thread that copies; either may be NULL. When cancelled returns true
	 * the copy ends, fails, and leaves nothing. */
	void (*progress)(void *arg, uint64_t bytes, uint64_t files);
	bool (*cancelled)(void *arg);
	void *arg;
};

/* As clone(). */
extern struct lxc_container *lxcext_copy(struct lxc_container *c, const struct lxcext_copy *how);

/* As snapshot() and snapshot_restore(), with a progress and a way out: of how (NULL: none) only size, progress, cancelled
 * and arg count. What is called off leaves nothing, and restored in place the container as it was. The number of the
 * snapshot, or 0; or a negative errno. */
extern int lxcext_snapshot(struct lxc_container *c, const char *commentfile, const struct lxcext_copy *how);
extern int lxcext_snapshot_restore(struct lxc_container *c, const char *snapname, const char *newname,
				   const struct lxcext_copy *how);

/* Gives a stopped container, and its snapshots, another id map: idmap holds values of lxc.idmap and ends with NULL; none
 * (or NULL) makes it privileged. Files get the owners that they have in the container under the new map, in a copy that
 * takes the place of what there was when it is complete. A second call completes one that was cut off. Of how (NULL: none)
 * only size, progress, cancelled and arg count. 0 or a negative errno. */
extern int lxcext_remap(struct lxc_container *c, const char *const *idmap, const struct lxcext_copy *how);

/* What a container's root takes on the disk, in bytes. */
struct lxcext_usage {
	uint64_t used;			/* with what it shares with others */
	uint64_t exclusive;		/* without; UINT64_MAX: not known */
	uint64_t limit;			/* 0: none */
};
/* 0 or a negative errno. May read the whole tree. */
extern int lxcext_disk_usage(struct lxc_container *c, struct lxcext_usage *ret);
/* Sets how much the root may take: a volume grows to this size, with its file system and while the
 * container runs; a directory or subvolume gets a quota, of which bytes 0 is none. 0 or a negative errno. */
extern int lxcext_disk_limit(struct lxc_container *c, uint64_t bytes);

/* Loads into the handle what create() begins with where there is nothing else: the default configuration, and for an
 * ordinary user without one what his granted ids and networks allow. 0 or a negative errno. */
extern int lxcext_load_default(struct lxc_container *c);

/* Where the index-th value of a configuration key of the handle stands: a new "FILE:LINE", or NULL if it has no such
 * value, or not from a file. free() it. */
extern char *lxcext_config_where(struct lxc_container *c, const char *key, size_t index);

/* The version of this implementation, "0.1.0"; lxc_get_version() is the API level. */
extern const char *lxcext_version(void);

#ifdef __cplusplus
}
#endif

#endif

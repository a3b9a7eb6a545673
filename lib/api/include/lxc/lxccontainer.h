/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* The interface of liblxc. A container is used through a handle (struct lxc_container) whose
 * function pointers are its operations: c->start(c, 0, NULL). Binary compatible with LXC 5 to 7.
 *
 * Handles are counted (lxc_container_new, _get, _put) and may be used by several threads at once.
 * Unless something else is said, a bool result is true on success, a pointer NULL and an int
 * negative on failure; c->error_string then says why, and <lxc/lxcext.h> has the details. Strings
 * that the caller gets to keep come from malloc. No call changes the caller's environment, working
 * directory, umask or signal handlers. */
#ifndef __LXC_CONTAINER_H
#define __LXC_CONTAINER_H

#include <malloc.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <lxc/attach_options.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Flags of clone(). */
#define LXC_CLONE_KEEPNAME (1 << 0)	  /* the copy keeps the host name inside */
#define LXC_CLONE_KEEPMACADDR (1 << 1)	  /* the copy keeps the hardware addresses */
#define LXC_CLONE_SNAPSHOT (1 << 2)	  /* share the data with the original */
#define LXC_CLONE_KEEPBDEVTYPE (1 << 3)	  /* the copy keeps the storage type */
#define LXC_CLONE_MAYBE_SNAPSHOT (1 << 4) /* share where the storage can, else copy */
#define LXC_CLONE_MAXFLAGS (1 << 5)
#define LXC_CLONE_ALLOW_RUNNING (1 << 6)  /* the original need not be stopped */

/* Flags of create(). */
#define LXC_CREATE_QUIET (1 << 0)	  /* the template's stdio is /dev/null */
#define LXC_CREATE_MAXFLAGS (1 << 1)

#define LXC_MOUNT_API_V1 1

struct bdev_specs;
struct lxc_conf;
struct lxc_console_log;
struct lxc_lock;
struct lxc_mount;
struct lxc_snapshot;
struct migrate_opts;

struct lxc_mount {
	int version;	/* LXC_MOUNT_API_V1 */
};

struct lxc_container {
	/* Private to the library. */
	char *name;
	char *configfile;
	char *pidfile;		/* a caller may set it (malloc'ed) before start */
	struct lxc_lock *slock;
	struct lxc_lock *privlock;
	int numthreads;
	struct lxc_conf *lxc_conf;

	/* Public. */
	char *error_string;	/* what the last failing call on this handle has to say, in one line; NULL
				 * before. Owned by the handle, valid until the next failing call */
	int error_num;		/* start(): 1 when init was never executed, else init's wait status as
				 * CODE << 8, or SIGNAL << 8 | 0x7f */
	bool daemonize;		/* true after lxc_container_new; see want_daemonize */
	char *config_path;	/* the directory of all containers, not of this one */

	/* Whether a configuration file exists. */
	bool (*is_defined)(struct lxc_container *c);
	/* A static string: one of those of lxc_get_wait_states. */
	const char *(*state)(struct lxc_container *c);
	/* Whether the state is anything but STOPPED. */
	bool (*is_running)(struct lxc_container *c);
	/* Stops all processes of the container where they are, and lets them go on. Blocks until done. */
	bool (*freeze)(struct lxc_container *c);
	bool (*unfreeze)(struct lxc_container *c);
	/* The pid of the container's init as the caller sees it; -1 when not running. */
	pid_t (*init_pid)(struct lxc_container *c);
	/* Reads the container's configuration, or alt_file, into the handle; values add to what is there. */
	bool (*load_config)(struct lxc_container *c, const char *alt_file);
	/* Starts the container. useinit != 0: as an application container, argv under a small init.
	 * argv: what init is; NULL: what the configuration says. With daemonize the call returns
	 * when the container runs, else when it has ended. */
	bool (*start)(struct lxc_container *c, int useinit, char *const argv[]);
	/* The same with the words of argv as arguments (char *), ended by NULL. */
	bool (*startl)(struct lxc_container *c, int useinit, ...);
	/* Kills the container and waits for its end. True when it was not running. */
	bool (*stop)(struct lxc_container *c);
	/* Whether start() goes into the background. */
	bool (*want_daemonize)(struct lxc_container *c, bool state);
	/* Whether a foreground start closes all inherited descriptors beyond 2. */
	bool (*want_close_all_fds)(struct lxc_container *c, bool state);
	/* The path of the configuration file; free() it. */
	char *(*config_file_name)(struct lxc_container *c);
	/* Waits until the container is in one of the states ("STOPPED|RUNNING"). timeout in seconds;
	 * -1: for ever. */
	bool (*wait)(struct lxc_container *c, const char *state, int timeout);
	/* Sets a configuration item in the handle; an empty value or NULL clears it. */
	bool (*set_config_item)(struct lxc_container *c, const char *key, const char *value);
	/* Deletes the container with its storage. It must be stopped and have no snapshots. */
	bool (*destroy)(struct lxc_container *c);
	/* Writes the handle's configuration to the container's file, or to alt_file. */
	bool (*save_config)(struct lxc_container *c, const char *alt_file);
	/* Makes the container: storage of bdevtype (NULL: a directory) that the template t fills; argv
	 * goes to the template (ended by NULL; may be NULL). t NULL: only the configuration. flags:
	 * LXC_CREATE_*. */
	bool (*create)(struct lxc_container *c, const char *t, const char *bdevtype, struct bdev_specs *specs,
		       int flags, char *const argv[]);
	bool (*createl)(struct lxc_container *c, const char *t, const char *bdevtype, struct bdev_specs *specs,
			int flags, ...);
	/* Renames the (stopped) container. The handle keeps the old name. */
	bool (*rename)(struct lxc_container *c, const char *newname);
	/* Asks init to reboot and returns. */
	bool (*reboot)(struct lxc_container *c);
	/* Asks init to shut down and waits at most timeout seconds for the end (0: not at all, -1: for
	 * ever). Does not kill. */
	bool (*shutdown)(struct lxc_container *c, int timeout);
	/* Forgets the handle's configuration. */
	void (*clear_config)(struct lxc_container *c);
	bool (*clear_config_item)(struct lxc_container *c, const char *key);
	/* Stores an item's value in retv (inlen bytes, as snprintf) and returns its length; with retv NULL
	 * or inlen 0 only the length. Lists have one line per entry. */
	int (*get_config_item)(struct lxc_container *c, const char *key, char *retv, int inlen);
	/* The value that the running container has; free() it. NULL when unset or not running. */
	char *(*get_running_config_item)(struct lxc_container *c, const char *key);
	/* The names of all items (key NULL) or of those below key, one line each; result as get_config_item. */
	int (*get_keys)(struct lxc_container *c, const char *key, char *retv, int inlen);
	/* The network interfaces inside; an array ended by NULL: free() each and the array. */
	char **(*get_interfaces)(struct lxc_container *c);
	/* The addresses inside, as text. interface NULL: all but lo. family: "inet", "inet6" or NULL.
	 * scope: the IPv6 scope id. Freed like get_interfaces' result. */
	char **(*get_ips)(struct lxc_container *c, const char *interface, const char *family, int scope);
	/* A file of the container's cgroup ("memory.max"). retv NULL: its length; else how many bytes, at most inlen, are
	 * stored in retv, with a NUL behind them where there is room. -1 on failure. */
	int (*get_cgroup_item)(struct lxc_container *c, const char *subsys, char *retv, int inlen);
	bool (*set_cgroup_item)(struct lxc_container *c, const char *subsys, const char *value);
	/* The directory of all containers; belongs to the handle. */
	const char *(*get_config_path)(struct lxc_container *c);
	bool (*set_config_path)(struct lxc_container *c, const char *path);
	/* Copies the container and returns a handle of the copy. newname and lxcpath NULL: as the
	 * original's. flags: LXC_CLONE_*. bdevtype, bdevdata, newsize (bytes): storage of the copy.
	 * hookargs: further arguments of the clone hooks, ended by NULL. */
	struct lxc_container *(*clone)(struct lxc_container *c, const char *newname, const char *lxcpath, int flags,
				       const char *bdevtype, const char *bdevdata, uint64_t newsize,
				       char **hookargs);
	/* Takes a terminal: *ttynum 0 is the console, -1 any free tty; the one granted is stored there.
	 * *ptxfd gets its master side. The result is the descriptor that holds it: close both. */
	int (*console_getfd)(struct lxc_container *c, int *ttynum, int *ptxfd);
	/* An interactive session on a terminal of the container; ends with the character Ctrl-(a + escape - 1)
	 * followed by q. */
	int (*console)(struct lxc_container *c, int ttynum, int stdinfd, int stdoutfd, int stderrfd, int escape);
	/* Runs exec_function(exec_payload) in a process inside the container. options NULL: the default.
	 * 0 and the pid, which the caller waits for, or a negative errno. */
	int (*attach)(struct lxc_container *c, lxc_attach_exec_t exec_function, void *exec_payload,
		      lxc_attach_options_t *options, pid_t *attached_process);
	/* Runs a program inside the container and waits: its wait status, or negative. */
	int (*attach_run_wait)(struct lxc_container *c, lxc_attach_options_t *options, const char *program,
			       const char *const argv[]);
	/* The same; arg is argv[0], the list ends with NULL. */
	int (*attach_run_waitl)(struct lxc_container *c, lxc_attach_options_t *options, const char *program,
				const char *arg, ...);
	/* Makes a snapshot, with the content of commentfile (may be NULL) as its comment. Its number. */
	int (*snapshot)(struct lxc_container *c, const char *commentfile);
	/* The snapshots: their number, and an array; call free of each element, then free() the array. */
	int (*snapshot_list)(struct lxc_container *c, struct lxc_snapshot **snapshots);
	/* Makes container newname from a snapshot; newname NULL: in place of this container. */
	bool (*snapshot_restore)(struct lxc_container *c, const char *snapname, const char *newname);
	bool (*snapshot_destroy)(struct lxc_container *c, const char *snapname);
	/* Whether the caller may control the running container. */
	bool (*may_control)(struct lxc_container *c);
	/* Makes the host's device src_path available inside as dest_path (NULL: same path), or takes it away. */
	bool (*add_device_node)(struct lxc_container *c, const char *src_path, const char *dest_path);
	bool (*remove_device_node)(struct lxc_container *c, const char *src_path, const char *dest_path);
	/* Moves network interface dev into (out of) the container, renamed dst_dev unless that is NULL. */
	bool (*attach_interface)(struct lxc_container *c, const char *dev, const char *dst_dev);
	bool (*detach_interface)(struct lxc_container *c, const char *dev, const char *dst_dev);
	/* Saves the running container's processes in directory with CRIU, and brings them back. */
	bool (*checkpoint)(struct lxc_container *c, char *directory, bool stop, bool verbose);
	bool (*restore)(struct lxc_container *c, char *directory, bool verbose);
	bool (*destroy_with_snapshots)(struct lxc_container *c);
	bool (*snapshot_destroy_all)(struct lxc_container *c);
	/* A step of a migration: cmd is MIGRATE_*, size is sizeof(*opts). */
	int (*migrate)(struct lxc_container *c, unsigned int cmd, struct migrate_opts *opts, unsigned int size);
	/* Reads or clears what the console said. */
	int (*console_log)(struct lxc_container *c, struct lxc_console_log *log);
	/* Asks init to reboot and waits at most timeout seconds until the container runs again. */
	bool (*reboot2)(struct lxc_container *c, int timeout);
	/* Mounts into the running container, and unmounts. */
	int (*mount)(struct lxc_container *c, const char *source, const char *target, const char *filesystemtype,
		     unsigned long mountflags, const void *data, struct lxc_mount *mnt);
	int (*umount)(struct lxc_container *c, const char *target, unsigned long mountflags, struct lxc_mount *mnt);
	/* The seccomp notification descriptor of this handle, and of the running container (close it). */
	int (*seccomp_notify_fd)(struct lxc_container *c);
	int (*seccomp_notify_fd_active)(struct lxc_container *c);
	/* A pidfd of init, and the container's devpts mount; the caller closes them. Negative errno. */
	int (*init_pidfd)(struct lxc_container *c);
	int (*devpts_fd)(struct lxc_container *c);

	/* Private; since API 6.0. */
	int rcv_timeout;

	/* How many seconds a question to the container's monitor may take; -1: no limit. Since API 6.0. */
	bool (*set_timeout)(struct lxc_container *c, int timeout);
};

struct lxc_snapshot {
	char *name;		/* "snap0" */
	char *comment_pathname;	/* where the comment is, if there is one */
	char *timestamp;	/* when it was made; may be NULL */
	char *lxcpath;		/* the directory of the snapshots */
	void (*free)(struct lxc_snapshot *s);	/* frees the strings, not the element */
};

/* What storage create() makes. Zero or NULL: the default. */
struct bdev_specs {
	char *fstype;
	uint64_t fssize;	/* bytes */
	struct {
		char *zfsroot;
	} zfs;
	struct {
		char *vg;
		char *lv;
		char *thinpool;
	} lvm;
	char *dir;		/* directory backed: an existing directory as the root */
	struct {
		char *rbdname;
		char *rbdpool;
		char *rbduser;	/* since API 6.0.6; read only when an rbd volume is made */
	} rbd;
};

/* What migrate() does. */
enum {
	MIGRATE_PRE_DUMP,
	MIGRATE_DUMP,
	MIGRATE_RESTORE,
	MIGRATE_FEATURE_CHECK
};

/* Bits of migrate_opts.features_to_check. */
#define FEATURE_MEM_TRACK (1ULL << 0)
#define FEATURE_LAZY_PAGES (1ULL << 1)

struct migrate_opts {
	char *directory;
	bool verbose;
	bool stop;		/* end the container after the dump */
	char *predump_dir;	/* relative to directory */
	char *pageserver_address;
	char *pageserver_port;
	bool preserves_inodes;	/* the root file system will have the same inodes */
	char *action_script;
	bool disable_skip_in_flight;
	uint64_t ghost_limit;	/* bytes, 0: criu's default */
	uint64_t features_to_check;	/* in: FEATURE_*; out: those that are there */
};

struct lxc_console_log {
	bool clear;		/* empty the log (after reading) */
	bool read;		/* store the log in data */
	uint64_t *read_max;	/* in: most bytes to read, 0: all; out: bytes read. Never NULL */
	char *data;		/* out: free() it */
};

struct lxc_log {
	const char *name;
	const char *lxcpath;
	const char *file;	/* "none": no file; NULL: the usual place for name */
	const char *level;	/* "ERROR" if NULL */
	const char *prefix;	/* of every line */
	bool quiet;		/* nothing on stderr */
};

/* A handle of container name in the directory config_path (NULL: the configured one), whether it
 * exists or not; its configuration is loaded if there is one. Reference count 1. NULL on failure. */
extern struct lxc_container *lxc_container_new(const char *name, const char *configpath);
/* Takes a reference: 1, or 0 on failure. */
extern int lxc_container_get(struct lxc_container *c);
/* Drops one: 1 when that was the last and the handle is gone, 0 when not, -1 on failure. */
extern int lxc_container_put(struct lxc_container *c);

/* The number of states; their (static) names go into states unless it is NULL. */
extern int lxc_get_wait_states(const char **states);
/* A global item ("lxc.lxcpath"); belongs to the library, valid as long as the thread. NULL: no value,
 * with errno EINVAL when the item does not exist. */
extern const char *lxc_get_global_config_item(const char *key);
/* The API level, "7.0.0". */
extern const char *lxc_get_version(void);

/* The containers with a configuration below lxcpath (NULL: the configured path), those that run, and
 * both together: their number, or negative. names and cret may be NULL; else they get sorted arrays
 * of strings to free() and handles to lxc_container_put(), the arrays to free(). */
extern int list_defined_containers(const char *lxcpath, char ***names, struct lxc_container ***cret);
extern int list_active_containers(const char *lxcpath, char ***names, struct lxc_container ***cret);
extern int list_all_containers(const char *lxcpath, char ***names, struct lxc_container ***cret);

/* Log settings of this process. 0 or negative. Optional. */
extern int lxc_log_init(struct lxc_log *log);
extern void lxc_log_close(void);

/* Whether a configuration key, or an extension of this interface, is known. */
extern bool lxc_config_item_is_supported(const char *key);
extern bool lxc_has_api_extension(const char *extension);

#ifdef __cplusplus
}
#endif

#endif

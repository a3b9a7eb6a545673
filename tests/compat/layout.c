/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* layout - the binary interface, byte by byte: every offset and size that a program built against
 * LXC 5 to 7 relies on (x86-64 and other LP64 systems), every constant, and the types of the members. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <lxc/lxccontainer.h>
#include <lxc/lxcext.h>
#include <lxc/version.h>

#if defined(__LP64__)
#define AT(s, m, offset, size)                                                        \
	_Static_assert(offsetof(s, m) == (offset), #s "." #m " is not at " #offset);  \
	_Static_assert(sizeof(((s *)0)->m) == (size), #s "." #m " is not " #size " long")
#define SIZE(s, size) _Static_assert(sizeof(s) == (size), #s " is not " #size " long")
#define VALUE(c, value) _Static_assert((c) == (value), #c " is not " #value)
#define TYPE(s, m, ...)                                                                      \
	_Static_assert(__builtin_types_compatible_p(__typeof__(((s *)0)->m), __VA_ARGS__),   \
		       #s "." #m " has another type")


SIZE(struct lxc_container, 584);
AT(struct lxc_container, name, 0, 8);
AT(struct lxc_container, configfile, 8, 8);
AT(struct lxc_container, pidfile, 16, 8);
AT(struct lxc_container, slock, 24, 8);
AT(struct lxc_container, privlock, 32, 8);
AT(struct lxc_container, numthreads, 40, 4);
AT(struct lxc_container, lxc_conf, 48, 8);
AT(struct lxc_container, error_string, 56, 8);
AT(struct lxc_container, error_num, 64, 4);
AT(struct lxc_container, daemonize, 68, 1);
AT(struct lxc_container, config_path, 72, 8);
AT(struct lxc_container, is_defined, 80, 8);
AT(struct lxc_container, state, 88, 8);
AT(struct lxc_container, is_running, 96, 8);
AT(struct lxc_container, freeze, 104, 8);
AT(struct lxc_container, unfreeze, 112, 8);
AT(struct lxc_container, init_pid, 120, 8);
AT(struct lxc_container, load_config, 128, 8);
AT(struct lxc_container, start, 136, 8);
AT(struct lxc_container, startl, 144, 8);
AT(struct lxc_container, stop, 152, 8);
AT(struct lxc_container, want_daemonize, 160, 8);
AT(struct lxc_container, want_close_all_fds, 168, 8);
AT(struct lxc_container, config_file_name, 176, 8);
AT(struct lxc_container, wait, 184, 8);
AT(struct lxc_container, set_config_item, 192, 8);
AT(struct lxc_container, destroy, 200, 8);
AT(struct lxc_container, save_config, 208, 8);
AT(struct lxc_container, create, 216, 8);
AT(struct lxc_container, createl, 224, 8);
AT(struct lxc_container, rename, 232, 8);
AT(struct lxc_container, reboot, 240, 8);
AT(struct lxc_container, shutdown, 248, 8);
AT(struct lxc_container, clear_config, 256, 8);
AT(struct lxc_container, clear_config_item, 264, 8);
AT(struct lxc_container, get_config_item, 272, 8);
AT(struct lxc_container, get_running_config_item, 280, 8);
AT(struct lxc_container, get_keys, 288, 8);
AT(struct lxc_container, get_interfaces, 296, 8);
AT(struct lxc_container, get_ips, 304, 8);
AT(struct lxc_container, get_cgroup_item, 312, 8);
AT(struct lxc_container, set_cgroup_item, 320, 8);
AT(struct lxc_container, get_config_path, 328, 8);
AT(struct lxc_container, set_config_path, 336, 8);
AT(struct lxc_container, clone, 344, 8);
AT(struct lxc_container, console_getfd, 352, 8);
AT(struct lxc_container, console, 360, 8);
AT(struct lxc_container, attach, 368, 8);
AT(struct lxc_container, attach_run_wait, 376, 8);
AT(struct lxc_container, attach_run_waitl, 384, 8);
AT(struct lxc_container, snapshot, 392, 8);
AT(struct lxc_container, snapshot_list, 400, 8);
AT(struct lxc_container, snapshot_restore, 408, 8);
AT(struct lxc_container, snapshot_destroy, 416, 8);
AT(struct lxc_container, may_control, 424, 8);
AT(struct lxc_container, add_device_node, 432, 8);
AT(struct lxc_container, remove_device_node, 440, 8);
AT(struct lxc_container, attach_interface, 448, 8);
AT(struct lxc_container, detach_interface, 456, 8);
AT(struct lxc_container, checkpoint, 464, 8);
AT(struct lxc_container, restore, 472, 8);
AT(struct lxc_container, destroy_with_snapshots, 480, 8);
AT(struct lxc_container, snapshot_destroy_all, 488, 8);
AT(struct lxc_container, migrate, 496, 8);
AT(struct lxc_container, console_log, 504, 8);
AT(struct lxc_container, reboot2, 512, 8);
AT(struct lxc_container, mount, 520, 8);
AT(struct lxc_container, umount, 528, 8);
AT(struct lxc_container, seccomp_notify_fd, 536, 8);
AT(struct lxc_container, seccomp_notify_fd_active, 544, 8);
AT(struct lxc_container, init_pidfd, 552, 8);
AT(struct lxc_container, devpts_fd, 560, 8);
AT(struct lxc_container, rcv_timeout, 568, 4);
AT(struct lxc_container, set_timeout, 576, 8);

TYPE(struct lxc_container, name, char *);
TYPE(struct lxc_container, configfile, char *);
TYPE(struct lxc_container, pidfile, char *);
TYPE(struct lxc_container, slock, struct lxc_lock *);
TYPE(struct lxc_container, privlock, struct lxc_lock *);
TYPE(struct lxc_container, numthreads, int);
TYPE(struct lxc_container, lxc_conf, struct lxc_conf *);
TYPE(struct lxc_container, error_string, char *);
TYPE(struct lxc_container, error_num, int);
TYPE(struct lxc_container, daemonize, bool);
TYPE(struct lxc_container, config_path, char *);
TYPE(struct lxc_container, is_defined, bool (*)(struct lxc_container *c));
TYPE(struct lxc_container, state, const char * (*)(struct lxc_container *c));
TYPE(struct lxc_container, is_running, bool (*)(struct lxc_container *c));
TYPE(struct lxc_container, freeze, bool (*)(struct lxc_container *c));
TYPE(struct lxc_container, unfreeze, bool (*)(struct lxc_container *c));
TYPE(struct lxc_container, init_pid, pid_t (*)(struct lxc_container *c));
TYPE(struct lxc_container, load_config, bool (*)(struct lxc_container *c, const char *alt_file));
TYPE(struct lxc_container, start, bool (*)(struct lxc_container *c, int useinit, char * const argv[]));
TYPE(struct lxc_container, startl, bool (*)(struct lxc_container *c, int useinit, ...));
TYPE(struct lxc_container, stop, bool (*)(struct lxc_container *c));
TYPE(struct lxc_container, want_daemonize, bool (*)(struct lxc_container *c, bool state));
TYPE(struct lxc_container, want_close_all_fds, bool (*)(struct lxc_container *c, bool state));
TYPE(struct lxc_container, config_file_name, char * (*)(struct lxc_container *c));
TYPE(struct lxc_container, wait, bool (*)(struct lxc_container *c, const char *state, int timeout));
TYPE(struct lxc_container, set_config_item,
     bool (*)(struct lxc_container *c, const char *key, const char *value));
TYPE(struct lxc_container, destroy, bool (*)(struct lxc_container *c));
TYPE(struct lxc_container, save_config, bool (*)(struct lxc_container *c, const char *alt_file));
TYPE(struct lxc_container, create,
     bool (*)(struct lxc_container *c, const char *t, const char *bdevtype, struct bdev_specs
     *specs, int flags, char *const argv[]));
TYPE(struct lxc_container, createl,
     bool (*)(struct lxc_container *c, const char *t, const char *bdevtype, struct bdev_specs
     *specs, int flags, ...));
TYPE(struct lxc_container, rename, bool (*)(struct lxc_container *c, const char *newname));
TYPE(struct lxc_container, reboot, bool (*)(struct lxc_container *c));
TYPE(struct lxc_container, shutdown, bool (*)(struct lxc_container *c, int timeout));
TYPE(struct lxc_container, clear_config, void (*)(struct lxc_container *c));
TYPE(struct lxc_container, clear_config_item, bool (*)(struct lxc_container *c, const char *key));
TYPE(struct lxc_container, get_config_item,
     int (*)(struct lxc_container *c, const char *key, char *retv, int inlen));
TYPE(struct lxc_container, get_running_config_item, char* (*)(struct lxc_container *c, const char *key));
TYPE(struct lxc_container, get_keys,
     int (*)(struct lxc_container *c, const char *key, char *retv, int inlen));
TYPE(struct lxc_container, get_interfaces, char** (*)(struct lxc_container *c));
TYPE(struct lxc_container, get_ips,
     char** (*)(struct lxc_container *c, const char* interface, const char* family, int scope));
TYPE(struct lxc_container, get_cgroup_item,
     int (*)(struct lxc_container *c, const char *subsys, char *retv, int inlen));
TYPE(struct lxc_container, set_cgroup_item,
     bool (*)(struct lxc_container *c, const char *subsys, const char *value));
TYPE(struct lxc_container, get_config_path, const char * (*)(struct lxc_container *c));
TYPE(struct lxc_container, set_config_path, bool (*)(struct lxc_container *c, const char *path));
TYPE(struct lxc_container, clone,
     struct lxc_container * (*)(struct lxc_container *c, const char *newname, const char *lxcpath,
     int flags, const char *bdevtype, const char *bdevdata, uint64_t newsize, char **hookargs));
TYPE(struct lxc_container, console_getfd, int (*)(struct lxc_container *c, int *ttynum, int *ptxfd));
TYPE(struct lxc_container, console,
     int (*)(struct lxc_container *c, int ttynum, int stdinfd, int stdoutfd, int stderrfd, int
     escape));
TYPE(struct lxc_container, attach,
     int (*)(struct lxc_container *c, lxc_attach_exec_t exec_function, void *exec_payload,
     lxc_attach_options_t *options, pid_t *attached_process));
TYPE(struct lxc_container, attach_run_wait,
     int (*)(struct lxc_container *c, lxc_attach_options_t *options, const char *program, const char
     * const argv[]));
TYPE(struct lxc_container, attach_run_waitl,
     int (*)(struct lxc_container *c, lxc_attach_options_t *options, const char *program, const char
     *arg, ...));
TYPE(struct lxc_container, snapshot, int (*)(struct lxc_container *c, const char *commentfile));
TYPE(struct lxc_container, snapshot_list,
     int (*)(struct lxc_container *c, struct lxc_snapshot **snapshots));
TYPE(struct lxc_container, snapshot_restore,
     bool (*)(struct lxc_container *c, const char *snapname, const char *newname));
TYPE(struct lxc_container, snapshot_destroy, bool (*)(struct lxc_container *c, const char *snapname));
TYPE(struct lxc_container, may_control, bool (*)(struct lxc_container *c));
TYPE(struct lxc_container, add_device_node,
     bool (*)(struct lxc_container *c, const char *src_path, const char *dest_path));
TYPE(struct lxc_container, remove_device_node,
     bool (*)(struct lxc_container *c, const char *src_path, const char *dest_path));
TYPE(struct lxc_container, attach_interface,
     bool (*)(struct lxc_container *c, const char *dev, const char *dst_dev));
TYPE(struct lxc_container, detach_interface,
     bool (*)(struct lxc_container *c, const char *dev, const char *dst_dev));
TYPE(struct lxc_container, checkpoint,
     bool (*)(struct lxc_container *c, char *directory, bool stop, bool verbose));
TYPE(struct lxc_container, restore, bool (*)(struct lxc_container *c, char *directory, bool verbose));
TYPE(struct lxc_container, destroy_with_snapshots, bool (*)(struct lxc_container *c));
TYPE(struct lxc_container, snapshot_destroy_all, bool (*)(struct lxc_container *c));
TYPE(struct lxc_container, migrate,
     int (*)(struct lxc_container *c, unsigned int cmd, struct migrate_opts *opts, unsigned int
     size));
TYPE(struct lxc_container, console_log, int (*)(struct lxc_container *c, struct lxc_console_log *log));
TYPE(struct lxc_container, reboot2, bool (*)(struct lxc_container *c, int timeout));
TYPE(struct lxc_container, mount,
     int (*)(struct lxc_container *c, const char *source, const char *target, const char
     *filesystemtype, unsigned long mountflags, const void *data, struct lxc_mount *mnt));
TYPE(struct lxc_container, umount,
     int (*)(struct lxc_container *c, const char *target, unsigned long mountflags, struct lxc_mount
     *mnt));
TYPE(struct lxc_container, seccomp_notify_fd, int (*)(struct lxc_container *c));
TYPE(struct lxc_container, seccomp_notify_fd_active, int (*)(struct lxc_container *c));
TYPE(struct lxc_container, init_pidfd, int (*)(struct lxc_container *c));
TYPE(struct lxc_container, devpts_fd, int (*)(struct lxc_container *c));
TYPE(struct lxc_container, rcv_timeout, int);
TYPE(struct lxc_container, set_timeout, bool (*)(struct lxc_container *c, int timeout));

SIZE(struct lxc_snapshot, 40);
AT(struct lxc_snapshot, name, 0, 8);
AT(struct lxc_snapshot, comment_pathname, 8, 8);
AT(struct lxc_snapshot, timestamp, 16, 8);
AT(struct lxc_snapshot, lxcpath, 24, 8);
AT(struct lxc_snapshot, free, 32, 8);

SIZE(struct bdev_specs, 80);
AT(struct bdev_specs, fstype, 0, 8);
AT(struct bdev_specs, fssize, 8, 8);
AT(struct bdev_specs, zfs, 16, 8);
AT(struct bdev_specs, lvm, 24, 24);
AT(struct bdev_specs, dir, 48, 8);
AT(struct bdev_specs, rbd, 56, 24);
AT(struct bdev_specs, zfs.zfsroot, 16, 8);
AT(struct bdev_specs, lvm.vg, 24, 8);
AT(struct bdev_specs, lvm.lv, 32, 8);
AT(struct bdev_specs, lvm.thinpool, 40, 8);
AT(struct bdev_specs, rbd.rbdname, 56, 8);
AT(struct bdev_specs, rbd.rbdpool, 64, 8);
AT(struct bdev_specs, rbd.rbduser, 72, 8);

SIZE(struct migrate_opts, 80);
AT(struct migrate_opts, directory, 0, 8);
AT(struct migrate_opts, verbose, 8, 1);
AT(struct migrate_opts, stop, 9, 1);
AT(struct migrate_opts, predump_dir, 16, 8);
AT(struct migrate_opts, pageserver_address, 24, 8);
AT(struct migrate_opts, pageserver_port, 32, 8);
AT(struct migrate_opts, preserves_inodes, 40, 1);
AT(struct migrate_opts, action_script, 48, 8);
AT(struct migrate_opts, disable_skip_in_flight, 56, 1);
AT(struct migrate_opts, ghost_limit, 64, 8);
AT(struct migrate_opts, features_to_check, 72, 8);

SIZE(struct lxc_console_log, 24);
AT(struct lxc_console_log, clear, 0, 1);
AT(struct lxc_console_log, read, 1, 1);
AT(struct lxc_console_log, read_max, 8, 8);
AT(struct lxc_console_log, data, 16, 8);

SIZE(struct lxc_mount, 4);
AT(struct lxc_mount, version, 0, 4);

SIZE(struct lxc_log, 48);
AT(struct lxc_log, name, 0, 8);
AT(struct lxc_log, lxcpath, 8, 8);
AT(struct lxc_log, file, 16, 8);
AT(struct lxc_log, level, 24, 8);
AT(struct lxc_log, prefix, 32, 8);
AT(struct lxc_log, quiet, 40, 1);

SIZE(lxc_attach_options_t, 96);
AT(lxc_attach_options_t, attach_flags, 0, 4);
AT(lxc_attach_options_t, namespaces, 4, 4);
AT(lxc_attach_options_t, personality, 8, 8);
AT(lxc_attach_options_t, initial_cwd, 16, 8);
AT(lxc_attach_options_t, uid, 24, 4);
AT(lxc_attach_options_t, gid, 28, 4);
AT(lxc_attach_options_t, env_policy, 32, 4);
AT(lxc_attach_options_t, extra_env_vars, 40, 8);
AT(lxc_attach_options_t, extra_keep_env, 48, 8);
AT(lxc_attach_options_t, stdin_fd, 56, 4);
AT(lxc_attach_options_t, stdout_fd, 60, 4);
AT(lxc_attach_options_t, stderr_fd, 64, 4);
AT(lxc_attach_options_t, log_fd, 68, 4);
AT(lxc_attach_options_t, lsm_label, 72, 8);
AT(lxc_attach_options_t, groups, 80, 16);
AT(lxc_groups_t, size, 0, 8);
AT(lxc_groups_t, list, 8, 8);
SIZE(lxc_attach_command_t, 16);
AT(lxc_attach_command_t, program, 0, 8);
AT(lxc_attach_command_t, argv, 8, 8);
_Static_assert(__builtin_types_compatible_p(lxc_attach_exec_t, int (*)(void *)), "lxc_attach_exec_t");

VALUE(LXC_CLONE_KEEPNAME, 1);
VALUE(LXC_CLONE_KEEPMACADDR, 2);
VALUE(LXC_CLONE_SNAPSHOT, 4);
VALUE(LXC_CLONE_KEEPBDEVTYPE, 8);
VALUE(LXC_CLONE_MAYBE_SNAPSHOT, 16);
VALUE(LXC_CLONE_MAXFLAGS, 32);
VALUE(LXC_CLONE_ALLOW_RUNNING, 64);
VALUE(LXC_CREATE_QUIET, 1);
VALUE(LXC_CREATE_MAXFLAGS, 2);
VALUE(LXC_MOUNT_API_V1, 1);
VALUE(MIGRATE_PRE_DUMP, 0);
VALUE(MIGRATE_DUMP, 1);
VALUE(MIGRATE_RESTORE, 2);
VALUE(MIGRATE_FEATURE_CHECK, 3);
VALUE(FEATURE_MEM_TRACK, 1ULL);
VALUE(FEATURE_LAZY_PAGES, 2ULL);
VALUE(LXC_ATTACH_KEEP_ENV, 0);
VALUE(LXC_ATTACH_CLEAR_ENV, 1);
VALUE(LXC_ATTACH_MOVE_TO_CGROUP, 0x1);
VALUE(LXC_ATTACH_DROP_CAPABILITIES, 0x2);
VALUE(LXC_ATTACH_SET_PERSONALITY, 0x4);
VALUE(LXC_ATTACH_LSM_EXEC, 0x8);
VALUE(LXC_ATTACH_REMOUNT_PROC_SYS, 0x10000);
VALUE(LXC_ATTACH_LSM_NOW, 0x20000);
VALUE(LXC_ATTACH_NO_NEW_PRIVS, 0x40000);
VALUE(LXC_ATTACH_TERMINAL, 0x80000);
VALUE(LXC_ATTACH_LSM_LABEL, 0x100000);
VALUE(LXC_ATTACH_SETGROUPS, 0x200000);
VALUE(LXC_ATTACH_DEFAULT, 0xFFFF);
VALUE(LXC_ATTACH_LSM, 0x120008);
VALUE(LXC_ATTACH_DETECT_PERSONALITY, ~0L);
VALUE(LXC_VERSION_MAJOR, 7);
VALUE(LXC_DEVEL, 0);
#endif

/* Feature detection by #ifdef works for every flag. */
#if !defined(LXC_ATTACH_SETGROUPS) || !defined(LXC_ATTACH_TERMINAL) || !defined(LXC_ATTACH_KEEP_ENV)
#error "attach flags must be macros too"
#endif
#if !defined(__LXC_CONTAINER_H) || !defined(__LXC_ATTACH_OPTIONS_H) || !defined(__LXC_VERSION_H)
#error "include guards have other names"
#endif

static int number;

static void ok(int good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, what);
}

int main(void)
{
	struct lxc_container *c = lxc_container_new("layout", "/nonexistent/layout");
	lxc_attach_options_t o = LXC_ATTACH_OPTIONS_DEFAULT;
	const char *states[8];
	int missing = 0;

	printf("1..5\n");
	ok(c && c->numthreads == 1 && c->daemonize && !c->lxc_conf && !c->error_string &&
		   strcmp(c->name, "layout") == 0 && strcmp(c->config_path, "/nonexistent/layout") == 0 &&
		   strcmp(c->configfile, "/nonexistent/layout/layout/config") == 0,
	   "a new handle has the documented members");
	/* All pointers from is_defined to devpts_fd lie in a row. */
	for (size_t at = offsetof(struct lxc_container, is_defined);
	     c && at <= offsetof(struct lxc_container, devpts_fd); at += sizeof(void *)) {
		void *p;

		memcpy(&p, (char *)c + at, sizeof(p));
		missing += !p;
	}
	ok(c && !missing && c->set_timeout, "no operation is missing");
	ok(o.attach_flags == 0xFFFF && o.namespaces == -1 && o.personality == ~0L && !o.initial_cwd &&
		   o.uid == (uid_t)-1 && o.gid == (gid_t)-1 && o.env_policy == LXC_ATTACH_KEEP_ENV &&
		   !o.extra_env_vars && !o.extra_keep_env && o.stdin_fd == 0 && o.stdout_fd == 1 &&
		   o.stderr_fd == 2 && o.log_fd == -9 && !o.lsm_label && o.groups.size == 0 && !o.groups.list,
	   "the default attach options are LXC's");
	ok(lxc_get_wait_states(states) == 8 && strcmp(states[0], "STOPPED") == 0 &&
		   strcmp(states[2], "RUNNING") == 0 && strcmp(states[7], "THAWED") == 0,
	   "the states come in LXC's order");
	ok(strcmp(lxc_get_version(), LXC_VERSION) == 0 && lxc_container_put(c) == 1,
	   "version and reference count");
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* vtable - the operations of a handle: one public member, one function api_MEMBER. */
#pragma once
#include <lxc/lxccontainer.h>

#include "lifecycle/supervise.h"

void vtable_fill(struct lxc_container *c);

/* api_config.c */
bool api_is_defined(struct lxc_container *c);
bool api_load_config(struct lxc_container *c, const char *alt_file);
bool api_save_config(struct lxc_container *c, const char *alt_file);
void api_clear_config(struct lxc_container *c);
bool api_set_config_item(struct lxc_container *c, const char *key, const char *value);
bool api_clear_config_item(struct lxc_container *c, const char *key);
int api_get_config_item(struct lxc_container *c, const char *key, char *retv, int inlen);
char *api_get_running_config_item(struct lxc_container *c, const char *key);
int api_get_keys(struct lxc_container *c, const char *key, char *retv, int inlen);
char *api_config_file_name(struct lxc_container *c);
const char *api_get_config_path(struct lxc_container *c);
bool api_set_config_path(struct lxc_container *c, const char *path);
bool api_want_daemonize(struct lxc_container *c, bool state);
bool api_want_close_all_fds(struct lxc_container *c, bool state);
bool api_set_timeout(struct lxc_container *c, int timeout);

/* api_info.c */
const char *api_state(struct lxc_container *c);
bool api_is_running(struct lxc_container *c);
pid_t api_init_pid(struct lxc_container *c);
int api_init_pidfd(struct lxc_container *c);
int api_devpts_fd(struct lxc_container *c);
bool api_may_control(struct lxc_container *c);
char **api_get_interfaces(struct lxc_container *c);
char **api_get_ips(struct lxc_container *c, const char *interface, const char *family, int scope);
int api_get_cgroup_item(struct lxc_container *c, const char *subsys, char *retv, int inlen);
bool api_set_cgroup_item(struct lxc_container *c, const char *subsys, const char *value);
int api_seccomp_notify_fd(struct lxc_container *c);
int api_seccomp_notify_fd_active(struct lxc_container *c);

/* api_start.c */
bool api_start(struct lxc_container *c, int useinit, char *const argv[]);
bool api_startl(struct lxc_container *c, int useinit, ...);
/* A start after which the process has nothing else to do: lxcext_start_exec or, not in the foreground, lxcext_start_end. monitor: if
 * the program has one thread, and may be or make the monitor itself (root, and in the background protected); else NULL. */
bool api_start_last(struct lxc_container *c, int useinit, char *const argv[], bool foreground, supervise_fn *monitor);

/* api_run.c */
bool api_stop(struct lxc_container *c);
bool api_shutdown(struct lxc_container *c, int timeout);
bool api_reboot(struct lxc_container *c);
bool api_reboot2(struct lxc_container *c, int timeout);
bool api_freeze(struct lxc_container *c);
bool api_unfreeze(struct lxc_container *c);
bool api_wait(struct lxc_container *c, const char *state, int timeout);

/* api_console.c */
int api_console_getfd(struct lxc_container *c, int *ttynum, int *ptxfd);
int api_console(struct lxc_container *c, int ttynum, int stdinfd, int stdoutfd, int stderrfd, int escape);
int api_console_log(struct lxc_container *c, struct lxc_console_log *log);

/* api_attach.c */
int api_attach(struct lxc_container *c, lxc_attach_exec_t fn, void *payload, lxc_attach_options_t *options,
	       pid_t *attached_process);
int api_attach_run_wait(struct lxc_container *c, lxc_attach_options_t *options, const char *program,
			const char *const argv[]);
int api_attach_run_waitl(struct lxc_container *c, lxc_attach_options_t *options, const char *program,
			 const char *arg, ...);

/* api_create.c */
bool api_create(struct lxc_container *c, const char *t, const char *bdevtype, struct bdev_specs *specs,
		int flags, char *const argv[]);
bool api_createl(struct lxc_container *c, const char *t, const char *bdevtype, struct bdev_specs *specs,
		 int flags, ...);

/* api_destroy.c */
bool api_destroy(struct lxc_container *c);
bool api_destroy_with_snapshots(struct lxc_container *c);
bool api_rename(struct lxc_container *c, const char *newname);

/* api_snapshot.c */
struct lxc_container *api_clone(struct lxc_container *c, const char *newname, const char *lxcpath, int flags,
				const char *bdevtype, const char *bdevdata, uint64_t newsize, char **hookargs);
int api_snapshot(struct lxc_container *c, const char *commentfile);
int api_snapshot_list(struct lxc_container *c, struct lxc_snapshot **snapshots);
bool api_snapshot_restore(struct lxc_container *c, const char *snapname, const char *newname);
bool api_snapshot_destroy(struct lxc_container *c, const char *snapname);
bool api_snapshot_destroy_all(struct lxc_container *c);

/* api_device.c */
bool api_add_device_node(struct lxc_container *c, const char *src_path, const char *dest_path);
bool api_remove_device_node(struct lxc_container *c, const char *src_path, const char *dest_path);
bool api_attach_interface(struct lxc_container *c, const char *dev, const char *dst_dev);
bool api_detach_interface(struct lxc_container *c, const char *dev, const char *dst_dev);
int api_mount(struct lxc_container *c, const char *source, const char *target, const char *filesystemtype,
	      unsigned long mountflags, const void *data, struct lxc_mount *mnt);
int api_umount(struct lxc_container *c, const char *target, unsigned long mountflags, struct lxc_mount *mnt);

/* api_criu.c */
bool api_checkpoint(struct lxc_container *c, char *directory, bool stop, bool verbose);
bool api_restore(struct lxc_container *c, char *directory, bool verbose);
int api_migrate(struct lxc_container *c, unsigned int cmd, struct migrate_opts *opts, unsigned int size);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* start - the whole start as one ordered table, and running it. */
#pragma once
#include "lifecycle/run.h"

/* Makes the sequence and runs it to RUNNING. On failure everything is undone and *e says why. */
int start_run(struct run *r, struct err **e);
/* The undo column for a container that ran: cgroups, network, profile, storage, socket. Monitor. */
void start_undo(struct run *r);
/* In the new process: runs init's rows, or reports why it cannot (rc, e). Does not return. fd: its end of the handoff
 * socket. */
void start_init(struct run *r, int fd, int rc, struct err *e) attr_noreturn;
/* The same with what a fork must do first. other: the monitor's end. */
void start_init_in(struct run *r, int fd, int other) attr_noreturn;
void start_explain(const struct run *r, struct buf *out);

/* Who answers behind fd under the container's name: already_running, or socket_taken. */
int host_socket_holder(struct run *r, int fd, struct err **e);

/* Rows of the monitor (start_host.c). */
int host_open_socket(struct run *r, struct err **e);
void host_close_socket(struct run *r);
int host_set_starting(struct run *r, struct err **e);
int host_pre_start(struct run *r, struct err **e);
int host_console(struct run *r, struct err **e);
int host_load_profile(struct run *r, struct err **e);
void host_unload_profile(struct run *r);
int host_attach_storage(struct run *r, struct err **e);
void host_detach_storage(struct run *r);
int host_make_cgroups(struct run *r, struct err **e);
void host_remove_cgroups(struct run *r);
void host_remove_payload(struct run *r);
/* The monitor's own cgroup, as it ends. */
void host_retire(struct run *r);
int host_open_shared(struct run *r, struct err **e);
int host_prepare_mounts(struct run *r, struct err **e);
/* Opens and clones root, binds and device nodes: in the monitor, or in init where that must do it. */
int start_prepare_mounts(struct run *r, struct err **e);
int host_make_init(struct run *r, struct err **e);
void host_kill_init(struct run *r);
int host_map_ids(struct run *r, struct err **e);
int host_keep_net(struct run *r, struct err **e);
int host_limit(struct run *r, struct err **e);
int host_make_late_cgroups(struct run *r, struct err **e);
int host_make_network(struct run *r, struct err **e);
void host_remove_network(struct run *r);
int host_tune_init(struct run *r, struct err **e);
int host_filter_devices(struct run *r, struct err **e);
int host_start_host(struct run *r, struct err **e);
int host_take_terminals(struct run *r, struct err **e);

/* Rows of init (start_rootfs.c, start_dev.c, start_identity.c). */
int init_arm(struct run *r, struct err **e);
int init_prepare_mounts(struct run *r, struct err **e);
int init_become_root(struct run *r, struct err **e);
int init_join_cgroups(struct run *r, struct err **e);
int init_unshare(struct run *r, struct err **e);
int init_unshare_net(struct run *r, struct err **e);
int init_mount_root(struct run *r, struct err **e);
int init_hostname(struct run *r, struct err **e);
int init_keyring(struct run *r, struct err **e);
int init_network(struct run *r, struct err **e);
int init_mount_dev(struct run *r, struct err **e);
int init_mount_auto(struct run *r, struct err **e);
int init_mount_entries(struct run *r, struct err **e);
int init_mount_cgroups(struct run *r, struct err **e);
int init_mount_hooks(struct run *r, struct err **e);
int init_fill_dev(struct run *r, struct err **e);
int init_terminals(struct run *r, struct err **e);
int init_check_program(struct run *r, struct err **e);
int init_switch_root(struct run *r, struct err **e);
int init_sysctls(struct run *r, struct err **e);
int init_drop_caps(struct run *r, struct err **e);
int init_label(struct run *r, struct err **e);
int init_no_new_privs(struct run *r, struct err **e);
int init_seccomp(struct run *r, struct err **e);
int init_start_hooks(struct run *r, struct err **e);
int init_stdio(struct run *r, struct err **e);
int init_exec(struct run *r, struct err **e);

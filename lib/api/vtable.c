/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "vtable.h"

/* In the order of the public structure, so that a missing row is seen. tests/unit/test-handle.c
 * checks that none is NULL. */
void vtable_fill(struct lxc_container *c)
{
#define MEMBER(name) c->name = api_##name
	MEMBER(is_defined);
	MEMBER(state);
	MEMBER(is_running);
	MEMBER(freeze);
	MEMBER(unfreeze);
	MEMBER(init_pid);
	MEMBER(load_config);
	MEMBER(start);
	MEMBER(startl);
	MEMBER(stop);
	MEMBER(want_daemonize);
	MEMBER(want_close_all_fds);
	MEMBER(config_file_name);
	MEMBER(wait);
	MEMBER(set_config_item);
	MEMBER(destroy);
	MEMBER(save_config);
	MEMBER(create);
	MEMBER(createl);
	MEMBER(rename);
	MEMBER(reboot);
	MEMBER(shutdown);
	MEMBER(clear_config);
	MEMBER(clear_config_item);
	MEMBER(get_config_item);
	MEMBER(get_running_config_item);
	MEMBER(get_keys);
	MEMBER(get_interfaces);
	MEMBER(get_ips);
	MEMBER(get_cgroup_item);
	MEMBER(set_cgroup_item);
	MEMBER(get_config_path);
	MEMBER(set_config_path);
	MEMBER(clone);
	MEMBER(console_getfd);
	MEMBER(console);
	MEMBER(attach);
	MEMBER(attach_run_wait);
	MEMBER(attach_run_waitl);
	MEMBER(snapshot);
	MEMBER(snapshot_list);
	MEMBER(snapshot_restore);
	MEMBER(snapshot_destroy);
	MEMBER(may_control);
	MEMBER(add_device_node);
	MEMBER(remove_device_node);
	MEMBER(attach_interface);
	MEMBER(detach_interface);
	MEMBER(checkpoint);
	MEMBER(restore);
	MEMBER(destroy_with_snapshots);
	MEMBER(snapshot_destroy_all);
	MEMBER(migrate);
	MEMBER(console_log);
	MEMBER(reboot2);
	MEMBER(mount);
	MEMBER(umount);
	MEMBER(seccomp_notify_fd);
	MEMBER(seccomp_notify_fd_active);
	MEMBER(init_pidfd);
	MEMBER(devpts_fd);
	MEMBER(set_timeout);
#undef MEMBER
}

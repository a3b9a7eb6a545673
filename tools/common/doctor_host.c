/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* doctor_host - what a host must have: kernel, cgroups, ids, confinement, file systems, limits. */
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <linux/magic.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "base/path.h"
#include "common/doctor.h"
#include "common/program.h"

#define KERNEL_MAJOR 5
#define KERNEL_MINOR 10
#define SUBID_MAX (4U << 20)
#define LINE_MAX_READ 65536
#define SUBIDS_NEEDED 65536U
#define INSTANCES_FEW 512
#define SPACE_PERCENT 5

static void check_kernel(struct doctor *d)
{
	auto_strv struct strv parts = { 0 };
	auto_free char *modules = NULL;
	struct utsname u;
	unsigned major = 0, minor = 0;

	if (uname(&u) < 0 || strv_split(&parts, u.release, ".-+~") < 0 || parts.n < 2)
		return;
	(void)num_uint(parts.v[0], 10, &major);
	(void)num_uint(parts.v[1], 10, &minor);
	if (major > KERNEL_MAJOR || (major == KERNEL_MAJOR && minor >= KERNEL_MINOR))
		(void)doctor_add(d, FINDING_OK, "kernel-version", "kernel %s is new enough", u.release);
	else
		doctor_remedy(doctor_add(d, FINDING_FAULT, "kernel-version", "kernel %s is older than %d.%d", u.release,
					 KERNEL_MAJOR, KERNEL_MINOR),
			      "install a newer kernel and boot it");
	/* After an upgrade the modules of the kernel that still runs are gone: no veth, no overlay. */
	if (access("/proc/modules", F_OK) == 0 && asprintf(&modules, "/lib/modules/%s", u.release) >= 0 &&
	    access("/lib/modules", F_OK) == 0 && access(modules, F_OK) < 0)
		doctor_remedy(doctor_add(d, FINDING_NOTE, "kernel-modules",
					 "there is no %s: what is no part of the running kernel cannot be loaded", modules),
			      "boot the kernel that is installed");
}

static bool has_word(const char *text, const char *word)
{
	auto_strv struct strv words = { 0 };

	return text && strv_split(&words, text, " \n") == 0 && strv_has(&words, word);
}

/* The hierarchies of version 1 that /proc/self/cgroup names. */
static bool has_hierarchy(const char *text, const char *controller)
{
	auto_strv struct strv words = { 0 };

	return text && strv_split(&words, text, ":,\n") == 0 && strv_has(&words, controller);
}

static void check_controllers(struct doctor *d, const char *there, bool (*has)(const char *, const char *),
			      const char *where)
{
	static const char *const wanted[] = { "cpu", "memory", "pids" };

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!has(there, wanted[i]))
			doctor_remedy(doctor_add(d, FINDING_WARNING, "cgroup-controller",
						 "%s has no %s controller: lxc.cgroup keys of it cannot be applied", where, wanted[i]),
				      "boot without cgroup_disable=%s", wanted[i]);
}

static void check_cgroups(struct doctor *d)
{
	auto_free char *text = NULL;
	struct statfs fs;

	if (statfs("/sys/fs/cgroup", &fs) < 0 || (fs.f_type != CGROUP2_SUPER_MAGIC && fs.f_type != TMPFS_MAGIC)) {
		doctor_remedy(doctor_add(d, FINDING_FAULT, "cgroup-mount", "no cgroups are mounted on /sys/fs/cgroup"),
			      "mount -t cgroup2 cgroup2 /sys/fs/cgroup");
		return;
	}
	if (fs.f_type == CGROUP2_SUPER_MAGIC) {
		(void)doctor_add(d, FINDING_OK, "cgroup-mount", "cgroups are version 2");
		if (io_read_file(AT_FDCWD, "/sys/fs/cgroup/cgroup.controllers", LINE_MAX_READ, &text, NULL, NULL) == 0)
			check_controllers(d, text, has_word, "/sys/fs/cgroup");
		return;
	}
	doctor_remedy(doctor_add(d, FINDING_NOTE, "cgroup-mount",
				 "cgroups are version 1: starting is slower, and guests of today want version 2"),
		      "boot with systemd.unified_cgroup_hierarchy=1");
	if (io_read_file(AT_FDCWD, "/proc/self/cgroup", LINE_MAX_READ, &text, NULL, NULL) == 0)
		check_controllers(d, text, has_hierarchy, "the host");
}

/* How many ids a file grants to the user in its longest range. */
static unsigned granted(const char *path, const char *user, unsigned uid)
{
	auto_free char *text = NULL;
	auto_strv struct strv lines = { 0 };
	unsigned most = 0;

	if (io_read_file(AT_FDCWD, path, SUBID_MAX, &text, NULL, NULL) < 0 || strv_split(&lines, text, "\n") < 0)
		return 0;
	for (size_t i = 0; i < lines.n; i++) {
		auto_strv struct strv words = { 0 };
		unsigned n, id;

		if (strv_split(&words, lines.v[i], ":") < 0 || words.n != 3 || num_uint(words.v[2], 10, &n) < 0)
			continue;
		if (STREQ(words.v[0], user) || (num_uint(words.v[0], 10, &id) == 0 && id == uid))
			most = MAX(most, n);
	}
	return most;
}

static void check_ids_of_user(struct doctor *d)
{
	static const char *const files[] = { "/etc/subuid", "/etc/subgid" };
	const struct passwd *pw = getpwuid(getuid());
	const char *user = pw ? pw->pw_name : "";

	if (getuid() == 0)
		return;	/* who may write maps needs no grant */
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		unsigned n = granted(files[i], user, getuid());

		if (n >= SUBIDS_NEEDED)
			(void)doctor_add(d, FINDING_OK, "subids", "%s grants %u ids to %s", files[i], n, user);
		else
			doctor_remedy(doctor_add(d, FINDING_FAULT, "subids", "%s grants %u ids to %s; a container needs %u",
						 files[i], n, user, SUBIDS_NEEDED),
				      "sudo usermod --add-sub%ss 100000-165535 %s", i ? "gid" : "uid", user);
	}
}

static void check_map_helper(struct doctor *d, const char *name)
{
	auto_free char *path = program_find(name);
	char caps[64];
	struct stat st;

	if (!path)
		doctor_remedy(doctor_add(d, getuid() ? FINDING_FAULT : FINDING_NOTE, "idmap-helper",
					 "there is no %s: users cannot map their ids", name),
			      "apt-get install uidmap");
	else if (stat(path, &st) == 0 && !(st.st_mode & S_ISUID) &&
		 getxattr(path, "security.capability", caps, sizeof(caps)) < 0)
		doctor_remedy(doctor_add(d, getuid() ? FINDING_FAULT : FINDING_NOTE, "idmap-helper",
					 "%s has no privileges: users cannot map their ids", path),
			      "setcap cap_set%cid=ep %s", name[3], path);
	else
		(void)doctor_add(d, FINDING_OK, "idmap-helper", "%s is there", path);
}

static void check_user_namespaces(struct doctor *d)
{
	unsigned long long v;

	if (doctor_number("/proc/sys/user/max_user_namespaces", &v) && v == 0) {
		static const char *const fix[] = { "sysctl", "-w", "user.max_user_namespaces=15000", NULL };

		doctor_fix(doctor_add(d, FINDING_FAULT, "userns", "user.max_user_namespaces is 0: no container can have "
				      "mapped ids"), fix);
	} else if (access("/proc/self/ns/user", F_OK) < 0) {
		doctor_remedy(doctor_add(d, FINDING_FAULT, "userns", "the kernel has no user namespaces"),
			      "install a kernel with CONFIG_USER_NS");
	} else {
		(void)doctor_add(d, FINDING_OK, "userns", "user namespaces are there");
	}
	if (doctor_number("/proc/sys/kernel/unprivileged_userns_clone", &v) && v == 0)
		doctor_remedy(doctor_add(d, getuid() ? FINDING_FAULT : FINDING_NOTE, "userns-restricted",
					 "kernel.unprivileged_userns_clone is 0: users cannot make containers"),
			      "sudo sysctl -w kernel.unprivileged_userns_clone=1");
	if (doctor_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", &v) && v == 1)
		doctor_remedy(doctor_add(d, getuid() ? FINDING_WARNING : FINDING_NOTE, "userns-apparmor",
					 "AppArmor denies user namespaces to programs of users that no profile allows them"),
			      "load a profile with 'userns,' for %s, or sudo sysctl -w "
			      "kernel.apparmor_restrict_unprivileged_userns=0", "lxc-supervise");
}

static void check_apparmor(struct doctor *d)
{
	auto_free char *enabled = doctor_line("/sys/module/apparmor/parameters/enabled");
	auto_free char *parser = program_find("apparmor_parser");

	if (!enabled || *enabled != 'Y')
		(void)doctor_add(d, FINDING_OK, "apparmor", "AppArmor is not in use on this host");
	else if (!parser)
		doctor_remedy(doctor_add(d, FINDING_FAULT, "apparmor", "AppArmor is on, but there is no apparmor_parser to "
					 "load the profiles of containers"),
			      "apt-get install apparmor");
	else
		(void)doctor_add(d, FINDING_OK, "apparmor", "AppArmor is on, with its parser");
}

static void check_lxcfs(struct doctor *d)
{
	auto_free char *mounts = NULL;

	if (io_read_file(AT_FDCWD, "/proc/self/mounts", 16U << 20, &mounts, NULL, NULL) < 0)
		return;
	if (strstr(mounts, "fuse.lxcfs"))
		(void)doctor_add(d, FINDING_OK, "lxcfs", "lxcfs is mounted");
	else
		doctor_remedy(doctor_add(d, FINDING_NOTE, "lxcfs",
					 "lxcfs is not mounted: guests see memory, load and uptime of the host"),
			      "apt-get install lxcfs");
}

/* A number that only grows: raising it at run time harms nobody. */
static void check_limit(struct doctor *d, const char *key, unsigned long long few, unsigned long long enough,
			const char *why)
{
	auto_free char *path = NULL, *setting = NULL;
	unsigned long long v;

	if (asprintf(&path, "/proc/sys/%s", key) < 0)
		return;
	for (char *p = path + strlen("/proc/sys/"); *p; p++)
		if (*p == '.')
			*p = '/';
	if (!doctor_number(path, &v) || asprintf(&setting, "%s=%llu", key, enough) < 0)
		return;
	if (v >= few) {
		(void)doctor_add(d, FINDING_OK, "limits", "%s is %llu", key, v);
	} else {
		const char *const fix[] = { "sysctl", "-w", setting, NULL };

		doctor_fix(doctor_add(d, FINDING_NOTE, "limits", "%s is %llu: %s", key, v, why), fix);
	}
}

static void check_space(struct doctor *d, const char *lxcpath)
{
	struct statvfs fs;

	if (access(lxcpath, F_OK) < 0) {
		/* lxc-create makes it. */
		(void)doctor_add(d, FINDING_OK, "lxcpath", "%s does not exist yet", lxcpath);
		return;
	}
	if (statvfs(lxcpath, &fs) < 0 || fs.f_blocks == 0)
		return;
	if (fs.f_flag & ST_RDONLY)
		doctor_remedy(doctor_add(d, FINDING_FAULT, "lxcpath", "%s lies on a file system that is read-only", lxcpath),
			      "mount -o remount,rw the file system");
	if (fs.f_bavail * 100 / fs.f_blocks < SPACE_PERCENT)
		doctor_remedy(doctor_add(d, FINDING_WARNING, "space", "less than %d%% of the file system of %s is free",
					 SPACE_PERCENT, lxcpath),
			      "du -xsh %s/* shows what takes the room", lxcpath);
	else if (fs.f_files && fs.f_favail * 100 / fs.f_files < SPACE_PERCENT)
		doctor_remedy(doctor_add(d, FINDING_WARNING, "space", "less than %d%% of the inodes of the file system of %s "
					 "are free", SPACE_PERCENT, lxcpath),
			      "du -x --inodes -s %s/* shows what takes them", lxcpath);
	else
		(void)doctor_add(d, FINDING_OK, "space", "%s has room", lxcpath);
}

static void check_filesystems(struct doctor *d)
{
	auto_free char *text = NULL;

	if (io_read_file(AT_FDCWD, "/proc/filesystems", LINE_MAX_READ, &text, NULL, NULL) < 0)
		return;
	if (has_word(text, "overlay") || strstr(text, "\toverlay\n"))
		(void)doctor_add(d, FINDING_OK, "overlay", "the kernel has overlay");
	else
		doctor_remedy(doctor_add(d, FINDING_NOTE, "overlay", "overlay is not loaded: snapshots of directories need it"),
			      "modprobe overlay");
}

/* Where a user's containers get their cgroups from. */
static void check_delegation(struct doctor *d)
{
	static const char *const wanted[] = { "cpu", "memory", "pids" };
	auto_free char *path = NULL, *text = NULL;
	struct statfs fs;

	if (getuid() == 0 || statfs("/sys/fs/cgroup", &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC ||
	    asprintf(&path, "/sys/fs/cgroup/user.slice/user-%u.slice/user@%u.service/cgroup.controllers",
		     (unsigned)getuid(), (unsigned)getuid()) < 0)
		return;
	if (io_read_file(AT_FDCWD, path, LINE_MAX_READ, &text, NULL, NULL) < 0) {
		doctor_remedy(doctor_add(d, FINDING_FAULT, "delegation", "there is no session of systemd for user %u that could "
					 "give cgroups to containers", (unsigned)getuid()),
			      "log in through ssh or a display manager (su and sudo make no session), or sudo loginctl "
			      "enable-linger %u", (unsigned)getuid());
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!has_word(text, wanted[i]))
			doctor_remedy(doctor_add(d, FINDING_WARNING, "delegation",
						 "systemd does not delegate the %s controller to users", wanted[i]),
				      "sudo systemctl set-property user@%u.service Delegate=yes", (unsigned)getuid());
}

void doctor_check_host(struct doctor *d, const char *lxcpath)
{
	check_kernel(d);
	check_cgroups(d);
	check_delegation(d);
	check_user_namespaces(d);
	check_ids_of_user(d);
	check_map_helper(d, "newuidmap");
	check_map_helper(d, "newgidmap");
	check_apparmor(d);
	check_filesystems(d);
	check_lxcfs(d);
	check_limit(d, "fs.inotify.max_user_instances", INSTANCES_FEW, 1024,
		    "systemd in several containers of one user runs out of them");
	check_limit(d, "kernel.keys.maxkeys", 1000, 2000, "many containers of one user run out of keys");
	check_space(d, lxcpath);
}

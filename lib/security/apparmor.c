/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#define LOG_CATEGORY "apparmor"
#include "security/apparmor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "base/str.h"
#include "base/strv.h"
#include "security/lsm_attr.h"

#define SECURITYFS "sys/kernel/security/apparmor/"
#define DEFAULT_PROFILE "lxc-container-default-cgns"
#define PROFILES_MAX (4 * 1024 * 1024)

/* Names that configs of distributions carry as a matter of course; on a kernel without AppArmor they
 * are no reason to keep a container from starting. */
static const char *const shipped[] = {
	"lxc-container-default",
	DEFAULT_PROFILE,
	"lxc-container-default-with-nesting",
	"lxc-container-default-with-mounting",
};

static bool says(int root, const char *path, const char *value)
{
	char buf[64];

	return io_read_line(root, path, buf, sizeof(buf)) >= 0 && STREQ(buf, value);
}

static bool has_word(int root, const char *path, const char *word)
{
	char buf[512];

	return io_read_line(root, path, buf, sizeof(buf)) >= 0 && strstr(buf, word);
}

/* "1.2" and later. */
static bool has_stacking(int root)
{
	char buf[32];
	unsigned major, minor;
	char *dot;

	if (!says(root, SECURITYFS "features/domain/stack", "yes") ||
	    io_read_line(root, SECURITYFS "features/domain/version", buf, sizeof(buf)) < 0)
		return false;
	dot = strchr(buf, '.');
	if (!dot)
		return false;
	*dot = '\0';
	return num_uint(buf, 10, &major) == 0 && num_uint(dot + 1, 10, &minor) == 0 &&
	       (major > 1 || (major == 1 && minor >= 2));
}

static void read_label(int root, struct apparmor_host *h)
{
	static const char *const files[] = { "proc/thread-self/attr/apparmor/current",
					     "proc/thread-self/attr/current" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char *mode;

		if (io_read_line(root, files[i], h->label, sizeof(h->label)) < 0) {
			h->label[0] = '\0';
			continue;
		}
		/* "NAME (enforce)" */
		mode = strrchr(h->label, '(');
		if (mode > h->label && mode[-1] == ' ')
			mode[-1] = '\0';
		return;
	}
}

/* Anything but the map of all ids onto themselves. */
static bool is_in_userns(int root)
{
	auto_strv struct strv words = { 0 };
	char map[256];

	if (io_read_line(root, "proc/self/uid_map", map, sizeof(map)) < 0 || strv_split(&words, map, " \n") < 0)
		return false;
	return !(words.n == 3 && STREQ(words.v[0], "0") && STREQ(words.v[1], "0") &&
		 STREQ(words.v[2], "4294967295"));
}

void apparmor_host(int root, struct apparmor_host *ret)
{
	*ret = (struct apparmor_host){ 0 };
	ret->enabled = says(root, "sys/module/apparmor/parameters/enabled", "Y");
	if (!ret->enabled)
		return;
	ret->listable = faccessat(root, SECURITYFS "profiles", R_OK, 0) == 0;
	ret->mount_mediation = faccessat(root, SECURITYFS "features/mount/mask", F_OK, 0) == 0;
	ret->stacking = has_stacking(root);
	ret->stacked = says(root, SECURITYFS ".ns_stacked", "yes");
	ret->userns_mediation = has_word(root, SECURITYFS "features/namespaces/mask", "userns_create");
	ret->io_uring_mediation = faccessat(root, SECURITYFS "features/io_uring/mask", F_OK, 0) == 0;
	ret->in_userns = is_in_userns(root);
	read_label(root, ret);
}

/* For who may not read the list: asks whether the change would be allowed, which finds out whether it is there. */
static int ask_loaded(int root, const char *profile)
{
	auto_close int fd = openat(root, "proc/thread-self/attr/apparmor/current", O_WRONLY | O_CLOEXEC);
	char command[1024];
	int n = snprintf(command, sizeof(command), "permprofile %s", profile);

	if (fd < 0)
		fd = openat(root, "proc/thread-self/attr/current", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || n >= (int)sizeof(command))
		return -EACCES;
	return write(fd, command, (size_t)n) < 0 && errno == ENOENT ? 0 : 1;
}

int apparmor_is_loaded(int root, const char *profile)
{
	auto_close int fd = openat(root, SECURITYFS "profiles", O_RDONLY | O_CLOEXEC);
	auto_free char *text = NULL;
	char *rest, *line;
	int r;

	if (fd < 0)
		return errno == EACCES ? ask_loaded(root, profile) : -errno;
	r = io_read_fd(fd, PROFILES_MAX, &text, NULL);
	if (r < 0)
		return r;
	rest = text;
	while ((line = strsep(&rest, "\n")) != NULL) {
		/* "NAME (enforce)"; a name may have blanks and brackets in it. */
		char *mode = strrchr(line, '(');

		if (mode && mode > line && mode[-1] == ' ')
			mode[-1] = '\0';
		if (STREQ(line, profile))
			return 1;
	}
	return 0;
}

/* No AppArmor here: words ask for nothing, names cannot be had. */
static int plan_without(const char *value, struct origin at, struct log *l, struct err **e)
{
	if (!value || STREQ(value, "unconfined") || STREQ(value, "unchanged") || STREQ(value, "generated"))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(shipped); i++)
		if (STREQ(value, shipped[i])) {
			log_warn(l, "this kernel has no AppArmor; the container runs without profile %s", value);
			return 0;
		}
	return err_at(e,
		      err_profile_not_loaded(e, value, ": this kernel has no AppArmor",
					     "boot with AppArmor, or set lxc.apparmor.profile = unconfined"),
		      at);
}

/* A profile that must be there already. */
static int check_loaded(const char *profile, struct origin at, int root, struct err **e)
{
	auto_free char *hint = NULL;
	bool ours = false;
	int r;

	/* A stack or a namespace (a//&:ns:b) has no entry of its own in the list. */
	if (strstr(profile, "//&") || *profile == ':')
		return 0;
	r = apparmor_is_loaded(root, profile);
	if (r != 0)
		return 0;	/* loaded; or not ours to see, then the change of label tells */
	for (size_t i = 0; i < ARRAY_SIZE(shipped); i++)
		ours |= STREQ(profile, shipped[i]);
	if (asprintf(&hint, "%s", ours ? "apparmor_parser -r /etc/apparmor.d/lxc-containers" :
					 "load it with apparmor_parser -r FILE, or correct lxc.apparmor.profile") < 0)
		return err_no_memory(e);
	return err_at(e, err_profile_not_loaded(e, profile, "", hint), at);
}

/* Loading a profile takes the rights of the host's root, or of root in a policy namespace. */
static bool can_generate(const struct apparmor_host *h)
{
	return geteuid() == 0 && (!h->in_userns || h->stacked);
}

static bool has_parser(int root)
{
	return faccessat(root, "usr/sbin/apparmor_parser", X_OK, 0) == 0 ||
	       faccessat(root, "sbin/apparmor_parser", X_OK, 0) == 0;
}

int apparmor_plan(const struct conf *c, int root, const struct apparmor_host *h, struct log *l,
		  struct apparmor_plan *ret, struct err **e)
{
	const char *value = c->apparmor_profile.v;
	const struct origin at = c->apparmor_profile.at;
	const bool confined = *h->label && !STREQ(h->label, "unconfined") && !STREQ(h->label, "/usr/bin/lxc-start");
	int r;

	*ret = (struct apparmor_plan){ 0 };
	if (!h->enabled)
		return plan_without(value, at, l, e);
	if (value && STREQ(value, "unchanged"))
		return 0;
	if (value && STREQ(value, "unconfined")) {
		if (*h->label && !confined)
			return 0;
		return str_set(&ret->profile, value) < 0 ? err_no_memory(e) : 0;
	}
	if (!h->mount_mediation && !c->apparmor_allow_incomplete.v)
		return err_at(e, err_apparmor_incomplete(e), at);
	if (confined && !h->stacking) {
		if (!value || STREQ(value, h->label))
			return 0;
		return err_at(e, err_apparmor_confined(e, h->label, value), at);
	}
	ret->generated = value && STREQ(value, "generated");
	if (ret->generated && !can_generate(h))
		return err_at(e, err_apparmor_not_root(e), at);
	if (ret->generated)
		return 0;
	if (!value && apparmor_is_loaded(root, DEFAULT_PROFILE) == 0) {
		if (can_generate(h) && has_parser(root)) {
			log_info(l, "AppArmor profile %s is not loaded; the container gets one of its own", DEFAULT_PROFILE);
			ret->generated = true;
			return 0;
		}
		/* An ordinary user can load none and has asked for none. */
		if (geteuid() != 0 && conf_is_mapped(c)) {
			log_info(l, "AppArmor profile %s is not loaded; what holds the container is its user namespace", DEFAULT_PROFILE);
			return 0;
		}
	}
	value = value ? value : DEFAULT_PROFILE;
	r = check_loaded(value, at, root, e);
	if (r < 0)
		return r;
	return str_set(&ret->profile, value) < 0 ? err_no_memory(e) : 0;
}

void apparmor_plan_done(struct apparmor_plan *p)
{
	free(p->profile);
	*p = (struct apparmor_plan){ 0 };
}

int apparmor_change(const char *profile, int proc_fd, struct err **e)
{
	char command[1024];
	int r;

	if (snprintf(command, sizeof(command), "changeprofile %s", profile) >= (int)sizeof(command))
		return err_set(e, ENAMETOOLONG, NULL, "the name of AppArmor profile %.64s... is too long", profile);
	r = lsm_attr_write(proc_fd, "apparmor/current", command);
	if (r == -ENOENT)
		r = lsm_attr_write(proc_fd, "current", command);
	if (r == -ENOENT)
		return err_profile_not_loaded(e, profile, "", "load it with apparmor_parser -r FILE");
	return r < 0 ? err_set(e, -r, NULL, "cannot change to AppArmor profile %s", profile) : 0;
}

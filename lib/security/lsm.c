/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#define LOG_CATEGORY "lsm"
#include "security/lsm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "security/apparmor.h"
#include "security/apparmor_own.h"
#include "security/lsm_attr.h"

struct lsm {
	struct apparmor_host host;
	struct apparmor_plan apparmor;
	struct apparmor_own *own;	/* NULL: none is generated */
	char *selinux, *keyring;	/* contexts of the next exec and of a new keyring; NULL: none */
};

/* A context that is to be set, or none. The kernel refuses a wrong one when it is set. */
static int plan_context(const struct conf_str *key, bool selinux, struct log *l, char **ret, struct err **e)
{
	if (!key->v || STREQ(key->v, "unconfined_t"))
		return 0;
	if (!selinux) {
		log_warn(l, "this kernel has no SELinux; context %s is not set", key->v);
		return 0;
	}
	return str_set(ret, key->v) < 0 ? err_no_memory(e) : 0;
}

static bool is_selinux(void)
{
	struct statfs fs;

	return statfs("/sys/fs/selinux", &fs) == 0 && fs.f_type == SELINUX_MAGIC;
}

static int plan_selinux(const struct conf *c, struct log *l, struct lsm *m, struct err **e)
{
	const bool selinux = is_selinux();
	int r = plan_context(&c->selinux_context, selinux, l, &m->selinux, e);

	if (r < 0)
		return r;
	/* Without a context of its own the keyring has that of the processes. */
	if (!c->selinux_keyring.v)
		return m->selinux && str_set(&m->keyring, m->selinux) < 0 ? err_no_memory(e) : 0;
	return plan_context(&c->selinux_keyring, selinux, l, &m->keyring, e);
}

int lsm_plan(const struct conf *c, struct log *l, struct lsm **ret, struct err **e)
{
	auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct lsm *m;
	int r;

	if (root < 0)
		return err_set(e, errno, NULL, "cannot open /");
	m = calloc(1, sizeof(*m));
	if (!m)
		return err_no_memory(e);
	apparmor_host(root, &m->host);
	r = apparmor_plan(c, root, &m->host, l, &m->apparmor, e);
	if (r == 0 && m->apparmor.generated)
		r = apparmor_own_plan(c, root, &m->host, l, &m->own, e);
	if (r == 0)
		r = plan_selinux(c, l, m, e);
	if (r < 0)
		lsm_free(m);
	else
		*ret = m;
	return r;
}

void lsm_free(struct lsm *m)
{
	if (!m)
		return;
	apparmor_plan_done(&m->apparmor);
	apparmor_own_free(m->own);
	free(m->selinux);
	free(m->keyring);
	free(m);
}

int lsm_load(struct lsm *m, struct err **e)
{
	return m->own ? apparmor_own_load(m->own, e) : 0;
}

void lsm_unload(struct lsm *m)
{
	if (m && m->own)
		apparmor_own_unload(m->own);
}

/* What AppArmor is to change to, or NULL. */
static const char *apparmor_label(const struct lsm *m)
{
	return m->own ? apparmor_own_label(m->own) : m->apparmor.profile;
}

int lsm_apply(const struct lsm *m, int proc_fd, struct err **e)
{
	int r = 0;

	if (apparmor_label(m))
		r = apparmor_change(apparmor_label(m), proc_fd, e);
	if (r < 0 || !m->selinux)
		return r;
	r = lsm_attr_write(proc_fd, "exec", m->selinux);
	return r < 0 ? err_set(e, -r, NULL, "SELinux does not take the context %s", m->selinux) : 0;
}

int lsm_apply_keyring(const struct lsm *m, int proc_fd, struct err **e)
{
	int r = m->keyring ? lsm_attr_write(proc_fd, "keycreate", m->keyring) : 0;

	return r < 0 ? err_set(e, -r, NULL, "SELinux does not take the keyring context %s", m->keyring) : 0;
}

const char *lsm_label(const struct lsm *m)
{
	const char *label = apparmor_label(m);

	return label ? label : m->selinux ? m->selinux : "";
}

char *lsm_label_of(pid_t pid)
{
	char label[1024], *mode;

	if (lsm_attr_read(pid, "apparmor/current", label, sizeof(label)) < 0 &&
	    lsm_attr_read(pid, "current", label, sizeof(label)) < 0)
		label[0] = '\0';
	mode = strrchr(label, '(');
	if (mode && mode > label && mode[-1] == ' ')
		mode[-1] = '\0';
	return strdup(label);
}

/* AppArmor's words are "changeprofile NAME" and "exec NAME"; SELinux takes the bare context, and only
 * for what is executed next. */
int lsm_set_label(const char *label, bool on_exec, int proc_fd, struct err **e)
{
	auto_free char *command = NULL;
	int r;

	if (!*label)
		return 0;
	if (!on_exec)
		return apparmor_change(label, proc_fd, e);
	if (asprintf(&command, "exec %s", label) < 0)
		return err_no_memory(e);
	r = lsm_attr_write(proc_fd, "apparmor/exec", command);
	if (r == -ENOENT)
		r = lsm_attr_write(proc_fd, "exec", is_selinux() ? label : command);
	return r < 0 ? err_set(e, -r, NULL, "the label %s cannot be set", label) : 0;
}

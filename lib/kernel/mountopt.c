/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/mountopt.h"

#include <errno.h>
#include <linux/mount.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/num.h"
#include "base/str.h"
#include "base/strv.h"

/* Newer than the oldest headers that are supported. */
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

enum what { ATTR_SET, ATTR_CLEAR, ATIME, PROPAGATION, PROPAGATION_REC, IGNORED, FLAG };

struct word {
	const char *name;
	enum what what;
	uint64_t attr; /* or the value of PROPAGATION */
	unsigned long ms;
	size_t flag; /* offset of the bool */
};

#define FLAG_OF(f) FLAG, 0, 0, offsetof(struct mountopt, f)

static const struct word words[] = {
	{ "ro", ATTR_SET, MOUNT_ATTR_RDONLY, MS_RDONLY },
	{ "rw", ATTR_CLEAR, MOUNT_ATTR_RDONLY, MS_RDONLY },
	{ "nosuid", ATTR_SET, MOUNT_ATTR_NOSUID, MS_NOSUID },
	{ "suid", ATTR_CLEAR, MOUNT_ATTR_NOSUID, MS_NOSUID },
	{ "nodev", ATTR_SET, MOUNT_ATTR_NODEV, MS_NODEV },
	{ "dev", ATTR_CLEAR, MOUNT_ATTR_NODEV, MS_NODEV },
	{ "noexec", ATTR_SET, MOUNT_ATTR_NOEXEC, MS_NOEXEC },
	{ "exec", ATTR_CLEAR, MOUNT_ATTR_NOEXEC, MS_NOEXEC },
	{ "nodiratime", ATTR_SET, MOUNT_ATTR_NODIRATIME, MS_NODIRATIME },
	{ "diratime", ATTR_CLEAR, MOUNT_ATTR_NODIRATIME, MS_NODIRATIME },
	{ "nosymfollow", ATTR_SET, MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW },
	/* The three atime modes are one field; leaving a mode means relatime, the kernel's default. */
	{ "noatime", ATIME, MOUNT_ATTR_NOATIME, MS_NOATIME },
	{ "strictatime", ATIME, MOUNT_ATTR_STRICTATIME, MS_STRICTATIME },
	{ "relatime", ATIME, MOUNT_ATTR_RELATIME, MS_RELATIME },
	{ "atime", ATIME, MOUNT_ATTR_RELATIME, 0 },
	{ "norelatime", ATIME, MOUNT_ATTR_RELATIME, 0 },
	{ "nostrictatime", ATIME, MOUNT_ATTR_RELATIME, 0 },
	{ "private", PROPAGATION, MS_PRIVATE },
	{ "shared", PROPAGATION, MS_SHARED },
	{ "slave", PROPAGATION, MS_SLAVE },
	{ "unbindable", PROPAGATION, MS_UNBINDABLE },
	{ "rprivate", PROPAGATION_REC, MS_PRIVATE },
	{ "rshared", PROPAGATION_REC, MS_SHARED },
	{ "rslave", PROPAGATION_REC, MS_SLAVE },
	{ "runbindable", PROPAGATION_REC, MS_UNBINDABLE },
	{ "bind", FLAG_OF(bind) },
	{ "rbind", FLAG_OF(rbind) },
	{ "move", FLAG_OF(move) },
	{ "create=dir", FLAG_OF(create_dir) },
	{ "create=file", FLAG_OF(create_file) },
	{ "optional", FLAG_OF(optional) },
	{ "relative", FLAG_OF(relative) },
	{ "defaults", IGNORED },
	{ "sync", IGNORED },
	{ "async", IGNORED },
	{ "dirsync", IGNORED },
	{ "lazytime", IGNORED },
	{ "mand", IGNORED },
	{ "nomand", IGNORED },
	{ "remount", IGNORED },
	/* Of fstab itself, and of those who read it. */
	{ "auto", IGNORED },
	{ "noauto", IGNORED },
	{ "nofail", IGNORED },
	{ "user", IGNORED },
	{ "nouser", IGNORED },
	{ "users", IGNORED },
	{ "owner", IGNORED },
	{ "group", IGNORED },
	{ "_netdev", IGNORED },
	{ "silent", IGNORED },
	{ "loud", IGNORED },
	{ "iversion", IGNORED },
	{ "noiversion", IGNORED },
};

static void apply(struct mountopt *m, const struct word *w)
{
	const unsigned long ms_atime = MS_NOATIME | MS_STRICTATIME | MS_RELATIME;

	switch (w->what) {
	case ATTR_SET:
		m->attr_set |= w->attr;
		m->attr_clr &= ~w->attr;
		m->ms_flags |= w->ms;
		break;
	case ATTR_CLEAR:
		m->attr_set &= ~w->attr;
		m->attr_clr |= w->attr;
		m->ms_flags &= ~w->ms;
		break;
	case ATIME:
		m->attr_set = (m->attr_set & ~(uint64_t)MOUNT_ATTR__ATIME) | w->attr;
		m->attr_clr |= MOUNT_ATTR__ATIME;
		m->ms_flags = (m->ms_flags & ~ms_atime) | w->ms;
		break;
	case PROPAGATION:
	case PROPAGATION_REC:
		m->propagation = (unsigned long)w->attr;
		m->propagation_rec = w->what == PROPAGATION_REC;
		break;
	case FLAG:
		*(bool *)((char *)m + w->flag) = true;
		break;
	case IGNORED:
		break;
	}
}

int mountopt_share(const char *idmap, bool *ret_owner, uint32_t *ret_uid, uint32_t *ret_gid)
{
	const char *rest = str_after(idmap, "caller:");
	uint64_t uid, gid;

	*ret_owner = !rest;
	if (!rest)
		rest = str_after(idmap, "owner:");
	if (!rest || num_prefix(rest, 10, UINT32_MAX - 1, &uid, &rest) < 0)
		return -EINVAL;
	gid = uid;
	if (*rest && (*rest != ':' || num_prefix(rest + 1, 10, UINT32_MAX - 1, &gid, &rest) < 0 || *rest))
		return -EINVAL;
	*ret_uid = (uint32_t)uid;
	*ret_gid = (uint32_t)gid;
	return 0;
}

static int apply_word(struct mountopt *m, const char *word, struct buf *data, struct err **e)
{
	const char *idmap = str_after(word, "idmap=");
	uint32_t uid, gid;
	bool owner;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i].name, word) == 0) {
			apply(m, &words[i]);
			return 0;
		}
	if (idmap) {
		if (strcmp(idmap, "container") != 0 && *idmap != '/' && mountopt_share(idmap, &owner, &uid, &gid) < 0)
			return err_mount_option_bad(e, word, "idmap= takes 'container', 'caller:UID[:GID]', 'owner:UID[:GID]' or an absolute path");
		return str_set(&m->idmap, idmap) < 0 ? err_no_memory(e) : 0;
	}
	if (str_after(word, "x-") || str_after(word, "comment="))
		return 0;
	if (str_after(word, "create="))
		return err_mount_option_bad(e, word, "create= takes 'dir' or 'file'");
	if (data->len)
		buf_addc(data, ',');
	buf_adds(data, word);
	return 0;
}

int mountopt_parse(const char *opts, struct mountopt *ret, struct err **e)
{
	auto_mountopt struct mountopt m = MOUNTOPT_INIT;
	auto_buf struct buf data = BUF_INIT(65536);
	auto_strv struct strv list = { 0 };
	int r;

	if (strv_split(&list, opts ? opts : "", ",") < 0)
		return err_no_memory(e);
	for (size_t i = 0; i < list.n; i++) {
		r = apply_word(&m, list.v[i], &data, e);
		if (r < 0)
			return r;
	}
	if (m.create_dir && m.create_file)
		return err_mount_option_bad(e, "create=file", "create=dir is there too");
	if (m.rbind)
		m.bind = true;
	if (m.bind && m.move)
		return err_mount_option_bad(e, "move", "bind is there too");
	if (!buf_ok(&data))
		return err_no_memory(e);
	if (data.len)
		m.data = buf_take(&data);
	*ret = m;
	m = (struct mountopt)MOUNTOPT_INIT;
	return 0;
}

void mountopt_done(struct mountopt *m)
{
	free(m->idmap);
	free(m->data);
	m->idmap = m->data = NULL;
}

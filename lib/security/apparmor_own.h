/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* apparmor_own - a container's own profile (lxc.apparmor.profile = generated): named, written below
 * the container's directory, loaded before the start and removed after the stop. */
#pragma once
#include "base/err.h"
#include "base/log.h"
#include "config/conf.h"
#include "security/apparmor.h"

struct apparmor_own;

/* Decides on names and text; changes nothing. */
int apparmor_own_plan(const struct conf *c, int root, const struct apparmor_host *h, struct log *l,
		      struct apparmor_own **ret, struct err **e);
/* What the guest's processes change to. Borrowed. */
const char *apparmor_own_label(const struct apparmor_own *o);
int apparmor_own_load(struct apparmor_own *o, struct err **e);
/* Also of a profile that an earlier process of ours loaded. */
void apparmor_own_unload(struct apparmor_own *o);
void apparmor_own_free(struct apparmor_own *o);

/* "lxc-NAME_<LXCPATH>", or a hash where that is too long or not plain. New; NULL without memory. */
char *apparmor_own_name(const char *name, const char *lxcpath);

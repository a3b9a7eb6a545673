/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* globals - the functions of the library that have no handle. */
#include <lxc/lxccontainer.h>
#include <lxc/lxcext.h>
#include <lxc/version.h>

#include "base/compiler.h"

attr_public const char *lxc_get_version(void)
{
	return LXC_VERSION;
}

attr_public const char *lxcext_version(void)
{
	return PACKAGE_VERSION;
}

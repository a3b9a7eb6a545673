/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* idmap_of - the id map that a container is to get, by a configuration that is not its own. */
#pragma once
#include "common/tool.h"

/* The values of lxc.idmap in that file; NULL: of what a new container begins with. EXIT_SUCCESS, or EXIT_FAILURE after a
 * message. */
int idmap_of_config(struct tool *t, const char *lxcpath, const char *file, struct strv *ret);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* dir - the directory LXCPATH/NAME of a container, and writing its configuration file. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "config/conf.h"
#include "handle.h"

/* Opens the container's directory. make: it is made (0770, owned by the mapped root where conf has
 * an id map) with its parents (0755) when missing; *ret_made (may be NULL) says so. fd or -errno. */
int dir_open(struct call *k, const struct conf *conf, bool make, bool *ret_made);
/* mkdir -p, 0755. */
int dir_make_path(const char *path, struct err **e);
/* Gives the object behind fd (O_PATH will do) to the mapped root of conf; nothing without id map. */
int dir_give(int fd, const struct conf *conf, bool group, struct err **e);
/* 0660 less the umask of this process, which is asked for without being changed. */
mode_t dir_config_mode(void);
/* Of a container's directory: an ordinary user shares his with nobody, his main group may have others. */
mode_t dir_mode(void);
/* Writes conf's text as file name in dirfd, keeping owner and mode of a file that is there. Not durable: in a directory of
 * our own making that is still marked as incomplete, see partial_complete. */
int dir_save_config(struct call *k, const struct conf *conf, int dirfd, const char *name, bool durable);

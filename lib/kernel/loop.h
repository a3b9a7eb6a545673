/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* loop - a file as a block device. A device that is made here goes away with its last user. */
#pragma once
#include "base/err.h"

/* The loop device of the file behind fd: the one it has already, since two would be two views of one file
 * system that do not know of each other, else a new one. *ret_path is new, "/dev/loopN". An fd of the
 * device, which holds it, or -errno. */
int loop_attach(int fd, char **ret_path, struct err **e);
/* Tells the device that its file has another size now. 0 or -errno. */
int loop_update_size(int dev_fd);

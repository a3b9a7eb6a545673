/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* subid - the ranges of ids that the administrator has granted to the calling user: /etc/subuid and
 * /etc/subgid, or what "subid:" of nsswitch.conf names instead, asked through libsubid. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/vec.h"

struct subid_range {
	uint32_t first, count;
};
struct subids {
	VEC(struct subid_range);
};

/* The caller's name as it stands in these files; the number where he has none. */
#define SUBID_USER_MAX 256
void subid_user(char name[SUBID_USER_MAX]);
/* Appends the caller's ranges, in the order of the file; lines that are not understood grant nothing,
 * a file that is not there neither. 0 or -errno with *e. */
int subid_read(bool gid, struct subids *ret, struct err **e);
/* The first of 65536 ids in a row that the file grants to nobody, for a remedy; 100000 if in doubt. */
uint32_t subid_free(bool gid);
/* "/etc/subuid", "/etc/subgid"; usermod's option. */
const char *subid_file(bool gid);
const char *subid_option(bool gid);

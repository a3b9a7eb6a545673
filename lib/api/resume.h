/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* resume - going on with what an interrupted copy has left: LXCEXT_COPY_RESUME. The marker of a copy says what it is a
 * copy of; files of its root that are whole stay (storage/copykeep.c), all else is made again. */
#pragma once
#include "copying.h"

/* Whether there is something to go on with: 1, 0, or a negative errno with the error in to->e, as for what is there and
 * is no interrupted copy of c->from. */
int resume_check(struct copying *c);
/* Takes c's place, where that something is, as take_place does an empty one. The disk lock is held. */
int resume_take(struct copying *c);

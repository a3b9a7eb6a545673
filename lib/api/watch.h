/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* watch - what the caller of a long copy is told of it, and what he is asked. */
#pragma once
#include <lxc/lxcext.h>

#include "storage/storage.h"

struct watch {
	struct storage_progress progress;
	const struct lxcext_copy *how;	/* borrowed */
};
/* The progress to copy with, as long as w lives; NULL when how has no use for it. */
const struct storage_progress *watch_init(struct watch *w, const struct lxcext_copy *how);
/* A caller built against another header knows less of the struct, or more: false when it is not even the beginning. */
bool watch_take(struct lxcext_copy *own, const struct lxcext_copy *how);

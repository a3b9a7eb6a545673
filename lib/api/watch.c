/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "watch.h"

#include <stddef.h>
#include <string.h>

static void tick(void *arg, uint64_t bytes, uint64_t files)
{
	const struct watch *w = arg;

	if (w->how->progress)
		w->how->progress(w->how->arg, bytes, files);
}

static bool cancelled(void *arg)
{
	const struct watch *w = arg;

	return w->how->cancelled && w->how->cancelled(w->how->arg);
}

const struct storage_progress *watch_init(struct watch *w, const struct lxcext_copy *how)
{
	*w = (struct watch){ .progress = { .tick = tick, .cancelled = cancelled, .arg = w }, .how = how };
	return how->progress || how->cancelled ? &w->progress : NULL;
}

bool watch_take(struct lxcext_copy *own, const struct lxcext_copy *how)
{
	*own = (struct lxcext_copy){ 0 };
	if (!how || how->size < offsetof(struct lxcext_copy, extra))
		return false;
	memcpy(own, how, how->size < sizeof(*own) ? how->size : sizeof(*own));
	return true;
}

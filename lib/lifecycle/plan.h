/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* plan - everything that can be known to fail is known here, before any process exists: the
 * configuration is resolved against the host by every driver, the mounts are parsed, the init
 * program is looked at. Nothing is changed. */
#pragma once
#include "lifecycle/run.h"

/* Fills the plan part of r (r->conf, r->argv and how it was asked for are set). */
int plan_make(struct run *r, struct err **e);
/* Of it: what /dev, console and ttys are like (r->storage is set). */
int plan_devices(struct run *r, struct err **e);
/* The plan in words: identity, namespaces, ids, root, mounts, network, cgroups, security. */
void plan_explain(const struct run *r, struct buf *out);
/* The same as one JSON object (lxcext_explain_json). */
void plan_json(const struct run *r, struct buf *out);

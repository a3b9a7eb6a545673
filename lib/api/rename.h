/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* rename - the second step of a rename, where the process that renamed was killed between the two. */
#pragma once
#include "handle.h"

/* A configuration that waits for the directory to have this name takes its place. */
void rename_settle(struct call *k);

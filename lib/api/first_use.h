/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* first_use - the configuration that an ordinary user's container begins with when there is no default
 * one: an id map from the granted ranges, and the network that is possible. */
#pragma once
#include "handle.h"

/* *ret is new. Errors say what the administrator has to grant. */
int first_use_conf(struct call *k, struct conf **ret);

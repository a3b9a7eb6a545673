/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* type_net - the value types of interface sub-keys. Private to this layer. */
#pragma once
#include "config/type.h"

/* The word of the interface's type; NULL if it was cleared. */
const char *net_type_word(const struct conf_net *n);

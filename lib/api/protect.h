/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* protect - whether this program runs from what root in a container could not write to. */
#pragma once
#include <stdbool.h>

/* True if it does. The process then has its program's name, whatever it was executed by. */
bool protect_is_done(void);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* autostart-user - a user's containers start at boot: a unit of the user's systemd manager, which runs
 * without a login where lingering is enabled. */
#pragma once
#include <stdbool.h>

#include "common/tool.h"

/* Makes or removes the unit, says what was done, and what is left to do. Exit status. */
int autostart_user(struct tool *t, bool enable);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* revive - when nothing answers for a container but its state file says that it ran: has the
 * supervisor take it over, or clean up after it. Client side. */
#pragma once

/* 1: a monitor answers again; 0: there was nothing to do or it was cleaned up; -errno. */
int revive_monitor(const char *lxcpath, const char *name);

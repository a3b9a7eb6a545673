/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* globals - what the ABI forces the library to keep outside of handles: the log settings of the
 * process (lxc_log_init), and per thread the global items already handed out and the error of calls
 * that have no handle. Nothing else in lib/ has state of its own. */
#pragma once
#include "base/err.h"
#include "base/log.h"
#include "base/strv.h"

/* Fills l from the process's settings, with its own descriptor. log_done releases it. */
void globals_log(struct log *l, const char *name);

/* This thread's error and warnings of calls without a handle. thread_fail takes e. */
void thread_fail(struct err *e);
const struct err *thread_error(void);
struct strv *thread_warnings(void);	/* NULL when memory is out */
void thread_warn(const char *fmt, ...) attr_printf(1, 2);

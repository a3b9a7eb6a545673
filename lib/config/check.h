/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* check - what one key means for another: rules over a whole struct conf, before anything is done
 * with it. No rule looks at the machine. */
#pragma once
#include "base/err.h"
#include "base/log.h"
#include "config/conf.h"
#include "kernel/idmap.h"

/* 0, or -errno with every broken rule in *e (the first is the root, the others its "more"). What is
 * allowed but has no effect is one log_warn each. */
int conf_check(const struct conf *c, struct log *l, struct err **e);
/* The id ranges in the kernel layer's form; the caller ends it with idmap_done. 0 or -ENOMEM. */
int conf_to_idmap(const struct conf *c, struct idmap *ret);
/* Clock offset in whole seconds and nanoseconds (0 to 999999999), from the two fields of conf. */
void conf_clock_offset(const struct conf_num *s, const struct conf_num *ns, int64_t *ret_s, int64_t *ret_ns);

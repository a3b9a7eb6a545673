/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* opt_table - turns the file OPT_TABLE into `enum key` (KEY_X) and `opt_table[]`. Included once by
 * each tool, which defines OPT_TABLE first; therefore no include guard. */
#include "common/opt.h"

enum key {
	KEY_NONE,
#define OPT(key, letter, name, kind, arg, help) KEY_##key,
#define EXT OPT
#include OPT_TABLE
#undef OPT
#undef EXT
};

static const struct opt opt_table[] = {
#define OPT(key, letter, name, kind, arg, help) { KEY_##key, letter, name, OPT_##kind, arg, help, false },
#define EXT(key, letter, name, kind, arg, help) { KEY_##key, letter, name, OPT_##kind, arg, help, true },
#include OPT_TABLE
#undef OPT
#undef EXT
};

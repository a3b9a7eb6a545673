/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* An error frame from another process, which may be a guest's. What is accepted prints without a
 * control character, and packs into a frame that gives the same chain. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_err struct err *e = err_unpack((const char *)data, size), *again = NULL;
	auto_free char *line = NULL, *line_again = NULL;
	char frame[ERR_FRAME_MAX];

	if (!e)
		return 0;
	line = err_line(e);
	if (!line || str_has_control(line, false))
		abort();
	again = err_unpack(frame, err_pack(e, frame));
	line_again = err_line(again);
	if (!line_again || strcmp(line, line_again) != 0)
		abort();
	return 0;
}

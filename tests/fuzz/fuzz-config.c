/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* A configuration file: whatever it says, reading ends, and what was read survives dump and undump. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/check.h"
#include "config/key.h"
#include "config/reader.h"
#include "config/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_buf struct buf a = BUF_INIT((size_t)64 << 20), b = BUF_INIT((size_t)64 << 20);
	auto_conf struct conf *c = conf_new(), *copy = NULL;
	auto_err struct err *e = NULL, *e2 = NULL, *e3 = NULL;
	char frame[ERR_FRAME_MAX];
	size_t n;

	/* Files of this machine are no part of the input. */
	if (!c || memmem(data, size, "lxc.include", 11))
		return 0;
	if (conf_parse(c, (const char *)data, size, "fuzz", NULL, &e) < 0) {
		n = err_pack(e, frame);
		struct err *back = err_unpack(frame, n);

		if (!e || !back)
			abort();
		free(err_line(back));
		err_free(back);
	}
	(void)conf_check(c, NULL, &e2);
	if (conf_dump(c, &a) < 0)
		return 0;
	if (conf_undump(&copy, buf_str(&a), a.len, NULL, &e3) < 0)
		abort();
	if (conf_dump(copy, &b) < 0 || strcmp(buf_str(&a), buf_str(&b)) != 0)
		abort();
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "common/usage.h"

#include "harness/unit.h"

static void blkio_files_are_summed_over_devices(void **state)
{
	struct usage_io io;

	usage_parse_blkio("8:0 Read 4096\n8:0 Write 1024\n8:0 Sync 5120\n8:0 Async 0\n8:0 Discard 7\n8:0 Total 5127\n"
			  "253:1 Read 10\n253:1 Write 0\n253:1 Total 10\nTotal 5137\n", &io);
	assert_int_equal(io.read, 4106);
	assert_int_equal(io.write, 1024);
	assert_int_equal(io.total, 5137);
	usage_parse_blkio("Total 0\n", &io);
	assert_int_equal(io.total, 0);
	usage_parse_blkio(NULL, &io);
	assert_int_equal(io.total, 0);
	usage_parse_blkio("8:0 Total -1\n8:0 Total 1x\n8:0 Total\n", &io);
	assert_int_equal(io.total, 0);
}

static void io_stat_is_summed_over_devices(void **state)
{
	struct usage_io bytes, ops;

	usage_parse_io_stat("8:0 rbytes=4096 wbytes=1024 rios=3 wios=2 dbytes=9 dios=1\n"
			    "253:1 rbytes=1 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n7:0 \n", &bytes, &ops);
	assert_int_equal(bytes.read, 4097);
	assert_int_equal(bytes.write, 1024);
	assert_int_equal(bytes.total, 5121);
	assert_int_equal(ops.total, 6);
	usage_parse_io_stat("", &bytes, &ops);
	assert_int_equal(bytes.total + ops.total, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(blkio_files_are_summed_over_devices),
	cmocka_unit_test(io_stat_is_summed_over_devices),
};
UNIT_MAIN(tests)

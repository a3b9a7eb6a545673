/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* Runs a fuzz target over the files of its corpus, so that what fuzzing once found is tested with every
 * build. CORPUS is the name of the directory below tests/fuzz/corpus. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/strv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One file in a TAP line; an abort of the target ends the program, which the harness reports. */
static bool replay(const char *dir, const char *name, size_t number)
{
	auto_free char *path = path_join(dir, name), *data = NULL;
	size_t n = 0;

	if (!path || io_read_file(AT_FDCWD, path, (size_t)16 << 20, &data, &n, NULL) < 0) {
		printf("not ok %zu - %s cannot be read\n", number, name);
		return false;
	}
	(void)LLVMFuzzerTestOneInput((const uint8_t *)data, n);
	printf("ok %zu - %s\n", number, name);
	(void)fflush(stdout);
	return true;
}

int main(void)
{
	const char *top = getenv("top_srcdir");
	auto_free char *dir = path_join(top ? top : ".", "tests/fuzz/corpus/" CORPUS);
	auto_closedir DIR *d = dir ? opendir(dir) : NULL;
	auto_strv struct strv names = { 0 };
	bool good = true;

	if (!d) {
		printf("Bail out! %s cannot be opened\n", dir ? dir : CORPUS);
		return 1;
	}
	for (const struct dirent *de = readdir(d); de; de = readdir(d))
		if (*de->d_name != '.')
			(void)strv_add(&names, de->d_name);
	strv_sort(&names);
	printf("1..%zu\n", names.n);
	for (size_t i = 0; i < names.n; i++)
		good &= replay(dir, names.v[i], i + 1);
	return good && names.n ? 0 : 1;
}

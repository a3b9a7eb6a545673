/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-config - shows settings of the system configuration. It has LXC's odd command line: no common
 * options, and everything, also what went wrong with an item's name, on stdout. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lxc/lxcext.h>

#include "base/compiler.h"
#include "base/json.h"

static const char *const listed[] = {
	"lxc.default_config",  "lxc.lxcpath",	 "lxc.bdev.lvm.vg",    "lxc.bdev.lvm.thin_pool",
	"lxc.bdev.zfs.root", "lxc.cgroup.use", "lxc.cgroup.pattern",
};

static int show(const char *item)
{
	const char *value;

	errno = 0;
	value = lxc_get_global_config_item(item);
	if (!value && errno == EINVAL) {
		printf("Unknown configuration item: %s\n", item);
		return EXIT_FAILURE;
	}
	if (value)
		printf("%s\n", value);
	else
		printf("%s is not set.\n", item);
	return EXIT_SUCCESS;
}

/* item NULL: all that are listed. */
static int show_json(const char *item)
{
	auto_buf struct buf b = BUF_INIT(65536);
	struct json j = JSON_INIT(&b);
	bool known = true;

	json_object(&j, NULL);
	json_string(&j, "schema", "lxc-config");
	json_u64(&j, "version", 1);
	json_object(&j, "items");
	for (size_t i = 0; i < (item ? 1 : ARRAY_SIZE(listed)); i++) {
		const char *key = item ? item : listed[i], *value;

		errno = 0;
		value = lxc_get_global_config_item(key);
		if (!value && errno == EINVAL)
			known = false;
		else
			json_string(&j, key, value);
	}
	json_object_end(&j);
	json_object_end(&j);
	if (!known) {
		fprintf(stderr, "lxc-config: there is no configuration item %s\n  try: lxc-config -l\n", item);
		return EXIT_FAILURE;
	}
	puts(buf_str(&b));
	return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	const char *word = argc > 1 ? argv[1] : "--help";
	int r = EXIT_SUCCESS;

	if (STREQ(word, "-h") || STREQ(word, "--help") || STREQ(word, "--usage"))
		puts("Usage: lxc-config -l        lists the items of the system configuration\n"
		     "       lxc-config ITEM      shows the value of ITEM\n"
		     "       lxc-config --json [ITEM]   shows the value of ITEM, or of all, as JSON");
	else if (STREQ(word, "--version"))
		printf("%s\ntiffin %s\n", lxc_get_version(), lxcext_version());
	else if (STREQ(word, "--json"))
		r = show_json(argc > 2 ? argv[2] : NULL);
	else if (STREQ(word, "-l"))
		for (size_t i = 0; i < ARRAY_SIZE(listed); i++)
			puts(listed[i]);
	else
		r = show(word);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return r;
	fprintf(stderr, "lxc-config: cannot write the output: %s\n", strerror(errno));
	return EXIT_FAILURE;
}

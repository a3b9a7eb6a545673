/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* A mount table: a guest chooses the names of its mount points and of what it mounts. Whatever is
 * accepted keeps its entries when it is put in order, and every text ends. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/mountinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_mountinfo struct mountinfo m = { 0 };
	auto_err struct err *e = NULL;
	char *text = malloc(size + 1);
	size_t n, length = 0;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (mountinfo_parse(text, &m, &e) < 0) {
		if (!e || m.n)
			abort();
		return 0;
	}
	n = m.n;
	if (mountinfo_deepest_first(&m) < 0 || m.n != n)
		abort();
	for (size_t i = 0; i < n; i++) {
		const struct mountinfo_entry *entry = &m.v[i];

		length += strlen(entry->root) + strlen(entry->point) + strlen(entry->options) + strlen(entry->type) +
			  strlen(entry->source) + strlen(entry->super);
		if (!mountinfo_find(&m, entry->point) || !mountinfo_by_id(&m, entry->id))
			abort();
	}
	if (length > size)
		abort();
	return 0;
}

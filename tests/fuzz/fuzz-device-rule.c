/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* Device rules: whatever is accepted is written back as text that means the same, and a policy made
 * of many rules answers as the rules' definition says. Paths are not looked up. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cgroup/devices.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct device_rule *r)
{
	auto_buf struct buf b = BUF_INIT(256);
	struct device_rule again = { 0 };

	device_rule_text(r, &b);
	if (!buf_ok(&b) || device_rule_parse(buf_str(&b), r->allow, false, &again, NULL) < 0 ||
	    !device_rule_same(r, &again))
		abort();
}

/* After an "a" everything is as it says; after any other rule the device it names is decided. */
static void check_effect(const struct device_policy *p, const struct device_rule *r)
{
	char type = r->type == 'a' ? 'c' : r->type;
	uint32_t major = r->major == DEVICE_ANY ? 7 : (uint32_t)r->major,
		 minor = r->minor == DEVICE_ANY ? 7 : (uint32_t)r->minor;

	if (r->all && (p->exceptions.n || p->allow_default != r->allow))
		abort();
	if (r->allow != p->allow_default && !r->all &&
	    device_policy_allows(p, type, major, minor, r->access) != r->allow)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = malloc(size + 1);
	struct device_policy p = { 0 };
	char *rest = text, *line;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		struct device_rule r = { 0 };

		if (!*line || device_rule_parse(line + 1, *line != '-', false, &r, NULL) < 0)
			continue;
		check_round_trip(&r);
		if (device_policy_apply(&p, &r) < 0)
			break;
		check_effect(&p, &r);
	}
	device_policy_done(&p);
	return 0;
}

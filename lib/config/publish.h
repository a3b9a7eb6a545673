/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* publish - a value of lxc.net.N.publish: [ADDRESS:]PORT[-LAST][:PORT[-LAST]][/tcp|/udp]. */
#pragma once
#include <stdbool.h>

struct publish {
	char address[64];			/* of the host; "": all of them */
	unsigned host, container, count;	/* first ports, and how many */
	bool udp;
};

/* 0, or -EINVAL with the reason in *ret_why. */
int publish_parse(const char *text, struct publish *ret, const char **ret_why);

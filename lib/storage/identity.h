/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* identity - what makes a root file system one particular machine: its name, machine-id, DHCP ids, ssh
 * host keys, random seeds. A copy of a root, whether of a container or out of an image, is given an
 * identity of its own here. Everything is reached from a descriptor of the root, which is the guest's:
 * links in it lead nowhere else, and what is not a plain file is left alone. */
#pragma once
#include <stdbool.h>

#include "base/err.h"
#include "base/log.h"

struct identity {			/* all borrowed */
	const char *hostname;		/* an existing /etc/hostname says this from now on; NULL: as it is */
	const char *old_hostname;	/* its lines in /etc/hosts follow; NULL: none do */
	bool ids;			/* machine-id, DHCP ids, random seeds */
	bool ssh_keys;			/* made anew (takes a fraction of a second) */
};

int identity_reset(int rootfd, const struct identity *how, struct log *l, struct err **e);
